//! The front door: [`Runtime`], the value that owns threads, driver and pool, and [`Handle`], the way to
//! it from anywhere.
//!
//! ```text
//!   Runtime ─owns─▶ threads
//!      └─▶ Handle ─▶ Scheduler (tasks)  ─▶ OwnedTasks, queues, Driver
//!                 ├▶ driver::Handle (registrations, timers, clock)  ◀─ sockets, sleeps keep one
//!                 └▶ blocking::Pool
//! ```

mod builder;
mod enter;
pub(crate) mod explicit;
mod join_set;
pub mod metrics;
mod scope;
mod spawn;
mod tracker;

use std::borrow::Cow;
use std::fmt;
use std::io;
#[cfg(unix)]
use std::os::fd::{AsRawFd, RawFd};
use std::panic::Location;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

pub use self::builder::{Builder, UnhandledPanic};
pub use self::enter::{EnterGuard, TryCurrentError};
use self::metrics::Metrics;
pub use self::scope::{Scope, scope, scope_in};
pub use self::spawn::{spawn, spawn_blocking, spawn_local, spawn_named};
pub use self::tracker::{DrainReport, LeftTask, TaskTracker};
use crate::blocking::Pool;
use crate::driver;
use crate::executor::{self, Scheduler};
use crate::task::{self, JoinHandle, TaskInfo, home};
use crate::time_core::Instant;

/// How long dropping a runtime waits for blocking jobs that are still running.
const BLOCKING_GRACE: Duration = Duration::from_secs(1);

/// The size up to which a future that is wrapped before it is spawned may be kept twice, in bytes;
/// a larger one gets an allocation of its own, which is cheaper then.
const TWICE_AT_MOST: usize = 512;

/// An asynchronous runtime: worker threads, a driver for I/O and timers, and a pool for blocking
/// work, in one plain value.
///
/// Any number of runtimes live side by side in one process. Most programs never name this type and
/// use [`#[runtime::main]`](crate::main); a program with its own main loop makes one and enters it
/// with [`block_on`](Self::block_on) or hands out [`Handle`]s.
///
/// # Shutdown
///
/// Dropping the runtime cancels every task, runs every destructor once, on a thread of the runtime
/// and inside its context, and waits until that is done; a task that is inside a long poll is waited
/// for. Blocking jobs that are queued are cancelled, running ones are waited for, but not longer
/// than one second; after that their threads are left to themselves. Whoever still holds a
/// [`Handle`] gets cancelled `JoinHandle`s, I/O objects return errors.
///
/// Dropping it inside async code neither panics nor waits: it hands over to the worker threads, as
/// [`shutdown_background`](Self::shutdown_background) does.
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// let runtime = runtime::Runtime::new()?;
/// let answer = runtime.block_on(async {
///     let task = runtime::spawn(async { 6 * 7 });
///     task.await.unwrap()
/// });
/// assert_eq!(answer, 42);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Runtime {
    handle: Handle,
    /// `None` once it was told to shut down.
    threads: Option<Vec<thread::JoinHandle<()>>>,
}

/// How long a shutdown waits.
enum Wait {
    /// For tasks as long as it takes, for blocking jobs [`BLOCKING_GRACE`].
    Grace,
    /// For both together.
    AtMost(Duration),
    Not,
}

impl Runtime {
    /// A multi-thread runtime with a worker for each core.
    ///
    /// # Errors
    ///
    /// If the operating system refuses a thread or the descriptors of the driver.
    ///
    /// ```
    /// let runtime = runtime::Runtime::new().unwrap();
    /// runtime.block_on(async { println!("hello") });
    /// ```
    pub fn new() -> io::Result<Self> {
        Builder::new_multi_thread().build()
    }

    /// Runs `future` on the calling thread until it is ready, and tasks meanwhile.
    ///
    /// On a current-thread runtime this is what runs the tasks: they stand still while nobody is
    /// inside `block_on`. On a multi-thread runtime the calling thread helps with the tasks that the
    /// future itself wakes.
    ///
    /// The future is a task's equal in all but two things: it need not be `Send`, and it stays on
    /// its thread. While a task that it woke is in a long poll there, it has to wait, although
    /// workers are idle. A future that must not wait for others is better spawned.
    ///
    /// Timers and sockets that belong to this runtime are made inside the future: arguments are
    /// evaluated before it runs, so write `async { sleep(..).await }` and not `sleep(..)`.
    ///
    /// # Panics
    ///
    /// If called from async code, whose thread it would block; with the future's own panic; and if a
    /// task panicked and the runtime was [built](Builder::on_unhandled_panic) to shut down then.
    ///
    /// ```
    /// let runtime = runtime::Runtime::new().unwrap();
    /// assert_eq!(runtime.block_on(async { 1 + 1 }), 2);
    /// ```
    #[track_caller]
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.handle.block_on(future)
    }

    /// Starts a task on this runtime. See [`spawn`](crate::spawn).
    ///
    /// ```
    /// let runtime = runtime::Runtime::new().unwrap();
    /// let task = runtime.spawn(async { "done" });
    /// assert_eq!(runtime.block_on(task).unwrap(), "done");
    /// ```
    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.handle.spawn(future)
    }

    /// Runs a closure that blocks on the pool for such work. See
    /// [`spawn_blocking`](crate::spawn_blocking).
    ///
    /// ```
    /// let runtime = runtime::Runtime::new().unwrap();
    /// let job = runtime.spawn_blocking(|| std::fs::read("/dev/null"));
    /// assert!(runtime.block_on(job).unwrap().unwrap().is_empty());
    /// ```
    #[track_caller]
    pub fn spawn_blocking<F, R>(&self, job: F) -> JoinHandle<R>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        self.handle.spawn_blocking(job)
    }

    /// A handle to this runtime, for other threads and other owners. It does not keep the runtime
    /// running.
    ///
    /// ```
    /// let runtime = runtime::Runtime::new().unwrap();
    /// let handle = runtime.handle().clone();
    /// std::thread::spawn(move || handle.spawn(async {})).join().unwrap();
    /// ```
    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Makes this the runtime of the calling thread. See [`Handle::enter`].
    ///
    /// ```
    /// let runtime = runtime::Runtime::new().unwrap();
    /// let _inside = runtime.enter();
    /// runtime::spawn(async {});
    /// ```
    pub fn enter(&self) -> EnterGuard<'_> {
        self.handle.enter()
    }

    /// Starts a task that stays on the calling thread, on a current-thread runtime. See
    /// [`spawn_local`](crate::spawn_local); this one may be called before [`block_on`](Self::block_on)
    /// or [`turn`](Self::turn), on the thread that is going to call that.
    ///
    /// # Panics
    ///
    /// On a multi-thread runtime.
    ///
    /// ```
    /// use std::rc::Rc;
    ///
    /// let runtime = runtime::Builder::new_current_thread().build().unwrap();
    /// let shared = Rc::new(7);
    /// let local = Rc::clone(&shared);
    /// let task = runtime.spawn_local(async move { *local });
    /// assert_eq!(runtime.block_on(task).unwrap(), *shared);
    /// ```
    #[track_caller]
    pub fn spawn_local<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: Send + 'static,
    {
        self.handle.spawn_local(future)
    }

    /// Drives a current-thread runtime for one turn, from a loop of your own: looks for I/O and
    /// timers, runs what is ready, and returns. With nothing ready it waits for something first, up to
    /// `timeout` (`None`: as long as it takes).
    ///
    /// It returns `true` if there is more to do at once. Else the loop may wait until the
    /// [descriptor](#impl-AsRawFd-for-Runtime) is readable or the [next timer](Self::next_deadline) is due, whichever
    /// comes first, and call this again. A wake-up, a spawn or a shutdown by another thread makes the
    /// descriptor readable, too.
    ///
    /// A loop begins with a turn: before the first one the descriptor says nothing.
    ///
    /// A turn is bounded: it runs no more than [`event_interval`](Builder::event_interval) polls, rounded up to 16, once or, after a wait, twice.
    ///
    /// # Errors
    ///
    /// `ResourceBusy` if another thread is inside `turn` or [`block_on`](Self::block_on).
    ///
    /// # Panics
    ///
    /// On a multi-thread runtime, and in async code.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let runtime = runtime::Builder::new_current_thread().build()?;
    /// let task = runtime.spawn(async {
    ///     runtime::time::sleep(Duration::from_millis(5)).await;
    /// });
    /// while !task.is_finished() {
    ///     // Something else that has to be done now and then.
    ///     runtime.turn(Some(Duration::from_millis(1)))?;
    /// }
    /// # std::io::Result::Ok(())
    /// ```
    #[track_caller]
    #[inline]
    pub fn turn(&self, timeout: Option<Duration>) -> io::Result<bool> {
        let _inside = self.enter();
        self.handle.inner.scheduler.turn(timeout)
    }

    /// When the next timer of this runtime is due: no later should a loop of your own call
    /// [`turn`](Self::turn). `None` if there is no timer. On a stopped clock it comes no nearer by waiting:
    /// there a turn that may wait jumps to it, one with a timeout of zero does not.
    ///
    /// ```
    /// let runtime = runtime::Builder::new_current_thread().build().unwrap();
    /// assert_eq!(runtime.next_deadline(), None);
    /// ```
    pub fn next_deadline(&self) -> Option<Instant> {
        self.handle.inner.scheduler.next_deadline().map(Instant::from)
    }

    /// Numbers about this runtime. See [`metrics`].
    ///
    /// ```
    /// let runtime = runtime::Runtime::new().unwrap();
    /// assert_eq!(runtime.metrics().live_tasks, 0);
    /// ```
    #[inline]
    pub fn metrics(&self) -> Metrics {
        self.handle.metrics()
    }

    /// Shuts down as dropping does, but waits for tasks and blocking jobs no longer than `timeout`.
    ///
    /// What has not ended by then is left to itself: it goes on in the background. Inside async code
    /// it does not wait at all.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let runtime = runtime::Runtime::new().unwrap();
    /// runtime.spawn_blocking(|| std::thread::sleep(Duration::from_secs(600)));
    /// runtime.shutdown_timeout(Duration::from_millis(10)); // returns
    /// ```
    pub fn shutdown_timeout(mut self, timeout: Duration) {
        self.shut_down(Wait::AtMost(timeout));
    }

    /// Shuts down without waiting: tasks and blocking jobs end in the background.
    ///
    /// ```
    /// let runtime = runtime::Runtime::new().unwrap();
    /// runtime.shutdown_background();
    /// ```
    pub fn shutdown_background(mut self) {
        self.shut_down(Wait::Not);
    }

    fn shut_down(&mut self, wait: Wait) {
        let Some(threads) = self.threads.take() else { return };
        let inner = Arc::clone(&self.handle.inner);
        // Destructors of tasks may run here and expect to be inside the runtime.
        let _inside = self.handle.enter();
        inner.blocking.begin_shutdown();
        inner.scheduler.begin_shutdown();
        match wait {
            Wait::Not => {}
            _ if executor::in_async_context() => {}
            Wait::AtMost(timeout) => {
                let started = driver::clock::real_now();
                if inner.scheduler.wait_stopped(Some(timeout)) {
                    let left = timeout.saturating_sub(started.elapsed());
                    inner.blocking.wait_ended(Some(left));
                }
            }
            Wait::Grace => {
                inner.scheduler.wait_stopped(None);
                // `on_stall` may be who drops the runtime.
                let me = thread::current().id();
                for thread in threads.into_iter().filter(|thread| thread.thread().id() != me) {
                    // A hook of the user's may have panicked; that thread is done all the same.
                    drop(thread.join());
                }
                inner.blocking.wait_ended(Some(BLOCKING_GRACE));
            }
        }
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        self.shut_down(Wait::Grace);
    }
}

/// The descriptor that is readable when a [`turn`](Runtime::turn) is due, timers aside: for the
/// `poll`, `select` or `epoll` of a loop of your own. It is the runtime's and closed with it. On systems
/// whose selector has no descriptor (those with nothing but `poll`) it is -1; there a loop of your own
/// calls [`turn`](Runtime::turn) with a timeout.
#[cfg(unix)]
impl AsRawFd for Runtime {
    fn as_raw_fd(&self) -> RawFd {
        self.handle.inner.driver.descriptor()
    }
}

/// A reference to a runtime, cheap to clone and usable from any thread.
///
/// It does not keep the runtime running: after that is gone, tasks are refused with a cancelled
/// `JoinHandle` and I/O with an error.
///
/// # Outside the runtime
///
/// Sockets, files, timers and tasks find the runtime of the code that makes them. Other threads, and
/// tasks of other executors, name it:
///
/// * Functions that end in `_in` take a handle as their last argument and are else the same:
///   [`TcpStream::connect_in`], [`File::open_in`], [`sleep_in`], [`scope_in`], and so on; so do
///   [`JoinSet::spawn_on`] and its kin. Tasks are started by methods of the handle.
/// * Whatever has no such form is made under the guard of [`enter`](Self::enter), or if it is
///   asynchronous, through [`inside`](Self::inside).
///
/// What was made remembers its runtime and can be awaited anywhere.
///
/// [`TcpStream::connect_in`]: crate::net::TcpStream::connect_in
/// [`File::open_in`]: crate::fs::File::open_in
/// [`sleep_in`]: crate::time::sleep_in
/// [`JoinSet::spawn_on`]: crate::task::JoinSet::spawn_on
///
/// ```
/// use runtime::io::{Read, Write};
/// use runtime::net::{TcpListener, TcpStream};
///
/// let runtime = runtime::Runtime::new()?;
/// let handle = runtime.handle();
/// // Any other executor, on a thread that knows of no runtime:
/// futures::executor::block_on(async {
///     let listener = TcpListener::bind_in("127.0.0.1:0", handle).await?;
///     let mut client = TcpStream::connect_in(listener.local_addr()?, handle).await?;
///     client.write_all(b"hello").await?;
///     let mut word = [0; 5];
///     listener.accept().await?.0.read_exact(&mut word).await?;
///     std::io::Result::Ok(())
/// })?;
/// # std::io::Result::Ok(())
/// ```
#[derive(Clone)]
pub struct Handle {
    inner: Arc<Inner>,
}

struct Inner {
    scheduler: crate::sync::Arc<Scheduler>,
    driver: Arc<driver::Handle>,
    blocking: crate::sync::Arc<Pool>,
}

impl Handle {
    /// Starts a task. See [`spawn`](crate::spawn). If the runtime is gone, the handle says cancelled.
    ///
    /// ```
    /// let runtime = runtime::Runtime::new().unwrap();
    /// runtime.handle().spawn(async { println!("in the runtime") });
    /// ```
    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let (task, refused) = self.inner.scheduler.spawn(future, Location::caller());
        drop(refused);
        task
    }

    #[track_caller]
    fn spawn_local<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: Send + 'static,
    {
        assert!(
            self.inner.scheduler.is_current_thread(),
            "`spawn_local` was called on a multi-thread runtime, whose tasks move between threads: \
             use a runtime of `Builder::new_current_thread`, or make the future `Send` and `spawn` it"
        );
        let local = home::settle(future);
        let key = local.key();
        let (task, refused) = self.inner.scheduler.spawn(local, Location::caller());
        home::entrust(key, task.abort_handle());
        drop(refused);
        task
    }

    /// Runs a closure that blocks. See [`spawn_blocking`](crate::spawn_blocking).
    ///
    /// ```
    /// let runtime = runtime::Runtime::new().unwrap();
    /// runtime.handle().spawn_blocking(|| std::fs::read("/dev/null"));
    /// ```
    #[track_caller]
    pub fn spawn_blocking<F, R>(&self, job: F) -> JoinHandle<R>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        self.inner.blocking.spawn(job, Location::caller())
    }

    /// Runs `future` on the calling thread. See [`Runtime::block_on`].
    ///
    /// Several threads may do so at once. On a current-thread runtime one of them drives tasks, I/O
    /// and timers for all; when it leaves, another takes over.
    ///
    /// If the runtime is gone, the future is polled all the same: `JoinHandle`s in it say cancelled,
    /// I/O returns errors, and a timer panics.
    ///
    /// # Panics
    ///
    /// If called from async code; and with the future's own panic.
    ///
    /// ```
    /// let runtime = runtime::Runtime::new().unwrap();
    /// let handle = runtime.handle().clone();
    /// let thread = std::thread::spawn(move || handle.block_on(async { 7 }));
    /// assert_eq!(thread.join().unwrap(), 7);
    /// ```
    #[track_caller]
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        let _inside = self.enter();
        self.inner.scheduler.block_on(future)
    }

    /// Starts a task that has a name. See [`spawn_named`].
    ///
    /// ```
    /// let runtime = runtime::Runtime::new().unwrap();
    /// runtime.handle().spawn_named("housekeeping", async {});
    /// ```
    #[track_caller]
    pub fn spawn_named<F>(
        &self,
        name: impl Into<Cow<'static, str>>,
        future: F,
    ) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.spawn(task::named(self.inner.scheduler.names(), name.into(), future))
    }

    /// The tasks that are alive, in no order, for a look at a server that does not do what it should.
    ///
    /// A task is in the list from the first time that it has to wait until it ends. Those that have not
    /// been polled yet are only [counted](Metrics::live_tasks), as are those in their first poll, and so that
    /// a task that never waits costs nothing. Blocking jobs and the future of `block_on` are no tasks.
    ///
    /// The workers' lists are locked one after the other, while they are copied: with a million tasks a
    /// worker may have to wait for some milliseconds.
    ///
    /// ```
    /// # runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// runtime::spawn_named("sleeper", std::future::pending::<()>());
    /// runtime::task::yield_now().await;
    /// for task in runtime::Handle::current().tasks() {
    ///     println!("{task}"); // "sleeper", spawned at src/main.rs:3:1
    /// }
    /// # });
    /// ```
    #[inline]
    pub fn tasks(&self) -> Vec<TaskInfo> {
        self.inner.scheduler.tasks()
    }

    /// Numbers about the runtime. See [`metrics`]. May be called at any time, also when the runtime is gone.
    ///
    /// It takes the locks of the driver's table, of the timers and of the blocking pool for a moment each: good
    /// for once a second, not for each request.
    ///
    /// ```
    /// # runtime::Runtime::new().unwrap().block_on(async {
    /// let metrics = runtime::Handle::current().metrics();
    /// println!("{} tasks, {} sockets", metrics.live_tasks, metrics.io_registrations);
    /// # });
    /// ```
    #[inline]
    pub fn metrics(&self) -> Metrics {
        Metrics::of(self)
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").field("scheduler", &self.inner.scheduler).finish_non_exhaustive()
    }
}

//! Builds a runtime: its settings, checked where they are set, and the start of its threads.

use std::fmt;
use std::io;
use std::sync::{Arc, Weak};
use std::thread;
use std::time::Duration;

use super::{Handle, Inner, Runtime};
use crate::blocking::{Idle, Pool, Start};
use crate::contain::contain;
use crate::driver;
#[cfg(doc)]
use crate::executor::WorkerMetrics;
use crate::executor::{self, Config, Hook, Scheduler, Stall};
use crate::sync::start_thread;
use crate::task::OnPanic;

/// More workers than any machine has cores for.
const MAX_WORKERS: usize = 1024;
const MAX_BLOCKING_THREADS: usize = 65_536;
/// Less than this cannot even start a thread.
const MIN_STACK: usize = 16 * 1024;
const MAX_STACK: usize = 1 << 40;

/// The body of the thread that tells of polls that take too long.
type Watchdog = Arc<dyn Fn(&Scheduler) + Send + Sync>;

/// Settings of a [`Runtime`].
///
/// Values that make no sense panic in the setter, with the parameter's name.
///
/// ```
/// let runtime = runtime::Builder::new_multi_thread()
///     .worker_threads(2)
///     .thread_name("my-server")
///     .build()?;
/// runtime.block_on(async { /* … */ });
/// # std::io::Result::Ok(())
/// ```
#[derive(Clone)]
pub struct Builder {
    multi_thread: bool,
    worker_threads: Option<usize>,
    threads: ThreadSettings,
    max_blocking_threads: usize,
    thread_keep_alive: Duration,
    event_interval: u32,
    global_queue_interval: u32,
    stall_threshold: Duration,
    watchdog: Option<Watchdog>,
    on_park: Option<Hook>,
    on_unpark: Option<Hook>,
    on_unhandled_panic: UnhandledPanic,
    start_paused: bool,
}

/// What a runtime does when a task panics; see [`Builder::on_unhandled_panic`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum UnhandledPanic {
    /// The panic ends up in the task's `JoinHandle`, and concerns nobody else.
    #[default]
    Ignore,
    /// The runtime shuts down, and every `block_on` on it panics.
    ShutdownRuntime,
}

#[derive(Clone)]
struct ThreadSettings {
    name: String,
    stack_size: Option<usize>,
    on_start: Option<Hook>,
    on_stop: Option<Hook>,
}

impl Builder {
    /// A runtime with a pool of worker threads that steal work from one another.
    ///
    /// ```
    /// let runtime = runtime::Builder::new_multi_thread().build().unwrap();
    /// ```
    pub fn new_multi_thread() -> Self {
        Self::new(true)
    }

    /// A runtime without threads: its tasks run on the thread that calls `block_on`, and only while
    /// it is there.
    ///
    /// ```
    /// let runtime = runtime::Builder::new_current_thread().build().unwrap();
    /// let task = runtime.spawn(async { 1 });
    /// assert_eq!(runtime.block_on(task).unwrap(), 1);
    /// ```
    pub fn new_current_thread() -> Self {
        Self::new(false)
    }

    fn new(multi_thread: bool) -> Self {
        Self {
            multi_thread,
            worker_threads: None,
            threads: ThreadSettings {
                name: "runtime-worker".to_owned(),
                stack_size: None,
                on_start: None,
                on_stop: None,
            },
            max_blocking_threads: 512,
            thread_keep_alive: Duration::from_secs(10),
            event_interval: 256,
            global_queue_interval: 61,
            stall_threshold: Duration::from_secs(1),
            watchdog: None,
            on_park: None,
            on_unpark: None,
            on_unhandled_panic: UnhandledPanic::Ignore,
            start_paused: false,
        }
    }

    /// The number of worker threads; by default one for each core that the process may use.
    ///
    /// # Panics
    ///
    /// If it is 0 or more than 1024, or if the runtime is a current-thread one.
    ///
    /// ```
    /// runtime::Builder::new_multi_thread().worker_threads(4);
    /// ```
    #[track_caller]
    pub fn worker_threads(&mut self, worker_threads: usize) -> &mut Self {
        assert!(self.multi_thread, "`worker_threads`: a current-thread runtime has none to set");
        check("worker_threads", worker_threads, 1..=MAX_WORKERS);
        self.worker_threads = Some(worker_threads);
        self
    }

    /// The name of the runtime's threads; by default `runtime-worker`.
    ///
    /// # Panics
    ///
    /// If it contains a NUL byte.
    ///
    /// ```
    /// runtime::Builder::new_multi_thread().thread_name("front-end");
    /// ```
    #[track_caller]
    pub fn thread_name(&mut self, thread_name: impl Into<String>) -> &mut Self {
        let name = thread_name.into();
        assert!(!name.contains('\0'), "`thread_name` must not contain a NUL byte");
        self.threads.name = name;
        self
    }

    /// The stack of the runtime's threads, in bytes; by default what std gives (2 MiB).
    ///
    /// # Panics
    ///
    /// If it is less than 16 KiB or more than 1 TiB.
    ///
    /// ```
    /// runtime::Builder::new_multi_thread().thread_stack_size(4 * 1024 * 1024);
    /// ```
    #[track_caller]
    pub fn thread_stack_size(&mut self, thread_stack_size: usize) -> &mut Self {
        check("thread_stack_size", thread_stack_size, MIN_STACK..=MAX_STACK);
        self.threads.stack_size = Some(thread_stack_size);
        self
    }

    /// The most threads for blocking work; by default 512.
    ///
    /// # Panics
    ///
    /// If it is 0 or more than 65 536.
    ///
    /// ```
    /// runtime::Builder::new_multi_thread().max_blocking_threads(8);
    /// ```
    #[track_caller]
    pub fn max_blocking_threads(&mut self, max_blocking_threads: usize) -> &mut Self {
        check("max_blocking_threads", max_blocking_threads, 1..=MAX_BLOCKING_THREADS);
        self.max_blocking_threads = max_blocking_threads;
        self
    }

    /// How long an idle thread for blocking work stays; by default 10 s.
    ///
    /// ```
    /// use std::time::Duration;
    /// runtime::Builder::new_multi_thread().thread_keep_alive(Duration::from_secs(1));
    /// ```
    pub fn thread_keep_alive(&mut self, thread_keep_alive: Duration) -> &mut Self {
        self.thread_keep_alive = thread_keep_alive;
        self
    }

    /// Calls `f` at the start of each thread of the runtime, workers and blocking ones, inside its
    /// context. A panic in it is swallowed.
    ///
    /// ```
    /// runtime::Builder::new_multi_thread().on_thread_start(|| println!("a thread starts"));
    /// ```
    pub fn on_thread_start(&mut self, f: impl Fn() + Send + Sync + 'static) -> &mut Self {
        self.threads.on_start = Some(Arc::new(f));
        self
    }

    /// Calls `f` at the end of each thread of the runtime, workers and blocking ones. A panic in it
    /// is swallowed.
    ///
    /// ```
    /// runtime::Builder::new_multi_thread().on_thread_stop(|| println!("a thread ends"));
    /// ```
    pub fn on_thread_stop(&mut self, f: impl Fn() + Send + Sync + 'static) -> &mut Self {
        self.threads.on_stop = Some(Arc::new(f));
        self
    }

    /// Calls `f` before a worker, or a thread inside `block_on` that does a worker's job, goes to
    /// sleep. It must not block; a panic in it is swallowed.
    ///
    /// ```
    /// runtime::Builder::new_multi_thread().on_thread_park(|| { /* count it */ });
    /// ```
    pub fn on_thread_park(&mut self, f: impl Fn() + Send + Sync + 'static) -> &mut Self {
        self.on_park = Some(Arc::new(f));
        self
    }

    /// Calls `f` after such a sleep. It must not block; a panic in it is swallowed.
    ///
    /// ```
    /// runtime::Builder::new_multi_thread().on_thread_unpark(|| { /* count it */ });
    /// ```
    pub fn on_thread_unpark(&mut self, f: impl Fn() + Send + Sync + 'static) -> &mut Self {
        self.on_unpark = Some(Arc::new(f));
        self
    }

    /// The most polls of tasks between two looks of a busy worker at the driver; by default 256.
    /// It also looks whenever 100 µs have passed.
    ///
    /// # Panics
    ///
    /// If it is 0.
    ///
    /// ```
    /// runtime::Builder::new_current_thread().event_interval(61);
    /// ```
    #[track_caller]
    pub fn event_interval(&mut self, event_interval: u32) -> &mut Self {
        assert!(event_interval > 0, "`event_interval` must not be 0");
        self.event_interval = event_interval;
        self
    }

    /// How many polls of tasks a busy worker does before it takes one that was spawned or woken from
    /// outside; by default 61.
    ///
    /// # Panics
    ///
    /// If it is 0.
    ///
    /// ```
    /// runtime::Builder::new_current_thread().global_queue_interval(31);
    /// ```
    #[track_caller]
    pub fn global_queue_interval(&mut self, global_queue_interval: u32) -> &mut Self {
        assert!(global_queue_interval > 0, "`global_queue_interval` must not be 0");
        self.global_queue_interval = global_queue_interval;
        self
    }

    /// How long a poll takes that is called a stall; by default 1 s. [Metrics](WorkerMetrics::stalls) count
    /// them when they are over, [`on_stall`](Self::on_stall) hears of them while they last.
    ///
    /// While one worker stalls, others take over its tasks, I/O and timers within 20 ms, so that only the
    /// task itself is late; but a worker is missing for as long as it takes.
    ///
    /// # Panics
    ///
    /// If it is less than 1 ms.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let runtime = runtime::Builder::new_current_thread()
    ///     .stall_threshold(Duration::from_millis(10))
    ///     .build()?;
    /// let task = runtime.spawn(async { std::thread::sleep(Duration::from_millis(20)) });
    /// runtime.block_on(task).unwrap();
    /// assert!(runtime.metrics().workers[0].stalls >= 1);
    /// # std::io::Result::Ok(())
    /// ```
    #[track_caller]
    pub fn stall_threshold(&mut self, stall_threshold: Duration) -> &mut Self {
        assert!(
            stall_threshold >= Duration::from_millis(1),
            "`stall_threshold` must be at least a millisecond"
        );
        self.stall_threshold = stall_threshold;
        self
    }

    /// Calls `f` when a poll has been going on for longer than the [threshold](Self::stall_threshold), once for
    /// each such poll, up to a half of the threshold late.
    ///
    /// It is told by a thread that is there for this only, so it also hears of it if all workers are stuck.
    /// That thread wakes up four times per threshold, and each poll costs a lock that nobody contends: some
    /// 10 ns. A panic in `f` is swallowed. To stop the process is as good an answer as any.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let runtime = runtime::Builder::new_multi_thread()
    ///     .stall_threshold(Duration::from_secs(5))
    ///     .on_stall(|stall| match stall.task() {
    ///         Some(task) => eprintln!("a task has not given way for {:?}: {task}", stall.duration()),
    ///         None => eprintln!("`block_on` has not given way for {:?}", stall.duration()),
    ///     })
    ///     .build()?;
    /// # std::io::Result::Ok(())
    /// ```
    pub fn on_stall(&mut self, f: impl Fn(&Stall) + Send + Sync + 'static) -> &mut Self {
        self.watchdog = Some(Arc::new(move |scheduler| scheduler.watch_for_stalls(&f)));
        self
    }

    /// What happens when a task or a blocking job panics; by default nothing, but for its `JoinHandle`.
    ///
    /// With [`ShutdownRuntime`](UnhandledPanic::ShutdownRuntime) the first panic shuts the runtime down,
    /// whether or not somebody holds the handle: tasks are dropped, new ones refused, and each
    /// [`block_on`](Runtime::block_on) that is under way or comes later panics, so that the program
    /// does not go on with half of its tasks. The panic of the future of `block_on` itself goes to its
    /// caller and shuts down nothing.
    ///
    /// ```
    /// use runtime::{Builder, UnhandledPanic};
    ///
    /// let runtime = Builder::new_multi_thread()
    ///     .on_unhandled_panic(UnhandledPanic::ShutdownRuntime)
    ///     .build()?;
    /// let main = std::thread::spawn(move || {
    ///     runtime.block_on(async {
    ///         runtime::spawn(async { panic!("on purpose") });
    ///         std::future::pending::<()>().await
    ///     })
    /// });
    /// assert!(main.join().is_err());
    /// # std::io::Result::Ok(())
    /// ```
    pub fn on_unhandled_panic(&mut self, policy: UnhandledPanic) -> &mut Self {
        self.on_unhandled_panic = policy;
        self
    }

    /// Starts with a paused clock, which jumps to the next timer whenever nothing else is left to
    /// do: for tests. See [`time::pause`](crate::time::pause).
    ///
    /// # Panics
    ///
    /// If the runtime is a multi-thread one.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let runtime = runtime::Builder::new_current_thread().start_paused(true).build().unwrap();
    /// runtime.block_on(async {
    ///     runtime::time::sleep(Duration::from_secs(3600)).await; // returns at once
    /// });
    /// ```
    #[track_caller]
    pub fn start_paused(&mut self, start_paused: bool) -> &mut Self {
        assert!(
            !self.multi_thread || !start_paused,
            "`start_paused`: only the clock of a current-thread runtime can be paused"
        );
        self.start_paused = start_paused;
        self
    }

    /// Builds the runtime and starts its worker threads.
    ///
    /// # Errors
    ///
    /// If the operating system refuses a thread or the descriptors of the driver. Threads that were
    /// already started have ended by then.
    ///
    /// ```
    /// let runtime = runtime::Builder::new_multi_thread().build()?;
    /// # std::io::Result::Ok(())
    /// ```
    pub fn build(&mut self) -> io::Result<Runtime> {
        let cores = thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let workers = match (self.multi_thread, self.worker_threads) {
            (false, _) => 0,
            (true, Some(workers)) => workers,
            (true, None) => cores.min(MAX_WORKERS),
        };
        let (driver, driver_handle) =
            driver::new(executor::timer_shards(workers), self.start_paused)?;
        if !self.multi_thread {
            driver_handle.clock.allow_pause();
        }
        let mut pool_workers = Vec::new();
        let inner = Arc::new_cyclic(|inner| {
            let blocking = Pool::new(
                self.max_blocking_threads,
                self.thread_keep_alive,
                self.starter(inner),
                on_idle(inner),
                self.panic_hook(inner),
            );
            let jobs = blocking.clone();
            let config = Config {
                workers,
                event_interval: self.event_interval,
                global_queue_interval: self.global_queue_interval,
                stall_threshold: self.stall_threshold,
                tells_polls: self.watchdog.is_some(),
                on_park: self.on_park.clone(),
                on_unpark: self.on_unpark.clone(),
                on_panic: self.panic_hook(inner),
                may_spin: cores > 1 && workers <= cores,
                may_advance: Arc::new(move || jobs.is_idle()),
            };
            let (scheduler, workers) = executor::new(config, driver, Arc::clone(&driver_handle));
            pool_workers = workers;
            Inner { scheduler, driver: driver_handle, blocking }
        });
        let mut runtime = Runtime { handle: Handle { inner }, threads: None };
        let mut threads = Vec::new();
        let mut refused = None;
        for worker in pool_workers {
            if refused.is_some() {
                worker.stop();
                continue;
            }
            // Shared with this function, which has to stop the worker if there is no thread for it.
            let slot = Arc::new(std::sync::Mutex::new(Some(worker)));
            let theirs = Arc::clone(&slot);
            let take =
                |slot: &std::sync::Mutex<Option<_>>| slot.lock().ok().and_then(|mut s| s.take());
            let body = move || {
                if let Some(worker) = take(&theirs) {
                    executor::PoolWorker::run(worker);
                }
            };
            match self.threads.start(runtime.handle.clone(), Box::new(body)) {
                Ok(thread) => threads.push(thread),
                Err(error) => {
                    refused = Some(error);
                    if let Some(worker) = take(&slot) {
                        worker.stop();
                    }
                }
            }
        }
        if refused.is_none() {
            match self.start_watchdog(&runtime) {
                Ok(watchdog) => threads.extend(watchdog),
                Err(error) => refused = Some(error),
            }
        }
        runtime.threads = Some(threads);
        // Dropping the runtime ends the threads that did start.
        refused.map_or(Ok(runtime), Err)
    }

    /// A thread that ends with the workers.
    fn start_watchdog(&self, runtime: &Runtime) -> io::Result<Option<thread::JoinHandle<()>>> {
        let Some(watchdog) = self.watchdog.clone() else { return Ok(None) };
        let scheduler = runtime.handle.inner.scheduler.clone();
        let body = Box::new(move || watchdog(&scheduler));
        start_thread("runtime-stalls".to_owned(), None, body).map(Some)
    }

    /// What the panic of a task is told to. It holds no runtime alive.
    fn panic_hook(&self, inner: &Weak<Inner>) -> Option<OnPanic> {
        if self.on_unhandled_panic == UnhandledPanic::Ignore {
            return None;
        }
        let inner = Weak::clone(inner);
        Some(Arc::new(move || {
            // The destructors of tasks that a shutdown cancels may panic as well.
            if let Some(inner) = inner.upgrade()
                && !inner.scheduler.is_shut_down()
            {
                inner.scheduler.begin_shutdown_for_panic();
                inner.blocking.begin_shutdown();
            }
        }))
    }

    /// How the blocking pool starts a thread. It holds no runtime alive.
    fn starter(&self, inner: &Weak<Inner>) -> Box<Start> {
        let threads = self.threads.clone();
        let inner = Weak::clone(inner);
        Box::new(move |body| {
            let inner = inner.upgrade().ok_or_else(|| io::Error::other("the runtime is gone"))?;
            threads.start(Handle { inner }, body).map(drop)
        })
    }
}

/// What the end of the last blocking job is told to: a paused clock may jump now, so whoever sleeps
/// without a deadline has to look again.
fn on_idle(inner: &Weak<Inner>) -> Box<Idle> {
    let inner = Weak::clone(inner);
    Box::new(move || {
        if let Some(inner) = inner.upgrade()
            && inner.driver.clock.is_touched()
        {
            inner.scheduler.unpark_guest();
        }
    })
}

impl ThreadSettings {
    /// Starts a thread whose body runs inside the runtime of `handle`.
    fn start(
        &self,
        handle: Handle,
        body: Box<dyn FnOnce() + Send>,
    ) -> io::Result<thread::JoinHandle<()>> {
        let (on_start, on_stop) = (self.on_start.clone(), self.on_stop.clone());
        let body = Box::new(move || {
            let _inside = handle.enter();
            // A hook that panics must not cost the runtime a thread.
            if let Some(on_start) = on_start {
                contain(|| on_start());
            }
            body();
            if let Some(on_stop) = on_stop {
                contain(|| on_stop());
            }
        });
        start_thread(self.name.clone(), self.stack_size, body)
    }
}

#[track_caller]
fn check(parameter: &str, value: usize, range: std::ops::RangeInclusive<usize>) {
    assert!(
        range.contains(&value),
        "`{parameter}` must be between {} and {}, not {value}",
        range.start(),
        range.end()
    );
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("multi_thread", &self.multi_thread)
            .field("worker_threads", &self.worker_threads)
            .field("max_blocking_threads", &self.max_blocking_threads)
            .field("start_paused", &self.start_paused)
            .finish_non_exhaustive()
    }
}

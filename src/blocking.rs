//! The pool of threads for work that blocks: `spawn_blocking`, name resolution, later files.
//!
//! A job is a task like any other (same cell, same `JoinHandle`) whose future is polled once and
//! calls the closure. Jobs queue in the order of arrival. Idle threads are a stack: the one that
//! slept last, whose caches are warm, is woken first, and the others grow old and end after the
//! keep-alive time. A thread is started when a job finds no idle one and the limit is not reached.
//!
//! ```text
//!   spawn ─▶ queue ─▶ idle thread popped from the stack and unparked
//!                 └─▶ or a new thread, up to the limit
//!                 └─▶ or the job waits until a thread is done
//!   thread: job, job, … ─▶ pushes itself on the stack ─▶ sleeps ≤ keep-alive ─▶ leaves
//! ```
//!
//! One lock holds queue, stack and counts. Jobs run, are dropped and are cancelled outside it.
//!
//! At shutdown queued jobs are cancelled, running ones go on: their threads end after them. Waiting
//! for them is the runtime's business.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::io;
use std::panic::Location;
use std::pin::Pin;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use crate::sync::Arc;
use crate::task::{self, JoinHandle, OnPanic, OwnedTasks, Runnable, Schedule};

/// Starts a thread that runs the given body.
pub(crate) type Start = dyn Fn(Box<dyn FnOnce() + Send>) -> io::Result<()> + Send + Sync;
/// Told when the last job is done, with no lock held.
pub(crate) type Idle = dyn Fn() + Send + Sync;

std::thread_local! {
    /// The pool of the runtime that the calling thread has entered.
    static CURRENT: RefCell<Option<Arc<Pool>>> = const { RefCell::new(None) };
    /// The pool whose thread this is, as an address to compare with.
    static MEMBER_OF: Cell<usize> = const { Cell::new(0) };
}

/// The threads and their queue.
pub(crate) struct Pool {
    state: Mutex<State>,
    /// Signalled when a thread ends.
    ended: Condvar,
    /// Blocking jobs never wait, so nothing is ever listed here.
    owned: OwnedTasks,
    start: Box<Start>,
    on_idle: Box<Idle>,
    max_threads: usize,
    keep_alive: Duration,
}

/// A snapshot for `metrics`.
#[derive(Debug)]
pub(crate) struct Counts {
    pub(crate) threads: usize,
    pub(crate) idle_threads: usize,
    pub(crate) queued: usize,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Runnable>,
    idle: Vec<std::sync::Arc<Sleeper>>,
    threads: usize,
    /// Jobs that are queued or run.
    jobs: usize,
    shut_down: bool,
}

/// Where an idle thread waits for the job that is handed to it.
#[derive(Default)]
struct Sleeper {
    handed: Mutex<Handed>,
    wake: Condvar,
}

#[derive(Default)]
enum Handed {
    #[default]
    Nothing,
    Job(Runnable),
    End,
}

/// What is left to do once the pool's lock is released.
enum Placed {
    Queued,
    Handed(std::sync::Arc<Sleeper>, Runnable),
    NewThread,
    Refused(Runnable),
}

impl Pool {
    pub(crate) fn new(
        max_threads: usize,
        keep_alive: Duration,
        start: Box<Start>,
        on_idle: Box<Idle>,
        on_panic: Option<OnPanic>,
    ) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::default(),
            ended: Condvar::new(),
            owned: OwnedTasks::new(1).on_panic(on_panic),
            start,
            on_idle,
            max_threads,
            keep_alive,
        })
    }

    /// The pool of the runtime that the calling thread has entered.
    pub(crate) fn current() -> Option<Arc<Self>> {
        CURRENT.try_with(|current| current.borrow().clone()).ok().flatten()
    }

    /// Makes this the calling thread's pool.
    pub(crate) fn enter(self: &Arc<Self>) -> EnterGuard {
        let former = CURRENT.try_with(|current| current.replace(Some(Arc::clone(self))));
        EnterGuard(former.ok())
    }

    /// Queues `job`. After shutdown, or if not one thread can be had, the handle says cancelled.
    pub(crate) fn spawn<F, R>(
        self: &Arc<Self>,
        job: F,
        spawned_at: &'static Location<'static>,
    ) -> JoinHandle<R>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        let (task, handle) = task::new_task(Job(Some(job)), self, spawned_at);
        self.push(task);
        handle
    }

    /// How many threads and jobs there are.
    pub(crate) fn counts(&self) -> Counts {
        let state = self.lock();
        Counts { threads: state.threads, idle_threads: state.idle.len(), queued: state.queue.len() }
    }

    /// Whether no job is queued or under way.
    pub(crate) fn is_idle(&self) -> bool {
        self.lock().jobs == 0
    }

    /// Refuses new jobs, cancels queued ones, and lets the threads end after what they run.
    pub(crate) fn begin_shutdown(&self) {
        let (queue, idle) = {
            let mut state = self.lock();
            state.shut_down = true;
            let queue = std::mem::take(&mut state.queue);
            state.jobs -= queue.len();
            (queue, std::mem::take(&mut state.idle))
        };
        for sleeper in idle {
            sleeper.hand(Handed::End);
        }
        for task in queue {
            task.cancel(&self.owned);
        }
    }

    /// Waits until every thread but the calling one has ended. `false` if it took longer.
    pub(crate) fn wait_ended(&self, timeout: Option<Duration>) -> bool {
        let own = usize::from(MEMBER_OF.try_with(Cell::get) == Ok(self.address()));
        let state = self.lock();
        let busy = |state: &mut State| state.threads > own;
        match timeout {
            None => {
                let state = self.ended.wait_while(state, busy);
                drop(state.unwrap_or_else(PoisonError::into_inner));
                true
            }
            Some(timeout) => {
                let waited = self.ended.wait_timeout_while(state, timeout, busy);
                waited.unwrap_or_else(PoisonError::into_inner).0.threads <= own
            }
        }
    }

    fn push(self: &Arc<Self>, task: Runnable) {
        match self.place(task) {
            Placed::Queued => {}
            Placed::Handed(sleeper, task) => sleeper.hand(Handed::Job(task)),
            Placed::NewThread => self.start_thread(),
            Placed::Refused(task) => task.cancel(&self.owned),
        }
    }

    fn place(&self, task: Runnable) -> Placed {
        let mut state = self.lock();
        if state.shut_down {
            return Placed::Refused(task);
        }
        state.jobs += 1;
        if let Some(sleeper) = state.idle.pop() {
            return Placed::Handed(sleeper, task);
        }
        state.queue.push_back(task);
        if state.threads < self.max_threads {
            state.threads += 1;
            return Placed::NewThread;
        }
        Placed::Queued
    }

    #[cold]
    fn start_thread(self: &Arc<Self>) {
        let pool = Arc::clone(self);
        if (self.start)(Box::new(move || pool.work())).is_err() {
            // Without a single thread nobody would ever run what is queued: cancel it.
            let orphans = {
                let mut state = self.lock();
                state.threads -= 1;
                if state.threads == 0 { std::mem::take(&mut state.queue) } else { VecDeque::new() }
            };
            let count = orphans.len();
            for task in orphans {
                task.cancel(&self.owned);
            }
            self.jobs_done(count);
            self.ended.notify_all();
        }
    }

    /// The body of a pool thread.
    fn work(&self) {
        let _ = MEMBER_OF.try_with(|member| member.set(self.address()));
        while let Some(task) = self.next_job() {
            // A job never waits and never wakes itself, so there is nothing to queue again.
            drop(task.run(&self.owned, 0).settle());
            self.jobs_done(1);
        }
        self.ended.notify_all();
    }

    /// The next job, or `None` if this thread is to end; then it is no longer counted.
    fn next_job(&self) -> Option<Runnable> {
        let sleeper = {
            let mut state = self.lock();
            if let Some(task) = state.queue.pop_front() {
                return Some(task);
            }
            if state.shut_down {
                state.threads -= 1;
                return None;
            }
            let sleeper = std::sync::Arc::<Sleeper>::default();
            state.idle.push(std::sync::Arc::clone(&sleeper));
            sleeper
        };
        match sleeper.wait(Some(self.keep_alive)) {
            Handed::Job(task) => return Some(task),
            Handed::End => {}
            Handed::Nothing => {
                // Grown old; but somebody may have taken this thread off the stack just now, and
                // then hands it something.
                let mut state = self.lock();
                let idle = state.idle.len();
                state.idle.retain(|other| !std::sync::Arc::ptr_eq(other, &sleeper));
                if state.idle.len() < idle {
                    // In one step off the stack and no longer counted: a job that comes in between
                    // would be queued for a thread that never looks at the queue again.
                    state.threads -= 1;
                    return None;
                }
                drop(state);
                if let Handed::Job(task) = sleeper.wait(None) {
                    return Some(task);
                }
            }
        }
        self.lock().threads -= 1;
        None
    }

    fn jobs_done(&self, count: usize) {
        let idle = {
            let mut state = self.lock();
            state.jobs -= count;
            state.jobs == 0
        };
        if idle {
            (self.on_idle)();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn address(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }
}

impl Schedule for Pool {
    fn schedule(this: &Arc<Self>, task: Runnable) {
        this.push(task);
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.lock();
        f.debug_struct("Pool")
            .field("threads", &state.threads)
            .field("queued", &state.queue.len())
            .finish_non_exhaustive()
    }
}

impl Sleeper {
    fn hand(&self, handed: Handed) {
        *self.handed.lock().unwrap_or_else(PoisonError::into_inner) = handed;
        self.wake.notify_one();
    }

    /// Waits for what is handed; `Nothing` if that takes too long.
    fn wait(&self, timeout: Option<Duration>) -> Handed {
        let handed = self.handed.lock().unwrap_or_else(PoisonError::into_inner);
        let nothing = |handed: &mut Handed| matches!(handed, Handed::Nothing);
        let mut handed = match timeout {
            None => self.wake.wait_while(handed, nothing).unwrap_or_else(PoisonError::into_inner),
            Some(timeout) => {
                let waited = self.wake.wait_timeout_while(handed, timeout, nothing);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
        };
        std::mem::take(&mut *handed)
    }
}

/// Restores the thread's former pool.
#[derive(Debug)]
pub(crate) struct EnterGuard(Option<Option<Arc<Pool>>>);

impl Drop for EnterGuard {
    fn drop(&mut self) {
        if let Some(former) = self.0.take() {
            drop(CURRENT.try_with(|current| current.replace(former)));
        }
    }
}

/// A closure as a future that is ready at its first poll.
struct Job<F>(Option<F>);

// The closure is moved out before it is called, never pinned.
impl<F> Unpin for Job<F> {}

impl<F: FnOnce() -> R, R> Future for Job<F> {
    type Output = R;

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<R> {
        let job = self.0.take().expect("a job is polled once");
        Poll::Ready(job())
    }
}

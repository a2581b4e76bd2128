//! The executor: a work-stealing scheduler whose idle workers sleep in the driver.
//!
//! There is one scheduler for both flavours. A multi-thread runtime has *n* pool workers and one
//! more seat, the *guest's*, which the first thread inside `block_on` takes. A current-thread runtime
//! is the same with *n* = 0: its only worker is whoever sits on the guest's seat.
//!
//! ```text
//!   spawn/wake on a worker ──▶ run-next slot ─▶ own ring ─▶ own overflow      (queue)
//!   spawn/wake elsewhere ────▶ injector ──▶ unpark one parked worker          (idle, park)
//!   worker: poll, poll, …  ──▶ look at clock: timers, driver ──▶ poll, …      (worker)
//!   nothing to do ───────────▶ search ─▶ park: one in the driver, others as threads
//!   block_on ────────────────▶ root future, up to 16 polls of tasks, root …   (guest)
//! ```
//!
//! # What is promised
//!
//! Provided that every poll is bounded and so is the number of tasks:
//!
//! * A woken task runs after at most one pass over the tasks before it in its queue, each of which
//!   may be followed by a run-next chain of at most 128 polls. Queues keep the order of arrival,
//!   also when they overflow. A task that is woken while it runs goes to the back.
//! * A busy worker takes a task from the injector every 61 polls (`global_queue_interval`) and polls
//!   the driver at least every 256 polls (`event_interval`) and after [100 µs](worker), measured
//!   between polls.
//! * While a pool worker is parked, a task that is ready behind another worker's long poll starts
//!   within 20 ms, and I/O and timers go on within the same time (see `idle`, "The watch"). The root
//!   future of `block_on` is not `Send` and waits for its own thread.
//!
//! # Shutdown
//!
//! `begin_shutdown` raises a flag and wakes everyone. Each pool worker ends after its current poll
//! and cancels what is in its queues; the last one (on a current-thread runtime whoever has the
//! seat) *tears down*: it cancels the queues and all idle tasks until no task is left, then closes
//! the driver. A task that is not complete is in a queue, in a worker's hands, or in
//! [`OwnedTasks`], so when that is empty nobody holds a task that could still point here: this is
//! why tasks need no reference count on the scheduler. A spawn that comes too late finds the flag
//! after its push (Dekker with the tear-down's drain) and cancels its own task.

mod guest;
mod idle;
#[cfg(all(test, loom))]
mod models;
mod park;
#[allow(unsafe_code)]
mod queue;
mod worker;

use std::fmt;
use std::panic::Location;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use self::guest::Guest;
use self::idle::Idle;
use self::park::{Parker, Unpark};
use self::queue::Queue;
pub(crate) use self::worker::contain;
use self::worker::{Core, Worker};
use crate::driver::{self, Driver};
use crate::sync::Arc;
use crate::sync::atomic::{AtomicBool, AtomicU32, Ordering, fence};
use crate::task::{self, JoinHandle, OwnedTasks, Runnable, Schedule};

pub(crate) type Hook = std::sync::Arc<dyn Fn() + Send + Sync>;

/// What the builder decides.
#[derive(Clone)]
pub(crate) struct Config {
    /// Pool workers; 0 makes a current-thread runtime.
    pub(crate) workers: usize,
    pub(crate) event_interval: u32,
    pub(crate) global_queue_interval: u32,
    pub(crate) on_park: Option<Hook>,
    pub(crate) on_unpark: Option<Hook>,
    /// Whether a paused clock may jump to the next timer: not while blocking work is under way.
    pub(crate) may_advance: std::sync::Arc<dyn Fn() -> bool + Send + Sync>,
}

/// The part of a worker that others see.
#[derive(Debug)]
struct Remote {
    queue: Arc<Queue<Runnable>>,
    /// How many turns of its loop the worker has made.
    tick: AtomicU32,
}

/// What all workers share.
pub(crate) struct Scheduler {
    config: Config,
    workers: usize,
    /// The pool's workers, then the guest.
    remotes: Box<[Remote]>,
    parkers: Box<[Arc<Parker>]>,
    injector: crate::sync::Queue<Runnable>,
    owned: OwnedTasks,
    idle: Idle,
    guest: Guest,
    /// Held while a worker blocks in the driver or polls it; nobody else is called under it.
    driver: crate::sync::Mutex<Driver>,
    driver_handle: std::sync::Arc<driver::Handle>,
    shut_down: AtomicBool,
    /// Pool workers that have not stopped, or 1 for a current-thread runtime not yet torn down.
    alive: Mutex<usize>,
    stopped: Condvar,
}

/// One pool worker, to be [run](PoolWorker::run) on its thread.
pub(crate) struct PoolWorker {
    scheduler: Arc<Scheduler>,
    core: Core,
}

/// Timer shards that a scheduler with so many workers uses: one each, the guest's, and the one of
/// threads that are no workers.
pub(crate) fn timer_shards(workers: usize) -> usize {
    workers + 2
}

/// Makes a scheduler and the workers of its pool.
pub(crate) fn new(
    config: Config,
    driver: Driver,
    driver_handle: std::sync::Arc<driver::Handle>,
) -> (Arc<Scheduler>, Vec<PoolWorker>) {
    let workers = config.workers;
    let mut cores: Vec<Core> =
        (0..=workers).map(|index| Core { index, queue: queue::queue() }).collect();
    let remotes = cores
        .iter()
        .map(|core| Remote { queue: Arc::clone(core.queue.shared()), tick: AtomicU32::new(0) })
        .collect();
    let guest = Guest::new(cores.pop().expect("one core more than workers"));
    let scheduler = Arc::new(Scheduler {
        workers,
        remotes,
        parkers: (0..workers).map(|_| Arc::new(Parker::new())).collect(),
        injector: crate::sync::Queue::new(),
        owned: OwnedTasks::new(workers + 1),
        idle: Idle::new(workers),
        guest,
        driver: crate::sync::Mutex::new(driver),
        driver_handle,
        shut_down: AtomicBool::new(false),
        alive: Mutex::new(workers.max(1)),
        stopped: Condvar::new(),
        config,
    });
    let pool = cores
        .into_iter()
        .map(|core| PoolWorker { scheduler: Arc::clone(&scheduler), core })
        .collect();
    (scheduler, pool)
}

impl PoolWorker {
    /// Works until the runtime shuts down.
    pub(crate) fn run(self) {
        let parker = Arc::clone(&self.scheduler.parkers[self.core.index]);
        let _inside = guest::enter_async("a worker");
        Worker::new(self.scheduler, self.core, parker).run();
    }

    /// Takes the place of a thread that could not be started.
    pub(crate) fn stop(self) {
        self.scheduler.one_stopped();
    }
}

impl fmt::Debug for PoolWorker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoolWorker").field("index", &self.core.index).finish_non_exhaustive()
    }
}

/// Whether the calling thread is inside `block_on` or is a worker.
pub(crate) fn in_async_context() -> bool {
    guest::in_async_context()
}

impl Schedule for Scheduler {
    fn schedule(this: &Arc<Self>, task: Runnable) {
        Worker::with_current(this, |worker| match worker {
            Some(worker) => worker.push(task),
            None => Arc::clone(this).inject(task),
        });
    }
}

impl Scheduler {
    /// Starts a task. After shutdown its handle says cancelled.
    pub(crate) fn spawn<F>(
        self: &Arc<Self>,
        future: F,
        spawned_at: &'static Location<'static>,
    ) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let (task, handle) = task::new_task(future, self, spawned_at);
        self.start(task);
        handle
    }

    fn start(self: &Arc<Self>, task: Runnable) {
        if self.is_shut_down() {
            return task.cancel(&self.owned);
        }
        let injected = Worker::with_current(self, |worker| match worker {
            Some(worker) => {
                worker.push(task); // a worker that stops cancels what it has
                false
            }
            None => {
                Arc::clone(self).inject(task);
                true
            }
        });
        if injected {
            // Ordering: the fence pairs with `tear_down`'s: either that drains the push above, or
            // the flag is seen here.
            fence(Ordering::SeqCst);
            if self.is_shut_down() {
                self.cancel_injected();
            }
        }
    }

    /// Queues a task from outside. The caller's Arc keeps the scheduler alive past the push.
    fn inject(self: Arc<Self>, task: Runnable) {
        self.injector.push(task);
        if self.workers == 0 {
            self.unpark_guest();
        } else {
            self.notify();
        }
    }

    /// Wakes a parked worker for work that was just queued, unless one is searching.
    fn notify(&self) {
        if let Some(worker) = self.idle.notify_one() {
            self.unpark(worker);
        }
    }

    fn unpark(&self, worker: usize) {
        self.finish_unpark(self.parkers[worker].unpark());
    }

    fn finish_unpark(&self, unpark: Unpark) {
        if unpark == Unpark::Driver {
            self.driver_handle.unpark();
        }
    }

    fn has_work(&self) -> bool {
        !self.injector.is_empty() || self.remotes.iter().any(|remote| !remote.queue.is_empty())
    }

    fn anyone_runs(&self) -> bool {
        self.guest.runs() || self.idle.anyone_runs()
    }

    /// Whether a worker, the guest included, is neither parked nor absent.
    fn runs(&self, worker: usize) -> bool {
        if worker == self.workers { self.guest.runs() } else { !self.idle.is_parked(worker) }
    }

    fn ticks(&self) -> impl Iterator<Item = u32> {
        // Ordering: Relaxed: only whether they move counts.
        self.remotes.iter().map(|remote| remote.tick.load(Ordering::Relaxed))
    }

    fn foreign_shard(&self) -> usize {
        timer_shards(self.workers) - 1
    }

    pub(crate) fn is_shut_down(&self) -> bool {
        // Ordering: Acquire pairs with `begin_shutdown`; the cases that must not miss it fence.
        self.shut_down.load(Ordering::Acquire)
    }

    /// Tells every worker to stop; does not wait.
    pub(crate) fn begin_shutdown(self: &Arc<Self>) {
        // Ordering: Release pairs with `is_shut_down`. The fence pairs with those of `idle::park`:
        // a worker that parks sees the flag, or is unparked below.
        self.shut_down.store(true, Ordering::Release);
        fence(Ordering::SeqCst);
        for parker in &self.parkers {
            self.finish_unpark(parker.unpark());
        }
        self.unpark_guest();
        if self.workers == 0 {
            self.tear_down_current_thread();
        }
    }

    /// Waits until the workers have stopped and every task is dropped. `false` if it took longer.
    pub(crate) fn wait_stopped(&self, deadline: Option<Duration>) -> bool {
        let alive = self.alive.lock().unwrap_or_else(PoisonError::into_inner);
        match deadline {
            None => {
                drop(
                    self.stopped
                        .wait_while(alive, |alive| *alive > 0)
                        .unwrap_or_else(PoisonError::into_inner),
                );
                true
            }
            Some(deadline) => {
                let (alive, _) = self
                    .stopped
                    .wait_timeout_while(alive, deadline, |alive| *alive > 0)
                    .unwrap_or_else(PoisonError::into_inner);
                *alive == 0
            }
        }
    }

    /// A pool worker's last act on its thread.
    fn worker_stopped(&self, worker: &Worker) {
        self.cancel_queue(worker);
        let last = {
            let mut alive = self.alive.lock().unwrap_or_else(PoisonError::into_inner);
            let last = *alive == 1;
            if !last {
                *alive -= 1;
            }
            last
        };
        if last {
            self.tear_down(worker);
            self.one_stopped();
        }
    }

    fn one_stopped(&self) {
        *self.alive.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        self.stopped.notify_all();
    }

    /// Cancels every task there is, then closes the driver. Runs once, on the last worker.
    fn tear_down(&self, worker: &Worker) {
        // Ordering: pairs with the fence in `start`.
        fence(Ordering::SeqCst);
        self.owned.close();
        loop {
            self.cancel_queue(worker);
            self.cancel_injected();
            for remote in &self.remotes {
                while let Some(task) = remote
                    .queue
                    .steal_next()
                    .or_else(|| worker.core.queue.steal_from(&remote.queue))
                {
                    task.cancel(&self.owned);
                    self.cancel_queue(worker);
                }
            }
            self.owned.cancel_all_idle();
            if self.owned.is_empty() {
                break;
            }
            // What is left is being polled by the guest or woken by another thread right now.
            std::thread::sleep(Duration::from_micros(50));
        }
        let mut woken = Vec::new();
        self.driver_handle.shutdown(&mut woken);
        for waker in woken {
            contain(|| waker.wake());
        }
    }

    /// Cancels what is in a worker's own queue.
    fn cancel_queue(&self, worker: &Worker) {
        let queue = &worker.core.queue;
        while let Some(task) = queue.pop_next().or_else(|| queue.pop_front()) {
            task.cancel(&self.owned);
        }
    }

    fn cancel_injected(&self) {
        while let Some(task) = self.injector.pop() {
            task.cancel(&self.owned);
        }
    }
}

impl fmt::Debug for Scheduler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scheduler")
            .field("workers", &self.workers)
            .field("shut_down", &self.is_shut_down())
            .finish_non_exhaustive()
    }
}

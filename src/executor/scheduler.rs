//! What the workers of a runtime share, and how work gets to them and ends.
//!
//! See the [module](super) for the whole picture, `worker` for the loop, `idle` for the wake-ups.

use std::fmt;
use std::panic::Location;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use super::counters::Counters;
use super::guest::{self, Guest};
use super::idle::Idle;
use super::metrics::WorkerMetrics;
use super::park::{Parker, Unpark};
use super::queue::{self, Queue};
use super::watchdog::Polled;
use super::worker::{Core, Worker};
use crate::contain;
use crate::driver::{self, Driver};
use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};
use crate::sync::{Apart, Arc};
use crate::task::{self, JoinHandle, Names, OnPanic, OwnedTasks, Runnable, Schedule, TaskInfo};

pub(crate) type Hook = std::sync::Arc<dyn Fn() + Send + Sync>;

/// What the builder decides.
#[derive(Clone)]
pub(crate) struct Config {
    /// Pool workers; 0 makes a current-thread runtime.
    pub(crate) workers: usize,
    pub(crate) event_interval: u32,
    pub(crate) global_queue_interval: u32,
    /// How long a poll is that counts as a stall.
    pub(crate) stall_threshold: Duration,
    /// There is a watchdog.
    pub(crate) tells_polls: bool,
    pub(crate) on_park: Option<Hook>,
    pub(crate) on_unpark: Option<Hook>,
    /// Told when a task has panicked.
    pub(crate) on_panic: Option<OnPanic>,
    /// Whether a worker without work may look for some before it sleeps: not if there are fewer
    /// cores than workers.
    pub(crate) may_spin: bool,
    /// Whether a paused clock may jump to the next timer: not while blocking work is under way.
    pub(crate) may_advance: std::sync::Arc<dyn Fn() -> bool + Send + Sync>,
}

/// The part of a worker that others see.
#[derive(Debug)]
pub(super) struct Remote {
    pub(super) queue: Arc<Queue<Runnable>>,
    pub(super) counters: Arc<Counters>,
    /// For the watchdog, if there is one.
    pub(super) polled: Option<Arc<Polled>>,
}

impl Remote {
    fn metrics(&self) -> WorkerMetrics {
        let counters = &*self.counters;
        WorkerMetrics {
            polls: counters.polls(),
            steals: counters.steals.get(),
            takeovers: counters.takeovers.get(),
            parks: counters.parks.get(),
            busy: counters.busy(),
            budget_yields: counters.budget_yields.get(),
            stalls: counters.stalls.get(),
            queued: self.queue.waiting(),
            overflowed: self.queue.overflowed(),
            poll_times: counters.poll_times(),
            wake_latencies: counters.wake_latencies(),
        }
    }
}

/// What all workers share.
pub(crate) struct Scheduler {
    pub(super) config: Config,
    pub(super) workers: usize,
    /// The pool's workers, then the guest.
    pub(super) remotes: Box<[Remote]>,
    parkers: Box<[Arc<Parker>]>,
    pub(super) injector: crate::sync::Queue<Runnable>,
    /// Tasks that were spawned from outside, into the injector.
    spawned_outside: AtomicU64,
    pub(super) owned: OwnedTasks,
    names: std::sync::Arc<Names>,
    pub(super) idle: Apart<Idle>,
    pub(super) guest: Guest,
    /// Held while a worker blocks in the driver or polls it; nobody else is called under it.
    pub(super) driver: Apart<crate::sync::Mutex<Driver>>,
    /// Held by a worker that spins without the driver.
    pub(super) spinner: Apart<crate::sync::Mutex<()>>,
    pub(super) driver_handle: std::sync::Arc<driver::Handle>,
    shut_down: AtomicBool,
    /// It was shut down because a task panicked, so nobody may go on as if nothing had happened.
    panicked: AtomicBool,
    /// Pool workers that have not stopped, or 1 for a current-thread runtime not yet torn down.
    alive: Mutex<usize>,
    stopped: Condvar,
}

/// One pool worker, to be [run](PoolWorker::run) on its thread.
pub(crate) struct PoolWorker {
    scheduler: Arc<Scheduler>,
    core: Core,
}

/// A task that came after shutdown, or was perhaps injected after the last drain of the injector.
/// Dropping this cancels it.
pub(crate) struct Refused {
    scheduler: Arc<Scheduler>,
    task: Option<Runnable>,
}

impl Drop for Refused {
    fn drop(&mut self) {
        match self.task.take() {
            Some(task) => task.cancel(&self.scheduler.owned),
            None => self.scheduler.cancel_injected(),
        }
    }
}

impl fmt::Debug for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refused").finish_non_exhaustive()
    }
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
    let mut cores = Vec::new();
    let mut remotes = Vec::new();
    for index in 0..=workers {
        let queue = queue::queue(workers == 0);
        remotes.push(Remote {
            queue: Arc::clone(queue.shared()),
            counters: Arc::new(Counters::new()),
            polled: config.tells_polls.then(Arc::default),
        });
        cores.push(Core { index, queue });
    }
    let guest = Guest::new(cores.pop().expect("one core more than workers"));
    let scheduler = Arc::new(Scheduler {
        workers,
        remotes: remotes.into(),
        parkers: (0..workers).map(|_| Arc::new(Parker::new())).collect(),
        injector: crate::sync::Queue::new(),
        spawned_outside: AtomicU64::new(0),
        owned: OwnedTasks::new(workers + 1).on_panic(config.on_panic.clone()),
        names: std::sync::Arc::default(),
        idle: Apart(Idle::new(workers)),
        guest,
        driver: Apart(crate::sync::Mutex::new(driver)),
        spinner: Apart(crate::sync::Mutex::new(())),
        driver_handle,
        shut_down: AtomicBool::new(false),
        panicked: AtomicBool::new(false),
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
        let _inside = guest::enter_async("PoolWorker::run");
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

impl Schedule for Scheduler {
    fn schedule(this: &Arc<Self>, task: Runnable) {
        let outside = Worker::with_current(this, |worker| match worker {
            Some(worker) => {
                worker.push_woken(task);
                None
            }
            None => Some(task),
        });
        if let Some(task) = outside {
            // Not in there: this `Arc` may be the last, and then drops what hooks have captured.
            Arc::clone(this).inject(task);
        }
    }
}

impl Scheduler {
    /// Starts a task. After shutdown it is refused: the caller drops what it gets then, outside its
    /// locks and borrows, which cancels the task.
    #[inline(always)] // a large future must not be copied from frame to frame
    pub(crate) fn spawn<F>(
        self: &Arc<Self>,
        future: F,
        spawned_at: &'static Location<'static>,
    ) -> (JoinHandle<F::Output>, Option<Refused>)
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let (task, handle) = task::new_task(future, self, spawned_at);
        (handle, self.start(task))
    }

    fn start(self: &Arc<Self>, task: Runnable) -> Option<Refused> {
        if self.is_shut_down() {
            return Some(self.refuse(Some(task)));
        }
        Worker::with_current(self, |worker| match worker {
            Some(worker) => {
                worker.counters.spawned.add();
                worker.push(task); // a worker that stops cancels what it has
                None
            }
            None => self.start_outside(task),
        })
    }

    #[cold]
    fn start_outside(self: &Arc<Self>, task: Runnable) -> Option<Refused> {
        // Ordering: Relaxed: a number for `metrics`. The injector is a shared line as well.
        self.spawned_outside.fetch_add(1, Ordering::Relaxed);
        Arc::clone(self).inject(task);
        // Ordering: the fence pairs with `tear_down`'s: either that drains the push above, or the
        // flag is seen here.
        fence(Ordering::SeqCst);
        self.is_shut_down().then(|| self.refuse(None))
    }

    #[cold]
    fn refuse(self: &Arc<Self>, task: Option<Runnable>) -> Refused {
        Refused { scheduler: Arc::clone(self), task }
    }

    /// Queues a task from outside. The caller's Arc keeps the scheduler alive past the push.
    #[cold]
    pub(super) fn inject(self: Arc<Self>, task: Runnable) {
        self.injector.push(task);
        if self.workers == 0 {
            self.unpark_guest();
        } else {
            self.notify();
        }
    }

    /// Wakes a parked worker for work that was just queued, unless one is searching.
    pub(super) fn notify(&self) {
        if let Some(worker) = self.idle.notify_one() {
            self.unpark(worker);
        }
    }

    pub(super) fn unpark(&self, worker: usize) {
        self.finish_unpark(self.parkers[worker].unpark());
    }

    pub(super) fn finish_unpark(&self, unpark: Unpark) {
        if unpark == Unpark::Driver {
            self.driver_handle.unpark();
        }
    }

    /// Whether something is injected, or a worker has at least so many tasks that can be stolen.
    pub(super) fn has_work(&self, at_least: usize) -> bool {
        !self.injector.is_empty()
            || self.remotes.iter().any(|remote| remote.queue.len() >= at_least)
    }

    pub(super) fn anyone_runs(&self) -> bool {
        self.guest.runs() || self.idle.anyone_runs()
    }

    /// Whether a worker, the guest included, is neither parked nor absent.
    pub(super) fn runs(&self, worker: usize) -> bool {
        if worker == self.workers { self.guest.runs() } else { !self.idle.is_parked(worker) }
    }

    pub(super) fn ticks(&self) -> impl Iterator<Item = u64> {
        self.remotes.iter().map(|remote| remote.counters.turns.get())
    }

    /// The names of its tasks.
    pub(crate) fn names(&self) -> &std::sync::Arc<Names> {
        &self.names
    }

    /// The tasks that have waited once and have not ended.
    #[inline]
    pub(crate) fn tasks(&self) -> Vec<TaskInfo> {
        let mut tasks = self.owned.list();
        self.names.tell(&mut tasks);
        tasks
    }

    /// What the workers have done, the guest last.
    #[inline]
    pub(crate) fn worker_metrics(&self) -> Vec<WorkerMetrics> {
        self.remotes.iter().map(Remote::metrics).collect()
    }

    /// Tasks in the injector.
    pub(crate) fn injected(&self) -> usize {
        self.injector.len()
    }

    /// Tasks that were spawned, and those of them that have not ended.
    pub(crate) fn task_counts(&self) -> (u64, u64) {
        let sum = |count: fn(&Counters) -> u64| -> u64 {
            self.remotes.iter().map(|remote| count(&remote.counters)).sum()
        };
        let completed = sum(|counters| counters.completed.get()); // first: never more than spawned
        // Ordering: Relaxed, as where it is written.
        let outside = self.spawned_outside.load(Ordering::Relaxed);
        let spawned = sum(|counters| counters.spawned.get()) + outside;
        // Shutdown cancels what is left and counts nothing.
        let is_over = self.wait_stopped(Some(Duration::ZERO));
        (spawned, if is_over { 0 } else { spawned.saturating_sub(completed) })
    }

    /// Whether callers of `block_on` and `turn` are its only workers.
    pub(crate) fn is_current_thread(&self) -> bool {
        self.workers == 0
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

    /// Shuts down because a task has panicked; every `block_on` panics then, one after the other: who
    /// leaves the guest's seat calls the next. Does not wait.
    pub(crate) fn begin_shutdown_for_panic(self: &Arc<Self>) {
        // Ordering: Release pairs with `assert_no_panic`. Who is woken by the shutdown, or by the end of
        // the task, which is yet to come, sees the flag.
        self.panicked.store(true, Ordering::Release);
        self.begin_shutdown();
    }

    /// For whoever drives the runtime.
    #[track_caller]
    pub(super) fn assert_no_panic(&self) {
        assert!(
            // Ordering: Acquire pairs with `begin_shutdown_for_panic`.
            !self.panicked.load(Ordering::Acquire),
            "a task panicked, and the runtime is built to shut down then: its tasks are gone"
        );
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
    pub(super) fn worker_stopped(&self, worker: &Worker) {
        self.cancel_queue(worker);
        // This worker may have led the driver until now; the guest may not be done with it.
        self.unpark_guest();
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

    pub(super) fn one_stopped(&self) {
        *self.alive.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        self.stopped.notify_all();
    }

    /// Cancels every task there is, then closes the driver. Runs once, on the last worker.
    pub(super) fn tear_down(&self, worker: &Worker) {
        // Ordering: pairs with the fence in `start`.
        fence(Ordering::SeqCst);
        self.owned.close();
        loop {
            let batches = self.guest.batches.now();
            self.cancel_queue(worker);
            self.cancel_injected();
            for remote in &self.remotes {
                while let Some(task) = remote
                    .queue
                    .steal_next()
                    .or_else(|| worker.core.queue.steal_from(&remote.queue, 1))
                {
                    task.cancel(&self.owned);
                    self.cancel_queue(worker);
                }
            }
            self.owned.cancel_all_idle();
            // On a current-thread runtime who sits there is here.
            let guest_is_done = self.workers == 0 || self.guest.batches.quiet(batches);
            if guest_is_done && self.owned.is_empty() {
                break;
            }
            // What is left is being polled by the guest or woken by another thread right now.
            std::thread::sleep(Duration::from_micros(50));
        }
        let mut woken = Vec::new();
        self.driver_handle.shutdown(&mut woken);
        for waker in woken {
            contain::wake(waker);
        }
    }

    /// Cancels what is in a worker's own queue.
    pub(super) fn cancel_queue(&self, worker: &Worker) {
        let queue = &worker.core.queue;
        while let Some(task) = queue.pop_next().or_else(|| queue.pop_front()) {
            task.cancel(&self.owned);
        }
    }

    pub(super) fn cancel_injected(&self) {
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

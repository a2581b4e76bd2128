//! One worker: the loop that finds tasks, polls them, and sleeps.
//!
//! A turn of the loop is a *tick*: one task is polled. Where the task comes from, in order:
//!
//! 1. every `global_queue_interval` ticks the injector, so that a busy worker cannot starve it; what
//!    is found there ends a run-next chain;
//! 2. the run-next slot, as long as the chain of run-next tasks has budget left (each link costs a
//!    unit and inherits the rest, so a chain is at most 128 polls long before others get a turn);
//! 3. the front of the worker's own queue;
//! 4. the injector, a share of it at once;
//! 5. another worker's queue, half of it (when: see `patience`).
//!
//! Between ticks the worker looks at the clock: often enough that a look costs little (every poll if
//! polls are long, every [`MAX_STRIDE`] polls if they are short). A look fires due timers, those of
//! parked or stuck workers too, and polls the driver if [`TURN_PERIOD`] or `event_interval` polls
//! have passed since this worker did.
//!
//! What it does when there is nothing to do is in `sleep`.

use std::cell::{Cell, RefCell};
use std::mem::ManuallyDrop;
use std::rc::Rc;
use std::task::Waker;
use std::time::{Duration, Instant};

use super::counters::{Counters, Sampler};
use super::park::Parker;
use super::patience::Patience;
use super::queue::Owner;
use super::scheduler::Scheduler;
use super::spin::Spin;
use super::watchdog::Polled;
use crate::contain;
use crate::coop::Budget;
use crate::driver::{self, clock::real_now};
use crate::sync::Arc;
use crate::task::{After, KEPT, Runnable, Woken, keep_spares};

/// The longest time between two looks of a busy worker at the driver, its own long polls aside.
const TURN_PERIOD: Duration = Duration::from_micros(100);
/// How long a busy worker is to go on without a look at the clock, and the most polls between two
/// looks. One costs some 50 ns.
const LOOK_PERIOD: Duration = Duration::from_micros(50);
const MAX_STRIDE: u32 = 32;
/// How many due timers are fired at once, at most, and how many tasks may wait here for that to be done. A
/// million tasks whose sleeps end together would else be queued before anyone who comes a little later.
pub(super) const CROWD: usize = 2048;
/// The most tasks taken from the injector at once.
const MAX_PULL: usize = 128;

std::thread_local! {
    /// The worker that the calling thread is. Not behind the loom switch: no model reaches it. It has no
    /// destructor, so that nobody needs to ask whether that has run; [`Entered`] empties it.
    static CURRENT: ManuallyDrop<RefCell<Option<Rc<Worker>>>> =
        const { ManuallyDrop::new(RefCell::new(None)) };
}

/// What a worker owns for as long as its runtime lives; it moves between threads only as the core
/// that callers of `block_on` take turns with.
#[derive(Debug)]
pub(super) struct Core {
    pub(super) index: usize,
    pub(super) queue: Owner<Runnable>,
}

/// A core on its thread.
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) scheduler: Arc<Scheduler>,
    pub(super) core: Core,
    pub(super) parker: Arc<Parker>,
    pub(super) counters: Arc<Counters>,
    pub(super) sampler: Sampler,
    /// For the watchdog, if there is one.
    pub(super) polled: Option<Arc<Polled>>,
    /// Something is to be noted before a poll.
    attends: Cell<bool>,
    /// Polls until the next look at the clock, and between two looks.
    countdown: Cell<u32>,
    stride: Cell<u32>,
    /// Not the guest of a pool, which runs only what it woke itself.
    pub(super) serves_injector: bool,
    /// Polls until the injector is looked at although there is other work.
    until_injector: Cell<u32>,
    pub(super) last_look: Cell<Instant>,
    /// At which tick this worker last polled the driver, and how long before `last_look` that was.
    turned_at: Cell<u64>,
    pub(super) turn_age: Cell<Duration>,
    /// What the last poll left, for the next link of a run-next chain.
    pub(super) budget: Cell<Budget>,
    /// Counted as searching in `idle`.
    pub(super) searching: Cell<bool>,
    /// Woken for work, and not idle since.
    pub(super) called: Cell<bool>,
    pub(super) patience: Patience,
    /// Has been parked, or absent, and not had a task since.
    pub(super) left_park: Cell<bool>,
    /// Went to sleep as the watch.
    pub(super) held_watch: Cell<bool>,
    /// The workers' ticks a watch's period ago, or longer, and when that was.
    pub(super) seen: RefCell<Vec<u64>>,
    pub(super) seen_at: Cell<Instant>,
    /// Whether they had moved when `seen` was last renewed.
    pub(super) others_moved: Cell<bool>,
    /// Wakers are being called for the driver or a joiner: what they schedule queues up in order.
    pub(super) dispatching: Cell<bool>,
    /// Reused between turns.
    pub(super) woken: RefCell<Vec<Waker>>,
    pub(super) spin: Spin,
    /// How many timers had come after the last sleep.
    pub(super) fired: Cell<usize>,
    random: Cell<u32>,
}

/// Restores the thread's former worker.
pub(super) struct Entered {
    former: Option<Rc<Worker>>,
    _driver: driver::EnterGuard,
}

impl Worker {
    pub(super) fn new(scheduler: Arc<Scheduler>, core: Core, parker: Arc<Parker>) -> Rc<Self> {
        let now = scheduler.driver_handle.clock.now();
        let index = core.index;
        let interval = scheduler.config.global_queue_interval;
        let may_spin = scheduler.config.may_spin;
        let pool = scheduler.workers;
        let counters = Arc::clone(&scheduler.remotes[index].counters);
        let polled = scheduler.remotes[index].polled.clone();
        let turned_at = Cell::new(counters.turns.get());
        Rc::new(Self {
            scheduler,
            core,
            parker,
            counters,
            sampler: Sampler::default(),
            attends: Cell::new(polled.is_some()),
            polled,
            countdown: Cell::new(1),
            stride: Cell::new(1),
            serves_injector: index < pool || pool == 0,
            until_injector: Cell::new(interval),
            last_look: Cell::new(now),
            turned_at,
            turn_age: Cell::new(Duration::ZERO),
            budget: Cell::new(Budget::FULL),
            searching: Cell::new(false),
            called: Cell::new(false),
            patience: Patience::new(now),
            left_park: Cell::new(true),
            held_watch: Cell::new(false),
            seen: RefCell::default(),
            seen_at: Cell::new(now),
            others_moved: Cell::new(true),
            dispatching: Cell::new(false),
            woken: RefCell::default(),
            spin: Spin::new(may_spin),
            fired: Cell::new(0),
            random: Cell::new(index as u32 * 2 + 1),
        })
    }

    /// Makes this the calling thread's worker.
    pub(super) fn enter(self: &Rc<Self>) -> Entered {
        let former = CURRENT.with(|current| current.replace(Some(Rc::clone(self))));
        keep_spares(KEPT);
        let _driver = self.scheduler.driver_handle.enter(self.core.index);
        Entered { former, _driver }
    }

    /// Calls `f` with the calling thread's worker if it is one of `scheduler`.
    #[inline]
    pub(super) fn with_current<R>(
        scheduler: &Arc<Scheduler>,
        f: impl FnOnce(Option<&Worker>) -> R,
    ) -> R {
        // Not `with`, which is compiled apart and called.
        let called = CURRENT.try_with(|current| {
            let current = current.borrow();
            f(current.as_deref().filter(|worker| Arc::ptr_eq(&worker.scheduler, scheduler)))
        });
        called.expect("what has no destructor is always there")
    }

    /// The body of a pool thread.
    pub(super) fn run(self: &Rc<Self>) {
        let _entered = self.enter();
        self.parker.adopt_thread();
        self.counters.begin_busy(real_now());
        while !self.scheduler.is_shut_down() {
            self.tick();
            match self.next_task().or_else(|| self.search()) {
                Some(task) => {
                    self.found_work();
                    self.poll(task);
                }
                None => {
                    self.counters.idle_turns.add();
                    self.park();
                }
            }
        }
        self.end_busy();
        if self.searching.take() {
            let _ = self.scheduler.idle.stop_searching(self.core.index);
        }
        self.scheduler.worker_stopped(self);
    }

    /// Queues a task that was woken on this thread.
    #[inline]
    pub(super) fn push_woken(&self, task: Runnable) {
        if self.sampler.wants_wake() {
            self.sampler.woken(task.id());
            self.attends.set(true);
        }
        self.push(task);
    }

    /// Queues a task that was spawned or woken on this thread.
    #[inline]
    pub(super) fn push(&self, task: Runnable) {
        if self.dispatching.get() {
            self.core.queue.push_back(task);
        } else if let Some(displaced) = self.core.queue.set_next(task) {
            // An empty slot that is filled wakes nobody: the task runs here next. Only what it
            // displaces is work for others.
            self.core.queue.push_back(displaced);
            self.scheduler.notify();
        } else if self.left_park.get() {
            // The root future's first task since its thread sat down: somebody has to watch.
            self.found_work();
        }
    }

    /// Polls one task.
    #[inline(always)] // into two loops, where all it needs of `self` is at hand
    pub(super) fn poll(&self, task: Runnable) {
        if self.attends.get() {
            self.before_poll(&task);
        }
        let outside = self.budget.get().replace();
        let after = task.run(&self.scheduler.owned, self.core.index);
        let left = outside.replace();
        self.budget.set(left);
        match after {
            After::Waits => {}
            After::Again(task) => {
                if left.is_spent() {
                    self.counters.budget_yields.add();
                }
                self.core.queue.push_back(task);
            }
            After::Ended(joiner) => {
                self.counters.completed.add();
                if let Some(joiner) = joiner {
                    self.wake_joiner(joiner);
                }
            }
        }
    }

    #[cold]
    fn before_poll(&self, task: &Runnable) {
        self.sampler.polled(task.id(), &self.counters);
        if let Some(polled) = &self.polled {
            polled.task(task);
        }
        self.attends.set(self.polled.is_some() || self.sampler.has_wake());
    }

    /// Who waits for a task may well wait for others: behind those that are ready it finds more of
    /// them complete, and is polled once instead of once for each.
    fn wake_joiner(&self, joiner: Waker) {
        let waits = !self.core.queue.shared().is_empty();
        self.dispatching.set(waits);
        self.wake(joiner);
        self.dispatching.set(false);
        if waits {
            self.notify_if_more();
        }
    }

    /// Calls a waker, outside of any poll.
    fn wake(&self, waker: Waker) {
        match Woken::by(&self.scheduler, waker) {
            Woken::Task(task) => self.push_woken(task),
            Woken::Nothing => {}
            Woken::Foreign(waker) => contain::wake(waker),
        }
    }

    /// The next task from this worker's own queues, and the injector if it serves it.
    #[inline]
    pub(super) fn next_task(&self) -> Option<Runnable> {
        let until_injector = self.until_injector.get() - 1;
        self.until_injector.set(until_injector);
        if until_injector == 0
            && let Some(task) = self.next_injected()
        {
            return Some(task);
        }
        if let Some(task) = self.core.queue.pop_next() {
            if let Some(budget) = self.budget.get().inherit() {
                self.budget.set(budget);
                return Some(task);
            }
            self.core.queue.push_back(task);
        }
        self.budget.set(Budget::FULL);
        self.core.queue.pop_front().or_else(|| self.pull_injected())
    }

    /// The next task from the injector although there may be others.
    #[cold]
    fn next_injected(&self) -> Option<Runnable> {
        self.until_injector.set(self.scheduler.config.global_queue_interval);
        if !self.serves_injector {
            return None;
        }
        let task = self.scheduler.injector.pop()?;
        // It ends the run-next chain: its full budget must not prolong that for ever.
        if let Some(next) = self.core.queue.pop_next() {
            self.core.queue.push_back(next);
        }
        self.budget.set(Budget::FULL);
        Some(task)
    }

    /// Takes a share of the injector: one task to run, the others into the empty queue.
    #[cold]
    fn pull_injected(&self) -> Option<Runnable> {
        let injector = &self.scheduler.injector;
        if !self.serves_injector || injector.is_empty() {
            return None;
        }
        let share = injector.len() / self.scheduler.workers.max(1);
        let first = injector.pop()?;
        let rest = std::iter::from_fn(|| injector.pop());
        self.core.queue.append(rest.take(share.min(MAX_PULL)));
        Some(first)
    }

    /// Looks for work in other workers' queues.
    fn search(&self) -> Option<Runnable> {
        let scheduler = &*self.scheduler;
        self.patience.is_idle(real_now, self.counters.turns.get());
        if self.patience.rest(real_now).is_some() {
            return None;
        }
        if !self.searching.get() {
            if !scheduler.idle.start_searching(self.core.index) {
                return None;
            }
            self.searching.set(true);
        }
        self.sampler.forget_poll();
        let count = scheduler.remotes.len();
        let start = self.next_random() as usize;
        let at_least = self.worth_stealing();
        (0..count)
            .map(|i| (start.wrapping_add(i)) % count)
            .filter(|&victim| victim != self.core.index)
            .find_map(|victim| {
                let victim = &scheduler.remotes[victim];
                let is_lone = victim.queue.len() == 1;
                let stolen = self.core.queue.steal_from(&victim.queue, at_least)?;
                self.counters.steals.add();
                let turn = self.counters.turns.get();
                self.patience.took(real_now(), turn, is_lone, victim.counters.pace());
                Some(stolen)
            })
            .or_else(|| self.pull_injected())
    }

    /// How many tasks another worker must have for one to be stolen.
    pub(super) fn worth_stealing(&self) -> usize {
        if self.called.get() || self.patience.is_over(real_now) { 1 } else { 2 }
    }

    /// Marsaglia's xorshift: only to spread thieves over victims.
    fn next_random(&self) -> u32 {
        let mut x = self.random.get();
        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
        self.random.set(x);
        x
    }

    /// Keeps the two promises of a worker that goes from idle to busy: whoever relied on this
    /// searcher is served, and somebody watches.
    #[inline]
    pub(super) fn found_work(&self) {
        if self.searching.get() || self.left_park.get() {
            self.came_back();
        }
    }

    #[cold]
    pub(super) fn came_back(&self) {
        let scheduler = &*self.scheduler;
        if self.searching.take()
            && scheduler.idle.stop_searching(self.core.index)
            && scheduler.has_work(1)
        {
            scheduler.notify();
        }
        if self.left_park.take()
            && let Some(called) = scheduler.idle.leave(self.core.index)
        {
            scheduler.unpark(called);
        }
    }

    /// Counts a turn of the loop; every few of them looks at the clock.
    #[inline]
    pub(super) fn tick(&self) {
        self.counters.turns.add();
        let countdown = self.countdown.get() - 1;
        self.countdown.set(countdown);
        if countdown == 0 {
            self.look_at_clock();
        }
    }

    #[cold]
    fn look_at_clock(&self) {
        let clock = &self.scheduler.driver_handle.clock;
        let now = clock.now();
        let sampled = self.sampler.end(&self.counters, || self.real(now));
        let since = now.saturating_duration_since(self.last_look.replace(now));
        self.count_stall(since);
        let polls = if sampled { 1 } else { self.stride.get() };
        self.counters.set_pace(since, polls);
        let timers = self.timers_after(polls);
        if !sampled {
            // As many polls as take that long, if they are no shorter; else twice as many.
            let stride = self.stride.get();
            let stride = if since > LOOK_PERIOD {
                (f64::from(stride) * LOOK_PERIOD.div_duration_f64(since)) as u32
            } else {
                stride * 2
            };
            self.stride.set(stride.clamp(1, MAX_STRIDE));
        }

        let age = self.turn_age.get().saturating_add(since);
        self.turn_age.set(age);
        let polls = self.counters.turns.get() - self.turned_at.get();
        if age >= TURN_PERIOD || polls >= self.scheduler.config.event_interval.into() {
            self.has_turned();
            self.turn(now, timers);
        } else {
            self.fire_timers(now, timers);
        }
        let sample = self.sampler.begin(&self.counters);
        self.countdown.set(if sample { 1 } else { self.stride.get() });
    }

    /// This worker polls the driver now.
    pub(super) fn has_turned(&self) {
        self.turned_at.set(self.counters.turns.get());
        self.turn_age.set(Duration::ZERO);
    }

    /// The real time when the runtime's clock shows `now`.
    pub(super) fn real(&self, now: Instant) -> Instant {
        if self.scheduler.driver_handle.clock.is_touched() { real_now() } else { now }
    }

    /// The worker goes to sleep, or away.
    pub(super) fn end_busy(&self) {
        let now = real_now();
        self.counters.end_busy(now);
        self.count_stall(now.saturating_duration_since(self.last_look.get()));
    }

    /// After so long without a look at the clock.
    fn count_stall(&self, since: Duration) {
        // A clock that was stopped may have been moved by hand.
        if since >= self.scheduler.config.stall_threshold
            && !self.scheduler.driver_handle.clock.is_touched()
        {
            self.counters.stalls.add();
        }
    }

    /// How many timers may be fired after so many polls: where a crowd waits already, as many as have
    /// been polled, so that it does not grow.
    fn timers_after(&self, polls: u32) -> usize {
        CROWD.saturating_sub(self.core.queue.shared().len()).max(polls as usize)
    }

    /// Collects what timers and the driver have to say, without waiting, and wakes it.
    pub(super) fn turn(&self, now: Instant, timers: usize) {
        let mut woken = self.woken.take();
        self.scheduler.driver_handle.timers.fire_some(now, timers, &mut woken);
        if let Some(mut driver) = self.scheduler.driver.try_lock() {
            // An error leaves nothing undone that a later turn would not do.
            let _ = driver.turn(&self.scheduler.driver_handle, Some(Duration::ZERO), &mut woken);
        }
        self.dispatch(woken);
    }

    fn fire_timers(&self, now: Instant, timers: usize) {
        let mut woken = self.woken.take();
        self.scheduler.driver_handle.timers.fire_some(now, timers, &mut woken);
        self.dispatch(woken);
    }

    /// The list that the next `awake` gives back.
    pub(super) fn take_woken(&self) -> Vec<Waker> {
        self.woken.take()
    }

    /// Calls wakers, with no lock held. Tasks of this runtime queue up here, in order.
    pub(super) fn dispatch(&self, mut woken: Vec<Waker>) {
        if woken.is_empty() {
            self.woken.replace(woken);
            return;
        }
        self.dispatching.set(true);
        for waker in woken.drain(..) {
            self.wake(waker);
        }
        self.dispatching.set(false);
        self.woken.replace(woken);
        self.notify_if_more();
    }

    /// After tasks were queued: one is for this worker itself, a second one is work for another.
    fn notify_if_more(&self) {
        if self.core.queue.shared().len() > 1 {
            self.scheduler.notify();
        }
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        keep_spares(if self.former.is_some() { KEPT } else { 0 });
        let left = CURRENT.with(|current| current.replace(self.former.take()));
        drop(left);
    }
}

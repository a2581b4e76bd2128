//! What a worker does when it has nothing to do: sleeps, leads the driver, looks after the others.
//!
//! ```text
//!   park ─▶ parked bit set, last look ─▶ sleep ─▶ lead: spin, then block in the driver
//!                                            └──▶ as a thread: spin, then park
//!        ─▶ bit cleared ─▶ awake: wakers called, timers fired ─▶ hostages freed
//! ```
//!
//! `idle` says who wakes whom and what the watch is, `park` how a thread sleeps, `spin` how long it
//! looks before it does. The guest sleeps by the same parts, but is never parked in `idle`.

use std::task::Waker;
use std::time::{Duration, Instant};

use super::idle::WATCH_PERIOD;
use super::patience::LONGEST_REST;
use super::scheduler::Remote;
use super::worker::{CROWD, Worker};
use crate::contain::contain;
use crate::coop::Budget;
use crate::driver::clock::real_now;
use crate::task::{KEPT, keep_spares};

/// Timers that are due within this time share a wake-up, as they do in the driver, whose sleep is
/// counted in milliseconds.
const SHORTEST_PARK: Duration = Duration::from_millis(1);
/// From so many timers on that fire after one sleep, before the next one some are prepared for their time:
/// twice as many as fired, so that it is done well before they are due, and no more than take 200 µs.
const MANY_TIMERS: usize = 32;
const MOST_PREPARED: usize = 1024;

impl Worker {
    /// Sleeps until there may be something to do.
    pub(super) fn park(&self) {
        let scheduler = &*self.scheduler;
        self.before_park();
        self.called.set(false);
        if let Some(rest) = self.patience.rest(real_now)
            && scheduler.has_work(1)
        {
            self.rest(rest);
            return self.after_park();
        }
        scheduler.idle.park(self.core.index, self.searching.take());
        let mut woken = self.take_woken();
        if !scheduler.has_work(self.worth_stealing()) && !scheduler.is_shut_down() {
            self.count_park();
            self.sleep(&mut woken);
        }
        let called = scheduler.idle.unpark_self(self.core.index);
        self.searching.set(called);
        self.called.set(called);
        let now = self.awake(woken);
        self.free_hostages(now);
        self.after_park();
    }

    /// Leaves the others' work to them for a while (`patience`). For `idle` this worker runs, so that
    /// nobody wakes it for that work.
    fn rest(&self, rest: Duration) {
        let scheduler = &*self.scheduler;
        self.came_back(); // who relied on this searcher relies on the next
        let before: Vec<u64> = scheduler.ticks().collect();
        if self.core.queue.shared().is_empty() && scheduler.injector.is_empty() {
            self.count_park();
            let deadline = scheduler.driver_handle.timers.next_deadline(self.core.index);
            self.parker.park_thread(self.until(deadline, Some(rest)));
        }
        let now = self.awake(self.take_woken());
        self.patience.rested();
        let is_stuck = |(remote, before): (&Remote, &u64)| {
            !remote.queue.is_empty() && remote.counters.turns.get() == *before
        };
        if rest > LONGEST_REST / 2 && scheduler.remotes.iter().zip(&before).any(is_stuck) {
            self.patience.end();
        }
        self.free_hostages(now);
    }

    pub(super) fn before_park(&self) {
        if self.fired.get() >= MANY_TIMERS {
            let timers = (2 * self.fired.take()).min(MOST_PREPARED);
            self.scheduler.driver_handle.timers.move_ahead(timers);
        }
        if let Some(hook) = &self.scheduler.config.on_park {
            // What it schedules must be in sight of the last look, which leaves the slot aside.
            self.dispatching.set(true);
            contain(|| hook());
            self.dispatching.set(false);
        }
    }

    /// The worker is about to sleep: it has no task, so nothing is left to measure.
    pub(super) fn count_park(&self) {
        self.counters.parks.add();
        self.end_busy();
        self.sampler.forget_poll();
        self.sampler.forget_wake();
        self.core.queue.shrink();
        keep_spares(KEPT);
    }

    pub(super) fn after_park(&self) {
        if let Some(hook) = &self.scheduler.config.on_unpark {
            contain(|| hook());
        }
    }

    /// Back from a sleep: what came in meanwhile is queued, due timers fire.
    pub(super) fn awake(&self, mut woken: Vec<Waker>) -> Instant {
        if self.counters.is_busy() {
            self.end_busy(); // the last look before the sleep found something
        }
        let now = self.scheduler.driver_handle.clock.now();
        self.counters.begin_busy(self.real(now));
        self.left_park.set(true);
        self.budget.set(Budget::FULL);
        let slept = now.saturating_duration_since(self.last_look.replace(now));
        self.turn_age.set(self.turn_age.get().saturating_add(slept));
        let before = woken.len();
        self.scheduler.driver_handle.timers.fire_some(now, CROWD, &mut woken);
        self.fired.set(woken.len() - before);
        self.dispatch(woken);
        now
    }

    /// A pool worker's sleep. Its parked bit is set and there is no work.
    fn sleep(&self, woken: &mut Vec<Waker>) {
        let idle = &self.scheduler.idle;
        let index = self.core.index;
        let anyone_runs = || self.scheduler.anyone_runs();
        // Called to the watch just now: the caller runs and comes back for the driver soon.
        let appointed = idle.has_watch(index) && !self.held_watch.get();
        let watch = if anyone_runs() {
            idle.take_watch(index)
        } else {
            idle.has_watch(index)
                && (appointed || self.others_moved.get() || !idle.give_up_watch(index, anyone_runs))
        };
        self.held_watch.set(watch);
        let at_most = watch.then(|| self.until_look());
        if appointed && watch || !self.lead(at_most, woken) {
            self.sleep_as_thread(at_most);
        }
    }

    /// Sleeps without the driver, after a short look for what may come at once.
    pub(super) fn sleep_as_thread(&self, at_most: Option<Duration>) {
        let scheduler = &*self.scheduler;
        let timers = &scheduler.driver_handle.timers;
        // One at a time, besides the one who leads.
        let spins = scheduler.spinner.try_lock();
        let found = spins.is_some()
            && self.spin.until(
                self.until(timers.next_deadline(self.core.index), at_most),
                real_now, // a paused clock would never end it
                || self.parker.take_token() || self.has_work_for_me(),
            );
        drop(spins);
        if !found {
            let timeout = self.until(timers.own_wait(self.core.index), at_most);
            self.parker.park_thread(timeout.map(|timeout| timeout.max(SHORTEST_PARK)));
        }
    }

    /// The guest of a pool does not look for work.
    fn has_work_for_me(&self) -> bool {
        self.serves_injector && self.scheduler.has_work(self.worth_stealing())
    }

    /// Blocks in the driver if nobody else does.
    pub(super) fn lead(&self, at_most: Option<Duration>, woken: &mut Vec<Waker>) -> bool {
        let scheduler = &*self.scheduler;
        let Some(mut driver) = scheduler.driver.try_lock() else { return false };
        let handle = &*scheduler.driver_handle;
        // Of the others who sleep, too, and of the guest, whose thread may have left.
        let has_nobody = |shard| !scheduler.runs(shard);
        let next = handle.timers.next_deadline_of(has_nobody);
        let found = self.spin.until(self.until(next, at_most), real_now, || {
            let _ = driver.turn(handle, Some(Duration::ZERO), woken);
            !woken.is_empty() || self.parker.take_token() || self.has_work_for_me()
        });
        let turned = found || {
            let deadline = handle.timers.begin_wait(has_nobody);
            // On a paused clock one that is there now came after the look for where to jump to.
            let jumps =
                deadline.is_some() && handle.clock.is_paused() && (scheduler.config.may_advance)();
            let timeout = if jumps { Some(Duration::ZERO) } else { self.until(deadline, at_most) };
            // An error leaves nothing undone that a later turn would not do.
            let turned = self.parker.park_driver(|| driver.turn(handle, timeout, woken));
            handle.timers.end_wait();
            turned.is_some()
        };
        if turned {
            self.last_look.set(handle.clock.now());
            self.has_turned();
        }
        true
    }

    /// How long to sleep. Under a paused clock no deadline comes nearer by waiting.
    pub(super) fn until(
        &self,
        deadline: Option<Instant>,
        at_most: Option<Duration>,
    ) -> Option<Duration> {
        let clock = &self.scheduler.driver_handle.clock;
        let wait = deadline
            .filter(|_| !clock.is_paused())
            .map(|deadline| deadline.saturating_duration_since(clock.now()));
        match (wait, at_most) {
            (Some(wait), Some(at_most)) => Some(wait.min(at_most)),
            (wait, at_most) => wait.or(at_most),
        }
    }

    /// How long the watch sleeps: until `seen` is a period old.
    fn until_look(&self) -> Duration {
        let now = self.scheduler.driver_handle.clock.now();
        let since = now.saturating_duration_since(self.seen_at.get());
        WATCH_PERIOD.checked_sub(since).filter(|left| !left.is_zero()).unwrap_or(WATCH_PERIOD)
    }

    /// What whoever is idle owes those who run: if a period has passed since the last look, takes
    /// the run-next task from workers that have been in one poll for all that time. Everything else
    /// of theirs can be stolen, a lone task too.
    fn free_hostages(&self, now: Instant) {
        if now.saturating_duration_since(self.seen_at.get()) < WATCH_PERIOD {
            return;
        }
        self.seen_at.set(now);
        let mut seen = self.seen.borrow_mut();
        let ticks: Vec<u64> = self.scheduler.ticks().collect();
        let mut moved = false;
        for (index, (tick, before)) in ticks.iter().zip(&*seen).enumerate() {
            if index == self.core.index {
                continue;
            }
            if tick != before {
                moved = true;
            } else if self.scheduler.runs(index) {
                self.patience.end();
                let hostage = self.scheduler.remotes[index].queue.steal_next();
                if let Some(task) = hostage {
                    self.counters.takeovers.add();
                    self.core.queue.push_back(task);
                }
            }
        }
        self.others_moved.set(moved);
        *seen = ticks;
    }
}

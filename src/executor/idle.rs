//! Whom to wake, and whether to wake at all.
//!
//! A wake-up across cores costs its caller as much as a few hundred spawns, so the rule is: wake one
//! worker for new work, and only if nobody is *searching* already; the searcher that finds work
//! wakes the next one if there is still more (a ramp that doubles).
//!
//! # States of a worker
//!
//! ```text
//!            finds nothing              nothing left after a last look
//!  RUNNING ────────────────▶ SEARCHING ───────────────────────────────▶ PARKED
//!     ▲                          │  ▲                                      │
//!     └──────────────────────────┘  └──────────────────────────────────────┘
//!            finds work                    claimed by `notify_one`
//! ```
//!
//! A parked worker that wakes by itself (a timer, an event, the watch's period) unparks itself and is
//! RUNNING; so is one that rests (`patience`), for it comes back within a millisecond. One word a group of 32 workers holds both sets: the low half has a bit for each *parked*
//! worker, the high half counts the *searching* ones. Up to 32 workers that is one word.
//!
//! # No lost wake-up
//!
//! ```text
//!   pusher                              parker
//!   ------                              ------
//!   queue the task                      set the parked bit, stop searching
//!   fence(SeqCst)                       fence(SeqCst)
//!   read the word: parked? searching?   look at every queue once more
//! ```
//!
//! Whichever fence comes second sees what the other side wrote before its own: either the pusher
//! finds the bit, or the parker finds the task. If the pusher left the work to a searcher instead,
//! that searcher has not yet made its own last look, because it stops searching before it.
//!
//! # The watch: no task is a hostage
//!
//! A worker stuck in one long poll holds back its run-next task, its timers and, if it was the last
//! to poll it, the driver. So while any worker runs, one of the parked ones, the *watch*, sleeps for
//! [`WATCH_PERIOD`] at most and then looks after the others. Nobody watches an idle runtime, so
//! that one sleeps for good. The invariant, checked by whoever changes sides:
//!
//! > If one worker runs and another is parked, a parked worker holds the watch.
//!
//! * Who parks sets its bit, fences and takes the watch if somebody runs and no parked worker has it.
//! * Who stops being parked clears its bit, fences and, if others are parked and none of them has
//!   the watch, calls one of them to it ([`Idle::leave`]).
//! * The watch gives itself up only when nobody runs and nothing has happened in its period; it
//!   fences and looks again after that.
//!
//! In the steady state of a ping-pong through sockets the watch stays where it is and nobody is
//! woken for it; the cost is one wake-up a period.

use std::time::Duration;

use crate::sync::atomic::{AtomicU64, AtomicUsize, Ordering, fence};

/// How long the watch sleeps at most. A hostage is freed after two periods at the latest: one in
/// which its worker's last poll began, and one in which nothing moved. The driver may round each up
/// by a millisecond; with a scheduling delay on top that stays within the promised 20 ms.
pub(super) const WATCH_PERIOD: Duration = Duration::from_millis(7);

/// Workers a word.
const GROUP: usize = 32;
/// One searching worker in a word's high half.
const SEARCHING: u64 = 1 << GROUP;
const PARKED: u64 = SEARCHING - 1;
const NOBODY: usize = usize::MAX;

#[derive(Debug)]
pub(super) struct Idle {
    groups: Box<[AtomicU64]>,
    /// The index of the worker that has the watch, or [`NOBODY`]; means something only while that
    /// worker is parked.
    watch: AtomicUsize,
    workers: usize,
}

impl Idle {
    pub(super) fn new(workers: usize) -> Self {
        Self {
            groups: (0..workers.div_ceil(GROUP)).map(|_| AtomicU64::new(0)).collect(),
            watch: AtomicUsize::new(NOBODY),
            workers,
        }
    }

    /// After work was queued: claims a parked worker to look for it, unless one is searching. The
    /// caller unparks it. It counts as searching from now on.
    pub(super) fn notify_one(&self) -> Option<usize> {
        if self.workers == 0 {
            return None;
        }
        // Ordering: pairs with the fence in `park`: see "No lost wake-up".
        fence(Ordering::SeqCst);
        if self.groups.iter().any(|group| group.load(Ordering::Relaxed) >= SEARCHING) {
            return None;
        }
        self.claim()
    }

    /// Turns one parked worker into a searching one.
    fn claim(&self) -> Option<usize> {
        for (index, group) in self.groups.iter().enumerate() {
            let mut word = group.load(Ordering::Relaxed);
            while word & PARKED != 0 {
                let bit = word & word.wrapping_neg();
                // Ordering: AcqRel: the claimed worker's parking happens before its unparking here,
                // and `unpark_self` sees the claim.
                match group.compare_exchange_weak(
                    word,
                    (word & !bit) + SEARCHING,
                    Ordering::AcqRel,
                    Ordering::Relaxed,
                ) {
                    Ok(_) => return Some(index * GROUP + bit.trailing_zeros() as usize),
                    Err(now) => word = now,
                }
            }
        }
        None
    }

    /// A running worker starts to search, unless half of the workers do so already.
    pub(super) fn start_searching(&self, worker: usize) -> bool {
        let searching: u64 =
            self.groups.iter().map(|group| group.load(Ordering::Relaxed) / SEARCHING).sum();
        if 2 * searching as usize >= self.workers {
            return false;
        }
        // Ordering: Relaxed: a count that keeps others from waking more; what must not be missed is
        // ordered by the fences around it.
        self.group(worker).fetch_add(SEARCHING, Ordering::Relaxed);
        true
    }

    /// A searcher found work. `true` if it was the last one: pushes may have relied on it, so the
    /// caller looks whether there is more and, if so, notifies.
    #[must_use]
    pub(super) fn stop_searching(&self, worker: usize) -> bool {
        // Ordering: as in `start_searching`; the fence pairs with `notify_one`'s: a push that saw
        // this searcher is seen by the look that follows.
        self.group(worker).fetch_sub(SEARCHING, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        self.groups.iter().all(|group| group.load(Ordering::Relaxed) < SEARCHING)
    }

    /// Marks `worker` as parked; afterwards it must look at every queue before it sleeps.
    pub(super) fn park(&self, worker: usize, searching: bool) {
        let bit = Self::bit(worker);
        let change = if searching { bit.wrapping_sub(SEARCHING) } else { bit };
        // Ordering: Release hands the worker over to who claims it; the fence is half of "No lost
        // wake-up" and of the watch's protocol.
        self.group(worker).fetch_add(change, Ordering::Release);
        fence(Ordering::SeqCst);
    }

    /// `worker` is awake. `true` if it was claimed by [`notify_one`](Self::notify_one), hence counts
    /// as searching; else it has unparked itself and runs.
    pub(super) fn unpark_self(&self, worker: usize) -> bool {
        let bit = Self::bit(worker);
        // Ordering: Acquire pairs with the claim's Release; the fence is the watch's (`leave`).
        let claimed = self.group(worker).fetch_and(!bit, Ordering::AcqRel) & bit == 0;
        fence(Ordering::SeqCst);
        claimed
    }

    /// Whether some worker is not parked.
    pub(super) fn anyone_runs(&self) -> bool {
        // Ordering: Relaxed; callers have fenced.
        let parked: u32 = self
            .groups
            .iter()
            .map(|group| (group.load(Ordering::Relaxed) & PARKED).count_ones())
            .sum();
        (parked as usize) < self.workers
    }

    /// Whether `worker` is parked.
    pub(super) fn is_parked(&self, worker: usize) -> bool {
        // Ordering: Relaxed; callers have fenced.
        self.group(worker).load(Ordering::Relaxed) & Self::bit(worker) != 0
    }

    /// Whether `worker` holds the watch.
    pub(super) fn has_watch(&self, worker: usize) -> bool {
        // Ordering: Relaxed: only a hint about others; one's own entry is changed by oneself or
        // before one is unparked.
        self.watch.load(Ordering::Relaxed) == worker
    }

    /// A parked worker takes the watch if no parked one has it. `true` if it has it now.
    pub(super) fn take_watch(&self, worker: usize) -> bool {
        // Ordering: Relaxed: `park`'s fence came before, `leave`'s fence pairs with it.
        let watch = self.watch.load(Ordering::Relaxed);
        watch == worker
            || (!self.is_watched(watch)
                && self
                    .watch
                    .compare_exchange(watch, worker, Ordering::Relaxed, Ordering::Relaxed)
                    .is_ok())
    }

    /// The watch gives itself up, then sees whether it may: `false` if somebody runs after all, and
    /// then it still has it.
    pub(super) fn give_up_watch(&self, worker: usize, anyone_runs: impl Fn() -> bool) -> bool {
        // Ordering: Relaxed; the fence pairs with `unpark_self`'s: either this sees who runs, or who
        // runs sees that nobody watches.
        self.watch.store(NOBODY, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        !anyone_runs() || !self.take_watch(worker)
    }

    /// After leaving the park for work (`unpark_self` has fenced): makes sure that a parked worker
    /// watches. The caller unparks the one that is returned; it counts as searching.
    pub(super) fn leave(&self, worker: usize) -> Option<usize> {
        // Ordering: Relaxed throughout: ordered by `unpark_self`'s and `park`'s fences.
        let watch = self.watch.load(Ordering::Relaxed);
        if watch != worker && self.is_watched(watch) {
            return None;
        }
        let called = self.claim()?;
        // The called one looks for work and finds itself appointed when it parks again. If somebody else has taken the
        // watch in the meantime, it is woken for nothing.
        let _ = self.watch.compare_exchange(watch, called, Ordering::Relaxed, Ordering::Relaxed);
        Some(called)
    }

    fn is_watched(&self, watch: usize) -> bool {
        watch != NOBODY && self.is_parked(watch)
    }

    fn group(&self, worker: usize) -> &AtomicU64 {
        &self.groups[worker / GROUP]
    }

    fn bit(worker: usize) -> u64 {
        1 << (worker % GROUP)
    }
}

//! The clock of a runtime, and the only place of this crate that asks the operating system for the
//! time.
//!
//! A clock runs with real time until someone pauses it. A paused clock moves only when it is told
//! to: by `time::advance`, or by a current-thread executor that has nothing left to do and jumps to
//! the next deadline. Once resumed it runs on from where it stood, so that time never goes back.
//!
//! It wakes nobody: whoever moves it looks at the timers afterwards. The flag in front of the lock
//! makes an untouched clock cost no more than `std::time::Instant::now`. The flag is only ever set
//! and guards no data (the lock does), so that `Relaxed` is enough for it.
//!
//! Asking the operating system costs as much as setting a timer otherwise does. So each thread
//! remembers what it was told last, and [`Clock::has_come`] asks only about deadlines that this does
//! not answer.

use std::cell::Cell;
use std::time::{Duration, Instant};

use crate::sync::Mutex;
use crate::sync::atomic::{AtomicBool, Ordering};

/// A deadline that is later than a thread's last look by this much is taken to lie ahead. Less would
/// save nothing: such a timer is about to fire, which costs more than a look.
const AHEAD: Duration = Duration::from_millis(1);
/// How often a thread trusts one look.
const TRUST: u32 = 16;

std::thread_local! {
    /// Not behind the loom switch: it belongs to one thread.
    static LAST_LOOK: Look = const { Look { ahead: Cell::new(None), trust: Cell::new(0) } };
}

/// What a thread knows of the time without asking.
struct Look {
    /// [`AHEAD`] of what the clock showed.
    ahead: Cell<Option<Instant>>,
    /// So often yet.
    trust: Cell<u32>,
}

impl Look {
    #[inline]
    fn note(&self, now: Instant) {
        self.ahead.set(now.checked_add(AHEAD));
        self.trust.set(TRUST);
    }

    /// Whether the look was taken well ahead of `deadline`.
    #[inline]
    fn is_before(&self, deadline: Instant) -> bool {
        let trust = self.trust.get();
        let is_before = trust > 0 && self.ahead.get().is_some_and(|ahead| ahead <= deadline);
        if is_before {
            self.trust.set(trust - 1);
        }
        is_before
    }
}

/// The time of day for callers that belong to no runtime.
#[inline]
pub(crate) fn real_now() -> Instant {
    let now = Instant::now();
    LAST_LOOK.with(|look| look.note(now));
    now
}

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Clock {
    /// Whether users may pause it, which they may where one thread runs everything.
    pausable: AtomicBool,
    /// Set for good by the first pause: real time alone does not tell the time any more.
    touched: AtomicBool,
    course: Mutex<Course>,
}

#[derive(Clone, Copy, Debug)]
enum Course {
    Frozen(Instant),
    /// When the real time was `real`, this clock showed `shown`.
    Running {
        shown: Instant,
        real: Instant,
    },
}

impl Course {
    fn now(self) -> Instant {
        match self {
            Self::Frozen(now) => now,
            Self::Running { shown, real } => shown + real_now().saturating_duration_since(real),
        }
    }
}

impl Clock {
    pub(crate) fn new(start_paused: bool) -> Self {
        let now = real_now();
        Self {
            pausable: AtomicBool::new(start_paused),
            touched: AtomicBool::new(start_paused),
            course: Mutex::new(if start_paused {
                Course::Frozen(now)
            } else {
                Course::Running { shown: now, real: now }
            }),
        }
    }

    #[inline]
    pub(crate) fn now(&self) -> Instant {
        if self.is_touched() { self.course.lock().now() } else { real_now() }
    }

    /// Whether `deadline` has come, as far as is worth knowing: a deadline well ahead of the last look
    /// that this thread took, for itself or another runtime, is taken to lie ahead still.
    ///
    /// That is wrong if no look was taken for longer than [`AHEAD`], as in one long poll. Then the
    /// timer fires when somebody looks; and every so often this is a look itself, so that a deadline
    /// is seen even by who never gives way. On a clock that was ever paused the answer is exact.
    #[inline]
    pub(crate) fn has_come(&self, deadline: Instant) -> bool {
        let lies_ahead = !self.is_touched() && LAST_LOOK.with(|look| look.is_before(deadline));
        !lies_ahead && self.now() >= deadline
    }

    /// Lets users pause this clock: the builder of a current-thread runtime says so.
    pub(crate) fn allow_pause(&self) {
        // Ordering: Relaxed, it is done before anyone else knows this clock.
        self.pausable.store(true, Ordering::Relaxed);
    }

    pub(crate) fn can_pause(&self) -> bool {
        // Ordering: Relaxed, see `allow_pause`.
        self.pausable.load(Ordering::Relaxed)
    }

    pub(crate) fn is_paused(&self) -> bool {
        self.is_touched() && matches!(*self.course.lock(), Course::Frozen(_))
    }

    /// Stops the clock where it is. Whether that is allowed is for the caller to ask.
    pub(crate) fn pause(&self) {
        let mut course = self.course.lock();
        *course = Course::Frozen(course.now());
        // Ordering: Relaxed, see the module; it pairs with nothing.
        self.touched.store(true, Ordering::Relaxed);
    }

    /// Lets a paused clock run on from the time that it shows.
    pub(crate) fn resume(&self) {
        let mut course = self.course.lock();
        if let Course::Frozen(shown) = *course {
            let real = real_now();
            *course = Course::Running { shown, real };
        }
    }

    /// Moves a paused clock; `None` if it is not paused or no `Instant` is that late.
    pub(crate) fn advance(&self, by: Duration) -> Option<Instant> {
        let mut course = self.course.lock();
        let Course::Frozen(now) = *course else {
            return None;
        };
        let now = now.checked_add(by)?;
        *course = Course::Frozen(now);
        Some(now)
    }

    /// Moves a paused clock to `to`, unless it is later already. Does nothing to a running clock.
    pub(crate) fn advance_to(&self, to: Instant) {
        let mut course = self.course.lock();
        if let Course::Frozen(now) = *course {
            *course = Course::Frozen(now.max(to));
        }
    }

    /// Whether it has ever been paused.
    #[inline]
    pub(crate) fn is_touched(&self) -> bool {
        // Ordering: Relaxed, see the module; it pairs with nothing.
        self.touched.load(Ordering::Relaxed)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_paused_clock_moves_only_when_told_and_never_back() {
        let clock = Clock::new(true);
        let start = clock.now();
        assert!(clock.is_paused());
        assert_eq!(clock.now(), start);
        assert_eq!(clock.advance(Duration::from_millis(5)), Some(start + Duration::from_millis(5)));
        clock.advance_to(start);
        assert_eq!(clock.now(), start + Duration::from_millis(5));
        clock.advance_to(start + Duration::from_secs(3600));
        assert_eq!(clock.now(), start + Duration::from_secs(3600));
        assert_eq!(clock.advance(Duration::MAX), None);
        assert_eq!(clock.now(), start + Duration::from_secs(3600));
    }

    #[test]
    fn a_deadline_is_taken_to_lie_ahead_of_an_old_look_but_not_for_ever() {
        let clock = Clock::new(false);
        let deadline = clock.now() + 3 * AHEAD;
        while Instant::now() < deadline {} // in one long poll
        let said_no = (0..2 * TRUST).take_while(|_| !clock.has_come(deadline)).count();
        assert_eq!(said_no, TRUST as usize);
        assert!(clock.has_come(deadline), "what was seen once stays so");
    }

    #[test]
    fn a_deadline_near_the_last_look_gets_an_exact_answer() {
        let clock = Clock::new(false);
        assert!(clock.has_come(clock.now()));
        let deadline = real_now() + AHEAD / 2;
        while Instant::now() < deadline {}
        assert!(clock.has_come(deadline));
        // And so does every one on a clock that was stopped.
        clock.pause();
        let deadline = clock.now() + 100 * AHEAD;
        assert!(!clock.has_come(deadline));
        clock.advance(100 * AHEAD);
        assert!(clock.has_come(deadline));
    }

    #[test]
    fn a_resumed_clock_runs_on_from_where_it_stood() {
        let clock = Clock::new(false);
        assert!(!clock.is_paused());
        assert_eq!(clock.advance(Duration::from_secs(1)), None);
        clock.pause();
        let hour = Duration::from_secs(3600);
        let later = clock.advance(hour).expect("the clock is paused");
        clock.resume();
        assert!(!clock.is_paused());
        let resumed = clock.now();
        assert!(resumed >= later && resumed < later + hour);
        clock.pause();
        assert!(clock.now() >= resumed);
    }
}

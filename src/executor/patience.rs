//! When to take tasks that wait in another worker's ring.
//!
//! A task that is taken brings its memory over from another core, perhaps again and again if it shares
//! some with others, and often it soon waits for one that stayed there and is woken back. That a thief
//! cannot know; so it learns from the last time, in two ways:
//!
//! * *Short polls* may be faster where they are: two workers on a flood of tasks of 50 ns, which count
//!   down one number, are slower than one. A theft pays if a poll takes the thief less than half as long
//!   again as it takes the victim alone, for then two do at least a third more than one; or if polls are
//!   [`LONG`] anyway. A thief that did not find it so, or does not know, *rests* before it steals again,
//!   twice as long each time, up to [`LONGEST_REST`]; after a rest it sees what its victim takes alone.
//! * *A lone task* is what its worker runs next, within a poll or two. Two tasks that pass messages
//!   through a pipe, on one worker's cache, would be torn apart whenever the one had spent its budget.
//!   So a theft of one that did not keep the thief busy for [`WORTH`] doubles the time before the next.
//!   A thief that was woken for work takes a lone task at once.
//!
//! A theft that paid ends both. What waits behind a worker that is stuck is freed: by the watch
//! (`sleep`), and by a thief that rested for the longest time and saw nobody move. So nothing depends
//! on this but who runs a task, and when, by a millisecond.

use std::cell::Cell;
use std::time::{Duration, Instant};

use super::idle::WATCH_PERIOD;

/// Polls that take so long are worth moving.
pub(super) const LONG: Duration = Duration::from_micros(2);
const SHORTEST_REST: Duration = Duration::from_micros(50);
pub(super) const LONGEST_REST: Duration = Duration::from_millis(1);
/// For how long a thief trusts what it saw of a victim after a rest.
const TRUST: Duration = Duration::from_millis(10);

/// What a lone task has to bring.
const WORTH: Duration = Duration::from_micros(50);
const SHORTEST: Duration = Duration::from_micros(100);
const LONGEST: Duration = WATCH_PERIOD;

/// One worker's patience.
#[derive(Debug)]
pub(super) struct Patience {
    /// No theft before its end.
    rest: Wait,
    /// No theft of a lone task before its end.
    lone: Wait,
    /// The last theft, if it is not yet clear whether it paid.
    theft: Cell<Option<Theft>>,
    /// It has rested since the last theft.
    rested: Cell<bool>,
    /// What a poll took the victim when the last rest ended, and when that was.
    alone: Cell<Option<(Duration, Instant)>>,
}

#[derive(Clone, Copy, Debug)]
struct Theft {
    at: Instant,
    /// The thief's turn.
    turn: u64,
    is_lone: bool,
}

impl Patience {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            rest: Wait::new(now),
            lone: Wait::new(now),
            theft: Cell::new(None),
            rested: Cell::new(false),
            alone: Cell::new(None),
        }
    }

    /// How long nothing may be taken.
    pub(super) fn rest(&self, now: impl FnOnce() -> Instant) -> Option<Duration> {
        self.rest.left(now)
    }

    /// It has not worked for a while.
    pub(super) fn rested(&self) {
        self.rested.set(true);
    }

    /// Whether a lone task may be taken.
    pub(super) fn is_over(&self, now: impl FnOnce() -> Instant) -> bool {
        self.lone.left(now).is_none()
    }

    /// Tasks were taken, in this turn of the thief's, from someone whom a poll takes so long.
    pub(super) fn took(&self, at: Instant, turn: u64, is_lone: bool, victims_poll: Duration) {
        if self.rested.take() {
            self.alone.set(Some((victims_poll, at)));
        }
        self.theft.set(Some(Theft { at, turn, is_lone }));
    }

    /// This worker has nothing to do, in this turn.
    pub(super) fn is_idle(&self, now: impl FnOnce() -> Instant, turn: u64) {
        let Some(theft) = self.theft.take() else { return };
        let now = now();
        let brought = now.saturating_duration_since(theft.at);
        let polls = u32::try_from(turn - theft.turn).unwrap_or(u32::MAX).max(1);
        let poll = brought / polls;
        let seen = self.alone.get().filter(|(_, at)| now.saturating_duration_since(*at) < TRUST);
        let paid = poll >= LONG || seen.is_some_and(|(alone, _)| 2 * poll < 3 * alone);
        self.rest.learn(paid, now, SHORTEST_REST, LONGEST_REST);
        if theft.is_lone {
            self.lone.learn(brought >= WORTH, now, SHORTEST, LONGEST);
        }
    }

    /// Someone is stuck: what it holds back may be taken.
    pub(super) fn end(&self) {
        self.rest.end();
        self.lone.end();
    }
}

/// A time that grows while what follows it does not pay.
#[derive(Debug)]
struct Wait {
    length: Cell<Duration>,
    until: Cell<Instant>,
}

impl Wait {
    fn new(now: Instant) -> Self {
        Self { length: Cell::new(Duration::ZERO), until: Cell::new(now) }
    }

    fn left(&self, now: impl FnOnce() -> Instant) -> Option<Duration> {
        if self.length.get().is_zero() {
            return None;
        }
        self.until.get().checked_duration_since(now()).filter(|left| !left.is_zero())
    }

    fn learn(&self, paid: bool, now: Instant, shortest: Duration, longest: Duration) {
        if paid {
            return self.end();
        }
        let length = (self.length.get() * 2).clamp(shortest, longest);
        self.length.set(length);
        self.until.set(now + length);
    }

    fn end(&self) {
        self.length.set(Duration::ZERO);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn thefts_that_do_not_pay_become_rare_and_one_that_does_ends_that() {
        let start = crate::driver::clock::real_now();
        let at = |micros| start + Duration::from_micros(micros);
        let patience = Patience::new(start);
        let mut now = 0;
        let mut waits = Vec::new();
        for _ in 0..9 {
            assert!(patience.is_over(|| at(now)));
            patience.took(at(now), 0, true, Duration::ZERO);
            now += 10;
            patience.is_idle(|| at(now), 1);
            let wait = (0..).find(|wait| patience.is_over(|| at(now + wait))).expect("it ends");
            waits.push(wait);
            now += wait;
        }
        assert_eq!(waits, [100, 200, 400, 800, 1600, 3200, 6400, 7000, 7000]);
        patience.took(at(now), 0, true, Duration::ZERO);
        patience.is_idle(|| at(now + 50), 1);
        assert!(patience.is_over(|| at(now + 50)));
        // Idle without a theft before says nothing.
        patience.is_idle(|| at(now + 60), 1);
        assert!(patience.is_over(|| at(now + 60)));
    }

    #[test]
    fn short_polls_are_left_where_they_are_unless_they_are_as_short_here() {
        let start = crate::driver::clock::real_now();
        let mut now = start;
        let patience = Patience::new(start);
        // A hundred polls, each of which takes the thief and the victim so long; how long it rests then.
        let mut steal = |here, there| {
            patience.took(now, 0, false, Duration::from_nanos(there));
            now += 100 * Duration::from_nanos(here);
            patience.is_idle(|| now, 100);
            let rest = patience.rest(|| now).unwrap_or_default();
            now += rest;
            assert!(patience.rest(|| now).is_none());
            patience.rested();
            rest.as_micros()
        };
        assert_eq!(steal(60, 50), 50, "nothing is known of the victim alone");
        assert_eq!(steal(60, 50), 0);
        assert_eq!(steal(100, 50), 50);
        let rests: Vec<_> = (0..6).map(|_| steal(100, 50)).collect();
        assert_eq!(rests, [100, 200, 400, 800, 1000, 1000]);
        assert_eq!(steal(2000, 50), 0, "these are long");
        assert_eq!(steal(60, 50), 0);
        now += TRUST;
        patience.rested.set(false);
        patience.took(now, 0, false, Duration::from_nanos(50));
        patience.is_idle(|| now + Duration::from_nanos(60), 1);
        assert!(patience.rest(|| now).is_some(), "what was seen is old");
        patience.end();
        assert!(patience.rest(|| now).is_none());
    }

    #[test]
    fn it_ends_when_someone_is_stuck() {
        let now = crate::driver::clock::real_now();
        let patience = Patience::new(now);
        patience.took(now, 0, true, Duration::ZERO);
        patience.is_idle(|| now, 1);
        assert!(!patience.is_over(|| now));
        patience.end();
        assert!(patience.is_over(|| now));
    }
}

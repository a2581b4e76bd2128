//! When to take the only task that waits in another worker's ring.
//!
//! That worker runs it next, within a poll or two, so taking it pays only if it then keeps this
//! worker busy for longer than the move costs: its memory comes over from another core, and often
//! the task soon waits for one that stayed there and is woken back. Two tasks that pass messages
//! through a pipe, on one worker's cache, would be torn apart whenever the one had spent its budget.
//!
//! So a worker learns: such a theft that did not keep it busy for [`WORTH`] doubles the time before
//! the next one, up to [`LONGEST`]; one that did ends the wait. More than one task in a ring, and
//! work that it was woken for, are taken at once; and what waits behind a worker that is stuck is
//! freed by the watch (`sleep`), so that nothing depends on this but who runs it.

use std::cell::Cell;
use std::time::{Duration, Instant};

use super::idle::WATCH_PERIOD;

/// What a lone task has to bring, in time until this worker is idle again.
const WORTH: Duration = Duration::from_micros(50);
const SHORTEST: Duration = Duration::from_micros(100);
const LONGEST: Duration = WATCH_PERIOD;

/// One worker's patience.
#[derive(Debug)]
pub(super) struct Patience {
    wait: Cell<Duration>,
    /// No theft of a lone task before this.
    until: Cell<Instant>,
    /// When the last one was, if it is not yet clear whether it paid.
    taken: Cell<Option<Instant>>,
}

impl Patience {
    pub(super) fn new(now: Instant) -> Self {
        Self { wait: Cell::new(Duration::ZERO), until: Cell::new(now), taken: Cell::new(None) }
    }

    /// Whether a lone task may be taken.
    pub(super) fn is_over(&self, now: impl FnOnce() -> Instant) -> bool {
        self.wait.get().is_zero() || now() >= self.until.get()
    }

    /// A lone task was taken.
    pub(super) fn took(&self, now: Instant) {
        self.taken.set(Some(now));
    }

    /// This worker has nothing to do.
    pub(super) fn is_idle(&self, now: impl FnOnce() -> Instant) {
        let Some(taken) = self.taken.take() else { return };
        let now = now();
        let wait = if now.saturating_duration_since(taken) < WORTH {
            (self.wait.get() * 2).clamp(SHORTEST, LONGEST)
        } else {
            Duration::ZERO
        };
        self.wait.set(wait);
        self.until.set(now + wait);
    }

    /// Someone is stuck: what it holds back may be taken.
    pub(super) fn end(&self) {
        self.wait.set(Duration::ZERO);
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
            patience.took(at(now));
            now += 10;
            patience.is_idle(|| at(now));
            let wait = (0..).find(|wait| patience.is_over(|| at(now + wait))).expect("it ends");
            waits.push(wait);
            now += wait;
        }
        assert_eq!(waits, [100, 200, 400, 800, 1600, 3200, 6400, 7000, 7000]);
        patience.took(at(now));
        patience.is_idle(|| at(now + 50));
        assert!(patience.is_over(|| at(now + 50)));
        // Idle without a theft before says nothing.
        patience.is_idle(|| at(now + 60));
        assert!(patience.is_over(|| at(now + 60)));
    }

    #[test]
    fn it_ends_when_someone_is_stuck() {
        let now = crate::driver::clock::real_now();
        let patience = Patience::new(now);
        patience.took(now);
        patience.is_idle(|| now);
        assert!(!patience.is_over(|| now));
        patience.end();
        assert!(patience.is_over(|| now));
    }
}

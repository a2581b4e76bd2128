//! Whether to spin before sleeping, and for how long.
//!
//! Blocking and being woken costs a thread tens of microseconds of latency and its waker several of
//! CPU time, so a short wait is better spent looking. How long is learned: a window that starts at
//! [`START`], doubles up to [`MAX`] while spinning finds something, halves while it does not, and
//! below [`MIN`] is given up but for a probe now and then. With [`MAX`] at about twice the price of
//! a sleep, spinning never costs more than a small multiple of what the best choice would have.
//!
//! It must not take time from a busy neighbour: the thread yields its core every [`YIELD`], and if a
//! round takes [`PREEMPTED`], the core is wanted by others and the window is closed.

use std::cell::Cell;
use std::time::{Duration, Instant};

const START: Duration = Duration::from_micros(20);
const MIN: Duration = Duration::from_micros(5);
const MAX: Duration = Duration::from_micros(50);
const YIELD: Duration = Duration::from_micros(5);
const PREEMPTED: Duration = Duration::from_micros(100);
/// Of so many sleeps without a window, one is spent on a look whether that has changed.
const PROBE: u32 = 64;

/// One worker's window.
#[derive(Debug)]
pub(super) struct Spin {
    window: Cell<Duration>,
    until_probe: Cell<u32>,
    allowed: bool,
}

impl Spin {
    /// `allowed`: there is a core on which others can work meanwhile.
    pub(super) fn new(allowed: bool) -> Self {
        Self { window: Cell::new(START), until_probe: Cell::new(PROBE), allowed }
    }

    /// Calls `look` until it finds something, for as long as the window and `at_most` allow.
    pub(super) fn until(
        &self,
        at_most: Option<Duration>,
        now: impl Fn() -> Instant,
        mut look: impl FnMut() -> bool,
    ) -> bool {
        let Some(window) = self.window() else { return false };
        let window = at_most.map_or(window, |at_most| at_most.min(window));
        let start = now();
        let (mut last, mut yielded) = (start, start);
        loop {
            if look() {
                self.window.set((self.window.get() * 2).clamp(MIN, MAX));
                return true;
            }
            std::hint::spin_loop();
            let at = now();
            if at - last >= PREEMPTED {
                self.window.set(Duration::ZERO);
                return false;
            }
            if at - start >= window {
                self.window.set(self.window.get() / 2);
                return false;
            }
            last = at;
            if at - yielded >= YIELD {
                yielded = at;
                std::thread::yield_now();
            }
        }
    }

    fn window(&self) -> Option<Duration> {
        if !self.allowed {
            return None;
        }
        let window = self.window.get();
        if window >= MIN {
            return Some(window);
        }
        let left = self.until_probe.get() - 1;
        self.until_probe.set(if left == 0 { PROBE } else { left });
        (left == 0).then_some(START)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    /// A clock that moves one microsecond a look.
    fn spin(spin: &Spin, found_at: Option<u32>) -> u32 {
        let origin = crate::driver::clock::real_now();
        let looks = Cell::new(0);
        spin.until(
            None,
            || origin + Duration::from_micros(looks.get().into()),
            || {
                looks.set(looks.get() + 1);
                Some(looks.get()) == found_at
            },
        );
        looks.get()
    }

    #[test]
    fn the_window_grows_with_success_up_to_the_limit() {
        let window = Spin::new(true);
        for _ in 0..10 {
            spin(&window, Some(3));
        }
        assert_eq!(spin(&window, None), 50);
    }

    #[test]
    fn failure_closes_the_window_but_for_a_probe() {
        let window = Spin::new(true);
        let looks: Vec<_> = (0..3).map(|_| spin(&window, None)).collect();
        assert_eq!(looks, [20, 10, 5]);
        let probes = (0..2 * PROBE).filter(|_| spin(&window, None) > 0).count();
        assert_eq!(probes, 2);
    }

    #[test]
    fn a_probe_that_succeeds_opens_it_again() {
        let window = Spin::new(true);
        while spin(&window, None) > 0 {}
        while spin(&window, Some(2)) == 0 {}
        assert!(spin(&window, None) > 0);
    }

    #[test]
    fn on_a_lone_core_nobody_spins() {
        assert_eq!(spin(&Spin::new(false), Some(1)), 0);
    }
}

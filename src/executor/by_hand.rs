//! Driving a current-thread runtime by hand, from somebody else's loop.
//!
//! A turn takes the guest's seat, polls the driver, runs what is ready, and leaves the seat. Between
//! two turns the foreign loop waits for the driver's descriptor, and the parker of the hand says what
//! is true: that whoever it stands for sleeps in the driver. So a task that is injected, a shutdown
//! and a timer of another thread write to the driver's waker, as they would for a thread of ours, and
//! the descriptor becomes readable.
//!
//! No wake-up is lost when a turn ends: the parker is lent to the driver before the seat is left, and
//! the injector is looked at after that. Who injects in between finds the parker; who injected before
//! is seen. All that says that the hand waits is set before the seat is free, for from then on it is
//! the next one's to change.

use std::io;
use std::time::{Duration, Instant};

use super::guest::enter_async;
use super::scheduler::Scheduler;
use super::seat::{BATCH, Seat};
use super::worker::CROWD;
use crate::sync::Arc;

impl Scheduler {
    /// Runs what is ready, after a wait of at most `timeout` (`None`: as long as it takes) if nothing
    /// is. `true`: more is ready already.
    ///
    /// # Errors
    ///
    /// If another thread drives the runtime.
    #[track_caller]
    #[inline]
    pub(crate) fn turn(self: &Arc<Self>, timeout: Option<Duration>) -> io::Result<bool> {
        assert!(
            self.is_current_thread(),
            "`turn` was called on a multi-thread runtime, whose workers drive it themselves: build \
             one with `Builder::new_current_thread`"
        );
        let _inside = enter_async("turn");
        let hand = self.guest.hand();
        let mut seat = Seat::take(self, hand).ok_or_else(|| {
            io::Error::new(io::ErrorKind::ResourceBusy, "another thread drives this runtime")
        })?;
        hand.leave();
        hand.adopt_thread();
        self.driver_handle.timers.end_wait();

        let worker = seat.worker();
        worker.turn(self.driver_handle.clock.now(), CROWD);
        if self.run_ready(&seat) == 0 && timeout != Some(Duration::ZERO) {
            seat.sleep(timeout, || false);
            self.run_ready(&seat);
        }

        let lent = hand.lend_driver();
        self.driver_handle.timers.begin_wait(|_| true);
        seat.leave_to(hand);
        drop(seat); // which puts what is ready into the injector
        let more = !lent || !self.injector.is_empty();
        if more {
            // For loops that look at the descriptor only.
            self.driver_handle.unpark();
        }
        self.call_bystander();
        self.assert_no_panic();
        Ok(more)
    }

    /// When the next timer is due.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.driver_handle.timers.next_deadline_any()
    }

    /// Polls of ready tasks, as many as a worker makes between two turns of the driver at most.
    fn run_ready(&self, seat: &Seat) -> u32 {
        let mut polls = 0;
        while polls < self.config.event_interval {
            let batch = seat.run_tasks();
            polls += batch;
            if batch < BATCH {
                break;
            }
        }
        polls
    }
}

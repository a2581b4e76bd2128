//! A clock that stands still, for tests that should neither wait nor depend on how fast they run.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use super::sleep;
use crate::contain;
use crate::driver::HandleRef;

/// Stops the clock of the current runtime, which must be a current-thread one.
///
/// [`Instant::now`](super::Instant::now) then stands still, and with it all timers, until
/// [`advance`] or [`resume`]. When every task of the runtime waits, the clock jumps to the next
/// deadline by itself, so a test that sleeps for an hour is over at once. A clock that stands
/// still already is left as it is. `#[runtime::test(start_paused = true)]` starts with it stopped.
///
/// # Panics
///
/// Outside a runtime, and in a multi-thread runtime, where no moment exists in which every task
/// waits.
///
/// ```
/// use runtime::time::{self, Duration, Instant};
///
/// # runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// time::pause();
/// let start = Instant::now();
/// time::sleep(Duration::from_secs(3600)).await; // at once
/// assert_eq!(start.elapsed(), Duration::from_secs(3600));
/// # });
/// ```
#[track_caller]
#[inline]
pub fn pause() {
    pausable("pause").clock.pause();
}

/// Lets the clock of the current runtime run on, from the time that it shows.
///
/// Does nothing if it runs already.
///
/// # Panics
///
/// Outside a runtime and in a multi-thread runtime.
///
/// ```
/// use runtime::time;
///
/// # runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// time::pause();
/// time::resume();
/// # });
/// ```
#[track_caller]
#[inline]
pub fn resume() {
    let handle = pausable("resume");
    handle.clock.resume();
    // Whoever sleeps in the driver sleeps without a deadline, as none came nearer by waiting.
    handle.unpark();
}

/// Moves the stopped clock of the current runtime by `duration`, in one step.
///
/// Awaiting it fires every timer that has become due and lets other tasks run before it goes on,
/// but does not wait until they have nothing left to do: a task that sleeps several times in a row
/// needs several steps, or simply a [`sleep`](super::sleep), during which the clock stops at every
/// deadline.
///
/// # Panics
///
/// Outside a runtime, in a multi-thread runtime, if the clock is not [paused](pause), and if no
/// `Instant` is as late as the result.
///
/// # Cancel safety
///
/// The clock moves at the first poll.
///
/// ```
/// use runtime::time::{self, Duration, Instant};
///
/// # runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// time::pause();
/// let start = Instant::now();
/// time::advance(Duration::from_millis(250)).await;
/// assert_eq!(start.elapsed(), Duration::from_millis(250));
/// # });
/// ```
#[track_caller]
#[inline]
pub fn advance(duration: Duration) -> Advance {
    let handle = pausable("advance");
    assert!(handle.clock.is_paused(), "`time::advance` needs a clock that `time::pause` stopped");
    Advance { handle, duration: Some(duration) }
}

#[track_caller]
#[inline]
fn pausable(caller: &str) -> HandleRef {
    let handle = sleep::current(caller);
    assert!(
        handle.clock.can_pause(),
        "`time::{caller}` works in a current-thread runtime only: build one with \
         `Builder::new_current_thread`"
    );
    handle
}

/// The future of [`advance`].
#[must_use = "the clock does not move unless this is awaited"]
#[derive(Debug)]
pub struct Advance {
    handle: HandleRef,
    /// `None`: the clock has moved.
    duration: Option<Duration>,
}

impl Future for Advance {
    type Output = ();

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(duration) = self.duration.take() else { return Poll::Ready(()) };
        let Some(now) = self.handle.clock.advance(duration) else {
            panic!("the clock was resumed, or `time::advance` went past the last `Instant`");
        };
        let mut woken = Vec::new();
        loop {
            let more = self.handle.timers.fire(now, &mut woken);
            // The task that was woken last runs next, before those that were woken earlier, so
            // the first one goes last.
            let first = woken.len().min(1);
            woken.rotate_left(first);
            for waker in woken.drain(..) {
                // One waker that panics does not keep the others from being woken.
                contain::wake(waker);
            }
            if !more {
                break;
            }
        }
        // Behind those that were woken.
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

//! The future that every other one of this module is built on.
//!
//! A [`Sleep`] is in one of three states. `Idle`: nobody knows of it but its owner; resetting and
//! dropping it takes no lock. `Registered`: a poll had to wait, so a shard of its
//! runtime's timers holds its deadline and a waker. The timer may have fired meanwhile; then the
//! key names nothing any more and its task has been woken. `Elapsed`: a poll has said so.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use super::Instant;
use crate::coop;
use crate::driver::timers::{Key, Registered, Watch};
use crate::driver::{Handle, HandleRef};

/// Waits until `duration` has passed.
///
/// A duration that is too long for an [`Instant`] never passes.
///
/// # Panics
///
/// When called outside a runtime (see [`sleep_in`](crate::time::sleep_in)), and when polled after its
/// runtime is gone.
///
/// # Cancel safety
///
/// Dropping it cancels it and has no other effect.
///
/// ```
/// # runtime::Runtime::new().unwrap().block_on(async {
/// runtime::time::sleep(std::time::Duration::from_millis(10)).await;
/// # });
/// ```
#[track_caller]
pub fn sleep(duration: Duration) -> Sleep {
    Sleep::after(duration, current("sleep"))
}

/// Waits until `deadline` has come, which it may have already (see [accuracy](crate::time#accuracy)).
///
/// # Panics
///
/// When called outside a runtime (see [`sleep_in`](crate::time::sleep_in)), and when polled after its
/// runtime is gone.
///
/// # Cancel safety
///
/// Dropping it cancels it and has no other effect.
///
/// ```
/// use runtime::time::{Duration, Instant, sleep_until};
///
/// # runtime::Runtime::new().unwrap().block_on(async {
/// sleep_until(Instant::now() + Duration::from_millis(10)).await;
/// # });
/// ```
#[track_caller]
pub fn sleep_until(deadline: Instant) -> Sleep {
    Sleep::at(deadline, current("sleep_until"))
}

/// The driver of this thread, for the public function `caller`.
#[track_caller]
pub(super) fn current(caller: &str) -> HandleRef {
    let Some(handle) = Handle::current() else {
        panic!(
            "`time::{caller}` was called outside a runtime: call it inside `block_on` or a spawned \
             task, or after `Handle::enter`"
        );
    };
    handle
}

/// A future that is ready once its deadline has come; made by [`sleep`] and [`sleep_until`].
///
/// It is `Unpin` and 40 bytes, so it can be a field of other futures and be polled by hand. Only
/// the task that polled it last is woken. A `Sleep` that was ready once stays so until it is
/// [reset](Self::reset).
///
/// ```
/// use runtime::time::{Duration, Instant, sleep};
///
/// # runtime::Runtime::new().unwrap().block_on(async {
/// let mut idle = sleep(Duration::from_secs(30));
/// // Something happened:
/// idle.reset(Instant::now() + Duration::from_secs(30));
/// # });
/// ```
#[must_use = "a `Sleep` does nothing unless it is awaited"]
pub struct Sleep {
    handle: HandleRef,
    deadline: Instant,
    state: State,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Idle,
    /// A [`Key`] in parts.
    Registered(u64, u32),
    Elapsed,
}

impl Sleep {
    /// Waits by the timers of `handle`.
    pub(crate) fn after(duration: Duration, handle: HandleRef) -> Self {
        let deadline = Instant::from(handle.clock.now()).saturating_add(duration);
        Self::at(deadline, handle)
    }

    /// Waits by the timers of `handle`.
    pub(crate) fn at(deadline: Instant, handle: HandleRef) -> Self {
        Self { handle, deadline, state: State::Idle }
    }

    /// The point in time that this waits for.
    ///
    /// ```
    /// # runtime::Runtime::new().unwrap().block_on(async {
    /// let deadline = runtime::time::Instant::now();
    /// assert_eq!(runtime::time::sleep_until(deadline).deadline(), deadline);
    /// # });
    /// ```
    #[must_use]
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Whether the deadline has come.
    ///
    /// ```
    /// # runtime::Runtime::new().unwrap().block_on(async {
    /// let sleep = runtime::time::sleep(std::time::Duration::from_secs(1));
    /// assert!(!sleep.is_elapsed());
    /// # });
    /// ```
    #[must_use]
    pub fn is_elapsed(&self) -> bool {
        matches!(self.state, State::Elapsed) || self.now() >= self.deadline
    }

    /// Gives this another deadline, whether it has elapsed or not.
    ///
    /// A task that waits for it keeps waiting and is woken when the new deadline has come, at once
    /// if that lies in the past. If this has been ready, it has to be polled again. The cheapest
    /// reset is one to a later deadline.
    ///
    /// ```
    /// use runtime::time::{Duration, Instant, sleep};
    ///
    /// # runtime::Runtime::new().unwrap().block_on(async {
    /// let mut sleep = sleep(Duration::from_secs(3600));
    /// sleep.reset(Instant::now());
    /// sleep.await;
    /// # });
    /// ```
    pub fn reset(&mut self, deadline: Instant) {
        self.deadline = deadline;
        let State::Registered(low, high) = self.state else {
            self.state = State::Idle;
            return;
        };
        let key = Key::from_parts((low, high));
        let shard = self.handle.shard();
        match self.handle.timers.reset(key, deadline.into_std(), shard) {
            Some(registered) => self.registered(registered),
            // It has fired, so its task will poll it.
            None => self.state = State::Idle,
        }
    }

    /// [`Future::poll`] without the budget.
    pub(super) fn poll_elapsed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.handle.timers.is_closed() {
            self.runtime_gone();
        }
        match self.state {
            State::Elapsed => Poll::Ready(()),
            State::Idle if self.has_come() => self.elapsed(),
            State::Idle => {
                let waker = cx.waker().clone();
                let deadline = self.deadline.into_std();
                match self.handle.timers.insert(self.handle.shard(), deadline, waker) {
                    Ok(registered) => self.registered(registered),
                    Err(_waker) => self.runtime_gone(),
                }
                Poll::Pending
            }
            State::Registered(low, high) => {
                self.poll_registered(Key::from_parts((low, high)), cx.waker())
            }
        }
    }

    fn poll_registered(&mut self, key: Key, waker: &Waker) -> Poll<()> {
        match self.handle.timers.watch(key, waker) {
            // Only the passing of the deadline or the end of the runtime takes a timer out.
            Watch::Gone if self.handle.timers.is_closed() => self.runtime_gone(),
            Watch::Gone => self.elapsed(),
            // It may be overdue because nobody has had time to fire it.
            Watch::Same | Watch::Other if self.now() >= self.deadline => {
                drop(self.handle.timers.remove(key));
                self.elapsed()
            }
            Watch::Same => Poll::Pending,
            Watch::Other => match self.handle.timers.replace_waker(key, waker.clone()) {
                Ok(_replaced) => Poll::Pending,
                Err(_waker) if self.handle.timers.is_closed() => self.runtime_gone(),
                Err(_waker) => self.elapsed(),
            },
        }
    }

    fn elapsed(&mut self) -> Poll<()> {
        self.state = State::Elapsed;
        Poll::Ready(())
    }

    fn registered(&mut self, registered: Registered) {
        let (low, high) = registered.key.into_parts();
        self.state = State::Registered(low, high);
        if registered.unpark {
            self.handle.unpark();
        }
    }

    /// Whether the deadline has come, or nearly: see [`Clock::has_come`](crate::driver::clock::Clock).
    fn has_come(&self) -> bool {
        self.handle.clock.has_come(self.deadline.into_std())
    }

    /// The time on the clock of its runtime.
    pub(super) fn now(&self) -> Instant {
        self.handle.clock.now().into()
    }

    #[cold]
    fn runtime_gone(&mut self) -> ! {
        self.state = State::Idle;
        panic!("a timer was polled after its runtime had been shut down");
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        ready!(coop::gate(cx));
        let polled = self.poll_elapsed(cx);
        if polled.is_ready() {
            coop::charge(0);
        }
        polled
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let State::Registered(low, high) = self.state {
            let key = Key::from_parts((low, high));
            drop(self.handle.timers.remove(key));
        }
    }
}

impl fmt::Debug for Sleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sleep").field("deadline", &self.deadline).finish_non_exhaustive()
    }
}

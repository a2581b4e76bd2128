//! Timers of a runtime that need not be entered.

use std::time::Duration;

use crate::runtime::Handle;
use crate::time_core::{Instant, Interval, Sleep, Timeout};

/// [`sleep`](crate::time::sleep) by the timers of `handle`'s runtime, on any thread.
///
/// # Panics
///
/// When polled after the runtime is gone.
///
/// # Cancel safety
///
/// Dropping it cancels it and has no other effect.
///
/// ```
/// use runtime::time::{Duration, sleep_in};
///
/// let runtime = runtime::Runtime::new().unwrap();
/// futures::executor::block_on(sleep_in(Duration::from_millis(10), runtime.handle()));
/// ```
pub fn sleep_in(duration: Duration, handle: &Handle) -> Sleep {
    Sleep::after(duration, handle.inner.driver.reference())
}

/// [`sleep_until`](crate::time::sleep_until) by the timers of `handle`'s runtime, on any thread.
///
/// # Panics
///
/// When polled after the runtime is gone.
///
/// # Cancel safety
///
/// Dropping it cancels it and has no other effect.
///
/// ```
/// use runtime::time::{Duration, Instant, sleep_until_in};
///
/// let runtime = runtime::Runtime::new().unwrap();
/// let deadline = Instant::now_in(runtime.handle()) + Duration::from_millis(10);
/// futures::executor::block_on(sleep_until_in(deadline, runtime.handle()));
/// ```
pub fn sleep_until_in(deadline: Instant, handle: &Handle) -> Sleep {
    Sleep::at(deadline, handle.inner.driver.reference())
}

/// [`timeout`](crate::time::timeout) by the timers of `handle`'s runtime, on any thread. The future is
/// polled as it would be without; it may belong to another runtime.
///
/// # Errors
///
/// [`Elapsed`](crate::time::Elapsed) if the time is over first.
///
/// # Panics
///
/// When polled after the runtime is gone.
///
/// # Cancel safety
///
/// As cancel safe as the future.
///
/// ```
/// use runtime::time::{Duration, timeout_in};
///
/// let runtime = runtime::Runtime::new().unwrap();
/// let never = std::future::pending::<()>();
/// let limited = timeout_in(Duration::from_millis(10), never, runtime.handle());
/// assert!(futures::executor::block_on(limited).is_err());
/// ```
pub fn timeout_in<F: IntoFuture>(
    duration: Duration,
    future: F,
    handle: &Handle,
) -> Timeout<F::IntoFuture> {
    Timeout::new(sleep_in(duration, handle), future)
}

/// [`timeout_at`](crate::time::timeout_at) by the timers of `handle`'s runtime, on any thread.
///
/// # Errors
///
/// [`Elapsed`](crate::time::Elapsed) if the deadline comes first.
///
/// # Panics
///
/// When polled after the runtime is gone.
///
/// # Cancel safety
///
/// As cancel safe as the future.
///
/// ```
/// use runtime::time::{Instant, timeout_at_in};
///
/// let runtime = runtime::Runtime::new().unwrap();
/// let deadline = Instant::now_in(runtime.handle());
/// let limited = timeout_at_in(deadline, std::future::pending::<()>(), runtime.handle());
/// assert!(futures::executor::block_on(limited).is_err());
/// ```
pub fn timeout_at_in<F: IntoFuture>(
    deadline: Instant,
    future: F,
    handle: &Handle,
) -> Timeout<F::IntoFuture> {
    Timeout::new(sleep_until_in(deadline, handle), future)
}

/// [`interval`](crate::time::interval) by the timers of `handle`'s runtime, on any thread.
///
/// # Panics
///
/// If `period` is zero, and when polled after the runtime is gone.
///
/// ```
/// use runtime::time::{Duration, interval_in};
///
/// let runtime = runtime::Runtime::new().unwrap();
/// let mut interval = interval_in(Duration::from_millis(10), runtime.handle());
/// futures::executor::block_on(async {
///     interval.tick().await; // at once
///     interval.tick().await; // 10 ms later
/// });
/// ```
#[track_caller]
pub fn interval_in(period: Duration, handle: &Handle) -> Interval {
    Interval::new(sleep_in(Duration::ZERO, handle), period)
}

/// [`interval_at`](crate::time::interval_at) by the timers of `handle`'s runtime, on any thread.
///
/// # Panics
///
/// If `period` is zero, and when polled after the runtime is gone.
///
/// ```
/// use runtime::time::{Duration, Instant, interval_at_in};
///
/// let runtime = runtime::Runtime::new().unwrap();
/// let (handle, period) = (runtime.handle(), Duration::from_millis(10));
/// let mut interval = interval_at_in(Instant::now_in(handle) + period, period, handle);
/// futures::executor::block_on(interval.tick()); // 10 ms later
/// ```
#[track_caller]
pub fn interval_at_in(start: Instant, period: Duration, handle: &Handle) -> Interval {
    Interval::new(sleep_until_in(start, handle), period)
}

impl Instant {
    /// The time of the clock of `handle`'s runtime, which may be [paused](crate::time::pause).
    ///
    /// ```
    /// use runtime::time::Instant;
    ///
    /// let runtime = runtime::Runtime::new().unwrap();
    /// let before = Instant::now_in(runtime.handle());
    /// assert!(before <= Instant::now_in(runtime.handle()));
    /// ```
    #[must_use]
    pub fn now_in(handle: &Handle) -> Self {
        handle.inner.driver.clock.now().into()
    }
}

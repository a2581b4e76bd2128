//! A limit on how long a future may take.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use super::Instant;
use super::sleep::{Sleep, current};
use crate::coop;

/// Awaits `future`, but for no longer than `duration`.
///
/// The future is polled before the clock is looked at: one that is ready at once is never timed
/// out, not even by a duration of zero. The clock is looked at whenever the future has to wait,
/// even if it has spent the whole [budget](crate::task::coop) of its task. A duration that is too
/// long for an [`Instant`] never passes.
///
/// # Errors
///
/// [`Elapsed`] if the time is over first; the future is dropped with the [`Timeout`].
///
/// # Panics
///
/// When called outside a runtime, and when polled after its runtime is gone.
///
/// # Cancel safety
///
/// As cancel safe as the future. Pass `&mut future` to go on with it after a timeout.
///
/// ```
/// use runtime::time::{Duration, timeout};
///
/// # runtime::Runtime::new().unwrap().block_on(async {
/// assert_eq!(timeout(Duration::ZERO, async { 1 }).await, Ok(1));
///
/// let never = std::future::pending::<()>();
/// assert!(timeout(Duration::from_millis(10), never).await.is_err());
/// # });
/// ```
#[track_caller]
pub fn timeout<F: IntoFuture>(duration: Duration, future: F) -> Timeout<F::IntoFuture> {
    Timeout::new(Sleep::after(duration, current("timeout")), future)
}

/// Awaits `future`, but for no longer than until `deadline`; see [`timeout`].
///
/// # Errors
///
/// [`Elapsed`] if the deadline comes first; the future is dropped with the [`Timeout`].
///
/// # Panics
///
/// When called outside a runtime, and when polled after its runtime is gone.
///
/// # Cancel safety
///
/// As cancel safe as the future.
///
/// ```
/// use runtime::time::{Duration, Instant, timeout_at};
///
/// # async fn read() {}
/// # runtime::Runtime::new().unwrap().block_on(async {
/// let deadline = Instant::now() + Duration::from_secs(10);
/// // Both together within ten seconds:
/// timeout_at(deadline, read()).await?;
/// timeout_at(deadline, read()).await?;
/// # Ok::<(), std::io::Error>(())
/// # }).unwrap();
/// ```
#[track_caller]
pub fn timeout_at<F: IntoFuture>(deadline: Instant, future: F) -> Timeout<F::IntoFuture> {
    Timeout::new(Sleep::at(deadline, current("timeout_at")), future)
}

/// The future of [`timeout`] and [`timeout_at`].
///
/// ```
/// use runtime::time::{Duration, timeout};
///
/// # runtime::Runtime::new().unwrap().block_on(async {
/// let timeout = timeout(Duration::from_secs(1), async { "unused" });
/// assert_eq!(timeout.into_inner().await, "unused");
/// # });
/// ```
#[must_use = "a `Timeout` does nothing unless it is awaited"]
#[derive(Debug)]
pub struct Timeout<F> {
    sleep: Sleep,
    /// Structurally pinned.
    future: F,
}

impl<F> Timeout<F> {
    /// Limits `future` to the time until `sleep` has elapsed.
    pub(crate) fn new(sleep: Sleep, future: impl IntoFuture<IntoFuture = F>) -> Self {
        Self { sleep, future: future.into_future() }
    }

    /// The future that is limited.
    ///
    /// ```
    /// use runtime::time::{Duration, timeout};
    ///
    /// # runtime::Runtime::new().unwrap().block_on(async {
    /// let timeout = timeout(Duration::from_secs(1), std::future::ready(1));
    /// println!("{:?} in time?", timeout.get_ref());
    /// # });
    /// ```
    pub fn get_ref(&self) -> &F {
        &self.future
    }

    /// The future that is limited.
    ///
    /// ```
    /// use runtime::time::{Duration, timeout};
    ///
    /// # runtime::Runtime::new().unwrap().block_on(async {
    /// let mut timeout = timeout(Duration::from_secs(1), std::future::ready(1));
    /// *timeout.get_mut() = std::future::ready(2);
    /// assert_eq!(timeout.await, Ok(2));
    /// # });
    /// ```
    pub fn get_mut(&mut self) -> &mut F {
        &mut self.future
    }

    /// The future, without its limit.
    ///
    /// ```
    /// use runtime::time::{Duration, timeout};
    ///
    /// # runtime::Runtime::new().unwrap().block_on(async {
    /// let timeout = timeout(Duration::from_secs(1), std::future::ready(1));
    /// assert_eq!(timeout.into_inner().await, 1);
    /// # });
    /// ```
    pub fn into_inner(self) -> F {
        self.future
    }
}

impl<F: Future> Future for Timeout<F> {
    type Output = Result<F::Output, Elapsed>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // SAFETY: `future` is structurally pinned: this type has no `Drop`, is `Unpin` only if `F`
        // is, hands out `&mut F` only where it is not pinned itself, and nothing moves `future`
        // out of the reference below.
        let (future, sleep) = unsafe {
            let this = self.get_unchecked_mut();
            (Pin::new_unchecked(&mut this.future), &mut this.sleep)
        };
        let had_budget = coop::has_budget_remaining();
        if let Poll::Ready(output) = future.poll(cx) {
            return Poll::Ready(Ok(output));
        }
        // What the future has spent does not keep the deadline from being seen, or a future that
        // always spends everything would never be timed out. A budget that was empty before does:
        // otherwise a loop of timeouts that have elapsed would never give way.
        if !had_budget {
            ready!(coop::gate(cx));
        }
        ready!(sleep.poll_elapsed(cx));
        coop::charge(0);
        Poll::Ready(Err(Elapsed(())))
    }
}

/// The error of [`timeout`]: the time is over.
///
/// As an [`io::Error`] it is of the kind [`TimedOut`](io::ErrorKind::TimedOut).
///
/// ```
/// use std::io;
/// use runtime::time::{Duration, timeout};
///
/// # runtime::Runtime::new().unwrap().block_on(async {
/// let never = std::future::pending::<()>();
/// let elapsed = timeout(Duration::ZERO, never).await.unwrap_err();
/// assert_eq!(io::Error::from(elapsed).kind(), io::ErrorKind::TimedOut);
/// # });
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Elapsed(());

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("deadline has elapsed")
    }
}

impl std::error::Error for Elapsed {}

impl From<Elapsed> for io::Error {
    fn from(elapsed: Elapsed) -> Self {
        io::Error::new(io::ErrorKind::TimedOut, elapsed)
    }
}

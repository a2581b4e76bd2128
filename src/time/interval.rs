//! Ticks at a fixed period.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use super::Instant;
use super::sleep::{Sleep, current};

/// A tick that is later than this was missed.
const TOLERANCE: Duration = Duration::from_millis(5);

/// Ticks every `period`, for the first time at once.
///
/// # Panics
///
/// If `period` is zero, when called outside a runtime, and when polled after its runtime is gone.
///
/// ```
/// use runtime::time::{Duration, interval};
///
/// # runtime::Runtime::new().unwrap().block_on(async {
/// let mut interval = interval(Duration::from_millis(10));
/// interval.tick().await; // at once
/// interval.tick().await; // 10 ms later
/// # });
/// ```
#[track_caller]
pub fn interval(period: Duration) -> Interval {
    Interval::new(Sleep::after(Duration::ZERO, current("interval")), period)
}

/// Ticks every `period`, for the first time at `start`.
///
/// # Panics
///
/// If `period` is zero, when called outside a runtime, and when polled after its runtime is gone.
///
/// ```
/// use runtime::time::{Duration, Instant, interval_at};
///
/// # runtime::Runtime::new().unwrap().block_on(async {
/// let period = Duration::from_millis(10);
/// let mut interval = interval_at(Instant::now() + period, period);
/// interval.tick().await; // 10 ms later
/// # });
/// ```
#[track_caller]
pub fn interval_at(start: Instant, period: Duration) -> Interval {
    Interval::new(Sleep::at(start, current("interval_at")), period)
}

/// What an [`Interval`] does after a tick that came more than 5 ms late, because the task was busy
/// with other things.
///
/// With a period of 50 ms, and a task that is busy from 110 ms to 220 ms:
///
/// ```text
/// planned    0   50   100   150   200   250   300   350
/// Burst      0   50   100   220 220     250   300   350
/// Delay      0   50   100   220             270       320
/// Skip       0   50   100   220         250   300   350
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MissedTickBehavior {
    /// Makes up for every missed tick at once, then goes on as planned.
    Burst,
    /// Plans anew: the next tick is a full period after the late one. The default, because work
    /// that could not keep up seldom wants to be done several times at once. (tokio's is `Burst`.)
    #[default]
    Delay,
    /// Leaves missed ticks out and goes on as planned.
    Skip,
}

/// Ticks at a fixed period; made by [`interval`] and [`interval_at`].
///
/// ```
/// use runtime::time::{Duration, MissedTickBehavior, interval};
///
/// # runtime::Runtime::new().unwrap().block_on(async {
/// let mut interval = interval(Duration::from_millis(10));
/// interval.set_missed_tick_behavior(MissedTickBehavior::Skip);
/// for _ in 0..3 {
///     let planned = interval.tick().await;
///     println!("planned for {planned:?}");
/// }
/// # });
/// ```
#[derive(Debug)]
pub struct Interval {
    sleep: Sleep,
    period: Duration,
    behavior: MissedTickBehavior,
}

impl Interval {
    /// Ticks when `sleep` has elapsed, and every `period` from then on.
    #[track_caller]
    pub(crate) fn new(sleep: Sleep, period: Duration) -> Self {
        assert!(!period.is_zero(), "the `period` of an interval must not be zero");
        Self { sleep, period, behavior: MissedTickBehavior::default() }
    }

    /// Waits for the next tick and returns the time that it was planned for.
    ///
    /// # Panics
    ///
    /// When polled after its runtime is gone.
    ///
    /// # Cancel safety
    ///
    /// No tick is lost if the future is dropped before it is ready.
    ///
    /// ```
    /// use runtime::time::{Duration, interval};
    ///
    /// # runtime::Runtime::new().unwrap().block_on(async {
    /// let mut interval = interval(Duration::from_millis(5));
    /// let first = interval.tick().await;
    /// assert_eq!(interval.tick().await, first + Duration::from_millis(5));
    /// # });
    /// ```
    pub fn tick(&mut self) -> impl Future<Output = Instant> + Send + Sync + '_ {
        poll_fn(|cx| self.poll_tick(cx))
    }

    /// Polls for the next tick and the time that it was planned for; see [`tick`](Self::tick).
    ///
    /// # Panics
    ///
    /// When polled after its runtime is gone.
    ///
    /// ```
    /// use runtime::time::{Duration, interval};
    ///
    /// # runtime::Runtime::new().unwrap().block_on(async {
    /// let mut interval = interval(Duration::from_millis(5));
    /// std::future::poll_fn(|cx| interval.poll_tick(cx)).await;
    /// # });
    /// ```
    pub fn poll_tick(&mut self, cx: &mut Context<'_>) -> Poll<Instant> {
        ready!(Pin::new(&mut self.sleep).poll(cx));
        let planned = self.sleep.deadline();
        self.sleep.reset(self.after(planned, self.sleep.now()));
        Poll::Ready(planned)
    }

    /// When the tick after the one `planned`, which comes `now`, is due.
    fn after(&self, planned: Instant, now: Instant) -> Instant {
        let late = now - planned;
        if late <= TOLERANCE {
            return planned.saturating_add(self.period);
        }
        match self.behavior {
            MissedTickBehavior::Burst => planned.saturating_add(self.period),
            MissedTickBehavior::Delay => now.saturating_add(self.period),
            MissedTickBehavior::Skip => {
                let since_last = late.as_nanos() % self.period.as_nanos();
                let since_last = Duration::from_nanos_u128(since_last);
                now.saturating_add(self.period - since_last)
            }
        }
    }

    /// Plans anew: the next tick is one period from now.
    ///
    /// ```
    /// use runtime::time::{Duration, Instant, interval};
    ///
    /// # runtime::Runtime::new().unwrap().block_on(async {
    /// let mut interval = interval(Duration::from_millis(5));
    /// interval.tick().await;
    /// let now = Instant::now();
    /// interval.reset();
    /// assert!(interval.tick().await >= now + Duration::from_millis(5));
    /// # });
    /// ```
    pub fn reset(&mut self) {
        self.reset_after(self.period);
    }

    /// Plans anew: the next tick is now, the one after it a period later.
    ///
    /// ```
    /// use runtime::time::{Duration, interval};
    ///
    /// # runtime::Runtime::new().unwrap().block_on(async {
    /// let mut interval = interval(Duration::from_secs(3600));
    /// interval.tick().await;
    /// interval.reset_immediately();
    /// interval.tick().await; // at once
    /// # });
    /// ```
    pub fn reset_immediately(&mut self) {
        self.reset_after(Duration::ZERO);
    }

    /// Plans anew: the next tick is in `after`, the one after it a period later.
    ///
    /// ```
    /// use runtime::time::{Duration, interval};
    ///
    /// # runtime::Runtime::new().unwrap().block_on(async {
    /// let mut interval = interval(Duration::from_secs(3600));
    /// interval.tick().await;
    /// interval.reset_after(Duration::from_millis(5));
    /// interval.tick().await; // 5 ms later
    /// # });
    /// ```
    pub fn reset_after(&mut self, after: Duration) {
        self.reset_at(self.sleep.now().saturating_add(after));
    }

    /// Plans anew: the next tick is at `deadline`, the one after it a period later.
    ///
    /// ```
    /// use runtime::time::{Duration, Instant, interval};
    ///
    /// # runtime::Runtime::new().unwrap().block_on(async {
    /// let mut interval = interval(Duration::from_secs(3600));
    /// let at = Instant::now();
    /// interval.reset_at(at);
    /// assert_eq!(interval.tick().await, at);
    /// # });
    /// ```
    pub fn reset_at(&mut self, deadline: Instant) {
        self.sleep.reset(deadline);
    }

    /// The time between two ticks.
    ///
    /// ```
    /// use runtime::time::{Duration, interval};
    ///
    /// # runtime::Runtime::new().unwrap().block_on(async {
    /// assert_eq!(interval(Duration::from_secs(1)).period(), Duration::from_secs(1));
    /// # });
    /// ```
    #[must_use]
    pub fn period(&self) -> Duration {
        self.period
    }

    /// What happens after a missed tick.
    ///
    /// ```
    /// use runtime::time::{Duration, MissedTickBehavior, interval};
    ///
    /// # runtime::Runtime::new().unwrap().block_on(async {
    /// let interval = interval(Duration::from_secs(1));
    /// assert_eq!(interval.missed_tick_behavior(), MissedTickBehavior::Delay);
    /// # });
    /// ```
    #[must_use]
    pub fn missed_tick_behavior(&self) -> MissedTickBehavior {
        self.behavior
    }

    /// Says what happens after a missed tick.
    ///
    /// ```
    /// use runtime::time::{Duration, MissedTickBehavior, interval};
    ///
    /// # runtime::Runtime::new().unwrap().block_on(async {
    /// let mut interval = interval(Duration::from_secs(1));
    /// interval.set_missed_tick_behavior(MissedTickBehavior::Burst);
    /// assert_eq!(interval.missed_tick_behavior(), MissedTickBehavior::Burst);
    /// # });
    /// ```
    pub fn set_missed_tick_behavior(&mut self, behavior: MissedTickBehavior) {
        self.behavior = behavior;
    }
}

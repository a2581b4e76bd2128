//! A point in time, told by the clock of the runtime that the thread is in.

use std::ops::{Add, AddAssign, Sub, SubAssign};
use std::time::Duration;

use crate::driver::Handle;
use crate::driver::clock::real_now;

/// A thousand years: what a duration that no `Instant` can hold is cut down to. No timer ever fires
/// that late, on a paused clock neither.
const FAR: Duration = Duration::from_secs(1000 * 365 * 24 * 60 * 60);

/// A point in time, like [`std::time::Instant`], from which and into which it converts.
///
/// The difference is [`now`](Self::now), which on a runtime whose clock is
/// [paused](super::pause) tells that clock's time.
///
/// ```
/// use runtime::time::{Duration, Instant};
///
/// let start = Instant::now();
/// let later = start + Duration::from_secs(1);
/// assert_eq!(later - start, Duration::from_secs(1));
/// assert_eq!(start - later, Duration::ZERO);
/// assert_eq!(Instant::from(std::time::Instant::from(later)), later);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(std::time::Instant);

impl Instant {
    /// The time of the current runtime's clock; outside a runtime the operating system's.
    ///
    /// ```
    /// use runtime::time::Instant;
    ///
    /// assert!(Instant::now() <= Instant::now());
    /// ```
    #[must_use]
    pub fn now() -> Self {
        Self(Handle::with_current(|handle| handle.clock.now()).unwrap_or_else(real_now))
    }

    /// Wraps an instant of the standard library.
    ///
    /// ```
    /// use runtime::time::Instant;
    ///
    /// let std = std::time::Instant::now();
    /// assert_eq!(Instant::from_std(std).into_std(), std);
    /// ```
    #[must_use]
    pub const fn from_std(std: std::time::Instant) -> Self {
        Self(std)
    }

    /// The instant of the standard library that this one wraps.
    ///
    /// ```
    /// use runtime::time::Instant;
    ///
    /// let std: std::time::Instant = Instant::now().into_std();
    /// # let _ = std;
    /// ```
    #[must_use]
    pub const fn into_std(self) -> std::time::Instant {
        self.0
    }

    /// The time from `earlier` to this instant, zero if that is the later one.
    ///
    /// ```
    /// use runtime::time::{Duration, Instant};
    ///
    /// let start = Instant::now();
    /// assert_eq!((start + Duration::from_secs(2)).duration_since(start).as_secs(), 2);
    /// assert_eq!(start.duration_since(start + Duration::from_secs(2)), Duration::ZERO);
    /// ```
    #[must_use]
    pub fn duration_since(&self, earlier: Self) -> Duration {
        self.0.saturating_duration_since(earlier.0)
    }

    /// The time from `earlier` to this instant, `None` if that is the later one.
    ///
    /// ```
    /// use runtime::time::{Duration, Instant};
    ///
    /// let start = Instant::now();
    /// assert_eq!(start.checked_duration_since(start + Duration::from_secs(2)), None);
    /// ```
    #[must_use]
    pub fn checked_duration_since(&self, earlier: Self) -> Option<Duration> {
        self.0.checked_duration_since(earlier.0)
    }

    /// The same as [`duration_since`](Self::duration_since).
    ///
    /// ```
    /// use runtime::time::{Duration, Instant};
    ///
    /// let now = Instant::now();
    /// assert_eq!(now.saturating_duration_since(now), Duration::ZERO);
    /// ```
    #[must_use]
    pub fn saturating_duration_since(&self, earlier: Self) -> Duration {
        self.0.saturating_duration_since(earlier.0)
    }

    /// How long ago this instant was, zero if it lies ahead.
    ///
    /// ```
    /// use runtime::time::{Duration, Instant};
    ///
    /// assert_eq!((Instant::now() + Duration::from_secs(60)).elapsed(), Duration::ZERO);
    /// ```
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        Self::now().duration_since(*self)
    }

    /// This instant moved forward, `None` if no `Instant` is that late.
    ///
    /// ```
    /// use runtime::time::{Duration, Instant};
    ///
    /// assert!(Instant::now().checked_add(Duration::MAX).is_none());
    /// ```
    #[must_use]
    pub fn checked_add(&self, duration: Duration) -> Option<Self> {
        self.0.checked_add(duration).map(Self)
    }

    /// This instant moved back, `None` if no `Instant` is that early.
    ///
    /// ```
    /// use runtime::time::{Duration, Instant};
    ///
    /// assert!(Instant::now().checked_sub(Duration::MAX).is_none());
    /// ```
    #[must_use]
    pub fn checked_sub(&self, duration: Duration) -> Option<Self> {
        self.0.checked_sub(duration).map(Self)
    }

    /// This instant moved forward, but only to a far future if no `Instant` is that late.
    pub(super) fn saturating_add(self, duration: Duration) -> Self {
        let less = |duration: &Duration| Some((*duration / 2).min(FAR));
        let mut durations = std::iter::successors(Some(duration), less);
        durations.find_map(|duration| self.checked_add(duration)).unwrap_or(self)
    }
}

impl From<std::time::Instant> for Instant {
    fn from(std: std::time::Instant) -> Self {
        Self(std)
    }
}

impl From<Instant> for std::time::Instant {
    fn from(instant: Instant) -> Self {
        instant.0
    }
}

/// Panics if no `Instant` is that late.
impl Add<Duration> for Instant {
    type Output = Self;

    #[track_caller]
    fn add(self, duration: Duration) -> Self {
        Self(self.0 + duration)
    }
}

/// Panics if no `Instant` is that late.
impl AddAssign<Duration> for Instant {
    #[track_caller]
    fn add_assign(&mut self, duration: Duration) {
        *self = *self + duration;
    }
}

/// The time between two instants, zero if the right one is later.
impl Sub for Instant {
    type Output = Duration;

    fn sub(self, earlier: Self) -> Duration {
        self.duration_since(earlier)
    }
}

/// Panics if no `Instant` is that early.
impl Sub<Duration> for Instant {
    type Output = Self;

    #[track_caller]
    fn sub(self, duration: Duration) -> Self {
        Self(self.0 - duration)
    }
}

/// Panics if no `Instant` is that early.
impl SubAssign<Duration> for Instant {
    #[track_caller]
    fn sub_assign(&mut self, duration: Duration) {
        *self = *self - duration;
    }
}

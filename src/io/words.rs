//! The words of readiness: what a caller waits for ([`Interest`]), what the resource said
//! ([`Readiness`]) and how a non-blocking operation ended ([`NonBlocking`]).
//!
//! Plain values. Who keeps readiness cached, and when it is cleared, is each leaf's own affair.

use std::fmt;
use std::io;
use std::ops::{BitAnd, BitOr, BitOrAssign};
use std::task::Poll;

/// What the caller wants to be told about.
///
/// ```
/// use runtime::io::Interest;
///
/// assert_eq!(Interest::READ | Interest::WRITE, Interest::READ_WRITE);
/// assert!(Interest::READ_WRITE.is_readable());
/// assert!(!Interest::WRITE.is_readable());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Interest(u8);

const READ: u8 = 1;
const WRITE: u8 = 1 << 1;
const PRIORITY: u8 = 1 << 2;
const HUP: u8 = 1 << 3;
const ERROR: u8 = 1 << 4;

impl Interest {
    /// A read would not wait: data, the end of the stream, or an error.
    pub const READ: Self = Self(READ);
    /// A write would not wait: there is space, or the write would fail.
    pub const WRITE: Self = Self(WRITE);
    /// Either of the two.
    pub const READ_WRITE: Self = Self(READ | WRITE);
    /// Out-of-band data or another exceptional condition of a descriptor.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub const PRIORITY: Self = Self(PRIORITY);

    /// Whether it includes [`READ`](Self::READ).
    pub const fn is_readable(self) -> bool {
        self.0 & READ != 0
    }

    /// Whether it includes [`WRITE`](Self::WRITE).
    pub const fn is_writable(self) -> bool {
        self.0 & WRITE != 0
    }

    /// Whether it includes priority events (never, where the system has none).
    pub const fn is_priority(self) -> bool {
        self.0 & PRIORITY != 0
    }

    /// What is in either.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(crate) const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What is in this one only.
    pub(crate) const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether `other` includes all of it.
    pub(crate) const fn is_within(self, other: Self) -> bool {
        self.0 & !other.0 == 0
    }
}

impl BitOr for Interest {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for Interest {
    fn bitor_assign(&mut self, other: Self) {
        *self = *self | other;
    }
}

impl fmt::Debug for Interest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_flags(f, self.0)
    }
}

/// What the resource said. A hint, never a promise: an operation after it may still say
/// [`NonBlocking::WouldBlock`], and data may be left after [`hup`](Self::hup).
///
/// The constants are for those who implement [`Ready`](super::Ready).
///
/// ```
/// use runtime::io::Readiness;
///
/// let said = Readiness::READ | Readiness::HUP;
/// assert!(said.read() && said.hup() && !said.write());
/// assert_eq!(format!("{said:?}"), "READ | HUP");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Readiness(u8);

impl Readiness {
    /// Nothing is ready.
    pub const EMPTY: Self = Self(0);
    /// Reading would not wait.
    pub const READ: Self = Self(READ);
    /// Writing would not wait.
    pub const WRITE: Self = Self(WRITE);
    /// A priority event.
    pub const PRIORITY: Self = Self(PRIORITY);
    /// The other side has closed (its half or all of it).
    pub const HUP: Self = Self(HUP);
    /// The resource is in an error state; the next operation returns the error.
    pub const ERROR: Self = Self(ERROR);

    /// Reading would not wait: data, the end of the stream, or an error.
    pub const fn read(self) -> bool {
        self.0 & READ != 0
    }

    /// Writing would not wait: there is space, or the write would fail.
    pub const fn write(self) -> bool {
        self.0 & WRITE != 0
    }

    /// A priority event was reported.
    pub const fn priority(self) -> bool {
        self.0 & PRIORITY != 0
    }

    /// The other side has closed. May be reported without being asked for.
    pub const fn hup(self) -> bool {
        self.0 & HUP != 0
    }

    /// The resource is in an error state. May be reported without being asked for.
    pub const fn error(self) -> bool {
        self.0 & ERROR != 0
    }

    /// What is in either, for constants.
    #[cfg(unix)]
    pub(crate) const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether nothing at all was reported.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether one of the conditions in `other` was reported.
    pub const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

impl From<Interest> for Readiness {
    /// The readiness that answers exactly this interest.
    fn from(interest: Interest) -> Self {
        Self(interest.0)
    }
}

impl BitOr for Readiness {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitAnd for Readiness {
    type Output = Self;

    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl BitOrAssign for Readiness {
    fn bitor_assign(&mut self, other: Self) {
        *self = *self | other;
    }
}

impl fmt::Debug for Readiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_flags(f, self.0)
    }
}

fn write_flags(f: &mut fmt::Formatter<'_>, bits: u8) -> fmt::Result {
    let names =
        [(READ, "READ"), (WRITE, "WRITE"), (PRIORITY, "PRIORITY"), (HUP, "HUP"), (ERROR, "ERROR")];
    let mut separator = "";
    for (_, name) in names.iter().filter(|(bit, _)| bits & bit != 0) {
        write!(f, "{separator}{name}")?;
        separator = " | ";
    }
    if bits == 0 { f.write_str("EMPTY") } else { Ok(()) }
}

/// How a non-blocking operation ended.
///
/// ```
/// use runtime::io::NonBlocking;
///
/// assert_eq!(NonBlocking::Ready(3).map(|n| n + 1), NonBlocking::Ready(4));
/// assert!(NonBlocking::<()>::WouldBlock.is_would_block());
/// ```
#[must_use = "the operation may not have happened"]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NonBlocking<T> {
    /// It was done, with this result.
    Ready(T),
    /// It would have had to wait; nothing was done.
    WouldBlock,
}

impl<T> NonBlocking<T> {
    /// Changes what was returned.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> NonBlocking<U> {
        match self {
            Self::Ready(value) => NonBlocking::Ready(f(value)),
            Self::WouldBlock => NonBlocking::WouldBlock,
        }
    }

    /// Whether the operation was done.
    pub const fn is_ready(&self) -> bool {
        matches!(self, Self::Ready(_))
    }

    /// Whether the operation would have had to wait.
    pub const fn is_would_block(&self) -> bool {
        matches!(self, Self::WouldBlock)
    }

    /// What was returned, if it was done.
    pub fn ready(self) -> Option<T> {
        match self {
            Self::Ready(value) => Some(value),
            Self::WouldBlock => None,
        }
    }

    /// Turns std's form, an error of kind [`io::ErrorKind::WouldBlock`], into this one.
    ///
    /// # Errors
    ///
    /// Every error of `result` except `WouldBlock`.
    ///
    /// ```
    /// use runtime::io::NonBlocking;
    /// use std::io::{Error, ErrorKind};
    ///
    /// let blocked: std::io::Result<usize> = Err(ErrorKind::WouldBlock.into());
    /// assert!(NonBlocking::from_result(blocked).unwrap().is_would_block());
    /// ```
    pub fn from_result(result: io::Result<T>) -> io::Result<Self> {
        match result {
            Ok(value) => Ok(Self::Ready(value)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Self::WouldBlock),
            Err(error) => Err(error),
        }
    }

    /// Turns it into std's form.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::WouldBlock`] if the operation would have had to wait.
    pub fn into_result(self) -> io::Result<T> {
        self.ready().ok_or_else(|| io::ErrorKind::WouldBlock.into())
    }
}

impl<T> From<NonBlocking<T>> for Poll<T> {
    /// `WouldBlock` becomes `Pending`; nobody is registered to be woken by this.
    fn from(outcome: NonBlocking<T>) -> Self {
        match outcome {
            NonBlocking::Ready(value) => Poll::Ready(value),
            NonBlocking::WouldBlock => Poll::Pending,
        }
    }
}

//! [`AsyncFd`]: anything that the driver can watch and this crate has no type for.
//!
//! A descriptor and one of mio's sources differ in how they are registered, which is all that the
//! type's two constructors leave behind (`Kind`). Readiness is never cleared by hand: an operation is
//! a closure, and its `WouldBlock` clears what it disproves. It runs on the caller's thread and only
//! while the object is taken for ready.

use std::fmt;
use std::future::Future;
use std::io;
#[cfg(unix)]
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::task::{Context, Poll};

use mio::event::Source;

use super::evented::{self, mio_interest};
use crate::driver::{self, Registration};
use crate::io_core::{Interest, Readiness, Ready};

/// A descriptor of your own, or a source of mio's, with the runtime's readiness.
///
/// For what has no type here: eventfd, timerfd, inotify, a tun device, a library's socket. Operations
/// are closures that do a non-blocking call; when one says `WouldBlock` the readiness that was known
/// is cleared and the task waits for news. There is nothing to clear by hand and so nothing to forget.
///
/// The descriptor must be **non-blocking** (a call that blocks keeps its worker from everything else;
/// it is not made so here, because a descriptor such as a terminal is shared with other processes) and
/// of a kind that can be watched: a regular file cannot, see
/// [`spawn_blocking`](crate::spawn_blocking).
///
/// ```
/// # #[cfg(unix)] {
/// use runtime::net::AsyncFd;
/// use std::io::{Read, Write};
/// use std::os::unix::net::UnixStream;
///
/// # runtime::Builder::new_current_thread().build()?.block_on(async {
/// let (theirs, mut other) = UnixStream::pair()?;
/// theirs.set_nonblocking(true)?;
/// let theirs = AsyncFd::new(theirs)?;
///
/// other.write_all(b"hello")?;
/// let mut buf = [0; 16];
/// let count = theirs.with_readable(|mut stream| stream.read(&mut buf)).await?;
/// assert_eq!(&buf[..count], b"hello");
/// # std::io::Result::Ok(()) })?;
/// # }
/// # std::io::Result::Ok(())
/// ```
pub struct AsyncFd<T> {
    /// `None` only while it is being taken apart.
    io: Option<T>,
    registration: Registration,
    /// What may be waited for.
    interest: Interest,
    kind: Kind<T>,
}

/// What differs between a descriptor and a source of mio's. (Without it every use of the type would
/// have to say which of the two its `T` is.)
struct Kind<T> {
    deregister: fn(&mut T, &Registration) -> io::Result<()>,
    /// After an operation said `WouldBlock`.
    blocked: fn(&T, &Registration, Interest) -> io::Result<()>,
}

#[cfg(unix)]
impl<T: AsFd> AsyncFd<T> {
    /// Watches a descriptor for reading and writing.
    ///
    /// `as_fd` of the `T` must name the same descriptor as long as it is in here.
    ///
    /// # Errors
    ///
    /// `PermissionDenied` for what cannot be watched (regular files), `AlreadyExists` if this
    /// runtime watches the descriptor already (duplicate it), others of the operating system;
    /// outside a runtime and after its shutdown.
    pub fn new(fd: T) -> io::Result<Self> {
        Self::with_interest(fd, Interest::READ_WRITE)
    }

    /// Watches a descriptor for `interest` only, which may include [`Interest::PRIORITY`].
    ///
    /// ```
    /// # #[cfg(target_os = "linux")]
    /// # fn example(gpio: std::fs::File) -> std::io::Result<()> {
    /// use runtime::io::Interest;
    /// use runtime::net::AsyncFd;
    ///
    /// let pin = AsyncFd::with_interest(gpio, Interest::PRIORITY)?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn with_interest(fd: T, interest: Interest) -> io::Result<Self> {
        let raw = fd.as_fd().as_raw_fd();
        let handle = evented::current()?;
        let mut source = mio::unix::SourceFd(&raw);
        let registration = Registration::new(&mut source, mio_interest(interest), handle)?;
        let kind = Kind {
            deregister: |fd: &mut T, registration| {
                let raw = fd.as_fd().as_raw_fd();
                registration.deregister(&mut mio::unix::SourceFd(&raw))
            },
            blocked: |fd: &T, registration, interest| {
                let raw = fd.as_fd().as_raw_fd();
                registration.rearm(&mut mio::unix::SourceFd(&raw), mio_interest(interest))
            },
        };
        Ok(Self { io: Some(fd), registration, interest, kind })
    }
}

impl<T: Source> AsyncFd<T> {
    /// Watches a source of mio's: a type of mio itself, or one that implements
    /// `mio::event::Source`.
    ///
    /// Over selectors that need it, operations on the source have to let mio see a `WouldBlock`, as
    /// mio's own types do.
    ///
    /// # Errors
    ///
    /// Those of the source; outside a runtime and after its shutdown.
    pub fn from_source(mut source: T, interest: Interest) -> io::Result<Self> {
        let handle = evented::current()?;
        let registration = Registration::new(&mut source, mio_interest(interest), handle)?;
        let kind = Kind {
            deregister: |source, registration| registration.deregister(source),
            blocked: |_, _, _| Ok(()),
        };
        Ok(Self { io: Some(source), registration, interest, kind })
    }
}

impl<T> AsyncFd<T> {
    /// What is watched.
    pub fn get_ref(&self) -> &T {
        self.io.as_ref().expect("it is there until it is taken apart")
    }

    /// What is watched, which must go on being the same descriptor.
    pub fn get_mut(&mut self) -> &mut T {
        self.io.as_mut().expect("it is there until it is taken apart")
    }

    /// Stops watching it and hands it over.
    pub fn into_inner(mut self) -> T {
        self.deregister().expect("it is taken apart once")
    }

    /// Waits until it is ready for `interest`, which may turn out wrong: the operation after it may
    /// still say `WouldBlock`. Then wait again.
    ///
    /// Any number of tasks may wait; all of them are woken.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for an interest that it is not watched for; after the shutdown of the runtime.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: dropping it loses nothing.
    pub fn ready(
        &self,
        interest: Interest,
    ) -> impl Future<Output = io::Result<Readiness>> + Send + use<'_, T> {
        self.registration.ready(interest).within(self.interest)
    }

    /// Runs a non-blocking operation, if it is known to be ready for `interest`. A `WouldBlock` of
    /// `op` clears that.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if it is not known to be ready; `InvalidInput` for an interest that it is not
    /// watched for; else those of `op`.
    pub fn try_io<R>(
        &self,
        interest: Interest,
        op: impl FnOnce(&T) -> io::Result<R>,
    ) -> io::Result<R> {
        self.check(interest)?;
        self.registration.try_io(interest, || self.observed(op(self.get_ref())), |_| 0)
    }

    /// Waits for `interest` and runs a non-blocking operation, until it says anything but
    /// `WouldBlock`.
    ///
    /// # Errors
    ///
    /// Those of `op`; `InvalidInput` for an interest that it is not watched for; after the shutdown
    /// of the runtime.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: `op` has run to its end or not at all.
    pub async fn async_io<R>(
        &self,
        interest: Interest,
        mut op: impl FnMut(&T) -> io::Result<R>,
    ) -> io::Result<R> {
        loop {
            self.ready(interest).await?;
            match self.try_io(interest, &mut op) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return result,
            }
        }
    }

    /// [`async_io`](Self::async_io) for operations that need `&mut`.
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: `op` has run to its end or not at all.
    pub async fn async_io_mut<R>(
        &mut self,
        interest: Interest,
        mut op: impl FnMut(&mut T) -> io::Result<R>,
    ) -> io::Result<R> {
        loop {
            self.check(interest)?;
            self.registration.ready(interest).await?;
            let io = self.io.as_mut().expect("it is there until it is taken apart");
            let observed = || {
                let result = op(io);
                rearm_if_blocked(result, io, &self.kind, &self.registration, self.interest)
            };
            match self.registration.try_io(interest, observed, |_| 0) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return result,
            }
        }
    }

    /// [`async_io`](Self::async_io) with [`Interest::READ`].
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: `op` has run to its end or not at all.
    pub async fn with_readable<R>(&self, op: impl FnMut(&T) -> io::Result<R>) -> io::Result<R> {
        self.async_io(Interest::READ, op).await
    }

    /// [`async_io`](Self::async_io) with [`Interest::WRITE`].
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: `op` has run to its end or not at all.
    pub async fn with_writable<R>(&self, op: impl FnMut(&T) -> io::Result<R>) -> io::Result<R> {
        self.async_io(Interest::WRITE, op).await
    }

    fn check(&self, interest: Interest) -> io::Result<()> {
        driver::check(interest, self.interest)
    }

    fn observed<R>(&self, result: io::Result<R>) -> io::Result<R> {
        let io = self.get_ref();
        rearm_if_blocked(result, io, &self.kind, &self.registration, self.interest)
    }

    /// `None` if that has been done.
    fn deregister(&mut self) -> Option<T> {
        let mut io = self.io.take()?;
        // Before the descriptor is closed, or its number could be somebody else's already. It fails
        // if the driver's set does not have it: all the better.
        let _ = (self.kind.deregister)(&mut io, &self.registration);
        Some(io)
    }
}

fn rearm_if_blocked<T, R>(
    result: io::Result<R>,
    io: &T,
    kind: &Kind<T>,
    registration: &Registration,
    interest: Interest,
) -> io::Result<R> {
    if let Err(error) = &result
        && error.kind() == io::ErrorKind::WouldBlock
    {
        (kind.blocked)(io, registration, interest)?;
    }
    result
}

impl<T> Drop for AsyncFd<T> {
    fn drop(&mut self) {
        drop(self.deregister());
    }
}

impl<T: fmt::Debug> fmt::Debug for AsyncFd<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncFd").field("inner", self.get_ref()).finish_non_exhaustive()
    }
}

#[cfg(unix)]
impl<T: AsFd> AsFd for AsyncFd<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.get_ref().as_fd()
    }
}

#[cfg(unix)]
impl<T: AsFd> AsRawFd for AsyncFd<T> {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

impl<T: Send> Ready for AsyncFd<T> {
    fn poll_ready(
        &mut self,
        cx: &mut Context<'_>,
        interest: Interest,
    ) -> Poll<io::Result<Readiness>> {
        self.check(interest)?;
        self.registration.poll_ready(cx, interest)
    }

    fn stop_waiting(&mut self, interest: Interest) {
        self.registration.stop_waiting(interest);
    }
}

impl<T: Sync> Ready for &AsyncFd<T> {
    fn poll_ready(
        &mut self,
        cx: &mut Context<'_>,
        interest: Interest,
    ) -> Poll<io::Result<Readiness>> {
        self.check(interest)?;
        self.registration.poll_ready_shared(cx, interest)
    }
}

//! The operations of a stream socket, once for TCP and Unix.
//!
//! Non-blocking, on shared references. Each goes through the registration, which runs it only if the
//! socket is taken for ready, clears exactly what a `WouldBlock` disproves, and charges the budget.
//! Operations on nothing are answered here: the kernel would say `WouldBlock` to some of them.

use std::io::{self, IoSlice, IoSliceMut, Read};
use std::net::Shutdown;
use std::task::{Context, Poll};

use socket2::SockRef;

#[cfg(unix)]
use super::evented::mio_interest;
use super::evented::{Evented, current};
use crate::driver::{self, HandleRef, Registration};
use crate::io_core::{BorrowedCursor, BorrowedSliceCursor, Interest, NonBlocking, Readiness};
use crate::{coop, sys};

/// A socket of mio's, stream or not.
pub(super) trait Socket: mio::event::Source + Sized {
    /// What it is watched for.
    const WATCHED: Interest;

    /// The socket for calls that mio does not have.
    fn socket(&self) -> SockRef<'_>;

    /// Lets mio see a `WouldBlock` of `op`, which some of its selectors need.
    fn observe<R>(
        &self,
        registration: &Registration,
        op: impl FnOnce() -> io::Result<R>,
    ) -> io::Result<R>;
}

/// A mio stream.
pub(super) trait StreamSocket: Socket {
    /// Whether a read that returns less than it could says that nothing is left.
    ///
    /// So for TCP, up to the mark of urgent data, which the registration knows of. A read of a Unix
    /// socket also stops where a message with descriptors begins or ends, and no event follows.
    const SHORT_READS: bool;

    /// A vectored read into initialized memory.
    fn read_slices(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize>;
}

impl<S: Socket> Evented<S> {
    /// Has the driver of this thread watch `io`.
    pub(super) fn here(io: S) -> io::Result<Self> {
        Self::in_driver(io, current()?)
    }

    /// Has the driver `handle` watch `io`.
    pub(super) fn in_driver(io: S, handle: HandleRef) -> io::Result<Self> {
        Self::new(io, S::WATCHED, handle)
    }

    /// Refuses what the socket is not watched for.
    #[inline]
    pub(super) fn check(&self, interest: Interest) -> io::Result<()> {
        driver::check(interest, S::WATCHED)
    }

    pub(super) fn ready(
        &self,
        interest: Interest,
    ) -> impl Future<Output = io::Result<Readiness>> + Send + use<'_, S> {
        self.registration().ready(interest).within(S::WATCHED)
    }

    #[inline]
    pub(super) fn poll_ready(
        &self,
        cx: &mut Context<'_>,
        interest: Interest,
    ) -> Poll<io::Result<Readiness>> {
        self.check(interest)?;
        self.registration().poll_ready(cx, interest)
    }

    #[inline]
    pub(super) fn poll_ready_shared(
        &self,
        cx: &mut Context<'_>,
        interest: Interest,
    ) -> Poll<io::Result<Readiness>> {
        self.check(interest)?;
        self.registration().poll_ready_shared(cx, interest)
    }

    /// Runs `op` and lets mio see what it says.
    #[inline]
    pub(super) fn observed<R>(&self, op: impl FnOnce() -> io::Result<R>) -> io::Result<R> {
        self.observe(self.registration(), op)
    }

    /// Closes one direction or both; a connection that is gone counts as closed.
    pub(super) fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        coop::charge(0);
        match self.socket().shutdown(how) {
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(()),
            result => result,
        }
    }
}

impl<S: StreamSocket> Evented<S> {
    #[inline]
    pub(super) fn read(&self, mut buf: BorrowedCursor<'_>) -> io::Result<NonBlocking<usize>> {
        let wanted = buf.capacity();
        if wanted == 0 {
            coop::charge(0);
            return Ok(NonBlocking::Ready(0));
        }
        self.registration().try_stream_io(Interest::READ, S::SHORT_READS.then_some(wanted), || {
            self.observed(|| buf.recv(&self.socket()))
        })
    }

    pub(super) fn read_vectored(
        &self,
        mut bufs: BorrowedSliceCursor<'_>,
    ) -> io::Result<NonBlocking<usize>> {
        if bufs.capacity() == 0 {
            coop::charge(0);
            return Ok(NonBlocking::Ready(0));
        }
        // A long list is cut to what one call takes: a short count may be a full one.
        self.registration()
            .try_stream_io(Interest::READ, None, || self.observed(|| bufs.recv(&self.socket())))
    }

    pub(super) fn read_slices(
        &self,
        bufs: &mut [IoSliceMut<'_>],
    ) -> io::Result<NonBlocking<usize>> {
        // Only so many go into one call, and if those are empty its zero is not the end.
        let Some(first) = bufs.iter().position(|buf| !buf.is_empty()) else {
            coop::charge(0);
            return Ok(NonBlocking::Ready(0));
        };
        let bufs = &mut bufs[first..];
        self.registration().try_stream_io(Interest::READ, None, || S::read_slices(self, bufs))
    }

    #[inline]
    pub(super) fn write(&self, buf: &[u8]) -> io::Result<NonBlocking<usize>> {
        self.registration().try_stream_io(Interest::WRITE, Some(buf.len()), || {
            self.observed(|| self.socket().send_with_flags(buf, sys::SEND_FLAGS))
        })
    }

    pub(super) fn write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<NonBlocking<usize>> {
        let (bufs, wanted) = one_call(bufs);
        self.registration().try_stream_io(Interest::WRITE, Some(wanted), || {
            self.observed(|| self.socket().send_vectored_with_flags(bufs, sys::SEND_FLAGS))
        })
    }

    /// Waits until a connection that was begun is there, or why it is not.
    ///
    /// The first look comes before any event: local connections are often there at once.
    pub(super) async fn connected(&self, is_connected: fn(&S) -> io::Result<()>) -> io::Result<()> {
        let check = |io: &S| {
            let Err(error) = is_connected(io) else { return Ok(()) };
            // If so it will not connect any more, and why not is known by now.
            let is_closed = self.registration().is_closed(Interest::WRITE);
            // It is told once, so this has to be the only one who asks.
            if let Some(cause) = io.socket().take_error()? {
                return Err(cause);
            }
            if is_closed || error.kind() != io::ErrorKind::NotConnected {
                return Err(error);
            }
            self.observed(|| Err(io::ErrorKind::WouldBlock.into()))
        };
        self.async_io(Interest::WRITE, check, |()| 0).await
    }
}

/// What goes into one vectored call, and how many bytes those are. Only so many buffers do, and if
/// the first are empty its zero would say nothing of the others.
pub(super) fn one_call<'a, 'b>(bufs: &'a [IoSlice<'b>]) -> (&'a [IoSlice<'b>], usize) {
    let first = bufs.iter().position(|buf| !buf.is_empty()).unwrap_or(bufs.len());
    let bufs = &bufs[first..bufs.len().min(first.saturating_add(sys::MAX_BUFFERS))];
    (bufs, bufs.iter().fold(0, |sum: usize, buf| sum.saturating_add(buf.len())))
}

impl StreamSocket for mio::net::TcpStream {
    const SHORT_READS: bool = true;

    fn read_slices(mut self: &Self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        self.read_vectored(bufs)
    }
}

#[cfg(unix)]
impl StreamSocket for mio::net::UnixStream {
    const SHORT_READS: bool = false;

    fn read_slices(mut self: &Self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        self.read_vectored(bufs)
    }
}

/// What streams are watched for. Urgent data is asked for because a read stops at its mark: the
/// registration must know that a short count then says nothing.
#[cfg(any(target_os = "linux", target_os = "android"))]
const STREAM: Interest = Interest::READ_WRITE.and(Interest::PRIORITY);
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const STREAM: Interest = Interest::READ_WRITE;

/// What streams go through is mio's own `try_io`.
macro_rules! streams {
    ($($(#[$cfg:meta])? $ty:ty),*) => {$(
        $(#[$cfg])?
        impl Socket for $ty {
            const WATCHED: Interest = STREAM;

            #[inline]
            fn socket(&self) -> SockRef<'_> {
                SockRef::from(self)
            }

            #[inline]
            fn observe<R>(
                &self,
                _: &Registration,
                op: impl FnOnce() -> io::Result<R>,
            ) -> io::Result<R> {
                self.try_io(op)
            }
        }
    )*};
}

streams! { mio::net::TcpStream, #[cfg(unix)] mio::net::UnixStream }

/// Sockets for messages have errors that pass (a message refused). Over poll(2) mio takes a socket
/// with an error out of its set and never puts it back by itself.
macro_rules! messages {
    ($($(#[$cfg:meta])? $ty:ty),*) => {$(
        $(#[$cfg])?
        impl Socket for $ty {
            /// Neither UDP nor Unix messages know urgent data.
            const WATCHED: Interest = Interest::READ_WRITE;

            #[inline]
            fn socket(&self) -> SockRef<'_> {
                SockRef::from(self)
            }

            #[cfg(unix)]
            fn observe<R>(
                &self,
                registration: &Registration,
                op: impl FnOnce() -> io::Result<R>,
            ) -> io::Result<R> {
                use std::os::fd::AsRawFd;

                let result = op();
                if matches!(&result, Err(error) if error.kind() == io::ErrorKind::WouldBlock) {
                    let mut source = mio::unix::SourceFd(&self.as_raw_fd());
                    registration.rearm(&mut source, mio_interest(Self::WATCHED))?;
                }
                result
            }

            #[cfg(not(unix))]
            fn observe<R>(
                &self,
                _: &Registration,
                op: impl FnOnce() -> io::Result<R>,
            ) -> io::Result<R> {
                self.try_io(op)
            }
        }
    )*};
}

messages! { mio::net::UdpSocket, #[cfg(unix)] mio::net::UnixDatagram }

//! The operations of a stream socket, once for TCP and Unix.
//!
//! Non-blocking, on shared references. Each goes through the registration, which runs it only if the
//! socket is taken for ready, clears exactly what a `WouldBlock` disproves, and charges the budget.
//! Operations on nothing are answered here: the kernel would say `WouldBlock` to some of them.

use std::io::{self, IoSlice, IoSliceMut, Read};
use std::net::Shutdown;

use socket2::SockRef;

use super::evented::Evented;
use crate::io_core::{BorrowedCursor, BorrowedSliceCursor, Interest};
use crate::{coop, sys};

/// A mio stream.
pub(super) trait Socket: mio::event::Source + Sized {
    /// Whether a read that returns less than it could says that nothing is left.
    ///
    /// So for TCP, up to the mark of urgent data, which the registration knows of. A read of a Unix
    /// socket also stops where a message with descriptors begins or ends, and no event follows.
    const SHORT_READS: bool;

    /// The socket for calls that mio does not have.
    fn socket(&self) -> SockRef<'_>;

    /// A vectored read into initialized memory.
    fn read_slices(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize>;

    /// mio's `try_io`: lets it see a `WouldBlock`, which some of its selectors need.
    fn observed<R>(&self, op: impl FnOnce() -> io::Result<R>) -> io::Result<R>;
}

impl<S: Socket> Evented<S> {
    #[inline]
    pub(super) fn read(&self, mut buf: BorrowedCursor<'_>) -> io::Result<usize> {
        let wanted = buf.capacity();
        if wanted == 0 {
            coop::charge(0);
            return Ok(0);
        }
        let op = || self.observed(|| buf.recv(&self.socket()));
        if S::SHORT_READS {
            self.registration().try_stream_io(Interest::READ, wanted, op)
        } else {
            self.registration().try_io(Interest::READ, op, |count| *count)
        }
    }

    pub(super) fn read_vectored(&self, mut bufs: BorrowedSliceCursor<'_>) -> io::Result<usize> {
        if bufs.capacity() == 0 {
            coop::charge(0);
            return Ok(0);
        }
        // A long list is cut to what one call takes: a short count may be a full one.
        let op = || self.observed(|| bufs.recv(&self.socket()));
        self.registration().try_io(Interest::READ, op, |count| *count)
    }

    pub(super) fn read_slices(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        // Only so many go into one call, and if those are empty its zero is not the end.
        let Some(first) = bufs.iter().position(|buf| !buf.is_empty()) else {
            coop::charge(0);
            return Ok(0);
        };
        let bufs = &mut bufs[first..];
        self.registration().try_io(Interest::READ, || S::read_slices(self, bufs), |count| *count)
    }

    #[inline]
    pub(super) fn write(&self, buf: &[u8]) -> io::Result<usize> {
        self.registration().try_stream_io(Interest::WRITE, buf.len(), || {
            self.observed(|| self.socket().send_with_flags(buf, sys::SEND_FLAGS))
        })
    }

    pub(super) fn write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        // Only so many go into one call, and if those are empty its zero says nothing of the others.
        let first = bufs.iter().position(|buf| !buf.is_empty()).unwrap_or(bufs.len());
        let bufs = &bufs[first..bufs.len().min(first.saturating_add(sys::MAX_BUFFERS))];
        let wanted = bufs.iter().fold(0, |sum: usize, buf| sum.saturating_add(buf.len()));
        self.registration().try_stream_io(Interest::WRITE, wanted, || {
            self.observed(|| self.socket().send_vectored_with_flags(bufs, sys::SEND_FLAGS))
        })
    }

    /// Closes one direction or both; a connection that is gone counts as closed.
    pub(super) fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        coop::charge(0);
        match self.socket().shutdown(how) {
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(()),
            result => result,
        }
    }

    /// Waits until a connection that was begun is there, or why it is not.
    ///
    /// The first look comes before any event: local connections are often there at once.
    pub(super) async fn connected(&self, is_connected: fn(&S) -> io::Result<()>) -> io::Result<()> {
        let check = |io: &S| {
            // The error is told once, so this has to be the only one who asks.
            if let Some(error) = io.socket().take_error()? {
                return Err(error);
            }
            match is_connected(io) {
                Err(error) if error.kind() == io::ErrorKind::NotConnected => {
                    if self.registration().is_closed(Interest::WRITE) {
                        // It will not connect any more. Why not may have come after the question.
                        return Err(io.socket().take_error()?.unwrap_or(error));
                    }
                    io.observed(|| Err(io::ErrorKind::WouldBlock.into()))
                }
                result => result,
            }
        };
        self.async_io(Interest::WRITE, check, |()| 0).await
    }
}

impl Socket for mio::net::TcpStream {
    const SHORT_READS: bool = true;

    fn socket(&self) -> SockRef<'_> {
        SockRef::from(self)
    }

    fn read_slices(mut self: &Self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        self.read_vectored(bufs)
    }

    fn observed<R>(&self, op: impl FnOnce() -> io::Result<R>) -> io::Result<R> {
        self.try_io(op)
    }
}

#[cfg(unix)]
impl Socket for mio::net::UnixStream {
    const SHORT_READS: bool = false;

    fn socket(&self) -> SockRef<'_> {
        SockRef::from(self)
    }

    fn read_slices(mut self: &Self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        self.read_vectored(bufs)
    }

    fn observed<R>(&self, op: impl FnOnce() -> io::Result<R>) -> io::Result<R> {
        self.try_io(op)
    }
}

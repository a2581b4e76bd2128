//! Descriptors that go over a [`UnixStream`] to another process (`SCM_RIGHTS`).
//!
//! They travel with a byte of the stream; a receive ends there. All that come are owned from the first
//! moment, so whatever is refused is closed.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use super::UnixStream;
use crate::io_core::Interest;
use crate::sys;

impl UnixStream {
    /// Sends descriptors and some bytes, and returns how many bytes. The descriptors go with the first
    /// of them; those that were not sent go by [`write_all`](crate::io::Write::write_all).
    ///
    /// The receiver gets duplicates: it does not matter what becomes of these. It has to use
    /// [`recv_fds`](Self::recv_fds) or its like; a plain read throws descriptors away.
    ///
    /// ```
    /// # async fn example() -> std::io::Result<()> {
    /// use runtime::net::{TcpListener, UnixStream};
    /// use std::os::fd::AsFd;
    ///
    /// let (old, new) = UnixStream::pair()?;
    /// let listener = TcpListener::bind("127.0.0.1:8080").await?;
    /// old.send_fds(b"listener", &[listener.as_fd()]).await?;
    ///
    /// let mut name = [0; 16];
    /// let (count, fds) = new.recv_fds(&mut name, 1).await?;
    /// let listener = fds.into_iter().next().ok_or(std::io::ErrorKind::InvalidData)?;
    /// let listener = TcpListener::from_std(listener.into())?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// `InvalidInput` without any byte or descriptor and with more than 253 descriptors; those of the
    /// operating system, which limits how many may be on their way.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the descriptors and the first of the bytes are sent or not.
    pub async fn send_fds(&self, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<usize> {
        self.io.when_ready(Interest::WRITE, || self.try_send_fds(bytes, fds)).await
    }

    /// [`send_fds`](Self::send_fds) without waiting.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if the stream is not known to be ready: wait for [`writable`](Self::writable).
    /// Else as [`send_fds`](Self::send_fds).
    #[inline]
    pub fn try_send_fds(&self, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<usize> {
        if bytes.is_empty() || fds.is_empty() || fds.len() > sys::MAX_FDS {
            let text = "a message with descriptors has 1 to 253 of them and at least one byte";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        let send = || self.io.observed(|| sys::send_fds(self.as_fd(), bytes, fds));
        self.io.registration().try_io(Interest::WRITE, send, |count| *count)
    }

    /// Receives bytes and the descriptors that came with them, at most `max`. Both may be none: no
    /// bytes are the end of the stream, no descriptors came with bytes that were sent without.
    ///
    /// They are closed on `exec`, and blocking or not as the sender had them; `from_std` of the types
    /// here sets that.
    ///
    /// # Errors
    ///
    /// `InvalidData` if more descriptors came, or more than the process can have; then all of them
    /// are closed and what was in `buf` is not to be trusted: better end the connection.
    /// `InvalidInput` for an empty `buf`; those of the operating system.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: nothing is received and then lost.
    pub async fn recv_fds(&self, buf: &mut [u8], max: usize) -> io::Result<(usize, Vec<OwnedFd>)> {
        self.io.when_ready(Interest::READ, || self.try_recv_fds(buf, max)).await
    }

    /// [`recv_fds`](Self::recv_fds) without waiting.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if the stream is not known to be ready: wait for [`readable`](Self::readable).
    /// Else as [`recv_fds`](Self::recv_fds).
    #[inline]
    pub fn try_recv_fds(&self, buf: &mut [u8], max: usize) -> io::Result<(usize, Vec<OwnedFd>)> {
        if buf.is_empty() {
            let text = "descriptors come with at least one byte, which needs room";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        let receive = || self.io.observed(|| sys::recv_fds(self.as_fd(), buf, max));
        let bytes = |received: &sys::Received| received.bytes;
        let received = self.io.registration().try_io(Interest::READ, receive, bytes)?;
        if received.are_cut || received.fds.len() > max {
            let text = "more descriptors came than were wanted or can be had; all were closed";
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
        Ok((received.bytes, received.fds))
    }
}

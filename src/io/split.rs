//! The generic [`split`]: two halves of any stream, over a mutex.
//!
//! The streams of this crate have halves of their own, without a lock. This one is for what a user
//! has written or erased (`Box<dyn ReadyStream>`): each call of a half locks, calls the stream's
//! synchronous method, and unlocks; nobody waits with the lock held, for the readiness traits never
//! wait. The price is the one exemption from the rule that no waker is touched under a lock: what the
//! stream does with wakers inside `poll_ready` and its operations happens while the mutex is held.
//! So a waker must not use the stream's other half from within `wake`; every executor's waker queues
//! and does nothing else.

use std::fmt;
use std::io::{Error, ErrorKind, IoSlice, Result};
use std::task::{Context, Poll};

use super::{
    BorrowedCursor, BorrowedSliceCursor, Interest, NonBlocking, Readiness, Ready, ReadyRead,
    ReadyStream, ReadyWrite, leaf_io,
};
use crate::sync::{Arc, Mutex};

/// Splits a stream into halves that may go to different tasks.
///
/// For streams without halves of their own; those of this crate have them (`into_split`), and they
/// take no lock. The halves share the stream by a mutex that is held for the length of a
/// non-blocking call, never while something waits. The stream's wakers are stored and woken under
/// it, so a waker must not read from or write to the other half itself (no executor's does).
///
/// Dropping a half does not shut anything down: the stream is dropped with the second. Call
/// [`shutdown`](super::Write::shutdown) on the write half to end that direction.
///
/// The read half is no [`BufRead`](super::BufRead), also where the stream is one: what `fill_buf` shows
/// is the stream's own memory, and only the mutex keeps the write half from changing it. Unlocked, a
/// write could move what is shown. Locked for as long as it is shown, this echo would wait for itself:
///
/// ```text
/// let shown = reader.fill_buf().await?;   // locked until it is consumed
/// writer.write_all(shown).await?;         // waits for the lock
/// ```
///
/// Put a [`BufReader`](super::BufReader) around the half, which copies.
///
/// # Cancel safety
///
/// The halves' single operations are cancel safe, as the stream's own.
///
/// ```
/// # futures::executor::block_on(async {
/// use runtime::io::{self, Read, ReadyStream, Write};
///
/// let (mut client, server) = io::duplex(64);
/// let erased: Box<dyn ReadyStream> = Box::new(server);
/// let (mut reader, mut writer) = io::split(erased);
///
/// client.write_all(b"ping").await?;
/// let mut buf = [0; 4];
/// reader.read_exact(&mut buf).await?;
/// writer.write_all(&buf).await?;
/// client.read_exact(&mut buf).await?;
///
/// let whole = reader.unsplit(writer);
/// # drop(whole);
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub fn split<S: ReadyStream>(stream: S) -> (ReadHalf<S>, WriteHalf<S>) {
    let stream = Arc::new(Mutex::new(stream));
    (ReadHalf { stream: Arc::clone(&stream) }, WriteHalf { stream })
}

/// The half that reads; made by [`split`].
pub struct ReadHalf<S> {
    stream: Arc<Mutex<S>>,
}

/// The half that writes; made by [`split`].
pub struct WriteHalf<S> {
    stream: Arc<Mutex<S>>,
}

impl<S> ReadHalf<S> {
    /// Whether the two are of one stream.
    pub fn is_pair_of(&self, other: &WriteHalf<S>) -> bool {
        Arc::ptr_eq(&self.stream, &other.stream)
    }

    /// Puts the stream together again.
    ///
    /// # Panics
    ///
    /// If the halves are of different streams; see [`is_pair_of`](Self::is_pair_of).
    #[track_caller]
    pub fn unsplit(self, other: WriteHalf<S>) -> S {
        assert!(self.is_pair_of(&other), "the halves are of different streams");
        drop(other);
        let stream = Arc::try_unwrap(self.stream);
        stream.ok().expect("there are two halves of a stream").into_inner()
    }
}

impl<S: Ready> Ready for ReadHalf<S> {
    fn poll_ready(&mut self, cx: &mut Context<'_>, interest: Interest) -> Poll<Result<Readiness>> {
        if interest.is_writable() {
            return Poll::Ready(Err(wrong_half("the read half does not write")));
        }
        self.stream.lock().poll_ready(cx, interest)
    }

    fn stop_waiting(&mut self, interest: Interest) {
        if !interest.is_writable() {
            self.stream.lock().stop_waiting(interest);
        }
    }
}

impl<S: Ready> Ready for WriteHalf<S> {
    fn poll_ready(&mut self, cx: &mut Context<'_>, interest: Interest) -> Poll<Result<Readiness>> {
        if interest != Interest::WRITE {
            return Poll::Ready(Err(wrong_half("the write half does not read")));
        }
        self.stream.lock().poll_ready(cx, interest)
    }

    fn stop_waiting(&mut self, interest: Interest) {
        if interest == Interest::WRITE {
            self.stream.lock().stop_waiting(interest);
        }
    }
}

fn wrong_half(why: &'static str) -> Error {
    Error::new(ErrorKind::InvalidInput, why)
}

impl<S: ReadyRead> ReadyRead for ReadHalf<S> {
    fn non_blocking_read(&mut self, buf: BorrowedCursor<'_>) -> Result<NonBlocking<()>> {
        self.stream.lock().non_blocking_read(buf)
    }

    fn non_blocking_read_vectored(
        &mut self,
        bufs: BorrowedSliceCursor<'_>,
    ) -> Result<NonBlocking<usize>> {
        self.stream.lock().non_blocking_read_vectored(bufs)
    }
}

impl<S: ReadyWrite> ReadyWrite for WriteHalf<S> {
    fn non_blocking_write(&mut self, buf: &[u8]) -> Result<NonBlocking<usize>> {
        self.stream.lock().non_blocking_write(buf)
    }

    fn non_blocking_write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> Result<NonBlocking<usize>> {
        self.stream.lock().non_blocking_write_vectored(bufs)
    }

    fn non_blocking_flush(&mut self) -> Result<NonBlocking<()>> {
        self.stream.lock().non_blocking_flush()
    }

    fn non_blocking_shutdown(&mut self) -> Result<NonBlocking<()>> {
        self.stream.lock().non_blocking_shutdown()
    }
}

// `vectored`: the stream may do better, and the loop asks it in any case.
leaf_io!(vectored impl [S: ReadyRead] Read for ReadHalf<S>);
leaf_io!(vectored impl [S: ReadyWrite] Write for WriteHalf<S>);

impl<S> fmt::Debug for ReadHalf<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadHalf").finish_non_exhaustive()
    }
}

impl<S> fmt::Debug for WriteHalf<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriteHalf").finish_non_exhaustive()
    }
}

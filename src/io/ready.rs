//! The readiness traits: one asynchronous primitive, [`Ready::poll_ready`], and non-blocking
//! operations beside it.
//!
//! Everything that waits in `io` is built from these two; the loops that do it are in
//! `when_ready.rs`. Nothing here keeps state or charges the budget: that is the leaves' part.

use std::future::poll_fn;
use std::io::{IoSlice, Result};
use std::task::{Context, Poll, ready};

use super::just_in_time::read_scratch;
use super::read::believe;
use super::when_ready::{Reading, Waiting, poll_loop};
use super::{BorrowedCursor, BorrowedSliceCursor, Interest, NonBlocking, Read, Readiness, Write};

/// A resource that can say when an operation would not have to wait.
///
/// # For implementors
///
/// * Readiness is a hint and may be spurious, but an operation that says
///   [`WouldBlock`](NonBlocking::WouldBlock) must clear the readiness it was based on: the next
///   `poll_ready` registers the task (unless something has happened in between, which must not be
///   lost).
/// * One task waits per direction; a wait for reading never disturbs one for writing. A newer
///   waker of the same direction replaces the older.
/// * A *leaf* (a resource that is not built on another `Ready`) asks the cooperative budget
///   in `poll_ready`, with [`coop::poll_proceed`](crate::task::coop::poll_proceed), and may charge it
///   there. Adapters do neither.
/// * An operation may be tried with no `poll_ready` before it: the futures of this crate do that, and
///   charge it if the leaf did not. So it has to know by itself that it would block.
/// * A half that can only be read answers a wait for writing with
///   [`InvalidInput`](std::io::ErrorKind::InvalidInput), and the reverse.
/// * Wakers are called and dropped with no lock held.
pub trait Ready: Send {
    /// Reports the readiness for `interest`, or registers the task to be woken and says `Pending`.
    ///
    /// It may report more than was asked for ([`hup`](Readiness::hup), for example). With
    /// [`Interest::READ_WRITE`] it is ready when one of them is; the wait for the other remains.
    ///
    /// # Errors
    ///
    /// `InvalidInput` if the resource has no such direction; any error of the resource itself.
    fn poll_ready(&mut self, cx: &mut Context<'_>, interest: Interest) -> Poll<Result<Readiness>>;

    /// Waits until the resource is ready for `interest`, without holding a buffer.
    ///
    /// # Errors
    ///
    /// As [`poll_ready`](Self::poll_ready).
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: dropping it loses nothing.
    ///
    /// ```
    /// # futures::executor::block_on(async {
    /// use runtime::io::{BorrowedBuf, Interest, NonBlocking, Ready, ReadyRead};
    ///
    /// let mut input = &b"ready first"[..];
    /// // The loop in full: no buffer exists while the task waits.
    /// let text = loop {
    ///     input.ready(Interest::READ).await?;
    ///     let mut scratch = [0; 64];
    ///     let mut buf = BorrowedBuf::from(&mut scratch[..]);
    ///     if let NonBlocking::Ready(()) = input.non_blocking_read(buf.unfilled())? {
    ///         break String::from_utf8_lossy(buf.filled()).into_owned();
    ///     }
    /// };
    /// assert_eq!(text, "ready first");
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    fn ready(&mut self, interest: Interest) -> impl Future<Output = Result<Readiness>> + Send
    where
        Self: Sized,
    {
        let mut target = Waiting::new(self, interest);
        poll_fn(move |cx| target.poll_ready(cx, interest))
    }

    /// Takes back the waker that an earlier [`poll_ready`](Self::poll_ready) left for `interest`, if
    /// it is still there: nothing wakes the task for it later, and nothing keeps it.
    ///
    /// Every future of this crate that waits for readiness calls it when it is dropped. Provided:
    /// does nothing, which costs a spurious wake-up at worst. Adapters forward it.
    #[inline]
    fn stop_waiting(&mut self, interest: Interest) {
        let _ = interest;
    }
}

/// A reader that works by readiness: wait with [`Ready`], then read without waiting.
///
/// The trait is dyn-compatible, and `Box<dyn ReadyRead>` is a [`Read`] itself.
pub trait ReadyRead: Ready + Read {
    /// Reads what is there, at most the cursor's capacity.
    ///
    /// `Ready` with nothing filled is the end of the stream, if the cursor has any capacity; with
    /// none it is `Ready` and says nothing.
    ///
    /// # Errors
    ///
    /// Those of the resource; nothing was filled then.
    fn non_blocking_read(&mut self, buf: BorrowedCursor<'_>) -> Result<NonBlocking<()>>;

    /// Reads into several buffers and returns how many bytes those were.
    ///
    /// Provided: reads into the first that has room.
    ///
    /// # Errors
    ///
    /// As [`non_blocking_read`](Self::non_blocking_read).
    fn non_blocking_read_vectored(
        &mut self,
        mut bufs: BorrowedSliceCursor<'_>,
    ) -> Result<NonBlocking<usize>> {
        let before = bufs.written();
        let outcome = match bufs.first_unfilled() {
            Some(cursor) => self.non_blocking_read(cursor)?,
            None => NonBlocking::Ready(()),
        };
        Ok(outcome.map(|()| bufs.written() - before))
    }

    /// Waits without a buffer, then reads up to 16 KiB into a scratch buffer of the thread and shows
    /// them to `f`. [`read_with`](super::read_with()) is the same for any [`Read`].
    ///
    /// This is how a task that mostly waits costs no buffer: a scratch array in an async function
    /// would be part of its future from the first `await` on; here it is taken when data is there
    /// and given back after the call. An empty slice is the end of the stream.
    ///
    /// # Errors
    ///
    /// Those of [`poll_ready`](Ready::poll_ready) and
    /// [`non_blocking_read`](Self::non_blocking_read); `f` is not called then.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: until `f` is called nothing has been read.
    ///
    /// ```
    /// # futures::executor::block_on(async {
    /// use runtime::io::ReadyRead;
    ///
    /// let mut input = &b"one line\nand another\n"[..];
    /// let lines = input.read_with(|bytes| bytes.iter().filter(|b| **b == b'\n').count()).await?;
    /// assert_eq!(lines, 2);
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    fn read_with<T, F>(&mut self, f: F) -> impl Future<Output = Result<T>> + Send
    where
        Self: Sized,
        F: FnOnce(&[u8]) -> T + Send,
    {
        let mut f = Some(f);
        let mut reader = Waiting::new(self, Reading);
        poll_fn(move |cx| {
            poll_loop(cx, |cx| {
                ready!(reader.poll_ready(cx, Interest::READ))?;
                Poll::Ready(read_scratch(&mut *reader, |bytes| {
                    f.take().expect("polled after it was ready")(bytes)
                }))
            })
        })
    }
}

/// A writer that works by readiness: wait with [`Ready`], then write without waiting.
///
/// The trait is dyn-compatible, and `Box<dyn ReadyWrite>` is a [`Write`] itself.
pub trait ReadyWrite: Ready + Write {
    /// Writes what there is room for, at least one byte of a `buf` that is not empty, and returns
    /// how much that was.
    ///
    /// # Errors
    ///
    /// Those of the resource; nothing was written then. `BrokenPipe` after
    /// [`non_blocking_shutdown`](Self::non_blocking_shutdown) or when the reader is gone, also for
    /// an empty `buf` where the resource can tell.
    fn non_blocking_write(&mut self, buf: &[u8]) -> Result<NonBlocking<usize>>;

    /// Writes from several buffers in order.
    ///
    /// Provided: writes the first that is not empty.
    ///
    /// # Errors
    ///
    /// As [`non_blocking_write`](Self::non_blocking_write).
    fn non_blocking_write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> Result<NonBlocking<usize>> {
        let first = bufs.iter().find(|buf| !buf.is_empty());
        let first = first.map_or(&[][..], |buf| &buf[..]);
        Ok(self.non_blocking_write(first)?.map(|n| believe(n, first.len())))
    }

    /// Passes on what the writer itself holds back; `Ready` when nothing is left.
    ///
    /// After `WouldBlock`, wait for [`Interest::WRITE`] and call it again. Provided: nothing is
    /// held back.
    ///
    /// # Errors
    ///
    /// Those of the resource.
    fn non_blocking_flush(&mut self) -> Result<NonBlocking<()>> {
        Ok(NonBlocking::Ready(()))
    }

    /// Flushes, then closes the write side; reading goes on.
    ///
    /// After `WouldBlock`, wait for [`Interest::WRITE`] and call it again. Calling it again after
    /// it was `Ready` is harmless.
    ///
    /// # Errors
    ///
    /// Those of the resource.
    fn non_blocking_shutdown(&mut self) -> Result<NonBlocking<()>>;
}

/// Both directions: what proxies, TLS and servers that take any transport are bounded by.
///
/// Two futures cannot both borrow a stream mutably, but one poll can ask for both readinesses;
/// [`copy_bidirectional`](super::copy_bidirectional) works this way. `Box<dyn ReadyStream>` is a
/// stream of any kind. Implemented by everything that is [`ReadyRead`] and [`ReadyWrite`].
pub trait ReadyStream: ReadyRead + ReadyWrite {}

impl<T: ReadyRead + ReadyWrite + ?Sized> ReadyStream for T {}

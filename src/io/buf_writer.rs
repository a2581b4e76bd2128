//! [`BufWriter`]: gathers small writes, and holds memory only while something is gathered.
//!
//! `bytes[at..]` is what the inner writer has not taken. It is advanced with every write that
//! succeeded, so an error or a dropped future in the middle of a flush loses nothing and writes no
//! byte twice.
//!
//! Readiness to write: an empty buffer asks the inner writer, because the next write may go past it
//! (and because the budget is asked there); one with something in it is ready while it has space,
//! unless passing on was refused (`is_refused`), or the loop around a flush would spin.

use std::borrow::BorrowMut;
use std::fmt;
use std::io::{ErrorKind, IoSlice, Result};
use std::task::{Context, Poll};

use super::read::{believe, total};
use super::write::write_zero;
use super::{
    BufRead, DynOwnedWrite, Interest, NonBlocking, OwnedBuf, OwnedRead, OwnedWrite, Read,
    Readiness, Ready, ReadyBufRead, ReadyRead, ReadyStream, ReadyWrite, Write, forward_io, pool,
};

/// A writer that gathers small writes into large ones.
///
/// What it holds back goes out when its buffer is full, with [`flush`](Write::flush) and with
/// [`shutdown`](Write::shutdown), and **not when it is dropped**: a writer in an async world cannot
/// wait in its destructor. Writes of at least its capacity go past an empty buffer. Its memory is
/// one of its thread's buffers, and only while something is in it.
///
/// Around a stream it is a stream: reads go straight to the inner one. Flush before you wait for
/// an answer; [`copy`](super::copy()) and [`copy_bidirectional`](super::copy_bidirectional()) do.
///
/// `B` is the buffer itself, or, in what the downcasts hand out, a borrow of it.
///
/// # Cancel safety
///
/// `write`, `flush` and `shutdown` are cancel safe: what was not passed on stays in the buffer, and
/// a write whose future was dropped has taken nothing.
///
/// ```
/// # futures::executor::block_on(async {
/// use runtime::io::{BufWriter, Write};
///
/// let mut writer = BufWriter::new(Vec::new());
/// for number in 1..=3 {
///     write!(writer, "{number};").await?;
/// }
/// assert_eq!((writer.get_ref().as_slice(), writer.buffer()), (&b""[..], &b"1;2;3;"[..]));
/// writer.flush().await?;
/// assert_eq!(writer.into_inner(), b"1;2;3;");
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub struct BufWriter<W, B = WriteBuffer> {
    inner: W,
    buffer: B,
}

/// What a [`BufWriter`] holds back.
pub struct WriteBuffer {
    bytes: Vec<u8>,
    at: usize,
    capacity: usize,
    /// The inner writer had no room for what is held back.
    is_refused: bool,
}

impl<W> BufWriter<W> {
    /// A writer that holds back up to 16 KiB.
    pub fn new(inner: W) -> Self {
        Self::with_capacity(pool::BLOCK, inner)
    }

    /// A writer that holds back up to `capacity` bytes.
    ///
    /// # Panics
    ///
    /// If `capacity` is 0.
    #[track_caller]
    pub fn with_capacity(capacity: usize, inner: W) -> Self {
        assert!(capacity > 0, "a buffered writer needs a buffer of at least one byte");
        let buffer = WriteBuffer { bytes: Vec::new(), at: 0, capacity, is_refused: false };
        Self { inner, buffer }
    }

    /// How many bytes it holds back at most.
    pub fn capacity(&self) -> usize {
        self.buffer.capacity
    }

    /// What it holds back.
    pub fn buffer(&self) -> &[u8] {
        self.buffer.left()
    }

    /// The writer inside.
    pub fn get_ref(&self) -> &W {
        &self.inner
    }

    /// The writer inside; what is written to it directly comes before what is held back.
    pub fn get_mut(&mut self) -> &mut W {
        &mut self.inner
    }

    /// The writer inside. What is held back is lost: flush first.
    pub fn into_inner(self) -> W {
        self.inner
    }

    /// How much memory it holds for its buffer.
    #[cfg(all(test, not(loom)))]
    pub(super) fn held(&self) -> usize {
        self.buffer.bytes.capacity()
    }
}

impl WriteBuffer {
    fn left(&self) -> &[u8] {
        &self.bytes[self.at..]
    }

    fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// How many bytes can be appended.
    fn space(&self) -> usize {
        self.capacity - self.bytes.len()
    }

    /// Takes what fits and says how much that was.
    fn append(&mut self, bytes: &[u8]) -> Result<usize> {
        let n = bytes.len().min(self.space());
        if n > 0 && self.bytes.capacity() < self.capacity {
            self.bytes = pool::take(self.capacity)?;
        }
        self.bytes.extend_from_slice(&bytes[..n]);
        Ok(n)
    }

    fn append_all(&mut self, bufs: &[IoSlice<'_>]) -> Result<usize> {
        let mut sum = 0;
        for buf in bufs {
            sum += self.append(buf)?;
        }
        Ok(sum)
    }

    /// The inner writer took `n` bytes.
    fn passed_on(&mut self, n: usize) -> Result<()> {
        if believe(n, self.left().len()) == 0 {
            return Err(write_zero());
        }
        self.at += n;
        if self.at == self.bytes.len() {
            self.at = 0;
            pool::give_back(std::mem::take(&mut self.bytes));
        }
        Ok(())
    }

    /// Passes everything on.
    async fn drain<W: Write>(&mut self, writer: &mut W) -> Result<()> {
        while !self.is_empty() {
            match writer.write(self.left()).await {
                Ok(n) => self.passed_on(n)?,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn non_blocking_drain<W: ReadyWrite>(&mut self, writer: &mut W) -> Result<NonBlocking<()>> {
        while !self.is_empty() {
            match writer.non_blocking_write(self.left())? {
                NonBlocking::Ready(n) => self.passed_on(n)?,
                NonBlocking::WouldBlock => return Ok(NonBlocking::WouldBlock),
            }
        }
        Ok(NonBlocking::Ready(()))
    }

    /// Whether so much goes past the buffer, once that is empty. An empty write asks the inner
    /// writer, which may know an error.
    fn is_bypassed_by(&self, len: usize) -> bool {
        len == 0 || len >= self.capacity
    }
}

impl Drop for WriteBuffer {
    fn drop(&mut self) {
        pool::give_back(std::mem::take(&mut self.bytes));
    }
}

impl<W: Write, B: BorrowMut<WriteBuffer> + Send + Sync> Write for BufWriter<W, B> {
    async fn write(&mut self, buf: &[u8]) -> Result<usize> {
        let buffer: &mut WriteBuffer = self.buffer.borrow_mut();
        if buf.len() > buffer.space() {
            buffer.drain(&mut self.inner).await?;
        }
        if buffer.is_empty() && buffer.is_bypassed_by(buf.len()) {
            return Ok(believe(self.inner.write(buf).await?, buf.len()));
        }
        buffer.append(buf)
    }

    async fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> Result<usize> {
        let buffer: &mut WriteBuffer = self.buffer.borrow_mut();
        let len = total(bufs);
        if len > buffer.space() {
            buffer.drain(&mut self.inner).await?;
        }
        if buffer.is_empty() && buffer.is_bypassed_by(len) {
            return Ok(believe(self.inner.write_vectored(bufs).await?, len));
        }
        buffer.append_all(bufs)
    }

    /// The buffer takes slices of any number.
    fn is_write_vectored(&self) -> bool {
        true
    }

    async fn flush(&mut self) -> Result<()> {
        self.buffer.borrow_mut().drain(&mut self.inner).await?;
        self.inner.flush().await
    }

    async fn shutdown(&mut self) -> Result<()> {
        self.buffer.borrow_mut().drain(&mut self.inner).await?;
        self.inner.shutdown().await
    }

    fn as_ready_write(&mut self) -> Option<impl ReadyWrite> {
        let buffer: &mut WriteBuffer = self.buffer.borrow_mut();
        self.inner.as_ready_write().map(move |inner| BufWriter { inner, buffer })
    }

    fn as_ready_stream(&mut self) -> Option<impl ReadyStream> {
        let buffer: &mut WriteBuffer = self.buffer.borrow_mut();
        self.inner.as_ready_stream().map(move |inner| BufWriter { inner, buffer })
    }

    fn as_ready_write_dyn(&mut self) -> Option<Box<dyn ReadyWrite + '_>> {
        let buffer: &mut WriteBuffer = self.buffer.borrow_mut();
        let inner = self.inner.as_ready_write_dyn()?;
        Some(Box::new(BufWriter { inner, buffer }))
    }

    fn as_ready_stream_dyn(&mut self) -> Option<Box<dyn ReadyStream + '_>> {
        let buffer: &mut WriteBuffer = self.buffer.borrow_mut();
        let inner = self.inner.as_ready_stream_dyn()?;
        Some(Box::new(BufWriter { inner, buffer }))
    }

    fn as_owned_write(&mut self) -> Option<impl OwnedWrite> {
        let buffer: &mut WriteBuffer = self.buffer.borrow_mut();
        self.inner.as_owned_write().map(move |inner| BufWriter { inner, buffer })
    }

    fn as_owned_write_dyn(&mut self) -> Option<Box<dyn DynOwnedWrite + '_>> {
        let buffer: &mut WriteBuffer = self.buffer.borrow_mut();
        let inner = self.inner.as_owned_write_dyn()?;
        Some(Box::new(BufWriter { inner, buffer }))
    }
}

impl<W: OwnedWrite, B: BorrowMut<WriteBuffer> + Send + Sync> OwnedWrite for BufWriter<W, B> {
    async fn write_owned(&mut self, buf: OwnedBuf) -> (OwnedBuf, Result<usize>) {
        let buffer: &mut WriteBuffer = self.buffer.borrow_mut();
        let len = buf.filled().len();
        if len > buffer.space()
            && let Err(error) = buffer.drain(&mut self.inner).await
        {
            return (buf, Err(error));
        }
        if buffer.is_empty() && buffer.is_bypassed_by(len) {
            let receipt = buf.receipt();
            let (buf, outcome) = self.inner.write_owned(buf).await;
            let outcome = outcome.map(|n| receipt.check_written(&buf, n));
            return (buf, outcome);
        }
        let outcome = buffer.append(buf.filled());
        (buf, outcome)
    }
}

impl<W: Ready, B: BorrowMut<WriteBuffer> + Send + Sync> Ready for BufWriter<W, B> {
    fn poll_ready(&mut self, cx: &mut Context<'_>, interest: Interest) -> Poll<Result<Readiness>> {
        let buffer: &mut WriteBuffer = self.buffer.borrow_mut();
        let has_space = !buffer.is_empty() && buffer.space() > 0 && !buffer.is_refused;
        if interest.is_writable() && has_space {
            return Poll::Ready(Ok(Readiness::WRITE));
        }
        let polled = self.inner.poll_ready(cx, interest);
        if matches!(&polled, Poll::Ready(Ok(readiness)) if readiness.write()) {
            buffer.is_refused = false;
        }
        polled
    }

    fn stop_waiting(&mut self, interest: Interest) {
        self.inner.stop_waiting(interest);
    }
}

impl<W: ReadyWrite, B: BorrowMut<WriteBuffer> + Send + Sync> BufWriter<W, B> {
    /// Appends by `append`, or writes past the empty buffer by `bypass`.
    fn non_blocking(
        &mut self,
        len: usize,
        append: impl FnOnce(&mut WriteBuffer) -> Result<usize>,
        bypass: impl FnOnce(&mut W) -> Result<NonBlocking<usize>>,
    ) -> Result<NonBlocking<usize>> {
        let buffer: &mut WriteBuffer = self.buffer.borrow_mut();
        if len > buffer.space() && buffer.non_blocking_drain(&mut self.inner)?.is_would_block() {
            // What fits is better than nothing: we may have said that there is space.
            if buffer.space() == 0 {
                return Ok(NonBlocking::WouldBlock);
            }
            return append(buffer).map(NonBlocking::Ready);
        }
        if buffer.is_empty() && buffer.is_bypassed_by(len) {
            return Ok(bypass(&mut self.inner)?.map(|n| believe(n, len)));
        }
        append(buffer).map(NonBlocking::Ready)
    }
}

impl<W: ReadyWrite, B: BorrowMut<WriteBuffer> + Send + Sync> ReadyWrite for BufWriter<W, B> {
    fn non_blocking_write(&mut self, buf: &[u8]) -> Result<NonBlocking<usize>> {
        self.non_blocking(
            buf.len(),
            |buffer| buffer.append(buf),
            |writer| writer.non_blocking_write(buf),
        )
    }

    fn non_blocking_write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> Result<NonBlocking<usize>> {
        self.non_blocking(
            total(bufs),
            |buffer| buffer.append_all(bufs),
            |writer| writer.non_blocking_write_vectored(bufs),
        )
    }

    fn non_blocking_flush(&mut self) -> Result<NonBlocking<()>> {
        match self.drain_or_refuse()? {
            NonBlocking::Ready(()) => self.inner.non_blocking_flush(),
            NonBlocking::WouldBlock => Ok(NonBlocking::WouldBlock),
        }
    }

    fn non_blocking_shutdown(&mut self) -> Result<NonBlocking<()>> {
        match self.drain_or_refuse()? {
            NonBlocking::Ready(()) => self.inner.non_blocking_shutdown(),
            NonBlocking::WouldBlock => Ok(NonBlocking::WouldBlock),
        }
    }
}

impl<W: ReadyWrite, B: BorrowMut<WriteBuffer> + Send + Sync> BufWriter<W, B> {
    /// Passes everything on; if that would block, the next wait is for the inner writer although
    /// there may be space here.
    fn drain_or_refuse(&mut self) -> Result<NonBlocking<()>> {
        let buffer: &mut WriteBuffer = self.buffer.borrow_mut();
        let outcome = buffer.non_blocking_drain(&mut self.inner)?;
        buffer.is_refused = outcome.is_would_block();
        Ok(outcome)
    }
}

forward_io!(
    impl [S: Read, B: BorrowMut<WriteBuffer> + Send + Sync] Read for BufWriter<S, B> => inner
);
forward_io!(
    impl [S: ReadyRead, B: BorrowMut<WriteBuffer> + Send + Sync] ReadyRead
        for BufWriter<S, B> => inner
);
forward_io!(
    impl [S: OwnedRead, B: BorrowMut<WriteBuffer> + Send + Sync] OwnedRead
        for BufWriter<S, B> => inner
);
forward_io!(
    impl [S: BufRead, B: BorrowMut<WriteBuffer> + Send + Sync] BufRead for BufWriter<S, B> => inner
);
forward_io!(
    impl [S: ReadyBufRead, B: BorrowMut<WriteBuffer> + Send + Sync] ReadyBufRead
        for BufWriter<S, B> => inner
);

impl<W: fmt::Debug, B: BorrowMut<WriteBuffer>> fmt::Debug for BufWriter<W, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let buffer: &WriteBuffer = self.buffer.borrow();
        f.debug_struct("BufWriter")
            .field("inner", &self.inner)
            .field("held_back", &buffer.left().len())
            .field("capacity", &buffer.capacity)
            .finish()
    }
}

impl fmt::Debug for WriteBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriteBuffer").field("held_back", &self.left().len()).finish()
    }
}

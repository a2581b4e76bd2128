//! [`Chain`]: one reader after another; and [`Bytes`], a reader byte by byte.
//!
//! A chain goes from its first reader to its second when the first has said that it has ended: that
//! a read with room for something got nothing. A read without room says nothing about the end. The
//! switch (`is_second`) is the adapter's only state; the downcasts borrow it.

use std::borrow::BorrowMut;
use std::io::{ErrorKind, IoSliceMut, Result};
use std::task::{Context, Poll};

use super::read::{believe, total};
use super::{
    BorrowedCursor, BorrowedSliceCursor, BufRead, DynOwnedRead, Interest, NonBlocking, OwnedBuf,
    OwnedRead, Read, Readiness, Ready, ReadyBufRead, ReadyRead,
};

/// Everything of one reader, then everything of another; made by [`Read::chain`].
///
/// `S` is the switch from the first to the second, or, in what the downcasts hand out, a borrow of
/// it. The downcasts need both readers to have a readiness form.
///
/// # Cancel safety
///
/// As the readers': `read` and its kin and `fill_buf` are cancel safe.
///
/// ```
/// # futures::executor::block_on(async {
/// use runtime::io::Read;
///
/// let mut text = String::new();
/// (&b"one, "[..]).chain(&b"two"[..]).read_to_string(&mut text).await?;
/// assert_eq!(text, "one, two");
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
#[derive(Debug)]
pub struct Chain<A, B, S = bool> {
    first: A,
    second: B,
    is_second: S,
}

impl<A, B> Chain<A, B> {
    pub(super) fn new(first: A, second: B) -> Self {
        Self { first, second, is_second: false }
    }

    /// The readers inside.
    pub fn get_ref(&self) -> (&A, &B) {
        (&self.first, &self.second)
    }

    /// The readers inside.
    pub fn get_mut(&mut self) -> (&mut A, &mut B) {
        (&mut self.first, &mut self.second)
    }

    /// The readers inside, positioned behind what was read.
    pub fn into_inner(self) -> (A, B) {
        (self.first, self.second)
    }
}

impl<A: Read, B: Read, S: BorrowMut<bool> + Send + Sync> Read for Chain<A, B, S> {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize> {
        if !*self.is_second.borrow() {
            let n = believe(self.first.read(buf).await?, buf.len());
            if n > 0 || buf.is_empty() {
                return Ok(n);
            }
            *self.is_second.borrow_mut() = true;
        }
        Ok(believe(self.second.read(buf).await?, buf.len()))
    }

    async fn read_vectored(&mut self, bufs: &mut [IoSliceMut<'_>]) -> Result<usize> {
        let wanted = total(bufs);
        if !*self.is_second.borrow() {
            let n = believe(self.first.read_vectored(bufs).await?, wanted);
            if n > 0 || wanted == 0 {
                return Ok(n);
            }
            *self.is_second.borrow_mut() = true;
        }
        Ok(believe(self.second.read_vectored(bufs).await?, wanted))
    }

    async fn read_buf(&mut self, mut buf: BorrowedCursor<'_>) -> Result<()> {
        if !*self.is_second.borrow() {
            let (before, room) = (buf.written(), buf.capacity());
            self.first.read_buf(buf.reborrow()).await?;
            if buf.written() > before || room == 0 {
                return Ok(());
            }
            *self.is_second.borrow_mut() = true;
        }
        self.second.read_buf(buf).await
    }

    async fn read_buf_vectored(&mut self, mut bufs: BorrowedSliceCursor<'_>) -> Result<usize> {
        let (before, room) = (bufs.written(), bufs.capacity());
        if !*self.is_second.borrow() {
            self.first.read_buf_vectored(bufs.reborrow()).await?;
            let n = bufs.written() - before;
            if n > 0 || room == 0 {
                return Ok(n);
            }
            *self.is_second.borrow_mut() = true;
        }
        self.second.read_buf_vectored(bufs.reborrow()).await?;
        Ok(bufs.written() - before)
    }

    fn is_read_vectored(&self) -> bool {
        let (first, second) = (self.first.is_read_vectored(), self.second.is_read_vectored());
        if *self.is_second.borrow() { second } else { first }
    }

    fn as_ready(&mut self) -> Option<impl ReadyRead> {
        let is_second: &mut bool = self.is_second.borrow_mut();
        let (first, second) = (self.first.as_ready()?, self.second.as_ready()?);
        Some(Chain { first, second, is_second })
    }

    fn as_ready_dyn(&mut self) -> Option<Box<dyn ReadyRead + '_>> {
        let is_second: &mut bool = self.is_second.borrow_mut();
        let (first, second) = (self.first.as_ready_dyn()?, self.second.as_ready_dyn()?);
        Some(Box::new(Chain { first, second, is_second }))
    }

    fn as_owned(&mut self) -> Option<impl OwnedRead> {
        let is_second: &mut bool = self.is_second.borrow_mut();
        let (first, second) = (self.first.as_owned()?, self.second.as_owned()?);
        Some(Chain { first, second, is_second })
    }

    fn as_owned_dyn(&mut self) -> Option<Box<dyn DynOwnedRead + '_>> {
        let is_second: &mut bool = self.is_second.borrow_mut();
        let (first, second) = (self.first.as_owned_dyn()?, self.second.as_owned_dyn()?);
        Some(Box::new(Chain { first, second, is_second }))
    }
}

impl<A: OwnedRead, B: OwnedRead, S: BorrowMut<bool> + Send + Sync> OwnedRead for Chain<A, B, S> {
    async fn read_owned(&mut self, mut buf: OwnedBuf) -> (OwnedBuf, Result<()>) {
        if !*self.is_second.borrow() {
            let (room, receipt) = (buf.room(), buf.receipt());
            let (returned, outcome) = self.first.read_owned(buf).await;
            buf = returned;
            if receipt.check_read(&buf) > 0 || room == 0 || outcome.is_err() {
                return (buf, outcome);
            }
            *self.is_second.borrow_mut() = true;
        }
        let receipt = buf.receipt();
        let (buf, outcome) = self.second.read_owned(buf).await;
        receipt.check_read(&buf);
        (buf, outcome)
    }
}

impl<A: Ready, B: Ready, S: BorrowMut<bool> + Send + Sync> Ready for Chain<A, B, S> {
    fn poll_ready(&mut self, cx: &mut Context<'_>, interest: Interest) -> Poll<Result<Readiness>> {
        if *self.is_second.borrow() {
            self.second.poll_ready(cx, interest)
        } else {
            self.first.poll_ready(cx, interest)
        }
    }

    fn stop_waiting(&mut self, interest: Interest) {
        if *self.is_second.borrow() {
            self.second.stop_waiting(interest);
        } else {
            self.first.stop_waiting(interest);
        }
    }
}

impl<A: ReadyRead, B: ReadyRead, S: BorrowMut<bool> + Send + Sync> ReadyRead for Chain<A, B, S> {
    fn non_blocking_read(&mut self, mut buf: BorrowedCursor<'_>) -> Result<NonBlocking<()>> {
        if !*self.is_second.borrow() {
            let (before, room) = (buf.written(), buf.capacity());
            let outcome = self.first.non_blocking_read(buf.reborrow())?;
            if outcome.is_would_block() || buf.written() > before || room == 0 {
                return Ok(outcome);
            }
            *self.is_second.borrow_mut() = true;
        }
        self.second.non_blocking_read(buf)
    }

    fn non_blocking_read_vectored(
        &mut self,
        mut bufs: BorrowedSliceCursor<'_>,
    ) -> Result<NonBlocking<usize>> {
        let (before, room) = (bufs.written(), bufs.capacity());
        if !*self.is_second.borrow() {
            let outcome = self.first.non_blocking_read_vectored(bufs.reborrow())?;
            let n = bufs.written() - before;
            if outcome.is_would_block() || n > 0 || room == 0 {
                return Ok(outcome.map(|_| n));
            }
            *self.is_second.borrow_mut() = true;
        }
        let outcome = self.second.non_blocking_read_vectored(bufs.reborrow())?;
        Ok(outcome.map(|_| bufs.written() - before))
    }
}

impl<A: BufRead, B: BufRead, S: BorrowMut<bool> + Send + Sync> BufRead for Chain<A, B, S> {
    async fn fill_buf(&mut self) -> Result<&[u8]> {
        if !*self.is_second.borrow() {
            if !self.first.fill_buf().await?.is_empty() {
                // Again, because the slice cannot be returned from the condition; it is there.
                return self.first.fill_buf().await;
            }
            *self.is_second.borrow_mut() = true;
        }
        self.second.fill_buf().await
    }

    fn consume(&mut self, n: usize) {
        if *self.is_second.borrow() {
            self.second.consume(n);
        } else {
            self.first.consume(n);
        }
    }
}

impl<A, B, S> ReadyBufRead for Chain<A, B, S>
where
    A: ReadyBufRead,
    B: ReadyBufRead,
    S: BorrowMut<bool> + Send + Sync,
{
    fn non_blocking_fill(&mut self) -> Result<NonBlocking<()>> {
        if !*self.is_second.borrow() {
            let outcome = self.first.non_blocking_fill()?;
            if outcome.is_would_block() || !self.first.buffer().is_empty() {
                return Ok(outcome);
            }
            *self.is_second.borrow_mut() = true;
        }
        self.second.non_blocking_fill()
    }

    fn buffer(&self) -> &[u8] {
        if *self.is_second.borrow() { self.second.buffer() } else { self.first.buffer() }
    }

    fn consume_buffer(&mut self, n: usize) {
        if *self.is_second.borrow() {
            self.second.consume_buffer(n);
        } else {
            self.first.consume_buffer(n);
        }
    }
}

/// A reader byte by byte; made by [`Read::bytes`].
#[derive(Debug)]
pub struct Bytes<R> {
    inner: R,
}

impl<R> Bytes<R> {
    pub(super) fn new(inner: R) -> Self {
        Self { inner }
    }

    /// The reader inside, positioned behind what was read.
    pub fn into_inner(self) -> R {
        self.inner
    }
}

impl<R: Read> Bytes<R> {
    /// The next byte; `None` at the end of the stream.
    ///
    /// Each is a read of its own: put a [`BufReader`](super::BufReader) inside.
    ///
    /// # Errors
    ///
    /// Those of [`Read::read`] except `Interrupted`, which is retried.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    ///
    /// ```
    /// # futures::executor::block_on(async {
    /// use runtime::io::Read;
    ///
    /// let mut bytes = (&b"ab"[..]).bytes();
    /// assert_eq!(bytes.next().await?, Some(b'a'));
    /// assert_eq!(bytes.next().await?, Some(b'b'));
    /// assert_eq!(bytes.next().await?, None);
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub async fn next(&mut self) -> Result<Option<u8>> {
        loop {
            let mut byte = [0];
            match self.inner.read(&mut byte).await {
                Ok(n) => return Ok((believe(n, 1) > 0).then_some(byte[0])),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

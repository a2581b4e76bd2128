//! [`BufReader`]: a buffer in front of a reader, which exists only while there is something in it.
//!
//! States of the buffer: none (nothing is buffered), or one that holds at least a byte that was not
//! taken. It comes from the thread's pool when data is there and goes back with its last byte, so a
//! connection that waits holds none. Only where the inner reader has no readiness form is it taken
//! before the wait, because such a reader needs one to wait with.
//!
//! Who may touch what: the downcasts hand out the same adapter around the inner downcast, with the
//! buffer borrowed, so what is buffered is seen through every form.

use std::borrow::BorrowMut;
use std::fmt;
use std::future::poll_fn;
use std::io::{IoSlice, IoSliceMut, Result, SeekFrom};
use std::task::{Context, Poll, ready};

use super::buf::{read_spare, with_spare};
use super::read::{believe, total};
use super::when_ready::{Reading, Waiting, poll_loop};
use super::{
    BorrowedCursor, BorrowedSliceCursor, BufRead, DynOwnedRead, DynOwnedWrite, Interest,
    NonBlocking, OwnedBuf, OwnedRead, OwnedWrite, Read, Readiness, Ready, ReadyBufRead, ReadyRead,
    ReadyStream, ReadyWrite, Seek, Write, forward_io, pool,
};

/// A reader with a buffer, which it holds only while something is in it.
///
/// For protocols of lines and for many small reads. While it waits for an inner reader that has a
/// readiness form (every stream of this crate, and what is around one) it holds no buffer: it takes
/// one of its thread's when data is there and gives it back when everything was read. Reads of at
/// least its capacity go past an empty buffer.
///
/// Around a stream it is a stream: writes go straight to the inner one. It cannot be told from its
/// inner reader by its readiness, except that it is ready at once while something is buffered.
///
/// `B` is the buffer itself, or, in what the downcasts hand out, a borrow of it.
///
/// # Cancel safety
///
/// `read` and its kin, `fill_buf` and `has_data_left` are cancel safe.
///
/// ```
/// # futures::executor::block_on(async {
/// use runtime::io::{BufRead, BufReader, Write};
///
/// let (mut client, server) = runtime::io::duplex(1024);
/// client.write_all(b"first\nsecond\n").await?;
/// client.shutdown().await?;
///
/// let mut lines = BufReader::new(server).lines().limit(8 * 1024);
/// assert_eq!(lines.next_line().await?.as_deref(), Some("first"));
/// assert_eq!(lines.next_line().await?.as_deref(), Some("second"));
/// assert_eq!(lines.next_line().await?, None);
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub struct BufReader<R, B = ReadBuffer> {
    inner: R,
    buffer: B,
}

/// What a [`BufReader`] has read and not handed on.
pub struct ReadBuffer {
    /// Without capacity if `at == bytes.len()`, except while a reader without readiness waits.
    bytes: Vec<u8>,
    at: usize,
    capacity: usize,
}

impl<R> BufReader<R> {
    /// A reader that buffers up to 16 KiB.
    pub fn new(inner: R) -> Self {
        Self::with_capacity(pool::BLOCK, inner)
    }

    /// A reader that buffers up to `capacity` bytes.
    ///
    /// # Panics
    ///
    /// If `capacity` is 0.
    ///
    /// ```
    /// # futures::executor::block_on(async {
    /// use runtime::io::{BufRead, BufReader};
    ///
    /// let mut reader = BufReader::with_capacity(4, &b"six by"[..]);
    /// assert_eq!(reader.fill_buf().await?, b"six ");
    /// assert_eq!(reader.buffer(), b"six ");
    /// reader.consume(4);
    /// assert_eq!(reader.buffer(), b"");
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    #[track_caller]
    pub fn with_capacity(capacity: usize, inner: R) -> Self {
        assert!(capacity > 0, "a buffered reader needs a buffer of at least one byte");
        Self { inner, buffer: ReadBuffer { bytes: Vec::new(), at: 0, capacity } }
    }

    /// How many bytes it buffers at most.
    pub fn capacity(&self) -> usize {
        self.buffer.capacity
    }

    /// What is buffered; does not read.
    pub fn buffer(&self) -> &[u8] {
        self.buffer.left()
    }

    /// The reader inside.
    pub fn get_ref(&self) -> &R {
        &self.inner
    }

    /// The reader inside; what is read from it directly comes after what is buffered.
    pub fn get_mut(&mut self) -> &mut R {
        &mut self.inner
    }

    /// The reader inside. What is buffered is lost; see [`buffer`](Self::buffer).
    pub fn into_inner(self) -> R {
        self.inner
    }

    /// How much memory it holds for its buffer.
    #[cfg(all(test, not(loom)))]
    pub(super) fn held(&self) -> usize {
        self.buffer.bytes.capacity()
    }
}

impl ReadBuffer {
    fn left(&self) -> &[u8] {
        &self.bytes[self.at..]
    }

    fn is_empty(&self) -> bool {
        self.at == self.bytes.len()
    }

    /// Gets memory to read into. Nothing is buffered.
    fn take(&mut self) -> Result<&mut Vec<u8>> {
        self.at = 0;
        self.bytes.clear();
        if self.bytes.capacity() < self.capacity {
            self.bytes = pool::take(self.capacity)?;
        }
        Ok(&mut self.bytes)
    }

    /// Gives the memory back if nothing is in it.
    fn release_if_empty(&mut self) {
        if self.is_empty() {
            self.at = 0;
            pool::give_back(std::mem::take(&mut self.bytes));
        }
    }

    fn forget(&mut self) {
        self.at = self.bytes.len();
        self.release_if_empty();
    }

    #[track_caller]
    fn consume(&mut self, n: usize) {
        assert!(n <= self.left().len(), "more bytes were consumed than are buffered");
        self.at += n;
        self.release_if_empty();
    }

    /// Moves bytes to `to`, which says how many it took.
    fn move_to(&mut self, to: impl FnOnce(&[u8]) -> usize) -> usize {
        let n = to(self.left());
        self.consume(n);
        n
    }

    /// Reads from a reader that does not wait, if nothing is buffered.
    fn non_blocking_fill<R: ReadyRead>(&mut self, reader: &mut R) -> Result<NonBlocking<()>> {
        if !self.is_empty() {
            return Ok(NonBlocking::Ready(()));
        }
        let max = self.capacity;
        let bytes = self.take()?;
        let outcome = with_spare(bytes, max, |cursor| reader.non_blocking_read(cursor));
        self.release_if_empty();
        outcome
    }
}

impl Drop for ReadBuffer {
    fn drop(&mut self) {
        pool::give_back(std::mem::take(&mut self.bytes));
    }
}

impl<R: Read, B: BorrowMut<ReadBuffer> + Send + Sync> BufReader<R, B> {
    /// Waits until something is buffered or the stream has ended.
    ///
    /// This is where a generic reader is asked for its readiness form: for the sake of the memory
    /// that a connection which waits would hold.
    async fn fill(&mut self) -> Result<()> {
        let buffer: &mut ReadBuffer = self.buffer.borrow_mut();
        if !buffer.is_empty() {
            return Ok(());
        }
        if let Some(mut ready) = self.inner.as_ready() {
            let mut waiting = Waiting::new(&mut ready, Reading);
            return poll_fn(|cx| {
                poll_loop(cx, |cx| {
                    ready!(waiting.poll_ready(cx, Interest::READ))?;
                    Poll::Ready(buffer.non_blocking_fill(&mut *waiting))
                })
            })
            .await;
        }
        let max = buffer.capacity;
        let outcome = read_spare(&mut self.inner, buffer.take()?, max).await;
        buffer.release_if_empty();
        outcome.map(drop)
    }

    /// Whether a read into so much memory goes past the buffer. An empty read asks the inner
    /// reader, which may know an error.
    fn is_bypassed(&self, wanted: usize) -> bool {
        let buffer: &ReadBuffer = self.buffer.borrow();
        buffer.is_empty() && (wanted == 0 || wanted >= buffer.capacity)
    }

    fn move_to(&mut self, to: impl FnOnce(&[u8]) -> usize) -> usize {
        self.buffer.borrow_mut().move_to(to)
    }
}

impl<R: Read, B: BorrowMut<ReadBuffer> + Send + Sync> Read for BufReader<R, B> {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize> {
        if self.is_bypassed(buf.len()) {
            return Ok(believe(self.inner.read(buf).await?, buf.len()));
        }
        self.fill().await?;
        Ok(self.move_to(|bytes| copy_into(bytes, buf)))
    }

    async fn read_vectored(&mut self, bufs: &mut [IoSliceMut<'_>]) -> Result<usize> {
        let wanted = total(bufs);
        if self.is_bypassed(wanted) {
            return Ok(believe(self.inner.read_vectored(bufs).await?, wanted));
        }
        self.fill().await?;
        Ok(self.move_to(|mut bytes| {
            let before = bytes.len();
            for buf in bufs {
                bytes = &bytes[copy_into(bytes, buf)..];
            }
            before - bytes.len()
        }))
    }

    async fn read_buf(&mut self, mut buf: BorrowedCursor<'_>) -> Result<()> {
        if self.is_bypassed(buf.capacity()) {
            return self.inner.read_buf(buf).await;
        }
        self.fill().await?;
        self.move_to(|bytes| buf.append_some(bytes));
        Ok(())
    }

    async fn read_buf_vectored(&mut self, mut bufs: BorrowedSliceCursor<'_>) -> Result<usize> {
        if self.is_bypassed(bufs.capacity()) {
            let before = bufs.written();
            self.inner.read_buf_vectored(bufs.reborrow()).await?;
            return Ok(bufs.written() - before);
        }
        self.fill().await?;
        Ok(self.move_to(|bytes| bufs.append_some(bytes)))
    }

    fn is_read_vectored(&self) -> bool {
        self.inner.is_read_vectored()
    }

    fn as_ready(&mut self) -> Option<impl ReadyRead> {
        let buffer: &mut ReadBuffer = self.buffer.borrow_mut();
        self.inner.as_ready().map(move |inner| BufReader { inner, buffer })
    }

    fn as_ready_dyn(&mut self) -> Option<Box<dyn ReadyRead + '_>> {
        let buffer: &mut ReadBuffer = self.buffer.borrow_mut();
        let inner = self.inner.as_ready_dyn()?;
        Some(Box::new(BufReader { inner, buffer }))
    }

    fn as_owned(&mut self) -> Option<impl OwnedRead> {
        let buffer: &mut ReadBuffer = self.buffer.borrow_mut();
        self.inner.as_owned().map(move |inner| BufReader { inner, buffer })
    }

    fn as_owned_dyn(&mut self) -> Option<Box<dyn DynOwnedRead + '_>> {
        let buffer: &mut ReadBuffer = self.buffer.borrow_mut();
        let inner = self.inner.as_owned_dyn()?;
        Some(Box::new(BufReader { inner, buffer }))
    }
}

impl<R: OwnedRead, B: BorrowMut<ReadBuffer> + Send + Sync> OwnedRead for BufReader<R, B> {
    async fn read_owned(&mut self, mut buf: OwnedBuf) -> (OwnedBuf, Result<()>) {
        if self.is_bypassed(buf.room()) {
            let receipt = buf.receipt();
            let (buf, outcome) = self.inner.read_owned(buf).await;
            receipt.check_read(&buf);
            return (buf, outcome);
        }
        if let Err(error) = self.fill().await {
            return (buf, Err(error));
        }
        self.move_to(|bytes| buf.unfilled().append_some(bytes));
        (buf, Ok(()))
    }
}

impl<R: Read, B: BorrowMut<ReadBuffer> + Send + Sync> BufRead for BufReader<R, B> {
    async fn fill_buf(&mut self) -> Result<&[u8]> {
        self.fill().await?;
        Ok(self.buffer.borrow().left())
    }

    fn consume(&mut self, n: usize) {
        self.buffer.borrow_mut().consume(n);
    }
}

impl<R: Ready, B: BorrowMut<ReadBuffer> + Send + Sync> Ready for BufReader<R, B> {
    fn poll_ready(&mut self, cx: &mut Context<'_>, interest: Interest) -> Poll<Result<Readiness>> {
        if interest.is_readable() && !self.buffer.borrow().is_empty() {
            return Poll::Ready(Ok(Readiness::READ));
        }
        self.inner.poll_ready(cx, interest)
    }

    fn stop_waiting(&mut self, interest: Interest) {
        self.inner.stop_waiting(interest);
    }
}

impl<R: ReadyRead, B: BorrowMut<ReadBuffer> + Send + Sync> ReadyRead for BufReader<R, B> {
    fn non_blocking_read(&mut self, mut buf: BorrowedCursor<'_>) -> Result<NonBlocking<()>> {
        if self.is_bypassed(buf.capacity()) {
            return self.inner.non_blocking_read(buf);
        }
        Ok(self.non_blocking_fill()?.map(|()| {
            self.move_to(|bytes| buf.append_some(bytes));
        }))
    }

    fn non_blocking_read_vectored(
        &mut self,
        mut bufs: BorrowedSliceCursor<'_>,
    ) -> Result<NonBlocking<usize>> {
        if self.is_bypassed(bufs.capacity()) {
            let before = bufs.written();
            let outcome = self.inner.non_blocking_read_vectored(bufs.reborrow())?;
            return Ok(outcome.map(|_| bufs.written() - before));
        }
        Ok(self.non_blocking_fill()?.map(|()| self.move_to(|bytes| bufs.append_some(bytes))))
    }
}

impl<R: ReadyRead, B: BorrowMut<ReadBuffer> + Send + Sync> ReadyBufRead for BufReader<R, B> {
    fn non_blocking_fill(&mut self) -> Result<NonBlocking<()>> {
        self.buffer.borrow_mut().non_blocking_fill(&mut self.inner)
    }

    fn buffer(&self) -> &[u8] {
        self.buffer.borrow().left()
    }

    fn consume_buffer(&mut self, n: usize) {
        self.buffer.borrow_mut().consume(n);
    }
}

/// Straight to the inner writer; only the stream's downcasts keep the buffer.
impl<S: Write, B: BorrowMut<ReadBuffer> + Send + Sync> Write for BufReader<S, B> {
    fn write(&mut self, buf: &[u8]) -> impl Future<Output = Result<usize>> + Send {
        self.inner.write(buf)
    }

    fn write_vectored(
        &mut self,
        bufs: &[IoSlice<'_>],
    ) -> impl Future<Output = Result<usize>> + Send {
        self.inner.write_vectored(bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn flush(&mut self) -> impl Future<Output = Result<()>> + Send {
        self.inner.flush()
    }

    fn shutdown(&mut self) -> impl Future<Output = Result<()>> + Send {
        self.inner.shutdown()
    }

    fn as_ready_write(&mut self) -> Option<impl ReadyWrite> {
        self.inner.as_ready_write()
    }

    fn as_ready_stream(&mut self) -> Option<impl ReadyStream> {
        let buffer: &mut ReadBuffer = self.buffer.borrow_mut();
        self.inner.as_ready_stream().map(move |inner| BufReader { inner, buffer })
    }

    fn as_ready_write_dyn(&mut self) -> Option<Box<dyn ReadyWrite + '_>> {
        self.inner.as_ready_write_dyn()
    }

    fn as_ready_stream_dyn(&mut self) -> Option<Box<dyn ReadyStream + '_>> {
        let buffer: &mut ReadBuffer = self.buffer.borrow_mut();
        let inner = self.inner.as_ready_stream_dyn()?;
        Some(Box::new(BufReader { inner, buffer }))
    }

    fn as_owned_write(&mut self) -> Option<impl OwnedWrite> {
        self.inner.as_owned_write()
    }

    fn as_owned_write_dyn(&mut self) -> Option<Box<dyn DynOwnedWrite + '_>> {
        self.inner.as_owned_write_dyn()
    }
}

forward_io!(
    impl [S: OwnedWrite, B: BorrowMut<ReadBuffer> + Send + Sync] OwnedWrite
        for BufReader<S, B> => inner
);

/// Positions are those of what was taken, not of what the buffer has read ahead.
impl<R: Read + Seek, B: BorrowMut<ReadBuffer> + Send + Sync> Seek for BufReader<R, B> {
    /// Moves the position and forgets what is buffered.
    ///
    /// # Cancel safety
    ///
    /// As the inner seek: if that has moved the position when its future is dropped, what is buffered
    /// is from before.
    async fn seek(&mut self, position: SeekFrom) -> Result<u64> {
        let ahead = self.buffer.borrow().left().len() as i64;
        let SeekFrom::Current(by) = position else {
            return self.seek_and_forget(position).await;
        };
        match by.checked_sub(ahead) {
            Some(by) => self.seek_and_forget(SeekFrom::Current(by)).await,
            None => {
                // Two steps, for what is buffered does not fit the number; the first undoes it.
                self.seek_and_forget(SeekFrom::Current(-ahead)).await?;
                self.inner.seek(SeekFrom::Current(by)).await
            }
        }
    }

    async fn stream_position(&mut self) -> Result<u64> {
        let ahead = self.buffer.borrow().left().len() as u64;
        let position = self.inner.stream_position().await?;
        Ok(position.checked_sub(ahead).expect("the inner reader is behind what it has read"))
    }
}

impl<R: Read + Seek, B: BorrowMut<ReadBuffer> + Send + Sync> BufReader<R, B> {
    /// Forgets what is buffered when the inner position is known to have moved. A seek that fails
    /// leaves both as they were; one that is dropped is finished by nobody, and the inner streams
    /// of this crate seek at once.
    async fn seek_and_forget(&mut self, position: SeekFrom) -> Result<u64> {
        let position = self.inner.seek(position).await?;
        self.buffer.borrow_mut().forget();
        Ok(position)
    }

    /// Moves the position by so many bytes, within the buffer if that has them.
    ///
    /// # Errors
    ///
    /// Those of [`Seek::seek`].
    ///
    /// # Cancel safety
    ///
    /// As [`Seek::seek`].
    ///
    /// ```
    /// # futures::executor::block_on(async {
    /// use runtime::io::{BufRead, BufReader};
    ///
    /// let mut reader = BufReader::new(std::io::Cursor::new(b"0123456789"));
    /// reader.fill_buf().await?;
    /// reader.seek_relative(4).await?;
    /// reader.seek_relative(-1).await?;
    /// assert_eq!(reader.fill_buf().await?, b"3456789");
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub async fn seek_relative(&mut self, by: i64) -> Result<()> {
        let buffer: &mut ReadBuffer = self.buffer.borrow_mut();
        let at = i64::try_from(buffer.at).ok().and_then(|at| at.checked_add(by));
        match at.and_then(|at| usize::try_from(at).ok()) {
            Some(at) if at < buffer.bytes.len() => buffer.at = at,
            _ => drop(self.seek(SeekFrom::Current(by)).await?),
        }
        Ok(())
    }
}

impl<S: ReadyWrite, B: BorrowMut<ReadBuffer> + Send + Sync> ReadyWrite for BufReader<S, B> {
    fn non_blocking_write(&mut self, buf: &[u8]) -> Result<NonBlocking<usize>> {
        self.inner.non_blocking_write(buf)
    }

    fn non_blocking_write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> Result<NonBlocking<usize>> {
        self.inner.non_blocking_write_vectored(bufs)
    }

    fn non_blocking_flush(&mut self) -> Result<NonBlocking<()>> {
        self.inner.non_blocking_flush()
    }

    fn non_blocking_shutdown(&mut self) -> Result<NonBlocking<()>> {
        self.inner.non_blocking_shutdown()
    }
}

/// Copies what fits and says how much that was.
fn copy_into(bytes: &[u8], buf: &mut [u8]) -> usize {
    let n = bytes.len().min(buf.len());
    buf[..n].copy_from_slice(&bytes[..n]);
    n
}

impl<R: fmt::Debug, B: BorrowMut<ReadBuffer>> fmt::Debug for BufReader<R, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let buffer: &ReadBuffer = self.buffer.borrow();
        f.debug_struct("BufReader")
            .field("inner", &self.inner)
            .field("buffered", &buffer.left().len())
            .field("capacity", &buffer.capacity)
            .finish()
    }
}

impl fmt::Debug for ReadBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadBuffer").field("buffered", &self.left().len()).finish()
    }
}

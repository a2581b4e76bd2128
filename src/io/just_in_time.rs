//! Reading without holding memory while nothing is there to read: [`read_with`] into the thread's
//! scratch buffer, and [`ReadTarget`], the vectors that [`Read::read_into`] appends to.
//!
//! The trap that both are for: a scratch array in an async function that lives across an `await` is
//! part of the future from then on, 16 KiB for each connection that waits. The scratch here is one of
//! the thread's pool, taken in between two waits.

use std::future::poll_fn;
use std::io::Result;
use std::task::{Poll, ready};

use bytes::BytesMut;

use super::buf::{read_spare, with_spare};
use super::when_ready::{Reading, Waiting, poll_loop};
use super::{BorrowedCursor, Interest, NonBlocking, Read, Ready, ReadyRead, pool};

/// Waits, then reads up to 16 KiB into a scratch buffer and shows them to `f`: what
/// [`ReadyRead::read_with`] does, for any [`Read`].
///
/// If the reader has a readiness form the task waits without a buffer; if it has none, with one. An
/// empty slice is the end of the stream.
///
/// # Errors
///
/// Those of the reader; `f` is not called then.
///
/// # Cancel safety
///
/// Cancel safe: until `f` is called nothing has been read.
///
/// ```
/// # futures::executor::block_on(async {
/// use runtime::io::{self, Read};
///
/// async fn count<R: Read>(mut reader: R) -> std::io::Result<usize> {
///     let mut sum = 0;
///     loop {
///         match io::read_with(&mut reader, |bytes| bytes.len()).await? {
///             0 => return Ok(sum),
///             n => sum += n,
///         }
///     }
/// }
/// assert_eq!(count(&b"five!"[..]).await?, 5);
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub async fn read_with<R: Read, T>(reader: &mut R, f: impl FnOnce(&[u8]) -> T + Send) -> Result<T> {
    if let Some(mut ready) = reader.as_ready() {
        return ready.read_with(f).await;
    }
    let mut scratch = Scratch(pool::take(pool::BLOCK)?);
    read_spare(reader, &mut scratch.0, pool::BLOCK).await?;
    Ok(f(&scratch.0))
}

/// Reads into the thread's scratch buffer without waiting and shows it to `f`.
pub(super) fn read_scratch<R: ReadyRead + ?Sized, T>(
    reader: &mut R,
    f: impl FnOnce(&[u8]) -> T,
) -> Result<NonBlocking<T>> {
    let mut scratch = Scratch(pool::take(pool::BLOCK)?);
    let outcome = with_spare(&mut scratch.0, pool::BLOCK, |buf| reader.non_blocking_read(buf))?;
    Ok(outcome.map(|()| f(&scratch.0)))
}

/// A buffer of the pool that goes back there; without memory until it is taken.
pub(crate) struct Scratch(Vec<u8>);

impl Scratch {
    pub(super) fn none() -> Self {
        Self(Vec::new())
    }

    /// One with up to `capacity` bytes that `receive` put into it.
    pub(crate) fn filled<T>(
        capacity: usize,
        receive: impl FnOnce(BorrowedCursor<'_>) -> Result<T>,
    ) -> Result<(Self, T)> {
        let mut scratch = Self(pool::take(capacity)?);
        let received = with_spare(&mut scratch.0, capacity, receive)?;
        Ok((scratch, received))
    }

    /// Empties it and sees to it that it has room for so much.
    pub(super) fn take(&mut self, capacity: usize) -> Result<&mut Vec<u8>> {
        self.0.clear();
        if self.0.capacity() < capacity {
            self.0 = pool::take(capacity)?;
        }
        Ok(&mut self.0)
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn release(&mut self) {
        pool::give_back(std::mem::take(&mut self.0));
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        self.release();
    }
}

/// A vector that [`Read::read_into`] appends to and that grows only when data is there.
///
/// Implemented by `Vec<u8>` and [`BytesMut`]; closed, because implementing it needs what is private.
pub trait ReadTarget: Send + sealed::Append {}

impl ReadTarget for Vec<u8> {}
impl ReadTarget for BytesMut {}

mod sealed {
    use super::*;

    pub trait Append {
        /// Appends what is there to read, at most [`pool::BLOCK`] bytes.
        fn append_ready<R: ReadyRead>(&mut self, reader: &mut R) -> Result<NonBlocking<usize>>;

        /// Appends these bytes.
        fn append(&mut self, bytes: &[u8]) -> Result<()>;
    }
}

impl sealed::Append for Vec<u8> {
    /// Straight into the vector where there is room; else by the scratch buffer, so that a vector
    /// grows by what was read and not by what might have been.
    fn append_ready<R: ReadyRead>(&mut self, reader: &mut R) -> Result<NonBlocking<usize>> {
        let before = self.len();
        if self.len() < self.capacity() {
            let outcome = with_spare(self, pool::BLOCK, |buf| reader.non_blocking_read(buf))?;
            return Ok(outcome.map(|()| self.len() - before));
        }
        append_scratch(self, reader)
    }

    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.try_reserve(bytes.len())?;
        self.extend_from_slice(bytes);
        Ok(())
    }
}

/// Always by the scratch buffer: there is no safe way to read into its uninitialized part.
impl sealed::Append for BytesMut {
    fn append_ready<R: ReadyRead>(&mut self, reader: &mut R) -> Result<NonBlocking<usize>> {
        append_scratch(self, reader)
    }

    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.extend_from_slice(bytes);
        Ok(())
    }
}

fn append_scratch<T: sealed::Append, R: ReadyRead>(
    target: &mut T,
    reader: &mut R,
) -> Result<NonBlocking<usize>> {
    let outcome = read_scratch(reader, |bytes| target.append(bytes).map(|()| bytes.len()))?;
    match outcome {
        NonBlocking::Ready(appended) => appended.map(NonBlocking::Ready),
        NonBlocking::WouldBlock => Ok(NonBlocking::WouldBlock),
    }
}

/// [`Read::read_into`].
pub(super) async fn read_into<R: Read, T: ReadTarget>(
    reader: &mut R,
    target: &mut T,
) -> Result<usize> {
    if let Some(mut ready) = reader.as_ready() {
        let mut waiting = Waiting::new(&mut ready, Reading);
        return poll_fn(|cx| {
            poll_loop(cx, |cx| {
                ready!(waiting.poll_ready(cx, Interest::READ))?;
                Poll::Ready(target.append_ready(&mut *waiting))
            })
        })
        .await;
    }
    let mut scratch = Scratch(pool::take(pool::BLOCK)?);
    let n = read_spare(reader, &mut scratch.0, pool::BLOCK).await?;
    target.append(&scratch.0)?;
    Ok(n)
}

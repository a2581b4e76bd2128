//! [`Take`], the model of an adapter: it keeps readiness by bound and by downcast, forwards the
//! vectored and uninitialized forms, believes buffers and not counts, and charges no budget.

use std::borrow::BorrowMut;
use std::io::{IoSliceMut, Result};
use std::task::{Context, Poll};

use super::read::{believe, total};
use super::{
    BorrowedCursor, BorrowedSliceCursor, BufRead, DynOwnedRead, Interest, NonBlocking, OwnedBuf,
    OwnedRead, Read, Readiness, Ready, ReadyBufRead, ReadyRead,
};

/// A reader of at most so many bytes of another; made by [`Read::take`].
///
/// `L` is the limit itself, or, in what the downcasts hand out, a borrow of it.
///
/// ```
/// # futures::executor::block_on(async {
/// use runtime::io::Read;
///
/// let mut head = (&b"headbody"[..]).take(4);
/// let mut text = String::new();
/// head.read_to_string(&mut text).await?;
/// assert_eq!((text.as_str(), head.into_inner()), ("head", &b"body"[..]));
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
#[derive(Debug)]
pub struct Take<R, L = u64> {
    inner: R,
    limit: L,
}

impl<R> Take<R> {
    pub(super) fn new(inner: R, limit: u64) -> Self {
        Self { inner, limit }
    }

    /// How many bytes may still be read.
    pub fn limit(&self) -> u64 {
        self.limit
    }

    /// Sets how many bytes may still be read.
    pub fn set_limit(&mut self, limit: u64) {
        self.limit = limit;
    }

    /// The reader inside.
    pub fn get_ref(&self) -> &R {
        &self.inner
    }

    /// The reader inside; what is read from it directly does not count.
    pub fn get_mut(&mut self) -> &mut R {
        &mut self.inner
    }

    /// The reader inside, positioned behind what was read.
    pub fn into_inner(self) -> R {
        self.inner
    }
}

impl<R, L: BorrowMut<u64>> Take<R, L> {
    /// The limit as a number of bytes in memory.
    fn max(&self) -> usize {
        usize::try_from(*self.limit.borrow()).unwrap_or(usize::MAX)
    }

    /// Counts bytes that were read.
    fn count(&mut self, n: usize) {
        let limit = self.limit.borrow_mut();
        *limit = limit.checked_sub(n as u64).expect("the inner reader returned more than it may");
    }

    /// Counts bytes that the user takes, by `consume`, of what was shown.
    #[track_caller]
    fn consume_of(&mut self, n: usize, consume: impl FnOnce(&mut R, usize)) {
        assert!(n <= self.max(), "more bytes were consumed than may be read");
        consume(&mut self.inner, n); // which may find that it has not shown so many
        self.count(n);
    }
}

impl<R: Read, L: BorrowMut<u64> + Send + Sync> Read for Take<R, L> {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize> {
        let max = self.max();
        if max == 0 {
            return Ok(0);
        }
        let max = max.min(buf.len());
        let n = believe(self.inner.read(&mut buf[..max]).await?, max);
        self.count(n);
        Ok(n)
    }

    async fn read_vectored(&mut self, bufs: &mut [IoSliceMut<'_>]) -> Result<usize> {
        let max = self.max();
        if max == 0 {
            return Ok(0);
        }
        // Whole slices only; where the first is too long already, a part of it.
        let mut left = max;
        let whole = bufs.iter().take_while(|buf| {
            let fits = buf.len() <= left;
            left -= buf.len().min(left);
            fits
        });
        let whole = whole.count();
        let wanted = total(&bufs[..whole]);
        let n = if wanted > 0 {
            believe(self.inner.read_vectored(&mut bufs[..whole]).await?, wanted)
        } else {
            let first = bufs.get_mut(whole).map_or(&mut [][..], |buf| &mut buf[..max]);
            believe(self.inner.read(first).await?, first.len())
        };
        self.count(n);
        Ok(n)
    }

    async fn read_buf(&mut self, mut buf: BorrowedCursor<'_>) -> Result<()> {
        let max = self.max();
        if max == 0 {
            return Ok(());
        }
        let before = buf.written();
        let outcome = self.inner.read_buf(buf.limited(max)).await;
        self.count(buf.written() - before);
        outcome
    }

    async fn read_buf_vectored(&mut self, mut bufs: BorrowedSliceCursor<'_>) -> Result<usize> {
        let max = self.max();
        if max == 0 {
            return Ok(0);
        }
        let before = bufs.written();
        let outcome = self.inner.read_buf_vectored(bufs.limited(max)).await;
        let n = bufs.written() - before;
        self.count(n);
        outcome.map(|_| n)
    }

    fn is_read_vectored(&self) -> bool {
        self.inner.is_read_vectored()
    }

    fn as_ready(&mut self) -> Option<impl ReadyRead> {
        let limit: &mut u64 = self.limit.borrow_mut();
        self.inner.as_ready().map(move |inner| Take { inner, limit })
    }

    fn as_ready_dyn(&mut self) -> Option<Box<dyn ReadyRead + '_>> {
        let limit: &mut u64 = self.limit.borrow_mut();
        let inner = self.inner.as_ready_dyn()?;
        Some(Box::new(Take { inner, limit }))
    }

    fn as_owned(&mut self) -> Option<impl OwnedRead> {
        let limit: &mut u64 = self.limit.borrow_mut();
        self.inner.as_owned().map(move |inner| Take { inner, limit })
    }

    fn as_owned_dyn(&mut self) -> Option<Box<dyn DynOwnedRead + '_>> {
        let limit: &mut u64 = self.limit.borrow_mut();
        let inner = self.inner.as_owned_dyn()?;
        Some(Box::new(Take { inner, limit }))
    }
}

impl<R: OwnedRead, L: BorrowMut<u64> + Send + Sync> OwnedRead for Take<R, L> {
    async fn read_owned(&mut self, mut buf: OwnedBuf) -> (OwnedBuf, Result<()>) {
        let max = self.max();
        if max == 0 {
            return (buf, Ok(()));
        }
        let room = buf.room();
        buf.set_room(max.min(room));
        let receipt = buf.receipt();
        let (mut buf, outcome) = self.inner.read_owned(buf).await;
        let n = receipt.check_read(&buf);
        buf.set_room(room - n);
        self.count(n);
        (buf, outcome)
    }
}

impl<R: Ready, L: BorrowMut<u64> + Send + Sync> Ready for Take<R, L> {
    fn poll_ready(&mut self, cx: &mut Context<'_>, interest: Interest) -> Poll<Result<Readiness>> {
        if interest.is_readable() && *self.limit.borrow() == 0 {
            // The end of this stream has come, whatever the inner one may still say.
            return Poll::Ready(Ok(Readiness::READ));
        }
        self.inner.poll_ready(cx, interest)
    }

    fn stop_waiting(&mut self, interest: Interest) {
        self.inner.stop_waiting(interest);
    }
}

impl<R: ReadyRead, L: BorrowMut<u64> + Send + Sync> ReadyRead for Take<R, L> {
    fn non_blocking_read(&mut self, mut buf: BorrowedCursor<'_>) -> Result<NonBlocking<()>> {
        let max = self.max();
        if max == 0 {
            return Ok(NonBlocking::Ready(()));
        }
        let before = buf.written();
        let outcome = self.inner.non_blocking_read(buf.limited(max));
        self.count(buf.written() - before);
        outcome
    }

    fn non_blocking_read_vectored(
        &mut self,
        mut bufs: BorrowedSliceCursor<'_>,
    ) -> Result<NonBlocking<usize>> {
        let max = self.max();
        if max == 0 {
            return Ok(NonBlocking::Ready(0));
        }
        let before = bufs.written();
        let outcome = self.inner.non_blocking_read_vectored(bufs.limited(max));
        let n = bufs.written() - before;
        self.count(n);
        outcome.map(|outcome| outcome.map(|_| n))
    }
}

impl<R: BufRead, L: BorrowMut<u64> + Send + Sync> BufRead for Take<R, L> {
    async fn fill_buf(&mut self) -> Result<&[u8]> {
        let max = self.max();
        if max == 0 {
            return Ok(&[]);
        }
        let shown = self.inner.fill_buf().await?;
        Ok(&shown[..max.min(shown.len())])
    }

    fn consume(&mut self, n: usize) {
        self.consume_of(n, R::consume);
    }
}

impl<R: ReadyBufRead, L: BorrowMut<u64> + Send + Sync> ReadyBufRead for Take<R, L> {
    fn non_blocking_fill(&mut self) -> Result<NonBlocking<()>> {
        if self.max() == 0 {
            return Ok(NonBlocking::Ready(()));
        }
        self.inner.non_blocking_fill()
    }

    fn buffer(&self) -> &[u8] {
        let shown = self.inner.buffer();
        &shown[..self.max().min(shown.len())]
    }

    fn consume_buffer(&mut self, n: usize) {
        self.consume_of(n, R::consume_buffer);
    }
}

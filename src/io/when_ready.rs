//! The ready loops: gate, operate, and wait if that would block, as small hand-written futures.
//!
//! One function per single operation; every leaf's async methods are these (by `leaf_io!`). Each is
//! a `poll_fn` over its arguments, 24 to 32 bytes, where nested async functions would make 100. The two
//! that matter most, `ReadSlice` and `WriteSlice`, are types, whose first attempt becomes part of
//! who awaits them.
//!
//! The operation comes before the wait, because most operations find what they want, and looking
//! twice would double the price of a small one. It costs no system call: a socket's operation looks
//! at its cached readiness first. Only after `WouldBlock` come [`Ready::poll_ready`] and the operation
//! in turn, out of line. So the budget is asked here, and a leaf that charges in `poll_ready` (as
//! those outside this crate may) has charged nothing: then the first attempt is charged here.
//!
//! All are cancel safe: an operation that has happened is an operation that has returned. A future
//! that is dropped takes its waker back ([`Ready::stop_waiting`]), so nothing wakes the task for it
//! later or keeps the task's memory.

use std::array;
use std::future::poll_fn;
use std::io::{ErrorKind, IoSlice, IoSliceMut, Result};
use std::mem::replace;
use std::ops::{Deref, DerefMut};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::buf::MAX_SLICES;
use super::read::believe;
use super::write::write_zero;
use super::{
    BorrowedBuf, BorrowedCursor, BorrowedSliceCursor, Interest, NonBlocking, OwnedBuf, Ready,
    ReadyBufRead, ReadyRead, ReadyWrite,
};
use crate::coop::{self, Budget};

/// How often a resource may say "ready" and then "would block" before the task gives way. A
/// correct leaf needs two rounds; one that lies must not hold its worker.
pub(super) const ROUNDS: usize = 16;

/// Runs `attempt` until it is done or waits: the loop of every operation.
///
/// `attempt` waits for readiness (`Pending` ends the loop) and then tries the operation.
pub(super) fn poll_loop<T>(
    cx: &mut Context<'_>,
    mut attempt: impl FnMut(&mut Context<'_>) -> Poll<Result<NonBlocking<T>>>,
) -> Poll<Result<T>> {
    for _ in 0..ROUNDS {
        if let NonBlocking::Ready(done) = ready!(attempt(cx))? {
            return Poll::Ready(Ok(done));
        }
    }
    cx.waker().wake_by_ref();
    Poll::Pending
}

/// Asks for another poll, once.
pub(super) async fn give_way() {
    let mut has_given_way = false;
    poll_fn(|cx| {
        if replace(&mut has_given_way, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// [`poll_io`] for a future, which takes its waker back when it is dropped.
#[inline]
fn poll_op<T, R: Ready + ?Sized, I: Into<Interest> + Copy>(
    cx: &mut Context<'_>,
    target: &mut Waiting<'_, R, I>,
    op: impl FnMut(&mut R) -> Result<NonBlocking<T>>,
) -> Poll<Result<T>> {
    let interest = target.interest;
    poll_io(cx, &mut **target, interest, op)
}

/// The gate, the first attempt, and, out of line, whatever comes after it would have blocked. With
/// an interest that is a type, what comes out of line knows it.
#[inline]
pub(crate) fn poll_io<T, R: Ready + ?Sized, I: Into<Interest> + Copy>(
    cx: &mut Context<'_>,
    target: &mut R,
    interest: I,
    mut op: impl FnMut(&mut R) -> Result<NonBlocking<T>>,
) -> Poll<Result<T>> {
    ready!(coop::gate(cx));
    let before = coop::left();
    match charged(op(target), before)? {
        NonBlocking::Ready(done) => Poll::Ready(Ok(done)),
        NonBlocking::WouldBlock => poll_again(cx, target, interest, op),
    }
}

/// The outcome of a first attempt, charged unless it would block or the leaf has done so.
#[inline(always)]
fn charged<T>(outcome: Result<NonBlocking<T>>, before: Budget) -> Result<NonBlocking<T>> {
    if !matches!(outcome, Ok(NonBlocking::WouldBlock)) {
        coop::charge_if_nothing_was(before);
    }
    outcome
}

/// What comes after it would have blocked: mostly that it waits.
#[cold]
#[inline(never)]
fn poll_again<T, R: Ready + ?Sized, I: Into<Interest> + Copy>(
    cx: &mut Context<'_>,
    target: &mut R,
    interest: I,
    op: impl FnMut(&mut R) -> Result<NonBlocking<T>>,
) -> Poll<Result<T>> {
    ready!(target.poll_ready(cx, interest.into()))?;
    poll_rounds(cx, target, interest, op)
}

#[cold]
#[inline(never)]
fn poll_rounds<T, R: Ready + ?Sized, I: Into<Interest> + Copy>(
    cx: &mut Context<'_>,
    target: &mut R,
    interest: I,
    mut op: impl FnMut(&mut R) -> Result<NonBlocking<T>>,
) -> Poll<Result<T>> {
    let mut is_ready = true;
    poll_loop(cx, |cx| {
        if !replace(&mut is_ready, false) {
            ready!(target.poll_ready(cx, interest.into()))?;
        }
        Poll::Ready(op(target))
    })
}

/// What a future waits for; the wait ends when the future is dropped. `I` is [`Interest`], or one of
/// the two below, which take no space in the future.
pub(super) struct Waiting<'a, T: Ready + ?Sized, I: Into<Interest> + Copy> {
    /// `None` once it was given away.
    target: Option<&'a mut T>,
    interest: I,
}

/// [`Interest::READ`] as a type.
#[derive(Clone, Copy)]
pub(super) struct Reading;
/// [`Interest::WRITE`] as a type.
#[derive(Clone, Copy)]
pub(super) struct Writing;

impl From<Reading> for Interest {
    fn from(_: Reading) -> Self {
        Self::READ
    }
}

impl From<Writing> for Interest {
    fn from(_: Writing) -> Self {
        Self::WRITE
    }
}

impl<'a, T: Ready + ?Sized, I: Into<Interest> + Copy> Waiting<'a, T, I> {
    #[inline]
    pub(super) fn new(target: &'a mut T, interest: I) -> Self {
        Self { target: Some(target), interest }
    }

    /// Gives the target away; there is no wait to end.
    fn into_inner(mut self) -> Option<&'a mut T> {
        self.target.take()
    }
}

impl<T: Ready + ?Sized, I: Into<Interest> + Copy> Deref for Waiting<'_, T, I> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        self.target.as_deref().expect("polled after it was ready")
    }
}

impl<T: Ready + ?Sized, I: Into<Interest> + Copy> DerefMut for Waiting<'_, T, I> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        self.target.as_deref_mut().expect("polled after it was ready")
    }
}

impl<T: Ready + ?Sized, I: Into<Interest> + Copy> Drop for Waiting<'_, T, I> {
    // Out of line, so that what awaits stays small enough to be inlined itself: then its arguments
    // stay in registers, where a call would copy them through memory.
    #[inline(never)]
    fn drop(&mut self) {
        if let Some(target) = &mut self.target {
            target.stop_waiting(self.interest.into());
        }
    }
}

/// An operation on nothing never waits: the leaf says whether it is an error, else it is `empty`.
#[cold]
#[inline(never)]
pub(crate) fn poll_empty<T>(
    cx: &mut Context<'_>,
    empty: T,
    op: impl FnOnce() -> Result<NonBlocking<T>>,
) -> Poll<Result<T>> {
    ready!(coop::gate(cx));
    Poll::Ready(match op() {
        Ok(NonBlocking::Ready(done)) => Ok(done),
        Ok(NonBlocking::WouldBlock) => {
            // The leaf has charged nothing, and this is an operation that completed.
            coop::charge(0);
            Ok(empty)
        }
        Err(error) => Err(error),
    })
}

/// [`Read::read`](super::Read::read) for a type that is [`ReadyRead`].
///
/// # Errors
///
/// Those of the reader.
///
/// # Cancel safety
///
/// Cancel safe.
///
/// ```
/// # futures::executor::block_on(async {
/// let mut buf = [0; 4];
/// let mut input = &b"data"[..];
/// assert_eq!(runtime::io::read_when_ready(&mut input, &mut buf).await?, 4);
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
#[inline]
pub fn read_when_ready<R: ReadyRead + ?Sized>(
    reader: &mut R,
    buf: &mut [u8],
) -> impl Future<Output = Result<usize>> + Send {
    ReadSlice { reader: Waiting::new(reader, Reading), buf }
}

/// What `read_when_ready` gives.
struct ReadSlice<'a, 'b, R: ReadyRead + ?Sized> {
    reader: Waiting<'a, R, Reading>,
    buf: &'b mut [u8],
}

impl<R: ReadyRead + ?Sized> Future for ReadSlice<'_, '_, R> {
    type Output = Result<usize>;

    #[inline(always)]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<usize>> {
        let Self { reader, buf } = &mut *self;
        let reader = &mut **reader;
        if buf.is_empty() {
            return poll_empty(cx, 0, || read_slice(reader, buf));
        }
        ready!(coop::gate(cx));
        let before = coop::left();
        match charged(read_slice(reader, buf), before)? {
            NonBlocking::Ready(read) => Poll::Ready(Ok(read)),
            NonBlocking::WouldBlock => {
                poll_again(cx, reader, Reading, |reader| read_slice(reader, buf))
            }
        }
    }
}

#[inline(always)]
fn read_slice<R: ReadyRead + ?Sized>(reader: &mut R, buf: &mut [u8]) -> Result<NonBlocking<usize>> {
    let mut buf = BorrowedBuf::from(buf);
    Ok(reader.non_blocking_read(buf.unfilled())?.map(|()| buf.len()))
}

/// [`Read::read_buf`](super::Read::read_buf) for a type that is [`ReadyRead`].
///
/// # Errors
///
/// Those of the reader.
///
/// # Cancel safety
///
/// Cancel safe.
#[inline]
pub fn read_buf_when_ready<R: ReadyRead + ?Sized>(
    reader: &mut R,
    mut buf: BorrowedCursor<'_>,
) -> impl Future<Output = Result<()>> + Send {
    let mut reader = Waiting::new(reader, Reading);
    poll_fn(move |cx| {
        if buf.capacity() == 0 {
            return poll_empty(cx, (), || reader.non_blocking_read(buf.reborrow()));
        }
        poll_op(cx, &mut reader, |reader| reader.non_blocking_read(buf.reborrow()))
    })
}

/// [`Read::read_vectored`](super::Read::read_vectored) for a type that is [`ReadyRead`].
///
/// # Errors
///
/// Those of the reader.
///
/// # Cancel safety
///
/// Cancel safe.
#[inline]
pub fn read_vectored_when_ready<R: ReadyRead + ?Sized>(
    reader: &mut R,
    bufs: &mut [IoSliceMut<'_>],
) -> impl Future<Output = Result<usize>> + Send {
    let mut reader = Waiting::new(reader, Reading);
    poll_fn(move |cx| {
        if bufs.iter().all(|buf| buf.is_empty()) {
            return poll_empty(cx, 0, || {
                Ok(reader.non_blocking_read_vectored(BorrowedSliceCursor::new(&mut []))?.map(|_| 0))
            });
        }
        poll_op(cx, &mut reader, |reader| read_slices(reader, bufs))
    })
}

/// Wraps the slices in cursors, on the stack and for the operation only.
pub(crate) fn read_slices<R: ReadyRead + ?Sized>(
    reader: &mut R,
    bufs: &mut [IoSliceMut<'_>],
) -> Result<NonBlocking<usize>> {
    let mut slices = bufs.iter_mut().filter(|buf| !buf.is_empty());
    let mut bufs: [_; MAX_SLICES] = array::from_fn(|_| match slices.next() {
        Some(slice) => BorrowedBuf::from(&mut slice[..]),
        None => BorrowedBuf::from(&mut [][..] as &mut [u8]),
    });
    let mut cursors = bufs.each_mut().map(BorrowedBuf::unfilled);
    let outcome = reader.non_blocking_read_vectored(BorrowedSliceCursor::new(&mut cursors))?;
    Ok(outcome.map(|_| bufs.iter().map(BorrowedBuf::len).sum()))
}

/// [`Read::read_buf_vectored`](super::Read::read_buf_vectored) for a type that is [`ReadyRead`].
///
/// # Errors
///
/// Those of the reader.
///
/// # Cancel safety
///
/// Cancel safe.
#[inline]
pub fn read_buf_vectored_when_ready<R: ReadyRead + ?Sized>(
    reader: &mut R,
    mut bufs: BorrowedSliceCursor<'_>,
) -> impl Future<Output = Result<usize>> + Send {
    let mut reader = Waiting::new(reader, Reading);
    poll_fn(move |cx| {
        if bufs.capacity() == 0 {
            return poll_empty(cx, 0, || reader.non_blocking_read_vectored(bufs.reborrow()));
        }
        poll_op(cx, &mut reader, |reader| {
            let before = bufs.written();
            let outcome = reader.non_blocking_read_vectored(bufs.reborrow())?;
            Ok(outcome.map(|_| bufs.written() - before))
        })
    })
}

/// [`OwnedRead::read_owned`](super::OwnedRead::read_owned) for a type that is [`ReadyRead`].
///
/// # Errors
///
/// Those of the reader, with the buffer.
///
/// # Cancel safety
///
/// Nothing is read when it is dropped, but the buffer is dropped with it.
pub fn read_owned_when_ready<R: ReadyRead + ?Sized>(
    reader: &mut R,
    buf: OwnedBuf,
) -> impl Future<Output = (OwnedBuf, Result<()>)> + Send {
    let mut reader = Waiting::new(reader, Reading);
    let mut owned = Some(buf);
    poll_fn(move |cx| {
        let buf = owned.as_mut().expect("polled after it was ready");
        let result = ready!(if buf.room() == 0 {
            poll_empty(cx, (), || buf.lend(|cursor| reader.non_blocking_read(cursor)))
        } else {
            poll_op(cx, &mut reader, |r| buf.lend(|cursor| r.non_blocking_read(cursor)))
        });
        Poll::Ready((owned.take().expect("it was there"), result))
    })
}

/// [`OwnedWrite::write_owned`](super::OwnedWrite::write_owned) for a type that is [`ReadyWrite`].
///
/// # Errors
///
/// Those of the writer, with the buffer.
///
/// # Cancel safety
///
/// Nothing is written when it is dropped, but the buffer is dropped with it.
pub fn write_owned_when_ready<W: ReadyWrite + ?Sized>(
    writer: &mut W,
    buf: OwnedBuf,
) -> impl Future<Output = (OwnedBuf, Result<usize>)> + Send {
    let mut writer = Waiting::new(writer, Writing);
    let mut owned = Some(buf);
    poll_fn(move |cx| {
        let bytes = owned.as_ref().expect("polled after it was ready").filled();
        let result = ready!(if bytes.is_empty() {
            poll_empty(cx, 0, || writer.non_blocking_write(bytes))
        } else {
            poll_op(cx, &mut writer, |writer| writer.non_blocking_write(bytes))
        });
        Poll::Ready((owned.take().expect("it was there"), result))
    })
}

/// [`Write::write`](super::Write::write) for a type that is [`ReadyWrite`].
///
/// # Errors
///
/// Those of the writer.
///
/// # Cancel safety
///
/// Cancel safe.
///
/// ```
/// # futures::executor::block_on(async {
/// let mut output = Vec::new();
/// assert_eq!(runtime::io::write_when_ready(&mut output, b"data").await?, 4);
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
#[inline]
pub fn write_when_ready<W: ReadyWrite + ?Sized>(
    writer: &mut W,
    buf: &[u8],
) -> impl Future<Output = Result<usize>> + Send {
    let mut writer = Waiting::new(writer, Writing);
    poll_fn(move |cx| {
        if buf.is_empty() {
            return poll_empty(cx, 0, || writer.non_blocking_write(buf));
        }
        poll_op(cx, &mut writer, |writer| writer.non_blocking_write(buf))
    })
}

/// [`Write::write_all`](super::Write::write_all) for a type that is [`ReadyWrite`].
///
/// # Errors
///
/// `WriteZero` if the writer takes nothing any more; those of the writer except `Interrupted`, which
/// is retried.
///
/// # Cancel safety
///
/// Not cancel safe: some of `buf` may have been written, and how much is lost.
#[inline]
pub fn write_all_when_ready<W: ReadyWrite + ?Sized>(
    writer: &mut W,
    buf: &[u8],
) -> impl Future<Output = Result<()>> + Send {
    WriteSlice { writer: Waiting::new(writer, Writing), buf }
}

/// What `write_all_when_ready` gives. What the first attempt leaves is written out of line.
struct WriteSlice<'a, 'b, W: ReadyWrite + ?Sized> {
    writer: Waiting<'a, W, Writing>,
    buf: &'b [u8],
}

impl<W: ReadyWrite + ?Sized> Future for WriteSlice<'_, '_, W> {
    type Output = Result<()>;

    #[inline(always)]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let Self { writer, buf } = &mut *self;
        if buf.is_empty() {
            return Poll::Ready(Ok(()));
        }
        ready!(coop::gate(cx));
        let before = coop::left();
        match charged(writer.non_blocking_write(buf), before) {
            Ok(NonBlocking::Ready(n)) if n == buf.len() => {
                *buf = &[];
                Poll::Ready(Ok(()))
            }
            first => poll_rest(cx, &mut **writer, buf, first),
        }
    }
}

#[cold]
#[inline(never)]
fn poll_rest<W: ReadyWrite + ?Sized>(
    cx: &mut Context<'_>,
    writer: &mut W,
    buf: &mut &[u8],
    first: Result<NonBlocking<usize>>,
) -> Poll<Result<()>> {
    let mut written = match first {
        Ok(NonBlocking::Ready(n)) => Ok(n),
        Ok(NonBlocking::WouldBlock) => {
            ready!(poll_again(cx, writer, Writing, |writer| writer.non_blocking_write(buf)))
        }
        Err(error) => Err(error),
    };
    loop {
        match written {
            Ok(0) => return Poll::Ready(Err(write_zero())),
            Ok(n) => *buf = &buf[believe(n, buf.len())..],
            Err(error) if error.kind() == ErrorKind::Interrupted => {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            Err(error) => return Poll::Ready(Err(error)),
        }
        if buf.is_empty() {
            return Poll::Ready(Ok(()));
        }
        written = ready!(poll_io(cx, writer, Writing, |writer| writer.non_blocking_write(buf)));
    }
}

/// [`Write::write_vectored`](super::Write::write_vectored) for a type that is [`ReadyWrite`].
///
/// # Errors
///
/// Those of the writer.
///
/// # Cancel safety
///
/// Cancel safe.
#[inline]
pub fn write_vectored_when_ready<W: ReadyWrite + ?Sized>(
    writer: &mut W,
    bufs: &[IoSlice<'_>],
) -> impl Future<Output = Result<usize>> + Send {
    let mut writer = Waiting::new(writer, Writing);
    poll_fn(move |cx| {
        if bufs.iter().all(|buf| buf.is_empty()) {
            return poll_empty(cx, 0, || writer.non_blocking_write_vectored(bufs));
        }
        poll_op(cx, &mut writer, |writer| writer.non_blocking_write_vectored(bufs))
    })
}

/// [`Write::flush`](super::Write::flush) for a type that is [`ReadyWrite`].
///
/// # Errors
///
/// Those of the writer.
///
/// # Cancel safety
///
/// Cancel safe: what has not been passed on stays with the writer.
#[inline]
pub fn flush_when_ready<W: ReadyWrite + ?Sized>(
    writer: &mut W,
) -> impl Future<Output = Result<()>> + Send {
    let mut writer = Waiting::new(writer, Writing);
    poll_fn(move |cx| poll_op(cx, &mut writer, W::non_blocking_flush))
}

/// [`Write::shutdown`](super::Write::shutdown) for a type that is [`ReadyWrite`].
///
/// # Errors
///
/// Those of the writer.
///
/// # Cancel safety
///
/// Cancel safe: call it again to go on.
#[inline]
pub fn shutdown_when_ready<W: ReadyWrite + ?Sized>(
    writer: &mut W,
) -> impl Future<Output = Result<()>> + Send {
    let mut writer = Waiting::new(writer, Writing);
    poll_fn(move |cx| poll_op(cx, &mut writer, W::non_blocking_shutdown))
}

/// [`BufRead::fill_buf`](super::BufRead::fill_buf) for a type that is [`ReadyBufRead`].
///
/// # Errors
///
/// Those of the reader.
///
/// # Cancel safety
///
/// Cancel safe: what was buffered stays in the buffer.
#[inline]
pub fn fill_when_ready<R: ReadyBufRead>(
    reader: &mut R,
) -> impl Future<Output = Result<&[u8]>> + Send {
    // Returning the slice from inside the loop does not pass the borrow checker, so the reader is
    // taken out of the closure when it is filled.
    let mut reader = Some(Waiting::new(reader, Reading));
    poll_fn(move |cx| {
        let waiting = reader.as_mut().expect("polled after it was ready");
        ready!(poll_op(cx, waiting, R::non_blocking_fill))?;
        let reader = reader.take().and_then(Waiting::into_inner);
        Poll::Ready(Ok(reader.map_or(&[][..], |reader| R::buffer(reader))))
    })
}

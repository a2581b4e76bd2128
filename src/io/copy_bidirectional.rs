//! [`copy_bidirectional`]: what a proxy does.
//!
//! One `poll_fn` drives two [`Direction`]s; each goes `Copying -> ShuttingDown -> Done`. A stream
//! is waited for READ by one direction and for WRITE by the other, which leaves do not confuse. A
//! direction holds a buffer only while bytes that were read are not yet written.

use std::future::poll_fn;
use std::io::{ErrorKind, Result};
use std::task::{Context, Poll, ready};

use super::buf::with_spare;
use super::copy::IN_FLIGHT;
use super::when_ready::{Waiting, poll_loop};
use super::write::write_zero;
use super::{Interest, NonBlocking, ReadyRead, ReadyStream, ReadyWrite};

/// Copies from `a` to `b` and from `b` to `a` until both have ended; returns how many bytes went
/// from `a` to `b` and how many from `b` to `a`.
///
/// When one of them ends, the other is shut down after it got everything (half-close), and the
/// other direction goes on. While it waits it holds no buffer, and a writer whose source has
/// nothing more for now is flushed.
///
/// # Errors
///
/// The first of either stream, except `Interrupted`, which is retried; `WriteZero` if one takes
/// nothing any more. Both directions stop then; drop the streams to let their peers know.
///
/// # Cancel safety
///
/// Not cancel safe: up to 16 KiB each way that were read and not yet written are lost.
///
/// ```
/// # async fn proxy(
/// #     mut client: impl runtime::io::ReadyStream,
/// #     mut server: impl runtime::io::ReadyStream,
/// # ) -> std::io::Result<()> {
/// let (sent, received) = runtime::io::copy_bidirectional(&mut client, &mut server).await?;
/// println!("{sent} bytes to the server, {received} bytes from it");
/// # Ok(())
/// # }
/// ```
pub fn copy_bidirectional<A, B>(
    a: &mut A,
    b: &mut B,
) -> impl Future<Output = Result<(u64, u64)>> + Send
where
    A: ReadyStream + ?Sized,
    B: ReadyStream + ?Sized,
{
    let mut a = Waiting::new(a, Interest::READ_WRITE);
    let mut b = Waiting::new(b, Interest::READ_WRITE);
    let mut there = Direction::new();
    let mut back = Direction::new();
    poll_fn(move |cx| {
        // Both are polled before either outcome is looked at: each has to register its waits.
        let (a, b) = (&mut *a, &mut *b);
        let (sent, received) = (there.poll(cx, a, b)?, back.poll(cx, b, a)?);
        let (Poll::Ready(sent), Poll::Ready(received)) = (sent, received) else {
            return Poll::Pending;
        };
        Poll::Ready(Ok((sent, received)))
    })
}

/// How many pieces one direction copies before the other has its turn: a source that never waits
/// must not silence the other way, also where no budget applies.
const PIECES: usize = 64;

enum State {
    Copying,
    ShuttingDown,
    Done,
}

struct Direction {
    state: State,
    /// What was read; `buf[written..]` is in flight.
    buf: Vec<u8>,
    written: usize,
    copied: u64,
    is_flushed: bool,
}

impl Direction {
    fn new() -> Self {
        let (state, buf) = (State::Copying, Vec::new());
        Self { state, buf, written: 0, copied: 0, is_flushed: true }
    }

    fn poll<R, W>(&mut self, cx: &mut Context<'_>, from: &mut R, to: &mut W) -> Poll<Result<u64>>
    where
        R: ReadyRead + ?Sized,
        W: ReadyWrite + ?Sized,
    {
        for _ in 0..PIECES {
            match self.state {
                State::Copying => {
                    ready!(self.poll_write(cx, to))?;
                    if ready!(self.poll_read(cx, from, to))? == 0 {
                        self.state = State::ShuttingDown;
                    }
                }
                State::ShuttingDown => {
                    self.buf = Vec::new();
                    ready!(poll_finish(cx, to, W::non_blocking_shutdown))?;
                    self.state = State::Done;
                }
                State::Done => return Poll::Ready(Ok(self.copied)),
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Ready when nothing is in flight.
    fn poll_write<W: ReadyWrite + ?Sized>(
        &mut self,
        cx: &mut Context<'_>,
        to: &mut W,
    ) -> Poll<Result<()>> {
        while self.written < self.buf.len() {
            let rest = &self.buf[self.written..];
            let written = ready!(poll_loop(cx, |cx| {
                ready!(retry(to.poll_ready(cx, Interest::WRITE)))?;
                Poll::Ready(interrupted(to.non_blocking_write(rest)))
            }))?;
            if written == 0 {
                return Poll::Ready(Err(write_zero()));
            }
            assert!(written <= rest.len(), "the writer wrote more than it was given");
            self.written += written;
            self.copied += written as u64;
            self.is_flushed = false;
        }
        Poll::Ready(Ok(()))
    }

    /// Reads the next piece; while there is none, gives the buffer back and flushes.
    fn poll_read<R, W>(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut R,
        to: &mut W,
    ) -> Poll<Result<usize>>
    where
        R: ReadyRead + ?Sized,
        W: ReadyWrite + ?Sized,
    {
        self.buf.clear();
        self.written = 0;
        let buf = &mut self.buf;
        let read = poll_loop(cx, |cx| {
            ready!(retry(from.poll_ready(cx, Interest::READ)))?;
            buf.try_reserve_exact(IN_FLIGHT)?;
            let read = with_spare(buf, IN_FLIGHT, |cursor| from.non_blocking_read(cursor));
            Poll::Ready(interrupted(read))
        });
        if read.is_pending() {
            self.buf = Vec::new();
            if !self.is_flushed {
                ready!(poll_finish(cx, to, W::non_blocking_flush))?;
                self.is_flushed = true;
            }
            return Poll::Pending;
        }
        read.map_ok(|()| self.buf.len())
    }
}

/// Tries; waits for space only if that would block.
fn poll_finish<W: ReadyWrite + ?Sized>(
    cx: &mut Context<'_>,
    to: &mut W,
    op: fn(&mut W) -> Result<NonBlocking<()>>,
) -> Poll<Result<()>> {
    poll_loop(cx, |cx| {
        let outcome = interrupted(op(to))?;
        if outcome.is_would_block() {
            ready!(retry(to.poll_ready(cx, Interest::WRITE)))?;
        }
        Poll::Ready(Ok(outcome))
    })
}

/// An interrupted operation is tried again, as one that would block: the loop bounds how often.
fn interrupted<T>(outcome: Result<NonBlocking<T>>) -> Result<NonBlocking<T>> {
    match outcome {
        Err(error) if error.kind() == ErrorKind::Interrupted => Ok(NonBlocking::WouldBlock),
        outcome => outcome,
    }
}

/// An interrupted wait counts as a hint that may be wrong.
fn retry<T>(polled: Poll<Result<T>>) -> Poll<Result<()>> {
    match polled {
        Poll::Ready(Err(error)) if error.kind() == ErrorKind::Interrupted => Poll::Ready(Ok(())),
        polled => polled.map_ok(drop),
    }
}

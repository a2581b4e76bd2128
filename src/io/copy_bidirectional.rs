//! [`copy_bidirectional`]: what a proxy does.
//!
//! One poll drives two [`Direction`]s; each goes `Copying -> ShuttingDown -> Done`. A stream
//! is waited for READ by one direction and for WRITE by the other, which leaves do not confuse. A
//! direction holds a buffer only while bytes that were read are not yet written.

use std::fmt;
use std::future::poll_fn;
use std::io::{Error, ErrorKind, Result};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::buf::with_spare;
use super::copy::IN_FLIGHT;
use super::just_in_time::Scratch;
use super::when_ready::{Waiting, poll_loop};
use super::write::write_zero;
use super::{Interest, NonBlocking, ReadyRead, ReadyStream, ReadyWrite};

/// Copies from `a` to `b` and from `b` to `a` until both have ended; returns how many bytes went
/// from `a` to `b` and how many from `b` to `a`.
///
/// When one of them ends, the other is shut down after it got everything (half-close), and the
/// other direction goes on: for as long as its peer likes, unless a
/// [`half_close_deadline`](CopyBidirectional::half_close_deadline) is set. While it waits it holds
/// no buffer, and a writer whose source has nothing more for now is flushed.
///
/// What it returns is the future itself, and has a few settings. To learn how each direction ended,
/// await its [`outcomes`](CopyBidirectional::outcomes).
///
/// # Errors
///
/// The first of either stream, except `Interrupted`, which is retried; `WriteZero` if one takes
/// nothing any more; `TimedOut` at the deadline. Both directions stop then; drop the streams to let
/// their peers know.
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
/// use runtime::{io::copy_bidirectional, time::sleep};
/// use std::time::Duration;
///
/// let (sent, received) = copy_bidirectional(&mut client, &mut server)
///     .half_close_deadline(|| sleep(Duration::from_secs(30)))
///     .await?;
/// println!("{sent} bytes to the server, {received} bytes from it");
/// # Ok(())
/// # }
/// ```
pub fn copy_bidirectional<'a, A, B>(a: &'a mut A, b: &'a mut B) -> CopyBidirectional<'a, A, B>
where
    A: ReadyStream + ?Sized,
    B: ReadyStream + ?Sized,
{
    CopyBidirectional {
        a: Waiting::new(a, Interest::READ_WRITE),
        b: Waiting::new(b, Interest::READ_WRITE),
        there: Direction::new(),
        back: Direction::new(),
        deadline: Deadline::None,
    }
}

/// The future of [`copy_bidirectional`], with its settings.
#[must_use = "nothing is copied until it is awaited"]
pub struct CopyBidirectional<'a, A, B>
where
    A: ReadyStream + ?Sized,
    B: ReadyStream + ?Sized,
{
    a: Waiting<'a, A, Interest>,
    b: Waiting<'a, B, Interest>,
    there: Direction,
    back: Direction,
    deadline: Deadline<'a>,
}

/// A future that was given by the user; boxed, so that the type of the whole does not depend on it.
/// One that nobody needs costs nothing, and one that is set an allocation at half-close.
type Timer<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// `None` for ever, or `Set`, then at half-close `Running`.
enum Deadline<'a> {
    None,
    Set(Box<dyn FnOnce() -> Timer<'a> + Send + 'a>),
    Running(Timer<'a>),
}

impl Deadline<'_> {
    /// Starts it, if it is set and not running.
    fn start(&mut self) {
        if matches!(self, Deadline::Set(_))
            && let Deadline::Set(start) = std::mem::replace(self, Deadline::None)
        {
            *self = Deadline::Running(start());
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self {
            Deadline::Running(timer) => timer.as_mut().poll(cx),
            _ => Poll::Pending,
        }
    }
}

/// How one direction of a [`copy_bidirectional`] ended.
#[derive(Debug)]
#[non_exhaustive]
pub enum CopyOutcome {
    /// The reader has ended, everything was written, and the writer was shut down.
    Finished,
    /// The reader or the writer failed.
    Failed(Error),
    /// The other direction had finished, and the half-close deadline was over.
    TimedOut,
    /// The other direction failed, so this one was stopped.
    Stopped,
}

/// One direction of a [`copy_bidirectional`].
#[derive(Debug)]
#[non_exhaustive]
pub struct OneWay {
    /// How many bytes were written.
    pub bytes: u64,
    /// Why it ended.
    pub outcome: CopyOutcome,
}

/// Both directions of a [`copy_bidirectional`].
#[derive(Debug)]
#[non_exhaustive]
pub struct CopiedBothWays {
    /// From the first stream to the second.
    pub a_to_b: OneWay,
    /// From the second stream to the first.
    pub b_to_a: OneWay,
}

impl<'a, A, B> CopyBidirectional<'a, A, B>
where
    A: ReadyStream + ?Sized,
    B: ReadyStream + ?Sized,
{
    /// The most that is in flight, each way (16 KiB).
    ///
    /// # Panics
    ///
    /// If `bytes` is 0.
    #[track_caller]
    pub fn buffer_size(mut self, bytes: usize) -> Self {
        assert!(bytes > 0, "a copy needs a buffer of at least one byte");
        self.there.size = bytes;
        self.back.size = bytes;
        self
    }

    /// How long one direction may go on when the other has finished: `deadline` is called then,
    /// and the copy ends with the future that it returns.
    ///
    /// Without it a peer that neither sends nor closes keeps a half-closed connection for ever.
    pub fn half_close_deadline<D>(mut self, deadline: impl FnOnce() -> D + Send + 'a) -> Self
    where
        D: Future<Output = ()> + Send + 'a,
    {
        self.deadline = Deadline::Set(Box::new(move || Box::pin(deadline())));
        self
    }

    /// Copies, and says of each direction how many bytes it wrote and why it ended.
    ///
    /// # Cancel safety
    ///
    /// As [`copy_bidirectional`].
    ///
    /// ```
    /// # futures::executor::block_on(async {
    /// use runtime::io::{CopyOutcome, Write, copy_bidirectional, duplex};
    ///
    /// let (mut client, mut near) = duplex(64);
    /// let (mut far, mut server) = duplex(64);
    /// client.write_all(b"question").await?;
    /// client.shutdown().await?;
    /// let copied = copy_bidirectional(&mut near, &mut far)
    ///     .buffer_size(4096)
    ///     // The server never answers; here is a deadline that is over at once.
    ///     .half_close_deadline(|| async {})
    ///     .outcomes()
    ///     .await;
    /// assert_eq!(copied.a_to_b.bytes, 8);
    /// assert!(matches!(copied.a_to_b.outcome, CopyOutcome::Finished));
    /// assert!(matches!(copied.b_to_a.outcome, CopyOutcome::TimedOut));
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub fn outcomes(mut self) -> impl Future<Output = CopiedBothWays> + Send {
        poll_fn(move |cx| self.poll_outcomes(cx))
    }

    fn poll_outcomes(&mut self, cx: &mut Context<'_>) -> Poll<CopiedBothWays> {
        use CopyOutcome::{Failed, Finished, Stopped, TimedOut};
        let (a, b) = (&mut *self.a, &mut *self.b);
        // Both are polled before either outcome is looked at: each has to register its waits.
        let (there, back) = (self.there.poll(cx, a, b), self.back.poll(cx, b, a));
        let (there, back) = match (there, back) {
            (Poll::Ready(Err(one)), Poll::Ready(Err(other))) => (Failed(one), Failed(other)),
            (Poll::Ready(Err(error)), _) => (Failed(error), self.back.outcome_or(Stopped)),
            (_, Poll::Ready(Err(error))) => (self.there.outcome_or(Stopped), Failed(error)),
            (Poll::Ready(Ok(())), Poll::Ready(Ok(()))) => (Finished, Finished),
            (Poll::Pending, Poll::Pending) => return Poll::Pending,
            (Poll::Ready(Ok(())), Poll::Pending) | (Poll::Pending, Poll::Ready(Ok(()))) => {
                self.deadline.start();
                ready!(self.deadline.poll(cx));
                (self.there.outcome_or(TimedOut), self.back.outcome_or(TimedOut))
            }
        };
        Poll::Ready(CopiedBothWays {
            a_to_b: OneWay { bytes: self.there.copied, outcome: there },
            b_to_a: OneWay { bytes: self.back.copied, outcome: back },
        })
    }
}

impl<A, B> Future for CopyBidirectional<'_, A, B>
where
    A: ReadyStream + ?Sized,
    B: ReadyStream + ?Sized,
{
    type Output = Result<(u64, u64)>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        use CopyOutcome::{Failed, TimedOut};
        let CopiedBothWays { a_to_b, b_to_a } = ready!(self.poll_outcomes(cx));
        Poll::Ready(match (a_to_b.outcome, b_to_a.outcome) {
            (Failed(error), _) | (_, Failed(error)) => Err(error),
            (TimedOut, _) | (_, TimedOut) => Err(Error::new(
                ErrorKind::TimedOut,
                "one direction had finished, and the other did not within the deadline",
            )),
            _ => Ok((a_to_b.bytes, b_to_a.bytes)),
        })
    }
}

impl<A, B> fmt::Debug for CopyBidirectional<'_, A, B>
where
    A: ReadyStream + ?Sized,
    B: ReadyStream + ?Sized,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CopyBidirectional")
            .field("a_to_b", &self.there.copied)
            .field("b_to_a", &self.back.copied)
            .finish_non_exhaustive()
    }
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
    /// What was read; what is behind `written` is in flight.
    buf: Scratch,
    /// The most that is in flight.
    size: usize,
    written: usize,
    copied: u64,
    is_flushed: bool,
}

impl Direction {
    fn new() -> Self {
        let (state, buf) = (State::Copying, Scratch::none());
        Self { state, buf, size: IN_FLIGHT, written: 0, copied: 0, is_flushed: true }
    }

    /// `otherwise`, unless it has finished.
    fn outcome_or(&self, otherwise: CopyOutcome) -> CopyOutcome {
        if matches!(self.state, State::Done) { CopyOutcome::Finished } else { otherwise }
    }

    fn poll<R, W>(&mut self, cx: &mut Context<'_>, from: &mut R, to: &mut W) -> Poll<Result<()>>
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
                    self.buf.release();
                    ready!(poll_finish(cx, to, W::non_blocking_shutdown))?;
                    self.state = State::Done;
                }
                State::Done => return Poll::Ready(Ok(())),
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
        while self.written < self.buf.bytes().len() {
            let rest = &self.buf.bytes()[self.written..];
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
        self.written = 0;
        let (buf, size) = (&mut self.buf, self.size);
        buf.clear();
        let read = poll_loop(cx, |cx| {
            ready!(retry(from.poll_ready(cx, Interest::READ)))?;
            let read = with_spare(buf.take(size)?, size, |cursor| from.non_blocking_read(cursor));
            Poll::Ready(interrupted(read))
        });
        if read.is_pending() {
            self.buf.release();
            if !self.is_flushed {
                ready!(poll_finish(cx, to, W::non_blocking_flush))?;
                self.is_flushed = true;
            }
            return Poll::Pending;
        }
        read.map_ok(|()| self.buf.bytes().len())
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

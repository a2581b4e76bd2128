//! `Buffered`: a stream that is polled, as a stream that works by readiness.
//!
//! A foreign stream cannot say that it is ready, it can only be asked to read or write. So asking for
//! readiness *does* the reading, into a block of memory from which `non_blocking_read` then takes; a
//! block is taken for the call and given back if nothing came, so one that waits holds none.
//!
//! The other way round, `non_blocking_write` first tries the foreign stream. What it does not take now
//! is kept in a block, up to the capacity, and counts as written; the next wait for whatever
//! interest, write, flush or shutdown passes it on. As with any buffered writer, who ends without
//! a flush may lose it.
//!
//! Wakers: the one that waits for each direction is kept while it waits, because an operation of ours
//! has no context to poll with. It polls with the writer's, else with the reader's, so that it never
//! takes the foreign stream's waker away from one who waits for nothing in its place.

use std::cell::Cell;
use std::fmt;
use std::io::{Error, ErrorKind, Result};
use std::mem::take;
use std::task::{Context, Poll, Waker, ready};

use super::BLOCK;
use crate::coop;
use crate::io_core::{
    BorrowedBuf, BorrowedCursor, Interest, NonBlocking, Readiness, Ready, ReadyBufRead, ReadyRead,
    ReadyWrite, believe, leaf_io,
};

/// What all the foreign traits have in common.
pub(super) trait PollStream: Send {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<Result<usize>>;
    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<Result<usize>>;
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>>;
    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>>;
}

pub(super) struct Buffered<P> {
    pub(super) io: P,
    read: Block,
    is_at_end: bool,
    read_error: Option<Error>,
    /// What counts as written and is not.
    write: Block,
    /// The most that may be in there.
    capacity: usize,
    write_error: Option<Error>,
    task: Task,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

/// What a wait for writing waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Task {
    Room,
    Flush,
    Shutdown,
    /// The write side has been shut down.
    Nothing,
}

impl<P: PollStream> Buffered<P> {
    pub(super) fn new(io: P) -> Self {
        Self::with_capacity(BLOCK, io)
    }

    #[track_caller]
    pub(super) fn with_capacity(capacity: usize, io: P) -> Self {
        assert!(capacity > 0, "a foreign stream needs a buffer to write from");
        Self {
            io,
            read: Block::default(),
            is_at_end: false,
            read_error: None,
            write: Block::default(),
            capacity: capacity.min(BLOCK),
            write_error: None,
            task: Task::Room,
            reader: None,
            writer: None,
        }
    }

    fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.read.is_empty() || self.is_at_end || self.read_error.is_some() {
            return Poll::Ready(());
        }
        match ready!(self.read.poll_fill(|memory| self.io.poll_read(cx, memory))) {
            Ok(read) => self.is_at_end = read == 0,
            Err(error) => self.read_error = Some(error),
        }
        Poll::Ready(())
    }

    /// Goes on with whatever the write side has begun. An error is kept for the next operation.
    fn poll_writable(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.write_error.is_none()
            && let Err(error) = ready!(self.poll_task(cx))
        {
            self.write = Block::default();
            self.write_error = Some(error);
        }
        Poll::Ready(())
    }

    fn poll_task(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        while !self.write.is_empty() {
            match ready!(self.io.poll_write(cx, self.write.bytes()))? {
                0 => return Poll::Ready(Err(ErrorKind::WriteZero.into())),
                written => self.write.consume(believe(written, self.write.bytes().len())),
            }
        }
        match self.task {
            Task::Room | Task::Nothing => Poll::Ready(Ok(())),
            Task::Flush => self.io.poll_flush(cx),
            Task::Shutdown => self.io.poll_shutdown(cx),
        }
    }

    /// Does `task` as far as that is possible now.
    fn go_on(&mut self, task: Task) -> Result<NonBlocking<()>> {
        if let Some(error) = self.write_error.take() {
            coop::charge(0);
            return Err(error);
        }
        self.task = task;
        match self.with_waker(Self::poll_task) {
            Poll::Pending => Ok(NonBlocking::WouldBlock),
            Poll::Ready(Ok(())) => Ok(NonBlocking::Ready(())),
            Poll::Ready(Err(error)) => {
                self.write = Block::default();
                Err(error)
            }
        }
    }

    /// Polls on behalf of whoever waits.
    fn with_waker<T>(&mut self, poll: impl FnOnce(&mut Self, &mut Context<'_>) -> T) -> T {
        let waker = self.writer.as_ref().or(self.reader.as_ref()).cloned();
        poll(self, &mut Context::from_waker(waker.as_ref().unwrap_or(Waker::noop())))
    }
}

impl<P: PollStream> Ready for Buffered<P> {
    fn poll_ready(&mut self, cx: &mut Context<'_>, interest: Interest) -> Poll<Result<Readiness>> {
        ready!(coop::gate(cx));
        if !interest.is_within(Interest::READ_WRITE) {
            coop::charge(0);
            let text = "a stream of another crate says nothing of urgent data";
            return Poll::Ready(Err(Error::new(ErrorKind::InvalidInput, text)));
        }
        let mut readiness = Readiness::EMPTY;
        if interest.is_writable() {
            if self.poll_writable(cx).is_ready() {
                readiness |= Readiness::WRITE;
                self.writer = None;
            } else {
                keep(&mut self.writer, cx.waker());
            }
        } else if self.writer.is_none() && !self.write.is_empty() {
            // Nobody waits for this, but somebody may have written it and gone on to read the answer.
            let _ = self.poll_writable(cx);
        }
        if interest.is_readable() {
            if self.poll_readable(cx).is_ready() {
                readiness |= Readiness::READ;
                self.reader = None;
            } else {
                keep(&mut self.reader, cx.waker());
            }
        }
        if self.is_at_end && self.read.is_empty() {
            readiness |= Readiness::HUP;
        }
        if readiness.intersects(Readiness::from(interest)) {
            return Poll::Ready(Ok(readiness));
        }
        Poll::Pending
    }

    fn stop_waiting(&mut self, interest: Interest) {
        if interest.is_readable() {
            self.reader = None;
        }
        if interest.is_writable() {
            self.writer = None;
        }
    }
}

impl<P: PollStream> ReadyRead for Buffered<P> {
    fn non_blocking_read(&mut self, mut buf: BorrowedCursor<'_>) -> Result<NonBlocking<()>> {
        if self.read.is_empty() && !self.is_at_end && self.read_error.is_none() {
            return Ok(NonBlocking::WouldBlock);
        }
        let read = buf.append_some(self.read.bytes());
        self.read.consume(read);
        coop::charge(read);
        // Is there only while nothing is buffered.
        self.read_error.take().map_or(Ok(NonBlocking::Ready(())), Err)
    }
}

impl<P: PollStream> ReadyWrite for Buffered<P> {
    fn non_blocking_write(&mut self, buf: &[u8]) -> Result<NonBlocking<usize>> {
        if matches!(self.task, Task::Shutdown | Task::Nothing) {
            coop::charge(0);
            return Err(ErrorKind::BrokenPipe.into());
        }
        if self.go_on(Task::Room)?.is_would_block() {
            return Ok(NonBlocking::WouldBlock);
        }
        // Never offers more than what would be kept and offered again: some streams insist on that.
        let buf = &buf[..buf.len().min(BLOCK)];
        let written = match self.with_waker(|this, cx| this.io.poll_write(cx, buf)) {
            Poll::Ready(written) => believe(written?, buf.len()),
            Poll::Pending => self.write.append(buf, self.capacity),
        };
        coop::charge(written);
        Ok(NonBlocking::Ready(written))
    }

    fn non_blocking_flush(&mut self) -> Result<NonBlocking<()>> {
        let task = if self.task == Task::Nothing { Task::Nothing } else { Task::Flush };
        self.go_on(task)
    }

    fn non_blocking_shutdown(&mut self) -> Result<NonBlocking<()>> {
        if self.task == Task::Nothing {
            coop::charge(0);
            return Ok(NonBlocking::Ready(()));
        }
        let outcome = self.go_on(Task::Shutdown)?;
        if outcome.is_ready() {
            self.task = Task::Nothing;
        }
        Ok(outcome)
    }
}

impl<P: PollStream> ReadyBufRead for Buffered<P> {
    fn non_blocking_fill(&mut self) -> Result<NonBlocking<()>> {
        let mut nothing = BorrowedBuf::from(&mut [][..] as &mut [u8]);
        self.non_blocking_read(nothing.unfilled())
    }

    fn buffer(&self) -> &[u8] {
        self.read.bytes()
    }

    fn consume_buffer(&mut self, n: usize) {
        assert!(n <= self.read.bytes().len(), "more bytes were consumed than are buffered");
        self.read.consume(n);
    }
}

leaf_io!(impl [P: PollStream] Stream for Buffered<P>);
leaf_io!(impl [P: PollStream] BufRead for Buffered<P>);

impl<P: fmt::Debug> fmt::Debug for Buffered<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Buffered")
            .field("stream", &self.io)
            .field("read", &self.read.bytes().len())
            .field("unwritten", &self.write.bytes().len())
            .finish_non_exhaustive()
    }
}

fn keep(slot: &mut Option<Waker>, waker: &Waker) {
    match slot {
        Some(kept) => kept.clone_from(waker),
        None => *slot = Some(waker.clone()),
    }
}

std::thread_local! {
    /// One block that has served, for the next who needs one.
    static SPARE: Cell<Option<Box<[u8]>>> = const { Cell::new(None) };
}

/// Bytes on their way, in memory that is there only while they are. It is initialized once, when it is
/// allocated.
#[derive(Default)]
struct Block {
    memory: Box<[u8]>,
    start: usize,
    end: usize,
}

impl Block {
    fn is_empty(&self) -> bool {
        self.start == self.end
    }

    fn bytes(&self) -> &[u8] {
        &self.memory[self.start..self.end]
    }

    /// Takes so many from the front.
    fn consume(&mut self, count: usize) {
        self.start += count;
        if self.is_empty() {
            self.release();
        }
    }

    /// Keeps the front of `bytes`; the block is empty.
    fn append(&mut self, bytes: &[u8], most: usize) -> usize {
        let count = bytes.len().min(most);
        if count > 0 {
            self.acquire();
            self.memory[..count].copy_from_slice(&bytes[..count]);
            self.end = count;
        }
        count
    }

    /// Lets `read` fill the block, which is empty.
    fn poll_fill(
        &mut self,
        read: impl FnOnce(&mut [u8]) -> Poll<Result<usize>>,
    ) -> Poll<Result<usize>> {
        self.acquire();
        let outcome = read(&mut self.memory);
        if let Poll::Ready(Ok(count)) = &outcome {
            self.end = believe(*count, self.memory.len());
        }
        if self.is_empty() {
            self.release();
        }
        outcome
    }

    fn acquire(&mut self) {
        if self.memory.is_empty() {
            let spare = SPARE.try_with(Cell::take).ok().flatten();
            self.memory = spare.unwrap_or_else(|| vec![0; BLOCK].into());
        }
    }

    fn release(&mut self) {
        (self.start, self.end) = (0, 0);
        let memory = take(&mut self.memory);
        if !memory.is_empty() {
            // In destructors of thread-locals it is freed.
            let _ = SPARE.try_with(|spare| spare.set(Some(memory)));
        }
    }
}

/// The public type around a [`Buffered`]; the feature's file has the [`PollStream`] of `Side`.
macro_rules! foreign_stream {
    ($Name:ident, [$($bounds:tt)*], $theirs:literal) => {
        #[doc = concat!("A stream with ", $theirs, "'s traits as one of ours: it can be proxied, boxed and split as any")]
        /// [`ReadyStream`](crate::io::ReadyStream).
        ///
        /// What the stream does not take at once is kept here and counts as written: flush or shut down
        /// before you drop it, as with any buffered writer. What was read is shown in place, by
        /// [`BufRead`](crate::io::BufRead). While it waits, it holds no buffer.
        #[derive(Debug)]
        pub struct $Name<S>($crate::compat::foreign::Buffered<Side<S>>);

        impl<S: $($bounds)*> $Name<S> {
            /// Wraps a stream; up to 16 KiB of what is written may be kept.
            pub fn new(stream: S) -> Self {
                Self($crate::compat::foreign::Buffered::new(Side(stream)))
            }

            /// Wraps a stream, of which at most `capacity` bytes (and never more than 16 KiB) are kept
            /// when they are written.
            ///
            /// # Panics
            ///
            /// If `capacity` is 0.
            #[track_caller]
            pub fn with_capacity(capacity: usize, stream: S) -> Self {
                Self($crate::compat::foreign::Buffered::with_capacity(capacity, Side(stream)))
            }

            /// The stream. What is kept here has not passed through it.
            pub fn get_ref(&self) -> &S {
                &self.0.io.0
            }

            /// The stream. Reading or writing it directly gets ahead of what is kept here.
            pub fn get_mut(&mut self) -> &mut S {
                &mut self.0.io.0
            }

            /// Takes the stream out and drops what is kept here.
            pub fn into_inner(self) -> S {
                self.0.io.0
            }
        }

        #[derive(Debug)]
        struct Side<S>(S);

        $crate::io_core::forward_io!(
            impl [S: $($bounds)*] Ready, Read, Write, ReadyRead, ReadyWrite, BufRead, ReadyBufRead,
                OwnedRead, OwnedWrite for $Name<S> => 0
        );
    };
}
pub(super) use foreign_stream;

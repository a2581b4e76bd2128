//! The table of `runtime::io`'s section on cancel safety, held: every method is dropped at every one
//! of its polls, against a stream that is pending, short and interrupted by a script, and what was
//! read or written is compared with what should have been.
//!
//! The harness: an operation is a closure that starts a future on the state, the state being the
//! stream and what the user keeps between two calls. It is polled `polls` times and dropped, then
//! started anew, until the stream is through; for every number of polls. "Nothing is lost" means that
//! the bytes that have come together are those of the script, whatever was dropped. Where the table
//! names a loss, that and nothing else is lost: `in_flight.rs`. Positions, pipes and sockets have their
//! own ways of losing: `elsewhere.rs`.

mod elsewhere;
mod in_flight;

use runtime::io::{
    BorrowedBuf, BorrowedCursor, BorrowedSliceCursor, BufRead, BufReader, BufWriter, DynRead,
    DynWrite, Interest, NonBlocking, OwnedBuf, OwnedRead, OwnedWrite, Read, Readiness, Ready,
    ReadyRead, ReadyWrite, Write, copy_buf, leaf_io, read_with, split,
};
use std::io::{ErrorKind, IoSlice, IoSliceMut, Result};
use std::mem::replace;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

/// Some five hundred bytes of lines.
fn text() -> Vec<u8> {
    (0..60).flat_map(|n| format!("line {n:03}\n").into_bytes()).collect()
}

/// A stream that gives and takes in small pieces of changing sizes and says "not yet" before each.
struct Halting {
    input: Vec<u8>,
    at: usize,
    output: Vec<u8>,
    calls: usize,
    /// Operations use this up, and find that they would block without it.
    is_ready: [bool; 2],
    has_halted: [bool; 2],
    interrupts: bool,
    is_shut_down: bool,
}

fn halting(input: Vec<u8>) -> Halting {
    Halting {
        input,
        at: 0,
        output: Vec::new(),
        calls: 0,
        is_ready: [false; 2],
        has_halted: [false; 2],
        interrupts: false,
        is_shut_down: false,
    }
}

impl Halting {
    /// How much it moves this time; `None` is an interruption.
    fn piece(&mut self) -> Option<usize> {
        self.calls += 1;
        let interrupted = self.interrupts && self.calls.is_multiple_of(5);
        (!interrupted).then_some(1 + self.calls * 7 % 13)
    }
}

impl Ready for Halting {
    fn poll_ready(&mut self, _: &mut Context<'_>, interest: Interest) -> Poll<Result<Readiness>> {
        let direction = usize::from(interest.is_writable());
        self.has_halted[direction] ^= true;
        if self.has_halted[direction] {
            return Poll::Pending;
        }
        self.is_ready[direction] = true;
        Poll::Ready(Ok(interest.into()))
    }
}

impl ReadyRead for Halting {
    fn non_blocking_read(&mut self, mut buf: BorrowedCursor<'_>) -> Result<NonBlocking<()>> {
        if !replace(&mut self.is_ready[0], false) {
            return Ok(NonBlocking::WouldBlock);
        }
        let Some(piece) = self.piece() else { return Err(ErrorKind::Interrupted.into()) };
        let left = &self.input[self.at..];
        self.at += buf.append_some(&left[..piece.min(left.len())]);
        Ok(NonBlocking::Ready(()))
    }
}

impl ReadyWrite for Halting {
    fn non_blocking_write(&mut self, buf: &[u8]) -> Result<NonBlocking<usize>> {
        if !replace(&mut self.is_ready[1], false) {
            return Ok(NonBlocking::WouldBlock);
        }
        let Some(piece) = self.piece() else { return Err(ErrorKind::Interrupted.into()) };
        let n = piece.min(buf.len());
        self.output.extend_from_slice(&buf[..n]);
        Ok(NonBlocking::Ready(n))
    }

    fn non_blocking_shutdown(&mut self) -> Result<NonBlocking<()>> {
        self.is_shut_down = true;
        Ok(NonBlocking::Ready(()))
    }
}

leaf_io!(impl Stream for Halting);

/// Hides the readiness form: the methods that were written for any reader are run.
struct Plain(Halting);

impl Read for Plain {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize> {
        self.0.read(buf).await
    }
}

/// Hides everything but a trait object whose calls box their futures.
struct Erased(Halting);

impl Write for Erased {
    async fn write(&mut self, buf: &[u8]) -> Result<usize> {
        Write::write(&mut (&mut self.0 as &mut dyn DynWrite), buf).await
    }

    async fn flush(&mut self) -> Result<()> {
        Write::flush(&mut (&mut self.0 as &mut dyn DynWrite)).await
    }

    async fn shutdown(&mut self) -> Result<()> {
        Write::shutdown(&mut (&mut self.0 as &mut dyn DynWrite)).await
    }
}

/// Polls at most so often, then drops the future.
fn poll_and_drop<T>(polls: usize, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 0..polls {
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return Some(output);
        }
    }
    None
}

/// Runs `step` again and again, each time with a future that is dropped after `polls` polls, until
/// it says that it is done; for every number of polls up to more than any step takes.
fn at_every_poll<S>(
    start: impl Fn() -> S,
    mut step: impl AsyncFnMut(&mut S) -> bool,
    check: impl Fn(S, usize),
) {
    for polls in (1..12).chain([100_000]) {
        let mut state = start();
        let mut steps = 0;
        while !poll_and_drop(polls, step(&mut state)).unwrap_or(false) {
            steps += 1;
            assert!(steps < 100_000, "it gets nowhere with {polls} polls");
        }
        check(state, polls);
    }
}

/// A reader and what was read.
type Reading<R> = (R, Vec<u8>);

/// Holds a way of reading to "nothing is lost". The way says whether the stream has ended.
fn reads_lose_nothing<R>(
    make: impl Fn(Halting) -> R,
    step: impl AsyncFnMut(&mut Reading<R>) -> bool,
) {
    at_every_poll(
        || (make(halting(text())), Vec::new()),
        step,
        |(_, read), polls| assert!(read == text(), "{polls} polls: {} bytes", read.len()),
    );
}

/// Each of the single reads, over any reader.
fn single_reads_lose_nothing<R: Read>(make: impl Fn(Halting) -> R + Copy) {
    reads_lose_nothing(make, async |(reader, read)| {
        let mut buf = [0; 7];
        let n = reader.read(&mut buf).await.unwrap();
        read.extend_from_slice(&buf[..n]);
        n == 0
    });
    reads_lose_nothing(make, async |(reader, read)| {
        let (mut one, mut two) = ([0; 2], [0; 3]);
        let mut bufs = [IoSliceMut::new(&mut one), IoSliceMut::new(&mut two)];
        let n = reader.read_vectored(&mut bufs).await.unwrap();
        read.extend_from_slice(&[&one[..], &two].concat()[..n]);
        n == 0
    });
    reads_lose_nothing(make, async |(reader, read)| {
        let mut memory = [0; 9];
        let mut buf = BorrowedBuf::from(&mut memory[..]);
        reader.read_buf(buf.unfilled()).await.unwrap();
        read.extend_from_slice(buf.filled());
        buf.is_empty()
    });
    reads_lose_nothing(make, async |(reader, read)| {
        let (mut one, mut two) = ([0; 2], [0; 3]);
        let (mut one, mut two) = (BorrowedBuf::from(&mut one[..]), BorrowedBuf::from(&mut two[..]));
        let mut cursors = [one.unfilled(), two.unfilled()];
        let n = reader.read_buf_vectored(BorrowedSliceCursor::new(&mut cursors)).await.unwrap();
        read.extend_from_slice(&[one.filled(), two.filled()].concat());
        n == 0
    });
    reads_lose_nothing(make, async |(reader, read)| reader.read_into(read).await.unwrap() == 0);
    reads_lose_nothing(make, async |(reader, read)| {
        read_with(reader, |bytes| {
            read.extend_from_slice(bytes);
            bytes.is_empty()
        })
        .await
        .unwrap()
    });
    reads_lose_nothing(make, async |(reader, read)| {
        reader.read_to_end(read).await.unwrap();
        true
    });
}

#[test]
fn single_reads_and_read_to_end_of_every_adapter() {
    single_reads_lose_nothing(|stream| stream);
    single_reads_lose_nothing(Plain);
    single_reads_lose_nothing(|stream| stream.take(u64::MAX));
    single_reads_lose_nothing(|stream| Read::chain(&b""[..], stream));
    single_reads_lose_nothing(|mut stream| {
        let rest = stream.input.split_off(77);
        Read::chain(stream, halting(rest))
    });
    single_reads_lose_nothing(BufReader::new);
    single_reads_lose_nothing(|stream| BufReader::with_capacity(5, stream));
    single_reads_lose_nothing(|stream| BufReader::with_capacity(5, Plain(stream)));
    single_reads_lose_nothing(BufWriter::new);
    single_reads_lose_nothing(|stream| split(stream).0);
    single_reads_lose_nothing(|stream| Box::new(stream) as Box<dyn ReadyRead>);
    single_reads_lose_nothing(|stream| Box::new(stream) as Box<dyn DynRead>);
    single_reads_lose_nothing(|stream| Box::new(Plain(stream)) as Box<dyn DynRead>);
}

#[test]
fn a_wait_takes_nothing() {
    reads_lose_nothing(
        |stream| stream,
        async |(reader, read)| {
            reader.ready(Interest::READ).await.unwrap();
            let mut memory = [0; 9];
            let mut buf = BorrowedBuf::from(&mut memory[..]);
            let outcome = reader.non_blocking_read(buf.unfilled()).unwrap();
            read.extend_from_slice(buf.filled());
            outcome.is_ready() && buf.is_empty()
        },
    );
}

#[test]
fn read_buf_exact_keeps_count() {
    reads_lose_nothing(
        |stream| stream,
        async |(reader, read)| {
            // The buffer is the user's and survives the future.
            let mut memory = vec![0; text().len()];
            memory[..read.len()].copy_from_slice(read);
            let len = read.len();
            let mut buf = BorrowedBuf::from(&mut memory[..]);
            buf.unfilled().advance_checked(len);
            let mut keep = Keep(read, buf);
            keep.1.capacity();
            let outcome = reader.read_buf_exact(keep.1.unfilled()).await;
            outcome.is_ok()
        },
    );

    /// Takes note of what is filled, also when the future is dropped.
    struct Keep<'a>(&'a mut Vec<u8>, BorrowedBuf<'a>);

    impl Drop for Keep<'_> {
        fn drop(&mut self) {
            let known = self.0.len();
            self.0.extend_from_slice(&self.1.filled()[known..]);
        }
    }
}

#[test]
fn what_a_buffered_reader_offers() {
    let make = |stream| BufReader::with_capacity(6, stream);
    reads_lose_nothing(make, async |(reader, read)| {
        if !reader.has_data_left().await.unwrap() {
            return true;
        }
        let shown = reader.fill_buf().await.unwrap();
        let n = shown.len().min(4);
        read.extend_from_slice(&shown[..n]);
        reader.consume(n);
        false
    });
    reads_lose_nothing(make, async |(reader, read)| {
        reader.read_until(b'\n', read).await.unwrap() == 0 && read.len() == 540
    });
    reads_lose_nothing(
        |stream| make(stream).lines().limit(20),
        async |(lines, read)| match lines.next_line().await.unwrap() {
            None => true,
            Some(line) => {
                read.extend_from_slice(line.as_bytes());
                read.push(b'\n');
                false
            }
        },
    );
    reads_lose_nothing(
        |stream| make(stream).segments(b'\n'),
        async |(pieces, read)| match pieces.next_segment().await.unwrap() {
            None => true,
            Some(piece) => {
                read.extend(piece);
                read.push(b'\n');
                false
            }
        },
    );
    reads_lose_nothing(
        |stream| make(stream).bytes(),
        async |(bytes, read)| match bytes.next().await.unwrap() {
            None => true,
            Some(byte) => {
                read.push(byte);
                false
            }
        },
    );
    // Only whole writes are taken out of the reader.
    reads_lose_nothing(make, async |(reader, read)| copy_buf(reader, read).await.is_ok());
}

/// A writer and how much of the text it has taken.
type Writing<W> = (W, usize);

fn writes_lose_nothing<W: Write>(make: impl Fn(Halting) -> W, output: impl Fn(&W) -> &Halting) {
    let text = &text();
    at_every_poll(
        || (make(halting(Vec::new())), 0),
        async |(writer, taken): &mut Writing<W>| {
            let rest = &text[*taken..];
            if rest.is_empty() {
                writer.flush().await.unwrap();
                writer.shutdown().await.unwrap();
                return true;
            }
            let piece = &rest[..rest.len().min(1 + *taken % 11)];
            *taken += if taken.is_multiple_of(2) {
                writer.write(piece).await.unwrap()
            } else {
                let (head, tail) = piece.split_at(piece.len() / 2);
                writer.write_vectored(&[IoSlice::new(head), IoSlice::new(tail)]).await.unwrap()
            };
            if taken.is_multiple_of(3) {
                writer.flush().await.unwrap();
            }
            false
        },
        |(writer, _), polls| {
            let stream = output(&writer);
            assert!(stream.output == *text, "{polls} polls: {} bytes", stream.output.len());
            assert!(stream.is_shut_down);
        },
    );
}

#[test]
fn writes_flushes_and_shutdowns_of_every_adapter() {
    writes_lose_nothing(|stream| stream, |stream| stream);
    writes_lose_nothing(Erased, |writer| &writer.0);
    writes_lose_nothing(BufReader::new, BufReader::get_ref);
    writes_lose_nothing(BufWriter::new, BufWriter::get_ref);
    writes_lose_nothing(|stream| BufWriter::with_capacity(5, stream), BufWriter::get_ref);
    writes_lose_nothing(|stream| BufWriter::with_capacity(1, stream), BufWriter::get_ref);
    writes_lose_nothing(
        |stream| runtime::io::join(&b""[..], BufWriter::with_capacity(64, stream)),
        |joined| joined.get_ref().1.get_ref(),
    );
}

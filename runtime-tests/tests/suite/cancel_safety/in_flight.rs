//! What the table names as lost: it is lost with the future that is dropped, and nothing else is.
//!
//! A method that loses what it has read may have taken no more than it was asked for, and what a later
//! call returns begins exactly behind it. One that loses the count of what it has written has written a
//! beginning of it, once. An owned buffer is lost with the future, so a loop on one loses what is in it.

use super::*;
use runtime::io::{
    Chain, CopyOutcome, DynOwnedRead, DynOwnedWrite, Take, copy, copy_bidirectional,
};

/// A reader and how many bytes of its stream were taken out of it.
trait Taken: Send {
    fn taken(&self) -> usize;
}

impl Taken for Halting {
    fn taken(&self) -> usize {
        self.at
    }
}

impl Taken for Plain {
    fn taken(&self) -> usize {
        self.0.at
    }
}

impl<R: Taken> Taken for BufReader<R> {
    fn taken(&self) -> usize {
        self.get_ref().taken() - self.buffer().len()
    }
}

impl<R: Taken> Taken for Take<R> {
    fn taken(&self) -> usize {
        self.get_ref().taken()
    }
}

impl<R: Taken> Taken for Chain<&[u8], R> {
    fn taken(&self) -> usize {
        self.get_ref().1.taken()
    }
}

/// Holds a method to losing only what the dropped call itself had taken, at most `most` bytes.
fn loses_what_it_took<R: Taken>(
    make: impl Fn(Halting) -> R,
    most: usize,
    mut method: impl AsyncFnMut(&mut R) -> Vec<u8>,
) {
    let text = text();
    for polls in (1..12).chain([100_000]) {
        let mut reader = make(halting(text.clone()));
        for step in 0.. {
            assert!(step < 100_000, "it gets nowhere with {polls} polls");
            let from = reader.taken();
            let outcome = poll_and_drop(polls, method(&mut reader));
            let taken = &text[from..reader.taken()];
            match &outcome {
                Some(bytes) => assert!(bytes == taken, "{polls} polls: {} bytes", bytes.len()),
                None => assert!(taken.len() <= most, "{polls} polls: {} bytes", taken.len()),
            }
            if reader.taken() == text.len() && outcome.is_some() {
                break;
            }
        }
    }
}

#[test]
fn loops_of_reads_lose_what_they_took() {
    fn of<R: Read + Taken>(make: impl Fn(Halting) -> R + Copy) {
        loses_what_it_took(make, 20, async |reader| {
            // At the end it fails, and the buffer does not say how much it has.
            let (mut buf, before) = ([0; 20], reader.taken());
            match reader.read_exact(&mut buf).await {
                Ok(()) => buf.to_vec(),
                Err(_) => buf[..reader.taken() - before].to_vec(),
            }
        });
        loses_what_it_took(make, 540, async |reader| {
            let mut text = String::from("as it was");
            reader.read_to_string(&mut text).await.unwrap();
            text.split_off(9).into_bytes()
        });
    }
    of(|stream| stream);
    of(Plain);
    of(|stream| stream.take(540));
    of(|stream| Read::chain(&b""[..], stream));
    of(|stream| BufReader::with_capacity(5, stream));
    loses_what_it_took(
        |stream| BufReader::with_capacity(5, stream),
        9,
        async |reader| {
            let mut line = String::new();
            reader.read_line(&mut line).await.unwrap();
            line.into_bytes()
        },
    );
}

/// Types that work by readiness lose the buffer and nothing else.
#[test]
fn single_operations_on_owned_buffers() {
    fn reads<R: OwnedRead>(make: impl Fn(Halting) -> R) {
        reads_lose_nothing(make, async |(reader, read)| {
            let (buf, outcome) = reader.read_owned(OwnedBuf::with_capacity(7)).await;
            outcome.unwrap();
            read.extend_from_slice(buf.filled());
            buf.is_empty()
        });
    }
    reads(|stream| stream);
    reads(|stream| stream.take(u64::MAX));
    reads(|stream| Read::chain(&b""[..], stream));
    reads(BufReader::new);
    reads(|stream| BufReader::with_capacity(5, stream));
    reads(BufWriter::new);
    reads(|stream| split(stream).0);
    reads(|stream| Box::new(stream) as Box<dyn ReadyRead>);
    reads(|stream| Box::new(stream) as Box<dyn DynOwnedRead>);

    fn writes<W: OwnedWrite>(make: impl Fn(Halting) -> W, output: impl Fn(&W) -> &Halting) {
        at_every_poll(
            || (make(halting(Vec::new())), 0),
            async |(writer, taken): &mut Writing<W>| {
                let text = text();
                let rest = &text[*taken..];
                if rest.is_empty() {
                    writer.flush().await.unwrap();
                    return true;
                }
                let piece = rest[..rest.len().min(30)].to_vec();
                let (buf, outcome) = writer.write_owned(OwnedBuf::from(piece)).await;
                assert!(rest.starts_with(buf.filled()), "it comes back as it was");
                *taken += outcome.unwrap();
                false
            },
            |(writer, _), polls| assert!(output(&writer).output == text(), "{polls} polls"),
        );
    }
    writes(|stream| stream, |stream| stream);
    writes(BufReader::new, BufReader::get_ref);
    writes(BufWriter::new, BufWriter::get_ref);
    writes(|stream| BufWriter::with_capacity(5, stream), BufWriter::get_ref);
    writes(|stream| runtime::io::join(&b""[..], stream), |joined| joined.get_ref().1);
    writes(ErasedOwned, |writer| &writer.0);
}

/// Hides everything but a trait object whose calls box their futures.
struct ErasedOwned(Halting);

runtime::io::forward_io!(impl Write for ErasedOwned => 0);

impl OwnedWrite for ErasedOwned {
    async fn write_owned(&mut self, buf: OwnedBuf) -> (OwnedBuf, Result<usize>) {
        OwnedWrite::write_owned(&mut (&mut self.0 as &mut dyn DynOwnedWrite), buf).await
    }
}

#[test]
fn loops_on_owned_buffers_lose_what_is_in_them() {
    fn of<R: OwnedRead + Taken>(make: impl Fn(Halting) -> R + Copy) {
        loses_what_it_took(make, 20, async |reader| {
            let (buf, _) = reader.read_exact_owned(OwnedBuf::with_capacity(20)).await;
            buf.filled().to_vec()
        });
        loses_what_it_took(make, 540, async |reader| {
            let (mut all, outcome) = reader.read_to_end_owned(b"as it was".to_vec()).await;
            let read = all.split_off(9);
            assert_eq!((outcome.unwrap(), &all[..]), (read.len(), &b"as it was"[..]));
            read
        });
    }
    of(|stream| stream);
    of(|stream| stream.take(540));
    of(|stream| Read::chain(&b""[..], stream));
    of(|stream| BufReader::with_capacity(5, stream));
}

/// A writer and what it has taken, passed on or not.
trait Given: Write {
    fn given(&self) -> Vec<u8>;
}

impl Given for Halting {
    fn given(&self) -> Vec<u8> {
        self.output.clone()
    }
}

impl<W: Given> Given for BufWriter<W> {
    fn given(&self) -> Vec<u8> {
        [self.get_ref().given(), self.buffer().to_vec()].concat()
    }
}

/// Holds a method, which writes all of what it is given, to having written a beginning of it when it is
/// dropped: with the rest that the writer's own count shows, everything is there once.
fn writes_a_beginning<W: Given>(
    make: impl Fn(Halting) -> W,
    mut method: impl AsyncFnMut(&mut W, &[u8]),
) {
    let text = text();
    at_every_poll(
        || make(halting(Vec::new())),
        async |writer| {
            let given = writer.given();
            assert!(text.starts_with(&given), "what was written is a beginning");
            let rest = &text[given.len()..];
            method(writer, &rest[..rest.len().min(50)]).await;
            assert_eq!(writer.given().len(), text.len().min(given.len() + 50));
            rest.is_empty()
        },
        |writer, polls| assert!(writer.given() == text, "{polls} polls"),
    );
}

#[test]
fn loops_of_writes_write_a_beginning() {
    fn of<W: Given + OwnedWrite>(make: impl Fn(Halting) -> W + Copy) {
        writes_a_beginning(make, async |writer, bytes| writer.write_all(bytes).await.unwrap());
        writes_a_beginning(make, async |writer, bytes| {
            let (one, two) = bytes.split_at(bytes.len() / 3);
            let mut parts = [IoSlice::new(one), IoSlice::new(&[]), IoSlice::new(two)];
            writer.write_all_vectored(&mut parts).await.unwrap();
        });
        writes_a_beginning(make, async |writer, bytes| {
            write!(writer, "{}", std::str::from_utf8(bytes).unwrap()).await.unwrap();
        });
        writes_a_beginning(make, async |writer, bytes| {
            let (buf, outcome) = writer.write_all_owned(OwnedBuf::from(bytes.to_vec())).await;
            outcome.unwrap();
            assert_eq!(buf.filled(), bytes, "it comes back as it was");
        });
    }
    of(|stream| stream);
    of(BufWriter::new);
    of(|stream| BufWriter::with_capacity(5, stream));
}

/// What one call took from a stream and gave to another, dropped or not; at most one read is lost.
fn check_way(from: &Halting, at: usize, to: &Halting, len: usize) -> usize {
    let (taken, given) = (&from.input[at..from.at], &to.output[len..]);
    assert!(taken.starts_with(given), "what arrives is a beginning of what was taken");
    let lost = taken.len() - given.len();
    assert!(lost <= 13, "{lost} bytes were lost");
    lost
}

#[test]
fn copies_lose_what_is_in_flight_and_nothing_else() {
    fn one_way<R: Read>(make: impl Fn(Halting) -> R, stream: impl Fn(&R) -> &Halting) {
        for polls in (1..12).chain([100_000]) {
            let (mut from, mut to) = (make(halting(text())), halting(Vec::new()));
            for step in 0.. {
                assert!(step < 100_000, "it gets nowhere with {polls} polls");
                let (at, len) = (stream(&from).at, to.output.len());
                let outcome = poll_and_drop(polls, copy(&mut from, &mut to));
                let lost = check_way(stream(&from), at, &to, len);
                if let Some(copied) = outcome {
                    assert_eq!((copied.unwrap(), lost), ((to.output.len() - len) as u64, 0));
                    break;
                }
            }
            assert_eq!(stream(&from).at, 540);
        }
    }
    one_way(|stream| stream, |stream| stream);
    one_way(Plain, |stream| &stream.0);

    both_ways(async |a, b| copy_bidirectional(a, b).await);
    both_ways(async |a, b| {
        let copied = copy_bidirectional(a, b).buffer_size(16).outcomes().await;
        assert!(matches!(copied.a_to_b.outcome, CopyOutcome::Finished));
        assert!(matches!(copied.b_to_a.outcome, CopyOutcome::Finished));
        Ok((copied.a_to_b.bytes, copied.b_to_a.bytes))
    });
}

fn both_ways(copies: impl AsyncFn(&mut Halting, &mut Halting) -> Result<(u64, u64)>) {
    // Not one poll: the two streams need not both be ready in one, and a new call knows no end.
    for polls in (2..12).chain([100_000]) {
        let (mut a, mut b) = (halting(text()), halting(text()));
        for step in 0.. {
            assert!(step < 100_000, "it gets nowhere with {polls} polls");
            let before = [(a.at, a.output.len()), (b.at, b.output.len())];
            let outcome = poll_and_drop(polls, copies(&mut a, &mut b));
            let lost_there = check_way(&a, before[0].0, &b, before[1].1);
            let lost_back = check_way(&b, before[1].0, &a, before[0].1);
            if let Some(copied) = outcome {
                let there = (b.output.len() - before[1].1) as u64;
                let back = (a.output.len() - before[0].1) as u64;
                assert_eq!((copied.unwrap(), lost_there, lost_back), ((there, back), 0, 0));
                break;
            }
        }
        assert!(a.at == 540 && b.at == 540 && a.is_shut_down && b.is_shut_down);
    }
}

/// An interruption is not a drop.
#[test]
fn what_is_not_cancel_safe_completes_when_it_is_left_alone() {
    let mut stream = halting(text());
    stream.interrupts = true;
    // `Halting` wakes nobody: polled to the end by hand.
    let mut read = vec![0; 540];
    assert!(poll_and_drop(10_000, stream.read_exact(&mut read)).unwrap().is_ok());
    assert!(read == text());
    assert!(poll_and_drop(10_000, stream.write_all(&text())).unwrap().is_ok());
    assert!(stream.output == text());

    // Copies, each way and both ways.
    let interrupted = || Halting { interrupts: true, ..halting(text()) };
    let (mut from, mut to) = (interrupted(), interrupted());
    let copied = poll_and_drop(100_000, copy(&mut from, &mut to)).expect("it ends");
    assert!(copied.unwrap() == 540 && to.output == text());
    let (mut from, mut to) = (Plain(interrupted()), interrupted());
    let copied = poll_and_drop(100_000, copy(&mut from, &mut to)).expect("it ends");
    assert!(copied.unwrap() == 540 && to.output == text());
    let (mut from, mut to) = (BufReader::with_capacity(7, interrupted()), interrupted());
    let copied = poll_and_drop(100_000, copy_buf(&mut from, &mut to)).expect("it ends");
    assert!(copied.unwrap() == 540 && to.output == text());
    let (mut a, mut b) = (interrupted(), interrupted());
    let copied = poll_and_drop(100_000, copy_bidirectional(&mut a, &mut b)).expect("it ends");
    assert_eq!(copied.unwrap(), (540, 540));
    assert!(a.output == text() && b.output == text() && a.is_shut_down && b.is_shut_down);

    // `read_line` leaves the text as it was; the bytes that it had taken are gone.
    let mut reader = BufReader::new(halting(text()));
    let mut line = String::from("as it was");
    assert!(poll_and_drop(1, reader.read_line(&mut line)).is_none());
    assert_eq!(line, "as it was");
}

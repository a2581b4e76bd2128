//! Random operations on a pipe from two threads at once, chunks mixed in and futures dropped half way:
//! what comes out is what went in. (One thread against a queue, which knows every outcome: in
//! `pipe_scenarios.rs`.)

use std::io::{ErrorKind, IoSlice, IoSliceMut};
use std::task::Poll;
use std::thread;

use bytes::Bytes;
use futures::executor::block_on;
use runtime::io::{BufRead, Read, Write};
use runtime::pipe::{OwnedReadHalf, OwnedWriteHalf, duplex_with};

use super::pipe_table::poll_once;

/// An ordinary xorshift generator.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 20) as usize % n
    }
}

/// The byte at this position of the stream.
fn byte(at: usize) -> u8 {
    (at ^ (at >> 8) ^ (at >> 16)) as u8
}

/// Asserts that these bytes are those at this position.
#[track_caller]
fn check(at: usize, bytes: &[u8], seed: u64) {
    let wrong = bytes.iter().enumerate().find(|(n, got)| **got != byte(at + n));
    assert!(wrong.is_none(), "seed {seed}: {wrong:?} at {at}");
}

#[test]
fn random_operations_of_two_threads_pass_every_byte_in_order() {
    // `scripts/soak` asks for more.
    let from_env = |name: &str| std::env::var(name).ok()?.parse().ok();
    let operations = from_env("SOAK_OPERATIONS").unwrap_or(500);
    for seed in 1..=from_env("SOAK_SEEDS").unwrap_or(14) as u64 {
        let mut random = Random(seed);
        let max = [1, 2, 100, 512, 3000, 65_536, 1 << 20][random.below(7)];
        // Only one direction is of interest; what a reader who goes early leaves is dropped.
        let (a, b) = duplex_with(max, 1);
        let leaves_after = [usize::MAX, random.below(operations)][random.below(2)];
        let (writer, reader) = (a.into_split().1, b.into_split().0);
        // Of a size at which the two meet often.
        let most = 16 * max;
        let writing = thread::spawn(move || write(writer, seed, most, operations));
        let read = read(reader, seed, most, leaves_after);
        let written = writing.join().unwrap();
        assert!(read <= written, "seed {seed}");
        assert!(read == written || leaves_after < usize::MAX, "seed {seed}: {read} of {written}");
    }
}

/// Says how many bytes it has written.
fn write(mut writer: OwnedWriteHalf, seed: u64, most: usize, operations: usize) -> usize {
    let mut random = Random(seed.wrapping_mul(3) + 1);
    let mut at = 0;
    for _ in 0..operations {
        let most = [8, 600, 9000, 100_000][random.below(4)].min(most);
        let piece: Vec<u8> = (at..=at + random.below(most)).map(byte).collect();
        let cut = random.below(piece.len() + 1);
        let parts = [IoSlice::new(&piece[..cut]), IoSlice::new(&piece[cut..])];
        let mut chunk = Bytes::from(piece.clone());
        let written = match random.below(8) {
            0 => writer.try_write(&piece),
            1 => block_on(writer.write(&piece)),
            2 => now_or_dropped(poll_once(writer.write(&piece))),
            3 => block_on(writer.write_vectored(&parts)),
            4 => block_on(writer.write_all(&piece)).map(|()| piece.len()),
            5 => writer.try_write_bytes(&mut chunk),
            6 => block_on(writer.write_bytes(&mut chunk)).map(|()| piece.len()),
            // Dropped while it waits for room for the rest, which is still there.
            _ => match poll_once(writer.write_bytes(&mut chunk)) {
                Poll::Ready(Err(error)) => Err(error),
                _ => Ok(piece.len() - chunk.len()),
            },
        };
        match written {
            Ok(written) => at += written,
            Err(error) if error.kind() == ErrorKind::WouldBlock => thread::yield_now(),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::BrokenPipe);
                // A loop does not say how far it came: nobody read more than this.
                return at + piece.len();
            }
        }
    }
    if random.below(2) == 0 {
        block_on(writer.shutdown()).unwrap();
    }
    at
}

/// Says how many bytes it has read, to the end or until it has left after so many operations.
fn read(mut reader: OwnedReadHalf, seed: u64, most: usize, leaves_after: usize) -> usize {
    let mut random = Random(seed.wrapping_mul(5) + 1);
    let mut at = 0;
    for _ in 0..leaves_after {
        let most = [8, 600, 9000, 100_000][random.below(4)].min(most);
        let mut buf = vec![0; 1 + random.below(most)];
        let read = match random.below(8) {
            0 => reader.try_read(&mut buf),
            1 => block_on(reader.read(&mut buf)),
            2 => now_or_dropped(poll_once(reader.read(&mut buf))),
            3 => {
                let cut = random.below(9).min(buf.len());
                let (one, two) = buf.split_at_mut(cut);
                block_on(reader.read_vectored(&mut [IoSliceMut::new(one), IoSliceMut::new(two)]))
            }
            4 => {
                let shown = block_on(reader.fill_buf()).unwrap();
                let n = shown.len().min(buf.len());
                buf[..n].copy_from_slice(&shown[..n]);
                reader.consume(n);
                Ok(n)
            }
            5 => {
                // What is shown stays the same while more is written behind it.
                let n = reader.peek().len().min(buf.len());
                if n == 0 {
                    continue;
                }
                thread::yield_now();
                buf[..n].copy_from_slice(&reader.peek()[..n]);
                reader.consume(n);
                Ok(n)
            }
            6 => reader.try_read_bytes(buf.len()).map(|taken| copy(&taken, &mut buf)),
            _ => block_on(reader.read_bytes(buf.len())).map(|taken| copy(&taken, &mut buf)),
        };
        match read {
            Ok(0) => break,
            Ok(read) => {
                check(at, &buf[..read], seed);
                at += read;
            }
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::WouldBlock);
                thread::yield_now();
            }
        }
    }
    at
}

fn copy(taken: &Bytes, buf: &mut [u8]) -> usize {
    buf[..taken.len()].copy_from_slice(taken);
    taken.len()
}

/// A future that had to wait and was dropped has done nothing.
fn now_or_dropped(polled: Poll<std::io::Result<usize>>) -> std::io::Result<usize> {
    match polled {
        Poll::Ready(outcome) => outcome,
        Poll::Pending => Err(ErrorKind::WouldBlock.into()),
    }
}

//! A lane under random operations, against a plain queue; and what only the inside can see. Blocks
//! are tiny under test, so nearly every operation crosses a boundary.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll, Wake, Waker};

use super::lane::{lane, lane_at};
use super::ops;
use super::reader::{Fill, Reader};
use super::word::MAX_DISTANCE;
use super::writer::{Space, Writer};
use crate::io_core::{BorrowedBuf, NonBlocking};

/// A small generator (xorshift64*), so that a failure can be repeated from its seed.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % n
    }
}

#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Relaxed);
    }
}

struct Panics;

impl Wake for Panics {
    fn wake(self: Arc<Self>) {
        panic!("on purpose");
    }
}

fn write(writer: &mut Writer, bytes: &[u8]) -> usize {
    match ops::write(writer, bytes) {
        Ok(NonBlocking::Ready(amount)) => amount,
        Ok(NonBlocking::WouldBlock) | Err(_) => 0,
    }
}

fn read(reader: &mut Reader, most: usize) -> Vec<u8> {
    let mut memory = vec![0; most];
    let mut buf = BorrowedBuf::from(&mut memory[..]);
    let done = ops::read(reader, buf.unfilled()).unwrap();
    assert!(done.is_ready() || buf.is_empty());
    buf.filled().to_vec()
}

/// Random operations on both ends, with every answer predicted by a queue.
fn run(seed: u64, limit: usize, operations: usize) {
    let mut random = Random(seed);
    // Near the end of the positions, so that they wrap around within the run.
    let (mut writer, mut reader) = lane_at(limit, 2 * MAX_DISTANCE + 2 - operations);
    let mut model: VecDeque<u8> = VecDeque::new();
    let mut next = 0_u8;
    let (readers, writers) = (Arc::new(Count::default()), Arc::new(Count::default()));
    let (reads, writes) = (Waker::from(readers.clone()), Waker::from(writers.clone()));
    // Whether a waker is with the lane, and how many calls that makes.
    let (mut reading, mut writing, mut woken) = (false, false, (0, 0));
    for step in 0..operations {
        let at = format!("seed {seed}, limit {limit}, step {step}");
        let size = random.below(24);
        match random.below(9) {
            0..=2 => {
                let bytes: Vec<u8> = (0..size).map(|i| next.wrapping_add(i as u8)).collect();
                let fits = size.min(limit - model.len());
                let cut = random.below(size + 1);
                let kind = random.below(3);
                if kind == 0 {
                    assert_eq!(write(&mut writer, &bytes), fits, "{at}");
                } else if kind == 1 && fits > 0 {
                    assert!(matches!(writer.space(size), Space::Free(n) if n >= fits), "{at}");
                    writer.write_chunk(bytes::Bytes::copy_from_slice(&bytes[..fits]));
                } else if writer.space(size) != Space::Full {
                    writer.write(fits, [&bytes[..cut], &[], &bytes[cut..]]);
                }
                model.extend(&bytes[..fits]);
                next = next.wrapping_add(fits as u8);
                if fits > 0 && std::mem::take(&mut reading) {
                    woken.0 += 1;
                }
            }
            3..=4 => {
                let got = if size == 0 || random.below(2) == 0 || reader.fill(size) != Fill::Data {
                    let got = read(&mut reader, size);
                    assert_eq!(got.len(), size.min(model.len()), "{at}");
                    got
                } else {
                    reader.read_chunk(size).to_vec()
                };
                assert_eq!(got.is_empty(), size.min(model.len()) == 0, "{at}");
                let expected: Vec<u8> = model.drain(..got.len()).collect();
                assert_eq!(got, expected, "{at}");
                if !expected.is_empty() && std::mem::take(&mut writing) {
                    woken.1 += 1;
                }
            }
            5 => {
                assert_eq!(reader.fill(1) == Fill::Data, !model.is_empty(), "{at}");
                if !model.is_empty() {
                    reader.expose();
                }
                let shown = reader.buffer().to_vec();
                assert_eq!(shown.is_empty(), model.is_empty(), "{at}");
                assert!(shown.iter().eq(model.iter().take(shown.len())), "{at}");
                let n = size.min(shown.len());
                reader.consume(n);
                model.drain(..n);
                if n > 0 && std::mem::take(&mut writing) {
                    woken.1 += 1;
                }
            }
            6 => {
                let polled = reader.poll_fill(&mut Context::from_waker(&reads));
                assert_eq!(polled.is_pending(), model.is_empty(), "{at}");
                reading |= polled.is_pending();
            }
            7 => {
                let polled = writer.poll_space(&mut Context::from_waker(&writes));
                assert_eq!(polled.is_pending(), model.len() == limit, "{at}");
                writing |= polled.is_pending();
            }
            _ => {
                if random.below(2) == 0 {
                    reader.stop_waiting();
                    reading = false;
                } else {
                    writer.stop_waiting();
                    writing = false;
                }
            }
        }
        assert_eq!(reader.buffered(), model.len(), "{at}");
        assert_eq!(writer.buffered(), model.len(), "{at}");
        assert_eq!((readers.0.load(Relaxed), writers.0.load(Relaxed)), woken, "{at}");
        // A waker that is not with the lane is not kept anywhere else in it.
        assert_eq!(Arc::strong_count(&readers), 2 + usize::from(reading), "{at}");
        assert_eq!(Arc::strong_count(&writers), 2 + usize::from(writing), "{at}");
    }
    drop(writer);
    assert_eq!(read(&mut reader, 10_000), model.into_iter().collect::<Vec<_>>());
    assert_eq!(reader.fill(1), Fill::End);
}

#[test]
fn random_operations_do_what_a_queue_does() {
    for (seed, limit) in [(1, 1), (2, 2), (3, 3), (4, 7), (5, 16), (6, 33), (7, 100), (8, 5000)] {
        run(seed, limit, 15_000);
    }
}

#[test]
fn a_drained_lane_whose_reader_waits_holds_no_segment_and_serves_again() {
    let (mut writer, mut reader) = lane(64);
    for round in 0..10_u8 {
        let bytes = [round; 40];
        assert_eq!(write(&mut writer, &bytes), 40);
        assert_eq!(read(&mut reader, 100), bytes);
        assert!(reader.poll_fill(&mut Context::from_waker(Waker::noop())).is_pending());
        assert!(!reader.holds_memory());
    }
}

#[test]
fn a_waker_that_panics_fails_neither_the_write_nor_the_read_nor_the_drop_that_wakes_it() {
    let bad = Waker::from(Arc::new(Panics));
    let mut cx = Context::from_waker(&bad);
    let (mut writer, mut reader) = lane(4);
    assert!(reader.poll_fill(&mut cx).is_pending());
    assert_eq!(write(&mut writer, b"abcdef"), 4);
    assert!(writer.poll_space(&mut cx).is_pending());
    assert_eq!(read(&mut reader, 4), b"abcd");
    assert!(reader.poll_fill(&mut cx).is_pending());
    drop(writer);
    assert_eq!(reader.poll_fill(&mut cx), Poll::Ready(()));
    assert_eq!(reader.fill(1), Fill::End);
}

#[test]
fn a_large_write_is_copied_in_sections_and_accepted_as_a_whole() {
    let (mut writer, mut reader) = lane(usize::MAX);
    let bytes: Vec<u8> = (0..1000_u32).map(|i| i as u8).collect();
    assert_eq!(write(&mut writer, &bytes), 1000);
    assert_eq!(read(&mut reader, 2000), bytes);
}

#[test]
fn two_threads_pass_every_byte_in_order() {
    for limit in [1, 5, 64, 4096] {
        let (mut writer, mut reader) = lane(limit);
        let thread = std::thread::spawn(move || {
            let bytes: Vec<u8> = (0..20_000_u32).map(|i| (i % 251) as u8).collect();
            let mut rest = &bytes[..];
            while !rest.is_empty() {
                futures::executor::block_on(std::future::poll_fn(|cx| writer.poll_space(cx)));
                let n = write(&mut writer, &rest[..rest.len().min(37)]);
                rest = &rest[n..];
            }
        });
        let mut expected = 0_u32;
        loop {
            futures::executor::block_on(std::future::poll_fn(|cx| reader.poll_fill(cx)));
            if reader.fill(1) == Fill::End {
                break;
            }
            for byte in read(&mut reader, 53) {
                assert_eq!(u32::from(byte), expected % 251);
                expected += 1;
            }
        }
        assert_eq!(expected, 20_000);
        thread.join().unwrap();
    }
}

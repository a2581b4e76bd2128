//! What loom checks about a lane: every interleaving of two threads, tiny blocks, positions that
//! wrap around. And about the listener, whose backlog is one.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc as StdArc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll};

use bytes::Bytes;
use loom::future::block_on;
use loom::thread;

use super::lane::lane_at;
use super::listen_with;
use super::ops;
use super::reader::{Fill, Reader};
use super::word::MAX_DISTANCE;
use super::writer::{Space, Writer};
use crate::contain;
use crate::io_core::{BorrowedBuf, NonBlocking};

/// Explores a model. Wakers are called inside a net, which must not catch what loom has to say.
fn model(f: impl Fn() + Send + Sync + 'static) {
    loom::model(move || {
        f();
        assert_eq!(contain::caught::panics(), 0, "a panic in a waker, such as loom's about a race");
    });
}

/// A lane whose positions wrap around after a few bytes.
fn lane(limit: usize) -> (Writer, Reader) {
    lane_at(limit, MAX_DISTANCE * 2)
}

fn write(writer: &mut Writer, bytes: &[u8]) -> usize {
    match ops::write(writer, bytes) {
        Ok(NonBlocking::Ready(amount)) => amount,
        Ok(NonBlocking::WouldBlock) | Err(_) => 0,
    }
}

async fn write_all(writer: &mut Writer, mut bytes: &[u8]) -> bool {
    while !bytes.is_empty() {
        poll_fn(|cx| writer.poll_space(cx)).await;
        if writer.is_broken() {
            return false;
        }
        bytes = &bytes[write(writer, bytes)..];
    }
    true
}

async fn read_to_end(reader: &mut Reader, most: usize) -> Vec<u8> {
    let mut got = Vec::new();
    let mut memory = vec![0; most];
    loop {
        poll_fn(|cx| reader.poll_fill(cx)).await;
        let mut buf = BorrowedBuf::from(&mut memory[..]);
        match ops::read(reader, buf.unfilled()).unwrap() {
            NonBlocking::Ready(()) if buf.is_empty() => return got,
            NonBlocking::Ready(()) => got.extend_from_slice(buf.filled()),
            NonBlocking::WouldBlock => {}
        }
    }
}

#[test]
fn a_publication_is_never_lost_by_a_reader_that_registers() {
    model(|| {
        let (mut writer, mut reader) = lane(8);
        let thread = thread::spawn(move || {
            assert_eq!(write(&mut writer, b"a"), 1);
            writer // not dropped here: only the publication may wake
        });
        block_on(poll_fn(|cx| reader.poll_fill(cx)));
        assert_eq!(reader.fill(1), Fill::Data);
        reader.expose();
        assert_eq!(reader.buffer(), b"a");
        drop(thread.join().unwrap());
    });
}

#[test]
fn a_consumption_is_never_lost_by_a_writer_that_registers() {
    model(|| {
        let (mut writer, mut reader) = lane(1);
        assert_eq!(write(&mut writer, b"ab"), 1);
        let thread = thread::spawn(move || {
            assert_eq!(reader.fill(1), Fill::Data);
            reader.expose();
            reader.consume(1);
            reader
        });
        block_on(poll_fn(|cx| writer.poll_space(cx)));
        assert_eq!(write(&mut writer, b"b"), 1);
        drop(thread.join().unwrap());
    });
}

#[test]
fn closing_is_never_lost_by_a_reader_that_registers() {
    model(|| {
        let (writer, mut reader) = lane(8);
        let thread = thread::spawn(move || drop(writer));
        block_on(poll_fn(|cx| reader.poll_fill(cx)));
        assert_eq!(reader.fill(1), Fill::End);
        thread.join().unwrap();
    });
}

#[test]
fn a_departure_is_never_lost_by_a_writer_that_registers() {
    model(|| {
        let (mut writer, reader) = lane(1);
        assert_eq!(write(&mut writer, b"a"), 1);
        let thread = thread::spawn(move || drop(reader));
        block_on(poll_fn(|cx| writer.poll_space(cx)));
        assert_eq!(writer.space(1), Space::Broken);
        thread.join().unwrap();
    });
}

#[test]
fn bytes_arrive_in_order_across_segments_and_a_wrapping_position() {
    model(|| {
        let (mut writer, mut reader) = lane(2);
        let thread = thread::spawn(move || {
            assert!(block_on(write_all(&mut writer, b"abc")));
        });
        assert_eq!(block_on(read_to_end(&mut reader, 2)), b"abc");
        thread.join().unwrap();
    });
}

#[test]
fn a_writer_that_finds_the_reader_waiting_or_about_to_starts_a_new_list() {
    model(|| {
        let (mut writer, mut reader) = lane(8);
        assert_eq!(write(&mut writer, b"a"), 1);
        let thread = thread::spawn(move || {
            assert_eq!(write(&mut writer, b"b"), 1);
            assert_eq!(write(&mut writer, b"c"), 1);
        });
        assert_eq!(block_on(read_to_end(&mut reader, 8)), b"abc");
        thread.join().unwrap();
    });
}

#[test]
fn a_newer_waker_replaces_the_older_and_is_the_one_that_is_woken() {
    model(|| {
        let (mut writer, mut reader) = lane(8);
        let thread = thread::spawn(move || {
            assert_eq!(write(&mut writer, b"a"), 1);
            writer
        });
        let mut noop = Context::from_waker(std::task::Waker::noop());
        let _ = reader.poll_fill(&mut noop);
        block_on(poll_fn(|cx| reader.poll_fill(cx)));
        assert_eq!(reader.fill(1), Fill::Data);
        drop(thread.join().unwrap());
    });
}

#[test]
fn a_wait_that_is_given_up_leaves_the_next_one_intact() {
    model(|| {
        let (mut writer, mut reader) = lane(8);
        let thread = thread::spawn(move || {
            assert_eq!(write(&mut writer, b"a"), 1);
            writer
        });
        let mut noop = Context::from_waker(std::task::Waker::noop());
        let _ = reader.poll_fill(&mut noop);
        reader.stop_waiting();
        block_on(poll_fn(|cx| reader.poll_fill(cx)));
        assert_eq!(reader.fill(1), Fill::Data);
        drop(thread.join().unwrap());
    });
}

#[test]
fn a_reader_that_leaves_during_a_write_frees_everything_once() {
    model(|| {
        let (mut writer, mut reader) = lane(8);
        assert_eq!(write(&mut writer, b"abc"), 3);
        assert_eq!(reader.fill(1), Fill::Data);
        reader.expose();
        let thread = thread::spawn(move || {
            write(&mut writer, b"de");
            write(&mut writer, b"f");
        });
        drop(reader);
        thread.join().unwrap();
    });
}

#[test]
fn a_waiting_reader_that_leaves_during_a_write_frees_everything_once() {
    model(|| {
        let (mut writer, mut reader) = lane(8);
        let mut noop = Context::from_waker(std::task::Waker::noop());
        assert!(reader.poll_fill(&mut noop).is_pending());
        let thread = thread::spawn(move || {
            write(&mut writer, b"ab");
            write(&mut writer, b"c");
        });
        drop(reader);
        thread.join().unwrap();
    });
}

#[test]
fn a_writer_that_leaves_while_the_reader_registers_twice() {
    model(|| {
        let (mut writer, mut reader) = lane(2);
        let thread = thread::spawn(move || {
            write(&mut writer, b"a");
        });
        let mut noop = Context::from_waker(std::task::Waker::noop());
        let _ = reader.poll_fill(&mut noop);
        assert_eq!(block_on(read_to_end(&mut reader, 1)), b"a");
        thread.join().unwrap();
    });
}

#[test]
fn a_reader_may_move_to_another_thread_between_two_polls() {
    model(|| {
        let (mut writer, mut reader) = lane(8);
        let mut noop = Context::from_waker(std::task::Waker::noop());
        assert!(reader.poll_fill(&mut noop).is_pending());
        let thread = thread::spawn(move || {
            let mut waiting = pin!(poll_fn(|cx: &mut Context<'_>| reader.poll_fill(cx)));
            block_on(poll_fn(|cx| waiting.as_mut().poll(cx)));
            assert_eq!(reader.fill(1), Fill::Data);
        });
        assert_eq!(write(&mut writer, b"a"), 1);
        thread.join().unwrap();
    });
}

#[test]
fn a_writer_that_waits_at_capacity_one_gets_every_byte_through() {
    model(|| {
        let (mut writer, mut reader) = lane(1);
        let thread = thread::spawn(move || {
            assert!(block_on(write_all(&mut writer, b"ab")));
        });
        assert_eq!(block_on(read_to_end(&mut reader, 1)), b"ab");
        thread.join().unwrap();
    });
}

#[test]
fn a_wait_for_space_that_is_given_up_leaves_the_next_one_intact() {
    model(|| {
        let (mut writer, mut reader) = lane(1);
        assert_eq!(write(&mut writer, b"a"), 1);
        let thread = thread::spawn(move || {
            assert_eq!(reader.fill(1), Fill::Data);
            reader.expose();
            reader.consume(1);
            reader
        });
        let mut noop = Context::from_waker(std::task::Waker::noop());
        if let Poll::Pending = writer.poll_space(&mut noop) {
            writer.stop_waiting();
        }
        block_on(poll_fn(|cx| writer.poll_space(cx)));
        assert_eq!(writer.space(1), Space::Free(1));
        drop(thread.join().unwrap());
    });
}

/// Bytes that count how often they are dropped.
struct Owner(&'static [u8], StdArc<AtomicUsize>);

impl AsRef<[u8]> for Owner {
    fn as_ref(&self) -> &[u8] {
        self.0
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        // Ordering: Relaxed, loom's threads are one.
        self.1.fetch_add(1, Relaxed);
    }
}

/// A chunk, and how often it was dropped.
fn chunk(bytes: &'static [u8]) -> (Bytes, impl Fn() -> usize + use<>) {
    let drops = StdArc::new(AtomicUsize::new(0));
    let chunk = Bytes::from_owner(Owner(bytes, drops.clone()));
    // Ordering: Relaxed as in the destructor.
    (chunk, move || drops.load(Relaxed))
}

#[test]
fn chunks_and_bytes_arrive_in_the_order_in_which_they_were_written() {
    model(|| {
        let (mut writer, mut reader) = lane(8);
        let (chunk, drops) = chunk(b"bc");
        assert_eq!(write(&mut writer, b"a"), 1);
        let thread = thread::spawn(move || {
            writer.write_chunk(chunk);
            assert_eq!(write(&mut writer, b"d"), 1);
            writer // not dropped here: one event less to interleave
        });
        // By turns as bytes and as a chunk, so that a piece ends inside the chunk as well.
        let mut got = Vec::new();
        while got.len() < 4 {
            block_on(poll_fn(|cx| reader.poll_fill(cx)));
            assert_eq!(reader.fill(1), Fill::Data);
            match got.len() {
                1 => got.extend_from_slice(&reader.read_chunk(1)),
                _ => drop(reader.read(|piece| {
                    got.push(piece[0]);
                    1
                })),
            }
        }
        assert_eq!(got, b"abcd");
        drop((thread.join().unwrap(), reader));
        assert_eq!(drops(), 1);
    });
}

#[test]
fn a_chunk_that_meets_a_reader_that_registers_is_handed_over_as_it_is() {
    model(|| {
        let (mut writer, mut reader) = lane(8);
        let (chunk, drops) = chunk(b"abc");
        let address = chunk.as_ptr();
        let thread = thread::spawn(move || writer.write_chunk(chunk));
        block_on(poll_fn(|cx| reader.poll_fill(cx)));
        assert_eq!(reader.fill(1), Fill::Data);
        let taken = reader.read_chunk(8);
        assert_eq!((&taken[..], taken.as_ptr()), (&b"abc"[..], address));
        thread.join().unwrap();
        drop(reader);
        assert_eq!(drops(), 0, "the user has it now");
        drop(taken);
        assert_eq!(drops(), 1);
    });
}

#[test]
fn a_reader_that_leaves_during_a_hand_over_frees_the_chunk_once() {
    model(|| {
        let (mut writer, mut reader) = lane(8);
        let (first, first_drops) = chunk(b"ab");
        let (second, second_drops) = chunk(b"cd");
        writer.write_chunk(first);
        assert_eq!(reader.fill(1), Fill::Data);
        assert_eq!(reader.read_chunk(1), b"a"[..]);
        let thread = thread::spawn(move || {
            writer.write_chunk(second);
            write(&mut writer, b"e");
        });
        drop(reader);
        thread.join().unwrap();
        assert_eq!((first_drops(), second_drops()), (1, 1));
    });
}

#[test]
fn a_waiting_reader_that_leaves_during_a_hand_over_frees_the_chunk_once() {
    model(|| {
        let (mut writer, mut reader) = lane(8);
        let (chunk, drops) = chunk(b"ab");
        let mut noop = Context::from_waker(std::task::Waker::noop());
        assert!(reader.poll_fill(&mut noop).is_pending());
        let thread = thread::spawn(move || {
            writer.write_chunk(chunk);
            write(&mut writer, b"c");
        });
        drop(reader);
        thread.join().unwrap();
        assert_eq!(drops(), 1);
    });
}

#[test]
fn a_consumed_chunk_is_freed_once_while_the_writer_goes_on_and_leaves() {
    model(|| {
        let (mut writer, mut reader) = lane(8);
        let (chunk, drops) = chunk(b"a");
        writer.write_chunk(chunk);
        let thread = thread::spawn(move || {
            write(&mut writer, b"b");
        });
        assert_eq!(reader.fill(1), Fill::Data);
        assert_eq!(reader.read_chunk(1), b"a"[..]);
        assert_eq!(block_on(read_to_end(&mut reader, 1)), b"b");
        assert_eq!(drops(), 1, "at the end nothing is held");
        thread.join().unwrap();
    });
}

#[test]
fn a_connection_is_never_lost_by_an_accept_that_registers() {
    model(|| {
        let (mut listener, connector) = listen_with(8);
        let thread = thread::spawn(move || block_on(connector.connect()).unwrap());
        let server = block_on(listener.accept()).unwrap();
        drop((thread.join().unwrap(), server));
    });
}

#[test]
fn room_in_the_backlog_is_never_missed_by_a_connect_that_registers() {
    model(|| {
        let (mut listener, connector) = listen_with(8);
        let first = block_on(connector.connect()).unwrap(); // and that fills it
        let thread = thread::spawn(move || {
            let accepted = block_on(listener.accept()).unwrap();
            (listener, accepted)
        });
        let second = block_on(connector.connect()).unwrap();
        drop((thread.join().unwrap(), first, second));
    });
}

#[test]
fn a_listener_that_goes_refuses_a_connect_that_registers() {
    model(|| {
        let (listener, connector) = listen_with(8);
        let first = block_on(connector.connect()).unwrap();
        let thread = thread::spawn(move || drop(listener));
        assert!(block_on(connector.connect()).is_err());
        thread.join().unwrap();
        drop(first);
    });
}

#[test]
fn connectors_that_go_end_an_accept_that_registers() {
    model(|| {
        let (mut listener, connector) = listen_with(8);
        let thread = thread::spawn(move || drop(connector));
        assert!(block_on(listener.accept()).is_err());
        thread.join().unwrap();
    });
}

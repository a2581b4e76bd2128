//! What loom checks about a lane: every interleaving of two threads, tiny blocks, positions that
//! wrap around. And about the listener, whose backlog is one.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::{Context, Poll};

use loom::future::block_on;
use loom::thread;

use super::lane::lane_at;
use super::listen_with;
use super::reader::{Fill, Reader};
use super::word::MAX_DISTANCE;
use super::writer::{Space, Writer};

/// A lane whose positions wrap around after a few bytes.
fn lane(limit: usize) -> (Writer, Reader) {
    lane_at(limit, MAX_DISTANCE * 2)
}

fn write(writer: &mut Writer, bytes: &[u8]) -> usize {
    match writer.space(bytes.len()) {
        Space::Free(space) => {
            let amount = space.min(bytes.len());
            writer.write_one(&bytes[..amount]);
            amount
        }
        Space::Full | Space::Broken => 0,
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
    loop {
        poll_fn(|cx| reader.poll_fill(cx)).await;
        match reader.fill(1) {
            Fill::Data => {
                let mut left = most;
                reader.read(|piece| {
                    let taken = piece.len().min(left);
                    got.extend_from_slice(&piece[..taken]);
                    left -= taken;
                    taken
                });
            }
            Fill::Empty => {}
            Fill::End => return got,
        }
    }
}

#[test]
fn a_publication_is_never_lost_by_a_reader_that_registers() {
    loom::model(|| {
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
    loom::model(|| {
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
    loom::model(|| {
        let (writer, mut reader) = lane(8);
        let thread = thread::spawn(move || drop(writer));
        block_on(poll_fn(|cx| reader.poll_fill(cx)));
        assert_eq!(reader.fill(1), Fill::End);
        thread.join().unwrap();
    });
}

#[test]
fn a_departure_is_never_lost_by_a_writer_that_registers() {
    loom::model(|| {
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
    loom::model(|| {
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
    loom::model(|| {
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
    loom::model(|| {
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
    loom::model(|| {
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
    loom::model(|| {
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
    loom::model(|| {
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
    loom::model(|| {
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
    loom::model(|| {
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
    loom::model(|| {
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
    loom::model(|| {
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

#[test]
fn a_connection_is_never_lost_by_an_accept_that_registers() {
    loom::model(|| {
        let (mut listener, connector) = listen_with(8);
        let thread = thread::spawn(move || block_on(connector.connect()).unwrap());
        let server = block_on(listener.accept()).unwrap();
        drop((thread.join().unwrap(), server));
    });
}

#[test]
fn room_in_the_backlog_is_never_missed_by_a_connect_that_registers() {
    loom::model(|| {
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
    loom::model(|| {
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
    loom::model(|| {
        let (mut listener, connector) = listen_with(8);
        let thread = thread::spawn(move || drop(connector));
        assert!(block_on(listener.accept()).is_err());
        thread.join().unwrap();
    });
}

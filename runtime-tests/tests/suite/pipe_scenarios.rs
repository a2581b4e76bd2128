//! Bugs that others had with their pipes (section G of the scenarios), what was received shown in
//! place, and random operations against a queue. All through the public face, without a runtime.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io::{ErrorKind, IoSlice, IoSliceMut};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;

use futures::executor::block_on;
use futures::future::join;
use runtime::io::{BufRead, DuplexStream, Interest, Read, Ready, ReadyBufRead, Write, duplex};

use super::pipe_table::{Count, bytes, now, poll_once, readiness, transfer};

#[test]
fn g03_capacity_one_both_ways_at_once() {
    let (a, b) = duplex(1);
    let (a_read, a_write) = a.into_split();
    let (b_read, b_write) = b.into_split();
    // One task.
    block_on(join(
        transfer(a_write, b_read, 1 << 16, 1 << 16),
        transfer(b_write, a_read, 1 << 16, 1 << 16),
    ));
    // Four threads, so that each end is on its own.
    let (a, b) = duplex(1);
    let (ends_a, ends_b) = (a.into_split(), b.into_split());
    let threads = [(ends_a.1, ends_b.0), (ends_b.1, ends_a.0)].map(|(mut write, mut read)| {
        let sender = thread::spawn(move || block_on(write.write_all(&bytes(10_000))).unwrap());
        let receiver = thread::spawn(move || {
            let mut got = vec![0; 10_000];
            block_on(read.read_exact(&mut got)).unwrap();
            assert!(got == bytes(10_000));
        });
        [sender, receiver]
    });
    threads.into_iter().flatten().for_each(|thread| thread.join().unwrap());
}

#[test]
fn g04_a_blocked_writer_sees_the_other_end_go() {
    let (mut a, b) = duplex(1);
    let writer = thread::spawn(move || block_on(a.write_all(&[0; 10])).unwrap_err().kind());
    drop(b);
    assert_eq!(writer.join().unwrap(), ErrorKind::BrokenPipe);
}

#[test]
fn g05_a_blocked_reader_gets_the_bytes_then_the_end() {
    let (mut a, mut b) = duplex(16);
    let reader = thread::spawn(move || {
        let mut text = String::new();
        block_on(b.read_to_string(&mut text)).unwrap();
        text
    });
    now(a.write_all(b"last words")).unwrap();
    drop(a);
    assert_eq!(reader.join().unwrap(), "last words");
}

#[test]
fn g06_operations_on_nothing_whatever_the_state() {
    let (mut a, mut b) = duplex(4);
    let nothing = || [IoSlice::new(b""), IoSlice::new(b"")];
    // On an empty pipe.
    assert_eq!(now(b.read(&mut [])).unwrap(), 0);
    assert_eq!(now(b.read_vectored(&mut [IoSliceMut::new(&mut [])])).unwrap(), 0);
    // On a full one.
    now(a.write_all(b"full")).unwrap();
    assert_eq!(now(a.write(b"")).unwrap(), 0);
    assert_eq!(now(a.write_vectored(&nothing())).unwrap(), 0);
    assert_eq!(now(a.write_vectored(&[])).unwrap(), 0);
    now(a.write_bytes(&mut bytes::Bytes::new())).unwrap();
    // On one that is closed.
    drop(b);
    assert_eq!(now(a.write(b"")).unwrap_err().kind(), ErrorKind::BrokenPipe);
    assert_eq!(now(a.write_vectored(&nothing())).unwrap_err().kind(), ErrorKind::BrokenPipe);
    let mut empty = bytes::Bytes::new();
    assert_eq!(now(a.write_bytes(&mut empty)).unwrap_err().kind(), ErrorKind::BrokenPipe);
    assert_eq!(a.try_write_bytes(&mut empty).unwrap_err().kind(), ErrorKind::BrokenPipe);
    assert_eq!(now(a.read(&mut [])).unwrap(), 0);
}

#[test]
fn g07_shutdown_with_bytes_buffered() {
    let (mut a, mut b) = duplex(16);
    now(a.write_all(b"rest")).unwrap();
    now(a.shutdown()).unwrap();
    now(a.shutdown()).unwrap();
    assert_eq!(now(a.write(b"x")).unwrap_err().kind(), ErrorKind::BrokenPipe);
    assert_eq!(now(b.read(&mut [0; 16])).unwrap(), 4);
    assert_eq!(now(b.read(&mut [0; 16])).unwrap(), 0);
    now(b.write_all(b"reading goes on")).unwrap();
    assert_eq!(now(a.read(&mut [0; 16])).unwrap(), 15);
}

#[test]
fn g10_a_replaced_waker_may_drop_the_peer_end_when_it_is_dropped() {
    struct Holds(#[allow(dead_code)] Mutex<Option<DuplexStream>>);
    impl Wake for Holds {
        fn wake(self: Arc<Self>) {}
    }
    let (a, mut b) = duplex(8);
    let holds = Waker::from(Arc::new(Holds(Mutex::new(Some(a)))));
    assert!(b.poll_ready(&mut Context::from_waker(&holds), Interest::READ).is_pending());
    drop(holds); // the pipe has the last one
    let (count, waker) = Count::new();
    let polled = b.poll_ready(&mut Context::from_waker(&waker), Interest::READ);
    assert!(polled.is_ready() || count.get() == 1, "the end must not be missed");
    assert_eq!(now(b.read(&mut [0; 1])).unwrap(), 0);

    // The same for a writer that waits.
    let (mut a, b) = duplex(1);
    now(a.write_all(b"x")).unwrap();
    let holds = Waker::from(Arc::new(Holds(Mutex::new(Some(b)))));
    assert!(a.poll_ready(&mut Context::from_waker(&holds), Interest::WRITE).is_pending());
    drop(holds);
    let (count, waker) = Count::new();
    let polled = a.poll_ready(&mut Context::from_waker(&waker), Interest::WRITE);
    assert!(polled.is_ready() || count.get() == 1);
    assert_eq!(now(a.write(b"y")).unwrap_err().kind(), ErrorKind::BrokenPipe);
}

#[test]
fn g11_a_vectored_write_stops_exactly_at_the_edge() {
    let (mut a, mut b) = duplex(5);
    now(a.write_all(b"12")).unwrap();
    let parts = [b"", &b"a"[..], b"", b"bcd", b"e"].map(IoSlice::new);
    assert_eq!(now(a.write_vectored(&parts)).unwrap(), 3);
    let mut buf = [0; 8];
    assert_eq!(now(b.read(&mut buf)).unwrap(), 5);
    assert_eq!(&buf[..5], b"12abc");
}

#[test]
fn g13_both_ends_in_one_task() {
    let (mut a, mut b) = duplex(3);
    block_on(async {
        let ping = async {
            for _ in 0..100 {
                a.write_all(b"ping!").await.unwrap();
                a.read_exact(&mut [0; 5]).await.unwrap();
            }
        };
        let pong = async {
            for _ in 0..100 {
                b.read_exact(&mut [0; 5]).await.unwrap();
                b.write_all(b"pong!").await.unwrap();
            }
        };
        join(ping, pong).await;
    });
}

// ---------------------------------------------------------------- in place, and at random

#[test]
fn what_was_received_is_shown_in_place_and_consumed_in_pieces() {
    let (mut a, mut b) = duplex(100_000);
    let data = bytes(70_000);
    now(a.write_all(&data)).unwrap();
    drop(a);
    let mut got = Vec::new();
    loop {
        let shown = now(b.fill_buf()).unwrap();
        if shown.is_empty() {
            break;
        }
        let n = shown.len().min(1000);
        got.extend_from_slice(&shown[..n]);
        assert_eq!(b.peek().len(), b.buffer().len());
        b.consume(n);
        assert_eq!(b.len(), data.len() - got.len());
    }
    assert!(got == data);
}

#[test]
#[should_panic(expected = "consumed more than the buffer has")]
fn consuming_more_than_was_shown_panics() {
    let (mut a, mut b) = duplex(8);
    now(a.write_all(b"abc")).unwrap();
    b.peek();
    b.consume(4);
}

#[test]
fn lines_are_read_without_a_reader_around_it() {
    let (mut a, mut b) = duplex(4);
    let lines = thread::spawn(move || {
        block_on(async {
            let mut lines = Vec::new();
            let mut line = String::new();
            while b.read_line(&mut line).await.unwrap() > 0 {
                lines.push(std::mem::take(&mut line));
            }
            lines
        })
    });
    block_on(a.write_all(b"one\ntwo and more\n\nlast")).unwrap();
    drop(a);
    assert_eq!(lines.join().unwrap(), ["one\n", "two and more\n", "\n", "last"]);
}

#[test]
fn random_operations_do_what_a_queue_does() {
    // `scripts/soak` asks for more.
    let from_env = |name: &str| std::env::var(name).ok()?.parse().ok();
    let operations = from_env("SOAK_OPERATIONS").unwrap_or(10_000);
    for seed in 1..=from_env("SOAK_SEEDS").unwrap_or(10) as u64 {
        random_operations(seed, operations);
    }
}

/// Through the public face: every outcome is predicted by a queue.
fn random_operations(seed: u64, operations: usize) {
    let mut state = seed;
    let mut below = |n: usize| {
        // An ordinary xorshift generator.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 20) as usize % n
    };
    let max = [1, 100, 512, 3000, 65_536][below(5)];
    let (mut a, mut b) = duplex(max);
    let mut model = VecDeque::new();
    let source = bytes(8192);
    for step in 0..operations {
        let at = format!("seed {seed}, maximum {max}, step {step}");
        let most = [8, 600, 8000][below(3)];
        let size = below(most) + 1;
        let (data, cut) = (&source[below(192)..][..size], below(size + 1));
        match below(8) {
            0 | 1 => {
                let parts = [&data[..cut], &data[cut..]].map(IoSlice::new);
                let fits = size.min(max - model.len());
                let written = if below(2) == 0 {
                    poll_once(a.write(data))
                } else {
                    poll_once(a.write_vectored(&parts))
                };
                match written {
                    Poll::Ready(written) => assert_eq!(written.unwrap(), fits, "{at}"),
                    Poll::Pending => assert_eq!(fits, 0, "{at}"),
                }
                model.extend(&data[..fits]);
            }
            2 | 3 => {
                let mut buf = vec![0; size];
                let (one, two) = buf.split_at_mut(cut);
                let expected: Vec<u8> = model.drain(..size.min(model.len())).collect();
                let read = if below(2) == 0 {
                    poll_once(b.read_vectored(&mut [IoSliceMut::new(one), IoSliceMut::new(two)]))
                } else {
                    poll_once(b.read(&mut buf))
                };
                match read {
                    Poll::Ready(read) => assert_eq!(read.unwrap(), expected.len(), "{at}"),
                    Poll::Pending => assert!(expected.is_empty(), "{at}"),
                }
                assert!(buf.starts_with(&expected), "{at}");
            }
            4 => match poll_once(b.fill_buf()) {
                Poll::Ready(shown) => {
                    let shown = shown.unwrap();
                    assert!(!shown.is_empty(), "{at}");
                    assert!(shown.iter().eq(model.iter().take(shown.len())), "{at}");
                    let n = size.min(shown.len());
                    b.consume(n);
                    model.drain(..n);
                }
                Poll::Pending => assert!(model.is_empty(), "{at}"),
            },
            5 => {
                let mut chunk = bytes::Bytes::copy_from_slice(data);
                let fits = size.min(max - model.len());
                match a.try_write_bytes(&mut chunk) {
                    Ok(written) => assert_eq!(written, fits, "{at}"),
                    Err(error) => {
                        assert_eq!((error.kind(), fits), (ErrorKind::WouldBlock, 0), "{at}");
                    }
                }
                assert_eq!(chunk, data[fits..], "{at}");
                model.extend(&data[..fits]);
            }
            6 => match b.try_read_bytes(size) {
                Ok(taken) => {
                    assert!(!taken.is_empty() && taken.len() <= size, "{at}");
                    assert!(model.drain(..taken.len()).eq(taken), "{at}");
                }
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::WouldBlock, "{at}");
                    assert!(model.is_empty(), "{at}");
                }
            },
            _ => {
                let readable = readiness(&mut b, Interest::READ).is_some();
                assert_eq!(readable, !model.is_empty(), "{at}");
                let writable = readiness(&mut a, Interest::WRITE).is_some();
                assert_eq!(writable, model.len() < max, "{at}");
            }
        }
        assert_eq!(b.len(), model.len(), "{at}");
    }
    drop(a);
    let mut rest = Vec::new();
    block_on(b.read_to_end(&mut rest)).unwrap();
    assert!(model.into_iter().eq(rest), "seed {seed}");
}

#[test]
fn pipes_are_charged_to_nobody_outside_a_task() {
    block_on(poll_fn(|cx| {
        let (mut a, mut b) = duplex(1);
        for _ in 0..1000 {
            a.try_write(b"x").unwrap();
            assert!(b.poll_ready(cx, Interest::READ).is_ready());
            b.try_read(&mut [0; 1]).unwrap();
        }
        Poll::Ready(())
    }));
}

#[test]
fn a_chunk_of_64_kib_has_the_same_address_at_both_ends() {
    let (mut a, mut b) = duplex(64 * 1024);
    let mut chunk = bytes::Bytes::from(bytes(64 * 1024));
    let address = chunk.as_ptr();
    now(a.write_bytes(&mut chunk)).unwrap();
    let taken = now(b.read_bytes(usize::MAX)).unwrap();
    assert_eq!((taken.as_ptr(), taken.len()), (address, 64 * 1024));
}

#[test]
#[cfg(target_os = "linux")]
fn g14_100_mib_through_64_kib_take_less_than_1_mib() {
    /// Without what is mapped from files: how much of the program is in memory is the kernel's choice.
    fn resident_kib() -> usize {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }
    // In a process of its own: the other tests of this one take memory as well.
    if std::env::var_os("G14_CHILD").is_none() {
        let mut child = std::process::Command::new(std::env::current_exe().unwrap());
        child.env("G14_CHILD", "1").arg("g14_100_mib_through_64_kib_take_less_than_1_mib");
        assert!(child.stdout(std::process::Stdio::null()).status().unwrap().success());
        return;
    }
    let pass = |mib: usize| {
        let (mut a, mut b) = duplex(64 * 1024);
        let pieces = mib * 32;
        let send = async move {
            for _ in 0..pieces {
                a.write_all(&[7; 32 * 1024]).await.unwrap();
            }
        };
        let receive = async move {
            let mut buf = vec![0; 48 * 1024];
            let mut total = 0;
            loop {
                match b.read(&mut buf).await.unwrap() {
                    0 => return total,
                    n => total += n,
                }
            }
        };
        assert_eq!(block_on(join(send, receive)).1, pieces * 32 * 1024);
    };
    pass(1);
    let before = resident_kib();
    pass(100);
    let after = resident_kib();
    assert!(after < before + 1024, "from {before} KiB to {after} KiB");
}

#[test]
fn chunks_are_handed_over_without_a_copy_and_in_order_with_bytes() {
    let (mut a, mut b) = duplex(100_000);
    let chunk = bytes::Bytes::from(bytes(60_000));
    let mut queued = chunk.clone();
    now(a.write_all(b"before")).unwrap();
    now(a.write_bytes(&mut queued)).unwrap();
    assert!(queued.is_empty());
    now(a.write_all(b"after")).unwrap();
    assert!(now(b.read_bytes(0)).unwrap().is_empty());
    assert_eq!(now(b.read_bytes(100)).unwrap(), "before");
    let first = now(b.read_bytes(20_000)).unwrap();
    let second = now(b.read_bytes(usize::MAX)).unwrap();
    assert_eq!(first.as_ptr(), chunk.as_ptr(), "the same memory");
    assert_eq!(second.as_ptr(), chunk[20_000..].as_ptr());
    assert_eq!((first.len(), second.len()), (20_000, 40_000));
    drop((first, second));
    assert_eq!(now(b.read_bytes(100)).unwrap(), "after");

    // Inside the same limit: what does not fit stays with the caller when it gives up.
    let mut queued = bytes::Bytes::from(bytes(150_000));
    assert!(poll_once(a.write_bytes(&mut queued)).is_pending());
    assert_eq!((queued.len(), b.len()), (50_000, 100_000));
    let mut got = vec![0; 100_000];
    now(b.read_exact(&mut got)).unwrap();
    now(a.write_bytes(&mut queued)).unwrap();
    drop(a);
    now(b.read_to_end(&mut got)).unwrap();
    assert!(got == bytes(150_000));
    assert!(now(b.read_bytes(9)).unwrap().is_empty());
    assert!(now(b.read_bytes(0)).unwrap().is_empty());
}

/// What a chunk's owner does when it goes.
type Farewell = Box<dyn FnMut() + Send>;

/// Memory that somebody else owns.
struct Owned(Vec<u8>, Mutex<Farewell>);

impl AsRef<[u8]> for Owned {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        (self.1.get_mut().unwrap())();
    }
}

fn owned(size: usize, farewell: impl FnMut() + Send + 'static) -> bytes::Bytes {
    bytes::Bytes::from_owner(Owned(bytes(size), Mutex::new(Box::new(farewell))))
}

#[test]
fn an_owner_of_a_chunk_that_panics_when_it_goes_does_no_harm() {
    let dropped = Arc::new(Mutex::new(0));
    let panics = || {
        let dropped = Arc::clone(&dropped);
        owned(5000, move || {
            *dropped.lock().unwrap() += 1;
            panic!("on purpose: an owner of a chunk that panics");
        })
    };
    // In the middle of a read.
    let (mut a, mut b) = duplex(100_000);
    now(a.write_all(b"before")).unwrap();
    now(a.write_bytes(&mut panics())).unwrap();
    now(a.write_all(b"after")).unwrap();
    let mut got = vec![0; 5011];
    assert_eq!(now(b.read(&mut got)).unwrap(), 5011);
    assert!(got.starts_with(b"before") && got.ends_with(b"after"));
    assert_eq!(*dropped.lock().unwrap(), 1);
    // When an end goes: all are freed, and the peer hears of it.
    for _ in 0..5 {
        now(a.write_bytes(&mut panics())).unwrap();
    }
    drop(b);
    assert_eq!(*dropped.lock().unwrap(), 6);
    assert_eq!(now(a.write(b"x")).unwrap_err().kind(), ErrorKind::BrokenPipe);
    assert_eq!(now(a.read(&mut [0])).unwrap(), 0);
}

#[test]
fn an_owner_of_a_chunk_may_use_the_pipe_when_it_goes() {
    let (a, mut b) = duplex(100_000);
    let a = Arc::new(Mutex::new(Some(a)));
    let from_owner = Arc::clone(&a);
    let mut chunk = owned(5000, move || {
        let mut a = from_owner.lock().unwrap().take().unwrap();
        a.try_write(b", from the owner").unwrap();
    });
    {
        let mut a = a.lock().unwrap();
        let a = a.as_mut().unwrap();
        now(a.write_bytes(&mut chunk)).unwrap();
        now(a.write_all(b"after")).unwrap();
    }
    let mut got = Vec::new();
    now(b.read_to_end(&mut got)).unwrap();
    assert_eq!(&got[5000..], b"after, from the owner");
}

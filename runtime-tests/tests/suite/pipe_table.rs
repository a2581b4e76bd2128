//! The semantics of the in-memory pipes, row by row.
//!
//! Under a plain executor or polled by hand: pipes need no runtime. Known bugs of others' pipes are
//! in `pipe_scenarios.rs`; what pipes cost in memory is in `tests/pipe_memory.rs`, which counts
//! allocations.

use std::io::{ErrorKind, IoSlice, IoSliceMut};
use std::panic::catch_unwind;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;

use futures::executor::block_on;
use futures::future::join;
use runtime::io::{
    BorrowedBuf, BufRead, DuplexStream, Interest, NonBlocking, Read, Readiness, Ready, ReadyRead,
    ReadyWrite, SimplexStream, Write, duplex, simplex,
};

/// A waker that counts, and its count.
#[derive(Default)]
pub(super) struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Relaxed);
    }
}

impl Count {
    pub(super) fn new() -> (Arc<Self>, Waker) {
        let count = Arc::new(Self::default());
        (count.clone(), count.into())
    }

    pub(super) fn get(&self) -> usize {
        self.0.load(Relaxed)
    }
}

pub(super) fn noop() -> Context<'static> {
    Context::from_waker(Waker::noop())
}

/// Polls once, without caring to be woken.
pub(super) fn poll_once<F: Future>(future: F) -> Poll<F::Output> {
    pin!(future).poll(&mut noop())
}

/// The outcome of a future that must not wait.
#[track_caller]
pub(super) fn now<F: Future>(future: F) -> F::Output {
    match poll_once(future) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it had to wait"),
    }
}

#[track_caller]
pub(super) fn readiness(stream: &mut impl Ready, interest: Interest) -> Option<Readiness> {
    match stream.poll_ready(&mut noop(), interest) {
        Poll::Ready(outcome) => Some(outcome.unwrap()),
        Poll::Pending => None,
    }
}

pub(super) fn bytes(n: usize) -> Vec<u8> {
    (0..n).map(|i| (i % 251) as u8).collect()
}

/// Sends `n` bytes in pieces of `piece` from one to the other and checks every one.
pub(super) async fn transfer(mut from: impl Write, mut to: impl Read, n: usize, piece: usize) {
    let data = bytes(n);
    let send = async {
        for part in data.chunks(piece) {
            from.write_all(part).await.unwrap();
        }
        from.shutdown().await.unwrap();
    };
    let receive = async {
        let mut got = Vec::new();
        to.read_to_end(&mut got).await.unwrap();
        got
    };
    assert!(join(send, receive).await.1 == data, "bytes were lost or out of order");
}

// ---------------------------------------------------------------- the table

#[test]
fn row_01_never_more_is_buffered_than_the_maximum() {
    for max in [1, 3, 512, 513, 1000, 65_536, 100_000] {
        let (mut a, mut b) = duplex(max);
        let data = bytes(200_000);
        let mut written = a.try_write(&data).unwrap();
        assert_eq!(written, max);
        assert_eq!(a.try_write(&data).unwrap_err().kind(), ErrorKind::WouldBlock);
        let mut buf = [0; 7];
        for _ in 0..1000 {
            let got = b.try_read(&mut buf).unwrap();
            assert_eq!(b.len(), max - got);
            written += a.try_write(&data[..got]).unwrap();
            assert_eq!(b.len(), max);
        }
        assert!(written > max);
    }
}

#[test]
fn row_02_a_write_accepts_what_is_free_and_wakes_a_reader_that_waits() {
    let (mut a, mut b) = duplex(10);
    let (count, waker) = Count::new();
    assert!(b.poll_ready(&mut Context::from_waker(&waker), Interest::READ).is_pending());
    assert_eq!(now(a.write(b"1234567")).unwrap(), 7);
    assert_eq!(count.get(), 1);
    assert_eq!(now(a.write(b"abcdefg")).unwrap(), 3);
    assert_eq!(count.get(), 1, "the reader waits no longer");
    assert_eq!(now(b.read(&mut [0; 4])).unwrap(), 4);
    assert_eq!(now(a.write(b"abcdefg")).unwrap(), 4);
}

#[test]
fn row_03_a_write_without_space_waits_until_any_read_frees_some() {
    let (mut a, mut b) = duplex(100);
    now(a.write_all(&[1; 100])).unwrap();
    let (count, waker) = Count::new();
    let mut write = pin!(a.write(&[2; 50]));
    assert!(write.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    assert_eq!(count.get(), 0);
    assert_eq!(now(b.read(&mut [0; 1])).unwrap(), 1);
    assert_eq!(count.get(), 1, "no low-water mark");
    assert_eq!(now(write).unwrap(), 1);
}

#[test]
fn row_04_a_read_copies_what_is_buffered_and_wakes_a_writer_that_waits() {
    let (mut a, mut b) = duplex(8);
    now(a.write_all(b"abc")).unwrap();
    let mut buf = [0; 2];
    assert_eq!(now(b.read(&mut buf)).unwrap(), 2);
    assert_eq!(&buf, b"ab");
    // More arrives after the reader has looked: it gets all of it.
    now(a.write_all(b"defgh")).unwrap();
    let mut buf = [0; 16];
    assert_eq!(now(b.read(&mut buf)).unwrap(), 6);
    assert_eq!(&buf[..6], b"cdefgh");

    now(a.write_all(&[0; 8])).unwrap();
    let (count, waker) = Count::new();
    assert!(a.poll_ready(&mut Context::from_waker(&waker), Interest::WRITE).is_pending());
    assert_eq!(now(b.read(&mut buf)).unwrap(), 8);
    assert_eq!(count.get(), 1);
}

#[test]
fn row_05_a_read_of_nothing_waits_while_the_writer_is_open() {
    let (mut a, mut b) = duplex(8);
    let (count, waker) = Count::new();
    let mut buf = [0; 8];
    let mut read = pin!(b.read(&mut buf));
    assert!(read.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    now(a.write_all(b"x")).unwrap();
    assert_eq!(count.get(), 1);
    assert_eq!(now(read).unwrap(), 1);
}

#[test]
fn row_06_after_the_writer_closed_reads_say_zero_for_ever() {
    let (mut a, mut b) = duplex(8);
    now(a.shutdown()).unwrap();
    for _ in 0..3 {
        assert_eq!(now(b.read(&mut [0; 4])).unwrap(), 0);
        assert_eq!(now(b.fill_buf()).unwrap(), b"");
        assert_eq!(b.try_read(&mut [0; 4]).unwrap(), 0);
    }
    let (reader, writer) = simplex(8);
    let mut reader = reader;
    drop(writer);
    for _ in 0..3 {
        assert_eq!(now(reader.read(&mut [0; 4])).unwrap(), 0);
    }
}

#[test]
fn row_07_what_is_buffered_when_the_writer_closes_stays_readable() {
    for drops in [false, true] {
        let (mut a, mut b) = duplex(2000);
        let data = bytes(1500);
        now(a.write_all(&data)).unwrap();
        if drops {
            drop(a);
        } else {
            now(a.shutdown()).unwrap();
        }
        let mut got = Vec::new();
        assert_eq!(now(b.read_to_end(&mut got)).unwrap(), 1500);
        assert_eq!(got, data);
        assert_eq!(now(b.read(&mut [0; 4])).unwrap(), 0);
    }
}

#[test]
fn row_08_writing_after_ones_shutdown_or_to_nobody_is_a_broken_pipe_at_once() {
    let (mut a, b) = duplex(8);
    now(a.shutdown()).unwrap();
    assert_eq!(now(a.write(b"x")).unwrap_err().kind(), ErrorKind::BrokenPipe);
    drop(b);

    let (mut a, b) = duplex(8);
    now(a.write_all(b"abc")).unwrap(); // the space that was seen last does not count
    drop(b);
    assert!(a.is_closed());
    assert_eq!(now(a.write(b"x")).unwrap_err().kind(), ErrorKind::BrokenPipe);
    assert_eq!(a.try_write(b"x").unwrap_err().kind(), ErrorKind::BrokenPipe);
    let parts = [IoSlice::new(b"x"), IoSlice::new(b"y")];
    assert_eq!(now(a.write_vectored(&parts)).unwrap_err().kind(), ErrorKind::BrokenPipe);
}

#[test]
fn row_09_a_writer_that_waits_is_woken_when_the_reader_goes() {
    let (mut a, b) = duplex(2);
    now(a.write_all(b"ab")).unwrap();
    let (count, waker) = Count::new();
    let mut write = pin!(a.write(b"c"));
    assert!(write.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    drop(b);
    assert_eq!(count.get(), 1);
    assert_eq!(now(write).unwrap_err().kind(), ErrorKind::BrokenPipe);
}

#[test]
fn row_10_a_reader_that_waits_is_woken_when_the_writer_goes() {
    for drops in [false, true] {
        let (mut a, mut b) = duplex(2);
        let (count, waker) = Count::new();
        let mut buf = [0; 4];
        let mut read = pin!(b.read(&mut buf));
        assert!(read.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        if drops {
            drop(a);
        } else {
            now(a.shutdown()).unwrap();
        }
        assert_eq!(count.get(), 1);
        assert_eq!(now(read).unwrap(), 0);
    }
}

#[test]
fn row_11_operations_on_nothing_never_wait() {
    let (mut a, mut b) = duplex(2);
    assert_eq!(now(b.read(&mut [])).unwrap(), 0);
    assert_eq!(b.try_read(&mut []).unwrap(), 0);
    assert_eq!(now(b.read_vectored(&mut [IoSliceMut::new(&mut [])])).unwrap(), 0);
    let mut empty = BorrowedBuf::from(&mut [][..] as &mut [u8]);
    now(b.read_buf(empty.unfilled())).unwrap();

    now(a.write_all(b"ab")).unwrap();
    assert_eq!(now(a.write(b"")).unwrap(), 0);
    assert_eq!(a.try_write(b"").unwrap(), 0);
    assert_eq!(now(a.write_vectored(&[IoSlice::new(b""), IoSlice::new(b"")])).unwrap(), 0);
    assert_eq!(now(a.write_vectored(&[])).unwrap(), 0);
    assert_eq!(now(b.read(&mut [])).unwrap(), 0);

    drop(b);
    assert_eq!(now(a.write(b"")).unwrap_err().kind(), ErrorKind::BrokenPipe);
    let error = now(a.write_vectored(&[IoSlice::new(b"")])).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BrokenPipe);
}

#[test]
fn row_12_flush_does_nothing_whatever_the_state() {
    let (mut a, b) = duplex(1);
    now(a.flush()).unwrap();
    now(a.write_all(b"x")).unwrap();
    now(a.flush()).unwrap();
    now(a.shutdown()).unwrap();
    now(a.flush()).unwrap();
    drop(b);
    now(a.flush()).unwrap();
}

#[test]
fn row_13_shutdown_closes_one_direction_and_may_be_repeated() {
    let (mut a, mut b) = duplex(8);
    now(b.write_all(b"to a")).unwrap();
    now(a.shutdown()).unwrap();
    now(a.shutdown()).unwrap();
    now(b.write_all(b"more")).unwrap();
    let mut buf = [0; 8];
    now(a.read_exact(&mut buf)).unwrap();
    assert_eq!(&buf, b"to amore");
    assert_eq!(now(b.read(&mut buf)).unwrap(), 0);
    // Also while the pipe is full.
    let (mut a, _b) = duplex(1);
    now(a.write_all(b"x")).unwrap();
    now(a.shutdown()).unwrap();
}

#[test]
fn row_14_dropping_a_stream_closes_both_directions() {
    let (mut a, mut b) = duplex(8);
    now(a.write_all(b"bye")).unwrap();
    drop(a);
    assert_eq!(now(b.write(b"x")).unwrap_err().kind(), ErrorKind::BrokenPipe);
    let mut text = String::new();
    now(b.read_to_string(&mut text)).unwrap();
    assert_eq!(text, "bye");
}

#[test]
fn row_15_dropping_one_half_closes_its_direction_only() {
    let (a, mut b) = duplex(8);
    let (mut read, write) = a.into_split();
    drop(write);
    assert_eq!(now(b.read(&mut [0; 4])).unwrap(), 0);
    now(b.write_all(b"on")).unwrap();
    assert_eq!(now(read.read(&mut [0; 4])).unwrap(), 2);

    let (a, mut b) = duplex(8);
    let (read, mut write) = a.into_split();
    drop(read);
    assert_eq!(now(b.write(b"x")).unwrap_err().kind(), ErrorKind::BrokenPipe);
    now(write.write_all(b"on")).unwrap();
    assert_eq!(now(b.read(&mut [0; 4])).unwrap(), 2);

    let (reader, mut writer) = simplex(8);
    drop(reader);
    assert_eq!(now(writer.write(b"x")).unwrap_err().kind(), ErrorKind::BrokenPipe);
    let (mut reader, mut writer) = simplex(8);
    now(writer.write_all(b"x")).unwrap();
    drop(writer);
    assert_eq!(now(reader.read(&mut [0; 4])).unwrap(), 1);
    assert_eq!(now(reader.read(&mut [0; 4])).unwrap(), 0);
}

#[test]
fn row_16_g01_a_maximum_of_zero_panics_at_construction_with_a_sentence() {
    fn message(construct: impl FnOnce() + std::panic::UnwindSafe) -> String {
        let payload = catch_unwind(construct).unwrap_err();
        payload.downcast_ref::<&str>().map(ToString::to_string).expect("a plain sentence")
    }
    for said in [
        message(|| drop(duplex(0))),
        message(|| drop(simplex(0))),
        message(|| drop(SimplexStream::new_unsplit(0))),
        message(|| drop(runtime::pipe::duplex_with(1, 0))),
    ] {
        assert!(said.contains("greater than 0"), "{said}");
    }
}

#[test]
fn row_17_vectored_operations_cross_slices_up_to_the_limit() {
    let (mut a, mut b) = duplex(10);
    assert!(a.is_write_vectored() && b.is_read_vectored());
    let parts = [b"", &b"abcd"[..], b"efgh", b"ijkl"].map(IoSlice::new);
    assert_eq!(now(a.write_vectored(&parts)).unwrap(), 10);
    let (mut one, mut two, mut three) = ([0; 3], [0; 0], [0; 9]);
    let mut bufs = [&mut one[..], &mut two[..], &mut three[..]].map(IoSliceMut::new);
    assert_eq!(now(b.read_vectored(&mut bufs)).unwrap(), 10);
    assert_eq!((&one, &three[..7]), (b"abc", &b"defghij"[..]));
}

#[test]
fn row_18_readable_means_data_or_the_end_and_hup_that_the_peer_closed() {
    let (mut a, mut b) = duplex(8);
    assert_eq!(readiness(&mut b, Interest::READ), None);
    now(a.write_all(b"abc")).unwrap();
    let ready = readiness(&mut b, Interest::READ).unwrap();
    assert!(ready.read() && !ready.hup());
    assert_eq!(now(b.read(&mut [0; 1])).unwrap(), 1);
    now(a.shutdown()).unwrap();
    let ready = readiness(&mut b, Interest::READ).unwrap();
    assert!(ready.read() && ready.hup(), "hup comes with data left");
    assert_eq!(now(b.read(&mut [0; 9])).unwrap(), 2);
    for _ in 0..2 {
        let ready = readiness(&mut b, Interest::READ).unwrap();
        assert!(ready.read() && ready.hup());
        let outcome = b.non_blocking_read(BorrowedBuf::from(&mut [0; 4][..]).unfilled());
        assert_eq!(outcome.unwrap(), NonBlocking::Ready(()));
    }
}

#[test]
fn row_19_writable_means_space_or_that_a_write_would_fail() {
    let (mut a, mut b) = duplex(2);
    let ready = readiness(&mut a, Interest::WRITE).unwrap();
    assert!(ready.write() && !ready.hup());
    now(a.write_all(b"ab")).unwrap();
    assert_eq!(readiness(&mut a, Interest::WRITE), None);
    assert_eq!(a.non_blocking_write(b"c").unwrap(), NonBlocking::WouldBlock);
    assert_eq!(now(b.read(&mut [0; 1])).unwrap(), 1);
    assert!(readiness(&mut a, Interest::WRITE).unwrap().write());
    now(a.write_all(b"c")).unwrap();
    drop(b);
    let ready = readiness(&mut a, Interest::WRITE).unwrap();
    assert!(ready.write() && ready.hup());

    let (mut a, _b) = duplex(1);
    now(a.write_all(b"x")).unwrap();
    now(a.shutdown()).unwrap();
    assert!(readiness(&mut a, Interest::WRITE).unwrap().write());

    // Either direction, and the wrong one.
    let (mut a, mut b) = duplex(1);
    assert!(readiness(&mut a, Interest::READ_WRITE).unwrap().write());
    now(a.write_all(b"x")).unwrap();
    assert_eq!(readiness(&mut a, Interest::READ_WRITE), None);
    now(b.write_all(b"y")).unwrap();
    let ready = readiness(&mut a, Interest::READ_WRITE).unwrap();
    assert!(ready.read() && !ready.write());
    let (mut read, mut write) = a.split();
    for (outcome, wrong) in [
        (read.poll_ready(&mut noop(), Interest::WRITE), "write"),
        (write.poll_ready(&mut noop(), Interest::READ), "read"),
    ] {
        match outcome {
            Poll::Ready(Err(error)) => assert_eq!(error.kind(), ErrorKind::InvalidInput),
            other => panic!("asked to {wrong}, it says {other:?}"),
        }
    }
}

/// Nobody waits for what never comes, also not beside what does.
#[test]
#[cfg(target_os = "linux")]
fn row_19_urgent_data_is_refused_whatever_else_is_asked_for() {
    fn refuses(mut stream: impl Ready, of: &str) {
        for other in [Interest::PRIORITY, Interest::READ, Interest::WRITE, Interest::READ_WRITE] {
            match stream.poll_ready(&mut noop(), Interest::PRIORITY | other) {
                Poll::Ready(Err(error)) => assert_eq!(error.kind(), ErrorKind::InvalidInput),
                polled => panic!("{of}, asked for {other:?} as well, says {polled:?}"),
            }
        }
    }

    let (mut a, mut b) = duplex(8);
    now(a.write_all(b"ready")).unwrap();
    refuses(&mut b, "a stream");
    refuses(b.split().0, "a half");
    refuses(b.split().1, "a half");
    refuses(simplex(8).0, "a reader");
    refuses(SimplexStream::new_unsplit(8), "a handle");
    refuses(&b"slice"[..], "a slice");
    refuses(std::io::Cursor::new([0; 4]), "a cursor");
    refuses(Vec::new(), "a vector");
    refuses(runtime::io::empty(), "nothing");
    refuses(runtime::io::join(b, runtime::io::sink()), "a reader and a writer");
}

#[test]
fn row_20_only_the_newest_waker_of_a_direction_is_kept() {
    let (mut a, mut b) = duplex(1);
    let (old, old_waker) = Count::new();
    let (new, new_waker) = Count::new();
    for waker in [&old_waker, &new_waker] {
        assert!(b.poll_ready(&mut Context::from_waker(waker), Interest::READ).is_pending());
    }
    assert_eq!(Arc::strong_count(&old), 2, "the pipe does not keep the old task");
    now(a.write_all(b"x")).unwrap();
    assert_eq!((old.get(), new.get()), (0, 1));
    for waker in [&old_waker, &new_waker] {
        assert!(a.poll_ready(&mut Context::from_waker(waker), Interest::WRITE).is_pending());
    }
    now(b.read_exact(&mut [0; 1])).unwrap();
    assert_eq!((old.get(), new.get()), (0, 2));
}

#[test]
fn row_20_the_same_waker_is_not_cloned_again() {
    struct Task;
    impl Wake for Task {
        fn wake(self: Arc<Self>) {}
    }
    let task = Arc::new(Task);
    let waker = Waker::from(task.clone());
    let (_a, mut b) = duplex(1);
    for _ in 0..5 {
        assert!(b.poll_ready(&mut Context::from_waker(&waker), Interest::READ).is_pending());
        assert_eq!(Arc::strong_count(&task), 3, "ours, the waker, and one in the pipe");
    }
}

#[test]
fn row_21_wakers_are_called_only_when_the_peer_waits() {
    let (mut a, mut b) = duplex(100);
    let (count, waker) = Count::new();
    let mut cx = Context::from_waker(&waker);
    assert!(b.poll_ready(&mut cx, Interest::READ).is_pending());
    for _ in 0..10 {
        now(a.write_all(b"x")).unwrap();
    }
    assert_eq!(count.get(), 1);
    assert!(b.poll_ready(&mut cx, Interest::READ).is_ready());
    assert!(a.poll_ready(&mut cx, Interest::WRITE).is_ready());
    now(b.read_exact(&mut [0; 10])).unwrap();
    drop(a);
    drop(b);
    assert_eq!(count.get(), 1);
}

#[test]
fn row_21_a_waker_that_panics_or_uses_the_pipe_does_no_harm() {
    struct Panics;
    impl Wake for Panics {
        fn wake(self: Arc<Self>) {
            panic!("on purpose: a waker that panics");
        }
    }
    let (mut a, mut b) = duplex(4);
    let waker = Waker::from(Arc::new(Panics));
    assert!(b.poll_ready(&mut Context::from_waker(&waker), Interest::READ).is_pending());
    assert_eq!(now(a.write(b"abcd")).unwrap(), 4);
    let mut buf = [0; 4];
    assert_eq!(now(b.read(&mut buf)).unwrap(), 4);

    /// Reads, waits again and closes, all from inside the writer's operation.
    struct Reenters(Mutex<Option<DuplexStream>>);
    impl Wake for Reenters {
        fn wake(self: Arc<Self>) {
            let mut stream = self.0.lock().unwrap().take().unwrap();
            assert_eq!(stream.try_read(&mut [0; 9]).unwrap(), 2);
            assert!(readiness(&mut stream, Interest::READ).is_none());
            stream.try_write(b"answer").unwrap();
        }
    }
    let (mut a, mut b) = duplex(16);
    let reenters = Arc::new(Reenters(Mutex::new(None)));
    let waker = Waker::from(reenters.clone());
    assert!(b.poll_ready(&mut Context::from_waker(&waker), Interest::READ).is_pending());
    *reenters.0.lock().unwrap() = Some(b);
    assert_eq!(now(a.write(b"hi")).unwrap(), 2);
    let mut text = String::new();
    now(a.read_to_string(&mut text)).unwrap();
    assert_eq!(text, "answer");
    assert_eq!(now(a.write(b"x")).unwrap_err().kind(), ErrorKind::BrokenPipe);
}

#[test]
fn row_21_a_waker_that_panics_when_it_is_dropped_does_no_harm() {
    struct Panics;
    impl Wake for Panics {
        fn wake(self: Arc<Self>) {}
    }
    impl Drop for Panics {
        fn drop(&mut self) {
            panic!("on purpose: a waker that panics when it is dropped");
        }
    }
    /// Registers a waker of which the pipe has the last one then.
    fn wait(stream: &mut DuplexStream, interest: Interest) {
        let waker = Waker::from(Arc::new(Panics));
        assert!(stream.poll_ready(&mut Context::from_waker(&waker), interest).is_pending());
    }

    for interest in [Interest::READ, Interest::WRITE] {
        let (mut a, mut b) = duplex(1);
        now(b.write_all(b"x")).unwrap();
        // Replaced by another's.
        let (count, waker) = Count::new();
        wait(&mut b, interest);
        assert!(b.poll_ready(&mut Context::from_waker(&waker), interest).is_pending());
        now(a.write_all(b"y")).unwrap();
        now(a.read_exact(&mut [0])).unwrap();
        assert_eq!(count.get(), 1);
        // Taken back by who waited, in the destructor of a future.
        now(b.read_exact(&mut [0])).unwrap();
        now(b.write_all(b"x")).unwrap();
        wait(&mut b, interest);
        b.stop_waiting(interest);
        // There when the end goes: the peer hears of it all the same.
        let (mut a, mut b) = duplex(1);
        if interest.is_writable() {
            now(a.write_all(b"x")).unwrap();
            now(b.write_all(b"y")).unwrap();
        }
        wait(&mut b, interest);
        assert!(a.poll_ready(&mut Context::from_waker(&waker), interest).is_pending());
        drop(b);
        assert_eq!(count.get(), 2);
        assert_eq!(now(a.write(b"z")).unwrap_err().kind(), ErrorKind::BrokenPipe);
        assert_eq!(now(a.read(&mut [0; 2])).unwrap(), usize::from(interest.is_writable()));
    }
}

#[test]
fn row_22_g17_a_wait_that_is_dropped_loses_nothing_and_wakes_nobody_later() {
    let (mut a, mut b) = duplex(2);
    let (count, waker) = Count::new();
    let mut cx = Context::from_waker(&waker);
    let (mut buf, mut line) = ([0; 4], String::new());
    assert!(pin!(b.read(&mut buf)).poll(&mut cx).is_pending());
    assert!(pin!(b.ready(Interest::READ)).poll(&mut cx).is_pending());
    assert!(pin!(b.read_exact(&mut buf)).poll(&mut cx).is_pending());
    assert!(pin!(b.fill_buf()).poll(&mut cx).is_pending());
    assert!(pin!(b.read_line(&mut line)).poll(&mut cx).is_pending());
    assert!(pin!(b.read_with(<[u8]>::len)).poll(&mut cx).is_pending());
    assert!(pin!(Read::read(&mut &mut b, &mut buf)).poll(&mut cx).is_pending());
    {
        let mut object: Box<dyn ReadyRead + '_> = Box::new(&mut b);
        assert!(pin!(object.read(&mut buf)).poll(&mut cx).is_pending());
    }
    assert!(pin!((&mut b).take(9).ready(Interest::READ)).poll(&mut cx).is_pending());
    assert_eq!(Arc::strong_count(&count), 2, "nothing of the task is kept");
    now(a.write_all(b"ab")).unwrap();
    assert_eq!(count.get(), 0);

    assert!(pin!(a.write(b"c")).poll(&mut cx).is_pending());
    assert!(pin!(a.write_all(b"c")).poll(&mut cx).is_pending());
    assert!(pin!(a.ready(Interest::WRITE)).poll(&mut cx).is_pending());
    assert!(pin!(a.write_vectored(&[IoSlice::new(b"c")])).poll(&mut cx).is_pending());
    assert_eq!(Arc::strong_count(&count), 2);
    assert_eq!(now(b.read(&mut buf)).unwrap(), 2);
    assert_eq!(&buf[..2], b"ab");
    assert_eq!(count.get(), 0);

    // And when the handle itself goes.
    assert!(b.poll_ready(&mut cx, Interest::READ).is_pending());
    drop(b);
    assert_eq!(Arc::strong_count(&count), 2);
    drop(a);
    assert_eq!(count.get(), 0);
}

#[test]
fn row_23_g02_a_huge_maximum_works() {
    let (mut a, mut b) = duplex(usize::MAX);
    assert_eq!(a.capacity(), usize::MAX);
    let data = bytes(1 << 20);
    assert_eq!(now(a.write(&data)).unwrap(), 1 << 20);
    assert_eq!(b.len(), 1 << 20);
    let mut got = vec![0; 1 << 20];
    now(b.read_exact(&mut got)).unwrap();
    assert!(got == data);
}

#[test]
fn row_24_capacity_one_passes_large_transfers() {
    let (a, b) = duplex(1);
    block_on(transfer(a, b, 100_000, 4096));
}

#[test]
fn row_25_both_directions_work_at_once_from_different_threads() {
    let (a, b) = duplex(1000);
    let (a_read, a_write) = a.into_split();
    let (b_read, b_write) = b.into_split();
    let there = thread::spawn(|| block_on(transfer(a_write, b_read, 1 << 20, 777)));
    block_on(transfer(b_write, a_read, 1 << 20, 333));
    there.join().unwrap();
}

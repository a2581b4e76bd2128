//! What pipes cost in memory, counted by the allocator of this binary.
//!
//! One test function, as `counting.rs` says.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use runtime::io::{
    BufRead, BufReader, BufWriter, DuplexStream, Interest, Read, Ready, ReadyRead, ReadyStream,
    SimplexStream, Write, duplex, empty, simplex, split,
};
use runtime_tests::counting::{Counting, calls, live_here as live};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[track_caller]
fn now<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it had to wait"),
    }
}

/// Waits for something to read, as an idle task does.
fn wait(stream: &mut impl Ready) {
    let mut cx = Context::from_waker(Waker::noop());
    assert!(stream.poll_ready(&mut cx, Interest::READ).is_pending());
}

#[test]
fn pipes_cost_what_they_promise() {
    row_01_an_idle_pair_costs_at_most_256_bytes();
    row_01_nothing_is_allocated_per_message_after_the_first();
    row_01_memory_comes_back_when_a_pipe_is_drained_and_waits();
    row_01_memory_follows_what_is_buffered();
    row_22_g17_dropping_everything_leaves_nothing();
    g14_a_long_stream_needs_no_more_memory_than_its_buffer();
    objects_and_adapters_allocate_nothing();
}

fn row_01_an_idle_pair_costs_at_most_256_bytes() {
    let before = live();
    let mut pair = duplex(65_536);
    let idle = live() - before;
    assert!(idle <= 208, "{idle} bytes on the heap");
    wait(&mut pair.0);
    wait(&mut pair.1);
    assert_eq!(live() - before, idle, "waiting costs nothing");
    let handles = size_of::<DuplexStream>();
    assert!(handles <= 48, "{handles} bytes in place per stream");
    drop(pair);
    assert_eq!(live(), before);

    let before = live();
    let pipe = (simplex(65_536), SimplexStream::new_unsplit(1));
    assert!(live() - before <= 256, "{} bytes for two simplex pipes", live() - before);
    drop(pipe);
}

fn row_01_nothing_is_allocated_per_message_after_the_first() {
    let (mut a, mut b) = duplex(65_536);
    for size in [1, 64, 512, 5000, 65_536] {
        let data = vec![7; size];
        let mut buf = vec![0; size];
        let mut start = 0;
        for round in 0..100 {
            if round == 3 {
                start = calls();
            }
            wait(&mut b);
            now(a.write_all(&data)).unwrap();
            now(b.read_exact(&mut buf)).unwrap();
            wait(&mut a);
            now(b.write_all(&buf)).unwrap();
            now(a.read_exact(&mut buf)).unwrap();
        }
        assert_eq!(calls() - start, 0, "messages of {size} bytes");
    }
    // A stream of small pieces that fills the pipe before anyone reads.
    let mut buf = vec![0; 65_536];
    let mut start = 0;
    for round in 0..20 {
        if round == 3 {
            start = calls();
        }
        while a.try_write(&[1; 16]).is_ok() {}
        now(b.read_exact(&mut buf)).unwrap();
        wait(&mut b);
    }
    assert_eq!(calls() - start, 0, "a stream of 16 byte pieces");
}

fn row_01_memory_comes_back_when_a_pipe_is_drained_and_waits() {
    let data = vec![7; 50_000];
    let mut buf = vec![0; 50_000];
    let mut pairs: Vec<_> = (0..100).map(|_| duplex(65_536)).collect();
    let before = live();
    for (a, b) in &mut pairs {
        for part in data.chunks(99) {
            now(a.write_all(part)).unwrap();
        }
        now(b.read_exact(&mut buf)).unwrap();
        wait(b);
    }
    let kept = live() - before;
    // A thread's cache, and nothing for each of the hundred.
    assert!(kept < 400 * 1024, "{kept} bytes");
    drop(pairs);
}

fn row_01_memory_follows_what_is_buffered() {
    let (mut a, mut b) = duplex(usize::MAX);
    let before = live();
    for sent in [100, 1000, 10_000, 100_000, 1_000_000, 4_000_000_usize] {
        now(a.write_all(&vec![1; sent - b.len()])).unwrap();
        let held = (live() - before) as usize;
        assert!(held <= 2 * sent + 130 * 1024, "{held} bytes for {sent}");
    }
    let mut buf = vec![0; 1_000_000];
    let with_buf = live() - before;
    for left in [3_000_000, 2_000_000, 1_000_000, 0] {
        now(b.read_exact(&mut buf)).unwrap();
        let held = (live() - before - 1_000_000) as usize;
        assert!(held <= left + 600 * 1024, "{held} bytes for {left}, {with_buf} at first");
    }
}

fn row_22_g17_dropping_everything_leaves_nothing() {
    for drops_reader_first in [false, true] {
        let before = live();
        // Larger than the cache keeps, so that what is dropped is really freed.
        let (mut a, mut b) = duplex(usize::MAX);
        now(a.write_all(&vec![1; 3_000_000])).unwrap();
        now(b.write_all(&vec![1; 3_000_000])).unwrap();
        now(b.read_exact(&mut [0; 1000])).unwrap();
        if drops_reader_first {
            drop(b);
            assert!(live() - before < 3_400_000, "the reader's part goes with it");
            drop(a);
        } else {
            drop((a, b));
        }
        assert!(live() - before < 400 * 1024, "{} bytes", live() - before);
    }
}

fn g14_a_long_stream_needs_no_more_memory_than_its_buffer() {
    let (mut a, mut b) = duplex(65_536);
    let data = vec![3; 30_000];
    let mut buf = vec![0; 30_000];
    let before = live();
    let mut most = 0;
    for _ in 0..(100 << 20) / 30_000 {
        now(a.write_all(&data)).unwrap();
        most = most.max(live() - before);
        now(b.read_exact(&mut buf)).unwrap();
    }
    assert!(most < 1 << 20, "{most} bytes");
}

/// Calls through trait objects, adapters and downcasts: their buffers are the thread's.
fn objects_and_adapters_allocate_nothing() {
    let (a, b) = duplex(65_536);
    let mut writer: Box<dyn ReadyStream> = Box::new(BufWriter::new(a));
    let (reader, mut answers) = split(Box::new(b) as Box<dyn ReadyStream>);
    let mut reader = BufReader::new(empty().chain(reader).take(u64::MAX));
    let (mut line, mut answer) = (Vec::with_capacity(100), [0; 6]);
    // The end of the chain's first reader has to be read.
    let mut cx = Context::from_waker(Waker::noop());
    assert!(pin!(reader.fill_buf()).poll(&mut cx).is_pending());
    let mut start = 0;
    for round in 0..100 {
        if round == 3 {
            start = calls();
        }
        wait(&mut reader);
        now(writer.write_all(b"a line\nand more")).unwrap();
        now(writer.flush()).unwrap();
        line.clear();
        now(reader.read_until(b'\n', &mut line)).unwrap();
        now(reader.as_ready().expect("readiness").read_with(|rest| assert_eq!(rest, b"and more")))
            .unwrap();
        wait(&mut writer);
        now(answers.write_all(b"answer")).unwrap();
        now(Read::read_exact(&mut (&mut writer as &mut dyn ReadyStream), &mut answer)).unwrap();
    }
    assert_eq!(calls() - start, 0);
}

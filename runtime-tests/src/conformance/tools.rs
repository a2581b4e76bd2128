//! What the assertions are written with: patterns of bytes, wakers that count, single polls.

use futures::future::{Either, select};
use runtime::io::{
    BorrowedBuf, Interest, NonBlocking, Read, Readiness, ReadyRead, ReadyWrite, Write,
};
use std::cell::Cell;
use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::io::{ErrorKind, Result};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

/// How often a hint may be wrong in a row before it is a lie.
const SPURIOUS: usize = 8;

/// No stream holds more than this.
const MORE_THAN_ANY_STREAM_HOLDS: usize = 256 << 20;

/// `len` bytes in which a lost, doubled or swapped one shows.
pub(super) fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at ^ (at >> 8) ^ (at >> 16)) as u8).collect()
}

/// A waker that counts.
#[derive(Debug, Default)]
pub(super) struct Woken(AtomicUsize);

impl Woken {
    pub(super) fn new() -> (Arc<Self>, Waker) {
        let woken = Arc::new(Self::default());
        (Arc::clone(&woken), Waker::from(woken))
    }

    pub(super) fn count(&self) -> usize {
        // Ordering: a test's observation; the stream is looked at afterwards by its own means.
        self.0.load(Ordering::SeqCst)
    }

    /// Gives way until it was woken.
    pub(super) async fn wait(&self) {
        while self.count() == 0 {
            give_way().await;
        }
    }
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        // Ordering: see `count`.
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// Lets everybody else run once.
pub(super) async fn give_way() {
    let mut gave = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut gave, true) {
            return Poll::Ready(());
        }
        std::thread::yield_now();
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Polls once with the task's own waker.
pub(super) async fn poll_once<F: Future>(mut future: Pin<&mut F>) -> Poll<F::Output> {
    poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await
}

/// Polls at most `times` times, giving way in between, then drops the future.
pub(super) async fn drop_after<F: Future>(times: usize, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    for _ in 0..times {
        if let Poll::Ready(output) = poll_once(future.as_mut()).await {
            return Some(output);
        }
        give_way().await;
    }
    None
}

/// Reads without waiting.
pub(super) fn try_read<R: ReadyRead>(reader: &mut R, max: usize) -> Result<NonBlocking<Vec<u8>>> {
    let mut memory = vec![0; max];
    let mut buf = BorrowedBuf::from(&mut memory[..]);
    Ok(reader.non_blocking_read(buf.unfilled())?.map(|()| buf.filled().to_vec()))
}

/// Asserts that a reader has nothing to read and registers `waker`; hints may be wrong a few times.
pub(super) fn assert_waits_to_read<R: ReadyRead>(reader: &mut R, waker: &Waker) {
    for _ in 0..SPURIOUS {
        let Poll::Ready(readiness) =
            reader.poll_ready(&mut Context::from_waker(waker), Interest::READ)
        else {
            return;
        };
        let _: Readiness = readiness.unwrap();
        assert_eq!(try_read(reader, 1).unwrap(), NonBlocking::WouldBlock, "nothing was written");
    }
    panic!("it says that it is ready and that it would block, again and again");
}

/// Writes `chunk` again and again until there is no space, and registers `waker` then. Returns how
/// many bytes that took.
pub(super) fn fill<W: ReadyWrite>(writer: &mut W, chunk: &[u8], waker: &Waker) -> usize {
    let (mut written, mut wrong) = (0, 0);
    loop {
        let Poll::Ready(readiness) =
            writer.poll_ready(&mut Context::from_waker(waker), Interest::WRITE)
        else {
            return written;
        };
        let _: Readiness = readiness.unwrap();
        match writer.non_blocking_write(chunk).unwrap() {
            NonBlocking::Ready(n) => {
                assert!(n > 0 && n <= chunk.len());
                (written, wrong) = (written + n, 0);
            }
            NonBlocking::WouldBlock => wrong += 1,
        }
        assert!(wrong < SPURIOUS, "it says that it is ready and would block, again and again");
        assert!(written < MORE_THAN_ANY_STREAM_HOLDS, "it never says that it is full");
    }
}

/// Reads until the writer's waker is called. That may take all that was written: sockets say that there
/// is space when much of it is. And it may be before all has come: adapters keep some back.
pub(super) async fn drain_until<R: Read>(woken: &Woken, reader: &mut R) {
    let mut buf = vec![0; 64 << 10];
    while let Either::Right((read, _)) =
        select(pin!(woken.wait()), pin!(reader.read(&mut buf))).await
    {
        assert!(read.unwrap() > 0, "the stream ended");
    }
}

/// Writes until that fails, as it must when the reader is gone.
pub(super) async fn assert_writing_fails<W: Write>(writer: &mut W) {
    loop {
        if let Err(error) = writer.write(&[0; 1024]).await {
            assert_is_gone(error.kind());
            return;
        }
        give_way().await;
    }
}

/// The errors by which a peer is gone.
pub(super) fn assert_is_gone(kind: ErrorKind) {
    use ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset};
    assert!(matches!(kind, BrokenPipe | ConnectionAborted | ConnectionReset), "{kind:?}");
}

/// How often another future gets its turn beside this one.
pub(super) async fn ticks_beside(pump: impl Future<Output = ()>) -> usize {
    let ticks = Cell::new(0);
    let ticker = async {
        loop {
            ticks.set(ticks.get() + 1);
            give_way().await;
        }
    };
    let _: Either<((), _), (Infallible, _)> = select(pin!(pump), pin!(ticker)).await;
    ticks.get()
}

/// The sentence of the panic that `f` ends with.
pub(super) fn panic_of<T>(f: impl FnOnce() -> T) -> String {
    let panic = catch_unwind(AssertUnwindSafe(f)).err().expect("it did not panic");
    match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(panic) => panic.downcast_ref::<&str>().expect("a sentence").to_string(),
    }
}

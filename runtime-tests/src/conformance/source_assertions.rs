//! What a reader owes that has no writer at its other end: what is in memory, and files.
//!
//! A row opens the reader and says which bytes it has. It need not have a readiness form; where it has
//! one, that is held to the same.

use super::tools::{drop_after, give_way, ticks_beside};
use super::{Executor, Plain, run_under};
use runtime::io::{
    BorrowedBuf, BorrowedSliceCursor, BufReader, DynOwnedRead, DynRead, Interest, OwnedBuf,
    OwnedRead, Read, Ready, empty, join, read_with, sink,
};
use std::future::Future;
use std::io::{ErrorKind, IoSliceMut};

/// Opens a reader of known bytes.
pub trait Source: Clone + Send + 'static {
    /// The reader.
    type Reader: OwnedRead + 'static;
    /// Under which it works.
    type Executor: Executor;

    /// That executor.
    fn executor(&self) -> Self::Executor;

    /// The reader, at the beginning, and what it reads from there.
    fn open(&self) -> impl Future<Output = (Self::Reader, Vec<u8>)>;
}

/// A row of readers under a plain executor.
pub fn source<F>(open: F) -> SourceRow<Plain, F> {
    source_on(Plain, open)
}

/// A row of readers under an executor of its own.
pub fn source_on<E, F>(executor: E, open: F) -> SourceRow<E, F> {
    SourceRow { executor, open }
}

/// What [`source`] and [`source_on`] make.
#[derive(Clone, Copy, Debug)]
pub struct SourceRow<E, F> {
    executor: E,
    open: F,
}

impl<E, F, Fut, R> Source for SourceRow<E, F>
where
    E: Executor,
    F: Fn() -> Fut + Clone + Send + 'static,
    Fut: Future<Output = (R, Vec<u8>)>,
    R: OwnedRead + 'static,
{
    type Reader = R;
    type Executor = E;

    fn executor(&self) -> E {
        self.executor.clone()
    }

    fn open(&self) -> impl Future<Output = (R, Vec<u8>)> {
        (self.open)()
    }
}

fn run<S: Source, Fut: Future<Output = ()>>(
    source: S,
    assertion: impl FnOnce(S) -> Fut + Send + 'static,
) {
    run_under(source.executor(), move || assertion(source));
}

/// Reads everything by single reads of this size.
async fn read_all(mut reader: impl Read, size: usize) -> Vec<u8> {
    let (mut all, mut buf) = (Vec::new(), vec![0; size]);
    loop {
        match reader.read(&mut buf).await.unwrap() {
            0 => return all,
            n => all.extend_from_slice(&buf[..n]),
        }
    }
}

/// By pieces of odd sizes.
pub fn everything_is_read_in_order<S: Source>(source: S) {
    run(source, |source| async move {
        for size in [1009, 100_003] {
            let (reader, bytes) = source.open().await;
            assert!(read_all(reader, size).await == bytes);
        }
    });
}

/// Each single operation in turn.
pub fn every_form_of_reading_goes_on_where_the_last_ended<S: Source>(source: S) {
    run(source, |source| async move {
        let (mut reader, bytes) = source.open().await;
        let mut all = Vec::new();
        for round in 0.. {
            let before = all.len();
            let (mut one, mut two) = ([0; 300], [0; 500]);
            match round % 6 {
                0 => {
                    let n = reader.read(&mut one).await.unwrap();
                    all.extend_from_slice(&one[..n]);
                }
                1 => {
                    let mut bufs = [&mut [][..], &mut one, &mut two].map(IoSliceMut::new);
                    let n = reader.read_vectored(&mut bufs).await.unwrap();
                    all.extend_from_slice(&[&one[..], &two].concat()[..n]);
                }
                2 => {
                    let mut buf = BorrowedBuf::from(&mut one[..]);
                    reader.read_buf(buf.unfilled().limited(100)).await.unwrap();
                    assert!(buf.len() <= 100);
                    all.extend_from_slice(buf.filled());
                }
                3 => {
                    let mut one = BorrowedBuf::from(&mut one[..]);
                    let mut two = BorrowedBuf::from(&mut two[..]);
                    let mut cursors = [one.unfilled(), two.unfilled()];
                    let bufs = BorrowedSliceCursor::new(&mut cursors);
                    let n = reader.read_buf_vectored(bufs).await.unwrap();
                    assert_eq!(n, one.len() + two.len());
                    all.extend_from_slice(&[one.filled(), two.filled()].concat());
                }
                4 => {
                    let n = reader.read_into(&mut all).await.unwrap();
                    assert_eq!(all.len(), before + n);
                }
                _ => read_with(&mut reader, |shown| all.extend_from_slice(shown)).await.unwrap(),
            }
            if all.len() == before {
                break;
            }
        }
        assert!(all == bytes);
    });
}

/// And it is not the end.
pub fn nothing_is_read_into_nothing<S: Source>(source: S) {
    run(source, |source| async move {
        let (mut reader, bytes) = source.open().await;
        assert_eq!(reader.read(&mut []).await.unwrap(), 0);
        assert_eq!(reader.read_vectored(&mut []).await.unwrap(), 0);
        assert_eq!(reader.read_vectored(&mut [IoSliceMut::new(&mut [])]).await.unwrap(), 0);
        reader.read_buf(BorrowedBuf::from(&mut [][..] as &mut [u8]).unfilled()).await.unwrap();
        reader.read_exact(&mut []).await.unwrap();
        let (buf, outcome) = reader.read_owned(OwnedBuf::with_capacity(0)).await;
        outcome.unwrap();
        assert!(buf.is_empty());
        assert!(read_all(reader, 8192).await == bytes);
    });
}

/// By every method, and too early for `read_exact`.
pub fn the_end_is_for_ever<S: Source>(source: S) {
    run(source, |source| async move {
        let (mut reader, bytes) = source.open().await;
        let mut all = b"before".to_vec();
        assert_eq!(reader.read_to_end(&mut all).await.unwrap(), bytes.len());
        assert!(all[6..] == bytes);
        for _ in 0..3 {
            assert_eq!(reader.read(&mut [0; 8]).await.unwrap(), 0);
            assert_eq!(read_with(&mut reader, <[u8]>::len).await.unwrap(), 0);
            assert_eq!(reader.read_into(&mut all).await.unwrap(), 0);
            let (buf, outcome) = reader.read_owned(OwnedBuf::with_capacity(8)).await;
            outcome.unwrap();
            assert!(buf.is_empty());
        }
        let error = reader.read_exact(&mut [0]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
        let (buf, outcome) = reader.read_exact_owned(OwnedBuf::with_capacity(8)).await;
        assert_eq!(outcome.unwrap_err().kind(), ErrorKind::UnexpectedEof);
        assert_eq!((buf.len(), buf.room()), (0, 8));
    });
}

/// The memory is the same before and after.
pub fn owned_buffers_are_read_into<S: Source>(source: S) {
    run(source, |source| async move {
        let (mut reader, bytes) = source.open().await;
        let mut owned = reader.as_owned().expect("an owned form");
        let vec = Vec::<u8>::with_capacity(64);
        let memory = vec.as_ptr().addr();
        let (buf, outcome) = owned.read_owned(OwnedBuf::from(vec)).await;
        outcome.unwrap();
        let mut all = buf.try_into_vec().expect("it was made from one");
        assert_eq!(all.as_ptr().addr(), memory);
        // A buffer keeps what is filled.
        let mut buf = OwnedBuf::with_capacity(101);
        buf.unfilled().append(b">");
        let (buf, outcome) = owned.read_exact_owned(buf).await;
        assert!(outcome.is_ok() || bytes.len() < all.len() + 100);
        all.extend_from_slice(&buf.filled()[1..]);
        let (all, outcome) = owned.read_to_end_owned(all).await;
        outcome.unwrap();
        assert!(all == bytes);
    });
}

/// Erased, and found again.
pub fn objects_and_downcasts_read<S: Source>(source: S) {
    run(source, |source| async move {
        let (reader, bytes) = source.open().await;
        let mut object: Box<dyn DynRead> = Box::new(reader);
        let mut all = Vec::new();
        object.read_to_end(&mut all).await.unwrap();
        assert!(all == bytes);

        let (reader, bytes) = source.open().await;
        let mut object: Box<dyn DynOwnedRead> = Box::new(reader);
        let (all, outcome) = object.read_to_end_owned(Vec::new()).await;
        outcome.unwrap();
        assert!(all == bytes);

        let (reader, bytes) = source.open().await;
        let mut object: Box<dyn DynRead> = Box::new(reader);
        let (all, _) = object.as_owned().expect("still").read_to_end_owned(Vec::new()).await;
        assert!(all == bytes);

        let (mut reader, bytes) = source.open().await;
        let has_readiness = reader.as_ready().is_some();
        assert_eq!(has_readiness, reader.as_ready_dyn().is_some());
        if let Some(mut ready) = reader.as_ready_dyn() {
            assert!(ready.ready(Interest::READ).await.unwrap().read());
            assert!(read_all(&mut ready, 1009).await == bytes);
            assert!(ready.ready(Interest::READ).await.unwrap().read(), "the end is ready, too");
        }
    });
}

/// What is around it reads the same.
pub fn adapters_read<S: Source>(source: S) {
    run(source, |source| async move {
        let (reader, bytes) = source.open().await;
        let half = bytes.len() / 2;
        let mut taken = reader.take(half as u64);
        assert!(read_all(&mut taken, 1009).await == bytes[..half]);
        assert!(read_all(taken.into_inner(), 1009).await == bytes[half..]);

        let twice = [&bytes[..], &bytes].concat();
        let chain = source.open().await.0.chain(source.open().await.0);
        assert!(read_all(chain, 1009).await == twice);
        assert!(read_all(empty().chain(source.open().await.0), 1009).await == bytes);

        for capacity in [1, 7, 100_000] {
            let reader = BufReader::with_capacity(capacity, source.open().await.0);
            assert!(read_all(reader, 1009).await == bytes);
        }
        assert!(read_all(join(source.open().await.0, sink()), 1009).await == bytes);
        assert!(read_all(&mut Box::new(source.open().await.0), 1009).await == bytes);

        let mut singly = source.open().await.0.bytes();
        for byte in &bytes[..bytes.len().min(100)] {
            assert_eq!(singly.next().await.unwrap(), Some(*byte));
        }
    });
}

/// Dropped at every await point.
pub fn reads_that_are_dropped_lose_nothing<S: Source>(source: S) {
    run(source, |source| async move {
        let (mut reader, bytes) = source.open().await;
        let mut all = Vec::new();
        for round in 0.. {
            let mut buf = [0; 1009];
            match drop_after(round % 5, reader.read(&mut buf)).await.transpose().unwrap() {
                None => give_way().await,
                Some(0) => break,
                Some(n) => all.extend_from_slice(&buf[..n]),
            }
        }
        assert!(all == bytes);
    });
}

/// The cooperative budget, through every adapter: a reader that never waits gives way all the same.
pub fn reads_let_others_run<S: Source>(source: S) {
    async fn read_often(mut reader: impl Read) {
        let ticks = ticks_beside(async {
            for _ in 0..4_000 {
                reader.read(&mut [0; 2]).await.unwrap();
            }
        });
        let ticks = ticks.await;
        assert!(ticks >= 10, "the ticker ran {ticks} times beside 4,000 reads");
    }

    run(source, |source| async move {
        if !S::Executor::BUDGETED {
            return;
        }
        read_often(source.open().await.0).await;
        read_often(&mut Box::new(source.open().await.0)).await;
        read_often(Box::new(source.open().await.0) as Box<dyn DynRead>).await;
        read_often(source.open().await.0.take(u64::MAX)).await;
        read_often(empty().chain(source.open().await.0)).await;
        read_often(BufReader::with_capacity(3, source.open().await.0)).await;
        read_often(join(source.open().await.0, sink())).await;
        if let Some(ready) = source.open().await.0.as_ready_dyn() {
            read_often(ready).await;
        }
        let mut owned = source.open().await.0;
        let ticks = ticks_beside(async {
            let mut buf = OwnedBuf::with_capacity(2);
            for _ in 0..4_000 {
                buf.clear();
                buf = owned.read_owned(buf).await.0;
            }
        });
        assert!(ticks.await >= 10);
    });
}

/// A matter of compiling.
pub fn reading_futures_are_send<S: Source>(source: S) {
    fn is_send<T: Send>(_: T) {}

    run(source, |source| async move {
        let (mut reader, _) = source.open().await;
        let mut memory = [0; 8];
        is_send(reader.read(&mut memory));
        is_send(reader.read_exact(&mut memory));
        is_send(reader.read_to_end(&mut Vec::new()));
        is_send(reader.read_to_string(&mut String::new()));
        is_send(reader.read_into(&mut Vec::new()));
        is_send(read_with(&mut reader, <[u8]>::len));
        is_send(reader.read_owned(OwnedBuf::with_capacity(1)));
        is_send(reader.read_exact_owned(OwnedBuf::with_capacity(1)));
        is_send(reader.read_to_end_owned(Vec::new()));
    });
}

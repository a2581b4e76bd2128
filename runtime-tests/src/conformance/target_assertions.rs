//! What a writer owes that has no reader at its other end: what is in memory, and files.
//!
//! A row opens the writer and finds out what was written; `None` where that is forgotten.

use super::tools::{pattern, ticks_beside};
use super::{Executor, Plain, run_under};
use runtime::io::{
    BufWriter, DynOwnedWrite, DynWrite, OwnedBuf, OwnedWrite, Ready, Write, empty, join,
};
use std::future::Future;
use std::io::IoSlice;

/// Opens a writer whose bytes can be looked at. It has room for a megabyte.
pub trait Target: Clone + Send + 'static {
    /// The writer.
    type Writer: OwnedWrite + 'static;
    /// Under which it works.
    type Executor: Executor;

    /// That executor.
    fn executor(&self) -> Self::Executor;

    /// A writer to which nothing was written.
    fn open(&self) -> impl Future<Output = Self::Writer>;

    /// What was written, if it is known.
    fn written(&self, writer: Self::Writer) -> impl Future<Output = Option<Vec<u8>>>;
}

/// A row of writers under a plain executor.
pub fn target<F, Fut, G, Gut>(open: F, written: G) -> TargetRow<Plain, F, G>
where
    F: Fn() -> Fut,
    Fut: Future,
    G: Fn(Fut::Output) -> Gut,
{
    target_on(Plain, open, written)
}

/// A row of writers under an executor of its own.
pub fn target_on<E, F, Fut, G, Gut>(executor: E, open: F, written: G) -> TargetRow<E, F, G>
where
    F: Fn() -> Fut,
    Fut: Future,
    G: Fn(Fut::Output) -> Gut,
{
    TargetRow { executor, open, written }
}

/// What [`target`] and [`target_on`] make.
#[derive(Clone, Copy, Debug)]
pub struct TargetRow<E, F, G> {
    executor: E,
    open: F,
    written: G,
}

impl<E, F, Fut, W, G, Gut> Target for TargetRow<E, F, G>
where
    E: Executor,
    F: Fn() -> Fut + Clone + Send + 'static,
    Fut: Future<Output = W>,
    W: OwnedWrite + 'static,
    G: Fn(W) -> Gut + Clone + Send + 'static,
    Gut: Future<Output = Option<Vec<u8>>>,
{
    type Writer = W;
    type Executor = E;

    fn executor(&self) -> E {
        self.executor.clone()
    }

    fn open(&self) -> impl Future<Output = W> {
        (self.open)()
    }

    fn written(&self, writer: W) -> impl Future<Output = Option<Vec<u8>>> {
        (self.written)(writer)
    }
}

fn run<T: Target, Fut: Future<Output = ()>>(
    target: T,
    assertion: impl FnOnce(T) -> Fut + Send + 'static,
) {
    run_under(target.executor(), move || assertion(target));
}

/// After a flush, these bytes are there and no other.
async fn assert_written<T: Target>(target: &T, mut writer: T::Writer, expected: &[u8]) {
    writer.flush().await.unwrap();
    if let Some(written) = target.written(writer).await {
        assert!(written == expected, "{} bytes of {}", written.len(), expected.len());
    }
}

/// By pieces of odd sizes.
pub fn everything_is_written_in_order<T: Target>(target: T) {
    run(target, |target| async move {
        let mut writer = target.open().await;
        let bytes = pattern(200_000);
        for piece in bytes.chunks(7919) {
            writer.write_all(piece).await.unwrap();
        }
        assert_written(&target, writer, &bytes).await;
    });
}

/// Each operation in turn.
pub fn every_form_of_writing_goes_on_where_the_last_ended<T: Target>(target: T) {
    run(target, |target| async move {
        let mut writer = target.open().await;
        let bytes = pattern(50_000);
        let mut at = 0;
        for round in 0.. {
            let piece = &bytes[at..bytes.len().min(at + 1 + round * 13 % 701)];
            if piece.is_empty() {
                break;
            }
            let (head, tail) = piece.split_at(piece.len() / 3);
            let mut parts = [IoSlice::new(head), IoSlice::new(&[]), IoSlice::new(tail)];
            at += match round % 4 {
                0 => writer.write(piece).await.unwrap(),
                1 => writer.write_vectored(&parts).await.unwrap(),
                2 => writer.write_all_vectored(&mut parts).await.map(|()| piece.len()).unwrap(),
                _ => {
                    let (_, outcome) = writer.write_owned(OwnedBuf::from(piece.to_vec())).await;
                    outcome.unwrap()
                }
            };
        }
        write!(writer, "{:>4}", 42).await.unwrap();
        let expected = [&bytes[..], b"  42"].concat();
        assert_written(&target, writer, &expected).await;
    });
}

/// By every method.
pub fn nothing_is_written_of_nothing<T: Target>(target: T) {
    run(target, |target| async move {
        let mut writer = target.open().await;
        assert_eq!(writer.write(&[]).await.unwrap(), 0);
        assert_eq!(writer.write_vectored(&[]).await.unwrap(), 0);
        assert_eq!(writer.write_vectored(&[IoSlice::new(&[])]).await.unwrap(), 0);
        writer.write_all(&[]).await.unwrap();
        writer.write_all_vectored(&mut [IoSlice::new(&[])]).await.unwrap();
        assert_eq!(writer.write_owned(OwnedBuf::with_capacity(8)).await.1.unwrap(), 0);
        writer.write_all_owned(OwnedBuf::with_capacity(8)).await.1.unwrap();
        assert_written(&target, writer, b"").await;
    });
}

/// Before and after, once and again.
pub fn flushes_and_shutdowns_change_nothing<T: Target>(target: T) {
    run(target, |target| async move {
        let mut writer = target.open().await;
        writer.flush().await.unwrap();
        writer.write_all(b"all").await.unwrap();
        writer.flush().await.unwrap();
        writer.write_all(b" of it").await.unwrap();
        writer.shutdown().await.unwrap();
        writer.shutdown().await.unwrap();
        assert_written(&target, writer, b"all of it").await;
    });
}

/// They come back as they were.
pub fn owned_buffers_are_written_from<T: Target>(target: T) {
    run(target, |target| async move {
        let mut writer = target.open().await;
        let bytes = pattern(100_003);
        {
            let mut owned = writer.as_owned_write().expect("an owned form");
            let vec = bytes.clone();
            let memory = vec.as_ptr().addr();
            let (buf, outcome) = owned.write_all_owned(OwnedBuf::from(vec)).await;
            outcome.unwrap();
            let vec = buf.try_into_vec().expect("it was made from one");
            assert!(vec == bytes && vec.as_ptr().addr() == memory);
            let mut buf = OwnedBuf::from(b"_rest".to_vec());
            buf.consume(1);
            let (buf, outcome) = owned.write_all_owned(buf).await;
            outcome.unwrap();
            assert_eq!((buf.filled(), buf.consumed()), (&b"rest"[..], 1));
        }
        assert_written(&target, writer, &[&bytes[..], b"rest"].concat()).await;
    });
}

/// Erased, and found again.
pub fn objects_and_downcasts_write<T: Target>(target: T) {
    run(target, |target| async move {
        let mut writer = target.open().await;
        {
            let mut object: Box<dyn DynWrite + '_> = Box::new(&mut writer);
            object.write_all(b"one ").await.unwrap();
            let mut owned = object.as_owned_write().expect("still");
            owned.write_all_owned(OwnedBuf::from(b"two ".to_vec())).await.1.unwrap();
        }
        {
            let mut object: Box<dyn DynOwnedWrite + '_> = Box::new(&mut writer);
            object.write_all_owned(OwnedBuf::from(b"three ".to_vec())).await.1.unwrap();
        }
        let mut expected = b"one two three ".to_vec();
        let has_readiness = writer.as_ready_write().is_some();
        assert_eq!(has_readiness, writer.as_ready_write_dyn().is_some());
        if let Some(mut ready) = writer.as_ready_write_dyn() {
            assert!(ready.ready(runtime::io::Interest::WRITE).await.unwrap().write());
            ready.write_all(b"four").await.unwrap();
            expected.extend_from_slice(b"four");
        }
        assert_written(&target, writer, &expected).await;
    });
}

/// What is around it writes the same.
pub fn adapters_write<T: Target>(target: T) {
    run(target, |target| async move {
        let bytes = pattern(10_000);
        for capacity in [1, 7, 100_000] {
            let mut writer = BufWriter::with_capacity(capacity, target.open().await);
            for piece in bytes.chunks(31) {
                writer.write_all(piece).await.unwrap();
            }
            writer.flush().await.unwrap();
            assert_written(&target, writer.into_inner(), &bytes).await;
        }
        let mut stream = join(empty(), target.open().await);
        stream.write_all(&bytes).await.unwrap();
        assert_written(&target, stream.into_inner().1, &bytes).await;
        let mut boxed = Box::new(target.open().await);
        Write::write_all(&mut &mut boxed, &bytes).await.unwrap();
        assert_written(&target, *boxed, &bytes).await;
    });
}

/// The cooperative budget, through every adapter: a writer that never waits gives way all the same.
pub fn writes_let_others_run<T: Target>(target: T) {
    async fn write_often(mut writer: impl Write) {
        let ticks = ticks_beside(async {
            for _ in 0..4_000 {
                assert_eq!(writer.write(b"xy").await.unwrap(), 2);
            }
        });
        let ticks = ticks.await;
        assert!(ticks >= 10, "the ticker ran {ticks} times beside 4,000 writes");
    }

    run(target, |target| async move {
        if !T::Executor::BUDGETED {
            return;
        }
        write_often(target.open().await).await;
        write_often(&mut Box::new(target.open().await)).await;
        write_often(Box::new(target.open().await) as Box<dyn DynWrite>).await;
        write_often(BufWriter::with_capacity(3, target.open().await)).await;
        write_often(join(empty(), target.open().await)).await;
        if let Some(ready) = target.open().await.as_ready_write_dyn() {
            write_often(ready).await;
        }
        let mut owned = target.open().await;
        let ticks = ticks_beside(async {
            let mut buf = OwnedBuf::from(b"xy".to_vec());
            for _ in 0..4_000 {
                buf = owned.write_owned(buf).await.0;
            }
        });
        assert!(ticks.await >= 10);
    });
}

/// A matter of compiling.
pub fn writing_futures_are_send<T: Target>(target: T) {
    fn is_send<F: Send>(_: F) {}

    run(target, |target| async move {
        let mut writer = target.open().await;
        is_send(writer.write(b""));
        is_send(writer.write_all(b""));
        is_send(writer.write_vectored(&[]));
        is_send(writer.write_all_vectored(&mut []));
        is_send(writer.write_fmt(format_args!("")));
        is_send(writer.flush());
        is_send(writer.shutdown());
        is_send(writer.write_owned(OwnedBuf::with_capacity(1)));
        is_send(writer.write_all_owned(OwnedBuf::with_capacity(1)));
    });
}

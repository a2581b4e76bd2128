//! The conformance suite on streams that a user might write or wrap: a leaf of their own, and what
//! the crate puts around it. The leaf runs under an executor that knows nothing of the runtime; what
//! is around it under ours, where the budget shows whether it is charged through every layer.

use runtime::io::{
    BorrowedCursor, DynOwnedRead, DynOwnedWrite, Interest, NonBlocking, OwnedRead, OwnedWrite,
    Read, Readiness, Ready, ReadyRead, ReadyStream, ReadyWrite, Write, forward_io, leaf_io,
};
use runtime_tests::conformance;
use runtime_tests::conformance::{CurrentThread, one_way_on, pair, pair_on};
use runtime_tests::loopback::{Loopback, loopback};
use std::io::{IoSlice, Result};
use std::task::{Context, Poll};

conformance!(pair user_leaf, pair(|| async { loopback(4096) }));
conformance!(pair user_leaf_of_one_byte, pair(|| async { loopback(1) }));
conformance!(pair user_leaf_and_box, pair_on(CurrentThread, || async {
    let (left, right) = loopback(1000);
    (left, Box::new(right))
}));
conformance!(pair borrowed_object, pair_on(CurrentThread, || async {
    let (left, right) = loopback(1000);
    (Borrowed { stream: left }, Borrowed { stream: right })
}));
conformance!(pair boxed_object, pair_on(CurrentThread, || async {
    let (left, right) = loopback(1000);
    (Box::new(left) as Box<dyn ReadyStream>, Box::new(right) as Box<dyn ReadyStream>)
}));
conformance!(pair boxed_sync_object, pair_on(CurrentThread, || async {
    let (left, right) = loopback(1000);
    (Box::new(left) as Box<dyn ReadyStream + Sync>, Box::new(right) as Box<dyn ReadyStream + Sync>)
}));
conformance!(pair wrapper, pair_on(CurrentThread, || async {
    let (left, right) = loopback(1000);
    (Named { _name: "left", stream: left }, Named { _name: "right", stream: right })
}));
conformance!(pair spurious, pair_on(CurrentThread, || async {
    let (left, right) = loopback(1000);
    (Spurious { stream: left, calls: 0 }, Spurious { stream: right, calls: 0 })
}));
conformance!(one_way taken, one_way_on(CurrentThread, || async {
    let (left, right) = loopback(1000);
    (left, right.take(u64::MAX))
}));
conformance!(one_way taken_twice, one_way_on(CurrentThread, || async {
    let (left, right) = loopback(1000);
    (left, right.take(1 << 40).take(u64::MAX))
}));
conformance!(one_way objects, one_way_on(CurrentThread, || async {
    let (left, right) = loopback(1000);
    (Box::new(left) as Box<dyn ReadyWrite>, Box::new(right) as Box<dyn ReadyRead>)
}));

/// Goes through `&mut dyn ReadyStream` for every call; closes what it owns when it is dropped.
struct Borrowed {
    stream: Loopback,
}

impl Borrowed {
    fn stream(&mut self) -> &mut dyn ReadyStream {
        &mut self.stream
    }
}

impl Ready for Borrowed {
    fn poll_ready(&mut self, cx: &mut Context<'_>, interest: Interest) -> Poll<Result<Readiness>> {
        self.stream().poll_ready(cx, interest)
    }
}

impl ReadyRead for Borrowed {
    fn non_blocking_read(&mut self, buf: BorrowedCursor<'_>) -> Result<NonBlocking<()>> {
        (&mut self.stream()).non_blocking_read(buf)
    }
}

impl ReadyWrite for Borrowed {
    fn non_blocking_write(&mut self, buf: &[u8]) -> Result<NonBlocking<usize>> {
        (&mut self.stream()).non_blocking_write(buf)
    }

    fn non_blocking_shutdown(&mut self) -> Result<NonBlocking<()>> {
        (&mut self.stream()).non_blocking_shutdown()
    }
}

/// Its async methods are those of the object and written as `async fn`.
impl Read for Borrowed {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize> {
        Read::read(&mut self.stream(), buf).await
    }

    fn as_ready(&mut self) -> Option<impl ReadyRead> {
        Some(self.stream())
    }

    fn as_ready_dyn(&mut self) -> Option<Box<dyn ReadyRead + '_>> {
        Some(Box::new(self.stream()))
    }

    fn as_owned(&mut self) -> Option<impl OwnedRead> {
        Some(self.stream())
    }

    fn as_owned_dyn(&mut self) -> Option<Box<dyn DynOwnedRead + '_>> {
        Some(Box::new(self.stream()))
    }
}

impl Write for Borrowed {
    async fn write(&mut self, buf: &[u8]) -> Result<usize> {
        Write::write(&mut self.stream(), buf).await
    }

    async fn flush(&mut self) -> Result<()> {
        Write::flush(&mut self.stream()).await
    }

    async fn shutdown(&mut self) -> Result<()> {
        Write::shutdown(&mut self.stream()).await
    }

    fn as_ready_write(&mut self) -> Option<impl ReadyWrite> {
        Some(self.stream())
    }

    fn as_ready_stream(&mut self) -> Option<impl ReadyStream> {
        Some(self.stream())
    }

    fn as_ready_write_dyn(&mut self) -> Option<Box<dyn ReadyWrite + '_>> {
        Some(Box::new(self.stream()))
    }

    fn as_ready_stream_dyn(&mut self) -> Option<Box<dyn ReadyStream + '_>> {
        Some(Box::new(self.stream()))
    }

    fn as_owned_write(&mut self) -> Option<impl OwnedWrite> {
        Some(self.stream())
    }

    fn as_owned_write_dyn(&mut self) -> Option<Box<dyn DynOwnedWrite + '_>> {
        Some(Box::new(self.stream()))
    }
}

/// The forwarding macro, from another crate, on a generic wrapper.
struct Named<S> {
    _name: &'static str,
    stream: S,
}

forward_io!(
    impl [S: ReadyStream + OwnedRead + OwnedWrite]
        Ready, Read, Write, ReadyRead, ReadyWrite, OwnedRead, OwnedWrite for Named<S> => stream
);

/// Also without generics and by index.
struct Plain(Loopback);

forward_io!(impl Ready, Read, Write, ReadyRead, ReadyWrite for Plain => 0);

#[test]
fn a_wrapper_without_generics_is_a_stream() {
    let (left, right) = loopback(8);
    let (mut left, mut right): (_, Box<dyn ReadyStream>) = (Plain(left), Box::new(Plain(right)));
    futures::executor::block_on(async {
        left.write_all(b"through").await.unwrap();
        left.shutdown().await.unwrap();
        let mut text = String::new();
        right.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "through");
    });
}

/// Readiness as a hint that is often wrong: every other time it says ready without looking.
struct Spurious {
    stream: Loopback,
    calls: usize,
}

impl Ready for Spurious {
    fn poll_ready(&mut self, cx: &mut Context<'_>, interest: Interest) -> Poll<Result<Readiness>> {
        self.calls += 1;
        match self.stream.poll_ready(cx, interest) {
            Poll::Pending if self.calls % 2 == 1 => Poll::Ready(Ok(interest.into())),
            polled => polled,
        }
    }
}

impl ReadyRead for Spurious {
    fn non_blocking_read(&mut self, buf: BorrowedCursor<'_>) -> Result<NonBlocking<()>> {
        self.stream.non_blocking_read(buf)
    }
}

impl ReadyWrite for Spurious {
    fn non_blocking_write(&mut self, buf: &[u8]) -> Result<NonBlocking<usize>> {
        self.stream.non_blocking_write(buf)
    }

    fn non_blocking_write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> Result<NonBlocking<usize>> {
        self.stream.non_blocking_write_vectored(bufs)
    }

    fn non_blocking_shutdown(&mut self) -> Result<NonBlocking<()>> {
        self.stream.non_blocking_shutdown()
    }
}

leaf_io!(impl Stream for Spurious);

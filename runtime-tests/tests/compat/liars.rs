//! Streams of other crates that lie about what they did, as streams of ours; and one of ours as theirs.
//! Each lie is a panic with a sentence, and wrong data never.

use std::io::Result;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::executor::block_on;
use runtime::compat::{Compat, FromFutures, FromHyper, FromTokio};
use runtime::io::{
    BufRead, Interest, NonBlocking, Read, Readiness, Ready, ReadyWrite, Write, leaf_io,
};

/// Says that it moved a byte more than it could.
struct Liar;

/// The three crates' traits for writing, which differ in the name of the last method only.
macro_rules! writes {
    ($($Trait:path: $end:ident;)+) => {$(
        impl $Trait for Liar {
            fn poll_write(
                self: Pin<&mut Self>,
                _: &mut Context<'_>,
                buf: &[u8],
            ) -> Poll<Result<usize>> {
                Poll::Ready(Ok(buf.len() + 1))
            }

            fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<()>> {
                Poll::Ready(Ok(()))
            }

            fn $end(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<()>> {
                Poll::Ready(Ok(()))
            }
        }
    )+};
}

writes! {
    tokio::io::AsyncWrite: poll_shutdown;
    futures::AsyncWrite: poll_close;
    hyper::rt::Write: poll_shutdown;
}

impl futures::AsyncRead for Liar {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, buf: &mut [u8]) -> Poll<Result<usize>> {
        Poll::Ready(Ok(buf.len() + 1))
    }
}

/// Puts another buffer in the place of the one that it was given.
impl tokio::io::AsyncRead for Liar {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut tokio::io::ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        *buf = tokio::io::ReadBuf::new(vec![7; buf.capacity()].leak());
        buf.set_filled(3);
        Poll::Ready(Ok(()))
    }
}

/// There is no lying to its cursor.
impl hyper::rt::Read for Liar {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: hyper::rt::ReadBufCursor<'_>,
    ) -> Poll<Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// One of ours that lies in the same way.
struct Ours;

impl Ready for Ours {
    fn poll_ready(&mut self, _: &mut Context<'_>, interest: Interest) -> Poll<Result<Readiness>> {
        Poll::Ready(Ok(interest.into()))
    }
}

impl ReadyWrite for Ours {
    fn non_blocking_write(&mut self, buf: &[u8]) -> Result<NonBlocking<usize>> {
        Ok(NonBlocking::Ready(buf.len() + 1))
    }

    fn non_blocking_shutdown(&mut self) -> Result<NonBlocking<()>> {
        Ok(NonBlocking::Ready(()))
    }
}

leaf_io!(impl Write for Ours);

#[track_caller]
fn panics<T>(future: impl Future<Output = T>, saying: &str) {
    let panic = catch_unwind(AssertUnwindSafe(|| block_on(future))).err().expect("it was believed");
    let text = panic.downcast_ref::<&str>().expect("a plain sentence");
    assert!(text.contains(saying), "{text}");
}

#[test]
fn foreign_readers_that_claim_too_much_or_swap_the_buffer_are_found_out() {
    panics(FromFutures::new(Liar).read(&mut [0; 8]), "more bytes");
    panics(async { FromFutures::new(Liar).fill_buf().await.map(<[u8]>::len) }, "more bytes");
    panics(FromFutures::new(Liar).read_to_end(&mut Vec::new()), "more bytes");
    panics(FromTokio::new(Liar).read(&mut [0; 8]), "swapped the buffer");
    panics(async { FromTokio::new(Liar).lines().next_line().await }, "swapped the buffer");
}

#[test]
fn foreign_writers_that_claim_too_much_are_found_out() {
    panics(FromTokio::new(Liar).write(b"abc"), "more bytes");
    panics(FromFutures::new(Liar).write_all(b"abc"), "more bytes");
    panics(FromHyper::new(Liar).write_all(b"abc"), "more bytes");
}

#[test]
fn our_writers_that_claim_too_much_are_found_out_by_other_crates_methods() {
    use futures::AsyncWriteExt as Futures;
    use tokio::io::AsyncWriteExt as Tokio;

    let mut ours = Compat::new(Ours);
    let parts = [b"abc", b"def"].map(|part| std::io::IoSlice::new(part));
    panics(Tokio::write(&mut ours, b"abc"), "more bytes");
    panics(Tokio::write_vectored(&mut ours, &parts), "more bytes");
    panics(Futures::write_all(&mut ours, b"abc"), "more bytes");
    panics(Futures::write_vectored(&mut ours, &parts), "more bytes");
}

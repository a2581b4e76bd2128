//! Loops over what is always ready, by foreign methods and through either adapter, give way. What
//! somebody else gets done meanwhile is counted, so a loop that does not fails; nothing hangs.

use std::future::poll_fn;
use std::io::Result;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};

use runtime::compat::{Compat, FromFutures, FromHyper, FromTokio};
use runtime::io::{Read, Write, duplex, repeat, sink};
use runtime::net::UnixStream;
use runtime::task::yield_now;

/// How many operations a loop does. The budget of 128 lets nobody do more than that in one turn.
const OPERATIONS: usize = 10_000;

/// How many turns another task has to get meanwhile: a tenth of what that makes.
const TURNS: usize = OPERATIONS / 128 / 10;

async fn gives_way(mut operation: impl AsyncFnMut()) {
    let (turns, is_over) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let counting = runtime::spawn({
        let (turns, is_over) = (Arc::clone(&turns), Arc::clone(&is_over));
        async move {
            // Ordering: Relaxed: one thread.
            while !is_over.load(Ordering::Relaxed) {
                turns.fetch_add(1, Ordering::Relaxed);
                yield_now().await;
            }
        }
    });
    for _ in 0..OPERATIONS {
        operation().await;
    }
    // Ordering: Relaxed: as above.
    let turns = turns.load(Ordering::Relaxed);
    is_over.store(true, Ordering::Relaxed);
    counting.await.unwrap();
    assert!(turns >= TURNS, "{turns} turns beside {OPERATIONS} operations");
}

/// The same tests by the methods of each trait.
macro_rules! fairness {
    ($($name:ident, $methods:ident, $From:ident;)*) => {$(
        mod $name {
            use super::*;
            use super::$methods::{flush, read, write};

            #[runtime::test]
            async fn what_reads_and_writes_without_end() {
                let mut stream = Compat::new(repeat(7));
                gives_way(async || read(&mut stream, &mut [0]).await).await;
                // Of no bytes, too.
                gives_way(async || read(&mut stream, &mut []).await).await;
                let mut stream = Compat::new(sink());
                gives_way(async || write(&mut stream, b"x").await).await;
                gives_way(async || write(&mut stream, b"").await).await;
                gives_way(async || flush(&mut stream).await).await;
            }

            #[runtime::test]
            async fn both_ends_of_a_pipe() {
                let (mut left, mut right) = duplex(64);
                gives_way(async || {
                    write(&mut left, b"x").await;
                    read(&mut right, &mut [0]).await;
                })
                .await;
            }

            /// There is always one byte more.
            #[runtime::test]
            async fn a_socket() {
                let (mut left, mut right) = UnixStream::pair().unwrap();
                left.write_all(&[7; OPERATIONS]).await.unwrap();
                gives_way(async || read(&mut right, &mut [0]).await).await;
            }

            #[runtime::test]
            async fn a_foreign_stream_as_one_of_ours() {
                let mut stream = $From::new(Endless);
                gives_way(async || assert_eq!(stream.read(&mut [0]).await.unwrap(), 1)).await;
                gives_way(async || assert_eq!(stream.write(b"x").await.unwrap(), 1)).await;
                gives_way(async || stream.flush().await.unwrap()).await;
                // And back again.
                let mut stream = Compat::new(stream);
                gives_way(async || read(&mut stream, &mut [0]).await).await;
                gives_way(async || write(&mut stream, b"x").await).await;
            }
        }
    )*};
}

fairness! {
    tokio_io, methods_of_tokio, FromTokio;
    futures_io, methods_of_futures, FromFutures;
    hyper_io, methods_of_hyper, FromHyper;
}

/// A loop that is foreign itself.
#[runtime::test]
async fn tokios_copy() {
    gives_way(async || {
        let mut some = Compat::new(repeat(7).take(100));
        assert_eq!(tokio::io::copy(&mut some, &mut Compat::new(sink())).await.unwrap(), 100);
    })
    .await;
}

/// A foreign stream that never waits, and knows of no budget.
struct Endless;

impl tokio::io::AsyncRead for Endless {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut tokio::io::ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        buf.put_slice(b"x");
        Poll::Ready(Ok(()))
    }
}

impl futures::AsyncRead for Endless {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, buf: &mut [u8]) -> Poll<Result<usize>> {
        buf[0] = b'x';
        Poll::Ready(Ok(1))
    }
}

impl hyper::rt::Read for Endless {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        mut buf: hyper::rt::ReadBufCursor<'_>,
    ) -> Poll<Result<()>> {
        buf.put_slice(b"x");
        Poll::Ready(Ok(()))
    }
}

/// The write side is the same in all three, but for the name of the end.
macro_rules! endless_write {
    ($($trait:path, $end:ident;)*) => {$(
        impl $trait for Endless {
            fn poll_write(
                self: Pin<&mut Self>,
                _: &mut Context<'_>,
                buf: &[u8],
            ) -> Poll<Result<usize>> {
                Poll::Ready(Ok(buf.len()))
            }

            fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<()>> {
                Poll::Ready(Ok(()))
            }

            fn $end(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<()>> {
                Poll::Ready(Ok(()))
            }
        }
    )*};
}

endless_write! {
    tokio::io::AsyncWrite, poll_shutdown;
    futures::AsyncWrite, poll_close;
    hyper::rt::Write, poll_shutdown;
}

mod methods_of_tokio {
    use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

    pub(super) async fn read(stream: &mut (impl AsyncRead + Unpin), buf: &mut [u8]) {
        assert_eq!(stream.read(buf).await.unwrap(), buf.len());
    }

    pub(super) async fn write(stream: &mut (impl AsyncWrite + Unpin), buf: &[u8]) {
        assert_eq!(stream.write(buf).await.unwrap(), buf.len());
    }

    pub(super) async fn flush(stream: &mut (impl AsyncWrite + Unpin)) {
        stream.flush().await.unwrap();
    }
}

mod methods_of_futures {
    use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

    pub(super) async fn read(stream: &mut (impl AsyncRead + Unpin), buf: &mut [u8]) {
        assert_eq!(stream.read(buf).await.unwrap(), buf.len());
    }

    pub(super) async fn write(stream: &mut (impl AsyncWrite + Unpin), buf: &[u8]) {
        assert_eq!(stream.write(buf).await.unwrap(), buf.len());
    }

    pub(super) async fn flush(stream: &mut (impl AsyncWrite + Unpin)) {
        stream.flush().await.unwrap();
    }
}

/// hyper's traits come without any.
mod methods_of_hyper {
    use super::*;
    use hyper::rt::{Read, ReadBuf, Write};

    pub(super) async fn read(stream: &mut (impl Read + Unpin), buf: &mut [u8]) {
        let mut buf = ReadBuf::new(buf);
        poll_fn(|cx| Pin::new(&mut *stream).poll_read(cx, buf.unfilled())).await.unwrap();
    }

    pub(super) async fn write(stream: &mut (impl Write + Unpin), buf: &[u8]) {
        let written = poll_fn(|cx| Pin::new(&mut *stream).poll_write(cx, buf)).await;
        assert_eq!(written.unwrap(), buf.len());
    }

    pub(super) async fn flush(stream: &mut (impl Write + Unpin)) {
        poll_fn(|cx| Pin::new(&mut *stream).poll_flush(cx)).await.unwrap();
    }
}

//! The conformance suite on sockets: streams, references to them, halves, on both executors.

use std::io::{IoSlice, Result};
use std::task::{Context, Poll};

use runtime::io::{
    BorrowedCursor, BorrowedSliceCursor, Interest, NonBlocking, Readiness, Ready, ReadyRead,
    ReadyStream, ReadyWrite, leaf_io,
};
use runtime::net::TcpStream;
#[cfg(unix)]
use runtime::net::UnixStream;
use runtime_tests::conformance;
use runtime_tests::conformance::{Executor, one_way_on, pair_on};

use super::tcp;

/// A runtime of its own for each assertion.
#[derive(Clone, Copy, Debug)]
enum On {
    CurrentThread,
    MultiThread,
}

impl Executor for On {
    const BUDGETED: bool = true;

    fn block_on<F: Future>(&self, future: F) -> F::Output {
        let builder = match self {
            On::CurrentThread => runtime::Builder::new_current_thread(),
            On::MultiThread => {
                let mut builder = runtime::Builder::new_multi_thread();
                builder.worker_threads(1);
                builder
            }
        };
        { builder }.build().unwrap().block_on(future)
    }
}

/// A stream that does everything through something that borrows it for one call.
macro_rules! through {
    ($Name:ident, $Stream:ty, |$stream:ident| $reader:expr, $writer:expr, $both:expr) => {
        struct $Name($Stream);

        impl Ready for $Name {
            fn poll_ready(
                &mut self,
                cx: &mut Context<'_>,
                interest: Interest,
            ) -> Poll<Result<Readiness>> {
                let $stream = &mut self.0;
                match interest {
                    Interest::READ => Ready::poll_ready(&mut $reader, cx, interest),
                    Interest::WRITE => Ready::poll_ready(&mut $writer, cx, interest),
                    _ => Ready::poll_ready(&mut $both, cx, interest),
                }
            }
        }

        impl ReadyRead for $Name {
            fn non_blocking_read(&mut self, buf: BorrowedCursor<'_>) -> Result<NonBlocking<()>> {
                let $stream = &mut self.0;
                ReadyRead::non_blocking_read(&mut $reader, buf)
            }

            fn non_blocking_read_vectored(
                &mut self,
                bufs: BorrowedSliceCursor<'_>,
            ) -> Result<NonBlocking<usize>> {
                let $stream = &mut self.0;
                ReadyRead::non_blocking_read_vectored(&mut $reader, bufs)
            }
        }

        impl ReadyWrite for $Name {
            fn non_blocking_write(&mut self, buf: &[u8]) -> Result<NonBlocking<usize>> {
                let $stream = &mut self.0;
                ReadyWrite::non_blocking_write(&mut $writer, buf)
            }

            fn non_blocking_write_vectored(
                &mut self,
                bufs: &[IoSlice<'_>],
            ) -> Result<NonBlocking<usize>> {
                let $stream = &mut self.0;
                ReadyWrite::non_blocking_write_vectored(&mut $writer, bufs)
            }

            fn non_blocking_shutdown(&mut self) -> Result<NonBlocking<()>> {
                let $stream = &mut self.0;
                ReadyWrite::non_blocking_shutdown(&mut $writer)
            }
        }

        leaf_io!(vectored impl Stream for $Name);
    };
}

through!(TcpByReference, TcpStream, |stream| &*stream, &*stream, &*stream);
through!(TcpByHalves, TcpStream, |stream| stream.split().0, stream.split().1, *stream);

conformance!(pair tcp_stream, pair_on(On::MultiThread, tcp));
conformance!(pair tcp_stream_on_current_thread, pair_on(On::CurrentThread, tcp));
conformance!(pair tcp_stream_by_reference, pair_on(On::CurrentThread, || async {
    let (left, right) = tcp().await;
    (TcpByReference(left), TcpByReference(right))
}));
conformance!(pair tcp_stream_by_borrowed_halves, pair_on(On::CurrentThread, || async {
    let (left, right) = tcp().await;
    (TcpByHalves(left), TcpByHalves(right))
}));
conformance!(one_way tcp_owned_halves, one_way_on(On::MultiThread, || async {
    let (left, right) = tcp().await;
    let (left_reader, writer) = left.into_split();
    let (reader, right_writer) = right.into_split();
    // Each connection is held by one half of it only.
    drop(left_reader);
    right_writer.forget();
    (writer, reader)
}).halves());
conformance!(pair tcp_boxed_object, pair_on(On::CurrentThread, || async {
    let (left, right) = tcp().await;
    (Box::new(left) as Box<dyn ReadyStream>, Box::new(right) as Box<dyn ReadyStream>)
}));

#[cfg(unix)]
mod unix {
    use super::*;

    async fn unix() -> (UnixStream, UnixStream) {
        UnixStream::pair().unwrap()
    }

    through!(UnixByReference, UnixStream, |stream| &*stream, &*stream, &*stream);
    through!(UnixByHalves, UnixStream, |stream| stream.split().0, stream.split().1, *stream);

    conformance!(pair unix_stream, pair_on(On::MultiThread, unix));
    conformance!(pair unix_stream_on_current_thread, pair_on(On::CurrentThread, unix));
    conformance!(pair unix_stream_by_reference, pair_on(On::CurrentThread, || async {
        let (left, right) = unix().await;
        (UnixByReference(left), UnixByReference(right))
    }));
    conformance!(pair unix_stream_by_borrowed_halves, pair_on(On::CurrentThread, || async {
        let (left, right) = unix().await;
        (UnixByHalves(left), UnixByHalves(right))
    }));
    conformance!(one_way unix_owned_halves, one_way_on(On::MultiThread, || async {
        let (left, right) = unix().await;
        let (left_reader, writer) = left.into_split();
        let (reader, right_writer) = right.into_split();
        drop(left_reader);
        right_writer.forget();
        (writer, reader)
    }).halves());
}

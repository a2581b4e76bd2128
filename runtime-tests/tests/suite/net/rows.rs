//! The conformance suite on what borrows a socket: halves, and references to Unix streams. The other
//! rows of sockets are in `net_rows.rs`.

use std::io::{IoSlice, Result};
use std::task::{Context, Poll};

use runtime::io::{
    BorrowedCursor, BorrowedSliceCursor, Interest, NonBlocking, Readiness, Ready, ReadyRead,
    ReadyWrite, leaf_io,
};
use runtime::net::TcpStream;
#[cfg(unix)]
use runtime::net::UnixStream;
use runtime_tests::conformance;
use runtime_tests::conformance::{CurrentThread, pair_on};

use super::tcp;

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

through!(TcpByHalves, TcpStream, |stream| stream.split().0, stream.split().1, *stream);

conformance!(pair tcp_borrowed_halves, pair_on(CurrentThread, || async {
    let (left, right) = tcp().await;
    (TcpByHalves(left), TcpByHalves(right))
}));

#[cfg(unix)]
mod unix {
    use super::*;

    through!(UnixByReference, UnixStream, |stream| &*stream, &*stream, &*stream);
    through!(UnixByHalves, UnixStream, |stream| stream.split().0, stream.split().1, *stream);

    conformance!(pair unix_shared, pair_on(CurrentThread, || async {
        let (left, right) = UnixStream::pair().unwrap();
        (UnixByReference(left), UnixByReference(right))
    }));
    conformance!(pair unix_borrowed_halves, pair_on(CurrentThread, || async {
        let (left, right) = UnixStream::pair().unwrap();
        (UnixByHalves(left), UnixByHalves(right))
    }));
}

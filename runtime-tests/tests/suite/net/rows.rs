//! The conformance suite on the sockets: whole, split, shared, erased and limited. What adapters
//! make of them is in `adapter_rows.rs`.

#[cfg(unix)]
use std::io::ErrorKind;
use std::io::{IoSlice, Result};
use std::task::{Context, Poll};

use runtime::io::{
    BorrowedCursor, BorrowedSliceCursor, Interest, NonBlocking, Read, Readiness, Ready, ReadyRead,
    ReadyStream, ReadyWrite, leaf_io,
};
use runtime::net::TcpStream;
#[cfg(unix)]
use runtime::net::UnixStream;
use runtime_tests::conformance;
use runtime_tests::conformance::{CurrentThread, MultiThread, one_way_on, pair_on};

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

conformance!(pair tcp_stream, pair_on(MultiThread, tcp));
conformance!(pair tcp_stream_current_thread, pair_on(CurrentThread, tcp));
conformance!(pair tcp_object, pair_on(MultiThread, || async {
    let (left, right) = tcp().await;
    (Box::new(left) as Box<dyn ReadyStream>, Box::new(right) as Box<dyn ReadyStream>)
}));
conformance!(one_way tcp_owned_halves, one_way_on(MultiThread, || async {
    let (left, right) = tcp().await;
    (left.into_split().1, right.into_split().0)
}).halves());
conformance!(one_way tcp_half_objects, one_way_on(CurrentThread, || async {
    let (left, right) = tcp().await;
    let (writer, reader) = (left.into_split().1, right.into_split().0);
    (Box::new(writer) as Box<dyn ReadyWrite>, Box::new(reader) as Box<dyn ReadyRead>)
}).halves());
conformance!(one_way tcp_taken, one_way_on(MultiThread, || async {
    let (left, right) = tcp().await;
    (left, right.take(u64::MAX))
}));

through!(TcpByReference, TcpStream, |stream| &*stream, &*stream, &*stream);

conformance!(pair tcp_shared, pair_on(MultiThread, || async {
    let (left, right) = tcp().await;
    (TcpByReference(left), TcpByReference(right))
}));

through!(TcpByHalves, TcpStream, |stream| stream.split().0, stream.split().1, *stream);

conformance!(pair tcp_borrowed_halves, pair_on(CurrentThread, || async {
    let (left, right) = tcp().await;
    (TcpByHalves(left), TcpByHalves(right))
}));

#[cfg(unix)]
mod unix {
    use super::*;
    use runtime::net::unix::pipe;

    conformance!(one_way os_pipe, one_way_on(MultiThread, || async {
        pipe::pipe().unwrap()
    }).halves());
    conformance!(one_way os_pipe_current_thread, one_way_on(CurrentThread, || async {
        pipe::pipe().unwrap()
    }).halves());
    conformance!(one_way os_pipe_objects, one_way_on(CurrentThread, || async {
        let (sender, receiver) = pipe::pipe().unwrap();
        (Box::new(sender) as Box<dyn ReadyWrite>, Box::new(receiver) as Box<dyn ReadyRead>)
    }).halves());

    conformance!(one_way os_pipe_shared, one_way_on(CurrentThread, || async {
        let (sender, receiver) = pipe::pipe().unwrap();
        (SenderByReference(sender), ReceiverByReference(receiver))
    }).halves());

    /// Does everything through a shared reference, except to close what it owns.
    struct SenderByReference(pipe::Sender);

    /// Does everything through a shared reference.
    struct ReceiverByReference(pipe::Receiver);

    impl Ready for SenderByReference {
        fn poll_ready(
            &mut self,
            cx: &mut Context<'_>,
            interest: Interest,
        ) -> Poll<Result<Readiness>> {
            (&self.0).poll_ready(cx, interest)
        }
    }

    impl ReadyWrite for SenderByReference {
        fn non_blocking_write(&mut self, buf: &[u8]) -> Result<NonBlocking<usize>> {
            (&self.0).non_blocking_write(buf)
        }

        fn non_blocking_write_vectored(
            &mut self,
            bufs: &[IoSlice<'_>],
        ) -> Result<NonBlocking<usize>> {
            (&self.0).non_blocking_write_vectored(bufs)
        }

        fn non_blocking_shutdown(&mut self) -> Result<NonBlocking<()>> {
            let outcome = (&self.0).non_blocking_shutdown();
            assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Unsupported);
            self.0.non_blocking_shutdown()
        }
    }

    impl Ready for ReceiverByReference {
        fn poll_ready(
            &mut self,
            cx: &mut Context<'_>,
            interest: Interest,
        ) -> Poll<Result<Readiness>> {
            (&self.0).poll_ready(cx, interest)
        }
    }

    impl ReadyRead for ReceiverByReference {
        fn non_blocking_read(&mut self, buf: BorrowedCursor<'_>) -> Result<NonBlocking<()>> {
            (&self.0).non_blocking_read(buf)
        }
    }

    leaf_io!(vectored impl Write for SenderByReference);
    leaf_io!(impl Read for ReceiverByReference);

    async fn unix() -> (UnixStream, UnixStream) {
        UnixStream::pair().unwrap()
    }

    conformance!(pair unix_stream, pair_on(MultiThread, unix));
    conformance!(pair unix_stream_current_thread, pair_on(CurrentThread, unix));
    conformance!(pair unix_object, pair_on(CurrentThread, || async {
        let (left, right) = unix().await;
        (Box::new(left) as Box<dyn ReadyStream>, Box::new(right) as Box<dyn ReadyStream>)
    }));
    conformance!(one_way unix_owned_halves, one_way_on(CurrentThread, || async {
        let (left, right) = unix().await;
        (left.into_split().1, right.into_split().0)
    }).halves());
    conformance!(one_way unix_taken, one_way_on(CurrentThread, || async {
        let (left, right) = unix().await;
        (left, right.take(u64::MAX))
    }));

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

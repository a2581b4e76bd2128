//! The conformance suite on the sockets: whole, split, shared, erased and limited, under both
//! flavours of the runtime.

use runtime::io::{
    BorrowedCursor, Interest, NonBlocking, Read, Readiness, Ready, ReadyRead, ReadyStream,
    ReadyWrite, Write, flush_when_ready, read_when_ready, shutdown_when_ready, write_when_ready,
};
use runtime::net::{TcpListener, TcpStream};
use runtime_tests::conformance;
use runtime_tests::conformance::{CurrentThread, MultiThread, one_way_on, pair_on};
use std::io::Result;
use std::task::{Context, Poll};

/// Two ends of a connection over the loopback interface.
async fn tcp() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (client, server) = futures::join!(TcpStream::connect(address), listener.accept());
    (client.unwrap(), server.unwrap().0)
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
conformance!(one_way tcp_taken, one_way_on(MultiThread, || async {
    let (left, right) = tcp().await;
    (left, right.take(u64::MAX))
}));

conformance!(pair tcp_shared, pair_on(MultiThread, || async {
    let (left, right) = tcp().await;
    (Shared(left), Shared(right))
}));

/// Works through `&S` for every call; owns the stream, so that dropping it closes it.
struct Shared<S>(S);

impl<S> Ready for Shared<S>
where
    S: Send + Sync,
    for<'a> &'a S: ReadyStream,
{
    fn poll_ready(&mut self, cx: &mut Context<'_>, interest: Interest) -> Poll<Result<Readiness>> {
        (&mut &self.0).poll_ready(cx, interest)
    }
}

impl<S> ReadyRead for Shared<S>
where
    S: Send + Sync,
    for<'a> &'a S: ReadyStream,
{
    fn non_blocking_read(&mut self, buf: BorrowedCursor<'_>) -> Result<NonBlocking<()>> {
        (&mut &self.0).non_blocking_read(buf)
    }
}

impl<S> ReadyWrite for Shared<S>
where
    S: Send + Sync,
    for<'a> &'a S: ReadyStream,
{
    fn non_blocking_write(&mut self, buf: &[u8]) -> Result<NonBlocking<usize>> {
        (&mut &self.0).non_blocking_write(buf)
    }

    fn non_blocking_shutdown(&mut self) -> Result<NonBlocking<()>> {
        (&mut &self.0).non_blocking_shutdown()
    }
}

impl<S> Read for Shared<S>
where
    S: Send + Sync,
    for<'a> &'a S: ReadyStream,
{
    fn read(&mut self, buf: &mut [u8]) -> impl Future<Output = Result<usize>> + Send {
        read_when_ready(self, buf)
    }

    fn as_ready(&mut self) -> Option<impl ReadyRead> {
        Some(&self.0)
    }

    fn as_ready_dyn(&mut self) -> Option<Box<dyn ReadyRead + '_>> {
        Some(Box::new(&self.0))
    }
}

impl<S> Write for Shared<S>
where
    S: Send + Sync,
    for<'a> &'a S: ReadyStream,
{
    fn write(&mut self, buf: &[u8]) -> impl Future<Output = Result<usize>> + Send {
        write_when_ready(self, buf)
    }

    fn flush(&mut self) -> impl Future<Output = Result<()>> + Send {
        flush_when_ready(self)
    }

    fn shutdown(&mut self) -> impl Future<Output = Result<()>> + Send {
        shutdown_when_ready(self)
    }

    fn as_ready_write(&mut self) -> Option<impl ReadyWrite> {
        Some(&self.0)
    }

    fn as_ready_stream(&mut self) -> Option<impl ReadyStream> {
        Some(&self.0)
    }

    fn as_ready_write_dyn(&mut self) -> Option<Box<dyn ReadyWrite + '_>> {
        Some(Box::new(&self.0))
    }

    fn as_ready_stream_dyn(&mut self) -> Option<Box<dyn ReadyStream + '_>> {
        Some(Box::new(&self.0))
    }
}

#[cfg(unix)]
mod unix {
    use super::*;
    use runtime::net::UnixStream;

    async fn pair() -> (UnixStream, UnixStream) {
        UnixStream::pair().unwrap()
    }

    conformance!(pair unix_stream, pair_on(MultiThread, pair));
    conformance!(pair unix_stream_current_thread, pair_on(CurrentThread, pair));
    conformance!(one_way unix_owned_halves, one_way_on(MultiThread, || async {
        let (left, right) = pair().await;
        (left.into_split().1, right.into_split().0)
    }).halves());
}

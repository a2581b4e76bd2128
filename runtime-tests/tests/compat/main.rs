//! Other crates' I/O traits on our streams, and the other way round: by their own extension traits,
//! by our conformance suite through both adapters in a row, and in loops that must give way.

mod fairness;
mod futures_io;
mod hyper_rt;
mod liars;
mod rows;
mod tokio_io;

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use runtime::net::{TcpListener, TcpStream};

/// A connection over the loopback interface.
async fn tcp() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (client, server) = futures::join!(TcpStream::connect(address), listener.accept());
    (client.unwrap(), server.unwrap().0)
}

/// More than fits any buffer, and different everywhere.
fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

/// Counts how often a task is woken.
#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        // Ordering: Relaxed: one thread.
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Woken {
    fn new() -> (Arc<Self>, Waker) {
        let woken = Arc::new(Self::default());
        (Arc::clone(&woken), Waker::from(woken))
    }

    fn count(&self) -> usize {
        // Ordering: Relaxed: one thread.
        self.0.load(Ordering::Relaxed)
    }
}

/// A foreign stream whose write side takes so many bytes and no more until it is told to.
struct Narrow {
    room: usize,
    taken: Vec<u8>,
    writer: Option<Waker>,
    closed: bool,
    broken: bool,
}

impl Narrow {
    fn new(room: usize) -> Self {
        Self { room, taken: Vec::new(), writer: None, closed: false, broken: false }
    }

    fn widen(&mut self, room: usize) {
        self.room += room;
        if let Some(waker) = self.writer.take() {
            waker.wake();
        }
    }
}

impl tokio::io::AsyncRead for Narrow {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut tokio::io::ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        Poll::Pending
    }
}

impl tokio::io::AsyncWrite for Narrow {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        if self.broken {
            return Poll::Ready(Err(std::io::ErrorKind::ConnectionReset.into()));
        }
        if self.room == 0 {
            self.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let count = buf.len().min(self.room);
        self.room -= count;
        self.taken.extend_from_slice(&buf[..count]);
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        self.closed = true;
        Poll::Ready(Ok(()))
    }
}

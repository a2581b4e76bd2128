//! tokio: multi-thread with `WORKERS` workers, or current-thread where that is 0.

use super::{Foreign, Lean, Peer, Pipes, Sockets, Stream, Timers, Transport, UnixSockets};
use crate::workload::pipes::echo;
use crate::workload::sockets::source;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, DuplexStream};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::runtime::{Builder, Handle};
use tokio::task::{self, JoinHandle};

pub struct Tokio<const WORKERS: usize>;

/// A join handle that expects its task to come back.
pub struct Task(JoinHandle<()>);

impl Future for Task {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.0).poll(cx).map(|outcome| outcome.expect("no task panics"))
    }
}

impl<const WORKERS: usize> Peer for Tokio<WORKERS> {
    const THREADS: usize = if WORKERS == 0 { 1 } else { WORKERS };

    type Task = Task;

    fn block_on<T: Send + 'static>(root: impl Future<Output = T> + Send + 'static) -> T {
        let runtime = match WORKERS {
            0 => Builder::new_current_thread().enable_all().build(),
            workers => Builder::new_multi_thread().worker_threads(workers).enable_all().build(),
        };
        runtime.expect("tokio starts").block_on(root)
    }

    fn spawn(future: impl Future<Output = ()> + Send + 'static) -> Task {
        Task(task::spawn(future))
    }

    fn spawn_detached(future: impl Future<Output = ()> + Send + 'static) {
        task::spawn(future);
    }
}

impl<const WORKERS: usize> Foreign for Tokio<WORKERS> {
    type Handle = Handle;

    fn handle() -> Handle {
        Handle::current()
    }

    fn spawn_through(handle: &Handle, future: impl Future<Output = ()> + Send + 'static) {
        handle.spawn(future);
    }
}

impl<const WORKERS: usize> Pipes for Tokio<WORKERS> {
    type Pipe = DuplexStream;

    fn duplex(max_buf_size: usize) -> (DuplexStream, DuplexStream) {
        tokio::io::duplex(max_buf_size)
    }
}

impl<const WORKERS: usize> Sockets for Tokio<WORKERS> {
    type Tcp = Tcp;
}

impl<const WORKERS: usize> UnixSockets for Tokio<WORKERS> {
    type Unix = Unix;
}

pub struct Tcp;

impl Transport for Tcp {
    type Std = std::net::TcpListener;
    type Listener = TcpListener;
    type Socket = TcpStream;

    fn listen(listener: Self::Std) -> io::Result<TcpListener> {
        TcpListener::from_std(listener)
    }

    async fn accept(listener: &mut TcpListener) -> io::Result<TcpStream> {
        let (socket, _) = listener.accept().await?;
        socket.set_nodelay(true)?;
        Ok(socket)
    }

    fn echo<const N: usize>(socket: TcpStream) -> impl Future<Output = ()> + Send + 'static {
        echo::<N>(socket)
    }

    fn source(socket: TcpStream) -> impl Future<Output = ()> + Send + 'static {
        source(socket)
    }
}

pub struct Unix;

impl Transport for Unix {
    type Std = std::os::unix::net::UnixListener;
    type Listener = UnixListener;
    type Socket = UnixStream;

    fn listen(listener: Self::Std) -> io::Result<UnixListener> {
        UnixListener::from_std(listener)
    }

    async fn accept(listener: &mut UnixListener) -> io::Result<UnixStream> {
        Ok(listener.accept().await?.0)
    }

    fn echo<const N: usize>(socket: UnixStream) -> impl Future<Output = ()> + Send + 'static {
        echo::<N>(socket)
    }

    fn source(socket: UnixStream) -> impl Future<Output = ()> + Send + 'static {
        source(socket)
    }
}

impl<const WORKERS: usize> Lean for Tokio<WORKERS> {
    async fn echo_lean(mut socket: TcpStream, answered: fn()) -> io::Result<()> {
        loop {
            socket.readable().await?;
            let message = match try_read(&socket) {
                Ok(message) => message,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
                Err(error) => return Err(error),
            };
            if message.is_empty() {
                return Ok(());
            }
            AsyncWriteExt::write_all(&mut socket, &message).await?;
            drop(message);
            answered();
        }
    }

    async fn echo_lines(socket: TcpStream, answered: fn()) -> io::Result<()> {
        let mut lines = BufReader::new(socket).lines();
        while let Some(mut line) = lines.next_line().await? {
            line.push('\n');
            lines.get_mut().write_all(line.as_bytes()).await?;
            drop(line);
            answered();
        }
        Ok(())
    }
}

/// Not async, so that the buffer on the stack is not part of a future.
fn try_read(socket: &TcpStream) -> io::Result<Vec<u8>> {
    let mut buffer = [0; 16 * 1024];
    socket.try_read(&mut buffer).map(|read| buffer[..read].to_vec())
}

impl<const WORKERS: usize> Timers for Tokio<WORKERS> {
    fn sleep_until(deadline: Instant) -> impl Future<Output = ()> + Send + 'static {
        tokio::time::sleep_until(deadline.into())
    }
}

macro_rules! streams {
    ($($stream:ty),*) => {$(
        impl Stream for $stream {
            async fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                AsyncReadExt::read(self, buffer).await
            }

            async fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
                AsyncWriteExt::write_all(self, bytes).await
            }
        }
    )*};
}

streams!(DuplexStream, TcpStream, UnixStream);

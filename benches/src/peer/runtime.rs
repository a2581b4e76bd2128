//! The runtime of this repository: multi-thread with `WORKERS` workers, or current-thread where that
//! is 0.

use super::{Foreign, Lean, Peer, Pipes, Sockets, Stream, Timers, Transport, UnixSockets};
use crate::workload::pipes::echo;
use crate::workload::sockets::source;
use bytes::Bytes;
use runtime::io::{BufRead, BufReader, DuplexStream, Read, ReadyRead, Write};
use runtime::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use runtime::task::JoinHandle;
use runtime::{Builder, Handle};
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

pub struct Ours<const WORKERS: usize>;

/// A join handle that expects its task to come back.
pub struct Task(JoinHandle<()>);

impl Future for Task {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.0).poll(cx).map(|outcome| outcome.expect("no task panics"))
    }
}

impl<const WORKERS: usize> Peer for Ours<WORKERS> {
    const THREADS: usize = if WORKERS == 0 { 1 } else { WORKERS };

    type Task = Task;

    fn block_on<T: Send + 'static>(root: impl Future<Output = T> + Send + 'static) -> T {
        let runtime = match WORKERS {
            0 => Builder::new_current_thread().build(),
            workers => Builder::new_multi_thread().worker_threads(workers).build(),
        };
        runtime.expect("the runtime starts").block_on(root)
    }

    fn spawn(future: impl Future<Output = ()> + Send + 'static) -> Task {
        Task(runtime::spawn(future))
    }

    fn spawn_detached(future: impl Future<Output = ()> + Send + 'static) {
        drop(runtime::spawn(future));
    }
}

impl<const WORKERS: usize> Foreign for Ours<WORKERS> {
    type Handle = Handle;

    fn handle() -> Handle {
        Handle::current()
    }

    fn spawn_through(handle: &Handle, future: impl Future<Output = ()> + Send + 'static) {
        drop(handle.spawn(future));
    }
}

impl<const WORKERS: usize> Pipes for Ours<WORKERS> {
    type Pipe = DuplexStream;

    fn duplex(max_buf_size: usize) -> (DuplexStream, DuplexStream) {
        runtime::io::duplex(max_buf_size)
    }

    async fn read_in_place(pipe: &mut DuplexStream, _: &mut [u8]) -> io::Result<usize> {
        let length = pipe.fill_buf().await?.len();
        pipe.consume(length);
        Ok(length)
    }

    async fn write_bytes(pipe: &mut DuplexStream, mut bytes: Bytes) -> io::Result<()> {
        pipe.write_bytes(&mut bytes).await
    }

    async fn read_bytes(pipe: &mut DuplexStream, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(pipe.read_bytes(buffer.len()).await?.len())
    }
}

impl<const WORKERS: usize> Sockets for Ours<WORKERS> {
    type Tcp = Tcp;
}

impl<const WORKERS: usize> UnixSockets for Ours<WORKERS> {
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

impl<const WORKERS: usize> Lean for Ours<WORKERS> {
    async fn echo_lean(mut socket: TcpStream, answered: fn()) -> io::Result<()> {
        loop {
            let message = socket.read_with(<[u8]>::to_vec).await?;
            if message.is_empty() {
                return Ok(());
            }
            Write::write_all(&mut socket, &message).await?;
            drop(message);
            answered();
        }
    }

    async fn echo_lines(socket: TcpStream, answered: fn()) -> io::Result<()> {
        let mut lines = BufReader::new(socket).lines();
        while let Some(mut line) = lines.next_line().await? {
            line.push('\n');
            Write::write_all(lines.get_mut(), line.as_bytes()).await?;
            drop(line);
            answered();
        }
        Ok(())
    }
}

impl<const WORKERS: usize> Timers for Ours<WORKERS> {
    fn sleep_until(deadline: Instant) -> impl Future<Output = ()> + Send + 'static {
        runtime::time::sleep_until(deadline.into())
    }
}

macro_rules! streams {
    ($($stream:ty),*) => {$(
        impl Stream for $stream {
            async fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                Read::read(self, buffer).await
            }

            async fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
                Write::write_all(self, bytes).await
            }
        }
    )*};
}

streams!(DuplexStream, TcpStream, UnixStream);

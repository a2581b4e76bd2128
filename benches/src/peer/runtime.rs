//! The runtime of this repository: multi-thread with `WORKERS` workers, or current-thread where that
//! is 0.

use super::{Peer, Pipes, Sockets, Stream};
use runtime::Builder;
use runtime::io::{BufRead, BufReader, DuplexStream, Read, ReadyRead, Write};
use runtime::net::{TcpListener, TcpStream};
use runtime::task::JoinHandle;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

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
    type Task = Task;

    fn run<T: Send + 'static>(main: impl Future<Output = T> + Send + 'static) -> T {
        let runtime = match WORKERS {
            0 => Builder::new_current_thread().build(),
            workers => Builder::new_multi_thread().worker_threads(workers).build(),
        };
        let runtime = runtime.expect("the runtime starts");
        runtime.block_on(async { runtime::spawn(main).await.expect("no task panics") })
    }

    fn spawn(future: impl Future<Output = ()> + Send + 'static) -> Task {
        Task(runtime::spawn(future))
    }

    fn spawn_detached(future: impl Future<Output = ()> + Send + 'static) {
        drop(runtime::spawn(future));
    }
}

impl<const WORKERS: usize> Pipes for Ours<WORKERS> {
    type Pipe = DuplexStream;

    fn duplex(max_buf_size: usize) -> (DuplexStream, DuplexStream) {
        runtime::io::duplex(max_buf_size)
    }
}

impl<const WORKERS: usize> Sockets for Ours<WORKERS> {
    type Listener = TcpListener;
    type Socket = TcpStream;

    fn listen(listener: std::net::TcpListener) -> io::Result<TcpListener> {
        TcpListener::from_std(listener)
    }

    async fn accept(listener: &mut TcpListener) -> io::Result<TcpStream> {
        let (socket, _) = listener.accept().await?;
        socket.set_nodelay(true)?;
        Ok(socket)
    }

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

impl Stream for DuplexStream {
    async fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        Read::read(self, buffer).await
    }

    async fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        Write::write_all(self, bytes).await
    }
}

impl Stream for TcpStream {
    async fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        Read::read(self, buffer).await
    }

    async fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        Write::write_all(self, bytes).await
    }
}

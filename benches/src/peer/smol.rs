//! smol: its global executor with the two threads that the runner asks for (`SMOL_THREADS`), or, if
//! `WORKERS` is 0, an executor of our own that only this thread runs. Its pipes are those of the
//! crate piper.

use super::{Foreign, Peer, Pipes, Sockets, Stream, Timers, Transport, UnixSockets};
use crate::cli::Plan;
use crate::workload::pipes::echo;
use crate::workload::sockets::{self, source};
use crate::workload::{messages, pipes, tasks, timers};
use ::smol::io::{AsyncReadExt, AsyncWriteExt};
use ::smol::net::unix::{UnixListener, UnixStream};
use ::smol::net::{TcpListener, TcpStream};
use ::smol::{Executor, Task, Timer};
use std::future::{Future, poll_fn};
use std::io;
use std::task::ready;
use std::time::Instant;

pub fn run<P>(workload: &str, plan: Plan)
where
    P: Foreign + Pipes + UnixSockets + Timers,
{
    tasks::run::<P>(workload, plan);
    messages::run::<P>(workload, plan);
    messages::run_foreign::<P>(workload, plan);
    pipes::run::<P>(workload, plan);
    sockets::run::<P>(workload, plan);
    sockets::run_unix::<P>(workload, plan);
    timers::run::<P>(workload, plan);
    timers::run_beside_pipes::<P>(workload, plan);
}

pub struct Smol<const WORKERS: usize>;

static ALONE: Executor<'static> = Executor::new();

impl<const WORKERS: usize> Smol<WORKERS> {
    fn start(future: impl Future<Output = ()> + Send + 'static) -> Task<()> {
        if WORKERS == 0 { ALONE.spawn(future) } else { smol::spawn(future) }
    }
}

impl<const WORKERS: usize> Peer for Smol<WORKERS> {
    const THREADS: usize = if WORKERS == 0 { 1 } else { WORKERS };

    type Task = Task<()>;

    fn block_on<T: Send + 'static>(root: impl Future<Output = T> + Send + 'static) -> T {
        if WORKERS == 0 { smol::block_on(ALONE.run(root)) } else { smol::block_on(root) }
    }

    fn spawn(future: impl Future<Output = ()> + Send + 'static) -> Task<()> {
        Self::start(future)
    }

    fn spawn_detached(future: impl Future<Output = ()> + Send + 'static) {
        Self::start(future).detach();
    }
}

impl<const WORKERS: usize> Foreign for Smol<WORKERS> {
    type Handle = ();

    fn handle() {}

    fn spawn_through((): &(), future: impl Future<Output = ()> + Send + 'static) {
        Self::start(future).detach();
    }
}

/// One end of two pipes.
pub struct End {
    reader: piper::Reader,
    writer: piper::Writer,
}

impl<const WORKERS: usize> Pipes for Smol<WORKERS> {
    type Pipe = End;

    fn duplex(max_buf_size: usize) -> (End, End) {
        let (one_reader, other_writer) = piper::pipe(max_buf_size);
        let (other_reader, one_writer) = piper::pipe(max_buf_size);
        (
            End { reader: one_reader, writer: one_writer },
            End { reader: other_reader, writer: other_writer },
        )
    }

    async fn read_in_place(pipe: &mut End, _: &mut [u8]) -> io::Result<usize> {
        poll_fn(|cx| {
            ready!(pipe.reader.poll(cx));
            let length = pipe.reader.peek_buf().len();
            pipe.reader.consume(length);
            Ok(length).into()
        })
        .await
    }
}

impl Stream for End {
    async fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.reader.read(buffer).await
    }

    async fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.writer.write_all(bytes).await
    }
}

impl<const WORKERS: usize> Sockets for Smol<WORKERS> {
    type Tcp = Tcp;
}

impl<const WORKERS: usize> UnixSockets for Smol<WORKERS> {
    type Unix = Unix;
}

pub struct Tcp;

impl Transport for Tcp {
    type Std = std::net::TcpListener;
    type Listener = TcpListener;
    type Socket = TcpStream;

    fn listen(listener: Self::Std) -> io::Result<TcpListener> {
        listener.try_into()
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
        listener.try_into()
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

streams!(TcpStream, UnixStream);

impl<const WORKERS: usize> Timers for Smol<WORKERS> {
    async fn sleep_until(deadline: Instant) {
        Timer::at(deadline).await;
    }
}

//! compio, over its poll driver and over io_uring. One thread; reads and writes take their buffers and
//! give them back.

use super::bound::{Bound, bound};
use super::{Peer, Sockets, Timers, Transport, UnixSockets};
use crate::cli::Plan;
use crate::workload::sockets::{self, CHUNK};
use crate::workload::{messages, tasks, timers};
use ::compio::BufResult;
use ::compio::driver::{DriverType, ProactorBuilder};
use ::compio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use ::compio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use ::compio::runtime::{JoinHandle, Runtime};
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll as StdPoll};
use std::time::Instant;

pub fn run<P: UnixSockets + Timers>(workload: &str, plan: Plan) {
    tasks::run::<P>(workload, plan);
    messages::run::<P>(workload, plan);
    messages::run_bounce_foreign::<P>(workload, plan);
    sockets::run::<P>(workload, plan);
    sockets::run_unix::<P>(workload, plan);
    timers::run::<P>(workload, plan);
}

pub struct Poll;
pub struct Uring;

/// A join handle that expects its task to come back.
pub struct Task(JoinHandle<()>);

impl Future for Task {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> StdPoll<()> {
        Pin::new(&mut self.0).poll(cx).map(|outcome| outcome.expect("no task panics"))
    }
}

macro_rules! peers {
    ($($peer:ident: $driver:expr),*) => {$(
        impl Peer for $peer {
            const THREADS: usize = 1;

            type Task = Task;

            fn block_on<T: Send + 'static>(root: impl Future<Output = T> + Send + 'static) -> T {
                let mut proactor = ProactorBuilder::new();
                proactor.driver_type($driver);
                let runtime = Runtime::builder().with_proactor(proactor).build();
                runtime.expect("compio starts").block_on(root)
            }

            fn spawn(future: impl Future<Output = ()> + Send + 'static) -> Self::Task {
                Task(compio::runtime::spawn(future))
            }

            fn spawn_detached(future: impl Future<Output = ()> + Send + 'static) {
                compio::runtime::spawn(future).detach();
            }
        }

        impl Sockets for $peer {
            type Tcp = Tcp;
        }

        impl UnixSockets for $peer {
            type Unix = Unix;
        }

        impl Timers for $peer {
            fn sleep_until(deadline: Instant) -> impl Future<Output = ()> + Send + 'static {
                bound(async move { compio::time::sleep_until(deadline).await })
            }
        }
    )*};
}

peers!(Poll: DriverType::Poll, Uring: DriverType::IoUring);

macro_rules! transports {
    ($($transport:ident: $std:ty, $listener:ty, $socket:ty, $prepare:expr;)*) => {$(
        pub struct $transport;

        impl Transport for $transport {
            type Std = $std;
            type Listener = Bound<$listener>;
            type Socket = Bound<$socket>;

            fn listen(listener: $std) -> io::Result<Self::Listener> {
                <$listener>::from_std(listener).map(Bound)
            }

            fn accept(
                listener: &mut Self::Listener,
            ) -> impl Future<Output = io::Result<Self::Socket>> + Send {
                bound(async {
                    let (socket, _) = listener.0.accept().await?;
                    $prepare(&socket)?;
                    Ok(Bound(socket))
                })
            }

            fn echo<const N: usize>(
                socket: Self::Socket,
            ) -> impl Future<Output = ()> + Send + 'static {
                bound(echo::<N>(socket.0))
            }

            fn source(socket: Self::Socket) -> impl Future<Output = ()> + Send + 'static {
                bound(source(socket.0))
            }
        }
    )*};
}

transports! {
    Tcp: std::net::TcpListener, TcpListener, TcpStream, |socket: &TcpStream| {
        socket.set_nodelay(true)
    };
    Unix: std::os::unix::net::UnixListener, UnixListener, UnixStream, |_: &UnixStream| {
        io::Result::Ok(())
    };
}

async fn echo<const N: usize>(mut socket: impl AsyncRead + AsyncWrite) {
    let mut buffer = Vec::with_capacity(N);
    loop {
        let BufResult(read, filled) = socket.read(buffer).await;
        if !matches!(read, Ok(1..)) {
            return;
        }
        let BufResult(written, emptied) = socket.write_all(filled).await;
        if written.is_err() {
            return;
        }
        buffer = emptied;
        buffer.clear();
    }
}

async fn source(mut socket: impl AsyncWrite) {
    let mut chunk = vec![7; CHUNK];
    loop {
        let BufResult(written, back) = socket.write_all(chunk).await;
        if written.is_err() {
            return;
        }
        chunk = back;
    }
}

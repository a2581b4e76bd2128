//! glommio: io_uring, one thread. It cannot take over a Unix socket that somebody else has bound, so
//! it is left out there.

use super::bound::{Bound, bound};
use super::{Peer, Sockets, Timers, Transport};
use crate::cli::Plan;
use crate::workload::sockets::{self, CHUNK};
use crate::workload::{messages, tasks, timers};
use ::glommio::net::{TcpListener, TcpStream};
use ::glommio::timer::Timer;
use ::glommio::{LocalExecutorBuilder, Placement, Task};
use ::smol::io::{AsyncReadExt, AsyncWriteExt};
use std::future::Future;
use std::io;
use std::os::fd::{FromRawFd, IntoRawFd};
use std::time::Instant;

pub fn run(workload: &str, plan: Plan) {
    // It counts the wakers of a task in 16 bits, and this needs a million.
    if workload == "timer-hold" {
        return;
    }
    tasks::run::<Glommio>(workload, plan);
    messages::run::<Glommio>(workload, plan);
    messages::run_bounce_foreign::<Glommio>(workload, plan);
    sockets::run::<Glommio>(workload, plan);
    timers::run::<Glommio>(workload, plan);
}

pub struct Glommio;

impl Peer for Glommio {
    const THREADS: usize = 1;

    type Task = Bound<Task<()>>;

    fn block_on<T: Send + 'static>(root: impl Future<Output = T> + Send + 'static) -> T {
        let executor = LocalExecutorBuilder::new(Placement::Unbound).make();
        executor.expect("glommio starts").run(root)
    }

    fn spawn(future: impl Future<Output = ()> + Send + 'static) -> Self::Task {
        Bound(glommio::spawn_local(future))
    }

    fn spawn_detached(future: impl Future<Output = ()> + Send + 'static) {
        glommio::spawn_local(future).detach();
    }
}

impl Sockets for Glommio {
    type Tcp = Tcp;
}

pub struct Tcp;

impl Transport for Tcp {
    type Std = std::net::TcpListener;
    type Listener = Bound<TcpListener>;
    type Socket = Bound<TcpStream>;

    fn listen(listener: Self::Std) -> io::Result<Self::Listener> {
        // SAFETY: the descriptor is a listening TCP socket, and nobody else owns it any more.
        Ok(Bound(unsafe { TcpListener::from_raw_fd(listener.into_raw_fd()) }))
    }

    fn accept(
        listener: &mut Self::Listener,
    ) -> impl Future<Output = io::Result<Self::Socket>> + Send {
        bound(async {
            let socket = listener.0.accept().await?;
            socket.set_nodelay(true)?;
            Ok(Bound(socket))
        })
    }

    fn echo<const N: usize>(socket: Self::Socket) -> impl Future<Output = ()> + Send + 'static {
        bound(echo::<N>(socket.0))
    }

    fn source(socket: Self::Socket) -> impl Future<Output = ()> + Send + 'static {
        bound(source(socket.0))
    }
}

async fn echo<const N: usize>(mut socket: TcpStream) {
    let mut buffer = [0; N];
    while let Ok(read @ 1..) = socket.read(&mut buffer).await {
        if socket.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}

async fn source(mut socket: TcpStream) {
    let chunk = vec![7; CHUNK];
    while socket.write_all(&chunk).await.is_ok() {}
}

impl Timers for Glommio {
    fn sleep_until(deadline: Instant) -> impl Future<Output = ()> + Send + 'static {
        bound(async move {
            Timer::new(deadline.saturating_duration_since(Instant::now())).await;
        })
    }
}

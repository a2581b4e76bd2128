//! What a workload needs of a runtime, and the runtimes that offer it.
//!
//! Small traits, so that a peer may offer a part: [`Peer`] runs tasks, [`Foreign`] takes them from
//! other threads, [`Pipes`] has pipes in memory, [`Sockets`] and [`UnixSockets`] have
//! sockets, [`Timers`] has timers. Futures are `Send`, which work-stealing peers require; what is bound to one thread is
//! wrapped in [`bound::Bound`], which asserts `Send`, and stays on that thread.
//!
//! What a peer does with a connection is up to the peer, so that each does it in its own best way:
//! those that complete operations hand over buffers, the others borrow them.

mod bound;
#[cfg(feature = "peers")]
mod compio;
#[cfg(feature = "peers")]
mod glommio;
mod limit;
#[cfg(feature = "peers")]
mod monoio;
mod runtime;
#[cfg(feature = "peers")]
mod smol;
mod tokio;

use crate::cli::Plan;
use crate::meter::Sample;
use crate::workload::{lean, messages, pipes, sockets, tasks, timers};
use std::future::Future;
use std::io;
use std::time::Instant;

/// A line of the table: a runtime in one of its flavors.
pub struct Row {
    pub name: &'static str,
    /// The row that ratios refer to.
    pub base: &'static str,
    /// Runs a workload, says what it found and ends the process. Returns if the peer cannot do it.
    pub run: fn(&str, Plan),
}

const fn row(name: &'static str, base: &'static str, run: fn(&str, Plan)) -> Row {
    Row { name, base, run }
}

/// Every row, in the order of the table.
pub const ROWS: &[Row] = &[
    row("tokio-mt", "tokio-mt", everything::<tokio::Tokio<2>>),
    row("runtime-mt", "tokio-mt", everything::<runtime::Ours<2>>),
    #[cfg(feature = "peers")]
    row("smol-mt", "tokio-mt", smol::run::<smol::Smol<2>>),
    row("tokio-1w", "tokio-1w", sockets::one_worker::<tokio::Tokio<1>>),
    row("runtime-1w", "tokio-1w", sockets::one_worker::<runtime::Ours<1>>),
    row("tokio-ct", "tokio-ct", everything::<tokio::Tokio<0>>),
    row("runtime-ct", "tokio-ct", everything::<runtime::Ours<0>>),
    #[cfg(feature = "peers")]
    row("smol-ct", "tokio-ct", smol::run::<smol::Smol<0>>),
    #[cfg(feature = "peers")]
    row("monoio-epoll", "tokio-ct", monoio::run::<monoio::Epoll>),
    #[cfg(feature = "peers")]
    row("monoio-uring", "tokio-ct", monoio::run::<monoio::Uring>),
    #[cfg(feature = "peers")]
    row("compio-poll", "tokio-ct", compio::run::<compio::Poll>),
    #[cfg(feature = "peers")]
    row("compio-uring", "tokio-ct", compio::run::<compio::Uring>),
    #[cfg(feature = "peers")]
    row("glommio", "tokio-ct", glommio::run),
    row("limit", "tokio-ct", limit::run),
];

/// The workloads of a peer that can do it all.
fn everything<P>(workload: &str, plan: Plan)
where
    P: Foreign + Pipes + UnixSockets + Lean + Timers,
{
    tasks::run::<P>(workload, plan);
    messages::run::<P>(workload, plan);
    messages::run_foreign::<P>(workload, plan);
    pipes::run::<P>(workload, plan);
    sockets::run::<P>(workload, plan);
    sockets::run_unix::<P>(workload, plan);
    lean::run::<P>(workload, plan);
    timers::run::<P>(workload, plan);
    timers::run_beside_pipes::<P>(workload, plan);
}

/// Runs tasks.
pub trait Peer: 'static {
    /// How many threads run tasks.
    const THREADS: usize;

    /// A task that can be waited for.
    type Task: Future<Output = ()> + Send + Unpin;

    /// Builds the runtime and runs `root` on this thread.
    fn block_on<T: Send + 'static>(root: impl Future<Output = T> + Send + 'static) -> T;

    /// As [`block_on`](Self::block_on), but `main` is a task, and the process ends with it: nothing
    /// is torn down.
    fn run(main: impl Future<Output = Sample> + Send + 'static) -> ! {
        Self::block_on(async { Self::spawn(async { main.await.say() }).await });
        unreachable!("the process has ended");
    }

    fn spawn(future: impl Future<Output = ()> + Send + 'static) -> Self::Task;

    /// Spawns a task that nobody waits for.
    fn spawn_detached(future: impl Future<Output = ()> + Send + 'static);
}

/// Takes tasks from threads that it knows nothing of.
pub trait Foreign: Peer {
    type Handle: Send + 'static;

    /// Called on the runtime.
    fn handle() -> Self::Handle;

    /// Called elsewhere. Nobody waits for the task.
    fn spawn_through(handle: &Self::Handle, future: impl Future<Output = ()> + Send + 'static);
}

/// Bytes both ways.
pub trait Stream: Send + 'static {
    fn read(&mut self, buffer: &mut [u8]) -> impl Future<Output = io::Result<usize>> + Send;

    fn write_all(&mut self, bytes: &[u8]) -> impl Future<Output = io::Result<()>> + Send;
}

/// Has pipes in memory.
pub trait Pipes: Peer {
    type Pipe: Stream;

    fn duplex(max_buf_size: usize) -> (Self::Pipe, Self::Pipe);

    /// Takes what is there without copying it, and returns how much that was; `buffer` is for those
    /// who cannot.
    fn read_in_place(
        pipe: &mut Self::Pipe,
        buffer: &mut [u8],
    ) -> impl Future<Output = io::Result<usize>> + Send {
        pipe.read(buffer)
    }

    /// Hands over what does not have to be copied, or copies it.
    fn write_bytes(
        pipe: &mut Self::Pipe,
        bytes: bytes::Bytes,
    ) -> impl Future<Output = io::Result<()>> + Send {
        async move { pipe.write_all(&bytes).await }
    }

    /// Takes a chunk and returns its length; `buffer` is for those who have to copy.
    fn read_bytes(
        pipe: &mut Self::Pipe,
        buffer: &mut [u8],
    ) -> impl Future<Output = io::Result<usize>> + Send {
        pipe.read(buffer)
    }
}

/// Has TCP.
pub trait Sockets: Peer {
    type Tcp: Transport<Std = std::net::TcpListener>;
}

/// Has Unix sockets, too.
pub trait UnixSockets: Sockets {
    type Unix: Transport<Std = std::os::unix::net::UnixListener>;
}

/// One kind of sockets.
pub trait Transport: 'static {
    type Std: sockets::Bind;
    type Listener: Send + 'static;
    type Socket: Send + 'static;

    /// Takes over a socket that listens and does not block. Called on the runtime.
    fn listen(listener: Self::Std) -> io::Result<Self::Listener>;

    /// A TCP connection is expected to have `TCP_NODELAY` set.
    fn accept(
        listener: &mut Self::Listener,
    ) -> impl Future<Output = io::Result<Self::Socket>> + Send;

    /// Sends back what comes, with a buffer of `N` bytes, until the end.
    fn echo<const N: usize>(socket: Self::Socket) -> impl Future<Output = ()> + Send + 'static;

    /// Sends chunks of [`sockets::CHUNK`] bytes until the client goes.
    fn source(socket: Self::Socket) -> impl Future<Output = ()> + Send + 'static;
}

/// Can wait for a connection without a buffer.
pub trait Lean: Sockets {
    /// Sends back what comes, without a buffer while nothing does: in the peer's best way.
    fn echo_lean(
        socket: <Self::Tcp as Transport>::Socket,
        answered: fn(),
    ) -> impl Future<Output = io::Result<()>> + Send + 'static;

    /// Sends back lines, through the peer's buffered reader.
    fn echo_lines(
        socket: <Self::Tcp as Transport>::Socket,
        answered: fn(),
    ) -> impl Future<Output = io::Result<()>> + Send + 'static;
}

/// Has timers.
pub trait Timers: Peer {
    /// Takes the place of a timer when it is polled and gives it back when it is dropped.
    fn sleep_until(deadline: Instant) -> impl Future<Output = ()> + Send + 'static;
}

//! What a workload needs of a runtime, and the runtimes that offer it.
//!
//! Three traits, so that a peer may offer a part: [`Peer`] runs tasks, [`Pipes`] has pipes in memory,
//! [`Sockets`] has TCP. Futures are `Send`, which work-stealing peers require; a peer whose types are
//! bound to one thread wraps them in a type that asserts `Send` and uses it on that thread only.

mod runtime;
mod tokio;

use crate::cli::Plan;
use crate::meter::Sample;
use crate::workload::{pipes, sockets, tasks};
use std::future::Future;
use std::io;
use std::net::TcpListener;

/// A line of the table: a runtime in one of its flavors.
pub struct Row {
    pub name: &'static str,
    /// The row that ratios refer to.
    pub base: &'static str,
    /// Runs a workload, if the peer can.
    pub run: fn(&str, Plan) -> Option<Sample>,
}

/// Every row, in the order of the table.
pub const ROWS: &[Row] = &[
    Row { name: "tokio-mt", base: "tokio-mt", run: everything::<tokio::Tokio<2>> },
    Row { name: "runtime-mt", base: "tokio-mt", run: everything::<runtime::Ours<2>> },
    Row { name: "tokio-ct", base: "tokio-ct", run: everything::<tokio::Tokio<0>> },
    Row { name: "runtime-ct", base: "tokio-ct", run: everything::<runtime::Ours<0>> },
];

/// The workloads of a peer that can do it all.
fn everything<P: Pipes + Sockets>(workload: &str, plan: Plan) -> Option<Sample> {
    tasks::run::<P>(workload, plan)
        .or_else(|| pipes::run::<P>(workload, plan))
        .or_else(|| sockets::run::<P>(workload, plan))
}

/// Runs tasks.
pub trait Peer: 'static {
    /// A task that can be waited for.
    type Task: Future<Output = ()> + Send + Unpin;

    /// Builds the runtime and runs `main` on it, as a task and not as the root.
    fn run<T: Send + 'static>(main: impl Future<Output = T> + Send + 'static) -> T;

    fn spawn(future: impl Future<Output = ()> + Send + 'static) -> Self::Task;

    /// Spawns a task that nobody waits for.
    fn spawn_detached(future: impl Future<Output = ()> + Send + 'static);
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
}

/// Has TCP.
pub trait Sockets: Peer {
    type Listener: Send + 'static;
    type Socket: Stream;

    /// Takes over a socket that listens and does not block. Called on the runtime.
    fn listen(listener: TcpListener) -> io::Result<Self::Listener>;

    /// The connection is expected to have `TCP_NODELAY` set.
    fn accept(
        listener: &mut Self::Listener,
    ) -> impl Future<Output = io::Result<Self::Socket>> + Send;

    /// Sends back what comes, without a buffer while nothing does: in the peer's best way.
    fn echo_lean(
        socket: Self::Socket,
        answered: fn(),
    ) -> impl Future<Output = io::Result<()>> + Send + 'static;

    /// Sends back lines, through the peer's buffered reader.
    fn echo_lines(
        socket: Self::Socket,
        answered: fn(),
    ) -> impl Future<Output = io::Result<()>> + Send + 'static;
}

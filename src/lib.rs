//! A minimal asynchronous runtime with built-in pipes.
//!
//! A work-stealing executor drives a reactor; `TcpStream`, `UnixStream` and the in-memory pipes all
//! implement the same readiness-based traits, so code that is generic over a stream can wait without
//! a buffer and be tested without a socket.
//!
//! ```
//! use runtime::io::{Read, Write};
//! use runtime::net::{TcpListener, TcpStream};
//!
//! async fn echo(mut stream: impl Read + Write) -> std::io::Result<()> {
//!     let mut buffer = [0; 1024];
//!     loop {
//!         match stream.read(&mut buffer).await? {
//!             0 => return stream.shutdown().await,
//!             read => stream.write_all(&buffer[..read]).await?,
//!         }
//!     }
//! }
//!
//! #[runtime::main]
//! async fn main() -> std::io::Result<()> {
//!     let listener = TcpListener::bind("127.0.0.1:0").await?;
//!     let mut client = TcpStream::connect(listener.local_addr()?).await?;
//!     let (stream, _) = listener.accept().await?;
//!     runtime::spawn(echo(stream));
//!
//!     client.write_all(b"hello").await?;
//!     client.shutdown().await?;
//!     let mut answer = String::new();
//!     client.read_to_string(&mut answer).await?;
//!     assert_eq!(answer, "hello");
//!     Ok(())
//! }
//! ```
//!
//! | where | what |
//! |---|---|
//! | [`macro@main`], [`macro@test`] | attributes for the function at the top |
//! | [`Runtime`], [`Builder`], [`Handle`] | a runtime as a value, for programs with a main of their own |
//! | [`spawn`], [`task`] | tasks, their handles, sets of them, cancellation tokens, the cooperative budget |
//! | [`fn@scope`] | tasks that end before the call returns |
//! | [`TaskTracker`] | the end of a service in good order, with a report |
//! | [`task_local!`] | values that a task finds without being passed them |
//! | [`spawn_blocking`] | a pool of threads for what blocks |
//! | [`io`] | the traits, buffers, adapters, `copy` |
//! | [`pipe`] | connections in memory |
//! | [`fs`] | files, on the same threads |
//! | [`net`] | TCP, UDP and Unix sockets, the system's pipes, descriptors of your own |
//! | [`metrics`] | what a runtime counts, and how long polls take; [`Handle::tasks`] lists tasks, [`Builder::on_stall`] tells of polls that do not end |
//! | [`signal`] | ctrl-c and the signals of Unix |
//! | [`time`] | `sleep`, `timeout`, `interval`, and a clock that tests can stop |
//!
//! # Choosing
//!
//! * **What waits** is a task: [`spawn`] it. A task moves between threads and must be `Send`.
//! * **What blocks** (other libraries, long system calls) goes to [`spawn_blocking`], files to [`fs`]. A task
//!   that blocks keeps its worker from everything else; the other workers take over what they can
//!   within 20 ms, which is a safety net and not a plan.
//! * **What computes for long** gives way now and then by
//!   [`consume_budget`](task::coop::consume_budget). Operations of this crate do so by themselves.
//! * **What must not give way** for its neighbours' sake is
//!   [`unconstrained`](task::coop::unconstrained).
//!
//! * **A server's accept loop** is best spawned, too, if connections may compute for long: the future
//!   of `main` shares its thread with tasks that it wakes, and waits while one of them is in a poll.
//!
//! # Coming from tokio
//!
//! Names are the same where the meaning is. What is not here is a crate of its own and runs here
//! unchanged: channels and locks (`tokio::sync`, `async-channel`, `async-lock`), `select!` and
//! `join!` (`futures`). What differs:
//!
//! | tokio | here |
//! |---|---|
//! | `task::spawn`, `task::spawn_blocking` | [`spawn`], [`spawn_blocking`] |
//! | `AsyncRead`, `AsyncReadExt`, `AsyncWrite`, … | [`io::Read`], [`io::Write`]: one trait each |
//! | `readable()` and `try_read` of each type | [`io::Ready`] and [`io::ReadyRead`], for generic code |
//! | `Box<dyn AsyncRead>` | `Box<dyn ReadyRead>`, or `Box<dyn DynRead>` for what has no readiness |
//! | `interval` catches up in a burst | it delays; see [`time::MissedTickBehavior`] |
//! | dropping a runtime in async code panics | it hands over to the background |
//! | `tokio_util`'s `CancellationToken` | [`task::CancellationToken`] |
//! | `tokio_util`'s `TaskTracker` | [`TaskTracker`], whose `drain` has a limit and reports |
//!
//! # Cancellation
//!
//! A future is cancelled by dropping it, a task by [`abort`](task::JoinHandle::abort) or
//! [`cancel`](task::JoinHandle::cancel), many tasks with the [`JoinSet`](task::JoinSet) or the
//! [`scope`](fn@scope) that they are in. A [`CancellationToken`](task::CancellationToken) asks them to
//! end by themselves. Each method says what it loses when it is dropped half way:
//! single operations and waits lose nothing; loops such as `read_exact` and `write_all` say how far
//! they may have come.
//!
//! # Shutdown
//!
//! Dropping the [`Runtime`] drops every task, on its own threads; new ones are refused with a handle
//! that says cancelled, and I/O returns errors. Nothing hangs. Inside async code it does not wait.
//!
//! # Fairness
//!
//! If polls are bounded, a woken task runs after at most one pass over the tasks before it; a busy
//! worker looks at timers and sockets every 100 µs, measured between polls (up to 32 of them late
//! when short polls become long ones), and at tasks from outside every 61 polls. Timers fire in the order of their
//! deadlines; of thousands that are due at once the last ones take turns with those due later. While another worker
//! is idle, nothing waits longer than 20 ms behind a poll that does not end. The exception is the future of [`Runtime::block_on`], which stays on its thread.
//!
//! # Platforms
//!
//! Tested on Linux; other Unix systems and Windows (without the Unix sockets) are what mio and
//! socket2 support. A process that has started a runtime must not go on after `fork` without `exec`:
//! the child has none of the threads and shares the descriptors of the driver.

#![warn(missing_docs)]
#![deny(unsafe_code)]

// Words: what every floor above speaks.
mod contain;
mod coop;
#[path = "io/mod.rs"]
mod io_core;
mod sync;
#[allow(unsafe_code)]
mod sys;
mod waiters;

// Machinery.
mod driver;
pub mod pipe;
pub mod task;

// Users. Of these only the executor's queue and idle protocol have models; the rest drives real
// threads, sockets and clocks and is not compiled for them.
#[cfg(not(loom))]
mod blocking;
mod executor;
#[cfg(not(loom))]
pub mod fs;
#[cfg(not(loom))]
pub mod net;
#[cfg(all(unix, not(loom)))]
pub mod signal;
#[cfg(not(loom))]
#[path = "time/mod.rs"]
mod time_core;

// Front door.
#[cfg(all(any(feature = "futures-io", feature = "hyper", feature = "tokio-io"), not(loom)))]
pub mod compat;
#[cfg(not(loom))]
mod runtime;

pub mod io {
    #![doc = include_str!("io/guide.md")]

    pub use crate::io_core::*;
    pub use crate::pipe::{DuplexStream, SimplexStream, duplex, simplex};
}

#[cfg(not(loom))]
pub mod time {
    #![doc = include_str!("time/guide.md")]

    pub use crate::runtime::explicit::time::{
        interval_at_in, interval_in, sleep_in, sleep_until_in, timeout_at_in, timeout_in,
    };
    pub use crate::time_core::*;
}

#[cfg(not(loom))]
pub use crate::runtime::{
    Builder, DrainReport, EnterGuard, Handle, LeftTask, Runtime, Scope, TaskTracker,
    TryCurrentError, UnhandledPanic, metrics, scope, scope_in, spawn, spawn_blocking, spawn_local,
    spawn_named,
};
pub use runtime_macros::{main, test};

//! In-memory pipes: streams like sockets, without a socket, under any executor.
//!
//! [`duplex`] makes a connected pair for both directions, [`simplex`] a reader and a writer for one.
//! [`listen`] makes a listener and a connector, for servers without a socket.
//! They implement the same traits as sockets do, so code that is generic over a stream can be tested
//! and composed with them. Beyond those traits:
//!
//! * what was received can be looked at in place, by [`BufRead`](crate::io::BufRead) or `peek`;
//! * the two directions and the two ends share no lock, and owned halves cost nothing;
//! * memory follows what is buffered: an idle connection has none, whatever its maximum, and one that
//!   is drained and waits has given it back.
//!
//! # Closing
//!
//! A direction is closed by its writer (`shutdown` or drop): the reader gets what is buffered, then
//! `Ok(0)` for ever. It is broken by its reader (drop): writing fails with `BrokenPipe` at once, and
//! what was buffered is lost. Writing after one's own `shutdown` fails in the same way.
//!
//! # Waiting
//!
//! A writer waits only while the pipe is full, a reader only while it is empty, and each is woken by
//! the first operation that changes this. One task waits per end: a newer waker replaces the older.
//! Dropping a future that waits takes its waker back. A peer whose waker panics does no harm to the
//! operation that woke it.
//!
//! Every operation is charged to the cooperative budget of the task, if there is one.

// Inside: `lane.rs` is one direction and says how it works, `writer.rs` and `reader.rs` are its two
// sides; `word.rs` is the protocol between its
// two sides; `segment.rs` is its memory, with all `unsafe`; `cache.rs` keeps blocks for reuse; and
// `ops.rs` turns the lane's two ends into what the traits ask for. `listener.rs` only makes pairs.
mod cache;
mod duplex;
mod lane;
mod listener;
#[cfg(all(test, loom))]
mod models;
mod ops;
mod reader;
#[allow(unsafe_code)]
mod segment;
mod simplex;
#[cfg(all(test, not(loom)))]
mod tests;
mod word;
mod writer;

use std::error::Error;
use std::fmt;

pub use duplex::{
    DuplexStream, OwnedReadHalf, OwnedWriteHalf, ReadHalf, WriteHalf, duplex, duplex_with,
};
pub use listener::{PipeConnector, PipeListener, listen, listen_with};
pub use simplex::{SimplexReader, SimplexStream, SimplexWriter, simplex};

/// Two halves that were to be put together are not of one pipe; they are in here.
#[derive(Debug)]
pub struct ReuniteError<R, W>(
    /// The read half.
    pub R,
    /// The write half.
    pub W,
);

impl<R, W> fmt::Display for ReuniteError<R, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("these halves are not of one pipe")
    }
}

impl<R: fmt::Debug, W: fmt::Debug> Error for ReuniteError<R, W> {}

//! Signals of the operating system, awaited.
//!
//! [`ctrl_c`] is what most programs need; [`unix`] has the others. Nothing of this needs a runtime: a
//! signal is awaited under any executor, in any number of runtimes at once, and by any number of
//! tasks, each of which hears it.
//!
//! # What is process-wide
//!
//! The first registration of a signal replaces what the process did at it, for good: from then on
//! ctrl-c, say, does not end the process, also when nobody awaits it any more. That first registration
//! of any also starts a thread that sleeps until a signal comes.
//!
//! # Coalescing
//!
//! Signals of one kind that come before a listener looks count as one, as they do in the kernel.
//! A listener hears each signal that comes after it was made, whether it is being awaited or not.

// Inside.
//
// ```text
//   signal ─▶ handler: count of its kind + 1; a byte into the pipe, unless one is on its way
//          ─▶ thread: reads the byte, wakes the waiters of each kind whose count has moved
//          ─▶ listener: compares the count with the one it saw last
// ```
//
// The handler does what a handler may: an atomic addition, an exchange and one `write`. As there is
// never more than one byte on its way (and one that is being read), that does not fail, and so leaves
// `errno` alone. A thread and not a registration with each runtime: the pipe has one reader then, no
// descriptor is spent on a listener, and a runtime that stands still holds up nobody else's signals.

use std::future::Future;
use std::io;

pub mod unix;

/// Waits for ctrl-c, that is for `SIGINT`.
///
/// It listens from the call on, not from the first poll on. Each call hears one ctrl-c; a program that
/// wants to hear several keeps a [`Signal`](unix::Signal).
///
/// # Errors
///
/// If the operating system refuses the handler, or the thread and the pipe behind it.
///
/// # Cancel safety
///
/// Dropping the future has no effect on others.
///
/// ```no_run
/// # async fn example() -> std::io::Result<()> {
/// println!("press ctrl-c");
/// runtime::signal::ctrl_c().await?;
/// println!("goodbye");
/// # Ok(())
/// # }
/// ```
#[inline]
pub fn ctrl_c() -> impl Future<Output = io::Result<()>> + Send + Sync + 'static {
    let signal = unix::signal(unix::SignalKind::interrupt());
    async move {
        signal?.recv().await;
        Ok(())
    }
}

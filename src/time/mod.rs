//! Sleeping, timeouts, intervals, and a clock that tests can stop.
//!
//! Everything here is built on [`Sleep`], a future that is ready once a point in time has come. It
//! remembers the runtime it was made in and can then be awaited anywhere, also by tasks of another
//! runtime. It allocates nothing, takes no lock until a poll has to wait, and wakes the task that
//! polled it last. The wheels that hold the waiting ones, and the threads that fire them, are the
//! driver's and the executor's; this module knows no task and no thread.
//!
//! # Accuracy
//!
//! A timer never fires early. How late it fires depends on who has time to look: a worker looks at
//! the clock every few polls and before it sleeps, and an idle one sleeps until the next deadline,
//! but never for less than a millisecond; the thread that waits for sockets even counts its sleep in
//! whole milliseconds. So a timer on an idle runtime is up to about a millisecond late, and timers
//! that are due close together share a wake-up.
//!
//! # When the runtime is gone
//!
//! Shutting a runtime down wakes everything that waits for its timers. A [`Sleep`], [`Timeout`] or
//! [`Interval`] whose runtime is gone panics when it is polled (a `Timeout` only if its future is
//! not ready). Dropping and resetting it never panics.
//!
//! ```
//! use std::time::Duration;
//! use runtime::time;
//!
//! # runtime::Runtime::new().unwrap().block_on(async {
//! let started = time::Instant::now();
//! time::sleep(Duration::from_millis(5)).await;
//! assert!(started.elapsed() >= Duration::from_millis(5));
//!
//! let never = std::future::pending::<()>();
//! assert!(time::timeout(Duration::from_millis(5), never).await.is_err());
//! # });
//! ```

mod instant;
mod interval;
mod sleep;
mod stopped;
#[cfg(all(test, not(loom)))]
#[allow(unsafe_code)] // wakers that count their clones
mod tests;
#[allow(unsafe_code)]
mod timeout;

pub use instant::Instant;
pub use interval::{Interval, MissedTickBehavior, interval, interval_at};
pub use sleep::{Sleep, sleep, sleep_until};
pub use stopped::{Advance, advance, pause, resume};
pub use timeout::{Elapsed, Timeout, timeout, timeout_at};

#[doc(no_inline)]
pub use std::time::Duration;

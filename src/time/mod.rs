//! What [`guide.md`](crate::time) says.
//!
//! `time_core` inside the crate; `runtime::time` adds what takes a `Handle` to it. The wheels that hold
//! the waiting timers, and the threads that fire them, are the driver's and the executor's; this module
//! knows no task and no thread.

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

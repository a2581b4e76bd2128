//! The executor: a work-stealing scheduler whose idle workers sleep in the driver.
//!
//! There is one scheduler for both flavours. A multi-thread runtime has *n* pool workers and one
//! more seat, the *guest's*, which the first thread inside `block_on` takes. A current-thread runtime
//! is the same with *n* = 0: its only worker is whoever sits on the guest's seat.
//!
//! ```text
//!   spawn/wake on a worker ──▶ run-next slot ─▶ own ring ─▶ own overflow      (queue)
//!   spawn/wake elsewhere ────▶ injector ──▶ unpark one parked worker          (idle, park)
//!   worker: poll, poll, …  ──▶ look at clock: timers, driver ──▶ poll, …      (worker)
//!   nothing to do ───────────▶ search ─▶ park: one in the driver, others as threads
//!   block_on ────────────────▶ root future, up to 16 polls of tasks, root …   (guest, seat)
//!   turn ────────────────────▶ driver, polls of tasks, back to the caller     (by_hand, seat)
//! ```
//!
//! # What is promised
//!
//! Provided that every poll is bounded and so is the number of tasks:
//!
//! * A woken task runs after at most one pass over the tasks before it in its queue, each of which
//!   may be followed by a run-next chain of at most 128 polls. A worker's queue keeps the order of
//!   arrival, also when it overflows; the task that it takes from the injector at intervals may
//!   overtake those that it pulled from there before. A task that is woken while it runs goes to the back.
//! * A busy worker takes a task from the injector every 61 polls (`global_queue_interval`) and polls
//!   the driver at least every 256 polls (`event_interval`) and after [100 µs](worker), measured
//!   between polls; one whose polls were short notices up to 32 polls late that they are long now.
//! * While a pool worker is parked, a task that is ready behind another worker's long poll starts
//!   within 20 ms, and I/O and timers go on within the same time (see `idle`, "The watch"). The root
//!   future of `block_on` is not `Send` and waits for its own thread.
//!
//! # Shutdown
//!
//! `begin_shutdown` raises a flag and wakes everyone. Each pool worker ends after its current poll
//! and cancels what is in its queues; the last one (on a current-thread runtime whoever has the
//! seat) *tears down*: it cancels the queues and all idle tasks until no task is left, then closes
//! the driver. A task that is not complete is in a queue, in a worker's or the guest's hands (see
//! `batch`), or in `OwnedTasks`, so when that is empty nobody holds a task that could still point
//! here: this is why tasks need no reference count on the scheduler. A spawn that comes too late finds the flag
//! after its push (Dekker with the tear-down's drain) and cancels its own task.

// Models take the parts one by one; what ties them to threads and sockets is not compiled for them.
mod batch;
#[cfg(not(loom))]
mod by_hand;
#[cfg(not(loom))]
mod counters;
#[cfg(not(loom))]
mod guest;
mod idle;
#[cfg(not(loom))]
mod metrics;
#[cfg(all(test, loom))]
mod models;
mod park;
#[cfg(not(loom))]
mod patience;
#[allow(unsafe_code)]
mod queue;
#[cfg(not(loom))]
mod scheduler;
#[cfg(not(loom))]
mod seat;
#[cfg(not(loom))]
mod sleep;
#[cfg(not(loom))]
mod spin;
#[cfg(not(loom))]
mod watchdog;
#[cfg(not(loom))]
mod worker;

#[cfg(not(loom))]
pub(crate) use self::{
    guest::in_async_context,
    scheduler::{Config, Hook, PoolWorker, Scheduler, new, timer_shards},
};
#[cfg(not(loom))]
pub use self::{
    metrics::{Histogram, WorkerMetrics},
    watchdog::Stall,
};

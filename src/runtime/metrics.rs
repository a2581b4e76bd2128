//! Numbers about a runtime: what it has done, and what waits.
//!
//! [`Handle::metrics`](crate::Handle::metrics) takes a snapshot at any time, from any thread. Counting costs the runtime
//! next to nothing: each worker counts for itself, and times are sampled. The numbers of one snapshot are read one
//! after the other while the runtime goes on, so sums may be off by what happened meanwhile. Counters only grow, for as
//! long as the runtime lives; rates are for the reader to compute from two snapshots.

use crate::blocking;
pub use crate::executor::{Histogram, Stall, WorkerMetrics};

use super::Handle;

/// A snapshot of a runtime's numbers; made by [`Handle::metrics`](crate::Handle::metrics).
///
/// ```
/// let runtime = runtime::Runtime::new().unwrap();
/// let task = runtime.spawn(async { 1 + 1 });
/// runtime.block_on(task).unwrap();
///
/// let metrics = runtime.metrics();
/// assert_eq!(metrics.spawned_tasks, 1);
/// assert_eq!(metrics.live_tasks, 0);
/// let polls: u64 = metrics.workers.iter().map(|worker| worker.polls).sum();
/// assert!(polls >= 1);
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Metrics {
    /// The worker threads and, as the last one, whoever is inside [`block_on`](crate::Runtime::block_on) or
    /// [`turn`](crate::Runtime::turn) and works meanwhile. A current-thread runtime has only that one.
    pub workers: Vec<WorkerMetrics>,
    /// Tasks that were spawned or woken from outside and wait for a worker.
    pub injected: usize,
    /// Tasks that were spawned, blocking jobs not counted.
    pub spawned_tasks: u64,
    /// Those of them that have not ended. While the runtime shuts down it stays as it was, and is 0 afterwards.
    pub live_tasks: u64,
    /// The threads of [`spawn_blocking`](crate::spawn_blocking).
    pub blocking: BlockingMetrics,
    /// Sockets and other I/O objects that are registered with the driver.
    pub io_registrations: usize,
    /// Events that the operating system has reported for them.
    pub io_events: u64,
    /// Timers that somebody waits for.
    pub timers: usize,
}

/// The pool for work that blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BlockingMetrics {
    /// Threads there are.
    pub threads: usize,
    /// Those of them that have nothing to do.
    pub idle_threads: usize,
    /// Jobs that wait for a thread.
    pub queued: usize,
}

impl Metrics {
    #[inline]
    pub(super) fn of(handle: &Handle) -> Self {
        let inner = &*handle.inner;
        let (spawned_tasks, live_tasks) = inner.scheduler.task_counts();
        let blocking::Counts { threads, idle_threads, queued } = inner.blocking.counts();
        Self {
            workers: inner.scheduler.worker_metrics(),
            injected: inner.scheduler.injected(),
            spawned_tasks,
            live_tasks,
            blocking: BlockingMetrics { threads, idle_threads, queued },
            io_registrations: inner.driver.registrations(),
            io_events: inner.driver.events(),
            timers: inner.driver.timers.len(),
        }
    }
}

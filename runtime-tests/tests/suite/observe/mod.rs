//! What a runtime says about itself: numbers, tasks, stalls.

mod numbers;
mod stalls;
mod tasks;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use runtime::metrics::{Metrics, WorkerMetrics};
use runtime::{Builder, Handle, Runtime};
use runtime_tests::rig::{Flavour, LIMIT, each_flavour, wait_until, watchdog};

/// One number of all workers together.
fn sum(metrics: &Metrics, number: impl Fn(&WorkerMetrics) -> u64) -> u64 {
    metrics.workers.iter().map(number).sum()
}

//! The contracts of the runtime, 1 to 8, each with tests that would fail without it. What follows
//! from a scenario of the list is in `scenarios_*`; this is what the documentation promises in words.

mod ends;
mod fairness;
mod hostages;
mod nets;
mod values;

use std::future::{Future, pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex, OnceLock, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

use futures::channel::oneshot;
use futures::future::join;
use runtime::io::{Read, Write};
use runtime::net::{TcpListener, UnixStream};
use runtime::task::yield_now;
use runtime::time::{sleep, sleep_until, timeout};
use runtime::{Builder, Handle, Runtime};
use runtime_tests::rig::{
    self, Count, FREED, Flavour, LIMIT, OnDrop, each_flavour, on_each_flavour, thread_cpu_time,
    wait_until, watchdog,
};

/// A runtime with so many workers, all asleep.
fn idle_workers(workers: usize) -> Runtime {
    let parked = Count::new();
    let counted = parked.clone();
    let runtime = Builder::new_multi_thread()
        .worker_threads(workers)
        .on_thread_park(move || _ = counted.add())
        .build()
        .unwrap();
    wait_until("all workers have parked", || parked.get() >= workers);
    runtime
}

/// A task that keeps its worker inside one poll until `release` says so or is dropped.
fn stick(runtime: &Handle) -> mpsc::Sender<()> {
    let (release, released) = mpsc::channel();
    let (began, begun) = mpsc::channel();
    runtime.spawn(async move {
        began.send(()).unwrap();
        let _ = released.recv_timeout(LIMIT);
    });
    begun.recv_timeout(LIMIT).unwrap();
    release
}

/// Waits for its first wake-up, so that its waker can be had.
async fn woken_once(give: impl FnOnce(Waker)) {
    let mut give = Some(give);
    poll_fn(|cx| match give.take() {
        Some(give) => {
            give(cx.waker().clone());
            Poll::Pending
        }
        None => Poll::Ready(()),
    })
    .await;
}

/// As `wait_until`; on a current-thread runtime nothing happens unless somebody is in `block_on`.
fn wait_or_run(runtime: &Runtime, what: &str, done: impl Fn() -> bool) {
    runtime.block_on(async {
        let started = Instant::now();
        while !done() {
            assert!(started.elapsed() < LIMIT, "waited in vain until {what}");
            yield_now().await;
        }
    });
}

async fn sleep_a_little() {
    sleep(Duration::from_millis(1)).await;
}

//! Spawning, awaiting, yielding.

use crate::cli::Plan;
use crate::meter::{Meter, Sample};
use crate::peer::Peer;
use crate::workload::memory;
use std::future::poll_fn;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};

pub fn run<P: Peer>(workload: &str, plan: Plan) {
    let meter = Meter::new(plan);
    match workload {
        "spawn-10k" => P::run(spawn_many::<P>(meter)),
        "spawn-await" => P::run(spawn_await::<P>(meter)),
        "spawn-detached" => P::run(spawn_detached::<P>(meter)),
        "yield-1000" => P::run(yield_many::<P>(meter)),
        "yield-1" => P::run(yield_one(meter)),
        "memory-task" => P::run(memory::tasks::<P>(plan.held(1_000_000))),
        _ => {}
    }
}

async fn spawn_many<P: Peer>(mut meter: Meter) -> Sample {
    let mut tasks = Vec::with_capacity(10_000);
    while meter.goes_on() {
        tasks.extend((0..10_000).map(|_| P::spawn(async {})));
        for task in tasks.drain(..) {
            task.await;
        }
        meter.add(10_000);
    }
    meter.sample()
}

async fn spawn_await<P: Peer>(mut meter: Meter) -> Sample {
    while meter.goes_on() {
        for _ in 0..100 {
            P::spawn(async {}).await;
        }
        meter.add(100);
    }
    meter.sample()
}

async fn spawn_detached<P: Peer>(mut meter: Meter) -> Sample {
    let open = Arc::new(Open::new());
    while meter.goes_on() {
        open.expect(1000);
        for _ in 0..1000 {
            let open = open.clone();
            P::spawn_detached(async move { open.done() });
        }
        open.all_done().await;
        meter.add(1000);
    }
    meter.sample()
}

async fn yield_many<P: Peer>(mut meter: Meter) -> Sample {
    while meter.goes_on() {
        let tasks: Vec<_> = (0..1000).map(|_| P::spawn(yields(100))).collect();
        for task in tasks {
            task.await;
        }
        meter.add(1000 * 100);
    }
    meter.sample()
}

async fn yield_one(mut meter: Meter) -> Sample {
    while meter.goes_on() {
        yields(1000).await;
        meter.add(1000);
    }
    meter.sample()
}

async fn yields(times: usize) {
    for _ in 0..times {
        yield_now().await;
    }
}

/// Wakes its own task and waits. Not the peer's own function of this name: some of these do more (a
/// look at the driver), which is not what this compares.
pub fn yield_now() -> impl Future<Output = ()> + Send {
    let mut yielded = false;
    poll_fn(move |cx| {
        if yielded {
            return Poll::Ready(());
        }
        yielded = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
}

/// How many detached tasks are still to come, and who waits for the last.
pub struct Open {
    count: AtomicUsize,
    waiter: Mutex<Option<Waker>>,
}

impl Open {
    pub const fn new() -> Self {
        Self { count: AtomicUsize::new(0), waiter: Mutex::new(None) }
    }

    pub fn expect(&self, count: usize) {
        // Relaxed: the tasks that count it down are spawned after this.
        self.count.store(count, Ordering::Relaxed);
    }

    pub fn done(&self) {
        // AcqRel: the last one sees what the others did before it says so.
        if self.count.fetch_sub(1, Ordering::AcqRel) == 1 {
            let waiter = self.waiter.lock().expect("no panic").take();
            waiter.into_iter().for_each(Waker::wake);
        }
    }

    pub async fn all_done(&self) {
        poll_fn(|cx| {
            *self.waiter.lock().expect("no panic") = Some(cx.waker().clone());
            // After the waker is in place: the last task either sees it or was seen.
            match self.count.load(Ordering::Acquire) {
                0 => Poll::Ready(()),
                _ => Poll::Pending,
            }
        })
        .await;
    }
}

//! A million of each: sleeps, tasks, wakers.

use std::future::{pending, poll_fn};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use runtime::Builder;
use runtime::task::{CancellationToken, yield_now};
use runtime::time::{sleep, sleep_until};
use runtime_tests::counting::live;
use runtime_tests::rig::{Count, Flavour};

use crate::report::{Figure, Size};

/// What others may notice of it.
const STALL: Duration = Duration::from_millis(20);
/// What may be in use afterwards that was not before.
const LEFT: f64 = 64.0;
const LEFT_WITH_A_RUNTIME: f64 = 1024.0;

fn left_since(before: isize) -> f64 {
    (live() - before).max(0) as f64 / 1024.0
}

/// The same once workers have gone to sleep: while one is busy it keeps cells for the next tasks.
fn left_when_idle(before: isize, limit: f64) -> f64 {
    let patience = Instant::now() + Duration::from_secs(10);
    while left_since(before) > limit && Instant::now() < patience {
        thread::sleep(Duration::from_millis(1));
    }
    left_since(before)
}

// ---------------------------------------------------------------- K09

/// Sleeps that are all due at once, as far away as the wheel's upper levels, from where they are handed down
/// before they fire. A ticker beside them wants to run every millisecond.
pub(crate) fn sleeps(size: Size) -> Vec<Figure> {
    let count = size.pick(1_000_000, 20_000);
    let away = Duration::from_secs(size.pick(6, 2));
    let mut figures = Vec::new();
    for (name, flavour) in
        [("one thread", Flavour::CurrentThread), ("two workers", Flavour::MultiThread(2))]
    {
        let runtime = flavour.build();
        let stop = CancellationToken::new();
        let ticker = runtime.spawn(tick(stop.clone()));
        // What the machine does to a ticker by itself.
        let alone = Instant::now();
        runtime.block_on(async { sleep(Duration::from_secs(size.pick(2, 0))).await });
        let before = live();
        let crowd = runtime.block_on(runtime.spawn(crowd(count, away)));
        let (spawned, due, done) = crowd.expect("it does not panic");
        stop.cancel();
        let ticks = runtime.block_on(ticker).expect("it does not panic");
        let noted = ticks.capacity() * size_of::<Tick>();
        let phases = [
            ("while they are spawned", due - away, spawned),
            ("while they wait", spawned, due),
            ("while they run", due, done),
        ];
        let worst = |from, to| {
            let during = ticks.iter().filter(|(at, _)| (from..to).contains(at));
            during.map(|(_, late)| *late).max().unwrap_or_default()
        };
        let by_itself = worst(alone, due - away).as_secs_f64() * 1e3;
        let what = format!("{name}: a ticker by itself is late, worst");
        figures.push(Figure::note(what, format!("{by_itself:.1} ms")));
        for (phase, from, to) in phases {
            let worst = worst(from, to);
            let what = format!("{name}: a ticker is late, {phase}");
            figures.push(Figure::within(size, what, worst, STALL));
        }
        let left = left_when_idle(before + noted as isize, LEFT_WITH_A_RUNTIME);
        let what = format!("{name}: heap afterwards");
        figures.push(Figure::at_most(what, left, LEFT_WITH_A_RUNTIME, "KiB"));
        let took = (done - due).as_secs_f64() * 1e3;
        figures.push(Figure::note(format!("{name}: {count} run in"), format!("{took:.0} ms")));
    }
    figures
}

/// Sleeps so many times at once; returns when all were spawned, when they were due and when they had run.
async fn crowd(count: usize, away: Duration) -> (Instant, Instant, Instant) {
    let due = Instant::now() + away;
    let ran = Arc::new(AtomicUsize::new(0));
    for number in 0..count {
        let ran = Arc::clone(&ran);
        drop(runtime::spawn(async move {
            sleep_until(due.into()).await;
            ran.fetch_add(1, Relaxed);
        }));
        if number % 1000 == 0 {
            yield_now().await;
        }
    }
    let spawned = Instant::now();
    while ran.load(Relaxed) < count {
        sleep(Duration::from_millis(1)).await;
    }
    (spawned, due, Instant::now())
}

/// When a tick was due, and how late it was.
type Tick = (Instant, Duration);

async fn tick(stop: CancellationToken) -> Vec<Tick> {
    let mut ticks = Vec::new();
    while !stop.is_cancelled() {
        let due = Instant::now() + Duration::from_millis(1);
        sleep_until(due.into()).await;
        ticks.push((due, due.elapsed()));
    }
    ticks
}

// ---------------------------------------------------------------- K10

static POLLED: AtomicUsize = AtomicUsize::new(0);
static DROPPED: AtomicUsize = AtomicUsize::new(0);

/// Takes no room in the future that has it.
struct CountsDrop;

impl Drop for CountsDrop {
    fn drop(&mut self) {
        DROPPED.fetch_add(1, Relaxed);
    }
}

pub(crate) fn tasks(size: Size) -> Vec<Figure> {
    let count = size.pick(1_000_000, 50_000);
    let before = live();
    let runtime = Builder::new_multi_thread().worker_threads(2).build().expect("two threads");
    let with_runtime = live();
    for _ in 0..count {
        drop(runtime.spawn(async {
            let _counts = CountsDrop;
            POLLED.fetch_add(1, Relaxed);
            pending::<()>().await;
        }));
    }
    while POLLED.load(Relaxed) < count {
        thread::yield_now();
    }
    let each = (live() - with_runtime) as f64 / count as f64;
    let began = Instant::now();
    drop(runtime);
    let took = began.elapsed();
    vec![
        Figure::within(
            size,
            format!("the runtime of {count} is dropped in"),
            took,
            Duration::from_secs(2),
        ),
        Figure::exactly("futures that were dropped", DROPPED.load(Relaxed), count),
        Figure::at_most("heap for each", each, 80.0, "B"),
        Figure::at_most("heap afterwards", left_since(before), LEFT, "KiB"),
    ]
}

// ---------------------------------------------------------------- K11

/// Foreign threads hold clones of the wakers of tasks whose runtime is dropped meanwhile; then they wake and drop them.
pub(crate) fn wakers(size: Size) -> Vec<Figure> {
    const TASKS: usize = 1000;
    const THREADS: usize = 4;
    let each = size.pick(1000, 20);
    let before = live();
    let runtime = Builder::new_multi_thread().worker_threads(2).build().expect("two threads");
    let wakers = Arc::<Mutex<Vec<Waker>>>::default();
    let dropped = Count::new();
    for _ in 0..TASKS {
        let (token, wakers) = (dropped.on_drop(), Arc::clone(&wakers));
        drop(runtime.spawn(async move {
            let _token = token;
            poll_fn(|cx| {
                let clones = (0..each).map(|_| cx.waker().clone());
                wakers.lock().expect("nobody panics").extend(clones);
                Poll::<()>::Pending
            })
            .await;
        }));
    }
    while wakers.lock().expect("nobody panics").len() < TASKS * each {
        thread::yield_now();
    }
    let mut all = std::mem::take(&mut *wakers.lock().expect("nobody panics"));
    let (share, gone) = (all.len() / THREADS, CancellationToken::new());
    let foreign: Vec<_> = (0..THREADS)
        .map(|_| {
            let (share, gone) = (all.split_off(all.len() - share), gone.clone());
            thread::spawn(move || {
                // Half of it while the runtime goes, half when it is gone.
                let (early, late) = share.split_at(share.len() / 2);
                early.iter().for_each(Waker::wake_by_ref);
                futures::executor::block_on(gone.cancelled());
                late.iter().for_each(Waker::wake_by_ref);
            })
        })
        .collect();
    drop(all);
    let began = Instant::now();
    drop(runtime);
    let took = began.elapsed();
    let futures_dropped = dropped.get();
    gone.cancel();
    foreign.into_iter().for_each(|thread| thread.join().expect("waking is harmless"));
    drop((wakers, gone));
    vec![
        Figure::within(
            size,
            format!("the runtime is dropped under {} clones in", TASKS * each),
            took,
            Duration::from_secs(2),
        ),
        Figure::exactly("futures that were dropped with it", futures_dropped, TASKS),
        Figure::at_most("heap when the clones are gone", left_since(before), LEFT, "KiB"),
    ]
}

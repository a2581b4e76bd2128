//! Timers: setting, keeping, giving up, firing; and a process that only waits.

use crate::cli::Plan;
use crate::meter::{Meter, Sample, Usage};
use crate::peer::{Pipes, Sockets, Timers};
use crate::workload::memory::{self, Silent, settle};
use crate::workload::pipes::{CAPACITY, bounce, echo};
use crate::workload::sockets::MESSAGE;
use crate::workload::tasks::yield_now;
use std::future::{pending, poll_fn};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, mpsc};
use std::task::Poll;
use std::thread;
use std::time::{Duration, Instant};

pub fn run<P: Timers>(workload: &str, plan: Plan) {
    match workload {
        "timer-cancel" => P::run(cancel::<P>(Meter::new(plan), 0)),
        "timer-cancel-many" => P::run(cancel::<P>(Meter::new(plan), 1000)),
        "timer-timeout" => P::run(timeout::<P>(Meter::new(plan))),
        "timer-hold" => P::run(hold::<P>(plan.held(1_000_000))),
        "timer-fire" => P::run(fire::<P>(100_000)),
        "memory-sleep" => P::run(memory::sleeping::<P>(plan.held(1_000_000))),
        _ => {}
    }
}

/// What needs a pair that keeps the runtime busy, too.
pub fn run_beside_pipes<P: Timers + Pipes>(workload: &str, plan: Plan) {
    if workload == "timer-beside" {
        P::run(beside::<P>(plan.measured() * 5));
    }
}

/// Sets a timer and gives it up, without ever giving way.
async fn cancel<P: Timers>(mut meter: Meter, others: usize) -> Sample {
    let soon = Instant::now() + Duration::from_secs(60);
    let mut held: Vec<_> = (0..others).map(|_| Box::pin(P::sleep_until(soon))).collect();
    for sleep in &mut held {
        set(sleep.as_mut()).await;
    }
    while meter.goes_on() {
        let deadline = Instant::now() + Duration::from_secs(120);
        for _ in 0..1000 {
            set(pin!(P::sleep_until(deadline))).await;
        }
        meter.add(1000);
    }
    meter.sample()
}

/// A timeout as most are: around something that waits for a moment.
async fn timeout<P: Timers>(mut meter: Meter) -> Sample {
    while meter.goes_on() {
        for _ in 0..1000 {
            let mut sleep = pin!(P::sleep_until(Instant::now() + Duration::from_secs(60)));
            let mut operation = pin!(yield_now());
            poll_fn(|cx| match operation.as_mut().poll(cx) {
                Poll::Ready(()) => Poll::Ready(()),
                Poll::Pending => sleep.as_mut().poll(cx),
            })
            .await;
        }
        meter.add(1000);
    }
    meter.sample()
}

async fn hold<P: Timers>(count: usize) -> Sample {
    let start = Instant::now();
    // Spread over half an hour, in no order, as far as one can tell.
    let deadline = |number: usize| {
        start + Duration::from_secs(60) + Duration::from_millis(number as u64 * 7919 % 1_800_000)
    };
    let mut held = Vec::with_capacity(count + count / 10);
    let mut used = Usage::now();
    let mut at = Instant::now();
    // The first ones fill what grows once.
    for number in 0..count + count / 10 {
        if number == count / 10 {
            (used, at) = (Usage::now(), Instant::now());
        }
        let mut sleep = Box::pin(P::sleep_until(deadline(number)));
        set(sleep.as_mut()).await;
        held.push(sleep);
    }
    let (wall, used) = (at.elapsed(), Usage::now().since(used));
    let each = |time: Duration| time.as_nanos() as f64 / count as f64;
    Sample::default().with("ns", each(wall)).with("cpu", each(used.cpu))
}

/// Polls a timer that is not due, so that it takes its place.
async fn set(mut sleep: Pin<&mut (impl Future<Output = ()> + Send)>) {
    poll_fn(|cx| {
        assert!(sleep.as_mut().poll(cx).is_pending(), "it is far away");
        Poll::Ready(())
    })
    .await;
}

/// Tasks with deadlines all over a second; from their spawning to the last one's end.
async fn fire<P: Timers>(count: usize) -> Sample {
    let late: Arc<Vec<AtomicU32>> = Arc::new((0..count).map(|_| AtomicU32::new(0)).collect());
    let used = Usage::now();
    // By then they should all be there.
    let start = Instant::now() + Duration::from_millis(500);
    let mut tasks = Vec::with_capacity(count);
    for number in 0..count {
        let deadline = start + Duration::from_nanos(number as u64 * 618_033_989 % 1_000_000_000);
        let late = late.clone();
        tasks.push(P::spawn(async move {
            P::sleep_until(deadline).await;
            late[number].store(microseconds(deadline.elapsed()), Ordering::Relaxed);
        }));
    }
    for task in tasks {
        task.await;
    }
    let used = Usage::now().since(used);
    let late = late.iter().map(|late| late.load(Ordering::Relaxed)).collect();
    lateness(late).with("cpu", used.cpu.as_secs_f64() * 1e3)
}

async fn beside<P: Timers + Pipes>(measured: Duration) -> Sample {
    let (mut here, there) = P::duplex(CAPACITY);
    let goes_on = Arc::new(AtomicBool::new(true));
    let echo = P::spawn(echo::<MESSAGE>(there));
    let chatty = P::spawn({
        let goes_on = goes_on.clone();
        async move {
            while goes_on.load(Ordering::Relaxed) {
                bounce(&mut here, 100).await;
            }
        }
    });
    let (used, start) = (Usage::now(), Instant::now());
    let mut late = Vec::new();
    while start.elapsed() < measured {
        let deadline = Instant::now() + Duration::from_millis(1);
        P::sleep_until(deadline).await;
        late.push(microseconds(deadline.elapsed()));
    }
    let (wall, used) = (start.elapsed(), Usage::now().since(used));
    goes_on.store(false, Ordering::Relaxed);
    chatty.await;
    echo.await;
    lateness(late).with("cpu", used.cpu.as_secs_f64() / wall.as_secs_f64() * 100.0)
}

fn microseconds(time: Duration) -> u32 {
    time.as_micros().try_into().unwrap_or(u32::MAX)
}

fn lateness(mut late: Vec<u32>) -> Sample {
    late.sort_unstable();
    let at = |share: f64| f64::from(late[(share * (late.len() - 1) as f64) as usize]);
    Sample::default().with("p50", at(0.5)).with("p99", at(0.99))
}

/// Connections that nobody uses.
pub fn idle<P: Sockets>(plan: Plan) -> ! {
    let ready = watch_idle(plan);
    P::run(async move {
        let mut silent = Silent::<P>::listen(IDLE);
        silent.accept(IDLE).await;
        settle::<P>().await;
        ready.send(()).expect("the thread waits");
        pending().await
    })
}

pub const IDLE: usize = 1000;

/// A thread that waits until it is told that the connections are there, measures what the process
/// does from then on, says it and ends the process. Its own sleep is one of the switches.
pub fn watch_idle(plan: Plan) -> mpsc::Sender<()> {
    let (ready, connected) = mpsc::channel();
    thread::spawn(move || {
        connected.recv().expect("the connections come");
        // What was begun by then is not idleness.
        thread::sleep(Duration::from_millis(100));
        let used = Usage::now();
        thread::sleep(Duration::from_secs(if plan.quick { 1 } else { 5 }));
        let used = Usage::now().since(used);
        let sample = Sample::default()
            .with("cpu", used.cpu.as_secs_f64() * 1e3)
            .with("switches", used.switches as f64);
        sample.say();
    });
    ready
}

//! A worker that is stuck in a poll, what it costs that somebody watches for it, and a runtime in which nothing
//! happens.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use runtime::Builder;
use runtime::io::Read as _;
use runtime::net::UnixStream;
use runtime::time::sleep;

use crate::load;
use crate::meter::{Usage, threads};
use crate::report::{Figure, Size};
use crate::server::{BLOCK, BLOCKED, Server};

// ---------------------------------------------------------------- blocked

/// Clients whose answers are due every millisecond.
const STEADY: usize = 8;

pub(crate) fn run(size: Size) -> Vec<Figure> {
    let server = Server::start("lines");
    load::steady(server.address, STEADY, Duration::from_millis(200)); // warms up
    let mut free = load::steady(server.address, STEADY, BLOCKED);
    let address = server.address;
    let blocks = thread::spawn(move || load::say(address, BLOCK));
    let mut beside = load::steady(server.address, STEADY, BLOCKED);
    let blocked = blocks.join().expect("it is answered in the end");
    assert!(blocked >= BLOCKED, "{blocked:?}");
    let asked = format!("of {} answers: p50 / p99 / worst", beside.len());
    vec![
        Figure::note("both workers free: p50 / p99 / worst", free.show()),
        Figure::note(format!("one in a poll of {BLOCKED:?}, {asked}"), beside.show()),
        Figure::within(size, "the worst answer beside it", beside.max(), Duration::from_millis(50)),
    ]
}

// ---------------------------------------------------------------- watch

/// While one worker runs the other, which is parked, looks after it now and then. The one that runs does so in a
/// single poll, so that nothing can be taken over and it stays clear which is which.
pub(crate) fn watch(size: Size) -> Vec<Figure> {
    const NAME: &str = "watched";
    let mut builder = Builder::new_multi_thread();
    let runtime = builder.worker_threads(2).thread_name(NAME).build().expect("two threads");
    let stop = Arc::new(AtomicBool::new(false));
    let busy = {
        let stop = Arc::clone(&stop);
        runtime.spawn(async move {
            while !stop.load(Relaxed) {
                std::hint::spin_loop();
            }
        })
    };
    thread::sleep(Duration::from_millis(200));
    let seconds = size.pick(3, 1);
    let before = threads(NAME);
    thread::sleep(Duration::from_secs(seconds));
    let after = threads(NAME);
    stop.store(true, Relaxed);
    runtime.block_on(busy).expect("it does not panic");
    let used = after.iter().zip(&before).map(|(after, before)| after.since(before));
    let parked = used.min_by_key(|used| used.cpu).expect("two threads");
    let looks = parked.sleeps as f64 / seconds as f64;
    let cpu = 100.0 * parked.cpu.as_secs_f64() / seconds as f64;
    vec![
        Figure::at_most("looks of the parked worker", looks, 150.0, "a second"),
        Figure::cpu(size, "CPU of the parked worker", cpu, 1.0),
    ]
}

// ---------------------------------------------------------------- idle

/// A thousand sockets in five hundred pairs, each with a task that reads, and a thousand sleeps.
pub(crate) fn idle(size: Size) -> Vec<Figure> {
    let seconds = size.pick(5, 1);
    let runtime = Builder::new_multi_thread().worker_threads(2).build().expect("two threads");
    let _inside = runtime.enter();
    for _ in 0..500 {
        let (one, two) = UnixStream::pair().expect("two descriptors");
        for mut stream in [one, two] {
            runtime.spawn(async move { stream.read(&mut [0]).await });
            runtime.spawn(async { sleep(Duration::from_secs(3600)).await });
        }
    }
    runtime.spawn(pending::<()>());
    thread::sleep(Duration::from_millis(300));
    let polls = || runtime.metrics().workers.iter().map(|worker| worker.polls).sum::<u64>();
    let (before, polled) = (Usage::of(std::process::id()), polls());
    // The lines tell a tracer where the silence begins and ends.
    eprintln!("idle: a thousand sockets and a thousand sleeps, for {seconds} s");
    thread::sleep(Duration::from_secs(seconds));
    eprintln!("idle: over");
    let used = Usage::of(std::process::id()).cpu_since(&before);
    vec![Figure::cpu(size, "CPU", used, 0.5), Figure::exactly("polls", polls() - polled, 0)]
}

//! Polls that take too long: that somebody is told, and that nobody else has to wait.

use runtime::io::{Read, Write};
use runtime::metrics::Stall;
use runtime::net::{TcpListener, TcpStream};
use runtime::task::yield_now;
use runtime::time::sleep;

use runtime_tests::rig::{Count, FREED};

use super::*;

const THRESHOLD: Duration = Duration::from_millis(200);

/// A runtime that keeps what it is told.
fn tells(flavour: Flavour) -> (Runtime, Arc<Mutex<Vec<Stall>>>) {
    let told = Arc::new(Mutex::new(Vec::new()));
    let tell = Arc::clone(&told);
    let runtime = flavour
        .builder()
        .stall_threshold(THRESHOLD)
        .on_stall(move |stall| tell.lock().unwrap().push(stall.clone()))
        .build()
        .unwrap();
    (runtime, told)
}

#[test]
fn a_stall_is_told_while_it_lasts_also_if_no_worker_is_left() {
    for flavour in [Flavour::CurrentThread, Flavour::MultiThread(1), Flavour::MultiThread(2)] {
        let _watchdog = watchdog("");
        let (runtime, told) = tells(flavour);
        let heard = Arc::clone(&told);
        let began = Instant::now();
        let stuck = runtime.handle().spawn_named("stuck", async move {
            yield_now().await;
            wait_until("it is told", || !heard.lock().unwrap().is_empty());
        });
        let line = line!() - 4;
        let id = stuck.id();
        runtime.block_on(stuck).unwrap();
        assert!(began.elapsed() >= THRESHOLD);
        let told = told.lock().unwrap();
        let [stall] = &told[..] else { panic!("{told:?}") };
        let task = stall.task().expect("a task");
        assert_eq!((task.id(), task.name()), (id, Some("stuck")));
        assert_eq!((task.spawned_at().file(), task.spawned_at().line()), (file!(), line));
        assert!(stall.duration() >= THRESHOLD);
        assert!(stall.worker() < runtime.metrics().workers.len());
    }
}

#[test]
fn a_task_without_a_name_is_known_by_its_place_also_in_its_first_poll() {
    let _watchdog = watchdog("");
    let (runtime, told) = tells(Flavour::MultiThread(1));
    let heard = Arc::clone(&told);
    let stuck = runtime.spawn(async move {
        wait_until("it is told", || !heard.lock().unwrap().is_empty());
    });
    let line = line!() - 3;
    runtime.block_on(stuck).unwrap();
    let told = told.lock().unwrap();
    let task = told[0].task().expect("a task");
    assert_eq!((task.name(), task.spawned_at().line()), (None, line));
}

#[test]
fn the_future_of_block_on_is_told_as_such() {
    for flavour in [Flavour::CurrentThread, Flavour::MultiThread(2)] {
        let _watchdog = watchdog("");
        let (runtime, told) = tells(flavour);
        runtime.block_on(async {
            runtime::spawn(async {}).await.unwrap();
            wait_until("it is told", || !told.lock().unwrap().is_empty());
        });
        assert!(told.lock().unwrap()[0].task().is_none());
        assert_eq!(told.lock().unwrap()[0].worker(), runtime.metrics().workers.len() - 1);
    }
}

#[test]
fn each_stall_is_told_once_and_sleep_is_none() {
    for flavour in [Flavour::CurrentThread, Flavour::MultiThread(2)] {
        let _watchdog = watchdog("");
        let (runtime, told) = tells(flavour);
        runtime.block_on(async { sleep(2 * THRESHOLD).await });
        thread::sleep(2 * THRESHOLD); // nobody drives it
        assert!(told.lock().unwrap().is_empty(), "{flavour:?}: {told:?}");
        for round in 1..=2 {
            let heard = Arc::clone(&told);
            let stuck = runtime.spawn(async move {
                wait_until("it is told", || heard.lock().unwrap().len() == round);
                thread::sleep(2 * THRESHOLD); // time to tell it again
            });
            runtime.block_on(stuck).unwrap();
        }
        assert_eq!(told.lock().unwrap().len(), 2, "{flavour:?}");
        wait_until("both are counted", || sum(&runtime.metrics(), |worker| worker.stalls) >= 2);
    }
}

#[test]
fn a_stall_counts_also_if_there_is_work_again_when_the_worker_would_sleep() {
    let _watchdog = watchdog("");
    // What the hook spawns is seen by the last look before the sleep.
    let spawns: Arc<Mutex<Option<Handle>>> = Arc::default();
    let spawn = Arc::clone(&spawns);
    let runtime = Flavour::MultiThread(1)
        .builder()
        .stall_threshold(THRESHOLD)
        .on_thread_park(move || {
            if let Some(handle) = spawn.lock().unwrap().take() {
                drop(handle.spawn(async {}));
            }
        })
        .build()
        .unwrap();
    let handle = runtime.handle().clone();
    let stuck = runtime.spawn(async move {
        for _ in 0..500 {
            yield_now().await; // polls so short that the clock is looked at as seldom as can be
        }
        thread::sleep(2 * THRESHOLD);
        *spawns.lock().unwrap() = Some(handle);
    });
    futures::executor::block_on(stuck).unwrap();
    wait_until("it is counted", || sum(&runtime.metrics(), |worker| worker.stalls) >= 1);
}

#[test]
fn a_callback_that_panics_is_called_again() {
    let _watchdog = watchdog("");
    let calls = Count::new();
    let counted = calls.clone();
    let runtime = Flavour::MultiThread(1)
        .builder()
        .stall_threshold(THRESHOLD)
        .on_stall(move |_| {
            counted.add();
            panic!("on purpose");
        })
        .build()
        .unwrap();
    for round in 1..=2 {
        let seen = calls.clone();
        let stuck = runtime.spawn(async move {
            wait_until("it is told", || seen.get() >= round);
        });
        runtime.block_on(stuck).unwrap();
    }
}

#[test]
fn a_runtime_may_be_dropped_by_its_own_watchdog() {
    let _watchdog = watchdog("");
    let slot: Arc<Mutex<Option<Runtime>>> = Arc::default();
    let (told, dropped) = (Count::new(), Count::new());
    let (take, tell, count) = (Arc::clone(&slot), told.clone(), dropped.clone());
    let runtime = Flavour::MultiThread(1)
        .builder()
        .stall_threshold(THRESHOLD)
        .on_stall(move |_| {
            let runtime = take.lock().unwrap().take();
            tell.add();
            drop(runtime);
            count.add();
        })
        .build()
        .unwrap();
    let mut slot = slot.lock().unwrap();
    runtime.spawn(async move { wait_until("it is told", || told.get() > 0) });
    *slot = Some(runtime);
    drop(slot);
    wait_until("it is dropped", || dropped.get() > 0);
}

#[test]
fn while_one_of_two_workers_is_blocked_for_seconds_the_other_serves() {
    let _watchdog = watchdog("");
    const BLOCKED: Duration = Duration::from_secs(2);
    let runtime = Flavour::MultiThread(2).build();
    let (address, clients) = (Arc::new(Mutex::new(None)), 4);
    let given = Arc::clone(&address);
    runtime.spawn(async move {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        *given.lock().unwrap() = Some(listener.local_addr().unwrap());
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            runtime::spawn(async move {
                let mut byte = [0];
                while stream.read(&mut byte).await.unwrap_or(0) > 0 {
                    stream.write_all(&byte).await.unwrap();
                }
            });
        }
    });
    wait_until("it listens", || address.lock().unwrap().is_some());
    let address = address.lock().unwrap().unwrap();

    let stop = &AtomicBool::new(false);
    let latencies = thread::scope(|scope| {
        // Clients with a runtime of their own, on which nothing blocks.
        let load = scope.spawn(move || {
            let outside = Builder::new_current_thread().build().unwrap();
            outside.block_on(async {
                let mut streams = Vec::new();
                for _ in 0..clients {
                    streams.push(TcpStream::connect(address).await.unwrap());
                }
                let mut latencies = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    for stream in &mut streams {
                        let asked = Instant::now();
                        stream.write_all(b"x").await.unwrap();
                        stream.read_exact(&mut [0]).await.unwrap();
                        latencies.push(asked.elapsed());
                    }
                    sleep(Duration::from_millis(1)).await;
                }
                latencies
            })
        });
        let blocks = runtime.spawn(async { thread::sleep(BLOCKED) });
        futures::executor::block_on(blocks).unwrap();
        stop.store(true, Ordering::Relaxed);
        load.join().unwrap()
    });
    let mut sorted = latencies;
    sorted.sort();
    let (rounds, p99) = (sorted.len(), sorted[sorted.len() * 99 / 100]);
    println!(
        "{rounds} rounds: p50 {:?}, p99 {p99:?}, max {:?}",
        sorted[rounds / 2],
        sorted[rounds - 1]
    );
    assert!(rounds > 200, "{rounds} rounds in {BLOCKED:?}");
    assert!(p99 < FREED, "{p99:?}");
    wait_until("the stall is counted", || sum(&runtime.metrics(), |worker| worker.stalls) > 0);
}

#[test]
fn a_runtime_nobody_watches_has_no_thread_for_it() {
    runtime_tests::rig::alone(
        "observe::stalls::a_runtime_nobody_watches_has_no_thread_for_it",
        || {
            let before = runtime_tests::rig::status("Threads");
            let plain = Builder::new_current_thread().build().unwrap();
            assert_eq!(runtime_tests::rig::status("Threads"), before);
            let (watched, _) = tells(Flavour::CurrentThread);
            assert_eq!(runtime_tests::rig::status("Threads"), before + 1);
            drop((plain, watched));
            wait_until("the thread is gone", || runtime_tests::rig::status("Threads") == before);
        },
    );
}

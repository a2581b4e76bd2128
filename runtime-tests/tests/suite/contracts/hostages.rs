//! Contract 2: no task is a hostage.

use super::*;

#[test]
fn c2_a_task_that_the_root_future_spawned_runs_although_the_root_is_stuck() {
    let _watchdog = watchdog("");
    for workers in [1, 2, 4] {
        let runtime = idle_workers(workers);
        for _ in 0..3 {
            let waited = runtime.block_on(async {
                let (started, heard) = mpsc::channel();
                let waiting = Instant::now();
                runtime::spawn(async move { started.send(()).unwrap() });
                heard.recv_timeout(LIMIT).unwrap();
                waiting.elapsed()
            });
            assert!(waited < FREED, "{workers} workers: {waited:?}");
        }
    }
}

#[test]
fn c2_a_task_that_the_root_future_woke_runs_although_the_root_is_stuck() {
    let _watchdog = watchdog("");
    let runtime = idle_workers(2);
    let waker = Arc::new(Mutex::new(None));
    let (started, heard) = mpsc::channel();
    let kept = Arc::clone(&waker);
    runtime.spawn(async move {
        woken_once(|waker| *kept.lock().unwrap() = Some(waker)).await;
        started.send(()).unwrap();
    });
    wait_until("the task waits", || waker.lock().unwrap().is_some());
    let waited = runtime.block_on(async {
        sleep(Duration::from_millis(30)).await; // the others fall asleep, this thread in the driver
        let waiting = Instant::now();
        waker.lock().unwrap().take().unwrap().wake();
        heard.recv_timeout(LIMIT).unwrap();
        waiting.elapsed()
    });
    assert!(waited < FREED, "{waited:?}");
}

#[test]
fn c2_tasks_of_a_stuck_worker_are_stolen_wherever_they_queue() {
    let _watchdog = watchdog("");
    let runtime = idle_workers(2);
    // Enough for the run-next slot, the ring and the overflow.
    for tasks in [1, 2, 3, 1_500] {
        let (started, heard) = mpsc::channel();
        let stuck = runtime.spawn(async move {
            let waiting = Instant::now();
            for _ in 0..tasks {
                let started = started.clone();
                runtime::spawn(async move { started.send(()).unwrap() });
            }
            for _ in 0..tasks {
                heard.recv_timeout(LIMIT).unwrap();
            }
            waiting.elapsed()
        });
        let waited = futures::executor::block_on(stuck).unwrap();
        assert!(waited < FREED, "{tasks} tasks: {waited:?}");
    }
}

/// After many short tasks, of which a thief has learned to leave them alone.
#[test]
fn c2_tasks_of_a_stuck_worker_are_stolen_by_a_thief_that_rests() {
    let _watchdog = watchdog("");
    let runtime = idle_workers(2);
    for tasks in [2, 1_500] {
        let stuck = runtime.spawn(async move {
            for _ in 0..20 {
                let shorts: Vec<_> = (0..1_000).map(|_| runtime::spawn(async {})).collect();
                for short in shorts {
                    short.await.unwrap();
                }
            }
            let (started, heard) = mpsc::channel();
            let waiting = Instant::now();
            for _ in 0..tasks {
                let started = started.clone();
                runtime::spawn(async move { started.send(()).unwrap() });
            }
            for _ in 0..tasks {
                heard.recv_timeout(LIMIT).unwrap();
            }
            waiting.elapsed()
        });
        let waited = futures::executor::block_on(stuck).unwrap();
        assert!(waited < FREED, "{tasks} tasks: {waited:?}");
    }
}

#[test]
fn c2_a_task_that_yields_is_not_held_up_by_a_neighbour_that_gets_stuck() {
    let _watchdog = watchdog("");
    let runtime = idle_workers(2);
    // Both on one worker: the second queues itself behind the first without waking anybody.
    let (began, stuck) = runtime.block_on(async {
        let (turns, heard) = (Count::new(), Arc::new(AtomicBool::new(false)));
        let (seen, stop) = (turns.clone(), Arc::clone(&heard));
        let yields = runtime::spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                seen.add();
                yield_now().await;
            }
        });
        let stuck = runtime::spawn(async move {
            yield_now().await;
            let before = turns.get();
            let waiting = Instant::now();
            wait_until("the neighbour goes on", || turns.get() > before + 10);
            heard.store(true, Ordering::Relaxed);
            waiting.elapsed()
        });
        (yields, stuck)
    });
    let waited = futures::executor::block_on(stuck).unwrap();
    futures::executor::block_on(began).unwrap();
    assert!(waited < FREED, "{waited:?}");
}

/// Asks a socket of the runtime from outside, and a timer; says how long the slower one took.
fn slowest_answer(theirs: &std::os::unix::net::UnixStream, ticks: &Count) -> Duration {
    use std::io::{Read, Write};
    theirs.set_read_timeout(Some(LIMIT)).unwrap();
    let (mut theirs, mut slowest) = (theirs, Duration::ZERO);
    for round in 0..10 {
        let asked = Instant::now();
        theirs.write_all(&[round]).unwrap();
        theirs.read_exact(&mut [0]).unwrap();
        slowest = slowest.max(asked.elapsed());
        let (asked, before) = (Instant::now(), ticks.get());
        wait_until("the timer ticks", || ticks.get() > before);
        slowest = slowest.max(asked.elapsed());
    }
    slowest
}

/// Tasks that answer each byte and that tick every millisecond.
fn echo_and_tick(runtime: &Handle) -> (std::os::unix::net::UnixStream, Count) {
    let _inside = runtime.enter();
    let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    let ticks = Count::new();
    let counted = ticks.clone();
    runtime::spawn(async move {
        let mut stream = UnixStream::from_std(ours).unwrap();
        let mut byte = [0];
        while stream.read(&mut byte).await.unwrap() == 1 {
            stream.write_all(&byte).await.unwrap();
        }
    });
    runtime::spawn(async move {
        loop {
            sleep(Duration::from_millis(1)).await;
            counted.add();
        }
    });
    (theirs, ticks)
}

#[test]
fn c2_io_and_timers_flow_behind_stuck_workers() {
    let _watchdog = watchdog("");
    for workers in [2, 3, 4] {
        let runtime = idle_workers(workers);
        let (theirs, ticks) = echo_and_tick(runtime.handle());
        slowest_answer(&theirs, &ticks);
        // One after the other gets stuck, whoever was in the driver, until one is left.
        let mut stuck = Vec::new();
        for _ in 1..workers {
            stuck.push(stick(runtime.handle()));
            let slowest = slowest_answer(&theirs, &ticks);
            assert!(slowest < FREED, "{workers} workers, {} stuck: {slowest:?}", stuck.len());
        }
    }
}

#[test]
fn c2_io_and_timers_flow_when_the_stuck_worker_was_the_last_one_in_the_driver() {
    let _watchdog = watchdog("");
    for workers in [2, 4] {
        let runtime = idle_workers(workers);
        let (theirs, ticks) = echo_and_tick(runtime.handle());
        let (ours, trigger) = std::os::unix::net::UnixStream::pair().unwrap();
        let (began, begun) = mpsc::channel();
        let (release, released) = mpsc::channel::<()>();
        let stuck = {
            let _inside = runtime.enter();
            runtime::spawn(async move {
                let mut stream = UnixStream::from_std(ours).unwrap();
                stream.read(&mut [0]).await.unwrap();
                began.send(()).unwrap(); // on the worker that came out of the driver
                let _ = released.recv_timeout(LIMIT);
            })
        };
        slowest_answer(&theirs, &ticks);
        std::io::Write::write_all(&mut &trigger, &[1]).unwrap();
        begun.recv_timeout(LIMIT).unwrap();
        let slowest = slowest_answer(&theirs, &ticks);
        assert!(slowest < FREED, "{workers} workers: {slowest:?}");
        drop(release);
        futures::executor::block_on(stuck).unwrap();
    }
}

#[test]
fn c2_io_and_timers_flow_while_the_thread_in_block_on_leads_or_is_stuck() {
    let _watchdog = watchdog("");
    for workers in [1, 2] {
        let runtime = idle_workers(workers);
        let (theirs, ticks) = echo_and_tick(runtime.handle());
        let (leave, left) = oneshot::channel::<()>();
        let (stick_now, told) = oneshot::channel::<()>();
        let (began, begun) = mpsc::channel();
        let (release, released) = mpsc::channel::<()>();
        let handle = runtime.handle().clone();
        let guest = thread::spawn(move || {
            handle.block_on(async move {
                // Timers and sockets of its own, so that this thread has reason to be in the driver.
                told.await.unwrap();
                sleep(Duration::from_millis(20)).await;
                began.send(()).unwrap();
                let _ = released.recv_timeout(LIMIT);
                left.await.unwrap();
            });
        });
        let slowest = slowest_answer(&theirs, &ticks);
        assert!(slowest < FREED, "{workers} workers, the guest asleep: {slowest:?}");
        stick_now.send(()).unwrap();
        begun.recv_timeout(LIMIT).unwrap();
        let slowest = slowest_answer(&theirs, &ticks);
        assert!(slowest < FREED, "{workers} workers, the guest stuck: {slowest:?}");
        drop(release);
        if workers > 1 {
            let _stuck = stick(runtime.handle());
            let slowest = slowest_answer(&theirs, &ticks);
            assert!(slowest < FREED, "the guest leads and a worker is stuck: {slowest:?}");
        }
        leave.send(()).unwrap();
        guest.join().unwrap();
    }
}

#[test]
fn c2_an_idle_runtime_sleeps() {
    let _watchdog = watchdog("");
    let wakes = Count::new();
    let counted = wakes.clone();
    let runtime = Builder::new_multi_thread()
        .worker_threads(4)
        .on_thread_unpark(move || _ = counted.add())
        .build()
        .unwrap();
    runtime.block_on(async {
        for task in (0..100).map(|_| runtime::spawn(yield_now())).collect::<Vec<_>>() {
            task.await.unwrap();
        }
    });
    // The watch looks round a few times more, then everybody sleeps for good.
    let mut seen = wakes.get();
    let mut quiet = 0;
    let started = Instant::now();
    while quiet < 10 {
        assert!(started.elapsed() < LIMIT, "nobody does anything, and still somebody wakes up");
        thread::sleep(Duration::from_millis(20)); // time has to pass: that is the subject
        quiet = if wakes.get() == seen { quiet + 1 } else { 0 };
        seen = wakes.get();
    }
}

#[test]
fn c2_a_timer_that_was_left_to_a_leader_fires_although_that_one_gets_stuck() {
    let _watchdog = watchdog("");
    const APART: Duration = Duration::from_millis(5);
    let runtime = idle_workers(2);
    for _ in 0..5 {
        let both = Arc::new(Barrier::new(2));
        let (release, released) = mpsc::channel::<()>();
        let (fired, heard) = mpsc::channel();
        let soon = runtime::time::Instant::now() + 2 * APART;
        let here = Arc::clone(&both);
        // One on each worker: whoever sleeps beside the leader leaves its timer to it, because the
        // leader sleeps no longer. The first to be due then gets stuck on the thread that led.
        let stuck = runtime.spawn(async move {
            here.wait();
            sleep_until(soon).await;
            let _ = released.recv_timeout(LIMIT);
        });
        runtime.spawn(async move {
            both.wait();
            sleep_until(soon + APART).await;
            fired.send((soon + APART).elapsed()).unwrap();
        });
        let late = heard.recv_timeout(LIMIT).unwrap();
        assert!(late < FREED, "{late:?}");
        drop(release);
        futures::executor::block_on(stuck).unwrap();
    }
}

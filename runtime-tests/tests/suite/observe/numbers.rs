//! Metrics: that the numbers are right where one can know them.

use std::future::{pending, poll_fn};
use std::task::Poll;

use runtime::io::{Read, Write};
use runtime::net::{TcpListener, TcpStream};
use runtime::task::coop::consume_budget;
use runtime::task::yield_now;
use runtime::time::sleep;

use super::*;

#[test]
fn tasks_are_counted_when_they_start_and_when_they_end() {
    each_flavour(|runtime, flavour| {
        let before = runtime.metrics();
        assert_eq!((before.spawned_tasks, before.live_tasks), (0, 0));
        let outside: Vec<_> = (0..10).map(|_| runtime.spawn(yield_now())).collect();
        runtime.block_on(async {
            let inside: Vec<_> = (0..90).map(|_| runtime::spawn(yield_now())).collect();
            for task in inside.into_iter().chain(outside) {
                task.await.unwrap();
            }
            runtime::spawn(async { panic!("on purpose") }).await.unwrap_err();
        });
        let metrics = runtime.metrics();
        assert_eq!(metrics.spawned_tasks, 101);
        wait_until("the last worker has counted", || runtime.metrics().live_tasks == 0);
        let polls = sum(&runtime.metrics(), |worker| worker.polls);
        // Two each, the one that panics, and those of the root future.
        assert!((201..=402).contains(&polls), "{polls}");
        let workers = if let Flavour::MultiThread(workers) = flavour { workers } else { 0 };
        assert_eq!(metrics.workers.len(), workers + 1);
    });
}

#[test]
fn tasks_that_wait_are_alive_until_they_are_cancelled() {
    each_flavour(|runtime, _| {
        runtime.block_on(async {
            let tasks: Vec<_> = (0..5).map(|_| runtime::spawn(pending::<()>())).collect();
            assert_eq!(runtime.metrics().live_tasks, 5);
            for task in tasks {
                task.cancel().await.unwrap_err();
            }
        });
        wait_until("all are counted", || runtime.metrics().live_tasks == 0);
    });
}

#[test]
fn queues_say_how_long_they_are() {
    let _watchdog = watchdog("");
    let runtime = Builder::new_current_thread().build().unwrap();
    for _ in 0..3 {
        runtime.spawn(async {});
    }
    assert_eq!(runtime.metrics().injected, 3);
    runtime.block_on(async {
        runtime::spawn(async {
            for _ in 0..2_000 {
                runtime::spawn(async {});
            }
            let metrics = runtime::Handle::current().metrics();
            assert_eq!(metrics.workers[0].queued, 2_000);
            assert!(metrics.workers[0].overflowed > 900, "{metrics:?}");
            assert_eq!(metrics.live_tasks, 1 + 2_000 + metrics.injected as u64);
        })
        .await
        .unwrap();
    });
    assert_eq!(runtime.metrics().live_tasks, runtime.metrics().injected as u64);
}

#[test]
fn sockets_events_and_timers_are_counted() {
    each_flavour(|runtime, _| {
        runtime.block_on(async {
            let before = runtime.metrics();
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            assert_eq!(runtime.metrics().io_registrations, before.io_registrations + 1);
            let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
            let (mut server, _) = listener.accept().await.unwrap();
            assert_eq!(runtime.metrics().io_registrations, before.io_registrations + 3);
            let echo = runtime::spawn(async move {
                let mut byte = [0];
                server.read_exact(&mut byte).await.unwrap();
                server.write_all(&byte).await.unwrap();
            });
            client.write_all(b"x").await.unwrap();
            client.read_exact(&mut [0]).await.unwrap();
            echo.await.unwrap();
            assert!(runtime.metrics().io_events > before.io_events);
            drop((client, listener));
            assert_eq!(runtime.metrics().io_registrations, before.io_registrations);

            let mut sleep = std::pin::pin!(sleep(Duration::from_secs(3600)));
            poll_fn(|cx| {
                assert!(sleep.as_mut().poll(cx).is_pending());
                Poll::Ready(())
            })
            .await;
            assert_eq!(runtime.metrics().timers, before.timers + 1);
        });
        assert_eq!(runtime.metrics().timers, 0);
    });
}

#[test]
fn blocking_threads_and_their_queue_are_counted() {
    let _watchdog = watchdog("");
    let runtime = Builder::new_current_thread().max_blocking_threads(1).build().unwrap();
    assert_eq!(runtime.metrics().blocking.threads, 0);
    let (release, released) = mpsc::channel::<()>();
    let (began, begun) = mpsc::channel();
    let first = runtime.spawn_blocking(move || {
        began.send(()).unwrap();
        let _ = released.recv_timeout(LIMIT);
    });
    begun.recv_timeout(LIMIT).unwrap();
    let second = runtime.spawn_blocking(|| ());
    let blocking = runtime.metrics().blocking;
    assert_eq!((blocking.threads, blocking.idle_threads, blocking.queued), (1, 0, 1));
    drop(release);
    runtime.block_on(async {
        first.await.unwrap();
        second.await.unwrap();
    });
    wait_until("the thread is idle", || runtime.metrics().blocking.idle_threads == 1);
    assert_eq!(runtime.metrics().blocking.queued, 0);
    assert_eq!(runtime.metrics().spawned_tasks, 0, "jobs are no tasks");
}

#[test]
fn who_spends_the_budget_is_counted_and_who_yields_is_not() {
    each_flavour(|runtime, _| {
        let yields = runtime.spawn(async {
            for _ in 0..50 {
                yield_now().await;
            }
        });
        runtime.block_on(yields).unwrap();
        assert_eq!(sum(&runtime.metrics(), |worker| worker.budget_yields), 0);
        let spends = runtime.spawn(async {
            for _ in 0..10 * 128 {
                consume_budget().await;
            }
        });
        runtime.block_on(spends).unwrap();
        let forced = sum(&runtime.metrics(), |worker| worker.budget_yields);
        assert!((9..=11).contains(&forced), "{forced}");
    });
}

#[test]
fn what_is_taken_from_a_stuck_worker_is_counted() {
    let _watchdog = watchdog("");
    let runtime = Flavour::MultiThread(2).build();
    let stuck = runtime.spawn(async {
        let (done, heard) = mpsc::channel();
        for _ in 0..100 {
            let done = done.clone();
            runtime::spawn(async move { done.send(()).unwrap() });
        }
        for _ in 0..100 {
            heard.recv_timeout(LIMIT).unwrap(); // the other worker runs them
        }
    });
    futures::executor::block_on(stuck).unwrap();
    let metrics = runtime.metrics();
    assert!(sum(&metrics, |worker| worker.steals) >= 1, "{metrics:?}");
    assert_eq!(sum(&metrics, |worker| worker.takeovers), 1, "the run-next task");
}

#[test]
fn a_worker_is_busy_while_it_polls_and_not_while_it_sleeps() {
    let _watchdog = watchdog("");
    const POLL: Duration = Duration::from_millis(60);
    let busy = |runtime: &Runtime| -> Duration {
        runtime.metrics().workers.iter().map(|worker| worker.busy).sum()
    };
    for flavour in [Flavour::CurrentThread, Flavour::MultiThread(1)] {
        let runtime = flavour.build();
        let handle = runtime.handle().clone();
        let during = runtime.spawn(async move {
            let before: Duration = handle.metrics().workers.iter().map(|worker| worker.busy).sum();
            thread::sleep(POLL);
            let after: Duration = handle.metrics().workers.iter().map(|worker| worker.busy).sum();
            after - before
        });
        // Who waits for it in `block_on` of a pool sleeps.
        let during = runtime.block_on(during).unwrap();
        assert!(during >= POLL && during < 2 * POLL + POLL, "{flavour:?}: {during:?}");

        let parks = |runtime: &Runtime| sum(&runtime.metrics(), |worker| worker.parks);
        let (before, parked) = (busy(&runtime), parks(&runtime));
        let began = Instant::now();
        runtime.block_on(async { sleep(10 * POLL).await });
        let (slept, busy) = (began.elapsed(), busy(&runtime) - before);
        assert!(busy < slept / 2, "{flavour:?}: {busy:?} of {slept:?}");
        assert!(parks(&runtime) > parked);
    }
}

#[test]
fn a_paused_clock_makes_nobody_busy() {
    let _watchdog = watchdog("");
    let runtime = Builder::new_current_thread().start_paused(true).build().unwrap();
    runtime.block_on(async { sleep(Duration::from_secs(3600)).await });
    assert!(runtime.metrics().workers[0].busy < LIMIT);
}

#[test]
fn polls_and_wakes_are_sampled() {
    each_flavour(|runtime, flavour| {
        // Two tasks that wake each other.
        let (one, other) = runtime::io::duplex(1);
        let plays = |mut stream: runtime::io::DuplexStream, first: bool| async move {
            for round in 0..10_000 {
                if (first || round > 0) && stream.write_all(b"x").await.is_err() {
                    return;
                }
                // Who is done first closes the pipe.
                if stream.read_exact(&mut [0]).await.is_err() {
                    return;
                }
            }
        };
        let (one, other) = (plays(one, true), plays(other, false));
        let tasks = [runtime.spawn(one), runtime.spawn(other)];
        runtime.block_on(async {
            for task in tasks {
                task.await.unwrap();
            }
        });
        let metrics = runtime.metrics();
        let samples = sum(&metrics, |worker| worker.poll_times.count());
        let polls = sum(&metrics, |worker| worker.polls);
        assert!(
            samples >= polls / 500 && samples <= polls / 50 + 5,
            "{flavour:?}: {samples} of {polls}"
        );
        if flavour == Flavour::CurrentThread {
            let wakes = metrics.workers[0].wake_latencies;
            assert!(wakes.count() >= polls / 500, "{} of {polls}", wakes.count());
            let (half, all) = (wakes.quantile(0.5).unwrap(), wakes.quantile(1.0).unwrap());
            assert!(half <= all && half < Duration::from_millis(100), "{half:?}, {all:?}");
        }
    });
}

#[test]
fn long_polls_show_in_the_histogram() {
    let _watchdog = watchdog("");
    let runtime = Builder::new_current_thread().build().unwrap();
    let task = runtime.spawn(async {
        for _ in 0..600 {
            let began = Instant::now();
            while began.elapsed() < Duration::from_millis(1) {
                std::hint::spin_loop();
            }
            yield_now().await;
        }
    });
    runtime.block_on(task).unwrap();
    let times = runtime.metrics().workers[0].poll_times;
    assert!(times.count() >= 3, "{times:?}");
    assert!(times.quantile(0.5).unwrap() > Duration::from_millis(1), "{times:?}");
    assert_eq!(times.merge(&times).count(), 2 * times.count());
    assert_eq!(times.buckets().map(|(_, count)| count).sum::<u64>(), times.count());
}

#[test]
fn stalls_are_counted_when_they_are_over() {
    let _watchdog = watchdog("");
    const STALL: Duration = Duration::from_millis(300);
    let stalls = |runtime: &Runtime| sum(&runtime.metrics(), |worker| worker.stalls);
    for flavour in [Flavour::CurrentThread, Flavour::MultiThread(2)] {
        let runtime = flavour.builder().stall_threshold(STALL).build().unwrap();
        // What sleeps does not stall, however long.
        runtime.block_on(async { sleep(2 * STALL).await });
        assert_eq!(stalls(&runtime), 0, "{flavour:?}");
        runtime.block_on(runtime.spawn(async { thread::sleep(STALL) })).unwrap();
        wait_until("it is counted", || stalls(&runtime) > 0);
        // The future of `block_on`, too.
        runtime.block_on(async { thread::sleep(STALL) });
        assert!(stalls(&runtime) >= 2, "{flavour:?}");
    }
}

#[test]
fn a_clock_that_is_moved_makes_no_stall() {
    let _watchdog = watchdog("");
    let runtime = Builder::new_current_thread().start_paused(true).build().unwrap();
    let moves = runtime.spawn(async {
        for _ in 0..100 {
            runtime::time::advance(Duration::from_secs(60)).await;
        }
    });
    runtime.block_on(moves).unwrap();
    assert_eq!(runtime.metrics().workers[0].stalls, 0);
}

#[test]
#[should_panic(expected = "`stall_threshold` must be at least a millisecond")]
fn a_threshold_of_nothing_is_refused() {
    Builder::new_current_thread().stall_threshold(Duration::ZERO);
}

#[test]
fn a_runtime_that_is_gone_has_numbers_too() {
    for flavour in [Flavour::CurrentThread, Flavour::MultiThread(2)] {
        let _watchdog = watchdog("");
        let runtime = flavour.build();
        let handle = runtime.handle().clone();
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            runtime::spawn(async move { listener.accept().await.map(drop) });
            runtime::spawn(sleep(Duration::from_secs(3600)));
            yield_now().await;
        });
        assert_eq!(handle.metrics().live_tasks, 2);
        drop(runtime);
        handle.spawn(async {}); // refused
        let metrics = handle.metrics();
        assert_eq!((metrics.spawned_tasks, metrics.live_tasks), (2, 0));
        assert_eq!((metrics.io_registrations, metrics.timers, metrics.injected), (0, 0, 0));
        assert_eq!(metrics.blocking.threads, 0);
        // Time does not make those busy who are gone.
        let busy = sum(&handle.metrics(), |worker| worker.busy.as_nanos() as u64);
        thread::sleep(Duration::from_millis(5));
        assert_eq!(sum(&handle.metrics(), |worker| worker.busy.as_nanos() as u64), busy);
    }
}

#[test]
#[should_panic(expected = "a share is between 0 and 1, not 1.5")]
fn a_share_beyond_all_is_refused() {
    let runtime = Builder::new_current_thread().build().unwrap();
    let times = runtime.metrics().workers[0].poll_times;
    assert_eq!(times.quantile(0.5), None);
    times.quantile(1.5);
}

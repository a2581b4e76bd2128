//! Scenarios A of the list of what bit others: scheduler and wake-ups.
//!
//! A08 and A09 that need a socket are here too. Not here: A12 and A13, which look into the cell, are
//! unit tests of the task module; A19's and A20's counts of system calls need a tracer.

use std::future::{Future, pending, poll_fn};
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use futures::channel::oneshot;
use runtime::io::{Read, Write};
use runtime::net::{TcpListener, TcpStream, UnixStream};
use runtime::task::{JoinHandle, yield_now};
use runtime::time::sleep;
use runtime::{Builder, Runtime};
use runtime_tests::rig::{
    Count, FREED, Flavour, LIMIT, alone, each_flavour, on_each_flavour, status, wait_until,
    watchdog, watchdog_for,
};

/// Two workers, both asleep, and nobody in `block_on`.
fn two_idle_workers() -> Runtime {
    let parked = Count::new();
    let counted = parked.clone();
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .on_thread_park(move || _ = counted.add())
        .build()
        .unwrap();
    wait_until("both workers have parked", || parked.get() >= 2);
    runtime
}

/// Spawns tasks that wake themselves until `stop`.
fn storm(tasks: usize, stop: &Arc<AtomicBool>) -> Vec<JoinHandle<()>> {
    (0..tasks)
        .map(|_| {
            let stop = Arc::clone(stop);
            runtime::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    yield_now().await;
                }
            })
        })
        .collect()
}

#[test]
fn a02_a_task_behind_a_long_poll_starts_on_another_worker() {
    let _watchdog = watchdog("");
    let runtime = two_idle_workers();
    for _ in 0..5 {
        let (started, heard) = mpsc::channel();
        let waiting = Instant::now();
        let polled = runtime.spawn(async move {
            runtime::spawn(async move { started.send(()).unwrap() });
            // The same poll, which ends only when the task it woke has run elsewhere.
            heard.recv_timeout(LIMIT).unwrap();
            waiting.elapsed()
        });
        let waited = futures::executor::block_on(polled).unwrap();
        assert!(waited < FREED, "{waited:?}");
    }
}

async fn serve(listener: TcpListener) {
    while let Ok((mut stream, _)) = listener.accept().await {
        runtime::spawn(async move {
            let mut byte = [0];
            while stream.read(&mut byte).await.is_ok_and(|read| read == 1) {
                stream.write_all(&byte).await.unwrap();
            }
        });
    }
}

async fn ask(mut stream: TcpStream, rounds: u8) {
    let mut byte = [0];
    for round in 0..rounds {
        stream.write_all(&[round]).await.unwrap();
        stream.read_exact(&mut byte).await.unwrap();
        assert_eq!(byte, [round]);
    }
}

#[test]
fn a03_sockets_are_served_while_tasks_wake_themselves() {
    on_each_flavour(|| async {
        let stop = Arc::default();
        let storm = storm(8, &stop);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let server = runtime::spawn(serve(listener));
        let clients: Vec<_> = (0..16)
            .map(|_| {
                runtime::spawn(
                    async move { ask(TcpStream::connect(addr).await.unwrap(), 16).await },
                )
            })
            .collect();
        for client in clients {
            client.await.unwrap();
        }
        stop.store(true, Ordering::Relaxed);
        for task in storm {
            task.await.unwrap();
        }
        server.abort();
    });
}

#[test]
fn a04_timers_fire_while_tasks_wake_themselves() {
    on_each_flavour(|| async {
        let stop = Arc::default();
        let storm = storm(8, &stop);
        let late = runtime::spawn(async {
            let started = Instant::now();
            sleep(Duration::from_millis(10)).await;
            started.elapsed()
        });
        let late = late.await.unwrap();
        assert!(late < Duration::from_secs(2), "{late:?}");
        stop.store(true, Ordering::Relaxed);
        for task in storm {
            task.await.unwrap();
        }
    });
}

#[test]
fn a05_a_flood_of_spawns_from_outside_is_served_under_a_local_storm() {
    const TASKS: usize = 5_000;
    each_flavour(|runtime, flavour| {
        let stop = Arc::new(AtomicBool::new(false));
        let ran = Count::new();
        let workers = if let Flavour::MultiThread(workers) = flavour { workers } else { 1 };
        runtime.block_on(async {
            let storm = storm(2 * workers, &stop);
            let (handle, counted) = (runtime::Handle::current(), ran.clone());
            let (done, all_ran) = oneshot::channel();
            let flood = thread::spawn(move || {
                let tasks: Vec<_> = (0..TASKS)
                    .map(|_| {
                        let ran = counted.clone();
                        handle.spawn(async move { _ = ran.add() })
                    })
                    .collect();
                for task in tasks {
                    futures::executor::block_on(task).unwrap();
                }
                done.send(()).unwrap();
            });
            all_ran.await.unwrap();
            flood.join().unwrap();
            stop.store(true, Ordering::Relaxed);
            for task in storm {
                task.await.unwrap();
            }
        });
        assert_eq!(ran.get(), TASKS);
    });
}

#[test]
fn a05_memory_returns_after_a_flood() {
    alone("scenarios_a::a05_memory_returns_after_a_flood", || {
        let _watchdog = watchdog_for("", 3 * LIMIT);
        let runtime = Builder::new_multi_thread().worker_threads(2).build().unwrap();
        let flood = || {
            let tasks: Vec<_> = (0..50_000).map(|_| runtime.spawn(yield_now())).collect();
            runtime.block_on(async {
                for task in tasks {
                    task.await.unwrap();
                }
            });
        };
        flood();
        let warm = status("VmRSS");
        for _ in 0..4 {
            flood();
        }
        let now = status("VmRSS");
        assert!(now < warm + 6 * 1024, "{warm} KiB, then {now} KiB");
    });
}

#[test]
fn a06_a_burst_that_overflows_the_local_queue_runs_exactly_once_and_in_order() {
    for burst in [257, 1_000, 100_000] {
        on_each_flavour(|| async move {
            let runs: Arc<[AtomicUsize]> = (0..burst).map(|_| AtomicUsize::new(0)).collect();
            let counted = Arc::clone(&runs);
            runtime::spawn(async move {
                let spawn = |task: usize| {
                    let runs = Arc::clone(&counted);
                    runtime::spawn(async move { runs[task].fetch_add(1, Ordering::Relaxed) })
                };
                let tasks: Vec<_> = (0..burst).map(spawn).collect();
                for task in tasks {
                    assert_eq!(task.await.unwrap(), 0);
                }
            })
            .await
            .unwrap();
            assert!(runs.iter().all(|runs| runs.load(Ordering::Relaxed) == 1));
        });
    }
}

#[test]
fn a08_a_byte_is_answered_however_often_the_runtime_fell_asleep() {
    each_flavour(|runtime, flavour| {
        // Where somebody sleeps in `block_on`, and where nobody does.
        let (done, finished) = mpsc::channel();
        let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
        let echo = async move {
            let mut stream = UnixStream::from_std(ours).unwrap();
            let mut byte = [0];
            while stream.read(&mut byte).await.unwrap() == 1 {
                stream.write_all(&byte).await.unwrap();
            }
            done.send(()).unwrap();
        };
        let echo = {
            let _inside = runtime.enter();
            runtime::spawn(echo)
        };
        let client = thread::spawn(move || {
            use std::io::{Read, Write};
            let mut theirs = theirs;
            theirs.set_read_timeout(Some(LIMIT)).unwrap();
            let mut byte = [0];
            for round in 0..1_000_u32 {
                if round % 4 == 0 {
                    thread::sleep(Duration::from_micros(300)); // the runtime is to fall asleep
                }
                theirs.write_all(&[round as u8])?;
                theirs.read_exact(&mut byte)?;
                assert_eq!(byte, [round as u8]);
            }
            io::Result::Ok(())
        });
        if flavour == Flavour::CurrentThread {
            runtime.block_on(echo).unwrap();
        }
        client.join().unwrap().unwrap();
        finished.recv_timeout(LIMIT).unwrap();
    });
}

#[test]
fn a09_another_worker_takes_over_the_driver_from_a_stuck_one() {
    let _watchdog = watchdog("");
    let runtime = two_idle_workers();
    let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    let (first, trigger) = std::os::unix::net::UnixStream::pair().unwrap();
    let (answered, heard) = mpsc::channel::<()>();
    let (is_stuck, stuck) = mpsc::channel();
    let _inside = runtime.enter();
    // Woken by the driver, so it is on the worker that was in it, and blocks that one.
    let blocks = runtime::spawn(async move {
        let mut first = UnixStream::from_std(first).unwrap();
        first.read(&mut [0]).await.unwrap();
        is_stuck.send(()).unwrap();
        let waiting = Instant::now();
        heard.recv_timeout(LIMIT).unwrap();
        waiting.elapsed()
    });
    let echo = runtime::spawn(async move {
        let mut stream = UnixStream::from_std(ours).unwrap();
        let mut byte = [0];
        while stream.read(&mut byte).await.unwrap() == 1 {
            stream.write_all(&byte).await.unwrap();
        }
    });
    {
        use std::io::{Read, Write};
        (&trigger).write_all(&[1]).unwrap();
        stuck.recv_timeout(LIMIT).unwrap();
        theirs.set_read_timeout(Some(LIMIT)).unwrap();
        let mut worst = Duration::ZERO;
        for round in 0..20 {
            let asked = Instant::now();
            (&theirs).write_all(&[round]).unwrap();
            (&theirs).read_exact(&mut [0]).unwrap();
            worst = worst.max(asked.elapsed());
        }
        assert!(worst < FREED, "{worst:?}");
        answered.send(()).unwrap();
        drop(theirs);
    }
    futures::executor::block_on(blocks).unwrap();
    futures::executor::block_on(echo).unwrap();
}

#[test]
fn a14_a_task_that_wakes_itself_alternates_with_its_neighbour() {
    let _watchdog = watchdog("");
    for flavour in [Flavour::CurrentThread, Flavour::MultiThread(1)] {
        let order = Arc::new(Mutex::new(Vec::new()));
        let runtime = flavour.build();
        let notes = Arc::clone(&order);
        let both = runtime.spawn(async move {
            let tasks: Vec<_> = (0..2_u8)
                .map(|name| {
                    let order = Arc::clone(&notes);
                    runtime::spawn(async move {
                        for _ in 0..1_000 {
                            order.lock().unwrap().push(name);
                            let mut woken = false;
                            poll_fn(|cx| {
                                if std::mem::replace(&mut woken, true) {
                                    return Poll::Ready(());
                                }
                                cx.waker().wake_by_ref();
                                Poll::Pending
                            })
                            .await;
                        }
                    })
                })
                .collect();
            for task in tasks {
                task.await.unwrap();
            }
        });
        runtime.block_on(both).unwrap();
        let order = order.lock().unwrap();
        // Each starts once; from then on they take turns.
        let repeats = order.windows(2).filter(|pair| pair[0] == pair[1]).count();
        assert!(repeats <= 2, "{flavour:?}: {repeats} times twice in a row");
    }
}

#[test]
fn a15_tasks_go_on_beside_a_root_future_that_never_waits_and_the_reverse() {
    each_flavour(|runtime, _| {
        // The root yields for ever, until a task has had its thousand turns.
        runtime.block_on(async {
            let task = runtime::spawn(async {
                for _ in 0..1_000 {
                    yield_now().await;
                }
            });
            while !task.is_finished() {
                yield_now().await;
            }
        });
        // Tasks yield for ever, until the root has had its thousand turns.
        runtime.block_on(async {
            let stop = Arc::default();
            let storm = storm(8, &stop);
            for _ in 0..1_000 {
                yield_now().await;
            }
            stop.store(true, Ordering::Relaxed);
            for task in storm {
                task.await.unwrap();
            }
        });
    });
}

#[test]
fn a15_what_is_spawned_outside_runs_beside_a_root_that_never_waits() {
    // The interval divides the number of polls between two looks at the root, and one more.
    for interval in [1, 16, 17, 34, 61] {
        let _watchdog = watchdog("");
        let runtime =
            Builder::new_current_thread().global_queue_interval(interval).build().unwrap();
        runtime.block_on(async {
            let stop = Arc::default();
            let storm = storm(40, &stop);
            for _ in 0..40 {
                let handle = runtime::Handle::current();
                let outside = thread::spawn(move || handle.spawn(async {})).join().unwrap();
                while !outside.is_finished() {
                    yield_now().await;
                }
            }
            stop.store(true, Ordering::Relaxed);
            for task in storm {
                task.await.unwrap();
            }
        });
    }
}

#[test]
fn a16_a_long_chain_of_wakes_needs_no_stack() {
    const LINKS: usize = 100_000;
    on_each_flavour(|| async {
        let (first, mut previous) = oneshot::channel();
        for _ in 0..LINKS {
            let (wakes, next) = oneshot::channel();
            let woken = std::mem::replace(&mut previous, next);
            runtime::spawn(async move {
                let (): () = woken.await.unwrap();
                wakes.send(()).unwrap();
            });
        }
        first.send(()).unwrap();
        previous.await.unwrap();
    });
}

#[test]
fn a16_a_long_chain_of_spawns_needs_no_stack() {
    fn link(left: usize, done: oneshot::Sender<()>) {
        runtime::spawn(async move {
            match left {
                0 => done.send(()).unwrap(),
                left => link(left - 1, done),
            }
        });
    }
    on_each_flavour(|| async {
        let (done, finished) = oneshot::channel();
        link(100_000, done);
        finished.await.unwrap();
    });
}

#[test]
fn a16_a_long_chain_of_joins_and_of_cancellations_needs_no_stack() {
    fn chain<F: Future<Output = ()> + Send + 'static>(innermost: F) -> JoinHandle<()> {
        let mut task = runtime::spawn(innermost);
        for _ in 0..50_000 {
            let inner = task;
            task = runtime::spawn(async move { inner.await.unwrap() });
        }
        task
    }
    on_each_flavour(|| async { chain(async {}).await.unwrap() });
    // Dropped with the runtime.
    each_flavour(|runtime, _| {
        runtime.block_on(async { drop(chain(pending())) });
    });
    // Each cancels the next in its destructor.
    struct Cancels(JoinHandle<()>);
    impl Drop for Cancels {
        fn drop(&mut self) {
            self.0.abort();
        }
    }
    on_each_flavour(|| async {
        let ends = Count::new();
        let end = ends.on_drop();
        let mut task = runtime::spawn(async move {
            let _end = end;
            pending().await
        });
        for _ in 0..50_000 {
            let inner = Cancels(task);
            task = runtime::spawn(async move {
                let _inner = inner;
                pending().await
            });
        }
        task.abort();
        assert!(task.await.unwrap_err().is_cancelled());
        while ends.get() == 0 {
            yield_now().await;
        }
    });
}

/// A future of `N` bytes that looks at all of them.
struct Large<const N: usize>([u8; N], bool);

impl<const N: usize> Future for Large<N> {
    type Output = usize;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<usize> {
        if !std::mem::replace(&mut self.1, true) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(self.0.iter().map(|byte| usize::from(*byte)).sum())
    }
}

#[test]
fn a17_a_future_larger_than_a_workers_stack_runs_and_is_dropped_there() {
    const SIZE: usize = 4 << 20;
    let _watchdog = watchdog("");
    // Whoever makes the future needs room for it; the threads of the runtime do not.
    let maker = thread::Builder::new().stack_size(64 << 20);
    let made = maker.spawn(|| {
        for flavour in [Flavour::CurrentThread, Flavour::MultiThread(1)] {
            let runtime = flavour.builder().thread_stack_size(2 << 20).build().unwrap();
            let sum = runtime.spawn(Large([1; SIZE], false));
            let cancelled = runtime.spawn(Large([1; SIZE], false));
            cancelled.abort();
            assert_eq!(runtime.block_on(sum).unwrap(), SIZE);
            assert!(runtime.block_on(cancelled).is_err());
            assert_eq!(runtime.block_on(Large([1; SIZE], false)), SIZE);
        }
    });
    made.unwrap().join().unwrap();
}

#[test]
fn a17_a_sixteenth_of_the_stack_is_room_enough_for_a_root_future() {
    let _watchdog = watchdog("");
    let small = thread::Builder::new().stack_size(2 << 20);
    let polled = small.spawn(|| {
        const SIZE: usize = 128 << 10;
        let runtime = Builder::new_current_thread().build().unwrap();
        assert_eq!(runtime.block_on(Large([1; SIZE], false)), SIZE);
        assert_eq!(runtime.block_on(runtime.spawn(Large([1; SIZE], false))).unwrap(), SIZE);
    });
    polled.unwrap().join().unwrap();
}

#[test]
fn a18_senseless_settings_panic_at_the_setter_and_name_the_parameter() {
    #[track_caller]
    fn refused(parameter: &str, set: impl FnOnce(&mut Builder) + std::panic::UnwindSafe) {
        let panicked = std::panic::catch_unwind(|| set(&mut Builder::new_multi_thread()));
        let payload = panicked.expect_err(parameter);
        let message = payload
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| payload.downcast_ref::<&str>().map(|message| (*message).to_owned()));
        assert!(message.unwrap().contains(parameter), "{parameter}");
    }
    refused("worker_threads", |builder| _ = builder.worker_threads(0));
    refused("worker_threads", |builder| _ = builder.worker_threads(usize::MAX));
    refused("event_interval", |builder| _ = builder.event_interval(0));
    refused("global_queue_interval", |builder| _ = builder.global_queue_interval(0));
    refused("max_blocking_threads", |builder| _ = builder.max_blocking_threads(0));
    refused("max_blocking_threads", |builder| _ = builder.max_blocking_threads(usize::MAX));
    refused("thread_stack_size", |builder| _ = builder.thread_stack_size(0));
    refused("thread_stack_size", |builder| _ = builder.thread_stack_size(usize::MAX));
    refused("thread_name", |builder| _ = builder.thread_name("a\0b"));
    // The largest ones that are accepted work.
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(1).event_interval(u32::MAX).global_queue_interval(u32::MAX);
    let runtime = builder.thread_keep_alive(Duration::MAX).build().unwrap();
    runtime.block_on(runtime.spawn(yield_now())).unwrap();
}

#[test]
fn a19_waking_many_tasks_costs_in_proportion() {
    fn wake_all(runtime: &Runtime, tasks: usize) -> Duration {
        let wakers = Arc::new(Mutex::new(Vec::<Waker>::new()));
        let tasks: Vec<_> = (0..tasks)
            .map(|_| {
                let wakers = Arc::clone(&wakers);
                let mut polled = false;
                runtime.spawn(poll_fn(move |cx| {
                    if std::mem::replace(&mut polled, true) {
                        return Poll::Ready(());
                    }
                    wakers.lock().unwrap().push(cx.waker().clone());
                    Poll::Pending
                }))
            })
            .collect();
        wait_until("all tasks wait", || wakers.lock().unwrap().len() == tasks.len());
        let wakers = std::mem::take(&mut *wakers.lock().unwrap());
        let started = Instant::now();
        wakers.into_iter().for_each(Waker::wake);
        futures::executor::block_on(async {
            for task in tasks {
                task.await.unwrap();
            }
        });
        started.elapsed()
    }
    let _watchdog = watchdog("");
    let runtime = Builder::new_multi_thread().worker_threads(2).build().unwrap();
    wake_all(&runtime, 1_000);
    // The best of several, for the machine may be busy.
    let few = (0..5).map(|_| wake_all(&runtime, 1_000)).min().unwrap();
    let many = (0..3).map(|_| wake_all(&runtime, 10_000)).min().unwrap();
    // A thousand may take less than a slice of the machine's scheduler, which then is the measure.
    let few = few.max(Duration::from_millis(4));
    assert!(many < 40 * few, "{few:?} for a thousand, {many:?} for ten thousand");
}

#[test]
fn a21_a_hook_before_a_worker_parks_may_spawn_and_wake() {
    let _watchdog = watchdog("");
    for workers in [1, 2, 4] {
        let (handle, ran) = (Arc::new(Mutex::new(None::<runtime::Handle>)), Count::new());
        let (from_hook, counted) = (Arc::clone(&handle), ran.clone());
        let spawned = AtomicUsize::new(0);
        let runtime = Builder::new_multi_thread()
            .worker_threads(workers)
            .on_thread_park(move || {
                let handle = from_hook.lock().unwrap();
                if let Some(handle) = &*handle
                    && spawned.fetch_add(1, Ordering::Relaxed) < 100
                {
                    let ran = counted.clone();
                    handle.spawn(async move { _ = ran.add() });
                }
            })
            .build()
            .unwrap();
        *handle.lock().unwrap() = Some(runtime.handle().clone());
        // The first one parks for this; each task that runs makes its worker park again.
        runtime.spawn(async {});
        wait_until("all that the hook spawned has run", || ran.get() == 100);
        // And the driver is polled.
        runtime.block_on(async { sleep(Duration::from_millis(1)).await });
        *handle.lock().unwrap() = None;
    }
}

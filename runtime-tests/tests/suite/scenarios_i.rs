//! Scenarios I of the list of what bit others: `spawn_blocking`.

use std::future::pending;
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use runtime::{Builder, Handle};
use runtime_tests::rig::{
    Count, FLAVOURS, Flavour, LIMIT, OnDrop, alone, alone_under, at_thread_exit, each_flavour,
    random, status, wait_until, watchdog, watchdog_for,
};

#[test]
fn i01_a_job_is_never_queued_for_a_thread_that_leaves() {
    // One thread that grows old at once: each job comes while it is on its way out, or not.
    for flavour in [Flavour::CurrentThread, Flavour::MultiThread(1)] {
        let _watchdog = watchdog("");
        let runtime = flavour
            .builder()
            .max_blocking_threads(1)
            .thread_keep_alive(Duration::ZERO)
            .build()
            .unwrap();
        let started = Instant::now();
        while started.elapsed() < Duration::from_millis(700) {
            let job = runtime.spawn_blocking(|| ());
            if random().is_multiple_of(2) {
                wait_until("the job has run", || job.is_finished());
            } else {
                futures::executor::block_on(job).unwrap();
            }
            // The thread now looks for another one, lies down and leaves: some microseconds.
            for _ in 0..random() % 200 {
                std::hint::spin_loop();
            }
        }
    }
}

#[test]
fn i02_a_job_may_start_jobs_and_block_on_the_runtime() {
    each_flavour(|runtime, _| {
        let job = runtime.spawn_blocking(|| {
            let inner = runtime::spawn_blocking(|| 7);
            let seven = Handle::current().block_on(inner).unwrap();
            let task = runtime::spawn(async { 1 });
            seven + Handle::current().block_on(task).unwrap()
        });
        assert_eq!(runtime.block_on(job).unwrap(), 8);
        // From a destructor in a job.
        let (give, take) = mpsc::channel();
        let token = OnDrop(move || give.send(runtime::spawn_blocking(|| 9)).unwrap());
        runtime.block_on(runtime.spawn_blocking(move || drop(token))).unwrap();
        assert_eq!(runtime.block_on(take.recv_timeout(LIMIT).unwrap()).unwrap(), 9);
    });
}

#[test]
fn i03_a_thousand_panics_cost_no_thread() {
    alone("scenarios_i::i03_a_thousand_panics_cost_no_thread", || {
        let _watchdog = watchdog("");
        std::panic::set_hook(Box::new(|_| {}));
        let runtime = Flavour::MultiThread(1).builder().thread_keep_alive(LIMIT).build().unwrap();
        let panics = || {
            let job = runtime.spawn_blocking(|| panic!("on purpose"));
            assert!(runtime.block_on(job).unwrap_err().is_panic());
        };
        panics();
        let threads = status("Threads");
        (0..1_000).for_each(|_| panics());
        // A second one at most: the first is not yet idle again when the next job comes.
        assert!(status("Threads") <= threads + 1, "{threads}, then {}", status("Threads"));
    });
}

#[test]
fn i04_shutdown_finishes_the_running_job_and_cancels_the_queued_ones() {
    for flavour in FLAVOURS {
        let _watchdog = watchdog("");
        let runtime = flavour.builder().max_blocking_threads(1).build().unwrap();
        let (release, released) = mpsc::channel::<()>();
        let (began, begun) = mpsc::channel();
        let running = runtime.spawn_blocking(move || {
            began.send(()).unwrap();
            released.recv_timeout(LIMIT).unwrap();
            7
        });
        begun.recv_timeout(LIMIT).unwrap();
        let (ran, order) = (Count::new(), Arc::new(Mutex::new(Vec::new())));
        let queued: Vec<_> = (0..100)
            .map(|i| {
                let (ran, order) = (ran.clone(), Arc::clone(&order));
                let captured = OnDrop(move || order.lock().unwrap().push(i));
                runtime.spawn_blocking(move || {
                    ran.add();
                    drop(captured);
                })
            })
            .collect();
        runtime.shutdown_background();
        for job in queued {
            assert!(futures::executor::block_on(job).unwrap_err().is_cancelled());
        }
        assert_eq!(ran.get(), 0);
        let order = order.lock().unwrap();
        assert!(order.len() == 100 && order.is_sorted(), "dropped in the order of arrival");
        release.send(()).unwrap();
        assert_eq!(futures::executor::block_on(running).unwrap(), 7);
    }
}

#[test]
fn i05_abort_cancels_a_queued_job_and_does_nothing_to_a_running_one() {
    for flavour in FLAVOURS {
        let _watchdog = watchdog("");
        let runtime = flavour.builder().max_blocking_threads(1).build().unwrap();
        let (release, released) = mpsc::channel::<()>();
        let (began, begun) = mpsc::channel();
        let running = runtime.spawn_blocking(move || {
            began.send(()).unwrap();
            released.recv_timeout(LIMIT).unwrap();
            7
        });
        begun.recv_timeout(LIMIT).unwrap();
        let (ran, dropped) = (Count::new(), Count::new());
        let (counted, captured) = (ran.clone(), dropped.on_drop());
        let queued = runtime.spawn_blocking(move || {
            let _captured = captured;
            counted.add();
        });
        queued.abort();
        running.abort();
        release.send(()).unwrap();
        assert_eq!(futures::executor::block_on(running).unwrap(), 7);
        assert!(futures::executor::block_on(queued).unwrap_err().is_cancelled());
        assert_eq!((ran.get(), dropped.get()), (0, 1));
    }
}

#[test]
fn i06_if_not_one_thread_can_be_had_the_job_is_cancelled() {
    let limited = ["sh", "-c", "ulimit -v 4000000; exec \"$0\" \"$@\""];
    let test = "scenarios_i::i06_if_not_one_thread_can_be_had_the_job_is_cancelled";
    alone_under(&limited, test, || {
        let _watchdog = watchdog("");
        let mut builder = Builder::new_current_thread();
        let runtime = builder.thread_stack_size(8 << 30).build().unwrap();
        let dropped = Count::new();
        for _ in 0..10 {
            let captured = dropped.on_drop();
            let job = runtime.spawn_blocking(move || drop(captured));
            assert!(runtime.block_on(job).unwrap_err().is_cancelled());
        }
        assert_eq!(dropped.get(), 10);
        // With one thread the others' jobs wait for it.
        let mut builder = Builder::new_current_thread();
        let runtime = builder.thread_stack_size(2 << 30).build().unwrap();
        let jobs: Vec<_> = (0..10).map(|i| runtime.spawn_blocking(move || i)).collect();
        for (i, job) in jobs.into_iter().enumerate() {
            assert_eq!(runtime.block_on(job).unwrap(), i);
        }
    });
}

#[test]
fn i07_what_a_refused_job_captured_may_call_spawn_blocking() {
    for flavour in FLAVOURS {
        let _watchdog = watchdog("");
        let runtime = flavour.builder().max_blocking_threads(1).build().unwrap();
        let (release, released) = mpsc::channel::<()>();
        let (began, begun) = mpsc::channel();
        runtime.spawn_blocking(move || {
            began.send(()).unwrap();
            let _ = released.recv_timeout(LIMIT);
        });
        begun.recv_timeout(LIMIT).unwrap();
        let (give, take) = mpsc::channel();
        let again = |give: mpsc::Sender<_>| {
            OnDrop(move || {
                let token = OnDrop(|| drop(runtime::spawn_blocking(|| ())));
                give.send(runtime::spawn_blocking(move || drop(token))).unwrap();
            })
        };
        for _ in 0..10 {
            let captured = again(give.clone());
            runtime.spawn_blocking(move || drop(captured));
        }
        runtime.shutdown_background();
        for _ in 0..10 {
            let refused = take.recv_timeout(LIMIT).unwrap();
            assert!(futures::executor::block_on(refused).unwrap_err().is_cancelled());
        }
        drop(release);
    }
}

#[test]
fn i08_one_thread_runs_ten_thousand_jobs_in_order() {
    alone("scenarios_i::i08_one_thread_runs_ten_thousand_jobs_in_order", || {
        let _watchdog = watchdog("");
        for flavour in [Flavour::CurrentThread, Flavour::MultiThread(1)] {
            let runtime = flavour.builder().max_blocking_threads(1).build().unwrap();
            let (release, released) = mpsc::channel::<()>();
            runtime.spawn_blocking(move || _ = released.recv_timeout(LIMIT));
            let order = Arc::new(Mutex::new(Vec::new()));
            let before = status("VmRSS");
            let jobs: Vec<_> = (0..10_000)
                .map(|i| {
                    let order = Arc::clone(&order);
                    runtime.spawn_blocking(move || order.lock().unwrap().push(i))
                })
                .collect();
            let each = (status("VmRSS").saturating_sub(before)) * 1024 / 10_000;
            assert!(each < 1024, "{each} bytes for each job that waits");
            release.send(()).unwrap();
            for job in jobs {
                futures::executor::block_on(job).unwrap();
            }
            let order = order.lock().unwrap();
            assert!(order.len() == 10_000 && order.is_sorted(), "{flavour:?}");
        }
    });
}

#[test]
fn i08_there_are_never_more_threads_than_allowed() {
    let _watchdog = watchdog_for("", 2 * LIMIT);
    for max in [1, 2, 5] {
        let mut builder = Builder::new_current_thread();
        let runtime = builder
            .max_blocking_threads(max)
            .thread_keep_alive(Duration::from_micros(50))
            .build()
            .unwrap();
        let (inside, most) = (Count::new(), Arc::new(Mutex::new(0)));
        let left = Count::new();
        let jobs: Vec<_> = (0..2_000)
            .map(|_| {
                let (inside, left, most) = (inside.clone(), left.clone(), Arc::clone(&most));
                runtime.spawn_blocking(move || {
                    let now = inside.add() + 1 - left.get();
                    let mut most = most.lock().unwrap();
                    *most = now.max(*most);
                    drop(most);
                    thread::yield_now();
                    left.add();
                })
            })
            .collect();
        for job in jobs {
            futures::executor::block_on(job).unwrap();
        }
        assert!(*most.lock().unwrap() <= max);
    }
}

#[test]
fn i09_thread_locals_of_pool_threads_may_ask_for_the_runtime() {
    for flavour in FLAVOURS {
        let _watchdog = watchdog("");
        let runtime = flavour.builder().thread_keep_alive(Duration::ZERO).build().unwrap();
        let said = Arc::new(Mutex::new(None));
        let noted = Arc::clone(&said);
        let job = runtime.spawn_blocking(move || {
            let ask = move || {
                let current = Handle::try_current().is_ok();
                let spawned = std::panic::catch_unwind(|| drop(runtime::spawn(async {}))).is_ok();
                *noted.lock().unwrap() = Some((current, spawned));
            };
            at_thread_exit(ask);
        });
        runtime.block_on(job).unwrap();
        wait_until("the thread has ended", || said.lock().unwrap().is_some());
        assert_eq!(*said.lock().unwrap(), Some((false, false)));
    }
}

#[test]
fn i10_shutdown_leaves_a_stuck_job_behind_on_time() {
    for flavour in FLAVOURS {
        let _watchdog = watchdog("");
        let runtime = flavour.build();
        let (release, released) = mpsc::channel::<()>();
        let (began, begun) = mpsc::channel();
        let stuck = runtime.spawn_blocking(move || {
            began.send(()).unwrap();
            released.recv_timeout(LIMIT).unwrap();
            Handle::current().block_on(runtime::spawn(pending::<()>())).unwrap_err().is_cancelled()
        });
        begun.recv_timeout(LIMIT).unwrap();
        let started = Instant::now();
        runtime.shutdown_timeout(Duration::from_millis(10));
        assert!(started.elapsed() < LIMIT / 2);
        // It goes on, inside a runtime that refuses everything.
        release.send(()).unwrap();
        assert!(futures::executor::block_on(stuck).unwrap());
    }
}

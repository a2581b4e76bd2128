//! Contract 1: fairness.

use super::*;

#[test]
fn c1_queues_keep_the_order_of_arrival_also_when_they_overflow() {
    let _watchdog = watchdog("");
    for flavour in [Flavour::CurrentThread, Flavour::MultiThread(1)] {
        let order = Arc::new(Mutex::new(Vec::new()));
        let notes = Arc::clone(&order);
        let runtime = flavour.build();
        let spawner = runtime.spawn(async move {
            let tasks: Vec<_> = (0..5_000)
                .map(|task| {
                    let order = Arc::clone(&notes);
                    runtime::spawn(async move { order.lock().unwrap().push(task) })
                })
                .collect();
            for task in tasks {
                task.await.unwrap();
            }
        });
        runtime.block_on(spawner).unwrap();
        let mut order = order.lock().unwrap();
        // The one spawned last runs next; the others run as they came.
        assert_eq!(order.remove(0), 4_999);
        assert!(order.is_sorted(), "{flavour:?}");
    }
}

#[test]
fn c1_what_arrives_from_outside_is_overtaken_by_a_bounded_number() {
    let _watchdog = watchdog("");
    let order = Arc::new(Mutex::new(Vec::new()));
    let runtime = Builder::new_current_thread().build().unwrap();
    let tasks: Vec<_> = (0..3_000)
        .map(|task| {
            let order = Arc::clone(&order);
            runtime.spawn(async move { order.lock().unwrap().push(task) })
        })
        .collect();
    runtime.block_on(async {
        for task in tasks {
            task.await.unwrap();
        }
    });
    // A share of the injector is taken at once; every 61 polls its head goes before that share.
    let order = order.lock().unwrap();
    let overtaken = order.iter().enumerate().map(|(at, task)| at.abs_diff(*task)).max().unwrap();
    assert!(overtaken <= 128, "{overtaken} places");
}

#[test]
fn c1_a_task_woken_while_it_runs_goes_to_the_back() {
    let _watchdog = watchdog("");
    let runtime = Builder::new_current_thread().build().unwrap();
    let order = Arc::new(Mutex::new(Vec::new()));
    let notes = Arc::clone(&order);
    let all = runtime.spawn(async move {
        let tasks: Vec<_> = (0..10)
            .map(|task| {
                let order = Arc::clone(&notes);
                runtime::spawn(async move {
                    for round in 0..5 {
                        order.lock().unwrap().push((round, task));
                        yield_now().await;
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
    });
    runtime.block_on(all).unwrap();
    // All of a round before any of the next.
    assert!(order.lock().unwrap().is_sorted_by_key(|(round, _)| *round));
}

#[test]
fn c1_a_chain_of_run_next_tasks_is_bounded() {
    let _watchdog = watchdog("");
    for flavour in [Flavour::CurrentThread, Flavour::MultiThread(1)] {
        let runtime = flavour.build();
        let stop = Arc::new(AtomicBool::new(false));
        let polls = Count::new();
        ping_pong(&runtime, &stop, &polls);
        wait_or_run(&runtime, "they play", || polls.get() > 1_000);
        let before = polls.get();
        let counted = polls.clone();
        let behind = runtime.spawn(async move {
            // In the local ring, behind the chain.
            let mut longest = 0;
            for _ in 0..50 {
                let before = counted.get();
                yield_now().await;
                longest = longest.max(counted.get() - before);
            }
            longest
        });
        let longest = runtime.block_on(behind).unwrap();
        assert!(longest <= 3 * 128, "{flavour:?}: {longest} polls since {before}");
        stop.store(true, Ordering::Relaxed);
    }
}

/// Two tasks that wake each other in turn, each in the other's run-next slot.
fn ping_pong(runtime: &Runtime, stop: &Arc<AtomicBool>, polls: &Count) {
    let wakers: Arc<[Mutex<Option<Waker>>; 2]> = Arc::default();
    for me in 0..2 {
        let (wakers, stop, polls) = (Arc::clone(&wakers), Arc::clone(stop), polls.clone());
        runtime.spawn(poll_fn(move |cx| {
            polls.add();
            *wakers[me].lock().unwrap() = Some(cx.waker().clone());
            let other = wakers[1 - me].lock().unwrap().take();
            other.into_iter().for_each(Waker::wake);
            if stop.load(Ordering::Relaxed) { Poll::Ready(()) } else { Poll::Pending }
        }));
    }
}

#[test]
fn c1_a_run_next_chain_and_a_full_injector_together_starve_nobody() {
    let _watchdog = watchdog("");
    for flavour in [Flavour::CurrentThread, Flavour::MultiThread(1)] {
        let runtime = flavour.build();
        let (stop, polls) = (Arc::new(AtomicBool::new(false)), Count::new());
        ping_pong(&runtime, &stop, &polls);
        // As many tasks as can be, from outside and short.
        let flood = {
            let (handle, stop) = (runtime.handle().clone(), Arc::clone(&stop));
            let under_way = Count::new();
            let done = Count::new();
            thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    if under_way.get() - done.get() > 1_000 {
                        thread::yield_now();
                        continue;
                    }
                    under_way.add();
                    let done = done.clone();
                    handle.spawn(async move { _ = done.add() });
                }
            })
        };
        wait_or_run(&runtime, "the chain plays", || polls.get() > 1_000);
        let counted = polls.clone();
        let behind = runtime.spawn(async move {
            let mut longest = 0;
            for _ in 0..50 {
                let before = counted.get();
                yield_now().await;
                longest = longest.max(counted.get() - before);
            }
            longest
        });
        let longest = runtime.block_on(behind).unwrap();
        assert!(longest <= 3 * 128, "{flavour:?}: {longest} polls of the chain in between");
        stop.store(true, Ordering::Relaxed);
        flood.join().unwrap();
    }
}

#[test]
fn c1_the_injector_is_looked_at_under_a_local_flood() {
    each_flavour(|runtime, flavour| {
        let workers = if let Flavour::MultiThread(workers) = flavour { workers } else { 1 };
        let (stop, polls) = (Arc::new(AtomicBool::new(false)), Count::new());
        let (storm_polls, storm_stop) = (polls.clone(), Arc::clone(&stop));
        runtime.spawn(async move {
            for _ in 0..2 * workers {
                let (polls, stop) = (storm_polls.clone(), Arc::clone(&storm_stop));
                runtime::spawn(async move {
                    while !stop.load(Ordering::Relaxed) {
                        polls.add();
                        yield_now().await;
                    }
                });
            }
        });
        wait_or_run(runtime, "the storm blows", || polls.get() > 1_000);
        let handle = runtime.handle().clone();
        let counted = polls.clone();
        let outside = thread::spawn(move || {
            let mut gaps = Vec::new();
            for _ in 0..20 {
                let before = counted.get();
                let counted = counted.clone();
                let ran = handle.spawn(async move { counted.get() });
                gaps.push(futures::executor::block_on(ran).unwrap() - before);
            }
            gaps.sort_unstable();
            gaps[gaps.len() / 2]
        });
        let gap = {
            wait_or_run(runtime, "the flood is over", || outside.is_finished());
            outside.join().unwrap()
        };
        stop.store(true, Ordering::Relaxed);
        // 61 polls of one worker; ten times as much for a machine that is busy.
        assert!(gap <= 10 * 61 * workers, "{flavour:?}: {gap} polls");
    });
}

#[test]
fn c1_io_and_timers_go_on_under_a_storm_of_yields() {
    on_each_flavour(|| async {
        let stop = Arc::new(AtomicBool::new(false));
        let polls = Count::new();
        for _ in 0..64 {
            let (polls, stop) = (polls.clone(), Arc::clone(&stop));
            runtime::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    polls.add();
                    yield_now().await;
                }
            });
        }
        let (mut ours, mut theirs) = UnixStream::pair().unwrap();
        let echo = runtime::spawn(async move {
            let mut byte = [0];
            while theirs.read(&mut byte).await.unwrap() == 1 {
                theirs.write_all(&byte).await.unwrap();
            }
        });
        let started = Instant::now();
        for _ in 0..20 {
            ours.write_all(&[1]).await.unwrap();
            ours.read_exact(&mut [0]).await.unwrap();
            sleep(Duration::from_millis(1)).await;
        }
        assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
        assert!(polls.get() > 0, "there was a storm");
        stop.store(true, Ordering::Relaxed);
        drop(ours);
        echo.await.unwrap();
    });
}

#[test]
fn c1_a_budget_of_128_units_a_poll_is_inherited_along_a_chain() {
    let _watchdog = watchdog("");
    let runtime = Builder::new_current_thread().build().unwrap();
    let spent = runtime.spawn(async {
        yield_now().await; // a chain begins here
        let mut spent = 0;
        while runtime::task::coop::has_budget_remaining() {
            runtime::task::coop::consume_budget().await;
            spent += 1;
        }
        spent
    });
    assert_eq!(runtime.block_on(spent).unwrap(), 128);
    let left = runtime.spawn(async {
        yield_now().await;
        for _ in 0..100 {
            runtime::task::coop::consume_budget().await;
        }
        // Runs next, with what is left, less one for the link.
        let next = runtime::spawn(async {
            let mut left = 0;
            while runtime::task::coop::has_budget_remaining() {
                runtime::task::coop::consume_budget().await;
                left += 1;
            }
            left
        });
        next.await.unwrap()
    });
    assert_eq!(runtime.block_on(left).unwrap(), 27);
}

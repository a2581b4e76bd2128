//! Contracts 7 and 8: shutdown, `JoinHandle`.

use super::*;

#[test]
fn c7_shutdown_drops_every_task_once_under_load() {
    for flavour in runtime_tests::rig::FLAVOURS {
        let _watchdog = watchdog(&format!("{flavour:?}"));
        let runtime = flavour.build();
        let (made, dropped) = (Count::new(), Count::new());
        let spawn = |handle: &Handle, made: &Count, dropped: &Count, kind: usize| {
            made.add();
            let token = dropped.on_drop();
            match kind % 5 {
                0 => handle.spawn(async move {
                    let _token = token;
                    loop {
                        yield_now().await;
                    }
                }),
                1 => handle.spawn(async move {
                    let _token = token;
                    pending::<()>().await
                }),
                2 => handle.spawn(async move {
                    let _token = token;
                    loop {
                        sleep(Duration::from_millis(1)).await;
                    }
                }),
                3 => handle.spawn(async move { drop(token) }),
                _ => handle.spawn(async move {
                    let _token = token;
                    yield_now().await;
                }),
            }
        };
        for kind in 0..500 {
            drop(spawn(runtime.handle(), &made, &dropped, kind));
        }
        // Tasks that spawn without end, and threads that do.
        let tasks_made = made.clone();
        let tasks_dropped = dropped.clone();
        runtime.spawn(async move {
            for kind in 0.. {
                drop(spawn(&Handle::current(), &tasks_made, &tasks_dropped, kind));
                yield_now().await;
            }
        });
        let stop = Arc::new(AtomicBool::new(false));
        let outside: Vec<_> = (0..2)
            .map(|_| {
                let (handle, stop) = (runtime.handle().clone(), Arc::clone(&stop));
                let (made, dropped) = (made.clone(), dropped.clone());
                thread::spawn(move || {
                    let mut last = Vec::new();
                    for kind in 0.. {
                        if stop.load(Ordering::Relaxed) {
                            break;
                        }
                        let task = spawn(&handle, &made, &dropped, kind);
                        last.push(task);
                        if last.len() > 100 {
                            last.clear();
                        }
                    }
                    last
                })
            })
            .collect();
        wait_or_run(&runtime, "there is some load", || made.get() > 2_000);
        drop(runtime);
        stop.store(true, Ordering::Relaxed);
        for thread in outside {
            for task in thread.join().unwrap() {
                let _ = futures::executor::block_on(task); // cancelled or done, but not pending
            }
        }
        assert_eq!(made.get(), dropped.get(), "{flavour:?}");
    }
}

#[test]
fn c7_destructors_run_inside_the_context_of_their_runtime() {
    for flavour in runtime_tests::rig::FLAVOURS {
        let _watchdog = watchdog(&format!("{flavour:?}"));
        let (runtime, inside) = (flavour.build(), Arc::new(OnceLock::new()));
        let noted = Arc::clone(&inside);
        let token = OnDrop(move || {
            let spawned = Handle::try_current().map(|handle| handle.spawn(async {}));
            let _ = noted.set(spawned);
        });
        runtime.spawn(async move {
            let _token = token;
            pending::<()>().await
        });
        drop(runtime);
        let spawned = Arc::into_inner(inside).unwrap().into_inner().expect("it was dropped");
        let refused = futures::executor::block_on(spawned.expect("in the runtime"));
        assert!(refused.unwrap_err().is_cancelled());
    }
}

#[test]
fn c7_shutdown_in_the_background_and_with_a_limit() {
    for flavour in runtime_tests::rig::FLAVOURS {
        let _watchdog = watchdog(&format!("{flavour:?}"));
        let dropped = Count::new();
        for how in [None, Some(Duration::ZERO), Some(Duration::from_nanos(1)), Some(Duration::MAX)]
        {
            let runtime = flavour.build();
            let token = dropped.on_drop();
            let task = runtime.spawn(async move {
                let _token = token;
                pending::<()>().await
            });
            match how {
                None => runtime.shutdown_background(),
                Some(limit) => runtime.shutdown_timeout(limit),
            }
            assert!(futures::executor::block_on(task).unwrap_err().is_cancelled());
        }
        assert_eq!(dropped.get(), 4);
    }
}

#[test]
fn c8_dropping_a_handle_detaches_the_task() {
    on_each_flavour(|| async {
        let (done, finished) = oneshot::channel();
        drop(runtime::spawn(async move {
            yield_now().await;
            done.send(7).unwrap();
        }));
        assert_eq!(finished.await, Ok(7));
    });
}

#[test]
fn c8_a_completed_task_keeps_no_waker_of_its_joiner() {
    struct Token(Count);
    impl Wake for Token {
        fn wake(self: Arc<Self>) {}
    }
    impl Drop for Token {
        fn drop(&mut self) {
            self.0.add();
        }
    }
    each_flavour(|runtime, _| {
        let drops = Count::new();
        let (finish, finished) = oneshot::channel::<()>();
        let mut task = runtime.spawn(async move { finished.await.unwrap() });
        {
            let waker = Waker::from(Arc::new(Token(drops.clone())));
            assert!(pin!(&mut task).poll(&mut Context::from_waker(&waker)).is_pending());
        }
        assert_eq!(drops.get(), 0);
        finish.send(()).unwrap();
        wait_or_run(runtime, "the task is done", || task.is_finished());
        wait_or_run(runtime, "the waker is gone", || drops.get() == 1);
        drop(task);
    });
}

#[test]
fn c8_cancel_waits_until_the_future_is_dropped() {
    for workers in [1, 2, 4] {
        let _watchdog = watchdog("");
        let runtime = Flavour::MultiThread(workers).build();
        for _ in 0..50 {
            let dropped = Count::new();
            let token = dropped.on_drop();
            let task = runtime.spawn(async move {
                let _token = token;
                loop {
                    yield_now().await;
                }
            });
            let result: Result<(), _> = futures::executor::block_on(task.cancel());
            assert!(result.unwrap_err().is_cancelled());
            assert_eq!(dropped.get(), 1);
        }
    }
    on_each_flavour(|| async {
        // Done before it could be cancelled; and told at once, although what is returned is dropped.
        let done = runtime::spawn(async { 7 });
        while !done.is_finished() {
            yield_now().await;
        }
        assert_eq!(done.cancel().await.unwrap(), 7);
        let dropped = Count::new();
        let token = dropped.on_drop();
        drop(
            runtime::spawn(async move {
                let _token = token;
                pending::<()>().await
            })
            .cancel(),
        );
        while dropped.get() == 0 {
            yield_now().await;
        }
    });
}

#[test]
fn c8_ids_are_unique_among_live_tasks() {
    on_each_flavour(|| async {
        let tasks: Vec<_> =
            (0..1_000).map(|_| runtime::spawn(async { runtime::task::id() })).collect();
        let ids: std::collections::HashSet<_> = tasks.iter().map(|task| task.id()).collect();
        assert_eq!(ids.len(), tasks.len());
        for task in tasks {
            let id = task.id();
            assert_eq!(task.abort_handle().id(), id);
            assert_eq!(task.await.unwrap(), id);
        }
    });
}

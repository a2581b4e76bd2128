//! Contract 6: a runtime is a plain value.

use super::*;

#[test]
fn c6_many_runtimes_live_side_by_side_and_lend_each_other_their_objects() {
    let _watchdog = watchdog("");
    let runtimes: Vec<_> =
        (0..6).map(|i| [Flavour::CurrentThread, Flavour::MultiThread(1)][i % 2].build()).collect();
    for (i, one) in runtimes.iter().enumerate() {
        let other = &runtimes[(i + 1) % runtimes.len()];
        // Somebody drives the other one.
        let (stop, stopped) = oneshot::channel::<()>();
        let handle = other.handle().clone();
        let driven = thread::spawn(move || handle.block_on(stopped));
        let (mut ours, mut theirs, timer) = {
            let _inside = other.enter();
            let (ours, theirs) = UnixStream::pair().unwrap();
            (ours, theirs, sleep(Duration::from_millis(5)))
        };
        one.block_on(async {
            let task = other.spawn(async move {
                theirs.write_all(b"hello").await.unwrap();
                7
            });
            let mut hello = [0; 5];
            ours.read_exact(&mut hello).await.unwrap();
            assert_eq!(&hello, b"hello");
            timer.await;
            assert_eq!(task.await.unwrap(), 7);
        });
        stop.send(()).unwrap();
        driven.join().unwrap().unwrap();
    }
}

#[test]
fn c6_objects_of_a_runtime_can_be_awaited_under_another_executor() {
    let _watchdog = watchdog("");
    let runtime = Flavour::MultiThread(2).build();
    let (mut ours, mut theirs, timer) = {
        let _inside = runtime.enter();
        let (ours, theirs) = UnixStream::pair().unwrap();
        (ours, theirs, sleep(Duration::from_millis(5)))
    };
    futures::executor::block_on(async {
        let mut hello = [0; 5];
        let (read, written) = join(ours.read_exact(&mut hello), theirs.write_all(b"hello")).await;
        read.unwrap();
        written.unwrap();
        assert_eq!(&hello, b"hello");
        timer.await;
        assert_eq!(runtime.spawn(async { 7 }).await.unwrap(), 7);
        assert_eq!(runtime.spawn_blocking(|| 8).await.unwrap(), 8);
    });
}

#[test]
fn c6_after_the_runtime_is_gone_nothing_hangs() {
    for flavour in runtime_tests::rig::FLAVOURS {
        let _watchdog = watchdog(&format!("{flavour:?}"));
        let runtime = flavour.build();
        let handle = runtime.handle().clone();
        let (mut stream, mut other, listener, timer, unpolled) = {
            let _inside = runtime.enter();
            let (stream, other) = UnixStream::pair().unwrap();
            let listener = runtime.block_on_bind();
            (stream, other, listener, sleep(LIMIT), sleep(LIMIT))
        };
        let idle = runtime.spawn(pending::<()>());
        let done = runtime.spawn(async { 7 });
        runtime.block_on(async {
            while !done.is_finished() {
                yield_now().await
            }
        });
        drop(runtime);
        let asked = |executor: &dyn Fn(std::pin::Pin<&mut dyn Future<Output = ()>>)| {
            let mut timer = Some(timer);
            let mut all = pin!(async {
                assert!(stream.read(&mut [0]).await.is_err());
                assert!(listener.accept().await.is_err());
                // Either way, but now: the write may find room without asking the driver.
                let _ = other.write(&[1]).await;
                assert!(idle.await.unwrap_err().is_cancelled());
                assert_eq!(done.await.unwrap(), 7);
                assert!(handle.spawn(async {}).await.unwrap_err().is_cancelled());
                assert!(handle.spawn_blocking(|| ()).await.unwrap_err().is_cancelled());
                let timer = timer.take().unwrap();
                let polled = join_panic(timer).await;
                assert!(polled.contains("timer"), "{polled}");
            });
            executor(all.as_mut());
        };
        asked(&|all| futures::executor::block_on(all));
        let _inside = handle.enter();
        assert!(UnixStream::pair().is_err(), "no socket can be had of a runtime that is gone");
        drop(unpolled);
        // `block_on` still polls: with wake-ups from outside, and without burning the processor.
        let (tell, told) = oneshot::channel::<()>();
        let teller = thread::spawn(move || {
            thread::sleep(Duration::from_millis(300)); // long enough to be seen in processor time
            tell.send(()).unwrap();
        });
        let before = thread_cpu_time();
        handle.block_on(told).unwrap();
        let burnt = thread_cpu_time() - before;
        teller.join().unwrap();
        assert!(burnt < Duration::from_millis(150), "{flavour:?}: {burnt:?} of 300 ms");
    }
}

/// Polls a future that panics, and gives the message.
async fn join_panic(future: impl Future<Output = ()>) -> String {
    let mut future = pin!(future);
    poll_fn(|cx| {
        let polled = catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx)));
        let payload = polled.expect_err("it panics");
        let message = payload
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| payload.downcast_ref::<&str>().map(|message| (*message).to_owned()));
        Poll::Ready(message.expect("a message"))
    })
    .await
}

trait Bind {
    fn block_on_bind(&self) -> TcpListener;
}

impl Bind for Runtime {
    fn block_on_bind(&self) -> TcpListener {
        self.block_on(TcpListener::bind("127.0.0.1:0")).unwrap()
    }
}

#[test]
fn c6_outside_a_runtime_there_is_advice() {
    let message = |f: fn()| {
        let payload = catch_unwind(f).unwrap_err();
        payload
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| payload.downcast_ref::<&str>().map(|message| (*message).to_owned()))
            .expect("a message")
    };
    for said in [
        message(|| drop(runtime::spawn(async {}))),
        message(|| drop(runtime::spawn_blocking(|| ()))),
        message(|| drop(sleep(Duration::ZERO))),
        message(|| drop(Handle::current())),
    ] {
        assert!(said.contains("block_on") && said.contains("runtime"), "{said}");
    }
    assert!(Handle::try_current().is_err());
    assert!(UnixStream::pair().is_err());
    assert!(futures::executor::block_on(TcpListener::bind("127.0.0.1:0")).is_err());
}

#[test]
fn c6_misuse_is_told_with_the_place_of_the_call() {
    thread_local! {
        static PLACE: std::cell::Cell<Option<&'static str>> = const { std::cell::Cell::new(None) };
    }
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        PLACE.set(Some(if info.location().is_some_and(|place| place.file() == file!()) {
            "here"
        } else {
            "in the library"
        }));
        before(info);
    }));
    for misuse in [
        || drop(runtime::spawn(async {})),
        || drop(runtime::spawn_blocking(|| ())),
        || drop(sleep(Duration::ZERO)),
        || drop(Handle::current()),
        || drop(runtime::io::duplex(0)),
        || Runtime::new().unwrap().block_on(async { Handle::current().block_on(async {}) }),
    ] as [fn(); 6]
    {
        catch_unwind(misuse).unwrap_err();
        assert_eq!(PLACE.take(), Some("here"));
    }
}

#[test]
fn c6_a_runtime_may_be_dropped_inside_async_code() {
    for outer in runtime_tests::rig::FLAVOURS {
        for inner in runtime_tests::rig::FLAVOURS {
            let _watchdog = watchdog(&format!("{inner:?} in {outer:?}"));
            let outer = outer.build();
            let (dropped, drops) = (Count::new(), 3);
            let make = || {
                let runtime = inner.build();
                let token = dropped.on_drop();
                runtime.spawn(async move {
                    let _token = token;
                    pending::<()>().await
                });
                runtime
            };
            let (one, two, three) = (make(), make(), make());
            // In the root future, in a task, in a blocking job.
            outer.block_on(async move {
                drop(one);
                runtime::spawn(async move { drop(two) }).await.unwrap();
                runtime::spawn_blocking(move || drop(three)).await.unwrap();
                assert_eq!(runtime::spawn(async { 7 }).await.unwrap(), 7);
            });
            wait_until("the tasks are dropped", || dropped.get() == drops);
        }
    }
}

#[test]
fn c6_a_runtime_may_be_dropped_by_one_of_its_own_tasks_or_jobs() {
    for flavour in runtime_tests::rig::FLAVOURS {
        for place in ["root", "task", "job"] {
            let _watchdog = watchdog(&format!("{flavour:?}, {place}"));
            let runtime = flavour.build();
            let handle = runtime.handle().clone();
            let dropped = Count::new();
            let token = dropped.on_drop();
            let waits = runtime.spawn(async move {
                let _token = token;
                pending::<()>().await
            });
            handle.block_on(async {
                match place {
                    "root" => drop(runtime),
                    "task" => {
                        // May be cancelled on its way out, but not before it has dropped it.
                        let _ = runtime::spawn(async move { drop(runtime) }).await;
                    }
                    _ => _ = runtime::spawn_blocking(move || drop(runtime)).await,
                }
                assert!(waits.await.unwrap_err().is_cancelled());
            });
            assert_eq!(dropped.get(), 1);
            assert!(futures::executor::block_on(handle.spawn(async {})).is_err());
        }
    }
}

/// Calls `f` in a destructor of a thread-local that is older than all of the runtime's.
fn at_thread_exit(before: impl FnOnce() + Send + 'static, f: impl FnMut() + Send + 'static) {
    let thread = thread::spawn(move || {
        rig::at_thread_exit(f);
        before();
    });
    thread.join().unwrap();
}

#[test]
fn c6_in_destructors_of_thread_locals_nothing_panics() {
    for flavour in runtime_tests::rig::FLAVOURS {
        let _watchdog = watchdog(&format!("{flavour:?}"));
        // Dropped there, with and without a task, after the thread has used it.
        for use_it in [false, true] {
            let runtime = Arc::new(Mutex::new(Some(flavour.build())));
            let drops = Count::new();
            let token = drops.on_drop();
            runtime.lock().unwrap().as_ref().unwrap().spawn(async move {
                let _token = token;
                pending::<()>().await
            });
            let used = Arc::clone(&runtime);
            at_thread_exit(
                move || {
                    let runtime = used.lock().unwrap();
                    if use_it {
                        runtime.as_ref().unwrap().block_on(sleep_a_little());
                        let job = runtime.as_ref().unwrap().spawn_blocking(|| ());
                        runtime.as_ref().unwrap().block_on(job).unwrap();
                    }
                },
                move || drop(runtime.lock().unwrap().take()),
            );
            assert_eq!(drops.get(), 1);
        }
        // Used there.
        let runtime = flavour.build();
        let (handle, again) = (runtime.handle().clone(), runtime.handle().clone());
        let results = Arc::new(Mutex::new(None));
        let noted = Arc::clone(&results);
        at_thread_exit(
            move || again.block_on(sleep_a_little()),
            move || {
                let guard = handle.enter();
                let inside = Handle::try_current().is_ok();
                drop(guard);
                let task = handle.spawn(async { 7 });
                let job = handle.spawn_blocking(|| 8);
                *noted.lock().unwrap() = Some((inside, task, job));
            },
        );
        let (inside, task, job) = results.lock().unwrap().take().expect("the destructor has run");
        assert!(!inside, "there is no current runtime any more");
        assert_eq!(runtime.block_on(task).unwrap(), 7);
        assert_eq!(runtime.block_on(job).unwrap(), 8);
    }
}

#[test]
fn c6_block_on_in_a_destructor_of_a_thread_local_works_too() {
    for flavour in runtime_tests::rig::FLAVOURS {
        let _watchdog = watchdog(&format!("{flavour:?}"));
        let runtime = flavour.build();
        let (handle, again) = (runtime.handle().clone(), runtime.handle().clone());
        let sum = Count::new();
        let counted = sum.clone();
        at_thread_exit(
            move || again.block_on(sleep_a_little()),
            move || {
                let task = handle.spawn(async {
                    yield_now().await;
                });
                handle.block_on(task).unwrap();
                counted.add();
            },
        );
        assert_eq!(sum.get(), 1);
    }
}

#[test]
fn c6_block_on_inside_async_code_panics_with_advice_and_does_no_harm() {
    each_flavour(|runtime, flavour| {
        let handle = runtime.handle().clone();
        let refused = move || {
            let inner = catch_unwind(AssertUnwindSafe(|| handle.block_on(async {})));
            let payload = inner.expect_err("it would block the thread");
            let message = payload.downcast_ref::<String>().cloned().unwrap_or_else(|| {
                (*payload.downcast_ref::<&str>().expect("a message")).to_owned()
            });
            assert!(message.contains("block_on") && message.contains("await"), "{message}");
        };
        runtime.block_on(async {
            refused();
            runtime::spawn(async move { refused() }).await.unwrap();
            assert_eq!(runtime::spawn(async { 7 }).await.unwrap(), 7);
            sleep(Duration::from_millis(1)).await;
        });
        assert_eq!(runtime.block_on(async { 8 }), 8, "{flavour:?}");
        // A blocking job's thread may.
        let handle = runtime.handle().clone();
        let job = runtime.spawn_blocking(move || handle.block_on(async { 9 }));
        assert_eq!(runtime.block_on(job).unwrap(), 9);
    });
}

#[test]
fn c6_dropping_a_runtime_waits_no_longer_for_a_stuck_job_than_documented() {
    for flavour in [Flavour::CurrentThread, Flavour::MultiThread(2)] {
        let _watchdog = watchdog("");
        let runtime = flavour.build();
        let (release, released) = mpsc::channel::<()>();
        let (began, begun) = mpsc::channel();
        let job = runtime.spawn_blocking(move || {
            began.send(()).unwrap();
            let _ = released.recv_timeout(LIMIT);
            7
        });
        begun.recv_timeout(LIMIT).unwrap();
        let started = Instant::now();
        drop(runtime);
        let waited = started.elapsed();
        assert!(waited >= Duration::from_millis(900), "a second's grace, not {waited:?}");
        assert!(waited < Duration::from_secs(8), "{waited:?}");
        drop(release);
        assert_eq!(futures::executor::block_on(job).unwrap(), 7, "it goes on in the background");
    }
}

//! Contracts 3 to 5: one poll at a time and one drop; wakers; panics.

use super::*;

#[test]
fn c3_no_task_is_polled_on_two_threads_and_every_wake_up_counts() {
    each_flavour(|runtime, _| {
        let tasks: Vec<_> = (0..8)
            .map(|_| {
                let (polling, wakers) = (AtomicBool::new(false), mpsc::channel::<Waker>());
                let told = Arc::new(AtomicUsize::new(0));
                let seen = Arc::clone(&told);
                let (give, take) = wakers;
                let task = runtime.spawn(poll_fn(move |cx| {
                    assert!(!polling.swap(true, Ordering::SeqCst), "two polls at once");
                    let done = seen.load(Ordering::SeqCst) == 500;
                    if !done {
                        let _ = give.send(cx.waker().clone());
                    }
                    polling.store(false, Ordering::SeqCst);
                    if done { Poll::Ready(()) } else { Poll::Pending }
                }));
                (task, take, told)
            })
            .collect();
        let mut joins = Vec::new();
        let mut feeds = Vec::new();
        for (task, take, told) in tasks {
            joins.push(task);
            feeds.push((take, told));
        }
        let wakers = thread::spawn(move || {
            thread::scope(|scope| {
                for (take, told) in feeds {
                    scope.spawn(move || {
                        // Each poll's waker is used for the change after it: a lost one is a hang.
                        while told.load(Ordering::SeqCst) < 500 {
                            let waker = take.recv_timeout(LIMIT).unwrap();
                            told.fetch_add(1, Ordering::SeqCst);
                            waker.wake_by_ref();
                            waker.wake();
                            while take.try_recv().is_ok_and(|spare| {
                                spare.wake();
                                told.load(Ordering::SeqCst) < 500
                            }) {}
                        }
                    });
                }
            });
        });
        runtime.block_on(async {
            for task in joins {
                timeout(LIMIT, task).await.expect("a wake-up was lost").unwrap();
            }
        });
        wakers.join().unwrap();
    });
}

#[test]
fn c3_futures_and_outputs_are_dropped_once_on_a_thread_of_the_runtime() {
    #[derive(Clone, Default)]
    struct Watched(Arc<Mutex<Vec<(thread::ThreadId, bool)>>>);
    impl Watched {
        fn token(&self) -> OnDrop<impl FnMut() + use<>> {
            let seen = Arc::clone(&self.0);
            OnDrop(move || {
                let at = (thread::current().id(), Handle::try_current().is_ok());
                seen.lock().unwrap().push(at);
            })
        }
        fn drops(&self) -> usize {
            self.0.lock().unwrap().len()
        }
    }
    let _watchdog = watchdog("");
    let runtime = Flavour::MultiThread(2).build();
    let watched = Watched::default();
    // Its output, with nobody to take it.
    let output = watched.token();
    let (go, gone) = oneshot::channel::<()>();
    drop(runtime.spawn(async move {
        gone.await.unwrap();
        output
    }));
    go.send(()).unwrap();
    wait_until("the output is dropped", || watched.drops() == 1);
    // A future that is aborted from outside.
    let held = watched.token();
    let aborted = runtime.spawn(async move {
        let _held = held;
        pending::<()>().await
    });
    aborted.abort();
    assert!(futures::executor::block_on(aborted).unwrap_err().is_cancelled());
    assert_eq!(watched.drops(), 2);
    // One that waits when the runtime is dropped, and one whose last waker is dropped outside.
    let (held, stored) = (watched.token(), Arc::new(Mutex::new(None)));
    let kept = Arc::clone(&stored);
    runtime.spawn(async move {
        let _held = held;
        woken_once(|waker| *kept.lock().unwrap() = Some(waker)).await
    });
    wait_until("the task waits", || stored.lock().unwrap().is_some());
    stored.lock().unwrap().take();
    drop(runtime);
    let seen = watched.0.lock().unwrap();
    assert_eq!(seen.len(), 3);
    let here = thread::current().id();
    assert!(seen.iter().all(|(thread, inside)| *thread != here && *inside), "{seen:?}");
}

/// A waker that does to the runtime whatever user code may do, whenever it is touched.
struct Meddler {
    handle: Handle,
    calls: Count,
    others: Mutex<Vec<Waker>>,
}

impl Meddler {
    fn waker(handle: &Handle, calls: &Count) -> Waker {
        let others = Mutex::new(vec![calls.waker()]);
        Waker::from(Arc::new(Self { handle: handle.clone(), calls: calls.clone(), others }))
    }

    fn meddle(&self) {
        self.calls.add();
        let _inside = self.handle.enter();
        let task = self.handle.spawn(async {});
        let mut cx = Context::from_waker(Waker::noop());
        // Each takes what locks there are for tasks, blocking jobs, timers and sockets.
        let mut join = task;
        let _ = pin!(&mut join).poll(&mut cx);
        join.abort();
        drop(self.handle.spawn_blocking(|| ()));
        for after in [1_000, 1] {
            let mut timer = sleep(Duration::from_millis(after));
            let polled = catch_unwind(AssertUnwindSafe(|| pin!(&mut timer).poll(&mut cx)));
            drop(polled); // panics once the runtime is gone
        }
        if let Ok((one, mut other)) = UnixStream::pair() {
            let _ = pin!(other.read(&mut [0])).poll(&mut cx);
            drop(one);
        }
        let others = std::mem::take(&mut *self.others.lock().unwrap());
        others.into_iter().for_each(Waker::wake);
    }
}

impl Wake for Meddler {
    fn wake(self: Arc<Self>) {
        self.meddle();
    }
    fn wake_by_ref(self: &Arc<Self>) {
        self.meddle();
    }
}

impl Drop for Meddler {
    fn drop(&mut self) {
        self.meddle();
    }
}

#[test]
fn c4_wakers_are_called_and_dropped_with_no_lock_held() {
    each_flavour(|runtime, flavour| {
        let calls = Count::new();
        let meddler = || Meddler::waker(runtime.handle(), &calls);
        let _inside = runtime.enter();
        let poll = |future: std::pin::Pin<&mut dyn Future<Output = ()>>| {
            let waker = meddler();
            future.poll(&mut Context::from_waker(&waker)).is_pending()
        };
        // A timer: replaced, then dropped; replaced, then fired.
        let mut dropped = Box::pin(sleep(LIMIT));
        assert!(poll(dropped.as_mut()) && poll(dropped.as_mut()));
        drop(dropped);
        let mut fired = Box::pin(sleep(Duration::from_millis(2)));
        assert!(poll(fired.as_mut()) && poll(fired.as_mut()));
        // A socket: both directions, replaced, then made ready; the other dropped.
        let (mut ours, mut theirs) = UnixStream::pair().unwrap();
        let (mut byte, mut other_byte) = ([0], [0]);
        let mut read = Box::pin(async { _ = ours.read(&mut byte).await });
        assert!(poll(read.as_mut()) && poll(read.as_mut()));
        let mut other = Box::pin(async { _ = theirs.read(&mut other_byte).await });
        assert!(poll(other.as_mut()) && poll(other.as_mut()));
        drop(other);
        // A shared waiter's list.
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let mut accepts: Vec<_> =
            (0..3).map(|_| Box::pin(async { _ = listener.accept().await })).collect();
        for accept in &mut accepts {
            assert!(poll(accept.as_mut()) && poll(accept.as_mut()));
        }
        accepts.pop();
        // A joiner: replaced, then woken; another dropped; a blocking job's.
        let (finish, finished) = oneshot::channel::<()>();
        let mut task = runtime.spawn(async move { _ = finished.await });
        let mut join = Box::pin(async { _ = (&mut task).await });
        assert!(poll(join.as_mut()) && poll(join.as_mut()));
        let mut other_task = runtime.spawn(pending::<()>());
        let mut other_join = Box::pin(async { _ = (&mut other_task).await });
        assert!(poll(other_join.as_mut()) && poll(other_join.as_mut()));
        drop(other_join);
        drop(other_task);
        let (release, released) = mpsc::channel::<()>();
        let mut job = runtime.spawn_blocking(move || _ = released.recv_timeout(LIMIT));
        let mut joined = Box::pin(async { _ = (&mut job).await });
        assert!(poll(joined.as_mut()) && poll(joined.as_mut()));

        let before = calls.get();
        runtime.block_on(async {
            theirs.write_all(&[1]).await.unwrap();
            finish.send(()).unwrap();
            release.send(()).unwrap();
            let address = listener.local_addr().unwrap();
            let _client = runtime::net::TcpStream::connect(address).await.unwrap();
            sleep(Duration::from_millis(10)).await;
            while calls.get() < before + 5 {
                sleep(Duration::from_millis(1)).await;
            }
        });
        assert!(calls.get() > before, "{flavour:?}");
    });
}

#[test]
fn c4_wakers_that_a_shutdown_wakes_may_do_as_they_like() {
    for flavour in runtime_tests::rig::FLAVOURS {
        let _watchdog = watchdog("");
        let runtime = flavour.build();
        let calls = Count::new();
        let waker = Meddler::waker(runtime.handle(), &calls);
        let mut cx = Context::from_waker(&waker);
        let inside = runtime.enter();
        let mut timer = Box::pin(sleep(LIMIT));
        assert!(timer.as_mut().poll(&mut cx).is_pending());
        let (mut ours, _theirs) = UnixStream::pair().unwrap();
        let mut byte = [0];
        let mut read = Box::pin(ours.read(&mut byte));
        assert!(read.as_mut().poll(&mut cx).is_pending());
        let mut task = runtime.spawn(pending::<()>());
        assert!(pin!(&mut task).poll(&mut cx).is_pending());
        drop(inside);
        drop(runtime);
        assert!(calls.get() >= 3, "{flavour:?}: timer, socket and joiner are woken");
        let read = read.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert!(matches!(read, Poll::Ready(Err(_))), "{read:?}");
        let joined = pin!(&mut task).poll(&mut Context::from_waker(Waker::noop()));
        assert!(matches!(joined, Poll::Ready(Err(_))), "{joined:?}");
    }
}

struct PanicsOnDrop(&'static str);

impl Drop for PanicsOnDrop {
    fn drop(&mut self) {
        if !thread::panicking() {
            panic_any(self.0);
        }
    }
}

/// A waker that panics when it is called and when it is dropped.
struct Mine(Count);

impl Wake for Mine {
    fn wake(self: Arc<Self>) {
        self.0.add();
        panic!("a waker panics");
    }
}

impl Drop for Mine {
    fn drop(&mut self) {
        if !thread::panicking() {
            panic!("a waker's destructor panics");
        }
    }
}

fn payload(error: runtime::task::JoinError) -> &'static str {
    *error.into_panic().downcast().expect("a &str")
}

#[test]
fn c5_a_panic_stays_in_its_task_wherever_it_comes_from() {
    each_flavour(|runtime, flavour| {
        let handle = runtime.handle();
        runtime.block_on(async {
            // In a poll; the payload is the first one although the future's destructor panics too.
            let poll = handle.spawn(async {
                let _also = OnDrop(|| ());
                panic_any("poll");
            });
            assert_eq!(payload(poll.await.unwrap_err()), "poll");
            // In the destructor of a future that is cancelled.
            let bomb = PanicsOnDrop("future");
            let future = handle.spawn(async move {
                let _bomb = bomb;
                pending::<()>().await
            });
            yield_now().await;
            future.abort();
            assert_eq!(payload(future.await.unwrap_err()), "future");
            // In the destructor of an output that nobody takes, before and after it is there.
            drop(handle.spawn(async { PanicsOnDrop("output") }));
            let output = handle.spawn(async { PanicsOnDrop("output") });
            while !output.is_finished() {
                yield_now().await;
            }
            drop(output);
            // In the destructor of a payload.
            drop(handle.spawn(async { panic_any(PanicsOnDrop("payload")) }));
            let dropped = handle.spawn(async { panic_any(PanicsOnDrop("payload")) });
            drop(dropped.await);
        });
        let after = runtime.spawn(async {
            let mut spent = 0;
            yield_now().await;
            while runtime::task::coop::has_budget_remaining() {
                runtime::task::coop::consume_budget().await;
                spent += 1;
            }
            (spent, Handle::try_current().is_ok(), thread::panicking())
        });
        let (spent, inside, panicking) = runtime.block_on(after).unwrap();
        assert!(spent > 64 && inside && !panicking, "{flavour:?}: {spent} units, {inside}");
    });
}

#[test]
fn c5_a_waker_that_panics_harms_nobody() {
    each_flavour(|runtime, flavour| {
        let calls = Count::new();
        let _inside = runtime.enter();
        let with_bad_waker = |future: std::pin::Pin<&mut dyn Future<Output = ()>>| {
            let waker = Waker::from(Arc::new(Mine(calls.clone())));
            assert!(future.poll(&mut Context::from_waker(&waker)).is_pending());
            std::mem::forget(waker); // its destructor is not to panic here
        };
        let (finish, finished) = oneshot::channel::<()>();
        let mut task = runtime.spawn(async move { _ = finished.await });
        let mut join = Box::pin(async { _ = (&mut task).await });
        with_bad_waker(join.as_mut());
        let mut timer = Box::pin(sleep(Duration::from_millis(2)));
        with_bad_waker(timer.as_mut());
        let (mut ours, mut theirs) = UnixStream::pair().unwrap();
        let mut byte = [0];
        let mut read = Box::pin(async { _ = ours.read(&mut byte).await });
        with_bad_waker(read.as_mut());
        runtime.block_on(async {
            finish.send(()).unwrap();
            theirs.write_all(&[1]).await.unwrap();
            while calls.get() < 3 {
                sleep(Duration::from_millis(1)).await;
            }
            join.await;
            timer.await;
            read.await;
        });
        assert_eq!(calls.get(), 3, "{flavour:?}");
        assert_eq!(runtime.block_on(runtime.spawn(async { 7 })).unwrap(), 7);
    });
}

#[test]
fn c5_hooks_that_panic_cost_no_thread() {
    let _watchdog = watchdog("");
    let boom = || panic!("a hook panics");
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .on_thread_start(boom)
        .on_thread_stop(boom)
        .on_thread_park(boom)
        .on_thread_unpark(boom)
        .build()
        .unwrap();
    for _ in 0..10 {
        runtime.block_on(runtime.spawn(sleep_a_little())).unwrap();
        runtime.block_on(runtime.spawn_blocking(|| ())).unwrap();
    }
}

#[test]
fn c5_a_blocking_job_that_panics_leaves_its_thread_as_it_was() {
    each_flavour(|runtime, _| {
        runtime.block_on(async {
            let error = runtime::spawn_blocking(|| panic_any("job")).await.unwrap_err();
            assert_eq!(payload(error), "job");
            drop(runtime::spawn_blocking(|| PanicsOnDrop("output")));
            drop(runtime::spawn_blocking(|| panic_any(PanicsOnDrop("payload"))));
            assert_eq!(runtime::spawn_blocking(|| 7).await.unwrap(), 7);
        });
    });
}

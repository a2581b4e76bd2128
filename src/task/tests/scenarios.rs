//! What bit others, by the ids of the project's list of scenarios.

use super::*;

/// 10^5 rounds; the value is dropped once, and the result is the value or "cancelled".
#[test]
fn b03_abort_racing_completion() {
    let queue = Queue::new();
    let (drops, dropped) = Drops::new();
    let mut values = 0;
    for _ in 0..1000 {
        let handles: Vec<_> = (0..100)
            .map(|_| {
                let drops = drops.clone();
                queue.spawn(async move {
                    yield_now().await;
                    drops
                })
            })
            .collect();
        let aborts: Vec<_> = handles.iter().map(JoinHandle::abort_handle).collect();
        thread::scope(|scope| {
            scope.spawn(move || aborts.iter().for_each(AbortHandle::abort));
            queue.run();
        });
        queue.run();
        for handle in handles {
            match ready(handle) {
                Ok(_value) => values += 1,
                Err(error) => assert!(error.is_cancelled()),
            }
        }
    }
    assert!(values <= 100_000);
    assert_eq!(dropped.load(SeqCst), 100_000);
}

#[test]
fn b06_panicking_destructors_are_contained() {
    let _no_leak = NoLeak::new();
    let queue = Queue::new();
    // The future's, on abort.
    let bomb = DropBomb("future");
    let handle = queue.spawn(async move {
        pending::<()>().await;
        drop(bomb);
    });
    queue.run();
    handle.abort();
    queue.run();
    assert_eq!(message(ready(handle).unwrap_err()), "future");
    // The future's, after it was done, and then its output's.
    struct Done(DropBomb);
    impl Future for Done {
        type Output = DropBomb;
        fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<DropBomb> {
            let _ = &self.0;
            Poll::Ready(DropBomb("output"))
        }
    }
    let handle = queue.spawn(Done(DropBomb("future")));
    queue.run();
    assert_eq!(ready(handle).err().map(message), Some("future"));
    // `poll` panics first, then the future's.
    let bomb = DropBomb("future");
    let handle = queue.spawn(poll_fn(move |_| -> Poll<()> {
        let _bomb = &bomb;
        panic_any("poll")
    }));
    queue.run();
    assert_eq!(message(ready(handle).unwrap_err()), "poll");
    // The output's, when the handle is dropped: before, and after the task is done.
    drop(queue.spawn(async { DropBomb("output") }));
    queue.run();
    let handle = queue.spawn(async { DropBomb("output") });
    queue.run();
    drop(handle);
    // The queue goes on.
    let handle = queue.spawn(value(1));
    queue.run();
    assert_eq!(ready(handle).unwrap(), 1);
}

#[test]
#[should_panic(expected = "`JoinHandle` polled after it gave its result")]
fn b08_a_handle_polled_after_its_result_panics() {
    let queue = Queue::new();
    let mut handle = queue.spawn(value(1));
    queue.run();
    assert!(poll(&mut handle).is_ready());
    assert!(handle.is_finished());
    let _ = (handle.id(), handle.abort_handle());
    let _ = poll(&mut handle);
}

/// The handle in its own task, in two ways: it is no leak once the runtime has shut down.
#[test]
fn b12_a_task_that_holds_its_own_handle() {
    let _no_leak = NoLeak::new();
    let queue = Queue::new();
    let own = Arc::new(Mutex::new(None));
    let (drops, dropped) = Drops::new();
    let slot = own.clone();
    let handle = queue.spawn(async move {
        let _drops = drops;
        let mine: JoinHandle<()> = slot.lock().unwrap().take().unwrap();
        let _ = mine.await;
    });
    *own.lock().unwrap() = Some(handle);
    queue.run();
    assert_eq!(dropped.load(SeqCst), 0);
    queue.shutdown();
    assert_eq!(dropped.load(SeqCst), 1);
}

#[test]
fn b13_panicking_tasks_leave_nothing_behind() {
    let _no_leak = NoLeak::new();
    let queue = Queue::new();
    let before = crate::contain::caught::panics();
    let handles: Vec<_> = (0..1_000)
        .map(|i| {
            queue.spawn(async move {
                if i % 2 == 0 {
                    yield_now().await;
                }
                panic_any("on purpose");
            })
        })
        .collect();
    queue.run();
    for handle in handles {
        let error = ready(handle).unwrap_err();
        assert!(error.is_panic());
        assert_eq!(message(error), "on purpose");
    }
    assert_eq!(crate::contain::caught::panics() - before, 1_000);
    assert_eq!(try_id(), None);
    assert!(queue.owned.is_empty());
}

/// Whoever drops the payload: the runtime, the handle, or the owner of the error.
#[test]
fn b14_a_payload_whose_destructor_panics() {
    struct Twice;
    impl Drop for Twice {
        fn drop(&mut self) {
            panic_any(DropBomb("second payload"));
        }
    }
    let _no_leak = NoLeak::new();
    let queue = Queue::new();
    drop(queue.spawn(async { panic_any(Twice) }));
    queue.run();
    let handle = queue.spawn(async { panic_any(Twice) });
    queue.run();
    drop(handle);
    let handle = queue.spawn(async { panic_any(DropBomb("payload")) });
    queue.run();
    drop(ready(handle).unwrap_err());
    let handle = queue.spawn(value(1));
    queue.run();
    assert_eq!(ready(handle).unwrap(), 1);
}

#[test]
fn b17_futures_of_any_size_and_alignment_stay_where_they_are() {
    fn check<T: Send + Unpin + 'static>(queue: &Arc<Queue>, align: usize) {
        struct Fixed<T>(T, Option<usize>, usize);
        impl<T: Unpin> Future for Fixed<T> {
            type Output = usize;
            fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<usize> {
                let address = &raw const self.0 as usize;
                assert_eq!(*self.1.get_or_insert(address), address, "moved");
                self.2 += 1;
                if self.2 == 10 {
                    return Poll::Ready(address);
                }
                cx.waker().wake_by_ref();
                Poll::Pending
            }
        }
        // SAFETY: every `T` here is made of bytes.
        #[allow(unsafe_code)]
        let zeroed = unsafe { std::mem::zeroed::<T>() };
        let handle = queue.spawn(Fixed(zeroed, None, 0));
        queue.run();
        assert_eq!(ready(handle).unwrap() % align, 0);
    }
    #[repr(align(128))]
    struct A128(#[expect(dead_code)] u8);
    #[repr(align(4096))]
    struct A4096(#[expect(dead_code)] u8);
    let _no_leak = NoLeak::new();
    let queue = Queue::new();
    check::<()>(&queue, 1);
    check::<A128>(&queue, 128);
    check::<A4096>(&queue, 4096);
    // Without optimizations every function on the way has a copy of the future on its stack.
    let deep = thread::Builder::new().stack_size(64 << 20);
    let large = deep.spawn(|| check::<[u8; 1 << 20]>(&Queue::new(), 1));
    large.unwrap().join().unwrap();
    // And outputs that are larger, or more aligned, than their futures.
    let handle = queue.spawn(async { A4096(7) });
    queue.run();
    let output = Box::new(ready(handle).unwrap());
    assert_eq!(&raw const *output as usize % 4096, 0);
}

#[test]
fn b18_a_detached_task_finishes_and_its_output_is_dropped_in_its_name() {
    struct Output(Arc<Mutex<Vec<Option<Id>>>>);
    impl Drop for Output {
        fn drop(&mut self) {
            self.0.lock().unwrap().push(try_id());
        }
    }
    let _no_leak = NoLeak::new();
    let queue = Queue::new();
    let dropped_by = Arc::new(Mutex::new(Vec::new()));
    let output = Output(dropped_by.clone());
    let handle = queue.spawn(async move {
        yield_now().await;
        output
    });
    let id = handle.id();
    drop(handle);
    queue.run();
    assert_eq!(*dropped_by.lock().unwrap(), [Some(id)]);
}

#[test]
fn b19_a_panicking_task_wakes_or_forgets_another() {
    struct WakeOnDrop(Waker);
    impl Drop for WakeOnDrop {
        fn drop(&mut self) {
            self.0.wake_by_ref();
        }
    }
    let _no_leak = NoLeak::new();
    let queue = Queue::new();
    let gates = [Gate::default(), Gate::default()];
    let others = gates.each_ref().map(|gate| queue.spawn(gate.wait()));
    queue.run();
    let (woken, forgotten) = (gates[0].waker(), gates[1].waker());
    gates[0].0.lock().unwrap().0 = true;
    let handle = queue.spawn(async move {
        let _woken = WakeOnDrop(woken);
        let _forgotten = forgotten;
        panic_any("on purpose");
    });
    queue.run();
    assert!(ready(handle).unwrap_err().is_panic());
    let [woken, mut forgotten] = others;
    assert!(ready(woken).is_ok());
    assert!(poll(&mut forgotten).is_pending());
    queue.shutdown();
    assert!(ready(forgotten).unwrap_err().is_cancelled());
}

/// Two threads take turns in polling one self-referential future.
#[test]
fn b20_a_future_that_moves_between_threads_does_not_move() {
    let queue = Queue::new();
    let handle = queue.spawn(async {
        let marker = [7_u8; 16];
        let (address, borrowed) = (marker.as_ptr() as usize, &marker);
        for _ in 0..100_000 {
            yield_now().await;
            assert_eq!(borrowed.as_ptr() as usize, address);
        }
    });
    thread::scope(|scope| {
        for _ in 0..2 {
            let (queue, handle) = (&queue, &handle);
            scope.spawn(move || {
                while !handle.is_finished() {
                    queue.step();
                }
            });
        }
    });
    ready(handle).unwrap();
}

#[test]
fn a12_wakers_kept_after_completion_do_nothing() {
    let queue = Queue::new();
    let gate = Gate::default();
    let (drops, dropped) = Drops::new();
    let wait = gate.wait();
    let handle = queue.spawn(async move {
        wait.await;
        drops
    });
    queue.run();
    let waker = gate.waker();
    gate.0.lock().unwrap().0 = true;
    waker.wake_by_ref();
    queue.run();
    drop(ready(handle).unwrap());
    thread::scope(|scope| {
        for _ in 0..4 {
            let waker = waker.clone();
            scope.spawn(move || {
                for _ in 0..1000 {
                    waker.wake_by_ref();
                    let by_value = waker.clone();
                    by_value.wake();
                }
                waker.wake();
            });
        }
    });
    waker.wake();
    assert_eq!(queue.scheduled.load(SeqCst), 1);
    assert!(!queue.step());
    assert_eq!(dropped.load(SeqCst), 1);
}

/// Kept until shutdown, as the page of the module says.
#[test]
fn a13_the_last_waker_of_a_detached_task_is_dropped() {
    let _no_leak = NoLeak::new();
    let queue = Queue::new();
    let (drops, dropped) = Drops::new();
    drop(queue.spawn(async move {
        let _drops = drops;
        pending::<()>().await;
    }));
    queue.run();
    assert_eq!(dropped.load(SeqCst), 0);
    queue.shutdown();
    assert_eq!(dropped.load(SeqCst), 1);
}

/// The poll needs no stack for the future; the spawn, which without optimizations does, has enough.
#[test]
fn a17_a_future_larger_than_the_stack_of_its_worker() {
    let queue = Queue::new();
    let deep = thread::Builder::new().stack_size(64 << 20);
    let spawning = queue.clone();
    let handle = deep.spawn(move || {
        spawning.spawn(async {
            let large = [7_u8; 4 << 20];
            yield_now().await;
            large[large.len() / 2]
        })
    });
    let handle = handle.unwrap().join().unwrap();
    let small = thread::Builder::new().stack_size(2 << 20);
    small.spawn(move || queue.run()).unwrap().join().unwrap();
    assert_eq!(ready(handle).unwrap(), 7);
}

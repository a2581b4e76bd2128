//! Scenarios B of the list of what bit others: tasks, handles and wakers.
//!
//! Not here: those that look into the cell (in the unit tests of the task module) have their
//! counterpart here only where a real runtime adds something.

use std::cell::Cell;
use std::future::{Future, pending, poll_fn};
use std::marker::PhantomPinned;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll, Waker};
use std::thread;

use futures::channel::oneshot;
use runtime::Handle;
use runtime::task::{JoinHandle, yield_now};
use runtime_tests::rig::{
    Count, FLAVOURS, Flavour, LIMIT, OnDrop, alone, each_flavour, on_each_flavour, status,
    wait_until, watchdog, watchdog_for,
};

#[test]
fn b02_an_abort_while_the_task_is_polled_waits_for_the_end_of_that_poll() {
    let _watchdog = watchdog("");
    for workers in [1, 2] {
        let runtime = Flavour::MultiThread(workers).build();
        for _ in 0..20 {
            let (began, begun) = mpsc::channel();
            let (release, released) = mpsc::channel::<()>();
            let (where_, dropped_at) = mpsc::channel();
            let polling = Arc::new(AtomicBool::new(false));
            let inside = Arc::clone(&polling);
            let token = OnDrop(move || {
                let name = thread::current().name().map(str::to_owned);
                where_.send((name, inside.load(Ordering::SeqCst))).unwrap();
            });
            let task = runtime.spawn(async move {
                let _token = token;
                polling.store(true, Ordering::SeqCst);
                began.send(()).unwrap();
                released.recv_timeout(LIMIT).unwrap();
                polling.store(false, Ordering::SeqCst);
                pending::<()>().await
            });
            begun.recv_timeout(LIMIT).unwrap();
            task.abort();
            assert!(!task.is_finished() && dropped_at.try_recv().is_err());
            release.send(()).unwrap();
            let (name, inside) = dropped_at.recv_timeout(LIMIT).unwrap();
            assert_eq!((name.as_deref(), inside), (Some("runtime-worker"), false));
            assert!(futures::executor::block_on(task).unwrap_err().is_cancelled());
        }
    }
}

#[test]
fn b03_an_abort_that_races_completion_gives_the_value_or_says_cancelled() {
    for flavour in FLAVOURS {
        let _watchdog = watchdog_for(&format!("{flavour:?}"), 3 * LIMIT);
        const ROUNDS: usize = 5_000;
        let runtime = flavour.build();
        let (aborts, to_abort) = mpsc::channel::<runtime::task::AbortHandle>();
        let aborter = thread::spawn(move || to_abort.iter().for_each(|task| task.abort()));
        let (drops, mut values) = (Count::new(), 0);
        runtime.block_on(async {
            for round in 0..ROUNDS {
                let value = drops.on_drop();
                let task = runtime::spawn(async move {
                    for _ in 0..round % 4 {
                        yield_now().await;
                    }
                    value
                });
                aborts.send(task.abort_handle()).unwrap();
                match task.await {
                    Ok(value) => {
                        values += 1;
                        drop(value);
                    }
                    Err(error) => assert!(error.is_cancelled()),
                }
                assert_eq!(drops.get(), round + 1);
            }
        });
        drop(aborts);
        aborter.join().unwrap();
        assert!(values <= ROUNDS);
    }
}

#[test]
fn b04_abort_from_a_thread_without_context_and_after_the_runtime_is_gone() {
    each_flavour(|runtime, _| {
        let task = runtime.spawn(pending::<()>());
        let abort = task.abort_handle();
        thread::spawn(move || abort.abort()).join().unwrap();
        assert!(runtime.block_on(task).unwrap_err().is_cancelled());
    });
    for flavour in FLAVOURS {
        let _watchdog = watchdog("");
        let runtime = flavour.build();
        let (waits, done) = (runtime.spawn(pending::<()>()), runtime.spawn(async { 7 }));
        runtime.block_on(async {
            while !done.is_finished() {
                yield_now().await;
            }
        });
        drop(runtime);
        waits.abort();
        done.abort();
        let (one, two) = (waits.abort_handle(), waits.abort_handle());
        one.abort();
        assert!(futures::executor::block_on(waits).unwrap_err().is_cancelled());
        two.abort();
        assert!(two.is_finished());
        assert_eq!(futures::executor::block_on(done).unwrap(), 7);
    }
}

#[test]
fn b05_an_abort_before_the_first_poll_runs_the_destructor_in_context() {
    each_flavour(|runtime, flavour| {
        let in_context = Arc::new(Mutex::new(None));
        let polled = Arc::new(AtomicBool::new(false));
        runtime.block_on(async {
            let (noted, seen) = (Arc::clone(&in_context), Arc::clone(&polled));
            let token = OnDrop(move || {
                Handle::current().spawn(async {});
                *noted.lock().unwrap() = runtime::task::try_id();
            });
            let task = runtime::spawn(async move {
                let _token = token;
                seen.store(true, Ordering::SeqCst);
            });
            task.abort();
            let id = task.id();
            match task.await {
                Err(error) => assert!(error.is_cancelled()),
                Ok(()) => assert_ne!(flavour, Flavour::CurrentThread, "another worker was faster"),
            }
            assert_eq!(*in_context.lock().unwrap(), Some(id));
        });
        assert!(flavour != Flavour::CurrentThread || !polled.load(Ordering::SeqCst));
    });
}

#[test]
fn b06_destructors_that_panic_cost_no_worker() {
    struct Bomb(Count);
    impl Drop for Bomb {
        fn drop(&mut self) {
            self.0.add();
            panic!("a destructor panics");
        }
    }
    each_flavour(|runtime, _| {
        let drops = Count::new();
        for _ in 0..10 {
            let bomb = Bomb(drops.clone());
            let aborted = runtime.spawn(async move {
                let _bomb = bomb;
                pending::<()>().await
            });
            let bomb = Bomb(drops.clone());
            drop(runtime.spawn(async move { bomb }));
            runtime.block_on(async {
                yield_now().await;
                aborted.abort();
                assert!(aborted.await.unwrap_err().is_panic());
            });
        }
        runtime.block_on(async {
            while drops.get() < 20 {
                yield_now().await;
            }
        });
        assert_eq!(drops.get(), 20);
    });
    // And where only the shutdown drops it.
    for flavour in FLAVOURS {
        let _watchdog = watchdog("");
        let drops = Count::new();
        let runtime = flavour.build();
        for _ in 0..10 {
            let bomb = Bomb(drops.clone());
            runtime.spawn(async move {
                let _bomb = bomb;
                pending::<()>().await
            });
        }
        drop(runtime);
        assert_eq!(drops.get(), 10);
    }
}

#[test]
fn b08_a_handle_polled_after_its_result_panics_with_a_sentence() {
    on_each_flavour(|| async {
        let mut task = runtime::spawn(async { 7 });
        assert_eq!((&mut task).await.unwrap(), 7);
        let again = poll_fn(|cx| {
            Poll::Ready(catch_unwind(AssertUnwindSafe(|| _ = Pin::new(&mut task).poll(cx))))
        });
        let payload = again.await.unwrap_err();
        let message = payload.downcast_ref::<&str>().expect("a message");
        assert!(message.contains("JoinHandle"), "{message}");
    });
}

#[test]
fn b12_tasks_in_circles_are_not_leaked() {
    for flavour in FLAVOURS {
        let _watchdog = watchdog("");
        let drops = Count::new();
        let runtime = flavour.build();
        // A task that holds its own handle, one that holds its runtime's handle, and two that hold
        // each other's.
        let (give, take) = oneshot::channel::<JoinHandle<()>>();
        let token = drops.on_drop();
        let own = runtime.spawn(async move {
            let _token = token;
            let _own = take.await.unwrap();
            pending::<()>().await
        });
        give.send(own).unwrap();
        let (token, handle) = (drops.on_drop(), runtime.handle().clone());
        runtime.spawn(async move {
            let _held = (token, handle);
            pending::<()>().await
        });
        let others: [_; 2] = [oneshot::channel(), oneshot::channel()];
        let (gives, takes): (Vec<_>, Vec<_>) = others.into_iter().unzip();
        let tasks: Vec<JoinHandle<()>> = takes
            .into_iter()
            .map(|take: oneshot::Receiver<JoinHandle<()>>| {
                let token = drops.on_drop();
                runtime.spawn(async move {
                    let _token = token;
                    let other = take.await.unwrap();
                    let _ = other.await;
                })
            })
            .collect();
        for (give, task) in gives.into_iter().rev().zip(tasks) {
            give.send(task).unwrap();
        }
        runtime.block_on(yield_now());
        drop(runtime);
        assert_eq!(drops.get(), 4, "{flavour:?}");
    }
}

#[test]
fn b12_a_task_that_holds_its_runtime_keeps_it_until_it_is_done() {
    let _watchdog = watchdog("");
    let drops = Count::new();
    let runtime = Arc::new(Flavour::MultiThread(2).build());
    let token = drops.on_drop();
    runtime.spawn(async move {
        let _token = token;
        pending::<()>().await
    });
    let (finish, finished) = oneshot::channel::<()>();
    let held = Arc::clone(&runtime);
    let task = runtime.spawn(async move {
        finished.await.unwrap();
        drop(held);
    });
    drop(runtime);
    assert_eq!(drops.get(), 0);
    finish.send(()).unwrap();
    wait_until("the runtime is gone", || drops.get() == 1);
    let _ = futures::executor::block_on(task);
}

#[test]
fn b13_thousands_of_panicking_tasks_leave_the_workers_as_they_were() {
    alone("scenarios_b::b13_thousands_of_panicking_tasks_leave_the_workers_as_they_were", || {
        let _watchdog = watchdog_for("", 3 * LIMIT);
        std::panic::set_hook(Box::new(|_| {})); // ten thousand messages would be too many
        for flavour in FLAVOURS {
            let runtime = flavour.build();
            runtime.block_on(runtime.spawn(yield_now())).unwrap();
            let before = status("Threads");
            runtime.block_on(async {
                for round in 0..2_500 {
                    let task = runtime::spawn(async move {
                        for _ in 0..round % 150 {
                            runtime::task::coop::consume_budget().await;
                        }
                        panic!("on purpose");
                    });
                    assert!(task.await.unwrap_err().is_panic());
                    if round % 250 == 0 {
                        let next = runtime::spawn(async {
                            yield_now().await;
                            let mut units = 0;
                            while runtime::task::coop::has_budget_remaining() {
                                runtime::task::coop::consume_budget().await;
                                units += 1;
                            }
                            (units, Handle::try_current().is_ok())
                        });
                        assert_eq!(next.await.unwrap(), (128, true), "{flavour:?}");
                    }
                }
            });
            assert_eq!(status("Threads"), before, "{flavour:?}");
        }
    });
}

#[test]
fn b14_a_payload_whose_destructor_panics() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("a payload's destructor panics");
        }
    }
    each_flavour(|runtime, _| {
        drop(runtime.spawn(async { std::panic::panic_any(Bomb) }));
        let held = runtime.spawn(async { std::panic::panic_any(Bomb) });
        let error = runtime.block_on(held).unwrap_err();
        assert!(error.is_panic());
        drop(error); // contained, and documented so
        assert_eq!(runtime.block_on(runtime.spawn(async { 7 })).unwrap(), 7);
    });
}

#[test]
fn b15_memory_does_not_grow_with_the_number_of_tasks_that_were() {
    alone("scenarios_b::b15_memory_does_not_grow_with_the_number_of_tasks_that_were", || {
        let _watchdog = watchdog_for("", 6 * LIMIT);
        for flavour in [Flavour::CurrentThread, Flavour::MultiThread(2)] {
            let runtime = flavour.build();
            let round = || {
                runtime.block_on(async {
                    for _ in 0..1_000 {
                        let tasks: Vec<_> = (0..50).map(|_| runtime::spawn(yield_now())).collect();
                        for task in tasks {
                            task.await.unwrap();
                        }
                    }
                });
            };
            round();
            let warm = status("VmRSS");
            for _ in 0..4 {
                round();
            }
            let grown = status("VmRSS").saturating_sub(warm);
            // The allocator has moods of half a MiB; the smallest block leaked for each is 6 MiB.
            assert!(grown < 4 * 1024, "{flavour:?}: {grown} KiB for 200,000 tasks");
        }
    });
}

#[test]
fn b16_a_spawn_from_a_destructor_during_shutdown_resolves_as_cancelled() {
    for flavour in FLAVOURS {
        let _watchdog = watchdog("");
        let runtime = flavour.build();
        let (give, take) = mpsc::channel();
        for _ in 0..10 {
            let give = give.clone();
            let token = OnDrop(move || {
                let task = runtime::spawn(async { 7 });
                let job = runtime::spawn_blocking(|| 8);
                give.send((task, job)).unwrap();
            });
            runtime.spawn(async move {
                let _token = token;
                pending::<()>().await
            });
        }
        drop((runtime, give));
        let mut refused = 0;
        for (task, job) in take {
            assert!(futures::executor::block_on(task).unwrap_err().is_cancelled());
            assert!(futures::executor::block_on(job).unwrap_err().is_cancelled());
            refused += 1;
        }
        assert_eq!(refused, 10, "{flavour:?}");
    }
}

/// Says where it is in memory at each poll, for `polls` polls.
struct Located<T> {
    _value: T,
    polls: Cell<usize>,
    seen: Cell<Option<usize>>,
    _pinned: PhantomPinned,
}

impl<T> Located<T> {
    fn new(value: T, polls: usize) -> Self {
        Self {
            _value: value,
            polls: Cell::new(polls),
            seen: Cell::default(),
            _pinned: PhantomPinned,
        }
    }
}

impl<T> Future for Located<T> {
    type Output = usize;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<usize> {
        let here = std::ptr::from_ref(&*self).addr();
        assert_eq!(*self.seen.get().get_or_insert(here), here, "it has moved");
        self.seen.set(Some(here));
        let left = self.polls.get();
        if left == 0 {
            return Poll::Ready(here);
        }
        self.polls.set(left - 1);
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

#[test]
fn b17_futures_of_all_sizes_and_alignments_are_aligned_and_stay_where_they_are() {
    #[repr(align(128))]
    struct Align128(#[allow(dead_code)] u8);
    #[repr(align(4096))]
    struct Align4096(#[allow(dead_code)] u8);
    on_each_flavour(|| async {
        runtime::spawn(Located::new((), 10)).await.unwrap();
        assert_eq!(runtime::spawn(Located::new(Align128(0), 10)).await.unwrap() % 128, 0);
        assert_eq!(runtime::spawn(Located::new(Align4096(0), 10)).await.unwrap() % 4096, 0);
        let large = Box::new([0_u8; 64 << 10]);
        runtime::spawn(Located::new(*large, 10)).await.unwrap();
        // And outputs.
        let output = runtime::spawn(async { Align4096(7) }).await.unwrap();
        assert_eq!(std::ptr::from_ref(&output).addr() % 4096, 0);
    });
}

#[test]
fn b18_a_detached_task_finishes_and_its_output_is_dropped_on_the_runtime() {
    each_flavour(|runtime, _| {
        let inside = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&inside);
        let output = OnDrop(move || noted.lock().unwrap().push(Handle::try_current().is_ok()));
        let (go, gone) = oneshot::channel();
        drop(runtime.spawn(async move {
            gone.await.unwrap();
            output
        }));
        go.send(()).unwrap(); // not before the handle is gone, which would else drop the output
        runtime.block_on(async {
            while inside.lock().unwrap().is_empty() {
                yield_now().await;
            }
        });
        assert_eq!(*inside.lock().unwrap(), [true]);
    });
}

#[test]
fn b19_a_task_that_panics_with_the_only_waker_of_another() {
    each_flavour(|runtime, _| {
        let stored = Arc::new(Mutex::new(None::<Waker>));
        let wait = || {
            let stored = Arc::clone(&stored);
            let mut polled = false;
            runtime.spawn(poll_fn(move |cx| {
                if std::mem::replace(&mut polled, true) {
                    return Poll::Ready(());
                }
                *stored.lock().unwrap() = Some(cx.waker().clone());
                Poll::Pending
            }))
        };
        let take = || async {
            loop {
                if let Some(waker) = stored.lock().unwrap().take() {
                    return waker;
                }
                yield_now().await;
            }
        };
        // Woken while unwinding.
        let woken = wait();
        let waker = runtime.block_on(take());
        let mut waker = Some(waker);
        let wakes = OnDrop(move || waker.take().into_iter().for_each(Waker::wake));
        let panics = runtime.spawn(async move {
            let _wakes = wakes;
            panic!("on purpose");
        });
        assert!(runtime.block_on(panics).unwrap_err().is_panic());
        runtime.block_on(woken).unwrap();
        // Dropped while unwinding: that one waits until the shutdown drops it.
        let forgotten = wait();
        let waker = runtime.block_on(take());
        let panics = runtime.spawn(async move {
            let _waker = waker;
            panic!("on purpose");
        });
        assert!(runtime.block_on(panics).unwrap_err().is_panic());
        assert!(!forgotten.is_finished());
        assert_eq!(runtime.block_on(runtime.spawn(async { 7 })).unwrap(), 7);
    });
}

#[test]
fn b20_a_future_that_is_polled_by_many_workers_never_moves() {
    for workers in [2, 4] {
        let _watchdog = watchdog("");
        let runtime = Flavour::MultiThread(workers).build();
        let tasks: Vec<_> =
            (0..8).map(|_| runtime.spawn(Located::new([0_u8; 100], 20_000))).collect();
        runtime.block_on(async {
            for task in tasks {
                task.await.unwrap();
            }
        });
    }
}

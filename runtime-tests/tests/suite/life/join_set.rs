//! `JoinSet`: order, cancel safety, panics, and what becomes of the tasks when the set goes.

use std::future::{Future, pending, poll_fn};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use futures::channel::oneshot;
use futures::future::{Either, select};
use runtime::task::{JoinSet, yield_now};
use runtime_tests::rig::{Count, each_flavour, on_each_flavour};

#[test]
fn outputs_come_in_the_order_in_which_the_tasks_end() {
    on_each_flavour(|| async {
        let mut set = JoinSet::new();
        let mut starts = Vec::new();
        for n in 0..100 {
            let (start, started) = oneshot::channel::<()>();
            starts.push(start);
            set.spawn(async move {
                started.await.unwrap();
                n
            });
        }
        for n in (0..100).rev() {
            starts.pop().unwrap().send(()).unwrap();
            assert_eq!(set.join_next().await.unwrap().unwrap(), n);
        }
        assert!(set.join_next().await.is_none());
    });
}

#[test]
fn every_task_is_given_once_and_by_its_id() {
    on_each_flavour(|| async {
        let mut set = JoinSet::new();
        let mut ids = std::collections::HashMap::new();
        for n in 0..1000 {
            let task = set.spawn(async move {
                for _ in 0..n % 7 {
                    yield_now().await;
                }
                n
            });
            ids.insert(task.id(), n);
        }
        while let Some((id, joined)) = set.join_next_with_id().await {
            assert_eq!(ids.remove(&id), Some(joined.unwrap()));
        }
        assert!(ids.is_empty());
    });
}

#[test]
fn a_dropped_join_next_loses_nothing() {
    on_each_flavour(|| async {
        let mut set = JoinSet::new();
        let mut sum = 0;
        for round in 0..200 {
            set.spawn(async move {
                yield_now().await;
                round
            });
            // Polled once and dropped, at every stage of the task.
            for _ in 0..round % 5 {
                let polled = poll_fn(|cx| Poll::Ready(pin!(set.join_next()).poll(cx))).await;
                if let Poll::Ready(Some(joined)) = polled {
                    sum += joined.unwrap();
                }
                yield_now().await;
            }
        }
        while let Some(joined) = set.join_next().await {
            sum += joined.unwrap();
        }
        assert_eq!(sum, (0..200).sum::<i32>());
    });
}

#[test]
fn panics_and_aborts_are_errors_of_their_own_task() {
    on_each_flavour(|| async {
        let mut set = JoinSet::new();
        set.spawn(async { panic!("on purpose") });
        let aborted = set.spawn(pending());
        set.spawn(async { 7 });
        aborted.abort();
        let (mut panics, mut aborts, mut values) = (0, 0, 0);
        while let Some(joined) = set.join_next().await {
            match joined {
                Ok(value) => values += value,
                Err(error) if error.is_panic() => panics += 1,
                Err(_) => aborts += 1,
            }
        }
        assert_eq!((panics, aborts, values), (1, 1, 7));
    });
}

#[test]
fn dropping_the_set_cancels_and_shutdown_waits() {
    on_each_flavour(|| async {
        let ended = Count::new();
        let spawn = |set: &mut JoinSet<()>| {
            for _ in 0..50 {
                let token = ended.on_drop();
                set.spawn(async move {
                    let _token = token;
                    pending().await
                });
            }
        };
        let mut set = JoinSet::new();
        spawn(&mut set);
        set.shutdown().await;
        assert_eq!(ended.get(), 50); // at once: that is what it waits for
        spawn(&mut set);
        drop(set);
        while ended.get() < 100 {
            yield_now().await;
        }
    });
}

#[test]
fn detached_tasks_run_on_and_are_not_reported() {
    on_each_flavour(|| async {
        let mut set = JoinSet::new();
        let (start, started) = oneshot::channel::<()>();
        let (end, ended) = oneshot::channel::<()>();
        set.spawn(async move {
            started.await.unwrap();
            end.send(()).unwrap();
            1
        });
        set.detach_all();
        assert!(set.is_empty() && set.join_next().await.is_none());
        set.spawn(async { 2 });
        start.send(()).unwrap();
        ended.await.unwrap();
        assert_eq!(set.join_all().await, [2]);
    });
}

#[test]
fn join_all_unwinds_with_the_first_panic_and_cancels_the_others() {
    each_flavour(|runtime, _| {
        let ended = Count::new();
        let token = ended.on_drop();
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            runtime.block_on(async {
                let mut set = JoinSet::new();
                set.spawn(async move {
                    let _token = token;
                    pending().await
                });
                set.spawn(async { std::panic::panic_any(7_u32) });
                set.join_all().await;
            })
        }));
        assert_eq!(*panicked.unwrap_err().downcast::<u32>().unwrap(), 7);
        runtime.block_on(async {
            while ended.get() == 0 {
                yield_now().await;
            }
        });
    });
}

#[test]
fn a_set_outlives_its_runtime_and_its_tasks_count_as_cancelled() {
    each_flavour(|_, flavour| {
        let other = flavour.build();
        let mut set = JoinSet::new();
        set.spawn_on(pending::<()>(), other.handle());
        other.block_on(yield_now());
        let handle = other.handle().clone();
        drop(other);
        set.spawn_on(async {}, &handle); // refused
        futures::executor::block_on(async {
            for _ in 0..2 {
                assert!(set.join_next().await.unwrap().unwrap_err().is_cancelled());
            }
        });
    });
}

#[test]
fn a_set_moves_between_wakers_and_wakes_the_last_one() {
    on_each_flavour(|| async {
        let mut set = JoinSet::new();
        let (start, started) = oneshot::channel::<()>();
        set.spawn(async move { started.await.unwrap() });
        let (old, new) = (Count::new(), Count::new());
        for waker in [old.waker(), new.waker()] {
            let polled = pin!(set.join_next()).poll(&mut Context::from_waker(&waker));
            assert!(polled.is_pending());
        }
        start.send(()).unwrap();
        while new.get() == 0 {
            yield_now().await;
        }
        assert_eq!(old.get(), 0);
    });
}

#[test]
fn tasks_may_be_added_between_polls_of_the_same_wait() {
    // A select loop that adds to the set while it waits for it.
    on_each_flavour(|| async {
        let mut set = JoinSet::new();
        let (mut done, mut left) = (0, 500);
        set.spawn(async {});
        while done < 501 {
            let joined = match select(pin!(set.join_next()), pin!(yield_now())).await {
                Either::Left((joined, _)) => joined,
                Either::Right(_) => None,
            };
            if let Some(joined) = joined {
                joined.unwrap();
                done += 1;
            }
            if left > 0 {
                left -= 1;
                set.spawn(yield_now());
            }
        }
        assert!(set.is_empty());
    });
}

#[test]
fn a_wait_for_many_gives_way_to_others() {
    // 10 000 tasks have ended: a loop that takes them spends its budget and lets its neighbours run.
    each_flavour(|runtime, _| {
        let ticks = Count::new();
        let seen = runtime.block_on(async {
            let mut set = JoinSet::new();
            let ended = Count::new();
            for _ in 0..10_000 {
                let ended = ended.clone();
                set.spawn(async move { _ = ended.add() });
            }
            while ended.get() < 10_000 {
                yield_now().await;
            }
            let mut join = pin!(async { while set.join_next().await.is_some() {} });
            let mut polls = 0;
            poll_fn(|cx| {
                polls += 1;
                ticks.add();
                join.as_mut().poll(cx)
            })
            .await;
            polls
        });
        assert!(seen >= 10_000 / 128, "{seen} polls");
    });
}

#[test]
fn wakers_and_destructors_may_use_the_set() {
    // The waker's destructor locks what the waiting task locks: a set that dropped it under its own
    // lock, and took that lock again, would hang.
    each_flavour(|runtime, _| {
        runtime.block_on(async {
            let set = Arc::new(Mutex::new(JoinSet::new()));
            set.lock().unwrap().spawn(async {});
            struct Locks(Arc<Mutex<JoinSet<()>>>);
            impl std::task::Wake for Locks {
                fn wake(self: Arc<Self>) {}
            }
            impl Drop for Locks {
                fn drop(&mut self) {
                    if let Ok(mut set) = self.0.try_lock() {
                        set.try_join_next();
                    }
                }
            }
            for _ in 0..3 {
                let waker = Arc::new(Locks(Arc::clone(&set))).into();
                let mut set = set.lock().unwrap();
                let mut next = pin!(set.join_next());
                let _ = Pin::new(&mut next).poll(&mut Context::from_waker(&waker));
            }
        });
    });
}

#[test]
fn blocking_jobs_join_in_the_same_set() {
    each_flavour(|runtime, _| {
        let outputs = runtime.block_on(async {
            let mut set = JoinSet::new();
            set.spawn(async { 1 });
            set.spawn_blocking(|| 2);
            set.join_all().await
        });
        assert_eq!(outputs.iter().sum::<i32>(), 3);
    });
}

#[test]
fn shutdown_waits_for_a_blocking_job_that_runs() {
    on_each_flavour(|| async {
        let (started, ended) = (Count::new(), Count::new());
        let (begins, token) = (started.clone(), ended.on_drop());
        let (release, released) = std::sync::mpsc::channel::<()>();
        let mut set = JoinSet::new();
        set.spawn_blocking(move || {
            let _token = token;
            begins.add();
            released.recv().unwrap();
        });
        while started.get() == 0 {
            yield_now().await;
        }
        let mut shutdown = Box::pin(set.shutdown());
        for _ in 0..10 {
            assert!(futures::poll!(shutdown.as_mut()).is_pending());
            yield_now().await;
        }
        release.send(()).unwrap();
        shutdown.await;
        assert_eq!(ended.get(), 1);
    });
}

#[test]
fn a_set_is_cancelled_with_the_task_that_has_it() {
    each_flavour(|runtime, _| {
        let (started, ended) = (Count::new(), Count::new());
        let (begins, token) = (started.clone(), ended.on_drop());
        let outer = runtime.spawn(async move {
            let mut set = JoinSet::new();
            set.spawn(async move {
                let _token = token;
                begins.add();
                pending::<()>().await
            });
            set.join_next().await
        });
        runtime.block_on(async {
            while started.get() == 0 {
                yield_now().await;
            }
            assert!(outer.cancel().await.is_err());
            while ended.get() == 0 {
                yield_now().await;
            }
        });
    });
}

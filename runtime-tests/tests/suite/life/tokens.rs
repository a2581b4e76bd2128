//! `CancellationToken`: trees, waits, and hostile wakers. Shapes of trees are in the unit tests.

use std::future::{Future, pending};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use runtime::task::{CancellationToken, yield_now};
use runtime::time::timeout;
use runtime_tests::rig::{Count, LIMIT, alone, on_each_flavour, status, watchdog, watchdog_for};

#[test]
fn cancelling_goes_down_and_not_up() {
    let root = CancellationToken::new();
    let (left, right) = (root.child_token(), root.child_token());
    let below = left.child_token();
    left.cancel();
    assert!(left.is_cancelled() && below.is_cancelled());
    assert!(!root.is_cancelled() && !right.is_cancelled());
    assert!(left.child_token().is_cancelled() && left.child_token().child_token().is_cancelled());
    root.cancel();
    root.cancel();
    assert!(right.is_cancelled());
}

#[test]
fn a_child_outlives_its_parents_handles_and_still_hears_the_root() {
    let root = CancellationToken::new();
    let child = {
        let parent = root.child_token();
        parent.child_token()
    };
    root.cancel();
    assert!(child.is_cancelled());
    // And those of a root without handles are cancelled by nobody.
    let orphan = CancellationToken::new().child_token();
    assert!(!orphan.is_cancelled());
    orphan.cancel();
    assert!(orphan.is_cancelled());
}

#[test]
fn a_tree_a_million_deep_is_cancelled_and_dropped() {
    let _watchdog = watchdog_for("", 3 * LIMIT);
    for drop_only in [true, false] {
        let root = CancellationToken::new();
        let mut all = vec![root.child_token()];
        for _ in 0..1_000_000 {
            let child = all[all.len() - 1].child_token();
            all.push(child);
        }
        if !drop_only {
            root.cancel();
            assert!(all[all.len() - 1].is_cancelled());
        }
        drop(root);
        if drop_only {
            all.reverse(); // from the leaf up, else from the root down
        }
        drop(all);
    }
}

#[test]
fn millions_of_waits_and_children_leave_nothing() {
    alone("life::tokens::millions_of_waits_and_children_leave_nothing", || {
        let _watchdog = watchdog_for("", 6 * LIMIT);
        let token = CancellationToken::new();
        let mut cx = Context::from_waker(Waker::noop());
        let mut round = || {
            let child = token.child_token();
            for token in [&token, &child] {
                let mut wait = pin!(token.cancelled());
                assert!(wait.as_mut().poll(&mut cx).is_pending());
                assert!(wait.as_mut().poll(&mut cx).is_pending());
            }
        };
        for _ in 0..1000 {
            round();
        }
        let before = status("VmRSS");
        for _ in 0..1_000_000 {
            round();
        }
        let grown = status("VmRSS").saturating_sub(before);
        assert!(grown < 1024, "{grown} KiB");
    });
}

#[test]
fn everyone_who_waits_is_woken_once() {
    on_each_flavour(|| async {
        let token = CancellationToken::new();
        let tasks: Vec<_> = (0..1000)
            .map(|n| {
                let token = if n % 2 == 0 { token.clone() } else { token.child_token() };
                runtime::spawn(async move { token.cancelled().await })
            })
            .collect();
        for _ in 0..10 {
            yield_now().await;
        }
        token.cancel();
        for task in tasks {
            task.await.unwrap();
        }
        let wakes = Count::new();
        let waker = wakes.waker();
        let token = CancellationToken::new();
        let mut wait = pin!(token.cancelled());
        for _ in 0..3 {
            assert!(wait.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        }
        token.cancel();
        token.cancel();
        assert_eq!(wakes.get(), 1);
    });
}

#[test]
fn a_replaced_waker_is_not_woken_and_a_dropped_wait_neither() {
    let token = CancellationToken::new();
    let (old, new, gone) = (Count::new(), Count::new(), Count::new());
    let mut wait = Box::pin(token.cancelled());
    let mut dropped = Box::pin(token.cancelled());
    let mut poll = |waker: Waker| wait.as_mut().poll(&mut Context::from_waker(&waker));
    assert!(poll(old.waker()).is_pending() && poll(new.waker()).is_pending());
    assert!(dropped.as_mut().poll(&mut Context::from_waker(&gone.waker())).is_pending());
    drop(dropped);
    token.cancel();
    assert_eq!((old.get(), new.get(), gone.get()), (0, 1, 0));
}

#[test]
fn wakers_may_use_the_tree_they_are_woken_by() {
    let _watchdog = watchdog("");
    struct Nosy(CancellationToken);
    impl Wake for Nosy {
        fn wake(self: Arc<Self>) {
            // All of these take the locks.
            assert!(self.0.is_cancelled());
            self.0.cancel();
            drop(self.0.child_token());
            let noop = &mut Context::from_waker(Waker::noop());
            assert!(pin!(self.0.cancelled()).poll(noop).is_ready());
        }
    }
    impl Drop for Nosy {
        fn drop(&mut self) {
            drop(self.0.child_token());
        }
    }
    let token = CancellationToken::new();
    let child = token.child_token();
    let nosy = || Waker::from(Arc::new(Nosy(child.clone())));
    let (mut one, mut two) = (Box::pin(token.cancelled()), Box::pin(child.cancelled()));
    for wait in [&mut one, &mut two] {
        // The second poll replaces a waker.
        for _ in 0..2 {
            assert!(wait.as_mut().poll(&mut Context::from_waker(&nosy())).is_pending());
        }
    }
    token.cancel();
}

#[test]
fn a_waker_that_panics_keeps_nobody_from_hearing_it() {
    struct Panics;
    impl Wake for Panics {
        fn wake(self: Arc<Self>) {
            panic!("on purpose");
        }
    }
    let token = CancellationToken::new();
    let wakes = Count::new();
    let mut waits: Vec<_> = (0..10).map(|_| Box::pin(token.cancelled())).collect();
    for (n, wait) in waits.iter_mut().enumerate() {
        let waker = if n % 2 == 0 { Arc::new(Panics).into() } else { wakes.waker() };
        assert!(wait.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    }
    token.cancel();
    assert_eq!(wakes.get(), 5);
}

#[test]
fn run_until_cancelled_stops_polling() {
    on_each_flavour(|| async {
        let token = CancellationToken::new();
        assert_eq!(token.run_until_cancelled(async { 7 }).await, Some(7));
        let polls = Count::new();
        let (inside, counts) = (token.clone(), polls.clone());
        let ended = token
            .run_until_cancelled(async move {
                loop {
                    if counts.add() == 9 {
                        inside.cancel();
                    }
                    yield_now().await;
                }
            })
            .await;
        assert_eq!((ended, polls.get()), (None::<()>, 10));
        let never = async { unreachable!("polled after the token was cancelled") };
        assert_eq!(token.run_until_cancelled(never).await, None::<()>);
    });
}

#[test]
fn guards_cancel_unless_disarmed_also_when_a_task_panics() {
    on_each_flavour(|| async {
        let token = CancellationToken::new();
        let guard = token.clone().drop_guard();
        let task = runtime::spawn(async move {
            let _guard = guard;
            panic!("on purpose")
        });
        token.cancelled().await;
        assert!(task.await.unwrap_err().is_panic());
        let token = CancellationToken::new();
        drop(token.clone().drop_guard().disarm());
        assert!(!token.is_cancelled());
    });
}

#[test]
fn a_cancelled_token_does_not_starve_its_task() {
    on_each_flavour(|| async {
        let token = CancellationToken::new();
        token.cancel();
        let spin = async {
            loop {
                token.cancelled().await;
            }
        };
        let limited = timeout(Duration::from_millis(20), spin).await;
        assert!(limited.is_err());
    });
}

#[test]
fn threads_that_cancel_make_and_drop_agree() {
    let _watchdog = watchdog("");
    for _ in 0..300 {
        let root = CancellationToken::new();
        let kept: Vec<_> = thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|n| {
                    let root = root.clone();
                    scope.spawn(move || {
                        let mut kept = Vec::new();
                        let mut last = root.clone();
                        for i in 0..20 {
                            last = last.child_token();
                            if i % 3 == n % 3 {
                                kept.push(last.clone());
                            }
                            if n == 0 && i == 10 {
                                root.cancel();
                            }
                        }
                        kept
                    })
                })
                .collect();
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        });
        assert!(kept.iter().all(CancellationToken::is_cancelled));
    }
}

#[test]
fn a_wait_needs_no_runtime() {
    let token = CancellationToken::new();
    let clone = token.clone();
    let waiting = thread::spawn(move || {
        futures::executor::block_on(async {
            let raced = clone.run_until_cancelled(pending::<()>()).await;
            assert_eq!(raced, None);
        })
    });
    token.cancel();
    waiting.join().unwrap();
    let polled = pin!(token.cancelled()).poll(&mut Context::from_waker(Waker::noop()));
    assert_eq!(polled, Poll::Ready(()));
}

#[test]
fn a_cancelled_token_stops_a_future_also_without_budget() {
    on_each_flavour(|| async {
        let token = CancellationToken::new();
        let polls = Count::new();
        let future = std::future::poll_fn(|_| {
            polls.add();
            Poll::<()>::Pending
        });
        let mut until = pin!(token.run_until_cancelled(future));
        assert!(futures::poll!(until.as_mut()).is_pending());
        token.cancel();
        while runtime::task::coop::has_budget_remaining() {
            CancellationToken::cancelled(&token).await;
        }
        assert_eq!(until.await, None);
        assert_eq!(polls.get(), 1);
    });
}

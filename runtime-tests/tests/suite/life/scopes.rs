//! Scopes: whatever happens, nothing of a scope is left when it returns.

use std::future::{Future, pending};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures::channel::oneshot;
use runtime::task::{JoinError, yield_now};
use runtime::time::sleep;
use runtime::{Scope, scope};
use runtime_tests::rig::{
    Count, Flavour, LIMIT, OnDrop, each_flavour, on_each_flavour, wait_until,
};

fn error(what: &str) -> io::Error {
    io::Error::other(what.to_owned())
}

/// Never ends by itself; counts its end.
async fn forever(ended: Count) -> io::Result<()> {
    let _token = ended.on_drop();
    pending().await
}

#[test]
fn a_scope_waits_for_its_children_and_theirs() {
    on_each_flavour(|| async {
        let done = Count::new();
        let value = scope(async |scope: Scope<io::Error>| {
            for _ in 0..20 {
                let (siblings, done) = (scope.clone(), done.clone());
                scope.spawn(async move {
                    yield_now().await;
                    for _ in 0..5 {
                        let done = done.clone();
                        siblings.spawn(async move {
                            sleep(Duration::from_millis(1)).await;
                            done.add();
                            Ok(())
                        });
                    }
                    Ok(())
                });
            }
            Ok(7)
        });
        assert_eq!(value.await.unwrap(), 7);
        assert_eq!(done.get(), 100);
    });
}

#[test]
fn the_first_error_of_a_child_cancels_body_and_siblings_and_is_returned() {
    on_each_flavour(|| async {
        let ended = Count::new();
        let result = scope(async |scope| {
            let _body = ended.on_drop();
            for _ in 0..10 {
                scope.spawn(forever(ended.clone()));
            }
            scope.spawn(async {
                yield_now().await;
                Err(error("first"))
            });
            pending::<io::Result<()>>().await
        });
        assert_eq!(result.await.unwrap_err().to_string(), "first");
        // Those that were never polled have no token yet.
        assert!((1..=11).contains(&ended.get()));
    });
}

#[test]
fn no_future_of_a_child_is_left_when_the_scope_returns() {
    // Tokens from the outside, so that a future that was never polled counts, too.
    on_each_flavour(|| async {
        for failure in ["error", "panic", "body"] {
            let ended = Count::new();
            let result = scope(async |scope| {
                for _ in 0..50 {
                    let token = ended.on_drop();
                    scope.spawn(async move {
                        let _token = token;
                        pending().await
                    });
                }
                yield_now().await;
                match failure {
                    "error" => scope.spawn(async { Err(error("error")) }),
                    "panic" => scope.spawn(async { panic!("panic") }),
                    _ => return Err(error("body")),
                }
                pending::<io::Result<()>>().await
            });
            let said = result.await.unwrap_err().to_string();
            assert!(said.contains(failure), "{said}");
            assert_eq!(ended.get(), 50, "{failure}");
        }
    });
}

#[test]
fn a_panic_of_the_body_goes_on_after_the_children_have_ended() {
    each_flavour(|runtime, _| {
        let ended = Count::new();
        let payload = catch_unwind(AssertUnwindSafe(|| {
            runtime.block_on(scope(async |scope: Scope<io::Error>| {
                for _ in 0..10 {
                    let token = ended.on_drop();
                    scope.spawn(async move {
                        let _token = token;
                        pending().await
                    });
                }
                yield_now().await;
                std::panic::panic_any(7_u32);
                #[expect(unreachable_code, reason = "the type of the body")]
                Ok(())
            }))
        }));
        assert_eq!(*payload.unwrap_err().downcast::<u32>().unwrap(), 7);
        assert_eq!(ended.get(), 10);
    });
}

#[test]
fn an_error_that_comes_after_the_bodys_value_wins() {
    on_each_flavour(|| async {
        let dropped = Count::new();
        let result = scope(async |scope| {
            let (send, receive) = oneshot::channel::<()>();
            scope.spawn(async move {
                receive.await.unwrap_err();
                sleep(Duration::from_millis(1)).await;
                Err(error("late"))
            });
            drop(send);
            Ok(dropped.on_drop())
        });
        assert_eq!(result.await.map(drop).unwrap_err().to_string(), "late");
        assert_eq!(dropped.get(), 1);
    });
}

#[test]
fn destructors_that_panic_change_neither_the_failure_nor_the_waiting() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("of a destructor");
        }
    }
    on_each_flavour(|| async {
        let ended = Count::new();
        let result = scope(async |scope| {
            let _body = OnDrop(|| panic!("of the body's destructor"));
            for _ in 0..10 {
                let token = ended.on_drop();
                scope.spawn(async move {
                    let _token = token;
                    let _late = OnDrop(|| panic!("of a child's destructor"));
                    pending().await
                });
            }
            scope.spawn(async {
                yield_now().await;
                Err(error("first"))
            });
            pending::<io::Result<()>>().await
        });
        assert_eq!(result.await.unwrap_err().to_string(), "first");
        assert_eq!(ended.get(), 10);
        // A value that is not returned after all.
        let result = scope(async |scope| {
            scope.spawn(async {
                yield_now().await;
                Err(error("late"))
            });
            Ok(Bomb)
        });
        assert_eq!(result.await.map(std::mem::forget).unwrap_err().to_string(), "late");
    });
}

#[test]
fn dropping_a_scope_cancels_it() {
    on_each_flavour(|| async {
        let ended = Count::new();
        let mut running = Box::pin(scope(async |scope| {
            for _ in 0..10 {
                let token = ended.on_drop();
                scope.spawn(async move {
                    let _token = token;
                    pending().await
                });
            }
            // These are at the door when the scope is dropped, not inside yet.
            yield_now().await;
            for _ in 0..10 {
                let token = ended.on_drop();
                scope.spawn(async move {
                    let _token = token;
                    pending().await
                });
            }
            pending::<io::Result<()>>().await
        }));
        for _ in 0..2 {
            assert!(futures::poll!(running.as_mut()).is_pending());
        }
        drop(running);
        while ended.get() < 20 {
            yield_now().await;
        }
    });
}

#[test]
fn a_scope_inside_a_scope_is_waited_for_although_it_was_dropped() {
    // The grandchild's destructor takes its time: it is the outer scope that has to wait for it.
    on_each_flavour(|| async {
        for depth in 1..4 {
            let (ended, started) = (Count::new(), Count::new());
            let (fail, failed) = oneshot::channel::<()>();
            let nest = |ended: Count, started: Count| nested(depth, ended, started);
            let result = scope(async |scope| {
                scope.spawn(nest(ended.clone(), started.clone()));
                scope.spawn(async move {
                    failed.await.unwrap();
                    Err(error("outer"))
                });
                while started.get() < 4 {
                    yield_now().await;
                }
                fail.send(()).unwrap();
                pending::<io::Result<()>>().await
            });
            assert_eq!(result.await.unwrap_err().to_string(), "outer");
            assert_eq!(ended.get(), 4, "depth {depth}");
        }
    });
}

#[test]
fn a_scope_that_was_moved_out_of_another_one_is_waited_for() {
    on_each_flavour(|| async {
        let (moved, mover) = oneshot::channel();
        let mut outer = Box::pin(scope(async move |_: Scope<io::Error>| {
            let mut inner = Box::pin(scope(async |_| pending::<io::Result<()>>().await));
            assert!(futures::poll!(inner.as_mut()).is_pending());
            let _ = moved.send(inner);
            Ok(())
        }));
        for _ in 0..10 {
            assert!(futures::poll!(outer.as_mut()).is_pending());
            yield_now().await;
        }
        drop(mover.await.unwrap());
        outer.await.unwrap();
    });
}

type Boxed = Pin<Box<dyn Future<Output = io::Result<()>> + Send>>;

/// Scopes in scopes, with four children in the innermost.
fn nested(depth: usize, ended: Count, started: Count) -> Boxed {
    Box::pin(scope(async move |scope| {
        if depth > 1 {
            scope.spawn(nested(depth - 1, ended, started));
            return Ok(());
        }
        for _ in 0..4 {
            let (ended, started) = (ended.clone(), started.clone());
            scope.spawn(async move {
                let _slow = OnDrop(move || {
                    std::thread::sleep(Duration::from_millis(2));
                    ended.add();
                });
                started.add();
                pending().await
            });
        }
        Ok(())
    }))
}

#[test]
fn an_inner_failure_is_a_value_of_the_child_that_has_the_scope() {
    on_each_flavour(|| async {
        let result = scope(async |outer| {
            outer.spawn(async {
                let inner = scope(async |inner| {
                    inner.spawn(async { Err(error("inner")) });
                    Ok(())
                });
                assert_eq!(inner.await.unwrap_err().to_string(), "inner");
                Ok(())
            });
            Ok(())
        });
        let result: io::Result<()> = result.await;
        result.unwrap();
    });
}

#[test]
fn children_that_spawn_while_the_scope_is_cancelled_leave_nothing() {
    on_each_flavour(|| async {
        for _ in 0..50 {
            let living = Count::new();
            let born = Count::new();
            let result = scope(async |scope| {
                for _ in 0..8 {
                    breed(&scope, &born, &living);
                }
                while born.get() < 100 {
                    yield_now().await;
                }
                Err::<(), _>(error("enough"))
            });
            assert_eq!(result.await.unwrap_err().to_string(), "enough");
            assert_eq!(living.get(), born.get());
        }
    });
}

/// A child that spawns children without end.
fn breed(scope: &Scope<io::Error>, born: &Count, ended: &Count) {
    let (scope2, born2, ended2) = (scope.clone(), born.clone(), ended.clone());
    born.add();
    let token = ended.on_drop();
    scope.spawn(async move {
        let _token = token;
        loop {
            yield_now().await;
            if born2.get() < 10_000 {
                breed(&scope2, &born2, &ended2);
            }
        }
    });
}

#[test]
fn a_scope_handle_that_got_away_starts_nothing() {
    each_flavour(|runtime, _| {
        let ended = Count::new();
        let escaped = runtime.block_on(scope(async |scope: Scope<JoinError>| Ok(scope)));
        let escaped = escaped.unwrap();
        let token = ended.on_drop();
        escaped.spawn(async move {
            let _token = token;
            unreachable!("polled after the scope has ended")
        });
        assert_eq!(ended.get(), 1); // at once
        // Also not after the runtime.
        let other = runtime_tests::rig::Flavour::CurrentThread.build();
        let late = other.block_on(scope(async |scope: Scope<JoinError>| Ok(scope))).unwrap();
        drop(other);
        late.spawn(async { Ok(()) });
    });
}

#[test]
fn spawning_from_other_threads_while_it_ends_hangs_and_leaks_nothing() {
    each_flavour(|runtime, _| {
        for _ in 0..50 {
            let (born, ended) = (Count::new(), Count::new());
            let mut spawner = None;
            runtime
                .block_on(scope(async |scope: Scope<JoinError>| {
                    let (born, ended) = (born.clone(), ended.clone());
                    spawner = Some(std::thread::spawn(move || {
                        for _ in 0..100 {
                            born.add();
                            let token = ended.on_drop();
                            scope.spawn(async move {
                                let _token = token;
                                Ok(())
                            });
                        }
                    }));
                    yield_now().await;
                    Ok(())
                }))
                .unwrap();
            spawner.unwrap().join().unwrap();
            wait_until("every future is gone", || {
                runtime.block_on(yield_now());
                ended.get() == born.get()
            });
        }
    });
}

#[test]
fn the_end_of_the_runtime_is_an_error_and_not_success() {
    each_flavour(|_, flavour| {
        let other = flavour.build();
        let mut running = {
            let _inside = other.enter();
            let mut running = Box::pin(scope(async |scope: Scope<JoinError>| {
                scope.spawn(pending());
                Ok(())
            }));
            assert!(running.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
            running
        };
        drop(other);
        let mut running = pin!(&mut running);
        let ended = futures::executor::block_on(running.as_mut());
        assert!(ended.unwrap_err().is_cancelled());
    });
}

#[test]
fn scopes_are_futures_that_can_be_spawned_and_limited() {
    on_each_flavour(|| async {
        let task = runtime::spawn(scope(async |scope: Scope<JoinError>| {
            scope.spawn(async { Ok(()) });
            Ok(7)
        }));
        assert_eq!(task.await.unwrap().unwrap(), 7);
        let limited = runtime::time::timeout(
            Duration::from_millis(5),
            scope(async |scope: Scope<JoinError>| {
                scope.spawn(pending());
                Ok(())
            }),
        );
        assert!(limited.await.is_err());
    });
}

#[test]
fn a_thousand_scopes_deep() {
    on_each_flavour(|| async {
        fn deep(left: usize) -> Boxed {
            Box::pin(scope(async move |scope| {
                if left > 0 {
                    scope.spawn(deep(left - 1));
                }
                Ok(())
            }))
        }
        let done = runtime::time::timeout(LIMIT, deep(1000)).await;
        done.unwrap().unwrap();
        // Cancelled from above, half way.
        let cancelled = runtime::time::timeout(Duration::from_millis(1), deep(1000)).await;
        drop(cancelled);
    });
}

#[test]
fn a_body_that_panics_before_it_is_a_future_leaves_nothing_either() {
    each_flavour(|runtime, _| {
        let ended = Count::new();
        let token = ended.on_drop();
        let payload = catch_unwind(AssertUnwindSafe(|| {
            runtime.block_on(scope(|scope: Scope<io::Error>| {
                scope.spawn(async move {
                    let _token = token;
                    pending().await
                });
                std::panic::panic_any(7_u32);
                #[expect(unreachable_code, reason = "the type of the body")]
                std::future::ready(Ok(()))
            }))
        }));
        assert_eq!(*payload.unwrap_err().downcast::<u32>().unwrap(), 7);
        assert_eq!(ended.get(), 1);
    });
}

#[test]
fn a_conversion_that_panics_goes_on_after_the_children_have_ended() {
    #[derive(Debug)]
    struct GoesOn;
    impl From<JoinError> for GoesOn {
        fn from(error: JoinError) -> Self {
            std::panic::resume_unwind(error.into_panic())
        }
    }
    each_flavour(|runtime, _| {
        let ended = Count::new();
        let token = ended.on_drop();
        let payload = catch_unwind(AssertUnwindSafe(|| {
            runtime.block_on(scope(async |scope: Scope<GoesOn>| {
                scope.spawn(async move {
                    let _token = token;
                    pending().await
                });
                scope.spawn(async { std::panic::panic_any(7_u32) });
                pending::<Result<(), _>>().await
            }))
        }));
        assert_eq!(*payload.unwrap_err().downcast::<u32>().unwrap(), 7);
        assert_eq!(ended.get(), 1);
    });
}

#[test]
fn a_scope_waits_for_the_destructor_of_a_child_that_was_never_polled() {
    type Running = Pin<Box<dyn Future<Output = io::Result<()>> + Send>>;
    let runtime = Flavour::CurrentThread.build();
    let _inside = runtime.enter();
    let outer = Arc::new(Mutex::new(None::<Running>));
    let poll = |outer: &Mutex<Option<Running>>| {
        let mut outer = outer.lock().unwrap();
        outer.as_mut().unwrap().as_mut().poll(&mut Context::from_waker(Waker::noop()))
    };
    let (returned, looks) = (Count::new(), Count::new());
    let token = {
        let (outer, returned, looks) = (Arc::clone(&outer), returned.clone(), looks.clone());
        OnDrop(move || {
            looks.add();
            if poll(&outer).is_ready() {
                returned.add();
            }
        })
    };
    *outer.lock().unwrap() = Some(Box::pin(scope(async |_: Scope<io::Error>| {
        // It is dropped, so only the outer one can wait.
        let mut inner = Box::pin(scope(async |scope: Scope<io::Error>| {
            scope.spawn(async move {
                let _token = token;
                Ok(())
            });
            pending().await
        }));
        let _: Poll<io::Result<()>> = futures::poll!(inner.as_mut());
        Ok(())
    })));
    assert!(poll(&outer).is_pending());
    runtime.block_on(yield_now());
    assert_eq!((looks.get(), returned.get()), (1, 0));
    assert!(poll(&outer).is_ready());
}

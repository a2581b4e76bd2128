//! Task-locals: nesting, panics, destructors, threads.

use std::future::{Future, pending};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::task::{Context, Waker};

use futures::FutureExt;
use runtime::task::yield_now;
use runtime_tests::rig::{Count, OnDrop, each_flavour, on_each_flavour};

runtime::task_local! {
    static NUMBER: usize;
    static NAME: String;
    static NOISY: OnDrop<Box<dyn FnMut() + Send>>;
}

#[test]
fn a_value_follows_its_task_and_no_other() {
    on_each_flavour(|| async {
        let tasks: Vec<_> = (0..50)
            .map(|n| {
                runtime::spawn(NUMBER.scope(n, async move {
                    for _ in 0..20 {
                        assert_eq!(NUMBER.get(), n);
                        assert!(NAME.try_with(String::len).is_err());
                        yield_now().await;
                    }
                    let inner = runtime::spawn(async { NUMBER.try_with(|n| *n).is_err() });
                    assert!(inner.await.unwrap(), "inherited");
                }))
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        assert!(NUMBER.try_with(|_| ()).is_err());
    });
}

#[test]
fn scopes_nest_and_are_restored() {
    on_each_flavour(|| async {
        NUMBER
            .scope(1, async {
                for _ in 0..3 {
                    let inner = NUMBER.scope(2, async {
                        yield_now().await;
                        NUMBER.sync_scope(3, || assert_eq!(NUMBER.get(), 3));
                        assert_eq!(NUMBER.get(), 2);
                    });
                    let mut inner = pin!(inner);
                    assert!(futures::poll!(inner.as_mut()).is_pending());
                    assert_eq!(NUMBER.get(), 1);
                    inner.await;
                    assert_eq!(NUMBER.get(), 1);
                }
            })
            .await;
        assert!(NUMBER.try_with(|_| ()).is_err());
    });
}

#[test]
fn a_panic_restores_what_was_there() {
    on_each_flavour(|| async {
        NUMBER
            .scope(1, async {
                let panics = NUMBER.scope(2, async {
                    yield_now().await;
                    panic!("on purpose")
                });
                assert!(AssertUnwindSafe(panics).catch_unwind().await.is_err());
                assert_eq!(NUMBER.get(), 1);
                assert!(catch_unwind(|| NUMBER.sync_scope(3, || panic!("on purpose"))).is_err());
                assert!(catch_unwind(|| NUMBER.with(|_| panic!("on purpose"))).is_err());
                assert_eq!(NUMBER.get(), 1);
            })
            .await;
    });
}

#[test]
fn destructors_find_the_value() {
    each_flavour(|runtime, _| {
        // Never polled, polled once, aborted, and done.
        let seen = Count::new();
        let future = |waits: bool| {
            let seen = seen.clone();
            let token = OnDrop(move || {
                if NUMBER.try_with(|n| *n == 7) == Ok(true) {
                    seen.add();
                }
            });
            NUMBER.scope(7, async move {
                let _token = token;
                if waits {
                    pending::<()>().await;
                }
            })
        };
        let mut polled = Box::pin(future(true));
        assert!(polled.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        drop(polled);
        assert_eq!(seen.get(), 1);
        let task = runtime.spawn(future(true));
        runtime.block_on(yield_now());
        let _ = runtime.block_on(task.cancel());
        // A task that was cancelled before its first poll has had no scope yet.
        assert!(seen.get() >= 1);
        let before = seen.get();
        runtime.block_on(runtime.spawn(future(false))).unwrap();
        assert_eq!(seen.get(), before + 1);
    });
}

#[test]
fn a_value_is_dropped_once_after_its_future_and_may_use_the_key() {
    on_each_flavour(|| async {
        let order = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
        let (first, second) = (order.clone(), order.clone());
        let value = OnDrop(Box::new(move || {
            assert!(NOISY.try_with(|_| ()).is_err()); // not borrowed either
            second.lock().unwrap().push("value");
        }) as Box<dyn FnMut() + Send>);
        let future_goes = OnDrop(move || first.lock().unwrap().push("future"));
        let mut scope = Box::pin(NOISY.scope(value, async move {
            let _future_goes = future_goes;
            pending::<()>().await
        }));
        assert!(futures::poll!(scope.as_mut()).is_pending());
        drop(scope);
        assert_eq!(*order.lock().unwrap(), ["future", "value"]);
    });
}

#[test]
fn misuse_is_a_panic_with_a_sentence_and_leaves_the_value() {
    let message = |f: &dyn Fn()| {
        let payload = catch_unwind(AssertUnwindSafe(f)).unwrap_err();
        payload
            .downcast_ref::<&str>()
            .map(|s| (*s).to_owned())
            .or_else(|| payload.downcast_ref::<String>().cloned())
    };
    assert!(message(&|| _ = NUMBER.get()).unwrap().contains("outside a scope"));
    NUMBER.sync_scope(1, || {
        let said = message(&|| NUMBER.with(|_| NUMBER.sync_scope(2, || ())));
        assert!(said.unwrap().contains("inside `LocalKey::with`"));
        assert_eq!(NUMBER.get(), 1);
        // Reading inside `with` is fine.
        assert_eq!(NUMBER.with(|outer| outer + NUMBER.get()), 2);
    });
}

#[test]
fn a_future_that_moves_between_threads_takes_its_value_along() {
    type Boxed = Pin<Box<dyn Future<Output = ()> + Send>>;
    let mut future: Boxed = Box::pin(NAME.scope("far".to_owned(), async {
        for _ in 0..4 {
            NAME.with(|name| assert_eq!(name, "far"));
            yield_now().await;
        }
    }));
    for round in 0..5 {
        let moved = std::thread::spawn(move || {
            let polled = future.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            assert!(NAME.try_with(|_| ()).is_err());
            assert_eq!(polled.is_ready(), round == 4);
            future
        });
        future = moved.join().unwrap();
    }
}

#[test]
fn a_value_outlives_a_future_that_was_never_polled() {
    let order = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let (first, second) = (order.clone(), order.clone());
    let value = OnDrop(Box::new(move || second.lock().unwrap().push("value")) as Box<_>);
    let future_goes = OnDrop(move || first.lock().unwrap().push("future"));
    drop(NOISY.scope(value, async move {
        let _future_goes = future_goes;
    }));
    assert_eq!(*order.lock().unwrap(), ["future", "value"]);
}

//! What the panic of a task does to its runtime, by policy.

use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use runtime::task::yield_now;
use runtime::time::sleep;
use runtime::{Runtime, UnhandledPanic};
use runtime_tests::rig::{
    Count, FLAVOURS, Flavour, LIMIT, OnDrop, each_flavour, status, wait_until, watchdog,
};

fn strict(flavour: Flavour) -> Runtime {
    flavour.builder().on_unhandled_panic(UnhandledPanic::ShutdownRuntime).build().unwrap()
}

/// Runs `test` on a runtime of each flavour that a panic shuts down.
fn each_strict(test: impl Fn(Runtime, Flavour)) {
    for flavour in FLAVOURS {
        let _watchdog = watchdog(&format!("{flavour:?}"));
        test(strict(flavour), flavour);
    }
}

/// What `block_on` says when it panics.
fn blocked_on<F: Future>(runtime: &Runtime, future: F) -> String {
    let ended = catch_unwind(AssertUnwindSafe(|| runtime.block_on(future)));
    let Err(payload) = ended else { panic!("`block_on` returned") };
    payload.downcast_ref::<&str>().map_or_else(|| "a value".to_owned(), |said| (*said).to_owned())
}

#[test]
fn by_default_a_panic_concerns_nobody_else() {
    each_flavour(|runtime, _| {
        runtime.block_on(async {
            runtime::spawn(async { panic!("on purpose") });
            yield_now().await;
            assert!(runtime::spawn(async { panic!("on purpose") }).await.is_err());
            assert_eq!(runtime::spawn(async { 7 }).await.unwrap(), 7);
        });
    });
}

#[test]
fn a_panic_ends_a_root_that_waits_for_something_else() {
    each_strict(|runtime, _| {
        let ended = Count::new();
        let (one, two) = (ended.on_drop(), ended.on_drop());
        let said = blocked_on(&runtime, async move {
            let _root = one;
            runtime::spawn(async move {
                let _other = two;
                pending::<()>().await
            });
            drop(runtime::spawn(async {
                sleep(Duration::from_millis(1)).await;
                panic!("on purpose")
            }));
            pending::<()>().await
        });
        assert!(said.contains("a task panicked"), "{said}");
        // Later ones, too, and new tasks are refused.
        assert!(blocked_on(&runtime, async {}).contains("a task panicked"));
        let refused = runtime.spawn(async {});
        assert!(futures::executor::block_on(refused).unwrap_err().is_cancelled());
        drop(runtime);
        assert_eq!(ended.get(), 2);
    });
}

#[test]
fn a_handle_that_is_awaited_makes_no_difference() {
    each_strict(|runtime, _| {
        let seen = Count::new();
        let counts = seen.clone();
        let said = blocked_on(&runtime, async move {
            let panics = runtime::spawn(async { panic!("on purpose") });
            if panics.await.is_err() {
                counts.add();
            }
        });
        assert!(said.contains("a task panicked"), "{said}");
        assert_eq!(seen.get(), 0);
    });
}

#[test]
fn everyone_in_block_on_is_told() {
    each_strict(|runtime, _| {
        let runtime = Arc::new(runtime);
        let inside = Count::new();
        let threads: Vec<_> = (0..6)
            .map(|_| {
                let (runtime, inside) = (Arc::clone(&runtime), inside.clone());
                thread::spawn(move || {
                    blocked_on(&runtime, async move {
                        inside.add();
                        pending::<()>().await
                    })
                })
            })
            .collect();
        wait_until("all are inside", || inside.get() == 6);
        drop(runtime.spawn(async { panic!("on purpose") }));
        for thread in threads {
            assert!(thread.join().unwrap().contains("a task panicked"));
        }
    });
}

#[test]
fn blocking_jobs_count_and_queued_ones_are_cancelled() {
    for flavour in [Flavour::CurrentThread, Flavour::MultiThread(2)] {
        let _watchdog = watchdog("");
        let mut builder = flavour.builder();
        builder.on_unhandled_panic(UnhandledPanic::ShutdownRuntime).max_blocking_threads(1);
        let runtime = builder.build().unwrap();
        let (go, gone) = mpsc::channel::<()>();
        drop(runtime.spawn_blocking(move || {
            gone.recv_timeout(LIMIT).unwrap();
            panic!("on purpose")
        }));
        let queued = runtime.spawn_blocking(|| ());
        go.send(()).unwrap();
        let said = blocked_on(&runtime, pending::<()>());
        assert!(said.contains("a task panicked"), "{said}");
        assert!(futures::executor::block_on(queued).unwrap_err().is_cancelled());
    }
}

#[test]
fn a_panic_of_the_root_or_inside_a_net_of_its_own_shuts_nothing_down() {
    each_strict(|runtime, _| {
        let said = blocked_on(&runtime, async { panic!("of the root") });
        assert_eq!(said, "of the root");
        let caught = runtime.spawn(async { catch_unwind(|| panic!("on purpose")).is_err() });
        assert!(runtime.block_on(caught).unwrap());
    });
}

#[test]
fn destructors_that_panic_count_and_those_of_the_shutdown_do_no_harm() {
    each_strict(|runtime, _| {
        let panics = || OnDrop(|| panic!("on purpose"));
        let said = blocked_on(&runtime, async move {
            for _ in 0..10 {
                let late = panics();
                runtime::spawn(async move {
                    let _late = late;
                    pending::<()>().await
                });
            }
            let first = panics();
            drop(runtime::spawn(async move {
                yield_now().await;
                drop(first);
            }));
            pending::<()>().await
        });
        assert!(said.contains("a task panicked"), "{said}");
    });
}

#[test]
fn dropping_the_runtime_afterwards_waits_for_its_threads() {
    runtime_tests::rig::alone(
        "life::panics::dropping_the_runtime_afterwards_waits_for_its_threads",
        || {
            let threads = status("Threads");
            for _ in 0..50 {
                let runtime = strict(Flavour::MultiThread(4));
                drop(runtime.spawn(async { panic!("on purpose") }));
                let _ = blocked_on(&runtime, pending::<()>());
                drop(runtime);
            }
            wait_until("the threads have ended", || status("Threads") == threads);
            // Nobody ever blocks on this one; the shutdown comes from a worker all the same.
            let runtime = strict(Flavour::MultiThread(2));
            let ended = Count::new();
            let token = ended.on_drop();
            drop(runtime.spawn(async move {
                let _token = token;
                pending::<()>().await
            }));
            drop(runtime.spawn(async { panic!("on purpose") }));
            wait_until("it has shut down", || ended.get() == 1);
            drop(runtime);
        },
    );
}

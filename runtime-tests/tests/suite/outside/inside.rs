//! `Handle::inside`: a future that is polled in a runtime, wherever it is awaited.

use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::thread;

use futures::executor::block_on;
use runtime::Handle;
use runtime::net::{UnixStream, lookup_host};
use runtime::task::yield_now;
use runtime::time::sleep;
use runtime_tests::rig::{Flavour, OnDrop, each_flavour, watchdog};

use super::{SHORT, outside};

fn is_inside() -> bool {
    Handle::try_current().is_ok()
}

#[test]
fn whatever_is_called_finds_the_runtime() {
    outside(async |handle| {
        let found = handle.inside(async {
            sleep(SHORT).await;
            runtime::spawn(yield_now()).await.unwrap();
            runtime::spawn_blocking(|| ()).await.unwrap();
            UnixStream::pair().unwrap();
            lookup_host("localhost:1").await.unwrap().count()
        });
        assert!(found.await > 0);
    });
}

#[test]
fn polls_and_destructors_are_inside_and_nothing_else() {
    let _watchdog = watchdog("");
    let runtime = Flavour::CurrentThread.build();
    let mut cx = Context::from_waker(Waker::noop());
    let (dropped, was_dropped) = std::sync::mpsc::channel();
    {
        let mut waits = pin!(runtime.handle().inside(async move {
            let _on_drop = OnDrop(move || dropped.send(is_inside()).unwrap());
            for _ in 0..3 {
                assert!(is_inside());
                futures::pending!();
            }
            pending::<()>().await
        }));
        for _ in 0..5 {
            assert!(waits.as_mut().poll(&mut cx).is_pending());
            assert!(!is_inside());
        }
        assert!(was_dropped.try_recv().is_err());
    }
    assert!(was_dropped.recv().unwrap());
    assert!(!is_inside());

    let (dropped, was_dropped) = std::sync::mpsc::channel();
    let panics = runtime.handle().inside(async move {
        let _on_drop = OnDrop(move || dropped.send(is_inside()).unwrap());
        panic!("on purpose")
    });
    assert!(catch_unwind(AssertUnwindSafe(|| block_on(panics))).is_err());
    assert!(was_dropped.recv().unwrap());
    assert!(!is_inside());
    assert_eq!(pin!(runtime.handle().inside(async { 7 })).poll(&mut cx), Poll::Ready(7));
}

#[test]
fn a_task_of_one_runtime_is_inside_another_one_as_long_as_it_says() {
    each_flavour(|runtime, _| {
        let named = |name: &'static str| {
            let mut builder = Flavour::MultiThread(1).builder();
            builder.thread_name(name).build().unwrap()
        };
        let (outer, inner) = (named("outer"), named("inner"));
        let here = || async {
            runtime::spawn(async { thread::current().name().unwrap().to_owned() }).await.unwrap()
        };
        let name = |handle: &Handle| {
            let of_job = handle.spawn_blocking(|| ());
            handle.inside(async move {
                of_job.await.unwrap();
                here().await
            })
        };
        let nested = outer.handle().inside({
            let inner = name(inner.handle());
            async move { (here().await, inner.await, here().await) }
        });
        let seen = runtime.block_on(runtime.spawn(nested)).unwrap();
        let begins = |name: &str, with: &str| assert!(name.starts_with(with), "{name}");
        begins(&seen.0, "outer");
        begins(&seen.1, "inner");
        begins(&seen.2, "outer");
    });
}

//! A runtime as a plain value: everything is made with a handle and awaited under a foreign executor, on
//! a thread that never enters the runtime.

mod inside;
mod net;
mod tasks;

use std::fs::remove_file;
use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use futures::channel::oneshot;
use futures::executor::block_on;
use runtime::fs::{File, OpenOptions};
use runtime::io::{Read, Write};
use runtime::time::{
    Instant, interval_at_in, interval_in, sleep_in, sleep_until_in, timeout_at_in, timeout_in,
};
use runtime::{Handle, Runtime};
use runtime_tests::rig::{FLAVOURS, Flavour, at_thread_exit, watchdog};

const SHORT: Duration = Duration::from_millis(5);

/// Runs `test` under another executor, on a thread that is in no runtime, once for each flavour.
/// Another thread drives those that need it.
fn outside(test: impl AsyncFn(&Handle)) {
    for flavour in FLAVOURS {
        let _watchdog = watchdog(&format!("{flavour:?}"));
        driven(flavour.build(), |handle| block_on(test(handle)));
    }
}

fn driven(runtime: Runtime, test: impl FnOnce(&Handle)) {
    assert!(Handle::try_current().is_err(), "the test's thread is in no runtime");
    let (stop, stopped) = oneshot::channel::<()>();
    let handle = runtime.handle().clone();
    let driver = thread::spawn(move || runtime.block_on(stopped));
    test(&handle);
    assert!(Handle::try_current().is_err(), "nor has it been left in one");
    stop.send(()).expect("the driver waits for it");
    driver.join().expect("the driver is well").expect("it was told to stop");
}

/// A path that no other test has.
fn path(name: &str) -> PathBuf {
    let name = format!("runtime-outside-{name}-{}", std::process::id());
    let path = std::env::temp_dir().join(name);
    let _ = remove_file(&path);
    path
}

#[test]
fn timers() {
    outside(async |handle| {
        let started = Instant::now_in(handle);
        sleep_in(SHORT, handle).await;
        assert!(Instant::now_in(handle) >= started + SHORT);
        let deadline = Instant::now_in(handle) + SHORT;
        sleep_until_in(deadline, handle).await;
        assert!(Instant::now_in(handle) >= deadline);

        let never = std::future::pending::<()>;
        timeout_in(SHORT, never(), handle).await.unwrap_err();
        timeout_at_in(Instant::now_in(handle) + SHORT, never(), handle).await.unwrap_err();
        assert_eq!(timeout_in(Duration::ZERO, async { 7 }, handle).await, Ok(7));
        assert_eq!(timeout_at_in(started, async { 8 }, handle).await, Ok(8));

        let mut ticks = interval_in(SHORT, handle);
        let first = ticks.tick().await;
        assert!(ticks.tick().await >= first + SHORT);
        let start = Instant::now_in(handle) + SHORT;
        let mut ticks = interval_at_in(start, SHORT, handle);
        assert_eq!(ticks.tick().await, start);
    });
    let runtime = Flavour::CurrentThread.build();
    let zero = AssertUnwindSafe(|| interval_in(Duration::ZERO, runtime.handle()));
    assert!(catch_unwind(zero).is_err());
}

#[test]
fn timers_go_by_the_clock_of_the_runtime() {
    let _watchdog = watchdog("");
    let runtime = Flavour::CurrentThread.builder().start_paused(true).build().unwrap();
    driven(runtime, |handle| {
        let hour = Duration::from_secs(3600);
        let started = Instant::now_in(handle);
        // It jumps, as everything in the runtime waits; also to what comes when it is falling asleep.
        for hours in 1..=1000 {
            block_on(sleep_in(hour, handle));
            assert_eq!(Instant::now_in(handle) - started, hours * hour);
        }
        block_on(sleep_until_in(started + 1001 * hour, handle));
        assert_eq!(Instant::now_in(handle) - started, 1001 * hour);
        assert!(Instant::now() < started + hour, "outside, the time is the system's");
    });
}

#[test]
fn files() {
    outside(async |handle| {
        let path = path("file");
        File::create_in(&path, handle).await.unwrap().write_all(b"one").await.unwrap();
        let mut appending = OpenOptions::new();
        let mut file = appending.append(true).open_in(&path, handle).await.unwrap();
        file.write_all(b"two").await.unwrap();
        file.flush().await.unwrap();

        let mut text = String::new();
        File::open_in(&path, handle).await.unwrap().read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "onetwo");
        let mut word = [0; 3];
        let std = std::fs::File::open(&path).unwrap();
        File::from_std_in(std, handle).unwrap().read_exact(&mut word).await.unwrap();
        assert_eq!(&word, b"one");
        remove_file(&path).unwrap();
        let gone = File::open_in(&path, handle).await;
        assert_eq!(gone.unwrap_err().kind(), ErrorKind::NotFound);
    });
}

#[test]
fn a_runtime_that_is_gone_refuses_and_its_timers_panic_when_polled() {
    for flavour in FLAVOURS {
        let _watchdog = watchdog(&format!("{flavour:?}"));
        let runtime = flavour.build();
        let handle = &runtime.handle().clone();
        drop(runtime);
        block_on(net::refused(handle));
        assert!(block_on(File::open_in("/dev/null", handle)).is_err());
        drop(sleep_in(SHORT, handle));
        drop(timeout_in(SHORT, async {}, handle));
        let polled = AssertUnwindSafe(|| block_on(sleep_in(SHORT, handle)));
        assert!(catch_unwind(polled).is_err());
        let immediate = timeout_in(SHORT, async { 7 }, handle);
        assert_eq!(block_on(immediate), Ok(7), "it is not asked for the time");
        block_on(tasks::refused(handle));
    }
}

#[test]
fn nothing_panics_in_destructors_of_thread_locals() {
    let _watchdog = watchdog("");
    let runtime = Flavour::MultiThread(1).build();
    let handle = runtime.handle().clone();
    let thread = thread::spawn(move || {
        // Before the runtime's own thread-locals, which are gone then.
        at_thread_exit(move || {
            drop(sleep_in(SHORT, &handle));
            drop(timeout_in(SHORT, async {}, &handle));
            let mut cx = Context::from_waker(Waker::noop());
            let opened = pin!(File::open_in("/dev/null", &handle)).poll(&mut cx);
            assert!(matches!(opened, Poll::Ready(Err(_))), "no runtime is entered");
            assert!(pin!(handle.inside(async {})).poll(&mut cx).is_ready());
        });
        assert!(Handle::try_current().is_err());
    });
    thread.join().unwrap();
}

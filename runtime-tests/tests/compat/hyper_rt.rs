//! Feature `hyper`: what hyper's own code relies on.

use std::future::poll_fn;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::rt::{Executor, Read, ReadBuf, Timer, Write};
use runtime::compat::{HyperExecutor, HyperTimer};
use runtime::io::duplex;
use runtime::{Builder, Runtime};

use super::Woken;

#[test]
fn reads_what_is_there_into_uninitialized_memory() {
    let (mut left, mut right) = duplex(64);
    let (_, waker) = Woken::new();
    let mut cx = Context::from_waker(&waker);
    assert!(matches!(Write::poll_write(Pin::new(&mut left), &mut cx, b"some"), Poll::Ready(Ok(4))));
    let mut memory = [MaybeUninit::uninit(); 3];
    let mut buf = ReadBuf::uninit(&mut memory);
    assert!(Read::poll_read(Pin::new(&mut right), &mut cx, buf.unfilled()).is_ready());
    assert_eq!(buf.filled(), b"som", "no more than there is room for, and nothing is lost");
    let mut memory = [MaybeUninit::uninit(); 3];
    let mut buf = ReadBuf::uninit(&mut memory);
    assert!(Read::poll_read(Pin::new(&mut right), &mut cx, buf.unfilled()).is_ready());
    assert_eq!(buf.filled(), b"e");
    assert!(Read::poll_read(Pin::new(&mut right), &mut cx, buf.unfilled()).is_pending());
}

#[test]
fn half_close_is_hypers_shutdown() {
    futures::executor::block_on(async {
        let (mut left, mut right) = duplex(64);
        poll_fn(|cx| Write::poll_shutdown(Pin::new(&mut left), cx)).await.unwrap();
        let mut byte = [0];
        assert_eq!(runtime::io::Read::read(&mut right, &mut byte).await.unwrap(), 0);
        runtime::io::Write::write_all(&mut right, b"!").await.unwrap();
        assert_eq!(runtime::io::Read::read(&mut left, &mut byte).await.unwrap(), 1);
    });
}

#[test]
fn the_timer_follows_a_clock_that_is_stopped() {
    let runtime = Builder::new_current_thread().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let start = HyperTimer.now();
        HyperTimer.sleep(Duration::from_secs(3600)).await;
        assert_eq!(HyperTimer.now() - start, Duration::from_secs(3600));
        HyperTimer.sleep_until(start).await;
        HyperTimer.sleep_until(start + Duration::from_secs(7200)).await;
        assert_eq!(HyperTimer.now() - start, Duration::from_secs(7200));
    });
}

#[test]
fn a_reset_keeps_its_memory_and_its_new_deadline() {
    let runtime = Builder::new_current_thread().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let start = HyperTimer.now();
        let mut sleep = HyperTimer.sleep(Duration::from_secs(5));
        let address =
            |sleep: &Pin<Box<dyn hyper::rt::Sleep>>| std::ptr::from_ref(&**sleep).cast::<()>();
        let before = address(&sleep);
        // Also one that waits already.
        let waits = poll_fn(|cx| Poll::Ready(sleep.as_mut().poll(cx).is_pending())).await;
        assert!(waits);
        HyperTimer.reset(&mut sleep, start + Duration::from_secs(60));
        assert_eq!(address(&sleep), before);
        sleep.await;
        assert_eq!(HyperTimer.now() - start, Duration::from_secs(60));
    });
}

#[test]
fn tasks_run_on_the_runtime_they_were_given_and_end_with_it() {
    let runtime = Runtime::new().unwrap();
    let executor = HyperExecutor::new(runtime.handle().clone());
    let (sender, receiver) = std::sync::mpsc::channel();
    executor.execute(async move { sender.send(runtime::Handle::try_current().is_ok()).unwrap() });
    assert!(receiver.recv().unwrap());

    drop(runtime);
    let (sender, receiver) = std::sync::mpsc::channel::<()>();
    executor.execute(async move { sender.send(()).unwrap() });
    assert!(receiver.recv().is_err(), "dropped without running");
}

//! A current-thread runtime that is driven from a foreign loop, `Runtime::turn`.

use std::future::pending;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream as StdStream;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier, mpsc};
use std::thread;
use std::time::Duration;

use futures::channel::oneshot;
use runtime::io::{Read, Write};
use runtime::net::TcpListener;
use runtime::task::yield_now;
use runtime::time::{Instant, sleep};
use runtime::{Builder, Runtime};
use runtime_tests::rig::{Count, Flavour, LIMIT, watchdog};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// The loop of a program that knows poll(2): waits for what the runtime says it waits for.
/// Whether the selector has a descriptor decides whether that is all. `done` is asked more than once
/// a round, so it must not take what it looks at.
fn until(runtime: &Runtime, done: impl Fn() -> bool) {
    while !done() {
        if runtime.turn(Some(Duration::ZERO)).unwrap() {
            continue;
        }
        if !done() {
            wait(runtime);
        }
    }
}

/// Whether a loop that waits for the descriptor would go on.
fn is_readable(runtime: &Runtime) -> bool {
    // SAFETY: the runtime lives, and its descriptor with it.
    let fd = unsafe { BorrowedFd::borrow_raw(runtime.as_raw_fd()) };
    let none = Timespec::try_from(Duration::ZERO).unwrap();
    poll(&mut [PollFd::from_borrowed_fd(fd, PollFlags::IN)], Some(&none)).unwrap() > 0
}

/// Until the descriptor is readable or the next timer is due.
fn wait(runtime: &Runtime) {
    let left = runtime.next_deadline().map(|at| at.saturating_duration_since(Instant::now()));
    let most = if runtime.as_raw_fd() < 0 { Duration::from_millis(1) } else { LIMIT };
    let timeout = Timespec::try_from(left.unwrap_or(most).min(most)).unwrap();
    if runtime.as_raw_fd() < 0 {
        poll(&mut [], Some(&timeout)).unwrap();
        return;
    }
    // SAFETY: the runtime lives, and its descriptor with it.
    let fd = unsafe { BorrowedFd::borrow_raw(runtime.as_raw_fd()) };
    poll(&mut [PollFd::from_borrowed_fd(fd, PollFlags::IN)], Some(&timeout)).unwrap();
}

fn current_thread() -> Runtime {
    Flavour::CurrentThread.build()
}

#[test]
fn tasks_timers_and_sockets_run_by_turns() {
    let _watchdog = watchdog("");
    let runtime = current_thread();
    let (address, listening) = mpsc::channel();
    let server = runtime.spawn(async move {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        address.send(listener.local_addr().unwrap()).unwrap();
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut buf = [0; 5];
        stream.read_exact(&mut buf).await.unwrap();
        sleep(Duration::from_millis(5)).await;
        stream.write_all(&buf).await.unwrap();
    });
    let client = thread::spawn(move || {
        let mut stream = StdStream::connect(listening.recv_timeout(LIMIT).unwrap()).unwrap();
        stream.write_all(b"hello").unwrap();
        let mut echo = String::new();
        stream.read_to_string(&mut echo).unwrap();
        echo
    });
    until(&runtime, || server.is_finished());
    assert_eq!(client.join().unwrap(), "hello");
}

#[test]
fn a_spawn_and_a_wake_of_another_thread_make_the_descriptor_readable() {
    let _watchdog = watchdog("");
    let runtime = current_thread();
    for round in 0..200 {
        let count = Count::new();
        let (sender, receiver) = oneshot::channel();
        let (ended, end) = mpsc::channel();
        let at_once = round % 2 == 0;
        let waiting = runtime.spawn(async move { receiver.await.unwrap() });
        assert!(!runtime.turn(Some(Duration::ZERO)).unwrap() || !at_once || round > 0);
        let handle = runtime.handle().clone();
        let counted = count.clone();
        let other = thread::spawn(move || {
            sender.send(round).unwrap();
            let ended = ended.clone();
            handle.spawn(async move {
                let _counts = counted.on_drop();
                ended.send(()).unwrap();
            });
        });
        until(&runtime, || waiting.is_finished() && count.get() == 1);
        other.join().unwrap();
        end.recv_timeout(LIMIT).unwrap();
        assert_eq!(runtime.block_on(waiting).unwrap(), round);
    }
}

#[test]
fn an_earlier_timer_of_another_thread_ends_the_wait() {
    let _watchdog = watchdog("");
    let runtime = current_thread();
    runtime.spawn(async { sleep(LIMIT * 100).await });
    while runtime.turn(Some(Duration::ZERO)).unwrap() {}
    let handle = runtime.handle().clone();
    let ended = Count::new();
    let counted = ended.clone();
    let other = thread::spawn(move || {
        let inside = handle.enter();
        futures::executor::block_on(sleep(Duration::from_millis(2)));
        counted.add();
        drop(inside);
        handle.spawn(async {}); // so that the loop looks
    });
    let started = Instant::now();
    until(&runtime, || ended.get() == 1 || started.elapsed() > LIMIT / 2);
    assert_eq!(ended.get(), 1);
    other.join().unwrap();
}

#[test]
fn a_turn_without_work_waits_no_longer_than_it_is_told() {
    let _watchdog = watchdog("");
    let runtime = current_thread();
    assert!(!runtime.turn(Some(Duration::ZERO)).unwrap());
    let started = Instant::now();
    assert!(!runtime.turn(Some(Duration::from_millis(20))).unwrap());
    assert!(started.elapsed() >= Duration::from_millis(19), "{:?}", started.elapsed());
    // A wake-up of another thread ends the wait.
    let (sender, receiver) = oneshot::channel::<()>();
    let waiting = runtime.spawn(async move { receiver.await.unwrap() });
    runtime.turn(Some(Duration::ZERO)).unwrap();
    let other = thread::spawn(move || sender.send(()).unwrap());
    while !waiting.is_finished() {
        runtime.turn(None).unwrap();
    }
    other.join().unwrap();
}

#[test]
fn a_turn_is_bounded_and_says_that_there_is_more() {
    let _watchdog = watchdog("");
    let runtime = Builder::new_current_thread().event_interval(32).build().unwrap();
    let forever = runtime.spawn(async {
        loop {
            yield_now().await;
        }
    });
    for _ in 0..100 {
        assert!(runtime.turn(None).unwrap());
    }
    // Who looks at the descriptor only is told as well.
    wait(&runtime);
    forever.abort();
    until(&runtime, || forever.is_finished());
}

#[test]
fn block_on_and_turns_take_turns() {
    let _watchdog = watchdog("");
    let runtime = current_thread();
    let (sender, receiver) = oneshot::channel();
    let waiting = runtime.spawn(async move { receiver.await.unwrap() });
    while runtime.turn(Some(Duration::ZERO)).unwrap() {}
    // What block_on leaves behind is seen by the loop.
    runtime.block_on(async { drop(runtime::spawn(async move { sender.send(5).unwrap() })) });
    until(&runtime, || waiting.is_finished());
    assert_eq!(runtime.block_on(waiting).unwrap(), 5);
}

/// A visitor takes out of the driver what told the loop of the visitor before.
#[test]
fn every_block_on_leaves_word_for_the_loop() {
    let _watchdog = watchdog("");
    let runtime = current_thread();
    if runtime.as_raw_fd() < 0 {
        return;
    }
    while runtime.turn(Some(Duration::ZERO)).unwrap() {}
    assert!(!is_readable(&runtime));
    for _ in 0..3 {
        runtime.block_on(async { sleep(Duration::from_millis(1)).await });
        assert!(is_readable(&runtime));
    }
    while runtime.turn(Some(Duration::ZERO)).unwrap() {}
    assert!(!is_readable(&runtime));
    let handle = runtime.handle().clone();
    thread::spawn(move || drop(handle.spawn(async {}))).join().unwrap();
    assert!(is_readable(&runtime));
}

/// Who ends a turn must not put itself in the place of who has just begun to drive.
#[test]
fn who_drives_after_a_turn_hears_of_every_wake_up() {
    let _watchdog = watchdog("");
    let runtime = current_thread();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let (runtime, done) = (&runtime, &done);
        scope.spawn(move || {
            while !done.load(Ordering::Relaxed) {
                let _busy_at_times = runtime.turn(Some(Duration::ZERO));
            }
        });
        let (ask, asked) = mpsc::channel::<oneshot::Sender<()>>();
        scope.spawn(move || {
            while let Ok(sender) = asked.recv() {
                let _ = sender.send(());
            }
        });
        for _ in 0..5_000 {
            runtime.block_on(async {
                let ask = ask.clone();
                runtime::spawn(async move {
                    for _ in 0..3 {
                        let (sender, receiver) = oneshot::channel();
                        ask.send(sender).unwrap();
                        receiver.await.unwrap();
                    }
                })
                .await
                .unwrap();
            });
        }
        done.store(true, Ordering::Relaxed);
    });
}

#[test]
fn one_thread_drives_at_a_time() {
    let _watchdog = watchdog("");
    let runtime = current_thread();
    let (inside, outside) = (Arc::new(Barrier::new(2)), Arc::new(Barrier::new(2)));
    thread::scope(|scope| {
        let (entered, left) = (Arc::clone(&inside), Arc::clone(&outside));
        let runtime = &runtime;
        scope.spawn(move || {
            runtime.block_on(async {
                entered.wait();
                left.wait();
            });
        });
        inside.wait();
        let refused = runtime.turn(None).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ResourceBusy);
        outside.wait();
    });
    runtime.turn(Some(Duration::ZERO)).unwrap();
}

#[test]
fn a_bystander_takes_over_from_a_turn() {
    let _watchdog = watchdog("");
    let runtime = current_thread();
    for _ in 0..100 {
        let (sender, receiver) = oneshot::channel();
        thread::scope(|scope| {
            let runtime = &runtime;
            let other = scope.spawn(move || runtime.block_on(async { receiver.await.unwrap() }));
            // Whoever drives, the task runs.
            runtime.spawn(async move { sender.send(()).unwrap() });
            while !other.is_finished() {
                let _busy_at_times = runtime.turn(Some(Duration::from_millis(1)));
            }
        });
    }
}

#[test]
fn dropping_the_runtime_between_two_turns_drops_its_tasks_here() {
    let _watchdog = watchdog("");
    let runtime = current_thread();
    let count = Count::new();
    for _ in 0..10 {
        let counted = count.clone();
        runtime.spawn(async move {
            let _counts = counted.on_drop();
            pending::<()>().await;
        });
    }
    runtime.turn(Some(Duration::ZERO)).unwrap();
    let handle = runtime.handle().clone();
    drop(runtime);
    assert_eq!(count.get(), 10);
    assert!(futures::executor::block_on(handle.spawn(async {})).unwrap_err().is_cancelled());
}

#[test]
fn on_a_paused_clock_a_turn_that_may_wait_jumps() {
    let _watchdog = watchdog("");
    let runtime = Builder::new_current_thread().start_paused(true).build().unwrap();
    let task = runtime.spawn(async { sleep(Duration::from_secs(3600)).await });
    while !task.is_finished() {
        runtime.turn(None).unwrap();
    }
}

#[test]
fn misuse_panics_with_advice() {
    let _watchdog = watchdog("");
    let threads = Flavour::MultiThread(1).build();
    let panic = catch_unwind(AssertUnwindSafe(|| threads.turn(None))).unwrap_err();
    assert!(panic.downcast_ref::<&str>().unwrap().contains("new_current_thread"));
    let (outer, inner) = (current_thread(), current_thread());
    outer.block_on(async {
        let panic = catch_unwind(AssertUnwindSafe(|| inner.turn(None))).unwrap_err();
        assert!(panic.downcast_ref::<String>().unwrap().contains("`turn` was called"));
    });
}

#[test]
fn a_task_that_panics_leaves_the_loop_alone() {
    let _watchdog = watchdog("");
    let runtime = current_thread();
    let task = runtime.spawn(async { panic!("on purpose") });
    until(&runtime, || task.is_finished());
    assert!(runtime.block_on(task).unwrap_err().is_panic());
}

//! Scenarios C of the list of what bit others: the life of a runtime.
//!
//! C04, C05 and C07 are in `contracts` (6), C23 in `attributes`, signals in `life`. Not here: C14 (a fork
//! without exec is not supported).

use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;
use std::sync::{Arc, Mutex, mpsc};
use std::task::Waker;
use std::thread;
use std::time::{Duration, Instant};

use futures::channel::oneshot;
use runtime::io::{Read, Write};
use runtime::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use runtime::task::yield_now;
use runtime::time::sleep;
use runtime::{Builder, Handle, Runtime};
use runtime_tests::rig::{
    Count, FLAVOURS, Flavour, LIMIT, OnDrop, alone, alone_under, at_thread_exit, each_flavour,
    open_files, status, wait_until, watchdog, watchdog_for,
};

#[test]
fn c03_destructors_may_use_the_runtime_during_its_shutdown() {
    for flavour in FLAVOURS {
        let _watchdog = watchdog("");
        let runtime = flavour.build();
        let ends = Count::new();
        for use_ in 0..6 {
            let ended = ends.clone();
            let token = OnDrop(move || {
                // Refused or cancelled, or a panic that is contained: never the end of the process.
                let _counts = ended.on_drop();
                match use_ {
                    0 => drop(runtime::spawn(async {})),
                    1 => drop(runtime::spawn_blocking(|| ())),
                    2 => drop(futures::executor::block_on(async {
                        futures::poll!(Box::pin(sleep(Duration::from_millis(1))))
                    })),
                    3 => drop(futures::executor::block_on(async {
                        futures::poll!(Box::pin(TcpStream::connect("127.0.0.1:1")))
                    })),
                    4 => drop(UnixStream::pair()),
                    _ => drop(catch_unwind(|| Handle::current().block_on(async {}))),
                }
            });
            runtime.spawn(async move {
                let _token = token;
                pending::<()>().await
            });
        }
        runtime.block_on(yield_now());
        drop(runtime);
        assert_eq!(ends.get(), 6, "{flavour:?}");
    }
}

#[test]
fn c06_who_drives_a_current_thread_runtime_hands_over_when_it_leaves() {
    let _watchdog = watchdog_for("", 3 * LIMIT);
    for _ in 0..3 {
        let runtime = Arc::new(Flavour::CurrentThread.build());
        let threads: Vec<_> = (0..8_u64)
            .map(|i| {
                let runtime = Arc::clone(&runtime);
                thread::spawn(move || {
                    // Whoever came first leaves first; each needs the driver until it leaves.
                    let handle = runtime.handle();
                    handle.block_on(async {
                        let task = runtime::spawn(async move {
                            for _ in 0..=i {
                                sleep(Duration::from_millis(2)).await;
                                yield_now().await;
                            }
                            i
                        });
                        sleep(Duration::from_millis(i)).await;
                        assert_eq!(task.await.unwrap(), i);
                    });
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
    }
}

#[test]
fn c06_a_root_that_panics_hands_over_too() {
    let _watchdog = watchdog("");
    let runtime = Arc::new(Flavour::CurrentThread.build());
    let (sits, sat) = mpsc::channel();
    let (panic, told) = oneshot::channel::<()>();
    let first = {
        let runtime = Arc::clone(&runtime);
        thread::spawn(move || {
            runtime.block_on(async {
                sits.send(()).unwrap();
                told.await.unwrap();
                panic!("on purpose");
            });
        })
    };
    sat.recv_timeout(LIMIT).unwrap();
    let second = {
        let runtime = Arc::clone(&runtime);
        thread::spawn(move || {
            runtime.block_on(async {
                panic.send(()).unwrap();
                runtime::spawn(sleep(Duration::from_millis(20))).await.unwrap();
            });
        })
    };
    assert!(first.join().is_err());
    second.join().unwrap();
}

#[test]
fn c07_block_on_after_the_runtime_is_gone_ends() {
    for flavour in FLAVOURS {
        let _watchdog = watchdog("");
        let runtime = flavour.build();
        let handle = runtime.handle().clone();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let (mut stream, _other) = runtime.block_on(async { UnixStream::pair().unwrap() });
        drop(runtime);
        let slept =
            catch_unwind(AssertUnwindSafe(|| handle.block_on(async { sleep(LIMIT).await })));
        assert!(slept.is_err());
        assert!(handle.block_on(listener.accept()).is_err());
        assert!(handle.block_on(stream.read(&mut [0])).is_err());
        assert_eq!(handle.block_on(async { 7 }), 7);
    }
}

#[test]
fn c07_block_on_while_the_runtime_goes_ends() {
    for flavour in FLAVOURS {
        for what in ["sleep", "accept", "read", "join", "job"] {
            let _watchdog = watchdog(&format!("{flavour:?}, {what}"));
            let runtime = flavour.build();
            let handle = runtime.handle().clone();
            let (began, begun) = mpsc::channel();
            let waits = thread::spawn(move || {
                catch_unwind(AssertUnwindSafe(|| {
                    handle.block_on(async {
                        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                        let (mut stream, _other) = UnixStream::pair().unwrap();
                        let task = runtime::spawn(pending::<()>());
                        let sleep = sleep(10 * LIMIT);
                        began.send(()).unwrap();
                        match what {
                            "sleep" => sleep.await,
                            "accept" => assert!(listener.accept().await.is_err()),
                            "read" => assert!(stream.read(&mut [0]).await.is_err()),
                            "join" => assert!(task.await.unwrap_err().is_cancelled()),
                            _ => {
                                // Queued or refused, depending on who is first.
                                let _ = runtime::spawn_blocking(|| ()).await;
                            }
                        }
                    });
                }))
            });
            begun.recv_timeout(LIMIT).unwrap();
            drop(runtime);
            let ended = waits.join().unwrap();
            assert!(ended.is_ok() || what == "sleep");
        }
    }
}

#[test]
fn c08_enter_guards_nest_and_complain_about_a_wrong_order() {
    let (one, two) = (Flavour::CurrentThread.build(), Flavour::MultiThread(1).build());
    /// Whether a task that is spawned now runs on the multi-thread one.
    fn on_a_worker() -> bool {
        let (give, take) = mpsc::channel();
        let task = runtime::spawn(async move {
            give.send(thread::current().name() == Some("runtime-worker")).unwrap();
        });
        let worker = take.recv_timeout(Duration::from_millis(500)).unwrap_or(false);
        task.abort();
        worker
    }
    let _watchdog = watchdog("");
    {
        let _one = one.enter();
        {
            let _two = two.enter();
            assert!(on_a_worker());
            let again = two.enter();
            drop(again);
            assert!(on_a_worker());
        }
        assert!(!on_a_worker());
    }
    assert!(Handle::try_current().is_err());
    thread::scope(|scope| {
        scope.spawn(|| {
            let first = one.enter();
            let second = two.enter();
            let wrong = catch_unwind(AssertUnwindSafe(|| drop(first)));
            let payload = wrong.expect_err("the thread would be left in the wrong runtime");
            let message = payload.downcast_ref::<&str>().expect("a message");
            assert!(message.contains("reverse order"), "{message}");
            let _ = catch_unwind(AssertUnwindSafe(|| drop(second)));
        });
    });
    assert!(Handle::try_current().is_err());
    // Over a `block_on`: it restores what it found.
    let _two = two.enter();
    one.block_on(async { assert!(Handle::try_current().is_ok()) });
    assert!(on_a_worker());
}

#[test]
fn c11_wakers_may_be_called_in_destructors_of_thread_locals() {
    each_flavour(|runtime, flavour| {
        for by_value in [true, false] {
            let waker = Arc::new(Mutex::new(None::<Waker>));
            let kept = Arc::clone(&waker);
            let mut polled = false;
            let task = runtime.spawn(std::future::poll_fn(move |cx| {
                if std::mem::replace(&mut polled, true) {
                    return std::task::Poll::Ready(());
                }
                *kept.lock().unwrap() = Some(cx.waker().clone());
                std::task::Poll::Pending
            }));
            runtime.block_on(async {
                while waker.lock().unwrap().is_none() {
                    yield_now().await;
                }
            });
            let mut waker = waker.lock().unwrap().take();
            let handle = runtime.handle().clone();
            thread::spawn(move || {
                at_thread_exit(move || {
                    let waker = waker.take().unwrap();
                    if by_value { waker.wake() } else { waker.wake_by_ref() }
                });
                // So that the thread-locals of the runtime are younger, and gone by then.
                drop(handle.enter());
                if flavour != Flavour::CurrentThread {
                    handle.block_on(yield_now());
                }
            })
            .join()
            .unwrap();
            runtime.block_on(task).unwrap();
        }
    });
}

#[test]
fn c12_runtimes_made_and_dropped_leave_nothing_behind() {
    alone("scenarios_c::c12_runtimes_made_and_dropped_leave_nothing_behind", || {
        let _watchdog = watchdog_for("", 6 * LIMIT);
        let life = |flavour: Flavour| {
            let runtime = flavour.build();
            runtime.block_on(async {
                let task = runtime::spawn(yield_now());
                runtime::spawn(pending::<()>());
                runtime::spawn_blocking(|| ()).await.unwrap();
                let (one, _two) = UnixStream::pair().unwrap();
                drop(one);
                task.await.unwrap();
            });
        };
        for (flavour, times) in [(Flavour::CurrentThread, 3_000), (Flavour::MultiThread(2), 800)] {
            for _ in 0..200 {
                life(flavour);
            }
            wait_until("threads have ended", || status("Threads") <= 3);
            let (files, memory) = (open_files(), status("VmRSS"));
            for _ in 0..times {
                life(flavour);
            }
            // A thread that has done all it had to do may take a moment to go, and with it what it
            // holds last.
            wait_until("threads have ended", || status("Threads") <= 3);
            assert_eq!(open_files(), files, "{flavour:?}");
            let grown = status("VmRSS").saturating_sub(memory);
            assert!(grown < 3 * 1024, "{flavour:?}: {grown} KiB");
        }
    });
}

#[test]
fn c13_a_child_inherits_nothing() {
    alone("scenarios_c::c13_a_child_inherits_nothing", || {
        let inherited = || {
            let output = Command::new("ls").arg("/proc/self/fd").output().unwrap();
            String::from_utf8(output.stdout).unwrap()
        };
        let (nothing, before) = (inherited(), open_files());
        let runtime = Flavour::MultiThread(2).build();
        let _files = runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let path = std::env::temp_dir().join(format!("c13-{}", std::process::id()));
            let unix = UnixListener::bind(&path).unwrap();
            let mut files = Vec::new();
            for _ in 0..25 {
                let client = TcpStream::connect(address).await.unwrap();
                let (served, _) = listener.accept().await.unwrap();
                files.push((client, served, UnixStream::pair().unwrap()));
            }
            let client = UnixStream::connect(&path).await.unwrap();
            let (served, _) = unix.accept().await.unwrap();
            std::fs::remove_file(&path).unwrap();
            (files, listener, unix, client, served)
        });
        assert!(open_files() > before + 75);
        // What whoever started this process left open is none of our business.
        assert_eq!(inherited(), nothing);
    });
}

#[test]
fn c15_shutdown_with_a_limit_and_a_stuck_job_is_on_time() {
    for flavour in [Flavour::CurrentThread, Flavour::MultiThread(2)] {
        for limit in [Duration::ZERO, Duration::from_nanos(1), Duration::from_millis(20)] {
            let _watchdog = watchdog("");
            let runtime = flavour.build();
            let (release, released) = mpsc::channel::<()>();
            let (began, begun) = mpsc::channel();
            runtime.spawn_blocking(move || {
                began.send(()).unwrap();
                let _ = released.recv_timeout(LIMIT);
            });
            begun.recv_timeout(LIMIT).unwrap();
            let started = Instant::now();
            runtime.shutdown_timeout(limit);
            assert!(started.elapsed() < limit + LIMIT / 2, "{:?}", started.elapsed());
            drop(release);
        }
        // A limit that does not end, with a job that does.
        let _watchdog = watchdog("");
        let runtime = flavour.build();
        let job = runtime.spawn_blocking(thread::yield_now);
        runtime.shutdown_timeout(Duration::MAX);
        let _ = futures::executor::block_on(job);
    }
}

#[test]
fn c15_shutdown_with_a_limit_and_a_stuck_task_is_on_time() {
    let _watchdog = watchdog("");
    let runtime = Flavour::MultiThread(1).build();
    let (release, released) = mpsc::channel::<()>();
    let (began, begun) = mpsc::channel();
    let stuck = runtime.spawn(async move {
        began.send(()).unwrap();
        let _ = released.recv_timeout(LIMIT);
        7
    });
    begun.recv_timeout(LIMIT).unwrap();
    let started = Instant::now();
    runtime.shutdown_timeout(Duration::from_millis(20));
    assert!(started.elapsed() < LIMIT / 2);
    drop(release);
    assert_eq!(futures::executor::block_on(stuck).unwrap(), 7);
}

#[test]
fn c16_two_runtimes_joined_by_a_pipe_either_dropped_first() {
    for (left, right) in [
        (Flavour::CurrentThread, Flavour::MultiThread(2)),
        (Flavour::MultiThread(2), Flavour::CurrentThread),
    ] {
        let _watchdog = watchdog("");
        let (left, right) = (left.build(), right.build());
        let (mut ours, mut theirs) = runtime::io::duplex(64);
        left.spawn(async move {
            let mut buf = [0; 16];
            while ours.read(&mut buf).await.unwrap() > 0 {}
        });
        let (began, begun) = oneshot::channel();
        let reader = right.spawn(async move {
            theirs.write_all(b"hello").await.unwrap();
            began.send(()).unwrap();
            let read = theirs.read(&mut [0]).await.unwrap();
            let written = theirs.write(b"more").await.unwrap_err();
            (read, written.kind())
        });
        right.block_on(begun).unwrap();
        drop(left);
        let seen = right.block_on(reader).unwrap();
        assert_eq!(seen, (0, std::io::ErrorKind::BrokenPipe));
    }
}

#[test]
fn c17_a_build_that_cannot_have_all_its_threads_is_an_error_and_leaves_nothing() {
    let limited = ["sh", "-c", "ulimit -v 4000000; exec \"$0\" \"$@\""];
    alone_under(
        &limited,
        "scenarios_c::c17_a_build_that_cannot_have_all_its_threads_is_an_error_and_leaves_nothing",
        || {
            let _watchdog = watchdog("");
            let build = |workers| {
                let mut builder = Builder::new_multi_thread();
                builder.worker_threads(workers).thread_stack_size(1 << 29).build()
            };
            drop(build(1).unwrap());
            let (files, threads) = (open_files(), status("Threads"));
            for _ in 0..5 {
                assert!(build(64).is_err(), "32 GiB of stacks were to be had of 4");
                assert_eq!(open_files(), files);
                wait_until("its threads have ended", || status("Threads") == threads);
            }
            drop(build(2).unwrap());
        },
    );
}

#[test]
fn c18_a_root_future_that_panics_leaves_a_usable_runtime() {
    each_flavour(|runtime, _| {
        let task = runtime.spawn(async {
            sleep(Duration::from_millis(1)).await;
            7
        });
        for _ in 0..3 {
            let panicked = catch_unwind(AssertUnwindSafe(|| {
                runtime.block_on(async {
                    runtime::spawn(async {});
                    yield_now().await;
                    panic!("on purpose")
                })
            }));
            assert!(panicked.is_err());
            assert!(Handle::try_current().is_err());
            assert!(runtime::task::coop::has_budget_remaining());
        }
        assert_eq!(runtime.block_on(task).unwrap(), 7);
    });
}

#[test]
fn c22_a_process_ends_promptly_whatever_runs() {
    for how in ["exit", "return"] {
        let started = Instant::now();
        let test = "scenarios_c::c22_in_a_process_of_its_own";
        let me = std::env::current_exe().unwrap();
        let arguments = [test, "--exact", "--ignored", "--nocapture"];
        let status = Command::new(me).args(arguments).env("C22", how).output().unwrap().status;
        assert_eq!(status.code(), Some(if how == "exit" { 42 } else { 0 }), "{status}");
        assert!(started.elapsed() < LIMIT);
    }
}

#[test]
#[ignore = "it ends its process: c22_a_process_ends_promptly_whatever_runs runs it"]
fn c22_in_a_process_of_its_own() {
    let Ok(how) = std::env::var("C22") else { return };
    let runtime = Flavour::MultiThread(2).build();
    for _ in 0..100 {
        runtime.spawn(async {
            loop {
                yield_now().await;
            }
        });
    }
    let (release, released) = mpsc::channel::<()>();
    runtime.spawn_blocking(move || _ = released.recv());
    std::mem::forget(release);
    if how == "exit" {
        let _ = runtime.block_on(runtime.spawn(async { std::process::exit(42) }));
    }
    std::mem::forget(runtime); // as if in a static: the test returns, and so does the process
}

#[test]
fn c24_the_last_owner_may_be_a_blocking_job_or_a_task() {
    for flavour in FLAVOURS {
        let _watchdog = watchdog(&format!("{flavour:?}"));
        let runtime: Arc<Runtime> = Arc::new(flavour.build());
        let gone = Count::new();
        let token = gone.on_drop();
        runtime.spawn(async move {
            let _token = token;
            pending::<()>().await
        });
        let (release, released) = mpsc::channel::<()>();
        let held = Arc::clone(&runtime);
        let job = runtime.spawn_blocking(move || {
            released.recv_timeout(LIMIT).unwrap();
            drop(held); // waits for the workers, but not for the thread that it is on
        });
        drop(runtime);
        assert_eq!(gone.get(), 0);
        release.send(()).unwrap();
        futures::executor::block_on(job).unwrap();
        assert_eq!(gone.get(), 1);
    }
}

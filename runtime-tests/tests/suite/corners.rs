//! Corners where the executor, the blocking pool, the clock and the user's hooks meet.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, mpsc};
use std::task::{Context, Poll};
use std::time::Duration;

use runtime::io::{Read, Write};
use runtime::net::{TcpListener, TcpStream};
use runtime::{Handle, Runtime, time};

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn paused() -> Runtime {
    runtime::Builder::new_current_thread().start_paused(true).build().expect("a runtime")
}

/// Fails if `f` takes longer than ten seconds, instead of hanging.
fn never_hangs(f: impl FnOnce() + Send + 'static) {
    let (done, finished) = mpsc::channel::<()>();
    let thread = std::thread::spawn(move || {
        let _done = done;
        f();
    });
    match finished.recv_timeout(Duration::from_secs(10)) {
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("it hangs"),
        _ => thread.join().unwrap_or_else(|payload| std::panic::resume_unwind(payload)),
    }
}

/// Blocking work keeps a paused clock from jumping, but its end lets it jump, also if nobody waits
/// for the job.
#[test]
fn a_paused_clock_jumps_once_a_detached_blocking_job_is_done() {
    never_hangs(|| {
        paused().block_on(async {
            drop(runtime::spawn_blocking(|| std::thread::sleep(ms(50))));
            time::sleep(Duration::from_secs(3600)).await;
        });
    });
}

/// The same right after a job was awaited: its thread may not have put it away yet.
#[test]
fn a_paused_clock_jumps_after_an_awaited_blocking_job() {
    never_hangs(|| {
        paused().block_on(async {
            for _ in 0..2000 {
                runtime::spawn_blocking(|| ()).await.unwrap();
                time::sleep(Duration::from_secs(1)).await;
            }
        });
    });
}

/// While it cannot jump, the thread sleeps.
#[cfg(target_os = "linux")]
#[test]
fn a_paused_runtime_that_waits_takes_no_processor_time() {
    let used = || -> u64 {
        let stat = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux has it");
        stat.split(' ').next().and_then(|nanos| nanos.parse().ok()).expect("a number")
    };
    let runtime = paused();
    let before = used();
    runtime.block_on(async {
        runtime::spawn_blocking(|| std::thread::sleep(ms(1000))).await.unwrap();
    });
    let used = Duration::from_nanos(used() - before);
    assert!(used < ms(100), "{used:?} of 1 s");
}

/// A hook that schedules a task at each park keeps its worker from ever sleeping, but not from I/O.
#[test]
fn a_park_hook_that_schedules_work_does_not_keep_the_driver_from_being_polled() {
    never_hangs(|| {
        static HANDLE: OnceLock<Handle> = OnceLock::new();
        static DONE: AtomicBool = AtomicBool::new(false);
        let runtime = runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .on_thread_park(|| {
                if let Some(handle) = HANDLE.get()
                    && runtime::task::try_id().is_none()
                    && std::thread::current().name() == Some("runtime-worker")
                    && !DONE.load(Ordering::Relaxed)
                {
                    drop(handle.spawn(async {}));
                }
            })
            .build()
            .unwrap();
        HANDLE.set(runtime.handle().clone()).unwrap();
        let (done, finished) = mpsc::channel();
        runtime.spawn(async move {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
            let (mut server, _) = listener.accept().await.unwrap();
            let echo = runtime::spawn(async move {
                let mut byte = [0];
                for _ in 0..100 {
                    server.read_exact(&mut byte).await.unwrap();
                    server.write_all(&byte).await.unwrap();
                }
            });
            let mut byte = [0];
            for _ in 0..100 {
                client.write_all(&byte).await.unwrap();
                client.read_exact(&mut byte).await.unwrap();
            }
            echo.await.unwrap();
            done.send(()).unwrap();
        });
        // Nobody is inside `block_on`: the only worker is the only one to poll the driver.
        let result = finished.recv_timeout(Duration::from_secs(8));
        DONE.store(true, Ordering::Relaxed);
        result.expect("the sockets starve");
    });
}

/// A current-thread runtime that is dropped runs destructors on the thread that drops it. One that
/// blocks on the runtime is told so, as it would be on a worker, and does not wait for itself.
#[test]
fn a_destructor_that_blocks_on_its_dying_runtime_panics_with_advice() {
    struct Blocks(Handle, Arc<Mutex<Option<String>>>);
    impl Future for Blocks {
        type Output = ();
        fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
            Poll::Pending
        }
    }
    impl Drop for Blocks {
        fn drop(&mut self) {
            let handle = self.0.clone();
            let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                handle.block_on(async { time::sleep(ms(10)).await });
            }));
            *self.1.lock().unwrap() =
                caught.err().and_then(|p| p.downcast::<String>().ok().map(|s| *s));
        }
    }
    let told = Arc::new(Mutex::new(None));
    let theirs = Arc::clone(&told);
    never_hangs(move || {
        let runtime = runtime::Builder::new_current_thread().build().unwrap();
        runtime.spawn(Blocks(runtime.handle().clone(), theirs));
        runtime.block_on(runtime::task::yield_now());
        drop(runtime);
    });
    let told = told.lock().unwrap().take().expect("it panics");
    assert!(told.contains("block_on"), "{told}");
}

/// A task that the guest has in hand, in its first poll, is in no list: shutdown waits for it too.
#[test]
fn dropping_a_pool_waits_for_the_task_that_block_on_is_polling() {
    struct Last(Arc<AtomicBool>);
    impl Drop for Last {
        fn drop(&mut self) {
            self.0.store(true, Ordering::SeqCst);
        }
    }
    never_hangs(|| {
        let runtime = runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
        let dropped = Arc::new(AtomicBool::new(false));
        let (started, begun) = mpsc::channel();
        let (handle, last) = (runtime.handle().clone(), Last(Arc::clone(&dropped)));
        // The only worker is busy, so that the guest keeps its task.
        let (release, released) = mpsc::channel::<()>();
        let (worker_started, worker_busy) = mpsc::channel();
        runtime.spawn(async move {
            worker_started.send(()).unwrap();
            let _ = released.recv();
        });
        worker_busy.recv().unwrap();
        let guest = std::thread::spawn(move || {
            handle.block_on(async move {
                let task = runtime::spawn(async move {
                    started.send(()).unwrap();
                    std::thread::sleep(ms(300));
                    let _last = last;
                    std::future::pending::<()>().await;
                });
                assert!(task.await.unwrap_err().is_cancelled());
            });
        });
        begun.recv().unwrap();
        drop(release);
        drop(runtime);
        assert!(dropped.load(Ordering::SeqCst), "the runtime is gone and its task is not");
        guest.join().unwrap();
    });
}

/// A waker that panics, with a payload whose destructor panics, costs nobody else a wake-up.
#[runtime::test(start_paused = true)]
async fn advancing_survives_a_waker_whose_panic_panics() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            if !std::thread::panicking() {
                panic!("on purpose, from a payload");
            }
        }
    }
    struct Panics;
    impl std::task::Wake for Panics {
        fn wake(self: Arc<Self>) {
            std::panic::panic_any(Bomb);
        }
    }
    struct Notes(AtomicBool);
    impl std::task::Wake for Notes {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::SeqCst);
        }
    }
    let notes = Arc::new(Notes(AtomicBool::new(false)));
    let wakers = [Arc::clone(&notes).into(), Arc::new(Panics).into(), Arc::clone(&notes).into()];
    let mut sleeps: Vec<_> = (1..=3).map(|n| Box::pin(time::sleep(ms(n)))).collect();
    for (sleep, waker) in sleeps.iter_mut().zip(&wakers).skip(1) {
        assert!(sleep.as_mut().poll(&mut Context::from_waker(waker)).is_pending());
    }
    time::advance(ms(5)).await;
    assert!(notes.0.load(Ordering::SeqCst), "the one after the panic was not woken");
}

/// While a pool winds down behind a task that does not end its poll, a thread inside `block_on` still
/// has its timers.
#[test]
fn block_on_keeps_its_timers_while_the_pool_winds_down() {
    never_hangs(|| {
        let runtime = runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
        let (release, released) = mpsc::channel::<()>();
        let (started, begun) = mpsc::channel();
        let (sat, sits) = mpsc::channel();
        runtime.spawn(async move {
            started.send(()).unwrap();
            let _ = released.recv();
        });
        begun.recv().unwrap();
        let handle = runtime.handle().clone();
        let guest = std::thread::spawn(move || {
            handle.block_on(async {
                for round in 0..10 {
                    time::sleep(ms(20)).await;
                    if round == 0 {
                        sat.send(()).unwrap();
                    }
                }
            });
        });
        sits.recv().unwrap();
        runtime.shutdown_background();
        guest.join().unwrap();
        drop(release);
    });
}

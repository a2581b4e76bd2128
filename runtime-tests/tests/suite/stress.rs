//! Races that only many threads and many rounds bring about, a fraction of a second each.

use std::future::{pending, poll_fn};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use runtime::Handle;
use runtime::io::{Read, Write, duplex};
use runtime::net::{TcpListener, TcpStream};
use runtime::task::{JoinHandle, yield_now};
use runtime::time::{sleep, timeout};
use runtime_tests::rig::{Count, Flavour, LIMIT, each_flavour, random, wait_until, watchdog};

/// Twice as many workers as any test machine has cores, and the usual ones.
const CROWDS: [Flavour; 4] = [
    Flavour::CurrentThread,
    Flavour::MultiThread(2),
    Flavour::MultiThread(8),
    Flavour::MultiThread(16),
];

/// How long a stress goes on.
const ROUND: Duration = Duration::from_millis(300);

fn wiggle() -> impl Future<Output = ()> + Send {
    let yields = random() % 4;
    async move {
        for _ in 0..yields {
            yield_now().await;
        }
    }
}

#[test]
fn spawn_abort_and_join_from_everywhere() {
    for flavour in CROWDS {
        let _watchdog = watchdog(&format!("{flavour:?}"));
        let runtime = flavour.build();
        let (made, dropped) = (Count::new(), Count::new());
        let until = Instant::now() + ROUND;
        let play = |handle: Handle, made: Count, dropped: Count| async move {
            while Instant::now() < until {
                let tasks: Vec<JoinHandle<()>> = (0..20)
                    .map(|_| {
                        made.add();
                        let token = dropped.on_drop();
                        let steps = wiggle();
                        handle.spawn(async move {
                            let _token = token;
                            steps.await;
                        })
                    })
                    .collect();
                for task in tasks {
                    match random() % 4 {
                        0 => drop(task),
                        1 => task.abort(),
                        2 => _ = task.cancel().await,
                        _ => _ = task.await,
                    }
                }
                yield_now().await;
            }
        };
        let threads: Vec<_> = (0..3)
            .map(|_| {
                let played = play(runtime.handle().clone(), made.clone(), dropped.clone());
                thread::spawn(move || futures::executor::block_on(played))
            })
            .collect();
        let inside = runtime.spawn(play(runtime.handle().clone(), made.clone(), dropped.clone()));
        runtime.block_on(async {
            inside.await.unwrap();
            while threads.iter().any(|thread| !thread.is_finished()) {
                yield_now().await;
            }
        });
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        drop(runtime);
        assert_eq!(made.get(), dropped.get(), "{flavour:?}");
    }
}

#[test]
fn wake_storms_from_four_threads() {
    for flavour in CROWDS {
        let _watchdog = watchdog(&format!("{flavour:?}"));
        let runtime = flavour.build();
        let wakers: Arc<[Mutex<Option<Waker>>]> = (0..32).map(|_| Mutex::new(None)).collect();
        let (stop, polls) = (Arc::new(AtomicBool::new(false)), Count::new());
        let tasks: Vec<_> = (0..wakers.len())
            .map(|me| {
                let (wakers, stop, polls) = (Arc::clone(&wakers), Arc::clone(&stop), polls.clone());
                runtime.spawn(poll_fn(move |cx| {
                    polls.add();
                    let old = wakers[me].lock().unwrap().replace(cx.waker().clone());
                    drop(old);
                    if stop.load(Ordering::SeqCst) { Poll::Ready(()) } else { Poll::Pending }
                }))
            })
            .collect();
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let (wakers, stop) = (Arc::clone(&wakers), Arc::clone(&stop));
                thread::spawn(move || {
                    while !stop.load(Ordering::SeqCst) {
                        let waker =
                            wakers[random() as usize % wakers.len()].lock().unwrap().clone();
                        if let Some(waker) = waker {
                            if random().is_multiple_of(2) {
                                waker.wake()
                            } else {
                                waker.wake_by_ref()
                            }
                        }
                    }
                })
            })
            .collect();
        runtime.block_on(sleep_on(ROUND));
        stop.store(true, Ordering::SeqCst);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        // One last wake for each: none may be lost.
        for waker in &*wakers {
            waker.lock().unwrap().iter().for_each(Waker::wake_by_ref);
        }
        runtime.block_on(async {
            for task in tasks {
                timeout(LIMIT, task).await.expect("a wake-up was lost").unwrap();
            }
        });
        assert!(polls.get() > wakers.len());
    }
}

async fn sleep_on(duration: Duration) {
    sleep(duration).await;
}

#[test]
fn eight_threads_in_block_on_of_one_runtime() {
    for flavour in [Flavour::CurrentThread, Flavour::MultiThread(2)] {
        let _watchdog = watchdog(&format!("{flavour:?}"));
        let runtime = Arc::new(flavour.build());
        let until = Instant::now() + 2 * ROUND;
        let threads: Vec<_> = (0..8)
            .map(|i| {
                let runtime = Arc::clone(&runtime);
                thread::spawn(move || {
                    let mut rounds = 0_u64;
                    while Instant::now() < until {
                        rounds += 1;
                        match (i + rounds) % 4 {
                            0 => runtime.block_on(async {
                                runtime::spawn(wiggle()).await.unwrap();
                            }),
                            1 => runtime.block_on(sleep_on(Duration::from_micros(300))),
                            2 => runtime.block_on(async {
                                runtime::spawn_blocking(|| ()).await.unwrap();
                            }),
                            _ => runtime.block_on(async {
                                use runtime::io::{Read, Write};
                                let (mut one, mut two) = runtime::net::UnixStream::pair().unwrap();
                                let write = runtime::spawn(async move {
                                    one.write_all(&[1]).await.unwrap();
                                    one
                                });
                                two.read_exact(&mut [0]).await.unwrap();
                                write.await.unwrap();
                            }),
                        }
                    }
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    }
}

#[test]
fn shutdown_while_threads_spawn_and_wake() {
    let _watchdog = watchdog("");
    let until = Instant::now() + 4 * ROUND;
    let mut round = 0;
    while Instant::now() < until {
        let flavour = CROWDS[round % CROWDS.len()];
        round += 1;
        let runtime = flavour.build();
        let (made, dropped) = (Count::new(), Count::new());
        let wakers = Arc::new(Mutex::new(Vec::<Waker>::new()));
        let stop = Arc::new(AtomicBool::new(false));
        let threads: Vec<_> = (0..3)
            .map(|_| {
                let (handle, stop) = (runtime.handle().clone(), Arc::clone(&stop));
                let (made, dropped, wakers) = (made.clone(), dropped.clone(), Arc::clone(&wakers));
                thread::spawn(move || {
                    let mut kept = Vec::new();
                    while !stop.load(Ordering::SeqCst) {
                        made.add();
                        let (token, theirs) = (dropped.on_drop(), Arc::clone(&wakers));
                        kept.push(handle.spawn(poll_fn(move |cx| {
                            let _token = &token;
                            theirs.lock().unwrap().push(cx.waker().clone());
                            Poll::<()>::Pending
                        })));
                        let woken = {
                            let mut wakers = wakers.lock().unwrap();
                            let keep = wakers.len().saturating_sub(50);
                            wakers.drain(..keep).collect::<Vec<_>>()
                        };
                        woken.into_iter().for_each(Waker::wake);
                        drop(handle.spawn_blocking(|| ()));
                    }
                    kept
                })
            })
            .collect();
        wait_until("they have begun", || made.get() > 20);
        for _ in 0..random() % 100 {
            thread::yield_now();
        }
        match random() % 3 {
            0 => drop(runtime),
            1 => runtime.shutdown_timeout(LIMIT),
            _ => runtime.shutdown_background(),
        }
        stop.store(true, Ordering::SeqCst);
        for thread in threads {
            for task in thread.join().unwrap() {
                assert!(futures::executor::block_on(task).unwrap_err().is_cancelled());
            }
        }
        wakers.lock().unwrap().drain(..).for_each(Waker::wake);
        wait_until("all are dropped", || dropped.get() == made.get());
    }
}

#[test]
fn messages_through_more_workers_than_cores() {
    for workers in [8, 16] {
        let _watchdog = watchdog("");
        let runtime = Flavour::MultiThread(workers).build();
        let sum = Arc::new(AtomicUsize::new(0));
        let tasks: Vec<_> = (0..16)
            .map(|_| {
                let sum = Arc::clone(&sum);
                runtime.spawn(async move {
                    let (mut send, mut receive) = futures::channel::mpsc::channel::<usize>(4);
                    let producer = runtime::spawn(async move {
                        use futures::SinkExt;
                        for i in 0..200 {
                            send.send(i).await.unwrap();
                            if i % 16 == 0 {
                                sleep(Duration::from_micros(100)).await;
                            }
                        }
                    });
                    use futures::StreamExt;
                    while let Some(i) = receive.next().await {
                        sum.fetch_add(i, Ordering::Relaxed);
                    }
                    producer.await.unwrap();
                })
            })
            .collect();
        runtime.block_on(async {
            for task in tasks {
                task.await.unwrap();
            }
        });
        assert_eq!(sum.load(Ordering::Relaxed), 16 * (199 * 200 / 2));
    }
}

/// Everything at once: each visitor is a storm of spawns, messages over a pipe and over a socket,
/// each read of them under a timeout, and a timer that fires.
#[test]
fn storms_pipes_sockets_and_timers_on_more_workers_than_cores() {
    // 40: more than one word of the set of idle workers has room for.
    for workers in [8, 16, 40] {
        let flavour = Flavour::MultiThread(workers);
        let _watchdog = watchdog(&format!("{flavour:?}"));
        let runtime = flavour.build();
        let visitors: Vec<_> = (0..32).map(|_| runtime.spawn(visit())).collect();
        let visited = runtime.block_on(futures::future::join_all(visitors));
        for served in visited {
            assert_eq!(served.unwrap(), 50 + 2 * 100);
        }
    }
}

async fn visit() -> usize {
    let storm = futures::future::join_all((0..50).map(|_| runtime::spawn(wiggle()))).await;
    let stormed = storm.into_iter().filter(Result::is_ok).count();

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (server, _) = listener.accept().await.unwrap();
    let over_socket = runtime::spawn(ping_pong(client, server));
    let (one, two) = duplex(16);
    let over_pipe = runtime::spawn(ping_pong(one, two));
    sleep(Duration::from_micros(1500)).await;
    stormed + over_socket.await.unwrap() + over_pipe.await.unwrap()
}

/// 100 messages there and back; how many came.
async fn ping_pong<S: Read + Write + Send + 'static>(mut one: S, mut two: S) -> usize {
    let echo = runtime::spawn(async move {
        let mut message = [0; 8];
        while two.read_exact(&mut message).await.is_ok() {
            two.write_all(&message).await.unwrap();
        }
    });
    let mut came = 0;
    for number in 0..100_u64 {
        one.write_all(&number.to_le_bytes()).await.unwrap();
        let mut answer = [0; 8];
        timeout(LIMIT, one.read_exact(&mut answer)).await.unwrap().unwrap();
        came += usize::from(u64::from_le_bytes(answer) == number);
    }
    drop(one);
    echo.await.unwrap();
    came
}

#[test]
fn a_root_and_a_task_wake_each_other_without_end() {
    each_flavour(|runtime, _| {
        let until = Instant::now() + ROUND / 2;
        let shared = Arc::new(Mutex::new((None::<Waker>, None::<Waker>, 0_u64)));
        let theirs = Arc::clone(&shared);
        let task = runtime.spawn(poll_fn(move |cx| {
            let root = {
                let mut shared = theirs.lock().unwrap();
                shared.1 = Some(cx.waker().clone());
                shared.2 += 1;
                shared.0.take()
            };
            root.into_iter().for_each(Waker::wake);
            Poll::<()>::Pending
        }));
        runtime.block_on(poll_fn(|cx| {
            let task = {
                let mut shared = shared.lock().unwrap();
                shared.0 = Some(cx.waker().clone());
                shared.1.take()
            };
            task.into_iter().for_each(Waker::wake);
            if Instant::now() < until { Poll::Pending } else { Poll::Ready(()) }
        }));
        assert!(shared.lock().unwrap().2 > 100);
        task.abort();
        runtime.spawn(pending::<()>());
    });
}

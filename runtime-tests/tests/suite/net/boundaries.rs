//! Where a read of a Unix stream stops although there is more, and no event tells of it: at a message
//! with descriptors. The rest is found, whoever reads and whoever drives the runtime.

use std::future::poll_fn;
use std::io::ErrorKind;
use std::os::fd::AsFd;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use runtime::Builder;
use runtime::io::Read;
use runtime::net::UnixStream;
use runtime::task::yield_now;
use runtime::time::{sleep, timeout};
use runtime_tests::rig::{Count, FREED, Flavour, LIMIT, each_flavour, watchdog};

use super::kind;

/// The first is not taken for ready, so that a read needs an event, and none is on its way after it.
fn pair() -> (Arc<UnixStream>, UnixStream) {
    let (one, two) = UnixStream::pair().unwrap();
    assert_eq!(kind(one.try_read(&mut [0])), ErrorKind::WouldBlock);
    (Arc::new(one), two)
}

/// Ten bytes with a descriptor and ten without: two reads.
fn send(to: &UnixStream) {
    let null = std::fs::File::open("/dev/null").unwrap();
    assert_eq!(to.try_send_fds(b"0123456789", &[null.as_fd()]).unwrap(), 10);
    assert_eq!(to.try_write(b"abcdefghij").unwrap(), 10);
}

/// One read with more room than anything here needs.
async fn receive(mut stream: &UnixStream) -> usize {
    stream.read(&mut [0; 100]).await.unwrap()
}

async fn both_reads(rounds: usize) {
    let (one, two) = pair();
    for _ in 0..rounds {
        send(&two);
        assert_eq!((receive(&one).await, receive(&one).await), (10, 10));
    }
}

#[test]
fn the_rest_is_found_in_the_root_future_and_in_a_task() {
    each_flavour(|runtime, _| {
        runtime.block_on(both_reads(100));
        runtime.block_on(async { runtime::spawn(both_reads(100)).await.unwrap() });
    });
}

#[test]
fn the_rest_is_found_by_workers_that_are_never_idle() {
    each_flavour(|runtime, _| {
        let stop = Arc::new(AtomicBool::new(false));
        let neighbours: Vec<_> = (0..4)
            .map(|_| {
                let stop = stop.clone();
                runtime.spawn(async move {
                    while !stop.load(Ordering::Relaxed) {
                        yield_now().await;
                    }
                })
            })
            .collect();
        runtime.block_on(async { runtime::spawn(both_reads(100)).await.unwrap() });
        stop.store(true, Ordering::Relaxed);
        for neighbour in neighbours {
            runtime.block_on(neighbour).unwrap();
        }
    });
}

#[test]
fn the_rest_is_found_although_the_worker_that_knows_of_it_is_stuck() {
    let _watchdog = watchdog("");
    let runtime = Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let stuck = runtime.spawn(async {
        let (one, two) = pair();
        send(&two);
        assert_eq!(receive(&one).await, 10);
        let waiting = Instant::now();
        let (done, heard) = mpsc::channel();
        runtime::spawn(async move { done.send(receive(&one).await).unwrap() });
        assert_eq!(heard.recv_timeout(LIMIT), Ok(10));
        waiting.elapsed()
    });
    let waited = futures::executor::block_on(stuck).unwrap();
    assert!(waited < FREED, "{waited:?}");
}

#[test]
fn the_rest_is_found_although_who_read_first_has_left_the_runtime() {
    each_flavour(|runtime, flavour| {
        let waiting = runtime.block_on(async {
            let (one, two) = pair();
            send(&two);
            assert_eq!(receive(&one).await, 10);
            let began = Count::new();
            let waiting = runtime::spawn({
                let began = began.clone();
                async move {
                    began.add();
                    receive(&one).await
                }
            });
            while began.get() == 0 {
                yield_now().await;
            }
            (waiting, two)
        });
        let (waiting, _two) = waiting;
        let found = match flavour {
            Flavour::CurrentThread => runtime.block_on(waiting),
            _ => futures::executor::block_on(waiting),
        };
        assert_eq!(found.unwrap(), 10);
    });
}

#[test]
fn the_rest_is_found_under_a_foreign_executor_while_nobody_drives_the_runtime() {
    let _watchdog = watchdog("");
    let runtime = Flavour::CurrentThread.build();
    let _entered = runtime.enter();
    let (one, two) = UnixStream::pair().unwrap();
    send(&two);
    for _ in 0..2 {
        assert_eq!(futures::executor::block_on(receive(&one)), 10);
    }
}

/// What is there goes before time.
#[runtime::test(flavor = "current_thread", start_paused = true)]
async fn the_rest_is_found_before_a_stopped_clock_jumps() {
    let (one, two) = pair();
    send(&two);
    assert_eq!(receive(&one).await, 10);
    assert_eq!(timeout(Duration::from_secs(1), receive(&one)).await, Ok(10));
}

#[test]
fn a_stream_that_falls_silent_is_looked_at_once_more() {
    each_flavour(|runtime, _| {
        let polls = Count::new();
        runtime.block_on(async {
            let (one, two) = pair();
            let polls = polls.clone();
            let reading = runtime::spawn(async move {
                let mut read = pin!(async {
                    loop {
                        receive(&one).await;
                    }
                });
                poll_fn(|cx| {
                    polls.add();
                    read.as_mut().poll(cx)
                })
                .await
            });
            two.try_write(b"the only message").unwrap();
            sleep(Duration::from_millis(200)).await;
            reading.abort();
        });
        // The first, one for the message, one for the doubt; and one that nobody can exclude.
        assert!((1..=4).contains(&polls.get()), "{}", polls.get());
    });
}

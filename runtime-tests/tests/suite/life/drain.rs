//! `TaskTracker`: the end of a service, in good order or not.

use std::future::pending;
use std::io;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use futures::channel::oneshot;
use runtime::TaskTracker;
use runtime::io::{Read, Write};
use runtime::net::{TcpListener, TcpStream};
use runtime::task::yield_now;
use runtime::time::sleep;
use runtime_tests::rig::{Count, Flavour, LIMIT, OnDrop, each_flavour, on_each_flavour, watchdog};

#[test]
fn tasks_that_listen_to_the_token_end_in_time() {
    on_each_flavour(|| async {
        let tracker = TaskTracker::new();
        let done = Count::new();
        for _ in 0..50 {
            let (stop, done) = (tracker.token().child_token(), done.clone());
            tracker.spawn(async move {
                stop.cancelled().await;
                sleep(Duration::from_millis(1)).await; // what was begun is finished
                done.add();
            });
        }
        let report = tracker.drain(LIMIT).await;
        assert!(report.is_clean() && report.left().is_empty());
        assert_eq!(report.to_string(), "every task ended by itself");
        assert_eq!((done.get(), tracker.len()), (50, 0));
    });
}

#[test]
fn what_is_left_is_cancelled_and_named() {
    on_each_flavour(|| async {
        let tracker = TaskTracker::new();
        let ended = Count::new();
        let token = ended.on_drop();
        let line = line!() + 1;
        let handle = tracker.spawn_named("stubborn", async move {
            let _token = token;
            pending::<()>().await
        });
        drop(tracker.spawn_named(format!("number {}", 2), pending::<()>()));
        drop(tracker.spawn(pending::<()>()));
        tracker.spawn(async { 7 });
        let report = tracker.drain(Duration::from_millis(5)).await;
        assert_eq!(ended.get(), 1, "its future is dropped when the report is there");
        assert!(handle.await.unwrap_err().is_cancelled());
        let names: Vec<_> = report.left().iter().map(runtime::LeftTask::name).collect();
        assert_eq!(names, [Some("stubborn"), Some("number 2"), None]);
        let first = &report.left()[0];
        assert_eq!((first.spawned_at().file(), first.spawned_at().line()), (file!(), line));
        assert!(!first.is_stuck() && !report.is_clean());
        let said = report.to_string();
        let expected =
            format!("3 tasks had to be cancelled:\n  \"stubborn\", spawned at {}:{line}:", file!());
        assert!(said.starts_with(&expected), "{said}");
        assert_eq!(said.lines().count(), 4);
    });
}

#[test]
fn a_closed_tracker_refuses_and_never_polls() {
    on_each_flavour(|| async {
        let tracker = TaskTracker::new();
        assert!(tracker.drain(Duration::ZERO).await.is_clean());
        let dropped = Count::new();
        let token = dropped.on_drop();
        let refused = tracker.spawn(async move {
            let _token = token;
            unreachable!("polled by a closed tracker")
        });
        let error = refused.await.unwrap_err();
        assert!(error.is_cancelled());
        assert_eq!((dropped.get(), tracker.len()), (1, 0));
        assert!(tracker.drain(Duration::ZERO).await.is_clean());
    });
}

#[test]
fn a_task_that_spawns_during_the_drain_leaves_nothing() {
    each_flavour(|runtime, _| {
        for _ in 0..30 {
            let (born, ended) = (Count::new(), Count::new());
            let tracker = TaskTracker::new_in(runtime.handle());
            breed(&tracker, &born, &ended);
            let report = runtime.block_on(async {
                while born.get() < 20 {
                    yield_now().await;
                }
                tracker.drain(Duration::from_millis(1)).await
            });
            assert!(!report.is_clean());
            runtime.block_on(async {
                while ended.get() < born.get() {
                    yield_now().await; // the refused ones
                }
            });
            assert!(tracker.is_empty());
        }
    });
}

/// A task that spawns others until it is cancelled.
fn breed(tracker: &TaskTracker, born: &Count, ended: &Count) {
    let (tracker2, born2, ended2) = (tracker.clone(), born.clone(), ended.clone());
    born.add();
    let token = ended.on_drop();
    tracker.spawn(async move {
        let _token = token;
        loop {
            yield_now().await;
            if born2.get() < 5_000 {
                breed(&tracker2, &born2, &ended2);
            }
        }
    });
}

#[test]
fn a_task_in_a_poll_without_end_is_reported_as_stuck() {
    let _watchdog = watchdog("");
    let runtime = Flavour::MultiThread(2).build();
    let (release, released) = mpsc::channel::<()>();
    let (began, begun) = oneshot::channel();
    let tracker = TaskTracker::new_in(runtime.handle());
    tracker.spawn_named("stuck", async move {
        began.send(()).unwrap();
        let _ = released.recv_timeout(LIMIT);
    });
    let started = Instant::now();
    let report = runtime.block_on(async {
        begun.await.unwrap();
        tracker.drain(Duration::from_millis(1)).await
    });
    assert!(started.elapsed() < LIMIT / 2);
    assert!(report.left()[0].is_stuck());
    assert!(report.to_string().ends_with("and is stuck in a poll"));
    release.send(()).unwrap();
    drop(runtime);
    assert!(tracker.is_empty());
}

#[test]
fn panics_end_a_task_like_anything_else() {
    on_each_flavour(|| async {
        let tracker = TaskTracker::new();
        for n in 0..20 {
            tracker.spawn(async move {
                if n % 2 == 0 {
                    yield_now().await;
                }
                let _late = OnDrop(|| {
                    if !std::thread::panicking() {
                        panic!("on purpose");
                    }
                });
                panic!("on purpose")
            });
        }
        assert!(tracker.drain(LIMIT).await.is_clean());
    });
}

#[test]
fn two_drains_at_once_agree_and_a_dropped_one_goes_on() {
    on_each_flavour(|| async {
        let tracker = TaskTracker::new();
        tracker.spawn(pending::<()>());
        let mut dropped = Box::pin(tracker.drain(LIMIT));
        assert!(futures::poll!(dropped.as_mut()).is_pending());
        drop(dropped);
        let (one, other) = futures::join!(
            tracker.drain(Duration::from_millis(2)),
            tracker.drain(Duration::from_millis(2)),
        );
        assert!(one.left().len() + other.left().len() >= 1);
        assert!(tracker.drain(Duration::ZERO).await.is_clean());
    });
}

#[test]
fn the_runtime_may_go_first() {
    for flavour in runtime_tests::rig::FLAVOURS {
        let _watchdog = watchdog("");
        let runtime = flavour.build();
        let tracker = TaskTracker::new_in(runtime.handle());
        tracker.spawn(pending::<()>());
        runtime.block_on(yield_now());
        drop(runtime);
        assert!(tracker.is_empty());
        drop(tracker.spawn(pending::<()>()));
        assert!(tracker.is_empty());
    }
}

/// A server under load that is stopped: requests that were begun are answered, new ones refused.
#[test]
fn a_server_under_load_drains() {
    on_each_flavour(|| async {
        let tracker = TaskTracker::new();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (acceptor, stop) = (tracker.clone(), tracker.token().clone());
        tracker.spawn_named("accept loop", async move {
            while let Some(accepted) = stop.run_until_cancelled(listener.accept()).await {
                let (stream, peer) = accepted.unwrap();
                let serve = serve(stream, stop.clone());
                acceptor.spawn_named(format!("connection of {peer}"), serve);
            }
        });
        let answered = Count::new();
        let mut clients = Vec::new();
        for n in 0..20_u8 {
            let answered = answered.clone();
            clients.push(runtime::spawn(async move {
                let mut stream = TcpStream::connect(address).await?;
                for _ in 0.. {
                    stream.write_all(&[n]).await?;
                    let mut answer = [0];
                    stream.read_exact(&mut answer).await?;
                    assert_eq!(answer, [n]);
                    answered.add();
                }
                io::Result::Ok(())
            }));
        }
        // One that sends nothing, and a server task that does not listen to the token.
        let _idle = TcpStream::connect(address).await.unwrap();
        tracker.spawn_named("deaf", pending::<()>());
        while answered.get() < 200 {
            yield_now().await;
        }
        let report = tracker.drain(Duration::from_secs(1)).await;
        let names: Vec<_> = report.left().iter().map(runtime::LeftTask::name).collect();
        assert_eq!(names, [Some("deaf")], "{report}");
        for client in clients {
            client.await.unwrap().unwrap_err();
        }
        assert!(TcpStream::connect(address).await.is_err());
    });
}

async fn serve(mut stream: TcpStream, stop: runtime::task::CancellationToken) -> io::Result<()> {
    let mut request = [0];
    while let Some(read) = stop.run_until_cancelled(stream.read(&mut request)).await {
        if read? == 0 {
            break;
        }
        stream.write_all(&request).await?;
    }
    Ok(())
}

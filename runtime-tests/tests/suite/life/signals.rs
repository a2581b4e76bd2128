//! Signals. They are the process's, so each test has one to itself.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use runtime::signal::ctrl_c;
use runtime::signal::unix::{Signal, SignalKind, signal};
use runtime::task::yield_now;
use runtime::time::timeout;
use runtime_tests::rig::{
    Count, FLAVOURS, Flavour, alone, on_each_flavour, open_files, status, wait_until, watchdog,
};
use rustix::process::{Signal as Number, getpid, kill_process};

fn raise(number: Number) {
    kill_process(getpid(), number).unwrap();
}

fn poll(signal: &mut Signal) -> Poll<()> {
    let recv = pin!(signal.recv());
    recv.poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn ctrl_c_is_heard_by_everyone_under_any_executor() {
    alone("life::signals::ctrl_c_is_heard_by_everyone_under_any_executor", || {
        let _watchdog = watchdog("");
        let heard = Count::new();
        let ready = Count::new();
        let threads: Vec<_> = (0..=FLAVOURS.len())
            .map(|n| {
                let (heard, ready) = (heard.clone(), ready.clone());
                thread::spawn(move || {
                    let listen = async {
                        let mut both = pin!(futures::future::join(ctrl_c(), ctrl_c()));
                        assert!(futures::poll!(both.as_mut()).is_pending());
                        ready.add();
                        let (one, other) = both.await;
                        one.and(other).unwrap();
                        heard.add();
                    };
                    match FLAVOURS.get(n) {
                        Some(flavour) => flavour.build().block_on(listen),
                        None => futures::executor::block_on(listen),
                    }
                })
            })
            .collect();
        wait_until("all listen", || ready.get() == threads.len());
        raise(Number::INT);
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(heard.get(), FLAVOURS.len() + 1);
        // Nobody listens now, and the process is still there after another one.
        raise(Number::INT);
    });
}

#[test]
fn a_listener_hears_what_comes_before_it_is_polled_and_nothing_from_before_it_was_made() {
    alone(
        "life::signals::a_listener_hears_what_comes_before_it_is_polled_and_nothing_from_before_it_was_made",
        || {
            on_each_flavour(|| async {
                let mut early = signal(SignalKind::user_defined1()).unwrap();
                let call = pin!(ctrl_c());
                raise(Number::USR1);
                raise(Number::INT);
                early.recv().await;
                call.await.unwrap();
                let mut late = signal(SignalKind::user_defined1()).unwrap();
                assert!(poll(&mut late).is_pending() && poll(&mut early).is_pending());
                raise(Number::USR1);
                late.recv().await;
                early.recv().await;
                // Another kind is another kind.
                let _handled = signal(SignalKind::user_defined2()).unwrap();
                raise(Number::USR2);
                assert!(poll(&mut late).is_pending());
            });
        },
    );
}

#[test]
fn signals_coalesce_until_somebody_looks() {
    alone("life::signals::signals_coalesce_until_somebody_looks", || {
        on_each_flavour(|| async {
            let mut signals = signal(SignalKind::user_defined1()).unwrap();
            for _ in 0..3 {
                for _ in 0..100 {
                    raise(Number::USR1);
                }
                // A signal that a process sends to itself is there when `kill` returns, on one of
                // its threads; the others may be interrupted a little later.
                signals.recv().await;
                while timeout(Duration::from_millis(20), signals.recv()).await.is_ok() {}
            }
        });
    });
}

#[test]
fn every_signal_wakes_who_waits() {
    alone("life::signals::every_signal_wakes_who_waits", || {
        let _watchdog = watchdog("");
        let wakes = Count::new();
        let waker = wakes.waker();
        let mut listener = signal(SignalKind::user_defined1()).unwrap();
        for n in 1..=500 {
            let mut recv = pin!(listener.recv());
            assert!(recv.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
            raise(Number::USR1);
            wait_until("it is woken", || wakes.get() == n);
            assert!(recv.as_mut().poll(&mut Context::from_waker(&waker)).is_ready());
        }
        // One that has left is not woken, and one that is replaced neither.
        let gone = Count::new();
        for _ in 0..2 {
            let recv = pin!(listener.recv());
            assert!(recv.poll(&mut Context::from_waker(&gone.waker())).is_pending());
        }
        let mut recv = pin!(listener.recv());
        for waker in [&gone.waker(), &waker] {
            assert!(recv.as_mut().poll(&mut Context::from_waker(waker)).is_pending());
        }
        raise(Number::USR1);
        wait_until("it is woken", || wakes.get() == 501);
        assert_eq!(gone.get(), 0);
    });
}

#[test]
fn what_cannot_be_handled_is_refused() {
    alone("life::signals::what_cannot_be_handled_is_refused", || {
        let _watchdog = watchdog("");
        let fatal = [Number::KILL, Number::STOP, Number::SEGV, Number::ILL, Number::FPE];
        let numbers = fatal.map(Number::as_raw).into_iter();
        for number in numbers.chain([0, -1, 65, 127, 128, 1000, i32::MAX, i32::MIN]) {
            let refused = signal(SignalKind::from_raw(number));
            assert_eq!(refused.unwrap_err().kind(), ErrorKind::InvalidInput, "{number}");
        }
        for kind in [
            SignalKind::interrupt(),
            SignalKind::terminate(),
            SignalKind::hangup(),
            SignalKind::quit(),
            SignalKind::user_defined1(),
            SignalKind::user_defined2(),
            SignalKind::child(),
            SignalKind::alarm(),
            SignalKind::pipe(),
            SignalKind::window_change(),
        ] {
            let mut listener = signal(kind).unwrap();
            assert!(poll(&mut listener).is_pending());
            raise(Number::from_named_raw(kind.as_raw()).unwrap());
            futures::executor::block_on(listener.recv());
        }
    });
}

#[test]
fn listeners_cost_no_descriptor_and_no_thread_each() {
    alone("life::signals::listeners_cost_no_descriptor_and_no_thread_each", || {
        let _watchdog = watchdog("");
        signal(SignalKind::hangup()).unwrap(); // installs what all have in common
        let (files, threads) = (open_files(), status("Threads"));
        let mut listeners: Vec<_> =
            (0..1000).map(|_| signal(SignalKind::hangup()).unwrap()).collect();
        for _ in 0..100 {
            assert!(listeners.iter_mut().all(|listener| poll(listener).is_pending()));
        }
        assert_eq!((open_files(), status("Threads")), (files, threads));
        raise(Number::HUP);
        futures::executor::block_on(async {
            for listener in &mut listeners {
                listener.recv().await;
            }
        });
    });
}

#[test]
fn a_listener_outlives_its_runtime() {
    alone("life::signals::a_listener_outlives_its_runtime", || {
        let _watchdog = watchdog("");
        let (one, other) = (Flavour::CurrentThread.build(), Flavour::MultiThread(2).build());
        let mut listener = one.block_on(async { signal(SignalKind::hangup()).unwrap() });
        one.block_on(async { assert!(poll(&mut listener).is_pending()) });
        drop(one);
        raise(Number::HUP);
        other.block_on(listener.recv());
    });
}

/// Signals without end, at any point of anything: nothing is lost, nobody's system calls fail.
#[test]
fn a_storm_of_signals_disturbs_nobody() {
    alone("life::signals::a_storm_of_signals_disturbs_nobody", || {
        let _watchdog = watchdog("");
        let mut own = signal(SignalKind::user_defined2()).unwrap();
        let runtime = Flavour::MultiThread(2).build();
        let heard = Count::new();
        for kind in [SignalKind::user_defined1(), SignalKind::user_defined2()] {
            for _ in 0..3 {
                let (mut listener, heard) = (signal(kind).unwrap(), heard.clone());
                runtime.spawn(async move {
                    loop {
                        listener.recv().await;
                        heard.add();
                    }
                });
            }
        }
        // Blocking calls of other threads are interrupted, and go on.
        let (mut here, mut there) = UnixStream::pair().unwrap();
        let echo = thread::spawn(move || {
            let mut byte = [0];
            while there.read(&mut byte).unwrap() > 0 {
                assert_eq!(there.write(&byte).unwrap(), 1);
            }
        });
        let storm = thread::spawn(|| {
            for n in 0..20_000 {
                raise(if n % 2 == 0 { Number::USR1 } else { Number::USR2 });
            }
        });
        while !storm.is_finished() {
            let mut byte = [7];
            assert_eq!(here.write(&byte).unwrap(), 1);
            assert_eq!(here.read(&mut byte).unwrap(), 1);
            // Allocations, which a handler must not disturb.
            drop(vec![byte.to_vec(); 100]);
            runtime.block_on(yield_now());
        }
        storm.join().unwrap();
        drop(here);
        echo.join().unwrap();
        // The last one is heard as the first one was.
        futures::executor::block_on(own.recv());
        wait_until("everyone has heard", || heard.get() >= 6);
    });
}

//! Time: scenarios D01 to D16, on real runtimes. What needs no executor is also tested by hand in
//! the library. Nothing here measures speed: bounds on real time have tenfold slack.

use std::future::{Future, pending, poll_fn, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll, Wake, Waker};

use runtime::Runtime;
use runtime::task::{coop, yield_now};
use runtime::time::{self, Duration, Instant, MissedTickBehavior};

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn paused() -> Runtime {
    let runtime = runtime::Builder::new_current_thread().start_paused(true).build();
    runtime.expect("a runtime can be built")
}

fn multi_thread(workers: usize) -> Runtime {
    let runtime = runtime::Builder::new_multi_thread().worker_threads(workers).build();
    runtime.expect("a runtime can be built")
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

fn poll<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
}

#[runtime::test(start_paused = true)]
async fn d01_endless_durations_never_panic_and_stay_pending() {
    let endless = [Duration::MAX, Duration::from_nanos(u64::MAX), ms(1 << 36)];
    for duration in endless {
        let mut sleep = time::sleep(duration);
        let mut timeout = time::timeout(duration, pending::<()>());
        let mut interval = time::interval(duration);
        interval.tick().await;
        let mut reset = time::sleep(ms(0));
        reset.reset(sleep.deadline());
        let mut until = time::sleep_until(sleep.deadline());
        let mut at = time::interval_at(sleep.deadline(), duration);
        for _ in 0..2 {
            assert!(poll(&mut sleep).is_pending());
            assert!(poll(&mut timeout).is_pending());
            assert!(poll(&mut pin!(interval.tick())).is_pending());
            assert!(poll(&mut reset).is_pending());
            assert!(poll(&mut until).is_pending());
            assert!(poll(&mut pin!(at.tick())).is_pending());
            time::sleep(Duration::from_secs(365 * 24 * 60 * 60)).await;
        }
    }
}

#[test]
fn d01_a_paused_clock_does_not_jump_to_the_end_of_time() {
    let runtime = paused();
    let waits = runtime.spawn(time_out_of(Duration::MAX));
    let (send, receive) = futures::channel::oneshot::channel();
    let thread = std::thread::spawn(move || {
        std::thread::sleep(ms(50));
        send.send(()).expect("it is waited for");
    });
    runtime.block_on(async move { receive.await.expect("it is sent") });
    assert!(!waits.is_finished());
    thread.join().unwrap();
}

async fn time_out_of(duration: Duration) {
    let _ = time::timeout(duration, pending::<()>()).await;
}

#[runtime::test(start_paused = true)]
async fn d03_deadlines_at_the_edges_of_the_wheel_are_ordinary() {
    let started = Instant::now();
    let mut expected = Duration::ZERO;
    for nanos in [0, 1, 63, 64, 65, (1 << 36) - 1, 1 << 36, u64::from(u32::MAX), 1 << 60] {
        let duration = Duration::from_nanos(nanos);
        time::sleep(duration).await;
        expected += duration;
        assert_eq!(started.elapsed(), expected, "to the nanosecond");
    }
}

async fn lateness(duration: Duration) -> Duration {
    let started = std::time::Instant::now();
    time::sleep(duration).await;
    let took = started.elapsed();
    assert!(took >= duration, "{took:?} is early for {duration:?}");
    took - duration
}

async fn d05() {
    for micros in [0, 1, 999, 1000, 1500, 16_000] {
        let mut late = Vec::new();
        for _ in 0..20 {
            late.push(lateness(Duration::from_micros(micros)).await);
        }
        late.sort();
        assert!(late[10] < ms(20), "{:?} late for {micros} us", late[10]);
    }
}

#[runtime::test]
async fn d05_never_early_and_not_very_late_on_one_thread() {
    d05().await;
}

#[runtime::test(flavor = "multi_thread", worker_threads = 2)]
async fn d05_never_early_and_not_very_late_on_many_threads() {
    d05().await;
    runtime::spawn(d05()).await.unwrap();
}

#[test]
fn d05_waiting_is_not_spinning() {
    let parks = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&parks);
    let runtime = runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .on_thread_park(move || {
            counted.fetch_add(1, Ordering::Relaxed);
        })
        .build()
        .expect("a runtime can be built");
    let before = parks.load(Ordering::Relaxed);
    runtime
        .block_on(async { runtime::spawn(time::sleep(Duration::from_micros(50_500))).await })
        .unwrap();
    let parks = parks.load(Ordering::Relaxed) - before;
    assert!(parks < 50, "{parks} times to sleep in 50 ms");
}

#[runtime::test(start_paused = true)]
async fn d06_reset_keeps_the_task_waiting_for_the_new_deadline() {
    let start = Instant::now();
    let mut sleep = pin!(time::sleep(ms(100)));
    for (reset, expected) in [(200, 200), (150, 150 + 200), (0, 350), (400, 400)] {
        assert!(poll(&mut sleep.as_mut()).is_pending());
        // Later, earlier than it was, the past, later than now: each counts from the start or now.
        let deadline = if reset == 150 { Instant::now() + ms(150) } else { start + ms(reset) };
        sleep.as_mut().reset(deadline);
        (&mut sleep).await;
        assert_eq!(start.elapsed(), ms(expected));
        assert!(sleep.is_elapsed());
        (&mut sleep).await; // it stays so
        sleep.as_mut().reset(Instant::now() + ms(1000));
        assert!(!sleep.is_elapsed());
    }
}

/// Planned and actual times of the ticks of a task that is busy after the second for 5.5 periods.
async fn ticks(behavior: MissedTickBehavior) -> Vec<(u128, u128)> {
    let start = Instant::now();
    let mut interval = time::interval(ms(100));
    interval.set_missed_tick_behavior(behavior);
    let mut ticks = Vec::new();
    for number in 0..10 {
        let planned = interval.tick().await;
        ticks.push(((planned - start).as_millis(), start.elapsed().as_millis()));
        if number == 1 {
            time::advance(ms(550)).await;
        }
    }
    ticks
}

#[runtime::test(start_paused = true)]
async fn d07_ticks_that_were_missed() {
    let on_time = |from: u128, to: u128, offset: u128| {
        (from..=to).map(move |tick| (tick * 100 + offset, tick * 100 + offset))
    };
    let late = |planned: &[u128]| planned.iter().map(|at| (*at, 650)).collect::<Vec<_>>();
    let expect = |missed: &[u128], rest: &mut dyn Iterator<Item = (u128, u128)>| {
        [vec![(0, 0), (100, 100)], late(missed), rest.collect()].concat()
    };
    let burst = expect(&[200, 300, 400, 500, 600], &mut on_time(7, 9, 0));
    assert_eq!(ticks(MissedTickBehavior::Burst).await, burst);
    let delay = expect(&[200], &mut on_time(7, 13, 50));
    assert_eq!(ticks(MissedTickBehavior::Delay).await, delay);
    let skip = expect(&[200], &mut on_time(7, 13, 0));
    assert_eq!(ticks(MissedTickBehavior::Skip).await, skip);
    assert_eq!(time::interval(ms(1)).missed_tick_behavior(), MissedTickBehavior::Delay);
}

/// 100 000 tasks wait for one point in time; another task counts how many have got there.
async fn d08(sleep: Duration) {
    const TASKS: usize = 100_000;
    let done = Arc::new(AtomicUsize::new(0));
    let deadline = Instant::now() + sleep;
    let tasks: Vec<_> = (0..TASKS)
        .map(|_| {
            let done = Arc::clone(&done);
            runtime::spawn(async move {
                time::sleep_until(deadline).await;
                assert!(Instant::now() >= deadline);
                done.fetch_add(1, Ordering::Relaxed);
            })
        })
        .collect();
    let watched = Arc::clone(&done);
    let watcher = runtime::spawn(async move {
        time::sleep_until(deadline).await;
        let mut between = 0;
        loop {
            match watched.load(Ordering::Relaxed) {
                TASKS => return between,
                0 => {}
                _ => between += 1,
            }
            yield_now().await;
        }
    });
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(done.load(Ordering::Relaxed), TASKS);
    assert!(watcher.await.unwrap() > 0, "it was not polled while the others were");
}

#[runtime::test(start_paused = true)]
async fn d08_many_timers_on_one_tick_leave_room_for_others_on_one_thread() {
    d08(ms(1000)).await;
}

#[runtime::test(flavor = "multi_thread", worker_threads = 2)]
async fn d08_many_timers_on_one_tick_leave_room_for_others_on_many_threads() {
    d08(ms(500)).await;
}

/// A timer that is due after thousands of others does not wait until all of them have run.
#[runtime::test]
async fn k09_a_later_timer_gets_through_a_crowd() {
    const CROWD: usize = 20_000;
    let registered = || runtime::Handle::current().metrics().timers;
    let mut patience = ms(500);
    let (mut crowd, went_first) = loop {
        let done = Arc::new(AtomicUsize::new(0));
        let due = Instant::now() + patience;
        let mut crowd = runtime::task::JoinSet::new();
        for _ in 0..CROWD {
            let done = Arc::clone(&done);
            crowd.spawn(async move {
                time::sleep_until(due).await;
                done.fetch_add(1, Ordering::Relaxed);
            });
        }
        let later = runtime::spawn(async move {
            time::sleep_until(due + Duration::from_micros(100)).await;
            done.load(Ordering::Relaxed)
        });
        while registered() <= CROWD && Instant::now() < due {
            yield_now().await;
        }
        if registered() > CROWD && Instant::now() < due {
            // In one poll, so that everything is due when it is over.
            std::thread::sleep((due + ms(1)).saturating_duration_since(Instant::now()));
            break (crowd, later.await.unwrap());
        }
        // The machine is slow: some did not have to wait.
        crowd.shutdown().await;
        later.await.unwrap();
        patience *= 2;
    };
    assert!(went_first < CROWD / 4, "{went_first} of {CROWD} went first");
    while crowd.join_next().await.is_some() {}
}

#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[runtime::test(start_paused = true)]
async fn d10_only_the_task_that_polled_last_is_woken() {
    let counts = [(); 2].map(|()| Arc::new(Count::default()));
    let wakers = counts.each_ref().map(|count| Waker::from(Arc::clone(count)));
    let mut sleep = time::sleep(ms(10));
    for waker in [&wakers[0], &wakers[0], &wakers[1], &wakers[1]] {
        assert!(Pin::new(&mut sleep).poll(&mut Context::from_waker(waker)).is_pending());
    }
    assert_eq!(Arc::strong_count(&counts[0]), 2, "the first is not kept");
    assert_eq!(Arc::strong_count(&counts[1]), 3, "the second is kept once");
    time::sleep(ms(20)).await;
    assert_eq!(counts.each_ref().map(|count| count.0.load(Ordering::Relaxed)), [0, 1]);
    assert_eq!(Arc::strong_count(&counts[1]), 2);
}

#[test]
fn d12_a_sleep_of_a_runtime_that_goes_away_panics_in_the_task_that_awaits_it() {
    never_hangs(|| {
        let made_on = multi_thread(1);
        let polled_on = multi_thread(1);
        let (sleep, timeout, mut interval) = {
            let _inside = made_on.enter();
            let hour = Duration::from_secs(3600);
            let interval = time::interval_at(Instant::now() + hour, hour);
            (time::sleep(hour), time::timeout(hour, pending::<()>()), interval)
        };
        let works = {
            let _inside = made_on.enter();
            time::sleep(ms(5))
        };
        polled_on.block_on(polled_on.spawn(works)).unwrap();

        let tasks = [
            polled_on.spawn(sleep),
            polled_on.spawn(async {
                let _ = timeout.await;
            }),
            polled_on.spawn(async move {
                interval.tick().await;
            }),
        ];
        // Let them wait, or not: nothing depends on it.
        std::thread::sleep(ms(20));
        drop(made_on);
        for task in tasks {
            let error = polled_on.block_on(task).unwrap_err();
            let payload = error.into_panic();
            let message = payload.downcast_ref::<&str>().expect("a sentence");
            assert_eq!(*message, "a timer was polled after its runtime had been shut down");
        }
        polled_on.block_on(polled_on.spawn(async {})).unwrap();
    });
}

#[test]
fn d12_a_timer_can_be_awaited_under_any_executor() {
    never_hangs(|| {
        let runtime = multi_thread(2);
        for _ in 0..20 {
            let _inside = runtime.enter();
            let started = Instant::now();
            futures::executor::block_on(async {
                time::sleep(ms(3)).await;
                assert!(time::timeout(ms(2), pending::<()>()).await.is_err());
            });
            assert!(started.elapsed() >= ms(5));
        }
    });
}

async fn d13() {
    assert_eq!(time::timeout(Duration::ZERO, ready(1)).await, Ok(1));
    assert!(time::timeout(Duration::ZERO, pending::<()>()).await.is_err());
    let burns = async {
        loop {
            coop::consume_budget().await;
        }
    };
    assert!(time::timeout(ms(20), burns).await.is_err());
    let wakes_itself = poll_fn(|cx| {
        cx.waker().wake_by_ref();
        Poll::<()>::Pending
    });
    assert!(time::timeout(ms(20), wakes_itself).await.is_err());
    let error = std::io::Error::from(time::timeout(ms(1), pending::<()>()).await.unwrap_err());
    assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
}

#[test]
fn d13_a_timeout_elapses_although_its_future_spends_the_budget() {
    never_hangs(|| {
        let one = runtime::Builder::new_current_thread().build().expect("a runtime can be built");
        for runtime in [one, multi_thread(2)] {
            runtime.block_on(d13());
            runtime.block_on(runtime.spawn(d13())).unwrap();
        }
    });
}

#[test]
fn d13_a_loop_of_timeouts_that_elapse_at_once_gives_way() {
    never_hangs(|| {
        let one = runtime::Builder::new_current_thread().build().expect("a runtime can be built");
        one.block_on(async {
            let done = Arc::new(AtomicUsize::new(0));
            let seen = Arc::clone(&done);
            let greedy = runtime::spawn(async move {
                while seen.load(Ordering::Relaxed) == 0 {
                    let _ = time::timeout(Duration::ZERO, pending::<()>()).await;
                    time::sleep(Duration::ZERO).await;
                }
            });
            runtime::spawn(async move { done.fetch_add(1, Ordering::Relaxed) }).await.unwrap();
            greedy.await.unwrap();
        });
    });
}

#[test]
fn d15_timers_of_every_kind_during_shutdown() {
    /// Uses timers while its runtime goes away.
    struct Late(Arc<Mutex<Vec<bool>>>);
    impl Drop for Late {
        fn drop(&mut self) {
            let outcome = catch_unwind(AssertUnwindSafe(|| {
                let mut sleep = time::sleep(ms(1));
                sleep.reset(Instant::now());
                let _ = poll(&mut sleep);
            }));
            self.0.lock().unwrap().push(outcome.is_ok());
        }
    }
    never_hangs(|| {
        let log = Arc::new(Mutex::new(Vec::new()));
        let one = runtime::Builder::new_current_thread().build().expect("a runtime can be built");
        for runtime in [one, multi_thread(2)] {
            for number in 0..100 {
                let late = Late(Arc::clone(&log));
                runtime.spawn(async move {
                    let _late = late;
                    time::sleep(ms(number % 7)).await;
                    time::timeout(Duration::from_secs(3600), pending::<()>()).await
                });
            }
            runtime.block_on(async { time::sleep(ms(3)).await });
            drop(runtime);
        }
        // Whether a destructor's own timer is refused depends on when it runs.
        assert_eq!(log.lock().unwrap().len(), 200, "every task was dropped");
    });
}

#[test]
fn d16_a_small_stack_is_enough_for_the_timers() {
    let thread = std::thread::Builder::new().stack_size(128 << 10).spawn(|| {
        paused().block_on(async {
            for shift in 0..40 {
                time::sleep(ms(1 << (shift % 20))).await;
            }
        });
    });
    thread.unwrap().join().unwrap();
}

#[runtime::test]
async fn the_clock_stops_and_runs_on() {
    time::pause();
    let start = Instant::now();
    std::thread::sleep(ms(2));
    assert_eq!(start.elapsed(), ms(0));
    time::advance(ms(1500)).await;
    assert_eq!(start.elapsed(), ms(1500));
    time::sleep(Duration::from_secs(3600)).await;
    assert_eq!(start.elapsed(), ms(3_601_500));
    time::resume();
    let resumed = Instant::now();
    time::sleep(ms(2)).await;
    assert!(resumed.elapsed() >= ms(2) && start.elapsed() >= ms(3_601_502));
}

#[runtime::test(start_paused = true)]
async fn tasks_whose_timers_are_due_run_in_the_order_of_their_deadlines() {
    let log = Arc::new(Mutex::new(Vec::new()));
    let tasks = [50, 10, 30, 20, 40, 10].map(|millis| {
        let log = Arc::clone(&log);
        runtime::spawn(async move {
            time::sleep(ms(millis)).await;
            log.lock().unwrap().push(millis);
        })
    });
    yield_now().await; // they register
    time::advance(ms(45)).await;
    for _ in 0..10 {
        yield_now().await;
    }
    assert_eq!(*log.lock().unwrap(), [10, 10, 20, 30, 40]);
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(log.lock().unwrap().last(), Some(&50));
}

#[test]
fn the_clock_of_a_multi_thread_runtime_cannot_be_stopped() {
    multi_thread(1).block_on(async {
        for outcome in [catch_unwind(time::pause), catch_unwind(time::resume)] {
            let payload = outcome.unwrap_err();
            let message = payload.downcast_ref::<String>().expect("a sentence");
            assert!(message.contains("current-thread"), "{message}");
        }
    });
}

#[test]
fn outside_a_runtime_the_constructors_say_what_to_do() {
    let payload = catch_unwind(|| drop(time::sleep(ms(1)))).unwrap_err();
    let message = payload.downcast_ref::<String>().expect("a sentence");
    assert!(message.contains("outside a runtime") && message.contains("`block_on`"), "{message}");
    // Telling the time needs no runtime.
    assert!(Instant::now().elapsed() < Duration::from_secs(60));
}

#[test]
fn resuming_the_clock_on_another_thread_lets_timers_fire() {
    never_hangs(|| {
        let runtime = paused();
        let handle = runtime.handle().clone();
        let (parked, resume) = mpsc::channel::<()>();
        let blocking = runtime.spawn_blocking(move || {
            let _ = resume.recv();
            std::thread::sleep(ms(20)); // so that the other thread sleeps, most likely
            let _inside = handle.enter();
            time::resume();
            std::thread::sleep(Duration::from_secs(1));
        });
        runtime.block_on(async {
            let started = std::time::Instant::now();
            drop(parked);
            time::sleep(ms(5)).await;
            assert!(started.elapsed() < Duration::from_secs(1), "it was not woken");
        });
        drop(blocking);
    });
}

/// Tasks that move between workers with timers that wait, fire, are reset and are dropped.
#[runtime::test(flavor = "multi_thread", worker_threads = 3)]
async fn timers_of_tasks_that_move_between_workers_fire_and_never_early() {
    let tasks: Vec<_> = (0..300_u64)
        .map(|task| {
            runtime::spawn(async move {
                for round in 0..30 {
                    let number = (task * 31 + round * 17) % 97;
                    let mut sleep = time::sleep(ms(number % 5));
                    let _ = poll(&mut sleep);
                    yield_now().await; // perhaps on another worker from here on
                    sleep.reset(Instant::now() + ms(number % 3));
                    let deadline = sleep.deadline();
                    if number % 7 == 0 {
                        let _ = time::timeout(ms(number % 2), &mut sleep).await;
                    } else {
                        sleep.await;
                        assert!(Instant::now() >= deadline);
                    }
                }
            })
        })
        .collect();
    for task in tasks {
        time::timeout(Duration::from_secs(10), task).await.expect("it hangs").unwrap();
    }
}

/// Computes until `deadline`, without a look at the runtime's clock.
fn compute_until(deadline: std::time::Instant) {
    while std::time::Instant::now() < deadline {}
}

#[runtime::test]
async fn a_deadline_that_passed_within_one_poll_is_seen_although_the_task_never_gives_way() {
    let deadline = std::time::Instant::now() + ms(5);
    poll_fn(|_| {
        compute_until(deadline);
        // A timer that is made anew each time, as in a loop around `select!`.
        let polls = (1..).find(|_| poll(&mut time::sleep_until(deadline.into())).is_ready());
        assert!(polls <= Some(17), "{polls:?} polls");
        Poll::Ready(())
    })
    .await;
}

#[test]
fn a_deadline_that_passed_unseen_fires_at_the_next_look() {
    for workers in 0..3 {
        let runtime = match workers {
            0 => runtime::Builder::new_current_thread().build().expect("a runtime can be built"),
            workers => multi_thread(workers),
        };
        never_hangs(move || {
            let late = || async {
                let deadline = std::time::Instant::now() + ms(5);
                compute_until(deadline);
                time::sleep_until(deadline.into()).await;
                assert!(time::timeout_at(deadline.into(), pending::<()>()).await.is_err());
            };
            runtime.block_on(async {
                let task = runtime.spawn(late());
                late().await;
                task.await.expect("it does not panic");
            });
        });
    }
}

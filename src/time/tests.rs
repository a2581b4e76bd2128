//! Every future of this module, polled by hand on a driver with a stopped clock.

use std::future::{Future, pending, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, RawWaker, RawWakerVTable, Wake, Waker};

use super::*;
use crate::coop;
use crate::driver::{self, EnterGuard, Handle};

/// A runtime of one thread, without an executor.
struct Harness {
    handle: Arc<Handle>,
    _entered: EnterGuard,
    _driver: driver::Driver,
}

impl Harness {
    fn new() -> Self {
        let (driver, handle) = driver::new(2, true).expect("a driver can be made");
        let entered = handle.enter(0);
        Self { handle, _entered: entered, _driver: driver }
    }

    /// Moves the clock and wakes what is due.
    fn advance(&self, by: Duration) {
        let now = self.handle.clock.advance(by).expect("the clock is stopped");
        let mut woken = Vec::new();
        while self.handle.timers.fire(now, &mut woken) {}
        woken.into_iter().for_each(Waker::wake);
    }

    fn registered(&self) -> bool {
        self.handle.timers.next_deadline_any().is_some()
    }

    fn shutdown(&self) {
        let mut woken = Vec::new();
        self.handle.shutdown(&mut woken);
        woken.into_iter().for_each(Waker::wake);
    }
}

#[derive(Default)]
struct Count(AtomicUsize);

impl Count {
    fn take(&self) -> usize {
        self.0.swap(0, Ordering::Relaxed)
    }
}

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn counter() -> (Arc<Count>, Waker) {
    let count = Arc::new(Count::default());
    (Arc::clone(&count), count.into())
}

fn poll_with<F: Future + Unpin>(future: &mut F, waker: &Waker) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(waker))
}

fn poll<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    poll_with(future, Waker::noop())
}

fn panic_of<R>(f: impl FnOnce() -> R) -> String {
    let payload = catch_unwind(AssertUnwindSafe(f)).err().expect("it panics");
    match payload.downcast::<String>() {
        Ok(message) => *message,
        Err(payload) => payload.downcast::<&str>().expect("a panic has a message").to_string(),
    }
}

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

const ENDLESS: [Duration; 4] = [
    Duration::MAX,
    Duration::from_nanos(u64::MAX),
    Duration::from_nanos(u64::MAX - 1),
    Duration::from_millis(1 << 36),
];

#[test]
fn a_sleep_is_small_and_can_go_anywhere() {
    fn anywhere<T: Send + Sync + Unpin>() {}
    anywhere::<Sleep>();
    anywhere::<Interval>();
    anywhere::<Timeout<std::future::Ready<()>>>();
    assert!(size_of::<Sleep>() <= 40);
    assert!(size_of::<Timeout<std::future::Ready<()>>>() <= 48);
}

#[test]
fn d01_endless_durations_never_panic_and_stay_pending() {
    let harness = Harness::new();
    for endless in ENDLESS {
        let mut sleep = super::sleep(endless);
        assert!(poll(&mut sleep).is_pending());
        let mut timeout = timeout(endless, pending::<()>());
        assert!(poll(&mut timeout).is_pending());
        let mut interval = interval(endless);
        let cx = &mut Context::from_waker(Waker::noop());
        assert!(interval.poll_tick(cx).is_ready());
        for behavior in
            [MissedTickBehavior::Burst, MissedTickBehavior::Delay, MissedTickBehavior::Skip]
        {
            interval.set_missed_tick_behavior(behavior);
            assert!(interval.poll_tick(cx).is_pending());
            interval.reset();
            interval.reset_after(endless);
            assert!(interval.poll_tick(cx).is_pending());
        }
        let far = Instant::now().saturating_add(endless);
        let mut until = sleep_until(far);
        assert!(poll(&mut until).is_pending());
        let mut interval = interval_at(far, endless);
        assert!(interval.poll_tick(cx).is_pending());
        assert!(poll(&mut timeout_at(far, pending::<()>())).is_pending());
        let mut reset = super::sleep(Duration::ZERO);
        reset.reset(far);
        assert!(poll(&mut reset).is_pending());
        harness.advance(ms(1 << 33));
        for sleep in [&mut sleep, &mut until, &mut reset] {
            assert!(poll(sleep).is_pending());
            sleep.reset(Instant::now());
            assert!(poll(sleep).is_ready());
        }
    }
    // As far as an `Instant` goes.
    let mut latest = Instant::now();
    for power in (0..63).rev() {
        latest = latest.checked_add(Duration::from_secs(1 << power)).unwrap_or(latest);
    }
    let mut sleep = sleep_until(latest);
    assert!(poll(&mut sleep).is_pending());
    assert!(
        interval_at(latest, ms(1)).poll_tick(&mut Context::from_waker(Waker::noop())).is_pending()
    );
}

#[test]
fn d03_deadlines_at_the_edge_of_the_wheel_fire_like_any_other() {
    for nanos in [0, 1, u64::from(u32::MAX), (1 << 63) - 1, u64::MAX - 3] {
        let harness = Harness::new();
        let (count, waker) = counter();
        let mut sleep = super::sleep(Duration::from_nanos(nanos));
        if nanos > 0 {
            assert!(poll_with(&mut sleep, &waker).is_pending());
            harness.advance(Duration::from_nanos(nanos - 1));
            assert!(poll_with(&mut sleep, &waker).is_pending(), "never early");
            assert_eq!(count.take(), 0);
            harness.advance(Duration::from_nanos(1));
            assert_eq!(count.take(), 1);
        }
        assert!(poll_with(&mut sleep, &waker).is_ready());
    }
}

#[test]
fn d05_it_is_ready_on_the_nanosecond_and_never_before() {
    let harness = Harness::new();
    for micros in [0, 1, 999, 1000, 1500, 16_000, 3_600_000_000] {
        let duration = Duration::from_micros(micros);
        let (count, waker) = counter();
        let mut sleep = super::sleep(duration);
        if micros > 0 {
            assert!(poll_with(&mut sleep, &waker).is_pending());
            assert!(!sleep.is_elapsed());
            harness.advance(duration - Duration::from_nanos(1));
            assert_eq!(count.take(), 0);
            harness.advance(Duration::from_nanos(1));
            assert_eq!(count.take(), 1);
        }
        assert!(sleep.is_elapsed());
        assert!(poll_with(&mut sleep, &waker).is_ready());
        assert!(poll_with(&mut sleep, &waker).is_ready(), "it stays ready");
    }
}

#[test]
fn d06_reset_to_the_past_the_future_after_firing_and_with_another_waker() {
    let harness = Harness::new();
    let start = Instant::now();
    let (first, waker) = counter();
    let (second, other) = counter();

    let mut sleep = super::sleep(ms(10));
    sleep.reset(start + ms(20)); // before the first poll
    assert_eq!(sleep.deadline(), start + ms(20));
    assert!(!harness.registered());
    assert!(poll_with(&mut sleep, &waker).is_pending());
    sleep.reset(start + ms(30)); // to the future: keeps its task, fires once
    harness.advance(ms(20));
    assert_eq!(first.take(), 0);
    assert!(poll_with(&mut sleep, &waker).is_pending());
    harness.advance(ms(10));
    assert_eq!(first.take(), 1);

    sleep.reset(start + ms(40)); // after firing, before the poll that would have seen it
    assert!(!sleep.is_elapsed());
    assert!(poll_with(&mut sleep, &other).is_pending());
    harness.advance(ms(10));
    assert_eq!((first.take(), second.take()), (0, 1));
    assert!(poll_with(&mut sleep, &other).is_ready());

    sleep.reset(start + ms(50)); // after it was ready
    assert!(!sleep.is_elapsed());
    assert!(poll_with(&mut sleep, &waker).is_pending());
    sleep.reset(start + ms(45)); // to an earlier future
    assert!(poll_with(&mut sleep, &other).is_pending());
    sleep.reset(start); // to the past
    harness.advance(Duration::ZERO);
    assert_eq!((first.take(), second.take()), (0, 1));
    assert!(poll_with(&mut sleep, &other).is_ready());

    sleep.reset(start); // to the past, then polled at once
    assert!(poll_with(&mut sleep, &waker).is_ready());
    assert!(!harness.registered());
}

#[test]
fn d06_a_reset_on_another_thread_fires_there() {
    let harness = Harness::new();
    let start = Instant::now();
    let (count, waker) = counter();
    let mut sleep = super::sleep(ms(100));
    assert!(poll_with(&mut sleep, &waker).is_pending());
    let sleep = std::thread::spawn(move || {
        sleep.reset(start + ms(1));
        sleep
    });
    let mut sleep = sleep.join().expect("resetting does not panic");
    assert_eq!(harness.handle.timers.next_deadline(0), None);
    assert!(harness.handle.timers.next_deadline(1).is_some(), "the foreign shard");
    harness.advance(ms(1));
    assert_eq!(count.take(), 1);
    assert!(poll(&mut sleep).is_ready());
}

/// Ticks of an interval with a period of 100 ms whose task, after the second tick, is busy until
/// 5.5 periods later.
fn ticks(behavior: MissedTickBehavior) -> Vec<(u128, u128)> {
    let harness = Harness::new();
    let start = Instant::now();
    let mut interval = interval(ms(100));
    assert_eq!(interval.missed_tick_behavior(), MissedTickBehavior::Delay, "the default");
    interval.set_missed_tick_behavior(behavior);
    let mut ticks = Vec::new();
    while ticks.len() < 10 {
        match interval.poll_tick(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(planned) => {
                ticks.push(((planned - start).as_millis(), start.elapsed().as_millis()));
                if ticks.len() == 2 {
                    harness.advance(ms(550));
                }
            }
            Poll::Pending => harness.advance(ms(1)),
        }
    }
    ticks
}

#[test]
fn d07_ticks_that_were_missed() {
    assert_eq!(
        ticks(MissedTickBehavior::Burst),
        [
            (0, 0),
            (100, 100),
            (200, 650),
            (300, 650),
            (400, 650),
            (500, 650),
            (600, 650),
            (700, 700),
            (800, 800),
            (900, 900),
        ]
    );
    assert_eq!(
        ticks(MissedTickBehavior::Delay),
        [
            (0, 0),
            (100, 100),
            (200, 650),
            (750, 750),
            (850, 850),
            (950, 950),
            (1050, 1050),
            (1150, 1150),
            (1250, 1250),
            (1350, 1350),
        ]
    );
    assert_eq!(
        ticks(MissedTickBehavior::Skip),
        [
            (0, 0),
            (100, 100),
            (200, 650),
            (700, 700),
            (800, 800),
            (900, 900),
            (1000, 1000),
            (1100, 1100),
            (1200, 1200),
            (1300, 1300),
        ]
    );
}

#[test]
fn d07_a_tick_that_is_a_little_late_does_not_move_the_plan() {
    for behavior in [MissedTickBehavior::Burst, MissedTickBehavior::Delay, MissedTickBehavior::Skip]
    {
        let harness = Harness::new();
        let start = Instant::now();
        let mut interval = interval_at(start + ms(10), ms(10));
        interval.set_missed_tick_behavior(behavior);
        let mut cx = Context::from_waker(Waker::noop());
        assert!(interval.poll_tick(&mut cx).is_pending());
        harness.advance(ms(15));
        assert_eq!(interval.poll_tick(&mut cx), Poll::Ready(start + ms(10)));
        assert!(interval.poll_tick(&mut cx).is_pending());
        harness.advance(ms(5));
        assert_eq!(interval.poll_tick(&mut cx), Poll::Ready(start + ms(20)));
        interval.reset();
        harness.advance(ms(9));
        assert!(interval.poll_tick(&mut cx).is_pending());
        interval.reset_immediately();
        assert_eq!(interval.poll_tick(&mut cx), Poll::Ready(start + ms(29)));
        interval.reset_at(start + ms(31));
        harness.advance(ms(2));
        assert_eq!(interval.poll_tick(&mut cx), Poll::Ready(start + ms(31)));
    }
}

/// Wakers whose clones and wakes are counted.
struct Counted {
    clones: AtomicUsize,
    drops: AtomicUsize,
    wakes: AtomicUsize,
}

static VTABLE: RawWakerVTable = RawWakerVTable::new(
    |data| {
        counted(data).clones.fetch_add(1, Ordering::Relaxed);
        RawWaker::new(data, &VTABLE)
    },
    |data| {
        counted(data).wakes.fetch_add(1, Ordering::Relaxed);
        counted(data).drops.fetch_add(1, Ordering::Relaxed);
    },
    |data| {
        counted(data).wakes.fetch_add(1, Ordering::Relaxed);
    },
    |data| {
        counted(data).drops.fetch_add(1, Ordering::Relaxed);
    },
);

fn counted<'a>(data: *const ()) -> &'a Counted {
    // SAFETY: every waker of this vtable is made from a leaked `Counted` by `Counted::waker`.
    unsafe { &*data.cast::<Counted>() }
}

impl Counted {
    fn leak() -> (&'static Self, Waker) {
        let zero = AtomicUsize::default;
        let counted: &Self =
            Box::leak(Box::new(Self { clones: zero(), drops: zero(), wakes: zero() }));
        // SAFETY: the data lives for ever and its type is thread-safe.
        (counted, unsafe { Waker::new(std::ptr::from_ref(counted).cast(), &VTABLE) })
    }

    fn counts(&self) -> [usize; 3] {
        [&self.clones, &self.wakes, &self.drops].map(|count| count.load(Ordering::Relaxed))
    }
}

#[test]
fn d10_only_the_last_waker_is_woken_and_none_is_cloned_needlessly() {
    let harness = Harness::new();
    let (first, waker) = Counted::leak();
    let (second, other) = Counted::leak();
    let mut sleep = super::sleep(ms(10));
    for _ in 0..3 {
        assert!(poll_with(&mut sleep, &waker).is_pending());
    }
    assert_eq!(first.counts(), [1, 0, 0]);
    for _ in 0..3 {
        assert!(poll_with(&mut sleep, &other).is_pending());
    }
    assert_eq!(first.counts(), [1, 0, 1]);
    assert_eq!(second.counts(), [1, 0, 0]);
    harness.advance(ms(10));
    assert!(poll_with(&mut sleep, &other).is_ready());
    assert_eq!(first.counts(), [1, 0, 1]);
    assert_eq!(second.counts(), [1, 1, 1]);

    // Ready at once: no clone. Dropped while it waits: dropped once, not woken.
    assert!(poll_with(&mut super::sleep(Duration::ZERO), &other).is_ready());
    let mut dropped = super::sleep(ms(10));
    assert!(poll_with(&mut dropped, &other).is_pending());
    drop(dropped);
    assert!(!harness.registered());
    assert_eq!(second.counts(), [2, 1, 2]);
}

#[test]
fn a_timer_is_registered_by_the_first_poll_that_has_to_wait() {
    let harness = Harness::new();
    let mut sleep = super::sleep(ms(10));
    assert!(!harness.registered());
    assert_eq!(poll(&mut timeout(ms(1), ready(1))), Poll::Ready(Ok(1)));
    assert!(poll(&mut sleep).is_pending());
    assert!(harness.registered());
    drop(sleep);
    assert!(!harness.registered());
}

#[test]
fn an_overdue_timer_is_ready_although_nobody_fired_it() {
    let harness = Harness::new();
    let mut sleep = super::sleep(ms(10));
    assert!(poll(&mut sleep).is_pending());
    harness.handle.clock.advance(ms(10));
    assert!(poll(&mut sleep).is_ready());
    assert!(!harness.registered());
}

#[test]
fn d12_d15_after_its_runtime_is_gone_a_timer_panics_when_polled_and_never_when_dropped() {
    let made_on = Harness::new();
    let (count, waker) = counter();
    let mut waiting = super::sleep(ms(10));
    let mut timeout_waiting = timeout(ms(10), pending::<()>());
    let mut interval = interval_at(Instant::now() + ms(10), ms(10));
    let mut fresh = super::sleep(ms(10));
    let _dropped = super::sleep(ms(10));
    let mut done = timeout(ms(10), ready(1));
    let polled_on = Harness::new();
    let mut cx = Context::from_waker(&waker);
    assert!(poll_with(&mut waiting, &waker).is_pending());
    assert!(poll_with(&mut timeout_waiting, &waker).is_pending());
    assert!(interval.poll_tick(&mut cx).is_pending());
    assert!(!polled_on.registered());

    made_on.shutdown();
    assert_eq!(count.take(), 3, "nothing hangs");
    let gone = "a timer was polled after its runtime had been shut down";
    assert_eq!(panic_of(|| poll_with(&mut waiting, &waker)), gone);
    assert_eq!(panic_of(|| poll_with(&mut waiting, &waker)), gone);
    assert_eq!(panic_of(|| poll_with(&mut timeout_waiting, &waker)), gone);
    assert_eq!(panic_of(|| interval.poll_tick(&mut cx)), gone);
    assert_eq!(panic_of(|| poll_with(&mut fresh, &waker)), gone);
    assert_eq!(poll(&mut done), Poll::Ready(Ok(1)));
    fresh.reset(Instant::now());
    interval.reset();
    // The guards are left in the reverse order.
    drop(polled_on);
    drop(made_on);
}

#[test]
fn d13_a_timeout_prefers_the_value_and_cannot_be_kept_off_by_a_spent_budget() {
    let harness = Harness::new();
    assert_eq!(poll(&mut timeout(Duration::ZERO, ready(1))), Poll::Ready(Ok(1)));
    assert!(matches!(poll(&mut timeout(Duration::ZERO, pending::<()>())), Poll::Ready(Err(_))));

    let burns = std::future::poll_fn(|cx| {
        while coop::gate(cx).is_ready() {
            coop::charge(0);
        }
        Poll::<()>::Pending
    });
    let mut timeout = timeout(ms(10), burns);
    let full = coop::Budget::FULL;
    let before = full.replace();
    assert!(poll(&mut timeout).is_pending());
    harness.advance(ms(10));
    full.replace();
    let polled = poll(&mut timeout);
    full.replace();
    assert!(poll(&mut super::sleep(Duration::ZERO)).is_ready());
    // A loop of timeouts that elapse at once gives way.
    let mut rounds = 0;
    while poll(&mut super::timeout(Duration::ZERO, pending::<()>())).is_ready() {
        rounds += 1;
    }
    assert!(poll(&mut super::sleep(Duration::ZERO)).is_pending());
    before.replace();
    assert!(matches!(polled, Poll::Ready(Err(_))));
    assert_eq!(rounds, 127);
}

#[test]
fn an_elapsed_timeout_is_an_io_error() {
    let _harness = Harness::new();
    let Poll::Ready(Err(elapsed)) = poll(&mut timeout(Duration::ZERO, pending::<()>())) else {
        panic!("it has elapsed");
    };
    assert_eq!(elapsed.to_string(), "deadline has elapsed");
    let error = std::io::Error::from(elapsed);
    assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
    assert!(error.get_ref().is_some_and(|inner| inner.is::<Elapsed>()));
}

#[test]
fn misuse_panics_with_advice() {
    let outside = [
        panic_of(|| super::sleep(ms(1))),
        panic_of(|| sleep_until(Instant::now())),
        panic_of(|| timeout(ms(1), ready(()))),
        panic_of(|| timeout_at(Instant::now(), ready(()))),
        panic_of(|| interval(ms(1))),
        panic_of(|| interval_at(Instant::now(), ms(1))),
        panic_of(pause),
        panic_of(resume),
        panic_of(|| advance(ms(1))),
    ];
    for message in outside {
        assert!(message.contains("outside a runtime") && message.contains("`block_on`"));
    }
    let _harness = Harness::new();
    for message in [
        panic_of(|| interval(Duration::ZERO)),
        panic_of(|| interval_at(Instant::now(), Duration::ZERO)),
    ] {
        assert_eq!(message, "the `period` of an interval must not be zero");
    }
    resume();
    assert!(panic_of(|| advance(ms(1))).contains("`time::pause`"));

    let (_driver, handle) = driver::new(2, false).expect("a driver can be made");
    let _entered = handle.enter(0);
    for message in [panic_of(pause), panic_of(resume), panic_of(|| advance(ms(1)))] {
        assert!(message.contains("current-thread"), "{message}");
    }
    handle.clock.allow_pause();
    pause();
    resume();
}

#[test]
fn advance_fires_what_is_due_before_it_is_ready() {
    let harness = Harness::new();
    let start = Instant::now();
    let order = Arc::new(Mutex::new(Vec::new()));
    struct Push(Arc<Mutex<Vec<u32>>>, u32);
    impl Wake for Push {
        fn wake(self: Arc<Self>) {
            assert_ne!(self.1, 2, "a waker that panics");
            self.0.lock().unwrap().push(self.1);
        }
    }
    let waker = |number| Waker::from(Arc::new(Push(Arc::clone(&order), number)));
    let mut sleeps: Vec<_> = [30, 20, 10, 40].map(|millis| super::sleep(ms(millis))).into();
    for (number, sleep) in sleeps.iter_mut().enumerate() {
        assert!(poll_with(sleep, &waker(number as u32)).is_pending());
    }
    let mut advance = advance(ms(35));
    assert_eq!(start.elapsed(), ms(0));
    assert!(poll_with(&mut advance, &waker(9)).is_pending());
    assert_eq!(*order.lock().unwrap(), [1, 0, 9], "its own task last");
    assert_eq!(start.elapsed(), ms(35));
    assert!(poll(&mut advance).is_ready());
    assert!(harness.registered());

    let mut endless = super::advance(Duration::MAX);
    assert!(panic_of(|| poll(&mut endless)).contains("past the last `Instant`"));
}

#[test]
fn an_instant_is_the_time_of_the_runtime_it_is_told_in() {
    let outside = Instant::now();
    assert!(outside <= Instant::now());
    let harness = Harness::new();
    let start = Instant::now();
    assert_eq!(Instant::now(), start);
    harness.advance(ms(1500));
    assert_eq!(Instant::now() - start, ms(1500));
    assert_eq!(start - Instant::now(), Duration::ZERO);
    assert_eq!((start + ms(1)).checked_duration_since(start), Some(ms(1)));
    assert_eq!(start.checked_duration_since(start + ms(1)), None);
    assert_eq!(start + ms(2) - ms(2), start);
    let mut moved = start;
    moved += ms(3);
    moved -= ms(1);
    assert_eq!(moved.saturating_duration_since(start), ms(2));
    assert_eq!(Instant::from_std(start.into_std()), start);
}

#[test]
fn a_sleep_can_be_pinned_and_reset_in_place() {
    let _harness = Harness::new();
    let mut sleep = pin!(super::sleep(ms(10)));
    sleep.as_mut().reset(Instant::now());
    assert!(sleep.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready());
}

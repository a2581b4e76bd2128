//! Shards, keys and the leader's mark, on one thread.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::task::{Wake, Waker};

use super::*;

#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn noop() -> Waker {
    Waker::noop().clone()
}

fn timers(shards: usize) -> (Timers, Instant) {
    let base = super::super::clock::real_now();
    (Timers::new(shards, base), base)
}

fn insert(timers: &Timers, shard: usize, deadline: Instant) -> Registered {
    timers.insert(shard, deadline, noop()).expect("the timers are open")
}

#[test]
fn every_shard_that_is_due_is_fired_by_anyone() {
    let (timers, base) = timers(4);
    for shard in 0..4 {
        let _ = insert(&timers, shard, base + ms(1 + shard as u64));
    }
    assert_eq!(timers.next_deadline(2), Some(base + ms(3)));
    assert_eq!(timers.next_deadline_any(), Some(base + ms(1)));
    let mut woken = Vec::new();
    assert!(!timers.fire(base, &mut woken));
    assert_eq!(woken.len(), 0);
    assert!(!timers.fire(base + ms(3), &mut woken));
    assert_eq!(woken.len(), 3);
    assert_eq!(timers.next_deadline_any(), Some(base + ms(4)));
}

#[test]
fn a_key_names_nothing_once_its_timer_has_fired_or_was_removed() {
    let (timers, base) = timers(1);
    let fired = insert(&timers, 0, base).key;
    let mut woken = Vec::new();
    timers.fire(base, &mut woken);
    assert_eq!(woken.len(), 1);
    let removed = insert(&timers, 0, base + ms(1)).key;
    assert!(timers.remove(removed).is_some());
    // It takes the place of both.
    let waker = Waker::from(Arc::new(Count::default()));
    let other = timers.insert(0, base + ms(1), waker.clone()).expect("the timers are open").key;
    for gone in [fired, removed] {
        assert_ne!(gone, other);
        assert!(timers.remove(gone).is_none());
        assert!(timers.reset(gone, base, 0).is_none());
        assert_eq!(timers.watch(gone, &waker), Watch::Gone);
        assert!(timers.replace_waker(gone, noop()).is_err());
    }
    assert_eq!(timers.watch(other, &waker), Watch::Same);
    assert!(timers.replace_waker(other, noop()).is_ok_and(|old| old.will_wake(&waker)));
    assert_eq!(timers.watch(other, &waker), Watch::Other);
    assert!(timers.remove(other).is_some());
}

#[test]
fn an_earlier_deadline_moves_a_timer_to_the_shard_of_the_thread_that_sets_it() {
    let (timers, base) = timers(3);
    let key = insert(&timers, 0, base + ms(10)).key;
    let later = timers.reset(key, base + ms(20), 1).expect("it has not fired");
    assert_eq!(later.key, key, "the owner wakes up early enough");
    let earlier = timers.reset(key, base + ms(5), 1).expect("it has not fired");
    assert_ne!(earlier.key, key);
    assert_eq!(timers.next_deadline(0), None);
    assert_eq!(timers.next_deadline(1), Some(base + ms(5)));
    let again = timers.reset(earlier.key, base + ms(4), 1).expect("it has not fired");
    assert_eq!(again.key, earlier.key);
    assert!(!later.unpark && !earlier.unpark && !again.unpark);
}

#[test]
fn only_an_earlier_deadline_of_a_foreign_thread_unparks_the_leader_and_only_once() {
    let (timers, base) = timers(3);
    assert!(!insert(&timers, 2, base + ms(100)).unpark, "nobody sleeps");
    let _ = insert(&timers, 0, base + ms(50));
    let _ = insert(&timers, 1, base + ms(40));
    assert_eq!(timers.begin_wait(|shard| shard == 0), Some(base + ms(50)));
    assert!(!insert(&timers, 0, base + ms(1)).unpark, "the owner looks for itself");
    assert!(!insert(&timers, 2, base + ms(60)).unpark);
    assert!(insert(&timers, 2, base + ms(49)).unpark);
    assert!(!insert(&timers, 2, base + ms(48)).unpark, "it is being unparked");
    timers.end_wait();
    assert_eq!(timers.begin_wait(|_| true), Some(base + ms(1)));
    timers.end_wait();
    assert!(!insert(&timers, 2, base).unpark);

    let (timers, base) = self::timers(3);
    assert_eq!(timers.begin_wait(|_| true), None);
    assert!(!timers.hand_over(1));
    let _ = insert(&timers, 1, base + ms(1));
    assert!(timers.hand_over(1), "its owner leaves, the leader does not know of the deadline");
    timers.end_wait();
    assert_eq!(timers.begin_wait(|shard| shard == 0), None);
    let key = insert(&timers, 2, base + ms(9)).key;
    timers.end_wait();
    assert_eq!(timers.begin_wait(|shard| shard == 0), Some(base + ms(9)));
    assert!(timers.reset(key, base + ms(8), 2).expect("it has not fired").unpark);
}

#[test]
fn who_sleeps_beside_the_leader_keeps_time_only_for_what_the_leader_would_miss() {
    let (timers, base) = timers(3);
    let _ = insert(&timers, 0, base + ms(5));
    assert_eq!(timers.own_wait(0), Some(base + ms(5)), "nobody leads");
    assert_eq!(timers.own_wait(1), None, "no timers");
    let _ = insert(&timers, 1, base + ms(4));
    assert_eq!(timers.begin_wait(|shard| shard == 1), Some(base + ms(4)), "the other one runs");
    assert_eq!(timers.own_wait(0), None);
    let _ = insert(&timers, 0, base + ms(3));
    assert_eq!(timers.own_wait(0), Some(base + ms(3)));
    timers.end_wait();
    assert_eq!(timers.own_wait(1), Some(base + ms(4)));
    assert_eq!(timers.begin_wait(|_| true), Some(base + ms(3)));
    timers.end_wait();
}

#[test]
fn a_call_of_fire_is_bounded_and_says_that_more_is_due() {
    let (timers, base) = timers(1);
    for number in 0..100_000 {
        let _ = insert(&timers, 0, base + Duration::from_nanos(1_000_000 + number % 7));
    }
    let now = base + ms(2);
    let mut calls = 0;
    let mut fired = 0;
    loop {
        let mut woken = Vec::new();
        let more = timers.fire(now, &mut woken);
        assert!(woken.len() <= STEPS * HOLDS);
        fired += woken.len();
        calls += 1;
        if !more {
            break;
        }
        assert!(timers.next_deadline(0).is_some_and(|next| next <= now));
    }
    assert_eq!(fired, 100_000);
    assert!((25..=75).contains(&calls), "{calls} calls");
    assert_eq!(timers.next_deadline_any(), None);
}

#[test]
fn deadlines_before_the_base_and_beyond_the_range_are_ordinary() {
    let (timers, base) = timers(1);
    let centuries = Duration::from_secs(1000 * 365 * 24 * 60 * 60);
    let far = insert(&timers, 0, base + centuries).key;
    assert_eq!(timers.next_deadline_any(), None, "a paused clock does not jump there");
    if let Some(before) = base.checked_sub(ms(1)) {
        let _ = insert(&timers, 0, before);
        assert_eq!(timers.next_deadline(0), Some(base));
    }
    let mut woken = Vec::new();
    timers.fire(base + centuries / 2, &mut woken);
    assert_eq!(woken.len(), 1);
    // Never early: 500 years and 584 years are less than 1000.
    timers.fire(base + centuries - ms(1), &mut woken);
    assert_eq!(woken.len(), 1);
    assert!(timers.remove(far).is_some());
}

#[test]
fn closing_hands_out_every_waker_and_refuses_later_timers() {
    let (timers, base) = timers(3);
    let count = Arc::new(Count::default());
    let mut keys = Vec::new();
    for number in 0..300 {
        let waker = Waker::from(Arc::clone(&count));
        let registered = timers.insert(number % 3, base + ms(number as u64), waker);
        keys.push(registered.expect("the timers are open").key);
    }
    assert!(!timers.is_closed());
    let mut woken = Vec::new();
    timers.close(&mut woken);
    assert!(timers.is_closed());
    assert_eq!(woken.len(), 300);
    woken.into_iter().for_each(Waker::wake);
    assert_eq!(count.0.load(Ordering::Relaxed), 300);
    assert_eq!(Arc::strong_count(&count), 1);
    assert!(timers.insert(0, base, noop()).is_err());
    for key in keys {
        assert!(timers.remove(key).is_none());
        assert_eq!(timers.watch(key, Waker::noop()), Watch::Gone);
    }
    assert_eq!(timers.next_deadline_any(), None);
    timers.close(&mut Vec::new());
}

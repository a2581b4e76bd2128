//! Models of the timers: every interleaving of two or three threads, named by what must hold.
//!
//! The wakers of these models take the lock of the shard when they are woken and when they are
//! dropped, so that a model that does either under that lock is a deadlock, which loom reports.

use std::task::Wake;

use super::*;
use crate::sync::{Arc, thread};

/// Wakes and drops, counted outside of what loom explores.
#[derive(Default)]
struct Counts {
    wakes: std::sync::atomic::AtomicUsize,
    drops: std::sync::atomic::AtomicUsize,
}

impl Counts {
    /// How often it was woken, and dropped.
    fn get(&self) -> (usize, usize) {
        (self.wakes.load(Ordering::SeqCst), self.drops.load(Ordering::SeqCst))
    }
}

struct Locking {
    timers: Arc<Timers>,
    counts: std::sync::Arc<Counts>,
}

impl Locking {
    fn lock(&self) {
        for shard in &self.timers.shards {
            drop(shard.wheel.lock());
        }
    }
}

impl Wake for Locking {
    fn wake(self: std::sync::Arc<Self>) {
        self.lock();
        self.counts.wakes.fetch_add(1, Ordering::SeqCst);
    }
}

impl Drop for Locking {
    fn drop(&mut self) {
        self.lock();
        self.counts.drops.fetch_add(1, Ordering::SeqCst);
    }
}

fn waker(timers: &Arc<Timers>) -> (std::sync::Arc<Counts>, Waker) {
    let counts = std::sync::Arc::new(Counts::default());
    let waker = Locking { timers: Arc::clone(timers), counts: std::sync::Arc::clone(&counts) };
    (counts, std::sync::Arc::new(waker).into())
}

fn timers(shards: usize) -> (Arc<Timers>, Instant) {
    let base = super::super::clock::real_now();
    (Arc::new(Timers::new(shards, base)), base)
}

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn insert(timers: &Timers, shard: usize, deadline: Instant, waker: Waker) -> Registered {
    timers.insert(shard, deadline, waker).expect("the timers are open")
}

fn fire(timers: &Timers, now: Instant) {
    let mut woken = Vec::new();
    timers.fire(now, &mut woken);
    woken.into_iter().for_each(Waker::wake);
}

#[test]
fn a_timer_that_fires_while_it_is_removed_is_woken_or_given_back_and_dropped_once() {
    loom::model(|| {
        let (timers, base) = timers(1);
        let (counts, waker) = waker(&timers);
        let key = insert(&timers, 0, base + ms(1), waker).key;
        let firing = Arc::clone(&timers);
        let firing = thread::spawn(move || fire(&firing, base + ms(1)));
        let removed = timers.remove(key);
        let expected = usize::from(removed.is_none());
        drop(removed);
        firing.join().unwrap();
        assert_eq!(counts.get(), (expected, 1));
        assert_eq!(timers.next_deadline_any(), None);
    });
}

#[test]
fn two_threads_that_fire_one_shard_wake_each_timer_once() {
    loom::model(|| {
        let (timers, base) = timers(1);
        let (first, waker_1) = waker(&timers);
        let (second, waker_2) = waker(&timers);
        let _ = insert(&timers, 0, base + ms(1), waker_1);
        let _ = insert(&timers, 0, base + ms(2), waker_2);
        let firing = Arc::clone(&timers);
        let firing = thread::spawn(move || fire(&firing, base + ms(1)));
        fire(&timers, base + ms(2));
        firing.join().unwrap();
        assert_eq!(first.get(), (1, 1));
        assert_eq!(second.get(), (1, 1));
    });
}

#[test]
fn a_timer_that_fires_while_it_is_reset_to_later_fires_once() {
    loom::model(|| {
        let (timers, base) = timers(2);
        let (counts, waker) = waker(&timers);
        let key = insert(&timers, 0, base + ms(1), waker).key;
        let firing = Arc::clone(&timers);
        let firing = thread::spawn(move || fire(&firing, base + ms(5)));
        let reset = timers.reset(key, base + ms(10), 1).is_some();
        firing.join().unwrap();
        assert_eq!(counts.get(), if reset { (0, 0) } else { (1, 1) }, "never early");
        fire(&timers, base + ms(10));
        assert_eq!(counts.get(), (1, 1));
    });
}

#[test]
fn a_timer_that_another_thread_moves_to_an_earlier_deadline_fires_once() {
    loom::model(|| {
        let (timers, base) = timers(2);
        let (counts, waker) = waker(&timers);
        let key = insert(&timers, 0, base + ms(4), waker).key;
        let firing = Arc::clone(&timers);
        let firing = thread::spawn(move || fire(&firing, base + ms(4)));
        let moved = timers.reset(key, base + ms(1), 1);
        firing.join().unwrap();
        fire(&timers, base + ms(4));
        assert_eq!(counts.get(), (1, 1));
        assert!(moved.is_none_or(|moved| timers.remove(moved.key).is_none()));
        assert!(timers.remove(key).is_none());
    });
}

#[test]
fn a_timer_that_fires_while_its_waker_is_replaced_wakes_the_last_task_or_the_poll_sees_it() {
    loom::model(|| {
        let (timers, base) = timers(1);
        let (first, waker_1) = waker(&timers);
        let (second, waker_2) = waker(&timers);
        let key = insert(&timers, 0, base + ms(1), waker_1).key;
        let firing = Arc::clone(&timers);
        let firing = thread::spawn(move || fire(&firing, base + ms(1)));
        let replaced = match timers.replace_waker(key, waker_2) {
            Ok(_old) => true,
            Err(_new) => false,
        };
        firing.join().unwrap();
        let (woken, not_woken) = if replaced { (second, first) } else { (first, second) };
        assert_eq!(woken.get(), (1, 1));
        assert_eq!(not_woken.get(), (0, 1));
    });
}

#[test]
fn a_timer_that_is_inserted_while_the_runtime_ends_is_refused_or_handed_out() {
    loom::model(|| {
        let (timers, base) = timers(1);
        let (counts, waker) = waker(&timers);
        let closing = Arc::clone(&timers);
        let closing = thread::spawn(move || {
            let mut woken = Vec::new();
            closing.close(&mut woken);
            woken.into_iter().for_each(Waker::wake);
        });
        let inserted = timers.insert(0, base + ms(1), waker).is_ok();
        closing.join().unwrap();
        assert_eq!(counts.get(), (usize::from(inserted), 1));
        assert!(timers.is_closed());
    });
}

/// Sleeps as the leader does until it knows of `deadline`; a deadlock if nobody unparks it.
fn lead(timers: &Timers, deadline: Instant) {
    while timers.begin_wait(|_| true) != Some(deadline) {
        thread::park();
        timers.end_wait();
    }
    timers.end_wait();
}

#[test]
fn the_leader_never_sleeps_past_a_deadline_of_a_foreign_thread() {
    loom::model(|| {
        let (timers, base) = timers(2);
        let (_, waker) = waker(&timers);
        let leader = thread::current();
        let inserting = Arc::clone(&timers);
        let inserting = thread::spawn(move || {
            if insert(&inserting, 1, base + ms(1), waker).unpark {
                leader.unpark();
            }
        });
        lead(&timers, base + ms(1));
        inserting.join().unwrap();
        fire(&timers, base + ms(1));
    });
}

#[test]
fn the_leader_learns_of_the_earliest_of_two_deadlines_by_one_unpark() {
    loom::model(|| {
        let (timers, base) = timers(2);
        let leader = thread::current();
        let inserting = [ms(2), ms(1)].map(|after| {
            let (_, waker) = waker(&timers);
            let (inserting, leader) = (Arc::clone(&timers), leader.clone());
            thread::spawn(move || {
                if insert(&inserting, 1, base + after, waker).unpark {
                    leader.unpark();
                }
            })
        });
        lead(&timers, base + ms(1));
        inserting.into_iter().for_each(|inserting| inserting.join().unwrap());
        fire(&timers, base + ms(2));
    });
}

#[test]
fn a_sleeper_that_leaves_its_timers_to_the_leader_is_known_to_the_next_one_who_leads() {
    loom::model(|| {
        let (timers, base) = timers(2);
        let (_, foreign) = waker(&timers);
        let (_, own) = waker(&timers);
        let _ = insert(&timers, 1, base + ms(1), foreign);
        let parked = Arc::new(AtomicBool::new(false));
        let sleeping = (Arc::clone(&timers), Arc::clone(&parked));
        let sleeping = thread::spawn(move || {
            let (timers, parked) = sleeping;
            let _ = insert(&timers, 0, base + ms(2), own);
            parked.store(true, Ordering::Release); // as `Idle::park` does
            fence(Ordering::SeqCst);
            timers.own_wait(0)
        });
        let is_parked = |_| parked.load(Ordering::Relaxed);
        let first = timers.begin_wait(is_parked);
        assert_eq!(first, Some(base + ms(1)));
        timers.end_wait();
        fire(&timers, base + ms(1));
        let second = timers.begin_wait(is_parked);
        let own = sleeping.join().unwrap();
        assert!(own == Some(base + ms(2)) || second == Some(base + ms(2)));
        fire(&timers, base + ms(2));
    });
}

#[test]
fn the_leader_learns_of_the_deadlines_of_an_owner_who_leaves() {
    loom::model(|| {
        let (timers, base) = timers(3);
        let (_, waker) = waker(&timers);
        let leader = thread::current();
        let leaving = Arc::clone(&timers);
        let leaving = thread::spawn(move || {
            let registered = insert(&leaving, 1, base + ms(1), waker);
            assert!(!registered.unpark);
            if leaving.hand_over(1) {
                leader.unpark();
            }
        });
        lead(&timers, base + ms(1));
        leaving.join().unwrap();
        fire(&timers, base + ms(1));
    });
}

//! Models of the set: each is named by the invariant that it checks.

use std::pin::pin;
use std::sync::Arc as StdArc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use super::*;
use crate::sync::thread;
use crate::task::models::{Hand, model, task};

#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: StdArc<Self>) {
        self.0.fetch_add(1, Relaxed);
    }
}

/// {a task ends} ∥ {it is added, and the set polled}: its output, or a wake-up. 2 threads.
#[test]
fn the_end_of_a_task_is_never_missed() {
    model(|| {
        let hand = Hand::new();
        let (runnable, handle) = task(&hand, async { 7 });
        let running = {
            let hand = hand.clone();
            thread::spawn(move || hand.run(runnable))
        };
        let woken = StdArc::new(Woken::default());
        let waker = Waker::from(woken.clone());
        let mut set = JoinSet::new();
        drop(set.insert(handle));
        let first = set.poll_join_next(&mut Context::from_waker(&waker));
        running.join().unwrap();
        match first {
            Poll::Ready(joined) => assert_eq!(joined.unwrap().1.unwrap(), 7),
            Poll::Pending => {
                assert_eq!(woken.0.load(Relaxed), 1);
                let next = pin!(set.join_next()).poll(&mut Context::from_waker(&waker));
                assert!(matches!(next, Poll::Ready(Some(Ok(7)))), "{next:?}");
            }
        }
        assert!(set.is_empty() && set.try_join_next().is_none());
    });
}

/// {a task ends} ∥ {the set lets go of it, and takes in another one under the same key}: the first
/// one's end is not taken for the second one's. 2 threads.
#[test]
fn a_detached_task_reports_to_nobody() {
    model(|| {
        let hand = Hand::new();
        let (first, handle) = task(&hand, async { 1 });
        let mut set = JoinSet::new();
        drop(set.insert(handle));
        let running = {
            let hand = hand.clone();
            thread::spawn(move || hand.run(first))
        };
        set.detach_all();
        let (second, handle) = task(&hand, async { 2 });
        drop(set.insert(handle));
        assert!(set.try_join_next().is_none());
        running.join().unwrap();
        assert!(set.try_join_next().is_none());
        hand.run(second);
        assert_eq!(set.try_join_next().unwrap().unwrap(), 2);
    });
}

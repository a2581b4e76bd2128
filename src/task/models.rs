//! Models of the task cell: each is named by the invariant that it checks, over every interleaving.
//!
//! Run with `RUSTFLAGS="--cfg loom" LOOM_MAX_PREEMPTIONS=3 cargo test --lib --release models`. With that
//! bound all of them take 12 s on one core of a small machine: up to 5 s those with three threads,
//! milliseconds those with two. One task each, at most three polls. Every model also checks that all
//! cells are freed, and loom that no access to a future, an output, the join waker or the links races
//! with another one or with the freeing of the cell.

use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc as StdArc; // counters that are no part of what is modelled
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll, Wake, Waker};

use super::*;
use crate::sync::atomic;
use crate::sync::{Arc, Mutex, Queue, UnsafeCell, thread};

/// The smallest scheduler: a queue that the model's threads run by hand.
pub(super) struct Hand {
    ready: Queue<Runnable>,
    owned: OwnedTasks,
    /// Set when a real scheduler would be freed.
    dead: AtomicBool,
}

impl Schedule for Hand {
    fn schedule(this: &Arc<Self>, task: Runnable) {
        assert!(!this.dead.load(Relaxed), "scheduled on a dead scheduler");
        this.ready.push(task);
    }
}

impl Hand {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            ready: Queue::new(),
            owned: OwnedTasks::new(1),
            dead: AtomicBool::new(false),
        })
    }

    /// Runs a task until it is neither in hand nor in the queue.
    pub(super) fn run(&self, runnable: Runnable) {
        let mut next = Some(runnable);
        while let Some(runnable) = next {
            next = runnable.run(&self.owned, 0).settle().or_else(|| self.ready.pop());
        }
    }

    fn run_queue(&self) {
        if let Some(runnable) = self.ready.pop() {
            self.run(runnable);
        }
    }

    /// A shutdown, as schedulers do it.
    fn shutdown(&self) {
        self.owned.close();
        self.owned.cancel_all_idle();
        loop {
            while let Some(runnable) = self.ready.pop() {
                runnable.cancel(&self.owned);
            }
            if self.owned.is_empty() {
                break;
            }
            thread::yield_now();
        }
        self.dead.store(true, Relaxed);
    }
}

pub(super) fn task<F>(on: &Arc<Hand>, future: F) -> (Runnable, JoinHandle<F::Output>)
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    new_task(future, on, Location::caller())
}

/// Explores a model; no execution of it leaves a cell behind.
pub(super) fn model(f: impl Fn() + Send + Sync + 'static) {
    loom::model(move || {
        let before = cell::live::cells();
        f();
        assert_eq!(
            crate::contain::caught::panics(),
            0,
            "a panic inside a net, such as loom's about a race"
        );
        assert_eq!(cell::live::cells(), before, "cells leaked or freed twice");
    });
}

/// Counts its drops.
struct Drops(StdArc<AtomicUsize>);

impl Drop for Drops {
    fn drop(&mut self) {
        self.0.fetch_add(1, Relaxed);
    }
}

fn drops() -> (Drops, StdArc<AtomicUsize>) {
    let count = StdArc::new(AtomicUsize::new(0));
    (Drops(count.clone()), count)
}

/// Is woken at most; counts it.
#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: StdArc<Self>) {
        self.0.fetch_add(1, Relaxed);
    }
}

/// Waits for `flag`, with a waker that anyone may take; keeps nothing else.
struct UntilSet {
    shared: Arc<Shared>,
    _drops: Drops,
}

struct Shared {
    set: atomic::AtomicBool,
    waker: Mutex<Option<Waker>>,
    /// Written in each poll and when dropped: loom complains if two threads are in there.
    inside: UnsafeCell<u32>,
}

// SAFETY: the cell is only touched where the run right is held, which the models check.
#[allow(unsafe_code)]
unsafe impl Send for Shared {}
// SAFETY: as above.
#[allow(unsafe_code)]
unsafe impl Sync for Shared {}

impl Shared {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            set: atomic::AtomicBool::new(false),
            waker: Mutex::new(None),
            inside: UnsafeCell::new(0),
        })
    }

    fn touch(&self) {
        self.inside.with_mut(|_| ());
    }

    /// Makes the future ready and wakes its task, if it has left a waker.
    fn set(&self) {
        // Relaxed: that the poll sees it is the wake's promise.
        self.set.store(true, atomic::Ordering::Relaxed);
        let waker = self.waker.lock().take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl UntilSet {
    fn new(shared: &Arc<Shared>) -> (Self, StdArc<AtomicUsize>) {
        let (drops, count) = drops();
        let shared = shared.clone();
        (Self { shared, _drops: drops }, count)
    }
}

impl Future for UntilSet {
    type Output = u32;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<u32> {
        self.shared.touch();
        let new = cx.waker().clone();
        let old = self.shared.waker.lock().replace(new);
        drop(old);
        let set = self.shared.set.load(atomic::Ordering::Relaxed);
        // The last word of this poll: later than anything that a thread with the waker knows of.
        self.shared.touch();
        if set { Poll::Ready(7) } else { Poll::Pending }
    }
}

impl Drop for UntilSet {
    fn drop(&mut self) {
        self.shared.touch();
    }
}

/// Polls a handle once.
fn poll<T>(handle: &mut JoinHandle<T>, waker: &Waker) -> Poll<Result<T, JoinError>> {
    Pin::new(handle).poll(&mut Context::from_waker(waker))
}

/// {first poll} ∥ {wake, run} ∥ {abort, run}: loom sees two mutable accesses if two are inside, and
/// the future is dropped once. 3 threads.
#[test]
fn never_two_threads_in_poll_or_drop() {
    model(|| {
        let hand = Hand::new();
        let shared = Shared::new();
        let (future, dropped) = UntilSet::new(&shared);
        let (runnable, handle) = task(&hand, future);
        let polling = {
            let hand = hand.clone();
            thread::spawn(move || {
                let _ = runnable.run(&hand.owned, 0).settle().map(|again| hand.ready.push(again));
            })
        };
        let waking = {
            let (hand, shared) = (hand.clone(), shared.clone());
            thread::spawn(move || {
                shared.set();
                hand.run_queue();
            })
        };
        handle.abort();
        drop(handle);
        hand.run_queue();
        polling.join().unwrap();
        waking.join().unwrap();
        hand.run_queue();
        assert_eq!(dropped.load(Relaxed), 1);
        drop(shared.waker.lock().take());
    });
}

/// {first poll} ∥ {set the flag, wake by value}: the task is done in the end. 2 threads.
#[test]
fn a_wake_after_the_last_look_leads_to_another_poll() {
    model(|| {
        let hand = Hand::new();
        let shared = Shared::new();
        let (future, _dropped) = UntilSet::new(&shared);
        let (runnable, mut handle) = task(&hand, future);
        let setting = {
            let shared = shared.clone();
            thread::spawn(move || shared.set())
        };
        hand.run(runnable);
        setting.join().unwrap();
        hand.run_queue();
        let done = poll(&mut handle, Waker::noop());
        assert!(matches!(done, Poll::Ready(Ok(7))), "{done:?}");
        drop(shared.waker.lock().take());
    });
}

/// {poll} ∥ {set a flag, wake by reference} ∥ {set a flag, wake by value}: a poll after the last wake
/// sees both flags, which have no ordering of their own. 3 threads.
#[test]
fn every_wake_publishes_what_came_before_it() {
    model(|| {
        let hand = Hand::new();
        let flags = Arc::new([atomic::AtomicBool::new(false), atomic::AtomicBool::new(false)]);
        let seen = flags.clone();
        let sink: StdArc<std::sync::Mutex<Option<Waker>>> = StdArc::default();
        let stash = sink.clone();
        let future = std::future::poll_fn(move |cx| {
            sink.lock().unwrap().get_or_insert_with(|| cx.waker().clone());
            if seen.iter().all(|flag| flag.load(atomic::Ordering::Relaxed)) {
                return Poll::Ready(());
            }
            Poll::Pending
        });
        let (runnable, mut handle) = task(&hand, future);
        hand.run(runnable);
        let waker = stash.lock().unwrap().clone().unwrap();
        waker.wake_by_ref(); // queued, so that the wakes below only leave a note
        let threads = [0, 1].map(|i| {
            let (flags, waker) = (flags.clone(), waker.clone());
            thread::spawn(move || {
                flags[i].store(true, atomic::Ordering::Relaxed);
                if i == 0 {
                    waker.wake_by_ref();
                } else {
                    waker.wake();
                }
            })
        });
        hand.run_queue();
        for thread in threads {
            thread.join().unwrap();
        }
        // Joining has told this thread of both flags: what counts is whether it has to poll.
        let wanted = !handle.is_finished();
        assert_eq!(wanted, hand.ready.pop().map(|runnable| hand.run(runnable)).is_some());
        assert!(poll(&mut handle, Waker::noop()).is_ready());
        drop((waker, stash.lock().unwrap().take()));
    });
}

/// {run to completion} ∥ {abort} ∥ {poll the handle, then drop it}. The future's value becomes the
/// output, so in every execution it is dropped once. 3 threads.
#[test]
fn an_output_is_read_or_dropped_once() {
    model(|| {
        let hand = Hand::new();
        let (value, dropped) = drops();
        let (runnable, mut handle) = task(&hand, async move { value });
        let abort = handle.abort_handle();
        let running = {
            let hand = hand.clone();
            thread::spawn(move || hand.run(runnable))
        };
        let aborting = thread::spawn(move || abort.abort());
        let taken = match poll(&mut handle, Waker::noop()) {
            Poll::Ready(Ok(value)) => Some(value),
            Poll::Ready(Err(error)) => {
                assert!(error.is_cancelled());
                None
            }
            Poll::Pending => None,
        };
        drop(handle);
        running.join().unwrap();
        aborting.join().unwrap();
        let left = usize::from(taken.is_some());
        assert_eq!(dropped.load(Relaxed), 1 - left);
    });
}

/// {complete} ∥ {drop the last waker} ∥ {drop the handle}. 3 threads.
#[test]
fn a_cell_is_freed_once_and_after_the_last_touch() {
    model(|| {
        let hand = Hand::new();
        let shared = Shared::new();
        let (future, dropped) = UntilSet::new(&shared);
        let (runnable, mut handle) = task(&hand, future);
        hand.run(runnable);
        assert!(poll(&mut handle, Waker::noop()).is_pending());
        let waker = shared.waker.lock().clone().unwrap();
        shared.set(); // queued, and all other wakers are spent
        let runnable = hand.ready.pop().unwrap();
        let running = {
            let hand = hand.clone();
            thread::spawn(move || hand.run(runnable))
        };
        let dropping = thread::spawn(move || drop(waker));
        drop(handle);
        running.join().unwrap();
        dropping.join().unwrap();
        drop(shared.waker.lock().take());
        assert_eq!(dropped.load(Relaxed), 1);
    });
}

/// {complete} ∥ {poll the handle with one waker, then with another}: the waker of the last poll that
/// was `Pending` is woken, and none is kept. 2 threads.
#[test]
fn the_join_waker_has_one_owner_at_a_time() {
    model(|| {
        let hand = Hand::new();
        let (runnable, mut handle) = task(&hand, async { 7 });
        let running = {
            let hand = hand.clone();
            thread::spawn(move || hand.run(runnable))
        };
        let woken = [StdArc::new(Woken::default()), StdArc::new(Woken::default())];
        let mut last = None;
        let mut output = None;
        for woken in &woken {
            match poll(&mut handle, &woken.clone().into()) {
                Poll::Pending => last = Some(woken),
                Poll::Ready(ready) => {
                    output = Some(ready);
                    last = None;
                    break;
                }
            }
        }
        running.join().unwrap();
        if let Some(last) = last {
            assert_eq!(last.0.load(Relaxed), 1);
            assert!(matches!(poll(&mut handle, Waker::noop()), Poll::Ready(Ok(7))));
        } else {
            assert_eq!(output.unwrap().unwrap(), 7);
        }
        for woken in woken {
            assert_eq!(StdArc::strong_count(&woken), 1, "a waker is kept");
        }
    });
}

/// {complete} ∥ {poll the handle with one waker, another one, and the first again}: who reads the slot
/// before it has completed the task does not take the first for the last. 2 threads.
#[test]
fn a_lent_join_waker_is_not_used_if_it_was_taken_back() {
    model(|| {
        let hand = Hand::new();
        let (runnable, mut handle) = task(&hand, async { 7 });
        let running = {
            let hand = hand.clone();
            thread::spawn(move || hand.run(runnable))
        };
        let woken = [StdArc::new(Woken::default()), StdArc::new(Woken::default())];
        let mut waits = false;
        for i in [0, 1, 0] {
            waits = poll(&mut handle, &woken[i].clone().into()).is_pending();
            if !waits {
                break;
            }
        }
        running.join().unwrap();
        for woken in &woken {
            assert_eq!(StdArc::strong_count(woken), 1, "a waker is kept");
        }
        if waits {
            assert_eq!([1, 0], woken.map(|woken| woken.0.load(Relaxed)));
        }
    });
}

/// As above, but the handle is dropped instead of polled again. 2 threads.
#[test]
fn a_dropped_handle_leaves_no_waker() {
    model(|| {
        let hand = Hand::new();
        let (value, dropped) = drops();
        let (runnable, mut handle) = task(&hand, async move { value });
        let woken = StdArc::new(Woken::default());
        assert!(poll(&mut handle, &woken.clone().into()).is_pending());
        let running = {
            let hand = hand.clone();
            thread::spawn(move || hand.run(runnable))
        };
        drop(handle);
        running.join().unwrap();
        assert_eq!(StdArc::strong_count(&woken), 1);
        assert_eq!(dropped.load(Relaxed), 1);
    });
}

/// {complete} ∥ {poll the handle with another waker than before, again, drop it}: neither is kept, and
/// the cell is freed last. 2 threads.
#[test]
fn a_handle_that_has_had_several_wakers_leaves_none() {
    model(|| {
        let hand = Hand::new();
        let (value, dropped) = drops();
        let (runnable, mut handle) = task(&hand, async move { value });
        let woken = [StdArc::new(Woken::default()), StdArc::new(Woken::default())];
        assert!(poll(&mut handle, &woken[0].clone().into()).is_pending());
        let running = {
            let hand = hand.clone();
            thread::spawn(move || hand.run(runnable))
        };
        if poll(&mut handle, &woken[1].clone().into()).is_pending() {
            drop(poll(&mut handle, Waker::noop()));
        }
        drop(handle);
        running.join().unwrap();
        assert_eq!(woken.map(|woken| StdArc::strong_count(&woken)), [1, 1]);
        assert_eq!(dropped.load(Relaxed), 1);
    });
}

/// {first poll, which is `Pending`} ∥ {close and sweep}. 2 threads.
#[test]
fn a_first_pending_is_refused_or_found() {
    model(|| {
        let hand = Hand::new();
        let (value, dropped) = drops();
        let (runnable, mut handle) = task(&hand, async move {
            let _value = value;
            std::future::pending::<()>().await;
        });
        let running = {
            let hand = hand.clone();
            thread::spawn(move || hand.run(runnable))
        };
        hand.owned.close();
        hand.owned.cancel_all_idle();
        running.join().unwrap();
        assert!(hand.owned.is_empty());
        assert_eq!(dropped.load(Relaxed), 1);
        let ended = poll(&mut handle, Waker::noop());
        assert!(matches!(ended, Poll::Ready(Err(error)) if error.is_cancelled()));
    });
}

/// {wake, poll again} ∥ {close and sweep}: the sweep drops what that poll left, or leaves the drop to
/// whoever runs the task. 2 threads.
#[test]
fn a_sweep_sees_the_last_poll() {
    model(|| {
        let hand = Hand::new();
        let shared = Shared::new();
        let (future, dropped) = UntilSet::new(&shared);
        let (runnable, handle) = task(&hand, future);
        drop(handle);
        hand.run(runnable);
        let waker = shared.waker.lock().clone().unwrap();
        let polling = {
            let hand = hand.clone();
            thread::spawn(move || {
                waker.wake();
                hand.run_queue();
            })
        };
        hand.owned.close();
        hand.owned.cancel_all_idle();
        polling.join().unwrap();
        assert!(hand.owned.is_empty());
        assert_eq!(dropped.load(Relaxed), 1);
        drop(shared.waker.lock().take());
    });
}

/// {wake, poll again} ∥ {wake in one of three ways, take the queue's entry and cancel it, as a shutdown
/// does}: the same without a sweep, and without the look that `run` takes. 2 threads, 3 models.
#[test]
fn a_cancelled_entry_sees_the_last_poll() {
    // The waker is kept until the end: dropping it would synchronize too.
    let ways: [fn(&JoinHandle<u32>, &Waker); 3] = [
        |_, waker| {
            let waker = waker.clone();
            waker.wake();
        },
        |_, waker| waker.wake_by_ref(),
        |handle, _| handle.abort(),
    ];
    for wake in ways {
        model(move || {
            let hand = Hand::new();
            let shared = Shared::new();
            let (future, dropped) = UntilSet::new(&shared);
            let (runnable, handle) = task(&hand, future);
            hand.run(runnable);
            let waker = shared.waker.lock().clone().unwrap();
            let polling = {
                let (hand, waker) = (hand.clone(), waker.clone());
                thread::spawn(move || {
                    waker.wake();
                    hand.run_queue();
                })
            };
            wake(&handle, &waker);
            if let Some(runnable) = hand.ready.pop() {
                runnable.cancel(&hand.owned);
            }
            polling.join().unwrap();
            hand.shutdown();
            assert_eq!(dropped.load(Relaxed), 1);
            drop(shared.waker.lock().take());
        });
    }
}

/// {a poll that gives a clone of its waker away, drops another, and is the last} ∥ {clone that clone,
/// drop or wake it, drop the rest}, of a detached task: what the poll does not count keeps the cell.
/// 2 threads, 2 models.
#[test]
fn an_uncounted_waker_keeps_the_cell() {
    let ends: [fn(Waker); 2] = [drop, Waker::wake];
    for end in ends {
        model(move || {
            let hand = Hand::new();
            let (value, dropped) = drops();
            let given: Arc<Mutex<Option<Waker>>> = Arc::new(Mutex::new(None));
            let gives = given.clone();
            let (runnable, handle) = task(
                &hand,
                std::future::poll_fn(move |cx| {
                    let _value = &value;
                    let other = cx.waker().clone();
                    *gives.lock() = Some(cx.waker().clone());
                    drop(other);
                    let back = gives.lock().take();
                    drop(back);
                    Poll::Ready(())
                }),
            );
            drop(handle);
            let taking = thread::spawn(move || {
                let taken = given.lock().take();
                if let Some(waker) = taken {
                    let other = waker.clone();
                    end(waker);
                    other.wake_by_ref();
                }
            });
            hand.run(runnable);
            taking.join().unwrap();
            assert_eq!(dropped.load(Relaxed), 1);
        });
    }
}

/// {the end of a detached task, whose output or cancelled future drops a waker that it finds} ∥ {leave
/// a clone there, drop the original}: the end counts what came before that drop. 2 threads, 2 models.
#[test]
fn a_destructor_that_drops_another_threads_waker_frees_no_cell() {
    struct Finds(Arc<Mutex<Option<Waker>>>);
    impl Drop for Finds {
        fn drop(&mut self) {
            let found = self.0.lock().take();
            drop(found);
        }
    }
    for aborts in [false, true] {
        model(move || {
            let hand = Hand::new();
            let left = Arc::new(Mutex::new(None));
            let (mut finds, mut gives) = (Some(Finds(left.clone())), Some(left.clone()));
            let future = std::future::poll_fn(move |cx| match gives.take() {
                Some(left) => {
                    *left.lock() = Some(cx.waker().clone());
                    Poll::Pending
                }
                None => finds.take().map_or(Poll::Pending, Poll::Ready),
            });
            let (runnable, handle) = task(&hand, future);
            hand.run(runnable);
            let waker = left.lock().take().unwrap();
            waker.wake_by_ref();
            if aborts {
                handle.abort();
            }
            drop(handle);
            let leaves = left.clone();
            let leaving = thread::spawn(move || {
                *leaves.lock() = Some(waker.clone());
                drop(waker);
            });
            hand.run_queue();
            leaving.join().unwrap();
            drop(left.lock().take());
        });
    }
}

/// {wake of an idle task} ∥ {abort} ∥ {shutdown, which waits for the lists}: nothing is scheduled once
/// the shutdown is over, and the future is dropped once. 3 threads.
#[test]
fn a_wake_never_meets_a_dead_scheduler() {
    model(|| {
        let hand = Hand::new();
        let shared = Shared::new();
        let (future, dropped) = UntilSet::new(&shared);
        let (runnable, handle) = task(&hand, future);
        hand.run(runnable);
        let waking = {
            let shared = shared.clone();
            thread::spawn(move || shared.set())
        };
        let aborting = thread::spawn(move || handle.abort());
        hand.shutdown();
        waking.join().unwrap();
        aborting.join().unwrap();
        assert_eq!(dropped.load(Relaxed), 1);
    });
}

/// A poll that wakes itself by the last waker that it has ∥ a wake from outside, which may be of the
/// very last one, of a detached task. 2 threads.
#[test]
fn a_wake_and_the_last_waker_inside_a_poll_are_harmless() {
    model(|| {
        let hand = Hand::new();
        let (value, dropped) = drops();
        let sink: StdArc<std::sync::Mutex<Option<Waker>>> = StdArc::default();
        let stash = sink.clone();
        let mut polls = 0;
        let (runnable, handle) = task(
            &hand,
            std::future::poll_fn(move |cx| {
                let _value = &value;
                polls += 1;
                match polls {
                    1 => {
                        *stash.lock().unwrap() = Some(cx.waker().clone());
                        Poll::Pending // idle
                    }
                    2 => {
                        cx.waker().clone().wake();
                        Poll::Pending // woken by itself
                    }
                    _ => Poll::Ready(()),
                }
            }),
        );
        hand.run(runnable);
        let waker = sink.lock().unwrap().take().unwrap();
        let other = waker.clone();
        drop(handle);
        let waking = thread::spawn(move || other.wake());
        waker.wake();
        hand.run_queue();
        waking.join().unwrap();
        hand.run_queue();
        assert_eq!(dropped.load(Relaxed), 1);
    });
}

//! Tasks under the smallest scheduler there is: a locked queue, run by hand.

use std::cell::Cell;
use std::collections::VecDeque;
use std::future::{Future, pending, poll_fn};
use std::mem::{align_of, size_of};
use std::panic::{self, AssertUnwindSafe, Location};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, Weak};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;

use super::*;

/// A queue, a list, and a count of what came through the state word.
struct Queue {
    ready: Mutex<VecDeque<Runnable>>,
    owned: OwnedTasks,
    scheduled: AtomicUsize,
}

impl Schedule for Queue {
    fn schedule(this: &Arc<Self>, task: Runnable) {
        this.scheduled.fetch_add(1, SeqCst);
        this.ready.lock().unwrap().push_back(task);
    }
}

impl Queue {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            ready: Mutex::default(),
            owned: OwnedTasks::new(2),
            scheduled: AtomicUsize::new(0),
        })
    }

    #[track_caller]
    fn spawn<F>(self: &Arc<Self>, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let (runnable, handle) = new_task(future, self, Location::caller());
        self.ready.lock().unwrap().push_back(runnable);
        handle
    }

    /// Runs the oldest entry; `false` if there is none.
    fn step(&self) -> bool {
        let Some(runnable) = self.ready.lock().unwrap().pop_front() else {
            return false;
        };
        if let Some(again) = runnable.run(&self.owned, 1) {
            self.ready.lock().unwrap().push_back(again);
        }
        true
    }

    fn run(&self) {
        while self.step() {}
    }

    fn shutdown(&self) {
        self.owned.close();
        self.owned.cancel_all_idle();
        while let Some(runnable) = { self.ready.lock().unwrap().pop_front() } {
            runnable.cancel(&self.owned);
        }
        assert!(self.owned.is_empty());
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        self.shutdown();
    }
}

/// Polls once, with a waker that does nothing.
fn poll<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
}

#[track_caller]
fn ready<F: Future + Unpin>(mut future: F) -> F::Output {
    match poll(&mut future) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("not ready"),
    }
}

/// Counts drops, each under the eyes of a test.
#[derive(Clone)]
struct Drops(Arc<AtomicUsize>);

impl Drops {
    fn new() -> (Self, Arc<AtomicUsize>) {
        let count = Arc::new(AtomicUsize::new(0));
        (Self(count.clone()), count)
    }
}

impl Drop for Drops {
    fn drop(&mut self) {
        self.0.fetch_add(1, SeqCst);
    }
}

/// No test leaves a cell behind; each runs on its own thread.
struct NoLeak(isize);

impl NoLeak {
    fn new() -> Self {
        Self(cell::live::cells())
    }
}

impl Drop for NoLeak {
    fn drop(&mut self) {
        if !thread::panicking() {
            assert_eq!(cell::live::cells(), self.0, "cells leaked or freed twice");
        }
    }
}

#[test]
fn spawn_run_join() {
    let _no_leak = NoLeak::new();
    let queue = Queue::new();
    let mut handle = queue.spawn(async { 6 * 7 });
    assert!(poll(&mut handle).is_pending());
    queue.run();
    assert!(handle.is_finished());
    assert_eq!(ready(handle).unwrap(), 42);
}

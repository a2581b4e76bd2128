//! Waiting for something that reports no readiness: a descriptor that somebody closes, room in
//! a Unix listener's queue.
//!
//! One object a listener (or connection attempt), shared by all tasks that use it. The first failure
//! of a streak starts a timer of 5 ms, each further one of double that, up to 100 ms; success ends
//! the streak. Whoever comes while the timer runs waits for it.
//!
//! Who wakes whom: the driver wakes the timer's waker, which is this object; it takes the list of
//! waiters out of the lock and wakes them. After the driver's shutdown no timer can be had and
//! nobody waits here any more: the operation then says what is wrong.

use std::future::poll_fn;
use std::mem;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use crate::driver::Handle;
use crate::sync::Mutex;

const FIRST: Duration = Duration::from_millis(5);
const LONGEST: Duration = Duration::from_millis(100);

#[derive(Debug)]
pub(super) struct Backoff(Mutex<State>);

#[derive(Debug)]
struct State {
    /// Of the timer that runs or ran last; zero if the last attempt did not fail.
    delay: Duration,
    is_running: bool,
    waiters: Vec<Waker>,
}

impl Backoff {
    pub(super) fn new() -> Arc<Self> {
        let state = State { delay: Duration::ZERO, is_running: false, waiters: Vec::new() };
        Arc::new(Self(Mutex::new(state)))
    }

    /// An attempt failed. Starts the timer if it does not run; says whether the streak is new.
    pub(super) fn failed(self: &Arc<Self>, driver: &Handle) -> bool {
        let (delay, is_new) = {
            let mut state = self.0.lock();
            let is_new = state.delay.is_zero();
            if mem::replace(&mut state.is_running, true) {
                return is_new;
            }
            state.delay = if is_new { FIRST } else { LONGEST.min(state.delay * 2) };
            (state.delay, is_new)
        };
        let deadline = driver.clock.now() + delay;
        match driver.timers.insert(driver.shard(), deadline, Waker::from(self.clone())) {
            Ok(registered) if registered.unpark => driver.unpark(),
            Ok(_) => {}
            Err(refused) => refused.wake(),
        }
        is_new
    }

    /// An attempt succeeded: the next failure is the first of its streak.
    pub(super) fn succeeded(&self) {
        self.0.lock().delay = Duration::ZERO;
    }

    /// Waits while the timer runs.
    pub(super) fn poll(&self, cx: &Context<'_>) -> Poll<()> {
        let waker = cx.waker().clone();
        // If the waker is not needed it is dropped after the guard, which is declared after it.
        let mut state = self.0.lock();
        if !state.is_running {
            return Poll::Ready(());
        }
        if !state.waiters.iter().any(|known| known.will_wake(&waker)) {
            state.waiters.push(waker);
        }
        Poll::Pending
    }

    /// The future of [`poll`](Self::poll).
    pub(super) async fn wait(&self) {
        poll_fn(|cx| self.poll(cx)).await;
    }
}

impl Wake for Backoff {
    fn wake(self: Arc<Self>) {
        let waiters = {
            let mut state = self.0.lock();
            state.is_running = false;
            mem::take(&mut state.waiters)
        };
        waiters.into_iter().for_each(Waker::wake);
    }
}

//! How one thread sleeps and how others end its sleep.
//!
//! A token, as in `std::thread::park`: [`unpark`](Unparker::unpark) leaves it, the next sleep takes
//! it instead of sleeping. The state says in addition *where* the thread sleeps, because a thread
//! that blocks in the driver has to be woken through the driver.
//!
//! ```text
//!            enter               unpark
//!   EMPTY ──────────▶ IN_THREAD ────────▶ NOTIFIED     (+ Thread::unpark)
//!     │  ▲               or
//!     │  └─ leave ─── IN_DRIVER ────────▶ NOTIFIED     (+ driver::Handle::unpark)
//!     └────────────────────────────────▶ NOTIFIED     (nothing to do: it is awake)
//! ```

use std::time::Duration;

use crate::sync::Mutex;
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::thread::{self, Thread};

const EMPTY: usize = 0;
const NOTIFIED: usize = 1;
const IN_THREAD: usize = 2;
const IN_DRIVER: usize = 3;

/// One sleeper's state, shared with all who may wake it.
#[derive(Debug)]
pub(super) struct Parker {
    state: AtomicUsize,
    /// The thread that sleeps here; it changes where callers of `block_on` take turns.
    thread: Mutex<Option<Thread>>,
}

/// What an [`unpark`](Parker::unpark) leaves to its caller.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unpark {
    /// Nothing.
    Done,
    /// To wake the driver, in which the thread sleeps.
    Driver,
}

impl Parker {
    pub(super) fn new() -> Self {
        Self { state: AtomicUsize::new(EMPTY), thread: Mutex::new(None) }
    }

    /// From now on the calling thread sleeps here.
    pub(super) fn adopt_thread(&self) {
        let old = self.thread.lock().replace(thread::current());
        drop(old);
    }

    /// Sleeps until a token is there, or about `timeout` long. It may return early.
    pub(super) fn park_thread(&self, timeout: Option<Duration>) {
        if !self.enter(IN_THREAD) {
            return;
        }
        match timeout {
            #[cfg(not(loom))]
            Some(timeout) => thread::park_timeout(timeout),
            #[cfg(loom)] // models know no time: a timeout may be over at once
            Some(_) => thread::yield_now(),
            None => thread::park(),
        }
        self.leave();
    }

    /// Sleeps in `turn`, which blocks in the driver, unless a token is there already.
    pub(super) fn park_driver<R>(&self, turn: impl FnOnce() -> R) -> Option<R> {
        self.enter(IN_DRIVER).then(|| {
            let result = turn();
            self.leave();
            result
        })
    }

    /// Says that the thread sleeps in somebody else's wait for the driver, until [`leave`]; `false` if
    /// a token was there, which is taken instead.
    ///
    /// [`leave`]: Self::leave
    pub(super) fn lend_driver(&self) -> bool {
        self.enter(IN_DRIVER)
    }

    /// Takes the token if it is there, instead of a sleep.
    pub(super) fn take_token(&self) -> bool {
        // Ordering: Relaxed is a hint; `leave` acquires.
        let notified = self.state.load(Ordering::Relaxed) == NOTIFIED;
        if notified {
            self.leave();
        }
        notified
    }

    fn enter(&self, place: usize) -> bool {
        // Ordering: Acquire on failure pairs with `unpark`'s Release: what it announces is visible.
        // Release on success tells the unparker of the place only.
        let entered =
            self.state.compare_exchange(EMPTY, place, Ordering::Release, Ordering::Acquire).is_ok();
        if !entered {
            self.leave();
        }
        entered
    }

    pub(super) fn leave(&self) {
        // Ordering: Acquire pairs with `unpark`'s Release, whoever took the sleeper out.
        self.state.swap(EMPTY, Ordering::Acquire);
    }

    /// Leaves the token and wakes the thread if it sleeps as a thread.
    pub(super) fn unpark(&self) -> Unpark {
        // Ordering: Release publishes why it is woken, to `enter` or `leave`; Acquire for `thread`.
        match self.state.swap(NOTIFIED, Ordering::AcqRel) {
            IN_THREAD => {
                let thread = self.thread.lock().clone();
                if let Some(thread) = thread {
                    thread.unpark();
                }
                Unpark::Done
            }
            IN_DRIVER => Unpark::Driver,
            _ => Unpark::Done,
        }
    }
}

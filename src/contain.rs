//! The net behind which code of users runs where its panics must not spread: wakers, hooks,
//! destructors.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Waker;

/// Calls code of the user whose panics concern nobody any more.
///
/// The panic hook has already reported them; the payload is dropped, and if that panics in turn, the
/// second payload is leaked: there is no end to what a payload's destructor may do.
pub(crate) fn contain(f: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(f)) {
        dispose(payload);
    }
}

/// Drops what a user has made.
pub(crate) fn discard<T>(value: T) {
    contain(|| drop(value));
}

/// Wakes whoever `waker` stands for.
pub(crate) fn wake(waker: Waker) {
    contain(|| waker.wake());
}

/// Drops a payload, whose destructor is the user's as well.
#[cold]
pub(crate) fn dispose(payload: Box<dyn Any + Send>) {
    #[cfg(test)]
    caught::add_one();
    if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(second);
    }
}

/// Counts the panics that were caught on this thread: among them is what loom has to say about the
/// code inside the nets, which its models must not miss.
#[cfg(test)]
pub(crate) mod caught {
    std::thread_local!(static CAUGHT: std::cell::Cell<usize> = const { std::cell::Cell::new(0) });

    pub(crate) fn add_one() {
        CAUGHT.set(CAUGHT.get() + 1);
    }

    pub(crate) fn panics() -> usize {
        CAUGHT.get()
    }
}

//! How tear-down learns whether the guest has a task in hand.
//!
//! A task in its first poll is in no queue and in no list. A pool worker that has one keeps the
//! tear-down from beginning; the guest, who is not counted there (its root future may never end),
//! says so here: a counter that is odd while it works on tasks. The tear-down reads it, empties the
//! guest's queue, and reads it again: even and unchanged means that nothing was taken in between.

use crate::sync::atomic::{AtomicU32, Ordering, fence};

/// The counter; written by who sits on the guest's seat.
#[derive(Debug)]
pub(super) struct Batches(AtomicU32);

impl Batches {
    pub(super) fn new() -> Self {
        Self(AtomicU32::new(0))
    }

    /// Tasks may be taken in hand from now on.
    pub(super) fn begin(&self) {
        // Ordering: Relaxed: one thread writes. The fence pairs with `quiet`'s: who sees that a task
        // was taken out of a queue after it sees this, too.
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
        fence(Ordering::SeqCst);
    }

    /// Every task in hand was put back into a queue, is listed, or is gone.
    pub(super) fn end(&self) {
        // Ordering: Release pairs with `now`: what was put back is in sight.
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(1), Ordering::Release);
    }

    /// To be given to [`quiet`](Self::quiet) after a look at the queue.
    pub(super) fn now(&self) -> u32 {
        // Ordering: Acquire pairs with `end`.
        self.0.load(Ordering::Acquire)
    }

    /// Whether nothing was in hand or taken in hand `since`.
    pub(super) fn quiet(&self, since: u32) -> bool {
        // Ordering: the fence pairs with the one in `begin`.
        fence(Ordering::SeqCst);
        since.is_multiple_of(2) && self.now() == since
    }
}

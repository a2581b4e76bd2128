//! The state word of a task, and every move it can make. Nobody else touches the atomic.
//!
//! What follows is the protocol of `mod.rs` in terms of bits; this file knows no memory, no waker and
//! no scheduler. Each transition is one method that returns what its caller has to do now.
//!
//! # The three phases
//!
//! | phase | `ACTIVE` | `NOTIFIED` | `COMPLETE` | `LISTED` | a `Runnable` exists | future alive |
//! |---|---|---|---|---|---|---|
//! | idle | 0 | 0 | 0 | 1 | no | yes |
//! | queued or running | 1 | 0 | 0 | any | yes | yes |
//! | the same, woken since | 1 | 1 | 0 | any | yes | yes |
//! | complete, joiner being taken | 1 | 0 | 1 | 0* | no | no |
//! | complete | 0 | 0 | 1 | 0* | no | no |
//!
//! `*` but for a `Runnable` that was dropped instead of run: it completes its task without access to
//! the list, and `LISTED` stays until the list is swept.
//!
//! `ACTIVE` is *the run right*: whoever set it owns the future, and either holds the task's only
//! `Runnable` or is about to make it. `CANCELLED` may be set in every phase and never goes away.
//!
//! # Legal transitions
//!
//! 1. birth → queued: [`State::new`].
//! 2. queued → running, and woken → running: [`State::start`].
//! 3. running → idle, or stays queued if woken since, or must be cancelled: [`State::park`].
//! 4. idle → queued, queued or running → woken: [`State::wake_by_ref`], [`State::wake_by_val`].
//! 5. idle → queued with `CANCELLED`; `CANCELLED` added while queued or running: [`State::abort`].
//! 6. the same by the list at shutdown, which keeps the run right: [`State::seize`].
//! 7. running → complete: [`State::complete`], and if the joiner's waker has changed hands before
//!    [`State::release_active`].
//! 8. join waker handed to the task and taken back: [`State::set_join_waker`],
//!    [`State::unset_join_waker`].
//! 9. handle gone: [`State::drop_join`].
//! 10. references come and go: [`State::ref_inc`], [`State::ref_dec`], [`State::unlisted`].
//!
//! # Who keeps the memory
//!
//! References are counted for wakers and abort handles; `ACTIVE`, `JOIN` and `LISTED` are one
//! reference each. The transition that leaves none of them says `Free` to its caller, and only to it.
//! An idle task is always `LISTED`, so memory is never freed under a living future.
//!
//! A poll need not count the wakers of its own task that it clones and drops: whoever holds the run
//! right may owe the word some references, and pays with the transition that gives the run right up.
//! Until then the count may be too low, even less than nothing, if others have dropped what the word
//! does not know of. That does no harm: while `ACTIVE` is set nobody frees the cell.
//!
//! # Orderings
//!
//! Every transition that gives something away (the future, the output, the join waker, a reference)
//! is a Release, every one that takes something is an Acquire. All of them but the initial store are
//! read-modify-writes, so each continues the release sequences of all before it: an Acquire *load*
//! that sees the word synchronizes with every Release that went into it. The places that skip the
//! read-modify-write (`start`, `Free` out of `complete` and `drop_join`, and a handle that has
//! [nothing but itself](Snapshot::has_nothing_but_join)) rest on that.

use std::fmt;

use crate::sync::atomic::{
    AtomicU64,
    Ordering::{AcqRel, Acquire, Relaxed, Release},
};

/// Someone owns the right to poll: a queue entry, a worker, or whoever is about to queue it.
const ACTIVE: u64 = 1 << 0;
/// Woken while `ACTIVE`: the task must be polled once more.
const NOTIFIED: u64 = 1 << 1;
/// The future is gone; the output, if any, is in the cell.
const COMPLETE: u64 = 1 << 2;
/// The future is to be dropped instead of polled.
const CANCELLED: u64 = 1 << 3;
/// The `JoinHandle` exists.
const JOIN: u64 = 1 << 4;
/// The join waker slot belongs to the task (else to the `JoinHandle`).
const JOIN_WAKER: u64 = 1 << 5;
/// The task is in a shard's list.
const LISTED: u64 = 1 << 6;
/// With `COMPLETE`: the stage holds the future's output.
const VALUE: u64 = 1 << 7;
/// With `COMPLETE`: the stage holds a panic's payload.
const PANIC: u64 = 1 << 8;
/// The handle has taken the join waker back once, so that the slot may be written a second time.
const REJOINED: u64 = 1 << 9;
/// The shard that lists the task; means something with `LISTED` only.
const SHARD: u64 = 0xffff << SHARD_SHIFT;
const SHARD_SHIFT: u32 = 16;
/// One waker or abort handle. Their number is signed: see "Who keeps the memory".
const REF: u64 = 1 << REF_SHIFT;
const REF_SHIFT: u32 = 32;

/// Shards that the word can name.
pub(super) const MAX_SHARDS: usize = 1 << 16;

/// The state word.
///
/// ```text
/// 63       32 31  16 15  10     9         8       7       6         5        4       3          2         1        0
/// | references | shard |  | REJOINED | PANIC | VALUE | LISTED | JOIN_WAKER | JOIN | CANCELLED | COMPLETE | NOTIFIED | ACTIVE |
/// ```
pub(super) struct State(AtomicU64);

/// What [`State::start`] found.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// Poll the future.
    Poll,
    /// Drop the future and complete as cancelled.
    Cancel,
}

/// What [`State::park`] did.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Park {
    /// The run right is given up; the cell may be gone.
    Idle,
    /// Woken since the poll began: the caller still has the run right and queues the task again.
    Requeue,
    /// The caller still has the run right, drops the future and completes as cancelled.
    Cancel,
}

/// What a wake or an abort has to do.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wake {
    /// The caller has the run right now and hands it to the scheduler.
    Schedule,
    /// Someone else will poll, or nobody has to.
    Nothing,
    /// The caller's reference was the last: it frees the cell.
    Free,
}

/// What [`State::seize`] found.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Seize {
    /// The caller has the run right now, and `CANCELLED` is set.
    Taken,
    /// Someone else has the run right and will find `CANCELLED` set.
    Elsewhere,
    /// The task is complete; only the list still knows it.
    Complete,
}

/// How a task ended, as far as its cell is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The stage is empty: the task was cancelled, or nobody wants to know.
    Nothing,
    /// The stage holds the output.
    Value,
    /// The stage holds the payload of a panic.
    Panic,
}

/// What [`State::complete`] did.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Complete {
    /// Nothing yet: the handle is gone, so the caller empties the stage and tries again.
    NobodyWaits,
    /// Complete; the cell is no longer the caller's.
    Done,
    /// The same, and the join waker that was [lent](Snapshot::lends_joiner) is the caller's to wake.
    WakeLent,
    /// Complete; the caller takes the join waker, calls [`State::release_active`], then wakes it.
    WakeInSlot,
    /// Complete, and nobody else knows the task: the caller frees the cell.
    Free,
}

/// Whether giving up a reference left none.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reference {
    /// Someone else still knows the cell.
    Kept,
    /// The caller frees the cell.
    Free,
}

/// Whether the join waker slot changed hands.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(super) enum JoinSlot {
    /// It did.
    Done,
    /// It did not: the task is complete.
    Complete,
}

/// What [`State::drop_join`] found or did.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(super) enum DropJoin {
    /// Nothing yet: the caller empties the stage and tries again.
    Empty(Outcome),
    /// The handle is gone; the cell is no longer the caller's.
    Done,
    /// The handle was the last: the caller frees the cell.
    Free,
}

impl State {
    /// A task that its creator is about to queue, with a `JoinHandle`.
    #[cfg(not(loom))]
    pub(super) const fn new() -> Self {
        Self(AtomicU64::new(ACTIVE | JOIN))
    }

    /// A task that its creator is about to queue, with a `JoinHandle`.
    #[cfg(loom)]
    pub(super) fn new() -> Self {
        Self(AtomicU64::new(ACTIVE | JOIN))
    }

    /// The word as it is now.
    #[inline]
    pub(super) fn snapshot(&self) -> Snapshot {
        // Ordering: Acquire pairs with the Release of `complete` for whoever looks at the output,
        // and of `park` and the wakes for the holder of the run right.
        Snapshot(self.0.load(Acquire))
    }

    /// Transition 2, by the holder of the run right, before a poll.
    #[inline]
    pub(super) fn start(&self) -> Start {
        // Ordering: Acquire pairs with the Release of a wake that set `NOTIFIED`. Missing such a wake
        // here is harmless: its bit stays and costs one more poll.
        let mut seen = Snapshot(self.0.load(Acquire));
        debug_assert!(seen.is_active() && !seen.is_complete(), "{seen:?}");
        if seen.is_notified() {
            // Ordering: Acquire pairs with the Release of the wakes whose bit this takes: what they
            // wrote is visible to the poll. Nothing is published.
            seen = Snapshot(self.0.fetch_and(!NOTIFIED, Acquire));
        }
        if seen.is_cancelled() { Start::Cancel } else { Start::Poll }
    }

    /// Transition 3, by the holder of the run right, after a poll that returned `Pending`.
    /// `linked` says that the caller has just put the task into that shard's list, `owed` how many
    /// references are to be added.
    #[inline]
    pub(super) fn park(&self, linked: Option<usize>, owed: i32) -> Park {
        let listing = match linked {
            Some(shard) => LISTED | (shard as u64) << SHARD_SHIFT,
            None => 0,
        };
        // Ordering: Acquire pairs with the Release of `abort` or a wake, for the two outcomes that
        // keep the run right.
        let mut seen = Snapshot(self.0.load(Acquire));
        loop {
            debug_assert!(seen.is_active() && !seen.is_complete(), "{seen:?}");
            let (kept, outcome) = if seen.is_cancelled() {
                (ACTIVE, Park::Cancel)
            } else if seen.is_notified() {
                (ACTIVE, Park::Requeue)
            } else {
                (0, Park::Idle)
            };
            let next = pay(seen.0 & !ACTIVE | kept | listing, owed);
            if next == seen.0 {
                return outcome;
            }
            // Ordering: Release gives the future, as this poll left it, to the next who sets
            // `ACTIVE` (4, 5, 6); Acquire as above.
            match self.0.compare_exchange_weak(seen.0, next, AcqRel, Acquire) {
                Ok(_) => return outcome,
                Err(actual) => seen = Snapshot(actual),
            }
        }
    }

    /// Transition 4, by someone who holds a reference and keeps it.
    #[inline]
    pub(super) fn wake_by_ref(&self) -> Wake {
        // Ordering: Relaxed; a stale word fails the exchange, and `COMPLETE` never goes away.
        let mut seen = Snapshot(self.0.load(Relaxed));
        loop {
            let (next, action) = if seen.is_complete() {
                return Wake::Nothing;
            } else if seen.is_active() {
                (seen.0 | NOTIFIED, Wake::Nothing)
            } else {
                (seen.0 | ACTIVE, Wake::Schedule)
            };
            // Ordering: Release publishes what the waker's caller did to the poll that takes the bit
            // (2), also if `NOTIFIED` is set already, hence the write of an equal word. Acquire pairs
            // with `park` and hands the future on to the queue.
            match self.0.compare_exchange_weak(seen.0, next, AcqRel, Relaxed) {
                Ok(_) => return action,
                Err(actual) => seen = Snapshot(actual),
            }
        }
    }

    /// Transitions 4 and 10 in one, by someone who gives up a reference.
    #[inline]
    pub(super) fn wake_by_val(&self) -> Wake {
        // Ordering: Relaxed; a stale word fails the exchange.
        let mut seen = Snapshot(self.0.load(Relaxed));
        loop {
            debug_assert!(seen.refs() > 0 || seen.is_active(), "{seen:?}");
            let (next, action) = if seen.is_complete() {
                let next = Snapshot(pay(seen.0, -1));
                (next.0, if next.is_unowned() { Wake::Free } else { Wake::Nothing })
            } else if seen.is_active() {
                (pay(seen.0 | NOTIFIED, -1), Wake::Nothing)
            } else {
                (pay(seen.0 | ACTIVE, -1), Wake::Schedule)
            };
            // Ordering: as in `wake_by_ref` and, for `Free`, as in `ref_dec`.
            match self.0.compare_exchange_weak(seen.0, next, AcqRel, Relaxed) {
                Ok(_) => return action,
                Err(actual) => seen = Snapshot(actual),
            }
        }
    }

    /// Transition 5. `Schedule` or `Nothing`.
    pub(super) fn abort(&self) -> Wake {
        // Ordering: Relaxed; a stale word fails the exchange, and neither bit goes away.
        let mut seen = Snapshot(self.0.load(Relaxed));
        loop {
            if seen.is_complete() || seen.is_cancelled() {
                return Wake::Nothing;
            }
            let action = if seen.is_active() { Wake::Nothing } else { Wake::Schedule };
            // Ordering: as in `wake_by_ref`.
            let next = seen.0 | ACTIVE | CANCELLED;
            match self.0.compare_exchange_weak(seen.0, next, AcqRel, Relaxed) {
                Ok(_) => return action,
                Err(actual) => seen = Snapshot(actual),
            }
        }
    }

    /// Transition 6, by the list, under its lock.
    pub(super) fn seize(&self) -> Seize {
        // Ordering: Relaxed; a stale word fails the exchange, and `COMPLETE` never goes away.
        let mut seen = Snapshot(self.0.load(Relaxed));
        loop {
            if seen.is_complete() {
                return Seize::Complete;
            }
            let found = if seen.is_active() { Seize::Elsewhere } else { Seize::Taken };
            // Ordering: Acquire pairs with `park`, which gave the future away; Release shows
            // `CANCELLED` to the holder of the run right as in `abort`.
            let next = seen.0 | ACTIVE | CANCELLED;
            match self.0.compare_exchange_weak(seen.0, next, AcqRel, Relaxed) {
                Ok(_) => return found,
                Err(actual) => seen = Snapshot(actual),
            }
        }
    }

    /// Transition 7, by the holder of the run right, once the future is dropped. `seen` is a
    /// [`snapshot`](Self::snapshot), and the error a newer one to try again with. `unlinked` says that
    /// the task is in no list (any more), `owed` how many references are to be added.
    #[inline]
    pub(super) fn complete(
        &self,
        seen: Snapshot,
        outcome: Outcome,
        unlinked: bool,
        owed: i32,
    ) -> Result<Complete, Snapshot> {
        debug_assert!(seen.is_active() && !seen.is_complete(), "{seen:?}");
        let (stage, gone) = (outcome.bits(), if unlinked { LISTED } else { 0 });
        if stage != 0 && !seen.has_join() {
            return Ok(Complete::NobodyWaits);
        }
        let quiet = pay(seen.0 & !(NOTIFIED | gone), owed);
        if Snapshot(quiet & !ACTIVE).is_unowned() {
            // Only the caller knows the task: references are made from references. The `snapshot`'s
            // Acquire pairs with the Release of the reference, `JOIN` or list entry that went last
            // (9, 10): this frees memory that they touched.
            return Ok(Complete::Free);
        }
        let (next, action) = if seen.lends_joiner() {
            (quiet & !(ACTIVE | JOIN_WAKER) | COMPLETE | stage, Complete::WakeLent)
        } else if seen.has_join_waker() {
            (quiet | COMPLETE | stage, Complete::WakeInSlot)
        } else {
            (quiet & !ACTIVE | COMPLETE | stage, Complete::Done)
        };
        // Ordering: Release publishes the output to the joiner's `snapshot`; Acquire pairs with
        // `set_join_waker`, whose waker the caller takes, and on failure is that of a `snapshot`.
        match self.0.compare_exchange(seen.0, next, AcqRel, Acquire) {
            Ok(_) => Ok(action),
            Err(actual) => Err(Snapshot(actual)),
        }
    }

    /// The end of transition 7: the caller has taken the join waker and leaves the cell.
    pub(super) fn release_active(&self) -> Reference {
        // Ordering: Release puts the caller's last touch of the cell before whoever frees it, and
        // gives the emptied slot back to the handle; Acquire for `Free`, as in `ref_dec`.
        let before = self.0.fetch_and(!(ACTIVE | JOIN_WAKER), AcqRel);
        Reference::after(before & !(ACTIVE | JOIN_WAKER))
    }

    /// Transition 8: the handle has put a waker into the slot and gives the slot to the task.
    #[inline]
    pub(super) fn set_join_waker(&self) -> JoinSlot {
        // Ordering: Relaxed; a stale word fails the exchange.
        let mut seen = Snapshot(self.0.load(Relaxed));
        loop {
            debug_assert!(seen.has_join() && !seen.has_join_waker(), "{seen:?}");
            if seen.is_complete() {
                return JoinSlot::Complete;
            }
            // Ordering: Release gives the slot to `complete`; on failure the caller takes another
            // `snapshot` before it looks at the output.
            let next = seen.0 | JOIN_WAKER;
            match self.0.compare_exchange_weak(seen.0, next, Release, Relaxed) {
                Ok(_) => return JoinSlot::Done,
                Err(actual) => seen = Snapshot(actual),
            }
        }
    }

    /// Transition 8: the handle wants the slot back, unless the task is complete and has it for good.
    pub(super) fn unset_join_waker(&self) -> JoinSlot {
        // Ordering: Relaxed; a stale word fails the exchange.
        let mut seen = Snapshot(self.0.load(Relaxed));
        loop {
            if seen.is_complete() {
                return JoinSlot::Complete;
            }
            debug_assert!(seen.has_join() && seen.has_join_waker(), "{seen:?}");
            // Ordering: Relaxed; only the handle itself wrote the slot since it gave it away.
            let next = seen.0 & !JOIN_WAKER | REJOINED;
            match self.0.compare_exchange_weak(seen.0, next, Relaxed, Relaxed) {
                Ok(_) => return JoinSlot::Done,
                Err(actual) => seen = Snapshot(actual),
            }
        }
    }

    /// Transition 9; `emptied` says that the caller has already taken what the stage held.
    #[inline]
    pub(super) fn drop_join(&self, emptied: bool) -> DropJoin {
        // Ordering: Acquire pairs with the Release of `complete` for the output, and for `Free` with
        // the Release of whoever left last (7, 10).
        let mut seen = Snapshot(self.0.load(Acquire));
        loop {
            debug_assert!(seen.has_join(), "{seen:?}");
            if seen.is_complete() && !emptied && seen.outcome() != Outcome::Nothing {
                return DropJoin::Empty(seen.outcome());
            }
            let next = Snapshot(seen.0 & !JOIN);
            if next.is_unowned() {
                return DropJoin::Free; // only the caller knows the task, as in `complete`
            }
            // Ordering: Release puts the caller's last touch of the cell before whoever frees it.
            match self.0.compare_exchange_weak(seen.0, next.0, AcqRel, Acquire) {
                Ok(_) => return DropJoin::Done,
                Err(actual) => seen = Snapshot(actual),
            }
        }
    }

    /// Transition 10, by someone who holds a reference of any kind.
    #[inline]
    pub(super) fn ref_inc(&self) {
        // Ordering: Relaxed; the caller's own reference keeps the cell, as with `Arc`.
        Snapshot(self.0.fetch_add(REF, Relaxed)).check_leak();
    }

    /// Transition 10, by the holder of the run right, who keeps it.
    #[cold]
    pub(super) fn pay(&self, owed: i32) {
        // Ordering: Relaxed, as in `ref_inc`; for what went, `ACTIVE` stays and is given up later.
        Snapshot(self.0.fetch_add(pay(0, owed), Relaxed)).check_leak();
    }

    /// Transition 10.
    #[inline]
    pub(super) fn ref_dec(&self) -> Reference {
        // Ordering: Release puts the caller's use of the cell before whoever frees it; Acquire pairs
        // with all those if it is the caller.
        let before = Snapshot(self.0.fetch_sub(REF, AcqRel));
        debug_assert!(before.refs() > 0 || before.is_active(), "{before:?}");
        Reference::after(pay(before.0, -1))
    }

    /// Transition 10, by the list, for a task that it took out although it was not asked to.
    pub(super) fn unlisted(&self) -> Reference {
        // Ordering: as in `ref_dec`.
        Reference::after(self.0.fetch_and(!LISTED, AcqRel) & !LISTED)
    }
}

/// The word with so many references more.
#[inline]
fn pay(word: u64, owed: i32) -> u64 {
    if owed > 0 {
        Snapshot(word).check_leak();
    }
    word.wrapping_add((owed as u64) << REF_SHIFT)
}

impl Reference {
    fn after(word: u64) -> Self {
        if Snapshot(word).is_unowned() { Self::Free } else { Self::Kept }
    }
}

impl Outcome {
    fn bits(self) -> u64 {
        match self {
            Self::Nothing => 0,
            Self::Value => VALUE,
            Self::Panic => PANIC,
        }
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Ordering: Relaxed; for human eyes only.
        Snapshot(self.0.load(Relaxed)).fmt(f)
    }
}

/// The word at one moment.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Snapshot(u64);

impl Snapshot {
    pub(super) fn is_active(self) -> bool {
        self.0 & ACTIVE != 0
    }

    pub(super) fn is_notified(self) -> bool {
        self.0 & NOTIFIED != 0
    }

    pub(super) fn is_complete(self) -> bool {
        self.0 & COMPLETE != 0
    }

    pub(super) fn is_cancelled(self) -> bool {
        self.0 & CANCELLED != 0
    }

    pub(super) fn has_join(self) -> bool {
        self.0 & JOIN != 0
    }

    pub(super) fn has_join_waker(self) -> bool {
        self.0 & JOIN_WAKER != 0
    }

    /// The slot holds a join waker and has never held another: it may be read before
    /// [`State::complete`], which fails if the handle has taken it back.
    pub(super) fn lends_joiner(self) -> bool {
        self.0 & (JOIN_WAKER | REJOINED) == JOIN_WAKER
    }

    /// The shard whose list holds the task.
    pub(super) fn shard(self) -> Option<usize> {
        (self.0 & LISTED != 0).then_some(((self.0 & SHARD) >> SHARD_SHIFT) as usize)
    }

    /// What the stage of a complete task holds, unless it was taken out.
    pub(super) fn outcome(self) -> Outcome {
        if self.0 & VALUE != 0 {
            Outcome::Value
        } else if self.0 & PANIC != 0 {
            Outcome::Panic
        } else {
            Outcome::Nothing
        }
    }

    /// Wakers and abort handles, less those that are owed.
    pub(super) fn refs(self) -> i32 {
        (self.0 >> REF_SHIFT) as i32
    }

    /// The handle, whose caller this is, is the only reference: it may free the cell, once emptied.
    #[inline]
    pub(super) fn has_nothing_but_join(self) -> bool {
        Snapshot(self.0 & !JOIN).is_unowned() // as `drop_join` finds out
    }

    /// Before references are added, no more at once than `current.rs` lets wait.
    #[inline]
    fn check_leak(self) {
        if self.refs() > i32::MAX / 2 {
            // 2^30 leaked wakers: the next ones would overflow into freed memory. `Arc` does the same.
            std::process::abort();
        }
    }

    /// No reference of any kind is left.
    fn is_unowned(self) -> bool {
        self.0 & (ACTIVE | JOIN | LISTED) == 0 && self.refs() == 0
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot")
            .field("active", &self.is_active())
            .field("notified", &self.is_notified())
            .field("complete", &self.is_complete())
            .field("cancelled", &self.is_cancelled())
            .field("join", &self.has_join())
            .field("join_waker", &self.has_join_waker())
            .field("shard", &self.shard())
            .field("outcome", &self.outcome())
            .field("refs", &self.refs())
            .finish()
    }
}

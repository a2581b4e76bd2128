//! The word through which one side of a lane tells the other how far it is, and wakes it.
//!
//! Everything about one side is in *one* atomic word: its position, whether it is closed, and
//! whether the other side waits for it to move. So publishing and registering meet on one location
//! and need no fence: a registration is a compare-and-swap from exactly the value that was found
//! wanting, and it either comes before the next publication, which then sees the `WAIT` bit, or
//! fails.
//!
//! ```text
//! publisher (owns the word)                      waiter (the other side)
//! begin:  fetch_add(BUSY)          Acquire       seen = load             Acquire
//!         ... write or free memory ...           own cell := waker
//! finish: had WAIT: take the waker               CAS seen -> seen | WAIT Release
//!         store(new position)      Release         fails: it moved, look again
//!         wake
//! ```
//!
//! * `BUSY` is a section of the publisher. Nobody else changes the word in it, so its end is a plain
//!   store: one read-modify-write per operation. A waiter that comes upon it neither registers nor
//!   waits in place: it spins a little and then asks for another poll.
//! * `WAIT` without `BUSY`: the waiter's registration stands, and it may take it back by CAS.
//!   `WAIT` with `BUSY`: the publisher is taking the waker and will wake it.
//! * `CLOSED` is final and the publisher's.
//! * `DETACHED` (the writer's word only) is set by the reader together with `WAIT`: it has taken the
//!   last block away, and the next section begins a new one.
//!
//! Who may touch the waker cell follows from these bits; see `segment.rs`.

use std::task::{Context, Waker};

use super::segment::WakerCell;
use crate::contain::{contain, discard};
use crate::sync::atomic::{AtomicUsize, Ordering::*};
use crate::sync::hint;

/// The other side waits for this one, and its waker is in the cell.
pub(super) const WAIT: usize = 1;
/// This side is done.
pub(super) const CLOSED: usize = 2;
/// This side is in a section.
pub(super) const BUSY: usize = 4;
/// The lane has no block: the next section attaches one.
pub(super) const DETACHED: usize = 8;

const SHIFT: u32 = 4;
const FLAGS: usize = (1 << SHIFT) - 1;

/// More than can be in flight, so that positions may wrap around.
pub(super) const MAX_DISTANCE: usize = usize::MAX >> (SHIFT + 1);

/// The position in a word; positions are always shifted, so that they wrap where words do.
#[inline]
pub(super) const fn position(word: usize) -> usize {
    word & !FLAGS
}

/// The bytes from `start` to `end`.
#[inline]
pub(super) const fn distance(end: usize, start: usize) -> usize {
    end.wrapping_sub(start) >> SHIFT
}

/// The position `bytes` after this one; flags stay as they are.
#[inline]
pub(super) const fn advance(position: usize, bytes: usize) -> usize {
    position.wrapping_add(bytes << SHIFT)
}

/// The position `bytes` before this one; flags stay as they are.
#[inline]
pub(super) const fn retreat(position: usize, bytes: usize) -> usize {
    position.wrapping_sub(bytes << SHIFT)
}

/// One side's word, and the waker of the one who waits for it to move.
pub(super) struct Word {
    bits: AtomicUsize,
    waker: WakerCell,
}

/// What became of a registration.
pub(super) enum Registered {
    /// The next publication wakes; the replaced waker is to be discarded last.
    Waiting { replaced: Option<Waker> },
    /// The word has moved, or is about to.
    Changed,
}

impl Word {
    pub(super) fn new(bits: usize) -> Self {
        Self { bits: AtomicUsize::new(bits), waker: WakerCell::new() }
    }

    /// The publisher's own look: it alone moves the position.
    #[inline]
    pub(super) fn own(&self) -> usize {
        // Ordering: Relaxed, what matters in it was stored by this very side.
        self.bits.load(Relaxed)
    }

    /// The waiter's look.
    #[inline]
    pub(super) fn seen(&self) -> usize {
        // Ordering: Acquire pairs with the Release in `finish`: bytes, blocks and the emptied cell.
        self.bits.load(Acquire)
    }

    /// Starts a section and gives what the word was, which [`finish`](Self::finish) wants to know.
    #[inline]
    pub(super) fn begin(&self) -> usize {
        // Ordering: Acquire pairs with the Release CAS in `register` and `detach`: the waker in the
        // cell, and the reader's last use of what it detached.
        let old = self.bits.fetch_add(BUSY, Acquire);
        debug_assert_eq!(old & BUSY, 0, "one publisher, one section at a time");
        old
    }

    /// Ends the section that `begin` said `old` of, with the word's next value, which has neither
    /// `BUSY` nor `WAIT`; and wakes.
    #[inline]
    pub(super) fn finish(&self, old: usize, bits: usize) {
        debug_assert_eq!(bits & (BUSY | WAIT), 0);
        if old & WAIT != 0 {
            return self.finish_and_wake(bits);
        }
        // Ordering: Release pairs with the Acquire in `seen` and in the CASes of the waiter.
        self.bits.store(bits, Release);
    }

    #[inline(never)]
    fn finish_and_wake(&self, bits: usize) {
        // Before the section ends: afterwards the cell is the waiter's.
        let waker = self.waker.replace(None);
        // Ordering: Release as in `finish`.
        self.bits.store(bits, Release);
        wake(waker);
    }

    /// Publishes a position with nothing to do in the section.
    #[inline]
    pub(super) fn publish(&self, position: usize) {
        let old = self.begin();
        self.finish(old, position);
    }

    /// Closes this side.
    pub(super) fn close(&self) {
        let old = self.begin();
        self.finish(old, old & !WAIT | CLOSED);
    }

    /// Leaves the waker of `cx`, to be woken when the word moves on from `seen`, and sets `extra`.
    ///
    /// The waiter keeps only its newest waker.
    #[inline(always)]
    pub(super) fn register(
        &self,
        mut seen: usize,
        extra: usize,
        cx: &mut Context<'_>,
    ) -> Registered {
        debug_assert_eq!(seen & CLOSED, 0, "nobody waits for what is closed");
        if seen & BUSY != 0 {
            return Registered::Changed;
        }
        if seen & WAIT != 0 {
            // An earlier registration stands. Take the cell back before looking into it.
            // Ordering: Relaxed, the cell is what this side put there itself.
            if self.bits.compare_exchange(seen, seen & !WAIT, Relaxed, Relaxed).is_err() {
                return Registered::Changed;
            }
            seen &= !WAIT;
        }
        // The cell is ours until the next CAS succeeds, and the publisher may not even look at it.
        let previous = self.waker.replace(None);
        let (waker, replaced) = match previous {
            Some(same) if same.will_wake(cx.waker()) => (same, None),
            other => (cx.waker().clone(), other),
        };
        self.waker.replace(Some(waker));
        // Ordering: Release pairs with the Acquire in `begin`; on failure nothing was learnt.
        match self.bits.compare_exchange(seen, seen | WAIT | extra, AcqRel, Relaxed) {
            Ok(_) => Registered::Waiting { replaced },
            Err(_) => {
                // Whoever moved it saw no `WAIT`. Do not keep a task's waker without a reason.
                discard(self.waker.replace(None));
                discard(replaced);
                Registered::Changed
            }
        }
    }

    /// Takes the registration back, if it stands: nothing wakes later and nothing is kept.
    #[inline]
    pub(super) fn unregister(&self) {
        // Ordering: Relaxed, only the waiter itself sets `WAIT`.
        let mut bits = self.bits.load(Relaxed);
        while bits & (WAIT | BUSY) == WAIT {
            // Ordering: Relaxed, the cell is what this side put there itself.
            match self.bits.compare_exchange(bits, bits & !WAIT, Relaxed, Relaxed) {
                Ok(_) => return discard(self.waker.replace(None)),
                Err(moved) => bits = moved,
            }
        }
    }

    /// Makes the writer begin a new list, if the word is as it was `seen`: in no section.
    pub(super) fn detach(&self, seen: usize) -> Result<(), usize> {
        // Ordering: Release pairs with the Acquire in `begin`, after our last look at the list;
        // Acquire on failure for the section that moved the word.
        self.bits.compare_exchange(seen, seen | DETACHED, AcqRel, Acquire).map(drop)
    }
}

/// How long a waiter spins for the end of a section before it asks for another poll: a small copy
/// is over by then, and who waits for a long one, or for a thread that lost its core, gives way.
const SPINS: u32 = if cfg!(loom) { 1 } else { 64 };

/// The patience of one poll.
pub(super) struct Patience(u32);

impl Patience {
    pub(super) const fn new() -> Self {
        Self(SPINS)
    }

    /// Spins once more, or asks for another poll and says `false`.
    pub(super) fn spin(&mut self, cx: &mut Context<'_>) -> bool {
        hint::spin_loop();
        if self.0 == 0 {
            cx.waker().wake_by_ref();
            return false;
        }
        self.0 -= 1;
        true
    }
}

/// Wakes the other side. Its panic is its own: it must not make this side's operation fail.
#[inline]
pub(super) fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        contain(|| waker.wake());
    }
}

//! A hierarchical timing wheel: which waker is due when, and nothing else.
//!
//! It knows no clock, no lock and no thread: time is a number of nanoseconds since some base, and
//! whoever owns the wheel says how late it is. [`super::timers`] puts one behind each lock.
//!
//! # How it works
//!
//! Eleven levels of 64 slots cover all 64 bits of a deadline, six bits a level; a slot of level 0
//! is one nanosecond wide, of level 3 a quarter of a millisecond, of level 5 a second. A timer sits
//! at the level of the highest six bits in which its deadline differs from `elapsed`, in the slot
//! that those bits name. Hence all timers of a level are earlier than all of the next one, and the
//! slots of a level are in order: the earliest slot is two `trailing_zeros` away. Each slot keeps a
//! lower bound of its deadlines, so that the owner learns the *earliest deadline*, not merely the
//! beginning of a slot, without walking a list or waking up early to cascade.
//!
//! When a slot is due, `elapsed` jumps to its bound; timers with just that deadline fire from where
//! they sit, the others move down. A timer that is cancelled before its slot is due never moves.
//!
//! # What holds
//!
//! * Nothing fires early; timers fire in the order of their deadlines. Timers with equal deadlines
//!   fire in the order in which they were inserted, unless that was between two calls that empty
//!   one slot.
//! * Insertion, removal and resetting are O(1). Resetting to a *later* deadline only stores it: the
//!   timer moves when the old deadline passes.
//! * No value of a deadline is special: there is no sentinel, and nothing is added to a deadline.
//! * `elapsed` never exceeds the latest `now`; the reported next deadline never exceeds the true
//!   one (after removals it may be earlier, which costs one empty look).

use std::fmt;
use std::task::Waker;

use slab::{Entry, NIL, Slab};

mod slab;
#[cfg(all(test, not(loom)))]
mod tests;

const BITS: u32 = 6;
const SLOTS: usize = 1 << BITS;
const LEVELS: usize = 11;

/// Names a timer until it fires or is removed; afterwards it names nothing. 12 bytes.
///
/// The generation tells the timers apart that have used one index: 48 bits, so that it does not
/// come round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TimerId {
    index: u32,
    generation_low: u32,
    generation_high: u16,
    /// The owner's: which wheel it is in.
    pub(super) tag: u16,
}

/// See the [module](self).
pub(super) struct Wheel {
    elapsed: u64,
    /// The slot that is being emptied. Its lower levels must wait until it is.
    due: Option<Place>,
    inserted: u64,
    /// One bit for each level that is not empty.
    used: u32,
    /// One bit for each slot that is not empty.
    occupied: [u64; LEVELS],
    /// A kilobyte each, made when first needed.
    levels: [Option<Box<Level>>; LEVELS],
    slab: Slab,
}

impl Wheel {
    pub(super) fn new() -> Self {
        Self {
            elapsed: 0,
            due: None,
            inserted: 0,
            used: 0,
            occupied: [0; LEVELS],
            levels: [const { None }; LEVELS],
            slab: Slab::new(),
        }
    }

    pub(super) fn insert(&mut self, deadline: u64, waker: Waker, tag: u16) -> TimerId {
        let id = self.slab.insert(deadline, waker, self.inserted, tag);
        self.inserted += 1;
        self.link(id.index);
        id
    }

    /// Takes a timer out, if it has not fired, and gives its waker back.
    pub(super) fn remove(&mut self, id: TimerId) -> Option<Waker> {
        self.slab.find(id)?;
        self.unlink(id.index);
        Some(self.slab.remove(id.index))
    }

    /// Gives a timer another deadline; `false` if it has fired.
    pub(super) fn reset(&mut self, id: TimerId, deadline: u64) -> bool {
        let Some(entry) = self.slab.find(id) else {
            return false;
        };
        let earlier = deadline < entry.deadline;
        entry.deadline = deadline;
        if earlier {
            self.unlink(id.index);
            self.link(id.index);
        }
        true
    }

    /// The deadline of a timer that has not fired.
    pub(super) fn deadline(&mut self, id: TimerId) -> Option<u64> {
        self.slab.find(id).map(|entry| entry.deadline)
    }

    /// The waker of a timer that has not fired.
    pub(super) fn waker_mut(&mut self, id: TimerId) -> Option<&mut Waker> {
        self.slab.find(id)?.waker.as_mut()
    }

    /// No timer fires before this; `None` if there is no timer.
    pub(super) fn next_deadline(&self) -> Option<u64> {
        match self.due {
            Some(place) if self.is_occupied(place) => Some(self.elapsed),
            _ => self.first().map(|place| self.slot(place).earliest),
        }
    }

    /// Moves wakers of timers with a deadline of at most `now` into `woken`, and stops after
    /// `steps` timers were looked at. `true`: there may be more.
    pub(super) fn fire(&mut self, now: u64, mut steps: usize, woken: &mut Vec<Waker>) -> bool {
        loop {
            let place = match self.due {
                Some(place) => place,
                None => {
                    let Some(place) = self.first() else {
                        return false;
                    };
                    let earliest = self.slot(place).earliest;
                    if earliest > now {
                        return false;
                    }
                    self.elapsed = self.elapsed.max(earliest);
                    self.due = Some(place);
                    place
                }
            };
            while self.is_occupied(place) {
                if steps == 0 {
                    return true;
                }
                steps -= 1;
                let index = self.slot(place).head;
                self.unlink(index);
                if self.slab[index].deadline <= self.elapsed {
                    woken.push(self.slab.remove(index));
                } else {
                    // Never into the slot it came from: `elapsed` lies inside that one, so that
                    // every later deadline differs from it at a lower level or in another slot.
                    self.link(index);
                }
            }
            self.due = None;
        }
    }

    /// Moves every waker there is into `wakers`, in no order.
    pub(super) fn into_wakers(self, wakers: &mut Vec<Waker>) {
        self.slab.into_wakers(wakers);
    }

    pub(super) fn len(&self) -> usize {
        self.slab.len()
    }

    fn is_occupied(&self, place: Place) -> bool {
        self.occupied[place.level()] & place.bit() != 0
    }

    /// The earliest slot that holds a timer.
    fn first(&self) -> Option<Place> {
        if self.used == 0 {
            return None;
        }
        let level = self.used.trailing_zeros() as usize;
        Some(Place::new(level, self.occupied[level].trailing_zeros()))
    }

    fn slot(&self, place: Place) -> &Slot {
        let level = self.levels[place.level()].as_ref();
        &level.expect("a slot in use is in a level that exists").slots[place.slot()]
    }

    fn link(&mut self, index: u32) {
        let deadline = self.slab[index].deadline;
        let place = Place::of(self.elapsed, deadline.max(self.elapsed));
        let vacant = !self.is_occupied(place);
        let level = self.levels[place.level()].get_or_insert_default();
        let slot = &mut level.slots[place.slot()];
        let prev = if vacant {
            self.occupied[place.level()] |= place.bit();
            self.used |= 1 << place.level();
            slot.head = index;
            slot.earliest = deadline;
            NIL
        } else {
            slot.earliest = slot.earliest.min(deadline);
            self.slab[slot.tail].next = index;
            slot.tail
        };
        slot.tail = index;
        let entry = &mut self.slab[index];
        entry.place = place;
        entry.prev = prev;
        entry.next = NIL;
    }

    fn unlink(&mut self, index: u32) {
        let Entry { place, prev, next, .. } = self.slab[index];
        if prev != NIL {
            self.slab[prev].next = next;
        }
        if next != NIL {
            self.slab[next].prev = prev;
        }
        if prev != NIL && next != NIL {
            return;
        }
        let level = self.levels[place.level()].as_mut();
        let slot =
            &mut level.expect("a linked timer is in a level that exists").slots[place.slot()];
        match (prev, next) {
            (NIL, NIL) => {
                let occupied = &mut self.occupied[place.level()];
                *occupied &= !place.bit();
                self.used &= !(u32::from(*occupied == 0) << place.level());
            }
            (NIL, next) => slot.head = next,
            (prev, _) => slot.tail = prev,
        }
    }
}

impl fmt::Debug for Wheel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wheel")
            .field("elapsed", &self.elapsed)
            .field("next_deadline", &self.next_deadline())
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

struct Level {
    slots: [Slot; SLOTS],
}

impl Default for Level {
    fn default() -> Self {
        Self { slots: [Slot { head: NIL, tail: NIL, earliest: 0 }; SLOTS] }
    }
}

/// A list of timers, meaningful while its bit in `occupied` is set.
#[derive(Clone, Copy)]
struct Slot {
    head: u32,
    tail: u32,
    /// No timer of the list has an earlier deadline.
    earliest: u64,
}

/// A level and a slot in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place(u16);

impl Place {
    fn new(level: usize, slot: u32) -> Self {
        Self((level << BITS) as u16 | slot as u16)
    }

    /// Where a timer with the deadline `at`, which is not before `elapsed`, belongs.
    fn of(elapsed: u64, at: u64) -> Self {
        // The last bit is set so that equal numbers belong to level 0.
        let level = ((elapsed ^ at) | 1).ilog2() / BITS;
        Self::new(level as usize, (at >> (level * BITS)) as u32 % SLOTS as u32)
    }

    fn level(self) -> usize {
        usize::from(self.0 >> BITS)
    }

    fn slot(self) -> usize {
        usize::from(self.0) % SLOTS
    }

    fn bit(self) -> u64 {
        1 << self.slot()
    }
}

//! A hierarchical timing wheel: which waker is due when, and nothing else.
//!
//! It knows no clock, no lock and no thread: time is a number of nanoseconds since some base, and
//! whoever owns the wheel says how late it is. [`super::timers`] puts one behind each lock.
//!
//! # How it works
//!
//! Eight levels of 256 slots cover all 64 bits of a deadline, eight bits a level; a slot of level 0
//! is one nanosecond wide, of level 2 65 µs, of level 3 17 ms, of level 4 four seconds. A timer sits
//! at the level of the highest eight bits in which its deadline differs from `elapsed`, in the slot
//! that those bits name. Hence all timers of a level are earlier than all of the next one, and the
//! slots of a level are in order: the earliest slot is found by its bit. Each slot keeps a lower
//! bound of its deadlines, so that the owner learns the *earliest deadline*, not merely the beginning
//! of a slot, without walking a list or waking up early to cascade.
//!
//! A level has twice these slots, because timers of the slot after the current one of a level may
//! already be in the level below: with a hundred thousand timers a second, 17 ms of them are half a
//! millisecond of work, in which others are late. An owner who has nothing else to do has them
//! [moved ahead](Wheel::move_ahead). Insertion never puts them there, so what a slot still has when its
//! time comes goes down before anything of the lower one fires.
//!
//! When a slot is due, its whole list is taken at once. What is due by then fires from there, sorted;
//! the others move down. Only a list that is too long for that moves down as a whole. So a timer
//! moves once or twice before it fires, each time at the price of a cache miss, and one that is
//! cancelled before its slot is due never moves.
//!
//! # A crowd
//!
//! While a long list is emptied, the slots behind it wait. If it holds a million timers, that would hold up
//! those of everybody else for as long as a million tasks run. So whoever has done enough for now may
//! [set the rest aside](Wheel::set_aside), which costs nothing: from then on it takes turns with the slots that
//! come later. It is emptied from both ends, because a timer that only happens to be in the slot is where it
//! was put before or after the crowd came. This is where the order of deadlines ends.
//!
//! # What holds
//!
//! * Nothing fires early; timers fire in the order of their deadlines, those that were set aside left
//!   out. Timers with equal deadlines fire in the order in which they were inserted, unless that was
//!   between two calls that empty one slot or move it ahead.
//! * Insertion, removal and resetting are O(1). Resetting to a *later* deadline only stores it: the
//!   timer moves when the old deadline passes.
//! * No value of a deadline is special: there is no sentinel, and nothing is added to a deadline.
//! * `elapsed` never exceeds the latest `now`; the reported next deadline never exceeds the true
//!   one (after removals it may be earlier, which costs one empty look), or is `elapsed`.

use std::fmt;
use std::task::Waker;

use slab::{Entry, NIL, Slab};
use slots::{List, Place, Slots};

mod slab;
mod slots;
#[cfg(all(test, not(loom)))]
mod tests;

/// Names a timer until it fires or is removed; afterwards it names nothing.
///
/// The generation tells the timers apart that have used one index: 48 bits, so that it does not
/// come round. Two numbers and not four, because two travel in registers. In memory they would be
/// loaded as one right after they were stored one by one, for which a processor has to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TimerId {
    /// The lower bits of the generation, then the index.
    pub(super) low: u64,
    /// The upper bits of the generation, then the owner's tag.
    pub(super) high: u32,
}

impl TimerId {
    #[inline]
    fn new(index: u32, generation: u64, tag: u16) -> Self {
        Self {
            low: generation << 32 | u64::from(index),
            high: (generation >> 32 << 16) as u32 | u32::from(tag),
        }
    }

    /// The owner's: which wheel it is in.
    #[inline]
    pub(super) fn tag(self) -> u16 {
        self.high as u16
    }

    #[inline]
    fn index(self) -> u32 {
        self.low as u32
    }

    #[inline]
    fn generation_low(self) -> u32 {
        (self.low >> 32) as u32
    }

    #[inline]
    fn generation_high(self) -> u16 {
        (self.high >> 16) as u16
    }
}

/// The lowest level from which timers are moved ahead. What lower ones hold is due soon.
const AHEAD: usize = 3;

/// See the [module](self).
pub(super) struct Wheel {
    elapsed: u64,
    /// The slot whose list was too long to be taken at once. Its lower levels must wait for the rest.
    due: Option<Place>,
    aside: Aside,
    inserted: u64,
    slots: Slots,
    slab: Slab,
    /// What is in hand while a slot is emptied: deadlines and timers.
    batch: Vec<(u64, u32)>,
}

impl Wheel {
    pub(super) fn new() -> Self {
        Self {
            elapsed: 0,
            due: None,
            aside: Aside { head: NIL, tail: NIL, goes_first: false, from_tail: false },
            inserted: 0,
            slots: Slots::new(),
            slab: Slab::new(),
            batch: Vec::new(),
        }
    }

    #[inline]
    pub(super) fn insert(&mut self, deadline: u64, waker: Waker, tag: u16) -> TimerId {
        let id = self.slab.insert(deadline, waker, self.inserted, tag);
        self.inserted += 1;
        self.link(id.index(), deadline);
        id
    }

    /// Takes a timer out, if it has not fired, and gives its waker back.
    #[inline]
    pub(super) fn remove(&mut self, id: TimerId) -> Option<Waker> {
        self.slab.find(id)?;
        self.unlink(id.index());
        Some(self.slab.remove(id.index()))
    }

    /// Gives a timer another deadline; `false` if it has fired.
    pub(super) fn reset(&mut self, id: TimerId, deadline: u64) -> bool {
        let Some(entry) = self.slab.find(id) else {
            return false;
        };
        let earlier = deadline < entry.deadline;
        entry.deadline = deadline;
        if earlier {
            self.unlink(id.index());
            self.link(id.index(), deadline);
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
    #[inline]
    pub(super) fn next_deadline(&self) -> Option<u64> {
        match self.due {
            _ if !self.aside.is_empty() => Some(self.elapsed),
            Some(place) if self.slots.is_occupied(place) => Some(self.elapsed),
            _ => self.slots.first(self.elapsed).map(|(_, earliest)| earliest),
        }
    }

    /// Moves wakers of timers with a deadline of at most `now` into `woken`, and stops after
    /// `steps` timers were looked at. `true`: there may be more.
    pub(super) fn fire(&mut self, now: u64, mut steps: usize, woken: &mut Vec<Waker>) -> bool {
        if self.aside.is_empty() {
            return self.fire_slots(now, &mut steps, woken);
        }
        self.aside.goes_first ^= true;
        if self.aside.goes_first && self.fire_aside(now, &mut steps, woken) {
            return true;
        }
        self.fire_slots(now, &mut steps, woken) || self.fire_aside(now, &mut steps, woken)
    }

    /// What is left of a long list waits for no other and holds up no other any more.
    pub(super) fn set_aside(&mut self) {
        let Some(place) = self.due.take() else { return };
        let Some(List { head, tail, .. }) = self.slots.list(place).copied() else { return };
        self.slots.vacate(place);
        if self.aside.is_empty() {
            self.aside.head = head;
        } else {
            self.slab[self.aside.tail].next = head;
            self.slab[head].prev = self.aside.tail;
        }
        self.aside.tail = tail;
    }

    fn fire_aside(&mut self, now: u64, steps: &mut usize, woken: &mut Vec<Waker>) -> bool {
        while !self.aside.is_empty() {
            if *steps == 0 {
                return true;
            }
            *steps -= 1;
            self.aside.from_tail ^= true;
            let index = if self.aside.from_tail { self.aside.tail } else { self.aside.head };
            self.unlink(index);
            let deadline = self.slab[index].deadline;
            if deadline <= now {
                woken.push(self.slab.remove(index));
            } else {
                self.link(index, deadline);
            }
        }
        false
    }

    #[inline]
    fn fire_slots(&mut self, now: u64, steps: &mut usize, woken: &mut Vec<Waker>) -> bool {
        loop {
            let unfinished = self.due.take().filter(|place| self.slots.is_occupied(*place));
            let Some(place) = unfinished.or_else(|| self.enter_due_slot(now)) else {
                return false;
            };
            if *steps == 0 {
                self.due = Some(place);
                return true;
            }
            let whole = unfinished.is_none() && self.slots.is_lowest(place);
            *steps -= self.empty(place, whole.then_some(now), *steps, woken);
        }
    }

    /// The earliest slot, if it is due, and `elapsed` inside it. What is left of a higher one, of which
    /// a part was [moved ahead](Self::move_ahead), goes first.
    fn enter_due_slot(&mut self, now: u64) -> Option<Place> {
        let (place, earliest) = self.slots.first(self.elapsed)?;
        if earliest > now {
            return None;
        }
        self.elapsed = self.elapsed.max(earliest);
        Some(self.slots.highest(place, self.elapsed))
    }

    /// Moves timers down, `steps` at most, of slots whose turn is next; how many steps are left.
    pub(super) fn move_ahead(&mut self, mut steps: usize) -> usize {
        let elapsed = self.elapsed;
        for level in self.slots.used().filter(|level| *level >= AHEAD) {
            let place = Place::after(level, elapsed);
            while let Some(index) = self.slots.list(place).map(|list| list.head) {
                if steps == 0 || self.due.is_some() {
                    return steps;
                }
                steps -= 1;
                self.unlink(index);
                let deadline = self.slab[index].deadline;
                if Place::is_after(level, elapsed, deadline) {
                    self.append(index, deadline, Place::at(level - 1, deadline));
                } else {
                    self.link(index, deadline); // it was reset to a later one
                }
            }
        }
        steps
    }

    /// Takes timers from the front of a slot's list, `limit` at most; how many.
    ///
    /// If `now` is given and these are all, then those that are due by then fire. Else only those
    /// do that no other can precede. What does not fire moves to where it belongs by now.
    fn empty(
        &mut self,
        place: Place,
        now: Option<u64>,
        limit: usize,
        woken: &mut Vec<Waker>,
    ) -> usize {
        let mut batch = std::mem::take(&mut self.batch);
        let list = self.slots.list(place).expect("a slot that is due is not empty");
        let mut next = list.head;
        while next != NIL && batch.len() < limit {
            let entry = &self.slab[next];
            batch.push((entry.deadline, next));
            next = entry.next;
        }
        let taken = batch.len();
        let entered = self.elapsed;
        if next != NIL {
            list.head = next;
            self.slab[next].prev = NIL;
            self.due = Some(place);
        } else {
            self.slots.vacate(place);
            if let Some(now) = now {
                self.elapsed = entered.max(now.min(place.end(entered)));
            }
        }
        // Never into the slot that they come from: `elapsed` lies inside that one, so that every
        // later deadline differs from it at a lower level or in another slot.
        batch.retain(|&(deadline, index)| {
            let due = deadline <= self.elapsed;
            if !due {
                self.link(index, deadline);
            }
            due
        });
        sort(&mut batch, entered);
        woken.extend(batch.drain(..).map(|(_, index)| self.slab.remove(index)));
        self.batch = batch;
        taken
    }

    /// Moves every waker there is into `wakers`, in no order.
    pub(super) fn into_wakers(self, wakers: &mut Vec<Waker>) {
        self.slab.into_wakers(wakers);
    }

    pub(super) fn len(&self) -> usize {
        self.slab.len()
    }

    fn link(&mut self, index: u32, deadline: u64) {
        self.append(index, deadline, Place::of(self.elapsed, deadline.max(self.elapsed)));
    }

    #[inline]
    fn append(&mut self, index: u32, deadline: u64, place: Place) {
        let prev = self.slots.append(place, index, deadline);
        if prev != NIL {
            self.slab[prev].next = index;
        }
        let entry = self.slab.put(index, place);
        entry.prev = prev;
        entry.next = NIL;
    }

    fn unlink(&mut self, index: u32) {
        let Entry { prev, next, .. } = self.slab[index];
        let place = self.slab.place(index);
        if prev != NIL {
            self.slab[prev].next = next;
        }
        if next != NIL {
            self.slab[next].prev = prev;
        }
        match (prev, next) {
            // Its place is not that of a timer that was set aside.
            (NIL, _) | (_, NIL) if self.aside.head == index || self.aside.tail == index => {
                if prev == NIL {
                    self.aside.head = next;
                }
                if next == NIL {
                    self.aside.tail = prev;
                }
            }
            (NIL, NIL) => self.slots.vacate(place),
            (NIL, _) | (_, NIL) => {
                let list = self.slots.list(place).expect("a timer's slot is not empty");
                if prev == NIL {
                    list.head = next;
                } else {
                    list.tail = prev;
                }
            }
            _ => {}
        }
    }
}

/// What was left of long lists.
struct Aside {
    head: u32,
    tail: u32,
    /// Whether it had the last turn.
    goes_first: bool,
    /// Which end had.
    from_tail: bool,
}

impl Aside {
    fn is_empty(&self) -> bool {
        self.head == NIL
    }
}

/// By deadline, or order of arrival if they are equal or were late, before `entered`, on arrival.
///
/// By insertion: there are few, and std's stable sort would be seven kilobytes of code.
fn sort(batch: &mut [(u64, u32)], entered: u64) {
    for number in 1..batch.len() {
        let timer = batch[number];
        let goes_first = |other: &(u64, u32)| other.0.max(entered) <= timer.0.max(entered);
        let at = batch[..number].partition_point(goes_first);
        batch.copy_within(at..number, at + 1);
        batch[at] = timer;
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

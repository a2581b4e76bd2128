//! The slots of a wheel: one list of timers each, by when they are due, and which is the earliest.

use super::slab::NIL;

const BITS: u32 = 8;
const SLOTS: usize = 1 << BITS;
const LEVELS: usize = (u64::BITS / BITS) as usize;

/// Every slot of every level. See [the wheel](super).
pub(super) struct Slots {
    /// One bit for each level that is not empty.
    used: u32,
    /// Four kilobytes each, made when first needed.
    levels: [Option<Box<Level>>; LEVELS],
}

impl Slots {
    pub(super) fn new() -> Self {
        Self { used: 0, levels: [const { None }; LEVELS] }
    }

    /// The earliest slot with a timer, and a lower bound of its deadlines.
    #[inline]
    pub(super) fn first(&self) -> Option<(Place, u64)> {
        if self.used == 0 {
            return None;
        }
        let number = self.used.trailing_zeros() as usize;
        let level = self.levels[number].as_ref()?;
        let slot = level.first()?;
        Some((Place::new(number, slot), level.lists[slot].earliest))
    }

    /// The list of a slot, if it is not empty.
    #[inline]
    pub(super) fn list(&mut self, place: Place) -> Option<&mut List> {
        let level = self.levels[place.level()].as_mut()?;
        level.is_occupied(place.slot()).then(|| &mut level.lists[place.slot()])
    }

    pub(super) fn is_occupied(&self, place: Place) -> bool {
        let level = self.levels[place.level()].as_ref();
        level.is_some_and(|level| level.is_occupied(place.slot()))
    }

    /// Puts a timer at the end of a slot's list; the one that was there, or `NIL`.
    #[inline]
    pub(super) fn append(&mut self, place: Place, index: u32, deadline: u64) -> u32 {
        self.used |= 1 << place.level();
        let level = self.levels[place.level()].get_or_insert_with(Level::new);
        let vacant = !level.is_occupied(place.slot());
        let list = &mut level.lists[place.slot()];
        if vacant {
            *list = List { head: index, tail: index, earliest: deadline };
            level.occupied[place.slot() / WORD] |= 1 << (place.slot() % WORD);
            return NIL;
        }
        list.earliest = list.earliest.min(deadline);
        std::mem::replace(&mut list.tail, index)
    }

    /// Its list is empty from now on.
    #[inline]
    pub(super) fn vacate(&mut self, place: Place) {
        let Some(level) = &mut self.levels[place.level()] else { return };
        level.occupied[place.slot() / WORD] &= !(1 << (place.slot() % WORD));
        if level.first().is_none() {
            self.used &= !(1 << place.level());
        }
    }
}

const WORD: usize = u64::BITS as usize;

struct Level {
    /// One bit for each slot that is not empty.
    occupied: [u64; SLOTS / WORD],
    lists: [List; SLOTS],
}

impl Level {
    /// Out of line, for the stack that it takes.
    #[cold]
    #[inline(never)]
    fn new() -> Box<Self> {
        let empty = List { head: NIL, tail: NIL, earliest: 0 };
        Box::new(Self { occupied: [0; SLOTS / WORD], lists: [empty; SLOTS] })
    }

    #[inline]
    fn is_occupied(&self, slot: usize) -> bool {
        self.occupied[slot / WORD] & (1 << (slot % WORD)) != 0
    }

    #[inline]
    fn first(&self) -> Option<usize> {
        let word = self.occupied.iter().position(|word| *word != 0)?;
        Some(word * WORD + self.occupied[word].trailing_zeros() as usize)
    }
}

/// A list of timers, meaningful while its slot is occupied.
#[derive(Clone, Copy)]
pub(super) struct List {
    pub(super) head: u32,
    pub(super) tail: u32,
    /// No timer of the list has an earlier deadline.
    earliest: u64,
}

/// A level and a slot in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place(u16);

impl Place {
    /// Where nothing is looked up.
    pub(super) const NOWHERE: Self = Self(0);

    fn new(level: usize, slot: usize) -> Self {
        Self((level << BITS | slot) as u16)
    }

    /// Where a timer with the deadline `at`, which is not before `elapsed`, belongs.
    #[inline]
    pub(super) fn of(elapsed: u64, at: u64) -> Self {
        // The last bit is set so that equal numbers belong to level 0.
        let level = ((elapsed ^ at) | 1).ilog2() / BITS;
        Self::new(level as usize, (at >> (level * BITS)) as usize % SLOTS)
    }

    /// The last nanosecond of the slot, in which `at` lies.
    pub(super) fn end(self, at: u64) -> u64 {
        at | ((1 << (self.level() as u32 * BITS)) - 1)
    }

    fn level(self) -> usize {
        usize::from(self.0 >> BITS) % LEVELS
    }

    fn slot(self) -> usize {
        usize::from(self.0) % SLOTS
    }
}

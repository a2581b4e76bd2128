//! The slots of a wheel: one list of timers each, by when they are due, and which is the earliest.

use super::slab::NIL;

/// Of a deadline, a level.
const BITS: u32 = 8;
/// Of a level: as many as these bits name, twice, because a level reaches to the end of the next
/// slot of the one above.
const SLOTS: usize = 2 << BITS;
const LEVELS: usize = (u64::BITS / BITS) as usize;

/// Every slot of every level. See [the wheel](super).
pub(super) struct Slots {
    /// One bit for each level that is not empty.
    used: u32,
    /// Eight kilobytes each, made when first needed.
    levels: [Option<Box<Level>>; LEVELS],
}

impl Slots {
    pub(super) fn new() -> Self {
        Self { used: 0, levels: [const { None }; LEVELS] }
    }

    /// The earliest slot with a timer, and a lower bound of its deadlines.
    #[inline]
    pub(super) fn first(&self, elapsed: u64) -> Option<(Place, u64)> {
        let mut first = None;
        for number in bits(self.used) {
            let level = self.levels[number].as_ref()?;
            let slot = level.first(Place::at(number, elapsed).slot())?;
            let earliest = level.lists[slot].earliest;
            if first.is_none_or(|(_, other)| earliest < other) {
                first = Some((Place::new(number, slot), earliest));
            }
        }
        first
    }

    /// The slot of the highest level that holds timers and in which `at` lies, from `place` upwards.
    #[inline]
    pub(super) fn highest(&self, place: Place, at: u64) -> Place {
        let above = self.used & !((2 << place.level()) - 1);
        let occupied =
            bits(above).map(|level| Place::at(level, at)).filter(|p| self.is_occupied(*p));
        occupied.last().unwrap_or(place)
    }

    /// Whether no lower level holds timers.
    #[inline]
    pub(super) fn is_lowest(&self, place: Place) -> bool {
        self.used & ((1 << place.level()) - 1) == 0
    }

    /// The levels that hold timers, from the lowest up.
    pub(super) fn used(&self) -> impl Iterator<Item = usize> + use<> {
        bits(self.used)
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
            level.count += 1;
            return NIL;
        }
        list.earliest = list.earliest.min(deadline);
        std::mem::replace(&mut list.tail, index)
    }

    /// The list of a slot that was not empty is from now on.
    #[inline]
    pub(super) fn vacate(&mut self, place: Place) {
        let Some(level) = &mut self.levels[place.level()] else { return };
        level.occupied[place.slot() / WORD] &= !(1 << (place.slot() % WORD));
        level.count -= 1;
        if level.count == 0 {
            self.used &= !(1 << place.level());
        }
    }
}

const WORD: usize = u64::BITS as usize;

/// The numbers of the bits that are set.
fn bits(mut word: u32) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let number = word.trailing_zeros();
        word &= word.checked_sub(1)?;
        Some(number as usize)
    })
}

struct Level {
    /// One bit for each slot that is not empty.
    occupied: [u64; SLOTS / WORD],
    /// How many these are.
    count: u32,
    lists: [List; SLOTS],
}

impl Level {
    /// Out of line, for the stack that it takes.
    #[cold]
    #[inline(never)]
    fn new() -> Box<Self> {
        let empty = List { head: NIL, tail: NIL, earliest: 0 };
        Box::new(Self { occupied: [0; SLOTS / WORD], count: 0, lists: [empty; SLOTS] })
    }

    #[inline]
    fn is_occupied(&self, slot: usize) -> bool {
        self.occupied[slot / WORD] & (1 << (slot % WORD)) != 0
    }

    /// The first slot that is not empty from the half on in which `slot` is.
    #[inline]
    fn first(&self, slot: usize) -> Option<usize> {
        let half = SLOTS / 2 / WORD;
        let start = (slot / WORD) & half;
        let mut words = (start..start + half).chain((start ^ half)..(start ^ half) + half);
        let word = words.find(|word| self.occupied[*word] != 0)?;
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
        Self((level << (BITS + 1) | slot) as u16)
    }

    /// The slot of a level in which `at` lies.
    #[inline]
    pub(super) fn at(level: usize, at: u64) -> Self {
        Self::new(level, (at >> (level as u32 * BITS)) as usize % SLOTS)
    }

    /// The slot after the one of a level in which `elapsed` lies.
    pub(super) fn after(level: usize, elapsed: u64) -> Self {
        Self::new(level, ((elapsed >> (level as u32 * BITS)) as usize + 1) % SLOTS)
    }

    /// Whether `at` lies in the slot [after](Self::after) the one in which `elapsed` lies.
    pub(super) fn is_after(level: usize, elapsed: u64, at: u64) -> bool {
        let number = |at| at >> (level as u32 * BITS);
        number(at) == number(elapsed) + 1
    }

    /// Where a timer with the deadline `at`, which is not before `elapsed`, belongs.
    #[inline]
    pub(super) fn of(elapsed: u64, at: u64) -> Self {
        // The last bit is set so that equal numbers belong to level 0.
        Self::at((((elapsed ^ at) | 1).ilog2() / BITS) as usize, at)
    }

    /// The last nanosecond of the slot, in which `at` lies.
    pub(super) fn end(self, at: u64) -> u64 {
        at | ((1 << (self.level() as u32 * BITS)) - 1)
    }

    fn level(self) -> usize {
        usize::from(self.0 >> (BITS + 1)) % LEVELS
    }

    fn slot(self) -> usize {
        usize::from(self.0) % SLOTS
    }
}

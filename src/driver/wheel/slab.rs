//! Where the timers of a wheel live: chunks of 64 entries that are found by index, never move, and
//! are given back one by one when a flood is over.
//!
//! A single growing vector would copy under the wheel's lock, and one long-lived timer near its end
//! would hold all of its memory for ever.

use std::ops::{Index, IndexMut};
use std::task::Waker;

use super::TimerId;
use super::slots::Place;

/// The index of no entry.
pub(super) const NIL: u32 = u32::MAX;

const CHUNK: usize = u64::BITS as usize;

/// Empty chunks that are kept (2.5 KiB each), so that the usual ebb and flow allocates nothing.
const KEPT: usize = 16;

/// What is looked at when a timer is due: 32 bytes, so that it lies in one line of the cache. Most
/// timers are in none when their time comes.
#[repr(align(32))]
pub(super) struct Entry {
    /// `None`: the entry is vacant.
    pub(super) waker: Option<Waker>,
    pub(super) deadline: u64,
    pub(super) next: u32,
    pub(super) prev: u32,
}

/// The rest of it.
#[derive(Clone, Copy)]
struct Name {
    generation_low: u32,
    generation_high: u16,
    place: Place,
}

struct Entries {
    entries: [Entry; CHUNK],
    names: [Name; CHUNK],
}

impl Entries {
    /// Out of line, for the stack that it takes.
    #[cold]
    #[inline(never)]
    fn new() -> Box<Self> {
        let name = Name { generation_low: 0, generation_high: 0, place: Place::NOWHERE };
        Box::new(Self {
            entries: [const { Entry { waker: None, deadline: 0, next: NIL, prev: NIL } }; CHUNK],
            names: [name; CHUNK],
        })
    }
}

struct Chunk {
    /// One bit for each vacant entry. Not beside the entries: the table of chunks stays in the cache.
    vacant: u64,
    /// `None`: its memory was given back.
    entries: Option<Box<Entries>>,
}

impl Chunk {
    const RETURNED: Self = Self { vacant: u64::MAX, entries: None };
}

/// See the [module](self).
pub(super) struct Slab {
    chunks: Vec<Chunk>,
    /// Every chunk with a vacant entry is either here or in `returned`, once.
    open: Vec<u32>,
    /// Chunks whose memory was given back. Some more of them are still in `open`.
    returned: Vec<u32>,
    /// Chunks without any timer that still have their memory.
    empty: usize,
    len: usize,
}

impl Slab {
    pub(super) fn new() -> Self {
        Self { chunks: Vec::new(), open: Vec::new(), returned: Vec::new(), empty: 0, len: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    #[inline]
    pub(super) fn insert(
        &mut self,
        deadline: u64,
        waker: Waker,
        generation: u64,
        tag: u16,
    ) -> TimerId {
        let number = self.open_chunk();
        let chunk = &mut self.chunks[number as usize];
        let entries = chunk.entries.get_or_insert_with(|| {
            self.empty += 1;
            Entries::new()
        });
        self.empty -= usize::from(chunk.vacant == u64::MAX);
        let offset = chunk.vacant.trailing_zeros();
        chunk.vacant &= chunk.vacant - 1;
        if chunk.vacant == 0 {
            self.open.pop();
        }
        let id = TimerId::new(number * CHUNK as u32 + offset, generation, tag);
        let entry = Entry { waker: Some(waker), deadline, next: NIL, prev: NIL };
        entries.entries[offset as usize] = entry;
        entries.names[offset as usize] = Name {
            generation_low: id.generation_low(),
            generation_high: id.generation_high(),
            place: Place::NOWHERE,
        };
        self.len += 1;
        id
    }

    /// A chunk with a vacant entry, which is the last one in `open`: one in use if there is one.
    fn open_chunk(&mut self) -> u32 {
        while let Some(number) = self.open.last() {
            if self.chunks[*number as usize].entries.is_some() {
                return *number;
            }
            self.returned.extend(self.open.pop());
        }
        let number = self.returned.pop().unwrap_or_else(|| {
            let number = self.chunks.len() as u32;
            assert!(number < NIL / CHUNK as u32, "too many timers");
            self.chunks.push(Chunk::RETURNED);
            number
        });
        self.open.push(number);
        number
    }

    /// Vacates an entry that holds a timer.
    pub(super) fn remove(&mut self, index: u32) -> Waker {
        let (number, offset) = split(index);
        let chunk = &mut self.chunks[number];
        let entries = chunk.entries.as_mut().expect("a timer's chunk exists");
        let waker = entries.entries[offset].waker.take();
        let waker = waker.expect("the entry holds a timer");
        if chunk.vacant == 0 {
            self.open.push(number as u32);
        }
        chunk.vacant |= 1 << offset;
        if chunk.vacant == u64::MAX {
            if self.empty == KEPT {
                *chunk = Chunk::RETURNED;
            } else {
                self.empty += 1;
            }
        }
        self.len -= 1;
        if self.len == 0 && self.chunks.len() > 64 * KEPT {
            // After a flood that is wholly over, the tables of chunks go too.
            *self = Self::new();
        }
        waker
    }

    /// The entry of a timer that has neither fired nor been removed.
    #[inline]
    pub(super) fn find(&mut self, id: TimerId) -> Option<&mut Entry> {
        let (number, offset) = split(id.index());
        let chunk = self.chunks.get_mut(number)?.entries.as_mut()?;
        let (entry, name) = (&mut chunk.entries[offset], &chunk.names[offset]);
        let same = entry.waker.is_some()
            && name.generation_low == id.generation_low()
            && name.generation_high == id.generation_high();
        same.then_some(entry)
    }

    #[inline]
    pub(super) fn place(&self, index: u32) -> Place {
        let (number, offset) = split(index);
        let chunk = self.chunks[number].entries.as_ref();
        chunk.expect("a timer's chunk exists").names[offset].place
    }

    /// The entry, which belongs to `place` from now on.
    #[inline]
    pub(super) fn put(&mut self, index: u32, place: Place) -> &mut Entry {
        let (number, offset) = split(index);
        let chunk = self.chunks[number].entries.as_mut().expect("a timer's chunk exists");
        chunk.names[offset].place = place;
        &mut chunk.entries[offset]
    }

    pub(super) fn into_wakers(mut self, wakers: &mut Vec<Waker>) {
        let chunks = self.chunks.iter_mut().filter_map(|chunk| chunk.entries.as_mut());
        wakers.extend(chunks.flat_map(|chunk| &mut chunk.entries).filter_map(|e| e.waker.take()));
    }

    #[cfg(all(test, not(loom)))]
    pub(super) fn allocated_chunks(&self) -> usize {
        self.chunks.iter().filter(|chunk| chunk.entries.is_some()).count()
    }
}

impl Index<u32> for Slab {
    type Output = Entry;

    fn index(&self, index: u32) -> &Entry {
        let (number, offset) = split(index);
        let chunk = self.chunks[number].entries.as_ref();
        &chunk.expect("a timer's chunk exists").entries[offset]
    }
}

impl IndexMut<u32> for Slab {
    fn index_mut(&mut self, index: u32) -> &mut Entry {
        let (number, offset) = split(index);
        let chunk = self.chunks[number].entries.as_mut();
        &mut chunk.expect("a timer's chunk exists").entries[offset]
    }
}

#[inline]
fn split(index: u32) -> (usize, usize) {
    (index as usize / CHUNK, index as usize % CHUNK)
}

//! The memory of a pipe, and every `unsafe` of it: blocks, the links between them, waker cells.
//!
//! A lane is a list of [`Segment`]s. A segment is an owned block, to which the writer appends while
//! the reader consumes, or a chunk that was handed over as it is. Three types, three rules, all of
//! them kept by `lane.rs`, the only user of this file:
//!
//! * **Bytes.** A position of the lane is written once, by the writer, before it is published, and
//!   read only after it was acquired. So a writer's range and a reader's range never overlap, and
//!   each has its own [`Segment::write`] or [`Segment::get`].
//! * **Links.** A [`Held`] that is not null points to a live segment. The reader's owns it; the
//!   writer's borrows the last one of the list, and the writer looks at it only in a section (see
//!   `lane.rs`) that found the lane not detached. Nobody else frees a segment than the reader, or
//!   the lane when both are gone.
//! * **Waker cells.** The waiter owns a [`WakerCell`] while the word beside it has no `WAIT` bit;
//!   with the bit it is the publisher's, from the start of its section to the end.

use std::mem::MaybeUninit;
use std::ptr;
use std::slice;
use std::task::Waker;

use bytes::Bytes;

use super::cache;
use crate::sync::UnsafeCell;
use crate::sync::atomic::{AtomicPtr, Ordering::Relaxed};

/// What the smallest block holds; a lane that carries little takes no more.
#[cfg(not(any(loom, test)))]
pub(super) const MIN_BLOCK: usize = 512;
/// What the largest block holds.
#[cfg(not(any(loom, test)))]
pub(super) const MAX_BLOCK: usize = 64 * 1024;
// Under test nearly every operation crosses a boundary.
#[cfg(any(loom, test))]
pub(super) const MIN_BLOCK: usize = 2;
#[cfg(all(test, not(loom)))]
pub(super) const MAX_BLOCK: usize = 16;
#[cfg(loom)]
pub(super) const MAX_BLOCK: usize = 4;

/// Memory that only raw copies look into; nothing is ever filled with zeros.
type Block = Box<[MaybeUninit<std::cell::UnsafeCell<u8>>]>;

/// A piece of a lane's memory.
pub(super) struct Segment {
    /// The position of its first byte, in the units of the lane's words.
    pub(super) base: usize,
    /// The segment after it, set once, when nothing more will be appended here: this one's bytes
    /// end where that one's begin.
    pub(super) next: AtomicPtr<Segment>,
    data: Data,
    /// One cell a byte, in which loom looks for races (it cannot see raw copies).
    #[cfg(loom)]
    shadow: Vec<UnsafeCell<()>>,
    /// And one for the segment itself: whoever looks at it must know that it was made, and whoever
    /// frees it that nobody looks.
    #[cfg(loom)]
    life: UnsafeCell<()>,
}

enum Data {
    Block(Block),
    Chunk(Bytes),
}

impl Segment {
    /// A block for at least `wanted` bytes if blocks get so large, from the cache or new.
    #[inline(always)]
    pub(super) fn block(base: usize, wanted: usize) -> Box<Self> {
        match cache::take(wanted) {
            Ok(mut cached) => {
                cached.base = base;
                cached
            }
            Err(capacity) => Self::new(base, Data::Block(Box::new_uninit_slice(capacity))),
        }
    }

    /// A chunk as it is.
    pub(super) fn chunk(base: usize, chunk: Bytes) -> Box<Self> {
        Self::new(base, Data::Chunk(chunk))
    }

    #[inline(never)]
    fn new(base: usize, data: Data) -> Box<Self> {
        Box::new(Self {
            base,
            next: AtomicPtr::new(ptr::null_mut()),
            #[cfg(loom)]
            shadow: (0..data.len()).map(|_| UnsafeCell::new(())).collect(),
            #[cfg(loom)]
            life: UnsafeCell::new(()),
            data,
        })
    }

    pub(super) fn capacity(&self) -> usize {
        self.data.len()
    }

    /// How much can be appended after `offset`.
    #[inline]
    pub(super) fn room(&self, offset: usize) -> usize {
        match &self.data {
            Data::Block(block) => block.len() - offset,
            Data::Chunk(_) => 0,
        }
    }

    /// Whether it is an owned block, which can serve again, and not somebody's chunk.
    pub(super) fn is_block(&self) -> bool {
        matches!(self.data, Data::Block(_))
    }

    /// The chunk, if it is one.
    pub(super) fn as_chunk(&self) -> Option<&Bytes> {
        match &self.data {
            Data::Block(_) => None,
            Data::Chunk(chunk) => {
                #[cfg(loom)]
                self.shadow.iter().for_each(|byte| byte.with(|_| ()));
                Some(chunk)
            }
        }
    }

    /// Makes a consumed block ready for its next use.
    pub(super) fn reset(&mut self) {
        // Ordering: Relaxed, the segment is exclusively ours.
        self.next.store(ptr::null_mut(), Relaxed);
    }

    /// Copies bytes to `offset`, a range that is not published yet, or says `false` if they do not fit
    /// there: nothing fits a chunk.
    #[inline]
    pub(super) fn write(&self, offset: usize, bytes: &[u8]) -> bool {
        let Data::Block(block) = &self.data else { return false };
        let Some(range) = part(block, offset, bytes.len()) else { return false };
        #[cfg(loom)]
        self.shadow[offset..][..bytes.len()].iter().for_each(|byte| byte.with_mut(|_| ()));
        // SAFETY: the range was checked, its bytes are in cells (so that writing through a shared
        // reference is allowed), and nobody else accesses it before it is published.
        unsafe {
            let target = range.as_ptr().cast::<u8>().cast_mut();
            target.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
        }
        true
    }

    /// The bytes of a range that was published, and acquired by the caller; none if the segment does
    /// not reach so far.
    #[inline]
    pub(super) fn get(&self, offset: usize, len: usize) -> Option<&[u8]> {
        #[cfg(loom)]
        self.shadow.iter().skip(offset).take(len).for_each(|byte| byte.with(|_| ()));
        let block = match &self.data {
            Data::Block(block) => part(block, offset, len)?,
            Data::Chunk(chunk) => return part(chunk, offset, len),
        };
        // SAFETY: the range was checked, was written before it was published, and is not written
        // again before the segment is consumed, which takes the reader's `&mut`.
        Some(unsafe { slice::from_raw_parts(block.as_ptr().cast::<u8>(), len) })
    }
}

#[inline]
fn part<T>(all: &[T], offset: usize, len: usize) -> Option<&[T]> {
    all.get(offset..offset.wrapping_add(len))
}

impl Data {
    fn len(&self) -> usize {
        match self {
            Self::Block(block) => block.len(),
            Self::Chunk(chunk) => chunk.len(),
        }
    }
}

/// A handle's own pointer to a segment; an atomic only in order to be `Send` and `Sync`.
pub(super) struct Held(std::sync::atomic::AtomicPtr<Segment>);

impl Held {
    pub(super) const fn new(pointer: *mut Segment) -> Self {
        Self(std::sync::atomic::AtomicPtr::new(pointer))
    }

    #[inline]
    pub(super) fn pointer(&self) -> *mut Segment {
        // Ordering: Relaxed, stored only through `&mut`.
        self.0.load(Relaxed)
    }

    #[inline]
    pub(super) fn set(&mut self, pointer: *mut Segment) {
        *self.0.get_mut() = pointer;
    }

    /// The segment, which lives at least until this pointer is changed.
    #[inline]
    pub(super) fn get(&self) -> Option<&Segment> {
        // SAFETY: not null means alive (rule "Links" above), and what the reader owns is freed
        // through `take` only, which needs the `&mut` that this borrow excludes.
        let segment = unsafe { self.pointer().as_ref() };
        #[cfg(loom)]
        segment.iter().for_each(|segment| segment.life.with(|_| ()));
        segment
    }

    /// Takes the segment out, as its owner.
    pub(super) fn take(&mut self) -> Option<Box<Segment>> {
        let pointer = std::mem::replace(self.0.get_mut(), ptr::null_mut());
        if pointer.is_null() {
            return None;
        }
        // SAFETY: every segment comes from a `Box`, and its owner, who alone calls this, had the
        // one owning pointer, which is gone now.
        let segment = unsafe { Box::from_raw(pointer) };
        #[cfg(loom)]
        segment.life.with_mut(|_| ());
        Some(segment)
    }
}

/// Frees a whole list.
pub(super) fn free(mut held: Held) {
    while let Some(segment) = held.take() {
        // Ordering: Relaxed, the list is exclusively ours (and was acquired by whoever says so).
        held.set(segment.next.load(Relaxed));
        cache::put(segment);
    }
}

/// Where the waker of the one who waits lies.
pub(super) struct WakerCell(UnsafeCell<Option<Waker>>);

// SAFETY: it is accessed by its owner only, the waiter or the publisher, and ownership goes from one
// to the other through the word beside it (rule "Waker cells" above).
unsafe impl Sync for WakerCell {}

impl WakerCell {
    pub(super) fn new() -> Self {
        Self(UnsafeCell::new(None))
    }

    /// Puts a waker in, as the cell's owner, and gives back the one that was there.
    #[inline]
    pub(super) fn replace(&self, waker: Option<Waker>) -> Option<Waker> {
        // SAFETY: the caller owns the cell, by the same rule, and no user code runs in here.
        self.0.with_mut(|cell| unsafe { cell.replace(waker) })
    }
}

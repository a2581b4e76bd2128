//! Blocks that have served, kept for the next pipe of this thread.
//!
//! A pipe that is drained and waits gives its block back, so a ping-pong takes and gives one for
//! every message: without this cache that would be two calls of the allocator each. Small and
//! bounded: at most [`CLASS_BYTES`] (or two blocks) per size, less than 400 KiB per thread.

use std::cell::{Cell, RefCell};

use super::segment::{MAX_BLOCK, MIN_BLOCK, Segment};
use crate::contain::discard;

/// What one size class keeps, unless two blocks are larger: one for each way of a ping-pong.
const CLASS_BYTES: usize = if MAX_BLOCK > 32 * 1024 { 32 * 1024 } else { 4 * MAX_BLOCK };

const CLASSES: usize = (MAX_BLOCK.trailing_zeros() - MIN_BLOCK.trailing_zeros()) as usize + 1;

// Boxes, because a block keeps its allocation, header included, while it moves between lists.
#[allow(clippy::vec_box)]
type Class = Vec<Box<Segment>>;

struct Cache {
    /// The smallest block that was put here last: what small messages take, in few instructions.
    small: Cell<Option<Box<Segment>>>,
    classes: RefCell<[Class; CLASSES]>,
}

std::thread_local! {
    static CACHE: Cache = const {
        Cache { small: Cell::new(None), classes: RefCell::new([const { Vec::new() }; CLASSES]) }
    };
}

/// A block for at least `wanted` bytes if blocks get so large, or the capacity that a new one should
/// have.
#[inline]
pub(super) fn take(wanted: usize) -> Result<Box<Segment>, usize> {
    if !cfg!(loom) // a model's cells must not outlive the model
        && wanted <= MIN_BLOCK
        && let Ok(Some(small)) = CACHE.try_with(|cache| cache.small.take())
    {
        return Ok(small);
    }
    take_from_list(wanted)
}

#[inline(never)]
fn take_from_list(wanted: usize) -> Result<Box<Segment>, usize> {
    let capacity = wanted.clamp(MIN_BLOCK, MAX_BLOCK).next_power_of_two();
    if cfg!(loom) {
        return Err(capacity);
    }
    let block = CACHE.try_with(|cache| cache.classes.borrow_mut()[class(capacity)].pop());
    block.ok().flatten().ok_or(capacity)
}

/// Keeps a consumed block, or frees it (and a chunk always).
#[inline(never)]
pub(super) fn put(mut segment: Box<Segment>) {
    if cfg!(loom) || !segment.is_block() {
        return discard(segment); // a chunk's owner is the user's, and its panic its own
    }
    segment.reset();
    if segment.capacity() > MIN_BLOCK {
        return put_into_list(segment);
    }
    // When the thread's locals are gone the closure is dropped, and the block with it.
    if let Ok(Some(displaced)) = CACHE.try_with(move |cache| cache.small.replace(Some(segment))) {
        put_into_list(displaced);
    }
}

#[inline(never)]
fn put_into_list(block: Box<Segment>) {
    // As above.
    let _ = CACHE.try_with(move |cache| {
        let (index, mut classes) = (class(block.capacity()), cache.classes.borrow_mut());
        let most = (CLASS_BYTES / MIN_BLOCK) >> index;
        if classes[index].len() < most.max(2) {
            classes[index].push(block);
        }
    });
}

#[inline]
fn class(capacity: usize) -> usize {
    (capacity.trailing_zeros() - MIN_BLOCK.trailing_zeros()) as usize
}

//! Blocks that have served, kept for the next pipe of this thread.
//!
//! A pipe that is drained and waits gives its block back, so a ping-pong takes and gives one for
//! every message: without this cache that would be two calls of the allocator each. Small and
//! bounded: at most [`CLASS_BYTES`] (or two blocks) per size, less than 400 KiB per thread.

use std::cell::RefCell;

use super::segment::{MAX_BLOCK, MIN_BLOCK, Segment};
use crate::contain::discard;

/// What one size class keeps, unless two blocks are larger: one for each way of a ping-pong.
const CLASS_BYTES: usize = if MAX_BLOCK > 32 * 1024 { 32 * 1024 } else { 4 * MAX_BLOCK };

const CLASSES: usize = (MAX_BLOCK.trailing_zeros() - MIN_BLOCK.trailing_zeros()) as usize + 1;

// Boxes, because a block keeps its allocation, header included, while it moves between lists.
#[allow(clippy::vec_box)]
type Class = Vec<Box<Segment>>;

std::thread_local! {
    static CACHE: RefCell<[Class; CLASSES]> = const { RefCell::new([const { Vec::new() }; CLASSES]) };
}

#[inline]
fn class(capacity: usize) -> usize {
    (capacity.trailing_zeros() - MIN_BLOCK.trailing_zeros()) as usize
}

/// A block of exactly this capacity, if one lies here.
pub(super) fn take(capacity: usize) -> Option<Box<Segment>> {
    if cfg!(loom) {
        return None; // a model's cells must not outlive the model
    }
    CACHE.try_with(|cache| cache.borrow_mut()[class(capacity)].pop()).ok().flatten()
}

/// Keeps a consumed block, or frees it (and a chunk always).
pub(super) fn put(mut segment: Box<Segment>) {
    if cfg!(loom) || !segment.is_block() {
        return discard(segment); // a chunk's owner is the user's, and its panic its own
    }
    segment.reset();
    let capacity = segment.capacity();
    // When the thread's locals are gone the closure is dropped, and the block with it.
    let _ = CACHE.try_with(move |cache| {
        let (index, mut classes) = (class(capacity), cache.borrow_mut());
        let most = (CLASS_BYTES / MIN_BLOCK) >> index;
        if classes[index].len() < most.max(2) {
            classes[index].push(segment);
        }
    });
}

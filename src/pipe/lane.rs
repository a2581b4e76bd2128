//! One direction of a pipe: bytes from one [`Writer`] to one [`Reader`].
//!
//! Here is what both share and how they work together; `writer.rs` and `reader.rs` have one side each.
//! None of it is public: `duplex.rs` and `simplex.rs` are made of these, and give them the traits.
//! There is no lock. Positions count all bytes ever written and read, and wrap around; each side
//! publishes its own in a [`Word`], whose protocol `word.rs` describes. Memory is a list of segments
//! (`segment.rs`), so the limit is only a number.
//!
//! # Who does what
//!
//! * The **writer** appends to the last segment and links new ones, always inside a section of the
//!   `tail` word, then publishes. It remembers the last `head` that it saw and looks again only when
//!   that leaves too little space.
//! * The **reader** follows the links and frees what it has consumed (it alone frees), then
//!   publishes `head`. It remembers the last `tail` that it saw and looks again only when it has
//!   consumed all of that.
//! * A reader that is about to wait has consumed everything, and holds the one segment that is left.
//!   It registers with `DETACHED`: success means that the writer was in no section and will not touch
//!   the segment again, so the reader may give it back. The next section begins a new one and leaves
//!   it in `first`.
//! * One consumed block goes to the writer through `spare`, so that a stream between two threads
//!   does not free on one what it allocates on the other. A reader that waits takes it back.
//! * **Closing** is a section like any other. Each side also leaves a flag beside the *other* side's
//!   word, where that side looks at every operation without sharing a cache line for it: a write
//!   after the reader has gone fails at once although the remembered `head` shows space.
//!
//! # Why no wake-up is lost
//!
//! A wait is entered only by a CAS of the word from the value that showed nothing to do. Any
//! publication or closing is a section on the same word: before that CAS, and it fails; after, and
//! the section finds `WAIT`. The models in `models.rs` check this for every pair.

use std::ptr;

use super::reader::Reader;
use super::segment::{Held, Segment, free};
use super::word::{DETACHED, Word, advance};
use super::writer::Writer;
use crate::sync::Arc;
use crate::sync::atomic::{AtomicBool, AtomicPtr, Ordering::*};

/// What both sides share. The two words are 64 bytes apart, so never in one cache line. Where a duplex
/// has its lanes one after the other, the first one's `head` and the second one's `tail` may share one:
/// the same side moves them.
#[repr(C)]
pub(super) struct Lane {
    /// Moved by the writer; the reader waits on it.
    pub(super) tail: Word,
    pub(super) limit: usize,
    /// The reader has gone (for the writer to look at).
    pub(super) reader_gone: AtomicBool,
    /// Where the reader finds the list when it holds no segment.
    pub(super) first: AtomicPtr<Segment>,
    /// A consumed block on its way back to the writer.
    pub(super) spare: AtomicPtr<Segment>,
    /// The writer has closed (for the reader to look at).
    pub(super) writer_gone: AtomicBool,
    /// Moved by the reader; the writer waits on it.
    pub(super) head: Word,
}

/// Makes a lane that buffers at most `limit` bytes.
pub(super) fn lane(limit: usize) -> (Writer, Reader) {
    lane_at(limit, 0)
}

/// The same, with `bytes` positions passed already.
pub(super) fn lane_at(limit: usize, bytes: usize) -> (Writer, Reader) {
    let start = advance(0, bytes);
    let lane = Arc::new(Lane {
        tail: Word::new(start | DETACHED),
        limit,
        reader_gone: AtomicBool::new(false),
        first: AtomicPtr::new(ptr::null_mut()),
        spare: AtomicPtr::new(ptr::null_mut()),
        writer_gone: AtomicBool::new(false),
        head: Word::new(start),
    });
    (Writer::new(lane.clone(), start), Reader::new(lane, start | DETACHED))
}

impl Drop for Lane {
    fn drop(&mut self) {
        for slot in [&self.first, &self.spare] {
            // Ordering: Relaxed, the last owner is alone, by the counter of the `Arc`.
            free(Held::new(slot.load(Relaxed)));
        }
    }
}

impl Lane {
    /// Takes the consumed block that waits for its next use.
    pub(super) fn take_spare(&self) -> Option<Box<Segment>> {
        // Ordering: Relaxed, a hint.
        if self.spare.load(Relaxed).is_null() {
            return None;
        }
        // Ordering: Acquire pairs with the Release in `Reader::advance_to`; both sides may take.
        Held::new(self.spare.swap(ptr::null_mut(), Acquire)).take()
    }
}

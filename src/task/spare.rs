//! Cells of tasks that have ended, kept for the next tasks of this thread.
//!
//! What ends as fast as it is spawned would else be two calls of the allocator for each task, which
//! are a third of what a short task costs. Only workers keep cells, small ones, [`KEPT`] bytes of them
//! at most, and only until they have nothing to do: an idle runtime has none.
//!
//! A spare cell has no task, but its header is still one, with the layout that it was allocated with
//! and, in a word that is free then, the next cell of its list. There is one list for each size.

use std::alloc::Layout;
use std::cell::Cell;

use super::cell::{HEADER, TaskPtr};

/// What a worker that is busy keeps, in bytes.
pub(crate) const KEPT: usize = 1 << 20;

const STEP: usize = align_of::<usize>();
/// For cells that are smaller than the header and this many words.
const LISTS: usize = 64;

struct Spares {
    /// How many bytes may be kept besides those that are, and in all.
    room: Cell<usize>,
    most: Cell<usize>,
    lists: [Cell<Option<TaskPtr>>; LISTS],
}

std::thread_local! {
    // Without a destructor: a worker that leaves its thread empties it.
    static SPARES: Spares = const {
        Spares { room: Cell::new(0), most: Cell::new(0), lists: [const { Cell::new(None) }; LISTS] }
    };
}

/// From now on the calling thread keeps so much, and nothing of what it has.
pub(crate) fn keep_spares(most: usize) {
    let _ = SPARES.try_with(|spares| {
        if spares.room.get() < spares.most.get() {
            for list in &spares.lists {
                while let Some(cell) = list.take() {
                    list.set(cell.next_spare());
                    cell.dealloc();
                }
            }
        }
        spares.room.set(most);
        spares.most.set(most);
    });
}

/// A cell that was allocated with this layout, if there is one.
#[inline]
pub(super) fn take(layout: Layout) -> Option<TaskPtr> {
    let index = list_of(layout)?;
    SPARES
        .try_with(|spares| {
            let list = &spares.lists[index];
            let cell = list.get()?;
            list.set(cell.next_spare());
            spares.room.set(spares.room.get() + layout.size());
            Some(cell)
        })
        .ok()
        .flatten()
}

/// Keeps a cell that nobody knows any more; `false` if there is no room.
#[inline]
pub(super) fn put(cell: TaskPtr, layout: Layout) -> bool {
    let Some(index) = list_of(layout) else { return false };
    SPARES
        .try_with(|spares| {
            let Some(room) = spares.room.get().checked_sub(layout.size()) else { return false };
            spares.room.set(room);
            cell.set_next_spare(spares.lists[index].replace(Some(cell)));
            true
        })
        .unwrap_or(false)
}

/// The list for cells of this layout, if there is one.
#[inline]
fn list_of(layout: Layout) -> Option<usize> {
    if cfg!(loom) || layout.align() != STEP {
        return None; // a model's cells must not outlive the model
    }
    Some((layout.size() - HEADER) / STEP).filter(|&index| index < LISTS)
}

/// How many bytes the calling thread keeps.
#[cfg(all(test, not(loom)))]
pub(super) fn kept() -> usize {
    SPARES.with(|spares| spares.most.get() - spares.room.get())
}

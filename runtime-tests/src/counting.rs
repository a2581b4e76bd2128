//! An allocator that counts, for test binaries that say what something costs.
//!
//! Such a binary has one test function: [`live`] sees every thread of the process, so nothing else may run
//! beside it. The harness has a thread as well, which on a loaded machine may still be starting; what is
//! compared to the byte is counted on the test's own thread, by [`live_here`] and [`calls`]. It begins with
//!
//! ```
//! #[global_allocator]
//! static ALLOCATOR: runtime_tests::counting::Counting = runtime_tests::counting::Counting;
//! ```

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicIsize, Ordering::Relaxed};

/// The system's allocator, counted.
#[derive(Debug)]
pub struct Counting;

// Ordering: Relaxed everywhere, the number carries nothing.
static LIVE: AtomicIsize = AtomicIsize::new(0);

std::thread_local! {
    // Neither is made by allocating, nor destroyed.
    static LIVE_HERE: Cell<isize> = const { Cell::new(0) };
    static CALLS: Cell<usize> = const { Cell::new(0) };
}

/// Bytes that are live now.
pub fn live() -> isize {
    LIVE.load(Relaxed)
}

/// Bytes that this thread has taken and not given back.
pub fn live_here() -> isize {
    LIVE_HERE.get()
}

/// How often this thread has asked for memory so far.
pub fn calls() -> usize {
    CALLS.get()
}

// SAFETY: it passes everything on to the system's allocator and only counts.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE.fetch_add(layout.size() as isize, Relaxed);
        LIVE_HERE.set(LIVE_HERE.get() + layout.size() as isize);
        CALLS.set(CALLS.get() + 1);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size() as isize, Relaxed);
        LIVE_HERE.set(LIVE_HERE.get() - layout.size() as isize);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

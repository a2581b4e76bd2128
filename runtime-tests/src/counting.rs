//! An allocator that counts, for test binaries that say what something costs.
//!
//! Such a binary has one test function: the counters see every thread of the process, so nothing else
//! may run beside it (the harness itself is quiet while a test runs). It begins with
//!
//! ```
//! #[global_allocator]
//! static ALLOCATOR: runtime_tests::counting::Counting = runtime_tests::counting::Counting;
//! ```

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicIsize, AtomicUsize, Ordering::Relaxed};

/// The system's allocator, counted.
#[derive(Debug)]
pub struct Counting;

// Ordering: Relaxed everywhere, the numbers carry nothing.
static LIVE: AtomicIsize = AtomicIsize::new(0);
static CALLS: AtomicUsize = AtomicUsize::new(0);

/// Bytes that are live now.
pub fn live() -> isize {
    LIVE.load(Relaxed)
}

/// How often memory was asked for so far.
pub fn calls() -> usize {
    CALLS.load(Relaxed)
}

// SAFETY: it passes everything on to the system's allocator and only counts.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE.fetch_add(layout.size() as isize, Relaxed);
        CALLS.fetch_add(1, Relaxed);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size() as isize, Relaxed);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

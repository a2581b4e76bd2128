//! Buffers that have served, kept for the next reader of this thread.
//!
//! Who waits without a buffer takes one for each message. Without this cache a request and its
//! answer would cost two calls of the allocator each time; with it a worker's connections share a
//! handful of buffers. Small and bounded: at most [`KEPT`] buffers of at most [`LARGEST`] bytes a
//! thread. Nothing is zeroed: the buffers are vectors whose spare capacity is read into.

use std::cell::RefCell;
use std::io::Result;

/// What is read at once where nobody says otherwise.
pub(super) const BLOCK: usize = 16 * 1024;

/// How many buffers a thread keeps.
const KEPT: usize = 4;

/// The largest that are kept.
const LARGEST: usize = 64 * 1024;

std::thread_local! {
    static POOL: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// An empty vector of this capacity.
///
/// # Errors
///
/// `OutOfMemory`.
pub(super) fn take(capacity: usize) -> Result<Vec<u8>> {
    let kept = POOL.try_with(|pool| {
        let mut pool = pool.borrow_mut();
        let at = pool.iter().rposition(|buf| buf.capacity() == capacity)?;
        Some(pool.swap_remove(at))
    });
    if let Ok(Some(buf)) = kept {
        return Ok(buf);
    }
    let mut buf = Vec::new();
    buf.try_reserve_exact(capacity)?;
    Ok(buf)
}

/// Keeps a buffer for the next who asks, or frees it.
pub(super) fn give_back(mut buf: Vec<u8>) {
    if buf.capacity() == 0 || buf.capacity() > LARGEST {
        return;
    }
    buf.clear();
    // When the thread's locals are gone the closure is dropped, and the buffer with it.
    let _ = POOL.try_with(move |pool| {
        let mut pool = pool.borrow_mut();
        if pool.len() == KEPT {
            // The oldest makes room, so that sizes nobody asks for any more do not stay for ever.
            pool.remove(0);
        }
        pool.push(buf);
    });
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_comes_back_and_there_are_few() {
        let first = take(100).unwrap();
        let at = first.as_ptr();
        give_back(first);
        let other = take(101).unwrap();
        assert_ne!(other.as_ptr(), at);
        let again = take(100).unwrap();
        assert_eq!((again.as_ptr(), again.len(), again.capacity()), (at, 0, 100));
        (0..100).for_each(|n| give_back(Vec::with_capacity(1000 + n)));
        give_back(Vec::with_capacity(LARGEST + 1));
        give_back(Vec::new());
        let kept = POOL.with(|pool| pool.borrow().iter().map(Vec::capacity).collect::<Vec<_>>());
        assert_eq!(kept, [1096, 1097, 1098, 1099]);
    }
}

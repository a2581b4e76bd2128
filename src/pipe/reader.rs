//! The reader of a lane; see `lane.rs`.

use std::ptr;
use std::task::{Context, Poll};

use bytes::Bytes;

use super::cache;
use super::lane::Lane;
use super::segment::{Held, Segment, free};
use super::word::{
    BUSY, CLOSED, DETACHED, Patience, Registered, WAIT, advance, distance, position,
};
use crate::contain::discard;
use crate::sync::Arc;
use crate::sync::atomic::Ordering::*;

/// The end that bytes come out of. Dropping it breaks the lane: writing fails.
pub(super) struct Reader {
    lane: Arc<Lane>,
    /// The segment that is being consumed, owned; null while there is none, or it is in `first`.
    current: Held,
    /// The `tail` that was last seen, with `WAIT` if this side waits as far as it knows: without, it
    /// need not look at the other side's memory to stop waiting.
    seen: usize,
}

/// What a reader finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fill {
    /// At least one byte.
    Data,
    /// Nothing yet.
    Empty,
    /// Nothing any more.
    End,
}

impl Reader {
    pub(super) fn new(lane: Arc<Lane>, seen: usize) -> Self {
        Self { lane, current: Held::new(ptr::null_mut()), seen }
    }

    /// How many bytes there are from `at`, where this side is: exact if they are less than `wanted`.
    #[inline]
    pub(super) fn available(&mut self, at: usize, wanted: usize) -> usize {
        if distance(self.seen, at) < wanted {
            self.seen = self.lane.tail.seen();
        }
        distance(self.seen, at)
    }

    /// Looks for bytes: sees all there are unless those that were seen are as many as `wanted`.
    #[inline]
    pub(super) fn fill(&mut self, wanted: usize) -> Fill {
        debug_assert!(wanted > 0, "who wants nothing need not ask");
        if self.available(self.at(), wanted) > 0 { Fill::Data } else { self.found_nothing() }
    }

    /// What it means that nothing is available.
    #[inline]
    pub(super) fn found_nothing(&mut self) -> Fill {
        if self.seen & CLOSED == 0 { Fill::Empty } else { self.end() }
    }

    #[cold]
    fn end(&mut self) -> Fill {
        self.give_back(); // the writer takes no further look
        Fill::End
    }

    /// Waits until a read would not.
    #[inline]
    pub(super) fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self.fill(1) {
            Fill::Empty => self.poll_wait(cx),
            _ => Poll::Ready(()),
        }
    }

    #[inline(never)]
    fn poll_wait(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut patience = Patience::new();
        loop {
            if let Registered::Waiting { replaced } =
                self.lane.tail.register(self.seen, DETACHED, cx)
            {
                self.seen |= WAIT;
                self.give_back();
                if replaced.is_some() {
                    discard(replaced);
                }
                return Poll::Pending;
            }
            if self.fill(1) != Fill::Empty {
                return Poll::Ready(());
            }
            if !patience.spin(cx) {
                return Poll::Pending;
            }
        }
    }

    /// Takes back what `poll_fill` left.
    #[inline]
    pub(super) fn stop_waiting(&mut self) {
        if self.seen & WAIT != 0 {
            self.lane.tail.unregister();
        }
    }

    /// Gives `sink` the bytes there are, piece by piece, until it takes less than it was given;
    /// consumes what it took.
    #[inline]
    pub(super) fn read(&mut self, mut sink: impl FnMut(&[u8]) -> usize) -> usize {
        let start = self.at();
        let end = position(self.seen);
        let mut at = start;
        while at != end {
            let len = self.in_one_place(at, distance(end, at));
            let piece = self.piece(at, len);
            let taken = sink(piece).min(piece.len());
            let enough = taken < piece.len();
            at = advance(at, taken);
            if enough {
                break;
            }
        }
        if at != start {
            self.publish(at);
        }
        distance(at, start)
    }

    /// How many of the `len` bytes from `at`, which were seen, lie in one place; `piece` has them then.
    #[inline(always)]
    pub(super) fn in_one_place(&mut self, at: usize, len: usize) -> usize {
        if self.current.get().is_none() {
            self.take_first();
        }
        if let Some(current) = self.current.get() {
            // Ordering: Acquire as in `settle`.
            match Held::new(current.next.load(Acquire)).get() {
                Some(next) if distance(next.base, at) < len => {}
                _ => return len,
            }
        }
        self.settle(at).min(len)
    }

    /// Frees what lies before `at`.
    #[inline]
    pub(super) fn publish(&self, at: usize) {
        self.lane.head.publish(at);
    }

    /// After `Fill::Data`: takes at most `max` bytes that lie in one place; a chunk that was queued is
    /// not copied.
    pub(super) fn read_chunk(&mut self, max: usize) -> Bytes {
        let at = self.at();
        let len = self.settle(at).min(max);
        let taken = match self.current.get().and_then(|c| Some((c.as_chunk()?, c.base))) {
            Some((chunk, base)) => chunk.slice(distance(at, base)..distance(at, base) + len),
            None => Bytes::copy_from_slice(self.piece(at, len)),
        };
        if len > 0 {
            self.lane.head.publish(advance(at, len));
        }
        taken
    }

    /// After `Fill::Data`: makes `buffer` show at least one byte.
    #[inline]
    pub(super) fn expose(&mut self) {
        self.in_one_place(self.at(), 1);
    }

    /// The bytes at hand in one piece, as `expose` found them; none if there are none.
    #[inline]
    pub(super) fn buffer(&self) -> &[u8] {
        let at = self.at();
        match self.current.get() {
            Some(current) if position(self.seen) != at => {
                // Ordering: Acquire as in `settle`.
                let next = current.next.load(Acquire);
                self.piece(at, self.len_until(next, at))
            }
            _ => &[],
        }
    }

    /// Consumes bytes that `buffer` has shown.
    ///
    /// # Panics
    ///
    /// If it has not shown so many.
    #[inline]
    #[track_caller]
    pub(super) fn consume(&mut self, amount: usize) {
        assert!(amount <= self.buffer().len(), "consumed more than the buffer has");
        if amount > 0 {
            self.lane.head.publish(advance(self.at(), amount));
        }
    }

    /// Makes `current` the segment with the byte at `at`, which was published; says how many of the
    /// bytes that were seen it has from there.
    #[cold]
    #[inline(never)]
    fn settle(&mut self, at: usize) -> usize {
        loop {
            let Some(current) = self.current.get() else {
                self.take_first();
                assert!(self.current.get().is_some(), "published bytes have a segment");
                continue;
            };
            // Ordering: Acquire pairs with the Release in `Writer::link`, for `base`.
            let next = current.next.load(Acquire);
            let len = self.len_until(next, at);
            if len > 0 {
                return len;
            }
            self.advance_to(next, at);
        }
    }

    /// How many of the bytes that were seen lie between `at` and the segment `next`. If there is no
    /// next segment, then there was none when those bytes were published, and all are in this one.
    #[inline]
    fn len_until(&self, next: *mut Segment, at: usize) -> usize {
        let len = distance(position(self.seen), at);
        match Held::new(next).get() {
            Some(next) => len.min(distance(next.base, at)),
            None => len,
        }
    }

    /// Takes over the list that the writer has begun; the lane is not detached.
    #[inline]
    fn take_first(&mut self) {
        // Ordering: Relaxed, stored in a section that was acquired with `seen`, and only this side
        // looks at it until the lane is detached again.
        self.current.set(self.lane.first.load(Relaxed));
        self.lane.first.store(ptr::null_mut(), Relaxed);
    }

    /// Goes on to the next segment and frees the consumed one.
    #[cold]
    fn advance_to(&mut self, next: *mut Segment, at: usize) {
        let consumed = self.current.take();
        self.current.set(next);
        let Some(mut consumed) = consumed else { return };
        if !consumed.is_block() {
            // A chunk's owner may be anything, and use the pipe: the lane must be in order before it goes.
            if self.at() != at {
                self.lane.head.publish(at);
            }
            return discard(consumed);
        }
        // Ordering: Relaxed, only this side fills the slot, and a stale value costs nothing.
        if self.lane.spare.load(Relaxed).is_null() {
            consumed.reset();
            // Ordering: Release pairs with the Acquire in `take_spare`: our reads are over.
            self.lane.spare.store(Box::into_raw(consumed), Release);
        } else {
            cache::put(consumed);
        }
    }

    /// These bytes, which `current` has.
    #[inline]
    pub(super) fn piece(&self, at: usize, len: usize) -> &[u8] {
        let piece = self.current.get().and_then(|c| c.get(distance(at, c.base), len));
        piece.expect("published bytes are in the segment")
    }

    /// Gives all memory of a drained lane to the thread's cache.
    #[inline(always)]
    fn give_back(&mut self) {
        if let Some(block) = self.current.take() {
            cache::put(block);
        }
        if let Some(spare) = self.lane.take_spare() {
            cache::put(spare);
        }
    }

    /// Whether the writer has closed; there may be bytes left.
    #[inline]
    pub(super) fn is_ending(&self) -> bool {
        // Ordering: Acquire pairs with the Release in `Writer::close`.
        self.lane.writer_gone.load(Acquire)
    }

    /// The bytes that can be read now.
    pub(super) fn buffered(&self) -> usize {
        distance(position(self.lane.tail.seen()), self.at())
    }

    /// What tells this lane from every other that is alive.
    pub(super) fn id(&self) -> usize {
        ptr::from_ref(&*self.lane).addr()
    }

    #[cfg(all(test, not(loom)))]
    pub(super) fn holds_memory(&self) -> bool {
        let slots = [&self.lane.first, &self.lane.spare];
        self.current.get().is_some() || slots.iter().any(|slot| !slot.load(Relaxed).is_null())
    }

    /// The position of the next byte.
    #[inline]
    pub(super) fn at(&self) -> usize {
        position(self.lane.head.own())
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.stop_waiting();
        // Ordering: Release pairs with the Acquire in `Writer::space`.
        self.lane.reader_gone.store(true, Release);
        self.lane.head.close();
        let mut seen = self.lane.tail.seen();
        while seen & (BUSY | DETACHED) == 0 {
            if self.current.get().is_none() {
                self.take_first(); // before the attempt: afterwards the slot is the writer's
            }
            match self.lane.tail.detach(seen) {
                // The writer will not look at this list again.
                Ok(()) => return free(Held::new(self.current.pointer())),
                Err(moved) => seen = moved,
            }
        }
        if self.current.get().is_some() {
            // A last write is under way, in this list: it stays for whoever drops the lane.
            // Ordering: Relaxed, the counter of the `Arc` orders it before that.
            self.lane.first.store(self.current.pointer(), Relaxed);
        }
    }
}

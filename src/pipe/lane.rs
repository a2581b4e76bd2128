//! One direction of a pipe: bytes from one [`Writer`] to one [`Reader`].
//!
//! Not a public type: `duplex.rs` and `simplex.rs` are made of these, and give them the traits.
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

use std::iter;
use std::ptr;
use std::task::{Context, Poll};

use bytes::Bytes;

use super::cache;
use super::segment::{Held, MAX_BLOCK, Segment, free};
use super::word::{
    BUSY, CLOSED, DETACHED, MAX_DISTANCE, Patience, Registered, Word, advance, distance, position,
    wake,
};
use crate::sync::Arc;
use crate::sync::atomic::{AtomicBool, AtomicPtr, Ordering::*};

/// How much one section copies: a reader on another core starts on the first part of a large write
/// while the rest is being copied, and never finds the word busy for long.
const SECTION: usize = if cfg!(any(loom, test)) { 8 } else { MAX_BLOCK };

/// Up to here blocks double even if little is buffered, to be changed less often.
const STEADY_BLOCK: usize = 4096;

/// What both sides share. The two words are 64 bytes apart, so never in one cache line, and so are
/// the words of two lanes that were allocated one after the other.
#[repr(C)]
struct Lane {
    /// Moved by the writer; the reader waits on it.
    tail: Word,
    limit: usize,
    /// The reader has gone (for the writer to look at).
    reader_gone: AtomicBool,
    /// Where the reader finds the list when it holds no segment.
    first: AtomicPtr<Segment>,
    /// A consumed block on its way back to the writer.
    spare: AtomicPtr<Segment>,
    _apart: usize,
    /// Moved by the reader; the writer waits on it.
    head: Word,
    /// The writer has closed (for the reader to look at).
    writer_gone: AtomicBool,
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
        _apart: 0,
        head: Word::new(start),
        writer_gone: AtomicBool::new(false),
    });
    let last = Held::new(ptr::null_mut());
    let current = Held::new(ptr::null_mut());
    (
        Writer { lane: lane.clone(), last, seen: start },
        Reader { lane, current, seen: start | DETACHED },
    )
}

impl Drop for Lane {
    fn drop(&mut self) {
        for slot in [&self.first, &self.spare] {
            // Ordering: Relaxed, the last owner is alone, by the counter of the `Arc`.
            free(Held::new(slot.load(Relaxed)));
        }
    }
}

// ---------------------------------------------------------------- writer

/// The end that bytes go into. Dropping it closes the lane: the reader drains it and sees the end.
pub(super) struct Writer {
    lane: Arc<Lane>,
    /// The last segment, borrowed, and valid only in a section that is not `DETACHED`.
    last: Held,
    /// The `head` that was last seen.
    seen: usize,
}

/// What a writer may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Space {
    /// Write so many bytes.
    Free(usize),
    /// Wait.
    Full,
    /// Nothing any more: it was closed, or the reader has gone.
    Broken,
}

impl Writer {
    /// The space there is: exact if it is less than `wanted`.
    #[inline]
    pub(super) fn space(&mut self, wanted: usize) -> Space {
        let lane = &*self.lane;
        let tail = lane.tail.own();
        // Ordering: Acquire pairs with the Release in `Reader::drop`, for the user's own sake: what
        // the other side did before it went has happened.
        if tail & CLOSED != 0 || lane.reader_gone.load(Acquire) {
            return Space::Broken;
        }
        let limit = lane.limit.min(MAX_DISTANCE);
        let mut space = limit - distance(position(tail), position(self.seen));
        if space < wanted {
            self.seen = lane.head.seen();
            if self.seen & CLOSED != 0 {
                return Space::Broken;
            }
            space = limit - distance(position(tail), position(self.seen));
        }
        if space == 0 { Space::Full } else { Space::Free(space) }
    }

    /// Waits until a write would not.
    #[inline]
    pub(super) fn poll_space(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self.space(1) {
            Space::Full => self.poll_wait(cx),
            _ => Poll::Ready(()),
        }
    }

    #[cold]
    fn poll_wait(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut patience = Patience::new();
        loop {
            if let Registered::Waiting { .. } = self.lane.head.register(self.seen, 0, cx) {
                return Poll::Pending;
            }
            if self.space(1) != Space::Full {
                return Poll::Ready(());
            }
            if !patience.spin(cx) {
                return Poll::Pending;
            }
        }
    }

    /// Takes back what `poll_space` left.
    #[inline]
    pub(super) fn stop_waiting(&mut self) {
        self.lane.head.unregister();
    }

    /// Copies all of `bytes` in; the caller knows that there is space.
    #[inline]
    pub(super) fn write_one(&mut self, bytes: &[u8]) {
        if bytes.len() > SECTION {
            return self.write(bytes.len(), iter::once(bytes));
        }
        if bytes.is_empty() {
            return;
        }
        let (tail, waker) = self.lane.tail.begin();
        let at = position(tail);
        match self.last.get() {
            Some(last)
                if tail & DETACHED == 0 && last.room(distance(at, last.base)) >= bytes.len() =>
            {
                last.write(distance(at, last.base), bytes);
            }
            _ => self.write_across(tail, bytes),
        }
        self.lane.tail.finish(advance(at, bytes.len()));
        wake(waker);
    }

    /// Queues a chunk that is not empty as it is; the caller knows that there is space.
    pub(super) fn write_chunk(&mut self, chunk: Bytes) {
        let at = position(self.lane.tail.own());
        let end = advance(at, chunk.len());
        let segment = Segment::chunk(at, chunk);
        let (tail, waker) = self.lane.tail.begin();
        if tail & DETACHED != 0 {
            self.start(segment);
        } else {
            self.link(segment);
        }
        self.lane.tail.finish(end);
        wake(waker);
    }

    /// In a section: copies all of `bytes` in, which takes at least one more block.
    #[cold]
    fn write_across(&mut self, tail: usize, mut bytes: &[u8]) {
        let mut at = position(tail);
        if tail & DETACHED != 0 {
            self.attach(at, bytes.len());
        }
        while !bytes.is_empty() {
            let copied = self.append(at, bytes);
            bytes = &bytes[copied..];
            at = advance(at, copied);
        }
    }

    /// Copies the first `amount` bytes of `parts` in; the caller knows that there is space, and that
    /// the parts have as many.
    #[inline]
    pub(super) fn write<'a>(&mut self, amount: usize, parts: impl IntoIterator<Item = &'a [u8]>) {
        let mut parts = parts.into_iter();
        let mut part: &[u8] = &[];
        let mut left = amount;
        while left > 0 {
            let section = left.min(SECTION);
            left -= section;
            let (tail, waker) = self.lane.tail.begin();
            let mut at = position(tail);
            if tail & DETACHED != 0 {
                self.attach(at, section.saturating_add(left));
            }
            let end = advance(at, section);
            while at != end {
                if part.is_empty() {
                    let Some(next) = parts.next() else { break };
                    part = next;
                    continue;
                }
                let copied = self.append(at, &part[..part.len().min(distance(end, at))]);
                part = &part[copied..];
                at = advance(at, copied);
            }
            debug_assert_eq!(at, end, "the caller counted the parts");
            self.lane.tail.finish(at);
            wake(waker);
        }
    }

    /// In a section: copies what the last segment has room for, at least one byte.
    fn append(&mut self, at: usize, bytes: &[u8]) -> usize {
        let mut room = 0;
        if let Some(last) = self.last.get() {
            let offset = distance(at, last.base);
            room = bytes.len().min(last.room(offset));
            if room > 0 {
                last.write(offset, &bytes[..room]);
            }
        }
        if room == 0 {
            self.extend(at, bytes.len());
            return self.append(at, bytes);
        }
        room
    }

    /// In a section: begins the list anew; the reader has none.
    #[cold]
    fn attach(&mut self, at: usize, wanted: usize) {
        let block = self.block(at, wanted);
        self.start(block);
    }

    /// In a section: makes this segment the list.
    fn start(&mut self, segment: Box<Segment>) {
        let segment = Box::into_raw(segment);
        self.last.set(segment);
        // Ordering: Relaxed, published by the end of the section.
        self.lane.first.store(segment, Relaxed);
    }

    /// In a section: links another block, as large as what is buffered, so that a pipe that lags
    /// behind gets few and large ones, and one that is nearly empty stays in the processor's cache.
    #[cold]
    fn extend(&mut self, at: usize, wanted: usize) {
        self.seen = self.lane.head.seen();
        let buffered = distance(at, position(self.seen));
        let doubled = self.last.get().map_or(0, |last| last.capacity().saturating_mul(2));
        let block = self.block(at, wanted.max(buffered).max(doubled.min(STEADY_BLOCK)));
        self.link(block);
    }

    /// In a section: makes this segment the last one.
    fn link(&mut self, segment: Box<Segment>) {
        let segment = Box::into_raw(segment);
        if let Some(last) = self.last.get() {
            // Ordering: Release pairs with the Acquire in `Reader::settle` of a reader that gets
            // here before the section ends; it reads `base` only.
            last.next.store(segment, Release);
        }
        self.last.set(segment);
    }

    fn block(&mut self, at: usize, wanted: usize) -> Box<Segment> {
        if let Some(mut spare) = self.lane.take_spare() {
            if spare.capacity() >= wanted.min(MAX_BLOCK) {
                spare.base = at;
                return spare;
            }
            cache::put(spare);
        }
        Segment::block(at, wanted)
    }

    /// Nothing more will be written; what is buffered stays readable.
    pub(super) fn close(&mut self) {
        if self.lane.tail.own() & CLOSED == 0 {
            // Ordering: Release pairs with the Acquire in `Reader::is_ending`.
            self.lane.writer_gone.store(true, Release);
            self.lane.tail.close();
        }
    }

    /// Whether writing fails from now on.
    #[inline]
    pub(super) fn is_broken(&self) -> bool {
        // Ordering: Acquire as in `space`.
        self.lane.tail.own() & CLOSED != 0 || self.lane.reader_gone.load(Acquire)
    }

    pub(super) fn limit(&self) -> usize {
        self.lane.limit
    }

    /// The bytes on their way.
    #[cfg(all(test, not(loom)))]
    pub(super) fn buffered(&self) -> usize {
        let tail = position(self.lane.tail.own());
        distance(tail, position(self.lane.head.seen()))
    }

    /// What tells this lane from every other that is alive.
    pub(super) fn id(&self) -> usize {
        ptr::from_ref(&*self.lane).addr()
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.stop_waiting();
        self.close();
    }
}

// ---------------------------------------------------------------- reader

/// The end that bytes come out of. Dropping it breaks the lane: writing fails.
pub(super) struct Reader {
    lane: Arc<Lane>,
    /// The segment that is being consumed, owned; null while there is none, or it is in `first`.
    current: Held,
    /// The `tail` that was last seen.
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
    /// Looks for bytes: sees all there are unless those that were seen are as many as `wanted`.
    #[inline]
    pub(super) fn fill(&mut self, wanted: usize) -> Fill {
        debug_assert!(wanted > 0, "who wants nothing need not ask");
        let at = self.at();
        if distance(position(self.seen), at) < wanted {
            self.seen = self.lane.tail.seen();
            if position(self.seen) == at {
                return self.nothing();
            }
        }
        Fill::Data
    }

    #[cold]
    fn nothing(&mut self) -> Fill {
        if self.seen & CLOSED == 0 {
            return Fill::Empty;
        }
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

    #[cold]
    fn poll_wait(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut patience = Patience::new();
        loop {
            if let Registered::Waiting { _replaced } =
                self.lane.tail.register(self.seen, DETACHED, cx)
            {
                self.give_back();
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
        self.lane.tail.unregister();
    }

    /// Gives `sink` the bytes there are, piece by piece, until it takes less than it was given;
    /// consumes what it took.
    #[inline]
    pub(super) fn read(&mut self, mut sink: impl FnMut(&[u8]) -> usize) -> usize {
        let start = self.at();
        let end = position(self.seen);
        let mut at = start;
        while at != end {
            let len = self.settle(at);
            let piece = self.piece(at, len);
            let taken = sink(piece).min(piece.len());
            let enough = taken < piece.len();
            at = advance(at, taken);
            if enough {
                break;
            }
        }
        if at != start {
            self.lane.head.publish(at);
        }
        distance(at, start)
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
        self.settle(self.at());
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
    #[inline]
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
    #[cold]
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
            // A chunk's owner may be anything, and panic: the lane must be in order before it goes.
            if self.at() != at {
                self.lane.head.publish(at);
            }
            return drop(consumed);
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
    fn piece(&self, at: usize, len: usize) -> &[u8] {
        self.current.get().map_or(&[], |current| current.bytes(distance(at, current.base), len))
    }

    /// Gives all memory of a drained lane to the thread's cache.
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
    fn at(&self) -> usize {
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

impl Lane {
    /// Takes the consumed block that waits for its next use.
    fn take_spare(&self) -> Option<Box<Segment>> {
        // Ordering: Relaxed, a hint.
        if self.spare.load(Relaxed).is_null() {
            return None;
        }
        // Ordering: Acquire pairs with the Release in `Reader::advance_to`; both sides may take.
        Held::new(self.spare.swap(ptr::null_mut(), Acquire)).take()
    }
}

//! The writer of a lane; see `lane.rs`.

use std::iter;
use std::ptr;
use std::task::{Context, Poll};

use bytes::Bytes;

use super::cache;
use super::lane::Lane;
use super::segment::{Held, MAX_BLOCK, Segment};
use super::word::{
    CLOSED, DETACHED, MAX_DISTANCE, Patience, Registered, WAIT, advance, distance, position,
    retreat,
};
use crate::contain::discard;
use crate::sync::Arc;
use crate::sync::atomic::Ordering::*;

/// How much one section copies: a reader on another core starts on the first part of a large write
/// while the rest is being copied, and never finds the word busy for long.
const SECTION: usize = if cfg!(any(loom, test)) { 8 } else { MAX_BLOCK };

/// Up to here blocks double even if little is buffered, to be changed less often.
const STEADY_BLOCK: usize = 4096;

/// The end that bytes go into. Dropping it closes the lane: the reader drains it and sees the end.
pub(super) struct Writer {
    lane: Arc<Lane>,
    /// The last segment, borrowed, and valid only in a section that is not `DETACHED`.
    last: Held,
    /// The `head` that was last seen, moved on by the limit: the position up to which it may write. The
    /// flags are that word's, and `WAIT` is set if this side waits as far as it knows.
    until: usize,
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
    pub(super) fn new(lane: Arc<Lane>, start: usize) -> Self {
        let until = advance(start, lane.limit.min(MAX_DISTANCE));
        Self { lane, last: Held::new(ptr::null_mut()), until }
    }

    /// Looks where the reader is; gives its word.
    fn look(&mut self) -> usize {
        let head = self.lane.head.seen();
        self.until = advance(head, self.lane.limit.min(MAX_DISTANCE));
        head
    }

    /// Copies all of `bytes` in if there is space for them, as far as was seen: what most writes are.
    /// `false` says that nothing was done.
    #[inline(always)]
    pub(super) fn write_fast(&mut self, bytes: &[u8]) -> bool {
        let lane = &*self.lane;
        let space = distance(self.until, position(lane.tail.own()));
        // Ordering: Acquire as in `space`.
        if bytes.is_empty() || bytes.len() > space || lane.reader_gone.load(Acquire) {
            return false;
        }
        let tail = lane.tail.begin();
        let at = position(tail);
        if tail & (DETACHED | WAIT) == 0
            && let Some(last) = self.last.get()
            && last.write(distance(at, last.base), bytes)
        {
            self.lane.tail.finish(at, advance(at, bytes.len()));
        } else {
            self.write_begun(tail, bytes);
        }
        true
    }

    /// In a section that found `tail`: does the rest of a write that is not so simple.
    #[inline(never)]
    fn write_begun(&mut self, tail: usize, bytes: &[u8]) {
        let at = position(tail);
        if tail & DETACHED != 0 {
            self.attach(at, bytes.len());
        }
        let (bytes, rest) = bytes.split_at(bytes.len().min(SECTION));
        let last = self.last.get();
        if !last.is_some_and(|last| last.write(distance(at, last.base), bytes)) {
            self.write_across(at, bytes);
        }
        self.lane.tail.finish(tail, advance(at, bytes.len()));
        if !rest.is_empty() {
            self.write_one(rest);
        }
    }

    /// The space there is: exact if it is less than `wanted`.
    #[inline]
    pub(super) fn space(&mut self, wanted: usize) -> Space {
        let tail = self.lane.tail.own();
        // Ordering: Acquire pairs with the Release in `Reader::drop`, for the user's own sake: what
        // the other side did before it went has happened.
        if tail & CLOSED != 0 || self.lane.reader_gone.load(Acquire) {
            return Space::Broken;
        }
        if distance(self.until, position(tail)) < wanted {
            self.look();
            if self.until & CLOSED != 0 {
                return Space::Broken;
            }
        }
        match distance(self.until, position(tail)) {
            0 => Space::Full,
            space => Space::Free(space),
        }
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
            let seen = retreat(self.until, self.lane.limit.min(MAX_DISTANCE));
            if let Registered::Waiting { replaced } = self.lane.head.register(seen, 0, cx) {
                self.until |= WAIT;
                discard(replaced);
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
        if self.until & WAIT != 0 {
            self.lane.head.unregister();
        }
    }

    /// Copies all of `bytes` in; the caller knows that there is space.
    pub(super) fn write_one(&mut self, bytes: &[u8]) {
        self.write(bytes.len(), iter::once(bytes));
    }

    /// Queues a chunk that is not empty as it is; the caller knows that there is space.
    pub(super) fn write_chunk(&mut self, chunk: Bytes) {
        let at = position(self.lane.tail.own());
        let end = advance(at, chunk.len());
        let segment = Segment::chunk(at, chunk);
        let tail = self.lane.tail.begin();
        if tail & DETACHED != 0 {
            self.start(segment);
        } else {
            self.link(segment);
        }
        self.lane.tail.finish(tail, end);
    }

    /// In a section: copies all of `bytes` in, which takes at least one more block.
    #[cold]
    fn write_across(&mut self, mut at: usize, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let copied = self.append(at, bytes);
            bytes = &bytes[copied..];
            at = advance(at, copied);
        }
    }

    /// Copies the first `amount` bytes of `parts` in; the caller knows that there is space, and that
    /// the parts have as many.
    pub(super) fn write<'a>(&mut self, amount: usize, parts: impl IntoIterator<Item = &'a [u8]>) {
        let mut parts = parts.into_iter();
        let mut part: &[u8] = &[];
        let mut left = amount;
        while left > 0 {
            let section = left.min(SECTION);
            left -= section;
            let tail = self.lane.tail.begin();
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
            self.lane.tail.finish(tail, at);
        }
    }

    /// In a section: copies what the last segment has room for, at least one byte.
    fn append(&mut self, at: usize, bytes: &[u8]) -> usize {
        let mut room = 0;
        if let Some(last) = self.last.get() {
            let offset = distance(at, last.base);
            room = bytes.len().min(last.room(offset));
            last.write(offset, &bytes[..room]);
        }
        if room == 0 {
            self.extend(at, bytes.len());
            return self.append(at, bytes);
        }
        room
    }

    /// In a section: begins the list anew; the reader has none.
    #[inline(always)]
    fn attach(&mut self, at: usize, wanted: usize) {
        self.start(Segment::block(at, wanted)); // the reader has taken the spare one back
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
        let buffered = distance(at, position(self.look()));
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
            // So that `write_fast` finds no space.
            self.until = position(self.lane.tail.own()) | self.until & WAIT;
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

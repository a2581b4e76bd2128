//! One I/O object as the driver sees it: what is known of its readiness and who waits for it.
//!
//! Readiness is **one atomic word**, so that the common case of every operation is a load:
//!
//! ```text
//! bit 0 READ    1 WRITE     what the next operation may try
//!     2 RD_CLOSED 3 WR_CLOSED   the peer, or a shutdown, has closed that direction: ready until an
//!                           operation would block after all (a named pipe gets a new writer)
//!     4 ERROR   5 PRIORITY  what else the operating system said; an error is cleared with READ
//!     6 GONE                the driver has shut down; final
//!     7 READ_WAITER 8 WRITE_WAITER  somebody may be waiting: an event has to look
//!     9..36 read tick   36..63 write tick
//!     63 MARK               urgent data may stop a read before its end; cleared with READ
//! ```
//!
//! Each event bumps the tick of the directions it is about. An operation that would block clears
//! its direction only if the tick is still the one it saw before it tried, so an event in between is
//! never lost; with 27 bits a snapshot would have to be 134 million events old to be confused. The
//! ticks are separate: events about writing do not keep a reader from clearing.
//!
//! Who waits is under a small lock: one slot per direction for whoever comes first, which for an
//! object with one owner is everybody, and a list for the others.
//!
//! Why no wake-up is lost: a waiter first stores its waker and then sets the WAITER bit, both under
//! the lock, and looks at the word that this very read-modify-write returned. An event sets the
//! readiness by a read-modify-write on the same word. Whichever comes second sees the other: either
//! the waiter finds itself ready, or the event finds the bit, waits for the lock and takes the waker.
//!
//! Wakers are moved under the lock, never called, cloned or dropped: events append them to the
//! caller's list, waiters clone before they lock and drop what they displaced after they unlock.

use std::io;
use std::mem::replace;
use std::task::{Context, Poll, Waker};

use super::HandleRef;
use crate::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use crate::sync::{Mutex, MutexGuard};

pub(super) const READ: u64 = 1;
pub(super) const WRITE: u64 = 1 << 1;
pub(super) const RD_CLOSED: u64 = 1 << 2;
pub(super) const WR_CLOSED: u64 = 1 << 3;
pub(super) const ERROR: u64 = 1 << 4;
pub(super) const PRIORITY: u64 = 1 << 5;
const GONE: u64 = 1 << 6;
const READ_WAITER: u64 = 1 << 7;
const WRITE_WAITER: u64 = 1 << 8;
const MARK: u64 = 1 << 63;

const TICK_BITS: u32 = 27;
const READ_TICK: u32 = 9;
const WRITE_TICK: u32 = READ_TICK + TICK_BITS;
const TICK_MASK: u64 = (1 << TICK_BITS) - 1;
/// The highest bit of either tick.
const TICK_TOPS: u64 = 1 << (WRITE_TICK - 1) | 1 << (WRITE_TICK + TICK_BITS - 1);

/// What somebody waits for, or an event is about: bits of the word that say "try".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wants(u64);

impl Wants {
    /// From any of [`READ`], [`WRITE`] and [`PRIORITY`].
    pub(super) const fn new(bits: u64) -> Self {
        Self(bits & (READ | WRITE | PRIORITY))
    }

    /// Reading and writing, in the places of [`READ`] and [`WRITE`]: whose lists and ticks are
    /// concerned. Urgent data goes with reading.
    #[inline]
    fn directions(self) -> u64 {
        const { assert!(READ == 1 && PRIORITY > WRITE, "an urgent 1 becomes READ below") };
        self.0 & (READ | WRITE) | (self.0 / PRIORITY)
    }

    #[inline]
    fn sides(self) -> [bool; 2] {
        [READ, WRITE].map(|direction| self.directions() & direction != 0)
    }

    #[inline]
    pub(super) fn include(self, bits: u64) -> bool {
        self.0 & bits != 0
    }

    #[inline]
    fn both(self) -> bool {
        self.directions() == READ | WRITE
    }

    /// The bits that satisfy this wish.
    #[inline]
    fn satisfied_by(self) -> u64 {
        self.0 | self.closed() | GONE
    }

    // What both directions have is twice in the word, in their order.

    /// The bits that satisfy this wish and stay, until an operation disproves them.
    #[inline]
    fn closed(self) -> u64 {
        self.directions() * RD_CLOSED
    }

    #[inline]
    fn waiter_bits(self) -> u64 {
        self.directions() * READ_WAITER
    }

    /// One, at the place of the tick, for either direction.
    #[inline]
    fn ticks(self) -> u64 {
        let [read, write] = self.sides();
        u64::from(read) << READ_TICK | u64::from(write) << WRITE_TICK
    }
}

/// The word as it was at one moment: what an operation saw before it tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Snapshot(u64);

impl Snapshot {
    #[inline]
    pub(super) fn has(self, bits: u64) -> bool {
        self.0 & bits != 0
    }

    pub(super) fn is_gone(self) -> bool {
        self.has(GONE)
    }

    /// Whether a direction in `wants` is closed.
    pub(super) fn is_closed(self, wants: Wants) -> bool {
        self.has(wants.closed())
    }

    #[inline]
    pub(super) fn satisfies(self, wants: Wants) -> bool {
        self.has(wants.satisfied_by())
    }

    fn tick(self, shift: u32) -> u64 {
        self.0 >> shift & TICK_MASK
    }
}

/// What an operation says once the driver has shut down.
pub(super) fn gone() -> io::Error {
    io::Error::other("the runtime that this I/O object belongs to has shut down")
}

/// Whose a waker is. Every owner has at most one per direction, except that there is one
/// [`SHARED`](Self::SHARED) for every task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Owner(u32);

impl Owner {
    const EXCLUSIVE: Self = Self(0);
    const EXCLUSIVE_BOTH: Self = Self(1);
    const SHARED: Self = Self(2);
    const SHARED_BOTH: Self = Self(3);
    /// The first of the numbers that futures draw.
    const FUTURES: u32 = 4;

    // A wait for both directions is an owner of its own, so that it can withdraw from one when the
    // other came true without withdrawing a single wait that the same task made elsewhere.

    /// A poll through the only reference there is: the newest waker counts.
    pub(super) fn exclusive(wants: Wants) -> Self {
        if wants.both() { Self::EXCLUSIVE_BOTH } else { Self::EXCLUSIVE }
    }

    /// A poll through one of many references: every task counts.
    pub(super) fn shared(wants: Wants) -> Self {
        if wants.both() { Self::SHARED_BOTH } else { Self::SHARED }
    }

    /// The directions from which this owner withdraws when `seen` has satisfied `wants`.
    ///
    /// Only what it waited for: the other direction may be somebody else's. A shared owner stands
    /// for every wait of its task, also for one that was not polled now; where a direction came
    /// true, that one is for the event to take away and wake, which may just be about to.
    fn withdraws(self, wants: Wants, seen: Snapshot) -> [bool; 2] {
        let [read, write] = wants.sides();
        if !self.is_shared() {
            return [read, write];
        }
        let missed = |bits| !seen.satisfies(Wants::new(bits));
        [read && missed(wants.0 & (READ | PRIORITY)), write && missed(WRITE)]
    }

    fn is_shared(self) -> bool {
        self == Self::SHARED || self == Self::SHARED_BOTH
    }

    /// Whether the waker `old` of `other` is the one that this owner, now with `new`, has.
    fn keeps(self, other: Self, old: &Waker, new: &Waker) -> bool {
        self == other && (!self.is_shared() || old.will_wake(new))
    }
}

/// See the head of this file.
#[derive(Debug)]
pub(super) struct Source {
    word: AtomicU64,
    /// Where the driver's table keeps it.
    slot: AtomicU32,
    next_owner: AtomicU32,
    /// The driver, which only tests are without. Here it makes each stream a word smaller.
    handle: Option<HandleRef>,
    waiters: Mutex<Waiters>,
}

impl Source {
    /// `assumed` is what the object is taken for until its first operation says otherwise.
    pub(super) fn new(assumed: u64) -> Self {
        Self {
            word: AtomicU64::new(assumed & (READ | WRITE)),
            slot: AtomicU32::new(u32::MAX),
            next_owner: AtomicU32::new(Owner::FUTURES),
            handle: None,
            waiters: Mutex::new(Waiters::new()),
        }
    }

    /// One of the driver `handle`, which has still to enter it.
    pub(super) fn of(handle: HandleRef, assumed: u64) -> Self {
        Self { handle: Some(handle), ..Self::new(assumed) }
    }

    pub(super) fn handle(&self) -> &HandleRef {
        self.handle.as_ref().expect("a registered source has a driver")
    }

    /// Where the table of the driver keeps it, for the holder of the table's lock.
    pub(super) fn slot(&self) -> usize {
        // Ordering: Relaxed, it is written and read under the lock.
        self.slot.load(Ordering::Relaxed) as usize
    }

    /// Notes where the table keeps it, as [`slot`](Self::slot).
    pub(super) fn set_slot(&self, slot: u32) {
        // Ordering: Relaxed, see above.
        self.slot.store(slot, Ordering::Relaxed);
    }

    #[inline]
    pub(super) fn snapshot(&self) -> Snapshot {
        // Ordering: Acquire pairs with the Release of `update`, so that whoever sees readiness also
        // sees what the dispatching thread did before.
        Snapshot(self.word.load(Ordering::Acquire))
    }

    /// The operating system reported `bits`: marks them and collects those who waited for them.
    #[inline]
    pub(super) fn event(&self, bits: u64, woken: &mut Vec<Waker>) {
        let about = Wants::new(bits);
        let news = bits | if about.include(PRIORITY) { MARK } else { 0 };
        let waiter_bits = about.waiter_bits();
        let before = self.update(|word| Some(advance(word & !waiter_bits, about) | news));
        let waiting = before.0 & waiter_bits;
        if waiting != 0 {
            self.waiters.lock().take([READ_WAITER, WRITE_WAITER].map(|w| waiting & w != 0), woken);
        }
    }

    /// The driver is going: every operation fails from here on, every waiter is collected.
    pub(super) fn shut_down(&self, woken: &mut Vec<Waker>) {
        self.update(|word| Some(word | GONE));
        self.waiters.lock().take([true, true], woken);
    }

    /// An operation that saw `seen` would have blocked: forgets the readiness that it saw, and no
    /// newer one. What a reader finds says nothing about urgent data, nor the reverse.
    ///
    /// What would block is not closed: pipes with names and terminals are opened again, and the next
    /// end is an event of its own.
    pub(super) fn clear(&self, seen: Snapshot, wants: Wants) {
        let reading = if wants.include(READ) { READ | RD_CLOSED | ERROR | MARK } else { 0 };
        let urgent = if wants.include(PRIORITY) { PRIORITY } else { 0 };
        self.forget(seen, wants, reading | urgent, WRITE | WR_CLOSED);
    }

    /// An operation that saw `seen` moved less than it could have: the next one would block.
    ///
    /// Not true while [`MARK`] is set: a read stops at the mark of urgent data.
    #[inline]
    pub(super) fn clear_short(&self, seen: Snapshot, wants: Wants) {
        if !(wants.sides()[0] && seen.has(MARK)) {
            self.forget(seen, wants, READ, WRITE);
        }
    }

    /// Readiness for `wants`, or the waker of `cx` is kept for `owner`.
    #[inline]
    pub(super) fn poll(&self, cx: &Context<'_>, wants: Wants, owner: Owner) -> Poll<Snapshot> {
        let seen = self.snapshot();
        if !seen.satisfies(wants) {
            return self.wait(cx, wants, owner);
        }
        if wants.both() && seen.has(wants.waiter_bits()) {
            // It may still wait for the direction that did not come true.
            let over = owner.withdraws(wants, seen);
            let removed = self.waiters.lock().remove(owner, over, cx.waker());
            drop(removed); // not under the lock
        }
        Poll::Ready(seen)
    }

    /// Forgets the exclusive wakers in the directions of `wants`.
    #[inline]
    pub(super) fn stop_waiting(&self, wants: Wants) {
        if self.snapshot().has(wants.waiter_bits()) {
            self.forget_exclusive(wants);
        }
    }

    #[cold]
    fn forget_exclusive(&self, wants: Wants) {
        let mut waiters = self.waiters.lock();
        let single = waiters.remove(Owner::EXCLUSIVE, wants.sides(), Waker::noop());
        let both = waiters.remove(Owner::EXCLUSIVE_BOTH, wants.sides(), Waker::noop());
        drop(waiters);
        drop((single, both)); // not under the lock
    }

    /// A number for a future that wants its own place among the waiters.
    pub(super) fn new_owner(&self) -> Owner {
        // Ordering: only uniqueness counts, among the futures that are alive.
        let number = self.next_owner.fetch_add(1, Ordering::Relaxed);
        Owner(number.max(Owner::FUTURES))
    }

    /// Forgets the wakers of a future.
    pub(super) fn cancel(&self, owner: Owner) {
        let removed = self.waiters.lock().remove(owner, [true, true], Waker::noop());
        drop(removed); // not under the lock
    }

    /// [`poll`](Self::poll) of what was not ready a moment ago.
    #[inline(never)]
    pub(super) fn wait(&self, cx: &Context<'_>, wants: Wants, owner: Owner) -> Poll<Snapshot> {
        if wants.both() {
            return self.wait_for_both(cx, wants, owner);
        }
        let waker = cx.waker().clone();
        let mut waiters = self.waiters.lock();
        let displaced = waiters.enter(usize::from(wants.include(WRITE)), owner, waker);
        let seen = self.announce(wants);
        if seen.satisfies(wants) {
            return take_back(waiters, cx, wants, owner, seen, [displaced, None]);
        }
        drop(waiters);
        drop(displaced); // not under the lock
        Poll::Pending
    }

    #[cold]
    fn wait_for_both(&self, cx: &Context<'_>, wants: Wants, owner: Owner) -> Poll<Snapshot> {
        let [reader, writer] = [cx.waker().clone(), cx.waker().clone()];
        let mut waiters = self.waiters.lock();
        let displaced = [waiters.enter(0, owner, reader), waiters.enter(1, owner, writer)];
        let seen = self.announce(wants);
        if seen.satisfies(wants) {
            return take_back(waiters, cx, wants, owner, seen, displaced);
        }
        drop(waiters);
        drop(displaced); // not under the lock
        Poll::Pending
    }

    /// Tells the next event that somebody waits, under the lock.
    #[inline]
    fn announce(&self, wants: Wants) -> Snapshot {
        // Ordering: AcqRel pairs with `update`; the head of this file says why this cannot sleep on
        // a ready source.
        Snapshot(self.word.fetch_or(wants.waiter_bits(), Ordering::AcqRel))
    }

    #[inline]
    fn forget(&self, seen: Snapshot, wants: Wants, reading: u64, writing: u64) {
        self.update(|word| {
            let now = Snapshot(word);
            let [read, write] = wants.sides();
            let mut stale = 0;
            if read && now.tick(READ_TICK) == seen.tick(READ_TICK) {
                stale |= reading;
            }
            if write && now.tick(WRITE_TICK) == seen.tick(WRITE_TICK) {
                stale |= writing;
            }
            (word & stale != 0).then_some(word & !stale)
        });
    }

    /// Applies `change` until it sticks or says `None`; returns the word as it was before.
    fn update(&self, mut change: impl FnMut(u64) -> Option<u64>) -> Snapshot {
        // Ordering: Relaxed, a first guess; the exchange below decides.
        let mut word = self.word.load(Ordering::Relaxed);
        loop {
            let Some(next) = change(word) else { return Snapshot(word) };
            // Ordering: Release pairs with the Acquire of `snapshot` and of `wait`; Acquire with the
            // Release of `wait`. A failure is a new guess, hence Relaxed.
            match self.word.compare_exchange_weak(word, next, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(before) => return Snapshot(before),
                Err(now) => word = now,
            }
        }
    }
}

/// The event came first: what was entered for `owner` is taken out again.
#[cold]
fn take_back(
    mut waiters: MutexGuard<'_, Waiters>,
    cx: &Context<'_>,
    wants: Wants,
    owner: Owner,
    seen: Snapshot,
    displaced: [Option<Waker>; 2],
) -> Poll<Snapshot> {
    let removed = waiters.remove(owner, owner.withdraws(wants, seen), cx.waker());
    drop(waiters);
    drop((displaced, removed)); // not under the lock
    Poll::Ready(seen)
}

/// Adds one to the ticks that `about` names. Each wraps within its bits: the highest is added without a
/// carry.
#[inline]
pub(super) fn advance(word: u64, about: Wants) -> u64 {
    ((word & !TICK_TOPS) + about.ticks()) ^ (word & TICK_TOPS)
}

/// Reading and writing, as indices.
const DIRECTIONS: [usize; 2] = [0, 1];

/// Those who wait, by direction: the first in the slot, the others in a list that most objects never
/// have. A slot may be empty while its list is not.
#[derive(Debug)]
struct Waiters {
    slots: [Option<Waker>; 2],
    /// Whose the waker in the slot is, if there is one.
    owners: [Owner; 2],
    lists: Option<Box<[List; 2]>>,
}

type List = Vec<(Owner, Waker)>;

/// A list that has grown beyond this gives its memory back when it is drained.
const KEEP: usize = 64;

impl Waiters {
    fn new() -> Self {
        Self { slots: [None, None], owners: [Owner::EXCLUSIVE; 2], lists: None }
    }

    /// Keeps `waker` for `owner`; returns what is not needed any more.
    #[inline]
    fn enter(&mut self, direction: usize, owner: Owner, waker: Waker) -> Option<Waker> {
        if self.slots[direction].is_none() && self.lists.is_none() {
            self.slots[direction] = Some(waker);
            self.owners[direction] = owner;
            return None;
        }
        self.enter_crowd(direction, owner, waker)
    }

    #[cold]
    fn enter_crowd(&mut self, direction: usize, owner: Owner, new: Waker) -> Option<Waker> {
        if let Some(old) = self.find(direction, owner, &new) {
            return Some(if old.will_wake(&new) { new } else { replace(old, new) });
        }
        if self.slots[direction].is_none() {
            self.slots[direction] = Some(new);
            self.owners[direction] = owner;
        } else {
            self.lists.get_or_insert_default()[direction].push((owner, new));
        }
        None
    }

    /// The waker of `owner`, of a shared one that which wakes the same task as `waker`.
    fn find(&mut self, direction: usize, owner: Owner, waker: &Waker) -> Option<&mut Waker> {
        let in_slot = self.owners[direction];
        if let Some(old) = &mut self.slots[direction]
            && owner.keeps(in_slot, old, waker)
        {
            return Some(old);
        }
        let list = &mut self.lists.as_mut()?[direction];
        let entry = list.iter_mut().find(|(other, old)| owner.keeps(*other, old, waker));
        entry.map(|(_, old)| old)
    }

    /// Moves out what [`find`](Self::find) would find, in the directions of `sides`.
    fn remove(&mut self, owner: Owner, sides: [bool; 2], waker: &Waker) -> [Option<Waker>; 2] {
        DIRECTIONS.map(|direction| {
            if !sides[direction] {
                return None;
            }
            let slot = &mut self.slots[direction];
            if let Some(old) = slot
                && owner.keeps(self.owners[direction], old, waker)
            {
                return slot.take();
            }
            let list = &mut self.lists.as_mut()?[direction];
            let index = list.iter().position(|(other, old)| owner.keeps(*other, old, waker))?;
            Some(list.swap_remove(index).1)
        })
    }

    /// Moves out all wakers of the directions in `sides`.
    #[inline]
    fn take(&mut self, sides: [bool; 2], woken: &mut Vec<Waker>) {
        for direction in DIRECTIONS {
            if sides[direction]
                && let Some(waker) = self.slots[direction].take()
            {
                woken.push(waker);
            }
        }
        if self.lists.is_some() {
            self.take_crowd(sides, woken);
        }
    }

    #[cold]
    fn take_crowd(&mut self, sides: [bool; 2], woken: &mut Vec<Waker>) {
        let lists = self.lists.iter_mut().flat_map(|lists| lists.iter_mut());
        for (list, _) in lists.zip(sides).filter(|(_, affected)| *affected) {
            woken.extend(list.drain(..).map(|(_, waker)| waker));
            if list.capacity() > KEEP {
                *list = List::new(); // it is empty: no waker is dropped here
            }
        }
    }
}

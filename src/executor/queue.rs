//! A worker's run queue: the one lock-free queue of the crate.
//!
//! Three places, looked at in this order by their owner:
//!
//! ```text
//!   next      one slot; the task that this worker woke last. Thieves take it only from a worker
//!             that is stuck in one poll.
//!   ring      a fixed ring of pointers; thieves take half of it from the front.
//!   overflow  a locked list of blocks behind a full ring. While it holds anything, new tasks queue
//!             up behind it and the ring refills with its first block, so the order of arrival is kept.
//! ```
//!
//! The ring follows Go's scheduler: a thief first *copies* a run of pointers, then claims it by
//! moving `head` over it with one compare-and-exchange. `head` and `tail` are 64-bit counts that
//! never wrap, so an unchanged `head` proves that the owner has not reused a slot in between. A slot
//! is an `AtomicPtr`, hence a copy that loses the race is stale but never torn, and the only unsafe
//! step is turning a claimed pointer back into the value it was made of.
//!
//! Who may do what: [`Owner`] pushes and pops and exists once; [`Queue`] is shared and can be stolen
//! from. Where there is nobody to steal (a current-thread runtime) the owner needs no
//! read-modify-writes, which cost as much as the rest of a yield. Orderings pair up as `tail` Release (push) with `tail` Acquire (steal), which carries the
//! task's contents to the thief, and `head` Release (claim) with `head` Acquire (push), which keeps
//! the owner from overwriting a slot that is still being copied.

use std::cell::Cell;
use std::collections::VecDeque;
use std::fmt;
use std::marker::PhantomData;
use std::ptr;

use crate::sync::atomic::{AtomicPtr, AtomicU64, AtomicUsize, Ordering};
use crate::sync::{Arc, Mutex};
use crate::task::Runnable;

/// Tasks in the ring: enough that a burst of spawns rarely takes the lock, 8 KiB a worker.
#[cfg(not(any(loom, test)))]
const CAPACITY: usize = 1024;
/// Small enough that models and tests overflow and wrap at once.
#[cfg(any(loom, test))]
const CAPACITY: usize = 4;

const MASK: u64 = CAPACITY as u64 - 1;

/// Tasks in a block of the overflow.
const BLOCK: usize = CAPACITY / 2;

/// Empty blocks that are kept: 128 KiB.
const SPARES: usize = 32;

/// A value that fits into a pointer.
pub(crate) trait Word: Send + Sized {
    /// Gives the value up as a pointer that is not null.
    fn into_raw(self) -> *mut ();

    /// Takes the value back.
    ///
    /// # Safety
    ///
    /// `raw` comes from `into_raw` of the same type and is given back once.
    unsafe fn from_raw(raw: *mut ()) -> Self;
}

impl Word for Runnable {
    fn into_raw(self) -> *mut () {
        Runnable::into_raw(self)
    }

    unsafe fn from_raw(raw: *mut ()) -> Self {
        // SAFETY: the trait's contract is that of `Runnable::from_raw`.
        unsafe { Runnable::from_raw(raw) }
    }
}

/// The shared side: anyone may steal.
#[repr(align(128))] // one queue's words share no cache line with another's
pub(crate) struct Queue<T: Word> {
    /// Tasks taken from the ring so far, by the owner and by thieves.
    head: AtomicU64,
    /// Tasks put into the ring so far; written by the owner only.
    tail: AtomicU64,
    next: AtomicPtr<()>,
    /// What `overflow` holds; written under its lock.
    overflowing: AtomicUsize,
    slots: Box<[AtomicPtr<()>; CAPACITY]>,
    /// Blocks that are not empty; all but the last are, or were, full.
    overflow: Mutex<VecDeque<Vec<T>>>,
    _values: PhantomData<T>,
}

/// The owner's side: the only one that pushes, hence neither `Clone` nor `Sync`.
pub(crate) struct Owner<T: Word> {
    queue: Arc<Queue<T>>,
    /// Nobody steals.
    alone: bool,
    /// Empty blocks, so that one flood after the other is no work for the allocator.
    spares: Cell<Vec<Vec<T>>>,
    _one_thread: PhantomData<Cell<()>>,
}

/// Makes an empty queue. `alone`: nobody steals from it while its owner is at work.
pub(crate) fn queue<T: Word>(alone: bool) -> Owner<T> {
    let queue = Queue {
        head: AtomicU64::new(0),
        tail: AtomicU64::new(0),
        next: AtomicPtr::new(ptr::null_mut()),
        overflowing: AtomicUsize::new(0),
        slots: Box::new(std::array::from_fn(|_| AtomicPtr::new(ptr::null_mut()))),
        overflow: Mutex::new(VecDeque::new()),
        _values: PhantomData,
    };
    Owner { queue: Arc::new(queue), alone, spares: Cell::default(), _one_thread: PhantomData }
}

impl<T: Word> Owner<T> {
    /// The side that others may steal from.
    pub(crate) fn shared(&self) -> &Arc<Queue<T>> {
        &self.queue
    }

    /// Puts `task` into the next slot; the one that was there, if any, is handed back.
    #[inline]
    pub(crate) fn set_next(&self, task: T) -> Option<T> {
        let next = &self.queue.next;
        let raw = task.into_raw();
        // Ordering: Relaxed, for only the owner fills the slot: null stays null.
        let old = next.load(Ordering::Relaxed);
        if old.is_null() || self.alone {
            // Ordering: Release hands the task's contents to `Queue::steal_next`'s Acquire.
            next.store(raw, Ordering::Release);
            return adopt_nullable(old);
        }
        // Ordering: Release as above. Acquire is not needed, the old task was put here by this
        // thread, but a thief may have taken it.
        adopt_nullable(next.swap(raw, Ordering::Release))
    }

    /// Takes the task in the next slot.
    #[inline]
    pub(crate) fn pop_next(&self) -> Option<T> {
        let next = &self.queue.next;
        // Ordering: Relaxed throughout: only this thread fills the slot, so what it finds is its own.
        let task = next.load(Ordering::Relaxed);
        if task.is_null() {
            return None;
        }
        if self.alone {
            next.store(ptr::null_mut(), Ordering::Relaxed);
            return Some(adopt(task));
        }
        adopt_nullable(next.swap(ptr::null_mut(), Ordering::Relaxed))
    }

    /// Queues `task` behind all others.
    #[inline]
    pub(crate) fn push_back(&self, task: T) {
        let queue = &*self.queue;
        // Ordering: Relaxed on `overflowing` and `tail`: only this thread makes them grow.
        if queue.overflowing.load(Ordering::Relaxed) == 0 {
            let tail = queue.tail.load(Ordering::Relaxed);
            // Ordering: Acquire pairs with the claims' Release: what was claimed has been copied.
            let head = queue.head.load(Ordering::Acquire);
            if tail - head < CAPACITY as u64 {
                // Ordering: Relaxed; the store to `tail` publishes it.
                queue.slot(tail).store(task.into_raw(), Ordering::Relaxed);
                // Ordering: Release pairs with the thieves' Acquire of `tail`.
                queue.tail.store(tail + 1, Ordering::Release);
                return;
            }
        }
        self.push_overflow(task);
    }

    /// Takes the task at the front.
    #[inline]
    pub(crate) fn pop_front(&self) -> Option<T> {
        self.pop_ring().or_else(|| self.refill())
    }

    #[inline]
    fn pop_ring(&self) -> Option<T> {
        let queue = &*self.queue;
        // Ordering: Relaxed: `tail` is this thread's own; a stale `head` fails the exchange below.
        let tail = queue.tail.load(Ordering::Relaxed);
        let mut head = queue.head.load(Ordering::Relaxed);
        while head != tail {
            let raw = queue.slot(head).load(Ordering::Relaxed);
            if self.alone {
                queue.head.store(head + 1, Ordering::Relaxed);
                return Some(adopt(raw));
            }
            // Ordering: Relaxed on success: this thread wrote the slot and is the one to reuse it.
            // The exchange keeps thieves' earlier claims in `head`'s release sequence.
            match queue.head.compare_exchange_weak(
                head,
                head + 1,
                Ordering::Relaxed,
                Ordering::Relaxed,
            ) {
                Ok(_) => return Some(adopt(raw)),
                Err(now) => head = now,
            }
        }
        None
    }

    /// Moves tasks from the overflow to the empty ring, and takes one.
    #[cold]
    fn refill(&self) -> Option<T> {
        let queue = &*self.queue;
        // Ordering: Relaxed: only this thread makes it grow; the lock orders the rest.
        if queue.overflowing.load(Ordering::Relaxed) == 0 {
            return None;
        }
        let mut block = queue.take_overflow(usize::MAX);
        self.append(block.drain(..));
        let mut spares = self.spares.take();
        if spares.len() < SPARES {
            spares.push(block);
        }
        self.spares.set(spares);
        self.pop_ring()
    }

    /// Gives the memory of floods back; before a sleep.
    pub(crate) fn shrink(&self) {
        drop(self.spares.take());
    }

    #[cold]
    fn push_overflow(&self, task: T) {
        let mut blocks = self.queue.overflow.lock();
        match blocks.back_mut() {
            Some(last) if last.len() < BLOCK => last.push(task),
            _ => {
                let mut spares = self.spares.take();
                let mut block = spares.pop().unwrap_or_default();
                self.spares.set(spares);
                block.reserve_exact(BLOCK);
                block.push(task);
                blocks.push_back(block);
            }
        }
        self.queue.count_overflow(1);
    }

    /// Appends a batch that fits, and publishes it with one store.
    pub(crate) fn append(&self, tasks: impl IntoIterator<Item = T>) {
        let queue = &*self.queue;
        // Ordering: as in `push_back`.
        let mut tail = queue.tail.load(Ordering::Relaxed);
        let head = queue.head.load(Ordering::Acquire);
        for task in tasks {
            if tail - head < CAPACITY as u64 {
                queue.slot(tail).store(task.into_raw(), Ordering::Relaxed);
                tail += 1;
            } else {
                self.push_overflow(task);
            }
        }
        queue.tail.store(tail, Ordering::Release);
    }

    /// Steals about half of `victim`'s tasks, if there are at least so many; the first is returned, the
    /// rest are in this queue, which must be empty.
    pub(crate) fn steal_from(&self, victim: &Queue<T>, at_least: usize) -> Option<T> {
        if victim.len() < at_least {
            return None;
        }
        self.steal_ring(victim).or_else(|| {
            // Ordering: Relaxed: a hint; the lock orders the list itself.
            let len = victim.overflowing.load(Ordering::Relaxed);
            if len == 0 {
                return None;
            }
            let mut batch = victim.take_overflow(len.div_ceil(2)).into_iter();
            let first = batch.next();
            self.append(batch);
            first
        })
    }

    fn steal_ring(&self, victim: &Queue<T>) -> Option<T> {
        let own = &*self.queue;
        // Ordering: `tail` is this thread's own. The ring is empty, and Acquire pairs with the claims of
        // those who emptied it: what they claimed has been copied.
        let own_tail = own.tail.load(Ordering::Relaxed);
        let own_head = own.head.load(Ordering::Acquire);
        debug_assert_eq!(own_head, own_tail, "thieves come with nothing");
        loop {
            // Ordering: Acquire pairs with `push_back`'s Release: the tasks up to `tail` are visible, and
            // so is the `head` that the owner saw before it: the one read next is not older, hence the
            // difference never exceeds the ring.
            let tail = victim.tail.load(Ordering::Acquire);
            let head = victim.head.load(Ordering::Acquire);
            let count = tail.saturating_sub(head).div_ceil(2);
            if count == 0 {
                return None;
            }
            // Ordering: Relaxed slots: each is valid if and only if an exchange below claims its index.
            for i in 0..count {
                let raw = victim.slot(head + i).load(Ordering::Relaxed);
                own.slot(own_tail + i).store(raw, Ordering::Relaxed);
            }
            // A slot is not reused before `head` is past it, so what others take meanwhile spoils no more
            // than its own copy. To copy again would lose the next race, too, against an owner whose tasks
            // are shorter than that takes, and slow it down by drawing the lines of its ring away from it.
            let mut gone = 0;
            while gone < count {
                // Ordering: Release pairs with the owner's Acquire in `push_back`: the copies above
                // happen before it overwrites the slots. Acquire as for the first load of `head`.
                match victim.head.compare_exchange(
                    head + gone,
                    head + count,
                    Ordering::AcqRel,
                    Ordering::Acquire,
                ) {
                    Ok(_) => {
                        let first = own.slot(own_tail + gone).load(Ordering::Relaxed);
                        // Ordering: Relaxed: an empty ring is changed by its owner only, and the next
                        // store, Release, publishes the rest to the next thief.
                        own.head.store(own_tail + gone + 1, Ordering::Relaxed);
                        own.tail.store(own_tail + count, Ordering::Release);
                        return Some(adopt(first));
                    }
                    Err(now) => gone = now - head,
                }
            }
        }
    }
}

impl<T: Word> Queue<T> {
    /// Takes the task in the next slot away from its owner.
    pub(crate) fn steal_next(&self) -> Option<T> {
        // Ordering: Relaxed is a hint; Acquire pairs with `set_next`'s Release.
        if self.next.load(Ordering::Relaxed).is_null() {
            return None;
        }
        adopt_nullable(self.next.swap(ptr::null_mut(), Ordering::Acquire))
    }

    /// Whether there is something to steal, the next slot left aside.
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many tasks wait here, the next slot left aside; exact only for a quiet queue.
    pub(crate) fn len(&self) -> usize {
        // Ordering: Acquire as in `steal_ring`; whoever needs certainty has fenced (see `idle`).
        let tail = self.tail.load(Ordering::Acquire);
        let head = self.head.load(Ordering::Acquire);
        tail.saturating_sub(head) as usize + self.overflowing.load(Ordering::Acquire)
    }

    /// How many tasks wait here, the one in the next slot included.
    pub(crate) fn waiting(&self) -> usize {
        // Ordering: Relaxed: a number for `metrics`; the task is not touched.
        self.len() + usize::from(!self.next.load(Ordering::Relaxed).is_null())
    }

    /// How many of them are behind the ring.
    pub(crate) fn overflowed(&self) -> usize {
        // Ordering: Relaxed, as above.
        self.overflowing.load(Ordering::Relaxed)
    }

    #[inline]
    fn slot(&self, index: u64) -> &AtomicPtr<()> {
        &self.slots[(index & MASK) as usize]
    }

    /// Takes the first block, or as much of it.
    fn take_overflow(&self, at_most: usize) -> Vec<T> {
        let mut blocks = self.overflow.lock();
        let Some(mut block) = blocks.pop_front() else { return Vec::new() };
        if block.len() > at_most {
            let rest = block.split_off(at_most);
            blocks.push_front(rest);
        }
        self.count_overflow(-(block.len() as isize));
        block
    }

    /// Called with the lock of `overflow` held.
    fn count_overflow(&self, change: isize) {
        // Ordering: Relaxed: the lock is held. Release, for `len`'s Acquire: who sees the number
        // finds the tasks under the lock.
        let count = self.overflowing.load(Ordering::Relaxed).wrapping_add_signed(change);
        self.overflowing.store(count, Ordering::Release);
    }
}

impl<T: Word> Drop for Queue<T> {
    fn drop(&mut self) {
        // Ordering: Relaxed: `&mut` means that nobody else is left.
        let head = self.head.load(Ordering::Relaxed);
        let tail = self.tail.load(Ordering::Relaxed);
        drop(self.steal_next());
        for index in head..tail {
            drop(adopt::<T>(self.slot(index).load(Ordering::Relaxed)));
        }
    }
}

impl<T: Word> fmt::Debug for Queue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue").field("len", &self.len()).finish_non_exhaustive()
    }
}

impl<T: Word> fmt::Debug for Owner<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.queue.fmt(f)
    }
}

fn adopt_nullable<T: Word>(raw: *mut ()) -> Option<T> {
    (!raw.is_null()).then(|| adopt(raw))
}

/// Turns a claimed pointer back into its value.
fn adopt<T: Word>(raw: *mut ()) -> T {
    // SAFETY: every pointer in a slot comes from `into_raw` of this queue's `T`, and each caller has
    // just claimed it: by an exchange of `head` over its index, by a swap, or by owning the queue.
    unsafe { T::from_raw(raw) }
}

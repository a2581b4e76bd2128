//! The timers of a runtime: one wheel a worker, each behind its own lock.
//!
//! A *shard* is a wheel and, outside its lock, the wheel's next deadline. A thread that works for
//! the runtime inserts into its own shard, so that the lock is uncontended; every other thread uses
//! the last one, the *foreign* shard. Anyone may fire any shard that is due, so that a worker which
//! is stuck in a long poll holds up nobody's timers.
//!
//! This file knows deadlines and wakers, not tasks, and wakes nobody: wakers are handed out and
//! dropped by the caller, after the lock is released. A lock is held for at most [`STEPS`] timers.
//!
//! # Who learns of a new deadline
//!
//! The owner of a shard looks at its next deadline before it sleeps, so an insert into one's own
//! shard tells nobody and costs no syscall. An insert into the foreign shard may come while the
//! *leader* (who sleeps in the reactor) sleeps already. They agree in the manner of Dekker:
//!
//! * the leader ([`Timers::begin_wait`]) stores that it waits, fence, reads the deadlines;
//! * the inserter stores the deadline, fence, reads until when the leader waits.
//!
//! At least one sees the other: either the leader sleeps no longer than the new deadline, or the
//! inserter is told to unpark it. The first one to be told so takes the leader's mark away, so that
//! a burst of inserts makes one syscall.
//!
//! # Who wakes up for a timer
//!
//! One thread, not every one that has timers. The leader sleeps until the earliest deadline of all
//! who sleep. Who goes to sleep beside it ([`Timers::own_wait`]) says so and fences, as an inserter
//! does: if the leader wakes up early enough for it, it sleeps until it is called, for whoever leads
//! next knows of it; else it keeps time for itself.

use std::fmt;
use std::task::Waker;
use std::time::{Duration, Instant};

use super::wheel::{TimerId, Wheel};
use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};
use crate::sync::{Apart, Mutex};

#[cfg(all(test, loom))]
mod models;
#[cfg(all(test, not(loom)))]
mod tests;

/// Timers that are looked at while a lock is held once.
const STEPS: usize = 128;

/// How often one call of [`Timers::fire`] takes the lock of one shard.
const HOLDS: usize = 32;

/// The published deadline of a shard without timers. No timer's deadline is stored this late, and
/// no `now` reaches it.
const NEVER: u64 = u64::MAX;

/// The latest deadline that is stored, for all that are 584 years away or more. As it may stand for
/// a later one, no `now` reaches it either and nobody is told to wait for it.
const LATEST: u64 = NEVER - 1;

/// What the leader's mark says while nobody waits: no deadline is earlier.
const NOT_WAITING: u64 = 0;

/// Names a timer until it fires or is removed. Afterwards it names nothing, for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    id: TimerId,
}

impl Key {
    /// In this form it leaves room for something small beside it.
    #[inline]
    pub(crate) fn into_parts(self) -> (u64, u32) {
        (self.id.low, self.id.high)
    }

    /// What [`into_parts`](Self::into_parts) was.
    #[inline]
    pub(crate) fn from_parts((low, high): (u64, u32)) -> Self {
        Self { id: TimerId { low, high } }
    }
}

/// A timer that was registered.
#[derive(Clone, Copy, Debug)]
#[must_use = "the leader may have to be unparked"]
pub(crate) struct Registered {
    pub(crate) key: Key,
    /// The leader sleeps past the deadline: the caller unparks it.
    pub(crate) unpark: bool,
}

/// What [`Timers::watch`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Watch {
    /// The timer has fired, or the runtime is gone.
    Gone,
    /// It will wake the task that asked.
    Same,
    /// It would wake another task.
    Other,
}

/// See the [module](self).
pub(crate) struct Timers {
    base: Instant,
    closed: AtomicBool,
    /// Until when the leader sleeps, in nanoseconds since `base`.
    waiting_until: Apart<AtomicU64>,
    shards: Box<[Shard]>,
}

/// Alone on its cache lines: its neighbours belong to other workers.
#[repr(align(128))]
struct Shard {
    /// Of the wheel, as it was when its lock was last released.
    next_deadline: AtomicU64,
    /// `None`: the runtime is gone.
    wheel: Mutex<Option<Wheel>>,
}

impl Timers {
    /// `shards`: one a worker, one for a guest, and the foreign one, which is the last. No deadline
    /// before `base` is told from `base`.
    pub(crate) fn new(shards: usize, base: Instant) -> Self {
        assert!(
            (1..=usize::from(u16::MAX)).contains(&shards),
            "a runtime has at most 65 535 timer shards"
        );
        let shard = || Shard {
            next_deadline: AtomicU64::new(NEVER),
            wheel: Mutex::new(Some(Wheel::new())),
        };
        Self {
            base,
            closed: AtomicBool::new(false),
            waiting_until: Apart(AtomicU64::new(NOT_WAITING)),
            shards: std::iter::repeat_with(shard).take(shards).collect(),
        }
    }

    /// The shard of threads that do not work for this runtime.
    pub(crate) fn foreign_shard(&self) -> usize {
        self.shards.len() - 1
    }

    /// Has `waker` woken once `deadline` has come. Gives it back if the runtime is gone.
    #[inline]
    pub(crate) fn insert(
        &self,
        shard: usize,
        deadline: Instant,
        waker: Waker,
    ) -> Result<Registered, Waker> {
        let deadline = self.deadline(deadline);
        let id = self.shards[shard].insert(deadline, waker, shard as u16)?;
        Ok(Registered { key: Key { id }, unpark: self.leader_misses(shard, deadline) })
    }

    /// Takes a timer out, unless it has fired. The caller drops the waker, holding no lock.
    #[inline]
    pub(crate) fn remove(&self, key: Key) -> Option<Waker> {
        self.shard(key).with(|wheel| wheel.as_mut()?.remove(key.id))
    }

    /// Gives a timer another deadline; `None` if it has fired or the runtime is gone.
    ///
    /// `shard` is the calling thread's: an earlier deadline moves the timer there, because the
    /// owner of the old shard may sleep until the old deadline.
    pub(crate) fn reset(&self, key: Key, deadline: Instant, shard: usize) -> Option<Registered> {
        enum Outcome {
            Stayed,
            Taken(Waker),
        }
        let nanos = self.deadline(deadline);
        let outcome = self.shard(key).with(|wheel| {
            let wheel = wheel.as_mut()?;
            if usize::from(key.id.tag()) == shard || wheel.deadline(key.id)? <= nanos {
                wheel.reset(key.id, nanos).then_some(Outcome::Stayed)
            } else {
                wheel.remove(key.id).map(Outcome::Taken)
            }
        })?;
        match outcome {
            Outcome::Stayed => Some(Registered {
                key,
                unpark: self.leader_misses(usize::from(key.id.tag()), nanos),
            }),
            // An error means that the runtime has gone meanwhile.
            Outcome::Taken(waker) => self.insert(shard, deadline, waker).ok(),
        }
    }

    /// Whether a timer has fired, and if not, whether it wakes `waker`'s task.
    pub(crate) fn watch(&self, key: Key, waker: &Waker) -> Watch {
        self.shard(key).with(|wheel| {
            match wheel.as_mut().and_then(|wheel| wheel.waker_mut(key.id)) {
                None => Watch::Gone,
                Some(stored) if stored.will_wake(waker) => Watch::Same,
                Some(_) => Watch::Other,
            }
        })
    }

    /// Replaces a timer's waker and returns the old one; an error gives the new one back, because
    /// the timer has fired or the runtime is gone. The caller drops either, holding no lock.
    pub(crate) fn replace_waker(&self, key: Key, waker: Waker) -> Result<Waker, Waker> {
        self.shard(key).with(|wheel| {
            match wheel.as_mut().and_then(|wheel| wheel.waker_mut(key.id)) {
                None => Err(waker),
                Some(stored) => Ok(std::mem::replace(stored, waker)),
            }
        })
    }

    /// No timer of the shard is due before this. For the shard's owner it is exact or too early;
    /// for others it is a snapshot.
    #[inline]
    pub(crate) fn next_deadline(&self, shard: usize) -> Option<Instant> {
        self.instant(self.shards[shard].next())
    }

    /// The earliest of all shards' next deadlines.
    pub(crate) fn next_deadline_any(&self) -> Option<Instant> {
        self.next_deadline_of(|_| true)
    }

    /// The earliest next deadline of the foreign shard and those that `is_meant`.
    pub(crate) fn next_deadline_of(&self, is_meant: impl Fn(usize) -> bool) -> Option<Instant> {
        self.instant(self.earliest(is_meant))
    }

    /// How many timers there are. Takes every shard's lock, one after the other.
    pub(crate) fn len(&self) -> usize {
        let len = |shard: &Shard| shard.wheel.lock().as_ref().map_or(0, Wheel::len);
        self.shards.iter().map(len).sum()
    }

    /// Moves the wakers of due timers of every shard into `woken`, in the order of their deadlines. The
    /// caller wakes them.
    ///
    /// A call looks at a few thousand timers of a shard at most. `true`: more may be due; then the
    /// shard's next deadline stays in the past, so that its owner does not sleep.
    pub(crate) fn fire(&self, now: Instant, woken: &mut Vec<Waker>) -> bool {
        self.fire_shards(now, usize::MAX, woken, |_| ())
    }

    /// The same for at most so many timers, of one shard at most half of them. If more are due at one time,
    /// the rest of them takes turns with later ones from then on.
    pub(crate) fn fire_some(&self, now: Instant, most: usize, woken: &mut Vec<Waker>) {
        self.fire_shards(now, most, woken, Wheel::set_aside);
    }

    /// `leave`: what to do with a wheel that has more.
    #[inline]
    fn fire_shards(
        &self,
        now: Instant,
        mut most: usize,
        woken: &mut Vec<Waker>,
        leave: impl Fn(&mut Wheel),
    ) -> bool {
        let now = self.nanos(now).min(LATEST - 1);
        let mut more = false;
        for shard in &self.shards {
            if shard.next() > now {
                continue;
            }
            // The others may have as many due, and must not be passed over.
            let part = most.div_ceil(2).max(1);
            let before = woken.len();
            for hold in 1..=HOLDS {
                // Before the lock is taken: growing may be slow.
                woken.reserve(STEPS);
                let steps = STEPS.min(part - (woken.len() - before));
                let enough = shard.with(|wheel| {
                    let Some(wheel) = wheel else { return true };
                    if !wheel.fire(now, steps, woken) {
                        return true;
                    }
                    let enough = hold == HOLDS || woken.len() - before == part;
                    if enough {
                        leave(wheel);
                        more = true;
                    }
                    enough
                });
                if enough {
                    break;
                }
            }
            most = most.saturating_sub(woken.len() - before);
        }
        more
    }

    /// For who has nothing else to do: moves up to so many timers to where they will fire from, which would
    /// have to be done once they are due, while others wait.
    pub(crate) fn move_ahead(&self, mut most: usize) {
        for shard in self.shards.iter().filter(|shard| shard.next() != NEVER) {
            let mut unused = 0;
            while unused == 0 && most > 0 {
                let steps = STEPS.min(most);
                let move_some =
                    |wheel: &mut Option<Wheel>| wheel.as_mut().map(|w| w.move_ahead(steps));
                unused = shard.with(move_some).unwrap_or(steps);
                most -= steps - unused;
            }
        }
    }

    /// Tells the others that the caller, the leader, is about to sleep, and returns until when it
    /// may: the earliest deadline of the shards that have nobody else who looks after them. The
    /// foreign one is always one of these.
    pub(crate) fn begin_wait(&self, has_nobody: impl Fn(usize) -> bool) -> Option<Instant> {
        // Ordering: Relaxed store, then the fence, which pairs with the ones in `leader_sleeps_past`
        // and before `own_wait`: the loads below see what was stored before that fence, or the other side
        // sees this store.
        self.waiting_until.store(NEVER, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        let until = self.earliest(has_nobody);
        // Ordering: Relaxed. It only spares inserters of later deadlines the unpark. If it hides
        // the mark of one who took `NEVER` away, that one unparks this thread in any case.
        self.waiting_until.store(until, Ordering::Relaxed);
        self.instant(until)
    }

    fn earliest(&self, is_meant: impl Fn(usize) -> bool) -> u64 {
        let (foreign, own) = self.shards.split_last().expect("there is a foreign shard");
        let own = own.iter().enumerate().filter(|(shard, _)| is_meant(*shard));
        own.map(|(_, shard)| shard.next()).fold(foreign.next(), u64::min)
    }

    /// The leader is awake again.
    pub(crate) fn end_wait(&self) {
        // Ordering: Relaxed. Inserters that still see the old value unpark once too often.
        self.waiting_until.store(NOT_WAITING, Ordering::Relaxed);
    }

    /// For an owner of a shard who is about to sleep, has said so and fenced: until when, as far
    /// as nobody else looks after its timers. A leader who sleeps no longer than their next deadline
    /// does: it and all who follow it see the mark.
    pub(crate) fn own_wait(&self, shard: usize) -> Option<Instant> {
        let deadline = self.shards[shard].next();
        // Ordering: Relaxed. The caller has fenced since it said that it sleeps, which pairs with the
        // fence in `begin_wait`: who reads the mark of a wait that is over here has fenced before the
        // next one did, which then sees that this one sleeps.
        let until = self.waiting_until.load(Ordering::Relaxed);
        let is_covered = until != NOT_WAITING && until <= deadline;
        if is_covered { None } else { self.instant(deadline) }
    }

    /// For an owner of a shard who goes away (or sleeps without a look at it): whether the leader
    /// sleeps past the shard's next deadline and so has to be unparked.
    #[must_use = "the leader may have to be unparked"]
    pub(crate) fn hand_over(&self, shard: usize) -> bool {
        let deadline = self.shards[shard].next();
        deadline != NEVER && self.leader_sleeps_past(deadline)
    }

    /// Takes every timer out, for good: later inserts fail. The caller wakes the wakers.
    pub(crate) fn close(&self, woken: &mut Vec<Waker>) {
        // Ordering: Release, pairs with the load in `is_closed`. Inserters are stopped by the lock.
        self.closed.store(true, Ordering::Release);
        for shard in &self.shards {
            if let Some(wheel) = shard.with(Option::take) {
                wheel.into_wakers(woken);
            }
        }
    }

    /// Whether the runtime is gone.
    #[inline]
    pub(crate) fn is_closed(&self) -> bool {
        // Ordering: Acquire, pairs with the store in `close`.
        self.closed.load(Ordering::Acquire)
    }

    /// Whether the leader has to be unparked because of a deadline that this thread has just
    /// published in `shard`. Only the foreign shard has no owner that looks for itself.
    #[inline]
    fn leader_misses(&self, shard: usize, deadline: u64) -> bool {
        shard == self.foreign_shard() && self.leader_sleeps_past(deadline)
    }

    fn leader_sleeps_past(&self, deadline: u64) -> bool {
        // Ordering: the fence pairs with the one in `begin_wait`, see there. The load and the swap
        // are Relaxed: they guard no data, and a swap acts on the latest value.
        fence(Ordering::SeqCst);
        deadline < self.waiting_until.load(Ordering::Relaxed)
            && self.waiting_until.swap(NOT_WAITING, Ordering::Relaxed) != NOT_WAITING
    }

    #[inline]
    fn shard(&self, key: Key) -> &Shard {
        &self.shards[usize::from(key.id.tag())]
    }

    fn deadline(&self, deadline: Instant) -> u64 {
        self.nanos(deadline).min(LATEST)
    }

    fn nanos(&self, at: Instant) -> u64 {
        let since = at.saturating_duration_since(self.base);
        since.as_secs().saturating_mul(1_000_000_000).saturating_add(since.subsec_nanos().into())
    }

    fn instant(&self, nanos: u64) -> Option<Instant> {
        if nanos >= LATEST {
            return None;
        }
        self.base.checked_add(Duration::from_nanos(nanos))
    }
}

impl Shard {
    #[inline]
    fn next(&self) -> u64 {
        // Ordering: Relaxed. The owner reads what it stored itself; others take it as a hint, or
        // pair by the fences in `begin_wait` and `leader_sleeps_past`, and before `own_wait`.
        self.next_deadline.load(Ordering::Relaxed)
    }

    #[inline]
    fn insert(&self, deadline: u64, waker: Waker, tag: u16) -> Result<TimerId, Waker> {
        let mut wheel = self.wheel.lock();
        let Some(wheel) = &mut *wheel else { return Err(waker) };
        if deadline < self.next() {
            // Ordering: as in `with`.
            self.next_deadline.store(deadline, Ordering::Relaxed);
        }
        Ok(wheel.insert(deadline, waker, tag))
    }

    /// Runs `f` on the wheel and publishes the next deadline. `f` runs nothing of a user's.
    #[inline]
    fn with<R>(&self, f: impl FnOnce(&mut Option<Wheel>) -> R) -> R {
        let mut wheel = self.wheel.lock();
        let result = f(&mut wheel);
        let next = wheel.as_ref().and_then(Wheel::next_deadline);
        let next = next.unwrap_or(NEVER);
        if next != self.next() {
            // Ordering: Relaxed, see `next`. Stores are in order because the lock is held.
            self.next_deadline.store(next, Ordering::Relaxed);
        }
        result
    }
}

impl fmt::Debug for Timers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timers")
            .field("shards", &self.shards.len())
            .field("next_deadline", &self.next_deadline_any())
            .finish_non_exhaustive()
    }
}

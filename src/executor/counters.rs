//! What a worker counts about itself, so that `metrics` can be asked for at any time.
//!
//! Each counter is written by its worker only, with a plain load and store, on cache lines of its own;
//! who asks reads them from outside. So counting needs no read-modify-write, and no line is written by
//! two cores. (On the guest's seat the writer changes with who sits there; the seat's lock orders them.)
//! All accesses are Relaxed: the numbers guard no data and are exact when the worker is quiet.
//!
//! What is not needed is not counted: polls are the turns of the loop, which the watch needs anyway, less
//! the turns that found no task. Busy time is taken where a worker begins and ends to sleep.
//!
//! # Samples
//!
//! Times would cost a look at the clock for every poll, so one poll in [`SAMPLE_EVERY`] is measured, and
//! without a test in front of each: the worker looks at the clock every few polls, and after a sample has
//! begun its next look comes one poll later. The wake that is measured is the first one after such a look. Its
//! task is recognized by its id when it is polled.

use std::cell::Cell;
use std::time::{Duration, Instant};

use super::metrics::{BUCKETS, Histogram};
use crate::driver::clock::real_now;
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::task::Id;

/// Polls from one sample to the next, or up to a look at the clock more.
const SAMPLE_EVERY: u64 = 128;

/// A number that one thread at a time writes.
#[derive(Debug)]
pub(super) struct Count(AtomicU64);

impl Count {
    fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// One more, by the worker itself; how many that makes.
    #[inline]
    pub(super) fn add(&self) -> u64 {
        // Ordering: Relaxed, see the module.
        let count = self.0.load(Ordering::Relaxed) + 1;
        self.0.store(count, Ordering::Relaxed);
        count
    }

    #[inline]
    pub(super) fn get(&self) -> u64 {
        // Ordering: Relaxed, see the module.
        self.0.load(Ordering::Relaxed)
    }

    fn set(&self, value: u64) {
        // Ordering: Relaxed, see the module.
        self.0.store(value, Ordering::Relaxed);
    }
}

/// What one worker counts.
#[derive(Debug)]
#[repr(align(128))]
pub(super) struct Counters {
    /// Turns of the worker's loop. Whether it moves tells the watch who is stuck.
    pub(super) turns: Count,
    /// Those that found no task.
    pub(super) idle_turns: Count,
    /// Tasks that were spawned on this worker, and that ended on it.
    pub(super) spawned: Count,
    pub(super) completed: Count,
    pub(super) steals: Count,
    pub(super) takeovers: Count,
    pub(super) parks: Count,
    pub(super) budget_yields: Count,
    pub(super) stalls: Count,
    /// What a poll has taken lately, in nanoseconds: for thieves.
    pace: Count,
    /// When the next sample is due, in turns.
    sample_due: Count,
    busy: Busy,
    poll_times: Buckets,
    wake_latencies: Buckets,
}

impl Counters {
    pub(super) fn new() -> Self {
        Self {
            turns: Count::new(),
            idle_turns: Count::new(),
            spawned: Count::new(),
            completed: Count::new(),
            steals: Count::new(),
            takeovers: Count::new(),
            parks: Count::new(),
            budget_yields: Count::new(),
            stalls: Count::new(),
            pace: Count::new(),
            sample_due: Count::new(),
            busy: Busy::new(),
            poll_times: Buckets::new(),
            wake_latencies: Buckets::new(),
        }
    }

    /// The worker sits down, or wakes up.
    pub(super) fn begin_busy(&self, now: Instant) {
        self.busy.begin(now);
    }

    /// The worker goes to sleep, or away.
    pub(super) fn end_busy(&self, now: Instant) {
        self.busy.end(now);
    }

    /// Neither asleep nor absent.
    pub(super) fn is_busy(&self) -> bool {
        self.busy.is()
    }

    /// So many polls took so long. One long poll among short ones moves the pace but little.
    #[inline]
    pub(super) fn set_pace(&self, since: Duration, polls: u32) {
        let poll = since.as_nanos() as u64 / u64::from(polls);
        let pace = self.pace.get();
        self.pace.set(if poll < pace { (poll + pace) / 2 } else { poll.min(pace + pace / 8 + 8) });
    }

    /// What a poll has taken lately.
    pub(super) fn pace(&self) -> Duration {
        Duration::from_nanos(self.pace.get())
    }

    pub(super) fn polls(&self) -> u64 {
        let idle = self.idle_turns.get(); // first: never more of them than turns
        self.turns.get().saturating_sub(idle)
    }

    pub(super) fn busy(&self) -> Duration {
        self.busy.until(real_now())
    }

    pub(super) fn poll_times(&self) -> Histogram {
        self.poll_times.read()
    }

    pub(super) fn wake_latencies(&self) -> Histogram {
        self.wake_latencies.read()
    }
}

/// How long a worker has been busy, and since when it is, in one word, so that who reads it sees a time
/// that never goes back.
///
/// Twice a number of nanoseconds: while the worker sleeps, how long it has been busy; while it is busy,
/// plus one, when it would have begun if it had never slept.
#[derive(Debug)]
struct Busy {
    base: Instant,
    word: AtomicU64,
}

impl Busy {
    fn new() -> Self {
        Self { base: real_now(), word: AtomicU64::new(0) }
    }

    fn begin(&self, now: Instant) {
        // Ordering: Relaxed throughout, see the module.
        let busy = self.word.load(Ordering::Relaxed);
        if busy & 1 == 0 {
            let since = self.nanos(now).saturating_sub(busy / 2);
            self.word.store(since * 2 + 1, Ordering::Relaxed);
        }
    }

    fn end(&self, now: Instant) {
        let busy = self.until(now).as_nanos() as u64;
        self.word.store(busy * 2, Ordering::Relaxed);
    }

    fn is(&self) -> bool {
        // Ordering: Relaxed, see the module.
        self.word.load(Ordering::Relaxed) & 1 == 1
    }

    fn until(&self, now: Instant) -> Duration {
        let word = self.word.load(Ordering::Relaxed);
        let nanos = if word & 1 == 0 { word / 2 } else { self.nanos(now).saturating_sub(word / 2) };
        Duration::from_nanos(nanos)
    }

    fn nanos(&self, at: Instant) -> u64 {
        at.saturating_duration_since(self.base).as_nanos() as u64
    }
}

/// A histogram that is being filled.
#[derive(Debug)]
struct Buckets([Count; BUCKETS]);

impl Buckets {
    fn new() -> Self {
        Self(std::array::from_fn(|_| Count::new()))
    }

    fn add(&self, time: Duration) {
        self.0[Histogram::bucket(time)].add();
    }

    fn read(&self) -> Histogram {
        Histogram { counts: std::array::from_fn(|bucket| self.0[bucket].get()) }
    }
}

/// What a worker is measuring.
#[derive(Debug, Default)]
pub(super) struct Sampler {
    /// When the turn that is measured began.
    poll: Cell<Option<Instant>>,
    /// The next wake is to be measured.
    wants_wake: Cell<bool>,
    /// Whose wake is measured, and when that was.
    wake: Cell<Option<(Id, Instant)>>,
}

impl Sampler {
    /// After a look at the clock: `true` if the next look has to come after one poll.
    pub(super) fn begin(&self, counters: &Counters) -> bool {
        let turn = counters.turns.get();
        let due = turn >= counters.sample_due.get();
        if due {
            counters.sample_due.set(turn + SAMPLE_EVERY);
            self.wants_wake.set(true);
            self.poll.set(Some(real_now()));
        }
        due
    }

    /// At that look, before all else; `false` if nothing was measured.
    #[inline]
    pub(super) fn end(&self, counters: &Counters, real_now: impl FnOnce() -> Instant) -> bool {
        let Some(began) = self.poll.take() else { return false };
        counters.poll_times.add(real_now().saturating_duration_since(began));
        true
    }

    /// The turn that is measured turns out to be no poll alone.
    pub(super) fn forget_poll(&self) {
        self.poll.set(None);
    }

    /// Whether the wake that comes now is to be measured.
    #[inline]
    pub(super) fn wants_wake(&self) -> bool {
        self.wants_wake.get()
    }

    #[cold]
    pub(super) fn woken(&self, task: Id) {
        self.wants_wake.set(false);
        self.wake.set(Some((task, real_now())));
    }

    /// Whether some task's wake is being measured.
    pub(super) fn has_wake(&self) -> bool {
        self.wake.get().is_some()
    }

    /// Before a poll.
    pub(super) fn polled(&self, task: Id, counters: &Counters) {
        if let Some((woken, at)) = self.wake.get()
            && woken == task
        {
            self.wake.set(None);
            counters.wake_latencies.add(real_now().saturating_duration_since(at));
        }
    }

    /// The worker's queue is empty, so that the task it waits for is elsewhere.
    pub(super) fn forget_wake(&self) {
        self.wake.set(None);
    }
}

//! What a snapshot of the workers says, as plain values. Where the numbers come from is in `counters`.

use std::time::Duration;

/// Buckets of a [`Histogram`]; the last one starts at 34 seconds.
pub(super) const BUCKETS: usize = 36;

/// What one worker has done since its runtime was built, and what waits for it.
///
/// See [`Metrics::workers`](crate::metrics::Metrics::workers) for which worker is which.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct WorkerMetrics {
    /// Polls of tasks, and of the future of `block_on` by who works for it meanwhile.
    pub polls: u64,
    /// How often it took tasks out of another worker's queue because it had none.
    pub steals: u64,
    /// How many tasks it freed from workers that were stuck in one poll.
    pub takeovers: u64,
    /// How often it went to sleep.
    pub parks: u64,
    /// How long it has not been asleep or absent. What [`time::pause`](crate::time::pause) does to the
    /// clock of the runtime does not touch this.
    pub busy: Duration,
    /// How many polls ended because the [budget](crate::task::coop) was spent, and the task was queued
    /// again. Yielding without need is not counted.
    pub budget_yields: u64,
    /// How many polls, or what came between two of them, took longer than
    /// [`stall_threshold`](crate::Builder::stall_threshold). Counted when they were over.
    pub stalls: u64,
    /// Tasks that wait in its queue, all in all.
    pub queued: usize,
    /// Those of them that found the queue's fixed part full.
    pub overflowed: usize,
    /// How long polls take; one in 128 is measured.
    pub poll_times: Histogram,
    /// How long tasks wait between a wake and their poll. About one wake in 128 is measured, of those
    /// that this worker made itself, by I/O and timers that it attended to or from inside a task. Tasks
    /// that another worker took over meanwhile are not in it.
    pub wake_latencies: Histogram,
}

/// How many of the measured times were how long, by powers of two.
///
/// ```
/// let runtime = runtime::Builder::new_current_thread().build().unwrap();
/// runtime.block_on(async {
///     for _ in 0..1000 {
///         runtime::spawn(async {}).await.unwrap();
///     }
/// });
/// let times = &runtime.metrics().workers[0].poll_times;
/// for (below, count) in times.buckets().filter(|(_, count)| *count > 0) {
///     println!("{count} polls took less than {below:?}");
/// }
/// println!("the median is less than {:?}", times.quantile(0.5));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Histogram {
    pub(super) counts: [u64; BUCKETS],
}

impl Histogram {
    /// The bucket of a time.
    pub(super) fn bucket(time: Duration) -> usize {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX).max(1);
        (nanos.ilog2() as usize).min(BUCKETS - 1)
    }

    /// Each bucket's upper end, which is not in it, and how many times it holds. The first bucket ends at 2 ns,
    /// each next one at twice as much; the last one has no end and says `Duration::MAX`.
    pub fn buckets(&self) -> impl Iterator<Item = (Duration, u64)> + '_ {
        let end = |bucket: usize| match bucket {
            last if last == BUCKETS - 1 => Duration::MAX,
            _ => Duration::from_nanos(2 << bucket),
        };
        self.counts.iter().enumerate().map(move |(bucket, count)| (end(bucket), *count))
    }

    /// How many times were measured.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The upper end of the bucket in which that share (0 to 1) of the measured times is reached; `None` if
    /// nothing was measured.
    ///
    /// # Panics
    ///
    /// If `share` is not between 0 and 1.
    #[track_caller]
    #[inline]
    pub fn quantile(&self, share: f64) -> Option<Duration> {
        assert!((0.0..=1.0).contains(&share), "a share is between 0 and 1, not {share}");
        let wanted = ((self.count() as f64 * share).ceil() as u64).max(1);
        let mut reached = 0;
        self.buckets().find_map(|(end, count)| {
            reached += count;
            (reached >= wanted).then_some(end)
        })
    }

    /// What was measured here and there: the workers' histograms make the runtime's.
    #[must_use]
    #[inline]
    pub fn merge(&self, other: &Self) -> Self {
        Self { counts: std::array::from_fn(|bucket| self.counts[bucket] + other.counts[bucket]) }
    }
}

//! Who notices that a worker has been in one poll for too long, while it still is.
//!
//! A thread of its own, and only if somebody wants to be told (`Builder::on_stall`): the watch (see
//! `idle`) frees what a stuck worker holds back, but if all workers are stuck nobody is parked to be the
//! watch. The thread looks four times per threshold whether the turns of the workers move. Workers tell
//! what they poll in a [`Polled`], a lock that nobody else wants but when something is wrong; without a
//! watchdog there is none, and no price.
//!
//! Who is asleep or absent is not busy, and does not stall. A worker that has stopped is absent.

use std::panic::Location;
use std::time::{Duration, Instant};

use super::scheduler::Scheduler;
use crate::contain::contain;
use crate::driver::clock::real_now;
use crate::sync::Mutex;
use crate::task::{Id, Runnable, TaskInfo};

/// How often the workers are looked at while a poll may last.
const LOOKS: u32 = 4;

/// A poll that takes too long; given to [`Builder::on_stall`](crate::Builder::on_stall).
#[derive(Clone, Debug)]
pub struct Stall {
    worker: usize,
    task: Option<TaskInfo>,
    duration: Duration,
}

impl Stall {
    /// Which worker it is, as in [`Metrics::workers`](crate::metrics::Metrics::workers).
    pub fn worker(&self) -> usize {
        self.worker
    }

    /// The task whose poll it is; `None` if it is the future of [`block_on`](crate::Runtime::block_on).
    pub fn task(&self) -> Option<&TaskInfo> {
        self.task.as_ref()
    }

    /// For how long at least the poll has been going on.
    pub fn duration(&self) -> Duration {
        self.duration
    }
}

/// What a worker polls, or polled last; `None` is the future of `block_on`.
#[derive(Debug, Default)]
pub(super) struct Polled(Mutex<Option<(Id, &'static Location<'static>)>>);

impl Polled {
    pub(super) fn task(&self, task: &Runnable) {
        *self.0.lock() = Some((task.id(), task.spawned_at()));
    }

    pub(super) fn root(&self) {
        *self.0.lock() = None;
    }
}

/// One worker as it was at the last look.
struct Seen {
    turns: u64,
    since: Instant,
    told: bool,
}

impl Scheduler {
    /// The body of the watchdog's thread: tells `on_stall` of each stall once, until the runtime is gone.
    #[inline]
    pub(crate) fn watch_for_stalls(&self, on_stall: &dyn Fn(&Stall)) {
        let threshold = self.config.stall_threshold;
        let now = real_now();
        let mut workers: Vec<Seen> =
            self.remotes.iter().map(|_| Seen { turns: 0, since: now, told: false }).collect();
        while !self.wait_stopped(Some(threshold / LOOKS)) {
            let now = real_now();
            for (worker, (remote, seen)) in self.remotes.iter().zip(&mut workers).enumerate() {
                let turns = remote.counters.turns.get();
                if turns != seen.turns || !remote.counters.is_busy() {
                    *seen = Seen { turns, since: now, told: false };
                    continue;
                }
                let duration = now.saturating_duration_since(seen.since);
                if duration >= threshold && !seen.told {
                    seen.told = true;
                    let polled = remote.polled.as_ref().and_then(|polled| *polled.0.lock());
                    let task = polled.map(|(id, at)| TaskInfo::polled(id, at, self.names()));
                    contain(|| on_stall(&Stall { worker, task, duration }));
                }
            }
        }
    }
}

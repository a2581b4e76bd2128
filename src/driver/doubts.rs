//! The sources that are taken for drained on a guess, until that is verified.
//!
//! A read that returns less than it could is mostly followed by one that says `WouldBlock`, and that
//! one is spared: the source is cleared at once. For TCP this is certain. A read of a Unix socket also
//! stops at a message with descriptors, and of what is behind that no event tells. So the source goes
//! into a list of the worker that read, and if no event or `WouldBlock` has settled it within
//! [`PERIOD`] it is *verified*: made ready, as by an event. Whoever waits is woken, tries again, and
//! finds data or the `WouldBlock` that settles it. That takes no system call and no descriptor here.
//!
//! So a busy connection does with one read a message, and one that falls silent has one more.
//!
//! # Who verifies
//!
//! The worker whose list it is, when it looks at the clock; it sleeps no longer than until then. The
//! watch, if the worker is late because it is stuck. And whoever leaves the guest's seat, or lets a
//! stopped clock jump, does it before, however young the list is: nobody might be there later. A
//! thread that does not work for the driver has no list and reads until `WouldBlock`.
//!
//! # Nothing is forgotten
//!
//! One read-modify-write clears the readiness and says DOUBT and LISTED, and whoever finds itself the
//! first to say LISTED enters the source in its list. Verification takes the source out of the list,
//! and then takes back LISTED and sees DOUBT, at once. Whichever comes second sees the other. A source
//! that is LISTED and in no list is in the hands of a worker between these steps, who is awake.
//!
//! # Whether it pays
//!
//! Where messages come less often than once a period, each would be verified, and wake its worker for
//! that. So if the guess was wrong or too early more than every other time, the next [`PAUSE`] short
//! reads of the worker are followed by another.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant};

use super::clock::real_now;
use super::source::{Snapshot, Source};
use crate::contain::contain;
use crate::sync::{Apart, Mutex};

/// How long a guess may stand. With the watch's period on top that is well under 20 ms.
const PERIOD: Duration = Duration::from_millis(5);
/// How many short reads are not trusted after those that did not pay.
pub(super) const PAUSE: u32 = 64;

/// A list for each worker.
#[derive(Debug)]
pub(super) struct Doubts(Box<[Apart<Mutex<List>>]>);

#[derive(Debug, Default)]
struct List {
    sources: VecDeque<Arc<Source>>,
    /// When the first of them came.
    since: Option<Instant>,
    /// Guesses since the last verification.
    guesses: u32,
    /// Short reads that are not trusted yet.
    pause: u32,
}

impl Doubts {
    pub(super) fn new(workers: usize) -> Self {
        Self((0..workers).map(|_| Apart(Mutex::default())).collect())
    }

    /// A read of `source`, which it saw as `seen`, was short: clears its readiness on a guess.
    pub(super) fn guess(&self, worker: usize, source: &Arc<Source>, seen: Snapshot) {
        let mut list = self.0[worker].lock();
        if list.pause > 0 {
            list.pause -= 1;
        } else {
            list.guesses = list.guesses.saturating_add(1);
            if source.doubt(seen) {
                list.since.get_or_insert_with(real_now);
                list.sources.push_back(Arc::clone(source));
            }
        }
    }

    /// How long until the worker's list has to be verified, if there is anything in it.
    pub(super) fn wait(&self, worker: usize) -> Option<Duration> {
        let since = self.0[worker].lock().since?;
        Some((since + PERIOD).saturating_duration_since(real_now()))
    }

    /// Makes what nothing has settled ready and collects who waits for it.
    pub(super) fn verify(&self, worker: usize, woken: &mut Vec<Waker>) {
        let mut unsettled = 0;
        while let Some(source) = self.next(worker, unsettled) {
            unsettled += u32::from(source.verify(woken));
            // If its socket is gone, the last waker of a user may be in it.
            contain(|| drop(source));
        }
    }

    /// The next in the worker's list; at its end, learns from how many were found unsettled.
    fn next(&self, worker: usize, unsettled: u32) -> Option<Arc<Source>> {
        let mut list = self.0[worker].lock();
        let next = list.sources.pop_front();
        if next.is_none() && list.since.take().is_some() {
            if unsettled > list.guesses / 2 {
                list.pause = PAUSE;
            }
            list.guesses = 0;
        }
        next
    }
}

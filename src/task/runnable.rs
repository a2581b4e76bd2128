//! What a queue entry can do: run a task once, or cancel it.
//!
//! A [`Runnable`] is the run right as a value, so at most one exists for each task. This file is the
//! life of a task in code: poll, park, complete. None of it depends on the future's type.

use std::mem::ManuallyDrop;
use std::panic::Location;
use std::task::Waker;

use super::cell::{Polled, TaskPtr};
use super::current::{self, Entered};
use super::error::Panic;
use super::state::{Complete, Outcome, Park, Reference, Start};
use super::{Id, OwnedTasks};
use crate::contain;

/// The right to poll a task, and the duty to run, cancel or drop this. One word.
pub(crate) struct Runnable(TaskPtr);

/// What a poll leaves to do.
#[must_use]
#[derive(Debug)]
pub(crate) enum After {
    /// Nothing: the task waits.
    Waits,
    /// The task was woken while it ran: the caller puts it at the *back* of its queue.
    Again(Runnable),
    /// The task is complete: the caller wakes who waits for it, if anyone does, which may panic.
    Ended(Option<Waker>),
}

impl After {
    /// For callers without a queue of their own: wakes the joiner; the task, if it was woken.
    pub(crate) fn settle(self) -> Option<Runnable> {
        match self {
            Self::Waits => None,
            Self::Again(task) => Some(task),
            Self::Ended(joiner) => {
                wake(joiner);
                None
            }
        }
    }
}

impl Runnable {
    /// Turns the run right, which the caller gives up, into a value.
    pub(super) fn new(task: TaskPtr) -> Self {
        Self(task)
    }

    /// Polls the task once, or drops its future if it is cancelled. Never unwinds. At its first real
    /// `Pending` the task is linked into that `shard` of `owned`.
    #[inline]
    pub(crate) fn run(self, owned: &OwnedTasks, shard: usize) -> After {
        let task = self.into_task();
        if task.header().state.start() == Start::Cancel {
            return After::Ended(cancel(task, Some(owned)));
        }
        let entered = current::enter(task);
        let (outcome, panic) = match task.poll() {
            Polled::Pending => return park(task, entered, owned, shard),
            Polled::Ready => (Outcome::Value, None),
            Polled::Panicked(panic) => (Outcome::Panic, Some(panic)),
        };
        After::Ended(complete(task, entered, outcome, panic, Some(owned)))
    }

    /// Drops the future here and now and completes the task as cancelled. Never unwinds.
    pub(crate) fn cancel(self, owned: &OwnedTasks) {
        wake(cancel(self.into_task(), Some(owned)));
    }

    /// The id of the task.
    #[inline]
    pub(crate) fn id(&self) -> Id {
        Id::of(self.0)
    }

    /// Where the task was spawned.
    #[inline]
    pub(crate) fn spawned_at(&self) -> &'static Location<'static> {
        self.0.header().spawned_at
    }

    pub(super) fn into_task(self) -> TaskPtr {
        ManuallyDrop::new(self).0
    }
}

impl Drop for Runnable {
    /// A queue that is dropped with entries cancels them. The list is not at hand here, so a task
    /// that is in it stays there, complete, until the list is swept or dropped.
    fn drop(&mut self) {
        wake(cancel(self.0, None));
    }
}

impl std::fmt::Debug for Runnable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Runnable").field(&self.0.header().state).finish()
    }
}

/// After a poll that returned `Pending`.
#[inline]
fn park(task: TaskPtr, entered: Entered, owned: &OwnedTasks, shard: usize) -> After {
    let seen = task.header().state.snapshot();
    if !seen.is_cancelled() && (entered.woken() || seen.is_notified()) {
        return After::Again(Runnable::new(task));
    }
    // Idle tasks are listed, so this one must be before it can be idle.
    let linked = (seen.shard().is_none() && !seen.is_cancelled()).then_some(shard);
    if let Some(shard) = linked
        && !owned.link(task, shard)
    {
        return After::Ended(finish_cancelled(task, entered, Some(owned)));
    }
    match task.header().state.park(linked) {
        Park::Idle => After::Waits, // the cell may be gone
        Park::Requeue => After::Again(Runnable::new(task)),
        Park::Cancel => After::Ended(finish_cancelled(task, entered, Some(owned))),
    }
}

#[cold]
fn cancel(task: TaskPtr, owned: Option<&OwnedTasks>) -> Option<Waker> {
    finish_cancelled(task, current::enter(task), owned)
}

#[cold]
fn finish_cancelled(task: TaskPtr, entered: Entered, owned: Option<&OwnedTasks>) -> Option<Waker> {
    match task.drop_future() {
        None => complete(task, entered, Outcome::Nothing, None, owned),
        panic => complete(task, entered, Outcome::Panic, panic, owned),
    }
}

/// The end of a task whose future is gone; the caller wakes who waits for it. For `Outcome::Value`
/// the output is in the stage.
fn complete(
    task: TaskPtr,
    entered: Entered,
    mut outcome: Outcome,
    panic: Option<Panic>,
    owned: Option<&OwnedTasks>,
) -> Option<Waker> {
    let seen = task.header().state.snapshot();
    if let (Some(shard), Some(owned)) = (seen.shard(), owned) {
        owned.unlink(task, shard);
    }
    if let Some(panic) = panic {
        task.put_panic(panic);
        owned.into_iter().for_each(OwnedTasks::a_task_has_panicked);
    }
    if !seen.has_join() {
        // Dropped here: on the runtime, and in the task's name.
        task.drop_outcome(std::mem::replace(&mut outcome, Outcome::Nothing));
    }
    drop(entered); // before the cell can be gone; see `current.rs`
    loop {
        match task.header().state.complete(outcome, owned.is_some()) {
            Complete::NobodyWaits => {
                let _entered = current::enter(task);
                task.drop_outcome(std::mem::replace(&mut outcome, Outcome::Nothing));
            }
            Complete::Done => return None,
            Complete::Free => {
                task.free();
                return None;
            }
            Complete::WakeJoiner => {
                let waker = task.join_waker(Option::take);
                if task.header().state.release_active() == Reference::Free {
                    task.free();
                }
                return waker; // to be woken with no use of the cell: that may free it
            }
        }
    }
}

fn wake(joiner: Option<Waker>) {
    if let Some(waker) = joiner {
        contain::wake(waker);
    }
}

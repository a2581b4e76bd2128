//! What a queue entry can do: run a task once, or cancel it.
//!
//! A [`Runnable`] is the run right as a value, so at most one exists for each task. This file is the
//! life of a task in code: poll, park, complete. None of it depends on the future's type.

use std::mem::ManuallyDrop;
use std::panic::Location;
use std::task::Waker;

use super::cell::{Polled, TaskPtr};
use super::current::{self, Notes};
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
        let polled = task.poll();
        let left = entered.leave();
        After::Ended(match polled {
            Polled::Pending => return park(task, left, owned, shard),
            Polled::Ready => complete(task, left.owed, Outcome::Value, Some(owned)),
            Polled::Panicked(panic) => finish_panicked(task, left.owed, panic, Some(owned)),
        })
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
fn park(task: TaskPtr, left: Notes, owned: &OwnedTasks, shard: usize) -> After {
    let seen = task.header().state.snapshot();
    if !seen.is_cancelled() && (left.woken || seen.is_notified()) {
        if left.owed != 0 {
            task.header().state.pay(left.owed);
        }
        return After::Again(Runnable::new(task));
    }
    // Idle tasks are listed, so this one must be before it can be idle.
    let linked = (seen.shard().is_none() && !seen.is_cancelled()).then_some(shard);
    if let Some(shard) = linked
        && !owned.link(task, shard)
    {
        return After::Ended(finish_cancelled(task, left.owed, Some(owned)));
    }
    match task.header().state.park(linked, left.owed) {
        Park::Idle => After::Waits, // the cell may be gone
        Park::Requeue => After::Again(Runnable::new(task)),
        Park::Cancel => After::Ended(finish_cancelled(task, 0, Some(owned))),
    }
}

#[cold]
fn cancel(task: TaskPtr, owned: Option<&OwnedTasks>) -> Option<Waker> {
    finish_cancelled(task, 0, owned)
}

#[cold]
fn finish_cancelled(task: TaskPtr, owed: i32, owned: Option<&OwnedTasks>) -> Option<Waker> {
    let entered = current::enter(task);
    let panic = task.drop_future();
    let owed = owed + entered.leave().owed;
    match panic {
        None => complete(task, owed, Outcome::Nothing, owned),
        Some(panic) => finish_panicked(task, owed, panic, owned),
    }
}

#[cold]
fn finish_panicked(
    task: TaskPtr,
    owed: i32,
    panic: Panic,
    owned: Option<&OwnedTasks>,
) -> Option<Waker> {
    task.put_panic(panic);
    owned.into_iter().for_each(OwnedTasks::a_task_has_panicked);
    complete(task, owed, Outcome::Panic, owned)
}

/// The end of a task whose future is gone; the caller wakes who waits for it. What else there is to
/// keep of it is in the stage.
fn complete(
    task: TaskPtr,
    mut owed: i32,
    mut outcome: Outcome,
    owned: Option<&OwnedTasks>,
) -> Option<Waker> {
    let state = &task.header().state;
    let mut seen = state.snapshot();
    if let (Some(shard), Some(owned)) = (seen.shard(), owned) {
        owned.unlink(task, shard);
    }
    loop {
        let joiner = task.joiner(); // worth something if `seen` lends it, and the exchange succeeds
        match state.complete(seen, outcome, owned.is_some(), owed) {
            Ok(Complete::NobodyWaits) => {
                let unwanted = std::mem::replace(&mut outcome, Outcome::Nothing);
                if task.has_to_drop(unwanted) {
                    owed += drop_unwanted(task, unwanted);
                    seen = state.snapshot(); // never older than what is owed
                }
            }
            Ok(Complete::Done) => return None,
            Ok(Complete::Free) => {
                task.free();
                return None;
            }
            // To be woken with no use of the cell: that may free it.
            Ok(Complete::WakeLent) => return Some(joiner.into_waker()),
            Ok(Complete::WakeInSlot) => {
                let waker = task.joiner().into_waker();
                if state.release_active() == Reference::Free {
                    task.free();
                }
                return Some(waker);
            }
            Err(now) => seen = now,
        }
    }
}

/// Drops what nobody waits for here, on the runtime and in the task's name; what is owed for it.
#[cold]
fn drop_unwanted(task: TaskPtr, outcome: Outcome) -> i32 {
    let entered = current::enter(task);
    task.drop_outcome(outcome);
    entered.leave().owed
}

fn wake(joiner: Option<Waker>) {
    if let Some(waker) = joiner {
        contain::wake(waker);
    }
}

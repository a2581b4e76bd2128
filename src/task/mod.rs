//! Tasks: futures that run by themselves.
//!
//! [`spawn`](crate::spawn) makes one and gives a [`JoinHandle`], through which it can be awaited,
//! [aborted](JoinHandle::abort), or [cancelled and waited for](JoinHandle::cancel). Dropping the handle
//! detaches the task. The cooperative budget, with which tasks give way to one another, is in [`coop`].
//!
//! # What is kept for how long
//!
//! A future is dropped when it is done, cancelled, or at shutdown, in that poll and on that thread,
//! before the joiner is woken. A task that is `Pending`, detached and whose last waker is gone is
//! *not* dropped before shutdown: it may well guard something until then, like a task that owns a
//! lock file and waits forever. It is not leaked. The output is dropped on the runtime if the handle
//! is gone, else by the handle. The cell is freed with the last handle, waker and abort handle, which
//! may be long after the runtime; it holds neither future nor output then.
//!
//! # Panics
//!
//! Nothing that a user's code does unwinds into a worker: the poll, the future's and the output's
//! destructor, the joiner's waker and a payload's destructor are all run behind a net. The first
//! payload of poll or destructor of the future goes to the [`JoinError`]; later ones are dropped. If
//! dropping a payload panics, that second payload is leaked.

// Inside.
//
// This module knows no queue and no thread. A scheduler gives it a future and gets a [`Runnable`],
// which it runs when it likes; a wake gives it another one through [`Schedule`]. That is all that
// passes between them, and there is no `Arc` between them either.
//
// | file | what |
// |---|---|
// | `state.rs` | the state word and its transitions: the protocol |
// | `cell.rs` | the memory: layout, vtable, everything generic over the future, nearly all `unsafe` |
// | `list.rs` | the tasks to be dropped at shutdown |
// | `runnable.rs` | run, park, complete |
// | `waker.rs` | the `RawWaker` functions |
// | `current.rs` | which task this thread polls; self-wake; wakers that are not counted yet; ids |
// | `join.rs`, `error.rs` | what users hold and get |
// | `spare.rs` | cells kept for the next tasks |
// | `info.rs` | what is told about a task, and names |
// | `join_set.rs` | many tasks, awaited together |
// | `token.rs`, `local.rs` | cancellation tokens; task-locals |
// | `home.rs` | futures that are not `Send`, behind ones that are |
//
// # The run right
//
// One bit, `ACTIVE`, decides who may touch the future: a task is born with it, in its creator's
// hand; a worker that polled gives it up when the future is `Pending` and nobody has woken it since;
// a wake of an idle task takes it and hands it to the scheduler as a `Runnable`. So no two threads
// are ever in one future, and a wake is never lost: it finds the bit unset and takes it, or finds it
// set and leaves `NOTIFIED`, which the holder sees when it tries to give the bit up.
//
// # Why a raw pointer to the scheduler is enough
//
// A cell points at its scheduler without counting. The pointer is followed in one place, `schedule`,
// by someone who has just taken the run right of an *idle* task. That the scheduler lives then:
//
// 1. An idle task that is not complete is linked in the scheduler's [`OwnedTasks`]: a poll links the
//    task before it can give up the run right, and only completion unlinks it.
// 2. Completion needs the run right. Whoever holds it between the wake and the queue, holds up the
//    completion, so the task stays linked.
// 3. The scheduler is not freed before [`OwnedTasks::is_empty`] and its queues are drained: that is
//    what its shutdown waits for.
// 4. A complete task is never scheduled, so what is kept of it (handles, wakers) may outlive
//    everything.
//
// From the moment the `Runnable` is in a queue, another thread may run it and shutdown may end; a
// scheduler that does more after that clones the `Arc` that it is lent first.

#[allow(unsafe_code)]
mod cell;
mod current;
mod error;
pub(crate) mod home;
mod info;
mod join;
mod join_set;
#[allow(unsafe_code)]
mod list;
mod local;
mod runnable;
mod spare;
mod state;
mod token;
mod waker;
mod yield_now;

#[cfg(all(test, loom))]
mod models;
#[cfg(all(test, not(loom)))]
mod tests;

use std::future::Future;
use std::panic::Location;

use crate::sync::Arc;

pub use current::{Id, id, try_id};
pub use error::JoinError;
#[cfg(not(loom))]
pub(crate) use info::{Names, named};
pub use info::{TaskInfo, TaskState};
pub use join::{AbortHandle, JoinHandle};
pub use join_set::JoinSet;
pub(crate) use list::{OnPanic, OwnedTasks};
pub use local::{AccessError, LocalKey};
pub(crate) use runnable::{After, Runnable};
#[cfg(not(loom))]
pub(crate) use spare::{KEPT, keep_spares};
pub use token::{CancellationToken, Cancelled, DropGuard};
#[cfg(not(loom))]
pub(crate) use waker::Woken;
pub use yield_now::yield_now;

/// The cooperative budget.
pub mod coop {
    pub use crate::coop::{
        RestoreOnPending, consume_budget, cooperative, has_budget_remaining, poll_proceed,
        unconstrained,
    };
}

/// What a task needs of a scheduler.
pub(crate) trait Schedule: Send + Sync + Sized + 'static {
    /// Queues a task that a wake or an abort, on any thread, made runnable.
    ///
    /// Never blocks and never runs code of the user. `this` is only lent, and lives no longer than
    /// `task` is complete: an implementation that does anything after it handed `task` over clones
    /// the `Arc` first.
    fn schedule(this: &Arc<Self>, task: Runnable);
}

/// Makes a task, in one allocation. The caller queues, runs or cancels the `Runnable`.
///
/// The scheduler must live until every task of it is complete: see the module's page.
///
/// Inlined into a caller that needs no address of `future` either (it is inlined too, and keeps the
/// future in a `ManuallyDrop` over calls that may unwind), this lets an optimized build spawn futures
/// that are larger than the stack.
#[inline(always)]
pub(crate) fn new_task<F, S>(
    future: F,
    scheduler: &Arc<S>,
    spawned_at: &'static Location<'static>,
) -> (Runnable, JoinHandle<F::Output>)
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
    S: Schedule,
{
    let (task, typed) = cell::allocate(future, scheduler, spawned_at);
    (Runnable::new(task), JoinHandle::new(typed))
}

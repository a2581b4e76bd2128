//! Which task this thread polls right now, and whether that task woke itself meanwhile.
//!
//! A wake of the very task that the calling thread is polling needs no atomic: it sets a flag here,
//! and the worker that polls queues the task again when the poll returns. Yielding, and a budget that
//! is spent, cost a few instructions that way. Tasks are told apart by address, so the waker of a
//! sub-executor inside the task (`join!`, `FuturesUnordered`) is never mistaken for the task's own.
//!
//! Likewise a waker of the task that is cloned or dropped here is only noted: who polls holds the run
//! right, which keeps the cell, and settles all of it in the one exchange that gives that up.
//!
//! Polls nest: code inside a task may run another runtime's tasks on this thread. [`enter`] saves
//! what it finds and [`Entered::leave`] restores it; a wake of the outer task from inside the inner
//! poll goes through the state word, which is always right.
//!
//! A task is left before its cell can be gone: a new task at the same address would be mistaken for
//! the old one, and its wake lost.

use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;
use std::num::NonZeroUsize;

use super::cell::TaskPtr;

struct Current {
    task: Cell<Option<TaskPtr>>, // only ever compared, never followed
    // Apart: what is written in pieces and read as one stalls the processor.
    woken: Cell<bool>,
    owed: Cell<i32>,
}

/// What happened to a task while it was polled.
#[must_use]
#[derive(Clone, Copy, Default)]
pub(super) struct Notes {
    /// It has woken itself.
    pub(super) woken: bool,
    /// Wakers of it cloned, less those dropped, that its state word has not been told of.
    pub(super) owed: i32,
}

/// So many are not let wait: the word's own count would come near its end.
const MUCH: i32 = 1 << 20;

crate::sync::thread_local! {
    static CURRENT: Current =
        const { Current { task: Cell::new(None), woken: Cell::new(false), owed: Cell::new(0) } };
}

impl Current {
    #[inline]
    fn replace_notes(&self, notes: Notes) -> Notes {
        Notes { woken: self.woken.replace(notes.woken), owed: self.owed.replace(notes.owed) }
    }
}

/// Marks `task`, whose run right the caller has, as the one that this thread polls, until it is left.
#[inline]
pub(super) fn enter(task: TaskPtr) -> Entered {
    let saved = CURRENT
        .try_with(|current| {
            (current.task.replace(Some(task)), current.replace_notes(Notes::default()))
        })
        .unwrap_or_default();
    Entered { saved, _this_thread: PhantomData }
}

/// Notes a wake of `task` if this thread is polling it; else says `false`.
#[inline]
pub(super) fn wake(task: TaskPtr) -> bool {
    CURRENT
        .try_with(|current| {
            let mine = current.task.get() == Some(task);
            if mine {
                current.woken.set(true);
            }
            mine
        })
        .unwrap_or(false)
}

/// Notes a waker of `task` that was cloned (1) or dropped (-1) if this thread is polling it; else
/// says `false`.
#[inline]
pub(super) fn owe(task: TaskPtr, change: i32) -> bool {
    CURRENT
        .try_with(|current| {
            let owed = current.owed.get() + change;
            let noted = current.task.get() == Some(task) && owed.abs() < MUCH;
            if noted {
                current.owed.set(owed);
            }
            noted
        })
        .unwrap_or(false)
}

/// To be [left](Self::leave).
#[must_use]
pub(super) struct Entered {
    saved: (Option<TaskPtr>, Notes),
    _this_thread: PhantomData<*const ()>,
}

impl Entered {
    /// Restores what the thread polled before; what is to be settled.
    #[inline]
    pub(super) fn leave(self) -> Notes {
        CURRENT
            .try_with(|current| {
                current.task.set(self.saved.0);
                current.replace_notes(self.saved.1)
            })
            .unwrap_or_default()
    }
}

/// Names a task among all that live: no two tasks have the same id at the same time.
///
/// A task lives until it is complete and its handles and wakers are gone; after that its id may be
/// given to a new one. So an id that is kept longer than the handle is good for logs only.
///
/// ```
/// # async fn example() {
/// let handle = runtime::spawn(async { runtime::task::id() });
/// let id = handle.id();
/// assert_eq!(handle.await.unwrap(), id);
/// # }
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Id(NonZeroUsize);

impl Id {
    pub(super) fn of(task: TaskPtr) -> Self {
        Self(task.addr()) // where the task lives is as good a name as any, and costs no counter
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}", self.0)
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Id({self})")
    }
}

/// The id of the task that calls this.
///
/// # Panics
///
/// Outside a task, which includes the future given to `block_on`. [`try_id`] says `None` there.
#[track_caller]
pub fn id() -> Id {
    match try_id() {
        Some(id) => id,
        None => panic!("`task::id` called outside a task; `task::try_id` may be called anywhere"),
    }
}

/// The id of the task that calls this; `None` outside a task.
///
/// ```
/// assert_eq!(runtime::task::try_id(), None);
/// ```
pub fn try_id() -> Option<Id> {
    CURRENT.try_with(|current| current.task.get()).ok().flatten().map(Id::of)
}

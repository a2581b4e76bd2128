//! The waker of a task: its address and one counted reference.
//!
//! One vtable for all tasks, and a `static` so that it has one address: `Waker::will_wake` compares
//! that. What depends on the task's type is behind the header's own vtable, and needed only when a
//! task must really be scheduled.

use std::mem::ManuallyDrop;
use std::ptr;
use std::task::{RawWaker, RawWakerVTable, Waker};

use super::cell::TaskPtr;
use super::state::{Reference, Wake};
use super::{Runnable, Schedule, current};
use crate::sync::Arc;

/// What became of a waker that its scheduler looked at itself.
#[must_use]
pub(crate) enum Woken {
    /// The caller queues the task.
    Task(Runnable),
    /// There is nothing to do.
    Nothing,
    /// It is not a task's, or not of that scheduler: the caller wakes it.
    Foreign(Waker),
}

impl Woken {
    /// Wakes by value if that wakes a task of `scheduler`, outside of its poll, with no way round by
    /// the functions of the waker and of the task.
    #[inline]
    pub(crate) fn by<S: Schedule>(scheduler: &Arc<S>, waker: Waker) -> Self {
        if !ptr::eq(waker.vtable(), &VTABLE) {
            return Self::Foreign(waker);
        }
        let task = TaskPtr::from_raw(waker.data());
        if !task.is_of(scheduler) {
            return Self::Foreign(waker);
        }
        let _taken = ManuallyDrop::new(waker);
        match task.header().state.wake_by_val() {
            Wake::Schedule => Self::Task(Runnable::new(task)),
            Wake::Nothing => Self::Nothing,
            Wake::Free => {
                task.free();
                Self::Nothing
            }
        }
    }
}

pub(super) static VTABLE: RawWakerVTable = RawWakerVTable::new(clone, wake, wake_by_ref, drop);

// The data of these four is the address of a cell that lives: the waker has a reference to it, or is
// lent to a poll.

fn clone(data: *const ()) -> RawWaker {
    let task = TaskPtr::from_raw(data);
    if !current::owe(task, 1) {
        task.header().state.ref_inc();
    }
    RawWaker::new(data, &VTABLE)
}

fn wake(data: *const ()) {
    let task = TaskPtr::from_raw(data);
    if current::wake(task) {
        return drop(data);
    }
    match task.header().state.wake_by_val() {
        Wake::Schedule => task.schedule(),
        Wake::Nothing => {}
        Wake::Free => task.free(),
    }
}

fn wake_by_ref(data: *const ()) {
    let task = TaskPtr::from_raw(data);
    if !current::wake(task) && task.header().state.wake_by_ref() == Wake::Schedule {
        task.schedule();
    }
}

fn drop(data: *const ()) {
    let task = TaskPtr::from_raw(data);
    if !current::owe(task, -1) && task.header().state.ref_dec() == Reference::Free {
        task.free();
    }
}

//! The waker of a task: its address and one counted reference.
//!
//! One vtable for all tasks, and a `static` so that it has one address: `Waker::will_wake` compares
//! that. What depends on the task's type is behind the header's own vtable, and needed only when a
//! task must really be scheduled.

use std::task::{RawWaker, RawWakerVTable};

use super::cell::TaskPtr;
use super::current;
use super::state::{Reference, Wake};

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

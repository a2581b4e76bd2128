//! The tasks that a runtime has to drop when it shuts down: intrusive lists, one for each worker.
//!
//! A task is linked at its first real `Pending`, by the worker that polled it and into that worker's
//! shard; before that a queue holds it. Most short tasks never get here. It is unlinked when it is
//! complete, by whoever completes it, wherever it was linked.
//!
//! The lock of a shard protects its list, the links of the tasks in it and the `closed` flag. A
//! shutdown closes, then sweeps. A first `Pending` either finds its shard closed and cancels the task
//! itself, or is linked before the sweep, which then finds the task: idle ones are seized and
//! cancelled, of the others `CANCELLED` is set for the holder of the run right to find.
//! No code of the user runs under a lock.

use super::cell::TaskPtr;
use super::info::{TaskInfo, TaskState};
use super::state::{MAX_SHARDS, Reference, Seize};
use super::{Id, Runnable};
use crate::sync::Mutex;

/// All tasks of one scheduler that are not complete and have been `Pending` once.
///
/// A scheduler always passes the same `OwnedTasks` to its tasks' [`Runnable::run`].
pub(crate) struct OwnedTasks {
    shards: Box<[Shard]>,
    on_panic: Option<OnPanic>,
}

/// Told that a task has panicked, before the task is complete. It must not unwind.
pub(crate) type OnPanic = std::sync::Arc<dyn Fn() + Send + Sync>;

// A cache line each, so that workers do not disturb one another.
#[repr(align(64))]
struct Shard(Mutex<List>);

#[derive(Default)]
struct List {
    head: Option<TaskPtr>,
    closed: bool,
}

/// A task's neighbours in its shard's list.
#[derive(Clone, Copy, Default)]
pub(super) struct Links {
    prev: Option<TaskPtr>,
    next: Option<TaskPtr>,
}

impl OwnedTasks {
    /// Empty lists, one for each worker.
    ///
    /// # Panics
    ///
    /// If `shards` is zero or more than 65 536.
    pub(crate) fn new(shards: usize) -> Self {
        assert!((1..=MAX_SHARDS).contains(&shards), "1 to {MAX_SHARDS} shards");
        let shards = (0..shards).map(|_| Shard(Mutex::new(List::default())));
        Self { shards: shards.collect(), on_panic: None }
    }

    /// These lists, with someone to be told of panics.
    pub(crate) fn on_panic(mut self, on_panic: Option<OnPanic>) -> Self {
        self.on_panic = on_panic;
        self
    }

    #[cold]
    pub(super) fn a_task_has_panicked(&self) {
        if let Some(on_panic) = &self.on_panic {
            on_panic();
        }
    }

    /// From now on a task that is `Pending` for the first time is cancelled.
    pub(crate) fn close(&self) {
        for shard in &self.shards {
            shard.0.lock().closed = true;
        }
    }

    /// Cancels every idle task, on the calling thread. A task whose `Runnable` is elsewhere, in a
    /// queue or being polled, is marked instead, and is cancelled by whoever runs that.
    ///
    /// After [`close`](Self::close) one call is enough; the lists are empty once all `Runnable`s that
    /// are elsewhere have been run or cancelled.
    pub(crate) fn cancel_all_idle(&self) {
        for shard in &self.shards {
            let seized = shard.0.lock().seize_idle(); // a statement of its own: the lock ends here
            for runnable in seized {
                runnable.cancel(self);
            }
        }
    }

    /// All tasks that are linked, without their names.
    pub(crate) fn list(&self) -> Vec<TaskInfo> {
        let mut tasks = Vec::new();
        for shard in &self.shards {
            shard.0.lock().list(&mut tasks);
        }
        tasks
    }

    /// Whether no task is linked.
    pub(crate) fn is_empty(&self) -> bool {
        self.shards.iter().all(|shard| shard.0.lock().head.is_none())
    }

    /// Links a task, whose run right the caller has, unless the shard is closed.
    #[must_use]
    pub(super) fn link(&self, task: TaskPtr, shard: usize) -> bool {
        let mut list = self.shards[shard].0.lock();
        if list.closed {
            return false;
        }
        list.push(task);
        true
    }

    /// Takes a task, whose run right the caller has, out of the shard that lists it.
    pub(super) fn unlink(&self, task: TaskPtr, shard: usize) {
        self.shards[shard].0.lock().remove(task);
    }
}

impl Drop for OwnedTasks {
    /// A scheduler that shut down properly leaves nothing here; what is left would leak.
    fn drop(&mut self) {
        self.close();
        self.cancel_all_idle();
        for shard in &self.shards {
            let mut list = shard.0.lock();
            while let Some(task) = list.head {
                list.reap(task);
            }
        }
    }
}

impl List {
    fn push(&mut self, task: TaskPtr) {
        let next = self.head.replace(task);
        links(task, |links| *links = Links { prev: None, next });
        if let Some(next) = next {
            links(next, |links| links.prev = Some(task));
        }
    }

    fn remove(&mut self, task: TaskPtr) {
        let Links { prev, next } = links(task, std::mem::take);
        match prev {
            Some(prev) => links(prev, |links| links.next = next),
            None => self.head = next,
        }
        if let Some(next) = next {
            links(next, |links| links.prev = prev);
        }
    }

    fn list(&self, tasks: &mut Vec<TaskInfo>) {
        let mut cursor = self.head;
        while let Some(task) = cursor {
            cursor = links(task, |links| links.next);
            let seen = task.header().state.snapshot();
            if !seen.is_complete() {
                let state = if seen.is_active() { TaskState::Active } else { TaskState::Waiting };
                let spawned_at = task.header().spawned_at;
                tasks.push(TaskInfo { id: Id::of(task), name: None, spawned_at, state });
            }
        }
    }

    /// Takes the run rights of all idle tasks, which stay in the list until they are complete.
    fn seize_idle(&mut self) -> Vec<Runnable> {
        let mut seized = Vec::new();
        let mut cursor = self.head;
        while let Some(task) = cursor {
            cursor = links(task, |links| links.next);
            match task.header().state.seize() {
                Seize::Taken => seized.push(Runnable::new(task)),
                Seize::Elsewhere => {}
                Seize::Complete => self.reap(task),
            }
        }
        seized
    }

    /// Forgets a task that was completed without access to the list.
    fn reap(&mut self, task: TaskPtr) {
        self.remove(task);
        if task.header().state.unlisted() == Reference::Free {
            task.free();
        }
    }
}

/// Calls `f` with the links of a task in a list whose lock the caller holds.
fn links<R>(task: TaskPtr, f: impl FnOnce(&mut Links) -> R) -> R {
    // SAFETY: the lock keeps everyone else from the links, `f` never gets here again, and listed
    // tasks live.
    task.header().links.with_mut(|links| f(unsafe { &mut *links }))
}

//! What can be told about a task from outside: where it was spawned, its name, what it is doing.
//!
//! Where it was spawned is in every cell. A name is not: it would make every task larger and every spawn
//! slower. [`named`] wraps the future instead, and at its first poll puts the name into a table of the
//! runtime, from where it is gone with the future.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::panic::Location;
use std::sync::Arc;

use super::{Id, try_id};
use crate::sync::Mutex;

pub(crate) type Name = Cow<'static, str>;

/// A task as it was when somebody looked; from [`Handle::tasks`](crate::Handle::tasks).
#[derive(Clone, Debug)]
pub struct TaskInfo {
    pub(super) id: Id,
    pub(super) name: Option<Name>,
    pub(super) spawned_at: &'static Location<'static>,
    pub(super) state: TaskState,
}

/// What a task was doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TaskState {
    /// Nothing: it waits to be woken.
    Waiting,
    /// It was woken, and waits for a worker or is being polled.
    Active,
}

impl TaskInfo {
    /// A task that is being polled.
    #[inline]
    pub(crate) fn polled(id: Id, spawned_at: &'static Location<'static>, names: &Names) -> Self {
        Self { id, name: names.get(id), spawned_at, state: TaskState::Active }
    }

    /// The task's id.
    pub fn id(&self) -> Id {
        self.id
    }

    /// The name that [`spawn_named`](crate::spawn_named) gave it.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Where it was spawned.
    pub fn spawned_at(&self) -> &'static Location<'static> {
        self.spawned_at
    }

    /// What it was doing.
    pub fn state(&self) -> TaskState {
        self.state
    }
}

/// The name, if there is one, and where the task was spawned.
impl fmt::Display for TaskInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(name) = self.name() {
            write!(f, "{name:?}, ")?;
        }
        write!(f, "spawned at {}", self.spawned_at)
    }
}

/// The names of a runtime's tasks.
#[derive(Default)]
pub(crate) struct Names(Mutex<HashMap<Id, Name>>);

impl Names {
    #[inline]
    pub(super) fn get(&self, id: Id) -> Option<Name> {
        self.0.lock().get(&id).cloned()
    }

    /// Fills in the names.
    #[inline]
    pub(crate) fn tell(&self, tasks: &mut [TaskInfo]) {
        let names = self.0.lock();
        if !names.is_empty() {
            tasks.iter_mut().for_each(|task| task.name = names.get(&task.id).cloned());
        }
    }

    /// Gives the task that calls this a name, until the guard is dropped.
    #[inline]
    pub(crate) fn enter(self: Arc<Self>, name: Name) -> Named {
        let id = try_id();
        if let Some(id) = id {
            let former = self.0.lock().insert(id, name);
            drop(former);
        }
        Named { names: self, id }
    }
}

impl fmt::Debug for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Names").finish_non_exhaustive()
    }
}

/// Takes a task's name away when dropped.
#[derive(Debug)]
pub(crate) struct Named {
    names: Arc<Names>,
    id: Option<Id>,
}

impl Drop for Named {
    #[inline]
    fn drop(&mut self) {
        let name = self.id.and_then(|id| self.names.0.lock().remove(&id));
        drop(name);
    }
}

/// A future whose task has a name.
pub(crate) fn named<F: Future>(
    names: &Arc<Names>,
    name: Name,
    future: F,
) -> impl Future<Output = F::Output> + use<F> {
    let names = Arc::clone(names);
    async move {
        let _named = names.enter(name);
        future.await
    }
}

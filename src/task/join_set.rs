//! [`JoinSet`]: many tasks of one kind, awaited in the order in which they end.
//!
//! The set is the joiner of each of its tasks. What it leaves as a join waker is an [`Entry`], which
//! notes the task's key in `Shared::finished` and wakes whoever awaits the set. So the end of a task
//! costs one push however many there are, and the set looks at tasks that have ended and at no others.
//!
//! ```text
//!   task ends ─▶ Entry::wake ─▶ finished: push key; waker taken, called outside the lock
//!   poll      ─▶ finished: pop key, or leave the waker (both under one lock, so none is missed)
//! ```
//!
//! A key in `finished` may be stale only if its task was let go by [`JoinSet::detach_all`], which
//! begins a new `Shared`; so each key there names a task that has ended.
//!
//! Starting tasks needs a runtime, which this floor does not know: that half is in
//! `runtime/join_set.rs`.

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::sync::Arc as StdArc; // what a `Waker` is made of
use std::task::{Context, Poll, Wake, Waker, ready};

use slab::Slab;

use super::{AbortHandle, Id, JoinError, JoinHandle};
use crate::contain::{self, contain};
use crate::coop;
use crate::sync::Mutex;

#[cfg(all(test, loom))]
mod models;

/// A set of tasks that give the same type, awaited together.
///
/// Outputs come in the order in which the tasks end, and stay in the set until they are taken.
/// Dropping the set cancels every task in it; [`detach_all`](Self::detach_all) lets them run on.
/// The end of a task costs the same however many others there are.
///
/// ```
/// use runtime::task::JoinSet;
///
/// # runtime::Runtime::new().unwrap().block_on(async {
/// let mut set = JoinSet::new();
/// for n in 1..=3 {
///     set.spawn(async move { n * n });
/// }
/// let mut sum = 0;
/// while let Some(square) = set.join_next().await {
///     sum += square.unwrap();
/// }
/// assert_eq!(sum, 14);
/// # });
/// ```
pub struct JoinSet<T> {
    tasks: Slab<JoinHandle<T>>,
    shared: StdArc<Shared>,
}

/// What ended tasks and the set's future share.
#[derive(Default)]
struct Shared(Mutex<State>);

#[derive(Default)]
struct State {
    finished: VecDeque<usize>,
    /// Whoever awaits the set.
    waker: Option<Waker>,
}

/// The join waker of one task.
struct Entry {
    shared: StdArc<Shared>,
    key: usize,
}

impl Wake for Entry {
    fn wake(self: StdArc<Self>) {
        let waker = {
            let mut state = self.shared.0.lock();
            state.finished.push_back(self.key);
            state.waker.take()
        };
        waker.into_iter().for_each(contain::wake);
    }
}

impl<T> JoinSet<T> {
    /// A set without tasks.
    ///
    /// ```
    /// let set = runtime::task::JoinSet::<()>::new();
    /// assert!(set.is_empty());
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self { tasks: Slab::new(), shared: StdArc::default() }
    }

    /// How many tasks are in the set: those that run, and those whose output was not taken.
    ///
    /// ```
    /// # runtime::Runtime::new().unwrap().block_on(async {
    /// let mut set = runtime::task::JoinSet::new();
    /// set.spawn(async {});
    /// assert_eq!(set.len(), 1);
    /// # });
    /// ```
    #[must_use]
    pub fn len(&self) -> usize {
        self.tasks.len()
    }

    /// Whether no task is in the set.
    ///
    /// ```
    /// assert!(runtime::task::JoinSet::<()>::new().is_empty());
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// Adds a task that was just started; its join right is the set's from now on.
    pub(crate) fn insert(&mut self, task: JoinHandle<T>) -> AbortHandle {
        let abort = task.abort_handle();
        let entry = self.tasks.vacant_entry();
        let waker = StdArc::new(Entry { shared: StdArc::clone(&self.shared), key: entry.key() });
        let waker = Waker::from(waker);
        if entry.insert(task).register(&waker).is_ready() {
            waker.wake(); // it ended before the waker was there
        }
        abort
    }

    /// Waits until one of the tasks has ended, takes it out and gives its output; `None` if the set is
    /// empty.
    ///
    /// It spends one unit of the awaiting task's [budget](super::coop) for each output.
    ///
    /// # Errors
    ///
    /// [`JoinError`] if the task panicked or was cancelled.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing: a task stays in the set until its output is returned.
    ///
    /// ```
    /// # runtime::Runtime::new().unwrap().block_on(async {
    /// let mut set = runtime::task::JoinSet::new();
    /// set.spawn(async { "done" });
    /// assert_eq!(set.join_next().await.unwrap().unwrap(), "done");
    /// assert!(set.join_next().await.is_none());
    /// # });
    /// ```
    pub async fn join_next(&mut self) -> Option<Result<T, JoinError>> {
        Some(self.join_next_with_id().await?.1)
    }

    /// As [`join_next`](Self::join_next), with the id that [`spawn`](Self::spawn) gave for the task.
    ///
    /// # Errors
    ///
    /// [`JoinError`] if the task panicked or was cancelled.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    ///
    /// ```
    /// # runtime::Runtime::new().unwrap().block_on(async {
    /// let mut set = runtime::task::JoinSet::new();
    /// let id = set.spawn(async {}).id();
    /// assert_eq!(set.join_next_with_id().await.unwrap().0, id);
    /// # });
    /// ```
    pub async fn join_next_with_id(&mut self) -> Option<(Id, Result<T, JoinError>)> {
        poll_fn(|cx| self.poll_join_next(cx)).await
    }

    /// Takes out a task that has ended, if there is one, without waiting.
    ///
    /// # Errors
    ///
    /// [`JoinError`] if the task panicked or was cancelled.
    ///
    /// ```
    /// # runtime::Runtime::new().unwrap().block_on(async {
    /// let mut set = runtime::task::JoinSet::new();
    /// set.spawn(std::future::pending::<()>());
    /// assert!(set.try_join_next().is_none());
    /// # });
    /// ```
    pub fn try_join_next(&mut self) -> Option<Result<T, JoinError>> {
        let finished = self.shared.0.lock().finished.pop_front();
        finished.map(|key| self.take(key).1)
    }

    /// Waits for all tasks and gives their outputs, in the order in which they ended.
    ///
    /// # Panics
    ///
    /// With the panic of the first task that panicked, and if a task was cancelled. The other tasks
    /// are cancelled then.
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: the set goes with the future, which cancels its tasks.
    ///
    /// ```
    /// # runtime::Runtime::new().unwrap().block_on(async {
    /// let mut set = runtime::task::JoinSet::new();
    /// set.spawn(async { 1 });
    /// set.spawn(async { 2 });
    /// assert_eq!(set.join_all().await.iter().sum::<i32>(), 3);
    /// # });
    /// ```
    pub async fn join_all(mut self) -> Vec<T> {
        let mut outputs = Vec::with_capacity(self.len());
        while let Some(joined) = self.join_next().await {
            match joined.map_err(JoinError::try_into_panic) {
                Ok(output) => outputs.push(output),
                Err(Ok(payload)) => std::panic::resume_unwind(payload),
                Err(Err(cancelled)) => panic!("`JoinSet::join_all`: {cancelled}"),
            }
        }
        outputs
    }

    /// Cancels every task, as [`JoinHandle::abort`] does. They stay in the set: `join_next` gives a
    /// [`JoinError`] for each, or the output of one that had ended.
    ///
    /// ```
    /// # runtime::Runtime::new().unwrap().block_on(async {
    /// let mut set = runtime::task::JoinSet::new();
    /// set.spawn(std::future::pending::<()>());
    /// set.abort_all();
    /// assert!(set.join_next().await.unwrap().unwrap_err().is_cancelled());
    /// # });
    /// ```
    pub fn abort_all(&mut self) {
        for (_, task) in &self.tasks {
            task.abort();
        }
    }

    /// Cancels every task and waits until their futures are dropped. What they gave is dropped, too.
    ///
    /// A [blocking job](Self::spawn_blocking) that runs cannot be cancelled: this waits until it returns.
    /// Use [`timeout`](crate::time::timeout) around it, or drop the set, if that may take too long.
    ///
    /// # Cancel safety
    ///
    /// The tasks are cancelled at the first poll; those not waited for stay in the set.
    ///
    /// ```
    /// # runtime::Runtime::new().unwrap().block_on(async {
    /// let mut set = runtime::task::JoinSet::new();
    /// set.spawn(std::future::pending::<()>());
    /// set.shutdown().await;
    /// assert!(set.is_empty());
    /// # });
    /// ```
    pub async fn shutdown(&mut self) {
        self.abort_all();
        while self.join_next().await.is_some() {}
    }

    /// Takes every task out of the set and lets it run on by itself.
    ///
    /// ```
    /// # runtime::Runtime::new().unwrap().block_on(async {
    /// let mut set = runtime::task::JoinSet::new();
    /// set.spawn(async { /* runs to its end */ });
    /// set.detach_all();
    /// # });
    /// ```
    pub fn detach_all(&mut self) {
        let former = std::mem::take(&mut self.shared); // for entries that are being woken right now
        self.tasks.clear();
        drop(former);
    }

    /// [`join_next_with_id`](Self::join_next_with_id) as a poll.
    pub(crate) fn poll_join_next(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<(Id, Result<T, JoinError>)>> {
        ready!(coop::gate(cx));
        if self.tasks.is_empty() {
            return Poll::Ready(None);
        }
        let key = ready!(self.shared.poll_finished(cx.waker()));
        coop::charge(0);
        Poll::Ready(Some(self.take(key)))
    }

    /// Takes out a task that has ended.
    fn take(&mut self, key: usize) -> (Id, Result<T, JoinError>) {
        let mut task = self.tasks.remove(key);
        let id = task.id();
        (id, task.output().expect("a task wakes its joiner when it has ended"))
    }
}

impl Shared {
    /// The key of a task that has ended; else leaves `waker`.
    fn poll_finished(&self, waker: &Waker) -> Poll<usize> {
        let mut new = None;
        loop {
            let mut state = self.0.lock();
            if let Some(key) = state.finished.pop_front() {
                return Poll::Ready(key);
            }
            if state.waker.as_ref().is_some_and(|old| old.will_wake(waker)) {
                return Poll::Pending;
            }
            if new.is_some() {
                let old = std::mem::replace(&mut state.waker, new);
                drop(state);
                contain(|| drop(old));
                return Poll::Pending;
            }
            drop(state);
            new = Some(waker.clone()); // code of the user: not under the lock
        }
    }
}

impl<T> Drop for JoinSet<T> {
    fn drop(&mut self) {
        self.abort_all();
    }
}

// Pinning the set pins none of its tasks.
impl<T> Unpin for JoinSet<T> {}

impl<T> Default for JoinSet<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> fmt::Debug for JoinSet<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinSet").field("len", &self.len()).finish_non_exhaustive()
    }
}

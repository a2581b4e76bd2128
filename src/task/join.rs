//! What the outside holds of a task: [`JoinHandle`] and [`AbortHandle`].
//!
//! The join waker slot has one owner at a time. It is the handle's, and empty, until it is filled and
//! `JOIN_WAKER` set, then the task's; to fill it again the handle takes it back first. Only one of
//! "the handle sets the bit" and "the task completes" comes first, and the other one sees it: the
//! handle then takes the output instead, or the task wakes the joiner. What the task reads there before
//! it completes is a guess, which counts only if the handle has never taken the slot back (`REJOINED`).

use std::fmt;
use std::future::Future;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use super::cell::{TaskPtr, TypedPtr};
use super::error::Panic;
use super::state::{DropJoin, JoinSlot, Outcome, Reference, Wake};
use super::{Id, JoinError};
use crate::contain::contain;
use crate::coop;

/// Waits for a task and gives its output; made by [`spawn`](crate::spawn).
///
/// Dropping it detaches the task, which runs on; nobody sees its output or its panic then. The handle
/// may be awaited on any thread and under any executor. It spends one unit of the awaiting task's
/// [budget](super::coop).
///
/// # Errors
///
/// [`JoinError`] if the task panicked, was aborted, or its runtime shut down first.
///
/// # Panics
///
/// If polled again after it gave its result.
///
/// # Cancel safety
///
/// A `&mut JoinHandle` may be awaited, dropped and awaited again; no output is lost.
///
/// ```
/// # async fn example() -> Result<(), runtime::task::JoinError> {
/// let answer = runtime::spawn(async { 6 * 7 });
/// assert_eq!(answer.await?, 42);
/// # Ok(())
/// # }
/// ```
pub struct JoinHandle<T> {
    ptr: TypedPtr<T>,
}

impl<T> JoinHandle<T> {
    pub(super) fn new(ptr: TypedPtr<T>) -> Self {
        Self { ptr }
    }

    /// Cancels the task: its future is dropped, on a thread of its runtime, instead of polled again.
    ///
    /// Returns at once. A task that is being polled finishes that poll first; one that is complete by
    /// then keeps its output. May be called on any thread, also when the runtime is gone.
    ///
    /// ```
    /// # async fn example() {
    /// let forever = runtime::spawn(std::future::pending::<()>());
    /// forever.abort();
    /// assert!(forever.await.unwrap_err().is_cancelled());
    /// # }
    /// ```
    pub fn abort(&self) {
        abort(self.ptr.task());
    }

    /// Cancels the task, like [`abort`](Self::abort), and waits until its future is dropped.
    ///
    /// The task is told at once, also if what this returns is never polled; dropping that detaches
    /// the task. `Ok` if the task was done before it could be cancelled.
    ///
    /// ```
    /// # async fn example() {
    /// let forever = runtime::spawn(std::future::pending::<()>());
    /// assert!(forever.cancel().await.unwrap_err().is_cancelled());
    /// # }
    /// ```
    pub fn cancel(self) -> impl Future<Output = Result<T, JoinError>> + use<T> {
        self.abort();
        self
    }

    /// Whether the task is complete: done, panicked or cancelled, and its future dropped.
    pub fn is_finished(&self) -> bool {
        self.ptr.task().header().state.snapshot().is_complete()
    }

    /// Another handle that can only cancel the task and does not keep its output.
    pub fn abort_handle(&self) -> AbortHandle {
        AbortHandle::new(self.ptr.task())
    }

    /// The task's id.
    pub fn id(&self) -> Id {
        Id::of(self.ptr.task())
    }

    /// Leaves `waker` in the slot; `Ready` if the task is complete, and the slot empty.
    pub(super) fn register(&mut self, waker: &Waker) -> Poll<()> {
        register(self.ptr.task(), waker).map(|_| ())
    }

    /// Takes what the task left, once; `None` if it is not complete.
    pub(super) fn output(&mut self) -> Option<Result<T, JoinError>> {
        // Its Acquire pairs with the Release of `complete`.
        let seen = self.ptr.task().header().state.snapshot();
        seen.is_complete().then(|| self.take(seen.outcome()))
    }

    /// Wakers and abort handles of the task.
    #[cfg(all(test, not(loom)))]
    pub(super) fn references(&self) -> i32 {
        self.ptr.task().header().state.snapshot().refs()
    }

    #[inline]
    fn take(&mut self, outcome: Outcome) -> Result<T, JoinError> {
        let task = self.ptr.task();
        self.ptr.take(outcome).map_err(|panic| no_output(task, panic))
    }
}

#[cold]
fn no_output(task: TaskPtr, panic: Option<Panic>) -> JoinError {
    JoinError::new(Id::of(task), task.header().spawned_at, panic)
}

/// Leaves `waker` in the slot; `Ready` if the task is complete, and the slot empty.
#[inline]
fn register(task: TaskPtr, waker: &Waker) -> Poll<Outcome> {
    let state = &task.header().state;
    let seen = state.snapshot();
    if seen.is_complete() {
        return Poll::Ready(seen.outcome());
    }
    if seen.has_join_waker() {
        if task.joiner().will_wake(waker) {
            return Poll::Pending; // the task will find it there
        }
        return register_another(task, waker.clone());
    }
    task.put_joiner(waker.clone());
    match state.set_join_waker() {
        JoinSlot::Done => Poll::Pending,
        JoinSlot::Complete => Poll::Ready(came_too_late(task, task.joiner().into_waker())),
    }
}

/// Replaces the waker in the slot.
#[cold]
fn register_another(task: TaskPtr, new: Waker) -> Poll<Outcome> {
    let state = &task.header().state;
    if state.unset_join_waker() == JoinSlot::Complete {
        return Poll::Ready(came_too_late(task, new));
    }
    let old = task.joiner().into_waker();
    task.put_joiner(new);
    let registered = match state.set_join_waker() {
        JoinSlot::Done => Poll::Pending,
        JoinSlot::Complete => Poll::Ready(came_too_late(task, task.joiner().into_waker())),
    };
    contain(|| drop(old));
    registered
}

/// The waker of a joiner who finds that the task is complete is not needed.
#[cold]
fn came_too_late(task: TaskPtr, waker: Waker) -> Outcome {
    contain(|| drop(waker));
    task.header().state.snapshot().outcome()
}

/// What a poll of a handle does before it takes the output.
fn poll_complete(task: TaskPtr, cx: &mut Context<'_>) -> Poll<Outcome> {
    ready!(coop::gate(cx));
    let outcome = ready!(register(task, cx.waker()));
    coop::charge(0);
    Poll::Ready(outcome)
}

impl<T> Future for JoinHandle<T> {
    type Output = Result<T, JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        assert!(!self.ptr.is_taken(), "`JoinHandle` polled after it gave its result");
        let outcome = ready!(poll_complete(self.ptr.task(), cx));
        Poll::Ready(self.take(outcome))
    }
}

// The output is in the task's cell, not here, and a panic of the task is caught there.
impl<T> Unpin for JoinHandle<T> {}
impl<T> UnwindSafe for JoinHandle<T> {}
impl<T> RefUnwindSafe for JoinHandle<T> {}

impl<T> Drop for JoinHandle<T> {
    fn drop(&mut self) {
        let task = self.ptr.task();
        if self.ptr.is_taken() && task.header().state.snapshot().has_nothing_but_join() {
            task.free();
        } else {
            drop_join(task, self.ptr.is_taken());
        }
    }
}

fn drop_join(task: TaskPtr, mut emptied: bool) {
    let state = &task.header().state;
    // A waker is left if the handle was polled and the task has not taken it. Of a complete task with
    // `JOIN_WAKER` the slot is the task's, which is just emptying it.
    let ours = state.snapshot().has_join_waker() && state.unset_join_waker() == JoinSlot::Done;
    let waker = ours.then(|| task.joiner().into_waker());
    loop {
        match state.drop_join(emptied) {
            DropJoin::Empty(outcome) => {
                task.drop_outcome(outcome);
                emptied = true;
            }
            DropJoin::Done => break,
            DropJoin::Free => {
                task.free();
                break;
            }
        }
    }
    if let Some(waker) = waker {
        contain(|| drop(waker));
    }
}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinHandle")
            .field("id", &self.id())
            .field("finished", &self.is_finished())
            .finish()
    }
}

/// Cancels a task; made by [`JoinHandle::abort_handle`]. Dropping it does nothing.
///
/// ```
/// # async fn example() {
/// let task = runtime::spawn(std::future::pending::<()>());
/// let abort = task.abort_handle();
/// runtime::spawn(async move { abort.abort() });
/// assert!(task.await.unwrap_err().is_cancelled());
/// # }
/// ```
pub struct AbortHandle {
    task: TaskPtr, // with a counted reference
}

impl AbortHandle {
    fn new(task: TaskPtr) -> Self {
        task.header().state.ref_inc();
        Self { task }
    }

    /// Cancels the task, as [`JoinHandle::abort`] does.
    pub fn abort(&self) {
        abort(self.task);
    }

    /// Whether the task is complete: done, panicked or cancelled, and its future dropped.
    pub fn is_finished(&self) -> bool {
        self.task.header().state.snapshot().is_complete()
    }

    /// The task's id.
    pub fn id(&self) -> Id {
        Id::of(self.task)
    }
}

// It reaches no value of the user.
impl UnwindSafe for AbortHandle {}
impl RefUnwindSafe for AbortHandle {}

impl Clone for AbortHandle {
    fn clone(&self) -> Self {
        Self::new(self.task)
    }
}

impl Drop for AbortHandle {
    fn drop(&mut self) {
        if self.task.header().state.ref_dec() == Reference::Free {
            self.task.free();
        }
    }
}

impl fmt::Debug for AbortHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AbortHandle")
            .field("id", &self.id())
            .field("finished", &self.is_finished())
            .finish()
    }
}

fn abort(task: TaskPtr) {
    if task.header().state.abort() == Wake::Schedule {
        task.schedule(); // so that the future is dropped on a thread of its runtime
    }
}

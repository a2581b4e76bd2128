//! [`TaskTracker`]: which tasks of a service run, and how the service ends.
//!
//! Each tracked task has an entry in a table, and a [`Guard`] in its future that takes the entry out
//! when the future is dropped. "Closed and nobody left" comes once and stays so, which is what a
//! cancellation token is: `done`.
//!
//! ```text
//!   open ─▶ drain: closed, `token` cancelled ─▶ all gone, or time is over: abort ─▶ all gone, or stuck
//! ```
//!
//! A task has its entry before it exists, so that nothing escapes a drain that begins meanwhile; its
//! [`AbortHandle`] is added afterwards, and used at once if the drain is past its limit.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::future::pending;
use std::panic::Location;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::explicit::time::timeout_in;
use super::{Handle, TWICE_AT_MOST};
use crate::task::{AbortHandle, CancellationToken, JoinHandle};

/// How long a drain waits for tasks that were cancelled: they are in a poll that does not end.
const GRACE: Duration = Duration::from_secs(1);

/// Follows the tasks of a service, to end it in good order.
///
/// [`drain`](Self::drain) tells the tasks through the [token](Self::token) that they are to come to an
/// end, gives them time, cancels the rest, and reports what that was. Clones follow the same tasks.
///
/// ```
/// use runtime::TaskTracker;
/// use runtime::time::Duration;
///
/// # runtime::Runtime::new().unwrap().block_on(async {
/// let tracker = TaskTracker::new();
/// let stop = tracker.token().clone();
/// tracker.spawn_named("polite", async move { stop.cancelled().await });
/// tracker.spawn_named("stubborn", std::future::pending::<()>());
///
/// let report = tracker.drain(Duration::from_millis(10)).await;
/// assert_eq!(report.left().len(), 1);
/// assert_eq!(report.left()[0].name(), Some("stubborn"));
/// println!("{report}"); // 1 task had to be cancelled: "stubborn", spawned at src/main.rs:7:9
/// # });
/// ```
#[derive(Clone)]
pub struct TaskTracker {
    handle: Handle,
    shared: Arc<Shared>,
}

struct Shared {
    table: Mutex<Table>,
    /// What the tasks listen for.
    token: CancellationToken,
    /// Cancelled when the tracker is closed and no task is left.
    done: CancellationToken,
}

#[derive(Default)]
struct Table {
    tasks: HashMap<u64, Tracked>,
    next: u64,
    closed: bool,
    /// The time of a drain was over.
    aborting: bool,
}

struct Tracked {
    name: Option<Cow<'static, str>>,
    spawned_at: &'static Location<'static>,
    /// `None` while the task is being spawned.
    abort: Option<AbortHandle>,
}

impl TaskTracker {
    /// A tracker whose tasks run on the current runtime.
    ///
    /// # Panics
    ///
    /// Outside a runtime. Use [`new_in`](Self::new_in) there.
    ///
    /// ```
    /// # runtime::Runtime::new().unwrap().block_on(async {
    /// let tracker = runtime::TaskTracker::new();
    /// tracker.spawn(async {});
    /// # });
    /// ```
    #[track_caller]
    #[expect(clippy::new_without_default, reason = "it takes the current runtime, and may panic")]
    #[inline]
    pub fn new() -> Self {
        Self::new_in(&Handle::current())
    }

    /// A tracker whose tasks run on the runtime of `handle`.
    ///
    /// ```
    /// let runtime = runtime::Runtime::new().unwrap();
    /// let tracker = runtime::TaskTracker::new_in(runtime.handle());
    /// tracker.spawn(async {});
    /// ```
    #[inline]
    pub fn new_in(handle: &Handle) -> Self {
        let shared = Shared {
            table: Mutex::default(),
            token: CancellationToken::new(),
            done: CancellationToken::new(),
        };
        Self { handle: handle.clone(), shared: Arc::new(shared) }
    }

    /// Starts a task. Once a drain has begun it is refused: the future is dropped, not polled, and the
    /// handle says cancelled.
    ///
    /// ```
    /// # runtime::Runtime::new().unwrap().block_on(async {
    /// let tracker = runtime::TaskTracker::new();
    /// assert_eq!(tracker.spawn(async { 1 }).await.unwrap(), 1);
    /// # });
    /// ```
    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.start(None, future)
    }

    /// As [`spawn`](Self::spawn), with a name for the report.
    ///
    /// ```
    /// # runtime::Runtime::new().unwrap().block_on(async {
    /// let tracker = runtime::TaskTracker::new();
    /// let peer = "192.0.2.1:4711";
    /// tracker.spawn_named(format!("connection of {peer}"), async {});
    /// # });
    /// ```
    #[track_caller]
    pub fn spawn_named<F>(
        &self,
        name: impl Into<Cow<'static, str>>,
        future: F,
    ) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.start(Some(name.into()), future)
    }

    #[track_caller]
    fn start<F>(&self, name: Option<Cow<'static, str>>, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let guard = self.enlist(name.clone(), Location::caller());
        // The wrapper keeps what it is given twice: as that, and as what it awaits.
        if const { size_of::<F>() > TWICE_AT_MOST } {
            self.launch(name, guard, Box::pin(future))
        } else {
            self.launch(name, guard, future)
        }
    }

    #[track_caller]
    fn launch<F>(
        &self,
        name: Option<Cow<'static, str>>,
        guard: Option<Guard>,
        future: F,
    ) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let names = Arc::clone(self.handle.inner.scheduler.names());
        let key = guard.as_ref().map(|guard| guard.key);
        let task = self.handle.spawn(async move {
            let future = future; // first, so that a future that was never polled goes before the guard
            let Some(_guard) = guard else {
                drop(future);
                return pending().await;
            };
            let _named = name.map(|name| names.enter(name));
            future.await
        });
        let aborting = match key {
            Some(key) => self.shared.lock().started(key, task.abort_handle()),
            None => true,
        };
        if aborting {
            task.abort();
        }
        task
    }

    #[inline]
    fn enlist(
        &self,
        name: Option<Cow<'static, str>>,
        spawned_at: &'static Location<'static>,
    ) -> Option<Guard> {
        let mut table = self.shared.lock();
        if table.closed {
            return None;
        }
        let key = table.next;
        table.next += 1;
        table.tasks.insert(key, Tracked { name, spawned_at, abort: None });
        Some(Guard { shared: Arc::clone(&self.shared), key })
    }

    /// The token that is cancelled when a drain begins. Accept loops end on it, connections finish
    /// what they have begun.
    ///
    /// ```
    /// # runtime::Runtime::new().unwrap().block_on(async {
    /// let tracker = runtime::TaskTracker::new();
    /// let stop = tracker.token().clone();
    /// tracker.spawn(async move {
    ///     let request = std::future::pending::<()>();
    ///     stop.run_until_cancelled(request).await;
    /// });
    /// # });
    /// ```
    pub fn token(&self) -> &CancellationToken {
        &self.shared.token
    }

    /// How many tasks there are that have not ended.
    ///
    /// ```
    /// # runtime::Runtime::new().unwrap().block_on(async {
    /// let tracker = runtime::TaskTracker::new();
    /// tracker.spawn(std::future::pending::<()>());
    /// assert_eq!(tracker.len(), 1);
    /// # });
    /// ```
    pub fn len(&self) -> usize {
        self.shared.lock().tasks.len()
    }

    /// Whether all tasks have ended.
    ///
    /// ```
    /// # runtime::Runtime::new().unwrap().block_on(async {
    /// assert!(runtime::TaskTracker::new().is_empty());
    /// # });
    /// ```
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Ends the service: refuses new tasks, cancels the [token](Self::token), waits up to `limit` until
    /// the tasks have ended, cancels those that have not, and reports which these were.
    ///
    /// A cancelled task that does not give way, because it is in a poll that takes for ever, is waited
    /// for no longer than a second and reported as [stuck](LeftTask::is_stuck).
    ///
    /// It is not for tasks of the same tracker: one that drains it waits for itself and is cancelled.
    ///
    /// It may be awaited anywhere: outside a runtime the time is told by that of the tasks.
    ///
    /// # Panics
    ///
    /// Outside a runtime, if that of the tasks is gone before a task of it that is stuck.
    ///
    /// # Cancel safety
    ///
    /// A drain that is dropped leaves the tracker closed; another call goes on.
    ///
    /// ```
    /// # runtime::Runtime::new().unwrap().block_on(async {
    /// let tracker = runtime::TaskTracker::new();
    /// tracker.spawn(async {});
    /// let report = tracker.drain(std::time::Duration::from_secs(10)).await;
    /// assert!(report.is_clean());
    /// # });
    /// ```
    pub async fn drain(&self, limit: Duration) -> DrainReport {
        self.shared.close();
        self.shared.token.cancel();
        let clock = Handle::try_current().unwrap_or_else(|_| self.handle.clone());
        if timeout_in(limit, self.shared.done.cancelled(), &clock).await.is_ok() {
            return DrainReport { left: Vec::new() };
        }
        let mut left = self.shared.abort_all();
        if timeout_in(GRACE, self.shared.done.cancelled(), &clock).await.is_err() {
            let table = self.shared.lock();
            for task in &mut left {
                task.stuck = table.tasks.contains_key(&task.key);
            }
        }
        DrainReport { left }
    }
}

impl fmt::Debug for TaskTracker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskTracker").field("len", &self.len()).finish_non_exhaustive()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn close(&self) {
        let done = {
            let mut table = self.lock();
            table.closed = true;
            table.tasks.is_empty()
        };
        if done {
            self.done.cancel();
        }
    }

    /// Cancels every task and says which they are.
    #[inline]
    fn abort_all(&self) -> Vec<LeftTask> {
        let mut left = Vec::new();
        let mut abort = Vec::new();
        {
            let mut table = self.lock();
            table.aborting = true;
            for (&key, task) in &table.tasks {
                left.push(LeftTask::new(key, task));
                abort.extend(task.abort.clone());
            }
        }
        for task in abort {
            task.abort();
        }
        left.sort_by_key(|task| task.key);
        left
    }

    #[inline]
    fn remove(&self, key: u64) {
        let (tracked, done) = {
            let mut table = self.lock();
            let tracked = table.tasks.remove(&key);
            (tracked, table.closed && table.tasks.is_empty())
        };
        drop(tracked);
        if done {
            self.done.cancel();
        }
    }
}

impl Table {
    /// Notes how to cancel a task, unless it has ended; whether it is to be cancelled now.
    #[inline]
    fn started(&mut self, key: u64, abort: AbortHandle) -> bool {
        if let Some(task) = self.tasks.get_mut(&key) {
            task.abort = Some(abort);
        }
        self.aborting
    }
}

/// In a task's future, to be dropped after what that really does.
struct Guard {
    shared: Arc<Shared>,
    key: u64,
}

impl Drop for Guard {
    #[inline]
    fn drop(&mut self) {
        self.shared.remove(self.key);
    }
}

/// What a [drain](TaskTracker::drain) had to cancel.
///
/// Shown, it is a line for each such task.
#[derive(Clone, Debug)]
#[must_use = "it says which tasks did not end by themselves"]
pub struct DrainReport {
    left: Vec<LeftTask>,
}

impl DrainReport {
    /// The tasks that had not ended in time, in the order in which they were spawned.
    ///
    /// ```
    /// # runtime::Runtime::new().unwrap().block_on(async {
    /// let tracker = runtime::TaskTracker::new();
    /// tracker.spawn(std::future::pending::<()>());
    /// let report = tracker.drain(std::time::Duration::ZERO).await;
    /// assert!(report.left()[0].spawned_at().line() > 0);
    /// # });
    /// ```
    pub fn left(&self) -> &[LeftTask] {
        &self.left
    }

    /// Whether every task ended by itself.
    ///
    /// ```
    /// # runtime::Runtime::new().unwrap().block_on(async {
    /// let tracker = runtime::TaskTracker::new();
    /// assert!(tracker.drain(std::time::Duration::ZERO).await.is_clean());
    /// # });
    /// ```
    pub fn is_clean(&self) -> bool {
        self.left.is_empty()
    }
}

impl fmt::Display for DrainReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.left.len() {
            0 => return f.write_str("every task ended by itself"),
            1 => f.write_str("1 task had to be cancelled:")?,
            many => write!(f, "{many} tasks had to be cancelled:")?,
        }
        self.left.iter().try_for_each(|task| write!(f, "\n  {task}"))
    }
}

/// A task that a [drain](TaskTracker::drain) had to cancel.
#[derive(Clone, Debug)]
pub struct LeftTask {
    key: u64,
    name: Option<Cow<'static, str>>,
    spawned_at: &'static Location<'static>,
    stuck: bool,
}

impl LeftTask {
    fn new(key: u64, task: &Tracked) -> Self {
        Self { key, name: task.name.clone(), spawned_at: task.spawned_at, stuck: false }
    }

    /// What [`spawn_named`](TaskTracker::spawn_named) was given.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Where the task was spawned.
    pub fn spawned_at(&self) -> &'static Location<'static> {
        self.spawned_at
    }

    /// Whether the task still ran, in a poll that did not end, a second after it was cancelled.
    pub fn is_stuck(&self) -> bool {
        self.stuck
    }
}

impl fmt::Display for LeftTask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(name) = &self.name {
            write!(f, "{name:?}, ")?;
        }
        write!(f, "spawned at {}", self.spawned_at)?;
        if self.stuck { f.write_str(", and is stuck in a poll") } else { Ok(()) }
    }
}

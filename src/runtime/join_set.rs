//! The half of [`JoinSet`] that starts tasks.

use std::panic::Location;

use super::Handle;
use crate::task::{AbortHandle, JoinSet};

impl<T: Send + 'static> JoinSet<T> {
    /// Starts a task on the current runtime and adds it to the set.
    ///
    /// # Panics
    ///
    /// Outside a runtime. Use [`spawn_on`](Self::spawn_on) there.
    ///
    /// ```
    /// # runtime::Runtime::new().unwrap().block_on(async {
    /// let mut set = runtime::task::JoinSet::new();
    /// let first = set.spawn(std::future::pending::<()>());
    /// first.abort();
    /// assert!(set.join_next().await.unwrap().unwrap_err().is_cancelled());
    /// # });
    /// ```
    #[track_caller]
    pub fn spawn<F>(&mut self, future: F) -> AbortHandle
    where
        F: Future<Output = T> + Send + 'static,
    {
        self.insert(crate::runtime::spawn(future))
    }

    /// Starts a task on the runtime of `handle` and adds it to the set. If that is gone, the task is
    /// in the set as a cancelled one.
    ///
    /// ```
    /// let runtime = runtime::Runtime::new().unwrap();
    /// let mut set = runtime::task::JoinSet::new();
    /// set.spawn_on(async { 1 }, runtime.handle());
    /// assert_eq!(runtime.block_on(set.join_all()), [1]);
    /// ```
    #[track_caller]
    pub fn spawn_on<F>(&mut self, future: F, handle: &Handle) -> AbortHandle
    where
        F: Future<Output = T> + Send + 'static,
    {
        self.insert(handle.spawn(future))
    }

    /// Runs a closure that blocks on the pool of the current runtime, as
    /// [`spawn_blocking`](crate::spawn_blocking) does, and adds it to the set.
    ///
    /// A job that has begun cannot be cancelled: aborting it has no effect, and dropping the set
    /// lets it finish.
    ///
    /// # Panics
    ///
    /// Outside a runtime.
    ///
    /// ```
    /// # runtime::Runtime::new().unwrap().block_on(async {
    /// let mut set = runtime::task::JoinSet::new();
    /// set.spawn_blocking(|| std::fs::read("/dev/null").unwrap().len());
    /// assert_eq!(set.join_all().await, [0]);
    /// # });
    /// ```
    #[track_caller]
    pub fn spawn_blocking<F>(&mut self, job: F) -> AbortHandle
    where
        F: FnOnce() -> T + Send + 'static,
    {
        self.insert(Handle::current().inner.blocking.spawn(job, Location::caller()))
    }
}

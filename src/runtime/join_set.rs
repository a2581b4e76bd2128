//! The half of [`JoinSet`] that starts tasks.

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

    /// Starts a task that stays on the calling thread, as [`spawn_local`](crate::spawn_local) does, and
    /// adds it to the set. For current-thread runtimes only; the future need not be `Send`, its output
    /// has to be.
    ///
    /// # Panics
    ///
    /// Outside async code and on a multi-thread runtime.
    ///
    /// ```
    /// use std::{cell::Cell, rc::Rc};
    ///
    /// #[runtime::main(flavor = "current_thread")]
    /// async fn main() {
    ///     let sum = Rc::new(Cell::new(0));
    ///     let mut set = runtime::task::JoinSet::new();
    ///     for n in 1..=3 {
    ///         let sum = Rc::clone(&sum);
    ///         set.spawn_local(async move { sum.set(sum.get() + n) });
    ///     }
    ///     set.join_all().await;
    ///     assert_eq!(sum.get(), 6);
    /// }
    /// ```
    #[track_caller]
    pub fn spawn_local<F>(&mut self, future: F) -> AbortHandle
    where
        F: Future<Output = T> + 'static,
    {
        self.insert(crate::runtime::spawn_local(future))
    }

    /// Runs a closure that blocks on the pool of the current runtime, as
    /// [`spawn_blocking`](crate::spawn_blocking) does, and adds it to the set.
    ///
    /// A job that has begun cannot be cancelled: aborting it has no effect, [`shutdown`](Self::shutdown)
    /// waits for it, and dropping the set lets it finish.
    ///
    /// # Panics
    ///
    /// Outside a runtime. Use [`spawn_blocking_on`](Self::spawn_blocking_on) there.
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
        self.spawn_blocking_on(job, &Handle::current())
    }

    /// [`spawn_blocking`](Self::spawn_blocking) on the pool of the runtime of `handle`. If that is gone,
    /// the job is in the set as a cancelled one.
    ///
    /// ```
    /// let runtime = runtime::Runtime::new().unwrap();
    /// let mut set = runtime::task::JoinSet::new();
    /// set.spawn_blocking_on(|| 1, runtime.handle());
    /// assert_eq!(futures::executor::block_on(set.join_all()), [1]);
    /// ```
    #[track_caller]
    pub fn spawn_blocking_on<F>(&mut self, job: F, handle: &Handle) -> AbortHandle
    where
        F: FnOnce() -> T + Send + 'static,
    {
        self.insert(handle.spawn_blocking(job))
    }
}

//! Starting tasks on the runtime that the calling code runs in.

use std::borrow::Cow;
use std::panic::Location;

use super::Handle;
use crate::executor;
use crate::task::JoinHandle;

/// Starts a task on the current runtime.
///
/// It runs at once and by itself, whether or not the handle is awaited; dropping the handle detaches
/// it. What still runs when the runtime goes (when `main` returns, say) is dropped. A panic inside
/// ends up in the handle. The new task runs next on the worker that spawned it,
/// unless another one has time for it earlier.
///
/// # Panics
///
/// Outside a runtime. Use [`Handle::spawn`] there.
///
/// ```
/// #[runtime::main]
/// async fn main() {
///     let task = runtime::spawn(async { 40 + 2 });
///     assert_eq!(task.await.unwrap(), 42);
/// }
/// ```
#[track_caller]
pub fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let spawned_at = Location::caller();
    let spawned = Handle::with_current(|handle| handle.inner.scheduler.spawn(future, spawned_at));
    let (task, refused) = match spawned {
        Ok(spawned) => spawned,
        Err(error) => panic!("{error}"),
    };
    // A refused future's destructor may enter another runtime, which `with_current` forbids.
    if let Some(refused) = refused {
        drop(refused);
    }
    task
}

/// Starts a task that has a name, on the current runtime.
///
/// The name is in the list of [tasks](Handle::tasks) and in reports of [stalls](crate::Builder::on_stall). Only tasks
/// that have one pay for it: a lock when the task starts, one when it ends, and room for the name.
///
/// # Panics
///
/// Outside a runtime. Use [`Handle::spawn_named`] there.
///
/// ```
/// # runtime::Runtime::new().unwrap().block_on(async {
/// let peer = "192.0.2.1:4711";
/// runtime::spawn_named(format!("connection of {peer}"), async {}).await.unwrap();
/// # });
/// ```
#[track_caller]
pub fn spawn_named<F>(name: impl Into<Cow<'static, str>>, future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    Handle::current().spawn_named(name, future)
}

/// Starts a task that stays on the calling thread, so that its future need not be `Send`.
///
/// For current-thread runtimes only. The task runs while the thread that spawned it is the one that
/// drives the runtime; while another does, it waits. Its future is dropped on that thread, too: if
/// the task is cancelled by another one, when the thread next drives a runtime or ends. A thread that
/// ends cancels its local tasks. An output that is not `Send` is handed over by other means, such as an
/// `Rc<Cell<_>>`.
///
/// # Panics
///
/// Outside async code (see [`Runtime::spawn_local`](crate::Runtime::spawn_local)) and on a multi-thread runtime.
///
/// ```
/// use std::{cell::Cell, rc::Rc};
///
/// #[runtime::main(flavor = "current_thread")]
/// async fn main() {
///     let count = Rc::new(Cell::new(0));
///     let counted = Rc::clone(&count);
///     runtime::spawn_local(async move { counted.set(1) }).await.unwrap();
///     assert_eq!(count.get(), 1);
/// }
/// ```
#[track_caller]
pub fn spawn_local<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + 'static,
    F::Output: Send + 'static,
{
    assert!(
        executor::in_async_context(),
        "`spawn_local` was called outside async code, on a thread that may never drive a runtime: \
         use `Runtime::spawn_local` there"
    );
    Handle::current().spawn_local(future)
}

/// Runs a closure that blocks, on a pool of threads for such work.
///
/// The pool starts threads as they are needed, up to
/// [`max_blocking_threads`](crate::Builder::max_blocking_threads), and lets idle ones go after
/// [`thread_keep_alive`](crate::Builder::thread_keep_alive). What finds no thread waits its turn, in order.
/// A job that runs cannot be cancelled; one that waits can. If the operating system refuses the
/// pool's first thread, the handle says cancelled.
///
/// The closure runs inside the runtime's context and may itself use
/// [`Handle::block_on`].
///
/// # Panics
///
/// Outside a runtime. Use [`Handle::spawn_blocking`] there.
///
/// ```
/// #[runtime::main]
/// async fn main() {
///     let job = runtime::spawn_blocking(|| (1..=20_u64).product::<u64>());
///     assert_eq!(job.await.unwrap(), 2_432_902_008_176_640_000);
/// }
/// ```
#[track_caller]
pub fn spawn_blocking<F, R>(job: F) -> JoinHandle<R>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    Handle::current().inner.blocking.spawn(job, Location::caller())
}

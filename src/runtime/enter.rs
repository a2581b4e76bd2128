//! Entering a runtime: the thread-local that says which one the code on this thread is in, the
//! guard that sets it, and the future that is polled under such guards.
//!
//! Each part has a thread-local of its own, in its own file; entering a runtime sets them all.

use std::cell::{Cell, RefCell};
use std::error::Error;
use std::fmt;
use std::future::poll_fn;
use std::marker::PhantomData;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::thread;

use super::Handle;
use crate::{blocking, driver};

std::thread_local! {
    static CURRENT: RefCell<Option<Handle>> = const { RefCell::new(None) };
    /// How many guards of [`Handle::enter`] live on this thread.
    static DEPTH: Cell<usize> = const { Cell::new(0) };
}

impl Handle {
    /// The runtime that the calling code runs in.
    ///
    /// # Panics
    ///
    /// Outside a runtime. [`try_current`](Self::try_current) does not.
    ///
    /// ```
    /// let runtime = runtime::Runtime::new().unwrap();
    /// runtime.block_on(async {
    ///     runtime::Handle::current().spawn(async {});
    /// });
    /// ```
    #[track_caller]
    pub fn current() -> Self {
        match Self::try_current() {
            Ok(handle) => handle,
            Err(error) => panic!("{error}"), // not in a closure: those have a place of their own
        }
    }

    /// The runtime that the calling code runs in, if any.
    ///
    /// # Errors
    ///
    /// Outside a runtime, and in destructors of thread-locals.
    ///
    /// ```
    /// assert!(runtime::Handle::try_current().is_err());
    /// ```
    pub fn try_current() -> Result<Self, TryCurrentError> {
        Self::with_current(Self::clone)
    }

    #[inline(always)] // as `Scheduler::spawn`, which it is for
    pub(super) fn with_current<R>(f: impl FnOnce(&Self) -> R) -> Result<R, TryCurrentError> {
        // What `f` owns is the user's: without a runtime it is dropped after the borrow.
        let mut f = Some(f);
        CURRENT
            .try_with(|current| {
                current.borrow().as_ref().and_then(|handle| Some(f.take()?(handle)))
            })
            .ok()
            .flatten()
            .ok_or(TryCurrentError(()))
    }

    /// Makes this the runtime of the calling thread until the guard is dropped: [`spawn`] and
    /// constructors of sockets and timers find it. In destructors of thread-locals it does nothing.
    ///
    /// Guards nest and are dropped in the reverse order. For asynchronous code there is
    /// [`inside`](Self::inside).
    ///
    /// [`spawn`]: crate::spawn
    ///
    /// ```
    /// let runtime = runtime::Runtime::new().unwrap();
    /// let guard = runtime.handle().enter();
    /// assert!(runtime::Handle::try_current().is_ok());
    /// drop(guard);
    /// assert!(runtime::Handle::try_current().is_err());
    /// ```
    pub fn enter(&self) -> EnterGuard<'_> {
        let former = CURRENT.try_with(|current| current.replace(Some(self.clone())));
        let entered = former.ok().map(|former| Entered {
            former,
            depth: DEPTH.with(|depth| {
                depth.set(depth.get() + 1);
                depth.get()
            }),
            // A worker keeps its own shard also inside another guard.
            _driver: self.inner.driver.enter(self.inner.driver.shard()),
            _blocking: self.inner.blocking.enter(),
        });
        EnterGuard { entered, _here: PhantomData }
    }

    /// Polls `future`, and drops it, inside this runtime, whichever executor awaits the result: what
    /// [`enter`](Self::enter) is for synchronous code.
    ///
    /// It stays a part of the task that awaits it. Whatever it calls finds this runtime: constructors
    /// of sockets and timers, [`spawn`](crate::spawn), and libraries that use them. A future that
    /// holds a guard of [`enter`](Self::enter) while it waits makes it panic.
    ///
    /// For sockets, files and timers there are also constructors that take a handle, such as
    /// [`TcpStream::connect_in`](crate::net::TcpStream::connect_in).
    ///
    /// # Cancel safety
    ///
    /// As cancel safe as the future.
    ///
    /// ```
    /// let runtime = runtime::Runtime::new().unwrap();
    /// let lines = runtime.handle().inside(async {
    ///     let text = runtime::fs::read_to_string("Cargo.toml").await?;
    ///     std::io::Result::Ok(text.lines().count())
    /// });
    /// assert!(futures::executor::block_on(lines).unwrap() > 0);
    /// ```
    pub fn inside<F: Future>(&self, future: F) -> impl Future<Output = F::Output> + use<F> {
        let handle = self.clone();
        async move {
            let future = pin!(Some(future));
            let mut inside = Inside { handle, future };
            poll_fn(|cx| inside.poll(cx)).await
        }
    }
}

/// Leaves a runtime when dropped. See [`Handle::enter`].
///
/// # Panics
///
/// Dropping it before a guard that was made later on the same thread panics: the thread would be
/// left in the wrong runtime.
///
/// It stays on its thread:
///
/// ```compile_fail
/// let runtime = runtime::Runtime::new().unwrap();
/// let guard = runtime.enter();
/// std::thread::scope(|scope| { scope.spawn(move || drop(guard)); });
/// ```
#[must_use = "the runtime is left when the guard is dropped"]
pub struct EnterGuard<'a> {
    /// Nothing in destructors of thread-locals.
    entered: Option<Entered>,
    _here: PhantomData<(&'a Handle, *const ())>,
}

struct Entered {
    former: Option<Handle>,
    depth: usize,
    _driver: driver::EnterGuard,
    _blocking: blocking::EnterGuard,
}

impl Drop for EnterGuard<'_> {
    #[track_caller]
    fn drop(&mut self) {
        let Some(entered) = self.entered.take() else { return };
        let depth = DEPTH.try_with(|depth| depth.replace(depth.get() - 1)).unwrap_or(entered.depth);
        let left = CURRENT.try_with(|current| current.replace(entered.former));
        drop(left);
        if depth != entered.depth && !thread::panicking() {
            panic!(
                "a guard of `Handle::enter` was dropped before one that was made after it; \
                 drop them in the reverse order"
            );
        }
    }
}

impl fmt::Debug for EnterGuard<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EnterGuard").finish_non_exhaustive()
    }
}

/// A future that was polled by [`Handle::inside`].
struct Inside<'a, F> {
    handle: Handle,
    /// `None` once it is being dropped.
    future: Pin<&'a mut Option<F>>,
}

impl<F: Future> Inside<'_, F> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<F::Output> {
        let _inside = self.handle.enter();
        let future = self.future.as_mut().as_pin_mut();
        future.expect("it is there until it is dropped").poll(cx)
    }
}

impl<F> Drop for Inside<'_, F> {
    fn drop(&mut self) {
        let _inside = self.handle.enter();
        self.future.set(None);
    }
}

/// There is no runtime here: [`Handle::try_current`] was called outside of one.
#[derive(Debug)]
pub struct TryCurrentError(());

impl fmt::Display for TryCurrentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "there is no runtime here: call this inside `block_on` or a task, or hold the guard of \
             `Handle::enter`",
        )
    }
}

impl Error for TryCurrentError {}

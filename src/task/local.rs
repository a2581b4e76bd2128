//! Task-locals: values that a future and what it calls find without being passed them.
//!
//! A value lives in the future of [`LocalKey::scope`]. Each poll swaps it into a thread-local and back
//! out, also if the poll panics; dropping the future does the same, so destructors find the value, too.
//! No code of the user runs while the thread-local is borrowed, but for what `with` is given.

use std::cell::RefCell;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::thread;

/// Declares task-locals, each of the type [`LocalKey`](crate::task::LocalKey).
///
/// ```
/// runtime::task_local! {
///     /// Which request this is for.
///     pub static REQUEST: u64;
///     static USER: String;
/// }
///
/// # runtime::Runtime::new().unwrap().block_on(async {
/// let answer = REQUEST.scope(7, async { REQUEST.get() * 2 }).await;
/// assert_eq!(answer, 14);
/// # let _ = USER.try_with(|_| ());
/// # });
/// ```
#[macro_export]
macro_rules! task_local {
    ($($(#[$attribute:meta])* $vis:vis static $name:ident: $type:ty);+ $(;)?) => {$(
        $(#[$attribute])*
        $vis static $name: $crate::task::LocalKey<$type> = {
            ::std::thread_local! {
                static SLOT: ::std::cell::RefCell<::std::option::Option<$type>> =
                    const { ::std::cell::RefCell::new(::std::option::Option::None) };
            }
            $crate::task::LocalKey::new(&SLOT)
        };
    )+};
}

/// The name of a task-local value; made by [`task_local!`](crate::task_local).
///
/// The value is there inside [`scope`](Self::scope), whichever thread polls that. It is not inherited by
/// tasks that are spawned inside: give them a scope of their own.
///
/// ```
/// runtime::task_local!(static NAME: &'static str);
///
/// # runtime::Runtime::new().unwrap().block_on(async {
/// let task = runtime::spawn(NAME.scope("worker", async {
///     runtime::task::yield_now().await;
///     NAME.get()
/// }));
/// assert_eq!(task.await.unwrap(), "worker");
/// # });
/// ```
pub struct LocalKey<T: 'static> {
    slot: &'static thread::LocalKey<RefCell<Option<T>>>,
}

impl<T: 'static> LocalKey<T> {
    /// For [`task_local!`](crate::task_local).
    #[doc(hidden)]
    pub const fn new(slot: &'static thread::LocalKey<RefCell<Option<T>>>) -> Self {
        Self { slot }
    }

    /// Runs `future` with `value` in its place, which is dropped after the future.
    ///
    /// Scopes nest: the inner value hides the outer one for as long as the inner future is polled.
    ///
    /// # Panics
    ///
    /// With the future's own panic, and if it is polled inside the closure of [`with`](Self::with) of
    /// the same key.
    ///
    /// # Cancel safety
    ///
    /// As cancel safe as the future, whose destructor finds the value if it was polled.
    ///
    /// ```
    /// runtime::task_local!(static DEPTH: u32);
    ///
    /// # runtime::Runtime::new().unwrap().block_on(async {
    /// DEPTH
    ///     .scope(1, async {
    ///         assert_eq!(DEPTH.scope(2, async { DEPTH.get() }).await, 2);
    ///         assert_eq!(DEPTH.get(), 1);
    ///     })
    ///     .await;
    /// # });
    /// ```
    #[expect(clippy::manual_async_fn, reason = "that drops its parameters in their order")]
    pub fn scope<F: Future>(&'static self, value: T, future: F) -> impl Future<Output = F::Output> {
        async move {
            // Named first, so that a future that was never polled goes before the value, too.
            let future = pin!(Some(future));
            let mut scoped = Scoped { key: self, value: Some(value), future };
            poll_fn(|cx| scoped.poll(cx)).await
        }
    }

    /// Calls `f` with `value` in its place.
    ///
    /// # Panics
    ///
    /// With the panic of `f`, and inside the closure of [`with`](Self::with) of the same key.
    ///
    /// ```
    /// runtime::task_local!(static N: u32);
    /// assert_eq!(N.sync_scope(1, || N.get()), 1);
    /// ```
    #[track_caller]
    pub fn sync_scope<R>(&'static self, value: T, f: impl FnOnce() -> R) -> R {
        self.lend(&mut Some(value), f)
    }

    /// Calls `f` with what is in `value`, which is given back.
    #[track_caller]
    pub(crate) fn lend<R>(&'static self, value: &mut Option<T>, f: impl FnOnce() -> R) -> R {
        let _swapped = Swapped::new(self, value);
        f()
    }

    /// Calls `f` with the value.
    ///
    /// # Panics
    ///
    /// Outside a scope of this key. [`try_with`](Self::try_with) does not.
    ///
    /// ```
    /// runtime::task_local!(static NAME: String);
    /// let length = NAME.sync_scope("seven".to_owned(), || NAME.with(String::len));
    /// assert_eq!(length, 5);
    /// ```
    #[track_caller]
    pub fn with<R>(&'static self, f: impl FnOnce(&T) -> R) -> R {
        match self.try_with(f) {
            Ok(result) => result,
            Err(error) => panic!("{error}"), // not in a closure: those have a place of their own
        }
    }

    /// Calls `f` with the value, if there is one.
    ///
    /// # Errors
    ///
    /// Outside a scope of this key, and in destructors of thread-locals.
    ///
    /// ```
    /// runtime::task_local!(static N: u32);
    /// assert!(N.try_with(|_| ()).is_err());
    /// ```
    pub fn try_with<R>(&'static self, f: impl FnOnce(&T) -> R) -> Result<R, AccessError> {
        let mut f = Some(f); // dropped after the borrow if there is no value
        let result = self
            .slot
            .try_with(|slot| slot.borrow().as_ref().and_then(|value| Some(f.take()?(value))));
        result.ok().flatten().ok_or(AccessError(()))
    }

    /// A copy of the value.
    ///
    /// # Panics
    ///
    /// Outside a scope of this key.
    ///
    /// ```
    /// runtime::task_local!(static N: u32);
    /// assert_eq!(N.sync_scope(3, || N.get()), 3);
    /// ```
    #[track_caller]
    pub fn get(&'static self) -> T
    where
        T: Clone,
    {
        self.with(T::clone)
    }
}

impl<T> fmt::Debug for LocalKey<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalKey").finish_non_exhaustive()
    }
}

/// A future and the value that it runs with. The future goes first, with the value in place.
struct Scoped<'a, T: 'static, F> {
    key: &'static LocalKey<T>,
    value: Option<T>,
    future: Pin<&'a mut Option<F>>,
}

impl<T, F: Future> Scoped<'_, T, F> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<F::Output> {
        let future = self.future.as_mut().as_pin_mut().expect("there until this is dropped");
        self.key.lend(&mut self.value, || future.poll(cx))
    }
}

impl<T, F> Drop for Scoped<'_, T, F> {
    fn drop(&mut self) {
        // In a destructor of a thread-local there may be no place for the value.
        let _swapped = Swapped::try_new(self.key, &mut self.value);
        self.future.set(None);
    }
}

/// While it lives, a value is in the thread-local and what was there is in the value's place.
struct Swapped<'a, T: 'static> {
    key: &'static LocalKey<T>,
    value: &'a mut Option<T>,
}

impl<'a, T> Swapped<'a, T> {
    #[track_caller]
    fn new(key: &'static LocalKey<T>, value: &'a mut Option<T>) -> Self {
        match Self::try_new(key, value) {
            Some(swapped) => swapped,
            None => panic!(
                "a task-local cannot be set inside `LocalKey::with`, or while its thread ends"
            ),
        }
    }

    fn try_new(key: &'static LocalKey<T>, value: &'a mut Option<T>) -> Option<Self> {
        // Not `then_some`: a `Swapped` that is not to be would swap when it is dropped.
        if key.swap(value) { Some(Self { key, value }) } else { None }
    }
}

impl<T> Drop for Swapped<'_, T> {
    fn drop(&mut self) {
        // Nobody has it borrowed: whoever borrowed it since has returned or unwound.
        let swapped = self.key.swap(self.value);
        debug_assert!(swapped, "it was there when this was made");
    }
}

impl<T> LocalKey<T> {
    /// Exchanges the two, if the thread-local is there and not borrowed.
    fn swap(&self, value: &mut Option<T>) -> bool {
        let swapped = self.slot.try_with(|slot| {
            let borrowed = slot.try_borrow_mut();
            borrowed.map(|mut slot| std::mem::swap(&mut *slot, value)).is_ok()
        });
        swapped.unwrap_or(false)
    }
}

/// There is no value: [`LocalKey::try_with`] was called outside a scope of its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccessError(());

impl fmt::Display for AccessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a task-local was read outside a scope that sets it: see `LocalKey::scope`")
    }
}

impl std::error::Error for AccessError {}

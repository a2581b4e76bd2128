//! A runtime as a plain value: what takes a [`Handle`] where its twin takes the runtime of the thread.
//!
//! The names are the twin's with `_in`, the handle comes last. Those of sockets and files enter the
//! runtime and call the twin, so there is one implementation of each; for timers entering would cost
//! more than making one, so they get what they need of the handle. They are here and not beside their
//! twins because arrows go down: sockets, files and timers know parts of a runtime and no [`Handle`].
//! Not every constructor has such a form: [`Handle::enter`] and [`Handle::inside`] are for the rest.

mod fs;
mod net;
pub(crate) mod time;

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use super::Handle;

/// Methods that enter the runtime of a handle and call their twin.
macro_rules! explicit {
    () => {};
    (
        $(#[$attr:meta])*
        $Type:ident::$name_in:ident($($arg:ident: $Arg:ty),*) => $name:ident;
        $($rest:tt)*
    ) => {
        impl $Type {
            #[doc = concat!("[`", stringify!($name), "`](Self::", stringify!($name), ")")]
            /// in the runtime of `handle`, on any thread.
            ///
            /// # Errors
            ///
            /// As there; after the shutdown of the runtime.
            ///
            $(#[$attr])*
            pub fn $name_in($($arg: $Arg,)* handle: &Handle) -> io::Result<Self> {
                let _inside = handle.enter();
                Self::$name($($arg),*)
            }
        }
        explicit!($($rest)*);
    };
    (
        $(#[$attr:meta])*
        async $Type:ident::$name_in:ident($($arg:ident: $Arg:ty),*) => $name:ident;
        $($rest:tt)*
    ) => {
        impl $Type {
            #[doc = concat!("[`", stringify!($name), "`](Self::", stringify!($name), ")")]
            /// in the runtime of `handle`, under any executor.
            ///
            /// # Errors
            ///
            /// As there; after the shutdown of the runtime.
            ///
            /// # Cancel safety
            ///
            /// As there.
            ///
            $(#[$attr])*
            pub async fn $name_in($($arg: $Arg,)* handle: &Handle) -> io::Result<Self> {
                handle.inside(Self::$name($($arg),*)).await
            }
        }
        explicit!($($rest)*);
    };
}

use explicit;

impl Handle {
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

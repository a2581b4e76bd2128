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
            #[inline]
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

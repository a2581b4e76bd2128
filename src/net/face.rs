//! What users see of every socket, stream or not: waiting by itself, operations of their own, the
//! descriptor.

/// `ready` and its kin, `Ready` for the type and for `&` of it, and `Debug`, by way of its `io`.
macro_rules! waits {
    ($Type:ident, $name:literal, $try:literal) => {
        impl $Type {
            /// Waits until it is ready for `interest`, which may turn out wrong: the
            /// operation after it may still say `WouldBlock`. Then wait again.
            ///
            /// Any number of tasks may wait on `&self`; all of them are woken.
            ///
            /// # Errors
            ///
            /// `InvalidInput` for an interest that it is not watched for, such as `PRIORITY` of a socket
            /// for messages; after the shutdown of the runtime.
            ///
            /// # Cancel safety
            ///
            /// Cancel safe: dropping it loses nothing.
            #[doc = concat!("
```
# async fn example(socket: &", $name, ") -> std::io::Result<()> {
use std::io::ErrorKind;
use runtime::io::Interest;

let mut buf = [0; 1024];
let count = loop {
    socket.ready(Interest::READ).await?;
    match socket.", $try, "(&mut buf) {
        Err(error) if error.kind() == ErrorKind::WouldBlock => {}
        result => break result?,
    }
};
# Ok(()) }
```")]
            #[inline]
            pub fn ready(
                &self,
                interest: Interest,
            ) -> impl Future<Output = io::Result<Readiness>> + Send {
                self.io.ready(interest)
            }

            /// Waits until there is something to read, the end included.
            ///
            /// # Errors
            ///
            /// After the shutdown of the runtime.
            ///
            /// # Cancel safety
            ///
            /// Cancel safe.
            pub async fn readable(&self) -> io::Result<()> {
                self.ready(Interest::READ).await.map(drop)
            }

            /// Waits until there is room to write, or writing would fail.
            ///
            /// # Errors
            ///
            /// After the shutdown of the runtime.
            ///
            /// # Cancel safety
            ///
            /// Cancel safe.
            pub async fn writable(&self) -> io::Result<()> {
                self.ready(Interest::WRITE).await.map(drop)
            }

            /// Runs a non-blocking operation of your own on the descriptor, if it is known to
            /// be ready for `interest`. A `WouldBlock` of `op` clears that.
            ///
            /// # Errors
            ///
            /// `WouldBlock` if it is not known to be ready; `InvalidInput` as [`ready`](Self::ready); else
            /// those of `op`.
            pub fn try_io<R>(
                &self,
                interest: Interest,
                op: impl FnOnce() -> io::Result<R>,
            ) -> io::Result<R> {
                self.io.check(interest)?;
                self.io.registration().try_io(interest, || self.io.observed(op), |_| 0)
            }

            /// Waits for `interest` and runs a non-blocking operation of your own on the descriptor,
            /// until it says anything but `WouldBlock`.
            ///
            /// # Errors
            ///
            /// Those of `op`; `InvalidInput` as [`ready`](Self::ready); after the shutdown of the runtime.
            ///
            /// # Cancel safety
            ///
            /// Cancel safe: `op` has run to its end or not at all.
            pub async fn async_io<R>(
                &self,
                interest: Interest,
                mut op: impl FnMut() -> io::Result<R>,
            ) -> io::Result<R> {
                self.io.check(interest)?;
                self.io.async_io(interest, |_| self.io.observed(&mut op), |_| 0).await
            }

            /// The pending error of the socket (`SO_ERROR`), which asking clears.
            ///
            /// # Errors
            ///
            /// Those of the operating system.
            #[inline]
            pub fn take_error(&self) -> io::Result<Option<io::Error>> {
                self.io.take_error()
            }
        }

        impl fmt::Debug for $Type {
            #[inline]
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.io.fmt(f)
            }
        }

        impl Ready for $Type {
            #[inline]
            fn poll_ready(
                &mut self,
                cx: &mut Context<'_>,
                interest: Interest,
            ) -> Poll<io::Result<Readiness>> {
                self.io.poll_ready(cx, interest)
            }

            #[inline]
            fn stop_waiting(&mut self, interest: Interest) {
                self.io.registration().stop_waiting(interest);
            }

            #[inline]
            fn ready(
                &mut self,
                interest: Interest,
            ) -> impl Future<Output = io::Result<Readiness>> + Send {
                self.io.ready(interest)
            }
        }

        impl Ready for &$Type {
            #[inline]
            fn poll_ready(
                &mut self,
                cx: &mut Context<'_>,
                interest: Interest,
            ) -> Poll<io::Result<Readiness>> {
                self.io.poll_ready_shared(cx, interest)
            }

            #[inline]
            fn ready(
                &mut self,
                interest: Interest,
            ) -> impl Future<Output = io::Result<Readiness>> + Send {
                self.io.ready(interest)
            }
        }
    };
}

/// The descriptor of a socket: borrowed, taken out, and into std.
macro_rules! descriptor {
    ($ty:ident, $std:ty, |$this:ident| $io:expr, |$that:ident| $into:expr) => {
        #[cfg(unix)]
        impl AsFd for $ty {
            #[inline]
            fn as_fd(&self) -> BorrowedFd<'_> {
                let $this = self;
                $io.as_fd()
            }
        }

        #[cfg(unix)]
        impl AsRawFd for $ty {
            #[inline]
            fn as_raw_fd(&self) -> RawFd {
                let $this = self;
                $io.as_raw_fd()
            }
        }

        /// Takes the socket out of the runtime; it stays non-blocking.
        #[cfg(unix)]
        impl IntoRawFd for $ty {
            #[inline]
            fn into_raw_fd(self) -> RawFd {
                let $that = self;
                $into.into_inner_lossy().into_raw_fd()
            }
        }

        /// Takes the socket out of the runtime; it stays non-blocking.
        #[cfg(unix)]
        impl From<$ty> for OwnedFd {
            #[inline]
            fn from($that: $ty) -> Self {
                OwnedFd::from(<$std>::from($into.into_inner_lossy()))
            }
        }
    };
}

pub(super) use {descriptor, waits};

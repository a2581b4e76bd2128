//! The public face of a stream socket, once for TCP and Unix: the methods that both have and the
//! I/O traits, for the stream itself (one user per direction) and for `&` of it (any number).
//!
//! The waiting and the operations are in `evented.rs` and `socket.rs`; this is only what users see.

macro_rules! stream {
    ($Stream:ident, $mio:ty, $std:ty, $name:literal) => {
        impl $Stream {
            /// Takes a stream of the standard library and makes it non-blocking.
            ///
            /// # Errors
            ///
            /// Outside a runtime, after its shutdown, and those of the operating system; the stream
            /// is closed then.
            pub fn from_std(stream: $std) -> io::Result<Self> {
                stream.set_nonblocking(true)?;
                Ok(Self { io: Evented::stream(<$mio>::from_std(stream))? })
            }

            /// Takes the stream out of the runtime. It stays non-blocking: call
            /// `set_nonblocking(false)` on the result if you need the other.
            ///
            /// # Errors
            ///
            /// Those of the operating system; the stream is closed then.
            pub fn into_std(self) -> io::Result<$std> {
                self.io.into_inner().map(Into::into)
            }

            /// Waits until the stream is ready for `interest`, which may turn out wrong: the
            /// operation after it may still say `WouldBlock`. Then wait again.
            ///
            /// Any number of tasks may wait on `&self`; all of them are woken.
            ///
            /// # Errors
            ///
            /// After the shutdown of the runtime.
            ///
            /// # Cancel safety
            ///
            /// Cancel safe: dropping it loses nothing.
            ///
            #[doc = concat!("```
# async fn example(stream: &", $name, ") -> std::io::Result<()> {
use std::io::ErrorKind;
use runtime::io::Interest;

let mut buf = [0; 1024];
let count = loop {
    stream.ready(Interest::READ).await?;
    match stream.try_read(&mut buf) {
        Err(error) if error.kind() == ErrorKind::WouldBlock => {}
        result => break result?,
    }
};
# Ok(()) }
```")]
            pub fn ready(
                &self,
                interest: Interest,
            ) -> impl Future<Output = io::Result<Readiness>> + Send {
                self.io.registration().ready(interest)
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

            /// Reads without waiting. `Ok(0)` is the end of the stream, or an empty `buf`.
            ///
            /// # Errors
            ///
            /// `WouldBlock` if the stream is not known to be ready: wait for
            /// [`readable`](Self::readable). Else those of the operating system.
            pub fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
                self.io.read(BorrowedBuf::from(buf).unfilled())
            }

            /// Reads without waiting into memory that need not be initialized.
            ///
            /// # Errors
            ///
            /// As [`try_read`](Self::try_read).
            pub fn try_read_buf(&self, buf: BorrowedCursor<'_>) -> io::Result<usize> {
                self.io.read(buf)
            }

            /// Reads without waiting into several buffers.
            ///
            /// # Errors
            ///
            /// As [`try_read`](Self::try_read).
            pub fn try_read_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
                self.io.read_slices(bufs)
            }

            /// Writes without waiting, as much as there is room for.
            ///
            /// # Errors
            ///
            /// `WouldBlock` if the stream is not known to be ready: wait for
            /// [`writable`](Self::writable). Else those of the operating system.
            pub fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
                self.io.write(buf)
            }

            /// Writes without waiting from several buffers.
            ///
            /// # Errors
            ///
            /// As [`try_write`](Self::try_write).
            pub fn try_write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
                self.io.write_vectored(bufs)
            }

            /// Runs a non-blocking operation of your own on the descriptor, if the stream is known to
            /// be ready for `interest`. A `WouldBlock` of `op` clears that.
            ///
            /// # Errors
            ///
            /// `WouldBlock` if the stream is not known to be ready; else those of `op`.
            pub fn try_io<R>(
                &self,
                interest: Interest,
                op: impl FnOnce() -> io::Result<R>,
            ) -> io::Result<R> {
                self.io.registration().try_io(interest, || self.io.observed(op), |_| 0)
            }

            /// Waits for `interest` and runs a non-blocking operation of your own on the descriptor,
            /// until it says anything but `WouldBlock`.
            ///
            /// # Errors
            ///
            /// Those of `op`, and after the shutdown of the runtime.
            ///
            /// # Cancel safety
            ///
            /// Cancel safe: `op` has run to its end or not at all.
            pub async fn async_io<R>(
                &self,
                interest: Interest,
                mut op: impl FnMut() -> io::Result<R>,
            ) -> io::Result<R> {
                self.io.async_io(interest, |io| io.observed(&mut op), |_| 0).await
            }

            /// The pending error of the socket (`SO_ERROR`), which asking clears.
            ///
            /// # Errors
            ///
            /// Those of the operating system.
            pub fn take_error(&self) -> io::Result<Option<io::Error>> {
                self.io.take_error()
            }

            /// Closes the reading, the writing or both directions at once, without flushing or
            /// waiting. A connection that is gone already counts as closed.
            ///
            /// Writing is also closed by [`Write::shutdown`](crate::io::Write::shutdown). After
            /// closing the reading side Linux still delivers data that arrives later.
            ///
            /// # Errors
            ///
            /// Those of the operating system.
            pub fn shutdown_now(&self, how: Shutdown) -> io::Result<()> {
                self.io.shutdown(how)
            }

            /// Splits into a reading and a writing half that borrow the stream. No lock is involved.
            #[doc = concat!("
```
# async fn example(mut stream: ", $name, ") -> std::io::Result<()> {
use runtime::io::copy;

let (mut reader, mut writer) = stream.split();
copy(&mut reader, &mut writer).await?; // an echo server
# Ok(()) }
```")]
            pub fn split(&mut self) -> (ReadHalf<'_>, WriteHalf<'_>) {
                (ReadHalf(self), WriteHalf(self))
            }

            /// Splits into a reading and a writing half for different tasks. No lock is involved.
            ///
            /// Dropping the write half closes the writing direction, unless it is
            /// [forgotten](OwnedWriteHalf::forget). [`reunite`](OwnedReadHalf::reunite) puts them
            /// together again.
            #[doc = concat!("
```
# async fn example(stream: ", $name, ") -> std::io::Result<()> {
use runtime::io::{Read, Write};

let (mut reader, mut writer) = stream.into_split();
let writing = runtime::spawn(async move { writer.write_all(b\"question\").await });
let mut answer = Vec::new();
reader.read_to_end(&mut answer).await?;
# Ok(()) }
```")]
            pub fn into_split(self) -> (OwnedReadHalf, OwnedWriteHalf) {
                halves::own(self)
            }
        }

        impl fmt::Debug for $Stream {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.io.fmt(f)
            }
        }

        impl Ready for $Stream {
            #[inline]
            fn poll_ready(
                &mut self,
                cx: &mut Context<'_>,
                interest: Interest,
            ) -> Poll<io::Result<Readiness>> {
                self.io.registration().poll_ready(cx, interest)
            }

            #[inline]
            fn stop_waiting(&mut self, interest: Interest) {
                self.io.registration().stop_waiting(interest);
            }

            fn ready(
                &mut self,
                interest: Interest,
            ) -> impl Future<Output = io::Result<Readiness>> + Send {
                self.io.registration().ready(interest)
            }
        }

        impl Ready for &$Stream {
            #[inline]
            fn poll_ready(
                &mut self,
                cx: &mut Context<'_>,
                interest: Interest,
            ) -> Poll<io::Result<Readiness>> {
                self.io.registration().poll_ready_shared(cx, interest)
            }

            fn ready(
                &mut self,
                interest: Interest,
            ) -> impl Future<Output = io::Result<Readiness>> + Send {
                self.io.registration().ready(interest)
            }
        }

        ready_read!([] $Stream, |this| this);
        ready_write!([] $Stream, |this| this, |this| this.io.shutdown(Shutdown::Write));
        leaf_io!(vectored impl Stream for $Stream);
        ready_read!(['a] &'a $Stream, |this| this);
        ready_write!(['a] &'a $Stream, |this| this, |this| this.io.shutdown(Shutdown::Write));
        leaf_io!(vectored impl ['a] Stream for &'a $Stream);
        descriptor!($Stream, $std, |this| this.io, |this| this.io);
    };
}

/// `ReadyRead` for something that leads to a stream.
macro_rules! ready_read {
    ([$($generics:tt)*] $ty:ty, |$this:ident| $stream:expr) => {
        impl<$($generics)*> ReadyRead for $ty {
            #[inline]
            fn non_blocking_read(&mut self, buf: BorrowedCursor<'_>) -> io::Result<NonBlocking<()>> {
                let $this = self;
                NonBlocking::from_result($stream.io.read(buf).map(drop))
            }

            fn non_blocking_read_vectored(
                &mut self,
                bufs: BorrowedSliceCursor<'_>,
            ) -> io::Result<NonBlocking<usize>> {
                let $this = self;
                NonBlocking::from_result($stream.io.read_vectored(bufs))
            }
        }
    };
}

/// `ReadyWrite` for something that leads to a stream.
macro_rules! ready_write {
    (
        [$($generics:tt)*] $ty:ty,
        |$this:ident| $stream:expr,
        |$that:ident| $shutdown:expr
    ) => {
        impl<$($generics)*> ReadyWrite for $ty {
            #[inline]
            fn non_blocking_write(&mut self, buf: &[u8]) -> io::Result<NonBlocking<usize>> {
                let $this = self;
                NonBlocking::from_result($stream.io.write(buf))
            }

            fn non_blocking_write_vectored(
                &mut self,
                bufs: &[IoSlice<'_>],
            ) -> io::Result<NonBlocking<usize>> {
                let $this = self;
                NonBlocking::from_result($stream.io.write_vectored(bufs))
            }

            fn non_blocking_flush(&mut self) -> io::Result<NonBlocking<()>> {
                $crate::coop::charge(0); // nothing to do, but nobody may do it all day long
                Ok(NonBlocking::Ready(()))
            }
            fn non_blocking_shutdown(&mut self) -> io::Result<NonBlocking<()>> {
                let $that = self;
                $shutdown.map(NonBlocking::Ready)
            }
        }
    };
}

/// The descriptor of a socket: borrowed, taken out, and into std.
macro_rules! descriptor {
    ($ty:ident, $std:ty, |$this:ident| $io:expr, |$that:ident| $into:expr) => {
        #[cfg(unix)]
        impl AsFd for $ty {
            fn as_fd(&self) -> BorrowedFd<'_> {
                let $this = self;
                $io.as_fd()
            }
        }

        #[cfg(unix)]
        impl AsRawFd for $ty {
            fn as_raw_fd(&self) -> RawFd {
                let $this = self;
                $io.as_raw_fd()
            }
        }

        /// Takes the socket out of the runtime; it stays non-blocking.
        #[cfg(unix)]
        impl IntoRawFd for $ty {
            fn into_raw_fd(self) -> RawFd {
                let $that = self;
                $into.into_inner_lossy().into_raw_fd()
            }
        }

        /// Takes the socket out of the runtime; it stays non-blocking.
        #[cfg(unix)]
        impl From<$ty> for OwnedFd {
            fn from($that: $ty) -> Self {
                OwnedFd::from(<$std>::from($into.into_inner_lossy()))
            }
        }
    };
}

pub(super) use {descriptor, ready_read, ready_write, stream};

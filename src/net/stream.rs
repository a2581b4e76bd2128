//! The public face of a stream socket, once for TCP and Unix: the methods that both have and the
//! I/O traits, for the stream itself (one user per direction) and for `&` of it (any number).
//!
//! The waiting and the operations are in `evented.rs` and `socket.rs`; this is only what users see.
//! What streams have in common with sockets for messages is in `face.rs`.

macro_rules! stream {
    ($Stream:ident, $mio:ty, $std:ty, $name:literal) => {
        impl $Stream {
            /// Takes a stream of the standard library and makes it non-blocking.
            ///
            /// # Errors
            ///
            /// Outside a runtime, after its shutdown, and those of the operating system; the stream
            /// is closed then.
            #[inline]
            pub fn from_std(stream: $std) -> io::Result<Self> {
                stream.set_nonblocking(true)?;
                Ok(Self { io: Evented::here(<$mio>::from_std(stream))? })
            }

            /// Takes the stream out of the runtime. It stays non-blocking: call
            /// `set_nonblocking(false)` on the result if you need the other.
            ///
            /// # Errors
            ///
            /// Those of the operating system; the stream is closed then.
            #[inline]
            pub fn into_std(self) -> io::Result<$std> {
                self.io.into_inner().map(Into::into)
            }

            /// Reads without waiting. `Ok(0)` is the end of the stream, or an empty `buf`.
            ///
            /// # Errors
            ///
            /// `WouldBlock` if the stream is not known to be ready: wait for
            /// [`readable`](Self::readable). Else those of the operating system.
            #[inline]
            pub fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
                self.io.read(BorrowedBuf::from(buf).unfilled())?.into_result()
            }

            /// Reads without waiting into memory that need not be initialized.
            ///
            /// # Errors
            ///
            /// As [`try_read`](Self::try_read).
            #[inline]
            pub fn try_read_buf(&self, buf: BorrowedCursor<'_>) -> io::Result<usize> {
                self.io.read(buf)?.into_result()
            }

            /// Reads without waiting into several buffers.
            ///
            /// # Errors
            ///
            /// As [`try_read`](Self::try_read).
            #[inline]
            pub fn try_read_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
                self.io.read_slices(bufs)?.into_result()
            }

            /// Writes without waiting, as much as there is room for.
            ///
            /// # Errors
            ///
            /// `WouldBlock` if the stream is not known to be ready: wait for
            /// [`writable`](Self::writable). Else those of the operating system.
            #[inline]
            pub fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
                self.io.write(buf)?.into_result()
            }

            /// Writes without waiting from several buffers.
            ///
            /// # Errors
            ///
            /// As [`try_write`](Self::try_write).
            #[inline]
            pub fn try_write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
                self.io.write_vectored(bufs)?.into_result()
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
            #[inline]
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
            #[inline]
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
            #[inline]
            pub fn into_split(self) -> (OwnedReadHalf, OwnedWriteHalf) {
                halves::own(self)
            }
        }

        waits!($Stream, $name, "try_read");
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
                Ok($stream.io.read(buf)?.map(drop))
            }

            #[inline]
            fn non_blocking_read_vectored(
                &mut self,
                bufs: BorrowedSliceCursor<'_>,
            ) -> io::Result<NonBlocking<usize>> {
                let $this = self;
                $stream.io.read_vectored(bufs)
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
                $stream.io.write(buf)
            }

            #[inline]
            fn non_blocking_write_vectored(
                &mut self,
                bufs: &[IoSlice<'_>],
            ) -> io::Result<NonBlocking<usize>> {
                let $this = self;
                $stream.io.write_vectored(bufs)
            }

            #[inline]
            fn non_blocking_flush(&mut self) -> io::Result<NonBlocking<()>> {
                $crate::coop::charge(0); // nothing to do, but nobody may do it all day long
                Ok(NonBlocking::Ready(()))
            }
            #[inline]
            fn non_blocking_shutdown(&mut self) -> io::Result<NonBlocking<()>> {
                let $that = self;
                $shutdown.map(NonBlocking::Ready)
            }
        }
    };
}

pub(super) use {ready_read, ready_write, stream};

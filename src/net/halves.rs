//! The halves of a stream, once for TCP and Unix: borrowed, and owned by two tasks.
//!
//! Without a lock: the registration keeps what the two directions know and who waits for them apart.
//! Two owned halves are two references to one stream; the write half closes its direction when it is
//! dropped, so that the other side sees the end although the reading half lives on.

macro_rules! halves {
    ($Stream:ident, $Addr:ty, $name:literal) => {
        /// The reading half of a borrowed stream, made by
        #[doc = concat!("[`", $name, "::split`](super::", $name, "::split).")]
        #[derive(Debug)]
        pub struct ReadHalf<'a>(pub(super) &'a $Stream);

        /// The writing half of a borrowed stream, made by
        #[doc = concat!("[`", $name, "::split`](super::", $name, "::split).")]
        ///
        /// Dropping it does not close anything: it is still the caller's stream.
        #[derive(Debug)]
        pub struct WriteHalf<'a>(pub(super) &'a $Stream);

        /// The reading half of a stream that two tasks share, made by
        #[doc = concat!("[`", $name, "::into_split`](super::", $name, "::into_split).")]
        #[derive(Debug)]
        pub struct OwnedReadHalf(Arc<$Stream>);

        /// The writing half of a stream that two tasks share, made by
        #[doc = concat!("[`", $name, "::into_split`](super::", $name, "::into_split).")]
        ///
        /// Dropping it closes the writing direction: the other side reads the end of the stream.
        #[derive(Debug)]
        pub struct OwnedWriteHalf {
            stream: Arc<$Stream>,
            closes: bool,
        }

        /// The two halves were not parts of one stream; here they are again.
        #[derive(Debug)]
        pub struct ReuniteError(pub OwnedReadHalf, pub OwnedWriteHalf);

        impl fmt::Display for ReuniteError {
            #[inline]
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the two halves are not parts of the same stream")
            }
        }

        impl std::error::Error for ReuniteError {}

        #[inline]
        pub(super) fn own(stream: $Stream) -> (OwnedReadHalf, OwnedWriteHalf) {
            let stream = Arc::new(stream);
            (OwnedReadHalf(stream.clone()), OwnedWriteHalf { stream, closes: true })
        }

        impl OwnedReadHalf {
            /// Puts the two halves of a stream together again.
            ///
            /// # Errors
            ///
            /// With both halves, if they are not parts of one stream.
            #[inline]
            pub fn reunite(self, other: OwnedWriteHalf) -> Result<$Stream, ReuniteError> {
                if !Arc::ptr_eq(&self.0, &other.stream) {
                    return Err(ReuniteError(self, other));
                }
                other.forget();
                Ok(Arc::into_inner(self.0).expect("two halves are two references"))
            }
        }

        impl OwnedWriteHalf {
            /// Puts the two halves of a stream together again.
            ///
            /// # Errors
            ///
            /// With both halves, if they are not parts of one stream.
            #[inline]
            pub fn reunite(self, other: OwnedReadHalf) -> Result<$Stream, ReuniteError> {
                other.reunite(self)
            }

            /// Drops the half and leaves the writing direction open, until the stream is closed.
            #[inline]
            pub fn forget(mut self) {
                self.closes = false;
            }

            #[inline]
            fn close(&mut self) -> io::Result<()> {
                self.stream.io.shutdown(Shutdown::Write)?;
                self.closes = false;
                Ok(())
            }
        }

        impl Drop for OwnedWriteHalf {
            #[inline]
            fn drop(&mut self) {
                if self.closes {
                    // Fails only for a socket that cannot be written to any more.
                    let _ = self.close();
                }
            }
        }

        read_half!(['a] ReadHalf<'a>, $Stream, $Addr, |this| this.0);
        read_half!([] OwnedReadHalf, $Stream, $Addr, |this| &*this.0);
        write_half!(['a] WriteHalf<'a>, $Stream, $Addr, |this| this.0, |this| {
            this.0.io.shutdown(Shutdown::Write)
        });
        write_half!([] OwnedWriteHalf, $Stream, $Addr, |this| &*this.stream, |this| this.close());
    };
}

/// What both read halves have.
macro_rules! read_half {
    ([$($generics:tt)*] $ty:ty, $Stream:ident, $Addr:ty, |$this:ident| $stream:expr) => {
        impl<$($generics)*> $ty {
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
                let $this = self;
                $stream.readable().await
            }

            /// Reads without waiting. `Ok(0)` is the end of the stream, or an empty `buf`.
            ///
            /// # Errors
            ///
            /// `WouldBlock` if the stream is not known to be ready: wait for
            /// [`readable`](Self::readable). Else those of the operating system.
            #[inline]
            pub fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
                let $this = self;
                $stream.try_read(buf)
            }

            /// Reads without waiting into memory that need not be initialized.
            ///
            /// # Errors
            ///
            /// As [`try_read`](Self::try_read).
            #[inline]
            pub fn try_read_buf(&self, buf: BorrowedCursor<'_>) -> io::Result<usize> {
                let $this = self;
                $stream.try_read_buf(buf)
            }

            /// Reads without waiting into several buffers.
            ///
            /// # Errors
            ///
            /// As [`try_read`](Self::try_read).
            #[inline]
            pub fn try_read_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
                let $this = self;
                $stream.try_read_vectored(bufs)
            }
        }

        half!([$($generics)*] $ty, $Stream, $Addr, |$this| $stream, is_writable, "read", "write");
        ready_read!([$($generics)*] $ty, |$this| $stream);
        leaf_io!(vectored impl [$($generics)*] Read for $ty);
    };
}

/// What both write halves have.
macro_rules! write_half {
    (
        [$($generics:tt)*] $ty:ty, $Stream:ident, $Addr:ty,
        |$this:ident| $stream:expr,
        |$that:ident| $shutdown:expr
    ) => {
        impl<$($generics)*> $ty {
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
                let $this = self;
                $stream.writable().await
            }

            /// Writes without waiting, as much as there is room for.
            ///
            /// # Errors
            ///
            /// `WouldBlock` if the stream is not known to be ready: wait for
            /// [`writable`](Self::writable). Else those of the operating system.
            #[inline]
            pub fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
                let $this = self;
                $stream.try_write(buf)
            }

            /// Writes without waiting from several buffers.
            ///
            /// # Errors
            ///
            /// As [`try_write`](Self::try_write).
            #[inline]
            pub fn try_write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
                let $this = self;
                $stream.try_write_vectored(bufs)
            }
        }

        half!([$($generics)*] $ty, $Stream, $Addr, |$this| $stream, is_readable, "write", "read");
        ready_write!([$($generics)*] $ty, |$this| $stream, |$that| $shutdown);
        leaf_io!(vectored impl [$($generics)*] Write for $ty);
    };
}

/// What all four halves have.
macro_rules! half {
    (
        [$($generics:tt)*] $ty:ty, $Stream:ident, $Addr:ty,
        |$this:ident| $stream:expr,
        $other:ident, $mine:literal, $theirs:literal
    ) => {
        impl<$($generics)*> $ty {
            /// Waits until the half is ready for `interest`, which may turn out wrong: the operation
            /// after it may still say `WouldBlock`.
            ///
            /// # Errors
            ///
            /// `InvalidInput` for the direction that this half does not have; after the shutdown of
            /// the runtime.
            ///
            /// # Cancel safety
            ///
            /// Cancel safe.
            #[inline]
            pub fn ready(
                &self,
                interest: Interest,
            ) -> impl Future<Output = io::Result<Readiness>> + Send {
                let $this = self;
                let ready = $stream.io.ready(interest);
                async move {
                    Self::check(interest)?;
                    ready.await
                }
            }

            /// The address of the other side.
            ///
            /// # Errors
            ///
            /// Those of the operating system.
            #[inline]
            pub fn peer_addr(&self) -> io::Result<$Addr> {
                let $this = self;
                $stream.peer_addr()
            }

            /// The address of this side.
            ///
            /// # Errors
            ///
            /// Those of the operating system.
            #[inline]
            pub fn local_addr(&self) -> io::Result<$Addr> {
                let $this = self;
                $stream.local_addr()
            }

            #[inline]
            fn check(interest: Interest) -> io::Result<()> {
                if interest.$other() {
                    let text = concat!("a ", $mine, " half never gets ready to ", $theirs);
                    return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
                }
                Ok(())
            }
        }

        impl<$($generics)*> AsRef<$Stream> for $ty {
            #[inline]
            fn as_ref(&self) -> &$Stream {
                let $this = self;
                $stream
            }
        }

        impl<$($generics)*> Ready for $ty {
            #[inline]
            fn poll_ready(
                &mut self,
                cx: &mut Context<'_>,
                interest: Interest,
            ) -> Poll<io::Result<Readiness>> {
                Self::check(interest)?;
                let $this = self;
                $stream.io.poll_ready(cx, interest)
            }

            #[inline]
            fn stop_waiting(&mut self, interest: Interest) {
                let $this = self;
                $stream.io.registration().stop_waiting(interest);
            }

            #[inline]
            fn ready(
                &mut self,
                interest: Interest,
            ) -> impl Future<Output = io::Result<Readiness>> + Send {
                <$ty>::ready(self, interest)
            }
        }
    };
}

pub(super) use {half, halves, read_half, write_half};

//! `leaf_io!`: [`Read`](super::Read), [`Write`](super::Write) and their kin in one line, on top of
//! the readiness traits. (`forward_io!`, on top of a field, is in `forward_macro.rs`.)
//!
//! Both take the generics in brackets, so that they travel as one token tree through the macro.

/// Implements `Read`, `Write` or `BufRead` for a type that has implemented the readiness traits.
///
/// `Read` (with `OwnedRead`) needs [`ReadyRead`](crate::io::ReadyRead), `Write` (with `OwnedWrite`)
/// needs [`ReadyWrite`](crate::io::ReadyWrite), `Stream` is `Read` and `Write` with all downcasts and
/// needs both; `BufRead` needs [`ReadyBufRead`](crate::io::ReadyBufRead) and comes in addition.
/// `vectored` in front says that the type's `non_blocking_*_vectored` are worth calling. Generics,
/// if any, are given in brackets.
///
/// ```
/// use runtime::io::{BorrowedCursor, Interest, NonBlocking, Read, Readiness, Ready, ReadyRead};
/// use std::task::{Context, Poll};
///
/// /// Endless ones.
/// struct Ones;
///
/// impl Ready for Ones {
///     fn poll_ready(
///         &mut self,
///         cx: &mut Context<'_>,
///         _: Interest,
///     ) -> Poll<std::io::Result<Readiness>> {
///         // A leaf asks and charges the cooperative budget.
///         runtime::task::coop::poll_proceed(cx).map(|ticket| {
///             ticket.made_progress();
///             Ok(Readiness::READ)
///         })
///     }
/// }
///
/// impl ReadyRead for Ones {
///     fn non_blocking_read(
///         &mut self,
///         mut buf: BorrowedCursor<'_>,
///     ) -> std::io::Result<NonBlocking<()>> {
///         let n = buf.capacity();
///         buf.ensure_init().init_mut().fill(1);
///         buf.advance_checked(n);
///         Ok(NonBlocking::Ready(()))
///     }
/// }
///
/// runtime::io::leaf_io!(impl Read for Ones);
///
/// # futures::executor::block_on(async {
/// let mut four = [0; 4];
/// Ones.read_exact(&mut four).await?;
/// assert_eq!(four, [1; 4]);
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
#[doc(hidden)]
#[macro_export]
macro_rules! __leaf_io {
    (vectored impl [$($generics:tt)*] $kind:ident for $ty:ty) => {
        $crate::__leaf_io!(@$kind true [$($generics)*] $ty);
    };
    (vectored impl $kind:ident for $ty:ty) => {
        $crate::__leaf_io!(@$kind true [] $ty);
    };
    (impl [$($generics:tt)*] $kind:ident for $ty:ty) => {
        $crate::__leaf_io!(@$kind false [$($generics)*] $ty);
    };
    (impl $kind:ident for $ty:ty) => {
        $crate::__leaf_io!(@$kind false [] $ty);
    };

    (@Read $vectored:tt [$($generics:tt)*] $ty:ty) => {
        impl<$($generics)*> $crate::io::Read for $ty {
            #[inline]
            fn read(
                &mut self,
                buf: &mut [u8],
            ) -> impl std::future::Future<Output = std::io::Result<usize>> + Send {
                $crate::io::read_when_ready(self, buf)
            }
            #[inline]
            fn read_vectored(
                &mut self,
                bufs: &mut [std::io::IoSliceMut<'_>],
            ) -> impl std::future::Future<Output = std::io::Result<usize>> + Send {
                $crate::io::read_vectored_when_ready(self, bufs)
            }
            #[inline]
            fn read_buf(
                &mut self,
                buf: $crate::io::BorrowedCursor<'_>,
            ) -> impl std::future::Future<Output = std::io::Result<()>> + Send {
                $crate::io::read_buf_when_ready(self, buf)
            }
            #[inline]
            fn read_buf_vectored(
                &mut self,
                bufs: $crate::io::BorrowedSliceCursor<'_>,
            ) -> impl std::future::Future<Output = std::io::Result<usize>> + Send {
                $crate::io::read_buf_vectored_when_ready(self, bufs)
            }
            #[inline]
            fn is_read_vectored(&self) -> bool {
                $vectored
            }
            #[inline]
            fn as_ready(&mut self) -> Option<impl $crate::io::ReadyRead> {
                Some(self)
            }
            #[inline]
            fn as_ready_dyn(&mut self) -> Option<Box<dyn $crate::io::ReadyRead + '_>> {
                Some(Box::new(self))
            }
            #[inline]
            fn as_owned(&mut self) -> Option<impl $crate::io::OwnedRead> {
                Some(self)
            }
            #[inline]
            fn as_owned_dyn(&mut self) -> Option<Box<dyn $crate::io::DynOwnedRead + '_>> {
                Some(Box::new(self))
            }
        }

        impl<$($generics)*> $crate::io::OwnedRead for $ty {
            #[inline]
            fn read_owned(
                &mut self,
                buf: $crate::io::OwnedBuf,
            ) -> impl std::future::Future<Output = ($crate::io::OwnedBuf, std::io::Result<()>)> + Send {
                $crate::io::read_owned_when_ready(self, buf)
            }
        }
    };

    (@Write $vectored:tt $generics:tt $ty:ty) => {
        $crate::__leaf_io!(@write $vectored $generics $ty {});
    };

    (@Stream $vectored:tt $generics:tt $ty:ty) => {
        $crate::__leaf_io!(@Read $vectored $generics $ty);
        $crate::__leaf_io!(@write $vectored $generics $ty {
            #[inline]
            fn as_ready_stream(&mut self) -> Option<impl $crate::io::ReadyStream> {
                Some(self)
            }
            #[inline]
            fn as_ready_stream_dyn(&mut self) -> Option<Box<dyn $crate::io::ReadyStream + '_>> {
                Some(Box::new(self))
            }
        });
    };

    (@write $vectored:tt [$($generics:tt)*] $ty:ty { $($stream:tt)* }) => {
        impl<$($generics)*> $crate::io::Write for $ty {
            #[inline]
            fn write(
                &mut self,
                buf: &[u8],
            ) -> impl std::future::Future<Output = std::io::Result<usize>> + Send {
                $crate::io::write_when_ready(self, buf)
            }
            #[inline]
            fn write_all(
                &mut self,
                buf: &[u8],
            ) -> impl std::future::Future<Output = std::io::Result<()>> + Send {
                $crate::io::write_all_when_ready(self, buf)
            }
            #[inline]
            fn write_vectored(
                &mut self,
                bufs: &[std::io::IoSlice<'_>],
            ) -> impl std::future::Future<Output = std::io::Result<usize>> + Send {
                $crate::io::write_vectored_when_ready(self, bufs)
            }
            #[inline]
            fn is_write_vectored(&self) -> bool {
                $vectored
            }
            #[inline]
            fn flush(&mut self) -> impl std::future::Future<Output = std::io::Result<()>> + Send {
                $crate::io::flush_when_ready(self)
            }
            #[inline]
            fn shutdown(&mut self) -> impl std::future::Future<Output = std::io::Result<()>> + Send {
                $crate::io::shutdown_when_ready(self)
            }
            #[inline]
            fn as_ready_write(&mut self) -> Option<impl $crate::io::ReadyWrite> {
                Some(self)
            }
            #[inline]
            fn as_ready_write_dyn(&mut self) -> Option<Box<dyn $crate::io::ReadyWrite + '_>> {
                Some(Box::new(self))
            }
            #[inline]
            fn as_owned_write(&mut self) -> Option<impl $crate::io::OwnedWrite> {
                Some(self)
            }
            #[inline]
            fn as_owned_write_dyn(&mut self) -> Option<Box<dyn $crate::io::DynOwnedWrite + '_>> {
                Some(Box::new(self))
            }
            $($stream)*
        }

        impl<$($generics)*> $crate::io::OwnedWrite for $ty {
            #[inline]
            fn write_owned(
                &mut self,
                buf: $crate::io::OwnedBuf,
            ) -> impl std::future::Future<Output = ($crate::io::OwnedBuf, std::io::Result<usize>)> + Send {
                $crate::io::write_owned_when_ready(self, buf)
            }
        }
    };

    (@BufRead $vectored:tt [$($generics:tt)*] $ty:ty) => {
        impl<$($generics)*> $crate::io::BufRead for $ty {
            #[inline]
            fn fill_buf(&mut self) -> impl std::future::Future<Output = std::io::Result<&[u8]>> + Send {
                $crate::io::fill_when_ready(self)
            }
            #[inline]
            fn consume(&mut self, n: usize) {
                $crate::io::ReadyBufRead::consume_buffer(self, n);
            }
        }
    };
}

#[doc(inline)]
pub use __leaf_io as leaf_io;

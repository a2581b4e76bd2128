//! `forward_io!`: all the traits of a wrapper in one line, on top of a field.
//!
//! Every method is forwarded, the provided ones included, because the inner type may have overridden
//! them. `forward.rs` uses the same rules for pointers.

/// Implements I/O traits for a wrapper by handing every method to one of its fields, the provided
/// methods, vectored forms and downcasts included.
///
/// Lists any of `Ready`, `Read`, `Write`, `ReadyRead`, `ReadyWrite`, `BufRead`, `ReadyBufRead`,
/// `OwnedRead`, `OwnedWrite`, `Seek`, `ReadAt`, `WriteAt` whose bounds the generics in brackets fulfil; the field is a name or an index. What such a
/// wrapper adds must not need to see the bytes: the downcasts hand out the field itself.
///
/// ```
/// use runtime::io::{self, Read, ReadyStream, Write};
///
/// /// A stream that knows its peer's name.
/// struct Named<S> {
///     stream: S,
///     name: String,
/// }
///
/// io::forward_io!(
///     impl [S: ReadyStream] Ready, Read, Write, ReadyRead, ReadyWrite for Named<S> => stream
/// );
///
/// fn any_stream(stream: Named<impl ReadyStream + 'static>) -> Box<dyn ReadyStream> {
///     Box::new(stream)
/// }
/// ```
#[doc(hidden)]
#[macro_export]
macro_rules! __forward_io {
    (impl [$($generics:tt)*] $($kind:ident),+ for $ty:ty => $field:tt) => {
        $crate::__forward_io!(@each [$($kind)+] [$($generics)*] $ty, self, (self.$field));
    };
    (impl $($kind:ident),+ for $ty:ty => $field:tt) => {
        $crate::__forward_io!(@each [$($kind)+] [] $ty, self, (self.$field));
    };

    (@each [] $generics:tt $ty:ty, $this:ident, $to:tt) => {};
    (@each [$kind:ident $($kinds:ident)*] $generics:tt $ty:ty, $this:ident, $to:tt) => {
        $crate::__forward_io!(@$kind $generics $ty, $this, $to);
        $crate::__forward_io!(@each [$($kinds)*] $generics $ty, $this, $to);
    };

    (@Ready [$($generics:tt)*] $ty:ty, $this:ident, $to:tt) => {
        impl<$($generics)*> $crate::io::Ready for $ty {
            #[inline]
            fn poll_ready(
                &mut $this,
                cx: &mut std::task::Context<'_>,
                interest: $crate::io::Interest,
            ) -> std::task::Poll<std::io::Result<$crate::io::Readiness>> {
                $crate::io::Ready::poll_ready(&mut $to, cx, interest)
            }
            #[inline]
            fn ready(
                &mut $this,
                interest: $crate::io::Interest,
            ) -> impl std::future::Future<Output = std::io::Result<$crate::io::Readiness>> + Send {
                $crate::io::Ready::ready(&mut $to, interest)
            }
            #[inline]
            fn stop_waiting(&mut $this, interest: $crate::io::Interest) {
                $crate::io::Ready::stop_waiting(&mut $to, interest);
            }
        }
    };

    (@Read [$($generics:tt)*] $ty:ty, $this:ident, $to:tt) => {
        impl<$($generics)*> $crate::io::Read for $ty {
            #[inline]
            fn read(
                &mut $this,
                buf: &mut [u8],
            ) -> impl std::future::Future<Output = std::io::Result<usize>> + Send {
                $crate::io::Read::read(&mut $to, buf)
            }
            #[inline]
            fn read_vectored(
                &mut $this,
                bufs: &mut [std::io::IoSliceMut<'_>],
            ) -> impl std::future::Future<Output = std::io::Result<usize>> + Send {
                $crate::io::Read::read_vectored(&mut $to, bufs)
            }
            #[inline]
            fn read_buf(
                &mut $this,
                buf: $crate::io::BorrowedCursor<'_>,
            ) -> impl std::future::Future<Output = std::io::Result<()>> + Send {
                $crate::io::Read::read_buf(&mut $to, buf)
            }
            #[inline]
            fn read_buf_vectored(
                &mut $this,
                bufs: $crate::io::BorrowedSliceCursor<'_>,
            ) -> impl std::future::Future<Output = std::io::Result<usize>> + Send {
                $crate::io::Read::read_buf_vectored(&mut $to, bufs)
            }
            #[inline]
            fn is_read_vectored(&$this) -> bool {
                $crate::io::Read::is_read_vectored(&$to)
            }
            fn read_exact(
                &mut $this,
                buf: &mut [u8],
            ) -> impl std::future::Future<Output = std::io::Result<()>> + Send {
                $crate::io::Read::read_exact(&mut $to, buf)
            }
            fn read_buf_exact(
                &mut $this,
                buf: $crate::io::BorrowedCursor<'_>,
            ) -> impl std::future::Future<Output = std::io::Result<()>> + Send {
                $crate::io::Read::read_buf_exact(&mut $to, buf)
            }
            fn read_to_end(
                &mut $this,
                buf: &mut Vec<u8>,
            ) -> impl std::future::Future<Output = std::io::Result<usize>> + Send {
                $crate::io::Read::read_to_end(&mut $to, buf)
            }
            fn read_to_string(
                &mut $this,
                text: &mut String,
            ) -> impl std::future::Future<Output = std::io::Result<usize>> + Send {
                $crate::io::Read::read_to_string(&mut $to, text)
            }
            fn as_ready(&mut $this) -> Option<impl $crate::io::ReadyRead> {
                $crate::io::Read::as_ready(&mut $to)
            }
            fn as_ready_dyn(&mut $this) -> Option<Box<dyn $crate::io::ReadyRead + '_>> {
                $crate::io::Read::as_ready_dyn(&mut $to)
            }
            fn as_owned(&mut $this) -> Option<impl $crate::io::OwnedRead> {
                $crate::io::Read::as_owned(&mut $to)
            }
            fn as_owned_dyn(&mut $this) -> Option<Box<dyn $crate::io::DynOwnedRead + '_>> {
                $crate::io::Read::as_owned_dyn(&mut $to)
            }
        }
    };

    (@OwnedRead [$($generics:tt)*] $ty:ty, $this:ident, $to:tt) => {
        impl<$($generics)*> $crate::io::OwnedRead for $ty {
            fn read_owned(
                &mut $this,
                buf: $crate::io::OwnedBuf,
            ) -> impl std::future::Future<Output = ($crate::io::OwnedBuf, std::io::Result<()>)> + Send {
                $crate::io::OwnedRead::read_owned(&mut $to, buf)
            }
            fn read_exact_owned(
                &mut $this,
                buf: $crate::io::OwnedBuf,
            ) -> impl std::future::Future<Output = ($crate::io::OwnedBuf, std::io::Result<()>)> + Send {
                $crate::io::OwnedRead::read_exact_owned(&mut $to, buf)
            }
            fn read_to_end_owned(
                &mut $this,
                vec: Vec<u8>,
            ) -> impl std::future::Future<Output = (Vec<u8>, std::io::Result<usize>)> + Send {
                $crate::io::OwnedRead::read_to_end_owned(&mut $to, vec)
            }
        }
    };

    (@ReadyRead [$($generics:tt)*] $ty:ty, $this:ident, $to:tt) => {
        impl<$($generics)*> $crate::io::ReadyRead for $ty {
            #[inline]
            fn non_blocking_read(
                &mut $this,
                buf: $crate::io::BorrowedCursor<'_>,
            ) -> std::io::Result<$crate::io::NonBlocking<()>> {
                $crate::io::ReadyRead::non_blocking_read(&mut $to, buf)
            }
            #[inline]
            fn non_blocking_read_vectored(
                &mut $this,
                bufs: $crate::io::BorrowedSliceCursor<'_>,
            ) -> std::io::Result<$crate::io::NonBlocking<usize>> {
                $crate::io::ReadyRead::non_blocking_read_vectored(&mut $to, bufs)
            }
        }
    };

    (@Write [$($generics:tt)*] $ty:ty, $this:ident, $to:tt) => {
        impl<$($generics)*> $crate::io::Write for $ty {
            #[inline]
            fn write(
                &mut $this,
                buf: &[u8],
            ) -> impl std::future::Future<Output = std::io::Result<usize>> + Send {
                $crate::io::Write::write(&mut $to, buf)
            }
            #[inline]
            fn flush(&mut $this) -> impl std::future::Future<Output = std::io::Result<()>> + Send {
                $crate::io::Write::flush(&mut $to)
            }
            #[inline]
            fn shutdown(&mut $this) -> impl std::future::Future<Output = std::io::Result<()>> + Send {
                $crate::io::Write::shutdown(&mut $to)
            }
            #[inline]
            fn write_vectored(
                &mut $this,
                bufs: &[std::io::IoSlice<'_>],
            ) -> impl std::future::Future<Output = std::io::Result<usize>> + Send {
                $crate::io::Write::write_vectored(&mut $to, bufs)
            }
            #[inline]
            fn is_write_vectored(&$this) -> bool {
                $crate::io::Write::is_write_vectored(&$to)
            }
            fn write_all(
                &mut $this,
                buf: &[u8],
            ) -> impl std::future::Future<Output = std::io::Result<()>> + Send {
                $crate::io::Write::write_all(&mut $to, buf)
            }
            fn write_all_vectored(
                &mut $this,
                bufs: &mut [std::io::IoSlice<'_>],
            ) -> impl std::future::Future<Output = std::io::Result<()>> + Send {
                $crate::io::Write::write_all_vectored(&mut $to, bufs)
            }
            fn write_fmt(
                &mut $this,
                args: std::fmt::Arguments<'_>,
            ) -> impl std::future::Future<Output = std::io::Result<()>> + Send {
                $crate::io::Write::write_fmt(&mut $to, args)
            }
            fn as_ready_write(&mut $this) -> Option<impl $crate::io::ReadyWrite> {
                $crate::io::Write::as_ready_write(&mut $to)
            }
            fn as_ready_stream(&mut $this) -> Option<impl $crate::io::ReadyStream> {
                $crate::io::Write::as_ready_stream(&mut $to)
            }
            fn as_ready_write_dyn(&mut $this) -> Option<Box<dyn $crate::io::ReadyWrite + '_>> {
                $crate::io::Write::as_ready_write_dyn(&mut $to)
            }
            fn as_ready_stream_dyn(&mut $this) -> Option<Box<dyn $crate::io::ReadyStream + '_>> {
                $crate::io::Write::as_ready_stream_dyn(&mut $to)
            }
            fn as_owned_write(&mut $this) -> Option<impl $crate::io::OwnedWrite> {
                $crate::io::Write::as_owned_write(&mut $to)
            }
            fn as_owned_write_dyn(&mut $this) -> Option<Box<dyn $crate::io::DynOwnedWrite + '_>> {
                $crate::io::Write::as_owned_write_dyn(&mut $to)
            }
        }
    };

    (@OwnedWrite [$($generics:tt)*] $ty:ty, $this:ident, $to:tt) => {
        impl<$($generics)*> $crate::io::OwnedWrite for $ty {
            fn write_owned(
                &mut $this,
                buf: $crate::io::OwnedBuf,
            ) -> impl std::future::Future<Output = ($crate::io::OwnedBuf, std::io::Result<usize>)> + Send {
                $crate::io::OwnedWrite::write_owned(&mut $to, buf)
            }
            fn write_all_owned(
                &mut $this,
                buf: $crate::io::OwnedBuf,
            ) -> impl std::future::Future<Output = ($crate::io::OwnedBuf, std::io::Result<()>)> + Send {
                $crate::io::OwnedWrite::write_all_owned(&mut $to, buf)
            }
        }
    };

    (@Seek [$($generics:tt)*] $ty:ty, $this:ident, $to:tt) => {
        impl<$($generics)*> $crate::io::Seek for $ty {
            fn seek(
                &mut $this,
                position: std::io::SeekFrom,
            ) -> impl std::future::Future<Output = std::io::Result<u64>> + Send {
                $crate::io::Seek::seek(&mut $to, position)
            }
            fn rewind(&mut $this) -> impl std::future::Future<Output = std::io::Result<()>> + Send {
                $crate::io::Seek::rewind(&mut $to)
            }
            fn stream_len(&mut $this) -> impl std::future::Future<Output = std::io::Result<u64>> + Send {
                $crate::io::Seek::stream_len(&mut $to)
            }
            fn stream_position(&mut $this) -> impl std::future::Future<Output = std::io::Result<u64>> + Send {
                $crate::io::Seek::stream_position(&mut $to)
            }
        }
    };

    (@ReadAt [$($generics:tt)*] $ty:ty, $this:ident, $to:tt) => {
        impl<$($generics)*> $crate::io::ReadAt for $ty {
            fn read_at(
                &$this,
                buf: &mut [u8],
                offset: u64,
            ) -> impl std::future::Future<Output = std::io::Result<usize>> + Send {
                $crate::io::ReadAt::read_at(&$to, buf, offset)
            }
            fn read_exact_at(
                &$this,
                buf: &mut [u8],
                offset: u64,
            ) -> impl std::future::Future<Output = std::io::Result<()>> + Send {
                $crate::io::ReadAt::read_exact_at(&$to, buf, offset)
            }
        }
    };

    (@WriteAt [$($generics:tt)*] $ty:ty, $this:ident, $to:tt) => {
        impl<$($generics)*> $crate::io::WriteAt for $ty {
            fn write_at(
                &mut $this,
                buf: &[u8],
                offset: u64,
            ) -> impl std::future::Future<Output = std::io::Result<usize>> + Send {
                $crate::io::WriteAt::write_at(&mut $to, buf, offset)
            }
            fn write_all_at(
                &mut $this,
                buf: &[u8],
                offset: u64,
            ) -> impl std::future::Future<Output = std::io::Result<()>> + Send {
                $crate::io::WriteAt::write_all_at(&mut $to, buf, offset)
            }
        }
    };

    (@ReadyWrite [$($generics:tt)*] $ty:ty, $this:ident, $to:tt) => {
        impl<$($generics)*> $crate::io::ReadyWrite for $ty {
            #[inline]
            fn non_blocking_write(
                &mut $this,
                buf: &[u8],
            ) -> std::io::Result<$crate::io::NonBlocking<usize>> {
                $crate::io::ReadyWrite::non_blocking_write(&mut $to, buf)
            }
            #[inline]
            fn non_blocking_write_vectored(
                &mut $this,
                bufs: &[std::io::IoSlice<'_>],
            ) -> std::io::Result<$crate::io::NonBlocking<usize>> {
                $crate::io::ReadyWrite::non_blocking_write_vectored(&mut $to, bufs)
            }
            #[inline]
            fn non_blocking_flush(&mut $this) -> std::io::Result<$crate::io::NonBlocking<()>> {
                $crate::io::ReadyWrite::non_blocking_flush(&mut $to)
            }
            #[inline]
            fn non_blocking_shutdown(&mut $this) -> std::io::Result<$crate::io::NonBlocking<()>> {
                $crate::io::ReadyWrite::non_blocking_shutdown(&mut $to)
            }
        }
    };

    (@BufRead [$($generics:tt)*] $ty:ty, $this:ident, $to:tt) => {
        impl<$($generics)*> $crate::io::BufRead for $ty {
            #[inline]
            fn fill_buf(&mut $this) -> impl std::future::Future<Output = std::io::Result<&[u8]>> + Send {
                $crate::io::BufRead::fill_buf(&mut $to)
            }
            #[inline]
            fn consume(&mut $this, n: usize) {
                $crate::io::BufRead::consume(&mut $to, n)
            }
            fn has_data_left(&mut $this) -> impl std::future::Future<Output = std::io::Result<bool>> + Send {
                $crate::io::BufRead::has_data_left(&mut $to)
            }
            fn read_until(
                &mut $this,
                delimiter: u8,
                buf: &mut Vec<u8>,
            ) -> impl std::future::Future<Output = std::io::Result<usize>> + Send {
                $crate::io::BufRead::read_until(&mut $to, delimiter, buf)
            }
            fn read_line(
                &mut $this,
                text: &mut String,
            ) -> impl std::future::Future<Output = std::io::Result<usize>> + Send {
                $crate::io::BufRead::read_line(&mut $to, text)
            }
        }
    };

    (@ReadyBufRead [$($generics:tt)*] $ty:ty, $this:ident, $to:tt) => {
        impl<$($generics)*> $crate::io::ReadyBufRead for $ty {
            #[inline]
            fn non_blocking_fill(&mut $this) -> std::io::Result<$crate::io::NonBlocking<()>> {
                $crate::io::ReadyBufRead::non_blocking_fill(&mut $to)
            }
            #[inline]
            fn buffer(&$this) -> &[u8] {
                $crate::io::ReadyBufRead::buffer(&$to)
            }
            #[inline]
            fn consume_buffer(&mut $this, n: usize) {
                $crate::io::ReadyBufRead::consume_buffer(&mut $to, n)
            }
        }
    };
}

#[doc(inline)]
pub use __forward_io as forward_io;

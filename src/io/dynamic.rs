//! Trait objects for readers and writers without readiness: every call boxes its future.
//!
//! What works by readiness is better served by `Box<dyn ReadyRead>` and its kin, where no call
//! allocates; an object of this file still finds the readiness form of what is inside by
//! downcast.

use std::io::{IoSlice, IoSliceMut, Result};
use std::pin::Pin;

use super::{
    BorrowedCursor, BorrowedSliceCursor, OwnedBuf, OwnedRead, OwnedWrite, Read, ReadyRead,
    ReadyStream, ReadyWrite, Write,
};

type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// [`Read`] as a trait object: `Box<dyn DynRead>` and `&mut dyn DynRead` are readers.
///
/// Implemented by everything that is [`Read`]. Each method boxes the future of its namesake, and
/// errors and cancel safety are those of the namesake.
///
/// ```
/// # futures::executor::block_on(async {
/// use runtime::io::{DynRead, Read};
///
/// let mut readers: Vec<Box<dyn DynRead>> = vec![Box::new(&b"one, "[..]), Box::new(&b"two"[..])];
/// let mut all = Vec::new();
/// for reader in &mut readers {
///     reader.read_to_end(&mut all).await?;
/// }
/// assert_eq!(all, b"one, two");
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub trait DynRead: Read {
    /// [`Read::read`].
    fn read_dyn<'a>(&'a mut self, buf: &'a mut [u8]) -> Boxed<'a, Result<usize>>;

    /// [`Read::read_vectored`].
    fn read_vectored_dyn<'a>(
        &'a mut self,
        bufs: &'a mut [IoSliceMut<'_>],
    ) -> Boxed<'a, Result<usize>>;

    /// [`Read::read_buf`].
    fn read_buf_dyn<'a>(&'a mut self, buf: BorrowedCursor<'a>) -> Boxed<'a, Result<()>>;

    /// [`Read::read_buf_vectored`].
    fn read_buf_vectored_dyn<'a>(
        &'a mut self,
        bufs: BorrowedSliceCursor<'a>,
    ) -> Boxed<'a, Result<usize>>;
}

impl<T: Read> DynRead for T {
    fn read_dyn<'a>(&'a mut self, buf: &'a mut [u8]) -> Boxed<'a, Result<usize>> {
        Box::pin(self.read(buf))
    }

    fn read_vectored_dyn<'a>(
        &'a mut self,
        bufs: &'a mut [IoSliceMut<'_>],
    ) -> Boxed<'a, Result<usize>> {
        Box::pin(self.read_vectored(bufs))
    }

    fn read_buf_dyn<'a>(&'a mut self, buf: BorrowedCursor<'a>) -> Boxed<'a, Result<()>> {
        Box::pin(self.read_buf(buf))
    }

    fn read_buf_vectored_dyn<'a>(
        &'a mut self,
        bufs: BorrowedSliceCursor<'a>,
    ) -> Boxed<'a, Result<usize>> {
        Box::pin(self.read_buf_vectored(bufs))
    }
}

/// [`Write`] as a trait object: `Box<dyn DynWrite>` and `&mut dyn DynWrite` are writers.
///
/// Implemented by everything that is [`Write`]. Each method boxes the future of its namesake, and
/// errors and cancel safety are those of the namesake.
///
/// ```
/// # futures::executor::block_on(async {
/// use runtime::io::{DynWrite, Write};
///
/// let mut output = Vec::new();
/// let mut writer: Box<dyn DynWrite + '_> = Box::new(&mut output);
/// writer.write_all(b"through an object").await?;
/// drop(writer);
/// assert_eq!(output, b"through an object");
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub trait DynWrite: Write {
    /// [`Write::write`].
    fn write_dyn<'a>(&'a mut self, buf: &'a [u8]) -> Boxed<'a, Result<usize>>;

    /// [`Write::write_vectored`].
    fn write_vectored_dyn<'a>(&'a mut self, bufs: &'a [IoSlice<'_>]) -> Boxed<'a, Result<usize>>;

    /// [`Write::flush`].
    fn flush_dyn(&mut self) -> Boxed<'_, Result<()>>;

    /// [`Write::shutdown`].
    fn shutdown_dyn(&mut self) -> Boxed<'_, Result<()>>;
}

impl<T: Write> DynWrite for T {
    fn write_dyn<'a>(&'a mut self, buf: &'a [u8]) -> Boxed<'a, Result<usize>> {
        Box::pin(self.write(buf))
    }

    fn write_vectored_dyn<'a>(&'a mut self, bufs: &'a [IoSlice<'_>]) -> Boxed<'a, Result<usize>> {
        Box::pin(self.write_vectored(bufs))
    }

    fn flush_dyn(&mut self) -> Boxed<'_, Result<()>> {
        Box::pin(self.flush())
    }

    fn shutdown_dyn(&mut self) -> Boxed<'_, Result<()>> {
        Box::pin(self.shutdown())
    }
}

/// [`OwnedRead`] as a trait object: `Box<dyn DynOwnedRead>` and `&mut dyn DynOwnedRead` are
/// [`OwnedRead`].
///
/// Implemented by everything that is [`OwnedRead`].
///
/// ```
/// # futures::executor::block_on(async {
/// use runtime::io::{DynOwnedRead, OwnedBuf, OwnedRead};
///
/// let mut reader: Box<dyn DynOwnedRead> = Box::new(&b"owned and erased"[..]);
/// let (buf, outcome) = reader.read_owned(OwnedBuf::with_capacity(5)).await;
/// outcome?;
/// assert_eq!(buf.filled(), b"owned");
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub trait DynOwnedRead: DynRead {
    /// [`OwnedRead::read_owned`], with its errors and cancel safety.
    fn read_owned_dyn(&mut self, buf: OwnedBuf) -> Boxed<'_, (OwnedBuf, Result<()>)>;
}

impl<T: OwnedRead> DynOwnedRead for T {
    fn read_owned_dyn(&mut self, buf: OwnedBuf) -> Boxed<'_, (OwnedBuf, Result<()>)> {
        Box::pin(self.read_owned(buf))
    }
}

/// [`OwnedWrite`] as a trait object: `Box<dyn DynOwnedWrite>` and `&mut dyn DynOwnedWrite` are
/// [`OwnedWrite`].
///
/// Implemented by everything that is [`OwnedWrite`].
///
/// ```
/// # futures::executor::block_on(async {
/// use runtime::io::{DynOwnedWrite, OwnedBuf, OwnedWrite};
///
/// let mut writer: Box<dyn DynOwnedWrite> = Box::new(Vec::new());
/// let (_buf, outcome) = writer.write_owned(OwnedBuf::from(b"bytes".to_vec())).await;
/// assert_eq!(outcome?, 5);
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub trait DynOwnedWrite: DynWrite {
    /// [`OwnedWrite::write_owned`], with its errors and cancel safety.
    fn write_owned_dyn(&mut self, buf: OwnedBuf) -> Boxed<'_, (OwnedBuf, Result<usize>)>;
}

impl<T: OwnedWrite> DynOwnedWrite for T {
    fn write_owned_dyn(&mut self, buf: OwnedBuf) -> Boxed<'_, (OwnedBuf, Result<usize>)> {
        Box::pin(self.write_owned(buf))
    }
}

/// The generic traits on pointers to the objects.
macro_rules! objects {
    (Read: $($pointer:ty),+) => {$(
        impl Read for $pointer {
            async fn read(&mut self, buf: &mut [u8]) -> Result<usize> {
                (**self).read_dyn(buf).await
            }

            async fn read_vectored(&mut self, bufs: &mut [IoSliceMut<'_>]) -> Result<usize> {
                (**self).read_vectored_dyn(bufs).await
            }

            async fn read_buf(&mut self, mut buf: BorrowedCursor<'_>) -> Result<()> {
                (**self).read_buf_dyn(buf.reborrow()).await
            }

            async fn read_buf_vectored(
                &mut self,
                mut bufs: BorrowedSliceCursor<'_>,
            ) -> Result<usize> {
                (**self).read_buf_vectored_dyn(bufs.reborrow()).await
            }

            fn is_read_vectored(&self) -> bool {
                (**self).is_read_vectored()
            }

            fn as_ready(&mut self) -> Option<impl ReadyRead> {
                (**self).as_ready_dyn()
            }

            fn as_ready_dyn(&mut self) -> Option<Box<dyn ReadyRead + '_>> {
                (**self).as_ready_dyn()
            }

            fn as_owned(&mut self) -> Option<impl OwnedRead> {
                (**self).as_owned_dyn()
            }

            fn as_owned_dyn(&mut self) -> Option<Box<dyn DynOwnedRead + '_>> {
                (**self).as_owned_dyn()
            }
        }
    )+};
    (OwnedRead: $($pointer:ty),+) => {$(
        objects!(Read: $pointer);

        impl OwnedRead for $pointer {
            async fn read_owned(&mut self, buf: OwnedBuf) -> (OwnedBuf, Result<()>) {
                (**self).read_owned_dyn(buf).await
            }
        }
    )+};
    (Write: $($pointer:ty),+) => {$(
        impl Write for $pointer {
            async fn write(&mut self, buf: &[u8]) -> Result<usize> {
                (**self).write_dyn(buf).await
            }

            async fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> Result<usize> {
                (**self).write_vectored_dyn(bufs).await
            }

            async fn flush(&mut self) -> Result<()> {
                (**self).flush_dyn().await
            }

            async fn shutdown(&mut self) -> Result<()> {
                (**self).shutdown_dyn().await
            }

            fn is_write_vectored(&self) -> bool {
                (**self).is_write_vectored()
            }

            fn as_ready_write(&mut self) -> Option<impl ReadyWrite> {
                (**self).as_ready_write_dyn()
            }

            fn as_ready_stream(&mut self) -> Option<impl ReadyStream> {
                (**self).as_ready_stream_dyn()
            }

            fn as_ready_write_dyn(&mut self) -> Option<Box<dyn ReadyWrite + '_>> {
                (**self).as_ready_write_dyn()
            }

            fn as_ready_stream_dyn(&mut self) -> Option<Box<dyn ReadyStream + '_>> {
                (**self).as_ready_stream_dyn()
            }

            fn as_owned_write(&mut self) -> Option<impl OwnedWrite> {
                (**self).as_owned_write_dyn()
            }

            fn as_owned_write_dyn(&mut self) -> Option<Box<dyn DynOwnedWrite + '_>> {
                (**self).as_owned_write_dyn()
            }
        }
    )+};
    (OwnedWrite: $($pointer:ty),+) => {$(
        objects!(Write: $pointer);

        impl OwnedWrite for $pointer {
            async fn write_owned(&mut self, buf: OwnedBuf) -> (OwnedBuf, Result<usize>) {
                (**self).write_owned_dyn(buf).await
            }
        }
    )+};
    ($($kind:ident: $object:path;)+) => {$(
        objects!($kind: Box<dyn $object + '_>, Box<dyn $object + Sync + '_>);
        objects!($kind: &mut (dyn $object + '_), &mut (dyn $object + Sync + '_));
    )+};
}

objects! {
    Read: DynRead;
    Write: DynWrite;
    OwnedRead: DynOwnedRead;
    OwnedWrite: DynOwnedWrite;
}

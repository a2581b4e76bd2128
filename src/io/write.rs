//! [`Write`], the asynchronous twin of [`std::io::Write`], with a shutdown of its own.

use std::fmt::Arguments;
use std::io::{Error, ErrorKind, IoSlice, Result};

use super::read::believe;
use super::{DynOwnedWrite, Never, OwnedWrite, ReadyStream, ReadyWrite};

/// Writes bytes asynchronously.
///
/// Implementors may write `async fn`; the futures must be `Send`. Types that work by readiness
/// implement [`Ready`](super::Ready) and [`ReadyWrite`] by hand and get this trait from
/// [`leaf_io!`](super::leaf_io); wrappers get all of it from [`forward_io!`](super::forward_io).
///
/// ```
/// # futures::executor::block_on(async {
/// use runtime::io::Write;
///
/// let mut output = Vec::new();
/// output.write_all(b"answer: ").await?;
/// write!(output, "{}", 42).await?;
/// assert_eq!(output, b"answer: 42");
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub trait Write: Send {
    /// Writes what there is room for, waiting if there is none, and returns how much that was.
    ///
    /// An empty `buf` never waits: `Ok(0)`, or the error if the resource knows that it is closed.
    ///
    /// # Errors
    ///
    /// Those of the writer; nothing was written then. `BrokenPipe` after
    /// [`shutdown`](Self::shutdown) or when the reader is gone.
    ///
    /// # Cancel safety
    ///
    /// Implementations are to be cancel safe, and all of this crate's are: a future that is
    /// dropped before it was ready has written nothing.
    fn write(&mut self, buf: &[u8]) -> impl Future<Output = Result<usize>> + Send
    where
        Self: Sized;

    /// Passes on what the writer itself holds back.
    ///
    /// # Errors
    ///
    /// Those of the writer.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: what has not been passed on stays with the writer.
    fn flush(&mut self) -> impl Future<Output = Result<()>> + Send
    where
        Self: Sized;

    /// Flushes, then closes the write side: the peer reads the end of the stream, and reading
    /// from it goes on (half-close). Calling it again is harmless.
    ///
    /// Required, unlike in other trait families: a wrapper that forgets it turns a half-close
    /// into a proxy that hangs.
    ///
    /// # Errors
    ///
    /// Those of the writer.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: call it again to go on.
    fn shutdown(&mut self) -> impl Future<Output = Result<()>> + Send
    where
        Self: Sized;

    /// Writes from several buffers in order. Provided: writes the first that is not empty.
    ///
    /// # Errors
    ///
    /// As [`write`](Self::write).
    ///
    /// # Cancel safety
    ///
    /// As [`write`](Self::write).
    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> impl Future<Output = Result<usize>> + Send
    where
        Self: Sized,
    {
        async move {
            let first = bufs.iter().find(|buf| !buf.is_empty());
            let first = first.map_or(&[][..], |buf| &buf[..]);
            Ok(believe(self.write(first).await?, first.len()))
        }
    }

    /// Whether the vectored methods do better than writing the first buffer.
    fn is_write_vectored(&self) -> bool {
        false
    }

    /// Writes all of `buf`.
    ///
    /// # Errors
    ///
    /// `WriteZero` if the writer takes nothing any more; those of [`write`](Self::write) except
    /// `Interrupted`, which is retried. How much was written until then is not known.
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: some of `buf` may have been written, and how much is lost.
    fn write_all(&mut self, mut buf: &[u8]) -> impl Future<Output = Result<()>> + Send
    where
        Self: Sized,
    {
        async move {
            while !buf.is_empty() {
                match self.write(buf).await {
                    Ok(0) => return Err(write_zero()),
                    Ok(n) => buf = &buf[believe(n, buf.len())..],
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
            }
            Ok(())
        }
    }

    /// Writes all of every buffer, in order.
    ///
    /// The slices are advanced past what is written, so that they show the rest after an error.
    ///
    /// # Errors
    ///
    /// As [`write_all`](Self::write_all).
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: some of the bytes may have been written, and how many is lost.
    ///
    /// ```
    /// # futures::executor::block_on(async {
    /// use runtime::io::Write;
    /// use std::io::IoSlice;
    ///
    /// let mut output = Vec::new();
    /// let mut parts = [IoSlice::new(b"head "), IoSlice::new(b"body")];
    /// output.write_all_vectored(&mut parts).await?;
    /// assert_eq!(output, b"head body");
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    fn write_all_vectored(
        &mut self,
        mut bufs: &mut [IoSlice<'_>],
    ) -> impl Future<Output = Result<()>> + Send
    where
        Self: Sized,
    {
        async move {
            // Drops empty slices in front, so that an empty list is told from a full one.
            IoSlice::advance_slices(&mut bufs, 0);
            while !bufs.is_empty() {
                match self.write_vectored(bufs).await {
                    Ok(0) => return Err(write_zero()),
                    Ok(n) => IoSlice::advance_slices(&mut bufs, n),
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
            }
            Ok(())
        }
    }

    /// Formats first, then writes all of it: what `write!(writer, "..").await` calls.
    ///
    /// The arguments of `format_args!` are not `Send` and must not be kept while waiting, so a
    /// task that may move between threads has to end the macro's statement before it waits:
    /// `let written = write!(w, "{x}"); written.await?` compiles, or use
    /// `w.write_all(format!("{x}").as_bytes())`.
    ///
    /// # Errors
    ///
    /// As [`write_all`](Self::write_all).
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe, as [`write_all`](Self::write_all).
    fn write_fmt(&mut self, args: Arguments<'_>) -> impl Future<Output = Result<()>> + Send
    where
        Self: Sized,
    {
        let text = args.to_string();
        async move { self.write_all(text.as_bytes()).await }
    }

    /// The readiness form of this writer, if it has one.
    fn as_ready_write(&mut self) -> Option<impl ReadyWrite>
    where
        Self: Sized,
    {
        None::<Never>
    }

    /// The readiness form of this stream, if it has one and can be read as well.
    fn as_ready_stream(&mut self) -> Option<impl ReadyStream>
    where
        Self: Sized,
    {
        None::<Never>
    }

    /// [`as_ready_write`](Self::as_ready_write) as a trait object.
    fn as_ready_write_dyn(&mut self) -> Option<Box<dyn ReadyWrite + '_>> {
        None
    }

    /// [`as_ready_stream`](Self::as_ready_stream) as a trait object.
    fn as_ready_stream_dyn(&mut self) -> Option<Box<dyn ReadyStream + '_>> {
        None
    }

    /// The form of this writer that writes from owned buffers, if it has one.
    fn as_owned_write(&mut self) -> Option<impl OwnedWrite>
    where
        Self: Sized,
    {
        None::<Never>
    }

    /// [`as_owned_write`](Self::as_owned_write) as a trait object.
    fn as_owned_write_dyn(&mut self) -> Option<Box<dyn DynOwnedWrite + '_>> {
        None
    }
}

pub(super) fn write_zero() -> Error {
    Error::new(ErrorKind::WriteZero, "the writer took no more bytes")
}

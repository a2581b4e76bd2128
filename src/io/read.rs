//! [`Read`], what nearly all code uses: the asynchronous twin of [`std::io::Read`].
//!
//! Provided methods are plain compositions of `read` and `read_buf`; they keep no state outside
//! their futures. Types that work by readiness take the single operations from `when_ready.rs`.

use std::io::{ErrorKind, IoSliceMut, Result};
use std::ops::Deref;

use super::buf::read_spare;
use super::just_in_time::{self, ReadTarget};
use super::{
    BorrowedCursor, BorrowedSliceCursor, Bytes, Chain, DynOwnedRead, Never, OwnedRead, ReadyRead,
    Take,
};

/// Reads bytes asynchronously.
///
/// Implementors may write `async fn`; the futures must be `Send`. Types that work by readiness
/// implement [`Ready`](super::Ready) and [`ReadyRead`] by hand and get this trait from
/// [`leaf_io!`](super::leaf_io); wrappers get all of it from [`forward_io!`](super::forward_io).
/// `read` itself never downcasts.
///
/// The trait can be named as `dyn Read`, but has nothing to offer there: use `dyn ReadyRead`.
///
/// ```
/// # futures::executor::block_on(async {
/// use runtime::io::Read;
///
/// let mut input = &b"four more"[..];
/// let mut buf = [0; 4];
/// input.read_exact(&mut buf).await?;
/// let mut rest = String::new();
/// input.read_to_string(&mut rest).await?;
/// assert_eq!((&buf, rest.as_str()), (b"four", " more"));
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub trait Read: Send {
    /// Reads what there is, at most `buf.len()` bytes, waiting if there is nothing yet.
    ///
    /// `Ok(0)` is the end of the stream, unless `buf` is empty, which returns `Ok(0)` at once.
    ///
    /// # Errors
    ///
    /// Those of the reader; nothing was read then.
    ///
    /// # Cancel safety
    ///
    /// Implementations are to be cancel safe, and all of this crate's are: a future that is
    /// dropped before it was ready has read nothing.
    fn read(&mut self, buf: &mut [u8]) -> impl Future<Output = Result<usize>> + Send
    where
        Self: Sized;

    /// Reads into several buffers in order. Provided: reads into the first that is not empty.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    ///
    /// # Cancel safety
    ///
    /// As [`read`](Self::read).
    fn read_vectored(
        &mut self,
        bufs: &mut [IoSliceMut<'_>],
    ) -> impl Future<Output = Result<usize>> + Send
    where
        Self: Sized,
    {
        async move {
            let first = bufs.iter_mut().find(|buf| !buf.is_empty());
            let first = first.map_or(&mut [][..], |buf| &mut buf[..]);
            Ok(believe(self.read(first).await?, first.len()))
        }
    }

    /// Reads into memory that need not be initialized. Provided: zeroes it first.
    ///
    /// The end of the stream is that nothing was filled although there was room.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    ///
    /// # Cancel safety
    ///
    /// As [`read`](Self::read).
    ///
    /// ```
    /// # futures::executor::block_on(async {
    /// use runtime::io::{BorrowedBuf, Read};
    /// use std::mem::MaybeUninit;
    ///
    /// let mut memory = [MaybeUninit::uninit(); 64];
    /// let mut buf = BorrowedBuf::from(&mut memory[..]);
    /// (&b"straight in"[..]).read_buf(buf.unfilled()).await?;
    /// assert_eq!(buf.filled(), b"straight in");
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    fn read_buf(&mut self, mut buf: BorrowedCursor<'_>) -> impl Future<Output = Result<()>> + Send
    where
        Self: Sized,
    {
        async move {
            let n = self.read(buf.ensure_init().init_mut()).await?;
            buf.advance_checked(n);
            Ok(())
        }
    }

    /// Reads into several buffers that need not be initialized; returns how many bytes those were.
    /// Provided: reads into the first that has room.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    ///
    /// # Cancel safety
    ///
    /// As [`read`](Self::read).
    fn read_buf_vectored(
        &mut self,
        mut bufs: BorrowedSliceCursor<'_>,
    ) -> impl Future<Output = Result<usize>> + Send
    where
        Self: Sized,
    {
        async move {
            let before = bufs.written();
            match bufs.first_unfilled() {
                Some(cursor) => self.read_buf(cursor).await?,
                None => _ = self.read(&mut []).await?,
            }
            Ok(bufs.written() - before)
        }
    }

    /// Whether the vectored methods do better than reading into the first buffer.
    fn is_read_vectored(&self) -> bool {
        false
    }

    /// Reads until `buf` is full.
    ///
    /// # Errors
    ///
    /// `UnexpectedEof` if the stream ends before that; those of [`read`](Self::read) except
    /// `Interrupted`, which is retried. What was read until then is in `buf`, how much is not
    /// known.
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: what was read is in `buf`, but how much is lost. Use
    /// [`read_buf_exact`](Self::read_buf_exact), whose buffer counts.
    fn read_exact(&mut self, mut buf: &mut [u8]) -> impl Future<Output = Result<()>> + Send
    where
        Self: Sized,
    {
        async move {
            while !buf.is_empty() {
                match self.read(buf).await {
                    Ok(0) => return Err(unexpected_eof()),
                    Ok(n) => {
                        let n = believe(n, buf.len());
                        buf = &mut buf[n..];
                    }
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
            }
            Ok(())
        }
    }

    /// Reads until the cursor has no room left.
    ///
    /// # Errors
    ///
    /// As [`read_exact`](Self::read_exact); what was read is filled.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: what was read is filled in the buffer, and a new call with the rest of it
    /// goes on.
    fn read_buf_exact(
        &mut self,
        mut buf: BorrowedCursor<'_>,
    ) -> impl Future<Output = Result<()>> + Send
    where
        Self: Sized,
    {
        async move {
            while buf.capacity() > 0 {
                let before = buf.written();
                match self.read_buf(buf.reborrow()).await {
                    Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                    outcome => outcome?,
                }
                if buf.written() == before {
                    return Err(unexpected_eof());
                }
            }
            Ok(())
        }
    }

    /// Appends what there is to `target`, at most 16 KiB, and returns how many bytes that was; 0 is
    /// the end of the stream.
    ///
    /// While it waits for a reader that has a readiness form, `target` does not grow: an empty
    /// vector has no memory until data is there, and then as much as was read (one that has spare
    /// capacity is filled up to that).
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read); `OutOfMemory` if a `Vec` cannot grow, and what was read is lost then.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: what was read has been appended.
    ///
    /// ```
    /// # futures::executor::block_on(async {
    /// use bytes::BytesMut;
    /// use runtime::io::{Read, Write};
    ///
    /// let (mut client, mut server) = runtime::io::duplex(64);
    /// client.write_all(b"message").await?;
    /// let mut message = BytesMut::new();
    /// assert_eq!(server.read_into(&mut message).await?, 7);
    /// assert_eq!(&message[..], b"message");
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    fn read_into<T: ReadTarget>(
        &mut self,
        target: &mut T,
    ) -> impl Future<Output = Result<usize>> + Send
    where
        Self: Sized,
    {
        just_in_time::read_into(self, target)
    }

    /// Reads to the end of the stream, appends it to `buf` and returns how many bytes that was.
    ///
    /// # Errors
    ///
    /// Those of [`read`](Self::read) except `Interrupted`, which is retried; `OutOfMemory` if
    /// `buf` cannot grow. What was read until then has been appended.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost: what was read has been appended to `buf`, and a new call goes on.
    fn read_to_end(&mut self, buf: &mut Vec<u8>) -> impl Future<Output = Result<usize>> + Send
    where
        Self: Sized,
    {
        read_to_end(self, buf)
    }

    /// Reads to the end of the stream, which must be UTF-8, appends it to `text` and returns how
    /// many bytes that was.
    ///
    /// # Errors
    ///
    /// `InvalidData` if what was read is not UTF-8; the bytes are in the error, which is made of a
    /// [`FromUtf8Error`](std::string::FromUtf8Error). Those of [`read_to_end`](Self::read_to_end),
    /// and then what was read is lost. `text` is as it was in both cases.
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: `text` is as it was, and what was read is lost. Use
    /// [`read_to_end`](Self::read_to_end), whose buffer keeps it.
    fn read_to_string(&mut self, text: &mut String) -> impl Future<Output = Result<usize>> + Send
    where
        Self: Sized,
    {
        async move {
            let mut bytes = Vec::new();
            read_to_end(self, &mut bytes).await?;
            append_utf8(text, bytes)
        }
    }

    /// Borrows the reader, to hand it to an adapter for a while.
    ///
    /// (Only here: the same name on [`Write`](super::Write) would be ambiguous on a stream.)
    ///
    /// ```
    /// # futures::executor::block_on(async {
    /// use runtime::io::Read;
    ///
    /// let mut input = &b"headbody"[..];
    /// let mut head = String::new();
    /// input.by_ref().take(4).read_to_string(&mut head).await?;
    /// assert_eq!((head.as_str(), input), ("head", &b"body"[..]));
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    fn by_ref(&mut self) -> &mut Self
    where
        Self: Sized,
    {
        self
    }

    /// A reader of at most the next `limit` bytes, which then says that the stream has ended.
    fn take(self, limit: u64) -> Take<Self>
    where
        Self: Sized,
    {
        Take::new(self, limit)
    }

    /// Everything of this reader, then everything of `next`.
    fn chain<R: Read>(self, next: R) -> Chain<Self, R>
    where
        Self: Sized,
    {
        Chain::new(self, next)
    }

    /// This reader byte by byte.
    fn bytes(self) -> Bytes<Self>
    where
        Self: Sized,
    {
        Bytes::new(self)
    }

    /// The readiness form of this reader, if it has one.
    ///
    /// For generic code that wants to wait without a buffer where that is possible. (Before edition
    /// 2024 the reader cannot be used in the `else`, for temporaries live longer there: return from
    /// the `if`, and use it behind that.)
    ///
    /// ```
    /// # futures::executor::block_on(async {
    /// use runtime::io::{Read, ReadyRead};
    ///
    /// async fn count<R: Read>(mut reader: R) -> std::io::Result<usize> {
    ///     if let Some(mut ready) = reader.as_ready() {
    ///         ready.read_with(|bytes| bytes.len()).await
    ///     } else {
    ///         reader.read(&mut [0; 1024]).await
    ///     }
    /// }
    /// assert_eq!(count(&b"five!"[..]).await?, 5);
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    fn as_ready(&mut self) -> Option<impl ReadyRead>
    where
        Self: Sized,
    {
        None::<Never>
    }

    /// The readiness form as a trait object; boxed, because an adapter builds what it hands out.
    fn as_ready_dyn(&mut self) -> Option<Box<dyn ReadyRead + '_>> {
        None
    }

    /// The form of this reader that reads into owned buffers, if it has one.
    ///
    /// ```
    /// # futures::executor::block_on(async {
    /// use runtime::io::{OwnedBuf, OwnedRead, Read};
    ///
    /// let mut input = &b"straight into your memory"[..];
    /// let mut owned = input.as_owned().expect("slices have one");
    /// let (buf, outcome) = owned.read_owned(OwnedBuf::with_capacity(8)).await;
    /// outcome?;
    /// assert_eq!(buf.filled(), b"straight");
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    fn as_owned(&mut self) -> Option<impl OwnedRead>
    where
        Self: Sized,
    {
        None::<Never>
    }

    /// [`as_owned`](Self::as_owned) as a trait object.
    fn as_owned_dyn(&mut self) -> Option<Box<dyn DynOwnedRead + '_>> {
        None
    }
}

/// The smallest room that is worth a read of unknown size, and the first growth of a vector.
pub(super) const SMALL: usize = 32;

/// The most that is read at once, doubled while reads fill it: what a reader without uninitialized
/// reads zeroes for nothing is bounded.
pub(super) const CHUNK: usize = 8 * 1024;

/// The loop of [`Read::read_to_end`].
async fn read_to_end<R: Read>(reader: &mut R, buf: &mut Vec<u8>) -> Result<usize> {
    let start = buf.len();
    let mut chunk = CHUNK;
    loop {
        if buf.len() == buf.capacity() {
            // Amortised doubling, and an error instead of an abort when memory is short.
            buf.try_reserve(SMALL.max(chunk.min(buf.len())))?;
        }
        match read_spare(reader, buf, chunk).await {
            Ok(0) => return Ok(buf.len() - start),
            Ok(n) if n == chunk => chunk = chunk.saturating_mul(2),
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Appends `bytes` to `text` if they are UTF-8, without a copy if `text` is empty.
pub(super) fn append_utf8(text: &mut String, bytes: Vec<u8>) -> Result<usize> {
    let len = bytes.len();
    let bytes = String::from_utf8(bytes)
        .map_err(|error| std::io::Error::new(ErrorKind::InvalidData, error))?;
    if text.is_empty() {
        *text = bytes;
    } else {
        text.try_reserve(len)?;
        text.push_str(&bytes);
    }
    Ok(len)
}

/// A count that a foreign implementation returned for a buffer of `len` bytes.
///
/// # Panics
///
/// If it cannot be.
#[inline]
#[track_caller]
pub(crate) fn believe(n: usize, len: usize) -> usize {
    assert!(n <= len, "an implementation says that it moved more bytes than the buffer has");
    n
}

/// How many bytes are in several buffers.
pub(crate) fn total(bufs: &[impl Deref<Target = [u8]>]) -> usize {
    bufs.iter().fold(0, |sum, buf| buf.len().saturating_add(sum))
}

pub(super) fn unexpected_eof() -> std::io::Error {
    std::io::Error::new(ErrorKind::UnexpectedEof, "the stream ended before the buffer was full")
}

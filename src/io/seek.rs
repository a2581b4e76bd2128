//! [`Seek`], and [`ReadAt`] and [`WriteAt`], which need no position.

use std::future::poll_fn;
use std::io::{Cursor, Error, ErrorKind, Result, SeekFrom};
use std::task::{Poll, ready};

use super::read::{believe, unexpected_eof};
use super::write::write_zero;
use crate::coop;

/// Moves a position in a stream: the asynchronous twin of [`std::io::Seek`].
///
/// ```
/// # futures::executor::block_on(async {
/// use runtime::io::{Read, Seek};
/// use std::io::{Cursor, SeekFrom};
///
/// let mut file = Cursor::new(b"headbody");
/// file.seek(SeekFrom::End(-4)).await?;
/// let mut body = String::new();
/// file.read_to_string(&mut body).await?;
/// assert_eq!((body.as_str(), file.stream_len().await?), ("body", 8));
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub trait Seek: Send {
    /// Moves the position and returns it, counted from the start. It may be behind the end.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for a position before the start or of more than 64 bits; those of the
    /// stream. The position is as it was then.
    ///
    /// # Cancel safety
    ///
    /// The position may or may not have been moved.
    fn seek(&mut self, position: SeekFrom) -> impl Future<Output = Result<u64>> + Send
    where
        Self: Sized;

    /// Moves to the start.
    ///
    /// # Errors
    ///
    /// As [`seek`](Self::seek).
    ///
    /// # Cancel safety
    ///
    /// As [`seek`](Self::seek).
    fn rewind(&mut self) -> impl Future<Output = Result<()>> + Send
    where
        Self: Sized,
    {
        async move { self.seek(SeekFrom::Start(0)).await.map(drop) }
    }

    /// How long the stream is. Provided: moves to the end and back.
    ///
    /// # Errors
    ///
    /// As [`seek`](Self::seek); the position may have been moved to the end.
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: the position may have been moved to the end.
    fn stream_len(&mut self) -> impl Future<Output = Result<u64>> + Send
    where
        Self: Sized,
    {
        async move {
            let position = self.stream_position().await?;
            let len = self.seek(SeekFrom::End(0)).await?;
            if position != len {
                self.seek(SeekFrom::Start(position)).await?;
            }
            Ok(len)
        }
    }

    /// The position, counted from the start.
    ///
    /// # Errors
    ///
    /// As [`seek`](Self::seek).
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: nothing is moved.
    fn stream_position(&mut self) -> impl Future<Output = Result<u64>> + Send
    where
        Self: Sized,
    {
        self.seek(SeekFrom::Current(0))
    }
}

/// Reads at any offset, also from several places at once: there is no position that could move.
///
/// ```
/// # futures::executor::block_on(async {
/// use runtime::io::ReadAt;
///
/// let file = &b"headbody"[..];
/// let (mut head, mut body) = ([0; 4], [0; 4]);
/// file.read_exact_at(&mut body, 4).await?;
/// file.read_exact_at(&mut head, 0).await?;
/// assert_eq!((&head, &body), (b"head", b"body"));
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub trait ReadAt: Send + Sync {
    /// Reads what is there at `offset`, at most `buf.len()` bytes. `Ok(0)` is the end, unless `buf`
    /// is empty.
    ///
    /// # Errors
    ///
    /// Those of the resource; nothing was read then.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: there is nothing to lose.
    fn read_at(&self, buf: &mut [u8], offset: u64) -> impl Future<Output = Result<usize>> + Send
    where
        Self: Sized;

    /// Reads at `offset` until `buf` is full.
    ///
    /// # Errors
    ///
    /// `UnexpectedEof` if the end comes before that; those of [`read_at`](Self::read_at) except
    /// `Interrupted`, which is retried. What `buf` holds then is not specified.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the same call again starts over.
    fn read_exact_at(
        &self,
        mut buf: &mut [u8],
        mut offset: u64,
    ) -> impl Future<Output = Result<()>> + Send
    where
        Self: Sized,
    {
        async move {
            while !buf.is_empty() {
                match self.read_at(buf, offset).await {
                    Ok(0) => return Err(unexpected_eof()),
                    Ok(n) => {
                        let n = believe(n, buf.len());
                        buf = &mut buf[n..];
                        offset = further(offset, n)?;
                    }
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
            }
            Ok(())
        }
    }
}

/// Writes at any offset, without a position.
///
/// What can be written through a shared reference implements it for `&T`.
///
/// ```
/// # futures::executor::block_on(async {
/// use runtime::io::WriteAt;
///
/// let mut file = b"head".to_vec();
/// file.write_all_at(b"body", 4).await?;
/// file.write_all_at(b"H", 0).await?;
/// assert_eq!(file, b"Headbody");
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub trait WriteAt: Send {
    /// Writes what there is room for at `offset` and returns how much that was.
    ///
    /// What can grow does; a gap before `offset` is filled with zeroes.
    ///
    /// # Errors
    ///
    /// Those of the resource; nothing was written then.
    ///
    /// # Cancel safety
    ///
    /// Some of `buf` may have been written; the same call again writes the same.
    fn write_at(&mut self, buf: &[u8], offset: u64) -> impl Future<Output = Result<usize>> + Send
    where
        Self: Sized;

    /// Writes all of `buf` at `offset`.
    ///
    /// # Errors
    ///
    /// `WriteZero` if nothing more fits; those of [`write_at`](Self::write_at) except
    /// `Interrupted`, which is retried. How much was written until then is not known.
    ///
    /// # Cancel safety
    ///
    /// Some of `buf` may have been written; the same call again writes the same.
    fn write_all_at(
        &mut self,
        mut buf: &[u8],
        mut offset: u64,
    ) -> impl Future<Output = Result<()>> + Send
    where
        Self: Sized,
    {
        async move {
            while !buf.is_empty() {
                match self.write_at(buf, offset).await {
                    Ok(0) => return Err(write_zero()),
                    Ok(n) => {
                        buf = &buf[believe(n, buf.len())..];
                        offset = further(offset, n)?;
                    }
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
            }
            Ok(())
        }
    }
}

fn further(offset: u64, n: usize) -> Result<u64> {
    offset
        .checked_add(n as u64)
        .ok_or_else(|| Error::new(ErrorKind::InvalidInput, "the offset does not fit into 64 bits"))
}

/// An operation in memory: it never waits, but it asks the budget first and charges what it moved.
fn at_once<T: Send>(
    op: impl FnOnce() -> Result<(T, usize)> + Send,
) -> impl Future<Output = Result<T>> + Send {
    let mut op = Some(op);
    poll_fn(move |cx| {
        ready!(coop::gate(cx));
        let op = op.take().expect("polled after it was ready");
        let outcome = op();
        coop::charge(outcome.as_ref().map_or(0, |(_, moved)| *moved));
        Poll::Ready(outcome.map(|(output, _)| output))
    })
}

/// The position may be behind the end: that is where reading finds the end.
impl<T: AsRef<[u8]> + Send> Seek for Cursor<T> {
    fn seek(&mut self, position: SeekFrom) -> impl Future<Output = Result<u64>> + Send {
        at_once(move || Ok((std::io::Seek::seek(self, position)?, 0)))
    }

    fn stream_len(&mut self) -> impl Future<Output = Result<u64>> + Send {
        at_once(move || Ok((self.get_ref().as_ref().len() as u64, 0)))
    }
}

fn read_slice_at(
    bytes: &[u8],
    buf: &mut [u8],
    offset: u64,
) -> impl Future<Output = Result<usize>> + Send {
    at_once(move || {
        let from = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
        let n = buf.len().min(bytes.len() - from);
        buf[..n].copy_from_slice(&bytes[from..from + n]);
        Ok((n, n))
    })
}

macro_rules! reads_slice_at {
    ($([$($generics:tt)*] $ty:ty, $this:ident => $bytes:expr;)+) => {$(
        impl<$($generics)*> ReadAt for $ty {
            fn read_at(
                &self,
                buf: &mut [u8],
                offset: u64,
            ) -> impl Future<Output = Result<usize>> + Send {
                let $this = self;
                read_slice_at($bytes, buf, offset)
            }
        }
    )+};
}

reads_slice_at! {
    [] &[u8], this => this;
    [] Vec<u8>, this => this;
    // The cursor's own position plays no part.
    [T: AsRef<[u8]> + Send + Sync] Cursor<T>, this => this.get_ref().as_ref();
}

/// Overwrites, and grows as far as needed.
impl WriteAt for Vec<u8> {
    fn write_at(&mut self, buf: &[u8], offset: u64) -> impl Future<Output = Result<usize>> + Send {
        at_once(move || {
            let end = usize::try_from(offset).ok().and_then(|at| at.checked_add(buf.len()));
            let end = end.ok_or(ErrorKind::OutOfMemory)?;
            let (from, before) = (end - buf.len(), self.len());
            if buf.is_empty() {
                return Ok((0, 0));
            }
            self.try_reserve(end.saturating_sub(before))?;
            self.resize(before.max(from), 0);
            let overwritten = buf.len().min(self.len() - from);
            self[from..from + overwritten].copy_from_slice(&buf[..overwritten]);
            self.extend_from_slice(&buf[overwritten..]);
            Ok((buf.len(), end - from.min(before)))
        })
    }
}

/// Overwrites, and takes nothing behind the end.
impl WriteAt for &mut [u8] {
    fn write_at(&mut self, buf: &[u8], offset: u64) -> impl Future<Output = Result<usize>> + Send {
        at_once(move || {
            let from = usize::try_from(offset).unwrap_or(usize::MAX).min(self.len());
            let n = buf.len().min(self.len() - from);
            self[from..from + n].copy_from_slice(&buf[..n]);
            Ok((n, n))
        })
    }
}

/// As the vector itself; the cursor's own position plays no part.
impl WriteAt for Cursor<Vec<u8>> {
    fn write_at(&mut self, buf: &[u8], offset: u64) -> impl Future<Output = Result<usize>> + Send {
        self.get_mut().write_at(buf, offset)
    }
}

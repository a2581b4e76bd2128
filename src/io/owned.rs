//! [`OwnedRead`] and [`OwnedWrite`]: the buffer goes in with the call and comes back with the
//! result.
//!
//! For I/O that needs its memory while it works: files on another thread, completion queues. Types
//! that work by readiness have them as well, so that code written against them runs on anything.
//! The provided methods compare every buffer that comes back with the one that went out.

use std::io::{ErrorKind, Result};

use super::read::{CHUNK, SMALL, unexpected_eof};
use super::write::write_zero;
use super::{OwnedBuf, Read, Write};

/// A reader that reads into buffers which it owns meanwhile.
///
/// # For implementors
///
/// Return the buffer that came in, filled further by at most its [`room`](OwnedBuf::room), also
/// with an error. What provided methods and adapters get back in another state (another buffer, one
/// that has lost bytes, one that was filled too far or may no longer be filled as far) makes them
/// panic.
///
/// ```
/// # futures::executor::block_on(async {
/// use runtime::io::{OwnedBuf, OwnedRead};
///
/// let mut input = &b"headbody"[..];
/// let (mut buf, outcome) = input.read_exact_owned(OwnedBuf::with_capacity(4)).await;
/// outcome?;
/// assert_eq!(buf.filled(), b"head");
/// buf.clear();
/// let (buf, outcome) = input.read_owned(buf).await;
/// outcome?;
/// assert_eq!(buf.filled(), b"body");
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub trait OwnedRead: Read {
    /// Reads what there is into the rest of `buf`, waiting if there is nothing yet.
    ///
    /// The end of the stream is that nothing was filled although there was room. A buffer without
    /// room comes back at once.
    ///
    /// # Errors
    ///
    /// Those of the reader, with the buffer; nothing was read then.
    ///
    /// # Cancel safety
    ///
    /// The buffer is dropped with the future. Types that work by readiness have read nothing then;
    /// others may have read what is lost with it.
    fn read_owned(&mut self, buf: OwnedBuf) -> impl Future<Output = (OwnedBuf, Result<()>)> + Send
    where
        Self: Sized;

    /// Reads until `buf` has no room left.
    ///
    /// # Errors
    ///
    /// `UnexpectedEof` if the stream ends before that; those of [`read_owned`](Self::read_owned)
    /// except `Interrupted`, which is retried. What was read until then is filled.
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: the buffer is dropped, and what was read is lost with it.
    fn read_exact_owned(
        &mut self,
        mut buf: OwnedBuf,
    ) -> impl Future<Output = (OwnedBuf, Result<()>)> + Send
    where
        Self: Sized,
    {
        async move {
            while buf.room() > 0 {
                let receipt = buf.receipt();
                let (returned, outcome) = self.read_owned(buf).await;
                buf = returned;
                match (receipt.check_read(&buf), outcome) {
                    (_, Err(error)) if error.kind() == ErrorKind::Interrupted => {}
                    (_, Err(error)) => return (buf, Err(error)),
                    (0, Ok(())) => return (buf, Err(unexpected_eof())),
                    (_, Ok(())) => {}
                }
            }
            (buf, Ok(()))
        }
    }

    /// Reads to the end of the stream, appends it to `vec` and returns how many bytes that was.
    ///
    /// # Errors
    ///
    /// Those of [`read_owned`](Self::read_owned) except `Interrupted`, which is retried;
    /// `OutOfMemory` if `vec` cannot grow. What was read until then has been appended.
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: `vec` is dropped, and what was read is lost with it.
    ///
    /// ```
    /// # futures::executor::block_on(async {
    /// use runtime::io::OwnedRead;
    ///
    /// let (all, outcome) = (&b"everything"[..]).read_to_end_owned(Vec::new()).await;
    /// assert_eq!((outcome?, all), (10, b"everything".to_vec()));
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    fn read_to_end_owned(
        &mut self,
        mut vec: Vec<u8>,
    ) -> impl Future<Output = (Vec<u8>, Result<usize>)> + Send
    where
        Self: Sized,
    {
        async move {
            let start = vec.len();
            loop {
                if vec.len() == vec.capacity()
                    && let Err(error) = vec.try_reserve(SMALL.max(CHUNK.min(vec.len())))
                {
                    return (vec, Err(error.into()));
                }
                let buf = OwnedBuf::from(vec);
                let receipt = buf.receipt();
                let (buf, outcome) = self.read_owned(buf).await;
                let n = receipt.check_read(&buf);
                vec = buf.try_into_vec().expect("it is the buffer that was made from a vector");
                match outcome {
                    Ok(()) if n == 0 => {
                        let len = vec.len() - start;
                        return (vec, Ok(len));
                    }
                    Err(error) if error.kind() != ErrorKind::Interrupted => {
                        return (vec, Err(error));
                    }
                    _ => {}
                }
            }
        }
    }
}

/// A writer that writes from buffers which it owns meanwhile.
///
/// # For implementors
///
/// Return the buffer that came in, as it was, also with an error. What provided methods and
/// adapters get back in another state, or a count of more bytes than there were, makes them panic.
///
/// ```
/// # futures::executor::block_on(async {
/// use runtime::io::{OwnedBuf, OwnedWrite};
///
/// let mut output = Vec::new();
/// let (buf, outcome) = output.write_all_owned(OwnedBuf::from(b"bytes".to_vec())).await;
/// outcome?;
/// assert_eq!((output.as_slice(), buf.filled()), (&b"bytes"[..], &b"bytes"[..]));
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub trait OwnedWrite: Write {
    /// Writes what there is room for of what is [`filled`](OwnedBuf::filled) in `buf`, waiting if
    /// there is none, and returns how much that was.
    ///
    /// The buffer comes back as it was; [`consume`](OwnedBuf::consume) what was written to go on.
    ///
    /// # Errors
    ///
    /// Those of the writer, with the buffer; nothing was written then.
    ///
    /// # Cancel safety
    ///
    /// The buffer is dropped with the future. Types that work by readiness have written nothing
    /// then; of others that is not known.
    fn write_owned(
        &mut self,
        buf: OwnedBuf,
    ) -> impl Future<Output = (OwnedBuf, Result<usize>)> + Send
    where
        Self: Sized;

    /// Writes all that is filled in `buf`, which comes back as it was.
    ///
    /// # Errors
    ///
    /// `WriteZero` if the writer takes nothing any more; those of
    /// [`write_owned`](Self::write_owned) except `Interrupted`, which is retried. What was written
    /// until then is [`consumed`](OwnedBuf::consumed), so that the buffer shows the rest.
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: the buffer is dropped, and how much of it was written is lost.
    fn write_all_owned(
        &mut self,
        mut buf: OwnedBuf,
    ) -> impl Future<Output = (OwnedBuf, Result<()>)> + Send
    where
        Self: Sized,
    {
        async move {
            let consumed = buf.consumed();
            while !buf.is_empty() {
                let receipt = buf.receipt();
                let (returned, outcome) = self.write_owned(buf).await;
                buf = returned;
                let claimed = *outcome.as_ref().unwrap_or(&0);
                let n = receipt.check_written(&buf, claimed);
                buf.consume(n);
                match outcome {
                    Ok(0) => return (buf, Err(write_zero())),
                    Err(error) if error.kind() != ErrorKind::Interrupted => {
                        return (buf, Err(error));
                    }
                    _ => {}
                }
            }
            buf.unconsume();
            buf.consume(consumed);
            (buf, Ok(()))
        }
    }
}

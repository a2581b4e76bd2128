//! [`copy`]: everything from a reader to a writer.
//!
//! Where the reader has a readiness form the loop waits without a buffer and takes one only while
//! bytes are in flight. In both forms the writer is flushed before the loop waits for more, so that
//! a reader whose data depends on what the writer holds back does not wait for ever.

use std::future::poll_fn;
use std::io::{ErrorKind, Result};
use std::pin::pin;
use std::task::Poll;

use super::buf::{read_spare, with_spare};
use super::just_in_time::Scratch;
use super::when_ready::{ROUNDS, Reading, Waiting, give_way};
use super::write::write_zero;
use super::{BufRead, Interest, NonBlocking, Read, ReadyRead, Write, pool};

/// How much is in flight at most, each way.
pub(super) const IN_FLIGHT: usize = pool::BLOCK;

/// Copies everything from `reader` to `writer` until the reader ends, flushes the writer and
/// returns how many bytes that was. The writer is not shut down.
///
/// While it waits for a reader that has a readiness form it holds no buffer, and before it waits
/// the writer is flushed.
///
/// # Errors
///
/// The first of the reader or the writer, except `Interrupted`, which is retried; `WriteZero` if
/// the writer takes nothing any more.
///
/// # Cancel safety
///
/// Not cancel safe: up to 16 KiB that were read and not yet written are lost.
///
/// ```
/// # futures::executor::block_on(async {
/// let mut output = Vec::new();
/// let copied = runtime::io::copy(&mut &b"from here to there"[..], &mut output).await?;
/// assert_eq!((copied, output.as_slice()), (18, &b"from here to there"[..]));
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub async fn copy<R: Read, W: Write>(reader: &mut R, writer: &mut W) -> Result<u64> {
    if let Some(mut ready) = reader.as_ready() {
        return copy_when_ready(&mut ready, writer).await;
    }
    copy_buffered(reader, writer).await
}

/// Waits without a buffer.
async fn copy_when_ready<R: ReadyRead, W: Write>(reader: &mut R, writer: &mut W) -> Result<u64> {
    let mut fruitless = 0;
    let mut copied = 0;
    let mut buf = Scratch::none();
    let mut is_flushed = true;
    loop {
        fruitless += 1;
        if fruitless > ROUNDS {
            // A reader that is always ready and never has anything must not keep the thread.
            fruitless = 0;
            give_way().await;
        }
        let mut waiting = Waiting::new(&mut *reader, Reading);
        let is_ready = poll_fn(|cx| match waiting.poll_ready(cx, Interest::READ) {
            Poll::Ready(readiness) => Poll::Ready(readiness.map(|_| true)),
            Poll::Pending if !is_flushed => Poll::Ready(Ok(false)),
            Poll::Pending => {
                buf.release();
                Poll::Pending
            }
        });
        let is_ready = is_ready.await;
        drop(waiting);
        match is_ready {
            Ok(true) => {}
            Ok(false) => {
                flush(writer).await?;
                is_flushed = true;
                continue;
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        }
        let buf = buf.take(IN_FLIGHT)?;
        match with_spare(buf, IN_FLIGHT, |cursor| reader.non_blocking_read(cursor)) {
            Ok(NonBlocking::Ready(())) if buf.is_empty() => break,
            Ok(NonBlocking::Ready(())) => {}
            Ok(NonBlocking::WouldBlock) => continue,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        }
        writer.write_all(buf).await?;
        copied += buf.len() as u64;
        is_flushed = false;
        fruitless = 0;
    }
    flush(writer).await?;
    Ok(copied)
}

/// Copies everything from a buffered reader to `writer`, straight from the reader's own buffer,
/// flushes the writer and returns how many bytes that was. The writer is not shut down.
///
/// Before it waits for the reader the writer is flushed.
///
/// # Errors
///
/// As [`copy`]. What was not written is still in the reader.
///
/// # Cancel safety
///
/// Nothing is lost: bytes leave the reader only when they were written, so a new call goes on. How
/// many were copied is not known.
///
/// ```
/// # futures::executor::block_on(async {
/// use runtime::io::{BufReader, copy_buf};
///
/// let mut output = Vec::new();
/// let mut reader = BufReader::new(&b"from here to there"[..]);
/// assert_eq!(copy_buf(&mut reader, &mut output).await?, 18);
/// assert_eq!(output, b"from here to there");
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub async fn copy_buf<R: BufRead, W: Write>(reader: &mut R, writer: &mut W) -> Result<u64> {
    let mut copied = 0;
    let mut is_flushed = true;
    loop {
        let filled = {
            let mut fill = pin!(reader.has_data_left());
            poll_fn(|cx| match fill.as_mut().poll(cx) {
                Poll::Pending if is_flushed => Poll::Pending,
                polled => Poll::Ready(polled),
            })
            .await
        };
        match filled {
            Poll::Ready(Ok(true)) => {}
            Poll::Ready(Ok(false)) => break,
            Poll::Ready(Err(error)) => return Err(error),
            Poll::Pending => {
                flush(writer).await?;
                is_flushed = true;
                continue;
            }
        }
        let shown = match reader.fill_buf().await {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            outcome => outcome?,
        };
        match writer.write(shown).await {
            Ok(0) => return Err(write_zero()),
            Ok(n) => {
                assert!(n <= shown.len(), "the writer wrote more than it was given");
                reader.consume(n);
                copied += n as u64;
                is_flushed = false;
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    flush(writer).await?;
    Ok(copied)
}

/// Holds its buffer all the time: such a reader needs one to wait with.
async fn copy_buffered<R: Read, W: Write>(reader: &mut R, writer: &mut W) -> Result<u64> {
    let mut copied = 0;
    let mut buf = Vec::new();
    buf.try_reserve_exact(IN_FLIGHT)?;
    let mut is_flushed = true;
    loop {
        buf.clear();
        let outcome = {
            let mut read = pin!(read_spare(reader, &mut buf, IN_FLIGHT));
            let first = poll_fn(|cx| match read.as_mut().poll(cx) {
                Poll::Pending if is_flushed => Poll::Pending,
                polled => Poll::Ready(polled),
            });
            match first.await {
                Poll::Ready(outcome) => outcome,
                Poll::Pending => {
                    flush(writer).await?;
                    is_flushed = true;
                    read.await
                }
            }
        };
        match outcome {
            Ok(0) => break,
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        }
        writer.write_all(&buf).await?;
        copied += buf.len() as u64;
        is_flushed = false;
    }
    flush(writer).await?;
    Ok(copied)
}

async fn flush<W: Write>(writer: &mut W) -> Result<()> {
    loop {
        match writer.flush().await {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            outcome => return outcome,
        }
    }
}

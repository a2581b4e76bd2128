//! What every pipe type does, on the two ends of a lane: readiness, non-blocking operations and
//! their cost in the cooperative budget. The macros give it to the public types.

use std::io::{Error, ErrorKind, IoSlice, Result};
use std::task::{Context, Poll, ready};

use bytes::Bytes;

use super::reader::{Fill, Reader};
use super::word::advance;
use super::writer::{Space, Writer};
use crate::coop;
use crate::io_core::{
    BorrowedBuf, BorrowedCursor, BorrowedSliceCursor, Interest, NonBlocking, Readiness,
};

/// `Ready::poll_ready` of a type that has one end, or both.
#[inline]
pub(super) fn poll_ready(
    reader: Option<&mut Reader>,
    writer: Option<&mut Writer>,
    cx: &mut Context<'_>,
    interest: Interest,
) -> Poll<Result<Readiness>> {
    ready!(coop::gate(cx));
    match (interest, reader, writer) {
        (Interest::READ, Some(reader), _) => reader.poll_fill(cx).map(|()| Ok(readable(reader))),
        (Interest::WRITE, _, Some(writer)) => writer.poll_space(cx).map(|()| Ok(writable(writer))),
        (Interest::READ_WRITE, Some(reader), Some(writer)) => poll_either(reader, writer, cx),
        _ => Poll::Ready(Err(never_ready())),
    }
}

/// Charged, or a task that asks again and again would never let its neighbours run.
#[cold]
fn never_ready() -> Error {
    coop::charge(0);
    let text = "this end of the pipe has no such direction, and no pipe has urgent data";
    Error::new(ErrorKind::InvalidInput, text)
}

/// Ready when one direction is; if the other would wait, it does.
fn poll_either(
    reader: &mut Reader,
    writer: &mut Writer,
    cx: &mut Context<'_>,
) -> Poll<Result<Readiness>> {
    let mut readiness = Readiness::EMPTY;
    if reader.poll_fill(cx).is_ready() {
        readiness |= readable(reader);
    }
    if writer.poll_space(cx).is_ready() {
        readiness |= writable(writer);
    }
    if readiness.is_empty() { Poll::Pending } else { Poll::Ready(Ok(readiness)) }
}

#[inline]
fn readable(reader: &Reader) -> Readiness {
    if reader.is_ending() { Readiness::READ | Readiness::HUP } else { Readiness::READ }
}

#[inline]
fn writable(writer: &Writer) -> Readiness {
    if writer.is_broken() { Readiness::WRITE | Readiness::HUP } else { Readiness::WRITE }
}

// ---------------------------------------------------------------- reading

#[inline(always)]
pub(super) fn read(reader: &mut Reader, mut buf: BorrowedCursor<'_>) -> Result<NonBlocking<()>> {
    let room = buf.capacity();
    let mut at = reader.at();
    let len = reader.available(at, room).min(room);
    if len == 0 {
        if room > 0 && reader.found_nothing() == Fill::Empty {
            return Ok(NonBlocking::WouldBlock);
        }
        coop::charge(0);
        return Ok(NonBlocking::Ready(()));
    }
    // As `Reader::read` does it, but without a closure the cursor need not lie in memory.
    let mut left = len;
    loop {
        let there = reader.in_one_place(at, left);
        buf.append(reader.piece(at, there));
        at = advance(at, there);
        left -= there;
        if left == 0 {
            break;
        }
    }
    reader.publish(at);
    coop::charge(len);
    Ok(NonBlocking::Ready(()))
}

pub(super) fn read_vectored(
    reader: &mut Reader,
    mut bufs: BorrowedSliceCursor<'_>,
) -> Result<NonBlocking<usize>> {
    let room = bufs.capacity();
    Ok(read_with(reader, room, |piece| bufs.append_some(piece)))
}

#[inline]
fn read_with(
    reader: &mut Reader,
    room: usize,
    sink: impl FnMut(&[u8]) -> usize,
) -> NonBlocking<usize> {
    let mut bytes = 0;
    if room > 0 {
        match reader.fill(room) {
            Fill::Data => bytes = reader.read(sink),
            Fill::Empty => return NonBlocking::WouldBlock,
            Fill::End => {}
        }
    }
    coop::charge(bytes);
    NonBlocking::Ready(bytes)
}

/// The inherent `try_read`.
pub(super) fn try_read(reader: &mut Reader, buf: &mut [u8]) -> Result<usize> {
    let mut buf = BorrowedBuf::from(buf);
    read(reader, buf.unfilled())?.map(|()| buf.len()).into_result()
}

pub(super) fn fill(reader: &mut Reader) -> Result<NonBlocking<()>> {
    match reader.fill(usize::MAX) {
        Fill::Data => reader.expose(),
        Fill::Empty => return Ok(NonBlocking::WouldBlock),
        Fill::End => {}
    }
    coop::charge(0); // the bytes are charged when they are consumed
    Ok(NonBlocking::Ready(()))
}

#[inline]
#[track_caller]
pub(super) fn consume(reader: &mut Reader, n: usize) {
    reader.consume(n);
    if let Some(more) = n.checked_sub(1 << 14) {
        coop::charge(more); // with the unit of `fill`: as much as a read
    }
}

/// The inherent `peek`.
pub(super) fn peek(reader: &mut Reader) -> &[u8] {
    if reader.fill(usize::MAX) == Fill::Data {
        reader.expose();
    }
    reader.buffer()
}

/// The inherent `try_read_bytes`: `None` if it would block.
pub(super) fn read_bytes(reader: &mut Reader, max: usize) -> Option<Bytes> {
    let mut taken = Bytes::new();
    if max > 0 {
        match reader.fill(max) {
            Fill::Data => taken = reader.read_chunk(max),
            Fill::Empty => return None,
            Fill::End => {}
        }
    }
    coop::charge(taken.len());
    Some(taken)
}

// ---------------------------------------------------------------- writing

/// A chunk of this size or more is handed over, a smaller one is cheaper to copy.
const HAND_OVER: usize = 4096;

/// The inherent `try_write_bytes`.
pub(super) fn write_bytes(writer: &mut Writer, bytes: &mut Bytes) -> Result<NonBlocking<usize>> {
    let accepted = match accept(writer, bytes.len()) {
        Ok(NonBlocking::Ready(accepted)) => accepted,
        other => return other,
    };
    let chunk = bytes.split_to(accepted);
    if accepted < HAND_OVER {
        writer.write_one(&chunk);
    } else {
        writer.write_chunk(chunk);
    }
    // Nothing was copied, but the other end has as much to work on.
    coop::charge(accepted);
    Ok(NonBlocking::Ready(accepted))
}

#[inline(always)]
pub(super) fn write(writer: &mut Writer, buf: &[u8]) -> Result<NonBlocking<usize>> {
    if !writer.write_fast(buf) {
        return write_slow(writer, buf);
    }
    coop::charge(buf.len());
    Ok(NonBlocking::Ready(buf.len()))
}

#[inline(never)]
fn write_slow(writer: &mut Writer, buf: &[u8]) -> Result<NonBlocking<usize>> {
    let accepted = match accept(writer, buf.len()) {
        Ok(NonBlocking::Ready(accepted)) => accepted,
        other => return other,
    };
    writer.write_one(&buf[..accepted]);
    coop::charge(accepted);
    Ok(NonBlocking::Ready(accepted))
}

pub(super) fn write_vectored(
    writer: &mut Writer,
    bufs: &[IoSlice<'_>],
) -> Result<NonBlocking<usize>> {
    let total = bufs.iter().fold(0_usize, |sum, buf| sum.saturating_add(buf.len()));
    let accepted = match accept(writer, total) {
        Ok(NonBlocking::Ready(accepted)) => accepted,
        other => return other,
    };
    writer.write(accepted, bufs.iter().map(|buf| &**buf));
    coop::charge(accepted);
    Ok(NonBlocking::Ready(accepted))
}

/// How much of so many bytes can be written; charges an error.
#[inline]
fn accept(writer: &mut Writer, total: usize) -> Result<NonBlocking<usize>> {
    match writer.space(total) {
        Space::Free(space) => Ok(NonBlocking::Ready(space.min(total))),
        Space::Full if total > 0 => Ok(NonBlocking::WouldBlock),
        Space::Full => Ok(NonBlocking::Ready(0)),
        Space::Broken => {
            coop::charge(0);
            Err(ErrorKind::BrokenPipe.into())
        }
    }
}

/// Nothing is held back; but nobody may find that out all day long.
pub(super) fn flush() -> Result<NonBlocking<()>> {
    coop::charge(0);
    Ok(NonBlocking::Ready(()))
}

pub(super) fn shutdown(writer: &mut Writer) -> Result<NonBlocking<()>> {
    writer.close();
    coop::charge(0);
    Ok(NonBlocking::Ready(()))
}

/// Implements [`Ready`](crate::io_core::Ready) for a type with the field `reader`, `writer` or both.
macro_rules! pipe_ready {
    ([$($generics:tt)*] $ty:ty, $reader:ident, $writer:ident) => {
        impl<$($generics)*> $crate::io_core::Ready for $ty {
            #[inline]
            fn poll_ready(
                &mut self,
                cx: &mut std::task::Context<'_>,
                interest: $crate::io_core::Interest,
            ) -> std::task::Poll<std::io::Result<$crate::io_core::Readiness>> {
                let (reader, writer): (
                    Option<&mut $crate::pipe::reader::Reader>,
                    Option<&mut $crate::pipe::writer::Writer>,
                ) = (
                    $crate::pipe::ops::pipe_ready!(@end self, $reader),
                    $crate::pipe::ops::pipe_ready!(@end self, $writer),
                );
                $crate::pipe::ops::poll_ready(reader, writer, cx, interest)
            }
            #[inline]
            fn stop_waiting(&mut self, interest: $crate::io_core::Interest) {
                if interest.is_readable() {
                    $crate::pipe::ops::pipe_ready!(@stop self, $reader);
                }
                if interest.is_writable() {
                    $crate::pipe::ops::pipe_ready!(@stop self, $writer);
                }
            }
        }
    };
    (@end $this:ident, none) => { None };
    (@end $this:ident, $end:ident) => { Some(&mut $this.$end) };
    (@stop $this:ident, none) => {};
    (@stop $this:ident, $end:ident) => { $this.$end.stop_waiting() };
}

/// Implements the reading traits for a type with the field `reader`, `Read` itself excepted.
///
/// The strings are for the examples: how to make both ends, and the names of the writer and the reader
/// then. [`example`] puts them around each method's own lines.
macro_rules! pipe_read {
    ([$($generics:tt)*] $ty:ty, $setup:literal, $writer:literal, $reader:literal) => {
        impl<$($generics)*> $crate::io_core::ReadyRead for $ty {
            #[inline(always)]
            fn non_blocking_read(
                &mut self,
                buf: $crate::io_core::BorrowedCursor<'_>,
            ) -> std::io::Result<$crate::io_core::NonBlocking<()>> {
                $crate::pipe::ops::read(&mut self.reader, buf)
            }
            fn non_blocking_read_vectored(
                &mut self,
                bufs: $crate::io_core::BorrowedSliceCursor<'_>,
            ) -> std::io::Result<$crate::io_core::NonBlocking<usize>> {
                $crate::pipe::ops::read_vectored(&mut self.reader, bufs)
            }
        }
        impl<$($generics)*> $crate::io_core::ReadyBufRead for $ty {
            #[inline]
            fn non_blocking_fill(
                &mut self,
            ) -> std::io::Result<$crate::io_core::NonBlocking<()>> {
                $crate::pipe::ops::fill(&mut self.reader)
            }
            #[inline]
            fn buffer(&self) -> &[u8] {
                self.reader.buffer()
            }
            #[inline]
            fn consume_buffer(&mut self, n: usize) {
                $crate::pipe::ops::consume(&mut self.reader, n);
            }
        }
        $crate::io_core::leaf_io!(impl [$($generics)*] BufRead for $ty);

        impl<$($generics)*> $ty {
            /// Reads what there is without waiting.
            ///
            /// `Ok(0)` is the end, unless `buf` is empty.
            ///
            /// # Errors
            ///
            /// `WouldBlock` if nothing is buffered and the writer has not closed.
            ///
            #[doc = $crate::pipe::ops::example!($setup,
                $writer, ".try_write(b\"data\")?;", "\n",
                "let mut buf = [0; 8];", "\n",
                "assert_eq!(", $reader, ".try_read(&mut buf)?, 4);", "\n",
                "let error = ", $reader, ".try_read(&mut buf).unwrap_err();", "\n",
                "assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);", "\n",
            )]
            pub fn try_read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
                $crate::pipe::ops::try_read(&mut self.reader, buf)
            }

            /// Takes at most `max` bytes, after waiting if there are none. A chunk that was queued by
            /// `write_bytes` is handed over without a copy. Empty at the end.
            ///
            /// # Errors
            ///
            /// None at present.
            ///
            /// # Cancel safety
            ///
            /// Cancel safe: a future that is dropped before it was ready has taken nothing.
            ///
            #[doc = $crate::pipe::ops::example!($setup,
                "let mut chunk = bytes::Bytes::from(vec![7; 5000]);", "\n",
                $writer, ".write_bytes(&mut chunk).await?;", "\n",
                "assert_eq!(", $reader, ".read_bytes(4000).await?.len(), 4000);", "\n",
                "assert_eq!(", $reader, ".read_bytes(4000).await?.len(), 1000);", "\n",
            )]
            pub async fn read_bytes(&mut self, max: usize) -> std::io::Result<bytes::Bytes> {
                loop {
                    if max > 0 {
                        $crate::io_core::Ready::ready(self, $crate::io_core::Interest::READ).await?;
                    } else {
                        std::future::poll_fn($crate::coop::gate).await;
                    }
                    if let Some(taken) = $crate::pipe::ops::read_bytes(&mut self.reader, max) {
                        return Ok(taken);
                    }
                }
            }

            /// [`read_bytes`](Self::read_bytes) without waiting.
            ///
            /// # Errors
            ///
            /// `WouldBlock` if nothing is buffered, the writer has not closed and `max` is not 0.
            ///
            #[doc = $crate::pipe::ops::example!($setup,
                "let error = ", $reader, ".try_read_bytes(8).unwrap_err();", "\n",
                "assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);", "\n",
                $writer, ".try_write(b\"data\")?;", "\n",
                "assert_eq!(", $reader, ".try_read_bytes(8)?, \"data\");", "\n",
            )]
            pub fn try_read_bytes(&mut self, max: usize) -> std::io::Result<bytes::Bytes> {
                let taken = $crate::pipe::ops::read_bytes(&mut self.reader, max);
                taken.ok_or_else(|| std::io::ErrorKind::WouldBlock.into())
            }

            /// Shows bytes that are buffered without consuming them: the longest piece that lies in
            /// one place. Empty if there are none.
            ///
            #[doc = $crate::pipe::ops::example!($setup,
                $writer, ".try_write(b\"data\")?;", "\n",
                "assert_eq!(", $reader, ".peek(), b\"data\");", "\n",
                "assert_eq!(", $reader, ".len(), 4);", "\n",
            )]
            pub fn peek(&mut self) -> &[u8] {
                $crate::pipe::ops::peek(&mut self.reader)
            }

            /// How many bytes can be read at once.
            ///
            #[doc = $crate::pipe::ops::example!($setup,
                $writer, ".try_write(b\"data\")?;", "\n",
                "assert_eq!(", $reader, ".len(), 4);", "\n",
            )]
            pub fn len(&self) -> usize {
                self.reader.buffered()
            }

            /// Whether a read would have to wait, or finds the end.
            ///
            #[doc = $crate::pipe::ops::example!($setup,
                "assert!(", $reader, ".is_empty());", "\n",
                $writer, ".try_write(b\"data\")?;", "\n",
                "assert!(!", $reader, ".is_empty());", "\n",
            )]
            pub fn is_empty(&self) -> bool {
                self.len() == 0
            }
        }
    };
}

/// Implements the writing traits for a type with the field `writer`, `Write` itself excepted; the
/// strings as in [`pipe_read`].
macro_rules! pipe_write {
    ([$($generics:tt)*] $ty:ty, $setup:literal, $writer:literal, $reader:literal) => {
        impl<$($generics)*> $crate::io_core::ReadyWrite for $ty {
            #[inline(always)]
            fn non_blocking_write(
                &mut self,
                buf: &[u8],
            ) -> std::io::Result<$crate::io_core::NonBlocking<usize>> {
                $crate::pipe::ops::write(&mut self.writer, buf)
            }
            fn non_blocking_write_vectored(
                &mut self,
                bufs: &[std::io::IoSlice<'_>],
            ) -> std::io::Result<$crate::io_core::NonBlocking<usize>> {
                $crate::pipe::ops::write_vectored(&mut self.writer, bufs)
            }
            fn non_blocking_flush(
                &mut self,
            ) -> std::io::Result<$crate::io_core::NonBlocking<()>> {
                $crate::pipe::ops::flush()
            }
            fn non_blocking_shutdown(
                &mut self,
            ) -> std::io::Result<$crate::io_core::NonBlocking<()>> {
                $crate::pipe::ops::shutdown(&mut self.writer)
            }
        }

        impl<$($generics)*> $ty {
            /// Writes what there is room for without waiting.
            ///
            /// # Errors
            ///
            /// `WouldBlock` if there is no room; `BrokenPipe` after a shutdown, or when the reader
            /// has gone.
            ///
            #[doc = $crate::pipe::ops::example!($setup,
                "assert_eq!(", $writer, ".try_write(&[7; 10_000])?, 8192);", "\n",
                "let error = ", $writer, ".try_write(b\"more\").unwrap_err();", "\n",
                "assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);", "\n",
                "assert_eq!(", $reader, ".len(), 8192);", "\n",
            )]
            pub fn try_write(&mut self, buf: &[u8]) -> std::io::Result<usize> {
                $crate::pipe::ops::write(&mut self.writer, buf)?.into_result()
            }

            /// Queues all of `bytes`, after waiting for room if necessary. Large chunks are queued as
            /// they are, without a copy, in order with everything else that is written.
            ///
            /// # Errors
            ///
            /// `BrokenPipe` after a shutdown, or when the reader has gone, also if `bytes` is empty.
            ///
            /// # Cancel safety
            ///
            /// Cancel safe: what was not queued is still in `bytes`.
            ///
            #[doc = $crate::pipe::ops::example!($setup,
                "let mut chunk = bytes::Bytes::from(vec![7; 5000]);", "\n",
                "let address = chunk.as_ptr();", "\n",
                $writer, ".write_bytes(&mut chunk).await?;", "\n",
                "// The same memory comes out.", "\n",
                "assert_eq!(", $reader, ".read_bytes(5000).await?.as_ptr(), address);", "\n",
            )]
            pub async fn write_bytes(&mut self, bytes: &mut bytes::Bytes) -> std::io::Result<()> {
                loop {
                    if bytes.is_empty() {
                        std::future::poll_fn($crate::coop::gate).await;
                    } else {
                        $crate::io_core::Ready::ready(self, $crate::io_core::Interest::WRITE).await?;
                    }
                    let _ = $crate::pipe::ops::write_bytes(&mut self.writer, bytes)?;
                    if bytes.is_empty() {
                        return Ok(());
                    }
                }
            }

            /// Queues what there is room for without waiting, as [`write_bytes`](Self::write_bytes) does,
            /// and says how much that was; the rest stays in `bytes`.
            ///
            /// # Errors
            ///
            /// `WouldBlock` if there is no room; `BrokenPipe` after a shutdown, or when the reader
            /// has gone.
            ///
            #[doc = $crate::pipe::ops::example!($setup,
                "let mut chunk = bytes::Bytes::from(vec![7; 10_000]);", "\n",
                "assert_eq!(", $writer, ".try_write_bytes(&mut chunk)?, 8192);", "\n",
                "assert_eq!(chunk.len(), 10_000 - 8192);", "\n",
                "assert_eq!(", $reader, ".len(), 8192);", "\n",
            )]
            pub fn try_write_bytes(&mut self, bytes: &mut bytes::Bytes) -> std::io::Result<usize> {
                $crate::pipe::ops::write_bytes(&mut self.writer, bytes)?.into_result()
            }

            /// The most bytes that can be under way from here, as given at construction.
            ///
            #[doc = $crate::pipe::ops::example!($setup,
                "assert_eq!(", $writer, ".capacity(), 8192);", "\n",
                "# drop(", $reader, ".len());", "\n",
            )]
            pub fn capacity(&self) -> usize {
                self.writer.limit()
            }

            /// Whether writing fails from now on: after a shutdown, or when the reader has gone.
            ///
            #[doc = $crate::pipe::ops::example!($setup,
                "use runtime::io::Write;", "\n",
                "assert!(!", $writer, ".is_closed());", "\n",
                $writer, ".shutdown().await?;", "\n",
                "assert!(", $writer, ".is_closed());", "\n",
                "# drop(", $reader, ".len());", "\n",
            )]
            pub fn is_closed(&self) -> bool {
                self.writer.is_broken()
            }
        }
    };
}

/// An example: its lines between those that are the same in all, with both ends of a pipe that holds
/// 8 KiB.
macro_rules! example {
    ($setup:literal, $($text:expr),* $(,)?) => {
        concat!(
            "```\n# futures::executor::block_on(async {\n",
            $setup,
            "\n",
            $($text,)*
            "# std::io::Result::Ok(()) }).unwrap();\n```"
        )
    };
}

pub(super) use {example, pipe_read, pipe_ready, pipe_write};

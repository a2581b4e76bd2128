//! Feature `tokio-io`: the traits of `tokio::io`, with tokio as a crate of two traits and no runtime.

use std::io::{IoSlice, Result};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncBufRead, AsyncRead, AsyncWrite, ReadBuf};

use super::foreign::{PollStream, foreign_stream};
use super::{every_stream, poll_fill, poll_flush, poll_read_into, poll_read_with, poll_shutdown};
use super::{poll_write, poll_write_vectored};
use crate::io_core::{ReadyBufRead, ReadyRead, Write};

macro_rules! tokio_io {
    ([$($generics:tt)*] Stream $ty:ty) => {
        tokio_io!([$($generics)*] Read $ty);
        tokio_io!([$($generics)*] Write $ty);
    };
    ([$($generics:tt)*] Read $ty:ty) => {
        impl<$($generics)*> AsyncRead for $ty {
            #[inline]
            fn poll_read(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buf: &mut ReadBuf<'_>,
            ) -> Poll<Result<()>> {
                poll_read_buf(self.get_mut(), cx, buf)
            }
        }
    };
    ([$($generics:tt)*] Write $ty:ty) => {
        impl<$($generics)*> AsyncWrite for $ty {
            #[inline]
            fn poll_write(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buf: &[u8],
            ) -> Poll<Result<usize>> {
                poll_write(self.get_mut(), cx, buf)
            }

            #[inline]
            fn poll_write_vectored(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                bufs: &[IoSlice<'_>],
            ) -> Poll<Result<usize>> {
                poll_write_vectored(self.get_mut(), cx, bufs)
            }

            #[inline]
            fn is_write_vectored(&self) -> bool {
                Write::is_write_vectored(self)
            }

            #[inline]
            fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
                poll_flush(self.get_mut(), cx)
            }

            #[inline]
            fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
                poll_shutdown(self.get_mut(), cx)
            }
        }
    };
    ([$($generics:tt)*] BufRead $ty:ty) => {
        impl<$($generics)*> AsyncBufRead for $ty {
            fn poll_fill_buf(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
            ) -> Poll<Result<&[u8]>> {
                poll_fill(self.get_mut(), cx)
            }

            fn consume(self: Pin<&mut Self>, amount: usize) {
                self.get_mut().consume_buffer(amount);
            }
        }
    };
}

every_stream!(tokio_io);

fn poll_read_buf<R: ReadyRead>(
    reader: &mut R,
    cx: &mut Context<'_>,
    buf: &mut ReadBuf<'_>,
) -> Poll<Result<()>> {
    if buf.initialized().len() == buf.capacity() {
        // Zeroes nothing.
        let read = ready!(poll_read_into(reader, cx, buf.initialize_unfilled()))?;
        buf.advance(read);
        return Poll::Ready(Ok(()));
    }
    poll_read_with(reader, cx, buf.remaining(), |bytes| buf.put_slice(bytes))
}

foreign_stream!(FromTokio, [AsyncRead + AsyncWrite + Unpin + Send], "tokio");

impl<S: AsyncRead + AsyncWrite + Unpin + Send> PollStream for Side<S> {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<Result<usize>> {
        let memory = buf.as_ptr();
        let mut buf = ReadBuf::new(buf);
        ready!(Pin::new(&mut self.0).poll_read(cx, &mut buf))?;
        assert!(buf.filled().as_ptr() == memory, "the stream swapped the buffer that it was given");
        Poll::Ready(Ok(buf.filled().len()))
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

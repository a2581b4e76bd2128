//! Feature `futures-io`: the traits that the `futures` crates and async-std's descendants share.

use std::io::{IoSlice, IoSliceMut, Result};
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_io::{AsyncBufRead, AsyncRead, AsyncWrite};

use super::foreign::{PollStream, foreign_stream};
use super::{every_stream, poll_fill, poll_flush, poll_read_into, poll_shutdown};
use super::{poll_write, poll_write_vectored};
use crate::io_core::{
    Interest, NonBlocking, ReadyBufRead, ReadyRead, poll_empty, poll_io, read_slices,
};

macro_rules! futures_io {
    ([$($generics:tt)*] Stream $ty:ty) => {
        futures_io!([$($generics)*] Read $ty);
        futures_io!([$($generics)*] Write $ty);
    };
    ([$($generics:tt)*] Read $ty:ty) => {
        impl<$($generics)*> AsyncRead for $ty {
            #[inline]
            fn poll_read(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buf: &mut [u8],
            ) -> Poll<Result<usize>> {
                poll_read_into(self.get_mut(), cx, buf)
            }

            fn poll_read_vectored(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                bufs: &mut [IoSliceMut<'_>],
            ) -> Poll<Result<usize>> {
                poll_read_slices(self.get_mut(), cx, bufs)
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
            fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
                poll_flush(self.get_mut(), cx)
            }

            #[inline]
            fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
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

every_stream!(futures_io);

fn poll_read_slices<R: ReadyRead>(
    reader: &mut R,
    cx: &mut Context<'_>,
    bufs: &mut [IoSliceMut<'_>],
) -> Poll<Result<usize>> {
    if bufs.iter().all(|buf| buf.is_empty()) {
        return poll_empty(cx, 0, || Ok(NonBlocking::WouldBlock));
    }
    poll_io(cx, reader, Interest::READ, |reader| read_slices(reader, bufs))
}

foreign_stream!(FromFutures, [AsyncRead + AsyncWrite + Unpin + Send], "futures-io");

impl<S: AsyncRead + AsyncWrite + Unpin + Send> PollStream for Side<S> {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<Result<usize>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.0).poll_close(cx)
    }
}

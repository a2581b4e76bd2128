//! Sockets for messages, once for UDP and Unix: the operations, and the public face that both have.
//!
//! Unlike a stream, a message is received whole or cut, an empty one is a message, and a short count
//! says nothing about what else is there. Receiving is for uninitialized memory underneath; all
//! methods take `&self`, so a socket is shared by reference or `Arc` and any number of tasks may wait.

use std::io;

use socket2::SockAddr;

use super::evented::Evented;
use super::socket::Socket;
use crate::io_core::{BorrowedCursor, Interest, Scratch};
use crate::sys;

/// No message is longer, over IP; a Unix socket's is cut.
const LARGEST: usize = 64 * 1024;

impl<S: Socket> Evented<S> {
    pub(super) fn recv_message(&self, mut buf: BorrowedCursor<'_>) -> io::Result<usize> {
        let op = || self.observed(|| buf.recv(&self.socket()));
        self.registration().try_io(Interest::READ, op, |count| *count)
    }

    pub(super) fn peek_message(&self, mut buf: BorrowedCursor<'_>) -> io::Result<usize> {
        let op = || self.observed(|| buf.peek(&self.socket()));
        self.registration().try_io(Interest::READ, op, |count| *count)
    }

    pub(super) fn recv_message_from(
        &self,
        mut buf: BorrowedCursor<'_>,
    ) -> io::Result<(usize, SockAddr)> {
        let op = || self.observed(|| buf.recv_from(&self.socket()));
        self.registration().try_io(Interest::READ, op, |(count, _)| *count)
    }

    pub(super) fn peek_message_from(
        &self,
        mut buf: BorrowedCursor<'_>,
    ) -> io::Result<(usize, SockAddr)> {
        let op = || self.observed(|| buf.peek_from(&self.socket()));
        self.registration().try_io(Interest::READ, op, |(count, _)| *count)
    }

    pub(super) fn send_message(&self, message: &[u8]) -> io::Result<usize> {
        let op = || self.observed(|| self.socket().send_with_flags(message, sys::SEND_FLAGS));
        self.registration().try_io(Interest::WRITE, op, |count| *count)
    }

    /// Waits for a message without a buffer and shows it to `f` in one of the thread's pool.
    pub(super) async fn message_with<M, T>(
        &self,
        receive: impl Fn(&Self, BorrowedCursor<'_>) -> io::Result<M>,
        f: impl FnOnce(&[u8], M) -> T,
    ) -> io::Result<T> {
        let op = || Scratch::filled(LARGEST, |buf| receive(self, buf));
        let (scratch, more) = self.when_ready(Interest::READ, op).await?;
        Ok(f(scratch.bytes(), more))
    }
}

macro_rules! datagram {
    ($Socket:ident, $mio:ty, $std:ty, $Addr:ty, $addr:path, $name:literal) => {
        impl $Socket {
            /// Takes a socket of the standard library and makes it non-blocking.
            ///
            /// # Errors
            ///
            /// Outside a runtime, after its shutdown, and those of the operating system; the socket
            /// is closed then.
            #[inline]
            pub fn from_std(socket: $std) -> io::Result<Self> {
                socket.set_nonblocking(true)?;
                Ok(Self { io: Evented::here(<$mio>::from_std(socket))? })
            }

            /// Takes the socket out of the runtime. It stays non-blocking.
            ///
            /// # Errors
            ///
            /// Those of the operating system; the socket is closed then.
            #[inline]
            pub fn into_std(self) -> io::Result<$std> {
                self.io.into_inner().map(Into::into)
            }

            /// Sends a message to the peer that the socket is connected with.
            ///
            /// # Errors
            ///
            /// `NotConnected` or its like if there is no such peer, `ConnectionRefused` if an earlier
            /// message found nobody, and others of the operating system: a message that is too long
            /// is not cut.
            ///
            /// # Cancel safety
            ///
            /// Cancel safe: the message is sent whole or not at all.
            pub async fn send(&self, message: &[u8]) -> io::Result<usize> {
                self.io.when_ready(Interest::WRITE, || self.try_send(message)).await
            }

            /// [`send`](Self::send) without waiting.
            ///
            /// # Errors
            ///
            /// `WouldBlock` if the socket is not known to be ready: wait for
            /// [`writable`](Self::writable). Else as [`send`](Self::send).
            #[inline]
            pub fn try_send(&self, message: &[u8]) -> io::Result<usize> {
                self.io.send_message(message)
            }

            /// Receives a message and returns its length. What does not fit `buf` is lost. A message
            /// may be empty: `Ok(0)` is no end of anything.
            ///
            /// # Errors
            ///
            /// Those of the operating system (`ConnectionRefused` if a message that was sent found
            /// nobody; the socket goes on), and after the shutdown of the runtime.
            ///
            /// # Cancel safety
            ///
            /// Cancel safe: a message is not received and then lost.
            pub async fn recv(&self, buf: &mut [u8]) -> io::Result<usize> {
                self.io.when_ready(Interest::READ, || self.try_recv(buf)).await
            }

            /// [`recv`](Self::recv) into memory that need not be initialized.
            ///
            /// # Errors
            ///
            /// As [`recv`](Self::recv).
            ///
            /// # Cancel safety
            ///
            /// Cancel safe.
            pub async fn recv_buf(&self, mut buf: BorrowedCursor<'_>) -> io::Result<usize> {
                self.io.when_ready(Interest::READ, || self.try_recv_buf(buf.reborrow())).await
            }

            /// Waits for a message without holding a buffer, then receives it into one of the
            /// thread's pool and shows it to `f`. Up to 64 KiB of it, which over IP is all.
            ///
            /// # Errors
            ///
            /// As [`recv`](Self::recv); `f` is not called then.
            ///
            /// # Cancel safety
            ///
            /// Cancel safe: until `f` is called nothing has been received.
            ///
            #[doc = concat!("```
# async fn example(socket: &", $name, ") -> std::io::Result<()> {
let words = socket.recv_with(|message| message.split(|byte| *byte == b' ').count()).await?;
println!(\"{words} words\");
# Ok(()) }
```")]
            pub async fn recv_with<T>(&self, f: impl FnOnce(&[u8]) -> T + Send) -> io::Result<T> {
                self.io.message_with(Evented::recv_message, |message, _| f(message)).await
            }

            /// [`recv`](Self::recv) without waiting.
            ///
            /// # Errors
            ///
            /// `WouldBlock` if the socket is not known to be ready: wait for
            /// [`readable`](Self::readable). Else as [`recv`](Self::recv).
            #[inline]
            pub fn try_recv(&self, buf: &mut [u8]) -> io::Result<usize> {
                self.io.recv_message(BorrowedBuf::from(buf).unfilled())
            }

            /// [`recv_buf`](Self::recv_buf) without waiting.
            ///
            /// # Errors
            ///
            /// As [`try_recv`](Self::try_recv).
            #[inline]
            pub fn try_recv_buf(&self, buf: BorrowedCursor<'_>) -> io::Result<usize> {
                self.io.recv_message(buf)
            }

            /// [`recv`](Self::recv) with the address of the sender.
            ///
            /// # Errors
            ///
            /// As [`recv`](Self::recv).
            ///
            /// # Cancel safety
            ///
            /// Cancel safe.
            pub async fn recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, $Addr)> {
                self.io.when_ready(Interest::READ, || self.try_recv_from(buf)).await
            }

            /// [`recv_buf`](Self::recv_buf) with the address of the sender.
            ///
            /// # Errors
            ///
            /// As [`recv`](Self::recv).
            ///
            /// # Cancel safety
            ///
            /// Cancel safe.
            pub async fn recv_buf_from(
                &self,
                mut buf: BorrowedCursor<'_>,
            ) -> io::Result<(usize, $Addr)> {
                self.io.when_ready(Interest::READ, || self.try_recv_buf_from(buf.reborrow())).await
            }

            /// [`recv_with`](Self::recv_with) with the address of the sender.
            ///
            /// # Errors
            ///
            /// As [`recv`](Self::recv); `f` is not called then.
            ///
            /// # Cancel safety
            ///
            /// Cancel safe: until `f` is called nothing has been received.
            pub async fn recv_from_with<T>(
                &self,
                f: impl FnOnce(&[u8], $Addr) -> T + Send,
            ) -> io::Result<T> {
                let receive = |io: &Evented<$mio>, buf: BorrowedCursor<'_>| {
                    $addr(io.recv_message_from(buf)?.1)
                };
                self.io.message_with(receive, f).await
            }

            /// [`recv_from`](Self::recv_from) without waiting.
            ///
            /// # Errors
            ///
            /// As [`try_recv`](Self::try_recv).
            #[inline]
            pub fn try_recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, $Addr)> {
                self.try_recv_buf_from(BorrowedBuf::from(buf).unfilled())
            }

            /// [`recv_buf_from`](Self::recv_buf_from) without waiting.
            ///
            /// # Errors
            ///
            /// As [`try_recv`](Self::try_recv).
            #[inline]
            pub fn try_recv_buf_from(&self, buf: BorrowedCursor<'_>) -> io::Result<(usize, $Addr)> {
                let (count, addr) = self.io.recv_message_from(buf)?;
                Ok((count, $addr(addr)?))
            }

            /// [`recv`](Self::recv), but the message stays: the next receive gets it again.
            ///
            /// # Errors
            ///
            /// As [`recv`](Self::recv).
            ///
            /// # Cancel safety
            ///
            /// Cancel safe.
            pub async fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
                self.io.when_ready(Interest::READ, || self.try_peek(buf)).await
            }

            /// [`peek`](Self::peek) without waiting.
            ///
            /// # Errors
            ///
            /// As [`try_recv`](Self::try_recv).
            #[inline]
            pub fn try_peek(&self, buf: &mut [u8]) -> io::Result<usize> {
                self.io.peek_message(BorrowedBuf::from(buf).unfilled())
            }

            /// [`peek`](Self::peek) with the address of the sender.
            ///
            /// # Errors
            ///
            /// As [`recv`](Self::recv).
            ///
            /// # Cancel safety
            ///
            /// Cancel safe.
            pub async fn peek_from(&self, buf: &mut [u8]) -> io::Result<(usize, $Addr)> {
                self.io.when_ready(Interest::READ, || self.try_peek_from(buf)).await
            }

            /// [`peek_from`](Self::peek_from) without waiting.
            ///
            /// # Errors
            ///
            /// As [`try_recv`](Self::try_recv).
            #[inline]
            pub fn try_peek_from(&self, buf: &mut [u8]) -> io::Result<(usize, $Addr)> {
                let (count, addr) = self.io.peek_message_from(BorrowedBuf::from(buf).unfilled())?;
                Ok((count, $addr(addr)?))
            }
        }

        waits!($Socket, $name, "try_recv");
        descriptor!($Socket, $std, |this| this.io, |this| this.io);
    };
}

pub(super) use datagram;

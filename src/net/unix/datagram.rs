//! [`UnixDatagram`]: messages between processes of one machine.
//!
//! A message to a peer whose queue is full cannot be sent, and if the socket is not connected with
//! that peer nothing tells when it can: the socket itself has room and stays ready. So a
//! `send_to` that finds a full queue tries again by a timer (`backoff.rs`).

use std::fmt;
use std::future::Future;
use std::io;
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, IntoRawFd, OwnedFd, RawFd};
use std::os::unix::net::SocketAddr;
use std::path::Path;
use std::task::{Context, Poll};

use super::address::{of_sender, to_sock_addr};
use crate::io_core::{BorrowedBuf, BorrowedCursor, Interest, Readiness, Ready};
use crate::net::backoff::Backoff;
use crate::net::datagram::datagram;
use crate::net::evented::Evented;
use crate::net::face::{descriptor, waits};
use crate::net::socket::Socket as _;
use crate::sys;

/// A socket for messages between processes of one machine. None is lost on the way, and they keep
/// their order; a sender waits for a receiver that is slow.
///
/// All methods take `&self`: share it by reference or in an `Arc`.
///
/// ```
/// # async fn example() -> std::io::Result<()> {
/// use runtime::net::UnixDatagram;
///
/// let (one, two) = UnixDatagram::pair()?;
/// one.send(b"hello").await?;
/// assert_eq!(two.recv_with(<[u8]>::len).await?, 5);
///
/// let log = UnixDatagram::bind("/run/example.log")?;
/// let client = UnixDatagram::unbound()?;
/// client.send_to(b"started", "/run/example.log").await?;
/// let (count, sender) = log.recv_from(&mut [0; 1024]).await?;
/// assert!(sender.is_unnamed());
/// # Ok(()) }
/// ```
pub struct UnixDatagram {
    io: Evented<mio::net::UnixDatagram>,
}

impl UnixDatagram {
    /// Binds to `path`, which it creates. Nothing removes it: neither bind one that is there, nor
    /// drop the new one.
    ///
    /// # Errors
    ///
    /// `AddrInUse` if there is anything at the path; `InvalidInput` if it is too long for an address
    /// (107 bytes on Linux) or contains a NUL; outside a runtime.
    pub fn bind(path: impl AsRef<Path>) -> io::Result<Self> {
        Self::bind_addr(&SocketAddr::from_pathname(path)?)
    }

    /// Binds to `addr`, which may be an abstract name.
    ///
    /// # Errors
    ///
    /// As [`bind`](Self::bind).
    #[inline]
    pub fn bind_addr(addr: &SocketAddr) -> io::Result<Self> {
        Self::from_std(std::os::unix::net::UnixDatagram::bind_addr(addr)?)
    }

    /// A socket without a name, which nobody can answer unless it is connected from there.
    ///
    /// # Errors
    ///
    /// Those of the operating system; outside a runtime.
    #[inline]
    pub fn unbound() -> io::Result<Self> {
        Self::from_std(std::os::unix::net::UnixDatagram::unbound()?)
    }

    /// Makes two sockets that are connected with each other.
    ///
    /// # Errors
    ///
    /// Those of the operating system; outside a runtime.
    #[inline]
    pub fn pair() -> io::Result<(Self, Self)> {
        let (one, two) = std::os::unix::net::UnixDatagram::pair()?;
        Ok((Self::from_std(one)?, Self::from_std(two)?))
    }

    /// Makes the socket at `path` the peer: [`send`](Self::send) goes there, and messages of others
    /// are not received any more.
    ///
    /// # Errors
    ///
    /// As [`bind`](Self::bind), `NotFound`, and `ConnectionRefused` if nobody has bound the path.
    pub fn connect(&self, path: impl AsRef<Path>) -> io::Result<()> {
        self.connect_addr(&SocketAddr::from_pathname(path)?)
    }

    /// Makes the socket at `addr`, which may be an abstract name, the peer.
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect).
    #[inline]
    pub fn connect_addr(&self, addr: &SocketAddr) -> io::Result<()> {
        self.io.socket().connect(&to_sock_addr(addr)?)
    }

    /// Sends a message to the socket at `path`. If its queue is full it waits for room.
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect), and others of the operating system: a message that is too long
    /// is not cut.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the message is sent whole or not at all.
    pub async fn send_to(&self, message: &[u8], path: impl AsRef<Path>) -> io::Result<usize> {
        let addr = SocketAddr::from_pathname(path);
        self.send_to_addr(message, &addr?).await
    }

    /// Sends a message to the socket at `addr`, which may be an abstract name.
    ///
    /// # Errors
    ///
    /// As [`send_to`](Self::send_to).
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the message is sent whole or not at all.
    pub async fn send_to_addr(&self, message: &[u8], addr: &SocketAddr) -> io::Result<usize> {
        let mut backoff = None;
        loop {
            self.io.registration().ready(Interest::WRITE).await?;
            match self.try_send_to_addr(message, addr) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return result,
            }
            let backoff = backoff.get_or_insert_with(Backoff::new);
            backoff.failed(self.io.registration().handle());
            backoff.wait().await;
        }
    }

    /// [`send_to`](Self::send_to) without waiting.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if the socket is not known to be ready or the other's queue is full. Of the
    /// latter [`writable`](Self::writable) knows nothing, unless the two are connected. Else as
    /// [`send_to`](Self::send_to).
    pub fn try_send_to(&self, message: &[u8], path: impl AsRef<Path>) -> io::Result<usize> {
        self.try_send_to_addr(message, &SocketAddr::from_pathname(path)?)
    }

    /// [`send_to_addr`](Self::send_to_addr) without waiting.
    ///
    /// # Errors
    ///
    /// As [`try_send_to`](Self::try_send_to).
    #[inline]
    pub fn try_send_to_addr(&self, message: &[u8], addr: &SocketAddr) -> io::Result<usize> {
        let addr = to_sock_addr(addr)?;
        let send = || self.io.socket().send_to_with_flags(message, &addr, sys::SEND_FLAGS);
        // A full queue clears no readiness: it is the other's, and no event would bring it back.
        let op = || match self.io.observed(send) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            result => result.map(Some),
        };
        let bytes = |sent: &Option<usize>| sent.unwrap_or(0);
        let sent = self.io.registration().try_io(Interest::WRITE, op, bytes)?;
        sent.ok_or_else(|| io::ErrorKind::WouldBlock.into())
    }

    /// The address of the peer that it is connected with.
    ///
    /// # Errors
    ///
    /// `NotConnected`, and others of the operating system.
    #[inline]
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.io.peer_addr()
    }

    /// The address that it is bound to.
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    #[inline]
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.io.local_addr()
    }

    /// Closes the receiving, the sending or both directions at once.
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    #[inline]
    pub fn shutdown_now(&self, how: Shutdown) -> io::Result<()> {
        self.io.shutdown(how)
    }
}

datagram!(
    UnixDatagram,
    mio::net::UnixDatagram,
    std::os::unix::net::UnixDatagram,
    SocketAddr,
    of_sender,
    "runtime::net::UnixDatagram"
);

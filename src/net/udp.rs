//! UDP: [`UdpSocket`].

use std::fmt;
use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
#[cfg(unix)]
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, IntoRawFd, OwnedFd, RawFd};
use std::task::{Context, Poll};

use socket2::SockAddr;

use super::addr::{ToSocketAddrs, first_of};
use super::datagram::datagram;
use super::evented::Evented;
use super::face::{descriptor, waits};
use super::socket::Socket as _;
use crate::io_core::{BorrowedBuf, BorrowedCursor, Interest, Readiness, Ready};
use crate::sys;

/// A socket for UDP messages.
///
/// All methods take `&self`: share it by reference or in an `Arc`, and let any number of tasks send and
/// receive. Each message goes to one of those who wait. What has no method here can be set through
/// `socket2::SockRef::from(&socket)`.
///
/// ```
/// use runtime::net::UdpSocket;
///
/// #[runtime::main]
/// async fn main() -> std::io::Result<()> {
///     let server = UdpSocket::bind("127.0.0.1:0").await?;
///     let client = UdpSocket::bind("127.0.0.1:0").await?;
///     client.connect(server.local_addr()?).await?;
///     client.send(b"hello").await?;
///
///     let mut buf = [0; 1500];
///     let (count, peer) = server.recv_from(&mut buf).await?;
///     server.send_to(&buf[..count], peer).await?;
///     // No buffer exists while this one waits.
///     assert!(client.recv_with(|message| message == b"hello").await?);
///     Ok(())
/// }
/// ```
pub struct UdpSocket {
    io: Evented<mio::net::UdpSocket>,
}

impl UdpSocket {
    /// Binds to the first of the addresses that can be bound. Port 0 takes a free one.
    ///
    /// A socket with options that have to be set before comes from socket2, by way of
    /// [`from_std`](Self::from_std).
    ///
    /// # Errors
    ///
    /// Those of the last address that was tried (`AddrInUse`); those of the name's lookup; outside
    /// a runtime.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn bind(addr: impl ToSocketAddrs) -> io::Result<Self> {
        first_of(addr, async |addr| {
            Ok(Self { io: Evented::here(mio::net::UdpSocket::bind(addr)?)? })
        })
        .await
    }

    /// Makes the first of the addresses that can be reached the peer: [`send`](Self::send) goes there,
    /// and messages of others are not received any more. No message is sent for that.
    ///
    /// # Errors
    ///
    /// Those of the last address that was tried, and those of the name's lookup.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn connect(&self, addr: impl ToSocketAddrs) -> io::Result<()> {
        first_of(addr, async |addr| self.io.connect(addr)).await
    }

    /// Sends a message to an address. A name is best looked up once, by
    /// [`lookup_host`](super::lookup_host), and not for each message.
    ///
    /// # Errors
    ///
    /// Those of the operating system: a message that is too long is not cut.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the message is sent whole or not at all.
    pub async fn send_to(&self, message: &[u8], addr: SocketAddr) -> io::Result<usize> {
        self.io.when_ready(Interest::WRITE, || self.try_send_to(message, addr)).await
    }

    /// [`send_to`](Self::send_to) without waiting.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if the socket is not known to be ready: wait for [`writable`](Self::writable).
    /// Else as [`send_to`](Self::send_to).
    #[inline]
    pub fn try_send_to(&self, message: &[u8], addr: SocketAddr) -> io::Result<usize> {
        let addr = SockAddr::from(addr);
        let send = || self.io.socket().send_to_with_flags(message, &addr, sys::SEND_FLAGS);
        self.io.registration().try_io(Interest::WRITE, || self.io.observed(send), |count| *count)
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

    /// Joins an IPv4 multicast group on the interface with this address; with the unspecified one
    /// the system chooses.
    ///
    /// ```
    /// # async fn example() -> std::io::Result<()> {
    /// use std::net::Ipv4Addr;
    ///
    /// let socket = runtime::net::UdpSocket::bind("0.0.0.0:5353").await?;
    /// socket.join_multicast_v4(Ipv4Addr::new(224, 0, 0, 251), Ipv4Addr::UNSPECIFIED)?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of the operating system: no such interface, no multicast address, joined already.
    #[inline]
    pub fn join_multicast_v4(&self, group: Ipv4Addr, interface: Ipv4Addr) -> io::Result<()> {
        self.io.join_multicast_v4(&group, &interface)
    }

    /// Joins an IPv6 multicast group on the interface with this index; with 0 the system chooses.
    ///
    /// # Errors
    ///
    /// As [`join_multicast_v4`](Self::join_multicast_v4).
    #[inline]
    pub fn join_multicast_v6(&self, group: Ipv6Addr, interface: u32) -> io::Result<()> {
        self.io.join_multicast_v6(&group, interface)
    }

    /// Leaves a group that was joined with the same arguments.
    ///
    /// # Errors
    ///
    /// Those of the operating system: it was not joined.
    #[inline]
    pub fn leave_multicast_v4(&self, group: Ipv4Addr, interface: Ipv4Addr) -> io::Result<()> {
        self.io.leave_multicast_v4(&group, &interface)
    }

    /// Leaves a group that was joined with the same arguments.
    ///
    /// # Errors
    ///
    /// Those of the operating system: it was not joined.
    #[inline]
    pub fn leave_multicast_v6(&self, group: Ipv6Addr, interface: u32) -> io::Result<()> {
        self.io.leave_multicast_v6(&group, interface)
    }

    /// Whether an IPv6 socket refuses IPv4 (`IPV6_V6ONLY`).
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    #[inline]
    pub fn only_v6(&self) -> io::Result<bool> {
        self.io.only_v6()
    }
}

/// A getter and a setter of one option.
macro_rules! options {
    ($($what:literal: $get:ident, $set:ident: $ty:ty;)*) => {
        impl UdpSocket {$(
            #[doc = concat!("Sets ", $what, ".")]
            ///
            /// # Errors
            ///
            /// Those of the operating system.
            #[inline]
            pub fn $set(&self, value: $ty) -> io::Result<()> {
                self.io.$set(value)
            }

            #[doc = concat!("Asks for ", $what, ".")]
            ///
            /// # Errors
            ///
            /// Those of the operating system.
            #[inline]
            pub fn $get(&self) -> io::Result<$ty> {
                self.io.$get()
            }
        )*}
    };
}

options! {
    "whether messages may be sent to a broadcast address (`SO_BROADCAST`)":
        broadcast, set_broadcast: bool;
    "the time to live of packets (`IP_TTL`)":
        ttl, set_ttl: u32;
    "whether this machine hears its own IPv4 multicast messages (`IP_MULTICAST_LOOP`)":
        multicast_loop_v4, set_multicast_loop_v4: bool;
    "the time to live of IPv4 multicast messages (`IP_MULTICAST_TTL`)":
        multicast_ttl_v4, set_multicast_ttl_v4: u32;
    "whether this machine hears its own IPv6 multicast messages (`IPV6_MULTICAST_LOOP`)":
        multicast_loop_v6, set_multicast_loop_v6: bool;
}

datagram!(
    UdpSocket,
    mio::net::UdpSocket,
    std::net::UdpSocket,
    SocketAddr,
    internet_addr,
    "runtime::net::UdpSocket"
);

fn internet_addr(addr: SockAddr) -> io::Result<SocketAddr> {
    addr.as_socket().ok_or_else(|| io::Error::other("a UDP message is from another family"))
}

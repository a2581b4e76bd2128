//! [`TcpSocket`]: a TCP socket before it listens or connects, for what has to be set before.

use std::fmt;
use std::io;
use std::net::SocketAddr;
#[cfg(unix)]
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, IntoRawFd, OwnedFd, RawFd};
use std::time::Duration;

#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
use socket2::TcpKeepalive;
use socket2::{Domain, Protocol, Socket, Type};

use super::tcp::{TcpListener, TcpStream};
use crate::sys;

/// A TCP socket that neither listens nor connects yet, to set options on.
///
/// What has no method here can be set through `socket2::SockRef::from(&socket)`.
///
/// ```
/// # async fn example() -> std::io::Result<()> {
/// use runtime::net::TcpSocket;
///
/// let socket = TcpSocket::new_v4()?;
/// socket.set_reuseaddr(true)?;
/// socket.bind(([127, 0, 0, 1], 8080).into())?;
/// let listener = socket.listen(1024)?;
/// # Ok(()) }
/// ```
pub struct TcpSocket {
    socket: Socket,
}

impl TcpSocket {
    /// A socket for IPv4.
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    #[inline]
    pub fn new_v4() -> io::Result<Self> {
        Self::new(Domain::IPV4)
    }

    /// A socket for IPv6.
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    #[inline]
    pub fn new_v6() -> io::Result<Self> {
        Self::new(Domain::IPV6)
    }

    /// A socket that may be bound or connected to such an address.
    pub(super) fn for_addr(addr: SocketAddr) -> io::Result<Self> {
        Self::new(Domain::for_address(addr))
    }

    #[inline]
    fn new(domain: Domain) -> io::Result<Self> {
        let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        Ok(Self { socket })
    }

    /// Binds to a local address; port 0 takes a free one.
    ///
    /// # Errors
    ///
    /// Those of the operating system (`AddrInUse`).
    #[inline]
    pub fn bind(&self, addr: SocketAddr) -> io::Result<()> {
        self.socket.bind(&addr.into())
    }

    /// Listens, with room for `backlog` connections that nobody has accepted. The operating system
    /// has limits of its own, and what is above them counts as the limit.
    ///
    /// # Errors
    ///
    /// Those of the operating system; outside a runtime.
    #[inline]
    pub fn listen(self, backlog: u32) -> io::Result<TcpListener> {
        self.socket.listen(backlog.try_into().unwrap_or(i32::MAX))?;
        TcpListener::from_std(self.socket.into())
    }

    /// Connects. How long that may take is a matter of [`timeout`](crate::time::timeout): by itself it
    /// ends when the operating system gives up, after minutes.
    ///
    /// ```
    /// # async fn example(addr: std::net::SocketAddr) -> std::io::Result<()> {
    /// use runtime::net::TcpSocket;
    /// use runtime::time::timeout;
    /// use std::time::Duration;
    ///
    /// let socket = TcpSocket::new_v4()?;
    /// socket.set_keepalive_time(Duration::from_secs(60))?;
    /// let stream = timeout(Duration::from_secs(3), socket.connect(addr)).await??;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of the operating system; outside a runtime.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the attempt is given up and the socket closed.
    pub async fn connect(self, addr: SocketAddr) -> io::Result<TcpStream> {
        match self.socket.connect(&addr.into()) {
            Err(error) if !sys::is_in_progress(&error) => return Err(error),
            _ => {}
        }
        TcpStream::connecting(mio::net::TcpStream::from_std(self.socket.into())).await
    }

    /// The address that it is bound to.
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    #[inline]
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        let addr = self.socket.local_addr()?.as_socket();
        addr.ok_or_else(|| io::Error::other("a TCP socket has an address of another family"))
    }

    /// The pending error of the socket (`SO_ERROR`), which asking clears.
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    #[inline]
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.socket.take_error()
    }
}

/// What the systems do not have alike.
#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
impl TcpSocket {
    /// Sets after how much silence a connection is probed (`TCP_KEEPIDLE`), and that it is.
    ///
    /// # Errors
    ///
    /// `InvalidInput` below a second; those of the operating system.
    #[inline]
    pub fn set_keepalive_time(&self, silence: Duration) -> io::Result<()> {
        self.socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(silence))
    }

    /// Asks after how much silence a connection is probed.
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    #[inline]
    pub fn keepalive_time(&self) -> io::Result<Duration> {
        self.socket.tcp_keepalive_time()
    }

    /// Sets how long a probe waits for its answer (`TCP_KEEPINTVL`), and that there are probes.
    ///
    /// # Errors
    ///
    /// `InvalidInput` below a second; those of the operating system.
    #[inline]
    pub fn set_keepalive_interval(&self, interval: Duration) -> io::Result<()> {
        self.socket.set_tcp_keepalive(&TcpKeepalive::new().with_interval(interval))
    }

    /// Asks how long a probe waits for its answer.
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    #[inline]
    pub fn keepalive_interval(&self) -> io::Result<Duration> {
        self.socket.tcp_keepalive_interval()
    }

    /// Sets how many probes without an answer end a connection (`TCP_KEEPCNT`), and that there are
    /// probes.
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    #[inline]
    pub fn set_keepalive_retries(&self, retries: u32) -> io::Result<()> {
        self.socket.set_tcp_keepalive(&TcpKeepalive::new().with_retries(retries))
    }

    /// Asks how many probes without an answer end a connection.
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    #[inline]
    pub fn keepalive_retries(&self) -> io::Result<u32> {
        self.socket.tcp_keepalive_retries()
    }
}

/// What only Linux has.
#[cfg(any(target_os = "linux", target_os = "android"))]
impl TcpSocket {
    /// Binds to the network interface of this name (`SO_BINDTODEVICE`), or to none.
    ///
    /// # Errors
    ///
    /// Those of the operating system: there is no such interface.
    #[inline]
    pub fn bind_device(&self, interface: Option<&[u8]>) -> io::Result<()> {
        self.socket.bind_device(interface)
    }

    /// The name of the network interface that it is bound to.
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    #[inline]
    pub fn device(&self) -> io::Result<Option<Vec<u8>>> {
        self.socket.device()
    }
}

/// A getter and a setter of one option.
macro_rules! options {
    ($(
        $(#[$cfg:meta])?
        $what:literal: $get:ident, $set:ident: $ty:ty => $getter:ident, $setter:ident;
    )*) => {
        impl TcpSocket {$(
            #[doc = concat!("Sets ", $what, ".")]
            ///
            /// # Errors
            ///
            /// Those of the operating system.
            $(#[$cfg])?
            #[inline]
            pub fn $set(&self, value: $ty) -> io::Result<()> {
                self.socket.$setter(value)
            }

            #[doc = concat!("Asks for ", $what, ".")]
            ///
            /// # Errors
            ///
            /// Those of the operating system.
            $(#[$cfg])?
            #[inline]
            pub fn $get(&self) -> io::Result<$ty> {
                self.socket.$getter()
            }
        )*}
    };
}

options! {
    "whether an address may be bound that lingering connections use (`SO_REUSEADDR`)":
        reuseaddr, set_reuseaddr: bool => reuse_address, set_reuse_address;
    #[cfg(all(unix, not(any(target_os = "solaris", target_os = "illumos", target_os = "cygwin"))))]
    "whether several sockets may bind one address and share its connections (`SO_REUSEPORT`)":
        reuseport, set_reuseport: bool => reuse_port, set_reuse_port;
    "whether idle connections are probed (`SO_KEEPALIVE`)":
        keepalive, set_keepalive: bool => keepalive, set_keepalive;
    "whether small writes are sent at once (`TCP_NODELAY`)":
        nodelay, set_nodelay: bool => tcp_nodelay, set_tcp_nodelay;
    "the size of the send buffer (`SO_SNDBUF`), which the operating system may round":
        send_buffer_size, set_send_buffer_size: usize => send_buffer_size, set_send_buffer_size;
    "the size of the receive buffer (`SO_RCVBUF`), which the operating system may round":
        recv_buffer_size, set_recv_buffer_size: usize => recv_buffer_size, set_recv_buffer_size;
    #[cfg(any(target_os = "linux", target_os = "android"))]
    "how long sent data may go without an answer before the connection ends (`TCP_USER_TIMEOUT`)":
        user_timeout, set_user_timeout: Option<Duration> => tcp_user_timeout, set_tcp_user_timeout;
    #[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
    "the type of service of IPv4 packets (`IP_TOS`)":
        tos_v4, set_tos_v4: u32 => tos_v4, set_tos_v4;
    #[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
    "the traffic class of IPv6 packets (`IPV6_TCLASS`)":
        tclass_v6, set_tclass_v6: u32 => tclass_v6, set_tclass_v6;
    "how long closing waits, see [`TcpStream::set_linger`] (`SO_LINGER`)":
        linger, set_linger: Option<Duration> => linger, set_linger;
}

impl fmt::Debug for TcpSocket {
    #[inline]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.socket.fmt(f)
    }
}

#[cfg(unix)]
impl AsFd for TcpSocket {
    #[inline]
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

#[cfg(unix)]
impl AsRawFd for TcpSocket {
    #[inline]
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

#[cfg(unix)]
impl IntoRawFd for TcpSocket {
    #[inline]
    fn into_raw_fd(self) -> RawFd {
        self.socket.into_raw_fd()
    }
}

#[cfg(unix)]
impl From<TcpSocket> for OwnedFd {
    #[inline]
    fn from(socket: TcpSocket) -> Self {
        socket.socket.into()
    }
}

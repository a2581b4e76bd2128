//! TCP: [`TcpListener`], [`TcpStream`] and its halves.

use std::fmt;
use std::future::Future;
use std::io::{self, IoSlice, IoSliceMut};
use std::net::{Shutdown, SocketAddr};
#[cfg(unix)]
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, IntoRawFd, OwnedFd, RawFd};
use std::task::{Context, Poll};
use std::time::Duration;

use super::accept::{Accept, Acceptor, Listener};
use super::addr::{ToSocketAddrs, first_of};
use super::evented::Evented;
use super::face::{descriptor, waits};
use super::socket::Socket as _;
use super::stream::{ready_read, ready_write, stream};
use super::tcp_socket::TcpSocket;
use crate::io_core::{
    BorrowedBuf, BorrowedCursor, BorrowedSliceCursor, Interest, NonBlocking, Readiness, Ready,
    ReadyRead, ReadyWrite, leaf_io,
};

/// How many connections of a listener wait at most to be accepted. Those that come in a crowd beyond it
/// are not heard: their system tries again after a second.
const BACKLOG: u32 = 1024;

pub use halves::{OwnedReadHalf, OwnedWriteHalf, ReadHalf, ReuniteError, WriteHalf};

/// A TCP connection.
///
/// It is a [`Read`](crate::io::Read) and a [`Write`](crate::io::Write), and so is `&TcpStream`. Both
/// are also [`ReadyStream`](crate::io::ReadyStream)s: wait without a buffer, then take one.
///
/// Dropping it closes the connection, and what was written is sent in the background. But if data that
/// the peer sent was not read, the peer sees a reset, and what has not arrived by then is lost: see
/// [`lingering_close`](crate::io::lingering_close).
///
/// ```
/// # async fn example() -> std::io::Result<()> {
/// use runtime::io::{Read, Write};
/// use runtime::net::TcpStream;
///
/// let mut stream = TcpStream::connect("example.com:80").await?;
/// stream.write_all(b"GET / HTTP/1.0\r\n\r\n").await?;
/// stream.shutdown().await?;
/// let mut answer = Vec::new();
/// stream.read_to_end(&mut answer).await?;
/// # Ok(()) }
/// ```
pub struct TcpStream {
    io: Evented<mio::net::TcpStream>,
}

impl TcpStream {
    /// Connects to the first of the addresses that accepts.
    ///
    /// # Errors
    ///
    /// Those of the last address that was tried; those of the name's lookup; outside a runtime.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the attempt is given up and its socket closed.
    ///
    /// ```
    /// # async fn example() -> std::io::Result<()> {
    /// let stream = runtime::net::TcpStream::connect("localhost:8080").await?;
    /// println!("connected to {}", stream.peer_addr()?);
    /// # Ok(()) }
    /// ```
    pub async fn connect(addr: impl ToSocketAddrs) -> io::Result<Self> {
        first_of(addr, Self::connect_one).await
    }

    async fn connect_one(addr: SocketAddr) -> io::Result<Self> {
        Self::connecting(mio::net::TcpStream::connect(addr)?).await
    }

    /// Waits until a connection that was begun is there.
    pub(super) async fn connecting(io: mio::net::TcpStream) -> io::Result<Self> {
        let io = Evented::here(io)?;
        io.connected(|io| io.peer_addr().map(drop)).await?;
        Ok(Self { io })
    }

    /// The address of the other side.
    ///
    /// # Errors
    ///
    /// `NotConnected` if the connection was reset, and others of the operating system.
    #[inline]
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.io.peer_addr()
    }

    /// The address of this side.
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    #[inline]
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.io.local_addr()
    }

    /// Waits for data and copies it into `buf` without consuming it. `Ok(0)` is the end of the
    /// stream, or an empty `buf`.
    ///
    /// # Errors
    ///
    /// Those of the operating system, and after the shutdown of the runtime.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        if buf.is_empty() {
            crate::coop::consume_budget().await;
            return Ok(0);
        }
        self.io.async_io(Interest::READ, |io| io.peek(buf), |count| *count).await
    }

    /// Whether small writes are sent at once (`TCP_NODELAY`).
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    #[inline]
    pub fn nodelay(&self) -> io::Result<bool> {
        self.io.nodelay()
    }

    /// Sets whether small writes are sent at once instead of being collected (`TCP_NODELAY`).
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    #[inline]
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.io.set_nodelay(nodelay)
    }

    /// The time to live of packets (`IP_TTL`).
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    #[inline]
    pub fn ttl(&self) -> io::Result<u32> {
        self.io.ttl()
    }

    /// Sets the time to live of packets (`IP_TTL`).
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    #[inline]
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.io.set_ttl(ttl)
    }

    /// How long closing waits for data to be sent (`SO_LINGER`); `None`: it does not wait.
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    #[inline]
    pub fn linger(&self) -> io::Result<Option<Duration>> {
        self.io.socket().linger()
    }

    /// Sets how long closing waits for data to be sent (`SO_LINGER`).
    ///
    /// `None` is the default: closing returns at once and the kernel sends the rest. Zero resets the
    /// connection and throws the rest away. Anything longer makes the **drop of the stream block its
    /// thread** for up to that time, on most systems also for a non-blocking socket: close such a
    /// stream on a thread for blocking work.
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    #[inline]
    pub fn set_linger(&self, linger: Option<Duration>) -> io::Result<()> {
        self.io.socket().set_linger(linger)
    }
}

stream!(TcpStream, mio::net::TcpStream, std::net::TcpStream, "runtime::net::TcpStream");

impl ReadHalf<'_> {
    /// [`TcpStream::peek`].
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.as_ref().peek(buf).await
    }
}

impl OwnedReadHalf {
    /// [`TcpStream::peek`].
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.as_ref().peek(buf).await
    }
}

/// Listens for TCP connections.
///
/// ```
/// # async fn example() -> std::io::Result<()> {
/// use runtime::io::copy;
/// use runtime::net::TcpListener;
///
/// let listener = TcpListener::bind("127.0.0.1:8080").await?;
/// loop {
///     let (mut stream, _peer) = match listener.accept().await {
///         Ok(connection) => connection,
///         // Too many open files, say. The next `accept` waits until it makes sense.
///         Err(error) => {
///             eprintln!("cannot accept: {error}");
///             continue;
///         }
///     };
///     runtime::spawn(async move {
///         let (mut reader, mut writer) = stream.split();
///         copy(&mut reader, &mut writer).await
///     });
/// }
/// # }
/// ```
#[derive(Debug)]
pub struct TcpListener {
    io: Acceptor<mio::net::TcpListener>,
}

impl TcpListener {
    /// Listens on the first of the addresses that can be bound. Port 0 takes a free one.
    ///
    /// There is room for 1024 connections that nobody has accepted; [`TcpSocket::listen`] takes another
    /// number. On Unix, `SO_REUSEADDR` is set, so that a server can be restarted at once.
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
            let socket = TcpSocket::for_addr(addr)?;
            if cfg!(unix) {
                socket.set_reuseaddr(true)?;
            }
            socket.bind(addr)?;
            socket.listen(BACKLOG)
        })
        .await
    }

    /// Takes a listener of the standard library and makes it non-blocking.
    ///
    /// # Errors
    ///
    /// Outside a runtime, after its shutdown, and those of the operating system; the listener is
    /// closed then.
    #[inline]
    pub fn from_std(listener: std::net::TcpListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        Ok(Self { io: Acceptor::new(mio::net::TcpListener::from_std(listener))? })
    }

    /// Takes the listener out of the runtime. It stays non-blocking.
    ///
    /// # Errors
    ///
    /// Those of the operating system; the listener is closed then.
    #[inline]
    pub fn into_std(self) -> io::Result<std::net::TcpListener> {
        self.io.into_io().into_inner().map(Into::into)
    }

    /// Waits for a connection. Any number of tasks may wait.
    ///
    /// # Errors
    ///
    /// What the attempt failed with; the listener can go on being used. If the process has no
    /// descriptor left that is told once. Later calls then wait and try again by themselves, at least
    /// every 100 ms, until one is free.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a connection is not accepted and then lost.
    pub async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let (io, addr) = self.io.accept().await?;
        Ok((TcpStream { io }, addr))
    }

    /// [`accept`](Self::accept) for a hand-written future. Every task that polled it is woken.
    ///
    /// # Errors
    ///
    /// As [`accept`](Self::accept).
    #[inline]
    pub fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        self.io.poll_accept(cx).map_ok(|(io, addr)| (TcpStream { io }, addr))
    }

    /// The address that it listens on.
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    #[inline]
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.io.io().local_addr()
    }

    /// The time to live of packets (`IP_TTL`).
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    #[inline]
    pub fn ttl(&self) -> io::Result<u32> {
        self.io.io().ttl()
    }

    /// Sets the time to live of packets (`IP_TTL`).
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    #[inline]
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.io.io().set_ttl(ttl)
    }

    /// The pending error of the socket (`SO_ERROR`), which asking clears.
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    #[inline]
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.io.io().take_error()
    }
}

impl Listener for TcpListener {
    type Io = TcpStream;
    type Addr = SocketAddr;

    #[inline]
    fn accept(&mut self) -> impl Future<Output = io::Result<(TcpStream, SocketAddr)>> + Send {
        TcpListener::accept(self)
    }

    #[inline]
    fn local_addr(&self) -> io::Result<SocketAddr> {
        TcpListener::local_addr(self)
    }
}

impl Accept for mio::net::TcpListener {
    type Stream = mio::net::TcpStream;
    type Addr = SocketAddr;

    #[inline]
    fn accept(&self) -> io::Result<(mio::net::TcpStream, SocketAddr)> {
        self.accept()
    }
}

descriptor!(TcpListener, std::net::TcpListener, |this| this.io.io(), |this| this.io.into_io());

mod halves {
    //! The halves of a [`TcpStream`].

    use std::fmt;
    use std::future::Future;
    use std::io::{self, IoSlice, IoSliceMut};
    use std::net::{Shutdown, SocketAddr};
    use std::sync::Arc;
    use std::task::{Context, Poll};

    use super::TcpStream;
    use crate::io_core::{
        BorrowedCursor, BorrowedSliceCursor, Interest, NonBlocking, Readiness, Ready, ReadyRead,
        ReadyWrite, leaf_io,
    };
    use crate::net::halves::{half, halves, read_half, write_half};
    use crate::net::stream::{ready_read, ready_write};

    halves!(TcpStream, SocketAddr, "TcpStream");
}

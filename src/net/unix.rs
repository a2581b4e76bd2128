//! Unix domain sockets: [`UnixListener`], [`UnixStream`] and its halves, [`UnixDatagram`].

mod address;
mod credentials;
mod datagram;
mod descriptors;
pub mod pipe;

use std::fmt;
use std::future::Future;
use std::io::{self, IoSlice, IoSliceMut};
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, IntoRawFd, OwnedFd, RawFd};
use std::path::Path;
use std::task::{Context, Poll};

use super::accept::{Accept, Acceptor, Listener};
use super::backoff::Backoff;
use super::evented::{self, Evented};
use super::face::{descriptor, waits};
use super::stream::{ready_read, ready_write, stream};
use crate::io_core::{
    BorrowedBuf, BorrowedCursor, BorrowedSliceCursor, Interest, NonBlocking, Readiness, Ready,
    ReadyRead, ReadyWrite, leaf_io,
};

pub use credentials::UCred;
pub use datagram::UnixDatagram;
pub use halves::{OwnedReadHalf, OwnedWriteHalf, ReadHalf, ReuniteError, WriteHalf};
/// The address of a Unix socket: a path, an abstract name, or nothing. Std's type.
pub use std::os::unix::net::SocketAddr;

/// A connection between two processes of one machine.
///
/// It is a [`Read`](crate::io::Read) and a [`Write`](crate::io::Write), and so is `&UnixStream`.
///
/// ```
/// # async fn example() -> std::io::Result<()> {
/// use runtime::io::{Read, Write};
/// use runtime::net::UnixStream;
///
/// let (mut one, mut two) = UnixStream::pair()?;
/// one.write_all(b"ping").await?;
/// let mut word = [0; 4];
/// two.read_exact(&mut word).await?;
/// # Ok(()) }
/// ```
pub struct UnixStream {
    io: Evented<mio::net::UnixStream>,
}

impl UnixStream {
    /// Connects to the listener at `path`. If its queue is full it waits for room.
    ///
    /// # Errors
    ///
    /// `InvalidInput` if the path is too long for an address (107 bytes on Linux) or contains a NUL;
    /// `NotFound`; `ConnectionRefused` if nobody listens; outside a runtime.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the attempt is given up and its socket closed.
    ///
    /// ```
    /// # async fn example() -> std::io::Result<()> {
    /// let stream = runtime::net::UnixStream::connect("/run/example.sock").await?;
    /// # Ok(()) }
    /// ```
    pub async fn connect(path: impl AsRef<Path>) -> io::Result<Self> {
        let addr = SocketAddr::from_pathname(path);
        Self::connect_addr(&addr?).await
    }

    /// Connects to the listener at `addr`, which may be an abstract name.
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect).
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the attempt is given up and its socket closed.
    pub async fn connect_addr(addr: &SocketAddr) -> io::Result<Self> {
        let driver = evented::current()?;
        let backoff = Backoff::new();
        loop {
            match connect(addr) {
                Ok(io) => {
                    let io = Evented::in_driver(io, driver)?;
                    io.connected(|io| io.peer_addr().map(drop)).await?;
                    return Ok(Self { io });
                }
                // The queue is full, and nothing tells when it is not.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    backoff.failed(&driver);
                    backoff.wait().await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Makes two streams that are connected with each other.
    ///
    /// # Errors
    ///
    /// Those of the operating system; outside a runtime.
    #[inline]
    pub fn pair() -> io::Result<(Self, Self)> {
        let (one, two) = mio::net::UnixStream::pair()?;
        Ok((Self { io: Evented::here(one)? }, Self { io: Evented::here(two)? }))
    }

    /// The address of the other side.
    ///
    /// # Errors
    ///
    /// Those of the operating system.
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
}

stream!(
    UnixStream,
    mio::net::UnixStream,
    std::os::unix::net::UnixStream,
    "runtime::net::UnixStream"
);

/// Listens for connections of processes on this machine.
///
/// ```
/// # async fn example() -> std::io::Result<()> {
/// let listener = runtime::net::UnixListener::bind("/run/example.sock")?;
/// let (stream, _) = listener.accept().await?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct UnixListener {
    io: Acceptor<mio::net::UnixListener>,
}

impl UnixListener {
    /// Listens at `path`, which it creates. Nothing removes it: neither bind one that is there, nor
    /// drop the new one.
    ///
    /// # Errors
    ///
    /// `AddrInUse` if there is anything at the path; `InvalidInput` if it is too long for an address
    /// (107 bytes on Linux) or contains a NUL; outside a runtime.
    pub fn bind(path: impl AsRef<Path>) -> io::Result<Self> {
        Self::bind_addr(&SocketAddr::from_pathname(path)?)
    }

    /// Listens at `addr`, which may be an abstract name.
    ///
    /// # Errors
    ///
    /// As [`bind`](Self::bind).
    #[inline]
    pub fn bind_addr(addr: &SocketAddr) -> io::Result<Self> {
        // Std's: mio 1.2 cuts the last byte off an abstract name that begins with a NUL.
        Self::from_std(std::os::unix::net::UnixListener::bind_addr(addr)?)
    }

    /// Takes a listener of the standard library and makes it non-blocking.
    ///
    /// # Errors
    ///
    /// Outside a runtime, after its shutdown, and those of the operating system; the listener is
    /// closed then.
    #[inline]
    pub fn from_std(listener: std::os::unix::net::UnixListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        Ok(Self { io: Acceptor::new(mio::net::UnixListener::from_std(listener))? })
    }

    /// Takes the listener out of the runtime. It stays non-blocking.
    ///
    /// # Errors
    ///
    /// Those of the operating system; the listener is closed then.
    #[inline]
    pub fn into_std(self) -> io::Result<std::os::unix::net::UnixListener> {
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
    pub async fn accept(&self) -> io::Result<(UnixStream, SocketAddr)> {
        let (io, addr) = self.io.accept().await?;
        Ok((UnixStream { io }, addr))
    }

    /// [`accept`](Self::accept) for a hand-written future. Every task that polled it is woken.
    ///
    /// # Errors
    ///
    /// As [`accept`](Self::accept).
    #[inline]
    pub fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(UnixStream, SocketAddr)>> {
        self.io.poll_accept(cx).map_ok(|(io, addr)| (UnixStream { io }, addr))
    }

    /// The address that it listens at.
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    #[inline]
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.io.io().local_addr()
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

impl Listener for UnixListener {
    type Io = UnixStream;
    type Addr = SocketAddr;

    #[inline]
    fn accept(&mut self) -> impl Future<Output = io::Result<(UnixStream, SocketAddr)>> + Send {
        UnixListener::accept(self)
    }

    #[inline]
    fn local_addr(&self) -> io::Result<SocketAddr> {
        UnixListener::local_addr(self)
    }
}

impl Accept for mio::net::UnixListener {
    type Stream = mio::net::UnixStream;
    type Addr = SocketAddr;

    #[inline]
    fn accept(&self) -> io::Result<(mio::net::UnixStream, SocketAddr)> {
        self.accept()
    }
}

descriptor!(UnixListener, std::os::unix::net::UnixListener, |this| this.io.io(), |this| this
    .io
    .into_io());

/// Begins to connect, without blocking.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn connect(addr: &SocketAddr) -> io::Result<mio::net::UnixStream> {
    mio::net::UnixStream::connect_addr(addr)
}

/// Begins to connect, without blocking.
#[cfg(any(target_os = "linux", target_os = "android"))]
#[inline]
fn connect(addr: &SocketAddr) -> io::Result<mio::net::UnixStream> {
    let addr = address::to_sock_addr(addr)?;
    let kind = socket2::Type::STREAM.nonblocking().cloexec();
    let socket = socket2::Socket::new(socket2::Domain::UNIX, kind, None)?;
    socket.connect(&addr)?;
    Ok(mio::net::UnixStream::from_std(socket.into()))
}

mod halves {
    //! The halves of a [`UnixStream`].

    use std::fmt;
    use std::future::Future;
    use std::io::{self, IoSlice, IoSliceMut};
    use std::net::Shutdown;
    use std::os::unix::net::SocketAddr;
    use std::sync::Arc;
    use std::task::{Context, Poll};

    use super::UnixStream;
    use crate::io_core::{
        BorrowedCursor, BorrowedSliceCursor, Interest, NonBlocking, Readiness, Ready, ReadyRead,
        ReadyWrite, leaf_io,
    };
    use crate::net::halves::{half, halves, read_half, write_half};
    use crate::net::stream::{ready_read, ready_write};

    halves!(UnixStream, SocketAddr, "UnixStream");
}

//! Sockets whose runtime need not be entered.

use std::io;
use std::net::SocketAddr;

use super::explicit;
use crate::net::{TcpListener, TcpSocket, TcpStream, ToSocketAddrs, UdpSocket};
use crate::runtime::Handle;

explicit! {
    /// ```
    /// use runtime::net::{TcpListener, TcpStream};
    ///
    /// let runtime = runtime::Runtime::new()?;
    /// futures::executor::block_on(async {
    ///     let listener = TcpListener::bind_in("127.0.0.1:0", runtime.handle()).await?;
    ///     let addr = listener.local_addr()?;
    ///     let client = TcpStream::connect_in(addr, runtime.handle()).await?;
    ///     let (server, _) = listener.accept().await?; // is in the listener's runtime
    ///     std::io::Result::Ok(())
    /// })?;
    /// # std::io::Result::Ok(())
    /// ```
    async TcpListener::bind_in(addr: impl ToSocketAddrs) => bind;

    /// ```
    /// use runtime::net::TcpListener;
    ///
    /// let runtime = runtime::Runtime::new()?;
    /// let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// let listener = TcpListener::from_std_in(listener, runtime.handle())?;
    /// # std::io::Result::Ok(())
    /// ```
    TcpListener::from_std_in(listener: std::net::TcpListener) => from_std;

    /// ```
    /// use runtime::net::TcpStream;
    ///
    /// # async fn example(handle: runtime::Handle) -> std::io::Result<()> {
    /// let stream = TcpStream::connect_in("localhost:8080", &handle).await?;
    /// # Ok(()) }
    /// ```
    async TcpStream::connect_in(addr: impl ToSocketAddrs) => connect;

    /// ```
    /// use runtime::net::TcpStream;
    ///
    /// # fn example(handle: runtime::Handle) -> std::io::Result<()> {
    /// let stream = std::net::TcpStream::connect("localhost:8080")?;
    /// let stream = TcpStream::from_std_in(stream, &handle)?;
    /// # Ok(()) }
    /// ```
    TcpStream::from_std_in(stream: std::net::TcpStream) => from_std;

    /// ```
    /// use runtime::net::UdpSocket;
    ///
    /// let runtime = runtime::Runtime::new()?;
    /// let bound = UdpSocket::bind_in("127.0.0.1:0", runtime.handle());
    /// let socket = futures::executor::block_on(bound)?;
    /// # std::io::Result::Ok(())
    /// ```
    async UdpSocket::bind_in(addr: impl ToSocketAddrs) => bind;

    /// ```
    /// use runtime::net::UdpSocket;
    ///
    /// let runtime = runtime::Runtime::new()?;
    /// let socket = std::net::UdpSocket::bind("127.0.0.1:0")?;
    /// let socket = UdpSocket::from_std_in(socket, runtime.handle())?;
    /// # std::io::Result::Ok(())
    /// ```
    UdpSocket::from_std_in(socket: std::net::UdpSocket) => from_std;
}

impl TcpSocket {
    /// [`listen`](Self::listen) in the runtime of `handle`, on any thread.
    ///
    /// # Errors
    ///
    /// As there; after the shutdown of the runtime.
    ///
    /// ```
    /// use runtime::net::TcpSocket;
    ///
    /// let runtime = runtime::Runtime::new()?;
    /// let socket = TcpSocket::new_v4()?;
    /// socket.bind(([127, 0, 0, 1], 0).into())?;
    /// let listener = socket.listen_in(1024, runtime.handle())?;
    /// # std::io::Result::Ok(())
    /// ```
    #[inline]
    pub fn listen_in(self, backlog: u32, handle: &Handle) -> io::Result<TcpListener> {
        let _inside = handle.enter();
        self.listen(backlog)
    }

    /// [`connect`](Self::connect) in the runtime of `handle`, under any executor.
    ///
    /// # Errors
    ///
    /// As there; after the shutdown of the runtime.
    ///
    /// # Cancel safety
    ///
    /// As there.
    ///
    /// ```
    /// # async fn example(addr: std::net::SocketAddr, handle: runtime::Handle) -> std::io::Result<()> {
    /// use runtime::net::TcpSocket;
    ///
    /// let stream = TcpSocket::new_v4()?.connect_in(addr, &handle).await?;
    /// # Ok(()) }
    /// ```
    pub async fn connect_in(self, addr: SocketAddr, handle: &Handle) -> io::Result<TcpStream> {
        handle.inside(self.connect(addr)).await
    }
}

#[cfg(unix)]
mod unix {
    //! What only Unix has, and descriptors.

    use std::io;
    use std::os::fd::{AsFd, OwnedFd};
    use std::os::unix::net;
    use std::path::Path;

    use super::explicit;
    use crate::io_core::Interest;
    use crate::net::unix::pipe::{Receiver, Sender};
    use crate::net::{AsyncFd, UnixDatagram, UnixListener, UnixStream};
    use crate::runtime::Handle;

    explicit! {
        /// ```
        /// use runtime::net::UnixListener;
        ///
        /// # fn example(handle: runtime::Handle) -> std::io::Result<()> {
        /// let listener = UnixListener::bind_in("/run/example.sock", &handle)?;
        /// # Ok(()) }
        /// ```
        UnixListener::bind_in(path: impl AsRef<Path>) => bind;

        /// ```
        /// use runtime::net::UnixListener;
        ///
        /// # fn example(handle: runtime::Handle) -> std::io::Result<()> {
        /// let listener = std::os::unix::net::UnixListener::bind("/run/example.sock")?;
        /// let listener = UnixListener::from_std_in(listener, &handle)?;
        /// # Ok(()) }
        /// ```
        UnixListener::from_std_in(listener: net::UnixListener) => from_std;

        /// ```
        /// use runtime::net::UnixStream;
        ///
        /// # async fn example(handle: runtime::Handle) -> std::io::Result<()> {
        /// let stream = UnixStream::connect_in("/run/example.sock", &handle).await?;
        /// # Ok(()) }
        /// ```
        async UnixStream::connect_in(path: impl AsRef<Path>) => connect;

        /// ```
        /// use runtime::net::UnixStream;
        ///
        /// let runtime = runtime::Runtime::new()?;
        /// let (one, two) = std::os::unix::net::UnixStream::pair()?;
        /// let one = UnixStream::from_std_in(one, runtime.handle())?;
        /// # std::io::Result::Ok(())
        /// ```
        UnixStream::from_std_in(stream: net::UnixStream) => from_std;

        /// ```
        /// use runtime::net::UnixDatagram;
        ///
        /// # fn example(handle: runtime::Handle) -> std::io::Result<()> {
        /// let socket = UnixDatagram::bind_in("/run/example.log", &handle)?;
        /// # Ok(()) }
        /// ```
        UnixDatagram::bind_in(path: impl AsRef<Path>) => bind;

        /// ```
        /// use runtime::net::UnixDatagram;
        ///
        /// let runtime = runtime::Runtime::new()?;
        /// let socket = std::os::unix::net::UnixDatagram::unbound()?;
        /// let socket = UnixDatagram::from_std_in(socket, runtime.handle())?;
        /// # std::io::Result::Ok(())
        /// ```
        UnixDatagram::from_std_in(socket: net::UnixDatagram) => from_std;

        /// ```
        /// use runtime::net::unix::pipe::Sender;
        ///
        /// let runtime = runtime::Runtime::new()?;
        /// let (reader, writer) = std::io::pipe()?;
        /// let sender = Sender::from_owned_fd_in(writer, runtime.handle())?;
        /// # std::io::Result::Ok(())
        /// ```
        Sender::from_owned_fd_in(fd: impl Into<OwnedFd>) => from_owned_fd;

        /// ```
        /// use runtime::net::unix::pipe::Receiver;
        ///
        /// let runtime = runtime::Runtime::new()?;
        /// let (reader, writer) = std::io::pipe()?;
        /// let receiver = Receiver::from_owned_fd_in(reader, runtime.handle())?;
        /// # std::io::Result::Ok(())
        /// ```
        Receiver::from_owned_fd_in(fd: impl Into<OwnedFd>) => from_owned_fd;
    }

    impl<T: AsFd> AsyncFd<T> {
        /// [`with_interest`](Self::with_interest) in the runtime of `handle`, on any thread.
        ///
        /// # Errors
        ///
        /// As there.
        ///
        /// ```
        /// use runtime::io::Interest;
        /// use runtime::net::AsyncFd;
        ///
        /// let runtime = runtime::Runtime::new()?;
        /// let (reader, writer) = std::io::pipe()?;
        /// let reader = AsyncFd::with_interest_in(reader, Interest::READ, runtime.handle())?;
        /// # std::io::Result::Ok(())
        /// ```
        pub fn with_interest_in(fd: T, interest: Interest, handle: &Handle) -> io::Result<Self> {
            let _inside = handle.enter();
            Self::with_interest(fd, interest)
        }
    }
}

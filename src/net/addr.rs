//! Addresses to connect and bind to, and their names.
//!
//! What is an address already, or the text of one, is used on the spot. A name goes to the system's
//! resolver, which blocks, so it is asked on a thread for blocking work.

use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::panic::Location;

use super::evented;
use crate::blocking::Pool;

/// What [`TcpStream::connect`](super::TcpStream::connect) and
/// [`TcpListener::bind`](super::TcpListener::bind) take: an address, several, or a name and a port.
///
/// Implemented for the address types of `std::net`, for `(host, port)` with an address or a name, for
/// `"host:port"`, and for slices, arrays and vectors of addresses. Names are resolved without
/// blocking the thread. It cannot be implemented outside this crate.
///
/// ```
/// # async fn example() -> std::io::Result<()> {
/// use runtime::net::TcpStream;
///
/// let one = TcpStream::connect(([127, 0, 0, 1], 8080)).await?;
/// let two = TcpStream::connect("localhost:8080").await?;
/// let three = TcpStream::connect(("example.com", 80)).await?;
/// # Ok(()) }
/// ```
pub trait ToSocketAddrs: sealed::ToSocketAddrs {}

impl<T: sealed::ToSocketAddrs + ?Sized> ToSocketAddrs for T {}

/// Looks up the addresses of a name.
///
/// # Errors
///
/// `InvalidInput` for text without a port; the resolver's errors; one that says so outside a
/// runtime, if a name has to be resolved.
///
/// # Cancel safety
///
/// Cancel safe: the lookup goes on on its thread and its answer is thrown away.
///
/// ```
/// # async fn example() -> std::io::Result<()> {
/// for addr in runtime::net::lookup_host("localhost:80").await? {
///     println!("{addr}");
/// }
/// # Ok(()) }
/// ```
pub async fn lookup_host(host: impl ToSocketAddrs) -> io::Result<impl Iterator<Item = SocketAddr>> {
    Ok(resolve(host.target()?).await?.into_iter())
}

/// All addresses that `target` stands for, at least one.
async fn resolve(target: Target) -> io::Result<Vec<SocketAddr>> {
    let addrs = match target {
        Target::Addr(addr) => vec![addr],
        Target::Addrs(addrs) => addrs,
        Target::Name(host, port) => lookup(host, port).await?,
    };
    if addrs.is_empty() {
        let text = "the name or the list stands for no address";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    }
    Ok(addrs)
}

/// Tries `attempt` with each address in turn: the first success or the last error.
pub(super) async fn first_of<T, F>(
    addr: impl ToSocketAddrs,
    mut attempt: impl FnMut(SocketAddr) -> F,
) -> io::Result<T>
where
    F: Future<Output = io::Result<T>>,
{
    let target = addr.target()?;
    if let Target::Addr(addr) = target {
        return attempt(addr).await;
    }
    let mut addrs = resolve(target).await?.into_iter().peekable();
    loop {
        let addr = addrs.next().expect("the last address returns");
        match attempt(addr).await {
            Err(_) if addrs.peek().is_some() => {}
            result => return result,
        }
    }
}

/// Asks the system's resolver, on a thread for blocking work.
async fn lookup(host: String, port: u16) -> io::Result<Vec<SocketAddr>> {
    let pool = Pool::current().ok_or_else(evented::no_runtime)?;
    let job = move || {
        let addrs = std::net::ToSocketAddrs::to_socket_addrs(&(host.as_str(), port));
        addrs.map(Vec::from_iter)
    };
    let answer = pool.spawn(job, Location::caller());
    drop(pool); // a long lookup does not keep it
    answer.await.unwrap_or_else(|_| Err(io::Error::other("the runtime has shut down")))
}

/// What an argument stands for.
#[derive(Debug)]
pub enum Target {
    /// An address.
    Addr(SocketAddr),
    /// Any number of them.
    Addrs(Vec<SocketAddr>),
    /// A host to be looked up, and a port.
    Name(String, u16),
}

impl Target {
    fn host(host: &str, port: u16) -> Self {
        match host.parse::<IpAddr>() {
            Ok(ip) => Self::Addr(SocketAddr::new(ip, port)),
            Err(_) => Self::Name(host.to_owned(), port),
        }
    }
}

mod sealed {
    use super::Target;

    pub trait ToSocketAddrs {
        fn target(&self) -> std::io::Result<Target>;
    }
}

macro_rules! addresses {
    ($($ty:ty),*) => {$(
        impl sealed::ToSocketAddrs for $ty {
            fn target(&self) -> io::Result<Target> {
                Ok(Target::Addr(SocketAddr::from(*self)))
            }
        }
    )*};
}

addresses! {
    SocketAddr, SocketAddrV4, SocketAddrV6, (IpAddr, u16), (Ipv4Addr, u16), (Ipv6Addr, u16),
    ([u8; 4], u16), ([u8; 16], u16), ([u16; 8], u16)
}

impl sealed::ToSocketAddrs for str {
    fn target(&self) -> io::Result<Target> {
        if let Ok(addr) = self.parse() {
            return Ok(Target::Addr(addr));
        }
        let invalid = |text| io::Error::new(io::ErrorKind::InvalidInput, text);
        let (host, port) = self.rsplit_once(':').ok_or(invalid("an address needs a port"))?;
        let port = port.parse().map_err(|_| invalid("the port is not a number below 65536"))?;
        Ok(Target::host(host, port))
    }
}

impl sealed::ToSocketAddrs for String {
    fn target(&self) -> io::Result<Target> {
        self.as_str().target()
    }
}

impl sealed::ToSocketAddrs for (&str, u16) {
    fn target(&self) -> io::Result<Target> {
        Ok(Target::host(self.0, self.1))
    }
}

impl sealed::ToSocketAddrs for (String, u16) {
    fn target(&self) -> io::Result<Target> {
        Ok(Target::host(&self.0, self.1))
    }
}

impl sealed::ToSocketAddrs for [SocketAddr] {
    fn target(&self) -> io::Result<Target> {
        Ok(Target::Addrs(self.to_vec()))
    }
}

impl<const N: usize> sealed::ToSocketAddrs for [SocketAddr; N] {
    fn target(&self) -> io::Result<Target> {
        Ok(Target::Addrs(self.to_vec()))
    }
}

impl sealed::ToSocketAddrs for Vec<SocketAddr> {
    fn target(&self) -> io::Result<Target> {
        Ok(Target::Addrs(self.clone()))
    }
}

impl<T: sealed::ToSocketAddrs + ?Sized> sealed::ToSocketAddrs for &T {
    fn target(&self) -> io::Result<Target> {
        (**self).target()
    }
}

//! Where a server listens: a port of the loopback interface, or a name in Linux's abstract space of
//! Unix sockets, which leaves no file behind.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr as UnixAddr, UnixStream};
use std::str::FromStr;

#[derive(Clone, Debug, PartialEq)]
pub enum Address {
    Tcp(SocketAddr),
    Unix(String),
}

/// A connection that does not block.
pub enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Address {
    pub fn connect(&self) -> io::Result<Socket> {
        match self {
            Self::Tcp(address) => {
                let stream = TcpStream::connect(address)?;
                stream.set_nodelay(true)?;
                stream.set_nonblocking(true)?;
                Ok(Socket::Tcp(stream))
            }
            Self::Unix(name) => {
                let stream = UnixStream::connect_addr(&UnixAddr::from_abstract_name(name)?)?;
                stream.set_nonblocking(true)?;
                Ok(Socket::Unix(stream))
            }
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "tcp:{address}"),
            Self::Unix(name) => write!(f, "unix:{name}"),
        }
    }
}

impl FromStr for Address {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text.split_once(':').ok_or(())? {
            ("tcp", address) => address.parse().map(Self::Tcp).map_err(|_| ()),
            ("unix", name) => Ok(Self::Unix(name.to_owned())),
            _ => Err(()),
        }
    }
}

//! Addresses of Unix sockets between std's type, which users see, and socket2's, which its calls take.
//!
//! Not by mio: its 1.2 cuts the last byte off an abstract name that begins with a NUL.

use std::ffi::OsStr;
use std::io;
#[cfg(target_os = "android")]
use std::os::android::net::SocketAddrExt;
#[cfg(target_os = "linux")]
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::SocketAddr;
use std::path::Path;

use socket2::SockAddr;

/// # Errors
///
/// `InvalidInput` if it is too long.
#[inline]
pub(super) fn to_sock_addr(addr: &SocketAddr) -> io::Result<SockAddr> {
    let abstract_name = abstract_name(addr).map(|name| [b"\0", name].concat());
    match (&abstract_name, addr.as_pathname()) {
        (Some(name), _) => SockAddr::unix(OsStr::from_bytes(name)),
        (None, Some(path)) => SockAddr::unix(path),
        (None, None) => SockAddr::unix(Path::new("")),
    }
}

/// What the sender of a message is called. One that has no name, and one whose name std's type cannot
/// say (a path that fills an address to its last byte), is unnamed.
#[inline]
pub(super) fn of_sender(addr: SockAddr) -> io::Result<SocketAddr> {
    if let Some(name) = addr.as_abstract_namespace() {
        return from_abstract_name(name);
    }
    let named = addr.as_pathname().map(SocketAddr::from_pathname);
    match named {
        Some(Ok(addr)) => Ok(addr),
        _ => SocketAddr::from_pathname(""),
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn abstract_name(addr: &SocketAddr) -> Option<&[u8]> {
    addr.as_abstract_name()
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn abstract_name(_: &SocketAddr) -> Option<&[u8]> {
    None
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn from_abstract_name(name: &[u8]) -> io::Result<SocketAddr> {
    SocketAddr::from_abstract_name(name)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn from_abstract_name(_: &[u8]) -> io::Result<SocketAddr> {
    SocketAddr::from_pathname("")
}

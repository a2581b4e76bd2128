//! Sockets: TCP and Unix streams and their listeners, UDP and Unix messages; pipes of the operating
//! system ([`unix::pipe`]), and any other descriptor ([`AsyncFd`]).
//!
//! All types follow `std::net` and the I/O traits of [`runtime::io`](crate::io). A stream is a reader
//! and a writer by itself, by `&` reference (any number of tasks may wait), and by its halves, which
//! share it without a lock. Each remembers the runtime that it was made in: it can be moved to other
//! threads and awaited under any executor, as long as that runtime lives; after its shutdown
//! operations return an error. Constructors return an error outside a runtime; there, those whose names
//! end in `_in` take a [`Handle`](crate::Handle#outside-the-runtime).
//!
//! All descriptors are non-blocking and closed on `exec`.
//!
//! Inside: `evented.rs` is a socket in its driver, `socket.rs` has the operations, `stream.rs` and
//! `halves.rs` the public face of them, once for all transports, `datagram.rs` both for messages,
//! `face.rs` what all of them have; `accept.rs` the listeners; `incoming.rs` a loop around them;
//! `in_memory.rs` lets servers listen without a socket.

mod accept;
mod addr;
mod async_fd;
mod backoff;
mod datagram;
mod evented;
mod face;
mod halves;
mod in_memory;
mod incoming;
mod socket;
mod stream;
pub mod tcp;
mod tcp_socket;
mod udp;
#[cfg(unix)]
pub mod unix;

#[cfg(all(test, not(loom)))]
mod tests;

pub use accept::Listener;
pub use addr::{ToSocketAddrs, lookup_host};
pub use async_fd::AsyncFd;
pub use incoming::{Incoming, Slot};
pub use tcp::{TcpListener, TcpStream};
pub use tcp_socket::TcpSocket;
pub use udp::UdpSocket;
#[cfg(unix)]
pub use unix::{UnixDatagram, UnixListener, UnixStream};

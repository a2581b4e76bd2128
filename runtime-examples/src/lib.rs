//! What the programs in `bin` share: an HTTP server around any service, a client of one connection, and
//! the server's side of TLS.

pub mod client;
pub mod serve;
pub mod tls;

/// An error of whatever kind, to end a program with.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

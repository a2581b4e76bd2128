//! What the programs in `bin` share: an HTTP server around any service, and a client of one connection.

pub mod client;
pub mod serve;

/// An error of whatever kind, to end a program with.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

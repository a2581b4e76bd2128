//! A minimal asynchronous runtime with built-in pipes.

#![warn(missing_docs)]
#![deny(unsafe_code)]

// Words: what every floor above speaks.
mod coop;
#[path = "io/mod.rs"]
mod io_core;
mod sync;
#[allow(unsafe_code)]
mod sys;

// Machinery.
mod driver;
pub mod pipe;
pub mod task;

// Users. Of these only the executor's queue and idle protocol have models; the rest drives real
// threads, sockets and clocks and is not compiled for them.
#[cfg(not(loom))]
mod blocking;
mod executor;
#[cfg(not(loom))]
pub mod net;
#[cfg(not(loom))]
pub mod time;

// Front door.
#[cfg(not(loom))]
mod runtime;

pub mod io {
    #![doc = include_str!("io/guide.md")]

    pub use crate::io_core::*;
    pub use crate::pipe::{DuplexStream, SimplexStream, duplex, simplex};
}

#[cfg(not(loom))]
pub use crate::runtime::{
    Builder, EnterGuard, Handle, Runtime, TryCurrentError, spawn, spawn_blocking,
};
pub use runtime_macros::{main, test};

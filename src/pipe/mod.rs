//! In-memory pipes.

mod cache;
mod lane;
#[cfg(all(test, loom))]
mod models;
#[allow(unsafe_code)]
mod segment;
mod word;

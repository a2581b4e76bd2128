//! Helpers that the tests of `runtime` share.

pub mod conformance;
pub mod counting;
pub mod loopback;
pub mod rig;

/// Compiles the code in the README.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

//! Helpers that the tests of `runtime` share.

pub mod conformance;
pub mod loopback;

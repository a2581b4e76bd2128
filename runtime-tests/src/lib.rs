//! Helpers that the tests of `runtime` share.

//! Loom models of the run queue and of the idle protocol.

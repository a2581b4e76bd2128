//! One thin safe wrapper a system call.

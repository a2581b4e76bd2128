//! A socket in its driver: what every type of `net` has inside.
//!
//! It owns the socket and its registration, and takes the registration back before the descriptor is
//! closed. The operations here are synchronous and non-blocking; the waiting is built from the
//! registration, by the traits' loops for streams and by [`Evented::async_io`] for the rest.

use std::fmt;
use std::io;
use std::ops::Deref;

use mio::event::Source;

use crate::driver::{Handle, HandleRef, Registration};
use crate::io_core::Interest;

/// The driver that this thread has entered.
pub(super) fn current() -> io::Result<HandleRef> {
    Handle::current().ok_or_else(no_runtime)
}

/// What constructors say outside a runtime.
pub(super) fn no_runtime() -> io::Error {
    io::Error::other(
        "no runtime is entered on this thread: call this inside `block_on`, a task, or under \
         `Handle::enter`",
    )
}

/// `interest` in mio's words.
pub(super) fn mio_interest(interest: Interest) -> mio::Interest {
    let mut all: Option<mio::Interest> = None;
    let mut add = |is: bool, one| {
        if is {
            all = Some(all.map_or(one, |all| all.add(one)));
        }
    };
    add(interest.is_readable(), mio::Interest::READABLE);
    add(interest.is_writable(), mio::Interest::WRITABLE);
    #[cfg(any(target_os = "linux", target_os = "android"))]
    add(interest.is_priority(), mio::Interest::PRIORITY);
    all.expect("an interest is in something")
}

/// See the head of this file.
pub(super) struct Evented<S: Source> {
    /// `None` only while it is being taken apart.
    io: Option<S>,
    registration: Registration,
}

impl<S: Source> Evented<S> {
    /// Has the driver `handle` watch `io`.
    pub(super) fn new(mut io: S, interest: Interest, handle: HandleRef) -> io::Result<Self> {
        let registration = Registration::new(&mut io, mio_interest(interest), handle)?;
        Ok(Self { io: Some(io), registration })
    }

    pub(super) fn registration(&self) -> &Registration {
        &self.registration
    }

    /// Takes the socket out of the driver and hands it over.
    pub(super) fn into_inner(mut self) -> io::Result<S> {
        let mut io = self.io.take().expect("a socket is taken apart once");
        self.registration.deregister(&mut io)?;
        Ok(io)
    }

    /// [`into_inner`](Self::into_inner) for conversions that cannot fail.
    pub(super) fn into_inner_lossy(mut self) -> S {
        let mut io = self.io.take().expect("a socket is taken apart once");
        // It fails if the driver's set does not have the descriptor: all the better.
        let _ = self.registration.deregister(&mut io);
        io
    }

    /// Waits for readiness and calls `op`, which goes through the registration by itself, until it
    /// says anything but `WouldBlock`. Shared: any number of tasks may be in here.
    pub(super) async fn when_ready<R>(
        &self,
        interest: Interest,
        mut op: impl FnMut() -> io::Result<R>,
    ) -> io::Result<R> {
        loop {
            self.registration.ready(interest).await?;
            match op() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return result,
            }
        }
    }

    /// Waits for readiness and runs `op`, until `op` says anything but `WouldBlock`. Shared: any
    /// number of tasks may be in here.
    pub(super) async fn async_io<R>(
        &self,
        interest: Interest,
        mut op: impl FnMut(&S) -> io::Result<R>,
        bytes: fn(&R) -> usize,
    ) -> io::Result<R> {
        let op = || self.registration.try_io(interest, || op(self), bytes);
        self.when_ready(interest, op).await
    }
}

impl<S: Source> Deref for Evented<S> {
    type Target = S;

    #[inline]
    fn deref(&self) -> &S {
        self.io.as_ref().expect("a socket is there until it is taken apart")
    }
}

impl<S: Source> Drop for Evented<S> {
    fn drop(&mut self) {
        if let Some(mut io) = self.io.take() {
            // Before the descriptor is closed, or its number could be somebody else's already.
            let _ = self.registration.deregister(&mut io);
        }
    }
}

impl<S: Source + fmt::Debug> fmt::Debug for Evented<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.io {
            Some(io) => io.fmt(f),
            None => f.write_str("taken"),
        }
    }
}

//! Accepting connections, once for TCP and Unix, and the [`Listener`] trait over both.
//!
//! What `accept` fails with is told to the caller, and the listener goes on. One kind of failure
//! needs care: without a descriptor or memory to be had, a connection stays in the kernel's queue,
//! the listener stays readable, and a loop around `accept` would spin until somebody closes
//! something. So the error is told once; later calls wait for a timer (see `backoff.rs`) and try
//! again by themselves, because the kernel reports no edge for a connection that was there before.

use std::future::Future;
use std::io;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};

use super::backoff::Backoff;
use super::evented::{self, Evented};
use super::socket::Socket;
use crate::io_core::{Interest, ReadyStream};
use crate::sys;

/// Anything that accepts connections: servers that are generic over the transport take one.
///
/// ```
/// use runtime::io::{Read, Write};
/// use runtime::net::Listener;
///
/// /// Answers the first byte of every connection.
/// async fn serve<L: Listener>(mut listener: L) -> std::io::Result<()> {
///     loop {
///         let (mut stream, _) = listener.accept().await?;
///         let mut byte = [0];
///         stream.read_exact(&mut byte).await?;
///         stream.write_all(&byte).await?;
///     }
/// }
/// ```
pub trait Listener: Send {
    /// The stream of one connection.
    type Io: ReadyStream + 'static;
    /// Whom it is with.
    type Addr: Send;

    /// Waits for a connection.
    ///
    /// # Errors
    ///
    /// What the attempt failed with. The listener can go on being used.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a connection is not accepted and then lost.
    fn accept(&mut self) -> impl Future<Output = io::Result<(Self::Io, Self::Addr)>> + Send;

    /// Where it listens.
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    fn local_addr(&self) -> io::Result<Self::Addr>;
}

/// A mio listener.
pub(super) trait Accept: mio::event::Source {
    type Stream: Socket;
    type Addr;

    fn accept(&self) -> io::Result<(Self::Stream, Self::Addr)>;
}

/// A listener in its driver.
#[derive(Debug)]
pub(super) struct Acceptor<L: Accept> {
    io: Evented<L>,
    /// There once an attempt failed for want of descriptors.
    backoff: OnceLock<Arc<Backoff>>,
}

type Accepted<L> = (Evented<<L as Accept>::Stream>, <L as Accept>::Addr);

impl<L: Accept> Acceptor<L> {
    pub(super) fn new(io: L) -> io::Result<Self> {
        Ok(Self {
            io: Evented::new(io, Interest::READ, evented::current()?)?,
            backoff: OnceLock::new(),
        })
    }

    pub(super) fn io(&self) -> &Evented<L> {
        &self.io
    }

    pub(super) fn into_io(self) -> Evented<L> {
        self.io
    }

    pub(super) async fn accept(&self) -> io::Result<Accepted<L>> {
        loop {
            if let Some(backoff) = self.backoff.get() {
                backoff.wait().await;
            }
            self.io.registration().ready(Interest::READ).await?;
            if let Some(accepted) = self.try_accept()? {
                return Ok(accepted);
            }
        }
    }

    pub(super) fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<Accepted<L>>> {
        loop {
            if let Some(backoff) = self.backoff.get() {
                ready!(backoff.poll(cx));
            }
            ready!(self.io.registration().poll_ready_shared(cx, Interest::READ))?;
            if let Some(accepted) = self.try_accept()? {
                return Poll::Ready(Ok(accepted));
            }
        }
    }

    /// `None`: there is nothing to accept, or no descriptor to do it with and that is known.
    fn try_accept(&self) -> io::Result<Option<Accepted<L>>> {
        let registration = self.io.registration();
        match registration.try_io(Interest::READ, || L::accept(&self.io), |_| 0) {
            Ok((stream, addr)) => {
                if let Some(backoff) = self.backoff.get() {
                    backoff.succeeded();
                }
                // With the listener's driver, whoever polls us. It is taken for ready: the request
                // mostly comes right behind the handshake.
                let stream = Evented::in_driver(stream, registration.handle().here())?;
                Ok(Some((stream, addr)))
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) if sys::is_exhaustion(&error) => {
                let backoff = self.backoff.get_or_init(Backoff::new);
                if backoff.failed(registration.handle()) { Err(error) } else { Ok(None) }
            }
            Err(error) => Err(error),
        }
    }
}

//! What an I/O object keeps of its driver: its [`Source`].
//!
//! Every leaf of the `net` module is built from four steps here: [`poll_ready`] (where an empty
//! budget makes a task wait), [`try_io`] (where an operation charges it, and a `WouldBlock` clears
//! exactly the readiness that it saw), the [`ready`] future, and [`deregister`], which has to come
//! before the descriptor is closed. Locks, orderings and who wakes whom are in `source.rs`.
//!
//! [`poll_ready`]: Registration::poll_ready
//! [`try_io`]: Registration::try_io
//! [`ready`]: Registration::ready
//! [`deregister`]: Registration::deregister

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use super::HandleRef;
use super::source::{
    self, ERROR, Owner, PRIORITY, RD_CLOSED, READ, Snapshot, Source, WR_CLOSED, WRITE, Wants,
};
use crate::coop;
use crate::io_core::{Interest, NonBlocking, Readiness};

/// Whether a count below what was asked for means that the next operation would block.
///
/// True where the selector reports edges by itself; mio's selectors over poll(2) and IOCP report
/// again only after an operation has said `WouldBlock`.
const SHORT_MEANS_DRAINED: bool = cfg!(all(
    unix,
    not(mio_unsupported_force_poll_poll),
    not(any(target_os = "aix", target_os = "espidf", target_os = "fuchsia")),
    not(any(target_os = "haiku", target_os = "hermit", target_os = "hurd")),
    not(any(target_os = "nto", target_os = "vita", target_os = "cygwin")),
    not(any(target_os = "illumos", target_os = "solaris")),
));

/// An I/O object's place in a driver.
#[derive(Debug)]
pub(crate) struct Registration {
    source: Arc<Source>,
}

impl Registration {
    /// Registers `io`, taken for ready until an operation says otherwise: the first operation of a
    /// new socket then needs no turn of the driver.
    ///
    /// # Errors
    ///
    /// The operating system's, or one that says that the driver has shut down.
    pub(crate) fn new(
        io: &mut dyn mio::event::Source,
        interest: mio::Interest,
        handle: HandleRef,
    ) -> io::Result<Self> {
        let source = Arc::new(Source::of(handle, READ | WRITE));
        source.handle().reactor().register(io, interest, &source)?;
        Ok(Self { source })
    }

    /// Takes `io` out of the driver. To be called before its descriptor is closed.
    pub(crate) fn deregister(&self, io: &mut dyn mio::event::Source) -> io::Result<()> {
        self.handle().reactor().deregister(io, &self.source)
    }

    /// Asks for events again after an operation on a bare descriptor has said `WouldBlock`, where the
    /// selector wants to be asked. mio's own types do that by themselves.
    ///
    /// # Errors
    ///
    /// The operating system's.
    pub(crate) fn rearm(
        &self,
        io: &mut dyn mio::event::Source,
        interest: mio::Interest,
    ) -> io::Result<()> {
        if SHORT_MEANS_DRAINED {
            return Ok(()); // edges come by themselves
        }
        self.handle().reactor().rearm(io, &self.source, interest)
    }

    /// The driver that the object belongs to.
    pub(crate) fn handle(&self) -> &HandleRef {
        self.source.handle()
    }

    /// Waits for readiness on behalf of the only one who waits for it: the newest waker counts.
    ///
    /// # Errors
    ///
    /// Once the driver has shut down.
    #[inline]
    pub(crate) fn poll_ready(
        &self,
        cx: &mut Context<'_>,
        interest: Interest,
    ) -> Poll<io::Result<Readiness>> {
        let wants = wants(interest);
        self.poll(cx, wants, Owner::exclusive(wants))
    }

    /// Waits for readiness on behalf of one of several tasks: every task counts.
    ///
    /// # Errors
    ///
    /// Once the driver has shut down.
    #[inline]
    pub(crate) fn poll_ready_shared(
        &self,
        cx: &mut Context<'_>,
        interest: Interest,
    ) -> Poll<io::Result<Readiness>> {
        let wants = wants(interest);
        self.poll(cx, wants, Owner::shared(wants))
    }

    /// Waits for readiness with an own place among the waiters, given up when the future is dropped.
    pub(crate) fn ready(&self, interest: Interest) -> Ready<'_> {
        Ready { registration: self, owner: None, interest, watched: None }
    }

    /// Takes back what [`poll_ready`](Self::poll_ready) left for `interest`, if it is still there.
    #[inline]
    pub(crate) fn stop_waiting(&self, interest: Interest) {
        self.source.stop_waiting(wants(interest));
    }

    /// Runs `op` if the object is taken for ready, and charges the budget when it completed, with
    /// the bytes it moved.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if the object is not ready or `op` says so; whatever `op` fails with; another
    /// once the driver has shut down.
    #[inline]
    pub(crate) fn try_io<R>(
        &self,
        interest: Interest,
        op: impl FnOnce() -> io::Result<R>,
        bytes: impl FnOnce(&R) -> usize,
    ) -> io::Result<R> {
        let wants = wants(interest);
        let seen = self.admit(wants)?.ok_or(io::ErrorKind::WouldBlock)?;
        let result = op();
        match &result {
            Ok(done) => coop::charge(bytes(done)),
            Err(error) => self.failed(seen, wants, error),
        }
        result
    }

    /// [`try_io`](Self::try_io) for a stream of bytes.
    ///
    /// Where its edges are reliable a count below what was `wanted` says that the next operation would
    /// block, so it need not be tried. `None` where a short count says nothing: a read of a Unix socket
    /// also stops at a message with descriptors.
    #[inline]
    pub(crate) fn try_stream_io(
        &self,
        interest: Interest,
        wanted: Option<usize>,
        op: impl FnOnce() -> io::Result<usize>,
    ) -> io::Result<NonBlocking<usize>> {
        let wants = wants(interest);
        let Some(seen) = self.admit(wants)? else { return Ok(NonBlocking::WouldBlock) };
        match op() {
            Ok(count) => {
                if SHORT_MEANS_DRAINED && count != 0 && wanted.is_some_and(|wanted| count < wanted)
                {
                    self.source.clear_short(seen, wants);
                }
                coop::charge(count);
                Ok(NonBlocking::Ready(count))
            }
            Err(error) => {
                self.failed(seen, wants, &error);
                NonBlocking::from_result(Err(error))
            }
        }
    }

    /// Whether one of the directions in `interest` is closed for good.
    pub(crate) fn is_closed(&self, interest: Interest) -> bool {
        self.source.snapshot().is_closed(wants(interest))
    }

    /// What an operation sees before it tries; `None` if it would block.
    #[inline]
    fn admit(&self, wants: Wants) -> io::Result<Option<Snapshot>> {
        let seen = self.source.snapshot();
        if seen.is_gone() {
            return Err(gone());
        }
        Ok(seen.satisfies(wants).then_some(seen))
    }

    #[cold]
    fn failed(&self, seen: Snapshot, wants: Wants, error: &io::Error) {
        if error.kind() != io::ErrorKind::WouldBlock {
            return coop::charge(0);
        }
        self.source.clear(seen, wants);
        if seen.is_closed(wants) {
            // No sane object is closed and would block for long. Should one claim it again and again,
            // or one's urgent data, then its user is not to spin for ever.
            coop::charge(0);
        }
    }

    #[inline]
    fn poll(
        &self,
        cx: &mut Context<'_>,
        wants: Wants,
        owner: Owner,
    ) -> Poll<io::Result<Readiness>> {
        ready!(coop::gate(cx));
        let seen = ready!(self.source.poll(cx, wants, owner));
        Poll::Ready(readiness(seen, wants))
    }
}

/// The future of [`Registration::ready`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub(crate) struct Ready<'a> {
    registration: &'a Registration,
    /// Drawn when there is something to wait for.
    owner: Option<Owner>,
    interest: Interest,
    watched: Option<Interest>,
}

impl Future for Ready<'_> {
    type Output = io::Result<Readiness>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        ready!(coop::gate(cx));
        if let Some(watched) = self.watched {
            check(self.interest, watched)?;
        }
        let source = &self.registration.source;
        let wants = wants(self.interest);
        let mut seen = source.snapshot();
        if !seen.satisfies(wants) {
            let owner = *self.owner.get_or_insert_with(|| source.new_owner());
            seen = ready!(source.poll(cx, wants, owner));
        }
        self.leave();
        Poll::Ready(readiness(seen, wants))
    }
}

impl Ready<'_> {
    /// Refuses what the object is not [watched](check) for.
    pub(crate) fn within(mut self, watched: Interest) -> Self {
        self.watched = Some(watched);
        self
    }

    /// Leaves the waiters, also those of the direction that did not come true.
    fn leave(&mut self) {
        if let Some(owner) = self.owner.take() {
            self.registration.source.cancel(owner);
        }
    }
}

impl Drop for Ready<'_> {
    fn drop(&mut self) {
        self.leave();
    }
}

/// Refuses to wait for what an object is not watched for: it would be for ever.
///
/// # Errors
///
/// `InvalidInput`.
#[inline]
pub(crate) fn check(interest: Interest, watched: Interest) -> io::Result<()> {
    if interest.is_within(watched) { Ok(()) } else { Err(not_watched(watched)) }
}

#[cold]
fn not_watched(watched: Interest) -> io::Error {
    coop::charge(0); // as `gone`
    let text = format!("it is watched for {watched:?} and never gets ready for the rest");
    io::Error::new(io::ErrorKind::InvalidInput, text)
}

/// Says that the driver has shut down, for the price of an operation: else a task of another
/// runtime that tries again and again would never let its neighbours run.
#[cold]
fn gone() -> io::Error {
    coop::charge(0);
    source::gone()
}

#[inline]
fn wants(interest: Interest) -> Wants {
    let read = if interest.is_readable() { READ } else { 0 };
    let write = if interest.is_writable() { WRITE } else { 0 };
    let priority = if interest.is_priority() { PRIORITY } else { 0 };
    Wants::new(read | write | priority)
}

/// What was seen, as far as it was asked for; that something is over is always told.
#[inline]
fn readiness(seen: Snapshot, wants: Wants) -> io::Result<Readiness> {
    if seen.is_gone() {
        return Err(gone());
    }
    let mut readiness = Readiness::EMPTY;
    if wants.include(READ) && seen.has(READ | RD_CLOSED) {
        readiness |= Readiness::READ;
    }
    if wants.include(WRITE) && seen.has(WRITE | WR_CLOSED) {
        readiness |= Readiness::WRITE;
    }
    if wants.include(PRIORITY) && seen.has(PRIORITY) {
        readiness |= Readiness::PRIORITY;
    }
    if seen.has(RD_CLOSED | WR_CLOSED) {
        readiness |= Readiness::HUP;
    }
    if seen.has(ERROR) {
        readiness |= Readiness::ERROR;
    }
    Ok(readiness)
}

//! What an idle worker blocks on: readiness of sockets and the next timer, and the thread-local
//! that says which driver the code on this thread belongs to.
//!
//! It is two values. [`Driver`] is exclusive: whoever holds it may block in [`Driver::turn`], which
//! polls the operating system once and *collects* the wakers of what happened; it wakes nobody, the
//! caller does that with no lock held. [`Handle`] is shared: every socket and timer keeps a
//! [`HandleRef`], so that it can be used from any thread and under any executor for as long as
//! somebody turns the driver. This module knows no task and no executor.
//!
//! Who wakes whom: [`Handle::unpark`] makes the turn that blocks (or else the next one) return at
//! once. [`Handle::shutdown`] collects every waiter there is; after it registrations fail and
//! operations return an error, so nothing waits for a driver that nobody turns any more.

pub(crate) mod clock;
mod reactor;
mod registration;
mod source;
pub(crate) mod timers;
mod wheel;

#[cfg(all(test, loom))]
mod models;
#[cfg(all(test, not(loom)))]
mod tests;

use std::cell::RefCell;
use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use clock::Clock;
use reactor::Reactor;
pub(crate) use registration::{Registration, check};
use timers::Timers;

/// Events taken from the operating system in one turn; what does not fit is there in the next.
const EVENTS: usize = 256;

/// Creates a driver with `shards` timer shards, its clock stopped if `start_paused`.
///
/// The last shard belongs to threads that have none of their own.
pub(crate) fn new(shards: usize, start_paused: bool) -> io::Result<(Driver, Arc<Handle>)> {
    let poll = mio::Poll::new()?;
    let reactor = Reactor::new(poll.registry())?;
    let descriptor = descriptor_of(&poll);
    let driver = Driver { poll, events: mio::Events::with_capacity(EVENTS) };
    let clock = Clock::new(start_paused);
    let timers = Timers::new(shards, clock.now());
    let handle = Handle { clock, timers, reactor, descriptor };
    Ok((driver, Arc::new(handle)))
}

/// mio's selectors over epoll and kqueue have one.
#[cfg(all(
    any(target_os = "linux", target_os = "android", target_vendor = "apple"),
    not(mio_unsupported_force_poll_poll)
))]
fn descriptor_of(poll: &mio::Poll) -> i32 {
    std::os::fd::AsRawFd::as_raw_fd(poll)
}

#[cfg(not(all(
    any(target_os = "linux", target_os = "android", target_vendor = "apple"),
    not(mio_unsupported_force_poll_poll)
)))]
fn descriptor_of(_: &mio::Poll) -> i32 {
    -1
}

/// The right to wait for events.
pub(crate) struct Driver {
    poll: mio::Poll,
    events: mio::Events,
}

impl Driver {
    /// Waits up to `max_wait` (`None`: as long as it takes) for events, an [unpark](Handle::unpark)
    /// or a signal, marks what became ready and appends the wakers of those who waited to `woken`.
    ///
    /// Wakes nobody itself. The operating system rounds the wait up to whole milliseconds.
    pub(crate) fn turn(
        &mut self,
        handle: &Handle,
        max_wait: Option<Duration>,
        woken: &mut Vec<Waker>,
    ) -> io::Result<()> {
        match self.poll.poll(&mut self.events, max_wait) {
            Ok(()) => handle.reactor.dispatch(&self.events, woken),
            // The caller looks at its queues and the clock anyway and then comes back.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver").finish_non_exhaustive()
    }
}

/// The shared side of a driver.
pub(crate) struct Handle {
    pub(crate) clock: Clock,
    pub(crate) timers: Timers,
    reactor: Reactor,
    /// The driver's, for foreign loops.
    descriptor: i32,
}

/// What sockets and timers keep of a [`Handle`].
///
/// The references are counted for each entered thread apart, so that workers which make and drop
/// timers do not all write one line of the cache.
#[derive(Clone, Debug)]
#[expect(clippy::redundant_allocation, reason = "the outer count is what this is for")]
pub(crate) struct HandleRef(Arc<Arc<Handle>>);

impl HandleRef {
    pub(crate) fn new(handle: &Arc<Handle>) -> Self {
        Self(Arc::new(Arc::clone(handle)))
    }

    /// The calling thread's reference to the same driver, if it has entered that, else this one.
    pub(crate) fn here(&self) -> Self {
        self.of_this_thread().unwrap_or_else(|| self.clone())
    }
}

impl Deref for HandleRef {
    type Target = Handle;

    #[inline]
    fn deref(&self) -> &Handle {
        &self.0
    }
}

impl Handle {
    /// The driver that this thread has entered, if any. `None` in thread-local destructors.
    pub(crate) fn current() -> Option<HandleRef> {
        Self::with_current(HandleRef::clone)
    }

    /// Calls `f` with the driver that this thread has entered, without counting a reference.
    ///
    /// `f` must not enter or leave a driver.
    pub(crate) fn with_current<R>(f: impl FnOnce(&HandleRef) -> R) -> Option<R> {
        CURRENT
            .try_with(|current| current.borrow().as_ref().map(|entered| f(&entered.handle)))
            .ok()
            .flatten()
    }

    /// Makes this the driver of the calling thread, with `shard` for its timers, until the guard is
    /// dropped. Does nothing in thread-local destructors.
    pub(crate) fn enter(self: &Arc<Self>, shard: usize) -> EnterGuard {
        debug_assert!(
            shard <= self.foreign_shard(),
            "a thread enters with a shard that does not exist"
        );
        let entered = Entered { handle: self.reference(), shard };
        let previous = CURRENT.try_with(|current| current.borrow_mut().replace(entered));
        EnterGuard { previous: previous.ok(), _not_send: PhantomData }
    }

    /// The calling thread's reference to this, if it has entered it, else a new one.
    pub(crate) fn reference(self: &Arc<Self>) -> HandleRef {
        self.of_this_thread().unwrap_or_else(|| HandleRef::new(self))
    }

    /// The timer shard of the calling thread: its own if it has entered this driver, else the one
    /// that all foreign threads share.
    pub(crate) fn shard(&self) -> usize {
        self.entered(|entered| entered.shard).unwrap_or(self.foreign_shard())
    }

    /// The calling thread's reference to this, if it has entered it.
    fn of_this_thread(&self) -> Option<HandleRef> {
        self.entered(|entered| entered.handle.clone())
    }

    fn entered<R>(&self, f: impl FnOnce(&Entered) -> R) -> Option<R> {
        CURRENT
            .try_with(|current| match &*current.borrow() {
                Some(entered) if std::ptr::eq(&*entered.handle, self) => Some(f(entered)),
                _ => None,
            })
            .ok()
            .flatten()
    }

    /// The timer shard of threads that have none of their own.
    pub(crate) fn foreign_shard(&self) -> usize {
        self.timers.foreign_shard()
    }

    /// Makes the turn that waits, or else the next one, return at once. Callable from any thread.
    pub(crate) fn unpark(&self) {
        self.reactor.unpark();
    }

    /// Readable when a turn would find something; -1 where there is none.
    #[cfg(unix)]
    pub(crate) fn descriptor(&self) -> i32 {
        self.descriptor
    }

    /// Ends the service: collects all waiters, fails their operations and all later ones.
    ///
    /// The caller wakes them after it has let go of its locks.
    pub(crate) fn shutdown(&self, woken: &mut Vec<Waker>) {
        self.reactor.shutdown(woken);
        self.timers.close(woken);
    }

    fn reactor(&self) -> &Reactor {
        &self.reactor
    }

    /// Events that were reported for I/O objects so far.
    pub(crate) fn events(&self) -> u64 {
        self.reactor.events()
    }

    /// How many I/O objects are registered.
    pub(crate) fn registrations(&self) -> usize {
        self.reactor.len()
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").finish_non_exhaustive()
    }
}

/// Restores, when dropped, the driver that the thread had before.
#[must_use = "the driver is left when the guard is dropped"]
#[derive(Debug)]
pub(crate) struct EnterGuard {
    /// `None` if the thread was past the life of its thread-locals and nothing was entered.
    previous: Option<Option<Entered>>,
    /// The guard belongs to the thread it was made on.
    _not_send: PhantomData<*const ()>,
}

impl Drop for EnterGuard {
    fn drop(&mut self) {
        if let Some(previous) = self.previous.take() {
            // What is swapped out may be the last reference, so it goes after the borrow ends.
            let left = CURRENT.try_with(|current| current.replace(previous));
            drop(left);
        }
    }
}

#[derive(Debug)]
struct Entered {
    handle: HandleRef,
    shard: usize,
}

thread_local! {
    // Not behind the loom switch: models have no driver.
    static CURRENT: RefCell<Option<Entered>> = const { RefCell::new(None) };
}

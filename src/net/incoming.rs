//! [`Incoming`]: a listener that accepts no more connections than it may, and rests after an error.
//!
//! Places are counted behind a lock that nobody holds for long; only the one `Incoming` ever waits for
//! one. A [`Slot`] that is dropped frees its place and wakes it, after unlocking.

use std::future::poll_fn;
use std::io;
use std::mem;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use super::accept::Listener;
use super::backoff::Backoff;
use crate::driver::{Handle, HandleRef};
use crate::sync::Mutex;

/// Accepts connections of a listener, a limited number at a time, and never in a tight loop of errors.
///
/// Each connection comes with a [`Slot`]: its place among those that are allowed, until it is dropped.
/// While all are taken nothing is accepted, and clients wait in the operating system's queue. After an
/// error the next attempt waits 5 ms, then twice as long each time up to 100 ms, until one succeeds.
///
/// ```
/// use runtime::io::{Read, Write};
/// use runtime::net::{Incoming, TcpListener};
///
/// # async fn example() -> std::io::Result<()> {
/// let mut incoming = Incoming::new(TcpListener::bind("127.0.0.1:8080").await?, 10_000);
/// loop {
///     match incoming.accept().await {
///         Ok((mut stream, _peer, slot)) => {
///             runtime::spawn(async move {
///                 let done = stream.write_all(b"hello\n").await;
///                 drop(slot); // or let it go out of scope, with the task
///                 done
///             });
///         }
///         // The next call rests first.
///         Err(error) => eprintln!("cannot accept: {error}"),
///     }
/// }
/// # }
/// ```
#[derive(Debug)]
pub struct Incoming<L> {
    listener: L,
    limit: usize,
    slots: Arc<Slots>,
    /// Whose timers it rests by.
    driver: Option<HandleRef>,
    /// There once an attempt failed.
    backoff: Option<Arc<Backoff>>,
}

/// The place of one connection among those that an [`Incoming`] allows. Dropping it frees the place.
#[derive(Debug)]
#[must_use = "the place is free again when the slot is dropped"]
pub struct Slot(Arc<Slots>);

#[derive(Debug)]
struct Slots(Mutex<State>);

#[derive(Debug)]
struct State {
    free: usize,
    waiter: Option<Waker>,
}

impl<L: Listener> Incoming<L> {
    /// Accepts from `listener`, at most `limit` connections at a time.
    ///
    /// It rests by a timer of the runtime that it is made in, or else of the one that it is used in.
    /// Without any it does not rest.
    ///
    /// # Panics
    ///
    /// If `limit` is zero.
    #[track_caller]
    pub fn new(listener: L, limit: usize) -> Self {
        assert!(limit > 0, "a limit of no connections would accept none for ever");
        let slots = Arc::new(Slots(Mutex::new(State { free: limit, waiter: None })));
        Self { listener, limit, slots, driver: Handle::current(), backoff: None }
    }

    /// Waits for a place and for a connection.
    ///
    /// # Errors
    ///
    /// What the attempt failed with. The next call waits before it tries again, so a loop that only
    /// reports errors does not spin.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe, as the listener's own: a connection is not accepted and then lost.
    pub async fn accept(&mut self) -> io::Result<(L::Io, L::Addr, Slot)> {
        if let Some(backoff) = &self.backoff {
            backoff.wait().await;
        }
        let slot = poll_fn(|cx| Slots::poll_take(&self.slots, cx)).await;
        let result = self.listener.accept().await;
        match (&result, &self.backoff) {
            (Ok(_), None) => {}
            (Ok(_), Some(backoff)) => backoff.succeeded(),
            (Err(_), _) => {
                let backoff = self.backoff.get_or_insert_with(Backoff::new);
                if let Some(driver) = self.driver.clone().or_else(Handle::current) {
                    backoff.failed(&driver);
                }
            }
        }
        let (stream, addr) = result?;
        Ok((stream, addr, slot))
    }
}

impl<L> Incoming<L> {
    /// How many slots are out.
    pub fn connections(&self) -> usize {
        self.limit - self.slots.0.lock().free
    }

    /// The listener.
    pub fn get_ref(&self) -> &L {
        &self.listener
    }

    /// The listener; connections that were accepted keep their slots, which limit nobody any more.
    pub fn into_inner(self) -> L {
        self.listener
    }
}

impl Slots {
    fn poll_take(slots: &Arc<Self>, cx: &Context<'_>) -> Poll<Slot> {
        let mut waker = Some(cx.waker().clone());
        let mut state = slots.0.lock();
        if state.free == 0 {
            mem::swap(&mut state.waiter, &mut waker);
            drop(state);
            drop(waker); // the old one, not under the lock
            return Poll::Pending;
        }
        state.free -= 1;
        drop(state);
        Poll::Ready(Slot(slots.clone()))
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let waiter = {
            let mut state = self.0.0.lock();
            state.free += 1;
            state.waiter.take()
        };
        if let Some(waiter) = waiter {
            waiter.wake();
        }
    }
}

//! Tasks that stay on their thread: how a future that is not `Send` runs on a scheduler that may
//! change threads, without a line of `unsafe`.
//!
//! The future itself lives in a table of the thread that spawned it, its *home*. What the scheduler
//! gets is a [`LocalTask`]: a future that is `Send`, because all it has is a key. Polled at home it
//! polls what is under its key. Polled elsewhere (threads take turns at driving a current-thread
//! runtime) it is a *stray*: it leaves its waker at home and waits, and [`come_home`] wakes it once
//! its thread drives a runtime again.
//!
//! Dropped at home, it takes the future along; dropped elsewhere, it leaves the key there as an
//! *orphan*, and the future is dropped when its thread next spawns, comes home, or ends. So a future
//! is made, polled and dropped on one thread in every case.

use std::any::Any;
use std::cell::{OnceCell, RefCell};
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use slab::Slab;

use crate::contain::contain;

std::thread_local! {
    // Not behind the loom switch: nothing here is shared but two locked lists.
    static HOME: OnceCell<Home> = const { OnceCell::new() };
}

/// The calling thread's table.
struct Home {
    /// `None` while a future is being polled. Each is a `Pin<Box<dyn Future>>` of its own output.
    futures: RefCell<Slab<Option<Box<dyn Any>>>>,
    mailbox: Arc<Mailbox>,
}

/// What other threads leave here.
#[derive(Default)]
struct Mailbox {
    strays: Mutex<Vec<Waker>>,
    orphans: Mutex<Vec<usize>>,
}

type LocalFuture<T> = Pin<Box<dyn Future<Output = T>>>;

/// A future on its home thread, as a `Send` future.
pub(crate) struct LocalTask<T: 'static> {
    home: Arc<Mailbox>,
    key: usize,
    _output: PhantomData<fn() -> T>,
}

/// Makes the calling thread the home of `future`.
pub(crate) fn settle<F: Future + 'static>(future: F) -> LocalTask<F::Output> {
    come_home();
    let future: LocalFuture<F::Output> = Box::pin(future);
    HOME.with(|home| {
        let home =
            home.get_or_init(|| Home { futures: RefCell::default(), mailbox: Arc::default() });
        let key = home.futures.borrow_mut().insert(Some(Box::new(future)));
        LocalTask { home: Arc::clone(&home.mailbox), key, _output: PhantomData }
    })
}

/// The calling thread begins to drive a runtime: wakes its strays, drops its orphans.
pub(crate) fn come_home() {
    let Some(mailbox) = with_home(|home| Arc::clone(&home.mailbox)) else { return };
    for key in take(&mailbox.orphans) {
        let future = with_home(|home| home.futures.borrow_mut().remove(key));
        contain(|| drop(future));
    }
    for stray in take(&mailbox.strays) {
        contain(|| stray.wake());
    }
}

/// `None` if the calling thread is nobody's home, or ends.
fn with_home<R>(f: impl FnOnce(&Home) -> R) -> Option<R> {
    HOME.try_with(|home| home.get().map(f)).ok().flatten()
}

fn take<T>(list: &Mutex<Vec<T>>) -> Vec<T> {
    std::mem::take(&mut *list.lock().unwrap_or_else(PoisonError::into_inner))
}

impl<T> LocalTask<T> {
    /// Calls `f` with the table, if this is the home thread.
    fn at_home<R>(&self, f: impl FnOnce(&Home) -> R) -> Option<R> {
        with_home(|home| Arc::ptr_eq(&home.mailbox, &self.home).then(|| f(home))).flatten()
    }
}

impl<T> Future for LocalTask<T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        // Out of the table while it runs: it may spawn, and drop others.
        let taken = self.at_home(|home| home.futures.borrow_mut()[self.key].take());
        let Some(taken) = taken else {
            let waker = cx.waker().clone();
            self.home.strays.lock().unwrap_or_else(PoisonError::into_inner).push(waker);
            return Poll::Pending;
        };
        let mut future = taken.expect("a future that panicked is not polled again");
        let typed = future.downcast_mut::<LocalFuture<T>>().expect("the key is this task's");
        let polled = typed.as_mut().poll(cx);
        if polled.is_pending() {
            self.at_home(|home| home.futures.borrow_mut()[self.key] = Some(future));
        }
        polled
    }
}

impl<T> Drop for LocalTask<T> {
    fn drop(&mut self) {
        let future = self.at_home(|home| home.futures.borrow_mut().try_remove(self.key));
        if future.is_none() {
            self.home.orphans.lock().unwrap_or_else(PoisonError::into_inner).push(self.key);
        }
        drop(future); // after the borrow: it may do as it likes
    }
}

impl<T> fmt::Debug for LocalTask<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalTask").field("key", &self.key).finish_non_exhaustive()
    }
}

impl Drop for Home {
    /// The thread ends, and with it what only it may touch. A panic here would end the process.
    fn drop(&mut self) {
        for future in std::mem::take(self.futures.get_mut()) {
            contain(|| drop(future));
        }
    }
}

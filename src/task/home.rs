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
//! is made, polled and dropped on one thread in every case. When the thread ends, its tasks are
//! cancelled: nobody could ever poll them again, and somebody may wait for them.

use std::any::Any;
use std::cell::{OnceCell, RefCell};
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use slab::Slab;

use super::AbortHandle;
use crate::contain::{self, contain};

std::thread_local! {
    // Not behind the loom switch: nothing here is shared but two locked lists.
    static HOME: OnceCell<Home> = const { OnceCell::new() };
}

/// The calling thread's table.
struct Home {
    places: RefCell<Slab<Place>>,
    mailbox: Arc<Mailbox>,
}

/// One task's.
struct Place {
    /// `None` while it is being polled. A `Pin<Box<dyn Future>>` of its own output.
    future: Option<Box<dyn Any>>,
    /// To cancel the task when the thread ends.
    task: Option<AbortHandle>,
}

/// What other threads leave here.
#[derive(Default)]
struct Mailbox {
    /// By key: a task that is woken again and again elsewhere is there once.
    strays: Mutex<Vec<Option<Waker>>>,
    orphans: Mutex<Vec<usize>>,
}

impl Mailbox {
    /// Leaves the waker of the task `key`, and gives back the one that it left before.
    fn stray(&self, key: usize, waker: Waker) -> Option<Waker> {
        let mut strays = self.strays.lock().unwrap_or_else(PoisonError::into_inner);
        if strays.len() <= key {
            strays.resize_with(key + 1, || None); // keys are dense
        }
        strays[key].replace(waker)
    }
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
            home.get_or_init(|| Home { places: RefCell::default(), mailbox: Arc::default() });
        let place = Place { future: Some(Box::new(future)), task: None };
        let key = home.places.borrow_mut().insert(place);
        LocalTask { home: Arc::clone(&home.mailbox), key, _output: PhantomData }
    })
}

/// The task that polls the future under `key`, which has just settled on this thread, is this one.
pub(crate) fn entrust(key: usize, task: AbortHandle) {
    with_home(|home| {
        if let Some(place) = home.places.borrow_mut().get_mut(key) {
            place.task = Some(task);
        }
    });
}

/// The calling thread begins to drive a runtime: wakes its strays, drops its orphans.
pub(crate) fn come_home() {
    let Some(mailbox) = with_home(|home| Arc::clone(&home.mailbox)) else { return };
    for key in take(&mailbox.orphans) {
        let place = with_home(|home| home.places.borrow_mut().remove(key));
        contain(|| drop(place));
    }
    for stray in take(&mailbox.strays).into_iter().flatten() {
        contain::wake(stray);
    }
}

/// `None` if the calling thread is nobody's home, or ends.
fn with_home<R>(f: impl FnOnce(&Home) -> R) -> Option<R> {
    HOME.try_with(|home| home.get().map(f)).ok().flatten()
}

fn take<T: Default>(list: &Mutex<T>) -> T {
    std::mem::take(&mut *list.lock().unwrap_or_else(PoisonError::into_inner))
}

impl<T> LocalTask<T> {
    pub(crate) fn key(&self) -> usize {
        self.key
    }

    /// Calls `f` with the table, if this is the home thread.
    fn at_home<R>(&self, f: impl FnOnce(&Home) -> R) -> Option<R> {
        with_home(|home| Arc::ptr_eq(&home.mailbox, &self.home).then(|| f(home))).flatten()
    }
}

impl<T> Future for LocalTask<T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        // Out of the table while it runs: it may spawn, and drop others.
        let taken = self.at_home(|home| home.places.borrow_mut()[self.key].future.take());
        let Some(taken) = taken else {
            let former = self.home.stray(self.key, cx.waker().clone());
            drop(former); // not under the lock
            return Poll::Pending;
        };
        let mut future = taken.expect("a future that panicked is not polled again");
        let typed = future.downcast_mut::<LocalFuture<T>>().expect("the key is this task's");
        let polled = typed.as_mut().poll(cx);
        if polled.is_pending() {
            self.at_home(|home| home.places.borrow_mut()[self.key].future = Some(future));
        }
        polled
    }
}

impl<T> Drop for LocalTask<T> {
    fn drop(&mut self) {
        let place = self.at_home(|home| home.places.borrow_mut().try_remove(self.key));
        if place.is_none() {
            self.home.orphans.lock().unwrap_or_else(PoisonError::into_inner).push(self.key);
        }
        drop(place); // after the borrow: it may do as it likes
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
        for (_, place) in std::mem::take(self.places.get_mut()) {
            contain(|| drop(place.future));
            contain(|| drop(place.task.inspect(AbortHandle::abort)));
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_stray_that_is_polled_again_and_again_waits_once() {
        let mut task = settle(std::future::pending::<()>());
        let mailbox = Arc::clone(&task.home);
        let away = std::thread::spawn(move || {
            for _ in 0..100 {
                let mut cx = Context::from_waker(Waker::noop());
                assert!(Pin::new(&mut task).poll(&mut cx).is_pending());
            }
        });
        away.join().expect("it is polled away from home");
        assert_eq!(
            mailbox.strays.lock().map(|strays| strays.iter().flatten().count()).ok(),
            Some(1)
        );
        assert_eq!(mailbox.orphans.lock().map(|orphans| orphans.len()).ok(), Some(1));
        come_home();
        assert!(take(&mailbox.strays).is_empty() && take(&mailbox.orphans).is_empty());
    }
}

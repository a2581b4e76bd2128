//! Wakers of any number of futures that wait for the same thing.
//!
//! Who waits [registers](Waiters::register) and *then* looks whether the thing has happened; who makes
//! it happen does so and *then* [wakes all](Waiters::wake_all). One of the two sees the other: both
//! take the lock, so whoever came second sees what the first did before. Wakers are cloned, called
//! and dropped with the lock released.

use std::task::Waker;

use slab::Slab;

use crate::contain::{self, contain};
use crate::sync::Mutex;

/// A list of wakers.
#[derive(Debug, Default)]
pub(crate) struct Waiters(Mutex<List>);

#[derive(Debug)]
struct List {
    wakers: Slab<Waker>,
    /// How often the list was emptied: a place from before that is somebody else's now.
    epoch: u64,
}

/// What a future knows of its place in the list. It [leaves](Waiters::leave) before it is dropped.
#[derive(Debug, Default)]
pub(crate) struct Place(Option<(u64, usize)>);

impl Waiters {
    #[cfg(not(loom))]
    pub(crate) const fn new() -> Self {
        Self(Mutex::new(List { wakers: Slab::new(), epoch: 0 }))
    }

    /// Leaves `waker` in the list, or in `place` if that is still listed.
    pub(crate) fn register(&self, place: &mut Place, waker: &Waker) {
        let is_there = self.0.lock().at(place).is_some_and(|there| there.will_wake(waker));
        if is_there {
            return;
        }
        let waker = waker.clone();
        let mut list = self.0.lock();
        let former = match list.at(place) {
            Some(there) => Some(std::mem::replace(there, waker)),
            None => {
                *place = Place(Some((list.epoch, list.wakers.insert(waker))));
                None
            }
        };
        drop(list);
        contain(|| drop(former));
    }

    /// Gives `place` back.
    pub(crate) fn leave(&self, place: &mut Place) {
        let Some((epoch, key)) = place.0.take() else { return };
        let waker = {
            let mut list = self.0.lock();
            if list.epoch == epoch { list.wakers.try_remove(key) } else { None }
        };
        contain(|| drop(waker));
    }

    /// Wakes everyone in the list, and empties it.
    pub(crate) fn wake_all(&self) {
        for (_, waker) in self.take() {
            contain::wake(waker);
        }
    }

    fn take(&self) -> Slab<Waker> {
        let mut list = self.0.lock();
        if list.wakers.is_empty() {
            return Slab::new();
        }
        list.epoch += 1;
        std::mem::take(&mut list.wakers)
    }
}

impl List {
    fn at(&mut self, place: &Place) -> Option<&mut Waker> {
        let (epoch, key) = place.0?;
        if self.epoch == epoch { self.wakers.get_mut(key) } else { None }
    }
}

impl Default for List {
    fn default() -> Self {
        Self { wakers: Slab::new(), epoch: 0 }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_place_from_before_is_not_somebody_elses() {
        let waiters = Waiters::default();
        let (mut old, mut new) = (Place::default(), Place::default());
        waiters.register(&mut old, Waker::noop());
        waiters.wake_all();
        waiters.register(&mut new, Waker::noop());
        waiters.leave(&mut old);
        assert_eq!(waiters.take().len(), 1);
    }

    #[test]
    fn a_place_is_kept_and_given_back() {
        let waiters = Waiters::default();
        let mut place = Place::default();
        for _ in 0..3 {
            waiters.register(&mut place, Waker::noop());
        }
        assert_eq!(waiters.0.lock().wakers.len(), 1);
        waiters.leave(&mut place);
        assert!(waiters.take().is_empty());
    }
}

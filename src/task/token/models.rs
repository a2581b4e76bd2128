//! Models of the token: each is named by the invariant that it checks.

use std::sync::Arc as StdArc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::{Wake, Waker};

use super::*;
use crate::sync::thread;
use crate::task::models::model;

#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: StdArc<Self>) {
        self.0.fetch_add(1, Relaxed);
    }
}

/// {cancel} ∥ {wait}: ready, or woken once. 2 threads.
#[test]
fn a_wait_is_never_missed() {
    model(|| {
        let token = CancellationToken::new();
        let cancelling = {
            let token = token.clone();
            thread::spawn(move || token.cancel())
        };
        let woken = StdArc::new(Woken::default());
        let waker = Waker::from(woken.clone());
        let mut wait = token.cancelled();
        let first = Pin::new(&mut wait).poll(&mut Context::from_waker(&waker));
        cancelling.join().unwrap();
        if first.is_pending() {
            assert_eq!(woken.0.load(Relaxed), 1);
            let again = Pin::new(&mut wait).poll(&mut Context::from_waker(&waker));
            assert!(again.is_ready());
        }
    });
}

/// {cancel} ∥ {make a child, and a child of that}: all are cancelled in the end. 2 threads.
#[test]
fn a_child_is_born_cancelled_or_found() {
    model(|| {
        let token = CancellationToken::new();
        let cancelling = {
            let token = token.clone();
            thread::spawn(move || token.cancel())
        };
        let child = token.child_token();
        let grandchild = child.child_token();
        drop((token, child));
        cancelling.join().unwrap();
        assert!(grandchild.is_cancelled());
    });
}

/// {cancel the root} ∥ {let go of a node in the middle} ∥ {let go of a leaf}: the other leaf hears it,
/// and loom sees that everything is freed. 3 threads.
#[test]
fn letting_go_cuts_nobody_off() {
    model(|| {
        let root = CancellationToken::new();
        let middle = root.child_token();
        let (one, other) = (middle.child_token(), middle.child_token());
        let cancelling = thread::spawn(move || root.cancel());
        let leaving = thread::spawn(move || drop(middle));
        drop(one);
        cancelling.join().unwrap();
        leaving.join().unwrap();
        assert!(other.is_cancelled());
    });
}

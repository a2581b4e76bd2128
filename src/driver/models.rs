//! What holds for a source's readiness and its waiters under every interleaving.
//!
//! Run them with `RUSTFLAGS="--cfg loom" LOOM_MAX_PREEMPTIONS=3 cargo test --lib --release models`.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use loom::future::block_on;
use loom::sync::atomic::{AtomicBool, Ordering};
use loom::thread;

use super::reactor::Table;
use super::source::{Owner, READ, Source, WRITE, Wants};
use crate::sync::Mutex;

const READING: Wants = Wants::new(READ);
const WRITING: Wants = Wants::new(WRITE);
const BOTH: Wants = Wants::new(READ | WRITE);

fn event(source: &Source, bits: u64) {
    let mut woken = Vec::new();
    source.event(bits, &mut woken);
    woken.into_iter().for_each(Waker::wake);
}

fn exclusive(source: &Source, wants: Wants) {
    block_on(poll_fn(|cx| source.poll(cx, wants, Owner::exclusive(wants))));
}

/// A waiter that only counts that it was woken.
#[derive(Default)]
struct Flag(AtomicBool);

impl Flag {
    fn is_set(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[test]
fn a_waiter_never_sleeps_on_a_ready_source() {
    loom::model(|| {
        let source = Arc::new(Source::new(0));
        let driver = thread::spawn({
            let source = source.clone();
            move || event(&source, READ)
        });
        exclusive(&source, READING);
        driver.join().unwrap();
    });
}

#[test]
fn clearing_what_was_seen_keeps_a_newer_event() {
    loom::model(|| {
        let source = Arc::new(Source::new(READ));
        let data = Arc::new(AtomicBool::new(false));
        let driver = thread::spawn({
            let (source, data) = (source.clone(), data.clone());
            move || {
                data.store(true, Ordering::Release);
                event(&source, READ);
            }
        });
        loop {
            let owner = Owner::exclusive(READING);
            let seen = block_on(poll_fn(|cx| source.poll(cx, READING, owner)));
            if data.load(Ordering::Acquire) {
                break;
            }
            source.clear(seen, READING); // the read would have blocked
        }
        driver.join().unwrap();
    });
}

#[test]
fn readers_and_writers_do_not_disturb_each_other() {
    loom::model(|| {
        let source = Arc::new(Source::new(WRITE));
        let writer = thread::spawn({
            let source = source.clone();
            move || {
                let seen = source.snapshot();
                source.clear(seen, WRITING);
                event(&source, WRITE);
                exclusive(&source, WRITING);
            }
        });
        let driver = thread::spawn({
            let source = source.clone();
            move || event(&source, READ)
        });
        exclusive(&source, READING);
        assert!(source.snapshot().has(READ));
        writer.join().unwrap();
        driver.join().unwrap();
        assert!(source.snapshot().has(READ) && source.snapshot().has(WRITE));
    });
}

#[test]
fn a_reader_that_need_not_wait_does_not_take_the_writer_away() {
    for owner in [Owner::exclusive, Owner::shared] {
        loom::model(move || {
            let source = Arc::new(Source::new(0));
            let flag = Arc::new(Flag::default());
            let waker = Waker::from(flag.clone());
            let mut cx = Context::from_waker(&waker);
            assert!(source.poll(&mut cx, WRITING, owner(WRITING)).is_pending());
            let driver = thread::spawn({
                let source = source.clone();
                move || event(&source, READ)
            });
            // The same task, or another one: an exclusive owner is whoever has the direction.
            let _ = source.poll(&mut cx, READING, owner(READING));
            driver.join().unwrap();
            let woken_for_reading = flag.0.swap(false, Ordering::SeqCst);
            event(&source, WRITE);
            assert!(flag.is_set(), "forgotten; woken for reading: {woken_for_reading}");
        });
    }
}

#[test]
fn two_waits_of_one_task_do_not_take_each_other_away() {
    for wants in [READING, BOTH] {
        loom::model(move || {
            let source = Arc::new(Source::new(0));
            let flag = Arc::new(Flag::default());
            let driver = thread::spawn({
                let source = source.clone();
                move || event(&source, READ)
            });
            let waker = Waker::from(flag.clone());
            let mut cx = Context::from_waker(&waker);
            let one = source.poll(&mut cx, wants, Owner::shared(wants));
            let _two = source.poll(&mut cx, wants, Owner::shared(wants));
            driver.join().unwrap();
            assert!(one.is_ready() || flag.is_set());
        });
    }
}

#[test]
fn an_event_reaches_every_waiter_also_while_one_of_them_leaves() {
    loom::model(|| {
        let source = Arc::new(Source::new(0));
        let (stays, leaves) = (Arc::new(Flag::default()), Arc::new(Flag::default()));
        let waker = Waker::from(leaves.clone());
        let leaver = source.new_owner();
        assert!(source.poll(&Context::from_waker(&waker), BOTH, leaver).is_pending());
        drop(waker);

        let canceller = thread::spawn({
            let source = source.clone();
            move || source.cancel(leaver)
        });
        let driver = thread::spawn({
            let source = source.clone();
            move || event(&source, READ)
        });
        let waker = Waker::from(stays.clone());
        let owner = source.new_owner();
        let polled = source.poll(&Context::from_waker(&waker), READING, owner);
        drop(waker);
        canceller.join().unwrap();
        driver.join().unwrap();
        assert!(polled.is_ready() || stays.is_set());
        assert_eq!(Arc::strong_count(&leaves), 1, "the one that left is still in the list");
        assert_eq!(Arc::strong_count(&stays), 1, "the one that was woken is still in the list");
    });
}

#[test]
fn a_wait_for_both_that_is_over_leaves_nothing_behind_in_the_other_direction() {
    loom::model(|| {
        let source = Arc::new(Source::new(0));
        let flag = Arc::new(Flag::default());
        let driver = thread::spawn({
            let source = source.clone();
            move || event(&source, READ)
        });
        let waker = Waker::from(flag.clone());
        let mut cx = Context::from_waker(&waker);
        let owner = Owner::exclusive(BOTH);
        let first = source.poll(&mut cx, BOTH, owner);
        driver.join().unwrap();
        assert!(first.is_ready() || flag.is_set());
        assert!(source.poll(&mut cx, BOTH, owner).is_ready());
        drop(waker);
        assert_eq!(Arc::strong_count(&flag), 1);
    });
}

#[test]
fn a_stale_token_never_marks_the_next_one_in_its_slot() {
    loom::model(|| {
        let mut table = Table::new();
        let (old, new) = (Arc::new(Source::new(0)), Arc::new(Source::new(0)));
        let stale = table.insert(&old).unwrap();
        let table = Arc::new(Mutex::new(table));
        let driver = thread::spawn({
            let table = table.clone();
            move || {
                let mut woken = Vec::new();
                let table = table.lock();
                if let Some(source) = table.find(stale) {
                    source.event(READ, &mut woken);
                }
            }
        });
        let removed = table.lock().remove(&old);
        assert!(removed.is_some());
        let token = table.lock().insert(&new).unwrap();
        assert_eq!(new.slot(), old.slot());
        assert_ne!(token, stale);
        driver.join().unwrap();
        assert!(!new.snapshot().satisfies(READING));
        assert!(table.lock().remove(&old).is_none(), "it left twice");
    });
}

#[test]
fn a_shutdown_finds_or_refuses_everybody() {
    loom::model(|| {
        let table = Arc::new(Mutex::new(Table::new()));
        let waiter = thread::spawn({
            let table = table.clone();
            move || {
                let source = Arc::new(Source::new(0));
                if table.lock().insert(&source).is_err() {
                    return;
                }
                let owner = Owner::exclusive(READING);
                let seen = block_on(poll_fn(|cx| source.poll(cx, READING, owner)));
                assert!(seen.is_gone());
            }
        });
        let mut woken = Vec::new();
        let sources = table.lock().shut_down();
        for source in sources.iter().flatten() {
            source.shut_down(&mut woken);
        }
        woken.into_iter().for_each(Waker::wake);
        waiter.join().unwrap();
        assert!(table.lock().insert(&Arc::new(Source::new(0))).is_err());
    });
}

#[test]
fn two_tasks_on_shared_references_are_both_woken() {
    loom::model(|| {
        let source = Arc::new(Source::new(0));
        let waiter = || {
            let source = source.clone();
            thread::spawn(move || {
                let owner = Owner::shared(READING);
                block_on(poll_fn(|cx| match source.poll(cx, READING, owner) {
                    Poll::Ready(_) => Poll::Ready(()),
                    Poll::Pending => Poll::Pending,
                }));
            })
        };
        let (one, two) = (waiter(), waiter());
        event(&source, READ);
        one.join().unwrap();
        two.join().unwrap();
    });
}

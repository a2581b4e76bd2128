//! The source without an operating system, and the driver with one.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Wake, Waker};

use super::source::{
    ERROR, Owner, PRIORITY, RD_CLOSED, READ, Source, WR_CLOSED, WRITE, Wants, advance,
};

const READING: Wants = Wants::new(READ);
const WRITING: Wants = Wants::new(WRITE);
const BOTH: Wants = Wants::new(READ | WRITE);

#[derive(Default)]
struct Count(AtomicUsize);

impl Count {
    fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn waiter() -> (Arc<Count>, Waker) {
    let count = Arc::new(Count::default());
    (count.clone(), Waker::from(count))
}

fn event(source: &Source, bits: u64) -> usize {
    let mut woken = Vec::new();
    source.event(bits, &mut woken);
    let number = woken.len();
    woken.into_iter().for_each(Waker::wake);
    number
}

fn is_pending(source: &Source, waker: &Waker, wants: Wants, owner: Owner) -> bool {
    source.poll(&Context::from_waker(waker), wants, owner).is_pending()
}

/// Beside these 96 bytes a connection has 12 in the table and 16 in the hands of its task.
#[test]
fn a_source_and_its_counts_take_96_bytes_and_who_has_it_8() {
    assert!(size_of::<Source>() <= 80, "{}", size_of::<Source>());
    assert_eq!(size_of::<super::Registration>(), 8);
    assert!(size_of::<super::registration::Ready<'static>>() <= 24);
}

#[test]
fn e03_a_snapshot_that_is_many_events_old_clears_nothing() {
    for age in [1, 2, 255, 256, 32_768, 65_536, 1 << 20] {
        let source = Source::new(0);
        event(&source, READ | WRITE);
        let seen = source.snapshot();
        for _ in 0..age {
            event(&source, READ | WRITE);
        }
        source.clear(seen, BOTH);
        assert!(source.snapshot().has(READ) && source.snapshot().has(WRITE), "{age} events old");
    }
}

#[test]
fn e04_events_about_writing_do_not_keep_a_reader_from_clearing() {
    let source = Source::new(READ);
    let seen = source.snapshot();
    for _ in 0..1000 {
        event(&source, WRITE);
    }
    source.clear(seen, READING);
    assert!(!source.snapshot().has(READ));
    assert!(source.snapshot().has(WRITE));
}

#[test]
fn e14_waiting_for_reading_does_not_consume_writability() {
    let source = Source::new(WRITE);
    let (_, waker) = waiter();
    assert!(is_pending(&source, &waker, READING, Owner::exclusive(READING)));
    event(&source, READ);
    assert!(!is_pending(&source, &waker, READING, Owner::exclusive(READING)));
    source.clear(source.snapshot(), READING);
    assert!(!is_pending(&source, &waker, WRITING, Owner::exclusive(WRITING)));
}

#[test]
fn closed_stays_until_an_operation_would_block() {
    let source = Source::new(0);
    event(&source, READ | WRITE | RD_CLOSED | ERROR);
    let before = source.snapshot();
    source.clear(before, WRITING);
    source.clear_short(before, READING);
    let now = source.snapshot();
    assert!(now.satisfies(READING) && now.is_closed(READING) && !now.satisfies(WRITING));
    assert!(!now.has(READ | WRITE) && now.has(ERROR));
    // An end that came after the operation had looked is not forgotten.
    event(&source, READ | RD_CLOSED | WRITE | WR_CLOSED);
    source.clear(before, BOTH);
    assert!(source.snapshot().is_closed(READING) && source.snapshot().is_closed(WRITING));
    source.clear(source.snapshot(), BOTH);
    assert!(!source.snapshot().satisfies(BOTH) && !source.snapshot().has(ERROR));
}

#[test]
fn urgent_data_stops_short_counts_from_clearing_until_a_read_would_block() {
    let source = Source::new(0);
    event(&source, READ | PRIORITY);
    source.clear_short(source.snapshot(), READING);
    assert!(source.snapshot().has(READ));
    source.clear(source.snapshot(), READING);
    assert!(!source.snapshot().has(READ));
    event(&source, READ);
    source.clear_short(source.snapshot(), READING);
    assert!(!source.snapshot().has(READ));
}

#[test]
fn readers_and_those_who_want_urgent_data_do_not_clear_each_others_readiness() {
    let urgent = Wants::new(PRIORITY);
    let source = Source::new(0);
    event(&source, READ | PRIORITY);
    source.clear(source.snapshot(), READING);
    assert!(source.snapshot().satisfies(urgent) && !source.snapshot().satisfies(READING));
    event(&source, READ);
    source.clear(source.snapshot(), urgent);
    assert!(!source.snapshot().satisfies(urgent) && source.snapshot().satisfies(READING));
    // The word's last bit is none of the tick's.
    for _ in 0..3 {
        event(&source, READ | WRITE | PRIORITY);
    }
    source.clear(source.snapshot(), Wants::new(READ | WRITE | PRIORITY));
    assert!(!source.snapshot().has(READ | WRITE | PRIORITY));
}

#[test]
fn the_exclusive_waiter_is_the_newest_and_the_shared_ones_are_all() {
    let source = Source::new(0);
    let (old, new) = (waiter(), waiter());
    assert!(is_pending(&source, &old.1, READING, Owner::exclusive(READING)));
    assert!(is_pending(&source, &new.1, READING, Owner::exclusive(READING)));
    assert_eq!(event(&source, READ), 1);
    assert_eq!((old.0.get(), new.0.get()), (0, 1));

    source.clear(source.snapshot(), READING);
    for _ in 0..3 {
        // The same task again has one entry.
        assert!(is_pending(&source, &old.1, READING, Owner::shared(READING)));
        assert!(is_pending(&source, &new.1, READING, Owner::shared(READING)));
    }
    assert_eq!(event(&source, READ), 2);
    assert_eq!((old.0.get(), new.0.get()), (1, 2));
    assert_eq!(event(&source, READ), 0);
}

#[test]
fn a_tick_that_wraps_disturbs_no_other_bit() {
    const MASK: u64 = (1 << 27) - 1;
    let one_more = |word: u64, at: u32| {
        let tick = ((word >> at) + 1) & MASK;
        word & !(MASK << at) | tick << at
    };
    for word in [0, MASK << 9, MASK << 36, !(MASK << 9), !(MASK << 36), u64::MAX] {
        assert_eq!(advance(word, READING), one_more(word, 9), "{word:x}");
        assert_eq!(advance(word, WRITING), one_more(word, 36), "{word:x}");
        assert_eq!(advance(word, BOTH), one_more(one_more(word, 9), 36), "{word:x}");
    }
}

#[test]
fn a_thousand_futures_wait_and_each_takes_only_itself_away() {
    let source = Source::new(0);
    let (count, waker) = waiter();
    let owners: Vec<_> = (0..1000).map(|_| source.new_owner()).collect();
    for owner in &owners {
        assert!(is_pending(&source, &waker, READING, *owner));
    }
    for owner in owners.iter().step_by(2) {
        source.cancel(*owner);
    }
    assert_eq!(event(&source, WRITE), 0);
    assert_eq!(event(&source, READ), 500);
    assert_eq!(count.get(), 500);
    drop(waker);
    assert_eq!(Arc::strong_count(&count), 1);
}

#[test]
fn a_wait_for_both_withdraws_itself_and_no_single_wait_of_the_same_task() {
    for owner in [Owner::exclusive, Owner::shared] {
        let source = Source::new(0);
        let (count, waker) = waiter();
        assert!(is_pending(&source, &waker, WRITING, owner(WRITING)));
        assert!(is_pending(&source, &waker, BOTH, owner(BOTH)));
        assert_eq!(event(&source, READ), 1);
        assert!(!is_pending(&source, &waker, BOTH, owner(BOTH)));
        assert_eq!(event(&source, WRITE), 1, "the single wait is still there");
        assert_eq!(count.get(), 2);
    }
}

#[test]
fn e11_a_wait_overtaken_by_its_event_leaves_the_other_direction_waiting() {
    for owner in [Owner::exclusive, Owner::shared] {
        let source = Source::new(0);
        let (count, waker) = waiter();
        assert!(is_pending(&source, &waker, WRITING, owner(WRITING)));
        assert_eq!(event(&source, READ), 0);
        // What `poll` does when the event comes right after its first look.
        let cx = Context::from_waker(&waker);
        assert!(source.wait(&cx, READING, owner(READING)).is_ready());
        assert_eq!(event(&source, WRITE), 1, "the writer has been forgotten");
        assert_eq!(count.get(), 1);
    }
}

#[test]
fn a_waker_is_dropped_when_it_is_replaced_and_with_its_source() {
    let source = Source::new(0);
    let (one, two) = (waiter(), waiter());
    assert!(is_pending(&source, &one.1, READING, Owner::exclusive(READING)));
    assert!(is_pending(&source, &two.1, READING, Owner::exclusive(READING)));
    assert_eq!((Arc::strong_count(&one.0), Arc::strong_count(&two.0)), (2, 3));
    drop(source);
    assert_eq!(Arc::strong_count(&two.0), 2);
}

#[test]
fn a_shutdown_takes_all_waiters_and_satisfies_everything() {
    let source = Source::new(0);
    let (_, waker) = waiter();
    assert!(is_pending(&source, &waker, READING, Owner::exclusive(READING)));
    assert!(is_pending(&source, &waker, BOTH, source.new_owner()));
    let mut woken = Vec::new();
    source.shut_down(&mut woken);
    assert_eq!(woken.len(), 3);
    source.clear(source.snapshot(), BOTH);
    assert!(source.snapshot().is_gone() && source.snapshot().satisfies(READING));
}

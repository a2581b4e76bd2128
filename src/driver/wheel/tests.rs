//! The wheel against a sorted map, and at the edges of its range.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::task::{Wake, Waker};

use super::slab::Entry;
use super::*;

/// Where the wakers of a test write down which of them were woken, in order.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u64>>>);

struct Numbered {
    number: u64,
    log: Log,
}

impl Wake for Numbered {
    fn wake(self: Arc<Self>) {
        self.log.0.lock().unwrap().push(self.number);
    }
}

impl Log {
    fn waker(&self, number: u64) -> Waker {
        Arc::new(Numbered { number, log: self.clone() }).into()
    }

    fn take(&self) -> Vec<u64> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

/// Fires what is due, a few timers at a time, and wakes it.
fn fire(wheel: &mut Wheel, now: u64, steps: usize) {
    let mut woken = Vec::new();
    while wheel.fire(now, steps, &mut woken) {
        assert!(woken.len() <= steps, "a step yields at most one waker");
        assert!(wheel.next_deadline().is_none_or(|next| next <= now || wheel.due.is_none()));
        woken.drain(..).for_each(Waker::wake);
    }
    woken.drain(..).for_each(Waker::wake);
}

/// xorshift64*, seeded: every run sees the same numbers.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// A number of any magnitude up to `bits` bits.
    fn magnitude(&mut self, bits: u32) -> u64 {
        let bits = self.next() % u64::from(bits) + 1;
        self.next() >> (64 - bits)
    }
}

#[test]
fn it_does_what_a_sorted_map_does() {
    for seed in 1..=10 {
        let mut random = Random(seed);
        let bits = [12, 20, 30, 40, 64][seed as usize % 5];
        // Interrupted calls of `fire` and moving ahead may mix up equal deadlines, and nothing else.
        let strict = seed % 2 == 0;
        let log = Log::default();
        let mut wheel = Wheel::new();
        // In the order in which they have to fire: by deadline, then by arrival.
        let mut model = BTreeMap::<(u64, u64), TimerId>::new();
        let mut gone = Vec::new();
        let mut now = 0_u64;
        for step in 0..10_000_u64 {
            match random.next() % 8 {
                0..=3 => {
                    let deadline = match random.next() % 8 {
                        0 => now.saturating_sub(random.magnitude(bits)),
                        1 => now,
                        2 => now | 63,
                        _ => now.saturating_add(random.magnitude(bits)),
                    };
                    let id = wheel.insert(deadline, log.waker(step), 0);
                    model.insert((deadline.max(wheel.elapsed), step), id);
                }
                4 if !model.is_empty() => {
                    let nth = random.next() as usize % model.len();
                    let key = *model.keys().nth(nth).unwrap();
                    let id = model.remove(&key).unwrap();
                    let waker = wheel.remove(id).expect("it has not fired");
                    waker.wake();
                    assert_eq!(log.take(), [key.1]);
                    gone.push(id);
                }
                5 => {
                    for id in gone.drain(..) {
                        assert!(wheel.remove(id).is_none());
                        assert!(wheel.waker_mut(id).is_none());
                        assert!(!wheel.reset(id, now));
                    }
                }
                6 => {
                    now = now.saturating_add(random.magnitude(bits));
                    fire(&mut wheel, now, 1 + random.next() as usize % 20);
                    gone.extend(take_fired(&mut model, &log, now, strict));
                    assert!(model.first_key_value().is_none_or(|(key, _)| key.0 > now));
                }
                _ if strict => {}
                _ if random.next().is_multiple_of(2) => {
                    wheel.move_ahead(random.next() as usize % 30);
                }
                _ => {
                    // Part of the due timers, then others come and go before the rest.
                    let mut woken = Vec::new();
                    now = now.saturating_add(random.magnitude(bits));
                    wheel.fire(now, random.next() as usize % 3, &mut woken);
                    woken.drain(..).for_each(Waker::wake);
                    gone.extend(take_fired(&mut model, &log, now, strict));
                }
            }
            assert_eq!(wheel.len(), model.len());
            match model.first_key_value() {
                Some((earliest, _)) => assert!(wheel.next_deadline().unwrap() <= earliest.0),
                None => assert_eq!(wheel.next_deadline(), None),
            }
            if now == u64::MAX {
                break;
            }
        }
    }
}

/// Takes from the model what fired, which has to be what the model says.
fn take_fired(
    model: &mut BTreeMap<(u64, u64), TimerId>,
    log: &Log,
    now: u64,
    strict: bool,
) -> Vec<TimerId> {
    let fired = log.take();
    let due: Vec<_> = model.keys().copied().take(fired.len()).collect();
    assert!(due.iter().all(|key| key.0 <= now), "never early");
    if strict {
        assert_eq!(fired, due.iter().map(|key| key.1).collect::<Vec<_>>());
    }
    let key = |number| *model.keys().find(|key| key.1 == number).expect("it fires once");
    let keys: Vec<_> = fired.into_iter().map(key).collect();
    assert!(keys.is_sorted_by_key(|key| key.0), "in the order of the deadlines");
    let last = keys.last().map(|key| key.0);
    let ids = keys.iter().map(|key| model.remove(key).unwrap()).collect();
    assert!(model.first_key_value().is_none_or(|(key, _)| Some(key.0) >= last));
    ids
}

#[test]
fn what_was_moved_ahead_need_not_be_when_it_is_due() {
    const SLOT: u64 = 1 << 24;
    for (is_moved, number) in [(false, 0), (true, 10), (true, 2000)] {
        let log = Log::default();
        let mut wheel = Wheel::new();
        for number in 0..2000 {
            wheel.insert(SLOT + number * (SLOT / 2000), log.waker(number), 0);
        }
        let later = wheel.insert(SLOT, log.waker(2000), 0);
        wheel.reset(later, 2 * SLOT);
        let mut left = 2001;
        while is_moved && left > 0 {
            let moved = number.min(left);
            assert_eq!(wheel.move_ahead(number), number - moved);
            left -= moved;
        }
        assert_eq!(wheel.next_deadline(), Some(SLOT));
        let mut woken = Vec::new();
        let more = wheel.fire(SLOT, 30, &mut woken);
        assert_eq!(more, !is_moved, "a slot of the lower level is what is looked at");
        fire(&mut wheel, SLOT, 30);
        woken.drain(..).for_each(Waker::wake);
        assert_eq!(log.take(), [0]);
        fire(&mut wheel, 2 * SLOT - 1, 30);
        assert!(log.take().into_iter().eq(1..2000));
        assert_eq!(wheel.next_deadline(), Some(2 * SLOT));
        assert!(wheel.remove(later).is_some());
    }
}

#[test]
fn resets_do_what_removal_and_insertion_do() {
    let mut random = Random(42);
    let log = Log::default();
    let mut wheel = Wheel::new();
    let mut model = BTreeMap::<u64, (u64, TimerId)>::new();
    let mut now = 0;
    for step in 0..20_000 {
        match random.next() % 4 {
            0 => {
                let deadline = now + random.magnitude(30);
                model.insert(step, (deadline, wheel.insert(deadline, log.waker(step), 0)));
            }
            1 | 2 if !model.is_empty() => {
                let nth = random.next() as usize % model.len();
                let (_, (deadline, id)) = model.iter_mut().nth(nth).unwrap();
                *deadline = (now + random.magnitude(32)).saturating_sub(random.magnitude(20));
                assert!(wheel.reset(*id, *deadline));
                assert_eq!(wheel.deadline(*id), Some(*deadline));
            }
            _ => {
                now += random.magnitude(28);
                fire(&mut wheel, now, 7);
                let mut fired = log.take();
                fired.sort();
                let due = model.extract_if(.., |_, (deadline, _)| *deadline <= now);
                assert_eq!(fired, due.map(|(step, _)| step).collect::<Vec<_>>());
            }
        }
        let earliest = model.values().map(|(deadline, _)| *deadline).min();
        assert!(wheel.next_deadline() <= earliest || earliest.is_none());
    }
}

/// With a part of a slot set aside now and then, nothing is lost, early or twice, whatever else goes on.
#[test]
fn what_is_set_aside_fires_too_once_and_never_early() {
    for seed in 1..=20 {
        let mut random = Random(seed);
        let log = Log::default();
        let mut wheel = Wheel::new();
        let mut model = BTreeMap::<u64, (u64, TimerId)>::new();
        let mut now = 0;
        for step in 0..5_000 {
            match random.next() % 8 {
                0..=3 => {
                    // Crowds: few deadlines, all levels.
                    let deadline = now + (1 << (random.next() % 24)) * (random.next() % 3);
                    model.insert(step, (deadline, wheel.insert(deadline, log.waker(step), 0)));
                }
                4 if !model.is_empty() => {
                    let nth = random.next() as usize % model.len();
                    let step = *model.keys().nth(nth).unwrap();
                    let (_, id) = model.remove(&step).unwrap();
                    wheel.remove(id).expect("it has not fired").wake();
                    assert_eq!(log.take(), [step]);
                }
                5 if !model.is_empty() => {
                    let nth = random.next() as usize % model.len();
                    let (deadline, id) = model.values_mut().nth(nth).unwrap();
                    *deadline = now + random.magnitude(24);
                    assert!(wheel.reset(*id, *deadline));
                }
                _ => {
                    now += random.magnitude(24);
                    let steps = random.next() as usize % 10;
                    let mut woken = Vec::new();
                    let unfinished = wheel.fire(now, steps, &mut woken);
                    assert!(woken.len() <= steps);
                    woken.drain(..).for_each(Waker::wake);
                    for step in log.take() {
                        let (deadline, _) = model.remove(&step).expect("it fires once");
                        assert!(deadline <= now);
                    }
                    if unfinished {
                        assert!(wheel.next_deadline().is_some_and(|next| next <= now));
                        wheel.set_aside();
                    } else {
                        assert!(model.values().all(|(deadline, _)| *deadline > now));
                    }
                }
            }
            let earliest = model.values().map(|(deadline, _)| *deadline).min();
            // What is aside is overdue.
            let earliest = earliest.map(|earliest| earliest.max(wheel.elapsed));
            assert!(wheel.next_deadline() <= earliest || earliest.is_none());
            assert_eq!(wheel.len(), model.len());
        }
    }
}

#[test]
fn a_crowd_that_was_set_aside_takes_turns_with_those_that_come_later() {
    let (log, mut wheel) = (Log::default(), Wheel::new());
    for number in 0..100 {
        wheel.insert(1_000_000, log.waker(number), 0);
    }
    let mut fired = Vec::new();
    let mut some = |wheel: &mut Wheel, now| {
        let unfinished = wheel.fire(now, 10, &mut fired);
        wheel.set_aside();
        fired.drain(..).for_each(Waker::wake);
        unfinished
    };
    assert!(some(&mut wheel, 1_000_000));
    assert_eq!(log.take().len(), 10);
    wheel.insert(1_000_500, log.waker(777), 0);
    assert!(some(&mut wheel, 1_000_500) && some(&mut wheel, 1_000_600));
    assert!(log.take().contains(&777), "after two calls at the latest");
    let calls = (0..100).take_while(|_| some(&mut wheel, 1_000_700)).count();
    assert!(calls <= 10, "{calls}");
    assert_eq!((log.take().len(), wheel.next_deadline()), (71, None));
}

#[test]
fn it_fires_on_the_nanosecond_at_every_boundary_between_levels() {
    let log = Log::default();
    for bit in 0..64 {
        for deadline in [(1_u64 << bit) - 1, 1 << bit, (1 << bit) + 1] {
            let mut wheel = Wheel::new();
            wheel.insert(deadline, log.waker(1), 0);
            assert_eq!(wheel.next_deadline(), Some(deadline), "exact without removals");
            if deadline > 0 {
                fire(&mut wheel, deadline - 1, 1);
                assert_eq!(log.take(), []);
            }
            fire(&mut wheel, deadline, 10);
            assert_eq!(log.take(), [1]);
            assert_eq!(wheel.next_deadline(), None);
        }
    }
}

#[test]
fn d03_no_deadline_is_special() {
    let log = Log::default();
    let mut wheel = Wheel::new();
    let deadlines = [u64::MAX, u64::MAX - 1, 0, 1, u64::from(u32::MAX), 1 << 36, u64::MAX];
    for (number, deadline) in deadlines.into_iter().enumerate() {
        wheel.insert(deadline, log.waker(number as u64), 0);
    }
    fire(&mut wheel, 0, 10);
    assert_eq!(log.take(), [2]);
    fire(&mut wheel, u64::MAX - 2, 10);
    assert_eq!(log.take(), [3, 4, 5]);
    fire(&mut wheel, u64::MAX - 1, 10);
    assert_eq!(log.take(), [1]);
    assert_eq!(wheel.next_deadline(), Some(u64::MAX));
    fire(&mut wheel, u64::MAX, 10);
    assert_eq!(log.take(), [0, 6]);
}

#[test]
fn the_next_deadline_is_that_of_the_lone_timer_although_many_came_and_went() {
    let mut wheel = Wheel::new();
    for deadline in 1..100_000 {
        let id = wheel.insert(deadline * 1000, Waker::noop().clone(), 0);
        assert_eq!(wheel.next_deadline(), Some(deadline * 1000));
        assert!(wheel.remove(id).is_some());
        assert_eq!(wheel.next_deadline(), None);
    }
}

#[test]
fn memory_comes_back_after_a_flood_although_one_timer_stays() {
    let mut wheel = Wheel::new();
    let mut ids = Vec::new();
    for deadline in 0..100_000 {
        ids.push(wheel.insert(deadline, Waker::noop().clone(), 0));
    }
    assert_eq!(wheel.slab.allocated_chunks(), 100_000_usize.div_ceil(64));
    let stays = ids.swap_remove(77_777);
    for id in ids {
        assert!(wheel.remove(id).is_some());
    }
    assert!(wheel.slab.allocated_chunks() <= 17);
    let again: Vec<_> = (0..100).map(|at| wheel.insert(at, Waker::noop().clone(), 0)).collect();
    assert!(wheel.slab.allocated_chunks() <= 17, "empty chunks are used first");
    again.into_iter().for_each(|id| drop(wheel.remove(id)));
    assert!(wheel.remove(stays).is_some());
    assert_eq!(wheel.next_deadline(), None);
}

#[test]
fn an_entry_is_32_bytes_and_an_empty_wheel_is_small() {
    assert_eq!(size_of::<Entry>(), 32);
    assert!(size_of::<Wheel>() <= 320);
}

#[test]
fn d16_a_small_stack_is_enough() {
    let thread = std::thread::Builder::new().stack_size(32 << 10).spawn(|| {
        let mut wheel = Wheel::new();
        for bit in 0..64 {
            wheel.insert(1 << bit, Waker::noop().clone(), 0);
        }
        fire(&mut wheel, u64::MAX, 3);
        assert_eq!(wheel.len(), 0);
    });
    thread.unwrap().join().unwrap();
}

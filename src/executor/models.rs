//! Loom models of the run queue and of the idle protocol, each named by its invariant.
//!
//! Bounds: two or three threads, a ring of four. Times are for `LOOM_MAX_PREEMPTIONS=3` on one core.

use std::collections::HashSet;

use super::batch::Batches;
use super::idle::Idle;
use super::park::{Parker, Unpark};
use super::queue::{Owner, Word, queue};
use crate::sync::atomic::{AtomicBool, Ordering, fence};
use crate::sync::{Arc, Mutex, thread};

/// A value on the heap, so that loom notices a leak or a second release.
#[derive(Debug)]
struct Item(Box<(usize, loom::alloc::Track<()>)>);

impl Item {
    fn new(number: usize) -> Self {
        Self(Box::new((number, loom::alloc::Track::new(()))))
    }

    fn number(&self) -> usize {
        self.0.0
    }
}

impl Word for Item {
    fn into_raw(self) -> *mut () {
        Box::into_raw(self.0).cast()
    }

    #[allow(unsafe_code)]
    unsafe fn from_raw(raw: *mut ()) -> Self {
        // SAFETY: the contract of the trait.
        Self(unsafe { Box::from_raw(raw.cast()) })
    }
}

fn drain(owner: &Owner<Item>) -> Vec<usize> {
    std::iter::from_fn(|| owner.pop_next().or_else(|| owner.pop_front()))
        .map(|item| item.number())
        .collect()
}

fn once_each(seen: Vec<usize>, of: usize) {
    assert_eq!(seen.len(), of, "lost or doubled: {seen:?}");
    assert_eq!(seen.iter().collect::<HashSet<_>>().len(), of, "doubled: {seen:?}");
}

/// Pushes and pops of the owner beside two thieves; the ring wraps.
#[test]
fn every_task_is_taken_exactly_once() {
    loom::model(|| {
        let owner = queue::<Item>(false);
        owner.push_back(Item::new(0));
        owner.push_back(Item::new(1));
        let thieves: Vec<_> = (0..2)
            .map(|_| {
                let victim = Arc::clone(owner.shared());
                thread::spawn(move || {
                    let own = queue::<Item>(false);
                    let mut seen: Vec<_> =
                        own.steal_from(&victim, 1).map(|item| item.number()).into_iter().collect();
                    seen.extend(drain(&own));
                    seen
                })
            })
            .collect();
        let mut seen: Vec<_> = owner.pop_front().map(|item| item.number()).into_iter().collect();
        owner.push_back(Item::new(2));
        for thief in thieves {
            seen.extend(thief.join().unwrap());
        }
        seen.extend(drain(&owner));
        once_each(seen, 3);
    });
}

/// A ring of four gets six: the last two overflow while a thief takes from both.
#[test]
fn an_overflowing_queue_loses_nothing_and_keeps_its_order() {
    loom::model(|| {
        let owner = queue::<Item>(false);
        for number in 0..4 {
            owner.push_back(Item::new(number));
        }
        let victim = Arc::clone(owner.shared());
        let thief = thread::spawn(move || {
            let own = queue::<Item>(false);
            let first = own.steal_from(&victim, 1).map(|item| item.number());
            first.into_iter().chain(drain(&own)).collect::<Vec<_>>()
        });
        owner.push_back(Item::new(4));
        owner.push_back(Item::new(5));
        let mine = drain(&owner);
        let theirs = thief.join().unwrap();
        assert!(mine.is_sorted() && theirs.is_sorted(), "{mine:?} {theirs:?}");
        once_each(mine.into_iter().chain(theirs).collect(), 6);
    });
}

/// The run-next slot: filled, displaced and popped by its owner, taken by the watch.
#[test]
fn a_run_next_task_is_displaced_or_stolen_but_never_both() {
    loom::model(|| {
        let owner = queue::<Item>(false);
        assert!(owner.set_next(Item::new(0)).is_none());
        let victim = Arc::clone(owner.shared());
        let thief = thread::spawn(move || victim.steal_next().map(|item| item.number()));
        if let Some(displaced) = owner.set_next(Item::new(1)) {
            owner.push_back(displaced);
        }
        let mut seen = drain(&owner);
        seen.extend(thief.join().unwrap());
        once_each(seen, 2);
    });
}

/// The owner takes the first of two that a thief has copied, and reuses its slot in the ring of four.
#[test]
fn a_copy_is_good_until_its_task_is_taken() {
    loom::model(|| {
        let owner = queue::<Item>(false);
        for number in 0..3 {
            owner.push_back(Item::new(number));
        }
        let victim = Arc::clone(owner.shared());
        let thief = thread::spawn(move || {
            let own = queue::<Item>(false);
            let first = own.steal_from(&victim, 1).map(|item| item.number());
            first.into_iter().chain(drain(&own)).collect::<Vec<_>>()
        });
        let mut mine: Vec<_> = owner.pop_front().map(|item| item.number()).into_iter().collect();
        owner.push_back(Item::new(3));
        owner.push_back(Item::new(4));
        mine.extend(drain(&owner));
        let theirs = thief.join().unwrap();
        assert!(mine.is_sorted() && theirs.is_sorted(), "{mine:?} {theirs:?}");
        once_each(mine.into_iter().chain(theirs).collect(), 5);
    });
}

/// What a thief has stolen can be stolen from it, while the first victim goes on.
#[test]
fn stolen_tasks_can_be_stolen_again() {
    loom::model(|| {
        let first = queue::<Item>(false);
        for number in 0..4 {
            first.push_back(Item::new(number));
        }
        let second = queue::<Item>(false);
        let (a, b) = (Arc::clone(first.shared()), Arc::clone(second.shared()));
        let thief = thread::spawn(move || {
            let third = queue::<Item>(false);
            let stolen = third.steal_from(&b, 1).or_else(|| third.steal_from(&a, 1));
            stolen.map(|item| item.number()).into_iter().chain(drain(&third)).collect::<Vec<_>>()
        });
        let stolen = second.steal_from(first.shared(), 1).map(|item| item.number());
        let mut seen: Vec<_> = stolen.into_iter().collect();
        seen.extend(drain(&second));
        seen.extend(thief.join().unwrap());
        seen.extend(drain(&first));
        once_each(seen, 4);
    });
}

/// A pool that consists of its idle protocol, its parkers and one shared queue.
struct Pool {
    idle: Idle,
    parkers: Vec<Parker>,
    work: Mutex<Vec<usize>>,
    done: AtomicBool,
}

impl Pool {
    fn new(workers: usize) -> Arc<Self> {
        Arc::new(Self {
            idle: Idle::new(workers),
            parkers: (0..workers).map(|_| Parker::new()).collect(),
            work: Mutex::new(Vec::new()),
            done: AtomicBool::new(false),
        })
    }

    fn push(&self, task: usize) {
        self.work.lock().push(task);
        if let Some(worker) = self.idle.notify_one() {
            self.unpark(worker);
        }
    }

    fn unpark(&self, worker: usize) {
        assert_eq!(self.parkers[worker].unpark(), Unpark::Done);
    }

    /// The protocol of `worker::Worker`, without timeouts: only a wake-up ends a sleep.
    fn work(&self, index: usize, tasks: usize) -> usize {
        self.parkers[index].adopt_thread();
        let mut searching = false;
        let mut taken = 0;
        loop {
            let task = self.work.lock().pop();
            match task {
                Some(_) => {
                    taken += 1;
                    if std::mem::take(&mut searching)
                        && self.idle.stop_searching(index)
                        && !self.work.lock().is_empty()
                        && let Some(other) = self.idle.notify_one()
                    {
                        self.unpark(other);
                    }
                    if taken == tasks {
                        return taken;
                    }
                }
                // Ordering: Acquire pairs with the store after the last task.
                None if self.done.load(Ordering::Acquire) => {
                    if searching {
                        let _ = self.idle.stop_searching(index);
                    }
                    return taken;
                }
                None => {
                    if !searching {
                        searching = self.idle.start_searching(index);
                        if searching {
                            continue;
                        }
                    }
                    self.idle.park(index, std::mem::take(&mut searching));
                    if self.work.lock().is_empty() && !self.done.load(Ordering::Acquire) {
                        self.parkers[index].park_thread(None);
                    }
                    searching = self.idle.unpark_self(index);
                }
            }
        }
    }

    fn finish(&self) {
        self.done.store(true, Ordering::Release);
        fence(Ordering::SeqCst);
        for parker in &self.parkers {
            assert_eq!(parker.unpark(), Unpark::Done);
        }
    }
}

/// One worker that parks, one pusher: the worker runs the task although nobody wakes it later. A
/// lost wake-up is a deadlock, which loom reports.
#[test]
fn a_push_is_never_lost_to_a_worker_that_parks() {
    loom::model(|| {
        let pool = Pool::new(1);
        let worker = {
            let pool = Arc::clone(&pool);
            thread::spawn(move || pool.work(0, 2))
        };
        pool.push(1);
        pool.push(2);
        assert_eq!(worker.join().unwrap(), 2);
    });
}

/// Two workers, two tasks, the second push left to the searcher: all are run by the time both
/// workers are told to end, and the searcher that finds work wakes the other if there is more.
#[test]
fn the_last_searcher_leaves_no_work_behind() {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(builder.preemption_bound.unwrap_or(2).min(2));
    builder.check(|| {
        let pool = Pool::new(2);
        let workers: Vec<_> = (0..2)
            .map(|index| {
                let pool = Arc::clone(&pool);
                thread::spawn(move || pool.work(index, usize::MAX))
            })
            .collect();
        pool.push(1);
        pool.push(2);
        pool.finish();
        let taken: usize = workers.into_iter().map(|worker| worker.join().unwrap()).sum();
        assert_eq!(taken, 2);
    });
}

/// One worker leaves the park for work while the other parks: afterwards the parked one has the
/// watch, unless it was called and is on its way to it.
#[test]
fn while_one_runs_a_parked_worker_holds_the_watch() {
    loom::model(|| {
        let pool = Pool::new(2);
        pool.idle.park(0, false);
        let parking = {
            let pool = Arc::clone(&pool);
            thread::spawn(move || {
                pool.idle.park(1, false);
                // `sleep`, up to the point where the thread would block.
                pool.idle.anyone_runs() && pool.idle.take_watch(1)
            })
        };
        // Worker 0 wakes up and finds work.
        let claimed = pool.idle.unpark_self(0);
        assert!(!claimed, "nobody pushed");
        let called = pool.idle.leave(0);
        let took = parking.join().unwrap();
        assert!(called == Some(1) || (took && pool.idle.is_parked(1)), "{called:?} {took}");
    });
}

/// A thread sits down on the guest's seat and gives a task to its run-next slot while the only worker
/// parks: one of the two sees to it that the worker watches.
#[test]
fn a_task_of_the_guest_is_watched_from_its_first_one_on() {
    loom::model(|| {
        let pool = Pool::new(1);
        let guest_runs = Arc::new(AtomicBool::new(false));
        let parking = {
            let (pool, guest_runs) = (Arc::clone(&pool), Arc::clone(&guest_runs));
            thread::spawn(move || {
                pool.idle.park(0, false);
                guest_runs.load(Ordering::Relaxed) && pool.idle.take_watch(0)
            })
        };
        // `Guest::set_running`, then the first push, which calls `leave`.
        guest_runs.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        let called = pool.idle.leave(1);
        let took = parking.join().unwrap();
        assert!(called == Some(0) || took, "the worker sleeps and nobody watches the guest");
    });
}

/// The watch gives up just when another worker starts to run: one of them notices.
#[test]
fn the_watch_is_given_up_only_if_nobody_runs() {
    loom::model(|| {
        let pool = Pool::new(2);
        pool.idle.park(0, false);
        assert!(pool.idle.take_watch(0));
        pool.idle.park(1, false);
        let watch = {
            let pool = Arc::clone(&pool);
            thread::spawn(move || {
                !pool.idle.anyone_runs() && pool.idle.give_up_watch(0, || pool.idle.anyone_runs())
            })
        };
        assert!(!pool.idle.unpark_self(1));
        let called = pool.idle.leave(1);
        let gave_up = watch.join().unwrap();
        assert!(!gave_up || called == Some(0), "worker 1 runs and nobody watches it");
    });
}

/// A token left at any moment ends the sleep that comes, or the one that is under way.
#[test]
fn an_unpark_is_never_lost() {
    loom::model(|| {
        let parker = Arc::new(Parker::new());
        let sleeper = {
            let parker = Arc::clone(&parker);
            thread::spawn(move || {
                parker.adopt_thread();
                parker.park_thread(None);
            })
        };
        assert_eq!(parker.unpark(), Unpark::Done);
        sleeper.join().unwrap();
    });
}

/// The guest takes the task in its run-next slot while the pool is torn down: either the tear-down
/// gets it, or it waits until the guest is done with it.
#[test]
fn tear_down_never_ends_before_what_the_guest_has_in_hand() {
    loom::model(|| {
        let owner = queue::<Item>(false);
        assert!(owner.set_next(Item::new(0)).is_none());
        let shared = Arc::clone(owner.shared());
        let state = Arc::new((Batches::new(), AtomicBool::new(false)));
        let tearing_down = {
            let state = Arc::clone(&state);
            thread::spawn(move || {
                let (batches, dropped) = &*state;
                loop {
                    let since = batches.now();
                    let mine = shared.steal_next().is_some();
                    if batches.quiet(since) {
                        assert!(mine || dropped.load(Ordering::Relaxed), "the guest has it still");
                        return;
                    }
                    if mine {
                        return;
                    }
                    thread::yield_now();
                }
            })
        };
        let (batches, dropped) = &*state;
        batches.begin();
        if let Some(item) = owner.pop_next() {
            drop(item);
            dropped.store(true, Ordering::Relaxed);
        }
        batches.end();
        tearing_down.join().unwrap();
    });
}

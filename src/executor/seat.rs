//! The guest's seat: a worker that is not of the pool, for as long as a thread sits there.
//!
//! Who sits polls tasks in small batches and sleeps as a worker does. In a pool it runs only what it
//! woke itself; on a current-thread runtime it is the only worker and serves everything. Leaving it
//! puts what is left where the next one, or the pool, finds it.

use std::rc::Rc;
use std::time::Duration;

use super::park::Parker;
use super::scheduler::Scheduler;
use super::worker::{CROWD, Entered, Worker};
use crate::coop::Budget;
use crate::driver::clock::real_now;
use crate::sync::Arc;
use crate::task::home;

/// Polls of tasks between two looks at the root future.
pub(super) const BATCH: u32 = 16;

/// The guest's core while a thread sits on it.
pub(super) struct Seat {
    worker: Option<Rc<Worker>>,
    entered: Option<Entered>,
    /// Whom to unpark while nobody sits: the hand, once it has driven.
    former: Option<Arc<Parker>>,
}

impl Seat {
    pub(super) fn take(scheduler: &Arc<Scheduler>, parker: &Arc<Parker>) -> Option<Self> {
        let core = scheduler.guest.take_core()?;
        let former = scheduler.guest.replace_parker(Some(Arc::clone(parker)));
        let worker = Worker::new(Arc::clone(scheduler), core, Arc::clone(parker));
        let entered = Some(worker.enter());
        worker.counters.begin_busy(real_now());
        scheduler.guest.set_running(true);
        home::come_home();
        Some(Self { worker: Some(worker), entered, former })
    }

    pub(super) fn worker(&self) -> &Worker {
        self.worker.as_ref().expect("there until the seat is left")
    }

    /// Whom to unpark once nobody sits.
    pub(super) fn leave_to(&mut self, parker: &Arc<Parker>) {
        self.former = Some(Arc::clone(parker));
    }

    /// Before the root is polled.
    pub(super) fn root_budget(&self) -> Budget {
        let worker = self.worker();
        worker.tick();
        if let Some(polled) = &worker.polled {
            polled.root();
        }
        Budget::FULL
    }

    /// After the root was polled: tasks, or sleep if there are none.
    pub(super) fn work(&self, root_is_woken: impl Fn() -> bool) {
        if self.run_tasks() < BATCH && !root_is_woken() {
            self.sleep(None, root_is_woken);
        }
    }

    /// A few tasks: how many of at most [`BATCH`].
    pub(super) fn run_tasks(&self) -> u32 {
        let worker = self.worker();
        // On a current-thread runtime who tears down sits here.
        let batches =
            Some(&worker.scheduler.guest.batches).filter(|_| worker.scheduler.workers > 0);
        batches.inspect(|batches| batches.begin());
        if worker.scheduler.is_shut_down() {
            self.tear_down();
        }
        let mut polls = 0;
        while polls < BATCH {
            worker.tick();
            let Some(task) = worker.next_task() else {
                worker.counters.idle_turns.add();
                break;
            };
            worker.found_work();
            worker.poll(task);
            polls += 1;
        }
        batches.inspect(|batches| batches.end());
        polls
    }

    /// Until there may be something to do, or about `at_most` long.
    pub(super) fn sleep(&self, at_most: Option<Duration>, root_is_woken: impl Fn() -> bool) {
        let worker = self.worker();
        let scheduler = &*worker.scheduler;
        if scheduler.workers == 0 && self.advance_clock(root_is_woken) {
            return;
        }
        worker.before_park();
        if !worker.core.queue.shared().is_empty() {
            return; // the hook has spawned
        }
        scheduler.guest.set_running(false);
        // Whoever injects a task, wakes the root or shuts down leaves a token in the parker after it
        // did so; what was injected before this thread sat down is served here.
        let mut woken = worker.take_woken();
        let injected = scheduler.workers == 0 && !scheduler.injector.is_empty();
        // After shutdown, too: while the pool's workers end, nobody else may be there for the driver.
        if !injected {
            worker.count_park();
        }
        if !injected && !worker.lead(at_most, &mut woken) {
            worker.sleep_as_thread(at_most);
        }
        scheduler.guest.set_running(true);
        worker.awake(woken);
        if scheduler.workers > 0 {
            worker.found_work(); // a root poll is work: somebody has to watch
        }
        worker.after_park();
    }

    /// On a paused clock with nothing left to do, time jumps to the next timer.
    fn advance_clock(&self, root_is_woken: impl Fn() -> bool) -> bool {
        let worker = self.worker();
        let scheduler = &*worker.scheduler;
        let handle = &*scheduler.driver_handle;
        if !handle.clock.is_paused() || !(scheduler.config.may_advance)() {
            return false;
        }
        // I/O that is ready goes before time.
        worker.turn(handle.clock.now(), CROWD);
        if root_is_woken()
            || !worker.core.queue.shared().is_empty()
            || !scheduler.injector.is_empty()
        {
            return true;
        }
        let Some(deadline) = handle.timers.next_deadline_any() else { return false };
        handle.clock.advance_to(deadline);
        worker.turn(handle.clock.now(), CROWD);
        true
    }

    /// After shutdown began: the seat's tasks go, on a current-thread runtime all of them.
    pub(super) fn tear_down(&self) {
        let worker = self.worker();
        let scheduler = &*worker.scheduler;
        scheduler.cancel_queue(worker);
        if scheduler.workers == 0 && scheduler.guest.claim_tear_down() {
            scheduler.tear_down(worker);
            scheduler.one_stopped();
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let Some(worker) = self.worker.take() else { return };
        let scheduler = Arc::clone(&worker.scheduler);
        worker.end_busy();
        scheduler.guest.batches.begin();
        if scheduler.is_shut_down() {
            scheduler.cancel_queue(&worker);
        }
        // What is left is for the pool, or for the next one who sits here.
        let queue = &worker.core.queue;
        while let Some(task) = queue.pop_next().or_else(|| queue.pop_front()) {
            scheduler.injector.push(task);
        }
        scheduler.guest.batches.end();
        self.entered = None;
        let former = self.former.take();
        let parker = scheduler.guest.replace_parker(former.clone());
        scheduler.guest.set_running(false);
        // Every other reference was the thread-local's, which `entered` has taken out.
        let core = Rc::into_inner(worker).map(|worker| worker.core);
        debug_assert!(core.is_some(), "a core that is still shared would be lost");
        scheduler.guest.put_core(core);
        // It missed what happened while this thread sat, and what had been written to the driver's
        // waker for it: this thread may have taken that out.
        if let Some(former) = former
            && !parker.is_some_and(|parker| Arc::ptr_eq(&parker, &former))
        {
            let _ = former.unpark();
            scheduler.driver_handle.unpark();
        }
        if scheduler.is_shut_down() {
            scheduler.cancel_injected();
            // A shutdown that began after the look above found the seat taken.
            if scheduler.workers == 0 && !scheduler.guest.is_torn_down() {
                scheduler.tear_down_current_thread();
            }
        } else if scheduler.workers > 0 {
            // Tasks, the driver and timers are left to the pool.
            if !scheduler.injector.is_empty() || scheduler.driver.try_lock().is_some() {
                scheduler.notify();
            }
            if scheduler.driver_handle.timers.hand_over(scheduler.workers) {
                scheduler.driver_handle.unpark();
            }
        }
    }
}

//! `block_on`: a thread from outside drives its root future and, if the seat is free, tasks as well.
//!
//! The seat's core is a worker like any other, only not of the pool: its thread polls the root
//! future, then at most [`POLLS_BETWEEN_ROOTS`] tasks, then looks at the root again. In a pool it
//! runs only what it woke itself and never searches, so that a message between root and task costs
//! no wake-up across cores and the root is not kept waiting. On a current-thread runtime it is the
//! only worker and serves everything.
//!
//! Other callers of `block_on` meanwhile are *bystanders*: they poll their root when it is woken and
//! sleep otherwise. Who leaves the seat calls a bystander to it, so that on a current-thread
//! runtime somebody drives tasks, timers and I/O for as long as anyone is inside `block_on`.

use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc as StdArc;
use std::task::{Context, Poll, Wake, Waker};

use super::batch::Batches;
use super::park::Parker;
use super::scheduler::Scheduler;
use super::worker::{Core, Entered, Worker};
use crate::coop::Budget;
use crate::sync::atomic::{AtomicBool, Ordering, fence};
use crate::sync::{Arc, Mutex};

/// Polls of tasks between two looks at the root future.
const POLLS_BETWEEN_ROOTS: u32 = 16;

std::thread_local! {
    // It has no destructor, so it is there in those of other thread-locals, too.
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// Whether the calling thread is inside `block_on` or is a worker.
pub(crate) fn in_async_context() -> bool {
    INSIDE.get()
}

/// Marks the thread as one that must not block, for as long as the value lives.
#[track_caller]
pub(super) fn enter_async(what: &str) -> Inside {
    let inside = mark_async();
    assert!(
        !inside.former,
        "`block_on` was called on a thread that already runs async code ({what}): it would block \
         every task of that thread; use `.await`, `spawn`, or `spawn_blocking` instead"
    );
    inside
}

/// [`enter_async`] for a thread that may be marked already.
fn mark_async() -> Inside {
    Inside { former: INSIDE.replace(true), _here: PhantomData }
}

/// See [`enter_async`].
#[derive(Debug)]
pub(super) struct Inside {
    former: bool,
    _here: PhantomData<*const ()>,
}

impl Drop for Inside {
    fn drop(&mut self) {
        INSIDE.set(self.former);
    }
}

/// The seat for a thread that is not of the pool.
pub(super) struct Guest {
    core: Mutex<Option<Core>>,
    /// Who sits there, to be unparked for injected tasks and for shutdown.
    parker: Mutex<Option<Arc<Parker>>>,
    /// Sits there and is not asleep.
    running: AtomicBool,
    /// When who sits there may have a task in hand that no list knows of.
    pub(super) batches: Batches,
    /// Callers of `block_on` who found the seat taken.
    bystanders: Mutex<Vec<Arc<Parker>>>,
    torn_down: AtomicBool,
}

impl Guest {
    pub(super) fn new(core: Core) -> Self {
        Self {
            core: Mutex::new(Some(core)),
            parker: Mutex::new(None),
            running: AtomicBool::new(false),
            batches: Batches::new(),
            bystanders: Mutex::new(Vec::new()),
            torn_down: AtomicBool::new(false),
        }
    }

    pub(super) fn runs(&self) -> bool {
        // Ordering: Relaxed; callers have fenced (the watch's protocol).
        self.running.load(Ordering::Relaxed)
    }

    /// `true` for the first caller only.
    pub(super) fn claim_tear_down(&self) -> bool {
        // Ordering: AcqRel: one winner; it sees what the others did before they lost.
        !self.torn_down.swap(true, Ordering::AcqRel)
    }

    fn is_torn_down(&self) -> bool {
        // Ordering: Acquire pairs with `claim_tear_down`.
        self.torn_down.load(Ordering::Acquire)
    }

    fn set_running(&self, running: bool) {
        // Ordering: the fence pairs with `Idle::park` and `give_up_watch`: either they see that the
        // guest runs, or the guest sees who is parked and that nobody watches.
        self.running.store(running, Ordering::Relaxed);
        fence(Ordering::SeqCst);
    }
}

impl fmt::Debug for Guest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guest").field("running", &self.runs()).finish_non_exhaustive()
    }
}

/// The root future's waker: a flag and the thread to unpark.
struct Root {
    woken: AtomicBool,
    parker: Arc<Parker>,
    scheduler: Arc<Scheduler>,
}

impl Root {
    fn take_woken(&self) -> bool {
        // Ordering: Acquire pairs with `wake`'s Release: the poll sees what the waker's caller did.
        self.woken.swap(false, Ordering::Acquire)
    }
}

impl Wake for Root {
    fn wake(self: StdArc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &StdArc<Self>) {
        // Ordering: Release pairs with `take_woken`. A second wake need not unpark again: the first
        // one's token is still there or has led to a poll that is yet to come.
        if !self.woken.swap(true, Ordering::AcqRel) {
            self.scheduler.finish_unpark(self.parker.unpark());
        }
    }
}

impl Scheduler {
    /// Runs `future` to its end on the calling thread.
    #[track_caller]
    pub(crate) fn block_on<F: Future>(self: &Arc<Self>, future: F) -> F::Output {
        let _inside = enter_async("a task, or another `block_on`");
        let mut future = pin!(future);
        let parker = Arc::new(Parker::new());
        parker.adopt_thread();
        let root = StdArc::new(Root {
            woken: AtomicBool::new(true),
            parker: Arc::clone(&parker),
            scheduler: Arc::clone(self),
        });
        let waker = Waker::from(StdArc::clone(&root));
        let mut cx = Context::from_waker(&waker);
        let mut visit = Visit { scheduler: self, parker: &parker, seat: None, waits: false };
        loop {
            visit.try_sit();
            assert!(
                !self.has_panicked(),
                "a task panicked, and the runtime is built to shut down then: its tasks are gone"
            );
            if root.take_woken() {
                let outside = visit.seat.as_ref().map_or(Budget::FULL, Seat::root_budget).replace();
                let _restore = RestoreBudget(outside);
                if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
                    return output;
                }
            }
            match &visit.seat {
                Some(seat) => seat.work(&root),
                // Ordering: the token of `parker` covers both reasons to wake: the root, the seat.
                None => parker.park_thread(None),
            }
        }
    }

    /// Unparks whoever sits on the guest's seat.
    pub(crate) fn unpark_guest(&self) {
        let parker = self.guest.parker.lock().clone();
        if let Some(parker) = parker {
            self.finish_unpark(parker.unpark());
        }
    }

    /// Unparks everybody who waits for the seat, for what concerns all of them.
    pub(super) fn unpark_bystanders(&self) {
        let bystanders = self.guest.bystanders.lock().clone();
        for parker in bystanders {
            self.finish_unpark(parker.unpark());
        }
    }

    /// Tears a current-thread runtime down if nobody sits; else who sits does it.
    pub(super) fn tear_down_current_thread(self: &Arc<Self>) {
        if let Some(seat) = Seat::take(self, &Arc::new(Parker::new())) {
            // A destructor that blocked on this runtime here would wait for its own thread.
            let _inside = mark_async();
            seat.tear_down();
        }
    }
}

struct RestoreBudget(Budget);

impl Drop for RestoreBudget {
    fn drop(&mut self) {
        self.0.replace();
    }
}

/// One call of `block_on`; leaving it, by return or panic, passes the seat on.
struct Visit<'a> {
    scheduler: &'a Arc<Scheduler>,
    parker: &'a Arc<Parker>,
    seat: Option<Seat>,
    waits: bool,
}

impl Visit<'_> {
    /// Takes the seat if it is free, else makes sure to be called when it is.
    fn try_sit(&mut self) {
        if self.seat.is_some() {
            return;
        }
        self.seat = Seat::take(self.scheduler, self.parker);
        if self.seat.is_none() && !self.waits {
            self.waits = true;
            self.scheduler.guest.bystanders.lock().push(Arc::clone(self.parker));
            // It may have become free before this thread could be called.
            self.seat = Seat::take(self.scheduler, self.parker);
        }
    }
}

impl Drop for Visit<'_> {
    fn drop(&mut self) {
        let guest = &self.scheduler.guest;
        if self.waits {
            guest.bystanders.lock().retain(|parker| !Arc::ptr_eq(parker, self.parker));
        }
        self.seat = None;
        // This thread may have been the one called to a free seat: pass the call on.
        if guest.core.lock().is_some() {
            let next = guest.bystanders.lock().first().cloned();
            if let Some(next) = next {
                self.scheduler.finish_unpark(next.unpark());
            }
        }
    }
}

/// The guest's core while a thread sits on it.
struct Seat {
    worker: Option<Rc<Worker>>,
    entered: Option<Entered>,
}

impl Seat {
    fn take(scheduler: &Arc<Scheduler>, parker: &Arc<Parker>) -> Option<Self> {
        let core = scheduler.guest.core.lock().take()?;
        let former = scheduler.guest.parker.lock().replace(Arc::clone(parker));
        drop(former);
        let worker = Worker::new(Arc::clone(scheduler), core, Arc::clone(parker));
        let entered = Some(worker.enter());
        scheduler.guest.set_running(true);
        Some(Self { worker: Some(worker), entered })
    }

    fn worker(&self) -> &Worker {
        self.worker.as_ref().expect("there until the seat is left")
    }

    /// Before the root is polled.
    fn root_budget(&self) -> Budget {
        self.worker().tick();
        Budget::FULL
    }

    /// After the root was polled: tasks, or sleep if there are none.
    fn work(&self, root: &Root) {
        let batches = &self.worker().scheduler.guest.batches;
        batches.begin();
        let more = self.run_tasks();
        batches.end();
        // Ordering: Relaxed: if it is woken only now, its token keeps `sleep` from sleeping.
        if !more && !root.woken.load(Ordering::Relaxed) {
            self.sleep(root);
        }
    }

    /// A few tasks; `false` if there are no more.
    fn run_tasks(&self) -> bool {
        let worker = self.worker();
        if worker.scheduler.is_shut_down() {
            self.tear_down();
        }
        for _ in 0..POLLS_BETWEEN_ROOTS {
            worker.tick();
            let Some(task) = worker.next_task() else { return false };
            worker.found_work();
            worker.poll(task);
        }
        true
    }

    fn sleep(&self, root: &Root) {
        let worker = self.worker();
        let scheduler = &*worker.scheduler;
        if scheduler.workers == 0 && self.advance_clock(root) {
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
        if !injected && !worker.lead(None, &mut woken) {
            let deadline = scheduler.driver_handle.timers.next_deadline(worker.core.index);
            worker.sleep_as_thread(deadline, None);
        }
        scheduler.guest.set_running(true);
        worker.awake(woken);
        if scheduler.workers > 0 {
            worker.found_work(); // a root poll is work: somebody has to watch
        }
        worker.after_park();
    }

    /// On a paused clock with nothing left to do, time jumps to the next timer.
    fn advance_clock(&self, root: &Root) -> bool {
        let worker = self.worker();
        let scheduler = &*worker.scheduler;
        let handle = &*scheduler.driver_handle;
        if !handle.clock.is_paused() || !(scheduler.config.may_advance)() {
            return false;
        }
        // I/O that is ready goes before time.
        worker.turn(handle.clock.now());
        // Ordering: Relaxed: this thread's own turn, or its token, tells.
        let woken = root.woken.load(Ordering::Relaxed);
        if woken || !worker.core.queue.shared().is_empty() || !scheduler.injector.is_empty() {
            return true;
        }
        let Some(deadline) = handle.timers.next_deadline_any() else { return false };
        handle.clock.advance_to(deadline);
        worker.turn(handle.clock.now());
        true
    }

    /// After shutdown began: the seat's tasks go, on a current-thread runtime all of them.
    fn tear_down(&self) {
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
        let parker = scheduler.guest.parker.lock().take();
        drop(parker);
        scheduler.guest.set_running(false);
        // Every other reference was the thread-local's, which `entered` has taken out.
        let core = Rc::into_inner(worker).map(|worker| worker.core);
        debug_assert!(core.is_some(), "a core that is still shared would be lost");
        *scheduler.guest.core.lock() = core;
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

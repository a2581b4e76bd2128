//! `block_on`: a thread from outside drives its root future and, if the seat is free, tasks as well.
//!
//! The seat's core is a worker like any other, only not of the pool: its thread polls the root
//! future, then at most [`POLLS_BETWEEN_ROOTS`] tasks, then looks at the root again. In a pool it
//! runs only what it woke itself and never searches, so that a message between root and task costs
//! no wake-up across cores and the root is not kept waiting. On a current-thread runtime it is the
//! only worker and serves everything.
//!
//! The seat itself is in `seat`; driving by hand, which takes it for a turn at a time, in `by_hand`.
//!
//! Other callers of `block_on` meanwhile are *bystanders*: they poll their root when it is woken and
//! sleep otherwise. Who leaves the seat calls a bystander to it, so that on a current-thread
//! runtime somebody drives tasks, timers and I/O for as long as anyone is inside `block_on`.

use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;
use std::pin::pin;
use std::sync::{Arc as StdArc, OnceLock};
use std::task::{Context, Poll, Wake, Waker};

use super::batch::Batches;
use super::park::Parker;
use super::scheduler::Scheduler;
use super::seat::Seat;
use super::worker::Core;
use crate::coop::Budget;
use crate::sync::atomic::{AtomicBool, Ordering, fence};
use crate::sync::{Arc, Mutex};

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
pub(super) fn enter_async(caller: &str) -> Inside {
    let inside = mark_async();
    assert!(
        !inside.former,
        "`{caller}` was called on a thread that already runs async code (a task, or another \
         `block_on`): it would block every task of that thread; use `.await`, `spawn`, or \
         `spawn_blocking` instead"
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
    /// Who sits there, or will come back, to be unparked for injected tasks and for shutdown.
    parker: Mutex<Option<Arc<Parker>>>,
    /// Somebody sits there and is not asleep.
    running: AtomicBool,
    /// When who sits there may have a task in hand that no list knows of.
    pub(super) batches: Batches,
    /// Callers of `block_on` who found the seat taken.
    bystanders: Mutex<Vec<Arc<Parker>>>,
    torn_down: AtomicBool,
    /// Of who drives by hand.
    hand: OnceLock<Arc<Parker>>,
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
            hand: OnceLock::new(),
        }
    }

    /// Takes what makes a worker of the calling thread, if it is there.
    pub(super) fn take_core(&self) -> Option<Core> {
        self.core.lock().take()
    }

    pub(super) fn put_core(&self, core: Option<Core>) {
        *self.core.lock() = core;
    }

    /// Whom to unpark from now on; who it was.
    pub(super) fn replace_parker(&self, parker: Option<Arc<Parker>>) -> Option<Arc<Parker>> {
        std::mem::replace(&mut *self.parker.lock(), parker)
    }

    /// The parker of who drives by hand.
    pub(super) fn hand(&self) -> &Arc<Parker> {
        self.hand.get_or_init(|| Arc::new(Parker::new()))
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

    pub(super) fn is_torn_down(&self) -> bool {
        // Ordering: Acquire pairs with `claim_tear_down`.
        self.torn_down.load(Ordering::Acquire)
    }

    pub(super) fn set_running(&self, running: bool) {
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
    fn is_woken(&self) -> bool {
        // Ordering: Relaxed: if it is woken only after this, its token keeps the seat from sleeping.
        self.woken.load(Ordering::Relaxed)
    }

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
        let _inside = enter_async("block_on");
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
            self.assert_no_panic();
            if root.take_woken() {
                let outside = visit.seat.as_ref().map_or(Budget::FULL, Seat::root_budget).replace();
                let _restore = RestoreBudget(outside);
                if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
                    return output;
                }
            }
            match &visit.seat {
                Some(seat) => seat.work(|| root.is_woken()),
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

    /// Calls a bystander to the seat, if it is free.
    pub(super) fn call_bystander(&self) {
        if self.guest.core.lock().is_some() {
            let next = self.guest.bystanders.lock().first().cloned();
            if let Some(next) = next {
                self.finish_unpark(next.unpark());
            }
        }
    }

    /// Tears a current-thread runtime down if nobody sits; else who sits does it.
    pub(super) fn tear_down_current_thread(self: &Arc<Self>) {
        // A destructor that blocked on this runtime here would wait for its own thread. Sitting down
        // runs some already: those of local tasks that others have dropped.
        let _inside = mark_async();
        if let Some(seat) = Seat::take(self, &Arc::new(Parker::new())) {
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
        self.scheduler.call_bystander();
    }
}

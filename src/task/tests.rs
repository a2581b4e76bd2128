//! Tasks under the smallest scheduler there is: a locked queue, run by hand.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::{Future, pending, poll_fn, ready as value};
use std::io;
use std::marker::{PhantomData, PhantomPinned};
use std::mem::size_of;
use std::panic::{AssertUnwindSafe, Location, RefUnwindSafe, UnwindSafe, catch_unwind, panic_any};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;

use super::*;

mod scenarios;

/// A queue, a list, and a count of what came through the state word.
struct Queue {
    ready: Mutex<VecDeque<Runnable>>,
    owned: OwnedTasks,
    scheduled: AtomicUsize,
}

impl Schedule for Queue {
    fn schedule(this: &Arc<Self>, task: Runnable) {
        this.scheduled.fetch_add(1, SeqCst);
        this.ready.lock().unwrap().push_back(task);
    }
}

impl Queue {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            ready: Mutex::default(),
            owned: OwnedTasks::new(2),
            scheduled: AtomicUsize::new(0),
        })
    }

    #[track_caller]
    fn spawn<F>(self: &Arc<Self>, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let (runnable, handle) = new_task(future, self, Location::caller());
        self.ready.lock().unwrap().push_back(runnable);
        handle
    }

    /// Runs the oldest entry; `false` if there is none.
    fn step(&self) -> bool {
        let Some(runnable) = self.ready.lock().unwrap().pop_front() else {
            return false;
        };
        if let Some(again) = runnable.run(&self.owned, 1).settle() {
            self.ready.lock().unwrap().push_back(again);
        }
        true
    }

    fn run(&self) {
        while self.step() {}
    }

    fn shutdown(&self) {
        self.owned.close();
        self.owned.cancel_all_idle();
        while let Some(runnable) = { self.ready.lock().unwrap().pop_front() } {
            runnable.cancel(&self.owned);
        }
        assert!(self.owned.is_empty());
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        self.shutdown();
    }
}

/// Polls once, with a waker that does nothing.
fn poll<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
}

#[track_caller]
fn ready<F: Future + Unpin>(mut future: F) -> F::Output {
    match poll(&mut future) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("not ready"),
    }
}

/// Counts drops, each under the eyes of a test.
#[derive(Clone)]
struct Drops(Arc<AtomicUsize>);

impl Drops {
    fn new() -> (Self, Arc<AtomicUsize>) {
        let count = Arc::new(AtomicUsize::new(0));
        (Self(count.clone()), count)
    }
}

impl Drop for Drops {
    fn drop(&mut self) {
        self.0.fetch_add(1, SeqCst);
    }
}

/// No test leaves a cell behind; each runs on its own thread.
struct NoLeak(isize);

impl NoLeak {
    fn new() -> Self {
        Self(cell::live::cells())
    }
}

impl Drop for NoLeak {
    fn drop(&mut self) {
        if !thread::panicking() {
            assert_eq!(cell::live::cells(), self.0, "cells leaked or freed twice");
        }
    }
}

/// Leaves its waker where the test finds it, and is ready once told so.
#[derive(Clone, Default)]
struct Gate(Arc<Mutex<(bool, Option<Waker>)>>);

impl Gate {
    fn wait(&self) -> impl Future<Output = ()> + Send + use<> {
        let this = self.clone();
        poll_fn(move |cx| {
            let mut inner = this.0.lock().unwrap();
            if inner.0 {
                return Poll::Ready(());
            }
            inner.1 = Some(cx.waker().clone());
            Poll::Pending
        })
    }

    fn waker(&self) -> Waker {
        self.0.lock().unwrap().1.take().expect("polled")
    }

    fn open(&self) {
        self.0.lock().unwrap().0 = true;
        self.waker().wake();
    }
}

/// Counts its wakes.
#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, SeqCst);
    }
}

/// Panics with its text when dropped.
struct DropBomb(&'static str);

impl Drop for DropBomb {
    fn drop(&mut self) {
        panic_any(self.0);
    }
}

fn message(error: JoinError) -> &'static str {
    error.into_panic().downcast_ref::<&'static str>().unwrap()
}

#[test]
fn a_task_runs_and_its_handle_gives_the_output() {
    let _no_leak = NoLeak::new();
    let queue = Queue::new();
    let mut handle = queue.spawn(async { 6 * 7 });
    assert!(poll(&mut handle).is_pending());
    assert!(!handle.is_finished());
    queue.run();
    assert!(handle.is_finished());
    assert_eq!(ready(handle).unwrap(), 42);
}

/// A header of 64 bytes, and one word for output, payload or a small future.
#[test]
fn sizes_are_as_promised() {
    let queue = Queue::new();
    let size = |(runnable, _handle): (Runnable, JoinHandle<()>)| {
        let task = runnable.into_task();
        let size = task.layout().size();
        Runnable::new(task).cancel(&queue.owned);
        size
    };
    let here = Location::caller();
    assert_eq!(size(new_task(async {}, &queue, here)), 72);
    assert_eq!(size(new_task(pending::<()>(), &queue, here)), 72);
    let bytes = [1_u64; 5];
    let large = poll_fn(move |_| {
        assert_eq!(bytes[4], 1);
        Poll::Ready(())
    });
    assert_eq!(size(new_task(large, &queue, here)), 64 + 40);
    assert_eq!(size_of::<JoinHandle<String>>(), 8);
    assert_eq!(size_of::<Option<Runnable>>(), 8);
    assert_eq!(size_of::<AbortHandle>(), 8);
    assert_eq!(size_of_val(&yield_now()), 1);
}

#[test]
fn auto_traits_are_as_promised() {
    fn send_sync<T: Send + Sync + Unpin>() {}
    fn unwind_safe<T: UnwindSafe + RefUnwindSafe>() {}
    unwind_safe::<JoinHandle<Cell<u8>>>();
    unwind_safe::<AbortHandle>();
    send_sync::<JoinHandle<Cell<u8>>>();
    send_sync::<JoinHandle<PhantomPinned>>();
    send_sync::<AbortHandle>();
    send_sync::<JoinError>();
    send_sync::<Id>();

    // An inherent method wins over a trait's: `Sendable` says whether its bound holds.
    struct Probe<T>(PhantomData<T>);
    trait Fallback {
        fn is_send(&self) -> bool {
            false
        }
    }
    impl<T> Fallback for Probe<T> {}
    impl<T: Send> Probe<T> {
        fn is_send(&self) -> bool {
            true
        }
    }
    assert!(Probe::<JoinHandle<u8>>(PhantomData).is_send());
    assert!(!Probe::<JoinHandle<std::rc::Rc<u8>>>(PhantomData).is_send());
}

#[test]
fn a_wake_by_the_running_task_skips_the_state_word_and_goes_to_the_back() {
    let queue = Queue::new();
    let order = Arc::new(Mutex::new(Vec::new()));
    for name in ["a", "b"] {
        let order = order.clone();
        drop(queue.spawn(async move {
            for round in 0..3 {
                order.lock().unwrap().push((name, round));
                yield_now().await;
            }
        }));
    }
    queue.run();
    let expected = [("a", 0), ("b", 0), ("a", 1), ("b", 1), ("a", 2), ("b", 2)];
    assert_eq!(*order.lock().unwrap(), expected);
    assert_eq!(queue.scheduled.load(SeqCst), 0);
}

#[test]
fn a_wake_from_another_thread_while_running_polls_again() {
    let queue = Queue::new();
    let mut polls = 0;
    let handle = queue.spawn(poll_fn(move |cx| {
        polls += 1;
        let waker = cx.waker().clone();
        thread::spawn(move || waker.wake()).join().unwrap();
        if polls < 3 { Poll::Pending } else { Poll::Ready(polls) }
    }));
    queue.run();
    assert_eq!(ready(handle).unwrap(), 3);
    assert_eq!(queue.scheduled.load(SeqCst), 0, "`run` returned it");
}

#[test]
fn wakers_of_one_task_are_equal_and_of_two_are_not() {
    let queue = Queue::new();
    let gates = [Gate::default(), Gate::default()];
    for gate in &gates {
        drop(queue.spawn(gate.wait()));
    }
    queue.run();
    let [a, b] = gates.map(|gate| gate.waker());
    assert!(a.will_wake(&a.clone()));
    assert!(!a.will_wake(&b));
}

/// The poll of an outer task runs an inner one, which wakes the outer one and itself.
#[test]
fn nested_polls_restore_the_current_task() {
    let _no_leak = NoLeak::new();
    let _no_leak = NoLeak::new();
    let queue = Queue::new();
    let inner_queue = Queue::new();
    let mut polls = 0;
    let handle = queue.spawn(poll_fn(move |cx| {
        polls += 1;
        if polls == 2 {
            return Poll::Ready(polls);
        }
        let outer = id();
        let waker = cx.waker().clone();
        let inner = inner_queue.spawn(async move {
            waker.wake();
            yield_now().await;
            id()
        });
        inner_queue.run();
        assert_ne!(ready(inner).unwrap(), outer);
        assert_eq!(id(), outer);
        Poll::Pending
    }));
    assert_eq!(try_id(), None);
    queue.run();
    assert_eq!(try_id(), None);
    assert_eq!(ready(handle).unwrap(), 2);
}

/// polls it until it is idle and wakes it: that wake is not mistaken for a self-wake.
#[test]
fn a_new_task_at_the_same_address_is_not_the_current_one() {
    struct Respawn(Arc<Queue>, Gate);
    impl Wake for Respawn {
        fn wake(self: Arc<Self>) {
            drop(self.0.spawn(self.1.wait()));
            self.0.run();
            self.1.open();
        }
    }
    let _no_leak = NoLeak::new();
    let (queue, inner) = (Queue::new(), Queue::new());
    let mut handle = queue.spawn(Gate::default().wait());
    queue.run();
    let gate = Gate::default();
    let waker = Waker::from(Arc::new(Respawn(inner.clone(), gate.clone())));
    assert!(Pin::new(&mut handle).poll(&mut Context::from_waker(&waker)).is_pending());
    handle.abort();
    queue.run();
    assert_eq!(inner.scheduled.load(SeqCst), 1);
    inner.run();
    assert!(inner.owned.is_empty());
}

#[test]
fn abort_drops_an_idle_task_on_the_runtime() {
    let _no_leak = NoLeak::new();
    let queue = Queue::new();
    let (drops, dropped) = Drops::new();
    let gate = Gate::default();
    let wait = gate.wait();
    let mut handle = queue.spawn(async move {
        let _drops = drops;
        wait.await;
    });
    queue.run();
    thread::scope(|scope| {
        scope.spawn(|| handle.abort());
    });
    assert_eq!(dropped.load(SeqCst), 0, "not on the aborting thread");
    assert!(poll(&mut handle).is_pending());
    queue.run();
    assert_eq!(dropped.load(SeqCst), 1);
    assert!(ready(handle).unwrap_err().is_cancelled());
    gate.open(); // a stale waker
    assert_eq!(queue.scheduled.load(SeqCst), 1);
}

#[test]
fn abort_before_the_first_poll_never_polls() {
    let queue = Queue::new();
    let handle = queue.spawn(async { panic!("polled") });
    let cancelled = Box::pin(handle.cancel());
    queue.run();
    assert!(ready(cancelled).unwrap_err().is_cancelled());
}

#[test]
fn abort_while_running_drops_after_that_poll() {
    let queue = Queue::new();
    for wake in [false, true] {
        let own = Arc::new(Mutex::new(None::<AbortHandle>));
        let (drops, dropped) = Drops::new();
        let (abort, seen) = (own.clone(), dropped.clone());
        let handle = queue.spawn(poll_fn(move |cx| {
            let _drops = &drops;
            abort.lock().unwrap().take().expect("polled once").abort();
            assert_eq!(seen.load(SeqCst), 0);
            if wake {
                cx.waker().wake_by_ref();
            }
            Poll::<()>::Pending
        }));
        *own.lock().unwrap() = Some(handle.abort_handle());
        assert!(queue.step());
        assert_eq!(dropped.load(SeqCst), 1);
        assert!(ready(handle).unwrap_err().is_cancelled());
    }
}

#[test]
fn abort_of_a_complete_task_changes_nothing() {
    let queue = Queue::new();
    let handle = queue.spawn(value(7));
    queue.run();
    let abort = handle.abort_handle().clone();
    handle.abort();
    abort.abort();
    assert!(abort.is_finished());
    assert_eq!(abort.id(), handle.id());
    assert_eq!(ready(handle).unwrap(), 7);
    abort.abort();
}

#[test]
fn a_panicking_join_waker_is_contained() {
    struct Bomb;
    impl Wake for Bomb {
        fn wake(self: Arc<Self>) {
            panic!("waker");
        }
    }
    let _no_leak = NoLeak::new();
    let queue = Queue::new();
    let mut handle = queue.spawn(value(1));
    let waker = Waker::from(Arc::new(Bomb));
    assert!(Pin::new(&mut handle).poll(&mut Context::from_waker(&waker)).is_pending());
    queue.run();
    assert_eq!(ready(handle).unwrap(), 1);
}

#[test]
fn a_complete_task_keeps_no_waker_and_a_waiting_one_only_the_last() {
    let queue = Queue::new();
    let mut handle = queue.spawn(value(1));
    let woken = [Arc::new(Woken::default()), Arc::new(Woken::default())];
    for (woken, polls) in woken.iter().zip([1, 3]) {
        for _ in 0..polls {
            let waker = Waker::from(woken.clone());
            assert!(Pin::new(&mut handle).poll(&mut Context::from_waker(&waker)).is_pending());
        }
    }
    assert_eq!(woken.each_ref().map(Arc::strong_count), [1, 2]);
    queue.run();
    assert_eq!(woken.each_ref().map(Arc::strong_count), [1, 1]);
    assert_eq!(woken.each_ref().map(|woken| woken.0.load(SeqCst)), [0, 1]);
    assert_eq!(ready(handle).unwrap(), 1);
}

#[test]
fn a_handle_is_a_leaf_of_the_budget() {
    let queue = Queue::new();
    let handles: Vec<_> = (0..200).map(|_| queue.spawn(value(()))).collect();
    queue.run();
    let before = crate::coop::Budget::FULL.replace();
    let done = handles.into_iter().filter_map(|mut handle| match poll(&mut handle) {
        Poll::Ready(output) => output.ok(),
        Poll::Pending => None,
    });
    assert_eq!(done.count(), 128);
    before.replace();
}

/// A queue that is dropped with entries in it, of tasks that are in the list and that are not.
#[test]
fn a_dropped_runnable_cancels_its_task() {
    let _no_leak = NoLeak::new();
    let queue = Queue::new();
    let (drops, dropped) = Drops::new();
    let gate = Gate::default();
    let handles = [(); 2].map(|()| {
        let (drops, wait) = (drops.clone(), gate.wait());
        queue.spawn(async move {
            let _drops = drops;
            wait.await;
        })
    });
    assert!(queue.step()); // the first is idle, and listed
    gate.waker().wake();
    drop(queue.ready.lock().unwrap().drain(..).collect::<Vec<_>>());
    assert_eq!(dropped.load(SeqCst), 2);
    for handle in handles {
        assert!(ready(handle).unwrap_err().is_cancelled());
    }
    assert!(!queue.owned.is_empty());
    queue.owned.cancel_all_idle();
    assert!(queue.owned.is_empty());
}

#[test]
fn a_closed_list_cancels_at_the_first_pending() {
    let _no_leak = NoLeak::new();
    let queue = Queue::new();
    queue.owned.close();
    let handle = queue.spawn(pending::<()>());
    queue.run();
    assert!(ready(handle).unwrap_err().is_cancelled());
}

/// A thread-local's destructor wakes an idle task and drops a handle, after our own locals are gone.
#[test]
fn wakes_from_thread_local_destructors_work() {
    struct AtExit(Option<(Waker, JoinHandle<()>)>);
    impl Drop for AtExit {
        fn drop(&mut self) {
            let (waker, handle) = self.0.take().unwrap();
            waker.wake();
            handle.abort();
            assert_eq!(try_id(), None);
        }
    }
    thread_local!(static AT_EXIT: RefCell<Option<AtExit>> = const { RefCell::new(None) });
    let queue = Queue::new();
    let gate = Gate::default();
    let handle = queue.spawn(gate.wait());
    queue.run();
    let waker = gate.waker();
    let thread = thread::spawn(move || {
        AT_EXIT.set(Some(AtExit(Some((waker, handle)))));
    });
    thread.join().unwrap();
    assert_eq!(queue.scheduled.load(SeqCst), 1);
    queue.run();
    assert!(queue.owned.is_empty());
}

#[test]
fn errors_say_what_happened_and_where() {
    let queue = Queue::new();
    let (cancelled, panicked) =
        (queue.spawn(pending::<()>()), queue.spawn(async { panic!("x {}", 1) }));
    cancelled.abort();
    let id = cancelled.id();
    queue.run();
    let cancelled = ready(cancelled).unwrap_err();
    assert_eq!(cancelled.id(), id);
    assert!(cancelled.to_string().ends_with("was cancelled"), "{cancelled}");
    assert!(cancelled.to_string().starts_with("task spawned at src/task/tests.rs:"), "{cancelled}");
    assert!(format!("{cancelled:?}").starts_with("JoinError::Cancelled {"), "{cancelled:?}");
    let cancelled = cancelled.try_into_panic().map(|_| ()).unwrap_err();
    let gave_up = catch_unwind(AssertUnwindSafe(|| cancelled.into_panic()));
    assert!(gave_up.is_err());

    let panicked = ready(panicked).unwrap_err();
    assert!(panicked.to_string().ends_with("panicked: x 1"), "{panicked}");
    let error = io::Error::from(panicked);
    assert_eq!(error.kind(), io::ErrorKind::Other);
    let inner = error.into_inner().unwrap().downcast::<JoinError>().unwrap();
    assert!(inner.try_into_panic().is_ok());
    assert!(catch_unwind(super::id).is_err());
}

#[test]
fn cells_are_used_again_while_their_thread_keeps_them() {
    let queue = Queue::new();
    let run = |tasks: usize| {
        let tasks: Vec<_> = (0..tasks).map(|_| queue.spawn(value(()))).collect();
        queue.run();
        tasks.iter().map(JoinHandle::id).collect::<Vec<_>>()
    };
    run(1);
    assert_eq!(spare::kept(), 0, "who is no worker keeps nothing");

    keep_spares(200);
    run(5);
    let kept = spare::kept();
    assert!((100..=200).contains(&kept), "two cells, {kept} bytes");
    assert_eq!(run(1), run(1), "one task after the other, in the same cell");
    drop(queue.spawn(async { [0_u64; 9].map(std::hint::black_box) }));
    queue.run();
    assert_eq!(spare::kept(), kept, "there is no room for a larger one");

    keep_spares(0);
    assert_eq!(spare::kept(), 0);
    run(2);
    assert_eq!(spare::kept(), 0);
}

#[test]
fn wakers_that_come_and_go_inside_polls_are_counted_in_the_end() {
    let queue = Queue::new();
    let before = cell::live::cells();
    let kept: Arc<Mutex<Vec<Waker>>> = Arc::default();
    let wakers = kept.clone();
    let mut polls = 0;
    let task = queue.spawn(poll_fn(move |cx| {
        polls += 1;
        let mut wakers = wakers.lock().unwrap();
        match polls {
            // More than a poll may owe, and some that are gone before it ends.
            1 => wakers.resize_with(1 << 20 | 7, || cx.waker().clone()),
            2 => wakers.truncate(3),
            _ => return Poll::Ready(()),
        }
        drop(cx.waker().clone());
        cx.waker().wake_by_ref();
        Poll::Pending
    }));
    assert!(queue.step());
    assert_eq!(task.references(), 1 << 20 | 7);
    assert!(queue.step());
    assert_eq!(task.references(), 3);
    assert!(queue.step());
    assert_eq!(task.references(), 3);
    drop(task);
    let last = kept.lock().unwrap().pop();
    kept.lock().unwrap().clear();
    assert_eq!(cell::live::cells(), before + 1, "the last waker keeps the cell");
    drop(last);
    assert_eq!(cell::live::cells(), before);
}

#[test]
fn a_scheduler_wakes_its_own_tasks_by_itself_and_no_others() {
    let (queue, other) = (Queue::new(), Queue::new());
    let before = cell::live::cells();
    let waits = |of: &Arc<Queue>| {
        let stash: Arc<Mutex<Option<Waker>>> = Arc::default();
        let kept = stash.clone();
        let task = of.spawn(poll_fn(move |cx| {
            *kept.lock().unwrap() = Some(cx.waker().clone());
            Poll::<()>::Pending
        }));
        of.run();
        let waker = stash.lock().unwrap().take().unwrap();
        (task, stash, waker)
    };

    let (task, stash, waker_of_it) = waits(&queue);
    let again = waker_of_it.clone();
    let waker::Woken::Task(runnable) = waker::Woken::by(&queue, waker_of_it) else {
        panic!("a task of it")
    };
    assert!(
        matches!(waker::Woken::by(&queue, again), waker::Woken::Nothing),
        "it is woken already"
    );
    assert_eq!(task.references(), 0);
    assert!(runnable.run(&queue.owned, 1).settle().is_none(), "one poll for both");
    assert!(matches!(waker::Woken::by(&queue, Waker::noop().clone()), waker::Woken::Foreign(_)));
    assert!(matches!(waker::Woken::by(&other, waits(&queue).2), waker::Woken::Foreign(_)));

    let last = stash.lock().unwrap().take().unwrap();
    task.abort();
    drop(task);
    queue.shutdown();
    assert_eq!(cell::live::cells(), before + 1);
    assert!(matches!(waker::Woken::by(&queue, last), waker::Woken::Nothing));
    assert_eq!(cell::live::cells(), before, "the last waker of a task that has ended frees it");
}

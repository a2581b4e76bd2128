//! No runtime: what is left when everything is written by hand for this one purpose. The floor that
//! the others are measured from, and nothing that anybody should use: tasks that know only one
//! thread and have no handles to speak of, a pipe that is a mutex around a queue, and a mio loop for
//! sockets (`limit/sockets.rs`). Here is the task loop.

mod pipe;
mod sockets;

use super::bound::Bound;
use super::{Peer, Pipes};
use crate::cli::Plan;
use crate::workload::{messages, pipes, tasks};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::Future;
use std::mem::ManuallyDrop;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, RawWaker, RawWakerVTable, Waker};

pub fn run(workload: &str, plan: Plan) {
    tasks::run::<Limit>(workload, plan);
    messages::run::<Limit>(workload, plan);
    pipes::run::<Limit>(workload, plan);
    sockets::run(workload, plan);
}

pub struct Limit;

impl Peer for Limit {
    const THREADS: usize = 1;

    type Task = Bound<Task>;

    fn block_on<T: Send + 'static>(root: impl Future<Output = T> + Send + 'static) -> T {
        let output = Rc::new(Cell::new(None));
        let slot = Bound(output.clone());
        Self::spawn_detached(async move {
            let slot = slot;
            let output = root.await;
            slot.0.set(Some(output));
        });
        loop {
            if let Some(output) = output.take() {
                return output;
            }
            let next = READY.with_borrow_mut(VecDeque::pop_front);
            next.expect("a task is ready, there is nothing else to wait for").run();
        }
    }

    fn spawn(future: impl Future<Output = ()> + Send + 'static) -> Bound<Task> {
        Bound(Task(spawn(future)))
    }

    fn spawn_detached(future: impl Future<Output = ()> + Send + 'static) {
        spawn(future);
    }
}

impl Pipes for Limit {
    type Pipe = pipe::End;

    fn duplex(max_buf_size: usize) -> (pipe::End, pipe::End) {
        pipe::duplex(max_buf_size)
    }
}

thread_local! {
    static READY: RefCell<VecDeque<Rc<dyn Run>>> = const { RefCell::new(VecDeque::new()) };
}

fn spawn(future: impl Future<Output = ()> + 'static) -> Rc<dyn Run> {
    let task = Rc::new(Spawned {
        future: RefCell::new(Some(future)),
        queued: Cell::new(false),
        joiner: RefCell::new(None),
    });
    task.clone().enqueue();
    task
}

trait Run {
    fn run(self: Rc<Self>);

    /// Whether the task is done. Otherwise this waker is called when it is.
    fn join(&self, waker: &Waker) -> bool;
}

struct Spawned<F> {
    /// `None` when it is done.
    future: RefCell<Option<F>>,
    queued: Cell<bool>,
    joiner: RefCell<Option<Waker>>,
}

pub struct Task(Rc<dyn Run>);

impl Future for Task {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.0.join(cx.waker()) { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl<F: Future<Output = ()> + 'static> Run for Spawned<F> {
    fn run(self: Rc<Self>) {
        self.queued.set(false);
        // SAFETY: the vtable is that of a `Spawned<F>`, and the reference is given up only after the
        // waker was used for the last time; it is not dropped, so nothing is released twice.
        let waker = unsafe { Waker::from_raw(Self::raw(Rc::as_ptr(&self))) };
        let waker = ManuallyDrop::new(waker);
        let mut future = self.future.borrow_mut();
        let Some(running) = future.as_mut() else { return };
        // SAFETY: the future is in a cell on the heap, which is never moved, and is dropped there.
        let running = unsafe { Pin::new_unchecked(running) };
        if running.poll(&mut Context::from_waker(&waker)).is_ready() {
            *future = None;
            let joiner = self.joiner.borrow_mut().take();
            joiner.into_iter().for_each(Waker::wake);
        }
    }

    fn join(&self, waker: &Waker) -> bool {
        // A task that asks about itself would find it borrowed, but nobody does.
        if self.future.borrow().is_none() {
            return true;
        }
        *self.joiner.borrow_mut() = Some(waker.clone());
        false
    }
}

impl<F: Future<Output = ()> + 'static> Spawned<F> {
    const VTABLE: RawWakerVTable =
        RawWakerVTable::new(Self::clone, Self::wake, Self::wake_by_ref, Self::drop);

    fn enqueue(self: Rc<Self>) {
        if !self.queued.replace(true) {
            READY.with_borrow_mut(|ready| ready.push_back(self));
        }
    }

    fn raw(this: *const Self) -> RawWaker {
        RawWaker::new(this.cast(), &Self::VTABLE)
    }

    // Wakers of this loop stay on its thread: no workload that uses others is run on it.

    unsafe fn clone(this: *const ()) -> RawWaker {
        // SAFETY: `this` came from an `Rc` that the waker owns a reference of.
        unsafe { Rc::increment_strong_count(this.cast::<Self>()) };
        Self::raw(this.cast())
    }

    unsafe fn wake(this: *const ()) {
        // SAFETY: as above; the waker is used up, so this takes its reference.
        unsafe { Rc::from_raw(this.cast::<Self>()) }.enqueue();
    }

    unsafe fn wake_by_ref(this: *const ()) {
        // SAFETY: as above; the reference stays with the waker.
        let task = ManuallyDrop::new(unsafe { Rc::from_raw(this.cast::<Self>()) });
        if !task.queued.get() {
            Rc::clone(&task).enqueue();
        }
    }

    unsafe fn drop(this: *const ()) {
        // SAFETY: as above; the waker is dropped once.
        unsafe { Rc::decrement_strong_count(this.cast::<Self>()) };
    }
}

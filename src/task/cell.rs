//! The memory of a task: one allocation, its layout, and everything that depends on the future's type.
//!
//! ```text
//! Cell<F>   state 8 | vtable 8 | scheduler 8 | links 16 | join waker 16 | spawned at 8 | stage
//!           '------------------------- Header, 64 bytes ----------------------------'
//! stage     union of the future, its output, and a panic's payload (one word)
//! ```
//!
//! The alignment is the future's own, at least 8: a larger one would send every spawn past the
//! allocator's per-thread cache. A task with an empty future takes 72 bytes.
//!
//! What the stage holds is told by the state word: the future until `COMPLETE`; then what
//! [`Outcome`] says, until someone took it. When the cell is freed the stage is always empty.
//!
//! | field | who may touch it |
//! |---|---|
//! | `state` | everyone who has a reference, by the methods of `state.rs` |
//! | `vtable`, `spawned_at` | everyone, read only |
//! | `scheduler` | the holder of the run right of a task that is not complete; everyone, to compare |
//! | `links` | whoever holds the lock of the shard |
//! | `joiner` | the `JoinHandle`; whoever completes the task reads it if `JOIN_WAKER` |
//! | stage | the holder of the run right until `COMPLETE`, then the `JoinHandle` |
//!
//! Beyond [`allocate`] and the three functions in the [`VTable`] nothing is generic over the future,
//! so a spawn adds little code per future type. This is the only file of the module that looks into
//! memory (`list.rs` has one accessor); the others are safe code over [`TaskPtr`].
//!
//! The join waker is in two atomic words because the task reads it while the handle may be about to
//! write it again, and learns only afterwards, from the state word, whether what it has is a waker.

use std::alloc::{Layout, dealloc};
use std::future::Future;
use std::marker::PhantomData;
use std::mem::{ManuallyDrop, needs_drop, offset_of};
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::pin::Pin;
use std::ptr::{self, NonNull};
use std::sync::Mutex as StdMutex; // in a type only
use std::task::{Context, Poll, RawWakerVTable, Waker};

use super::error::Panic;
use super::list::Links;
use super::state::{Outcome, State};
use super::{Runnable, Schedule, spare, waker};
use crate::contain::contain;
use crate::sync::atomic::{AtomicPtr, Ordering::Relaxed};
use crate::sync::{Arc, UnsafeCell};

/// The part of a cell that does not depend on the future's type.
#[repr(C)]
pub(super) struct Header {
    pub(super) state: State,
    vtable: &'static VTable,
    scheduler: *const (),
    pub(super) links: UnsafeCell<Links>,
    joiner: [AtomicPtr<()>; 2],
    pub(super) spawned_at: &'static Location<'static>,
    /// Stands for the stage where its type is not known: loom checks accesses through this.
    stage: UnsafeCell<()>,
}

/// The size of the part that all cells have.
pub(super) const HEADER: usize = size_of::<Header>();

#[repr(C)]
struct Cell<F: Future> {
    header: Header,
    stage: Stage<F>,
}

#[repr(C)]
union Stage<F: Future> {
    future: ManuallyDrop<F>,
    output: ManuallyDrop<F::Output>,
    panic: ManuallyDrop<Panic>,
}

/// What differs between types of futures and schedulers. The functions are called through the
/// vtable of the cell that they get and in no other way; that is why they can trust its type.
struct VTable {
    poll: fn(TaskPtr, &mut Context<'_>) -> Polled,
    drop_stage: fn(TaskPtr, InStage),
    /// Whether the output has a destructor.
    drops_output: bool,
    schedule: fn(TaskPtr),
    layout: Layout,
    stage_offset: usize,
}

/// What a poll left in the stage.
pub(super) enum Polled {
    /// The future.
    Pending,
    /// The output.
    Ready,
    /// Nothing: the future panicked, or its destructor did.
    Panicked(Panic),
}

#[derive(Clone, Copy)]
enum InStage {
    Future,
    Output,
}

/// The address of a living cell.
///
/// It owns nothing and is copied freely inside this module. Whoever has one must know why the cell
/// lives: it holds the run right, the join right or a counted reference, or found it in a list under
/// the list's lock. `Runnable`, `TypedPtr` and `AbortHandle` are the owners that users see.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct TaskPtr(NonNull<Header>);

// SAFETY: what a `TaskPtr` leads to is shared by the table above; futures and outputs are `Send` by
// the bounds of `allocate`, wakers and payloads always are.
unsafe impl Send for TaskPtr {}
// SAFETY: as above; a `&TaskPtr` gives nothing that a copy of it does not.
unsafe impl Sync for TaskPtr {}

/// Makes a cell around `future`, with the run right and the join right given to the caller.
#[inline(always)] // see `future` below
pub(super) fn allocate<F, S>(
    future: F,
    scheduler: &Arc<S>,
    spawned_at: &'static Location<'static>,
) -> (TaskPtr, TypedPtr<F::Output>)
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
    S: Schedule,
{
    // Nothing drops the future if the allocation unwinds. So, once this is inlined, nobody needs its
    // address on the stack, and a future that is larger than the stack is built where it stays.
    let future = ManuallyDrop::new(future);
    let cell: *mut Cell<F> = match spare::take(Layout::new::<Cell<F>>()) {
        Some(cell) => cell.into_raw().cast(),
        None => Box::into_raw(Box::<Cell<F>>::new_uninit()).cast(),
    };
    let header = Header {
        state: State::new(),
        vtable: const { &VTable::of::<F, S>() },
        scheduler: Arc::as_ptr(scheduler).cast(),
        links: UnsafeCell::new(Links::default()),
        joiner: [AtomicPtr::new(ptr::null_mut()), AtomicPtr::new(ptr::null_mut())],
        spawned_at,
        stage: UnsafeCell::new(()),
    };
    // SAFETY: `cell` was allocated with room for both fields, is not null, and nobody else knows it.
    let header = unsafe {
        (&raw mut (*cell).stage.future).write(future);
        (&raw mut (*cell).header).write(header);
        NonNull::new_unchecked(cell.cast::<Header>())
    };
    #[cfg(test)]
    live::add(1);
    let typed = TypedPtr { tagged: TaskPtr(header), _output: PhantomData };
    (TaskPtr(header), typed)
}

impl VTable {
    const fn of<F: Future, S: Schedule>() -> Self {
        Self {
            poll: poll::<F>,
            drop_stage: drop_stage::<F>,
            drops_output: needs_drop::<F::Output>(),
            schedule: schedule::<S>,
            layout: Layout::new::<Cell<F>>(),
            stage_offset: offset_of!(Cell<F>, stage),
        }
    }
}

/// Polls the future once; if it is done, drops it and puts the output in its place.
fn poll<F: Future>(task: TaskPtr, cx: &mut Context<'_>) -> Polled {
    let stage = task.stage::<F>();
    // Holds the output while the future's destructor runs, outside of what is unwound if that
    // panics: an output that panics in turn would abort the process there.
    let mut output = None;
    let caught = catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: the caller holds the run right of a task that is not complete, so the stage holds a
        // future of this vtable's type, which nobody else touches and which never moves. It is dropped
        // here or, if its `poll` panicked, below. The stage has room and alignment for the output.
        task.touch_stage(|| unsafe {
            let Poll::Ready(value) = Pin::new_unchecked(&mut *stage).poll(cx) else {
                return Polled::Pending;
            };
            output = Some(value);
            ptr::drop_in_place(stage);
            if let Some(value) = output.take() {
                stage.cast::<F::Output>().write(value);
            }
            Polled::Ready
        })
    }));
    caught.unwrap_or_else(|payload| {
        contain(|| match output {
            Some(_) => drop(output), // the destructor panicked; the future counts as dropped
            None => drop_stage::<F>(task, InStage::Future),
        });
        Polled::Panicked(Panic::new(payload))
    })
}

/// Drops what the stage holds, which is what `what` says. May panic; the stage is empty then too.
fn drop_stage<F: Future>(task: TaskPtr, what: InStage) {
    task.touch_stage(|| {
        // SAFETY: the caller owns the stage and knows from the state word what it holds; the type is
        // this vtable's.
        unsafe {
            match what {
                InStage::Future => ptr::drop_in_place(task.stage::<F>()),
                InStage::Output => ptr::drop_in_place(task.stage::<F::Output>()),
            }
        }
    });
}

/// Hands the run right, which the caller has, to the scheduler.
fn schedule<S: Schedule>(task: TaskPtr) {
    // SAFETY: the pointer came from an `Arc<S>` in `allocate`, and the scheduler lives until all of
    // its tasks are complete, which this one is not while we have its run right.
    let scheduler =
        ManuallyDrop::new(unsafe { Arc::from_raw(task.header().scheduler.cast::<S>()) });
    S::schedule(&scheduler, Runnable::new(task));
}

impl TaskPtr {
    #[inline]
    pub(super) fn header(&self) -> &Header {
        // SAFETY: whoever has a `TaskPtr` knows why the cell lives; see the type.
        unsafe { self.0.as_ref() }
    }

    /// Polls the future, in this thread's name; never unwinds. The caller holds the run right.
    #[inline]
    pub(super) fn poll(self) -> Polled {
        // The run right keeps the cell, so this waker needs no reference of its own: it is only lent
        // to the future and never dropped. Clones of it are counted.
        let waker = ManuallyDrop::new(self.waker());
        (self.header().vtable.poll)(self, &mut Context::from_waker(&waker))
    }

    /// Drops the future; the payload if its destructor panicked. The caller holds the run right.
    pub(super) fn drop_future(self) -> Option<Panic> {
        let drop_stage = self.header().vtable.drop_stage;
        catch_unwind(AssertUnwindSafe(|| drop_stage(self, InStage::Future))).err().map(Panic::new)
    }

    /// Whether dropping what the stage holds runs code of the user.
    pub(super) fn has_to_drop(self, outcome: Outcome) -> bool {
        match outcome {
            Outcome::Nothing => false,
            Outcome::Value => self.header().vtable.drops_output,
            Outcome::Panic => true,
        }
    }

    /// Drops what the stage holds of a task that has nothing but that left; panics are contained.
    #[cold]
    pub(super) fn drop_outcome(self, outcome: Outcome) {
        match outcome {
            Outcome::Nothing => {}
            Outcome::Value => contain(|| (self.header().vtable.drop_stage)(self, InStage::Output)),
            Outcome::Panic => drop(self.take_panic()),
        }
    }

    /// Puts a payload into the empty stage, which the caller owns.
    pub(super) fn put_panic(self, panic: Panic) {
        // SAFETY: the stage is empty, and has room and alignment for a `Panic` in every `Cell`.
        self.touch_stage(|| unsafe { self.stage::<Panic>().write(panic) });
    }

    /// Takes the payload out of the stage, which the caller owns and the state word says to hold one.
    pub(super) fn take_panic(self) -> Panic {
        self.take_stage()
    }

    /// Puts a join waker into the slot, which holds none; called by the handle.
    #[inline]
    pub(super) fn put_joiner(self, waker: Waker) {
        let waker = ManuallyDrop::new(waker);
        let [data, vtable] = &self.header().joiner;
        // Ordering: Relaxed; `set_join_waker` publishes both.
        data.store(waker.data().cast_mut(), Relaxed);
        vtable.store(ptr::from_ref(waker.vtable()).cast_mut().cast(), Relaxed);
    }

    /// What the slot holds.
    #[inline]
    pub(super) fn joiner(self) -> Joiner {
        // Ordering: Relaxed; what it is worth is told by the state word, whose Acquire came before
        // this (`complete`), or the words are the caller's own (the handle).
        Joiner(self.header().joiner.each_ref().map(|word| word.load(Relaxed)))
    }

    /// The next in a list of spare cells.
    #[inline]
    pub(super) fn next_spare(self) -> Option<Self> {
        // Ordering: Relaxed here and below: lists belong to one thread.
        NonNull::new(self.header().joiner[0].load(Relaxed).cast()).map(Self)
    }

    #[inline]
    pub(super) fn set_next_spare(self, next: Option<Self>) {
        let next = next.map_or(ptr::null_mut(), Self::into_raw);
        self.header().joiner[0].store(next, Relaxed);
    }

    /// Whether that is the task's scheduler.
    #[inline]
    pub(super) fn is_of<S: Schedule>(self, scheduler: &Arc<S>) -> bool {
        ptr::addr_eq(self.header().scheduler, Arc::as_ptr(scheduler))
    }

    /// Gives the run right, which the caller has, to the scheduler.
    pub(super) fn schedule(self) {
        (self.header().vtable.schedule)(self);
    }

    /// Frees the cell; the caller was told so by a transition, and the stage is empty.
    #[inline]
    pub(super) fn free(self) {
        // Nothing, but for loom, which checks that whoever touched these is done.
        self.touch_stage(|| ());
        self.header().links.with_mut(|_| ());
        #[cfg(test)]
        live::add(-1);
        if !spare::put(self, self.layout()) {
            self.dealloc();
        }
    }

    /// Gives the memory back.
    pub(super) fn dealloc(self) {
        let layout = self.layout();
        // SAFETY: allocated in `allocate` by the global allocator with this layout; exactly one
        // transition says `Free`, nobody has an address of the cell after it, and a spare one is
        // taken out of its list before this.
        unsafe {
            ptr::drop_in_place(self.0.as_ptr()); // for loom: the fields have no destructors in production
            dealloc(self.0.as_ptr().cast(), layout);
        }
    }

    #[inline]
    pub(super) fn layout(self) -> Layout {
        self.header().vtable.layout
    }

    pub(super) fn addr(self) -> NonZeroUsize {
        self.0.addr()
    }

    pub(super) fn into_raw(self) -> *mut () {
        self.0.as_ptr().cast()
    }

    /// The inverse of [`into_raw`](Self::into_raw).
    #[inline]
    pub(super) fn from_raw(raw: *const ()) -> Self {
        Self(NonNull::new(raw.cast_mut().cast()).expect("a task's address is not null"))
    }

    /// A waker that counts for one reference once it is dropped or woken by value.
    #[inline]
    fn waker(self) -> Waker {
        // The functions of this vtable keep their contract for the address of any living cell.
        Joiner([self.into_raw(), ptr::from_ref(&waker::VTABLE).cast_mut().cast()]).into_waker()
    }

    /// Where the stage is, as a pointer to something in it.
    #[inline]
    fn stage<U>(self) -> *mut U {
        let offset = self.header().vtable.stage_offset;
        self.0.as_ptr().wrapping_byte_add(offset).cast()
    }

    /// Runs `f`, which works on the stage; loom checks that the caller is alone there.
    #[inline]
    fn touch_stage<R>(self, f: impl FnOnce() -> R) -> R {
        self.header().stage.with_mut(|_| f())
    }

    fn take_stage<U>(self) -> U {
        // SAFETY: both callers own the stage, know from the state word that it holds a `U`, and read
        // it once.
        self.touch_stage(|| unsafe { self.stage::<U>().read() })
    }
}

/// What was read from a join waker slot: a waker, or not.
#[derive(Clone, Copy)]
pub(super) struct Joiner([*mut (); 2]);

impl Joiner {
    #[inline]
    pub(super) fn will_wake(self, waker: &Waker) -> bool {
        self.0 == [waker.data().cast_mut(), ptr::from_ref(waker.vtable()).cast_mut().cast()]
    }

    /// Takes the waker, which the state word says to be there and the caller's.
    #[inline]
    pub(super) fn into_waker(self) -> Waker {
        let [data, vtable] = self.0;
        // SAFETY: `put_joiner` took a waker apart into these two, which the state word gave to one
        // taker, or they are the parts of a waker of ours; and a vtable is a `'static` reference.
        unsafe { Waker::new(data, &*vtable.cast_const().cast::<RawWakerVTable>()) }
    }
}

/// A [`Runnable`] as an address, for atomic slots. Here because this file may say `unsafe`.
impl Runnable {
    /// The address of the task; the run right goes with it.
    pub(crate) fn into_raw(self) -> *mut () {
        self.into_task().into_raw()
    }

    /// The inverse of [`into_raw`](Self::into_raw).
    ///
    /// # Safety
    ///
    /// `raw` came from `into_raw` and is given back once.
    pub(crate) unsafe fn from_raw(raw: *mut ()) -> Self {
        // SAFETY: what `into_raw` gives is not null.
        Self::new(TaskPtr(unsafe { NonNull::new_unchecked(raw.cast()) }))
    }
}

/// The join right: the address of a task whose output is a `T`.
///
/// Its lowest bit, which an address of a header never has, says that the output was taken, so that a
/// `JoinHandle` is one word.
pub(super) struct TypedPtr<T> {
    tagged: TaskPtr,
    _output: PhantomData<StdMutex<T>>, // `Send` and `Sync` if `T: Send`: outputs go through it by value
}

impl<T> TypedPtr<T> {
    const TAKEN: usize = 1;

    #[inline]
    pub(super) fn task(&self) -> TaskPtr {
        TaskPtr::from_raw(self.tagged.into_raw().map_addr(|addr| addr & !Self::TAKEN))
    }

    /// Whether the output was taken.
    #[inline]
    pub(super) fn is_taken(&self) -> bool {
        self.tagged.addr().get() & Self::TAKEN != 0
    }

    /// Takes what the task left, once, after it was seen complete with this `outcome`.
    #[inline]
    pub(super) fn take(&mut self, outcome: Outcome) -> Result<T, Option<Panic>> {
        assert!(!self.is_taken());
        let task = self.task();
        self.tagged = TaskPtr(task.0.map_addr(|addr| addr | Self::TAKEN));
        match outcome {
            Outcome::Value => Ok(task.take_stage()),
            Outcome::Panic => Err(Some(task.take_panic())),
            Outcome::Nothing => Err(None),
        }
    }
}

/// Counts the living cells of this thread; loom runs all threads of a model on one.
#[cfg(test)]
pub(super) mod live {
    std::thread_local!(static LIVE: std::cell::Cell<isize> = const { std::cell::Cell::new(0) });

    pub(super) fn add(n: isize) {
        LIVE.set(LIVE.get() + n);
    }

    pub(crate) fn cells() -> isize {
        LIVE.get()
    }
}

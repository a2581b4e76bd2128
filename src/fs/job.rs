//! An operation on a file, on a thread of the blocking pool: how its buffer gets there and back.
//!
//! ```text
//!   slot:  Waiting(buf) ─ a thread begins ─▶ Running ─▶ Done(buf, outcome) ─▶ the future takes it
//!              │                               │               │
//!          future dropped: the job         dropped: Left    dropped: as if it had never been,
//!          finds nothing to do                 │            but what a stream gave is kept
//!                                              └─▶ counted until it ends
//! ```
//!
//! The buffer is in the slot and not in the job, so that it comes back also from a job that is never
//! run because the runtime shuts down. What was left while it ran is counted in [`Shared`], and every
//! later operation waits until there is none: so a write whose future was dropped never overwrites a
//! later one.
//!
//! Locks: the slot's, then the one of what is left. Buffers are dropped and tasks woken outside.

use std::fs::File as StdFile;
use std::future::poll_fn;
use std::io::{self, Read, Result, Write};
use std::panic::{Location, resume_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

use crate::blocking::Pool;
use crate::coop;
use crate::io_core::OwnedBuf;
use crate::sync::{Arc, Mutex};
use crate::task::JoinHandle;
use crate::waiters::{Place, Waiters};

/// The most that one operation takes on, so that memory which is zeroed or copied for it is bounded.
pub(super) const LARGEST: usize = 2 << 20;

/// The most that is copied out of the page cache on the caller's thread: some 10 µs.
const AT_ONCE: usize = 128 << 10;

/// What a file is to its handle, to the futures of its operations and to their jobs.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) file: StdFile,
    pool: Arc<Pool>,
    /// How a position in it is meant.
    pub(super) access: Access,
    /// Whether asking the page cache is worth it.
    is_cached: AtomicBool,
    left: Mutex<Left>,
    /// Those who wait until nothing of what was left runs.
    waiters: Waiters,
}

/// How a file is read and written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// At any offset.
    Offset,
    /// As `Offset`, but everything is written at the end.
    Append,
    /// In order: a FIFO, a terminal, a socket.
    Stream,
}

/// What futures that were dropped have left behind.
#[derive(Debug, Default)]
struct Left {
    /// Operations that run.
    running: usize,
    /// What they have read from a stream.
    rest: Option<OwnedBuf>,
}

#[derive(Debug)]
enum Slot<T> {
    Waiting(OwnedBuf),
    Running,
    Done(OwnedBuf, Result<T>),
    /// The future was dropped while the job ran.
    Left,
    /// Nobody waits for anything here.
    Over,
}

impl Shared {
    pub(super) fn new(file: StdFile, pool: Arc<Pool>, access: Access) -> Self {
        Self {
            file,
            pool,
            access,
            is_cached: AtomicBool::new(access != Access::Stream),
            left: Mutex::default(),
            waiters: Waiters::new(),
        }
    }

    pub(super) fn pool(&self) -> &Arc<Pool> {
        &self.pool
    }

    /// Waits until nothing runs that was left behind.
    pub(super) async fn settled(&self) {
        struct Wait<'a>(&'a Waiters, Place);
        impl Drop for Wait<'_> {
            fn drop(&mut self) {
                self.0.leave(&mut self.1);
            }
        }
        if self.is_settled() {
            return;
        }
        let mut wait = Wait(&self.waiters, Place::default());
        poll_fn(|cx| {
            wait.0.register(&mut wait.1, cx.waker());
            if self.is_settled() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    fn is_settled(&self) -> bool {
        self.left.lock().running == 0
    }

    /// Reads at `offset` from the page cache, on this thread. `None` if a thread of the pool has to.
    pub(super) fn read_cached(&self, buf: &mut [u8], offset: u64) -> Option<usize> {
        // Ordering: Relaxed, it is a hint.
        if !self.is_cached.load(Ordering::Relaxed) {
            return None;
        }
        let len = buf.len().min(AT_ONCE);
        match read_cached(&self.file, &mut buf[..len], offset) {
            // Only the pool may say that this is the end: see `sys`.
            Ok(0) => None,
            Ok(n) => {
                coop::charge(n);
                Some(n)
            }
            Err(error) => {
                // Not by this kernel, this file system, or this sandbox. Of other errors the pool is
                // to say what they are, and that there is nothing in the cache may be otherwise next
                // time.
                if matches!(
                    error.kind(),
                    io::ErrorKind::Unsupported | io::ErrorKind::PermissionDenied
                ) {
                    // Ordering: Relaxed, it is a hint.
                    self.is_cached.store(false, Ordering::Relaxed);
                }
                None
            }
        }
    }

    /// As [`read_cached`](Self::read_cached), into a buffer with room.
    pub(super) fn read_cached_owned(&self, buf: &mut OwnedBuf, offset: u64) -> Option<usize> {
        // Ordering: Relaxed, it is a hint.
        if !self.is_cached.load(Ordering::Relaxed) {
            return None;
        }
        buf.lend(|mut cursor| {
            let mut cursor = cursor.limited(AT_ONCE);
            let n = self.read_cached(cursor.ensure_init().init_mut(), offset)?;
            cursor.advance_checked(n);
            Some(n)
        })
    }

    /// Lets `take` take from what a dropped read of a stream has read, if there is any.
    pub(super) fn with_rest<T>(&self, take: impl FnOnce(&mut OwnedBuf) -> T) -> Option<T> {
        let mut rest = self.left.lock().rest.take()?;
        let taken = take(&mut rest);
        if !rest.is_empty() {
            self.left.lock().rest = Some(rest);
        }
        Some(taken)
    }

    /// Runs `op` on the pool, without a buffer.
    pub(super) async fn run<T: Send + 'static>(
        self: &Arc<Self>,
        op: impl FnOnce(&StdFile) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let op = |file: &StdFile, _: &mut OwnedBuf| op(file);
        let nothing = OwnedBuf::with_capacity(0);
        Job::start(Arc::clone(self), nothing, op).finish().await.1
    }

    /// Fills the rest of `buf`, from `offset` if the file has such. Gives back how much that was.
    pub(super) async fn read(
        self: &Arc<Self>,
        buf: OwnedBuf,
        offset: u64,
    ) -> (OwnedBuf, Result<usize>) {
        let access = self.access;
        let op = move |mut file: &StdFile, buf: &mut OwnedBuf| {
            buf.lend(|mut cursor| {
                let mut cursor = cursor.limited(LARGEST);
                let memory = cursor.ensure_init().init_mut();
                let n = match access {
                    Access::Stream => file.read(memory)?,
                    Access::Offset | Access::Append => read_at(file, memory, offset)?,
                };
                cursor.advance_checked(n);
                Ok(n)
            })
        };
        Job::start(Arc::clone(self), buf, op).finish().await
    }

    /// Writes what is filled in `buf`, at `offset` if the file has such. Gives back how much that
    /// was and where it ended.
    pub(super) async fn write(
        self: &Arc<Self>,
        buf: OwnedBuf,
        offset: u64,
    ) -> (OwnedBuf, Result<(usize, u64)>) {
        let access = self.access;
        let op = move |mut file: &StdFile, buf: &mut OwnedBuf| match access {
            Access::Offset => {
                let n = write_at(file, buf.filled(), offset)?;
                Ok((n, offset.saturating_add(n as u64)))
            }
            Access::Append => {
                let n = file.write(buf.filled())?;
                Ok((n, io::Seek::stream_position(&mut file)?))
            }
            Access::Stream => Ok((file.write(buf.filled())?, 0)),
        };
        Job::start(Arc::clone(self), buf, op).finish().await
    }

    /// Something that was left is over.
    fn settle(&self, rest: Option<OwnedBuf>) {
        let mut left = self.left.lock();
        left.running -= 1;
        if rest.is_some() {
            // Nobody else has read meanwhile: they all wait for this.
            left.rest = rest;
        }
        drop(left);
        self.waiters.wake_all();
    }
}

/// An operation that was handed to the pool; see the head of this file.
struct Job<T> {
    shared: Arc<Shared>,
    slot: Arc<Mutex<Slot<T>>>,
    handle: JoinHandle<()>,
    /// How much was in the buffer.
    filled: usize,
}

impl<T: Send + 'static> Job<T> {
    fn start(
        shared: Arc<Shared>,
        buf: OwnedBuf,
        op: impl FnOnce(&StdFile, &mut OwnedBuf) -> Result<T> + Send + 'static,
    ) -> Self {
        let filled = buf.consumed() + buf.len();
        let slot = Arc::new(Mutex::new(Slot::Waiting(buf)));
        let on_thread = Running { shared: Arc::clone(&shared), slot: Arc::clone(&slot), filled };
        let handle = shared.pool.spawn(move || on_thread.run(op), Location::caller());
        Self { shared, slot, handle, filled }
    }

    async fn finish(mut self) -> (OwnedBuf, Result<T>) {
        let joined = (&mut self.handle).await;
        let slot = std::mem::replace(&mut *self.slot.lock(), Slot::Over);
        match (slot, joined) {
            (Slot::Done(buf, outcome), _) => (buf, outcome),
            (Slot::Waiting(buf), _) => (buf, Err(refused())),
            // Code of the user, in the memory that the buffer was made from, has panicked.
            (_, Err(error)) if error.is_panic() => resume_unwind(error.into_panic()),
            _ => unreachable!("a job that ran has left an outcome or panicked"),
        }
    }
}

impl<T> Drop for Job<T> {
    fn drop(&mut self) {
        let mut slot = self.slot.lock();
        if matches!(*slot, Slot::Running) {
            // Under the lock of the slot, so that the job does not end before it is counted.
            self.shared.left.lock().running += 1;
            *slot = Slot::Left;
            return;
        }
        let former = std::mem::replace(&mut *slot, Slot::Over);
        drop(slot);
        if let Slot::Done(buf, Ok(_)) = former {
            let rest = self.shared.rest_of(buf, self.filled);
            if rest.is_some() {
                self.shared.left.lock().rest = rest;
            }
        }
    }
}

impl Shared {
    /// What a read has filled in `buf` since there were `filled` bytes, if nobody can read it again.
    fn rest_of(&self, mut buf: OwnedBuf, filled: usize) -> Option<OwnedBuf> {
        buf.unconsume();
        buf.consume(filled);
        (self.access == Access::Stream && !buf.is_empty()).then_some(buf)
    }
}

/// The job's side.
struct Running<T> {
    shared: Arc<Shared>,
    slot: Arc<Mutex<Slot<T>>>,
    filled: usize,
}

impl<T> Running<T> {
    fn run(self, op: impl FnOnce(&StdFile, &mut OwnedBuf) -> Result<T>) {
        let mut slot = self.slot.lock();
        if !matches!(*slot, Slot::Waiting(_)) {
            return;
        }
        let Slot::Waiting(mut buf) = std::mem::replace(&mut *slot, Slot::Running) else {
            unreachable!("it was just looked at");
        };
        drop(slot);
        let unwinding = Unwinding(&self);
        let outcome = op(&self.shared.file, &mut buf);
        std::mem::forget(unwinding);
        self.end(Some((buf, outcome)));
    }

    fn end(&self, done: Option<(OwnedBuf, Result<T>)>) {
        let mut slot = self.slot.lock();
        let was_left = matches!(*slot, Slot::Left);
        if !was_left && let Some((buf, outcome)) = done {
            *slot = Slot::Done(buf, outcome);
            return;
        }
        *slot = Slot::Over;
        drop(slot);
        if was_left {
            let read = done.filter(|(_, outcome)| outcome.is_ok());
            self.shared.settle(read.and_then(|(buf, _)| self.shared.rest_of(buf, self.filled)));
        }
    }
}

/// Says that the job is over if it panics.
struct Unwinding<'a, T>(&'a Running<T>);

impl<T> Drop for Unwinding<'_, T> {
    fn drop(&mut self) {
        self.0.end(None);
    }
}

/// What an operation says that the pool did not take.
pub(super) fn refused() -> io::Error {
    io::Error::other("the runtime of this file has shut down, or has no thread for what blocks")
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn read_cached(file: &StdFile, buf: &mut [u8], offset: u64) -> Result<usize> {
    crate::sys::read_cached(std::os::fd::AsFd::as_fd(file), buf, offset)
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn read_cached(_: &StdFile, _: &mut [u8], _: u64) -> Result<usize> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(unix)]
use std::os::unix::fs::FileExt as _;

#[cfg(unix)]
fn read_at(file: &StdFile, buf: &mut [u8], offset: u64) -> Result<usize> {
    file.read_at(buf, offset)
}

#[cfg(unix)]
fn write_at(file: &StdFile, buf: &[u8], offset: u64) -> Result<usize> {
    file.write_at(buf, offset)
}

#[cfg(windows)]
use std::os::windows::fs::FileExt as _;

#[cfg(windows)]
fn read_at(file: &StdFile, buf: &mut [u8], offset: u64) -> Result<usize> {
    file.seek_read(buf, offset)
}

#[cfg(windows)]
fn write_at(file: &StdFile, buf: &[u8], offset: u64) -> Result<usize> {
    file.seek_write(buf, offset)
}

//! [`CancellationToken`]: one word that many tasks listen for.
//!
//! A token is a counted handle to a [`Node`], which has the flag and the waiters. Which node is whose
//! child is kept apart, in the [`Family`] that a root token begins (`token/family.rs`), behind one
//! lock that is taken to make a child, to let go of the last handle of one, and to cancel. Waiting
//! takes the lock of its own node only, looking takes none.
//!
//! ```text
//!   cancel:  family's lock: flags of the whole subtree set, nodes taken out ─▶ unlock
//!            ─▶ node by node: waiters taken ─▶ woken, with no lock held
//! ```

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use crate::coop;
use crate::sync::Arc;
use crate::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use crate::waiters::{Place, Waiters};

mod family;
#[cfg(all(test, loom))]
mod models;
#[cfg(all(test, not(loom)))]
mod tests;

use family::Family;

/// Tells any number of tasks, once and for ever, that they are to stop.
///
/// Clones are the same token. A [child](Self::child_token) is cancelled with its parent, but not the
/// other way round; trees may be as deep and as wide as they like. It needs no runtime.
///
/// ```
/// use runtime::task::CancellationToken;
///
/// # runtime::Runtime::new().unwrap().block_on(async {
/// let token = CancellationToken::new();
/// let connection = token.child_token();
/// let task = runtime::spawn(async move {
///     connection.cancelled().await;
///     "said goodbye"
/// });
/// token.cancel();
/// assert_eq!(task.await.unwrap(), "said goodbye");
/// # });
/// ```
pub struct CancellationToken {
    node: Arc<Node>,
}

/// What the clones of one token share.
struct Node {
    /// Written under the family's lock.
    cancelled: AtomicBool,
    waiters: Waiters,
    /// The tokens that are this node. The family holds the node, too, so `Arc` cannot count them.
    handles: AtomicUsize,
    family: Arc<Family>,
    /// The node's place in the family, until it is cancelled or has no handle any more.
    key: usize,
}

impl CancellationToken {
    /// A token of its own.
    ///
    /// ```
    /// let token = runtime::task::CancellationToken::new();
    /// assert!(!token.is_cancelled());
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self { node: Family::begin() }
    }

    /// A token that is cancelled with this one, or before it by itself. The child of a cancelled token
    /// is cancelled from the start.
    ///
    /// ```
    /// let parent = runtime::task::CancellationToken::new();
    /// let (one, other) = (parent.child_token(), parent.child_token());
    /// one.cancel();
    /// assert!(!parent.is_cancelled() && !other.is_cancelled());
    /// parent.cancel();
    /// assert!(other.is_cancelled());
    /// ```
    #[must_use]
    pub fn child_token(&self) -> Self {
        Self { node: Family::child(&self.node) }
    }

    /// Cancels this token and all its descendants, and wakes whoever waits for them. Once is enough.
    ///
    /// ```
    /// let token = runtime::task::CancellationToken::new();
    /// token.cancel();
    /// assert!(token.is_cancelled());
    /// ```
    #[inline]
    pub fn cancel(&self) {
        for node in Family::cancel(&self.node) {
            node.waiters.wake_all();
        }
    }

    /// Whether the token is cancelled.
    ///
    /// ```
    /// let token = runtime::task::CancellationToken::new();
    /// assert!(!token.is_cancelled());
    /// ```
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.node.is_cancelled()
    }

    /// Waits until the token is cancelled. It spends one unit of the task's [budget](super::coop) then.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future has no effect.
    ///
    /// ```
    /// # runtime::Runtime::new().unwrap().block_on(async {
    /// let token = runtime::task::CancellationToken::new();
    /// let clone = token.clone();
    /// runtime::spawn(async move { clone.cancel() });
    /// token.cancelled().await;
    /// # });
    /// ```
    pub fn cancelled(&self) -> Cancelled<'_> {
        Cancelled { token: self, place: Place::default() }
    }

    /// Runs `future` until the token is cancelled; `None` if that came first.
    ///
    /// The token is looked at before each poll of the future, which is dropped here and not polled
    /// again once the token is cancelled.
    ///
    /// # Cancel safety
    ///
    /// As cancel safe as the future; that is also what decides what is lost when the token is
    /// cancelled.
    ///
    /// ```
    /// # runtime::Runtime::new().unwrap().block_on(async {
    /// let token = runtime::task::CancellationToken::new();
    /// assert_eq!(token.run_until_cancelled(async { 1 }).await, Some(1));
    /// token.cancel();
    /// assert_eq!(token.run_until_cancelled(async { 1 }).await, None);
    /// # });
    /// ```
    pub async fn run_until_cancelled<F: Future>(&self, future: F) -> Option<F::Output> {
        let mut cancelled = self.cancelled();
        let mut future = pin!(future);
        poll_fn(|cx| match Pin::new(&mut cancelled).poll(cx) {
            Poll::Ready(()) => Poll::Ready(None),
            Poll::Pending if self.is_cancelled() => Poll::Pending, // the budget is spent
            Poll::Pending => future.as_mut().poll(cx).map(Some),
        })
        .await
    }

    /// Cancels the token when what this returns is dropped.
    ///
    /// ```
    /// let token = runtime::task::CancellationToken::new();
    /// let guard = token.clone().drop_guard();
    /// drop(guard);
    /// assert!(token.is_cancelled());
    /// ```
    pub fn drop_guard(self) -> DropGuard {
        DropGuard { token: Some(self) }
    }
}

impl Node {
    fn new(cancelled: bool, family: Arc<Family>, key: usize) -> Self {
        Self {
            cancelled: AtomicBool::new(cancelled),
            waiters: Waiters::default(),
            handles: AtomicUsize::new(1),
            family,
            key,
        }
    }

    fn is_cancelled(&self) -> bool {
        // Ordering: Acquire pairs with `set_cancelled`. Who has registered and asks then, sees the flag
        // if `cancel` missed the registration: both took the waiters' lock.
        self.cancelled.load(Ordering::Acquire)
    }

    /// The family's lock is held.
    fn set_cancelled(&self) {
        // Ordering: Release pairs with `is_cancelled`: who sees it sees what `cancel`'s caller did.
        self.cancelled.store(true, Ordering::Release);
    }
}

impl Clone for CancellationToken {
    fn clone(&self) -> Self {
        // Ordering: Relaxed, as in `Arc`: the count is not zero while there is `self`.
        self.node.handles.fetch_add(1, Ordering::Relaxed);
        Self { node: Arc::clone(&self.node) }
    }
}

impl Drop for CancellationToken {
    fn drop(&mut self) {
        // Ordering: Relaxed: what follows is ordered by the family's lock, memory by `Arc`.
        if self.node.handles.fetch_sub(1, Ordering::Relaxed) == 1 {
            Family::leave(&self.node);
        }
    }
}

impl Default for CancellationToken {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for CancellationToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CancellationToken")
            .field("cancelled", &self.is_cancelled())
            .finish_non_exhaustive()
    }
}

/// The future of [`CancellationToken::cancelled`].
#[must_use = "a `Cancelled` does nothing unless it is awaited"]
#[derive(Debug)]
pub struct Cancelled<'a> {
    token: &'a CancellationToken,
    place: Place,
}

impl Future for Cancelled<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        ready!(coop::gate(cx));
        let Self { token, place } = &mut *self;
        if !token.is_cancelled() {
            token.node.waiters.register(place, cx.waker());
            if !token.is_cancelled() {
                return Poll::Pending;
            }
        }
        token.node.waiters.leave(place);
        coop::charge(0);
        Poll::Ready(())
    }
}

impl Drop for Cancelled<'_> {
    fn drop(&mut self) {
        self.token.node.waiters.leave(&mut self.place);
    }
}

/// Cancels a token when dropped; made by [`CancellationToken::drop_guard`].
#[must_use = "the token is cancelled when the guard is dropped"]
#[derive(Debug)]
pub struct DropGuard {
    token: Option<CancellationToken>,
}

impl DropGuard {
    /// Gives the token back, and does not cancel it.
    ///
    /// ```
    /// let token = runtime::task::CancellationToken::new();
    /// let guard = token.drop_guard();
    /// assert!(!guard.disarm().is_cancelled());
    /// ```
    pub fn disarm(mut self) -> CancellationToken {
        self.token.take().expect("there until it is dropped")
    }
}

impl Drop for DropGuard {
    fn drop(&mut self) {
        if let Some(token) = &self.token {
            token.cancel();
        }
    }
}

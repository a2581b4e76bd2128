//! The cooperative budget: how a task that always has something to do lets its neighbours run.
//!
//! Every poll of a task starts with [`LIMIT`] units. The *leaves* (a socket's registration, a pipe,
//! a timer, a `JoinHandle`) are the only ones that know of it, in two steps:
//!
//! 1. [`gate`], before the operation: with no unit left the task is asked to be polled again and
//!    the leaf returns `Pending`. Nothing is charged.
//! 2. [`charge`], after an operation that *completed*: one unit and another for every 16 KiB moved,
//!    so that the budget bounds time and not only calls. It never refuses.
//!
//! An operation that returns `Pending` or `WouldBlock` charges nothing, so there is nothing to give
//! back. Outside a task there is no budget and both steps do nothing.
//!
//! The budget is the task's, not the future's: where one task polls several futures in a fixed order,
//! one that is always ready can spend all of it, and a leaf behind it (a `sleep` in a biased
//! `select!`, say) then waits for its turn in vain. The task as a whole still gives way. Ask the
//! timer first, or use [`timeout`](crate::time::timeout), which looks at the clock outside the budget.
//!
//! With a leaf operation of cost *c*, a neighbour on the same worker waits at most about 128 *c*.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::{Context, Poll, ready};

/// Units that a task may spend in one poll (tokio's number, which its users have tuned for years).
const LIMIT: i64 = 128;

/// No budget applies: so much is never spent, [`LIMIT`] at a time, and charging it costs less than
/// asking.
const UNLIMITED: i64 = i64::MAX / 2;

std::thread_local! {
    // Not behind the loom switch: models run without a budget.
    static BUDGET: Cell<i64> = const { Cell::new(UNLIMITED) };
}

/// What is left of a budget, or by how much it was exceeded; the executor moves it in and out around
/// a poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Budget(i64);

impl Budget {
    /// What a poll starts with.
    pub(crate) const FULL: Self = Self(LIMIT);
    /// What code outside a task has.
    pub(crate) const NONE: Self = Self(UNLIMITED);

    /// What the next task of a run-next chain starts with: one unit less, so that a chain ends;
    /// nothing if none is left.
    #[inline]
    pub(crate) fn inherit(self) -> Option<Self> {
        (self.0 > 0).then_some(Self(self.0 - 1))
    }

    /// Whether a poll that leaves this was ended by the budget, or may as well have been.
    #[inline]
    pub(crate) fn is_spent(self) -> bool {
        self.0 <= 0
    }

    /// Puts this budget in force on the calling thread and returns the one that was.
    #[inline]
    pub(crate) fn replace(self) -> Self {
        Self(BUDGET.replace(self.0))
    }
}

/// Lets a leaf operation pass, or, with an empty budget, asks for another poll and says `Pending`.
#[inline]
pub(crate) fn gate(cx: &mut Context<'_>) -> Poll<()> {
    if has_budget_remaining() { Poll::Ready(()) } else { give_way(cx) }
}

#[cold]
fn give_way(cx: &mut Context<'_>) -> Poll<()> {
    cx.waker().wake_by_ref();
    Poll::Pending
}

/// Charges a leaf operation that completed and moved `bytes` bytes.
#[inline]
pub(crate) fn charge(bytes: usize) {
    let more = (bytes >> 14).min(LIMIT as usize - 1);
    BUDGET.set(BUDGET.get() - 1 - more as i64);
}

/// What is left, for [`charge_if_nothing_was`].
#[inline]
pub(crate) fn left() -> Budget {
    Budget(BUDGET.get())
}

/// Charges an operation that completed one unit, unless something was charged since `before`.
#[inline]
pub(crate) fn charge_if_nothing_was(before: Budget) {
    if left() == before {
        charge(0);
    }
}

/// Whether the current task may go on without giving way to others.
///
/// `true` outside a task and inside [`unconstrained`].
///
/// ```
/// assert!(runtime::task::coop::has_budget_remaining());
/// ```
#[inline]
pub fn has_budget_remaining() -> bool {
    BUDGET.get() > 0
}

/// Spends one unit, after giving way to other tasks if none is left.
///
/// For loops that compute and never wait: one call a round makes them good neighbours.
///
/// # Cancel safety
///
/// Dropping the future spends nothing.
///
/// ```
/// # async fn example(numbers: &[u64]) -> u64 {
/// let mut sum = 0_u64;
/// for number in numbers {
///     sum = sum.wrapping_add(*number);
///     runtime::task::coop::consume_budget().await;
/// }
/// sum
/// # }
/// ```
pub async fn consume_budget() {
    poll_fn(|cx| {
        let passed = gate(cx);
        if passed.is_ready() {
            charge(0);
        }
        passed
    })
    .await
}

/// The gate for leaves outside this crate: `Pending` (with another poll requested) if the budget is
/// spent, else a ticket that charges one unit once the operation [made
/// progress](RestoreOnPending::made_progress).
///
/// ```
/// use std::task::{Context, Poll, ready};
///
/// fn poll_pop(queue: &mut Vec<u8>, cx: &mut Context<'_>) -> Poll<u8> {
///     let ticket = ready!(runtime::task::coop::poll_proceed(cx));
///     match queue.pop() {
///         Some(byte) => {
///             ticket.made_progress();
///             Poll::Ready(byte)
///         }
///         None => Poll::Pending, // after storing the waker
///     }
/// }
/// ```
pub fn poll_proceed(cx: &mut Context<'_>) -> Poll<RestoreOnPending> {
    gate(cx).map(|()| RestoreOnPending(()))
}

/// What [`poll_proceed`] gives; dropped without [`made_progress`](Self::made_progress) it charges
/// nothing.
#[must_use = "without `made_progress` the operation is free of charge"]
#[derive(Debug)]
pub struct RestoreOnPending(());

impl RestoreOnPending {
    /// Charges one unit for an operation that completed.
    pub fn made_progress(self) {
        charge(0);
    }

    /// Charges an operation that completed and moved `bytes` bytes: one unit, and another for every
    /// 16 KiB, so that the budget bounds time and not only calls.
    ///
    /// ```
    /// use std::task::{Context, Poll, ready};
    ///
    /// fn poll_copy(from: &mut &[u8], to: &mut Vec<u8>, cx: &mut Context<'_>) -> Poll<usize> {
    ///     let ticket = ready!(runtime::task::coop::poll_proceed(cx));
    ///     let moved = from.len().min(1 << 20);
    ///     to.extend_from_slice(&from[..moved]);
    ///     *from = &from[moved..];
    ///     ticket.made_progress_with(moved);
    ///     Poll::Ready(moved)
    /// }
    /// ```
    pub fn made_progress_with(self, bytes: usize) {
        charge(bytes);
    }
}

/// Runs `future` outside the budget: leaves in it never give way on their own.
///
/// The rest of the task keeps its budget. Use it where latency inside one task matters more than
/// its neighbours', and where every wait is bounded by other means.
///
/// ```
/// # async fn example() {
/// runtime::task::coop::unconstrained(async {
///     assert!(runtime::task::coop::has_budget_remaining());
/// })
/// .await;
/// # }
/// ```
pub async fn unconstrained<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    poll_fn(|cx| {
        let _restore = Restore(Budget::NONE.replace());
        future.as_mut().poll(cx)
    })
    .await
}

/// Makes any future a leaf: gated by the budget before each poll, charged one unit when it is ready.
///
/// For futures that know nothing of this budget, such as other crates' channels.
///
/// ```
/// # async fn example(channel: impl Future<Output = u8>) -> u8 {
/// runtime::task::coop::cooperative(channel).await
/// # }
/// ```
pub async fn cooperative<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    poll_fn(|cx| {
        ready!(gate(cx));
        let polled = future.as_mut().poll(cx);
        if polled.is_ready() {
            charge(0);
        }
        polled
    })
    .await
}

/// Puts a budget back in force, also when the code between panics.
struct Restore(Budget);

impl Drop for Restore {
    fn drop(&mut self) {
        self.0.replace();
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::task::Waker;

    fn cx() -> Context<'static> {
        Context::from_waker(Waker::noop())
    }

    #[test]
    fn a_budget_is_spent_by_operations_and_bytes_and_then_the_gate_closes() {
        let _restore = Restore(Budget::FULL.replace());
        for _ in 0..64 {
            assert!(gate(&mut cx()).is_ready());
            charge(0);
        }
        charge(63 << 14);
        assert!(gate(&mut cx()).is_pending());
        assert!(!has_budget_remaining());
        charge(usize::MAX);
        assert!(!has_budget_remaining());
    }

    #[test]
    fn outside_a_task_nothing_is_ever_spent() {
        for _ in 0..10_000 {
            charge(1 << 20);
        }
        assert!(gate(&mut cx()).is_ready());
    }

    #[test]
    fn unconstrained_restores_the_budget_also_after_a_panic() {
        let _restore = Restore(Budget::FULL.replace());
        let mut panics = pin!(unconstrained(async { panic!("on purpose") }));
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _ = panics.as_mut().poll(&mut cx());
        }));
        assert!(caught.is_err());
        assert_eq!(Budget::FULL.replace(), Budget::FULL);
    }
}

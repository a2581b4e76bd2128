//! Giving way.

use std::future::{Future, poll_fn};
use std::task::Poll;

/// Lets the other tasks run: the current one goes to the back of its queue.
///
/// Works under any executor: it wakes itself and is `Pending` once.
///
/// # Cancel safety
///
/// Nothing is lost by dropping it.
///
/// ```
/// # async fn example() {
/// while !std::path::Path::new("ready").exists() {
///     runtime::task::yield_now().await;
/// }
/// # }
/// ```
pub fn yield_now() -> impl Future<Output = ()> {
    let mut yielded = false;
    // One byte; an `async fn` around this would be three words.
    poll_fn(move |cx| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
}

//! Giving way.

use std::future::poll_fn;
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
pub async fn yield_now() {
    let mut yielded = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await
}

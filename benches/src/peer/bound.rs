//! Asserts that what is bound to one thread is `Send`, for peers that have only one.

use std::pin::Pin;
use std::task::{Context, Poll};

/// Must stay on the thread that made it.
///
/// Peers that run on one thread never move a future or a stream to another, but the traits of this
/// crate ask for `Send` because others do. Workloads hand over to foreign threads only handles of
/// [`super::Foreign`] and wakers, never a task or a stream.
pub struct Bound<T>(pub T);

// SAFETY: the peers that use this run on one thread, and nothing that they get is moved to another
// (see above).
unsafe impl<T> Send for Bound<T> {}

impl<F: Future + Unpin> Future for Bound<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        Pin::new(&mut self.0).poll(cx)
    }
}

/// As [`Bound`], for a future of any kind.
#[cfg(feature = "peers")]
pub fn bound<F: Future>(future: F) -> impl Future<Output = F::Output> + Send {
    struct Pinned<F>(F);

    // SAFETY: as for `Bound`.
    unsafe impl<F> Send for Pinned<F> {}

    impl<F: Future> Future for Pinned<F> {
        type Output = F::Output;

        fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
            // SAFETY: the field is pinned because the whole is; it is moved nowhere.
            unsafe { self.map_unchecked_mut(|this| &mut this.0) }.poll(cx)
        }
    }

    Pinned(future)
}

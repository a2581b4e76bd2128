//! Feature `hyper`: the traits of `hyper::rt`, that is streams, an executor and a timer for hyper 1.

use std::future::Future;
use std::io::{IoSlice, Result};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant as StdInstant};

use hyper::rt::{Executor, Read, ReadBuf, ReadBufCursor, Sleep, Timer};

use super::foreign::{PollStream, foreign_stream};
use super::{every_stream, poll_flush, poll_read_with, poll_shutdown};
use super::{poll_write, poll_write_vectored};
use crate::runtime::Handle;
use crate::time_core::{self as time, Instant};

macro_rules! hyper_io {
    ([$($generics:tt)*] Stream $ty:ty) => {
        hyper_io!([$($generics)*] Read $ty);
        hyper_io!([$($generics)*] Write $ty);
    };
    ([$($generics:tt)*] Read $ty:ty) => {
        impl<$($generics)*> Read for $ty {
            #[inline]
            fn poll_read(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                mut buf: ReadBufCursor<'_>,
            ) -> Poll<Result<()>> {
                // Nothing says what of it is initialized.
                poll_read_with(self.get_mut(), cx, buf.remaining(), |bytes| buf.put_slice(bytes))
            }
        }
    };
    ([$($generics:tt)*] Write $ty:ty) => {
        impl<$($generics)*> hyper::rt::Write for $ty {
            #[inline]
            fn poll_write(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buf: &[u8],
            ) -> Poll<Result<usize>> {
                poll_write(self.get_mut(), cx, buf)
            }

            #[inline]
            fn poll_write_vectored(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                bufs: &[IoSlice<'_>],
            ) -> Poll<Result<usize>> {
                poll_write_vectored(self.get_mut(), cx, bufs)
            }

            #[inline]
            fn is_write_vectored(&self) -> bool {
                crate::io_core::Write::is_write_vectored(self)
            }

            #[inline]
            fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
                poll_flush(self.get_mut(), cx)
            }

            #[inline]
            fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
                poll_shutdown(self.get_mut(), cx)
            }
        }
    };
    ([$($generics:tt)*] BufRead $ty:ty) => {}; // hyper knows none
}

every_stream!(hyper_io);

foreign_stream!(FromHyper, [Read + hyper::rt::Write + Unpin + Send], "hyper");

impl<S: Read + hyper::rt::Write + Unpin + Send> PollStream for Side<S> {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<Result<usize>> {
        let mut buf = ReadBuf::new(buf);
        ready!(Pin::new(&mut self.0).poll_read(cx, buf.unfilled()))?;
        Poll::Ready(Ok(buf.filled().len()))
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// Starts hyper's tasks (the streams of an HTTP/2 connection, say) on a runtime.
///
/// ```
/// # runtime::Runtime::new().unwrap().block_on(async {
/// use hyper::rt::Executor;
/// use runtime::compat::HyperExecutor;
///
/// let (sender, receiver) = futures::channel::oneshot::channel();
/// HyperExecutor::current().execute(async move { sender.send("ran").unwrap() });
/// assert_eq!(receiver.await, Ok("ran"));
/// # });
/// ```
#[derive(Clone, Debug)]
pub struct HyperExecutor(Handle);

impl HyperExecutor {
    /// On this runtime. After its shutdown hyper's tasks are dropped at once.
    pub const fn new(handle: Handle) -> Self {
        Self(handle)
    }

    /// On the current runtime.
    ///
    /// # Panics
    ///
    /// Outside a runtime.
    #[track_caller]
    pub fn current() -> Self {
        Self(Handle::current())
    }
}

impl<F> Executor<F> for HyperExecutor
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, future: F) {
        drop(self.0.spawn(future));
    }
}

/// Tells hyper the time, by the clock of the runtime that it is used in (also when that is
/// [paused](crate::time::pause)).
///
/// Give it to every `Builder` of hyper's: without a timer the limit on how long a request's header may
/// take is silently off, and a timeout that was set panics.
///
/// # Panics
///
/// Its `sleep` and `sleep_until` panic outside a runtime.
///
/// ```
/// # runtime::Runtime::new().unwrap().block_on(async {
/// use hyper::rt::Timer;
/// use runtime::compat::HyperTimer;
/// use std::time::Duration;
///
/// let before = HyperTimer.now();
/// HyperTimer.sleep(Duration::from_millis(5)).await;
/// assert!(HyperTimer.now() - before >= Duration::from_millis(5));
/// # });
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct HyperTimer;

impl Timer for HyperTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        Box::pin(HyperSleep(time::sleep(duration)))
    }

    fn sleep_until(&self, deadline: StdInstant) -> Pin<Box<dyn Sleep>> {
        Box::pin(HyperSleep(time::sleep_until(deadline.into())))
    }

    fn now(&self) -> StdInstant {
        Instant::now().into_std()
    }

    fn reset(&self, sleep: &mut Pin<Box<dyn Sleep>>, deadline: StdInstant) {
        match sleep.as_mut().downcast_mut_pin::<HyperSleep>() {
            // In its place: a connection does this for every request.
            Some(sleep) => sleep.get_mut().0.reset(deadline.into()),
            None => *sleep = self.sleep_until(deadline),
        }
    }
}

struct HyperSleep(time::Sleep);

impl Future for HyperSleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.0).poll(cx)
    }
}

impl Sleep for HyperSleep {}

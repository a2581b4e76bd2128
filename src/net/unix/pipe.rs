//! Pipes of the operating system: [`pipe`], [`Sender`] and [`Receiver`], also around the standard
//! streams of child processes.
//!
//! For pipes between tasks see [`runtime::pipe`](crate::pipe), which need no descriptor.

use std::fmt;
use std::future::poll_fn;
use std::io::{self, IoSlice, Read as _, Write as _};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::fs::FileTypeExt;
use std::task::{Context, Poll, ready};

use mio::unix::pipe as mio_pipe;

use crate::coop;
use crate::driver::check;
use crate::io_core::{
    BorrowedBuf, BorrowedCursor, Interest, NonBlocking, Readiness, Ready, ReadyRead, ReadyWrite,
    leaf_io,
};
use crate::net::evented::{self, Evented};
use crate::net::socket::one_call;

/// Makes a pipe. What is written to the sender is read from the receiver.
///
/// # Errors
///
/// Those of the operating system; outside a runtime.
///
/// ```
/// use runtime::io::{Read, Write};
/// use runtime::net::unix::pipe;
///
/// #[runtime::main]
/// async fn main() -> std::io::Result<()> {
///     let (mut sender, mut receiver) = pipe::pipe()?;
///     sender.write_all(b"hello").await?;
///     sender.shutdown().await?;
///     let mut text = String::new();
///     receiver.read_to_string(&mut text).await?;
///     assert_eq!(text, "hello");
///     Ok(())
/// }
/// ```
#[inline]
pub fn pipe() -> io::Result<(Sender, Receiver)> {
    let (sender, receiver) = mio_pipe::new()?;
    Ok((Sender::new(sender)?, Receiver::new(receiver)?))
}

/// The writing end of a pipe: a [`Write`](crate::io::Write), also through shared references.
///
/// Shutting it down and dropping it are the same, the descriptor is closed; the receiver reads the end
/// when all senders are gone. Writing to a pipe that nobody can read any more is `BrokenPipe`; in a
/// process that does not ignore `SIGPIPE`, as programs in Rust do, it raises that. Through a reference
/// a shutdown is `Unsupported`: the descriptor is the owner's to close.
pub struct Sender {
    /// `None` after a shutdown: there is no other way to say the end to the reader.
    io: Option<Evented<mio_pipe::Sender>>,
}

/// The reading end of a pipe: a [`Read`](crate::io::Read), also through shared references.
///
/// ```
/// # #[runtime::main]
/// # async fn main() -> std::io::Result<()> {
/// use runtime::io::Read;
/// use runtime::net::unix::pipe::Receiver;
/// use std::process::{Command, Stdio};
///
/// let mut child = Command::new("echo").arg("hello").stdout(Stdio::piped()).spawn()?;
/// let mut output = Receiver::from_owned_fd(child.stdout.take().expect("it is piped"))?;
/// let mut text = String::new();
/// output.read_to_string(&mut text).await?;
/// assert_eq!(text, "hello\n");
/// child.wait()?;
/// # Ok(()) }
/// ```
pub struct Receiver {
    io: Evented<mio_pipe::Receiver>,
}

impl Sender {
    #[inline]
    fn new(io: mio_pipe::Sender) -> io::Result<Self> {
        Ok(Self { io: Some(Evented::new(io, Interest::WRITE, evented::current()?)?) })
    }

    /// Takes the writing end of a pipe, such as a child's standard input, and makes it non-blocking
    /// (for everybody who has a duplicate of the descriptor).
    ///
    /// # Errors
    ///
    /// `InvalidInput` if it is no pipe; outside a runtime; those of the operating system. The
    /// descriptor is closed then.
    pub fn from_owned_fd(fd: impl Into<OwnedFd>) -> io::Result<Self> {
        let io = mio_pipe::Sender::from(a_pipe(fd.into())?);
        io.set_nonblocking(true)?;
        Self::new(io)
    }

    /// Takes it out of the runtime, as the descriptor that it is: non-blocking.
    ///
    /// # Errors
    ///
    /// `BrokenPipe` if it was shut down; those of the operating system.
    #[inline]
    pub fn into_nonblocking_fd(self) -> io::Result<OwnedFd> {
        let io = self.io.ok_or(io::ErrorKind::BrokenPipe)?;
        io.into_inner().map(Into::into)
    }

    /// Takes it out of the runtime and makes it blocking, which is what a child process expects.
    ///
    /// # Errors
    ///
    /// As [`into_nonblocking_fd`](Self::into_nonblocking_fd).
    #[inline]
    pub fn into_blocking_fd(self) -> io::Result<OwnedFd> {
        let io = self.io.ok_or(io::ErrorKind::BrokenPipe)?.into_inner()?;
        io.set_nonblocking(false)?;
        Ok(io.into())
    }

    /// Waits until there is room to write, or writing would fail.
    ///
    /// # Errors
    ///
    /// After the shutdown of the runtime.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn writable(&self) -> io::Result<()> {
        match &self.io {
            Some(io) => io.registration().ready(Interest::WRITE).await.map(drop),
            None => {
                coop::consume_budget().await;
                Ok(())
            }
        }
    }

    /// Writes without waiting, as much as there is room for.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if it is not known to be ready: wait for [`writable`](Self::writable).
    /// `BrokenPipe` if nobody can read any more, or after a shutdown.
    #[inline]
    pub fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
        let io = self.open()?;
        let wanted = Some(buf.len());
        io.registration()
            .try_stream_io(Interest::WRITE, wanted, || (&**io).write(buf))?
            .into_result()
    }

    /// Writes without waiting from several buffers.
    ///
    /// # Errors
    ///
    /// As [`try_write`](Self::try_write).
    #[inline]
    pub fn try_write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        let io = self.open()?;
        let (bufs, wanted) = one_call(bufs);
        io.registration()
            .try_stream_io(Interest::WRITE, Some(wanted), || (&**io).write_vectored(bufs))?
            .into_result()
    }

    #[inline]
    fn open(&self) -> io::Result<&Evented<mio_pipe::Sender>> {
        let io = self.io.as_ref();
        io.ok_or_else(|| {
            coop::charge(0);
            io::ErrorKind::BrokenPipe.into()
        })
    }
}

impl Receiver {
    #[inline]
    fn new(io: mio_pipe::Receiver) -> io::Result<Self> {
        Ok(Self { io: Evented::new(io, Interest::READ, evented::current()?)? })
    }

    /// Takes the reading end of a pipe, such as a child's standard output, and makes it non-blocking
    /// (for everybody who has a duplicate of the descriptor).
    ///
    /// # Errors
    ///
    /// `InvalidInput` if it is no pipe; outside a runtime; those of the operating system. The
    /// descriptor is closed then.
    pub fn from_owned_fd(fd: impl Into<OwnedFd>) -> io::Result<Self> {
        let io = mio_pipe::Receiver::from(a_pipe(fd.into())?);
        io.set_nonblocking(true)?;
        Self::new(io)
    }

    /// Takes it out of the runtime, as the descriptor that it is: non-blocking.
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    #[inline]
    pub fn into_nonblocking_fd(self) -> io::Result<OwnedFd> {
        self.io.into_inner().map(Into::into)
    }

    /// Takes it out of the runtime and makes it blocking, which is what a child process expects.
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    #[inline]
    pub fn into_blocking_fd(self) -> io::Result<OwnedFd> {
        let io = self.io.into_inner()?;
        io.set_nonblocking(false)?;
        Ok(io.into())
    }

    /// Waits until there is something to read, the end included.
    ///
    /// # Errors
    ///
    /// After the shutdown of the runtime.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn readable(&self) -> io::Result<()> {
        self.io.registration().ready(Interest::READ).await.map(drop)
    }

    /// Reads without waiting. `Ok(0)` is the end, or an empty `buf`.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if it is not known to be ready: wait for [`readable`](Self::readable). Else
    /// those of the operating system.
    #[inline]
    pub fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.try_read_buf(BorrowedBuf::from(buf).unfilled())
    }

    /// Reads without waiting into memory that need not be initialized (and is, before: no safe call
    /// reads a pipe without that).
    ///
    /// # Errors
    ///
    /// As [`try_read`](Self::try_read).
    #[inline]
    pub fn try_read_buf(&self, mut buf: BorrowedCursor<'_>) -> io::Result<usize> {
        if buf.capacity() == 0 {
            coop::charge(0);
            return Ok(0);
        }
        let op = || {
            let count = (&*self.io).read(buf.ensure_init().init_mut())?;
            buf.advance_checked(count);
            Ok(count)
        };
        // A short count says nothing: a pipe may keep the messages that it was given apart.
        self.io.registration().try_io(Interest::READ, op, |count| *count)
    }
}

/// Only a pipe works as one; a file or a terminal would be read and written by other rules.
fn a_pipe(fd: OwnedFd) -> io::Result<OwnedFd> {
    let file = std::fs::File::from(fd);
    if !file.metadata()?.file_type().is_fifo() {
        let text = "the descriptor is not that of a pipe";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    }
    Ok(file.into())
}

/// The traits for something that leads to a sender. `more` is how its waits end.
macro_rules! writes {
    ([$($generics:tt)*] $ty:ty, $poll:ident, |$this:ident| $shutdown:expr, { $($more:tt)* }) => {
        impl<$($generics)*> Ready for $ty {
            #[inline]
            fn poll_ready(
                &mut self,
                cx: &mut Context<'_>,
                interest: Interest,
            ) -> Poll<io::Result<Readiness>> {
                check(interest, Interest::WRITE)?;
                match &self.io {
                    Some(io) => io.registration().$poll(cx, interest),
                    None => {
                        ready!(coop::gate(cx));
                        Poll::Ready(Ok(SHUT_DOWN))
                    }
                }
            }

            $($more)*
        }

        impl<$($generics)*> ReadyWrite for $ty {
            #[inline]
            fn non_blocking_write(&mut self, buf: &[u8]) -> io::Result<NonBlocking<usize>> {
                NonBlocking::from_result(self.try_write(buf))
            }

            #[inline]
            fn non_blocking_write_vectored(
                &mut self,
                bufs: &[IoSlice<'_>],
            ) -> io::Result<NonBlocking<usize>> {
                NonBlocking::from_result(self.try_write_vectored(bufs))
            }

            #[inline]
            fn non_blocking_flush(&mut self) -> io::Result<NonBlocking<()>> {
                coop::charge(0);
                Ok(NonBlocking::Ready(()))
            }

            #[inline]
            fn non_blocking_shutdown(&mut self) -> io::Result<NonBlocking<()>> {
                coop::charge(0);
                let $this = self;
                $shutdown
            }
        }

        leaf_io!(vectored impl [$($generics)*] Write for $ty);
    };
}

/// The same for a receiver.
macro_rules! reads {
    ([$($generics:tt)*] $ty:ty, $poll:ident, { $($more:tt)* }) => {
        impl<$($generics)*> Ready for $ty {
            #[inline]
            fn poll_ready(
                &mut self,
                cx: &mut Context<'_>,
                interest: Interest,
            ) -> Poll<io::Result<Readiness>> {
                check(interest, Interest::READ)?;
                self.io.registration().$poll(cx, interest)
            }

            $($more)*
        }

        impl<$($generics)*> ReadyRead for $ty {
            #[inline]
            fn non_blocking_read(&mut self, buf: BorrowedCursor<'_>) -> io::Result<NonBlocking<()>> {
                NonBlocking::from_result(self.try_read_buf(buf).map(drop))
            }
        }

        leaf_io!(impl [$($generics)*] Read for $ty);
    };
}

/// What a sender that was shut down says: a write would not wait, it fails.
const SHUT_DOWN: Readiness = Readiness::WRITE.and(Readiness::HUP);

writes!([] Sender, poll_ready, |this| {
    this.io = None;
    Ok(NonBlocking::Ready(()))
}, {
    #[inline]
    fn stop_waiting(&mut self, interest: Interest) {
        if let Some(io) = &self.io {
            io.registration().stop_waiting(interest);
        }
    }
});
// Any number of tasks may write through references. The descriptor is its owner's, so none of them can
// close it: shutting down is `Unsupported` there.
writes!(['a] &'a Sender, poll_ready_shared, |_this| {
    let text = "a pipe's sender is shut down by its owner, and not through a reference";
    Err(io::Error::new(io::ErrorKind::Unsupported, text))
}, {
    #[inline]
    fn ready(
        &mut self,
        interest: Interest,
    ) -> impl Future<Output = io::Result<Readiness>> + Send {
        let this = *self;
        async move {
            match &this.io {
                Some(io) => io.registration().ready(interest).within(Interest::WRITE).await,
                None => poll_fn(|cx| Ready::poll_ready(&mut &*this, cx, interest)).await,
            }
        }
    }
});
reads!([] Receiver, poll_ready, {
    #[inline]
    fn stop_waiting(&mut self, interest: Interest) {
        self.io.registration().stop_waiting(interest);
    }
});
reads!(['a] &'a Receiver, poll_ready_shared, {
    #[inline]
    fn ready(
        &mut self,
        interest: Interest,
    ) -> impl Future<Output = io::Result<Readiness>> + Send {
        self.io.registration().ready(interest).within(Interest::READ)
    }
});

/// # Panics
///
/// If it was shut down: its descriptor is closed then.
impl AsFd for Sender {
    #[inline]
    fn as_fd(&self) -> BorrowedFd<'_> {
        let io = self.io.as_ref();
        io.expect("a pipe's sender that was shut down has no descriptor any more").as_fd()
    }
}

/// # Panics
///
/// If it was shut down: its descriptor is closed then.
impl AsRawFd for Sender {
    #[inline]
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

impl AsFd for Receiver {
    #[inline]
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.io.as_fd()
    }
}

impl AsRawFd for Receiver {
    #[inline]
    fn as_raw_fd(&self) -> RawFd {
        self.io.as_raw_fd()
    }
}

impl fmt::Debug for Sender {
    #[inline]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Sender").field(&self.io).finish()
    }
}

impl fmt::Debug for Receiver {
    #[inline]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Receiver").field(&self.io).finish()
    }
}

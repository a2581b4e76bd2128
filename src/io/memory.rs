//! Readers and writers in memory: slices, `Vec<u8>`, `Cursor`, and `empty`, `sink`, `repeat`.
//!
//! All of them are always ready. So they are leaves: each asks the budget when it is waited for and
//! charges it for what it moved, or a loop over one of them would never give way.

use std::io::{Cursor, Error, ErrorKind, IoSlice, Result};
use std::task::{Context, Poll, ready};

use super::read::total;
use super::{
    BorrowedCursor, BorrowedSliceCursor, Interest, NonBlocking, Readiness, Ready, ReadyBufRead,
    ReadyRead, ReadyWrite, leaf_io,
};
use crate::coop;

/// Implements `Ready` for types that never wait: what is asked for is there, if it is within
/// `$answers`.
macro_rules! always_ready {
    ($([$($generics:tt)*] $ty:ty: $answers:expr;)+) => {$(
        impl<$($generics)*> Ready for $ty {
            fn poll_ready(
                &mut self,
                cx: &mut Context<'_>,
                interest: Interest,
            ) -> Poll<Result<Readiness>> {
                poll_always(cx, interest, $answers)
            }
        }
    )+};
}

always_ready! {
    [] &[u8]: Readiness::READ;
    // Also of what it cannot write to, for which there is no `Write`.
    [T: AsRef<[u8]> + Send] Cursor<T>: Readiness::READ | Readiness::WRITE;
    [] Empty: Readiness::READ | Readiness::WRITE;
    [] Repeat: Readiness::READ;
    [] Vec<u8>: Readiness::WRITE;
    [] &mut [u8]: Readiness::WRITE;
    [] Sink: Readiness::WRITE;
}

leaf_io!(vectored impl Read for &[u8]);
leaf_io!(impl BufRead for &[u8]);
leaf_io!(vectored impl [T: AsRef<[u8]> + Send] Read for Cursor<T>);
leaf_io!(impl [T: AsRef<[u8]> + Send] BufRead for Cursor<T>);
leaf_io!(vectored impl Stream for Empty);
leaf_io!(impl BufRead for Empty);
leaf_io!(vectored impl Read for Repeat);
leaf_io!(vectored impl Write for Vec<u8>);
leaf_io!(vectored impl Write for Sink);
leaf_io!(vectored impl Write for &mut [u8]);
leaf_io!(vectored impl Write for Cursor<&mut [u8]>);
leaf_io!(vectored impl Write for Cursor<Box<[u8]>>);
leaf_io!(vectored impl [const N: usize] Write for Cursor<[u8; N]>);
leaf_io!(vectored impl Write for Cursor<Vec<u8>>);
leaf_io!(vectored impl Write for Cursor<&mut Vec<u8>>);

fn poll_always(
    cx: &mut Context<'_>,
    interest: Interest,
    answers: Readiness,
) -> Poll<Result<Readiness>> {
    ready!(coop::gate(cx));
    let wanted = Readiness::from(interest);
    if wanted & answers == wanted {
        return Poll::Ready(Ok(wanted));
    }
    coop::charge(0); // or a task that asks again and again would never let its neighbours run
    let text = "what is in memory has no such direction, and no urgent data";
    Poll::Ready(Err(Error::new(ErrorKind::InvalidInput, text)))
}

/// Reads from the front of the slice, which becomes what is left.
impl ReadyRead for &[u8] {
    #[inline]
    fn non_blocking_read(&mut self, mut buf: BorrowedCursor<'_>) -> Result<NonBlocking<()>> {
        let n = buf.append_some(self);
        *self = &self[n..];
        coop::charge(n);
        Ok(NonBlocking::Ready(()))
    }

    #[inline]
    fn non_blocking_read_vectored(
        &mut self,
        mut bufs: BorrowedSliceCursor<'_>,
    ) -> Result<NonBlocking<usize>> {
        let n = bufs.append_some(self);
        *self = &self[n..];
        coop::charge(n);
        Ok(NonBlocking::Ready(n))
    }
}

impl ReadyBufRead for &[u8] {
    #[inline]
    fn non_blocking_fill(&mut self) -> Result<NonBlocking<()>> {
        coop::charge(0);
        Ok(NonBlocking::Ready(()))
    }

    fn buffer(&self) -> &[u8] {
        self
    }

    fn consume_buffer(&mut self, n: usize) {
        assert!(n <= self.len(), "more bytes were consumed than there are");
        *self = &self[n..];
        coop::charge(n);
    }
}

/// Reads from the cursor's position on; a position behind the end is the end.
impl<T: AsRef<[u8]> + Send> ReadyRead for Cursor<T> {
    #[inline]
    fn non_blocking_read(&mut self, mut buf: BorrowedCursor<'_>) -> Result<NonBlocking<()>> {
        let n = buf.append_some(self.buffer());
        self.consume_buffer(n);
        Ok(NonBlocking::Ready(()))
    }

    #[inline]
    fn non_blocking_read_vectored(
        &mut self,
        mut bufs: BorrowedSliceCursor<'_>,
    ) -> Result<NonBlocking<usize>> {
        let n = bufs.append_some(self.buffer());
        self.consume_buffer(n);
        Ok(NonBlocking::Ready(n))
    }
}

impl<T: AsRef<[u8]> + Send> ReadyBufRead for Cursor<T> {
    #[inline]
    fn non_blocking_fill(&mut self) -> Result<NonBlocking<()>> {
        coop::charge(0);
        Ok(NonBlocking::Ready(()))
    }

    fn buffer(&self) -> &[u8] {
        let bytes = self.get_ref().as_ref();
        let at = usize::try_from(self.position()).unwrap_or(usize::MAX).min(bytes.len());
        &bytes[at..]
    }

    fn consume_buffer(&mut self, n: usize) {
        assert!(n <= self.buffer().len(), "more bytes were consumed than there are");
        self.set_position(self.position() + n as u64);
        coop::charge(n);
    }
}

/// Appends.
impl ReadyWrite for Vec<u8> {
    #[inline]
    fn non_blocking_write(&mut self, buf: &[u8]) -> Result<NonBlocking<usize>> {
        self.try_reserve(buf.len())?;
        self.extend_from_slice(buf);
        coop::charge(buf.len());
        Ok(NonBlocking::Ready(buf.len()))
    }

    #[inline]
    fn non_blocking_write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> Result<NonBlocking<usize>> {
        let len = total(bufs);
        self.try_reserve(len)?;
        bufs.iter().for_each(|buf| self.extend_from_slice(buf));
        coop::charge(len);
        Ok(NonBlocking::Ready(len))
    }

    #[inline]
    fn non_blocking_flush(&mut self) -> Result<NonBlocking<()>> {
        coop::charge(0);
        Ok(NonBlocking::Ready(()))
    }

    #[inline]
    fn non_blocking_shutdown(&mut self) -> Result<NonBlocking<()>> {
        coop::charge(0);
        Ok(NonBlocking::Ready(()))
    }
}

/// Implements `ReadyWrite` by the standard library's `Write`, which in memory is non-blocking as well.
macro_rules! writes_as_std {
    ($([$($generics:tt)*] $ty:ty: $prepare:expr;)+) => {$(
        impl<$($generics)*> ReadyWrite for $ty {
            #[inline]
            fn non_blocking_write(&mut self, buf: &[u8]) -> Result<NonBlocking<usize>> {
                self.non_blocking_write_vectored(&[IoSlice::new(buf)])
            }

            #[inline]
            fn non_blocking_write_vectored(
                &mut self,
                bufs: &[IoSlice<'_>],
            ) -> Result<NonBlocking<usize>> {
                let len = total(bufs);
                let gap = if len == 0 { 0 } else { $prepare(self, len)? };
                let n = if len == 0 { 0 } else { std::io::Write::write_vectored(self, bufs)? };
                coop::charge(n.saturating_add(gap));
                Ok(NonBlocking::Ready(n))
            }

            #[inline]
            fn non_blocking_flush(&mut self) -> Result<NonBlocking<()>> {
                coop::charge(0);
                Ok(NonBlocking::Ready(()))
            }

            #[inline]
            fn non_blocking_shutdown(&mut self) -> Result<NonBlocking<()>> {
                coop::charge(0);
                Ok(NonBlocking::Ready(()))
            }
        }
    )+};
}

// What does not grow takes what fits, over what is there; a slice becomes what is left of it.
// Vectors grow, and a gap before the position is filled with zeroes.
writes_as_std! {
    [] &mut [u8]: takes_what_fits;
    [] Cursor<&mut [u8]>: takes_what_fits;
    [] Cursor<Box<[u8]>>: takes_what_fits;
    [const N: usize] Cursor<[u8; N]>: takes_what_fits;
    [] Cursor<Vec<u8>>: |this: &mut Self, len| make_room(this.position(), this.get_mut(), len);
    [] Cursor<&mut Vec<u8>>: |this: &mut Self, len| make_room(this.position(), this.get_mut(), len);
}

fn takes_what_fits<T>(_: &mut T, _: usize) -> Result<usize> {
    Ok(0)
}

/// Makes room for so many bytes, where the standard library would abort if there is none; says how
/// many zeroes go before them.
fn make_room(position: u64, vec: &mut Vec<u8>, len: usize) -> Result<usize> {
    let at = usize::try_from(position).map_err(|_| ErrorKind::OutOfMemory)?;
    let end = at.checked_add(len).ok_or(ErrorKind::OutOfMemory)?;
    vec.try_reserve(end.saturating_sub(vec.len()))?;
    Ok(at.saturating_sub(vec.len()))
}

/// A stream that has ended and takes whatever is written; made by [`empty`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Empty(());

/// Makes a stream that has ended: reading says so, and whatever is written is forgotten.
///
/// ```
/// # futures::executor::block_on(async {
/// use runtime::io::Read;
///
/// assert_eq!(runtime::io::empty().read(&mut [0; 8]).await?, 0);
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub fn empty() -> Empty {
    Empty(())
}

impl ReadyRead for Empty {
    #[inline]
    fn non_blocking_read(&mut self, _: BorrowedCursor<'_>) -> Result<NonBlocking<()>> {
        coop::charge(0);
        Ok(NonBlocking::Ready(()))
    }
}

impl ReadyBufRead for Empty {
    #[inline]
    fn non_blocking_fill(&mut self) -> Result<NonBlocking<()>> {
        coop::charge(0);
        Ok(NonBlocking::Ready(()))
    }

    fn buffer(&self) -> &[u8] {
        &[]
    }

    fn consume_buffer(&mut self, n: usize) {
        assert!(n == 0, "more bytes were consumed than there are");
    }
}

/// A writer that forgets whatever is written; made by [`sink`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Sink(());

/// Makes a writer that forgets whatever is written.
///
/// ```
/// # futures::executor::block_on(async {
/// use runtime::io::Write;
///
/// runtime::io::sink().write_all(b"into the void").await?;
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub fn sink() -> Sink {
    Sink(())
}

macro_rules! forgets_writes {
    ($($ty:ty),+) => {$(
        impl ReadyWrite for $ty {
            #[inline]
            fn non_blocking_write(&mut self, buf: &[u8]) -> Result<NonBlocking<usize>> {
                coop::charge(0);
                Ok(NonBlocking::Ready(buf.len()))
            }

            #[inline]
            fn non_blocking_write_vectored(
                &mut self,
                bufs: &[IoSlice<'_>],
            ) -> Result<NonBlocking<usize>> {
                coop::charge(0);
                Ok(NonBlocking::Ready(total(bufs)))
            }

            #[inline]
            fn non_blocking_flush(&mut self) -> Result<NonBlocking<()>> {
                coop::charge(0);
                Ok(NonBlocking::Ready(()))
            }

            #[inline]
            fn non_blocking_shutdown(&mut self) -> Result<NonBlocking<()>> {
                coop::charge(0);
                Ok(NonBlocking::Ready(()))
            }
        }
    )+};
}

forgets_writes!(Sink, Empty);

/// A reader of one byte without end; made by [`repeat`].
#[derive(Clone, Copy, Debug)]
pub struct Repeat(u8);

/// Makes a reader of `byte` without end.
///
/// ```
/// # futures::executor::block_on(async {
/// use runtime::io::Read;
///
/// let mut buf = [0; 3];
/// runtime::io::repeat(7).read_exact(&mut buf).await?;
/// assert_eq!(buf, [7; 3]);
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub fn repeat(byte: u8) -> Repeat {
    Repeat(byte)
}

impl Repeat {
    #[inline]
    fn fill(self, buf: &mut BorrowedCursor<'_>) {
        let n = buf.capacity();
        buf.ensure_init().init_mut().fill(self.0);
        buf.advance_checked(n);
    }
}

impl ReadyRead for Repeat {
    #[inline]
    fn non_blocking_read(&mut self, mut buf: BorrowedCursor<'_>) -> Result<NonBlocking<()>> {
        coop::charge(buf.capacity());
        self.fill(&mut buf);
        Ok(NonBlocking::Ready(()))
    }

    #[inline]
    fn non_blocking_read_vectored(
        &mut self,
        mut bufs: BorrowedSliceCursor<'_>,
    ) -> Result<NonBlocking<usize>> {
        let n = bufs.capacity();
        while let Some(mut buf) = bufs.first_unfilled() {
            self.fill(&mut buf);
        }
        coop::charge(n);
        Ok(NonBlocking::Ready(n))
    }
}

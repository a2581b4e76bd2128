//! [`OwnedCursor`]: the right to append to an [`OwnedBuf`].

use std::fmt;
use std::io;
use std::mem::MaybeUninit;

use super::{Memory, OwnedBuf};

/// The right to append to an [`OwnedBuf`]; it never looks back at what is filled already.
///
/// Use [`reborrow`](Self::reborrow) to keep it when it is passed on.
///
/// ```
/// use runtime::io::OwnedBuf;
///
/// let mut buf = OwnedBuf::with_capacity(8);
/// let mut cursor = buf.unfilled();
/// cursor.reborrow().append(b"ab");
/// cursor.ensure_init().init_mut()[..3].copy_from_slice(b"cde");
/// cursor.advance_checked(3);
/// assert_eq!((cursor.written(), cursor.capacity()), (5, 3));
/// assert_eq!(buf.filled(), b"abcde");
/// ```
pub struct OwnedCursor<'buf> {
    buf: &'buf mut OwnedBuf,
    /// What was filled when the cursor (or the one it was reborrowed from) was made.
    start: usize,
}

impl<'buf> OwnedCursor<'buf> {
    pub(super) fn new(buf: &'buf mut OwnedBuf) -> Self {
        Self { start: buf.filled, buf }
    }

    /// A cursor with a shorter life; [`written`](Self::written) goes on counting.
    pub fn reborrow(&mut self) -> OwnedCursor<'_> {
        OwnedCursor { buf: self.buf, start: self.start }
    }

    /// How many more bytes fit: the buffer's [`room`](OwnedBuf::room).
    pub fn capacity(&self) -> usize {
        self.buf.room()
    }

    /// How many bytes were filled through this cursor, those it was reborrowed from and those
    /// reborrowed from it.
    pub fn written(&self) -> usize {
        self.buf.filled - self.start
    }

    /// The part that is not filled but initialized.
    pub fn init_ref(&self) -> &[u8] {
        &self.buf.memory.init()[self.buf.filled..self.init_end()]
    }

    /// The part that is not filled but initialized; fill it and [`advance_checked`].
    ///
    /// [`advance_checked`]: Self::advance_checked
    pub fn init_mut(&mut self) -> &mut [u8] {
        let (from, to) = (self.buf.filled, self.init_end());
        &mut self.buf.memory.init_mut()[from..to]
    }

    /// The part behind [`init_mut`](Self::init_mut).
    pub fn uninit_mut(&mut self) -> &mut [MaybeUninit<u8>] {
        let len = self.buf.limit - self.init_end();
        match &mut self.buf.memory {
            Memory::Vec(vec) => &mut vec.spare_capacity_mut()[..len],
            Memory::Bytes(bytes) => &mut bytes.spare_capacity_mut()[..len],
            Memory::Owner { .. } => &mut [],
        }
    }

    /// Everything that is not filled, initialized or not.
    ///
    /// The buffer forgets how much of it is initialized; [`set_init`](Self::set_init) and
    /// [`advance`](Self::advance) say it again.
    ///
    /// # Safety
    ///
    /// No initialized byte may be made uninitialized.
    pub unsafe fn as_mut(&mut self) -> &mut [MaybeUninit<u8>] {
        let (filled, room) = (self.buf.filled, self.buf.room());
        // SAFETY: our caller promises what this asks for.
        unsafe { self.buf.memory.lend(filled, room).into_memory() }
    }

    /// Zeroes what is not initialized, so that [`init_mut`](Self::init_mut) is everything.
    pub fn ensure_init(&mut self) -> &mut Self {
        self.buf.lend(|mut cursor| _ = cursor.ensure_init());
        self
    }

    /// Counts the next `n` bytes, which are initialized, as filled.
    ///
    /// # Panics
    ///
    /// If fewer than `n` bytes of the rest are initialized.
    #[track_caller]
    pub fn advance_checked(&mut self, n: usize) -> &mut Self {
        assert!(
            n <= self.init_ref().len(),
            "more bytes were declared read than were initialized in the buffer"
        );
        self.buf.filled += n;
        self
    }

    /// Counts the next `n` bytes as filled (and initialized).
    ///
    /// # Safety
    ///
    /// They must be initialized.
    ///
    /// # Panics
    ///
    /// If `n` is more than fits.
    #[track_caller]
    pub unsafe fn advance(&mut self, n: usize) -> &mut Self {
        assert!(n <= self.capacity(), "more bytes were declared read than fit the buffer");
        self.buf.mark_init(self.buf.filled + n);
        self.buf.filled += n;
        self
    }

    /// Declares the next `n` bytes initialized.
    ///
    /// # Safety
    ///
    /// They must be.
    ///
    /// # Panics
    ///
    /// If `n` is more than fits.
    #[track_caller]
    pub unsafe fn set_init(&mut self, n: usize) -> &mut Self {
        assert!(n <= self.capacity(), "more bytes were declared initialized than fit the buffer");
        self.buf.mark_init(self.buf.filled + n);
        self
    }

    /// Copies all of `bytes` in.
    ///
    /// # Panics
    ///
    /// If they do not fit.
    #[track_caller]
    pub fn append(&mut self, bytes: &[u8]) {
        assert!(bytes.len() <= self.capacity(), "more bytes were appended than fit the buffer");
        self.append_some(bytes);
    }

    /// Copies all of `bytes` in, or nothing.
    ///
    /// # Errors
    ///
    /// `WriteZero` if they do not fit.
    ///
    /// ```
    /// use runtime::io::OwnedBuf;
    ///
    /// let mut buf = OwnedBuf::with_capacity(4);
    /// assert!(buf.unfilled().try_append(b"five!").is_err());
    /// buf.unfilled().try_append(b"four")?;
    /// assert_eq!(buf.filled(), b"four");
    /// # std::io::Result::Ok(())
    /// ```
    pub fn try_append(&mut self, bytes: &[u8]) -> io::Result<()> {
        if bytes.len() > self.capacity() {
            return Err(io::ErrorKind::WriteZero.into());
        }
        self.append_some(bytes);
        Ok(())
    }

    /// Copies in as much of `bytes` as fits and says how much that was.
    pub fn append_some(&mut self, bytes: &[u8]) -> usize {
        self.buf.lend(|mut cursor| cursor.append_some(bytes))
    }

    /// Where the initialized part of what may be filled ends.
    fn init_end(&self) -> usize {
        self.buf.init_len().min(self.buf.limit)
    }
}

/// Writes what fits; `Ok(0)` when it is full.
impl io::Write for OwnedCursor<'_> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        Ok(self.append_some(buf))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Debug for OwnedCursor<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnedCursor")
            .field("written", &self.written())
            .field("capacity", &self.capacity())
            .finish()
    }
}

//! Borrowed buffers over memory that need not be initialized.
//!
//! [`BorrowedBuf`] is the memory with two marks: `filled` (bytes that were read) and `init` (bytes
//! that were ever written), `filled <= init <= capacity`. [`BorrowedCursor`] is the right to append
//! to one; [`BorrowedSliceCursor`] the right to append to several in order. Names follow the
//! standard library's own unstable types, so that they can become re-exports one day.
//!
//! Besides `owned_buf.rs` the only file of `io` with unsafe code. What it rests on:
//! * Everything below `init` is initialized. Safe methods can only raise `init` over bytes they
//!   have written; the methods that are told a number are `unsafe` or check it.
//! * A cursor borrows the memory and the marks of one buffer, and never lets go of one without the
//!   other: nothing hands the marks out and nothing replaces the memory. So whoever made the buffer
//!   can believe its `len()` whatever a foreign `read_buf` did with the cursor (kept, swapped or
//!   dropped it), and never needs the count that such an implementation returns.

use std::array;
use std::fmt;
use std::io;
use std::mem::{MaybeUninit, transmute};

use super::Read;

/// How many buffers a vectored operation looks at; more are a legal partial operation.
pub(crate) const MAX_SLICES: usize = 16;

/// A borrowed byte buffer which is filled from the front and may be uninitialized behind that.
///
/// Make one from `&mut [u8]` or `&mut [MaybeUninit<u8>]` (a stack array, a `Vec`'s
/// [`spare_capacity_mut`](Vec::spare_capacity_mut), a page of a pool), pass
/// [`unfilled()`](Self::unfilled) to whoever reads, then look at [`filled()`](Self::filled).
///
/// ```
/// use runtime::io::BorrowedBuf;
/// use std::mem::MaybeUninit;
///
/// let mut memory = [MaybeUninit::uninit(); 16];
/// let mut buf = BorrowedBuf::from(&mut memory[..]);
/// buf.unfilled().append(b"hello");
/// assert_eq!(buf.filled(), b"hello");
/// assert_eq!((buf.len(), buf.init_len(), buf.capacity()), (5, 5, 16));
/// ```
pub struct BorrowedBuf<'data> {
    buf: &'data mut [MaybeUninit<u8>],
    marks: Marks,
}

/// What is known of the memory. Apart from it, so that a cursor can borrow the two side by side:
/// behind one `&mut BorrowedBuf` the lifetime of the memory could not be shortened.
#[derive(Default)]
struct Marks {
    filled: usize,
    init: usize,
}

impl<'data> From<&'data mut [u8]> for BorrowedBuf<'data> {
    /// A buffer that is empty and initialized throughout.
    #[inline]
    fn from(slice: &'data mut [u8]) -> Self {
        let init = slice.len();
        // SAFETY: the layouts are equal, and no safe method of this file writes an uninitialized
        // byte below `init`, which is all of the slice.
        let buf = unsafe { transmute::<&'data mut [u8], &'data mut [MaybeUninit<u8>]>(slice) };
        Self { buf, marks: Marks { filled: 0, init } }
    }
}

impl<'data> From<&'data mut [MaybeUninit<u8>]> for BorrowedBuf<'data> {
    /// A buffer that is empty and counts as not initialized.
    fn from(buf: &'data mut [MaybeUninit<u8>]) -> Self {
        Self { buf, marks: Marks::default() }
    }
}

impl<'data> BorrowedBuf<'data> {
    /// How many bytes it can hold.
    #[inline]
    pub fn capacity(&self) -> usize {
        self.buf.len()
    }

    /// How many bytes are filled.
    #[inline]
    pub fn len(&self) -> usize {
        self.marks.filled
    }

    /// Whether nothing is filled.
    pub fn is_empty(&self) -> bool {
        self.marks.filled == 0
    }

    /// How many bytes from the front are known to be initialized.
    pub fn init_len(&self) -> usize {
        self.marks.init
    }

    /// The filled part.
    pub fn filled(&self) -> &[u8] {
        // SAFETY: `filled <= init`, and everything below `init` is initialized.
        unsafe { self.buf[..self.marks.filled].assume_init_ref() }
    }

    /// The filled part, to change it in place.
    pub fn filled_mut(&mut self) -> &mut [u8] {
        initialized(self.buf, &self.marks, 0, self.marks.filled)
    }

    /// The right to fill the rest.
    #[inline]
    pub fn unfilled(&mut self) -> BorrowedCursor<'_> {
        let start = self.marks.filled;
        BorrowedCursor { memory: self.buf, marks: &mut self.marks, start }
    }

    /// Forgets what is filled; what is initialized stays so.
    pub fn clear(&mut self) -> &mut Self {
        self.marks.filled = 0;
        self
    }

    /// Declares the first `n` bytes initialized.
    ///
    /// # Safety
    ///
    /// They must be.
    pub unsafe fn set_init(&mut self, n: usize) -> &mut Self {
        assert!(n <= self.buf.len(), "more bytes were declared initialized than there are");
        self.marks.init = self.marks.init.max(n);
        self
    }

    /// All of the memory.
    ///
    /// # Safety
    ///
    /// No initialized byte may be made uninitialized.
    pub(super) unsafe fn into_memory(self) -> &'data mut [MaybeUninit<u8>] {
        self.buf
    }
}

impl fmt::Debug for BorrowedBuf<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BorrowedBuf")
            .field("filled", &self.marks.filled)
            .field("init", &self.marks.init)
            .field("capacity", &self.capacity())
            .finish()
    }
}

/// The right to append to a [`BorrowedBuf`]; it never looks back at what is filled already.
///
/// Passed by value to the methods that read. Use [`reborrow`](Self::reborrow) to keep it.
///
/// ```
/// use runtime::io::BorrowedBuf;
///
/// let mut memory = [0; 8];
/// let mut buf = BorrowedBuf::from(&mut memory[..]);
/// let mut cursor = buf.unfilled();
/// cursor.reborrow().append(b"ab");
/// cursor.limited(3).append(b"cde");
/// assert_eq!((cursor.written(), cursor.capacity()), (5, 3));
/// assert_eq!(buf.filled(), b"abcde");
/// ```
pub struct BorrowedCursor<'a> {
    /// The buffer's memory from its beginning up to where it may be filled by this cursor.
    memory: &'a mut [MaybeUninit<u8>],
    /// The marks of the same buffer.
    marks: &'a mut Marks,
    /// What was filled when the cursor (or the one it was reborrowed from) was made.
    start: usize,
}

impl<'a> BorrowedCursor<'a> {
    /// A cursor with a shorter life; [`written`](Self::written) goes on counting.
    #[inline]
    pub fn reborrow(&mut self) -> BorrowedCursor<'_> {
        BorrowedCursor { memory: self.memory, marks: self.marks, start: self.start }
    }

    /// Like [`reborrow`](Self::reborrow), for at most `max` more bytes.
    pub fn limited(&mut self, max: usize) -> BorrowedCursor<'_> {
        let end = self.marks.filled + max.min(self.capacity());
        BorrowedCursor { memory: &mut self.memory[..end], marks: self.marks, start: self.start }
    }

    /// How many more bytes fit.
    #[inline]
    pub fn capacity(&self) -> usize {
        self.memory.len() - self.marks.filled
    }

    /// How many bytes were filled through this cursor, those it was reborrowed from and those
    /// reborrowed from it.
    pub fn written(&self) -> usize {
        self.marks.filled - self.start
    }

    /// The part that is not filled but initialized; fill it and [`advance_checked`].
    ///
    /// [`advance_checked`]: Self::advance_checked
    pub fn init_mut(&mut self) -> &mut [u8] {
        let (filled, to) = (self.marks.filled, self.init_end());
        initialized(self.memory, self.marks, filled, to)
    }

    /// The part behind [`init_mut`](Self::init_mut).
    pub fn uninit_mut(&mut self) -> &mut [MaybeUninit<u8>] {
        let from = self.init_end();
        &mut self.memory[from..]
    }

    /// Zeroes what is not initialized, so that [`init_mut`](Self::init_mut) is everything.
    ///
    /// ```
    /// use runtime::io::BorrowedBuf;
    /// use std::mem::MaybeUninit;
    ///
    /// let mut memory = [MaybeUninit::uninit(); 4];
    /// let mut buf = BorrowedBuf::from(&mut memory[..]);
    /// let mut cursor = buf.unfilled();
    /// cursor.ensure_init().init_mut()[0] = 7;
    /// cursor.advance_checked(2);
    /// assert_eq!(buf.filled(), [7, 0]);
    /// ```
    pub fn ensure_init(&mut self) -> &mut Self {
        self.uninit_mut().fill(MaybeUninit::new(0));
        self.marks.init = self.marks.init.max(self.memory.len());
        self
    }

    /// Everything that is not filled, initialized or not.
    ///
    /// # Safety
    ///
    /// No initialized byte may be made uninitialized.
    pub unsafe fn as_mut(&mut self) -> &mut [MaybeUninit<u8>] {
        self.rest()
    }

    /// Counts the next `n` bytes, which are initialized, as filled.
    ///
    /// # Panics
    ///
    /// If fewer than `n` bytes of the rest are initialized.
    #[track_caller]
    pub fn advance_checked(&mut self, n: usize) -> &mut Self {
        assert!(
            n <= self.init_mut().len(),
            "more bytes were declared read than were initialized in the buffer"
        );
        self.marks.filled += n;
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
    #[inline]
    #[track_caller]
    pub unsafe fn advance(&mut self, n: usize) -> &mut Self {
        assert!(n <= self.capacity(), "more bytes were declared read than fit the buffer");
        self.marks.filled += n;
        self.marks.init = self.marks.init.max(self.marks.filled);
        self
    }

    /// Declares the next `n` bytes initialized.
    ///
    /// # Safety
    ///
    /// They must be.
    pub unsafe fn set_init(&mut self, n: usize) -> &mut Self {
        assert!(n <= self.capacity(), "more bytes were declared initialized than fit the buffer");
        self.marks.init = self.marks.init.max(self.marks.filled + n);
        self
    }

    /// Copies all of `bytes` in.
    ///
    /// # Panics
    ///
    /// If they do not fit.
    #[inline]
    #[track_caller]
    pub fn append(&mut self, bytes: &[u8]) {
        assert!(bytes.len() <= self.capacity(), "more bytes were appended than fit the buffer");
        let to = self.marks.filled + bytes.len();
        self.memory[self.marks.filled..to].write_copy_of_slice(bytes);
        self.marks.filled = to;
        self.marks.init = self.marks.init.max(to);
    }

    /// Copies in as much of `bytes` as fits and says how much that was.
    #[inline]
    pub fn append_some(&mut self, bytes: &[u8]) -> usize {
        let n = bytes.len().min(self.capacity());
        self.append(&bytes[..n]);
        n
    }

    /// Receives from a socket; never zero-fills. Returns what was received.
    #[inline]
    pub(crate) fn recv(&mut self, socket: &socket2::Socket) -> io::Result<usize> {
        self.received(|rest| Ok((socket.recv(rest)?, ()))).map(|(n, ())| n)
    }

    /// [`recv`](Self::recv) of a message without taking it out of the queue.
    pub(crate) fn peek(&mut self, socket: &socket2::Socket) -> io::Result<usize> {
        self.received(|rest| Ok((socket.peek(rest)?, ()))).map(|(n, ())| n)
    }

    /// [`recv`](Self::recv) of a message with the address of its sender.
    pub(crate) fn recv_from(
        &mut self,
        socket: &socket2::Socket,
    ) -> io::Result<(usize, socket2::SockAddr)> {
        self.received(|rest| socket.recv_from(rest))
    }

    /// [`recv_from`](Self::recv_from) without taking the message out of the queue.
    pub(crate) fn peek_from(
        &mut self,
        socket: &socket2::Socket,
    ) -> io::Result<(usize, socket2::SockAddr)> {
        self.received(|rest| socket.peek_from(rest))
    }

    /// What `call`, one of the socket's calls above, has written counts as filled.
    #[inline]
    fn received<T>(
        &mut self,
        call: impl FnOnce(&mut [MaybeUninit<u8>]) -> io::Result<(usize, T)>,
    ) -> io::Result<(usize, T)> {
        let (n, more) = call(self.rest())?;
        // SAFETY: the count is the kernel's, by the calls above: so many bytes were written.
        unsafe { self.advance(n) };
        Ok((n, more))
    }

    /// See [`as_mut`](Self::as_mut); in this file we keep the promise.
    #[inline]
    fn rest(&mut self) -> &mut [MaybeUninit<u8>] {
        &mut self.memory[self.marks.filled..]
    }

    /// Where the initialized part of what may be filled ends.
    fn init_end(&self) -> usize {
        self.marks.init.min(self.memory.len())
    }
}

impl fmt::Debug for BorrowedCursor<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BorrowedCursor")
            .field("written", &self.written())
            .field("capacity", &self.capacity())
            .finish()
    }
}

/// The right to append to several buffers in order, for vectored reads.
///
/// ```
/// use runtime::io::{BorrowedBuf, BorrowedSliceCursor};
///
/// let (mut head, mut body) = ([0; 2], [0; 8]);
/// let mut head = BorrowedBuf::from(&mut head[..]);
/// let mut body = BorrowedBuf::from(&mut body[..]);
/// BorrowedSliceCursor::new(&mut [head.unfilled(), body.unfilled()]).append(b"hello");
/// assert_eq!((head.filled(), body.filled()), (&b"he"[..], &b"llo"[..]));
/// ```
pub struct BorrowedSliceCursor<'a> {
    cursors: &'a mut [BorrowedCursor<'a>],
    /// `written()` may not exceed this.
    end: usize,
}

impl<'a> BorrowedSliceCursor<'a> {
    /// Fills `cursors` in this order.
    pub fn new(cursors: &'a mut [BorrowedCursor<'a>]) -> Self {
        Self { cursors, end: usize::MAX }
    }

    /// A cursor with a shorter life; [`written`](Self::written) goes on counting.
    #[inline]
    pub fn reborrow(&mut self) -> BorrowedSliceCursor<'_> {
        let cursors = shorten_all(self.cursors);
        BorrowedSliceCursor { cursors, end: self.end }
    }

    /// Like [`reborrow`](Self::reborrow), for at most `max` more bytes.
    pub fn limited(&mut self, max: usize) -> BorrowedSliceCursor<'_> {
        let end = self.written().saturating_add(max).min(self.end);
        BorrowedSliceCursor { end, ..self.reborrow() }
    }

    /// How many more bytes fit, in all buffers together.
    #[inline]
    pub fn capacity(&self) -> usize {
        let sum = self.cursors.iter().fold(0_usize, |sum, c| sum.saturating_add(c.capacity()));
        sum.min(self.left())
    }

    /// How many bytes were filled through these cursors.
    pub fn written(&self) -> usize {
        self.cursors.iter().fold(0_usize, |sum, c| sum.saturating_add(c.written()))
    }

    /// The first cursor with room, if there is any.
    pub fn first_unfilled(&mut self) -> Option<BorrowedCursor<'_>> {
        let left = self.left();
        let cursor = self.cursors.iter_mut().find(|c| c.capacity() > 0)?;
        (left > 0).then(|| cursor.limited(left))
    }

    /// Copies all of `bytes` in.
    ///
    /// # Panics
    ///
    /// If they do not fit.
    #[track_caller]
    pub fn append(&mut self, bytes: &[u8]) {
        let appended = self.append_some(bytes);
        assert!(appended == bytes.len(), "more bytes were appended than fit the buffers");
    }

    /// Copies in as much of `bytes` as fits and says how much that was.
    pub fn append_some(&mut self, bytes: &[u8]) -> usize {
        let fits = bytes.len().min(self.left());
        let mut rest = &bytes[..fits];
        for cursor in self.cursors.iter_mut() {
            rest = &rest[cursor.append_some(rest)..];
        }
        fits - rest.len()
    }

    /// Receives from a socket into the first [`MAX_SLICES`] buffers with room; never zero-fills.
    #[inline]
    pub(crate) fn recv(&mut self, socket: &socket2::Socket) -> io::Result<usize> {
        let mut left = self.left();
        let mut count = 0;
        let mut parts = self.cursors.iter_mut().map(BorrowedCursor::rest).filter(|p| !p.is_empty());
        let mut slices: [_; MAX_SLICES] = array::from_fn(|_| {
            let part = parts.next().filter(|_| left > 0).unwrap_or(&mut []);
            let n = part.len().min(left);
            left -= n;
            count += usize::from(n > 0);
            socket2::MaybeUninitSlice::new(&mut part[..n])
        });
        let (received, _) = socket.recv_vectored(&mut slices[..count])?;
        let mut rest = received;
        for cursor in self.cursors.iter_mut() {
            let n = rest.min(cursor.capacity());
            // SAFETY: the count is the kernel's, which fills the buffers in this order.
            unsafe { cursor.advance(n) };
            rest -= n;
        }
        Ok(received)
    }

    fn left(&self) -> usize {
        self.end - self.written().min(self.end)
    }
}

impl fmt::Debug for BorrowedSliceCursor<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BorrowedSliceCursor")
            .field("buffers", &self.cursors.len())
            .field("written", &self.written())
            .field("capacity", &self.capacity())
            .finish()
    }
}

/// `from..to` of a buffer with these marks, which must not reach beyond `init`.
fn initialized<'a>(
    memory: &'a mut [MaybeUninit<u8>],
    marks: &Marks,
    from: usize,
    to: usize,
) -> &'a mut [u8] {
    assert!(to <= marks.init);
    // SAFETY: just checked to be below `init`, and no memory is paired with other marks than its
    // own; a `&mut [u8]` cannot de-initialize.
    unsafe { memory[from..to].assume_init_mut() }
}

/// The same cursors with their lifetime (in which `&mut` is invariant) shortened to the borrow's.
fn shorten_all<'this, 'a>(
    cursors: &'this mut [BorrowedCursor<'a>],
) -> &'this mut [BorrowedCursor<'this>] {
    // SAFETY: only the lifetime changes. It would be unsound to store a shorter-lived cursor
    // through the result; this file never does and hands out no `&mut BorrowedCursor` of it.
    unsafe {
        transmute::<&'this mut [BorrowedCursor<'a>], &'this mut [BorrowedCursor<'this>]>(cursors)
    }
}

/// Lets `read` append up to `max` bytes to `vec`, in the capacity that it has.
///
/// What was appended is what the cursor counted; a panic in `read` appends nothing.
pub(crate) fn with_spare<T>(
    vec: &mut Vec<u8>,
    max: usize,
    read: impl FnOnce(BorrowedCursor<'_>) -> T,
) -> T {
    let mut buf = BorrowedBuf::from(vec.spare_capacity_mut());
    let result = read(buf.unfilled().limited(max));
    let len = buf.len();
    // SAFETY: `len` bytes behind the vector's length were filled through a buffer that nobody can
    // replace.
    unsafe { vec.set_len(vec.len() + len) };
    result
}

/// [`with_spare`] around one `read_buf`; returns how many bytes were appended.
///
/// Dropped while it waits, it has appended nothing.
pub(crate) async fn read_spare<R: Read>(
    reader: &mut R,
    vec: &mut Vec<u8>,
    max: usize,
) -> io::Result<usize> {
    let mut buf = BorrowedBuf::from(vec.spare_capacity_mut());
    let result = reader.read_buf(buf.unfilled().limited(max)).await;
    let len = buf.len();
    // SAFETY: as in `with_spare`.
    unsafe { vec.set_len(vec.len() + len) };
    result.map(|()| len)
}

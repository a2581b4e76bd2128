//! Buffers that own their memory, for I/O that keeps the buffer while it works.
//!
//! [`OwnedBuf`] is memory of any origin with marks: `consumed <= filled <= limit <= capacity`, and
//! `filled <= init <= capacity`. [`OwnedCursor`] (in `cursor.rs`) is the right to append to one.
//! Neither knows how to append: they lend the unfilled part as a [`BorrowedBuf`] and take over its
//! marks.
//!
//! The memory stays in the container that it came from, so that dropping it, giving it back and
//! sending it to another thread are the container's business. What `init` counts is the container's
//! own length: every byte below it can be looked at safely, and what a lent buffer has written
//! behind it is the one thing that the container has to be told by `unsafe` code.

mod cursor;
mod receipt;

use std::any::Any;
use std::fmt;
use std::mem::{ManuallyDrop, MaybeUninit};

use bytes::BytesMut;

use super::{BorrowedBuf, BorrowedCursor};

pub use cursor::OwnedCursor;

/// A byte buffer that owns its memory, which may be uninitialized behind what is filled.
///
/// It is what an [`OwnedRead`](super::OwnedRead) reads into and an
/// [`OwnedWrite`](super::OwnedWrite) writes from. Make one with
/// [`with_capacity`](Self::with_capacity) or from a container that exists, and get the container
/// back, with its capacity and without a copy:
///
/// | from | what is filled | back |
/// |---|---|---|
/// | `Vec<u8>` | its elements | [`try_into_vec`](Self::try_into_vec) |
/// | `Vec<MaybeUninit<u8>>` | nothing | [`try_into_uninit_vec`](Self::try_into_uninit_vec) |
/// | `Box<[u8]>` | all of it | [`try_into_boxed_slice`](Self::try_into_boxed_slice) |
/// | `BytesMut` | its bytes | [`try_into_bytes_mut`](Self::try_into_bytes_mut) |
/// | any [owner](Self::from_owner) of bytes | all of it | [`try_into_owner`](Self::try_into_owner) |
///
/// A buffer that is full has no room to read into, and reading into it reads nothing: call
/// [`clear`](Self::clear) first.
///
/// ```
/// use runtime::io::OwnedBuf;
///
/// let mut buf = OwnedBuf::with_capacity(16);
/// buf.unfilled().append(b"hello");
/// assert_eq!(buf.filled(), b"hello");
/// assert_eq!((buf.len(), buf.init_len(), buf.room()), (5, 5, 11));
/// assert_eq!(buf.try_into_vec().unwrap(), b"hello");
/// ```
pub struct OwnedBuf {
    memory: Memory,
    /// How much of what is filled was consumed.
    consumed: usize,
    /// Where what is filled ends.
    filled: usize,
    /// How far it may be filled.
    limit: usize,
}

/// Where the bytes are. The length of the containers is what is initialized.
enum Memory {
    /// From the global allocator: `Vec`s and boxed slices.
    Vec(Vec<u8>),
    Bytes(BytesMut),
    /// Initialized throughout.
    Owner {
        owner: Box<dyn Owner>,
        capacity: usize,
    },
}

/// What [`OwnedBuf::from_owner`] takes. It is foreign code: its slices may differ from call to call.
trait Owner: Send + Sync {
    fn bytes(&self) -> &[u8];
    fn bytes_mut(&mut self) -> &mut [u8];
    fn as_any(&self) -> &dyn Any;
    fn into_any(self: Box<Self>) -> Box<dyn Any>;
}

impl<T: AsRef<[u8]> + AsMut<[u8]> + Send + Sync + 'static> Owner for T {
    fn bytes(&self) -> &[u8] {
        self.as_ref()
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        self.as_mut()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

impl From<Vec<u8>> for OwnedBuf {
    /// Filled with the elements; there is room in the capacity behind them.
    fn from(vec: Vec<u8>) -> Self {
        let filled = vec.len();
        Self::new(Memory::Vec(vec), filled)
    }
}

impl From<Vec<MaybeUninit<u8>>> for OwnedBuf {
    /// Empty and not initialized, with room in all of the vector's capacity.
    fn from(vec: Vec<MaybeUninit<u8>>) -> Self {
        let mut vec = ManuallyDrop::new(vec);
        // SAFETY: the memory is a vector's of elements with the same layout, which forgets it here;
        // the length claims no byte to be initialized.
        let vec = unsafe { Vec::from_raw_parts(vec.as_mut_ptr().cast(), 0, vec.capacity()) };
        Self::new(Memory::Vec(vec), 0)
    }
}

impl From<Box<[u8]>> for OwnedBuf {
    /// Filled with all of it; [`clear`](Self::clear) it to read into it.
    fn from(slice: Box<[u8]>) -> Self {
        Self::from(slice.into_vec())
    }
}

impl From<BytesMut> for OwnedBuf {
    /// Filled with the bytes; there is room in the capacity behind them.
    fn from(bytes: BytesMut) -> Self {
        let filled = bytes.len();
        Self::new(Memory::Bytes(bytes), filled)
    }
}

impl OwnedBuf {
    /// An empty buffer in new memory, which is not initialized.
    ///
    /// # Panics
    ///
    /// As [`Vec::with_capacity`].
    pub fn with_capacity(capacity: usize) -> Self {
        Self::from(Vec::<u8>::with_capacity(capacity))
    }

    /// A buffer in memory of any owner (a page of a pool, a mapped file), filled with all of it.
    ///
    /// The owner is dropped with the buffer, or given back by
    /// [`try_into_owner`](Self::try_into_owner). Its slices must stay the same: a buffer that finds
    /// them of another length panics.
    ///
    /// ```
    /// use runtime::io::OwnedBuf;
    ///
    /// let mut buf = OwnedBuf::from_owner([0; 64]);
    /// buf.clear().unfilled().append(b"page");
    /// let page: [u8; 64] = buf.try_into_owner().unwrap();
    /// assert_eq!(&page[..4], b"page");
    /// ```
    pub fn from_owner<T>(owner: T) -> Self
    where
        T: AsRef<[u8]> + AsMut<[u8]> + Send + Sync + 'static,
    {
        let capacity = owner.as_ref().len();
        Self::new(Memory::Owner { owner: Box::new(owner), capacity }, capacity)
    }

    fn new(memory: Memory, filled: usize) -> Self {
        let limit = memory.capacity();
        Self { memory, consumed: 0, filled, limit }
    }

    /// How many bytes the memory has.
    pub fn capacity(&self) -> usize {
        self.memory.capacity()
    }

    /// How many bytes are filled and not consumed.
    pub fn len(&self) -> usize {
        self.filled - self.consumed
    }

    /// Whether nothing is filled, or all of it consumed.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many bytes from the front of the memory are known to be initialized.
    pub fn init_len(&self) -> usize {
        self.memory.init().len()
    }

    /// What is filled and not consumed.
    pub fn filled(&self) -> &[u8] {
        &self.memory.init()[self.consumed..self.filled]
    }

    /// [`filled`](Self::filled), to change it in place.
    pub fn filled_mut(&mut self) -> &mut [u8] {
        let (from, to) = (self.consumed, self.filled);
        &mut self.memory.init_mut()[from..to]
    }

    /// The right to fill the rest.
    pub fn unfilled(&mut self) -> OwnedCursor<'_> {
        OwnedCursor::new(self)
    }

    /// Lets `f` fill the rest by way of a borrowed buffer, which is how an implementation of
    /// [`OwnedRead`](super::OwnedRead) uses everything that takes a [`BorrowedCursor`].
    ///
    /// ```
    /// use runtime::io::{NonBlocking, OwnedBuf, ReadyRead};
    ///
    /// let mut buf = OwnedBuf::with_capacity(3);
    /// let outcome = buf.lend(|cursor| (&b"abcde"[..]).non_blocking_read(cursor))?;
    /// assert_eq!((outcome, buf.filled()), (NonBlocking::Ready(()), &b"abc"[..]));
    /// # std::io::Result::Ok(())
    /// ```
    pub fn lend<T>(&mut self, f: impl FnOnce(BorrowedCursor<'_>) -> T) -> T {
        let (filled, room) = (self.filled, self.room());
        let init = self.init_len();
        let (result, len, init_behind) = {
            // From here on the container ends where it is filled: a panic forgets that there were
            // initialized bytes behind that, nothing else.
            let mut buf = self.memory.lend(filled, room);
            let known = (init - filled).min(room);
            // SAFETY: the container said so, and has not given them to anybody since.
            unsafe { buf.set_init(known) };
            let result = f(buf.unfilled());
            (result, buf.len(), buf.init_len())
        };
        self.mark_init(init.max(filled + init_behind));
        self.filled += len;
        result
    }

    /// Forgets what is filled and consumed; what is initialized stays so.
    pub fn clear(&mut self) -> &mut Self {
        self.filled = 0;
        self.consumed = 0;
        self
    }

    /// Takes the first `n` bytes out of what [`filled`](Self::filled) shows.
    ///
    /// Nothing moves: their memory is free again after [`clear`](Self::clear), and the conversions
    /// back into a container still have them. It is how a write that took a part goes on.
    ///
    /// ```
    /// use runtime::io::OwnedBuf;
    ///
    /// let mut buf = OwnedBuf::from(b"headbody".to_vec());
    /// buf.consume(4);
    /// assert_eq!((buf.filled(), buf.consumed()), (&b"body"[..], 4));
    /// buf.unconsume();
    /// assert_eq!(buf.filled(), b"headbody");
    /// ```
    ///
    /// # Panics
    ///
    /// If that is more than is filled.
    #[track_caller]
    pub fn consume(&mut self, n: usize) {
        assert!(n <= self.len(), "more bytes were consumed than are filled");
        self.consumed += n;
    }

    /// How many bytes were consumed since the buffer was made or cleared.
    pub fn consumed(&self) -> usize {
        self.consumed
    }

    /// Shows again what was consumed.
    pub fn unconsume(&mut self) {
        self.consumed = 0;
    }

    /// How many more bytes may be filled: what a read gets at most.
    pub fn room(&self) -> usize {
        self.limit - self.filled
    }

    /// Lets at most `n` more bytes be filled, up to the capacity, until it is called again.
    ///
    /// For adapters that hand the buffer on and must not read more than that. (What
    /// [`clear`](Self::clear) makes free may be filled again.)
    ///
    /// ```
    /// use runtime::io::OwnedBuf;
    ///
    /// let mut buf = OwnedBuf::with_capacity(8);
    /// buf.set_room(3);
    /// assert_eq!(buf.unfilled().append_some(b"headbody"), 3);
    /// buf.set_room(usize::MAX);
    /// assert_eq!((buf.filled(), buf.room()), (&b"hea"[..], 5));
    /// ```
    pub fn set_room(&mut self, n: usize) {
        self.limit = self.filled.saturating_add(n).min(self.capacity());
    }

    /// Declares the first `n` bytes of the memory initialized.
    ///
    /// # Safety
    ///
    /// They must be.
    ///
    /// # Panics
    ///
    /// If that is more than the capacity.
    #[track_caller]
    pub unsafe fn set_init(&mut self, n: usize) -> &mut Self {
        self.mark_init(n);
        self
    }

    /// The vector again, with what is filled as its elements. Works for whatever came from the
    /// global allocator: `Vec<u8>`, `Vec<MaybeUninit<u8>>` and `Box<[u8]>`.
    ///
    /// # Errors
    ///
    /// The buffer itself, if its memory is of another origin.
    pub fn try_into_vec(self) -> Result<Vec<u8>, Self> {
        match self.memory {
            Memory::Vec(mut vec) => {
                vec.truncate(self.filled);
                Ok(vec)
            }
            memory => Err(Self { memory, ..self }),
        }
    }

    /// As [`try_into_vec`](Self::try_into_vec), for a vector of bytes that need not be initialized.
    ///
    /// ```
    /// use runtime::io::OwnedBuf;
    /// use std::mem::MaybeUninit;
    ///
    /// let memory: Vec<MaybeUninit<u8>> = Vec::with_capacity(64);
    /// let mut buf = OwnedBuf::from(memory);
    /// buf.unfilled().append(b"four");
    /// let memory = buf.try_into_uninit_vec().unwrap();
    /// assert_eq!((memory.len(), memory.capacity()), (4, 64));
    /// ```
    ///
    /// # Errors
    ///
    /// The buffer itself, if its memory is of another origin.
    pub fn try_into_uninit_vec(self) -> Result<Vec<MaybeUninit<u8>>, Self> {
        let mut vec = ManuallyDrop::new(self.try_into_vec()?);
        // SAFETY: the memory is a vector's of elements with the same layout, which forgets it here;
        // any byte is a `MaybeUninit`.
        Ok(unsafe { Vec::from_raw_parts(vec.as_mut_ptr().cast(), vec.len(), vec.capacity()) })
    }

    /// The boxed slice again: all of the memory, and not only what is filled.
    ///
    /// Works for whatever came from the global allocator and is initialized throughout.
    ///
    /// ```
    /// use runtime::io::OwnedBuf;
    ///
    /// let mut buf = OwnedBuf::from(vec![0; 8].into_boxed_slice());
    /// buf.clear().unfilled().append(b"page");
    /// assert_eq!(*buf.try_into_boxed_slice().unwrap(), *b"page\0\0\0\0");
    /// ```
    ///
    /// # Errors
    ///
    /// The buffer itself, if its memory is of another origin or not initialized throughout.
    pub fn try_into_boxed_slice(self) -> Result<Box<[u8]>, Self> {
        match self.memory {
            Memory::Vec(vec) if vec.len() == vec.capacity() => Ok(vec.into_boxed_slice()),
            memory => Err(Self { memory, ..self }),
        }
    }

    /// The `BytesMut` again, with what is filled as its bytes.
    ///
    /// # Errors
    ///
    /// The buffer itself, if it was not made from one.
    pub fn try_into_bytes_mut(self) -> Result<BytesMut, Self> {
        match self.memory {
            Memory::Bytes(mut bytes) => {
                bytes.truncate(self.filled);
                Ok(bytes)
            }
            memory => Err(Self { memory, ..self }),
        }
    }

    /// The owner that it was made [from](Self::from_owner).
    ///
    /// # Errors
    ///
    /// The buffer itself, if it was made from something else.
    pub fn try_into_owner<T: 'static>(self) -> Result<T, Self> {
        match self.memory {
            Memory::Owner { owner, capacity } => {
                if !(*owner).as_any().is::<T>() {
                    return Err(Self { memory: Memory::Owner { owner, capacity }, ..self });
                }
                let owner = owner.into_any().downcast();
                Ok(*owner.expect("its type was looked at"))
            }
            memory => Err(Self { memory, ..self }),
        }
    }

    /// Notes that the first `n` bytes are initialized. Who calls this has to know.
    #[track_caller]
    fn mark_init(&mut self, n: usize) {
        assert!(n <= self.capacity(), "more bytes were declared initialized than fit the buffer");
        if n <= self.init_len() {
            return;
        }
        // SAFETY: they are within the capacity, and initialized: a borrowed buffer over this memory
        // has counted them, or the caller of an unsafe method said so.
        unsafe {
            match &mut self.memory {
                Memory::Vec(vec) => vec.set_len(n),
                Memory::Bytes(bytes) => bytes.set_len(n),
                Memory::Owner { .. } => {}
            }
        }
    }
}

impl fmt::Debug for OwnedBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnedBuf")
            .field("consumed", &self.consumed)
            .field("filled", &self.filled)
            .field("init", &self.init_len())
            .field("room", &self.room())
            .field("capacity", &self.capacity())
            .finish()
    }
}

impl Memory {
    fn capacity(&self) -> usize {
        match self {
            Self::Vec(vec) => vec.capacity(),
            Self::Bytes(bytes) => bytes.capacity(),
            Self::Owner { capacity, .. } => *capacity,
        }
    }

    /// Everything that is initialized.
    fn init(&self) -> &[u8] {
        match self {
            Self::Vec(vec) => vec,
            Self::Bytes(bytes) => bytes,
            Self::Owner { owner, capacity } => {
                let bytes = owner.bytes();
                assert!(bytes.len() == *capacity, "the owner's memory has changed its length");
                bytes
            }
        }
    }

    fn init_mut(&mut self) -> &mut [u8] {
        match self {
            Self::Vec(vec) => vec,
            Self::Bytes(bytes) => bytes,
            Self::Owner { owner, capacity } => {
                let bytes = owner.bytes_mut();
                assert!(bytes.len() == *capacity, "the owner's memory has changed its length");
                bytes
            }
        }
    }

    /// The `room` bytes behind `filled`; forgets which of them are initialized.
    fn lend(&mut self, filled: usize, room: usize) -> BorrowedBuf<'_> {
        match self {
            Self::Vec(vec) => {
                vec.truncate(filled);
                BorrowedBuf::from(&mut vec.spare_capacity_mut()[..room])
            }
            Self::Bytes(bytes) => {
                bytes.truncate(filled);
                BorrowedBuf::from(&mut bytes.spare_capacity_mut()[..room])
            }
            Self::Owner { .. } => BorrowedBuf::from(&mut self.init_mut()[filled..filled + room]),
        }
    }

    /// Address, capacity and origin: what no two buffers have in common at one time.
    fn identity(&self) -> (usize, usize, u8) {
        let (address, origin) = match self {
            Self::Vec(vec) => (vec.as_ptr(), 0),
            Self::Bytes(bytes) => (bytes.as_ptr(), 1),
            Self::Owner { owner, .. } => (owner.bytes().as_ptr(), 2),
        };
        (address.addr(), self.capacity(), origin)
    }
}

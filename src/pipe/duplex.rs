//! [`DuplexStream`] and its halves: two lanes crossed, which know nothing of each other.

use std::fmt;

use super::ReuniteError;
use super::lane::lane;
use super::ops::{pipe_read, pipe_ready, pipe_write};
use super::reader::Reader;
use super::writer::Writer;
use crate::io_core::leaf_io;

/// Makes a connected pair of in-memory streams, like a pair of sockets; each direction buffers at
/// most `max_buf_size` bytes.
///
/// Memory is taken only for what is buffered, so the maximum may be large, even `usize::MAX`.
///
/// # Panics
///
/// If `max_buf_size` is 0: nothing could ever be written.
///
/// ```
/// # futures::executor::block_on(async {
/// use runtime::io::{Read, Write, duplex};
///
/// let (mut client, mut server) = duplex(64);
/// client.write_all(b"ping").await?;
/// let mut buf = [0; 4];
/// server.read_exact(&mut buf).await?;
/// assert_eq!(&buf, b"ping");
///
/// drop(client);
/// assert_eq!(server.read(&mut buf).await?, 0);
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
#[track_caller]
pub fn duplex(max_buf_size: usize) -> (DuplexStream, DuplexStream) {
    duplex_with(max_buf_size, max_buf_size)
}

/// Makes a connected pair like [`duplex`], with one maximum for what the first stream writes and
/// one for what the second writes.
///
/// # Panics
///
/// If one of them is 0.
///
/// ```
/// let (first, second) = runtime::pipe::duplex_with(16, 65536);
/// assert_eq!((first.capacity(), second.capacity()), (16, 65536));
/// ```
#[track_caller]
pub fn duplex_with(first: usize, second: usize) -> (DuplexStream, DuplexStream) {
    assert!(first > 0 && second > 0, "a pipe's maximum buffer size must be greater than 0");
    let (first_writer, second_reader) = lane(first);
    let (second_writer, first_reader) = lane(second);
    (
        DuplexStream { writer: first_writer, reader: first_reader },
        DuplexStream { writer: second_writer, reader: second_reader },
    )
}

/// One end of an in-memory connection; see [`duplex`].
///
/// It reads and writes like a [`TcpStream`](crate::net::TcpStream), under any executor, and shows
/// what was received in place ([`BufRead`](crate::io::BufRead)). Its two directions are
/// independent: [`split`](Self::split) and [`into_split`](Self::into_split) give each to another
/// task or thread without a lock.
///
/// * [`shutdown`](crate::io::Write::shutdown) closes the direction from here; reading goes on.
/// * Dropping it closes both: the other end's writes fail with `BrokenPipe`, and it reads what is
///   left, then the end.
pub struct DuplexStream {
    // Dropped in this order: who has read the end finds that writing fails, too.
    reader: Reader,
    writer: Writer,
}

pipe_ready!([] DuplexStream, reader, writer);
pipe_read!([] DuplexStream, "let (mut writer, mut reader) = runtime::io::duplex(8192);", "writer", "reader");
pipe_write!([] DuplexStream, "let (mut writer, mut reader) = runtime::io::duplex(8192);", "writer", "reader");
leaf_io!(vectored impl Stream for DuplexStream);

impl DuplexStream {
    /// Borrows both directions, to be used at the same time.
    ///
    /// ```
    /// # futures::executor::block_on(async {
    /// use runtime::io::{Read, Write, duplex};
    ///
    /// let (mut one, mut other) = duplex(64);
    /// let (mut from, mut to) = one.split();
    /// to.write_all(b"out").await?;
    /// other.write_all(b"in").await?;
    /// let mut buf = [0; 2];
    /// from.read_exact(&mut buf).await?;
    /// assert_eq!(&buf, b"in");
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub fn split(&mut self) -> (ReadHalf<'_>, WriteHalf<'_>) {
        (ReadHalf { reader: &mut self.reader }, WriteHalf { writer: &mut self.writer })
    }

    /// Takes both directions apart, without a lock between them; dropping one half closes that
    /// direction only.
    ///
    /// ```
    /// # futures::executor::block_on(async {
    /// use runtime::io::{Read, Write, duplex};
    ///
    /// let (one, mut other) = duplex(64);
    /// let (from, mut to) = one.into_split();
    /// to.write_all(b"last words").await?;
    /// drop(to);
    /// let mut text = String::new();
    /// other.read_to_string(&mut text).await?;
    /// assert_eq!(text, "last words");
    /// other.write_all(b"still listening?").await?;
    /// assert_eq!(from.len(), 16);
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub fn into_split(self) -> (OwnedReadHalf, OwnedWriteHalf) {
        let read = OwnedReadHalf { sibling: self.writer.id(), reader: self.reader };
        let write = OwnedWriteHalf { sibling: read.reader.id(), writer: self.writer };
        (read, write)
    }
}

impl fmt::Debug for DuplexStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DuplexStream")
            .field("len", &self.len())
            .field("capacity", &self.capacity())
            .finish_non_exhaustive()
    }
}

/// The borrowed read half of a [`DuplexStream`], from [`DuplexStream::split`].
pub struct ReadHalf<'a> {
    reader: &'a mut Reader,
}

pipe_ready!(['a] ReadHalf<'a>, reader, none);
pipe_read!(['a] ReadHalf<'a>, "let (mut stream, mut writer) = runtime::io::duplex(8192);\nlet (mut reader, _) = stream.split();", "writer", "reader");
leaf_io!(vectored impl ['a] Read for ReadHalf<'a>);

impl fmt::Debug for ReadHalf<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadHalf").field("len", &self.len()).finish_non_exhaustive()
    }
}

/// The borrowed write half of a [`DuplexStream`], from [`DuplexStream::split`].
pub struct WriteHalf<'a> {
    writer: &'a mut Writer,
}

pipe_ready!(['a] WriteHalf<'a>, none, writer);
pipe_write!(['a] WriteHalf<'a>, "let (mut stream, mut reader) = runtime::io::duplex(8192);\nlet (_, mut writer) = stream.split();", "writer", "reader");
leaf_io!(vectored impl ['a] Write for WriteHalf<'a>);

impl fmt::Debug for WriteHalf<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriteHalf").field("capacity", &self.capacity()).finish_non_exhaustive()
    }
}

/// The read half of a [`DuplexStream`], from [`DuplexStream::into_split`].
///
/// Dropping it makes the other end's writes fail with `BrokenPipe`; what this side still writes
/// arrives.
pub struct OwnedReadHalf {
    reader: Reader,
    /// The lane of the write half that it was split from.
    sibling: usize,
}

pipe_ready!([] OwnedReadHalf, reader, none);
pipe_read!([] OwnedReadHalf, "let (stream, mut writer) = runtime::io::duplex(8192);\nlet (mut reader, _write_half) = stream.into_split();", "writer", "reader");
leaf_io!(vectored impl Read for OwnedReadHalf);

impl OwnedReadHalf {
    /// Puts a stream together again.
    ///
    /// # Errors
    ///
    /// Gives both halves back if they are not of one stream.
    ///
    /// ```
    /// let (one, other) = runtime::io::duplex(64);
    /// let (read, write) = one.into_split();
    /// let (read_other, write_other) = other.into_split();
    /// let error = read.reunite(write_other).unwrap_err();
    /// let one = error.0.reunite(write).unwrap();
    /// let other = read_other.reunite(error.1).unwrap();
    /// # drop((one, other));
    /// ```
    pub fn reunite(
        self,
        write: OwnedWriteHalf,
    ) -> Result<DuplexStream, ReuniteError<OwnedReadHalf, OwnedWriteHalf>> {
        // Each knows the other's lane. One of them might be remembering a lane that is gone and
        // whose address has another one now, but not both: they are alive.
        if self.sibling == write.writer.id() && write.sibling == self.reader.id() {
            Ok(DuplexStream { writer: write.writer, reader: self.reader })
        } else {
            Err(ReuniteError(self, write))
        }
    }
}

impl fmt::Debug for OwnedReadHalf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnedReadHalf").field("len", &self.len()).finish_non_exhaustive()
    }
}

/// The write half of a [`DuplexStream`], from [`DuplexStream::into_split`].
///
/// Dropping it closes this direction: the other end reads what is left, then the end.
pub struct OwnedWriteHalf {
    writer: Writer,
    /// The lane of the read half that it was split from.
    sibling: usize,
}

pipe_ready!([] OwnedWriteHalf, none, writer);
pipe_write!([] OwnedWriteHalf, "let (stream, mut reader) = runtime::io::duplex(8192);\nlet (_read_half, mut writer) = stream.into_split();", "writer", "reader");
leaf_io!(vectored impl Write for OwnedWriteHalf);

impl fmt::Debug for OwnedWriteHalf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnedWriteHalf").field("capacity", &self.capacity()).finish_non_exhaustive()
    }
}

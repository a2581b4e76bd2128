//! [`SimplexStream`] and its halves: one lane.

use std::fmt;

use super::ReuniteError;
use super::lane::lane;
use super::ops::{pipe_read, pipe_ready, pipe_write};
use super::reader::Reader;
use super::writer::Writer;
use crate::io_core::leaf_io;

/// Makes a pipe for one direction that buffers at most `max_buf_size` bytes: what is written to the
/// writer can be read from the reader.
///
/// Memory is taken only for what is buffered, so the maximum may be large, even `usize::MAX`.
///
/// # Panics
///
/// If `max_buf_size` is 0: nothing could ever be written.
///
/// ```
/// # futures::executor::block_on(async {
/// use runtime::io::{BufRead, Write, simplex};
///
/// let (mut reader, mut writer) = simplex(64);
/// writer.write_all(b"one line\nand a").await?;
/// drop(writer);
/// let mut line = String::new();
/// reader.read_line(&mut line).await?;
/// assert_eq!(line, "one line\n");
/// assert_eq!(reader.fill_buf().await?, b"and a");
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
#[track_caller]
pub fn simplex(max_buf_size: usize) -> (SimplexReader, SimplexWriter) {
    SimplexStream::new_unsplit(max_buf_size).into_split()
}

/// Both ends of a pipe for one direction in one handle: what is written can be read again.
///
/// Dropping it drops what is buffered. Most uses want the two ends apart, as [`simplex`] gives them.
pub struct SimplexStream {
    writer: Writer,
    reader: Reader,
}

pipe_ready!([] SimplexStream, reader, writer);
pipe_read!([] SimplexStream, "let mut pipe = runtime::io::SimplexStream::new_unsplit(8192);", "pipe", "pipe");
pipe_write!([] SimplexStream, "let mut pipe = runtime::io::SimplexStream::new_unsplit(8192);", "pipe", "pipe");
leaf_io!(vectored impl Stream for SimplexStream);

impl SimplexStream {
    /// Makes a pipe that buffers at most `max_buf_size` bytes.
    ///
    /// # Panics
    ///
    /// If `max_buf_size` is 0.
    ///
    /// ```
    /// # futures::executor::block_on(async {
    /// use runtime::io::{Read, SimplexStream, Write};
    ///
    /// let mut stream = SimplexStream::new_unsplit(64);
    /// stream.write_all(b"note to self").await?;
    /// stream.shutdown().await?;
    /// let mut text = String::new();
    /// stream.read_to_string(&mut text).await?;
    /// assert_eq!(text, "note to self");
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    #[track_caller]
    pub fn new_unsplit(max_buf_size: usize) -> Self {
        assert!(max_buf_size > 0, "a pipe's maximum buffer size must be greater than 0");
        let (writer, reader) = lane(max_buf_size);
        Self { writer, reader }
    }

    /// Takes the two ends apart, without a lock between them.
    pub fn into_split(self) -> (SimplexReader, SimplexWriter) {
        (SimplexReader { reader: self.reader }, SimplexWriter { writer: self.writer })
    }
}

impl fmt::Debug for SimplexStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimplexStream")
            .field("len", &self.len())
            .field("capacity", &self.capacity())
            .finish_non_exhaustive()
    }
}

/// The end of a [`simplex`] pipe that is read from.
///
/// Dropping it makes writing fail with `BrokenPipe`.
pub struct SimplexReader {
    reader: Reader,
}

pipe_ready!([] SimplexReader, reader, none);
pipe_read!([] SimplexReader, "let (mut reader, mut writer) = runtime::io::simplex(8192);", "writer", "reader");
leaf_io!(vectored impl Read for SimplexReader);

impl SimplexReader {
    /// Puts the two ends into one handle again.
    ///
    /// # Errors
    ///
    /// Gives both back if they are not of one pipe.
    ///
    /// ```
    /// let (reader, writer) = runtime::io::simplex(64);
    /// let (_, stranger) = runtime::io::simplex(64);
    /// let error = reader.reunite(stranger).unwrap_err();
    /// let stream = error.0.reunite(writer).unwrap();
    /// # drop(stream);
    /// ```
    pub fn reunite(
        self,
        writer: SimplexWriter,
    ) -> Result<SimplexStream, ReuniteError<SimplexReader, SimplexWriter>> {
        if self.reader.id() == writer.writer.id() {
            Ok(SimplexStream { writer: writer.writer, reader: self.reader })
        } else {
            Err(ReuniteError(self, writer))
        }
    }
}

impl fmt::Debug for SimplexReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimplexReader").field("len", &self.len()).finish_non_exhaustive()
    }
}

/// The end of a [`simplex`] pipe that is written to.
///
/// Dropping it closes the pipe: the reader gets what is left, then the end.
pub struct SimplexWriter {
    writer: Writer,
}

pipe_ready!([] SimplexWriter, none, writer);
pipe_write!([] SimplexWriter, "let (mut reader, mut writer) = runtime::io::simplex(8192);", "writer", "reader");
leaf_io!(vectored impl Write for SimplexWriter);

impl fmt::Debug for SimplexWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimplexWriter").field("capacity", &self.capacity()).finish_non_exhaustive()
    }
}

//! [`BufRead`] and its readiness form, for readers that have bytes of their own to show.

use std::io::{ErrorKind, Result};

use super::read::append_utf8;
use super::{Lines, NonBlocking, Read, ReadyRead, Segments};

/// A reader with a buffer of its own: shows bytes in place before they are taken.
///
/// ```
/// # futures::executor::block_on(async {
/// use runtime::io::BufRead;
///
/// let mut input = &b"first\nsecond\n"[..];
/// let mut line = String::new();
/// input.read_line(&mut line).await?;
/// assert_eq!(line, "first\n");
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub trait BufRead: Read {
    /// Shows what is buffered, after waiting for more if nothing is. Empty at the end of the
    /// stream.
    ///
    /// # Errors
    ///
    /// Those of the reader.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: what was buffered stays in the buffer.
    fn fill_buf(&mut self) -> impl Future<Output = Result<&[u8]>> + Send
    where
        Self: Sized;

    /// Takes the first `n` bytes of what [`fill_buf`](Self::fill_buf) showed.
    ///
    /// # Panics
    ///
    /// If that is more than is buffered.
    fn consume(&mut self, n: usize);

    /// Whether there is a byte left, after waiting for one if nothing is buffered.
    ///
    /// # Errors
    ///
    /// Those of [`fill_buf`](Self::fill_buf) except `Interrupted`, which is retried.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    fn has_data_left(&mut self) -> impl Future<Output = Result<bool>> + Send
    where
        Self: Sized,
    {
        async move {
            loop {
                match self.fill_buf().await {
                    Ok(buf) => return Ok(!buf.is_empty()),
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
            }
        }
    }

    /// Appends everything up to and including `delimiter`, or to the end of the stream, to `buf`
    /// and returns how many bytes that was.
    ///
    /// # Errors
    ///
    /// Those of [`fill_buf`](Self::fill_buf) except `Interrupted`, which is retried; `OutOfMemory` if
    /// `buf` cannot grow. What was taken until then has been appended, and the rest is still in the
    /// reader.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost: what was taken has been appended to `buf`, and a new call goes on.
    fn read_until(
        &mut self,
        delimiter: u8,
        buf: &mut Vec<u8>,
    ) -> impl Future<Output = Result<usize>> + Send
    where
        Self: Sized,
    {
        read_until(self, delimiter, buf)
    }

    /// Appends the next line with its `\n`, or what is left of the stream, to `text` and returns
    /// how many bytes that was.
    ///
    /// # Errors
    ///
    /// `InvalidData` if the line is not UTF-8; its bytes are in the error, which is made of a
    /// [`FromUtf8Error`](std::string::FromUtf8Error). Those of [`read_until`](Self::read_until),
    /// and then what was read of the line is lost. `text` is as it was in both cases.
    ///
    /// A line has no limit here: use [`lines`](Self::lines) with one, or [`take`](Read::take),
    /// where the peer is not trusted.
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: `text` is as it was, and what was read of the line is lost. Use
    /// [`lines`](Self::lines), which keeps it.
    ///
    /// ```
    /// # futures::executor::block_on(async {
    /// use runtime::io::BufRead;
    /// use std::string::FromUtf8Error;
    ///
    /// let mut text = String::from("as it was");
    /// let error = (&b"not \xff text\n"[..]).read_line(&mut text).await.unwrap_err();
    /// assert_eq!((error.kind(), text.as_str()), (std::io::ErrorKind::InvalidData, "as it was"));
    /// let bytes = error.downcast::<FromUtf8Error>().unwrap().into_bytes();
    /// assert_eq!(bytes, b"not \xff text\n");
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    fn read_line(&mut self, text: &mut String) -> impl Future<Output = Result<usize>> + Send
    where
        Self: Sized,
    {
        async move {
            let mut line = Vec::new();
            read_until(self, b'\n', &mut line).await?;
            append_utf8(text, line)
        }
    }

    /// This reader line by line; the type's [`limit`](Lines::limit) bounds the length of a line.
    ///
    /// ```
    /// # futures::executor::block_on(async {
    /// use runtime::io::BufRead;
    ///
    /// let mut lines = (&b"one\ntwo\r\nthree"[..]).lines().limit(1024);
    /// assert_eq!(lines.next_line().await?.as_deref(), Some("one"));
    /// assert_eq!(lines.next_line().await?.as_deref(), Some("two"));
    /// assert_eq!(lines.next_line().await?.as_deref(), Some("three"));
    /// assert_eq!(lines.next_line().await?, None);
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    fn lines(self) -> Lines<Self>
    where
        Self: Sized,
    {
        Lines::new(self)
    }

    /// This reader piece by piece, as separated by `delimiter`; the type's
    /// [`limit`](Segments::limit) bounds the length of a piece.
    fn segments(self, delimiter: u8) -> Segments<Self>
    where
        Self: Sized,
    {
        Segments::new(self, delimiter)
    }
}

/// The loop of [`BufRead::read_until`].
async fn read_until<R: BufRead>(reader: &mut R, delimiter: u8, buf: &mut Vec<u8>) -> Result<usize> {
    let start = buf.len();
    loop {
        let shown = match reader.fill_buf().await {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            outcome => outcome?,
        };
        let found = shown.iter().position(|byte| *byte == delimiter);
        let n = found.map_or(shown.len(), |at| at + 1);
        buf.try_reserve(n)?; // an error where the vector itself would abort
        buf.extend_from_slice(&shown[..n]);
        reader.consume(n);
        if found.is_some() || n == 0 {
            return Ok(buf.len() - start);
        }
    }
}

/// The readiness form of [`BufRead`]: fill without waiting, then look.
///
/// [`BufRead`] for such a type is `leaf_io!`'s, or [`fill_when_ready`](super::fill_when_ready) and
/// [`consume_buffer`](Self::consume_buffer).
pub trait ReadyBufRead: ReadyRead {
    /// Gets something to show, if nothing is buffered. `Ready` with an empty
    /// [`buffer`](Self::buffer) is the end of the stream.
    ///
    /// # Errors
    ///
    /// Those of the reader.
    fn non_blocking_fill(&mut self) -> Result<NonBlocking<()>>;

    /// What is buffered and in one piece; may be empty although more is there before
    /// [`non_blocking_fill`](Self::non_blocking_fill) is called.
    fn buffer(&self) -> &[u8];

    /// Takes the first `n` bytes of [`buffer`](Self::buffer).
    ///
    /// # Panics
    ///
    /// If that is more than is buffered.
    fn consume_buffer(&mut self, n: usize);
}

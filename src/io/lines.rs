//! [`Lines`] and [`Segments`]: a buffered reader piece by piece. (Not `split`: that is what streams
//! do with their directions, and a method of this name here would hide theirs.)
//!
//! `Segments` holds the part of the next piece that was read (`bytes`) and whether its delimiter has been
//! seen (`is_complete`). Bytes leave the reader only into `bytes` and `bytes` only with a piece that
//! is returned, so an error, or a future that is dropped, loses nothing: the next call goes on. While
//! it waits between two pieces it holds no memory.

use std::io::{Error, ErrorKind, Result};

use super::BufRead;

/// A reader line by line; made by [`BufRead::lines`].
///
/// Set a [`limit`](Self::limit) wherever the peer is not trusted: without one a line is as long as
/// memory lasts.
///
/// ```
/// # futures::executor::block_on(async {
/// use runtime::io::BufRead;
///
/// let mut lines = (&b"GET / HTTP/1.1\r\nhost: here\r\n\r\n"[..]).lines().limit(8 * 1024);
/// while let Some(line) = lines.next_line().await? {
///     if line.is_empty() {
///         break;
///     }
/// }
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
#[derive(Debug)]
pub struct Lines<R> {
    segments: Segments<R>,
}

impl<R> Lines<R> {
    pub(super) fn new(reader: R) -> Self {
        Self { segments: Segments::new(reader, b'\n') }
    }

    /// The most bytes that a line may have, its `\n` not counted.
    #[must_use]
    pub fn limit(self, bytes: usize) -> Self {
        Self { segments: self.segments.limit(bytes) }
    }

    /// Takes what was read of the next line: after an error, to look at it or to go on without it.
    ///
    /// ```
    /// # futures::executor::block_on(async {
    /// use runtime::io::BufRead;
    ///
    /// let mut lines = (&b"good\nb\xffd\nbetter\n"[..]).lines().limit(100);
    /// assert_eq!(lines.next_line().await?.as_deref(), Some("good"));
    /// let error = lines.next_line().await.unwrap_err();
    /// assert_eq!(error.kind(), std::io::ErrorKind::InvalidData);
    /// assert_eq!(lines.take_bytes(), b"b\xffd");
    /// assert_eq!(lines.next_line().await?.as_deref(), Some("better"));
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub fn take_bytes(&mut self) -> Vec<u8> {
        self.segments.take_bytes()
    }

    /// The reader inside.
    pub fn get_ref(&self) -> &R {
        &self.segments.reader
    }

    /// The reader inside, to write an answer to it, for example. What was read of a line is here
    /// and not there.
    pub fn get_mut(&mut self) -> &mut R {
        &mut self.segments.reader
    }

    /// The reader inside. What was read of a line is lost; see [`take_bytes`](Self::take_bytes).
    pub fn into_inner(self) -> R {
        self.segments.reader
    }
}

impl<R: BufRead> Lines<R> {
    /// The next line, without its `\n` or `\r\n`; `None` at the end of the stream. What follows the
    /// last `\n` is a line, unless it is empty.
    ///
    /// # Errors
    ///
    /// `InvalidData` if the line is longer than the [`limit`](Self::limit), or not UTF-8. It stays
    /// where it is then, and so does the error until [`take_bytes`](Self::take_bytes) was called:
    /// it takes the line that is not UTF-8, or the first `limit` bytes of one that is too long, and
    /// the next call goes on behind that.
    ///
    /// Those of [`BufRead::fill_buf`] except `Interrupted`, which is retried: what was read of the
    /// line stays here, and the next call goes on.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: what was read of the line stays here.
    pub async fn next_line(&mut self) -> Result<Option<String>> {
        if !self.segments.fill().await? {
            return Ok(None);
        }
        match String::from_utf8(self.segments.take_bytes()) {
            Ok(mut line) => {
                if line.ends_with('\r') {
                    line.pop();
                }
                Ok(Some(line))
            }
            Err(error) => {
                let why = error.utf8_error();
                self.segments.bytes = error.into_bytes();
                self.segments.is_complete = true;
                Err(Error::new(ErrorKind::InvalidData, why))
            }
        }
    }
}

/// A reader piece by piece; made by [`BufRead::segments`].
#[derive(Debug)]
pub struct Segments<R> {
    reader: R,
    delimiter: u8,
    limit: usize,
    bytes: Vec<u8>,
    is_complete: bool,
}

impl<R> Segments<R> {
    pub(super) fn new(reader: R, delimiter: u8) -> Self {
        Self { reader, delimiter, limit: usize::MAX, bytes: Vec::new(), is_complete: false }
    }

    /// The most bytes that a piece may have, its delimiter not counted.
    #[must_use]
    pub fn limit(self, bytes: usize) -> Self {
        Self { limit: bytes, ..self }
    }

    /// Takes what was read of the next piece: after an error, to look at it or to go on without it.
    pub fn take_bytes(&mut self) -> Vec<u8> {
        self.is_complete = false;
        std::mem::take(&mut self.bytes)
    }

    /// The reader inside.
    pub fn get_ref(&self) -> &R {
        &self.reader
    }

    /// The reader inside. What was read of a piece is here and not there.
    pub fn get_mut(&mut self) -> &mut R {
        &mut self.reader
    }

    /// The reader inside. What was read of a piece is lost; see [`take_bytes`](Self::take_bytes).
    pub fn into_inner(self) -> R {
        self.reader
    }
}

impl<R: BufRead> Segments<R> {
    /// The next piece, without its delimiter; `None` at the end of the stream. What follows the
    /// last delimiter is a piece, unless it is empty.
    ///
    /// # Errors
    ///
    /// `InvalidData` if the piece is longer than the [`limit`](Self::limit); its beginning stays
    /// here, and the error too until [`take_bytes`](Self::take_bytes) was called. Those of
    /// [`BufRead::fill_buf`] except `Interrupted`, which is retried: what was read of the piece
    /// stays here, and the next call goes on.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: what was read of the piece stays here.
    ///
    /// ```
    /// # futures::executor::block_on(async {
    /// use runtime::io::BufRead;
    ///
    /// let mut fields = (&b"a;b;;c"[..]).segments(b';').limit(1024);
    /// let mut seen = Vec::new();
    /// while let Some(field) = fields.next_segment().await? {
    ///     seen.push(field);
    /// }
    /// assert_eq!(seen, [&b"a"[..], b"b", b"", b"c"]);
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub async fn next_segment(&mut self) -> Result<Option<Vec<u8>>> {
        Ok(self.fill().await?.then(|| self.take_bytes()))
    }

    /// Reads until `bytes` is a piece; says whether there is one.
    async fn fill(&mut self) -> Result<bool> {
        while !self.is_complete {
            let shown = match self.reader.fill_buf().await {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                outcome => outcome?,
            };
            if shown.is_empty() {
                return Ok(!self.bytes.is_empty());
            }
            let found = shown.iter().position(|byte| *byte == self.delimiter);
            let part = &shown[..found.unwrap_or(shown.len())];
            let fits = part.len().min(self.limit.saturating_sub(self.bytes.len()));
            let is_too_long = fits < part.len();
            self.bytes.try_reserve(fits)?;
            self.bytes.extend_from_slice(&part[..fits]);
            // What does not fit stays in the reader, so memory is bounded and nothing is lost.
            self.is_complete = found.is_some() && !is_too_long;
            self.reader.consume(fits + usize::from(self.is_complete));
            if is_too_long {
                return Err(Error::new(
                    ErrorKind::InvalidData,
                    "the peer sent more before the next delimiter than the limit allows",
                ));
            }
        }
        Ok(true)
    }
}

//! [`Join`]: a reader and a writer as one stream.
//!
//! No state of its own. A wait for reading is the reader's and a wait for writing the writer's; a
//! wait for both asks both.

use std::io::{IoSlice, Result};
use std::task::{Context, Poll};

use super::{
    BufRead, DynOwnedWrite, Interest, OwnedRead, OwnedWrite, Read, Readiness, Ready, ReadyBufRead,
    ReadyRead, ReadyStream, ReadyWrite, Write, forward_io,
};

/// A stream of a reader and a writer; made by [`join`].
///
/// # Cancel safety
///
/// As the two inside.
#[derive(Clone, Copy, Debug)]
pub struct Join<R, W> {
    reader: R,
    writer: W,
}

/// Makes a stream of a reader and a writer.
///
/// ```
/// # futures::executor::block_on(async {
/// use runtime::io::{Read, Write, join};
///
/// let mut stream = join(&b"question"[..], Vec::new());
/// let mut question = String::new();
/// stream.read_to_string(&mut question).await?;
/// stream.write_all(b"answer").await?;
/// let (_, written) = stream.into_inner();
/// assert_eq!((question.as_str(), written.as_slice()), ("question", &b"answer"[..]));
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub fn join<R, W>(reader: R, writer: W) -> Join<R, W> {
    Join { reader, writer }
}

impl<R, W> Join<R, W> {
    /// The reader and the writer inside.
    pub fn get_ref(&self) -> (&R, &W) {
        (&self.reader, &self.writer)
    }

    /// The reader and the writer inside.
    pub fn get_mut(&mut self) -> (&mut R, &mut W) {
        (&mut self.reader, &mut self.writer)
    }

    /// The reader and the writer inside.
    pub fn into_inner(self) -> (R, W) {
        (self.reader, self.writer)
    }
}

impl<R: Ready, W: Ready> Ready for Join<R, W> {
    fn poll_ready(&mut self, cx: &mut Context<'_>, interest: Interest) -> Poll<Result<Readiness>> {
        if !interest.is_writable() {
            return self.reader.poll_ready(cx, interest);
        }
        let written = self.writer.poll_ready(cx, Interest::WRITE)?;
        if interest == Interest::WRITE {
            return written.map(Ok);
        }
        // Both are asked before either answer is returned, so that both waits are registered.
        match (self.reader.poll_ready(cx, interest.without(Interest::WRITE))?, written) {
            (Poll::Ready(read), Poll::Ready(written)) => Poll::Ready(Ok(read | written)),
            (Poll::Ready(one), Poll::Pending) | (Poll::Pending, Poll::Ready(one)) => {
                Poll::Ready(Ok(one))
            }
            (Poll::Pending, Poll::Pending) => Poll::Pending,
        }
    }

    fn stop_waiting(&mut self, interest: Interest) {
        if interest.is_writable() {
            self.writer.stop_waiting(Interest::WRITE);
        }
        if interest != Interest::WRITE {
            self.reader.stop_waiting(interest.without(Interest::WRITE));
        }
    }
}

forward_io!(impl [R: Read, W: Send] Read for Join<R, W> => reader);
forward_io!(impl [R: OwnedRead, W: Send] OwnedRead for Join<R, W> => reader);
forward_io!(impl [R: Read, W: OwnedWrite] OwnedWrite for Join<R, W> => writer);
forward_io!(impl [R: BufRead, W: Send] BufRead for Join<R, W> => reader);
forward_io!(impl [R: ReadyRead, W: Ready] ReadyRead for Join<R, W> => reader);
forward_io!(impl [R: ReadyBufRead, W: Ready] ReadyBufRead for Join<R, W> => reader);
forward_io!(impl [R: Ready + Read, W: ReadyWrite] ReadyWrite for Join<R, W> => writer);

/// By hand, for the downcast to a stream: that is both.
impl<R: Read, W: Write> Write for Join<R, W> {
    fn write(&mut self, buf: &[u8]) -> impl Future<Output = Result<usize>> + Send {
        self.writer.write(buf)
    }

    fn write_vectored(
        &mut self,
        bufs: &[IoSlice<'_>],
    ) -> impl Future<Output = Result<usize>> + Send {
        self.writer.write_vectored(bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.writer.is_write_vectored()
    }

    fn flush(&mut self) -> impl Future<Output = Result<()>> + Send {
        self.writer.flush()
    }

    fn shutdown(&mut self) -> impl Future<Output = Result<()>> + Send {
        self.writer.shutdown()
    }

    fn as_ready_write(&mut self) -> Option<impl ReadyWrite> {
        self.writer.as_ready_write()
    }

    fn as_owned_write(&mut self) -> Option<impl OwnedWrite> {
        self.writer.as_owned_write()
    }

    fn as_owned_write_dyn(&mut self) -> Option<Box<dyn DynOwnedWrite + '_>> {
        self.writer.as_owned_write_dyn()
    }

    fn as_ready_stream(&mut self) -> Option<impl ReadyStream> {
        Some(join(self.reader.as_ready()?, self.writer.as_ready_write()?))
    }

    fn as_ready_write_dyn(&mut self) -> Option<Box<dyn ReadyWrite + '_>> {
        self.writer.as_ready_write_dyn()
    }

    fn as_ready_stream_dyn(&mut self) -> Option<Box<dyn ReadyStream + '_>> {
        Some(Box::new(join(self.reader.as_ready_dyn()?, self.writer.as_ready_write_dyn()?)))
    }
}

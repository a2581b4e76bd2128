//! Other crates' I/O traits, so that what is written for them runs here.
//!
//! | feature | traits | what it opens |
//! |---|---|---|
//! | `tokio-io` | `tokio::io::{AsyncRead, AsyncWrite, AsyncBufRead}` | tokio-rustls, tokio-tungstenite, h2, codecs |
//! | `futures-io` | `futures_io::{AsyncRead, AsyncWrite, AsyncBufRead}` | futures-rustls, async-tungstenite |
//! | `hyper` | `hyper::rt::{Read, Write}`, and its executor and timer | hyper 1, and all that is a `tower` service |
//!
//! Each feature is for itself, and none of them brings a second runtime. With it the streams of
//! this crate (TCP, Unix, OS pipes, pipes in memory, their halves, [`BufReader`](crate::io::BufReader)
//! and [`BufWriter`](crate::io::BufWriter)) implement the traits *themselves*. For any other
//! type that has the readiness traits there is [`Compat`]; `Box<dyn ReadyStream>` is one. In the other
//! direction, [`FromTokio`], [`FromFutures`] and [`FromHyper`] make a foreign stream a
//! [`ReadyStream`](crate::io::ReadyStream).
//!
//! # What it costs
//!
//! Nothing is allocated for a call, and one that has to wait holds no buffer. Memory that is
//! initialized already is read into directly. For memory that is not (most of what hyper, and
//! tokio's `read_buf`, bring) it is neither zeroed nor touched by unsafe code: what is there is read
//! into a buffer of the thread, up to 16 KiB at a time, and copied. Operations are charged to the
//! cooperative budget as our own are, so a foreign loop gives way like one of ours.
//!
#![cfg_attr(
    feature = "futures-io",
    doc = "```
use futures::AsyncReadExt; // their methods ..

# runtime::Runtime::new().unwrap().block_on(async {
let (mut ours, mut theirs) = runtime::io::duplex(64);
let writing = runtime::spawn(async move {
    runtime::io::Write::write_all(&mut ours, b\"same bytes\").await // .. and ours
});
let mut bytes = [0; 10];
theirs.read_exact(&mut bytes).await?; // on one type
assert_eq!(&bytes, b\"same bytes\");
# writing.await.unwrap()?;
# std::io::Result::Ok(()) }).unwrap();
```"
)]

mod foreign;
#[cfg(feature = "futures-io")]
mod futures_io;
#[cfg(feature = "hyper")]
mod hyper;
#[cfg(feature = "tokio-io")]
mod tokio_io;

use std::io::{IoSlice, Result};
use std::task::{Context, Poll};

#[cfg(feature = "futures-io")]
pub use self::futures_io::FromFutures;
#[cfg(feature = "hyper")]
pub use self::hyper::{FromHyper, HyperExecutor, HyperTimer};
#[cfg(feature = "tokio-io")]
pub use self::tokio_io::FromTokio;
#[cfg(any(feature = "futures-io", feature = "tokio-io"))]
use crate::io_core::BorrowedBuf;
#[cfg(any(feature = "hyper", feature = "tokio-io"))]
use crate::io_core::Scratch;
use crate::io_core::{
    BufRead, Interest, NonBlocking, Read, Ready, ReadyBufRead, ReadyRead, ReadyWrite, Write,
    believe, forward_io, poll_empty, poll_io, total,
};

/// Any reader, writer or stream that works by readiness, for code that asks for foreign traits.
///
/// The types of this crate have them without it; this is for your own and for trait objects. It keeps
/// our traits as well.
///
#[cfg_attr(
    feature = "futures-io",
    doc = "```
use futures::AsyncReadExt;
use runtime::compat::Compat;
use runtime::io::{ReadyStream, Write, duplex};

# futures::executor::block_on(async {
let (mut ours, erased) = duplex(64);
let erased: Box<dyn ReadyStream> = Box::new(erased);
ours.write_all(b\"erased\").await?;
let mut bytes = [0; 6];
Compat::new(erased).read_exact(&mut bytes).await?;
assert_eq!(&bytes, b\"erased\");
# std::io::Result::Ok(()) }).unwrap();
```"
)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Compat<S>(S);

impl<S> Compat<S> {
    /// Wraps a stream.
    pub const fn new(stream: S) -> Self {
        Self(stream)
    }

    /// The stream.
    pub const fn get_ref(&self) -> &S {
        &self.0
    }

    /// The stream, to use it directly. Nothing is buffered here, so that is harmless.
    pub const fn get_mut(&mut self) -> &mut S {
        &mut self.0
    }

    /// Takes the stream out.
    pub fn into_inner(self) -> S {
        self.0
    }
}

forward_io!(impl [S: Ready] Ready for Compat<S> => 0);
forward_io!(impl [S: Read] Read for Compat<S> => 0);
forward_io!(impl [S: Write] Write for Compat<S> => 0);
forward_io!(impl [S: ReadyRead] ReadyRead for Compat<S> => 0);
forward_io!(impl [S: ReadyWrite] ReadyWrite for Compat<S> => 0);
forward_io!(impl [S: BufRead] BufRead for Compat<S> => 0);
forward_io!(impl [S: ReadyBufRead] ReadyBufRead for Compat<S> => 0);

/// Calls a feature's macro for every type that gets its traits.
macro_rules! every_stream {
    ($implement:ident) => {
        $implement!([S: crate::io_core::ReadyRead + Unpin] Read crate::compat::Compat<S>);
        $implement!([S: crate::io_core::ReadyWrite + Unpin] Write crate::compat::Compat<S>);
        $implement!([S: crate::io_core::ReadyBufRead + Unpin] BufRead crate::compat::Compat<S>);

        $implement!([] Stream crate::net::TcpStream);
        $implement!(['a] Stream &'a crate::net::TcpStream);
        $implement!(['a] Read crate::net::tcp::ReadHalf<'a>);
        $implement!(['a] Write crate::net::tcp::WriteHalf<'a>);
        $implement!([] Read crate::net::tcp::OwnedReadHalf);
        $implement!([] Write crate::net::tcp::OwnedWriteHalf);
        #[cfg(unix)]
        const _: () = {
            $implement!([] Stream crate::net::UnixStream);
            $implement!(['a] Stream &'a crate::net::UnixStream);
            $implement!(['a] Read crate::net::unix::ReadHalf<'a>);
            $implement!(['a] Write crate::net::unix::WriteHalf<'a>);
            $implement!([] Read crate::net::unix::OwnedReadHalf);
            $implement!([] Write crate::net::unix::OwnedWriteHalf);
            $implement!([] Write crate::net::unix::pipe::Sender);
            $implement!([] Read crate::net::unix::pipe::Receiver);
        };

        $implement!([] Stream crate::pipe::DuplexStream);
        $implement!(['a] Read crate::pipe::ReadHalf<'a>);
        $implement!(['a] Write crate::pipe::WriteHalf<'a>);
        $implement!([] Read crate::pipe::OwnedReadHalf);
        $implement!([] Write crate::pipe::OwnedWriteHalf);
        $implement!([] Stream crate::pipe::SimplexStream);
        $implement!([] Read crate::pipe::SimplexReader);
        $implement!([] Write crate::pipe::SimplexWriter);

        $implement!([R: crate::io_core::ReadyRead + Unpin] Read crate::io_core::BufReader<R>);
        $implement!([R: crate::io_core::ReadyRead + Unpin] BufRead crate::io_core::BufReader<R>);
        $implement!([S: crate::io_core::ReadyWrite + Unpin] Write crate::io_core::BufReader<S>);
        $implement!([S: crate::io_core::ReadyRead + Unpin] Read crate::io_core::BufWriter<S>);
        $implement!([S: crate::io_core::ReadyBufRead + Unpin] BufRead crate::io_core::BufWriter<S>);
        $implement!([W: crate::io_core::ReadyWrite + Unpin] Write crate::io_core::BufWriter<W>);
    };
}
use every_stream;

/// How much is read at once into memory that is not initialized.
const BLOCK: usize = 16 * 1024;

/// Reads what is there, at most `room` bytes, and shows it to `put`.
#[cfg(any(feature = "hyper", feature = "tokio-io"))]
fn poll_read_with<R: ReadyRead>(
    reader: &mut R,
    cx: &mut Context<'_>,
    room: usize,
    mut put: impl FnMut(&[u8]),
) -> Poll<Result<()>> {
    if room == 0 {
        return poll_empty(cx, (), || Ok(NonBlocking::WouldBlock));
    }
    poll_io(cx, reader, Interest::READ, |reader| {
        let (scratch, read) =
            Scratch::filled(BLOCK, |mut buf| reader.non_blocking_read(buf.limited(room)))?;
        Ok(read.map(|()| put(scratch.bytes())))
    })
}

/// Reads into memory that is initialized and says how much that was.
#[cfg(any(feature = "futures-io", feature = "tokio-io"))]
fn poll_read_into<R: ReadyRead>(
    reader: &mut R,
    cx: &mut Context<'_>,
    bytes: &mut [u8],
) -> Poll<Result<usize>> {
    if bytes.is_empty() {
        return poll_empty(cx, 0, || Ok(NonBlocking::WouldBlock));
    }
    poll_io(cx, reader, Interest::READ, |reader| {
        let mut buf = BorrowedBuf::from(&mut *bytes);
        let outcome = reader.non_blocking_read(buf.unfilled())?;
        Ok(outcome.map(|()| buf.len()))
    })
}

fn poll_write<W: ReadyWrite>(
    writer: &mut W,
    cx: &mut Context<'_>,
    bytes: &[u8],
) -> Poll<Result<usize>> {
    if bytes.is_empty() {
        return poll_empty(cx, 0, || writer.non_blocking_write(bytes));
    }
    poll_io(cx, writer, Interest::WRITE, |writer| {
        Ok(writer.non_blocking_write(bytes)?.map(|n| believe(n, bytes.len())))
    })
}

fn poll_write_vectored<W: ReadyWrite>(
    writer: &mut W,
    cx: &mut Context<'_>,
    bufs: &[IoSlice<'_>],
) -> Poll<Result<usize>> {
    if bufs.iter().all(|buf| buf.is_empty()) {
        return poll_empty(cx, 0, || writer.non_blocking_write_vectored(bufs));
    }
    poll_io(cx, writer, Interest::WRITE, |writer| {
        Ok(writer.non_blocking_write_vectored(bufs)?.map(|n| believe(n, total(bufs))))
    })
}

fn poll_flush<W: ReadyWrite>(writer: &mut W, cx: &mut Context<'_>) -> Poll<Result<()>> {
    poll_io(cx, writer, Interest::WRITE, W::non_blocking_flush)
}

fn poll_shutdown<W: ReadyWrite>(writer: &mut W, cx: &mut Context<'_>) -> Poll<Result<()>> {
    poll_io(cx, writer, Interest::WRITE, W::non_blocking_shutdown)
}

/// Fills a reader's buffer; then it can be looked at.
#[cfg(any(feature = "futures-io", feature = "tokio-io"))]
fn poll_fill<'a, R: ReadyBufRead>(
    reader: &'a mut R,
    cx: &mut Context<'_>,
) -> Poll<Result<&'a [u8]>> {
    std::task::ready!(poll_io(cx, reader, Interest::READ, R::non_blocking_fill))?;
    Poll::Ready(Ok(R::buffer(reader)))
}

//! Helpers that the tests of `runtime` share.

pub mod conformance;
pub mod counting;
pub mod loopback;
pub mod rig;

/// The public macros, and the idiom for downcasts, in a crate of an older edition.
///
/// ```edition2021
/// use runtime::io::{
///     BorrowedCursor, BufRead, Interest, NonBlocking, OwnedRead, OwnedWrite, Read, ReadAt, Readiness,
///     Ready, ReadyBufRead, ReadyRead, ReadyStream, ReadyWrite, Seek, WriteAt, forward_io, leaf_io,
/// };
/// use std::io::Result;
/// use std::task::{Context, Poll};
///
/// struct Nothing;
///
/// impl Ready for Nothing {
///     fn poll_ready(&mut self, _: &mut Context<'_>, of: Interest) -> Poll<Result<Readiness>> {
///         Poll::Ready(Ok(of.into()))
///     }
/// }
///
/// impl ReadyRead for Nothing {
///     fn non_blocking_read(&mut self, _: BorrowedCursor<'_>) -> Result<NonBlocking<()>> {
///         Ok(NonBlocking::Ready(()))
///     }
/// }
///
/// impl ReadyBufRead for Nothing {
///     fn non_blocking_fill(&mut self) -> Result<NonBlocking<()>> {
///         Ok(NonBlocking::Ready(()))
///     }
///
///     fn buffer(&self) -> &[u8] {
///         &[]
///     }
///
///     fn consume_buffer(&mut self, _: usize) {}
/// }
///
/// impl ReadyWrite for Nothing {
///     fn non_blocking_write(&mut self, buf: &[u8]) -> Result<NonBlocking<usize>> {
///         Ok(NonBlocking::Ready(buf.len()))
///     }
///
///     fn non_blocking_shutdown(&mut self) -> Result<NonBlocking<()>> {
///         Ok(NonBlocking::Ready(()))
///     }
/// }
///
/// leaf_io!(vectored impl Stream for Nothing);
/// leaf_io!(impl BufRead for Nothing);
///
/// struct Stream<S>(S);
///
/// forward_io!(
///     impl [S: ReadyStream + BufRead + ReadyBufRead + OwnedRead + OwnedWrite]
///         Ready, Read, Write, ReadyRead, ReadyWrite, BufRead, ReadyBufRead, OwnedRead, OwnedWrite
///         for Stream<S> => 0
/// );
///
/// struct At<T>(T);
///
/// forward_io!(impl [T: Seek + ReadAt + WriteAt] Seek, ReadAt, WriteAt for At<T> => 0);
///
/// runtime::task_local! {
///     static NAME: &'static str;
/// }
///
/// async fn read<R: Read>(mut reader: R) -> Result<usize> {
///     if let Some(mut ready) = reader.as_ready() {
///         return ready.read_with(|bytes| bytes.len()).await;
///     }
///     reader.read(&mut [0; 8]).await
/// }
///
/// #[runtime::main]
/// async fn main() -> Result<()> {
///     let read = NAME.scope("older", read(Stream(Nothing))).await;
///     assert_eq!(read?, 0);
///     At(Vec::new()).0.write_all_at(b"at", 0).await
/// }
/// ```
#[cfg(doctest)]
struct OlderEdition;

/// Compiles the code in the README.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

//! The I/O traits, their buffers and adapters.
//!
//! `io_core` inside the crate; `runtime::io` adds the pipes' face to it. It knows the cooperative
//! budget and nobody else, so it runs under any executor.

#[allow(unsafe_code)]
mod buf;
mod buf_read;
mod buf_reader;
mod buf_writer;
mod chain;
mod copy;
mod copy_bidirectional;
mod dynamic;
mod forward;
mod forward_macro;
mod join;
mod just_in_time;
mod leaf_macro;
mod lines;
mod lingering_close;
mod memory;
mod owned;
#[allow(unsafe_code)]
mod owned_buf;
mod pool;
mod read;
mod ready;
mod seek;
mod split;
mod take;
#[cfg(all(test, not(loom)))]
mod tests;
mod when_ready;
mod words;
mod write;

pub use buf::{BorrowedBuf, BorrowedCursor, BorrowedSliceCursor};
pub use buf_read::{BufRead, ReadyBufRead};
pub use buf_reader::{BufReader, ReadBuffer};
pub use buf_writer::{BufWriter, WriteBuffer};
pub use chain::{Bytes, Chain};
pub use copy::{copy, copy_buf};
pub use copy_bidirectional::{
    CopiedBothWays, CopyBidirectional, CopyOutcome, OneWay, copy_bidirectional,
};
pub use dynamic::{DynOwnedRead, DynOwnedWrite, DynRead, DynWrite};
pub use forward::Never;
#[doc(inline)]
pub use forward_macro::forward_io;
pub use join::{Join, join};
pub(crate) use just_in_time::Scratch;
pub use just_in_time::{ReadTarget, read_with};
#[doc(inline)]
pub use leaf_macro::leaf_io;
pub use lines::{Lines, Segments};
pub use lingering_close::lingering_close;
pub use memory::{Empty, Repeat, Sink, empty, repeat, sink};
pub use owned::{OwnedRead, OwnedWrite};
pub use owned_buf::{OwnedBuf, OwnedCursor};
pub use read::Read;
#[cfg(any(feature = "futures-io", feature = "hyper", feature = "tokio-io"))]
pub(crate) use read::{believe, total};
pub use ready::{Ready, ReadyRead, ReadyStream, ReadyWrite};
pub use seek::{ReadAt, Seek, WriteAt};
pub use split::{ReadHalf, WriteHalf, split};
pub use take::Take;
#[cfg(feature = "futures-io")]
pub(crate) use when_ready::read_slices;
pub use when_ready::{
    fill_when_ready, flush_when_ready, read_buf_vectored_when_ready, read_buf_when_ready,
    read_owned_when_ready, read_vectored_when_ready, read_when_ready, shutdown_when_ready,
    write_all_when_ready, write_owned_when_ready, write_vectored_when_ready, write_when_ready,
};
#[cfg(any(feature = "futures-io", feature = "hyper", feature = "tokio-io"))]
pub(crate) use when_ready::{poll_empty, poll_io};
pub use words::{Interest, NonBlocking, Readiness};
pub use write::Write;

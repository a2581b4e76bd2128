//! The conformance suite on the pipes: whole, split and erased. Adapters on them are in
//! `adapter_rows.rs`.

use std::io::{IoSlice, Result};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};

use runtime::io::{
    BorrowedCursor, BorrowedSliceCursor, Interest, NonBlocking, Readiness, Ready, ReadyRead,
    ReadyStream, ReadyWrite, SimplexStream, duplex, leaf_io, simplex,
};
use runtime::pipe::{SimplexWriter, duplex_with};
use runtime_tests::conformance;
use runtime_tests::conformance::{CurrentThread, MultiThread, one_way, one_way_on, pair, pair_on};

conformance!(pair duplex_pipe, pair(|| async { duplex(4096) }));
conformance!(pair duplex_of_one_byte, pair(|| async { duplex(1) }));
conformance!(pair duplex_without_limit, pair(|| async { duplex_with(1 << 20, 3) }));
conformance!(pair duplex_on_the_runtime, pair_on(MultiThread, || async { duplex(4096) }));
conformance!(pair duplex_object, pair_on(CurrentThread, || async {
    let (left, right) = duplex(4096);
    (Box::new(left) as Box<dyn ReadyStream>, Box::new(right) as Box<dyn ReadyStream>)
}));
conformance!(one_way duplex_owned_halves, one_way_on(CurrentThread, || async {
    let (left, right) = duplex(4096);
    (left.into_split().1, right.into_split().0)
}).halves());
conformance!(one_way simplex_pipe, one_way(|| async {
    let (reader, writer) = simplex(4096);
    (writer, reader)
}).halves());
conformance!(one_way simplex_of_one_byte, one_way(|| async {
    let (reader, writer) = SimplexStream::new_unsplit(1).into_split();
    (writer, reader)
}).halves());
conformance!(one_way simplex_on_the_runtime, one_way_on(MultiThread, || async {
    let (reader, writer) = simplex(4096);
    (writer, reader)
}).halves());

// ---------------------------------------------------------------- shown in place

conformance!(in_place duplex_in_place, pair(|| async { duplex(4096) }));
conformance!(in_place duplex_of_one_byte_in_place, pair_on(CurrentThread, || async { duplex(1) }));
conformance!(in_place duplex_halves_in_place, one_way_on(MultiThread, || async {
    let (left, right) = duplex(4096);
    (left.into_split().1, right.into_split().0)
}));
conformance!(in_place simplex_in_place, one_way_on(CurrentThread, || async {
    let (reader, writer) = simplex(4096);
    (writer, reader)
}));

// ---------------------------------------------------------------- one handle for both ends

conformance!(one_way simplex_handle, one_way_on(CurrentThread, || async {
    let ends = Arc::new(Mutex::new(Ends::Whole(SimplexStream::new_unsplit(4096))));
    (Writes(Arc::clone(&ends)), Reads(ends))
}));

/// The handle, and what is left of it when the reader has gone.
enum Ends {
    Whole(SimplexStream),
    Writer(SimplexWriter),
    Nothing,
}

/// Reads from the handle.
struct Reads(Arc<Mutex<Ends>>);

/// Writes to the handle.
struct Writes(Arc<Mutex<Ends>>);

impl Reads {
    fn ends(&self) -> MutexGuard<'_, Ends> {
        self.0.lock().unwrap()
    }
}

impl Writes {
    fn ends(&self) -> MutexGuard<'_, Ends> {
        self.0.lock().unwrap()
    }
}

/// The same method of whatever is left.
macro_rules! of_what_is_left {
    ($this:ident, |$end:ident| $method:expr) => {
        match &mut *$this.ends() {
            Ends::Whole($end) => $method,
            Ends::Writer($end) => $method,
            Ends::Nothing => unreachable!("one of two is there"),
        }
    };
}

impl Ready for Reads {
    fn poll_ready(&mut self, cx: &mut Context<'_>, interest: Interest) -> Poll<Result<Readiness>> {
        of_what_is_left!(self, |end| end.poll_ready(cx, interest))
    }

    fn stop_waiting(&mut self, interest: Interest) {
        of_what_is_left!(self, |end| end.stop_waiting(interest));
    }
}

impl Ready for Writes {
    fn poll_ready(&mut self, cx: &mut Context<'_>, interest: Interest) -> Poll<Result<Readiness>> {
        of_what_is_left!(self, |end| end.poll_ready(cx, interest))
    }

    fn stop_waiting(&mut self, interest: Interest) {
        of_what_is_left!(self, |end| end.stop_waiting(interest));
    }
}

impl ReadyRead for Reads {
    fn non_blocking_read(&mut self, buf: BorrowedCursor<'_>) -> Result<NonBlocking<()>> {
        let Ends::Whole(stream) = &mut *self.ends() else { unreachable!("its reader is here") };
        stream.non_blocking_read(buf)
    }

    fn non_blocking_read_vectored(
        &mut self,
        bufs: BorrowedSliceCursor<'_>,
    ) -> Result<NonBlocking<usize>> {
        let Ends::Whole(stream) = &mut *self.ends() else { unreachable!("its reader is here") };
        stream.non_blocking_read_vectored(bufs)
    }
}

impl ReadyWrite for Writes {
    fn non_blocking_write(&mut self, buf: &[u8]) -> Result<NonBlocking<usize>> {
        of_what_is_left!(self, |end| end.non_blocking_write(buf))
    }

    fn non_blocking_write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> Result<NonBlocking<usize>> {
        of_what_is_left!(self, |end| end.non_blocking_write_vectored(bufs))
    }

    fn non_blocking_shutdown(&mut self) -> Result<NonBlocking<()>> {
        of_what_is_left!(self, |end| end.non_blocking_shutdown())
    }
}

impl Drop for Reads {
    fn drop(&mut self) {
        let mut ends = self.ends();
        let Ends::Whole(stream) = std::mem::replace(&mut *ends, Ends::Nothing) else { return };
        let (reader, writer) = stream.into_split();
        *ends = Ends::Writer(writer);
        drop(ends);
        drop(reader);
    }
}

impl Drop for Writes {
    fn drop(&mut self) {
        let _ = of_what_is_left!(self, |end| end.non_blocking_shutdown());
    }
}

leaf_io!(vectored impl Read for Reads);
leaf_io!(vectored impl Write for Writes);

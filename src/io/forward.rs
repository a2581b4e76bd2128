//! The traits on `&mut T`, on `Box<T>` and on boxed or borrowed trait objects.
//!
//! `&mut T` and `Box<T>` forward everything, downcasts and the provided methods included; `T` is
//! `Sized` there, so that a method that the inner type has overridden is forwarded too. Trait
//! objects keep the readiness methods only; their async methods are the ready loops again, so no
//! call allocates.

use std::io::Result;
use std::task::{Context, Poll};

use super::{
    BorrowedCursor, BufRead, Interest, NonBlocking, OwnedRead, OwnedWrite, Read, ReadAt, Readiness,
    Ready, ReadyBufRead, ReadyRead, ReadyStream, ReadyWrite, Seek, Write, WriteAt, forward_io,
    leaf_io,
};

macro_rules! forward_pointer {
    ($($kind:ident),+) => {$(
        forward_io!(@$kind [T: $kind] &mut T, self, (**self));
        forward_io!(@$kind [T: $kind] Box<T>, self, (**self));
    )+};
}

forward_pointer!(Ready, Read, Write, ReadyRead, ReadyWrite, BufRead, ReadyBufRead);
forward_pointer!(OwnedRead, OwnedWrite, Seek, ReadAt, WriteAt);
// Which needs no exclusive access.
forward_io!(@ReadAt [T: ReadAt] &T, self, (**self));

/// The readiness traits on a pointer to a trait object; the async ones then come from `leaf_io!`.
macro_rules! forward_object {
    ($($pointer:ty: $kind:ident;)+) => {$(
        impl Ready for $pointer {
            fn poll_ready(
                &mut self,
                cx: &mut Context<'_>,
                interest: Interest,
            ) -> Poll<Result<Readiness>> {
                (**self).poll_ready(cx, interest)
            }
            fn stop_waiting(&mut self, interest: Interest) {
                (**self).stop_waiting(interest);
            }
        }
        forward_object!(@$kind $pointer);
        // `vectored`: the object may do better, and the loop asks it in any case.
        leaf_io!(vectored impl $kind for $pointer);
    )+};
    (@Stream $pointer:ty) => {
        forward_object!(@Read $pointer);
        forward_object!(@Write $pointer);
    };
    (@Read $pointer:ty) => {
        forward_io!(@ReadyRead [] $pointer, self, (**self));
    };
    (@Write $pointer:ty) => {
        forward_io!(@ReadyWrite [] $pointer, self, (**self));
    };
}

forward_object! {
    Box<dyn ReadyRead + '_>: Read;
    Box<dyn ReadyRead + Sync + '_>: Read;
    &mut (dyn ReadyRead + '_): Read;
    &mut (dyn ReadyRead + Sync + '_): Read;
    Box<dyn ReadyWrite + '_>: Write;
    Box<dyn ReadyWrite + Sync + '_>: Write;
    &mut (dyn ReadyWrite + '_): Write;
    &mut (dyn ReadyWrite + Sync + '_): Write;
    Box<dyn ReadyStream + '_>: Stream;
    Box<dyn ReadyStream + Sync + '_>: Stream;
    &mut (dyn ReadyStream + '_): Stream;
    &mut (dyn ReadyStream + Sync + '_): Stream;
}

/// The type behind a downcast that says `None`: it has no values.
#[derive(Debug)]
pub enum Never {}

impl Ready for Never {
    fn poll_ready(&mut self, _: &mut Context<'_>, _: Interest) -> Poll<Result<Readiness>> {
        match *self {}
    }
}

impl ReadyRead for Never {
    fn non_blocking_read(&mut self, _: BorrowedCursor<'_>) -> Result<NonBlocking<()>> {
        match *self {}
    }
}

impl ReadyWrite for Never {
    fn non_blocking_write(&mut self, _: &[u8]) -> Result<NonBlocking<usize>> {
        match *self {}
    }

    fn non_blocking_shutdown(&mut self) -> Result<NonBlocking<()>> {
        match *self {}
    }
}

leaf_io!(impl Stream for Never);

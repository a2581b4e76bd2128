//! The arithmetic of the borrowed buffers, and implementations that try to lie to them.

use super::super::buf::{read_spare, with_spare};
use super::super::{BorrowedBuf, BorrowedSliceCursor};
use super::*;
use std::mem::MaybeUninit;
use std::panic::{AssertUnwindSafe, catch_unwind};

#[test]
fn marks_move_as_documented() {
    let mut memory = [MaybeUninit::uninit(); 8];
    let mut buf = BorrowedBuf::from(&mut memory[..]);
    assert_eq!((buf.len(), buf.init_len(), buf.capacity()), (0, 0, 8));
    let mut cursor = buf.unfilled();
    cursor.append(b"ab");
    assert_eq!((cursor.written(), cursor.capacity()), (2, 6));
    assert_eq!((cursor.init_mut().len(), cursor.uninit_mut().len()), (0, 6));
    cursor.append(b"c");
    cursor.ensure_init();
    assert_eq!((cursor.init_mut().len(), cursor.uninit_mut().len()), (5, 0));
    cursor.advance_checked(1);
    assert_eq!(buf.filled(), b"abc\0");
    assert_eq!((buf.init_len(), buf.clear().len(), buf.init_len()), (8, 0, 8));
    assert_eq!(buf.unfilled().init_mut(), b"abc\0\0\0\0\0");
}

#[test]
fn a_limited_cursor_stays_in_its_limits() {
    let mut memory = [MaybeUninit::uninit(); 8];
    let mut buf = BorrowedBuf::from(&mut memory[..]);
    let mut cursor = buf.unfilled();
    cursor.append(b"x");
    let mut limited = cursor.limited(3);
    assert_eq!((limited.capacity(), limited.uninit_mut().len()), (3, 3));
    assert_eq!(limited.append_some(b"12345"), 3);
    assert_eq!((limited.capacity(), limited.uninit_mut().len()), (0, 0));
    assert!(catch_unwind(AssertUnwindSafe(|| limited.append(b"6"))).is_err());
    assert_eq!((cursor.written(), cursor.capacity()), (4, 4));
    // What is initialized behind the limit does not count within it.
    cursor.ensure_init();
    assert_eq!(cursor.limited(2).init_mut().len(), 2);
    assert!(catch_unwind(AssertUnwindSafe(|| _ = cursor.limited(2).advance_checked(3))).is_err());
    assert_eq!(buf.filled(), b"x123");
}

#[test]
fn too_much_is_a_panic_and_changes_nothing() {
    let mut memory = [0; 4];
    let mut buf = BorrowedBuf::from(&mut memory[..]);
    let too_much = catch_unwind(AssertUnwindSafe(|| buf.unfilled().append(b"12345")));
    assert!(too_much.is_err());
    let too_much = catch_unwind(AssertUnwindSafe(|| _ = buf.unfilled().advance_checked(5)));
    assert!(too_much.is_err());
    assert!(buf.is_empty());
    let mut memory = [MaybeUninit::uninit(); 4];
    let mut buf = BorrowedBuf::from(&mut memory[..]);
    let never_written = catch_unwind(AssertUnwindSafe(|| _ = buf.unfilled().advance_checked(1)));
    assert!(never_written.is_err());
}

#[test]
fn several_buffers_are_filled_in_order() {
    let (mut one, mut two) = ([MaybeUninit::uninit(); 3], [MaybeUninit::uninit(); 3]);
    let mut one = BorrowedBuf::from(&mut one[..]);
    let mut two = BorrowedBuf::from(&mut two[..]);
    let mut cursors = [one.unfilled(), two.unfilled()];
    let mut bufs = BorrowedSliceCursor::new(&mut cursors);
    assert_eq!(bufs.capacity(), 6);
    assert_eq!(bufs.limited(4).append_some(b"abcdef"), 4);
    assert_eq!((bufs.written(), bufs.capacity()), (4, 2));
    assert_eq!(bufs.limited(1).first_unfilled().map(|cursor| cursor.capacity()), Some(1));
    assert!(bufs.limited(0).first_unfilled().is_none());
    bufs.reborrow().append(b"ef");
    assert!(bufs.first_unfilled().is_none());
    assert_eq!((one.filled(), two.filled()), (&b"abc"[..], &b"def"[..]));
}

#[test]
fn a_socket_is_received_from_without_zeroing() {
    let (left, right) = socket2::Socket::pair(socket2::Domain::UNIX, socket2::Type::STREAM, None)
        .expect("a pair of sockets");
    left.send(b"abcdefgh").unwrap();
    let mut one = [MaybeUninit::uninit(); 2];
    let mut one = BorrowedBuf::from(&mut one[..]);
    assert_eq!(one.unfilled().limited(1).recv(&right).unwrap(), 1);
    assert_eq!((one.filled(), one.init_len()), (&b"a"[..], 1));
    // One more, none, three, and of the last as much as the limit leaves.
    let mut none = BorrowedBuf::from(&mut [][..] as &mut [u8]);
    let (mut three, mut last) = ([MaybeUninit::uninit(); 3], [0; 8]);
    let mut three = BorrowedBuf::from(&mut three[..]);
    let mut last = BorrowedBuf::from(&mut last[..]);
    let mut cursors = [one.unfilled(), none.unfilled(), three.unfilled(), last.unfilled()];
    let mut bufs = BorrowedSliceCursor::new(&mut cursors);
    assert_eq!(bufs.limited(6).recv(&right).unwrap(), 6);
    assert_eq!((bufs.written(), bufs.capacity()), (6, 6));
    assert_eq!(
        (one.filled(), three.filled(), last.filled()),
        (&b"ab"[..], &b"cde"[..], &b"fg"[..])
    );
}

/// Returns counts that have nothing to do with what it read.
struct Liar(usize);

impl Read for Liar {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize> {
        Ok(buf.len() + self.0)
    }
}

/// Keeps what it was given for another time, and fills memory of its own.
struct Swapper(Vec<BorrowedBuf<'static>>);

impl Read for Swapper {
    async fn read(&mut self, _: &mut [u8]) -> Result<usize> {
        Ok(0)
    }

    async fn read_buf(&mut self, mut buf: BorrowedCursor<'_>) -> Result<()> {
        let mut own = self.0.remove(0);
        {
            let mut other = own.unfilled();
            other.append(b"elsewhere");
            // As near as one gets to replacing the caller's buffer: only this binding changes.
            let mut here = buf.reborrow();
            std::mem::swap(&mut here, &mut other);
        }
        self.0.push(own);
        Ok(())
    }
}

#[test]
fn counts_that_lie_panic_and_read_nothing() {
    for lie in [1, usize::MAX / 2] {
        let mut vec = Vec::with_capacity(64);
        let lied = catch_unwind(AssertUnwindSafe(|| {
            block_on(read_spare(&mut Liar(lie), &mut vec, 16)).map(drop)
        }));
        assert!(lied.is_err());
        assert!(vec.is_empty());
        let lied = catch_unwind(|| block_on(Liar(lie).take(4).read(&mut [0; 8])).map(drop));
        assert!(lied.is_err());
        let lied = catch_unwind(|| block_on(Liar(lie).read_exact(&mut [0; 8])));
        assert!(lied.is_err());
    }
}

#[test]
fn a_swapped_cursor_leaves_the_callers_buffer_as_it_was() {
    let memory = Box::leak(Box::new([0; 64]));
    let mut swapper = Swapper(vec![BorrowedBuf::from(&mut memory[..])]);
    let mut vec = Vec::with_capacity(64);
    assert_eq!(block_on(read_spare(&mut swapper, &mut vec, 16)).unwrap(), 0);
    assert!(vec.is_empty());
    assert_eq!(swapper.0[0].filled(), b"elsewhere");
}

#[test]
fn spare_capacity_is_appended_to() {
    let mut vec = Vec::with_capacity(16);
    vec.extend_from_slice(b"ab");
    with_spare(&mut vec, 3, |mut cursor| cursor.append_some(b"cdefg"));
    assert_eq!(vec, b"abcde");
    let panics = catch_unwind(AssertUnwindSafe(|| {
        with_spare(&mut vec, 3, |mut cursor| {
            cursor.append(b"f");
            panic!("on purpose");
        })
    }));
    assert!(panics.is_err());
    assert_eq!(vec, b"abcde");
}

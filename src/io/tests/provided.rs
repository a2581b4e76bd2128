//! The provided methods: interruptions, ends, invalid text, sizes of futures, the budget.

use super::super::{
    BorrowedBuf, BufRead, OwnedBuf, OwnedRead, OwnedWrite, ReadAt, Ready, ReadyRead, Seek, WriteAt,
    repeat,
};
use super::*;
use crate::coop::Budget;
use std::io::{Cursor, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::pin::pin;
use std::task::{Context, Waker};

#[test]
fn h05_interruptions_are_retried_by_all_that_loop() {
    block_on(async {
        let steps = ["!", "ab", "!", "!", "cd", "!"];
        let mut four = [0; 4];
        script(&steps).read_exact(&mut four).await.unwrap();
        assert_eq!(&four, b"abcd");
        let mut memory = [MaybeUninit::uninit(); 4];
        let mut buf = BorrowedBuf::from(&mut memory[..]);
        script(&steps).read_buf_exact(buf.unfilled()).await.unwrap();
        assert_eq!(buf.filled(), b"abcd");
        let mut all = Vec::new();
        assert_eq!(script(&steps).read_to_end(&mut all).await.unwrap(), 4);
        assert_eq!(all, b"abcd");
        let mut text = String::new();
        assert_eq!(script(&steps).read_to_string(&mut text).await.unwrap(), 4);
        let mut writer = slow(3);
        writer.write_all(b"0123456789").await.unwrap();
        let mut slices = [IoSlice::new(b"abcd"), IoSlice::new(b""), IoSlice::new(b"ef")];
        writer.write_all_vectored(&mut slices).await.unwrap();
        write!(writer, "{}", 42).await.unwrap();
        assert_eq!(writer.taken, b"0123456789abcdef42");
        // A single operation is not a loop.
        let error = script(&["!"]).read(&mut four).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Interrupted);
    });
}

#[test]
fn h06_a_writer_that_takes_nothing_is_an_error() {
    block_on(async {
        let error = slow(0).write_all(b"x").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WriteZero);
        let error = slow(0).write_all_vectored(&mut [IoSlice::new(b"x")]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WriteZero);
        slow(0).write_all(b"").await.unwrap();
    });
}

#[test]
fn h17_an_end_that_comes_too_early_is_an_error_and_what_was_read_is_kept() {
    block_on(async {
        let error = script(&["ab"]).read_exact(&mut [0; 3]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
        let mut memory = [0; 3];
        let mut buf = BorrowedBuf::from(&mut memory[..]);
        let error = script(&["ab"]).read_buf_exact(buf.unfilled()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
        assert_eq!(buf.filled(), b"ab");
        let mut all = b"before ".to_vec();
        assert!(script(&["ab", "#", "cd"]).read_to_end(&mut all).await.is_err());
        assert_eq!(all, b"before ab");
    });
}

#[test]
fn read_to_end_takes_all_of_a_long_stream() {
    let long = vec![7; 1_000_003];
    for capacity in [0, 1, 5000, long.len(), long.len() + 1] {
        let mut all = Vec::with_capacity(capacity);
        assert_eq!(block_on((&long[..]).read_to_end(&mut all)).unwrap(), long.len());
        assert!(all == long);
    }
}

#[test]
fn h04_text_that_is_not_utf8_leaves_the_string_untouched() {
    block_on(async {
        let mut text = String::from("before");
        let error = (&b"ab\xff"[..]).read_to_string(&mut text).await.unwrap_err();
        assert_eq!((error.kind(), text.as_str()), (ErrorKind::InvalidData, "before"));
        let mut input = &b"ab\xff\nnext\n"[..];
        let error = input.read_line(&mut text).await.unwrap_err();
        assert_eq!((error.kind(), text.as_str()), (ErrorKind::InvalidData, "before"));
        assert_eq!(input.read_line(&mut text).await.unwrap(), 5);
        assert_eq!(text, "beforenext\n");
        assert!(script(&["ab", "#"]).read_to_string(&mut text).await.is_err());
        assert_eq!(text, "beforenext\n");
    });
}

#[test]
fn lines_and_delimiters_are_found() {
    block_on(async {
        let mut input = &b"a,bc,,d"[..];
        let mut fields = Vec::new();
        while input.has_data_left().await.unwrap() {
            let mut field = Vec::new();
            input.read_until(b',', &mut field).await.unwrap();
            fields.push(field);
        }
        assert_eq!(fields, [&b"a,"[..], b"bc,", b",", b"d"]);
        assert_eq!(input.read_until(b',', &mut Vec::new()).await.unwrap(), 0);
        let mut taken = Cursor::new(b"one\ntwo\n").take(6);
        let (mut text, mut rest) = (String::new(), String::new());
        taken.read_line(&mut text).await.unwrap();
        taken.read_line(&mut rest).await.unwrap();
        assert_eq!((text.as_str(), rest.as_str(), taken.limit()), ("one\n", "tw", 0));
        assert_eq!(taken.fill_buf().await.unwrap(), b"");
    });
}

#[test]
fn h02_limits_at_the_edge_of_their_type() {
    block_on(async {
        let mut all = Vec::new();
        (&b"abc"[..]).take(u64::MAX).read_to_end(&mut all).await.unwrap();
        let mut taken = repeat(b'x').take(u64::MAX - 1);
        taken.set_limit(3);
        taken.read_to_end(&mut all).await.unwrap();
        assert_eq!(all, b"abcxxx");
        // Slices that end before, at and behind the limit.
        for limit in 0..=8 {
            let mut taken = repeat(b'x').take(limit);
            let (mut one, mut two, mut three) = ([0; 2], [0; 3], [0; 2]);
            let mut bufs = [&mut one[..], &mut [], &mut two, &mut three].map(IoSliceMut::new);
            let n = taken.read_vectored(&mut bufs).await.unwrap() as u64;
            assert!(n <= limit && (n > 0 || limit == 0));
            assert_eq!(taken.limit(), limit - n);
            let read = [&one[..], &two, &three].concat();
            assert_eq!(read.iter().filter(|byte| **byte == b'x').count() as u64, n);
        }
    });
}

#[test]
fn single_operations_are_small() {
    let mut reader = &b""[..];
    let mut writer = Vec::<u8>::new();
    let mut buf = [0; 8];
    assert!(size_of_val(&reader.read(&mut buf)) <= 24);
    assert!(size_of_val(&reader.ready(Interest::READ)) <= 24);
    assert!(size_of_val(&writer.write(&buf)) <= 24);
    assert!(size_of_val(&writer.flush()) <= 8);
    assert!(size_of_val(&writer.shutdown()) <= 8);
    let mut slices = [IoSliceMut::new(&mut buf)];
    assert!(size_of_val(&reader.read_vectored(&mut slices)) <= 24);
    let mut buf = BorrowedBuf::from(&mut buf[..]);
    assert!(size_of_val(&reader.read_buf(buf.unfilled())) <= 40);
    // An owned buffer travels inside, once.
    let owned = || OwnedBuf::with_capacity(1);
    assert!(size_of_val(&reader.read_owned(owned())) <= size_of::<OwnedBuf>() + 16);
    assert!(size_of_val(&writer.write_owned(owned())) <= size_of::<OwnedBuf>() + 16);
    // Forwarding adds nothing.
    let mut buf = [0; 8];
    assert!(size_of_val(&(&mut &mut reader).read(&mut buf)) <= 24);
    let mut boxed: Box<dyn ReadyRead> = Box::new(reader);
    assert!(size_of_val(&boxed.read(&mut buf)) <= 24);
}

/// How many rounds of `future` go by before the budget makes it wait.
fn rounds(mut round: impl AsyncFnMut()) -> usize {
    let restore = Budget::FULL.replace();
    let mut count = 0;
    {
        let mut endless = pin!(async {
            while count < 1000 {
                round().await;
                count += 1;
            }
        });
        let _ = endless.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    }
    restore.replace();
    count
}

#[test]
fn leaves_charge_the_budget_once_and_adapters_never() {
    // One unit a call, through whatever is around the leaf.
    assert_eq!(rounds(async || _ = repeat(1).read(&mut [0; 8]).await), 128);
    assert_eq!(rounds(async || _ = repeat(1).take(9).take(8).read(&mut [0; 8]).await), 128);
    assert_eq!(rounds(async || _ = (&mut &mut Box::new(repeat(1))).read(&mut [0]).await), 128);
    let mut erased: Box<dyn ReadyRead> = Box::new(repeat(1));
    assert_eq!(rounds(async || _ = erased.read(&mut [0; 8]).await), 128);
    assert_eq!(rounds(async || _ = erased.as_ready().unwrap().read(&mut [0; 8]).await), 128);
    assert_eq!(rounds(async || _ = (&b"abc"[..]).read(&mut [0; 8]).await), 128);
    assert_eq!(rounds(async || _ = Vec::new().write(b"abc").await), 128);
    assert_eq!(rounds(async || _ = Cursor::new(Vec::new()).write(b"abc").await), 128);
    assert_eq!(rounds(async || _ = Cursor::new([0; 2]).write(b"abc").await), 128);
    let buf = || OwnedBuf::with_capacity(8);
    assert_eq!(rounds(async || _ = repeat(1).take(9).read_owned(buf()).await), 128);
    assert_eq!(rounds(async || _ = Vec::new().write_owned(buf()).await), 128);
    assert_eq!(rounds(async || _ = (&b"abc"[..]).read_at(&mut [0; 8], 1).await), 128);
    assert_eq!(rounds(async || _ = Vec::new().write_at(b"abc", 1).await), 128);
    assert_eq!(rounds(async || _ = Cursor::new(b"abc").stream_position().await), 128);
    // One more for 16 KiB.
    let mut big = vec![0; 16 << 10];
    assert_eq!(rounds(async || _ = repeat(1).read(&mut big).await), 64);
    // Operations on nothing count as well.
    assert_eq!(rounds(async || _ = repeat(1).read(&mut []).await), 128);
    assert_eq!(rounds(async || _ = Vec::new().write(&[]).await), 128);
    assert_eq!(rounds(async || _ = (&mut [][..] as &mut [u8]).write(b"abc").await), 128);
}

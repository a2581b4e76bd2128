//! Writers in memory beside the standard library's, at every position and with every length.

use super::super::{Seek, copy};
use super::*;
use std::io::{Cursor, IoSlice, SeekFrom};

/// Writes here and there, at once and in two slices, and compares what comes of it.
fn writes_as_std<T: AsRef<[u8]>>(make: impl Fn(Vec<u8>) -> T)
where
    Cursor<T>: Write + std::io::Write,
{
    for (position, len) in (0..7).flat_map(|position| (1..6).map(move |len| (position, len))) {
        let bytes = &b"VWXYZ"[..len];
        let parts = [IoSlice::new(&bytes[..len / 2]), IoSlice::new(&bytes[len / 2..])];
        let cursor = || {
            let mut cursor = Cursor::new(make(b"abcd".to_vec()));
            cursor.set_position(position);
            cursor
        };
        let (mut ours, mut gathered, mut theirs) = (cursor(), cursor(), cursor());
        let n = std::io::Write::write(&mut theirs, bytes).unwrap();
        assert_eq!(block_on(Write::write(&mut ours, bytes)).unwrap(), n);
        assert_eq!(block_on(Write::write_vectored(&mut gathered, &parts)).unwrap(), n);
        for cursor in [ours, gathered] {
            assert_eq!(cursor.position(), theirs.position());
            let (ours, theirs) = (cursor.get_ref().as_ref(), theirs.get_ref().as_ref());
            assert_eq!(ours, theirs, "{len} bytes at {position}");
        }
    }
}

#[test]
fn cursors_write_as_the_standard_ones() {
    writes_as_std(|vec| vec);
    writes_as_std(|vec| Box::leak(Box::new(vec)));
    writes_as_std(Vec::into_boxed_slice);
    writes_as_std(Vec::leak);
    writes_as_std(|vec| <[u8; 4]>::try_from(vec).unwrap());
}

#[test]
fn a_position_that_no_vector_reaches_is_an_error_and_nothing_is_written() {
    block_on(async {
        for position in [u64::MAX, u64::MAX - 2, isize::MAX as u64] {
            let mut cursor = Cursor::new(b"abcd".to_vec());
            cursor.set_position(position);
            // Nothing needs no room, and no zeroes before it.
            assert_eq!(Write::write(&mut cursor, b"").await.unwrap(), 0);
            let error = Write::write(&mut cursor, b"xyz").await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::OutOfMemory);
            assert_eq!((cursor.position(), cursor.get_ref().as_slice()), (position, &b"abcd"[..]));
        }
    });
}

#[test]
fn a_slice_takes_what_fits_and_then_nothing() {
    block_on(async {
        let mut memory = [0; 5];
        let mut rest = &mut memory[..];
        Write::write_all(&mut rest, b"abc").await.unwrap();
        let error = Write::write_all(&mut rest, b"def").await.unwrap_err();
        assert_eq!((error.kind(), rest.len()), (ErrorKind::WriteZero, 0));
        assert_eq!(Write::write(&mut rest, b"g").await.unwrap(), 0);
        assert_eq!(&memory, b"abcde");
    });
}

/// A cursor in place of a file.
#[test]
fn a_cursor_is_written_sought_and_read() {
    block_on(async {
        let mut file = Cursor::new(Vec::new());
        copy(&mut &b"head and body"[..], &mut file).await.unwrap();
        Seek::seek(&mut file, SeekFrom::Start(5)).await.unwrap();
        Write::write_all(&mut file, b"AND").await.unwrap();
        file.as_ready_write().unwrap().write_all(b"!").await.unwrap();
        Seek::rewind(&mut file).await.unwrap();
        let mut text = String::new();
        Read::read_to_string(&mut file, &mut text).await.unwrap();
        assert_eq!(text, "head AND!body");
    });
}

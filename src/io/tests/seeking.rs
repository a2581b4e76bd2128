//! Positions and offsets, at their edges and with interruptions.

use super::super::{ReadAt, Seek, WriteAt};
use super::*;
use std::io::{Cursor, SeekFrom};

#[test]
fn a_cursor_moves_as_the_standard_one() {
    block_on(async {
        let mut cursor = Cursor::new(b"0123456789");
        let mut peer = Cursor::new(b"0123456789");
        for position in [
            SeekFrom::Start(3),
            SeekFrom::Current(-3),
            SeekFrom::Current(-1),
            SeekFrom::End(-10),
            SeekFrom::End(-11),
            SeekFrom::End(5),
            SeekFrom::Start(u64::MAX),
            SeekFrom::Current(1),
            SeekFrom::Current(i64::MIN),
            SeekFrom::End(i64::MAX),
        ] {
            let expected = std::io::Seek::seek(&mut peer, position).map_err(|e| e.kind());
            assert_eq!(Seek::seek(&mut cursor, position).await.map_err(|e| e.kind()), expected);
            assert_eq!(Seek::stream_position(&mut cursor).await.unwrap(), peer.position());
            assert_eq!(Seek::stream_len(&mut &mut Box::new(&mut cursor)).await.unwrap(), 10);
            assert_eq!(cursor.position(), peer.position());
        }
        assert_eq!(Read::read(&mut cursor, &mut [0; 4]).await.unwrap(), 0);
        Seek::rewind(&mut cursor).await.unwrap();
        assert_eq!(Read::read(&mut cursor, &mut [0; 4]).await.unwrap(), 4);
    });
}

/// A file that is only its length and position, for the provided methods.
struct Tape {
    position: u64,
    moves: usize,
}

impl Seek for Tape {
    async fn seek(&mut self, position: SeekFrom) -> Result<u64> {
        self.moves += 1;
        self.position = match position {
            SeekFrom::Start(at) => at,
            SeekFrom::Current(by) => self.position.checked_add_signed(by).unwrap(),
            SeekFrom::End(by) => 100_u64.checked_add_signed(by).unwrap(),
        };
        Ok(self.position)
    }
}

#[test]
fn the_length_is_found_by_moving_to_the_end_and_back() {
    block_on(async {
        let mut tape = Tape { position: 7, moves: 0 };
        assert_eq!(tape.stream_len().await.unwrap(), 100);
        assert_eq!((tape.stream_position().await.unwrap(), tape.moves), (7, 4));
        tape.rewind().await.unwrap();
        assert_eq!(tape.position, 0);
        tape.seek(SeekFrom::End(0)).await.unwrap();
        let moves = tape.moves;
        assert_eq!(tape.stream_len().await.unwrap(), 100);
        assert_eq!(tape.moves, moves + 2);
    });
}

#[test]
fn reads_at_offsets_end_where_the_bytes_do() {
    block_on(async {
        let bytes = b"0123456789".to_vec();
        let mut cursor = Cursor::new(&bytes);
        cursor.set_position(5);
        let mut buf = [0; 4];
        for (offset, expected) in [(0, 4), (6, 4), (8, 2), (10, 0), (11, 0), (u64::MAX, 0)] {
            for n in [
                (&bytes[..]).read_at(&mut buf, offset).await.unwrap(),
                bytes.read_at(&mut buf, offset).await.unwrap(),
                cursor.read_at(&mut buf, offset).await.unwrap(),
                ReadAt::read_at(&&Box::new(&bytes), &mut buf, offset).await.unwrap(),
            ] {
                assert_eq!(n, expected);
                assert!(
                    bytes[usize::try_from(offset).unwrap_or(10).min(10)..].starts_with(&buf[..n])
                );
            }
        }
        assert_eq!(cursor.position(), 5);
        bytes.read_exact_at(&mut buf, 6).await.unwrap();
        assert_eq!(&buf, b"6789");
        bytes.read_exact_at(&mut [], u64::MAX).await.unwrap();
        let error = bytes.read_exact_at(&mut buf, 7).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
    });
}

#[test]
fn writes_at_offsets_overwrite_grow_or_stop() {
    block_on(async {
        let mut vec = b"0123".to_vec();
        vec.write_all_at(b"ab", 1).await.unwrap();
        vec.write_all_at(b"cd", 3).await.unwrap();
        vec.write_all_at(b"ef", 7).await.unwrap();
        assert_eq!(vec, b"0abcd\0\0ef");
        assert_eq!(vec.write_at(b"", 100).await.unwrap(), 0);
        assert_eq!(vec.len(), 9);
        for offset in [u64::MAX, u64::MAX / 2] {
            let error = vec.write_at(b"x", offset).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::OutOfMemory);
        }
        let mut cursor = Cursor::new(vec);
        cursor.write_all_at(b"0", 1).await.unwrap();
        assert_eq!((cursor.position(), &cursor.get_ref()[..3]), (0, &b"00b"[..]));
        let mut bytes = [0; 4];
        let mut slice = &mut bytes[..];
        slice.write_all_at(b"ab", 2).await.unwrap();
        assert_eq!(slice.write_at(b"cd", 3).await.unwrap(), 1);
        assert_eq!(slice.write_at(b"cd", u64::MAX).await.unwrap(), 0);
        let error = slice.write_all_at(b"ef", 3).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WriteZero);
        assert_eq!(&bytes, b"\0\0ae");
    });
}

/// One byte a call, and interrupted before each.
struct Steps(std::sync::Mutex<(Vec<u8>, bool)>);

impl Steps {
    fn step<T>(&self, f: impl FnOnce(&mut Vec<u8>) -> T) -> Result<T> {
        let mut inner = self.0.lock().unwrap();
        inner.1 = !inner.1;
        if inner.1 { Err(ErrorKind::Interrupted.into()) } else { Ok(f(&mut inner.0)) }
    }
}

impl ReadAt for Steps {
    async fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<usize> {
        let at = usize::try_from(offset).unwrap();
        self.step(|bytes| {
            buf[0] = bytes[at];
            1
        })
    }
}

impl WriteAt for Steps {
    async fn write_at(&mut self, buf: &[u8], offset: u64) -> Result<usize> {
        let at = usize::try_from(offset).unwrap();
        self.step(|bytes| {
            bytes[at] = buf[0];
            1
        })
    }
}

#[test]
fn h05_offsets_go_on_after_interruptions() {
    block_on(async {
        let mut file = Steps(std::sync::Mutex::new((b"0123456789".to_vec(), false)));
        file.write_all_at(b"abc", 4).await.unwrap();
        let mut buf = [0; 6];
        file.read_exact_at(&mut buf, 2).await.unwrap();
        assert_eq!(&buf, b"23abc7");
    });
}

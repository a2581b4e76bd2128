//! Implementations that lie about what they did, through everything that believes a count: each lie is
//! a panic with a sentence. (Owned buffers are in `owned.rs`; what single adapters do in `adapters.rs`.)

use super::super::{
    BorrowedBuf, BorrowedSliceCursor, BufRead, BufReader, BufWriter, DynRead, DynWrite,
    NonBlocking, ReadAt, Readiness, Ready, ReadyRead, ReadyWrite, WriteAt, copy, copy_buf, join,
    leaf_io, lingering_close, split,
};
use super::*;
use std::io::{IoSlice, IoSliceMut};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

/// Says that it moved more than it could, by so many bytes.
#[derive(Clone, Copy)]
struct Liar(usize);

impl Read for Liar {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize> {
        Ok(buf.len() + self.0)
    }
}

impl Write for Liar {
    async fn write(&mut self, buf: &[u8]) -> Result<usize> {
        Ok(buf.len() + self.0)
    }

    async fn flush(&mut self) -> Result<()> {
        Ok(())
    }

    async fn shutdown(&mut self) -> Result<()> {
        Ok(())
    }
}

impl ReadAt for Liar {
    async fn read_at(&self, buf: &mut [u8], _: u64) -> Result<usize> {
        Ok(buf.len() + self.0)
    }
}

impl WriteAt for Liar {
    async fn write_at(&mut self, buf: &[u8], _: u64) -> Result<usize> {
        Ok(buf.len() + self.0)
    }
}

/// The same by readiness.
struct ReadyLiar(usize);

impl Ready for ReadyLiar {
    fn poll_ready(&mut self, _: &mut Context<'_>, interest: Interest) -> Poll<Result<Readiness>> {
        Poll::Ready(Ok(interest.into()))
    }
}

impl ReadyRead for ReadyLiar {
    fn non_blocking_read(&mut self, mut buf: BorrowedCursor<'_>) -> Result<NonBlocking<()>> {
        buf.append_some(b"x");
        Ok(NonBlocking::Ready(()))
    }

    fn non_blocking_read_vectored(
        &mut self,
        mut bufs: BorrowedSliceCursor<'_>,
    ) -> Result<NonBlocking<usize>> {
        Ok(NonBlocking::Ready(bufs.append_some(b"x") + self.0))
    }
}

impl ReadyWrite for ReadyLiar {
    fn non_blocking_write(&mut self, buf: &[u8]) -> Result<NonBlocking<usize>> {
        Ok(NonBlocking::Ready(buf.len() + self.0))
    }

    fn non_blocking_shutdown(&mut self) -> Result<NonBlocking<()>> {
        Ok(NonBlocking::Ready(()))
    }
}

leaf_io!(impl Stream for ReadyLiar);

/// The lie is found out by a panic whose sentence names it.
#[track_caller]
fn found_out<T>(future: impl Future<Output = T>) {
    let panic = catch_unwind(AssertUnwindSafe(|| block_on(future))).err().expect("it was believed");
    let text = match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(panic) => panic.downcast_ref::<&str>().expect("a sentence").to_string(),
    };
    assert!(text.contains("more") || text.contains("beyond"), "{text}");
}

const LIES: [usize; 3] = [1, 1000, usize::MAX / 2];

#[test]
fn loops_of_reads_believe_no_count() {
    for liar in LIES.map(Liar) {
        let mut memory = [0; 8];
        let mut buf = BorrowedBuf::from(&mut memory[..]);
        found_out(liar.clone().read_exact(&mut [0; 8]));
        found_out(liar.clone().read_buf(buf.unfilled()));
        found_out(liar.clone().read_buf_exact(buf.unfilled()));
        found_out(async {
            let mut cursors = [buf.unfilled()];
            liar.clone().read_buf_vectored(BorrowedSliceCursor::new(&mut cursors)).await
        });
        assert!(buf.is_empty());
        found_out(liar.clone().read_to_end(&mut Vec::new()));
        found_out(liar.clone().read_to_string(&mut String::new()));
        found_out(async { liar.bytes().next().await });
        found_out(liar.read_exact_at(&mut [0; 8], 5));
        found_out(async {
            let (mut one, mut two) = ([0; 2], [0; 2000]);
            let mut bufs = [IoSliceMut::new(&mut one), IoSliceMut::new(&mut two)];
            liar.clone().read_vectored(&mut bufs).await
        });
        found_out(copy(&mut liar.clone(), &mut Vec::new()));
        found_out(lingering_close(liar));
        let mut object: Box<dyn DynRead> = Box::new(liar);
        found_out(object.read_exact(&mut [0; 8]));
        found_out(object.read_to_end(&mut Vec::new()));
        found_out(join(liar, liar).take(9).chain(liar).read(&mut [0; 8]));
    }
}

#[test]
fn buffered_readers_believe_no_count() {
    for liar in LIES.map(Liar) {
        let reader = || BufReader::with_capacity(8, liar);
        found_out(async { reader().has_data_left().await });
        found_out(async { reader().read_until(b'x', &mut Vec::new()).await });
        found_out(async { reader().read_line(&mut String::new()).await });
        found_out(async { reader().lines().limit(9).next_line().await });
        found_out(async { reader().segments(b'x').next_segment().await });
        found_out(copy_buf(&mut reader(), &mut Vec::new()));
        found_out(async { reader().take(5).fill_buf().await.map(<[u8]>::len) });
        found_out(async { (&b""[..]).chain(reader()).fill_buf().await.map(<[u8]>::len) });
        found_out(async { BufWriter::new(reader()).fill_buf().await.map(<[u8]>::len) });
    }
}

#[test]
fn loops_of_writes_believe_no_count() {
    for lie in LIES {
        let mut liar = Liar(lie);
        found_out(liar.write_all(b"abc"));
        found_out(liar.write_all_vectored(&mut [IoSlice::new(b"abc"), IoSlice::new(b"d")]));
        found_out(liar.write_vectored(&[IoSlice::new(b"abc"), IoSlice::new(&[b'd'; 2000])]));
        found_out(async { write!(liar, "{}", 42).await });
        found_out(liar.write_all_at(b"abc", 5));
        found_out(copy(&mut &b"abc"[..], &mut liar));
        found_out(copy_buf(&mut &b"abc"[..], &mut liar));
        let mut object: Box<dyn DynWrite> = Box::new(liar);
        found_out(object.write_all(b"abc"));

        let ready = || ReadyLiar(lie);
        found_out(async { ready().write_all(b"abc").await });
        found_out(async { (Box::new(ready()) as Box<dyn ReadyWrite>).write_all(b"abc").await });
        found_out(async { split(ready()).1.write_all(b"abc").await });
        found_out(copy(&mut &b"abc"[..], &mut ready()));
        found_out(async {
            let mut writer = BufWriter::with_capacity(8, ready());
            writer.write_all(b"abc").await?;
            writer.as_ready_write().expect("readiness").flush().await
        });
    }
}

/// What is in the buffers is what was read, whatever is said of it.
#[test]
fn readers_by_readiness_are_not_asked_for_a_count() {
    for lie in LIES {
        let (mut one, mut two) = ([0; 2], [0; 2]);
        let mut bufs = [IoSliceMut::new(&mut one), IoSliceMut::new(&mut two)];
        assert_eq!(block_on(ReadyLiar(lie).read_vectored(&mut bufs)).unwrap(), 1);
        assert_eq!(block_on(split(ReadyLiar(lie)).0.read_vectored(&mut bufs)).unwrap(), 1);
        let mut object: Box<dyn ReadyRead> = Box::new(ReadyLiar(lie));
        assert_eq!(block_on(object.read_vectored(&mut bufs)).unwrap(), 1);
        let mut one = BorrowedBuf::from(&mut one[..]);
        let mut cursors = [one.unfilled()];
        let bufs = BorrowedSliceCursor::new(&mut cursors);
        assert_eq!(block_on(object.read_buf_vectored(bufs)).unwrap(), 1);
    }
}

/// Is interrupted for ever.
struct Interrupted;

impl Ready for Interrupted {
    fn poll_ready(&mut self, _: &mut Context<'_>, interest: Interest) -> Poll<Result<Readiness>> {
        Poll::Ready(Ok(interest.into()))
    }
}

impl ReadyRead for Interrupted {
    fn non_blocking_read(&mut self, _: BorrowedCursor<'_>) -> Result<NonBlocking<()>> {
        Err(ErrorKind::Interrupted.into())
    }
}

leaf_io!(impl Read for Interrupted);

#[test]
fn a_reader_that_is_interrupted_for_ever_does_not_keep_the_thread() {
    let mut writer = Vec::new();
    let (mut reader, mut cx) = (Interrupted, Context::from_waker(Waker::noop()));
    let mut copying = pin!(copy(&mut reader, &mut writer));
    assert!(copying.as_mut().poll(&mut cx).is_pending());
    assert!(copying.as_mut().poll(&mut cx).is_pending());
}

#[test]
fn h05_a_lingering_close_goes_on_after_interruptions() {
    /// Is interrupted before each operation.
    struct Signalled(bool, usize);

    impl Signalled {
        fn interrupt(&mut self) -> Result<()> {
            self.0 = !self.0;
            if self.0 { Err(ErrorKind::Interrupted.into()) } else { Ok(()) }
        }
    }

    impl Read for Signalled {
        async fn read(&mut self, _: &mut [u8]) -> Result<usize> {
            self.interrupt()?;
            self.1 -= 1;
            Ok(self.1)
        }
    }

    impl Write for Signalled {
        async fn write(&mut self, _: &[u8]) -> Result<usize> {
            unreachable!("nobody writes")
        }

        async fn flush(&mut self) -> Result<()> {
            self.interrupt()
        }

        async fn shutdown(&mut self) -> Result<()> {
            self.interrupt()
        }
    }

    let mut stream = Signalled(false, 5);
    block_on(lingering_close(&mut stream)).unwrap();
    assert_eq!(stream.1, 0);
}

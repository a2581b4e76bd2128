//! `copy` and `copy_bidirectional`: interruptions, errors, buffers held, flushes.

use super::super::{
    NonBlocking, Readiness, Ready, ReadyRead, ReadyWrite, copy, copy_bidirectional, empty, leaf_io,
    repeat, sink,
};
use super::*;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

#[test]
fn h05_copy_retries_interruptions() {
    block_on(async {
        let mut writer = slow(2);
        let copied = copy(&mut script(&["!", "abc", "!", "de", "!"]), &mut writer).await.unwrap();
        assert_eq!((copied, writer.taken.as_slice()), (5, &b"abcde"[..]));
        let mut writer = slow(2);
        assert_eq!(copy(&mut &b"abcde"[..], &mut writer).await.unwrap(), 5);
        assert_eq!(writer.taken, b"abcde");
        assert!(copy(&mut script(&["ab", "#"]), &mut sink()).await.is_err());
        let error = copy(&mut &b"abcde"[..], &mut slow(0)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WriteZero);
        assert_eq!(copy(&mut repeat(1).take(1 << 20), &mut sink()).await.unwrap(), 1 << 20);
    });
}

/// A stream whose reader gets what its writer has flushed, in steps of a script.
#[derive(Default)]
struct Echo {
    first: &'static [u8],
    held: Vec<u8>,
    flushed: Vec<u8>,
    flushes: usize,
    fails: Option<ErrorKind>,
    is_shut_down: bool,
}

impl Ready for Echo {
    fn poll_ready(&mut self, _: &mut Context<'_>, interest: Interest) -> Poll<Result<Readiness>> {
        let readable = !self.first.is_empty() || !self.flushed.is_empty() || self.is_shut_down;
        if interest.is_writable() || readable || self.fails.is_some() {
            return Poll::Ready(Ok(Readiness::READ | Readiness::WRITE));
        }
        Poll::Pending
    }
}

impl ReadyRead for Echo {
    fn non_blocking_read(&mut self, mut buf: BorrowedCursor<'_>) -> Result<NonBlocking<()>> {
        if let Some(kind) = self.fails {
            return Err(kind.into());
        }
        if self.first.is_empty() && self.flushed.is_empty() && !self.is_shut_down {
            return Ok(NonBlocking::WouldBlock);
        }
        buf.append(std::mem::take(&mut self.first));
        buf.append(&std::mem::take(&mut self.flushed));
        Ok(NonBlocking::Ready(()))
    }
}

impl ReadyWrite for Echo {
    fn non_blocking_write(&mut self, buf: &[u8]) -> Result<NonBlocking<usize>> {
        self.held.extend_from_slice(buf);
        Ok(NonBlocking::Ready(buf.len()))
    }

    fn non_blocking_flush(&mut self) -> Result<NonBlocking<()>> {
        self.flushes += 1;
        self.flushed.append(&mut self.held);
        Ok(NonBlocking::Ready(()))
    }

    fn non_blocking_shutdown(&mut self) -> Result<NonBlocking<()>> {
        self.flushed.append(&mut self.held);
        self.is_shut_down = true;
        Ok(NonBlocking::Ready(()))
    }
}

leaf_io!(impl Stream for Echo);

/// Polls once; the stream is left in the state in which the future waits.
fn poll_once(future: impl Future) -> bool {
    pin!(future).as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending()
}

/// Says for ever that it is ready, and then that it is not.
struct Fickle;

impl Ready for Fickle {
    fn poll_ready(&mut self, _: &mut Context<'_>, _: Interest) -> Poll<Result<Readiness>> {
        Poll::Ready(Ok(Readiness::READ))
    }
}

impl ReadyRead for Fickle {
    fn non_blocking_read(&mut self, _: BorrowedCursor<'_>) -> Result<NonBlocking<()>> {
        Ok(NonBlocking::WouldBlock)
    }
}

leaf_io!(impl Read for Fickle);

#[test]
fn a_reader_whose_readiness_is_never_true_does_not_keep_the_thread() {
    assert!(poll_once(copy(&mut Fickle, &mut sink())));
}

#[test]
fn h07_the_writer_is_flushed_before_the_reader_is_waited_for() {
    // A writer that holds back what its peer would answer to.
    let (mut reader, mut writer) = (Echo { first: b"ask", ..Echo::default() }, Echo::default());
    assert!(poll_once(copy(&mut reader, &mut writer)));
    assert_eq!((writer.flushed.as_slice(), writer.flushes), (&b"ask"[..], 1));

    let (mut a, mut b) = (Echo { first: b"ask", ..Echo::default() }, Echo::default());
    assert!(poll_once(copy_bidirectional(&mut a, &mut b)));
    // b has been flushed, and what it answers has come back and been flushed.
    assert!(b.flushes >= 1 && a.flushes >= 1);
}

#[test]
fn h07_also_where_there_is_no_readiness() {
    /// Ends after its data, but waits once before it says so.
    struct Late(Option<bool>);

    impl Read for Late {
        async fn read(&mut self, buf: &mut [u8]) -> Result<usize> {
            match self.0.take() {
                None => Ok(0),
                Some(true) => std::future::pending().await,
                Some(false) => {
                    self.0 = Some(true);
                    buf[..3].copy_from_slice(b"ask");
                    Ok(3)
                }
            }
        }
    }

    let mut writer = Echo::default();
    assert!(poll_once(copy(&mut Late(Some(false)), &mut writer)));
    assert_eq!(writer.flushed, b"ask");
}

#[test]
fn h15_an_error_on_either_side_ends_both_directions() {
    let broken = || Echo { fails: Some(ErrorKind::ConnectionReset), ..Echo::default() };
    let error = block_on(copy_bidirectional(&mut broken(), &mut Echo::default())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    let error = block_on(copy_bidirectional(&mut Echo::default(), &mut broken())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    let copied = block_on(copy_bidirectional(&mut empty(), &mut empty())).unwrap();
    assert_eq!(copied, (0, 0));
}

#[test]
fn a_source_that_never_waits_does_not_silence_the_other_direction() {
    let (endless, quiet) = (repeat(1), Echo::default());

    /// Reads from one, writes to the other.
    struct Both<R, W>(R, W);

    impl<R: ReadyRead, W: ReadyWrite> Ready for Both<R, W> {
        fn poll_ready(
            &mut self,
            cx: &mut Context<'_>,
            interest: Interest,
        ) -> Poll<Result<Readiness>> {
            if interest.is_readable() {
                return self.0.poll_ready(cx, Interest::READ);
            }
            self.1.poll_ready(cx, interest)
        }
    }

    impl<R: ReadyRead, W: ReadyWrite> ReadyRead for Both<R, W> {
        fn non_blocking_read(&mut self, buf: BorrowedCursor<'_>) -> Result<NonBlocking<()>> {
            self.0.non_blocking_read(buf)
        }
    }

    impl<R: ReadyRead, W: ReadyWrite> ReadyWrite for Both<R, W> {
        fn non_blocking_write(&mut self, buf: &[u8]) -> Result<NonBlocking<usize>> {
            self.1.non_blocking_write(buf)
        }

        fn non_blocking_shutdown(&mut self) -> Result<NonBlocking<()>> {
            self.1.non_blocking_shutdown()
        }
    }

    leaf_io!(impl [R: ReadyRead, W: ReadyWrite] Stream for Both<R, W>);

    let mut a = Both(endless, quiet);
    let mut b = Both(&b"little"[..], sink());
    assert!(poll_once(copy_bidirectional(&mut a, &mut b)));
    assert_eq!(a.1.flushed, b"little");
}

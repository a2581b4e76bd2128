//! The adapters against readers and writers that misbehave: interruptions, errors half way, counts
//! that cannot be, futures that are dropped; and what they hold while they wait.

use super::super::{
    BorrowedBuf, BorrowedSliceCursor, BufRead, BufReader, BufWriter, DynRead, NonBlocking,
    Readiness, Ready, ReadyBufRead, ReadyRead, ReadyWrite, copy_bidirectional, copy_buf, join,
    leaf_io, read_with, repeat, split,
};
use super::*;
use std::io::{IoSlice, IoSliceMut};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

fn poll_once<F: Future>(future: F) -> Poll<F::Output> {
    pin!(future).as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

/// The sentence of the panic that `f` ends with.
fn panic_of<T>(f: impl FnOnce() -> T) -> String {
    let payload = catch_unwind(AssertUnwindSafe(f)).err().expect("it did not panic");
    match payload.downcast::<String>() {
        Ok(text) => *text,
        Err(payload) => payload.downcast_ref::<&str>().expect("a sentence").to_string(),
    }
}

/// A reader by readiness that plays a script: `None` would block once.
struct Steps(VecDeque<Option<Result<&'static [u8]>>>);

fn steps(steps: &[&'static str]) -> Steps {
    let step = |step: &&'static str| match *step {
        "~" => None,
        "!" => Some(Err(ErrorKind::Interrupted.into())),
        "#" => Some(Err(Error::other("broken"))),
        data => Some(Ok(data.as_bytes())),
    };
    Steps(steps.iter().map(step).collect())
}

impl Ready for Steps {
    fn poll_ready(&mut self, _: &mut Context<'_>, _: Interest) -> Poll<Result<Readiness>> {
        if matches!(self.0.front(), Some(None)) {
            self.0.pop_front();
            return Poll::Pending;
        }
        Poll::Ready(Ok(Readiness::READ))
    }
}

impl ReadyRead for Steps {
    fn non_blocking_read(&mut self, mut buf: BorrowedCursor<'_>) -> Result<NonBlocking<()>> {
        match self.0.pop_front() {
            None => Ok(NonBlocking::Ready(())),
            Some(None) => {
                self.0.push_front(None);
                Ok(NonBlocking::WouldBlock)
            }
            Some(Some(step)) => {
                let data = step?;
                let n = buf.append_some(data);
                if n < data.len() {
                    self.0.push_front(Some(Ok(&data[n..])));
                }
                Ok(NonBlocking::Ready(()))
            }
        }
    }
}

leaf_io!(impl Read for Steps);

/// A reader or writer that says that it moved more than it could.
struct Liar;

impl Read for Liar {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize> {
        Ok(buf.len() + 1)
    }
}

impl Write for Liar {
    async fn write(&mut self, buf: &[u8]) -> Result<usize> {
        Ok(buf.len() + 1)
    }

    async fn flush(&mut self) -> Result<()> {
        Ok(())
    }

    async fn shutdown(&mut self) -> Result<()> {
        Ok(())
    }
}

#[test]
fn h03_a_read_of_nothing_is_not_the_end_of_the_first() {
    block_on(async {
        let mut chain = (&b"one"[..]).chain(&b"two"[..]);
        assert_eq!(chain.read(&mut []).await.unwrap(), 0);
        assert_eq!(chain.read_vectored(&mut [IoSliceMut::new(&mut [])]).await.unwrap(), 0);
        chain.read_buf(BorrowedBuf::from(&mut [][..] as &mut [u8]).unfilled()).await.unwrap();
        chain.as_ready().unwrap().read(&mut []).await.unwrap();
        let mut none = BorrowedBuf::from(&mut [][..] as &mut [u8]);
        assert!(chain.non_blocking_read(none.unfilled()).unwrap().is_ready());
        let mut text = String::new();
        chain.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "onetwo");
        // The same without readiness.
        let mut chain = script(&["on", "!", "e"]).chain(script(&["two"]));
        assert_eq!(chain.read(&mut []).await.unwrap(), 0);
        text.clear();
        chain.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "onetwo");
        assert!(script(&[]).chain(&b""[..]).as_ready().is_none());
    });
}

#[test]
fn a_chain_shows_what_both_have_buffered() {
    block_on(async {
        let mut chain = (&b"a\nb"[..]).chain(&b"c\nd"[..]);
        assert_eq!(chain.fill_buf().await.unwrap(), b"a\nb");
        chain.consume(2);
        let mut lines = chain.lines().limit(10);
        assert_eq!(lines.next_line().await.unwrap().as_deref(), Some("bc"));
        assert_eq!(lines.next_line().await.unwrap().as_deref(), Some("d"));
        assert_eq!(lines.next_line().await.unwrap(), None);
        let mut chain = (&b""[..]).chain(&b"x"[..]);
        assert!(chain.non_blocking_fill().unwrap().is_ready());
        assert_eq!(chain.buffer(), b"x");
        chain.consume_buffer(1);
        assert!(!chain.has_data_left().await.unwrap());
    });
}

#[test]
fn bytes_are_read_one_by_one_and_interruptions_retried() {
    block_on(async {
        let mut bytes = script(&["a", "!", "b", "#", "c"]).bytes();
        assert_eq!(bytes.next().await.unwrap(), Some(b'a'));
        assert_eq!(bytes.next().await.unwrap(), Some(b'b'));
        assert!(bytes.next().await.is_err());
        assert_eq!(bytes.next().await.unwrap(), Some(b'c'));
        assert_eq!(bytes.next().await.unwrap(), None);
    });
}

#[test]
fn h08_capacity_zero_and_consuming_too_much_are_refused() {
    assert!(panic_of(|| BufReader::with_capacity(0, &b""[..])).contains("at least one byte"));
    assert!(
        panic_of(|| BufWriter::with_capacity(0, Vec::<u8>::new())).contains("at least one byte")
    );
    let mut reader = BufReader::new(&b"abc"[..]);
    block_on(reader.fill_buf()).unwrap();
    assert!(panic_of(|| reader.consume(4)).contains("more bytes were consumed"));
    assert!(panic_of(|| reader.consume_buffer(4)).contains("more bytes were consumed"));
    reader.consume(3);
    assert!(panic_of(|| reader.consume(1)).contains("more bytes were consumed"));
    // A capacity that nobody has is an error when it is needed, and not before.
    let mut huge = BufReader::with_capacity(usize::MAX, &b"abc"[..]);
    let error = block_on(huge.fill_buf()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OutOfMemory);
}

#[test]
fn h08_a_large_read_goes_past_an_empty_buffer_and_no_other() {
    block_on(async {
        let mut reader = BufReader::with_capacity(4, steps(&["0123456789"]));
        let mut buf = [0; 6];
        assert_eq!(reader.read(&mut buf).await.unwrap(), 6);
        assert_eq!((&buf, reader.buffer()), (b"012345", &b""[..]));
        assert_eq!(reader.read(&mut buf[..1]).await.unwrap(), 1);
        assert_eq!(reader.buffer(), b"789");
        assert_eq!(reader.read(&mut buf).await.unwrap(), 3);
        assert_eq!(&buf[..3], b"789");
        assert_eq!(reader.read(&mut buf).await.unwrap(), 0);
        assert_eq!(reader.read(&mut buf[..1]).await.unwrap(), 0);
    });
}

#[test]
fn an_idle_buffered_reader_holds_no_buffer() {
    let mut reader = BufReader::new(steps(&["~", "ab", "~", "#", "c", "~"]));
    let held = |reader: &BufReader<Steps>| reader.held();
    assert!(poll_once(reader.fill_buf()).is_pending());
    assert_eq!(held(&reader), 0);
    block_on(reader.fill_buf()).unwrap();
    assert!(held(&reader) > 0);
    // What is buffered is ready at once, whatever the inner reader says.
    assert!(poll_once(reader.ready(Interest::READ)).is_ready());
    assert!(poll_once(reader.as_ready().unwrap().ready(Interest::READ)).is_ready());
    assert!(poll_once(reader.as_ready_dyn().unwrap().ready(Interest::READ)).is_ready());
    reader.consume(2);
    assert_eq!(held(&reader), 0);
    assert!(poll_once(reader.read(&mut [0])).is_pending());
    assert_eq!(held(&reader), 0);
    assert!(block_on(reader.fill_buf()).is_err());
    assert_eq!(held(&reader), 0);
    assert_eq!(block_on(reader.read(&mut [0])).unwrap(), 1);
    assert!(poll_once(reader.fill_buf()).is_pending());
    assert_eq!(held(&reader), 0);
    assert!(block_on(reader.fill_buf()).unwrap().is_empty());
    assert_eq!(held(&reader), 0);
}

#[test]
fn a_buffered_reader_reads_through_every_form() {
    block_on(async {
        let mut reader = BufReader::with_capacity(3, steps(&["abc", "def", "ghi", "jkl", "m"]));
        assert_eq!(reader.fill_buf().await.unwrap(), b"abc");
        let (mut one, mut two) = ([0; 1], [0; 4]);
        let mut bufs = [IoSliceMut::new(&mut one), IoSliceMut::new(&mut two)];
        assert_eq!(reader.read_vectored(&mut bufs).await.unwrap(), 3);
        assert_eq!((&one, &two[..2]), (b"a", &b"bc"[..]));
        // Past the buffer.
        assert_eq!(reader.read(&mut two).await.unwrap(), 3);
        let mut text = Vec::new();
        assert_eq!(reader.as_ready().unwrap().read_into(&mut text).await.unwrap(), 3);
        reader.as_ready_dyn().unwrap().read_exact(&mut one).await.unwrap();
        assert_eq!((&text[..], &one, reader.buffer()), (&b"ghi"[..], b"j", &b"kl"[..]));
        reader.read_to_end(&mut text).await.unwrap();
        assert_eq!(text, b"ghiklm");
    });
}

#[test]
fn counts_that_cannot_be_are_a_panic_with_a_sentence() {
    let moved_more = |text: String| {
        assert!(text.contains("more"), "{text}");
    };
    moved_more(panic_of(|| block_on(BufReader::new(Liar).read(&mut [0]))));
    moved_more(panic_of(|| block_on(BufReader::new(Liar).fill_buf()).map(<[u8]>::len)));
    moved_more(panic_of(|| block_on(BufReader::with_capacity(1, Liar).read(&mut [0; 8]))));
    moved_more(panic_of(|| block_on(Liar.take(3).read(&mut [0; 2]))));
    moved_more(panic_of(|| block_on(Liar.chain(Liar).read(&mut [0; 2]))));
    moved_more(panic_of(|| block_on(read_with(&mut Liar, <[u8]>::len))));
    moved_more(panic_of(|| block_on(Liar.read_into(&mut Vec::new()))));
    moved_more(panic_of(|| block_on(Liar.read_to_end(&mut Vec::new()))));
    moved_more(panic_of(|| block_on(copy_buf(&mut &b"abc"[..], &mut Liar))));
    moved_more(panic_of(|| {
        let mut writer = BufWriter::new(Liar);
        block_on(async {
            writer.write_all(b"abc").await?;
            writer.flush().await
        })
    }));
    moved_more(panic_of(|| block_on(BufWriter::with_capacity(1, Liar).write(b"abc"))));
    // The limit is none of the buffer's.
    let vectored = |reader: &mut dyn DynRead| {
        let (mut one, mut two) = ([0; 2], [0; 2]);
        let mut bufs = [IoSliceMut::new(&mut one), IoSliceMut::new(&mut two)];
        block_on(reader.read_vectored_dyn(&mut bufs))
    };
    moved_more(panic_of(|| vectored(&mut VectoredLiar.take(100))));
    moved_more(panic_of(|| vectored(&mut VectoredLiar.take(3))));
    moved_more(panic_of(|| vectored(&mut VectoredLiar.chain(VectoredLiar))));
    moved_more(panic_of(|| vectored(&mut (&b""[..]).chain(VectoredLiar))));
    moved_more(panic_of(|| vectored(&mut BufReader::with_capacity(1, VectoredLiar))));
    // By readiness, where the loop itself counts.
    moved_more(panic_of(|| block_on(ReadyLiar.write_all(b"abc"))));
    moved_more(panic_of(|| block_on(BufWriter::with_capacity(1, ReadyLiar).write(b"abc"))));
    let mut stream = join(&b""[..], ReadyLiar);
    let mut other = join(&b"abc"[..], Vec::new());
    moved_more(panic_of(|| block_on(copy_bidirectional(&mut stream, &mut other))));
    // Not the inner reader's fault.
    let too_much = panic_of(|| (&b"abc"[..]).take(2).consume(3));
    assert!(too_much.contains("more bytes were consumed"), "{too_much}");
}

#[test]
fn what_is_in_the_buffers_is_counted_and_not_what_is_said() {
    fn read(reader: &mut dyn DynRead) -> usize {
        let mut memory = [0; 8];
        let mut buf = BorrowedBuf::from(&mut memory[..]);
        let mut cursors = [buf.unfilled()];
        let n = block_on(reader.read_buf_vectored_dyn(BorrowedSliceCursor::new(&mut cursors)));
        assert_eq!(n.as_ref().ok(), Some(&buf.len()));
        n.unwrap()
    }
    assert_eq!(read(&mut VectoredLiar.take(100)), 1);
    assert_eq!(read(&mut VectoredLiar.chain(VectoredLiar)), 1);
    assert_eq!(read(&mut (&b""[..]).chain(VectoredLiar)), 1);
    assert_eq!(read(&mut BufReader::with_capacity(1, VectoredLiar)), 1);
}

/// Says of several buffers at once that it filled more than they have.
struct VectoredLiar;

impl Read for VectoredLiar {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize> {
        Ok(buf.len() + 1)
    }

    async fn read_vectored(&mut self, bufs: &mut [IoSliceMut<'_>]) -> Result<usize> {
        Ok(bufs.iter().map(|buf| buf.len()).sum::<usize>() + 1)
    }

    async fn read_buf_vectored(&mut self, mut bufs: BorrowedSliceCursor<'_>) -> Result<usize> {
        bufs.append(b"x");
        Ok(1000)
    }
}

/// Says that it has written more than there was, without waiting.
struct ReadyLiar;

impl Ready for ReadyLiar {
    fn poll_ready(&mut self, _: &mut Context<'_>, interest: Interest) -> Poll<Result<Readiness>> {
        Poll::Ready(Ok(interest.into()))
    }
}

impl ReadyWrite for ReadyLiar {
    fn non_blocking_write(&mut self, buf: &[u8]) -> Result<NonBlocking<usize>> {
        Ok(NonBlocking::Ready(buf.len() + 1))
    }

    fn non_blocking_shutdown(&mut self) -> Result<NonBlocking<()>> {
        Ok(NonBlocking::Ready(()))
    }
}

leaf_io!(impl Write for ReadyLiar);

/// A writer that takes so many bytes, then fails once, and so on.
#[derive(Default)]
struct Flaky {
    taken: Vec<u8>,
    until_failure: usize,
    failures: VecDeque<ErrorKind>,
}

impl Flaky {
    fn take(&mut self, buf: &[u8]) -> Result<usize> {
        if self.until_failure == 0
            && let Some(kind) = self.failures.pop_front()
        {
            self.until_failure = 2;
            return Err(kind.into());
        }
        let n = if self.failures.is_empty() { buf.len() } else { self.until_failure };
        let n = n.min(buf.len());
        self.until_failure = self.until_failure.saturating_sub(n);
        self.taken.extend_from_slice(&buf[..n]);
        Ok(n)
    }
}

impl Ready for Flaky {
    fn poll_ready(&mut self, _: &mut Context<'_>, _: Interest) -> Poll<Result<Readiness>> {
        Poll::Ready(Ok(Readiness::WRITE))
    }
}

impl ReadyWrite for Flaky {
    fn non_blocking_write(&mut self, buf: &[u8]) -> Result<NonBlocking<usize>> {
        NonBlocking::from_result(self.take(buf))
    }

    fn non_blocking_shutdown(&mut self) -> Result<NonBlocking<()>> {
        Ok(NonBlocking::Ready(()))
    }
}

leaf_io!(impl Write for Flaky);

#[test]
fn h09_after_an_error_half_way_through_a_flush_no_byte_is_written_twice() {
    block_on(async {
        let failures = [ErrorKind::TimedOut, ErrorKind::Interrupted, ErrorKind::OutOfMemory];
        let flaky = || Flaky { until_failure: 2, failures: failures.into(), ..Flaky::default() };
        let mut writer = BufWriter::with_capacity(8, flaky());
        writer.write_all(b"0123456").await.unwrap();
        assert_eq!(writer.flush().await.unwrap_err().kind(), ErrorKind::TimedOut);
        assert_eq!(
            (writer.get_ref().taken.as_slice(), writer.buffer()),
            (&b"01"[..], &b"23456"[..])
        );
        assert_eq!(writer.flush().await.unwrap_err().kind(), ErrorKind::OutOfMemory);
        writer.flush().await.unwrap();
        assert_eq!(
            (writer.get_ref().taken.as_slice(), writer.buffer()),
            (&b"0123456"[..], &b""[..])
        );

        // By readiness, through the downcast.
        let mut writer = BufWriter::with_capacity(8, flaky());
        writer.as_ready_write().unwrap().write_all(b"0123456").await.unwrap();
        let mut failed = 0;
        while writer.as_ready_write_dyn().unwrap().flush().await.is_err() {
            failed += 1;
        }
        assert_eq!((failed, writer.get_ref().taken.as_slice()), (3, &b"0123456"[..]));
    });
}

#[test]
fn a_buffered_writer_gathers_and_holds_memory_only_for_what_it_gathered() {
    block_on(async {
        let mut writer = BufWriter::with_capacity(10, Vec::new());
        assert_eq!(writer.write(b"01234").await.unwrap(), 5);
        let parts = [IoSlice::new(b"567"), IoSlice::new(b""), IoSlice::new(b"8")];
        assert_eq!(writer.write_vectored(&parts).await.unwrap(), 4);
        assert_eq!((writer.get_ref().len(), writer.buffer()), (0, &b"012345678"[..]));
        // Does not fit: what is there goes first.
        assert_eq!(writer.write(b"ab").await.unwrap(), 2);
        assert_eq!((writer.get_ref().as_slice(), writer.buffer()), (&b"012345678"[..], &b"ab"[..]));
        assert!(writer.held() > 0);
        // As large as the buffer: past it.
        assert_eq!(writer.write(b"0123456789").await.unwrap(), 10);
        assert_eq!((writer.get_ref().len(), writer.held()), (21, 0));
        writer.write_all(b"end").await.unwrap();
        writer.shutdown().await.unwrap();
        assert_eq!((writer.get_ref().len(), writer.held()), (24, 0));
        let error = BufWriter::new(slow(0)).write_all(b"").await;
        assert!(error.is_ok());
        let mut stuck = BufWriter::new(slow(0));
        stuck.write_all(b"x").await.unwrap();
        assert_eq!(stuck.flush().await.unwrap_err().kind(), ErrorKind::WriteZero);
    });
}

#[test]
fn h04_lines_keep_what_an_error_or_a_dropped_future_leaves() {
    let mut lines = BufReader::new(steps(&["fir", "~", "st\nsec", "#", "o", "!", "nd\r\n", "la"]))
        .lines()
        .limit(100);
    assert!(poll_once(lines.next_line()).is_pending());
    assert_eq!(block_on(lines.next_line()).unwrap().as_deref(), Some("first"));
    assert!(block_on(lines.next_line()).is_err());
    assert_eq!(block_on(lines.next_line()).unwrap().as_deref(), Some("second"));
    assert_eq!(block_on(lines.next_line()).unwrap().as_deref(), Some("la"));
    assert_eq!(block_on(lines.next_line()).unwrap(), None);
    assert_eq!(block_on(lines.next_line()).unwrap(), None);
}

#[test]
fn h04_a_line_that_is_not_utf8_stays_until_it_is_taken() {
    let mut lines = (&b"\xffbad\ngood"[..]).lines();
    for _ in 0..2 {
        let error = block_on(lines.next_line()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData);
    }
    assert_eq!(lines.take_bytes(), b"\xffbad");
    assert_eq!(block_on(lines.next_line()).unwrap().as_deref(), Some("good"));

    let mut text = String::from("before");
    let mut reader = &b"\xffbad\ngood"[..];
    let error = block_on(reader.read_line(&mut text)).unwrap_err();
    assert_eq!((error.kind(), text.as_str()), (ErrorKind::InvalidData, "before"));
    let kept = error.downcast::<std::string::FromUtf8Error>().unwrap().into_bytes();
    assert_eq!((kept.as_slice(), reader), (&b"\xffbad\n"[..], &b"good"[..]));
    // A character in two pieces is none that is bad.
    let mut reader = BufReader::with_capacity(1, "über\n".as_bytes());
    block_on(reader.read_line(&mut text)).unwrap();
    assert_eq!(text, "beforeüber\n");
}

#[test]
fn a_line_at_the_limit_passes_and_one_beyond_is_an_error_with_bounded_memory() {
    block_on(async {
        let mut lines = (&b"12345\n123456\nnext"[..]).lines().limit(5);
        assert_eq!(lines.next_line().await.unwrap().as_deref(), Some("12345"));
        for _ in 0..2 {
            let error = lines.next_line().await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidData);
        }
        assert_eq!(lines.take_bytes(), b"12345");
        assert_eq!(lines.next_line().await.unwrap().as_deref(), Some("6"));
        assert_eq!(lines.next_line().await.unwrap().as_deref(), Some("next"));

        // A peer that never sends the delimiter.
        let mut endless = BufReader::new(repeat(b'x')).segments(0).limit(1 << 20);
        assert_eq!(endless.next_segment().await.unwrap_err().kind(), ErrorKind::InvalidData);
        let bytes = endless.take_bytes();
        assert_eq!(bytes.len(), 1 << 20);
        assert!(bytes.capacity() <= 2 << 20);
        assert_eq!((&b""[..]).lines().limit(0).next_line().await.unwrap(), None);
    });
}

#[test]
fn what_is_read_into_grows_only_when_data_is_there() {
    let mut vec = Vec::new();
    let mut reader = steps(&["~", "abc", "defgh"]);
    assert!(poll_once(reader.read_into(&mut vec)).is_pending());
    assert_eq!(vec.capacity(), 0);
    block_on(async {
        assert_eq!(reader.read_into(&mut vec).await.unwrap(), 3);
        assert!(vec.capacity() < 100);
        let mut bytes = bytes::BytesMut::new();
        assert_eq!(reader.read_into(&mut bytes).await.unwrap(), 5);
        assert_eq!(reader.read_into(&mut bytes).await.unwrap(), 0);
        assert_eq!((vec.as_slice(), &bytes[..]), (&b"abc"[..], &b"defgh"[..]));
        // Without readiness, and with capacity that is there.
        let mut roomy = Vec::with_capacity(2);
        assert_eq!(script(&["xy"]).read_into(&mut roomy).await.unwrap(), 2);
        let mut roomy = Vec::with_capacity(2);
        assert_eq!(steps(&["xyz"]).read_into(&mut roomy).await.unwrap(), 2);
        assert_eq!(roomy, b"xy");
        assert_eq!(read_with(&mut script(&["xyz"]), <[u8]>::to_vec).await.unwrap(), b"xyz");
        assert!(read_with(&mut script(&["#"]), |_| panic!("not called")).await.is_err());
    });
}

#[test]
fn h05_copy_buf_retries_interruptions_and_leaves_what_was_not_written() {
    block_on(async {
        let mut reader = BufReader::new(script(&["!", "abc", "!", "de", "!"]));
        let mut writer = slow(2);
        assert_eq!(copy_buf(&mut reader, &mut writer).await.unwrap(), 5);
        assert_eq!(writer.taken, b"abcde");
        let mut reader = &b"abcde"[..];
        let error = copy_buf(&mut reader, &mut slow(0)).await.unwrap_err();
        assert_eq!((error.kind(), reader), (ErrorKind::WriteZero, &b"abcde"[..]));
        assert!(copy_buf(&mut BufReader::new(script(&["ab", "#"])), &mut slow(9)).await.is_err());
    });
}

#[test]
fn halves_of_different_streams_do_not_fit() {
    let stream = || join(&b"abc"[..], Vec::new());
    let (reader, writer) = split(stream());
    let (other_reader, other_writer) = split(stream());
    assert!(!reader.is_pair_of(&other_writer) && reader.is_pair_of(&writer));
    assert!(panic_of(|| reader.unsplit(other_writer)).contains("different streams"));
    drop(writer);
    drop(other_reader);
    let (mut reader, mut writer) = split(stream());
    block_on(async {
        writer.write_all(b"x").await.unwrap();
        assert_eq!(reader.read(&mut [0; 2]).await.unwrap(), 2);
    });
    assert_eq!(reader.unsplit(writer).into_inner(), (&b"c"[..], b"x".to_vec()));
}

#[test]
fn h08_positions_are_those_of_what_was_taken() {
    use super::super::Seek;
    use std::io::{Cursor, SeekFrom};

    block_on(async {
        let mut reader = BufReader::with_capacity(4, Cursor::new(b"0123456789"));
        let mut two = [0; 2];
        reader.read_exact(&mut two).await.unwrap();
        assert_eq!((reader.stream_position().await.unwrap(), reader.buffer()), (2, &b"23"[..]));
        reader.seek_relative(1).await.unwrap();
        assert_eq!(reader.buffer(), b"3");
        reader.seek_relative(-3).await.unwrap();
        assert_eq!(reader.buffer(), b"0123");
        assert_eq!(reader.seek(SeekFrom::Current(5)).await.unwrap(), 5);
        assert_eq!((reader.buffer(), reader.held()), (&b""[..], 0));
        assert_eq!(reader.fill_buf().await.unwrap(), b"5678");
        // Beyond the buffer, and past the start, which is refused and changes nothing.
        reader.seek_relative(-4).await.unwrap();
        assert_eq!(reader.fill_buf().await.unwrap(), b"1234");
        assert!(reader.seek(SeekFrom::Current(i64::MIN)).await.is_err());
        reader.rewind().await.unwrap();
        assert_eq!(reader.fill_buf().await.unwrap(), b"0123");
        assert_eq!(reader.stream_len().await.unwrap(), 10);
    });
}

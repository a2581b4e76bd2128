//! What a writer and its reader owe. Each function is one assertion; its name is the test's.

use super::tools::{
    Woken, assert_is_gone, assert_waits_to_read, assert_writing_fails, drain_until, drop_after,
    fill, give_way, pattern, poll_once, ticks_beside, try_read,
};
use super::{Executor, OneWay, run};
use futures::join;
use runtime::io::{
    BorrowedBuf, BorrowedSliceCursor, Interest, NonBlocking, Read, Ready, ReadyRead, ReadyWrite,
    Write,
};
use std::io::{ErrorKind, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::pin::pin;
use std::task::{Context, Poll};

/// A megabyte in pieces of odd sizes, reader and writer at once.
pub fn bytes_arrive_in_order<M: OneWay>(maker: M) {
    run(maker, |maker| async move {
        let (mut writer, mut reader) = maker.connect().await;
        let sent = pattern(1 << 20);
        let write = async {
            for piece in sent.chunks(7919) {
                writer.write_all(piece).await.unwrap();
            }
            writer.shutdown().await.unwrap();
        };
        let read = async {
            let mut received = Vec::new();
            let mut buf = vec![0; 10_007];
            loop {
                match reader.read(&mut buf).await.unwrap() {
                    0 => break received,
                    n => received.extend_from_slice(&buf[..n]),
                }
            }
        };
        let ((), received) = join!(write, read);
        assert!(received == sent);
    });
}

/// Both sides in steps of one byte.
pub fn one_byte_at_a_time_works<M: OneWay>(maker: M) {
    run(maker, |maker| async move {
        let (mut writer, mut reader) = maker.connect().await;
        for byte in 0..=255 {
            assert_eq!(writer.write(&[byte]).await.unwrap(), 1);
            let mut buf = [0];
            assert_eq!(reader.read(&mut buf).await.unwrap(), 1);
            assert_eq!(buf, [byte]);
        }
    });
}

/// A read does not wait until its buffer is full, and leaves what does not fit.
pub fn a_short_read_takes_what_is_there<M: OneWay>(maker: M) {
    run(maker, |maker| async move {
        let (mut writer, mut reader) = maker.connect().await;
        let mut received = Vec::new();
        let mut buf = [0; 64];
        assert_eq!(writer.write(b"a").await.unwrap(), 1);
        let n = reader.read(&mut buf).await.unwrap();
        assert_eq!(&buf[..n], b"a");
        let read = async {
            while received.len() < 6 {
                let n = reader.read(&mut buf[..4]).await.unwrap();
                assert!((1..=4).contains(&n));
                received.extend_from_slice(&buf[..n]);
            }
        };
        let (written, ()) = join!(writer.write_all(b"abcdef"), read);
        written.unwrap();
        assert_eq!(received, b"abcdef");
    });
}

/// Reads into nothing and writes of nothing return at once, also when others would wait.
pub fn empty_buffers_never_wait<M: OneWay>(maker: M) {
    run(maker, |maker| async move {
        let (mut writer, mut reader) = maker.connect().await;
        // Nothing to read.
        assert_eq!(reader.read(&mut []).await.unwrap(), 0);
        assert_eq!(reader.read_vectored(&mut []).await.unwrap(), 0);
        let mut nothing = [IoSliceMut::new(&mut [])];
        assert_eq!(reader.read_vectored(&mut nothing).await.unwrap(), 0);
        reader.read_buf(BorrowedBuf::from(&mut [][..] as &mut [u8]).unfilled()).await.unwrap();
        reader.read_exact(&mut []).await.unwrap();
        // No space to write.
        fill(&mut writer, &[0; 4096], &Woken::new().1);
        assert_eq!(writer.write(&[]).await.unwrap(), 0);
        assert_eq!(writer.write_vectored(&[]).await.unwrap(), 0);
        assert_eq!(writer.write_vectored(&[IoSlice::new(&[])]).await.unwrap(), 0);
        writer.write_all(&[]).await.unwrap();
        writer.write_all_vectored(&mut [IoSlice::new(&[])]).await.unwrap();
        // It was not the end.
        assert_ne!(reader.read(&mut [0]).await.unwrap(), 0);
    });
}

/// Vectored reads fill buffers in order and skip empty ones.
pub fn vectored_reads_scatter<M: OneWay>(maker: M) {
    run(maker, |maker| async move {
        let (mut writer, mut reader) = maker.connect().await;
        let sent = pattern(1000);
        let read = async {
            let mut received = Vec::new();
            while received.len() < sent.len() {
                let (mut one, mut two, mut three) = ([0; 3], [0; 5], [0; 64]);
                let mut bufs = [
                    IoSliceMut::new(&mut []),
                    IoSliceMut::new(&mut one),
                    IoSliceMut::new(&mut two),
                    IoSliceMut::new(&mut []),
                    IoSliceMut::new(&mut three),
                ];
                let n = reader.read_vectored(&mut bufs).await.unwrap();
                assert_ne!(n, 0);
                received.extend_from_slice(&[&one[..], &two, &three].concat()[..n]);
            }
            received
        };
        let (written, received) = join!(writer.write_all(&sent), read);
        written.unwrap();
        assert_eq!(received, sent);
    });
}

/// Vectored writes take buffers in order, also many and empty ones.
pub fn vectored_writes_gather<M: OneWay>(maker: M) {
    run(maker, |maker| async move {
        let (mut writer, mut reader) = maker.connect().await;
        let sent = pattern(1000);
        let write = async {
            let mut slices: Vec<_> = sent.chunks(7).map(IoSlice::new).collect();
            slices.insert(0, IoSlice::new(&[]));
            slices.insert(5, IoSlice::new(&[]));
            let n = writer.write_vectored(&slices).await.unwrap();
            assert!(n > 0 && n <= sent.len());
            let mut rest = &mut slices[..];
            IoSlice::advance_slices(&mut rest, n);
            writer.write_all_vectored(rest).await.unwrap();
        };
        let mut received = vec![0; sent.len()];
        let ((), read) = join!(write, reader.read_exact(&mut received));
        read.unwrap();
        assert_eq!(received, sent);
    });
}

/// Every form of reading into memory that was never written.
pub fn uninitialized_memory_is_read_into<M: OneWay>(maker: M) {
    run(maker, |maker| async move {
        let (mut writer, mut reader) = maker.connect().await;
        let sent = pattern(300);
        let read = async {
            let mut memory = [MaybeUninit::uninit(); 300];
            let mut buf = BorrowedBuf::from(&mut memory[..]);
            reader.read_buf(buf.unfilled().limited(50)).await.unwrap();
            assert!((1..=50).contains(&buf.len()));
            let left = 100 - buf.len();
            reader.read_buf_exact(buf.unfilled().limited(left)).await.unwrap();
            assert_eq!(buf.filled(), &sent[..100]);

            let (mut one, mut two) = ([MaybeUninit::uninit(); 50], [MaybeUninit::uninit(); 150]);
            let mut one = BorrowedBuf::from(&mut one[..]);
            let mut two = BorrowedBuf::from(&mut two[..]);
            while one.len() + two.len() < 200 {
                let mut cursors = [one.unfilled(), two.unfilled()];
                let bufs = BorrowedSliceCursor::new(&mut cursors);
                assert_ne!(reader.read_buf_vectored(bufs).await.unwrap(), 0);
            }
            assert_eq!([one.filled(), two.filled()].concat(), &sent[100..]);
        };
        let (written, ()) = join!(writer.write_all(&sent), read);
        written.unwrap();
    });
}

/// `read_exact`, `read_to_string`, `write_fmt`.
pub fn provided_methods_work<M: OneWay>(maker: M) {
    run(maker, |maker| async move {
        let (mut writer, mut reader) = maker.connect().await;
        let write = async {
            write!(writer, "{:>4}", 42).await.unwrap();
            writer.write_all("übrig".as_bytes()).await.unwrap();
            writer.flush().await.unwrap();
            writer.shutdown().await.unwrap();
        };
        let read = async {
            let mut four = [0; 4];
            reader.read_exact(&mut four).await.unwrap();
            assert_eq!(&four, b"  42");
            let mut text = String::from("was ");
            assert_eq!(reader.read_to_string(&mut text).await.unwrap(), 6);
            assert_eq!(text, "was übrig");
            let error = reader.read_exact(&mut four).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
        };
        join!(write, read);
    });
}

/// What was written before the shutdown is read, then the end, for ever.
pub fn the_end_comes_after_the_data<M: OneWay>(maker: M) {
    run(maker, |maker| async move {
        let (mut writer, mut reader) = maker.connect().await;
        let sent = pattern(100_000);
        let write = async {
            writer.write_all(&sent).await.unwrap();
            writer.shutdown().await.unwrap();
            writer.shutdown().await.unwrap();
        };
        let mut received = Vec::new();
        let ((), read) = join!(write, reader.read_to_end(&mut received));
        assert_eq!(read.unwrap(), sent.len());
        assert!(received == sent);
        for _ in 0..3 {
            assert_eq!(reader.read(&mut [0; 8]).await.unwrap(), 0);
        }
        drop(writer);
        assert_eq!(reader.read(&mut [0; 8]).await.unwrap(), 0);
    });
}

/// As with a shutdown.
pub fn a_dropped_writer_ends_the_stream<M: OneWay>(maker: M) {
    run(maker, |maker| async move {
        let (mut writer, mut reader) = maker.connect().await;
        let mut received = Vec::new();
        let write = async move {
            writer.write_all(b"the last words").await.unwrap();
            drop(writer);
        };
        let ((), read) = join!(write, reader.read_to_end(&mut received));
        assert_eq!(read.unwrap(), received.len());
        assert_eq!(received, b"the last words");
        assert_eq!(reader.read(&mut [0; 8]).await.unwrap(), 0);
    });
}

/// A reader that waits already.
pub fn a_waiting_reader_hears_the_end<M: OneWay>(maker: M) {
    run(maker, |maker| async move {
        let (mut writer, mut reader) = maker.connect().await;
        let mut buf = [0; 8];
        {
            let mut read = pin!(reader.read(&mut buf));
            assert!(poll_once(read.as_mut()).await.is_pending());
            writer.shutdown().await.unwrap();
            assert_eq!(read.await.unwrap(), 0);
        }
        let (writer, mut reader) = maker.connect().await;
        let mut read = pin!(reader.read(&mut buf));
        assert!(poll_once(read.as_mut()).await.is_pending());
        drop(writer);
        assert_eq!(read.await.unwrap(), 0);
    });
}

/// Also for a writer that had space.
pub fn writing_after_shutdown_is_a_broken_pipe<M: OneWay>(maker: M) {
    run(maker, |maker| async move {
        let (mut writer, _reader) = maker.connect().await;
        writer.write_all(b"x").await.unwrap();
        writer.shutdown().await.unwrap();
        let error = writer.write(b"y").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
        let error = writer.write_vectored(&[IoSlice::new(b"y")]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    });
}

/// At once or, over a network, soon; and never a panic.
pub fn writing_to_a_dropped_reader_fails<M: OneWay>(maker: M) {
    run(maker, |maker| async move {
        let (mut writer, reader) = maker.connect().await;
        drop(reader);
        assert_writing_fails(&mut writer).await;
        assert_writing_fails(&mut writer).await;
    });
}

/// A writer that waits for space already.
pub fn a_waiting_writer_hears_that_the_reader_is_gone<M: OneWay>(maker: M) {
    run(maker, |maker| async move {
        let (mut writer, reader) = maker.connect().await;
        fill(&mut writer, &[0; 4096], &Woken::new().1);
        {
            let mut write = pin!(writer.write(&[0; 4096]));
            assert!(poll_once(write.as_mut()).await.is_pending());
            drop(reader);
            // A socket may have taken some of it in the meantime.
            if let Err(error) = write.await {
                assert_is_gone(error.kind());
            }
        }
        assert_writing_fails(&mut writer).await;
    });
}

/// Waits, is woken by data, reads all of it, waits again.
pub fn readiness_to_read_follows_the_data<M: OneWay>(maker: M) {
    run(maker, |maker| async move {
        let (mut writer, mut reader) = maker.connect().await;
        for _ in 0..10 {
            let (woken, waker) = Woken::new();
            assert_waits_to_read(&mut reader, &waker);
            assert_eq!(woken.count(), 0);
            writer.write_all(b"!").await.unwrap();
            woken.wait().await;
            loop {
                assert!(reader.ready(Interest::READ).await.unwrap().read());
                if let NonBlocking::Ready(bytes) = try_read(&mut reader, 8).unwrap() {
                    assert_eq!(bytes, b"!");
                    break;
                }
            }
            assert_eq!(try_read(&mut reader, 8).unwrap(), NonBlocking::WouldBlock);
        }
    });
}

/// Has space, is filled, waits, is woken by reads.
pub fn readiness_to_write_follows_the_space<M: OneWay>(maker: M) {
    run(maker, |maker| async move {
        let (mut writer, mut reader) = maker.connect().await;
        assert!(writer.ready(Interest::WRITE).await.unwrap().write());
        for _ in 0..3 {
            let (woken, waker) = Woken::new();
            assert!(fill(&mut writer, &[7; 4096], &waker) > 0);
            drain_until(&woken, &mut reader).await;
            assert!(writer.ready(Interest::WRITE).await.unwrap().write());
        }
    });
}

/// After the end has been read it stays ready, and says that the peer has closed.
pub fn the_end_is_readiness_and_hup<M: OneWay>(maker: M) {
    run(maker, |maker| async move {
        let (mut writer, mut reader) = maker.connect().await;
        let (woken, waker) = Woken::new();
        assert_waits_to_read(&mut reader, &waker);
        writer.shutdown().await.unwrap();
        woken.wait().await;
        assert_eq!(reader.read(&mut [0; 8]).await.unwrap(), 0);
        let readiness = reader.ready(Interest::READ).await.unwrap();
        assert!(readiness.read() && readiness.hup(), "{readiness:?}");
        assert_eq!(try_read(&mut reader, 8).unwrap(), NonBlocking::Ready(vec![]));
    });
}

/// Waiting for what can never come is an error.
pub fn halves_refuse_the_other_direction<M: OneWay>(maker: M) {
    run(maker, |maker| async move {
        let (mut writer, mut reader) = maker.connect().await;
        if maker.are_halves() {
            let error = reader.ready(Interest::WRITE).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            let error = writer.ready(Interest::READ).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
        }
    });
}

/// `ready` and `read_with` hold none, and their futures are small.
pub fn waiting_needs_no_buffer<M: OneWay>(maker: M) {
    run(maker, |maker| async move {
        let (mut writer, mut reader) = maker.connect().await;
        let count = |bytes: &[u8]| bytes.to_vec();
        let waiting = reader.read_with(count);
        assert!(size_of_val(&waiting) <= 64, "{} bytes", size_of_val(&waiting));
        {
            let mut waiting = pin!(waiting);
            assert!(poll_once(waiting.as_mut()).await.is_pending());
            writer.write_all(b"!").await.unwrap();
            assert_eq!(waiting.await.unwrap(), b"!");
        }
        writer.shutdown().await.unwrap();
        assert_eq!(reader.read_with(count).await.unwrap(), b"");
    });
}

/// Reads dropped at every one of their await points, while bytes trickle in.
pub fn dropped_reads_lose_nothing<M: OneWay>(maker: M) {
    run(maker, |maker| async move {
        let (mut writer, mut reader) = maker.connect().await;
        let sent = pattern(2000);
        let write = async {
            for piece in sent.chunks(3) {
                writer.write_all(piece).await.unwrap();
                give_way().await;
            }
            writer.shutdown().await.unwrap();
        };
        let read = async {
            let mut received = Vec::new();
            for round in 0.. {
                drop_after(round % 3, reader.ready(Interest::READ)).await.transpose().unwrap();
                let mut buf = [0; 2];
                let n = match round % 2 {
                    0 => drop_after(round % 5, reader.read(&mut buf)).await,
                    _ => {
                        let mut buf = [IoSliceMut::new(&mut buf)];
                        drop_after(round % 5, reader.read_vectored(&mut buf)).await
                    }
                };
                match n.transpose().unwrap() {
                    None => give_way().await,
                    Some(0) => break,
                    Some(n) => received.extend_from_slice(&buf[..n]),
                }
            }
            received
        };
        let ((), received) = join!(write, read);
        assert!(received == sent);
    });
}

/// Writes dropped at every one of their await points, into a stream that is full most of the time.
pub fn dropped_writes_lose_nothing<M: OneWay>(maker: M) {
    run(maker, |maker| async move {
        let (mut writer, mut reader) = maker.connect().await;
        let filling = pattern(4096);
        let before = fill(&mut writer, &filling, &Woken::new().1);
        let sent = pattern(20_000);
        let write = async {
            let mut at = 0;
            for round in 0.. {
                if at == sent.len() {
                    break;
                }
                let piece = &sent[at..sent.len().min(at + 777)];
                drop_after(round % 3, writer.ready(Interest::WRITE)).await.transpose().unwrap();
                let n = match round % 2 {
                    0 => drop_after(round % 5, writer.write(piece)).await,
                    _ => {
                        let slices = [IoSlice::new(piece)];
                        drop_after(round % 5, writer.write_vectored(&slices)).await
                    }
                };
                match n.transpose().unwrap() {
                    None => give_way().await,
                    Some(n) => at += n,
                }
                drop_after(round % 2, writer.flush()).await.transpose().unwrap();
            }
            while drop_after(1, writer.shutdown()).await.transpose().unwrap().is_none() {}
        };
        let read = async {
            let mut received = Vec::new();
            reader.read_to_end(&mut received).await.unwrap();
            received
        };
        let ((), received) = join!(write, read);
        assert!(received[before..] == sent);
    });
}

/// A waker that was replaced may be forgotten, the newest may not.
pub fn the_newest_waker_is_woken<M: OneWay>(maker: M) {
    run(maker, |maker| async move {
        let (mut writer, mut reader) = maker.connect().await;
        let (older, newer) = (Woken::new(), Woken::new());
        assert_waits_to_read(&mut reader, &older.1);
        assert_waits_to_read(&mut reader, &newer.1);
        writer.write_all(b"!").await.unwrap();
        newer.0.wait().await;
        // By value and by clone, through another reader method.
        assert_eq!(reader.read(&mut [0]).await.unwrap(), 1);
    });
}

/// The cooperative budget: a task that never has to wait gives way all the same.
pub fn an_always_ready_stream_lets_others_run<M: OneWay>(maker: M) {
    run(maker, |maker| async move {
        let (mut writer, mut reader) = maker.connect().await;
        if !M::Executor::BUDGETED {
            return;
        }
        let pump = async {
            for _ in 0..2_000 {
                writer.write_all(b"x").await.unwrap();
                reader.read_exact(&mut [0]).await.unwrap();
            }
        };
        let ticks = ticks_beside(pump).await;
        assert!(ticks >= 10, "the ticker ran {ticks} times beside 2,000 rounds");
    });
}

/// All futures of the traits, in generic code: a matter of compiling.
pub fn futures_are_send<M: OneWay>(maker: M) {
    fn is_send<T: Send>(_: T) {}

    fn reads<R: Read>(reader: &mut R) {
        let mut memory = [0; 8];
        is_send(reader.read(&mut memory));
        is_send(reader.read_exact(&mut memory));
        is_send(reader.read_vectored(&mut [IoSliceMut::new(&mut memory)]));
        is_send(reader.read_to_end(&mut Vec::new()));
        is_send(reader.read_to_string(&mut String::new()));
        let mut buf = BorrowedBuf::from(&mut memory[..]);
        is_send(reader.read_buf(buf.unfilled()));
        is_send(reader.read_buf_exact(buf.unfilled()));
        is_send(reader.read_buf_vectored(BorrowedSliceCursor::new(&mut [buf.unfilled()])));
        is_send(reader.as_ready());
        is_send(reader.as_ready_dyn());
    }

    fn writes<W: Write>(writer: &mut W) {
        is_send(writer.write(b""));
        is_send(writer.write_all(b""));
        is_send(writer.write_vectored(&[IoSlice::new(b"")]));
        is_send(writer.write_all_vectored(&mut [IoSlice::new(b"")]));
        is_send(writer.write_fmt(format_args!("")));
        is_send(writer.flush());
        is_send(writer.shutdown());
        is_send(writer.as_ready_write());
        is_send(writer.as_ready_stream());
        is_send(writer.as_ready_write_dyn());
        is_send(writer.as_ready_stream_dyn());
    }

    run(maker, |maker| async move {
        let (mut writer, mut reader) = maker.connect().await;
        is_send(reader.ready(Interest::READ));
        is_send(reader.read_with(|bytes| bytes.len()));
        reads(&mut reader);
        writes(&mut writer);
    });
}

/// Writes through one form and reads through another.
async fn assert_connected<W: Write, R: Read>(mut writer: W, mut reader: R) {
    let sent = pattern(3000);
    let write = async {
        writer.write_all(&sent[..1000]).await.unwrap();
        let (head, tail) = sent[1000..].split_at(500);
        let mut slices = [IoSlice::new(head), IoSlice::new(tail)];
        writer.write_all_vectored(&mut slices).await.unwrap();
        writer.flush().await.unwrap();
    };
    let read = async {
        let mut received = vec![0; 3000];
        let (head, tail) = received.split_at_mut(1000);
        reader.read_exact(head).await.unwrap();
        reader.read_buf_exact(BorrowedBuf::from(tail).unfilled()).await.unwrap();
        received
    };
    let ((), received) = join!(write, read);
    assert!(received == sent);
}

/// Boxed and borrowed trait objects are readers and writers.
pub fn trait_objects_work<M: OneWay>(maker: M) {
    run(maker, |maker| async move {
        let (mut writer, mut reader) = maker.connect().await;
        assert_connected(&mut writer as &mut dyn ReadyWrite, &mut reader as &mut dyn ReadyRead)
            .await;
        let (mut writer, mut reader): (Box<dyn ReadyWrite>, Box<dyn ReadyRead>) =
            (Box::new(writer), Box::new(reader));
        assert_connected(&mut writer, &mut reader).await;
        // What is erased can be found again.
        assert_connected(writer.as_ready_write().unwrap(), reader.as_ready().unwrap()).await;
        writer.shutdown().await.unwrap();
        assert_eq!(reader.read(&mut [0]).await.unwrap(), 0);
    });
}

/// Code that knows nothing but `Read` and `Write` reaches the readiness form, as value and object.
pub fn downcasts_work<M: OneWay>(maker: M) {
    async fn through<W: Write, R: Read>(mut writer: W, mut reader: R) {
        {
            let (writer, reader) = (writer.as_ready_write(), reader.as_ready());
            assert_connected(writer.expect("readiness"), reader.expect("readiness")).await;
        }
        let (writer, reader) = (writer.as_ready_write_dyn(), reader.as_ready_dyn());
        assert_connected(writer.expect("readiness"), reader.expect("readiness")).await;
    }

    run(maker, |maker| async move {
        let (mut writer, mut reader) = maker.connect().await;
        through(&mut writer, &mut reader).await;
        assert_eq!(writer.is_write_vectored(), Write::is_write_vectored(&&mut writer));
        assert_eq!(reader.is_read_vectored(), Read::is_read_vectored(&&mut reader));
        through(writer, reader).await;
    });
}

/// `&mut T`, `Box<T>`, and one in the other.
pub fn pointers_work<M: OneWay>(maker: M) {
    run(maker, |maker| async move {
        let (mut writer, mut reader) = maker.connect().await;
        assert_connected(&mut writer, &mut reader).await;
        assert_connected(&mut &mut writer, reader.by_ref()).await;
        let (mut writer, mut reader) = (Box::new(writer), Box::new(reader));
        assert_connected(&mut writer, &mut reader).await;
        let (_, waker) = Woken::new();
        assert_waits_to_read(&mut reader, &waker);
        writer.shutdown().await.unwrap();
        assert_eq!(reader.read(&mut [0]).await.unwrap(), 0);
    });
}

/// A limit, through every method and downcast.
pub fn take_works<M: OneWay>(maker: M) {
    run(maker, |maker| async move {
        let (mut writer, mut reader) = maker.connect().await;
        assert_connected(&mut writer, (&mut reader).take(u64::MAX)).await;
        let read = async {
            let mut taken = (&mut reader).take(5);
            let mut buf = [0; 8];
            let n = taken.read(&mut buf[..1]).await.unwrap();
            assert_eq!((n, taken.limit()), (1, 4));
            {
                let mut ready = taken.as_ready().expect("readiness");
                ready.read_exact(&mut buf[1..3]).await.unwrap();
            }
            assert_eq!(taken.limit(), 2);
            {
                let mut ready = taken.as_ready_dyn().expect("readiness");
                ready.read_exact(&mut buf[3..5]).await.unwrap();
                // The limit is an end that needs nobody to close.
                let poll = ready
                    .poll_ready(&mut Context::from_waker(std::task::Waker::noop()), Interest::READ);
                assert!(matches!(poll, Poll::Ready(Ok(readiness)) if readiness.read()));
            }
            assert_eq!(taken.read(&mut buf).await.unwrap(), 0);
            assert_eq!(taken.read_vectored(&mut [IoSliceMut::new(&mut buf)]).await.unwrap(), 0);
            assert_eq!(&buf[..5], b"abcde");
            let mut rest = [0; 1];
            reader.read_exact(&mut rest).await.unwrap();
            assert_eq!(&rest, b"f");
        };
        let (written, ()) = join!(writer.write_all(b"abcdef"), read);
        written.unwrap();
    });
}

//! What a reader owes that shows its bytes in place ([`BufRead`] and [`ReadyBufRead`]), in addition to
//! what every reader does.

use super::tools::{
    assert_waits_to_read, drop_after, give_way, panic_of, pattern, poll_once, ticks_beside,
};
use super::{Executor, OneWay, run};
use futures::join;
use runtime::io::{
    BufRead, Interest, NonBlocking, Read, Ready, ReadyBufRead, ReadyRead, Write, copy_buf,
};
use std::io::{ErrorKind, Result};
use std::pin::pin;
use std::string::FromUtf8Error;
use std::task::{Context, Poll, Waker};

/// Consumed in steps of all sizes, also of nothing, with reads in between.
pub fn what_is_shown_is_what_comes<M: OneWay<Reader: BufRead + ReadyBufRead>>(maker: M) {
    run(maker, |maker| async move {
        let (mut writer, mut reader) = maker.connect().await;
        let sent = pattern(100_000);
        let write = async {
            for piece in sent.chunks(7919) {
                writer.write_all(piece).await.unwrap();
            }
            writer.shutdown().await.unwrap();
        };
        let read = async {
            let mut received = Vec::new();
            for round in 0_usize.. {
                if round % 7 == 0 {
                    let mut buf = [0; 5];
                    let n = reader.read(&mut buf).await.unwrap();
                    received.extend_from_slice(&buf[..n]);
                }
                let shown = reader.fill_buf().await.unwrap();
                let n = shown.len().min(round % 997);
                received.extend_from_slice(&shown[..n]);
                let (is_empty, rest) = (shown.is_empty(), shown[n..].to_vec());
                reader.consume(n);
                assert!(reader.buffer().starts_with(&rest[..]), "what is left is shown again");
                if is_empty {
                    break;
                }
            }
            received
        };
        let ((), received) = join!(write, read);
        assert!(received == sent);
    });
}

/// However they are cut.
pub fn lines_and_pieces_are_found<M: OneWay<Reader: BufRead + ReadyBufRead>>(maker: M) {
    run(maker, |maker| async move {
        let (mut writer, mut reader) = maker.connect().await;
        let write = async {
            for byte in "eins\nzwei\r\n\nüber;drei;vier\nfünf\nlast".bytes() {
                writer.write_all(&[byte]).await.unwrap();
                give_way().await;
            }
            writer.shutdown().await.unwrap();
        };
        let read = async {
            let (mut text, mut bytes) = (String::from("> "), Vec::new());
            assert_eq!(reader.read_line(&mut text).await.unwrap(), 5);
            assert_eq!(text, "> eins\n");
            assert_eq!(BufRead::read_line(&mut &mut reader, &mut text).await.unwrap(), 6);
            assert_eq!(text, "> eins\nzwei\r\n");
            let mut lines = (&mut reader).lines().limit(5);
            assert_eq!(lines.next_line().await.unwrap().as_deref(), Some(""));
            let mut pieces = Box::new(&mut reader).segments(b';').limit(5);
            assert_eq!(pieces.next_segment().await.unwrap().unwrap(), "über".as_bytes());
            assert_eq!(reader.read_until(b';', &mut bytes).await.unwrap(), 5);
            assert_eq!(bytes, b"drei;");
            let mut lines = reader.take(9).lines().limit(5);
            assert_eq!(lines.next_line().await.unwrap().as_deref(), Some("vier"));
            assert_eq!(lines.next_line().await.unwrap().as_deref(), Some("fün"));
            assert_eq!(lines.next_line().await.unwrap(), None);
            let mut reader = lines.into_inner().into_inner();
            assert!(reader.has_data_left().await.unwrap());
            bytes.clear();
            assert_eq!(reader.read_until(b';', &mut bytes).await.unwrap(), 6);
            assert_eq!(bytes, b"f\nlast");
            assert_eq!(reader.read_until(b';', &mut bytes).await.unwrap(), 0);
            assert_eq!(reader.read_line(&mut text).await.unwrap(), 0);
            assert!(!reader.has_data_left().await.unwrap());
        };
        join!(write, read);
    });
}

/// Waits while there is nothing, shows what comes, and is dropped at every await point.
pub fn a_fill_that_waits_loses_nothing<M: OneWay<Reader: BufRead + ReadyBufRead>>(maker: M) {
    run(maker, |maker| async move {
        let (mut writer, mut reader) = maker.connect().await;
        assert_eq!(reader.buffer(), b"");
        assert!(poll_once(pin!(reader.fill_buf())).await.is_pending());
        assert!(poll_once(pin!(reader.has_data_left())).await.is_pending());
        assert_eq!(reader.non_blocking_fill().unwrap(), NonBlocking::WouldBlock);
        reader.consume(0);
        let sent = pattern(1000);
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
                match drop_after(round % 4, reader.fill_buf()).await.transpose().unwrap() {
                    None => give_way().await,
                    Some([]) => break,
                    Some(shown) => {
                        received.push(shown[0]);
                        reader.consume(1);
                    }
                }
            }
            received
        };
        let ((), received) = join!(write, read);
        assert!(received == sent);
    });
}

/// What is left in the buffer is ready at once, whatever the connection says, and comes first.
pub fn what_is_shown_is_ready_through_every_form<M>(maker: M)
where
    M: OneWay<Reader: BufRead + ReadyBufRead>,
{
    fn is_ready(reader: &mut impl Ready) -> bool {
        let cx = &mut Context::from_waker(Waker::noop());
        matches!(reader.poll_ready(cx, Interest::READ), Poll::Ready(Ok(said)) if said.read())
    }

    /// Takes the next byte without waiting.
    fn next(reader: &mut impl ReadyRead) -> u8 {
        let mut byte = [0];
        let mut buf = runtime::io::BorrowedBuf::from(&mut byte[..]);
        assert!(reader.non_blocking_read(buf.unfilled()).unwrap().is_ready());
        assert_eq!(buf.len(), 1);
        byte[0]
    }

    run(maker, |maker| async move {
        let (mut writer, mut reader) = maker.connect().await;
        let sent = writer.write(b"abcdef").await.unwrap();
        // It may show less than all at a time.
        let left = reader.fill_buf().await.unwrap().len() - 1;
        reader.consume(1);
        if left > 0 {
            assert!(is_ready(&mut reader));
            assert_eq!(next(&mut reader), b'b');
        }
        if left > 1 {
            let mut downcast = reader.as_ready().expect("readiness");
            assert!(is_ready(&mut downcast));
            assert_eq!(next(&mut downcast), b'c');
        }
        if left > 2 {
            let mut downcast = reader.as_ready_dyn().expect("readiness");
            assert!(is_ready(&mut downcast));
            assert_eq!(next(&mut downcast), b'd');
        }
        writer.shutdown().await.unwrap();
        let mut rest = Vec::new();
        reader.read_to_end(&mut rest).await.unwrap();
        assert_eq!(rest, b"abcdef"[1 + left.min(3)..sent]);
    });
}

/// By every method, for ever.
pub fn the_end_shows_nothing<M: OneWay<Reader: BufRead + ReadyBufRead>>(maker: M) {
    run(maker, |maker| async move {
        let (mut writer, mut reader) = maker.connect().await;
        let (_woken, waker) = super::tools::Woken::new();
        assert_waits_to_read(&mut reader, &waker);
        writer.shutdown().await.unwrap();
        for _ in 0..3 {
            assert_eq!(reader.fill_buf().await.unwrap(), b"");
            assert!(!reader.has_data_left().await.unwrap());
            assert!(reader.non_blocking_fill().unwrap().is_ready());
            assert_eq!(reader.buffer(), b"");
            reader.consume(0);
            assert_eq!((&mut reader).lines().limit(0).next_line().await.unwrap(), None);
        }
    });
}

/// With a sentence, and nothing is lost by that.
pub fn consuming_more_than_is_shown_panics<M: OneWay<Reader: BufRead + ReadyBufRead>>(maker: M) {
    run(maker, |maker| async move {
        let (mut writer, mut reader) = maker.connect().await;
        assert!(panic_of(|| reader.consume(1)).contains("consumed"));
        writer.write_all(b"a").await.unwrap();
        assert_eq!(reader.fill_buf().await.unwrap(), b"a");
        for too_many in [1 << 20, usize::MAX] {
            assert!(panic_of(|| reader.consume(too_many)).contains("consumed"));
            assert!(panic_of(|| reader.consume_buffer(too_many)).contains("consumed"));
        }
        assert_eq!(reader.buffer(), b"a");
        assert_eq!(reader.read(&mut [0; 3]).await.unwrap(), 1);
    });
}

/// A piece that is too long is an error; its beginning is there, and so is all that follows.
pub fn a_limit_keeps_what_is_behind_it<M: OneWay<Reader: BufRead + ReadyBufRead>>(maker: M) {
    run(maker, |maker| async move {
        let (mut writer, mut reader) = maker.connect().await;
        let write = async {
            writer.write_all(&[b'x'; 1000]).await.unwrap();
            writer.shutdown().await.unwrap();
        };
        let read = async {
            let mut lines = (&mut reader).lines().limit(100);
            for _ in 0..2 {
                let error = lines.next_line().await.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::InvalidData);
            }
            assert_eq!(lines.take_bytes(), [b'x'; 100]);
            let mut rest = Vec::new();
            assert_eq!(reader.read_to_end(&mut rest).await.unwrap(), 900);
        };
        join!(write, read);
    });
}

/// The text is as it was, and the next line comes next.
pub fn a_line_that_is_not_text_is_in_the_error<M>(maker: M)
where
    M: OneWay<Reader: BufRead + ReadyBufRead>,
{
    run(maker, |maker| async move {
        let (mut writer, mut reader) = maker.connect().await;
        let read = async {
            let mut text = String::from("as it was");
            let error = reader.read_line(&mut text).await.unwrap_err();
            assert_eq!((error.kind(), text.as_str()), (ErrorKind::InvalidData, "as it was"));
            let bytes = error.downcast::<FromUtf8Error>().unwrap().into_bytes();
            assert_eq!(bytes, b"not \xff text\n");
            reader.read_line(&mut text).await.unwrap();
            assert_eq!(text, "as it wastext\n");
        };
        let (written, ()) = join!(writer.write_all(b"not \xff text\ntext\n"), read);
        written.unwrap();
    });
}

/// All of it.
pub fn copies_go_straight_from_the_buffer<M: OneWay<Reader: BufRead + ReadyBufRead>>(maker: M) {
    run(maker, |maker| async move {
        let (mut writer, mut reader) = maker.connect().await;
        let sent = pattern(50_000);
        let write = async {
            writer.write_all(&sent).await?;
            writer.shutdown().await
        };
        let mut received = Vec::new();
        let (written, copied): (Result<()>, _) = join!(write, copy_buf(&mut reader, &mut received));
        written.unwrap();
        assert_eq!(copied.unwrap(), 50_000);
        assert!(received == sent);
    });
}

/// The cooperative budget: lines that are there already do not keep others from running.
pub fn lines_let_others_run<M: OneWay<Reader: BufRead + ReadyBufRead>>(maker: M) {
    run(maker, |maker| async move {
        if !M::Executor::BUDGETED {
            return;
        }
        let (mut writer, mut reader) = maker.connect().await;
        let ticks = ticks_beside(async {
            let mut line = String::new();
            for _ in 0..2_000 {
                let (written, read) = join!(writer.write_all(b"x\n"), reader.read_line(&mut line));
                assert_eq!((written.unwrap(), read.unwrap()), ((), 2));
            }
        });
        assert!(ticks.await >= 10);
    });
}

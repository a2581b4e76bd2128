//! Feature `tokio-io`, by tokio's own extension traits.

use std::io::ErrorKind;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::Context;

use bytes::BytesMut;
use futures::join;
use runtime::compat::{Compat, FromTokio};
use runtime::io::{BufReader, BufWriter, ReadyStream, ReadyWrite, Write, duplex};
use runtime::net::UnixStream;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};

use super::{Narrow, Woken, pattern, tcp};

/// There and back through tokio's methods, with a half-close at the end.
async fn exchange<A, B>(mut left: A, mut right: B)
where
    A: AsyncRead + AsyncWrite + Unpin,
    B: AsyncRead + AsyncWrite + Unpin,
{
    let sent = pattern(300_000);
    let mut received = BytesMut::new();
    let writing = async {
        left.write_all(&sent).await?;
        left.flush().await?;
        left.shutdown().await
    };
    let reading = async {
        while right.read_buf(&mut received).await? > 0 {}
        std::io::Result::Ok(())
    };
    let (written, read) = join!(writing, reading);
    written.unwrap();
    read.unwrap();
    assert!(received == sent);

    // The other direction is open still.
    right.write_all(b"answer").await.unwrap();
    right.shutdown().await.unwrap();
    let mut answer = String::new();
    left.read_to_string(&mut answer).await.unwrap();
    assert_eq!(answer, "answer");
}

#[runtime::test]
async fn streams_pass_everything_on_and_close_one_half() {
    let (left, right) = tcp().await;
    exchange(left, right).await;
    let (left, right) = UnixStream::pair().unwrap();
    exchange(left, right).await;
    let (left, right) = duplex(1000);
    exchange(left, right).await;
    let (left, right) = tcp().await;
    exchange(&left, &right).await;
    let (left, right) = duplex(1000);
    let boxed: Box<dyn ReadyStream> = Box::new(left);
    exchange(Compat::new(boxed), right).await;
    let (left, right) = duplex(1000);
    exchange(BufWriter::new(left), BufReader::new(right)).await;
    let (left, right) = tcp().await;
    exchange(Compat::new(FromTokio::new(left)), right).await;
}

#[runtime::test]
async fn halves_of_every_kind() {
    let (left, right) = tcp().await;
    let ((mut reader, _writer), (_reader, mut writer)) = (left.into_split(), right.into_split());
    let mut text = String::new();
    AsyncWriteExt::write_all(&mut writer, b"half").await.unwrap();
    AsyncWriteExt::shutdown(&mut writer).await.unwrap();
    AsyncReadExt::read_to_string(&mut reader, &mut text).await.unwrap();
    assert_eq!(text, "half");
}

#[runtime::test]
async fn lines_by_tokios_methods() {
    let (mut left, right) = duplex(64);
    AsyncWriteExt::write_all(&mut left, b"one\ntwo\n").await.unwrap();
    drop(left);
    let mut lines = AsyncBufReadExt::lines(BufReader::new(right));
    assert_eq!(lines.next_line().await.unwrap().as_deref(), Some("one"));
    assert_eq!(lines.next_line().await.unwrap().as_deref(), Some("two"));
    assert_eq!(lines.next_line().await.unwrap(), None);
}

#[test]
fn uninitialized_memory_stays_so_where_nothing_was_read() {
    let (mut left, mut right) = duplex(64);
    futures::executor::block_on(AsyncWriteExt::write_all(&mut left, b"four")).unwrap();
    let mut memory = [MaybeUninit::uninit(); 4096];
    let mut buf = ReadBuf::uninit(&mut memory);
    let mut cx = Context::from_waker(futures::task::noop_waker_ref());
    assert!(Pin::new(&mut right).poll_read(&mut cx, &mut buf).is_ready());
    assert_eq!((buf.filled(), buf.initialized().len()), (&b"four"[..], 4));
}

#[test]
fn no_room_is_not_the_end_and_reads_nothing() {
    let (mut left, mut right) = duplex(64);
    futures::executor::block_on(async {
        AsyncWriteExt::write_all(&mut left, b"x").await.unwrap();
        assert_eq!(AsyncReadExt::read(&mut right, &mut []).await.unwrap(), 0);
        assert_eq!(AsyncReadExt::read_u8(&mut right).await.unwrap(), b'x');
        // Not even if there is nothing to wait for.
        assert_eq!(AsyncReadExt::read(&mut right, &mut []).await.unwrap(), 0);
    });
}

#[test]
fn several_slices_in_one_call() {
    let (mut left, mut right) = duplex(64);
    assert!(AsyncWrite::is_write_vectored(&left));
    let bufs = [b"ab".as_slice(), b"", b"cd"].map(std::io::IoSlice::new);
    futures::executor::block_on(async {
        assert_eq!(AsyncWriteExt::write_vectored(&mut left, &bufs).await.unwrap(), 4);
        let mut read = [0; 4];
        AsyncReadExt::read_exact(&mut right, &mut read).await.unwrap();
        assert_eq!(&read, b"abcd");
    });
}

#[test]
fn each_direction_keeps_its_own_waker() {
    let (mut left, mut right) = duplex(1);
    let (reading, read_waker) = Woken::new();
    let (writing, write_waker) = Woken::new();
    let mut byte = [0];
    let mut buf = ReadBuf::new(&mut byte);
    let mut cx = Context::from_waker(&read_waker);
    assert!(AsyncRead::poll_read(Pin::new(&mut left), &mut cx, &mut buf).is_pending());
    let mut cx = Context::from_waker(&write_waker);
    assert!(AsyncWrite::poll_write(Pin::new(&mut left), &mut cx, b"x").is_ready());
    assert!(AsyncWrite::poll_write(Pin::new(&mut left), &mut cx, b"x").is_pending());
    futures::executor::block_on(AsyncWriteExt::write_all(&mut right, b"y")).unwrap();
    assert_eq!((reading.count(), writing.count()), (1, 0));
    futures::executor::block_on(AsyncReadExt::read_u8(&mut right)).unwrap();
    assert_eq!((reading.count(), writing.count()), (1, 1));
}

#[test]
fn what_is_kept_goes_out_when_the_task_waits_for_the_answer() {
    let mut stream = FromTokio::new(Narrow::new(3));
    let (woken, waker) = Woken::new();
    let mut cx = Context::from_waker(&waker);
    futures::executor::block_on(async {
        assert_eq!(Write::write(&mut stream, b"question").await.unwrap(), 3);
        assert_eq!(Write::write(&mut stream, b"stion").await.unwrap(), 5);
    });
    assert_eq!(stream.get_ref().taken, b"que");
    // It reads and does not flush.
    let reading = |stream: &mut FromTokio<Narrow>, cx: &mut Context<'_>| {
        runtime::io::Ready::poll_ready(stream, cx, runtime::io::Interest::READ).map(Result::unwrap)
    };
    assert!(reading(&mut stream, &mut cx).is_pending());
    stream.get_mut().widen(2);
    assert_eq!(woken.count(), 1, "the wait for reading waits for that, too");
    assert!(reading(&mut stream, &mut cx).is_pending());
    stream.get_mut().widen(10);
    assert!(reading(&mut stream, &mut cx).is_pending());
    assert_eq!(stream.get_ref().taken, b"question");
}

#[test]
fn shutdown_passes_on_what_is_kept_and_ends_it() {
    let mut stream = FromTokio::new(Narrow::new(1));
    futures::executor::block_on(async {
        Write::write(&mut stream, b"a").await.unwrap();
        Write::write(&mut stream, b"bc").await.unwrap();
    });
    let mut cx = Context::from_waker(futures::task::noop_waker_ref());
    {
        let mut closing = std::pin::pin!(Write::shutdown(&mut stream));
        assert!(closing.as_mut().poll(&mut cx).is_pending());
    }
    assert!(!stream.get_ref().closed, "not before everything has gone out");
    stream.get_mut().widen(10);
    futures::executor::block_on(async {
        Write::shutdown(&mut stream).await.unwrap();
        Write::shutdown(&mut stream).await.unwrap();
        assert_eq!(stream.write(b"d").await.unwrap_err().kind(), ErrorKind::BrokenPipe);
        assert_eq!(stream.write(b"").await.unwrap_err().kind(), ErrorKind::BrokenPipe);
    });
    assert_eq!((stream.get_ref().taken.as_slice(), stream.get_ref().closed), (&b"abc"[..], true));
}

#[test]
fn an_error_of_what_was_kept_comes_out_once_and_nothing_hangs() {
    let mut stream = FromTokio::new(Narrow::new(0));
    assert!(stream.non_blocking_write(b"kept").unwrap().is_ready());
    stream.get_mut().broken = true;
    stream.get_mut().widen(1);
    let error = futures::executor::block_on(stream.flush()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    stream.get_mut().broken = false;
    futures::executor::block_on(stream.flush()).unwrap();
    assert!(stream.get_ref().taken.is_empty(), "what failed is not sent later");
}

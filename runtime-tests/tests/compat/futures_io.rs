//! Feature `futures-io`, by the futures crate's own extension traits.

use std::io::{ErrorKind, IoSliceMut};

use futures::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy_buf};
use futures::{TryStreamExt, join};
use runtime::compat::{Compat, FromFutures};
use runtime::io::{BufReader, ReadyStream, duplex, simplex};

use super::{pattern, tcp};

async fn exchange<A, B>(mut left: A, mut right: B)
where
    A: AsyncRead + AsyncWrite + Unpin,
    B: AsyncRead + AsyncWrite + Unpin,
{
    let sent = pattern(300_000);
    let mut received = Vec::new();
    let writing = async {
        left.write_all(&sent).await?;
        left.flush().await?;
        left.close().await
    };
    let (written, read) = join!(writing, right.read_to_end(&mut received));
    written.unwrap();
    read.unwrap();
    assert!(received == sent);

    right.write_all(b"answer").await.unwrap();
    right.close().await.unwrap();
    let mut answer = String::new();
    left.read_to_string(&mut answer).await.unwrap();
    assert_eq!(answer, "answer");

    // H12: what is closed is an error to write to, and may be closed again.
    left.close().await.unwrap();
    assert_eq!(left.write(b"late").await.unwrap_err().kind(), ErrorKind::BrokenPipe);
    assert_eq!(right.write_all(b"late").await.unwrap_err().kind(), ErrorKind::BrokenPipe);
    right.close().await.unwrap();
}

#[runtime::test]
async fn streams_pass_everything_on_and_close_one_half() {
    let (left, right) = tcp().await;
    exchange(left, right).await;
    let (left, right) = duplex(1000);
    exchange(left, right).await;
    let (left, right) = duplex(1000);
    let boxed: Box<dyn ReadyStream> = Box::new(left);
    exchange(Compat::new(boxed), Compat::new(FromFutures::new(right))).await;
}

#[test]
fn several_slices_in_one_call() {
    futures::executor::block_on(async {
        let (mut left, mut right) = duplex(64);
        AsyncWriteExt::write_all(&mut left, b"abcde").await.unwrap();
        let (mut first, mut second) = ([0; 2], [0; 8]);
        let mut bufs = [IoSliceMut::new(&mut first), IoSliceMut::new(&mut second)];
        assert_eq!(AsyncReadExt::read_vectored(&mut right, &mut bufs).await.unwrap(), 5);
        assert_eq!((&first, &second[..3]), (b"ab", &b"cde"[..]));
    });
}

#[test]
fn lines_and_copies_by_their_methods() {
    futures::executor::block_on(async {
        let (mut left, right) = duplex(64);
        AsyncWriteExt::write_all(&mut left, b"one\ntwo\n").await.unwrap();
        drop(left);
        let lines: Vec<_> =
            AsyncBufReadExt::lines(BufReader::new(right)).try_collect().await.unwrap();
        assert_eq!(lines, ["one", "two"]);

        let (_reader, mut writer) = simplex(16);
        let copying = copy_buf(Compat::new(&b"through a pipe"[..]), &mut writer);
        assert_eq!(copying.await.unwrap(), 14);
    });
}

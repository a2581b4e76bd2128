//! What two connected streams owe beyond each direction's own duties.

use super::tools::{
    Woken, assert_waits_to_read, assert_writing_fails, drain_until, fill, pattern, poll_once,
    try_read,
};
use super::{Pair, run};
use futures::join;
use runtime::io::{
    Interest, NonBlocking, Read, Ready, ReadyStream, ReadyWrite, Write, copy_bidirectional,
};
use std::future::poll_fn;
use std::pin::pin;
use std::task::{Context, Poll};

/// Sends `bytes` and receives as many, both at once, by one poll.
async fn exchange<S: ReadyStream>(stream: &mut S, bytes: &[u8]) -> Vec<u8> {
    let mut sent = 0;
    let mut received = Vec::new();
    poll_fn(|cx| {
        while sent < bytes.len() {
            if stream.poll_ready(cx, Interest::WRITE)?.is_pending() {
                break;
            }
            if let NonBlocking::Ready(n) = stream.non_blocking_write(&bytes[sent..])? {
                sent += n;
            }
        }
        while received.len() < bytes.len() {
            if stream.poll_ready(cx, Interest::READ)?.is_pending() {
                break;
            }
            if let NonBlocking::Ready(some) =
                try_read(stream, (bytes.len() - received.len()).min(8192))?
            {
                assert!(!some.is_empty(), "the stream ended");
                received.extend(some);
            }
        }
        if sent < bytes.len() || received.len() < bytes.len() {
            return Poll::Pending;
        }
        Poll::Ready(std::io::Result::Ok(()))
    })
    .await
    .unwrap();
    received
}

/// More each way than fits any buffer, by one poll at each end.
pub fn both_directions_at_once<P: Pair>(maker: P) {
    run(maker, |maker| async move {
        let (mut left, mut right) = Pair::connect(&maker).await;
        let (there, back) = (pattern(1 << 20), pattern((1 << 20) + 1).split_off(1));
        let (at_left, at_right) = join!(exchange(&mut left, &there), exchange(&mut right, &back));
        assert!(at_left == back && at_right == there);
    });
}

/// `bytes` from one end to the other, both at once: they may not fit in between.
async fn pass<W: Write, R: Read>(from: &mut W, to: &mut R, bytes: &[u8]) {
    let mut received = vec![0; bytes.len()];
    let (written, read) = join!(from.write_all(bytes), to.read_exact(&mut received));
    written.unwrap();
    read.unwrap();
    assert_eq!(received, bytes);
}

async fn half_close<A: ReadyStream, B: ReadyStream>(mut first: A, mut second: B) {
    pass(&mut first, &mut second, b"ask").await;
    first.shutdown().await.unwrap();
    assert_eq!(second.read(&mut [0]).await.unwrap(), 0);
    // The other direction knows nothing of it.
    for _ in 0..3 {
        pass(&mut second, &mut first, b"answer").await;
    }
    second.shutdown().await.unwrap();
    assert_eq!(first.read(&mut [0]).await.unwrap(), 0);
    assert_eq!(second.read(&mut [0]).await.unwrap(), 0);
}

/// Left closes its half, right answers.
pub fn half_close_left_first<P: Pair>(maker: P) {
    run(maker, |maker| async move {
        let (left, right) = Pair::connect(&maker).await;
        half_close(left, right).await;
    });
}

/// Right closes its half, left answers.
pub fn half_close_right_first<P: Pair>(maker: P) {
    run(maker, |maker| async move {
        let (left, right) = Pair::connect(&maker).await;
        half_close(right, left).await;
    });
}

/// Reading ends and writing fails, also for one who waits.
pub fn dropping_an_end_ends_both_directions<P: Pair>(maker: P) {
    run(maker, |maker| async move {
        let (left, mut right) = Pair::connect(&maker).await;
        {
            let mut buf = [0];
            let mut read = pin!(right.read(&mut buf));
            assert!(poll_once(read.as_mut()).await.is_pending());
            drop(left);
            assert_eq!(read.await.unwrap(), 0);
        }
        assert_writing_fails(&mut right).await;
    });
}

/// Two wakers, one for each direction of one end; each event wakes its own.
pub fn a_reader_and_a_writer_do_not_disturb_each_other<P: Pair>(maker: P) {
    run(maker, |maker| async move {
        let (mut left, mut right) = Pair::connect(&maker).await;
        let (readable, read_waker) = Woken::new();
        let (writable, write_waker) = Woken::new();
        assert_waits_to_read(&mut left, &read_waker);
        fill(&mut left, &[0; 4096], &write_waker);
        // Registering the writer has not thrown the reader out.
        right.write_all(b"!").await.unwrap();
        readable.wait().await;
        assert_eq!(left.read(&mut [0]).await.unwrap(), 1);
        // Nor the reader's event the writer.
        drain_until(&writable, &mut right).await;
    });
}

/// A fresh stream has space: a wait for either direction is over, and says which it was.
pub fn a_wait_for_both_ends_with_one<P: Pair>(maker: P) {
    run(maker, |maker| async move {
        let (mut left, mut right) = Pair::connect(&maker).await;
        let readiness = left.ready(Interest::READ_WRITE).await.unwrap();
        assert!(readiness.write(), "{readiness:?}");
        // Full, so that only the other direction can end the wait.
        let (woken, waker) = Woken::new();
        fill(&mut left, &[0; 4096], &waker);
        let mut cx = Context::from_waker(&waker);
        while let Poll::Ready(readiness) = left.poll_ready(&mut cx, Interest::READ_WRITE) {
            assert!(!readiness.unwrap().is_empty());
            assert!(try_read(&mut left, 1).unwrap().is_would_block());
            let _ = left.non_blocking_write(&[0; 4096]).unwrap(); // A kernel may find more space.
        }
        right.write_all(b"!").await.unwrap();
        woken.wait().await;
        while !left.ready(Interest::READ_WRITE).await.unwrap().read() {
            let _ = left.non_blocking_write(&[0; 4096]).unwrap();
        }
    });
}

/// One type for every transport.
pub fn stream_objects_work<P: Pair>(maker: P) {
    async fn ping_pong<A: Read + Write, B: Read + Write>(mut a: A, mut b: B) {
        pass(&mut a, &mut b, b"ping").await;
        pass(&mut b, &mut a, b"pong").await;
    }

    run(maker, |maker| async move {
        let (mut left, mut right) = Pair::connect(&maker).await;
        ping_pong(
            left.as_ready_stream().expect("readiness"),
            right.as_ready_stream_dyn().expect("readiness"),
        )
        .await;
        ping_pong(&mut left as &mut dyn ReadyStream, &mut right as &mut dyn ReadyStream).await;
        let mut ends: Vec<Box<dyn ReadyStream>> = vec![Box::new(left), Box::new(right)];
        let (mut right, mut left) = (ends.pop().unwrap(), ends.pop().unwrap());
        ping_pong(&mut left, &mut right).await;
        half_close(left, right).await;
    });
}

/// client - proxy - server over two pairs: `copy_bidirectional` in the middle.
pub fn a_proxy_passes_everything_and_every_half_close<P: Pair>(maker: P) {
    run(maker, |maker| async move {
        for server_first in [false, true] {
            let (mut client, mut inner) = Pair::connect(&maker).await;
            let (mut outer, mut server) = Pair::connect(&maker).await;
            let ask = pattern(300_000);
            let talk = async {
                if server_first {
                    half_close(&mut server, &mut client).await;
                    return;
                }
                let (at_client, at_server) =
                    join!(exchange(&mut client, &ask), exchange(&mut server, &ask));
                assert!(at_client == ask && at_server == ask);
                half_close(&mut client, &mut server).await;
            };
            let (copied, ()) = join!(copy_bidirectional(&mut inner, &mut outer), talk);
            let expected = if server_first { (18, 3) } else { (300_003, 300_018) };
            assert_eq!(copied.unwrap(), expected);
        }
    });
}

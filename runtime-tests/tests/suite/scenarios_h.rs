//! Scenarios H of the list of what bit others: copies. What buffers and single methods promise is in
//! `adapter_rows.rs` and `cancel_safety.rs`.

use std::io::{ErrorKind, Result};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::future::join;
use runtime::io::{
    BufReader, BufWriter, CopyOutcome, DuplexStream, Read, ReadyStream, Write, copy,
    copy_bidirectional, copy_buf, duplex,
};
use runtime::net::{TcpListener, TcpStream};
use runtime::time::{Instant, sleep};
use runtime_tests::rig::on_each_flavour;

// ---------------------------------------------------------------- H07: copies flush before they wait

/// Hides the readiness form and the buffer.
struct Plain<R>(R);

impl<R: Read> Read for Plain<R> {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize> {
        self.0.read(buf).await
    }
}

/// Says a line only when the one before came back.
async fn insists_on_answers(mut stream: impl Read + Write) {
    for n in 0..100 {
        let line = format!("line {n}\n");
        stream.write_all(line.as_bytes()).await.unwrap();
        let mut answer = vec![0; line.len()];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(answer, line.as_bytes());
    }
    stream.shutdown().await.unwrap();
    assert_eq!(stream.read(&mut [0]).await.unwrap(), 0);
}

/// What `insists_on_answers` says.
const SAID: u64 = 10 * 7 + 90 * 8;

async fn echo(copied: impl Future<Output = Result<u64>>, peer: impl Read + Write) {
    let (copied, ()) = join(copied, insists_on_answers(peer)).await;
    assert_eq!(copied.unwrap(), SAID);
}

async fn tcp() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    (client, listener.accept().await.unwrap().0)
}

async fn pipes() -> (DuplexStream, DuplexStream) {
    duplex(64)
}

#[test]
fn h07_copy_flushes_before_it_waits() {
    on_each_flavour(|| async {
        let (peer, stream) = pipes().await;
        let (mut from, to) = stream.into_split();
        echo(async { copy(&mut from, &mut BufWriter::new(to)).await }, peer).await;

        let (peer, stream) = pipes().await;
        let (from, to) = stream.into_split();
        let mut from = Plain(from);
        echo(async { copy(&mut from, &mut BufWriter::new(to)).await }, peer).await;

        let (peer, stream) = tcp().await;
        let (mut from, to) = stream.into_split();
        echo(async { copy(&mut from, &mut BufWriter::new(to)).await }, peer).await;
    });
}

#[test]
fn h07_copy_buf_flushes_before_it_waits() {
    on_each_flavour(|| async {
        let (peer, stream) = pipes().await;
        let (mut from, to) = stream.into_split();
        echo(async { copy_buf(&mut from, &mut BufWriter::new(to)).await }, peer).await;

        let (peer, stream) = pipes().await;
        let (from, to) = stream.into_split();
        let mut from = BufReader::new(Plain(from));
        echo(async { copy_buf(&mut from, &mut BufWriter::new(to)).await }, peer).await;

        let (peer, stream) = tcp().await;
        let (from, to) = stream.into_split();
        let mut from = BufReader::with_capacity(3, from);
        echo(async { copy_buf(&mut from, &mut BufWriter::new(to)).await }, peer).await;
    });
}

#[test]
fn h07_copy_bidirectional_flushes_before_it_waits() {
    on_each_flavour(|| async {
        let (peer, near) = pipes().await;
        let (far, answerer) = tcp().await;
        let (mut near, mut far) = (BufWriter::new(near), BufWriter::new(far));
        let echoing = async {
            let (mut from, mut to) = answerer.into_split();
            let copied = copy(&mut from, &mut to).await;
            to.shutdown().await.map(|()| copied.unwrap())
        };
        let both = async { copy_bidirectional(&mut near, &mut far).await };
        let (copied, ()) = join(both, echo(echoing, peer)).await;
        assert_eq!(copied.unwrap(), (SAID, SAID));
    });
}

// ---------------------------------------------------------------- H15: copy_bidirectional

/// `first` sends and closes, `second` answers when it has everything, and closes.
async fn closes_first(first: &mut impl ReadyStream, second: &mut impl ReadyStream) {
    let question = async {
        first.write_all(&[1; 100_000]).await.unwrap();
        first.shutdown().await.unwrap();
        let mut answer = Vec::new();
        first.read_to_end(&mut answer).await.unwrap();
        assert!(answer == [2; 200_000]);
    };
    let answer = async {
        let mut question = Vec::new();
        second.read_to_end(&mut question).await.unwrap();
        assert!(question == [1; 100_000]);
        second.write_all(&[2; 200_000]).await.unwrap();
        second.shutdown().await.unwrap();
    };
    join(question, answer).await;
}

async fn half_close<S: ReadyStream>(connect: impl AsyncFn() -> (S, S)) {
    for client_is_first in [true, false] {
        let ((mut client, mut near), (mut far, mut server)) = (connect().await, connect().await);
        let talk = async {
            if client_is_first {
                closes_first(&mut client, &mut server).await;
            } else {
                closes_first(&mut server, &mut client).await;
            }
        };
        let both = async { copy_bidirectional(&mut near, &mut far).outcomes().await };
        let (copied, ()) = join(both, talk).await;
        let expected = if client_is_first { (100_000, 200_000) } else { (200_000, 100_000) };
        assert_eq!((copied.a_to_b.bytes, copied.b_to_a.bytes), expected);
        assert!(matches!(copied.a_to_b.outcome, CopyOutcome::Finished), "{copied:?}");
        assert!(matches!(copied.b_to_a.outcome, CopyOutcome::Finished), "{copied:?}");
    }
}

#[test]
fn h15_half_close_from_each_side() {
    on_each_flavour(|| async {
        half_close(pipes).await;
        half_close(tcp).await;
    });
}

/// One side has closed; the other neither sends nor closes, until the deadline.
async fn deadline<S: ReadyStream>(connect: impl AsyncFn() -> (S, S)) {
    for client_is_first in [true, false] {
        let ((mut client, mut near), (mut far, mut server)) = (connect().await, connect().await);
        let (mut trigger, mut bell) = duplex(1);
        let has_begun = AtomicBool::new(false);
        let deadline = || {
            has_begun.store(true, Ordering::SeqCst);
            async move { bell.read_exact(&mut [0]).await.unwrap() }
        };
        let talk = async {
            let (first, second) = if client_is_first {
                (&mut client, &mut server)
            } else {
                (&mut server, &mut client)
            };
            first.write_all(b"question").await.unwrap();
            second.read_exact(&mut [0; 8]).await.unwrap();
            second.write_all(b"so").await.unwrap();
            first.read_exact(&mut [0; 2]).await.unwrap();
            assert!(!has_begun.load(Ordering::SeqCst), "nothing is half closed yet");
            first.shutdown().await.unwrap();
            assert_eq!(second.read(&mut [0]).await.unwrap(), 0);
            // The other direction goes on until the deadline is over.
            second.write_all(b"far").await.unwrap();
            first.read_exact(&mut [0; 3]).await.unwrap();
            assert!(has_begun.load(Ordering::SeqCst), "the deadline begins at half-close");
            trigger.write_all(&[0]).await.unwrap();
        };
        let both = async {
            copy_bidirectional(&mut near, &mut far).half_close_deadline(deadline).outcomes().await
        };
        let (copied, ()) = join(both, talk).await;
        let (closed, silent) = if client_is_first {
            (copied.a_to_b, copied.b_to_a)
        } else {
            (copied.b_to_a, copied.a_to_b)
        };
        assert_eq!((closed.bytes, silent.bytes), (8, 5));
        assert!(matches!(closed.outcome, CopyOutcome::Finished), "{closed:?}");
        assert!(matches!(silent.outcome, CopyOutcome::TimedOut), "{silent:?}");
        // Both peers learn of it when the streams are dropped.
        drop((near, far));
        assert_eq!(client.read(&mut [0]).await.unwrap(), 0);
        assert_eq!(server.read(&mut [0]).await.unwrap(), 0);
    }
}

#[test]
fn h15_the_half_close_deadline_ends_the_copy() {
    on_each_flavour(|| async {
        deadline(pipes).await;
        deadline(tcp).await;
    });
}

#[runtime::test(start_paused = true)]
async fn h15_the_half_close_deadline_runs_from_half_close_and_is_an_error() {
    let ((mut client, mut near), (mut far, _server)) = (pipes().await, pipes().await);
    let started = Instant::now();
    let talk = async {
        sleep(Duration::from_secs(100)).await;
        client.write_all(b"question").await.unwrap();
        client.shutdown().await.unwrap();
        sleep(Duration::from_secs(100)).await;
    };
    let both = async {
        let deadline = || sleep(Duration::from_secs(30));
        let copied = copy_bidirectional(&mut near, &mut far).half_close_deadline(deadline).await;
        (copied.unwrap_err().kind(), started.elapsed().as_secs())
    };
    let (ended, ()) = join(both, talk).await;
    assert_eq!(ended, (ErrorKind::TimedOut, 130));
}

#[test]
fn h15_a_pipe_whose_peer_has_gone_fails_the_direction_to_it() {
    on_each_flavour(|| async {
        for client_goes in [true, false] {
            let ((client, mut near), (mut far, server)) = (pipes().await, pipes().await);
            let (goes, mut stays) = if client_goes { (client, server) } else { (server, client) };
            let talk = async {
                drop(goes);
                // It ended first; and what is sent to it now has nobody to go to.
                assert_eq!(stays.read(&mut [0]).await.unwrap(), 0);
                stays.write_all(b"anybody?").await.unwrap();
            };
            let both = async { copy_bidirectional(&mut near, &mut far).outcomes().await };
            let (copied, ()) = join(both, talk).await;
            let (from_it, to_it) = if client_goes {
                (copied.a_to_b, copied.b_to_a)
            } else {
                (copied.b_to_a, copied.a_to_b)
            };
            assert_eq!((from_it.bytes, to_it.bytes), (0, 0));
            assert!(matches!(from_it.outcome, CopyOutcome::Finished), "{from_it:?}");
            let CopyOutcome::Failed(error) = to_it.outcome else { panic!("{to_it:?}") };
            assert_eq!(error.kind(), ErrorKind::BrokenPipe);
        }
    });
}

#[test]
fn h15_a_reset_connection_fails_and_stops_the_other_direction() {
    on_each_flavour(|| async {
        for client_goes in [true, false] {
            let ((client, mut near), (mut far, server)) = (tcp().await, tcp().await);
            let (mut goes, mut stays) =
                if client_goes { (client, server) } else { (server, client) };
            let talk = async {
                goes.write_all(b"last words").await.unwrap();
                stays.read_exact(&mut [0; 10]).await.unwrap();
                goes.set_linger(Some(Duration::ZERO)).unwrap();
                drop(goes);
            };
            let both = async { copy_bidirectional(&mut near, &mut far).outcomes().await };
            let (copied, ()) = join(both, talk).await;
            let (from_it, to_it) = if client_goes {
                (copied.a_to_b, copied.b_to_a)
            } else {
                (copied.b_to_a, copied.a_to_b)
            };
            assert_eq!((from_it.bytes, to_it.bytes), (10, 0));
            let CopyOutcome::Failed(error) = from_it.outcome else { panic!("{from_it:?}") };
            assert_eq!(error.kind(), ErrorKind::ConnectionReset);
            assert!(matches!(to_it.outcome, CopyOutcome::Stopped), "{to_it:?}");
            // The plain form reports it as its own error, and the other peer hears of it.
            drop((near, far));
            assert_eq!(stays.read(&mut [0]).await.unwrap(), 0);
        }
    });
}

/// Both peers close at the same time: nothing is left that waits to be closed.
#[test]
#[cfg(target_os = "linux")]
fn h15_no_socket_is_left_that_waits_to_be_closed() {
    on_each_flavour(|| async {
        let ((client, mut near), (mut far, server)) = (tcp().await, tcp().await);
        let ports = [&near, &far].map(|stream| stream.local_addr().unwrap().port());
        {
            let mut both = pin!(copy_bidirectional(&mut near, &mut far));
            assert!(futures::poll!(both.as_mut()).is_pending());
            drop((client, server));
            assert_eq!(both.await.unwrap(), (0, 0));
        }
        drop((near, far));
        let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
        for line in table.lines().skip(1) {
            let fields = line.split_whitespace().collect::<Vec<_>>();
            let port = u16::from_str_radix(fields[1].rsplit(':').next().unwrap(), 16).unwrap();
            let close_wait = fields[3] == "08";
            assert!(!(close_wait && ports.contains(&port)), "{line}");
        }
    });
}

//! What a writer and its reader owe to owned buffers. They are reached by the downcasts, which every
//! row has to have.

use super::tools::{Woken, assert_is_gone, drop_after, fill, give_way, pattern};
use super::{OneWay, run};
use futures::join;
use runtime::io::{OwnedBuf, OwnedRead, OwnedWrite, Read, Write};
use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A megabyte in one buffer each way, which stays where it is.
pub fn owned_buffers_carry_everything<M: OneWay>(maker: M) {
    run(maker, |maker| async move {
        let (mut writer, mut reader) = maker.connect().await;
        let sent = pattern(1 << 20);
        let write = async {
            for piece in sent.chunks(100_003) {
                let vec = piece.to_vec();
                let memory = vec.as_ptr().addr();
                let mut owned = writer.as_owned_write().expect("an owned form");
                let (buf, outcome) = owned.write_all_owned(OwnedBuf::from(vec)).await;
                outcome.unwrap();
                let vec = buf.try_into_vec().expect("it was made from one");
                assert!(vec == piece && vec.as_ptr().addr() == memory);
            }
            writer.shutdown().await.unwrap();
        };
        let read = async {
            let mut received = Vec::new();
            let mut buf = OwnedBuf::with_capacity(10_007);
            loop {
                let mut owned = reader.as_owned().expect("an owned form");
                let (returned, outcome) = owned.read_owned(buf).await;
                outcome.unwrap();
                if returned.is_empty() {
                    assert_eq!(returned.capacity(), 10_007);
                    break received;
                }
                received.extend_from_slice(returned.filled());
                buf = returned;
                buf.clear();
            }
        };
        let ((), received) = join!(write, read);
        assert!(received == sent);
    });
}

/// What is filled stays, what does not fit waits, and a write says how much it took.
pub fn owned_operations_take_what_fits<M: OneWay>(maker: M) {
    run(maker, |maker| async move {
        let (mut writer, mut reader) = maker.connect().await;
        let mut writer = writer.as_owned_write().expect("an owned form");
        let mut reader = reader.as_owned().expect("an owned form");
        let write = async {
            let mut buf = OwnedBuf::from(b"_abcdef".to_vec());
            buf.consume(1);
            while !buf.is_empty() {
                let (returned, outcome) = writer.write_owned(buf).await;
                buf = returned;
                buf.consume(outcome.unwrap());
            }
        };
        let read = async {
            let mut buf = OwnedBuf::with_capacity(16);
            buf.unfilled().append(b">");
            buf.set_room(4);
            let (mut buf, outcome) = reader.read_exact_owned(buf).await;
            outcome.unwrap();
            assert_eq!(buf.filled(), b">abcd");
            buf.set_room(2);
            let (buf, outcome) = reader.read_exact_owned(buf).await;
            outcome.unwrap();
            assert_eq!(buf.filled(), b">abcdef");
        };
        join!(write, read);
    });
}

/// Reads into what is full and writes of what is empty return at once, also when others would wait.
pub fn owned_buffers_of_nothing_never_wait<M: OneWay>(maker: M) {
    run(maker, |maker| async move {
        let (mut writer, mut reader) = maker.connect().await;
        let full = || OwnedBuf::from(vec![7; 3].into_boxed_slice());
        {
            let mut reader = reader.as_owned().expect("an owned form");
            let (buf, outcome) = reader.read_owned(full()).await;
            outcome.unwrap();
            assert_eq!(buf.filled(), [7; 3]);
            let (buf, outcome) = reader.read_exact_owned(buf).await;
            outcome.unwrap();
            assert_eq!(buf.filled(), [7; 3]);
            reader.read_owned(OwnedBuf::with_capacity(0)).await.1.unwrap();
        }
        fill(&mut writer, &[0; 4096], &Woken::new().1);
        let mut writer = writer.as_owned_write().expect("an owned form");
        assert_eq!(writer.write_owned(OwnedBuf::with_capacity(8)).await.1.unwrap(), 0);
        writer.write_all_owned(OwnedBuf::with_capacity(8)).await.1.unwrap();
        // It was not the end.
        assert_ne!(reader.read(&mut [0]).await.unwrap(), 0);
    });
}

/// The end comes after the data, and the buffer with every outcome.
pub fn owned_reads_end_with_the_stream<M: OneWay>(maker: M) {
    run(maker, |maker| async move {
        let (mut writer, mut reader) = maker.connect().await;
        let mut reader = reader.as_owned().expect("an owned form");
        let sent = pattern(100_000);
        let write = async {
            let mut owned = writer.as_owned_write().expect("an owned form");
            owned.write_all_owned(OwnedBuf::from(sent.clone())).await.1.unwrap();
            drop(owned);
            writer.shutdown().await.unwrap();
        };
        let ((), (all, outcome)) = join!(write, reader.read_to_end_owned(b"before".to_vec()));
        assert_eq!(outcome.unwrap(), sent.len());
        assert!(all.starts_with(b"before") && all[6..] == sent);
        let (buf, outcome) = reader.read_owned(OwnedBuf::with_capacity(8)).await;
        outcome.unwrap();
        assert!(buf.is_empty());
        let (buf, outcome) = reader.read_exact_owned(buf).await;
        assert_eq!(outcome.unwrap_err().kind(), ErrorKind::UnexpectedEof);
        assert_eq!((buf.len(), buf.room()), (0, 8));
    });
}

/// A write that cannot be gives the buffer back as it was.
pub fn owned_writes_that_fail_return_the_buffer<M: OneWay>(maker: M) {
    run(maker, |maker| async move {
        let (mut writer, reader) = maker.connect().await;
        writer.shutdown().await.unwrap();
        let mut owned = writer.as_owned_write().expect("an owned form");
        let (buf, outcome) = owned.write_owned(OwnedBuf::from(b"late".to_vec())).await;
        assert_is_gone(outcome.unwrap_err().kind());
        assert_eq!(buf.filled(), b"late");
        let (buf, outcome) = owned.write_all_owned(buf).await;
        assert_is_gone(outcome.unwrap_err().kind());
        assert_eq!((buf.filled(), buf.consumed()), (&b"late"[..], 0));
        drop(reader);
    });
}

/// Owned operations that are dropped while they wait: the buffer goes, no byte of the stream does.
pub fn dropped_owned_operations_lose_only_the_buffer<M: OneWay>(maker: M) {
    /// Counts how often it is dropped.
    struct Counted([u8; 7], Arc<AtomicUsize>);

    impl AsRef<[u8]> for Counted {
        fn as_ref(&self) -> &[u8] {
            &self.0
        }
    }

    impl AsMut<[u8]> for Counted {
        fn as_mut(&mut self) -> &mut [u8] {
            &mut self.0
        }
    }

    impl Drop for Counted {
        fn drop(&mut self) {
            // Ordering: read by the task that dropped it.
            self.1.fetch_add(1, Ordering::SeqCst);
        }
    }

    run(maker, |maker| async move {
        let (mut writer, mut reader) = maker.connect().await;
        let drops = Arc::new(AtomicUsize::new(0));
        let mut made = 0;
        let sent = pattern(20_000);
        let write = async {
            let mut at = 0;
            for round in 0.. {
                if at == sent.len() {
                    break;
                }
                let piece = sent[at..sent.len().min(at + 777)].to_vec();
                let mut owned = writer.as_owned_write().expect("an owned form");
                let buf = OwnedBuf::from(piece);
                match drop_after(round % 4, owned.write_owned(buf)).await {
                    None => give_way().await,
                    Some((_, outcome)) => at += outcome.unwrap(),
                }
            }
            writer.shutdown().await.unwrap();
        };
        let read = async {
            let mut received = Vec::new();
            for round in 0.. {
                let mut buf = OwnedBuf::from_owner(Counted([0; 7], Arc::clone(&drops)));
                made += 1;
                buf.clear();
                let mut owned = reader.as_owned().expect("an owned form");
                match drop_after(round % 4, owned.read_owned(buf)).await {
                    None => give_way().await,
                    Some((buf, outcome)) => {
                        outcome.unwrap();
                        if buf.is_empty() {
                            break;
                        }
                        received.extend_from_slice(buf.filled());
                    }
                }
                // Ordering: see `drop`.
                assert_eq!(drops.load(Ordering::SeqCst), made);
            }
            received
        };
        let ((), received) = join!(write, read);
        assert!(received == sent);
    });
}

/// The owned forms through trait objects, pointers and `Take`; all futures are `Send`.
pub fn owned_forms_travel<M: OneWay>(maker: M) {
    fn send<F: Future + Send>(future: F) -> F {
        future
    }

    async fn pass<W: OwnedWrite, R: OwnedRead>(mut writer: W, mut reader: R) {
        let write = send(writer.write_all_owned(OwnedBuf::from(b"ping".to_vec())));
        let read = send(reader.read_exact_owned(OwnedBuf::with_capacity(4)));
        let ((_, written), (buf, outcome)) = join!(write, read);
        written.unwrap();
        outcome.unwrap();
        assert_eq!(buf.filled(), b"ping");
    }

    run(maker, |maker| async move {
        let (mut writer, mut reader) = maker.connect().await;
        pass(
            writer.as_owned_write_dyn().expect("an owned form"),
            reader.as_owned_dyn().expect("an owned form"),
        )
        .await;
        pass(
            Box::new(&mut writer).as_owned_write().expect("pointers keep it"),
            Box::new(&mut reader).as_owned().expect("pointers keep it"),
        )
        .await;
        let mut taken = reader.take(6);
        pass(writer.as_owned_write().unwrap(), taken.as_owned().expect("adapters keep it")).await;
        assert_eq!(taken.limit(), 2);
        let mut object = taken.as_owned_dyn().expect("adapters keep it");
        let read = send(object.read_to_end_owned(Vec::new()));
        let (written, (all, outcome)) = join!(writer.write_all(b"xy"), read);
        written.unwrap();
        assert_eq!((outcome.unwrap(), all.as_slice()), (2, &b"xy"[..]));
    });
}

//! Edges that must not be lost: short reads that do not mean "nothing left", more events than fit
//! in a batch, and Unix sockets' own cases.
#![cfg(unix)]

use std::io::{ErrorKind, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;

use runtime::io::{Interest, Read, Write, copy};
use runtime::net::{UnixListener, UnixStream};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags};

use super::{kind, tcp};

/// A path nobody else has.
fn path(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("runtime-{name}-{}", std::process::id()))
}

/// A read stops at a message with descriptors, and no event follows: the rest must be read anyway.
#[runtime::test]
async fn a_short_read_of_a_unix_socket_does_not_mean_that_nothing_is_left() {
    let (mut one, two) = UnixStream::pair().unwrap();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let descriptors = [two.as_fd()];
    assert!(control.push(SendAncillaryMessage::ScmRights(&descriptors)));
    let bytes = [IoSlice::new(b"0123456789")];
    rustix::net::sendmsg(&two, &bytes, &mut control, SendFlags::empty()).unwrap();
    assert_eq!(two.try_write(b"abcdefghij").unwrap(), 10);

    let (mut total, mut buf) = (0, [0; 100]);
    while total < 20 {
        total += one.read(&mut buf).await.unwrap();
    }
}

/// A read stops at the mark of urgent data, whether it is there at the first event or comes later.
#[cfg(target_os = "linux")]
#[runtime::test]
async fn a_short_read_before_urgent_data_does_not_mean_that_nothing_is_left() {
    let (client, mut server) = tcp().await;
    let mut buf = [0; 100];
    assert_eq!(kind(server.try_read(&mut buf)), ErrorKind::WouldBlock);
    let socket = socket2::SockRef::from(&client);
    for round in 0..3 {
        if round == 1 {
            client.try_write(b"first").unwrap();
            assert_eq!(server.read(&mut buf).await.unwrap(), 5);
        }
        client.try_write(b"0123456789").unwrap();
        socket.send_out_of_band(b"!").unwrap();
        client.try_write(b"abcdefghij").unwrap();
        let mut total = 0;
        while total < 20 {
            total += server.read(&mut buf).await.unwrap();
        }
        assert_eq!(total, 20);
    }
}

#[runtime::test]
async fn e22_more_events_than_one_batch_holds_reach_everybody() {
    let (mut writers, mut readers) = (Vec::new(), Vec::new());
    for _ in 0..400 {
        let (one, two) = UnixStream::pair().unwrap();
        assert_eq!(kind(one.try_read(&mut [0])), ErrorKind::WouldBlock);
        writers.push(two);
        readers.push(runtime::spawn(async move {
            let mut one = one;
            one.read(&mut [0; 8]).await
        }));
    }
    runtime::task::yield_now().await;
    for writer in &writers {
        writer.try_write(b"x").unwrap();
    }
    for reader in readers {
        assert_eq!(reader.await.unwrap().unwrap(), 1);
    }
}

/// Readers that share a stream come and go on two threads; the writer sends the next byte when one
/// of them has answered the last, so that a lost wake-up would stop everything.
#[runtime::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_byte_waits_for_a_reader_that_has_left() {
    const BYTES: usize = 5000;
    let (reader, mut writer) = UnixStream::pair().unwrap();
    let reader = Arc::new(reader);
    let readers: Vec<_> = (0..6)
        .map(|number: usize| {
            let reader = reader.clone();
            runtime::spawn(async move {
                let mut count = 0;
                for round in number.. {
                    if round % 3 == 0 {
                        // Waits for a moment only.
                        let _ = futures::poll!(pin!(reader.readable()));
                    }
                    reader.readable().await.unwrap();
                    match reader.try_read(&mut [0]) {
                        Ok(0) => break,
                        Ok(_) => {
                            count += 1;
                            (&*reader).write_all(b"!").await.unwrap();
                        }
                        Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
                    }
                }
                count
            })
        })
        .collect();
    for _ in 0..BYTES {
        writer.write_all(b"?").await.unwrap();
        writer.read_exact(&mut [0]).await.unwrap();
    }
    writer.shutdown().await.unwrap();
    let mut sum = 0;
    for reader in readers {
        sum += reader.await.unwrap();
    }
    assert_eq!(sum, BYTES);
}

#[runtime::test]
async fn e14_waiting_to_read_leaves_writability_alone() {
    let (one, _two) = UnixStream::pair().unwrap();
    assert_eq!(kind(one.try_read(&mut [0])), ErrorKind::WouldBlock);
    assert!(futures::poll!(pin!(one.readable())).is_pending());
    assert!(futures::poll!(pin!(one.writable())).is_ready());
    let both = one.ready(Interest::READ_WRITE).await.unwrap();
    assert!(both.write() && !both.read());
}

#[runtime::test]
async fn f02_a_unix_peer_that_closes_with_unread_data_resets_and_copy_ends() {
    let (mut one, mut two) = UnixStream::pair().unwrap();
    one.write_all(b"never read").await.unwrap();
    two.write_all(b"answer").await.unwrap();
    drop(two);
    let mut buf = [0; 16];
    assert_eq!(one.read(&mut buf).await.unwrap(), 6);
    match one.read(&mut buf).await {
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
        Ok(n) => assert_eq!(n, 0),
    }
    let mut sink = Vec::new();
    let _ = copy(&mut one, &mut sink).await;
}

#[cfg(target_os = "linux")]
#[runtime::test]
async fn f04_abstract_names_go_round_as_they_are() {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::SocketAddr;

    let unique = format!("{}", std::process::id()).into_bytes();
    let long = [unique.clone(), vec![b'x'; 107 - unique.len()]].concat();
    let names = [
        [b"\0leading".as_slice(), &unique].concat(),
        [b"in\0ner".as_slice(), &unique].concat(),
        [unique.as_slice(), b"trailing\0\0"].concat(),
        long,
        Vec::new(),
    ];
    for name in names {
        let addr = SocketAddr::from_abstract_name(&name).unwrap();
        let listener = UnixListener::bind_addr(&addr).unwrap();
        assert_eq!(listener.local_addr().unwrap().as_abstract_name(), Some(&name[..]));
        let client = UnixStream::connect_addr(&addr).await.unwrap();
        assert_eq!(client.peer_addr().unwrap().as_abstract_name(), Some(&name[..]));
        let (accepted, peer) = listener.accept().await.unwrap();
        assert!(peer.is_unnamed());
        assert_eq!(accepted.local_addr().unwrap().as_abstract_name(), Some(&name[..]));
    }
}

#[runtime::test]
async fn f05_paths_are_taken_or_refused_as_the_system_does() {
    let directory = path("paths");
    std::fs::create_dir_all(&directory).unwrap();
    let prefix = directory.to_str().unwrap().len() + 1;
    let fits = directory.join("x".repeat(107 - prefix));
    let listener = UnixListener::bind(&fits).unwrap();
    assert_eq!(listener.local_addr().unwrap().as_pathname(), Some(fits.as_path()));
    UnixStream::connect(&fits).await.unwrap();
    assert_eq!(kind(UnixListener::bind(&fits)), ErrorKind::AddrInUse);
    drop(listener);
    assert!(fits.exists(), "nothing removes the path");
    assert_eq!(kind(UnixListener::bind(&fits)), ErrorKind::AddrInUse);
    assert_eq!(kind(UnixStream::connect(&fits).await), ErrorKind::ConnectionRefused);
    std::fs::remove_dir_all(&directory).unwrap();

    let too_long = directory.join("x".repeat(108 - prefix));
    assert_eq!(kind(UnixListener::bind(&too_long)), ErrorKind::InvalidInput);
    assert_eq!(kind(UnixStream::connect(&too_long).await), ErrorKind::InvalidInput);
    assert_eq!(kind(UnixListener::bind("/tmp/with\0nul")), ErrorKind::InvalidInput);
    assert_eq!(kind(UnixStream::connect(&fits).await), ErrorKind::NotFound);
}

/// Linux refuses with `EAGAIN` and reports no event when there is room.
#[cfg(target_os = "linux")]
#[runtime::test]
async fn connecting_to_a_full_unix_queue_waits_for_room() {
    let path = path("full");
    let socket = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None).unwrap();
    socket.bind(&socket2::SockAddr::unix(&path).unwrap()).unwrap();
    socket.listen(0).unwrap();
    let listener = UnixListener::from_std(socket.into()).unwrap();
    let connecting: Vec<_> = (0..5)
        .map(|_| {
            let path = path.clone();
            runtime::spawn(async move { UnixStream::connect(path).await })
        })
        .collect();
    let mut accepted = Vec::new();
    for _ in 0..5 {
        accepted.push(listener.accept().await.unwrap());
    }
    for connection in connecting {
        connection.await.unwrap().unwrap();
    }
    std::fs::remove_file(path).unwrap();
}

#[runtime::test]
async fn unix_halves_work_as_those_of_tcp() {
    let (one, mut two) = UnixStream::pair().unwrap();
    let (mut reader, mut writer) = one.into_split();
    writer.write_all(b"ping").await.unwrap();
    drop(writer);
    let mut text = String::new();
    two.read_to_string(&mut text).await.unwrap();
    assert_eq!(text, "ping");
    two.write_all(b"pong").await.unwrap();
    drop(two);
    text.clear();
    reader.read_to_string(&mut text).await.unwrap();
    assert_eq!(text, "pong");
}

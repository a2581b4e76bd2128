//! Sockets for messages: whole messages and cut ones, empty ones, edges that must not be lost, peers
//! that are gone or too slow.

use std::future::poll_fn;
use std::io::ErrorKind;
use std::mem::MaybeUninit;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;

use runtime::io::{BorrowedBuf, Interest, Ready};
use runtime::net::UdpSocket;
use runtime_tests::rig::on_each_flavour;

use super::kind;

async fn bound() -> UdpSocket {
    UdpSocket::bind("127.0.0.1:0").await.unwrap()
}

/// Two sockets, each the other's peer.
async fn connected() -> (UdpSocket, UdpSocket) {
    let (one, two) = (bound().await, bound().await);
    one.connect(two.local_addr().unwrap()).await.unwrap();
    two.connect(one.local_addr().unwrap()).await.unwrap();
    (one, two)
}

#[test]
fn every_way_to_send_and_receive() {
    on_each_flavour(|| async {
        let (one, two) = connected().await;
        let (here, there) = (one.local_addr().unwrap(), two.local_addr().unwrap());
        assert_eq!((one.peer_addr().unwrap(), two.peer_addr().unwrap()), (there, here));
        let mut buf = [0; 16];
        for message in [&b"first"[..], b"", b"third"] {
            assert_eq!(one.send(message).await.unwrap(), message.len());
            assert_eq!(two.peek(&mut buf).await.unwrap(), message.len());
            assert_eq!(two.peek_from(&mut buf).await.unwrap(), (message.len(), here));
            assert_eq!(two.try_peek(&mut buf).unwrap(), message.len());
            assert_eq!(two.recv(&mut buf).await.unwrap(), message.len());
            assert_eq!(&buf[..message.len()], message);
            assert_eq!(kind(two.try_recv(&mut buf)), ErrorKind::WouldBlock);
            assert_eq!(kind(two.try_peek_from(&mut buf)), ErrorKind::WouldBlock);

            let mut memory = [MaybeUninit::uninit(); 16];
            let mut uninit = BorrowedBuf::from(&mut memory[..]);
            one.send(message).await.unwrap();
            assert_eq!(two.recv_buf(uninit.unfilled()).await.unwrap(), message.len());
            one.send(message).await.unwrap();
            let (count, peer) = two.recv_buf_from(uninit.unfilled()).await.unwrap();
            assert_eq!((count, peer), (message.len(), here));
            assert_eq!(uninit.filled(), [message, message].concat());

            one.send(message).await.unwrap();
            assert_eq!(two.recv_with(<[u8]>::to_vec).await.unwrap(), message);
            one.try_send(message).unwrap();
            let seen = two.recv_from_with(|bytes, peer| (bytes.to_vec(), peer)).await.unwrap();
            assert_eq!(seen, (message.to_vec(), here));
            two.send(message).await.unwrap();
            assert_eq!(one.recv_from(&mut buf).await.unwrap(), (message.len(), there));
        }
    });
}

#[runtime::test]
async fn unconnected_sockets_name_the_address_each_time() {
    let (server, one, two) = (bound().await, bound().await, bound().await);
    let addr = server.local_addr().unwrap();
    one.send_to(b"one", addr).await.unwrap();
    two.try_send_to(b"two", addr).unwrap();
    let mut buf = [0; 8];
    for client in [&one, &two] {
        let (count, peer) = server.recv_from(&mut buf).await.unwrap();
        assert_eq!(peer, client.local_addr().unwrap());
        server.send_to(&buf[..count], peer).await.unwrap();
        assert_eq!(client.recv(&mut buf).await.unwrap(), 3);
    }
    assert_eq!(kind(server.peer_addr()), ErrorKind::NotConnected);
    assert!(server.try_send(b"to nobody").is_err());
    assert!(server.send(b"to nobody").await.is_err());
}

/// F15: cut to the buffer, and the rest is not the next message.
#[runtime::test]
async fn f15_a_message_that_does_not_fit_is_cut() {
    let (one, two) = connected().await;
    for message in [&b"0123456789"[..], b"next", b"", b"last"] {
        one.send(message).await.unwrap();
    }
    assert_eq!(two.peek(&mut [0; 3]).await.unwrap(), 3);
    let mut buf = [0; 4];
    assert_eq!(two.recv(&mut buf).await.unwrap(), 4);
    assert_eq!(&buf, b"0123");
    // Into nothing: the message is gone all the same.
    assert_eq!(two.recv(&mut []).await.unwrap(), 0);
    assert_eq!(two.recv(&mut buf).await.unwrap(), 0);
    assert_eq!(two.recv(&mut buf).await.unwrap(), 4);
    assert_eq!(&buf, b"last");
}

/// F15: the refusal is told once, and the socket goes on. More than one of these in a row has to be
/// heard of, over whatever selector.
#[cfg(target_os = "linux")]
#[runtime::test]
async fn f15_a_refusal_is_told_once_and_the_socket_goes_on() {
    let socket = bound().await;
    for _ in 0..3 {
        let nobody = bound().await;
        let addr = nobody.local_addr().unwrap();
        drop(nobody);
        socket.connect(addr).await.unwrap();
        assert_eq!(kind(socket.try_recv(&mut [0])), ErrorKind::WouldBlock);
        socket.send(b"anybody?").await.unwrap();
        assert_eq!(kind(socket.recv(&mut [0]).await), ErrorKind::ConnectionRefused);
        assert_eq!(kind(socket.try_recv(&mut [0])), ErrorKind::WouldBlock);

        let somebody = UdpSocket::bind(addr).await.unwrap();
        let receiving = runtime::spawn(async move {
            let mut buf = [0; 8];
            let (count, peer) = somebody.recv_from(&mut buf).await.unwrap();
            somebody.send_to(&buf[..count], peer).await.unwrap();
        });
        socket.send(b"you?").await.unwrap();
        assert_eq!(socket.recv(&mut [0; 8]).await.unwrap(), 4);
        receiving.await.unwrap();
    }
}

/// Several messages in one edge, receivers that give up half way, and a socket drained in between.
#[test]
fn no_edge_is_lost() {
    on_each_flavour(|| async {
        let (one, two) = connected().await;
        let two = Arc::new(two);
        for round in 0..200u32 {
            {
                let mut buf = [0; 4];
                let mut gives_up = pin!(two.recv(&mut buf));
                assert!(futures::poll!(gives_up.as_mut()).is_pending());
            }
            let receiving = runtime::spawn({
                let two = two.clone();
                async move {
                    let mut seen = Vec::new();
                    while seen.len() < 3 {
                        two.readable().await.unwrap();
                        // As much as is there, to the last.
                        let mut word = [0; 4];
                        while two.try_recv(&mut word).is_ok() {
                            seen.push(u32::from_ne_bytes(word));
                        }
                    }
                    seen
                }
            });
            if round % 2 == 0 {
                runtime::task::yield_now().await;
            }
            for n in 0..3 {
                one.send(&(round + n).to_ne_bytes()).await.unwrap();
            }
            assert_eq!(receiving.await.unwrap(), [round, round + 1, round + 2]);
        }
    });
}

#[runtime::test]
async fn each_message_goes_to_one_of_many_who_wait() {
    let (one, two) = connected().await;
    let two = Arc::new(two);
    let receivers: Vec<_> = (0..20)
        .map(|_| {
            let two = two.clone();
            runtime::spawn(async move { two.recv_with(|bytes| bytes[0]).await.unwrap() })
        })
        .collect();
    runtime::task::yield_now().await;
    for n in 0..20 {
        one.send(&[n]).await.unwrap();
    }
    let mut seen = Vec::new();
    for receiver in receivers {
        seen.push(receiver.await.unwrap());
    }
    seen.sort_unstable();
    assert_eq!(seen, (0..20).collect::<Vec<_>>());
}

#[runtime::test]
async fn f10_a_peek_that_waits_is_woken() {
    let (one, two) = connected().await;
    let peeking = runtime::spawn(async move {
        let mut buf = [0; 8];
        let count = two.peek(&mut buf).await.unwrap();
        assert_eq!(two.recv(&mut buf).await.unwrap(), count);
        assert_eq!(two.peek(&mut buf).await.unwrap(), 6);
        two
    });
    runtime::task::yield_now().await;
    one.send(b"word").await.unwrap();
    runtime::task::yield_now().await;
    one.send(b"second").await.unwrap();
    peeking.await.unwrap();
}

#[runtime::test]
async fn too_long_a_message_is_refused_and_not_cut() {
    let (one, two) = connected().await;
    assert!(one.send(&vec![0; 70_000]).await.is_err());
    let largest = vec![7; 65_507];
    assert_eq!(one.send(&largest).await.unwrap(), largest.len());
    assert_eq!(two.recv_with(<[u8]>::to_vec).await.unwrap(), largest);
}

#[runtime::test]
async fn readiness_has_the_traits_words() {
    let (mut one, two) = connected().await;
    assert!(Ready::ready(&mut one, Interest::WRITE).await.unwrap().write());
    assert!(Ready::ready(&mut &two, Interest::READ_WRITE).await.unwrap().write());
    assert_eq!(kind(two.try_recv(&mut [0])), ErrorKind::WouldBlock);
    assert!(futures::poll!(pin!(two.readable())).is_pending());
    one.writable().await.unwrap();
    one.send(b"x").await.unwrap();
    assert!(two.ready(Interest::READ).await.unwrap().read());
    // Operations of one's own: their `WouldBlock` clears what was known.
    let received = two.async_io(Interest::READ, || {
        let mut memory = [MaybeUninit::uninit(); 4];
        socket2::SockRef::from(&two).recv(&mut memory)
    });
    assert_eq!(received.await.unwrap(), 1);
    let blocked = || Err::<(), _>(ErrorKind::WouldBlock.into());
    assert_eq!(kind(two.try_io(Interest::READ, blocked)), ErrorKind::WouldBlock);
    assert!(futures::poll!(pin!(two.readable())).is_pending());
}

#[runtime::test]
async fn options_are_the_sockets() {
    let socket = bound().await;
    assert!(!socket.broadcast().unwrap());
    socket.set_broadcast(true).unwrap();
    assert!(socket.broadcast().unwrap());
    socket.set_ttl(42).unwrap();
    socket.set_multicast_ttl_v4(3).unwrap();
    socket.set_multicast_loop_v4(false).unwrap();
    assert_eq!((socket.ttl().unwrap(), socket.multicast_ttl_v4().unwrap()), (42, 3));
    assert!(!socket.multicast_loop_v4().unwrap());
    assert!(socket.take_error().unwrap().is_none());
    assert!(format!("{socket:?}").contains("UdpSocket"), "{socket:?}");
    assert_eq!(kind(UdpSocket::bind(socket.local_addr().unwrap()).await), ErrorKind::AddrInUse);
    assert_eq!(kind(UdpSocket::bind("no port").await), ErrorKind::InvalidInput);
    if let Ok(socket) = UdpSocket::bind("[::1]:0").await {
        socket.set_multicast_loop_v6(false).unwrap();
        assert!(!socket.multicast_loop_v6().unwrap());
        socket.only_v6().unwrap();
        let group: Ipv6Addr = "ff02::114".parse().unwrap();
        assert!(socket.leave_multicast_v6(group, 0).is_err(), "it was not joined");
    }
}

#[cfg(target_os = "linux")]
#[runtime::test]
async fn a_group_is_joined_and_left() {
    let (group, local) = (Ipv4Addr::new(239, 255, 77, 42), Ipv4Addr::LOCALHOST);
    let receiver = UdpSocket::bind("0.0.0.0:0").await.unwrap();
    receiver.join_multicast_v4(group, local).unwrap();
    assert!(receiver.join_multicast_v4(group, local).is_err(), "twice");
    let sender = bound().await;
    socket2::SockRef::from(&sender).set_multicast_if_v4(&local).unwrap();
    let addr = SocketAddr::from((group, receiver.local_addr().unwrap().port()));
    sender.send_to(b"to all", addr).await.unwrap();
    let (count, peer) = receiver.recv_from(&mut [0; 16]).await.unwrap();
    assert_eq!((count, peer), (6, sender.local_addr().unwrap()));
    receiver.leave_multicast_v4(group, local).unwrap();
    assert!(receiver.leave_multicast_v4(group, local).is_err());
}

#[runtime::test]
async fn e07_e08_a_socket_goes_to_std_and_back_and_becomes_non_blocking() {
    let std = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let socket = UdpSocket::from_std(std).unwrap();
    assert_eq!(kind(socket.try_recv(&mut [0])), ErrorKind::WouldBlock);
    let socket = UdpSocket::from_std(socket.into_std().unwrap()).unwrap();
    let addr = socket.local_addr().unwrap();
    bound().await.send_to(b"x", addr).await.unwrap();
    assert_eq!(socket.recv(&mut [0; 2]).await.unwrap(), 1);
}

#[test]
fn outside_a_runtime_and_after_it_there_is_an_error() {
    use futures::executor::block_on;
    assert_eq!(kind(block_on(UdpSocket::bind("127.0.0.1:0"))), ErrorKind::Other);
    let std = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    assert_eq!(kind(UdpSocket::from_std(std)), ErrorKind::Other);

    let runtime = runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    let (one, two) = runtime.block_on(connected());
    block_on(async {
        one.send(b"x").await.unwrap();
        assert_eq!(two.recv(&mut [0; 2]).await.unwrap(), 1);
    });
    let waits = std::thread::spawn(move || block_on(async { two.recv(&mut [0; 8]).await }));
    drop(runtime);
    assert!(waits.join().unwrap().is_err());
    block_on(async {
        assert!(one.send(b"x").await.is_err());
        assert!(one.recv_with(<[u8]>::len).await.is_err());
        assert_ne!(kind(one.try_recv(&mut [0; 8])), ErrorKind::WouldBlock);
    });
}

#[cfg(unix)]
mod unix {
    use std::os::unix::net::SocketAddr;
    use std::path::PathBuf;

    use runtime::net::UnixDatagram;

    use super::*;

    fn path(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("runtime-messages-{name}-{}", std::process::id()))
    }

    /// Binds and takes the path away at the end.
    struct Bound(UnixDatagram, PathBuf);

    impl Bound {
        fn new(name: &str) -> Self {
            let path = path(name);
            Self(UnixDatagram::bind(&path).unwrap(), path)
        }
    }

    impl Drop for Bound {
        fn drop(&mut self) {
            let _ = std::fs::remove_file(&self.1);
        }
    }

    #[test]
    fn every_way_to_send_and_receive() {
        on_each_flavour(|| async {
            let (one, two) = UnixDatagram::pair().unwrap();
            let mut buf = [0; 16];
            for message in [&b"first"[..], b"", b"third"] {
                assert_eq!(one.send(message).await.unwrap(), message.len());
                assert_eq!(two.peek(&mut buf).await.unwrap(), message.len());
                assert!(two.try_peek_from(&mut buf).unwrap().1.is_unnamed());
                assert_eq!(two.recv(&mut buf).await.unwrap(), message.len());
                assert_eq!(&buf[..message.len()], message);
                one.try_send(message).unwrap();
                assert_eq!(two.recv_with(<[u8]>::to_vec).await.unwrap(), message);
            }
            assert_eq!(kind(two.try_recv(&mut buf)), ErrorKind::WouldBlock);
            one.shutdown_now(std::net::Shutdown::Both).unwrap();
            assert!(one.send(b"x").await.is_err());
        });
    }

    /// F06: who has no name is unnamed and no panic.
    #[runtime::test]
    async fn f06_senders_with_and_without_a_name() {
        let server = Bound::new("f06");
        let client = UnixDatagram::unbound().unwrap();
        assert!(client.local_addr().unwrap().is_unnamed());
        client.send_to(b"unnamed", &server.1).await.unwrap();
        let (count, sender) = server.0.recv_from(&mut [0; 16]).await.unwrap();
        assert_eq!(count, 7);
        assert!(sender.is_unnamed());

        let named = Bound::new("f06-client");
        named.0.connect(&server.1).unwrap();
        assert_eq!(named.0.peer_addr().unwrap().as_pathname(), Some(&*server.1));
        named.0.send(b"named").await.unwrap();
        let seen = server.0.recv_from_with(|bytes, sender| (bytes.to_vec(), sender)).await.unwrap();
        assert_eq!((&seen.0[..], seen.1.as_pathname()), (&b"named"[..], Some(&*named.1)));
        assert_eq!(kind(UnixDatagram::bind(&server.1)), ErrorKind::AddrInUse);
        assert_eq!(kind(client.connect(path("nothing here"))), ErrorKind::NotFound);
        assert_eq!(kind(client.send_to(b"", "a\0b").await), ErrorKind::InvalidInput);
        let long = "x".repeat(200);
        assert_eq!(kind(client.send_to(b"", &long).await), ErrorKind::InvalidInput);
    }

    /// F04, F05: names with NULs anywhere come back as they are; a path that fills an address is
    /// no reason to panic.
    #[cfg(target_os = "linux")]
    #[runtime::test]
    async fn f04_names_of_senders_are_theirs() {
        use std::os::linux::net::SocketAddrExt;
        let server = Bound::new("f04");
        let unique = std::process::id().to_string();
        for shape in ["plain", "\0leading", "in\0ner", "trailing\0", ""] {
            let name = format!("{shape}{unique}{shape}");
            let addr = SocketAddr::from_abstract_name(&name).unwrap();
            let client = UnixDatagram::bind_addr(&addr).unwrap();
            client.send_to(b"x", &server.1).await.unwrap();
            let (_, sender) = server.0.recv_from(&mut [0; 16]).await.unwrap();
            assert_eq!(sender.as_abstract_name(), Some(name.as_bytes()));
            server.0.send_to_addr(b"back", &sender).await.unwrap();
            assert_eq!(client.recv(&mut [0; 8]).await.unwrap(), 4);
            server.0.try_send_to_addr(b"more", &addr).unwrap();
            assert_eq!(client.recv(&mut [0; 8]).await.unwrap(), 4);
        }
        // 108 bytes without a NUL: Linux takes it, std's type does not.
        let directory = std::env::temp_dir();
        let mut long = directory.join("r").into_os_string().into_encoded_bytes();
        long.resize(108, b'z');
        let bind = |path: &[u8]| {
            let socket = rustix::net::socket(
                rustix::net::AddressFamily::UNIX,
                rustix::net::SocketType::DGRAM,
                None,
            )
            .unwrap();
            let addr = rustix::net::SocketAddrUnix::new(path).unwrap();
            rustix::net::bind(&socket, &addr).map(|()| socket)
        };
        let Ok(socket) = bind(&long) else { return };
        let to = rustix::net::SocketAddrUnix::new(&server.1).unwrap();
        rustix::net::sendto(&socket, b"long", rustix::net::SendFlags::empty(), &to).unwrap();
        let (count, _) = server.0.recv_from(&mut [0; 16]).await.unwrap();
        let _ = std::fs::remove_file(String::from_utf8(long).unwrap());
        assert_eq!(count, 4);
    }

    /// How many messages fit the queue of `socket`, from a connected `client`.
    fn fill(client: &UnixDatagram) -> usize {
        let mut count = 0;
        while client.try_send(b"fill").is_ok() {
            count += 1;
        }
        assert!(count > 0);
        count
    }

    #[test]
    fn f16_who_waits_for_a_full_peer_is_woken_by_room_or_its_end() {
        on_each_flavour(|| async {
            let server = Bound::new("f16");
            let client = UnixDatagram::unbound().unwrap();
            client.connect(&server.1).unwrap();
            let filled = fill(&client);
            let sending = runtime::spawn(async move {
                client.send(b"last").await.unwrap();
                client
            });
            runtime::task::yield_now().await;
            for _ in 0..=filled {
                assert_eq!(server.0.recv(&mut [0; 8]).await.unwrap(), 4);
            }
            let client = sending.await.unwrap();
            fill(&client);
            let sending = runtime::spawn(async move { client.send(b"never").await });
            runtime::task::yield_now().await;
            drop(server);
            assert!(sending.await.unwrap().is_err());
        });
    }

    /// Nothing tells a socket that is not connected when another's queue has room.
    #[test]
    fn f16_so_is_who_sends_without_a_connection() {
        on_each_flavour(|| async {
            let server = Bound::new("f16-unconnected");
            let client = UnixDatagram::unbound().unwrap();
            let mut filled = 0;
            while client.try_send_to(b"fill", &server.1).is_ok() {
                filled += 1;
            }
            assert_eq!(kind(client.try_send_to(b"fill", &server.1)), ErrorKind::WouldBlock);
            // The full queue of one does not keep it from another.
            let other = Bound::new("f16-other");
            client.send_to(b"free", &other.1).await.unwrap();
            let path = server.1.clone();
            let sending = runtime::spawn(async move {
                client.send_to(b"last", &path).await.unwrap();
                (client, path)
            });
            runtime::task::yield_now().await;
            for _ in 0..=filled {
                assert_eq!(server.0.recv(&mut [0; 8]).await.unwrap(), 4);
            }
            let (client, path) = sending.await.unwrap();
            while client.try_send_to(b"fill", &path).is_ok() {}
            let sending = runtime::spawn(async move { client.send_to(b"never", &path).await });
            runtime::task::yield_now().await;
            drop(server);
            assert!(sending.await.unwrap().is_err());
        });
    }

    #[test]
    fn a_sender_that_waits_by_the_timer_ends_with_its_runtime() {
        let runtime = runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
        let (server, client) = {
            let _entered = runtime.enter();
            (Bound::new("ends"), UnixDatagram::unbound().unwrap())
        };
        while client.try_send_to(b"fill", &server.1).is_ok() {}
        let path = server.1.clone();
        let (began, waits) = std::sync::mpsc::channel();
        let waiting = std::thread::spawn(move || {
            futures::executor::block_on(async {
                let mut sending = pin!(client.send_to(b"never", &path));
                assert!(futures::poll!(sending.as_mut()).is_pending());
                began.send(()).unwrap();
                sending.await
            })
        });
        waits.recv().unwrap();
        drop(runtime);
        assert!(waiting.join().unwrap().is_err());
    }
}

/// Nobody watches them for urgent data, so waiting for that would be for ever.
#[cfg(target_os = "linux")]
#[test]
fn an_interest_that_is_not_watched_is_refused() {
    use runtime::compat::FromTokio;
    use runtime::net::UnixDatagram;

    macro_rules! refuses {
        ($socket:expr) => {
            let mut socket = $socket;
            for interest in [Interest::PRIORITY, Interest::READ_WRITE | Interest::PRIORITY] {
                let refused = ErrorKind::InvalidInput;
                assert_eq!(kind(socket.ready(interest).await), refused);
                assert_eq!(kind(Ready::ready(&mut &socket, interest).await), refused);
                assert_eq!(kind(Ready::ready(&mut socket, interest).await), refused);
                assert_eq!(kind(poll_fn(|cx| socket.poll_ready(cx, interest)).await), refused);
                assert_eq!(kind(poll_fn(|cx| (&socket).poll_ready(cx, interest)).await), refused);
                assert_eq!(kind(socket.try_io(interest, || Ok(()))), refused);
                assert_eq!(kind(socket.async_io(interest, || Ok(())).await), refused);
            }
            assert!(socket.ready(Interest::READ_WRITE).await.unwrap().write());
        };
    }
    on_each_flavour(|| async {
        refuses!(bound().await);
        refuses!(UnixDatagram::unbound().unwrap());
        let mut foreign = FromTokio::new(tokio::io::duplex(1).0);
        for interest in [Interest::PRIORITY, Interest::READ | Interest::PRIORITY] {
            assert_eq!(kind(foreign.ready(interest).await), ErrorKind::InvalidInput);
        }
    });
}

/// A task that tries again and again does not keep others from running.
#[cfg(target_os = "linux")]
#[runtime::test(flavor = "current_thread")]
async fn a_refusal_costs_as_much_as_an_operation() {
    let socket = bound().await;
    let refused = runtime::spawn(async move {
        loop {
            socket.ready(Interest::PRIORITY).await.unwrap_err();
        }
    });
    for _ in 0..10 {
        runtime::task::yield_now().await;
    }
    assert!(refused.cancel().await.is_err());
}

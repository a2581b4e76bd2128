//! Options of sockets before they listen or connect: what is set is what the kernel says.

use std::io::ErrorKind;
use std::time::Duration;

use runtime::io::{Read, Write};
use runtime::net::TcpSocket;
use runtime::time::timeout;

use super::kind;

#[runtime::test]
async fn every_option_is_the_sockets() {
    let socket = TcpSocket::new_v4().unwrap();
    macro_rules! sets {
        ($($set:ident, $get:ident: $value:expr;)*) => {$(
            socket.$set($value).unwrap();
            assert_eq!(socket.$get().unwrap(), $value, stringify!($get));
        )*};
    }
    sets! {
        set_reuseaddr, reuseaddr: true;
        set_keepalive, keepalive: true;
        set_nodelay, nodelay: true;
        set_linger, linger: Some(Duration::from_secs(3));
    }
    socket.set_send_buffer_size(50_000).unwrap();
    socket.set_recv_buffer_size(60_000).unwrap();
    assert!(socket.send_buffer_size().unwrap() >= 50_000);
    assert!(socket.recv_buffer_size().unwrap() >= 60_000);
    assert!(socket.take_error().unwrap().is_none());
    #[cfg(target_os = "linux")]
    {
        sets! {
            set_reuseport, reuseport: true;
            set_tos_v4, tos_v4: 0x10;
            set_keepalive_time, keepalive_time: Duration::from_secs(42);
            set_keepalive_interval, keepalive_interval: Duration::from_secs(7);
            set_keepalive_retries, keepalive_retries: 5;
            set_user_timeout, user_timeout: Some(Duration::from_secs(9));
        }
        assert_eq!(kind(socket.set_keepalive_time(Duration::ZERO)), ErrorKind::InvalidInput);
        assert_eq!(socket.device().unwrap(), None);
        match socket.bind_device(Some(b"lo")) {
            Ok(()) => assert_eq!(socket.device().unwrap().as_deref(), Some(&b"lo"[..])),
            Err(error) => assert_eq!(error.kind(), ErrorKind::PermissionDenied),
        }
        assert!(socket.bind_device(Some(b"there is no such")).is_err());
        if let Ok(socket) = TcpSocket::new_v6() {
            socket.set_tclass_v6(0x20).unwrap();
            assert_eq!(socket.tclass_v6().unwrap(), 0x20);
        }
    }
    // Probes are wanted by whoever says how they should be.
    #[cfg(target_os = "linux")]
    {
        let other = TcpSocket::new_v4().unwrap();
        assert!(!other.keepalive().unwrap());
        other.set_keepalive_retries(3).unwrap();
        assert!(other.keepalive().unwrap());
    }
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let addr = socket.local_addr().unwrap();
    let listener = socket.listen(16).unwrap();
    let mut client = TcpSocket::new_v4().unwrap().connect(addr).await.unwrap();
    let (mut server, _) = listener.accept().await.unwrap();
    client.write_all(b"x").await.unwrap();
    assert_eq!(server.read(&mut [0; 2]).await.unwrap(), 1);
}

/// Several listeners on one address share its connections.
#[cfg(target_os = "linux")]
#[runtime::test]
async fn listeners_share_a_port() {
    let listen = |addr: std::net::SocketAddr| {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_reuseport(true).unwrap();
        socket.bind(addr).unwrap();
        socket.listen(64).unwrap()
    };
    let one = listen("127.0.0.1:0".parse().unwrap());
    let addr = one.local_addr().unwrap();
    let two = listen(addr);
    let mut clients = Vec::new();
    for _ in 0..32 {
        clients.push(runtime::net::TcpStream::connect(addr).await.unwrap());
    }
    let mut accepted = 0;
    while accepted < clients.len() {
        let either = futures::future::select(Box::pin(one.accept()), Box::pin(two.accept()));
        either.await.factor_first().0.unwrap();
        accepted += 1;
    }
}

/// A peer that answers no handshake: the attempt ends when its time is over, and its socket with it.
#[cfg(target_os = "linux")]
#[runtime::test]
async fn a_connection_attempt_has_a_time_limit() {
    use socket2::{Domain, Socket, Type};
    let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    listener.bind(&std::net::SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    listener.listen(0).unwrap();
    let addr = listener.local_addr().unwrap();
    let fillers: Vec<_> = (0..4)
        .map(|_| {
            let filler = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
            filler.set_nonblocking(true).unwrap();
            let _ = filler.connect(&addr);
            filler
        })
        .collect();
    let connect = TcpSocket::new_v4().unwrap().connect(addr.as_socket().unwrap());
    assert!(timeout(Duration::from_millis(50), connect).await.is_err());
    drop(fillers);
}

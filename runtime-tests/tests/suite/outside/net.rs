//! Sockets, pipes and descriptors.

use std::net::{Ipv4Addr, SocketAddr};

use runtime::Handle;
use runtime::io::{Read, Write};
use runtime::net::{TcpListener, TcpSocket, TcpStream, UdpSocket};

use super::outside;

const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// Sends a word each way.
async fn talk(mut one: impl Read + Write, mut two: impl Read + Write) {
    for _ in 0..3 {
        let mut word = [0; 5];
        one.write_all(b"hello").await.unwrap();
        two.read_exact(&mut word).await.unwrap();
        two.write_all(&word).await.unwrap();
        one.read_exact(&mut word).await.unwrap();
        assert_eq!(&word, b"hello");
    }
}

#[test]
fn tcp() {
    outside(async |handle| {
        // A name goes to the runtime's pool.
        let listener = TcpListener::bind_in("localhost:0", handle).await.unwrap();
        let addr = listener.local_addr().unwrap();
        let client = TcpStream::connect_in(addr, handle).await.unwrap();
        talk(client, listener.accept().await.unwrap().0).await;

        let port = addr.port();
        let client = TcpStream::connect_in(("localhost", port), handle).await.unwrap();
        talk(client, listener.accept().await.unwrap().0).await;

        let listener = std::net::TcpListener::bind(ANY).unwrap();
        let listener = TcpListener::from_std_in(listener, handle).unwrap();
        let client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let client = TcpStream::from_std_in(client, handle).unwrap();
        talk(client, listener.accept().await.unwrap().0).await;

        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(ANY).unwrap();
        let listener = socket.listen_in(16, handle).unwrap();
        let socket = TcpSocket::new_v4().unwrap();
        let client = socket.connect_in(listener.local_addr().unwrap(), handle).await.unwrap();
        talk(client, listener.accept().await.unwrap().0).await;
    });
}

#[test]
fn udp() {
    outside(async |handle| {
        let one = UdpSocket::bind_in(ANY, handle).await.unwrap();
        let two = std::net::UdpSocket::bind(ANY).unwrap();
        let two = UdpSocket::from_std_in(two, handle).unwrap();
        let addr = two.local_addr().unwrap();
        // Waits for the driver of the runtime before anything is there.
        let mut buf = [0; 16];
        let (received, sent) = futures::join!(two.recv_from(&mut buf), one.send_to(b"hello", addr));
        assert_eq!(sent.unwrap(), 5);
        assert_eq!(received.unwrap(), (5, one.local_addr().unwrap()));
    });
}

#[cfg(unix)]
mod unix {
    use runtime::io::Interest;
    use runtime::net::unix::pipe::{Receiver, Sender};
    use runtime::net::{AsyncFd, UnixDatagram, UnixListener, UnixStream};

    use super::*;
    use crate::outside::path;

    #[test]
    fn streams_and_messages() {
        outside(async |handle| {
            let path = path("socket");
            let listener = UnixListener::bind_in(&path, handle).unwrap();
            let client = UnixStream::connect_in(&path, handle).await.unwrap();
            talk(client, listener.accept().await.unwrap().0).await;
            let listener = UnixListener::from_std_in(listener.into_std().unwrap(), handle).unwrap();
            let client = std::os::unix::net::UnixStream::connect(&path).unwrap();
            let client = UnixStream::from_std_in(client, handle).unwrap();
            talk(client, listener.accept().await.unwrap().0).await;
            std::fs::remove_file(&path).unwrap();

            let one = UnixDatagram::bind_in(&path, handle).unwrap();
            let two = std::os::unix::net::UnixDatagram::unbound().unwrap();
            let two = UnixDatagram::from_std_in(two, handle).unwrap();
            let (received, sent) =
                futures::join!(one.recv_with(<[u8]>::to_vec), two.send_to(b"hello", &path));
            assert_eq!((received.unwrap().as_slice(), sent.unwrap()), (&b"hello"[..], 5));
            std::fs::remove_file(&path).unwrap();
        });
    }

    #[test]
    fn pipes_and_descriptors() {
        outside(async |handle| {
            let (reader, writer) = std::io::pipe().unwrap();
            let mut sender = Sender::from_owned_fd_in(writer, handle).unwrap();
            let mut receiver = Receiver::from_owned_fd_in(reader, handle).unwrap();
            let mut text = String::new();
            let (read, written) = futures::join!(receiver.read_to_string(&mut text), async {
                sender.write_all(b"hello").await?;
                sender.shutdown().await
            });
            written.unwrap();
            assert_eq!((read.unwrap(), text.as_str()), (5, "hello"));

            let (reader, mut writer) = std::io::pipe().unwrap();
            rustix::io::ioctl_fionbio(&reader, true).unwrap();
            let reader = AsyncFd::with_interest_in(reader, Interest::READ, handle).unwrap();
            let mut word = [0; 5];
            let read = reader.with_readable(|mut pipe| std::io::Read::read(&mut pipe, &mut word));
            let (read, written) =
                futures::join!(read, async { std::io::Write::write(&mut writer, b"hello") });
            assert_eq!((read.unwrap(), written.unwrap()), (5, 5));
        });
    }
}

/// Everything says that the runtime is gone.
pub(super) async fn refused(handle: &Handle) {
    let listener = std::net::TcpListener::bind(ANY).unwrap();
    let addr = listener.local_addr().unwrap();
    assert!(TcpStream::connect_in(addr, handle).await.is_err());
    assert!(TcpStream::connect_in("localhost:1", handle).await.is_err());
    assert!(TcpListener::bind_in(ANY, handle).await.is_err());
    assert!(UdpSocket::bind_in(ANY, handle).await.is_err());
    let socket = TcpSocket::new_v4().unwrap();
    assert!(socket.connect_in(addr, handle).await.is_err());
    assert!(TcpListener::from_std_in(listener, handle).is_err());
}

//! What arrives when a connection is closed although its peer has not finished.

use std::io::{Error, ErrorKind};
use std::time::Duration;

use runtime::io::{Read, Write, lingering_close};
use runtime::net::{TcpListener, TcpSocket, TcpStream};
use runtime::time::timeout;
use runtime_tests::rig::on_each_flavour;

/// A server that has answered as much as there was room for, and a client that has not read a byte of
/// it: most of it is not there yet. How much that was is the last value.
async fn answered() -> (TcpStream, TcpStream, usize) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut client = socket.connect(listener.local_addr().unwrap()).await.unwrap();
    let (server, _) = listener.accept().await.unwrap();
    client.write_all(b"more than the server reads").await.unwrap();
    assert_eq!(server.peek(&mut [0]).await.unwrap(), 1);
    let mut answer = 0;
    loop {
        match server.try_write(&[7; 4096]) {
            Ok(count) => answer += count,
            Err(error) => break assert_eq!(error.kind(), ErrorKind::WouldBlock),
        }
    }
    (client, server, answer)
}

/// How much arrives, and how it ends.
async fn read_all(mut client: TcpStream) -> (usize, Result<(), Error>) {
    let mut count = 0;
    loop {
        match client.read(&mut [0; 4096]).await {
            Ok(0) => return (count, Ok(())),
            Ok(more) => count += more,
            Err(error) => return (count, Err(error)),
        }
    }
}

#[test]
fn a_connection_that_is_dropped_with_bytes_unread_loses_what_was_written() {
    on_each_flavour(|| async {
        let (client, server, answer) = answered().await;
        drop(server);
        let (arrived, end) = read_all(client).await;
        assert_eq!(end.unwrap_err().kind(), ErrorKind::ConnectionReset);
        assert!(arrived < answer, "{arrived} of {answer} bytes");
    });
}

#[test]
fn a_lingering_close_loses_nothing() {
    on_each_flavour(|| async {
        let (mut client, server, answer) = answered().await;
        let closed = runtime::spawn(lingering_close(server));
        // The client still has something to say, and the server to throw away.
        for _ in 0..10 {
            client.write_all(&[8; 1000]).await.unwrap();
        }
        let (arrived, end) = read_all(client).await;
        end.unwrap();
        assert_eq!(arrived, answer);
        closed.await.unwrap().unwrap();
    });
}

#[test]
fn a_lingering_close_lasts_as_long_as_its_peer_or_its_future() {
    on_each_flavour(|| async {
        let (client, server, _) = answered().await;
        let closed = timeout(Duration::from_millis(5), lingering_close(server)).await;
        closed.unwrap_err();
        let (_, end) = read_all(client).await;
        // Everything was read, so the kernel goes on sending.
        end.unwrap();

        let (client, server, _) = answered().await;
        let closed = runtime::spawn(lingering_close(server));
        client.set_linger(Some(Duration::ZERO)).unwrap();
        drop(client); // a reset
        assert_eq!(closed.await.unwrap().unwrap_err().kind(), ErrorKind::ConnectionReset);
    });
}

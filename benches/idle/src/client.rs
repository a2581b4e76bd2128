//! The clients of one server: any number of blocking ones, on one thread, in a process of their own.
//!
//! By standard input they get the server's certificate, then a line for each time that they shall go on;
//! by standard output they say that they have. At the end of the input they end.

use std::any::Any;
use std::io::{BufRead, Read, Write, stdin, stdout};
use std::net::TcpStream;
use std::sync::Arc;

use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use tokio_tungstenite::tungstenite::{self, Message};

use crate::Protocol;
use crate::server::web_socket_config;

/// A tenth of the connections, and the others when that is asked for.
pub fn run(protocol: Protocol, address: &str, count: usize) {
    let mut input = stdin().lock();
    let mut length = [0; 4];
    input.read_exact(&mut length).expect("a length");
    let mut certificate = vec![0; u32::from_le_bytes(length) as usize];
    input.read_exact(&mut certificate).expect("a certificate");
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(certificate)).expect("a certificate");
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let config = Arc::new(config);

    let mut connections = Vec::new();
    for goal in [count / 10, count] {
        while connections.len() < goal {
            let stream = TcpStream::connect(address).expect("it listens");
            connections.push(greet(protocol, stream, Arc::clone(&config)));
        }
        writeln!(stdout(), "{goal}").expect("somebody hears");
        input.read_line(&mut String::new()).expect("a line or the end");
    }
}

/// Says something and hears it.
fn greet(protocol: Protocol, mut stream: TcpStream, config: Arc<ClientConfig>) -> Box<dyn Any> {
    match protocol {
        Protocol::Plain => {
            ask(&mut stream);
            Box::new(stream)
        }
        Protocol::Tls => {
            let name = ServerName::try_from("localhost").expect("a name");
            let session = ClientConnection::new(config, name).expect("a session");
            let mut stream = StreamOwned::new(session, stream);
            ask(&mut stream);
            Box::new(stream)
        }
        Protocol::WebSocket => {
            let config = Some(web_socket_config());
            let (mut socket, _) =
                tungstenite::client::client_with_config("ws://localhost/", stream, config)
                    .expect("a handshake");
            socket.send(Message::text("hello")).expect("it hears");
            let answer = socket.read().expect("it answers");
            assert_eq!(answer.to_text().expect("a text"), "hello");
            Box::new(socket)
        }
    }
}

fn ask(stream: &mut (impl Read + Write)) {
    stream.write_all(b"hello").expect("it hears");
    let mut answer = [0; 5];
    stream.read_exact(&mut answer).expect("it answers");
    assert_eq!(&answer, b"hello");
}

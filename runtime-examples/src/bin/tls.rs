//! TLS with rustls in two ways: on readiness, where a connection that waits has no buffer of ours, and
//! by tokio-rustls on the adapters, whose stream is one of ours again.
//!
//! ```text
//! cargo run -p runtime-examples --bin tls 127.0.0.1:8443   # then: openssl s_client -connect ..
//! cargo run -p runtime-examples --bin tls                  # serves and tests itself
//! ```
//!
//! Both are echo servers; `--native` takes the first. The certificate is made at the start.

use std::io::{self, ErrorKind};
use std::sync::Arc;

use runtime::compat::FromTokio;
use runtime::io::{Interest, Read, ReadyStream, Write};
use runtime::net::{TcpListener, TcpStream};
use runtime::time::{Duration, Instant, timeout, timeout_at};
use runtime_examples::Error;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig, ServerConnection};
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// How long a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);

// ---------------------------------------------------------------- on readiness

/// A stream as rustls wants it: what would have to wait is an error.
struct NonBlocking<'a, S>(&'a mut S);

impl<S: ReadyStream> io::Read for NonBlocking<'_, S> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let mut buf = runtime::io::BorrowedBuf::from(buf);
        self.0.non_blocking_read(buf.unfilled())?.into_result()?;
        Ok(buf.len())
    }
}

impl<S: ReadyStream> io::Write for NonBlocking<'_, S> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.0.non_blocking_write(buf)?.into_result()
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.non_blocking_flush()?.into_result()
    }
}

/// Sends back what it hears, over any stream.
///
/// rustls itself has no I/O: it is asked what it wants, and told. So the only wait is for readiness.
async fn echo_natively<S: ReadyStream>(
    mut stream: S,
    config: Arc<ServerConfig>,
) -> Result<(), Error> {
    let mut tls = ServerConnection::new(config)?;
    let deadline = Instant::now() + HANDSHAKE;
    loop {
        if tls.wants_write() {
            match tls.write_tls(&mut NonBlocking(&mut stream)) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    stream.ready(Interest::WRITE).await?;
                }
                written => drop(written?),
            }
            continue; // Reads no more before that has gone: a peer that does not read is not heard.
        }
        match tls.read_tls(&mut NonBlocking(&mut stream)) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                let wait = stream.ready(Interest::READ);
                if tls.is_handshaking() {
                    timeout_at(deadline, wait).await.map_err(io::Error::from)??;
                } else {
                    wait.await?;
                }
            }
            read => {
                if read? == 0 {
                    return Ok(());
                }
                let heard = match tls.process_new_packets() {
                    Ok(state) => state,
                    Err(error) => {
                        // The alert that says so, if there is room for it.
                        let _ = tls.write_tls(&mut NonBlocking(&mut stream));
                        return Err(error.into());
                    }
                };
                if heard.plaintext_bytes_to_read() > 0 {
                    let mut bytes = vec![0; heard.plaintext_bytes_to_read()];
                    io::Read::read_exact(&mut tls.reader(), &mut bytes)?;
                    io::Write::write_all(&mut tls.writer(), &bytes)?;
                }
                if heard.peer_has_closed() {
                    tls.send_close_notify();
                    while tls.wants_write() {
                        stream.ready(Interest::WRITE).await?;
                        match tls.write_tls(&mut NonBlocking(&mut stream)) {
                            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                            written => drop(written?),
                        }
                    }
                    return Ok(stream.shutdown().await?);
                }
            }
        }
    }
}

// ---------------------------------------------------------------- by the adapters

async fn echo_adapted(stream: TcpStream, config: Arc<ServerConfig>) -> Result<(), Error> {
    // Our socket has tokio's traits, and the TLS stream gets ours.
    let accepted = timeout(HANDSHAKE, TlsAcceptor::from(config).accept(stream)).await;
    let mut stream = FromTokio::new(accepted.map_err(io::Error::from)??);
    loop {
        let heard = runtime::io::read_with(&mut stream, <[u8]>::to_vec).await?;
        if heard.is_empty() {
            return Ok(stream.shutdown().await?);
        }
        stream.write_all(&heard).await?;
        stream.flush().await?;
    }
}

// ---------------------------------------------------------------- both

async fn run(listener: TcpListener, config: Arc<ServerConfig>, is_native: bool) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                let config = Arc::clone(&config);
                runtime::spawn(async move {
                    let ended = if is_native {
                        echo_natively(stream, config).await
                    } else {
                        echo_adapted(stream, config).await
                    };
                    if let Err(error) = ended {
                        eprintln!("{peer}: {error}");
                    }
                });
            }
            Err(error) => eprintln!("cannot accept: {error}"),
        }
    }
}

/// A certificate of its own for `localhost`, and who trusts it.
fn configs() -> Result<(Arc<ServerConfig>, Arc<ClientConfig>), Error> {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    let certificate = CertificateDer::from(made.cert.der().to_vec());
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der())?;
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone())?;
    let server =
        ServerConfig::builder().with_no_client_auth().with_single_cert(vec![certificate], key)?;
    let client = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    Ok((Arc::new(server), Arc::new(client)))
}

#[runtime::main]
async fn main() -> Result<(), Error> {
    let mut args: Vec<_> = std::env::args().skip(1).collect();
    let is_native = args.iter().any(|arg| arg == "--native");
    args.retain(|arg| arg != "--native");
    let (server, client) = configs()?;
    let Some(address) = args.first() else {
        test(true, Arc::clone(&server), Arc::clone(&client)).await?;
        return test(false, server, client).await;
    };
    let listener = TcpListener::bind(address).await?;
    println!("tls://{}", listener.local_addr()?);
    run(listener, server, is_native).await;
    Ok(())
}

async fn test(
    is_native: bool,
    server: Arc<ServerConfig>,
    client: Arc<ClientConfig>,
) -> Result<(), Error> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let serving = runtime::spawn(run(listener, server, is_native));
    let connector = TlsConnector::from(client);
    let name = ServerName::try_from("localhost")?;

    // Who speaks no TLS hears an alert or the end, and nobody else notices.
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(b"GET / HTTP/1.1\r\n\r\n").await?;
    let _ = stream.read_to_end(&mut Vec::new()).await;

    let mut clients = Vec::new();
    for at in 0..10_u8 {
        let connector = connector.clone();
        let name = name.clone();
        clients.push(runtime::spawn(async move {
            let stream = TcpStream::connect(address).await?;
            let stream = FromTokio::new(connector.connect(name, stream).await?);
            let sent = vec![at; 1 << 20];
            let (mut reader, mut writer) = runtime::io::split(stream);
            let writing = async {
                writer.write_all(&sent).await?;
                writer.flush().await
            };
            let mut heard = vec![0; sent.len()];
            let (written, read) = futures::join!(writing, reader.read_exact(&mut heard));
            written?;
            read?;
            writer.shutdown().await?;
            let end = reader.read(&mut [0]).await?;
            Ok::<_, Error>(heard == sent && end == 0)
        }));
    }
    for client in clients {
        assert!(client.await??);
    }
    let _ = serving.cancel().await;
    println!("{}: ten at once, 1 MiB there and back", if is_native { "native" } else { "adapted" });
    Ok(())
}

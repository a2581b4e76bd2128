//! TLS with rustls in two ways: on readiness, where a connection that waits has no buffer, and by
//! tokio-rustls on the adapters, whose stream is one of ours again.
//!
//! ```text
//! cargo run -p runtime-examples --bin tls 127.0.0.1:8443   # then: openssl s_client -connect ..
//! cargo run -p runtime-examples --bin tls                  # serves and tests itself
//! ```
//!
//! Both are echo servers; `--native` takes the first. The certificate is made at the start.

use std::io;
use std::sync::Arc;

use runtime::compat::FromTokio;
use runtime::io::{Read, Write};
use runtime::net::{TcpListener, TcpStream};
use runtime::time::{Duration, timeout};
use runtime_examples::Error;
use runtime_examples::tls::{Tls, configs};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// How long a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// Sends back what it hears, with rustls itself on readiness: see `tls.rs` of the library.
async fn echo_natively(stream: TcpStream, config: Arc<ServerConfig>) -> Result<(), Error> {
    let mut tls = Tls::new(stream, config)?;
    timeout(HANDSHAKE, tls.handshake()).await.map_err(io::Error::from)??;
    loop {
        let heard = tls.read().await?;
        if heard.is_empty() {
            return tls.close().await;
        }
        tls.write_all(&heard).await?;
    }
}

/// The same by the adapters.
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

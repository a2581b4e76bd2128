//! Against tokio-rustls's client, over pipes, with one in the middle who may change a byte.

use std::io::Result;

use futures::join;
use runtime::compat::FromTokio;
use runtime::io::{DuplexStream, Read, Write, copy, duplex, read_with, split};
use runtime::time::{Duration, timeout};
use rustls::pki_types::ServerName;
use tokio_rustls::TlsConnector;

use super::*;

async fn echo(stream: DuplexStream, config: Arc<ServerConfig>) -> std::result::Result<(), Error> {
    let mut tls = Tls::new(stream, config)?;
    tls.handshake().await?;
    loop {
        let heard = tls.read().await?;
        for buffer in [&tls.came, &tls.heard, &tls.goes] {
            assert!(!buffer.is_empty() || buffer.capacity() == 0);
        }
        if heard.is_empty() {
            return tls.close().await;
        }
        tls.write_all(&heard).await?;
    }
}

/// Says `said`, hears as much and the end after it.
async fn ask(stream: DuplexStream, config: Arc<ClientConfig>, said: &[u8]) -> Result<Vec<u8>> {
    let name = ServerName::try_from("localhost").unwrap();
    let stream = FromTokio::new(TlsConnector::from(config).connect(name, stream).await?);
    let (mut reader, mut writer) = split(stream);
    let writing = async {
        writer.write_all(said).await?;
        writer.shutdown().await
    };
    let mut heard = Vec::new();
    let (written, read) = join!(writing, reader.read_to_end(&mut heard));
    written.and(read).map(|_| heard)
}

/// Passes everything on, but turns a bit in the byte at this place; to the end of both directions.
async fn pass_on(client: DuplexStream, server: DuplexStream, spoilt: usize) {
    let ((mut from_client, mut to_client), (mut from_server, mut to_server)) =
        (client.into_split(), server.into_split());
    let there = async {
        let mut passed = 0;
        loop {
            let mut bytes = read_with(&mut from_client, <[u8]>::to_vec).await?;
            if bytes.is_empty() {
                return to_server.shutdown().await;
            }
            if let Some(byte) = spoilt.checked_sub(passed).and_then(|at| bytes.get_mut(at)) {
                *byte ^= 0x10;
            }
            passed += bytes.len();
            to_server.write_all(&bytes).await?;
        }
    };
    let back = async {
        copy(&mut from_server, &mut to_client).await?;
        to_client.shutdown().await
    };
    let _ = join!(there, back);
}

#[runtime::test]
async fn everything_arrives_and_nothing_is_held() {
    let (server, client) = configs().unwrap();
    // A pipe of a few bytes cuts every record.
    for (room, len) in [(7, 3000), (64 << 10, 300_000)] {
        let said: Vec<u8> = (0..len).map(|at: u32| (at ^ (at >> 8)) as u8).collect();
        let (near, far) = duplex(room);
        let (heard, ended) =
            join!(ask(near, Arc::clone(&client), &said), echo(far, Arc::clone(&server)),);
        assert!(heard.unwrap() == said);
        ended.unwrap();
    }
}

/// Wherever a byte is not what it was: nobody panics, and nothing else than what was said is heard. Where
/// it makes a record longer, the server waits for the rest, so there is a limit on its patience.
#[runtime::test(start_paused = true)]
async fn a_changed_byte_ends_the_connection() {
    let (server, client) = configs().unwrap();
    let (mut refused, mut late) = (0, 0);
    for spoilt in (0..700).step_by(7) {
        let (near, client_side) = duplex(1 << 10);
        let (server_side, far) = duplex(1 << 10);
        let (heard, (), ended) = join!(
            ask(near, Arc::clone(&client), b"a message of some bytes"),
            pass_on(client_side, server_side, spoilt),
            timeout(Duration::from_secs(10), echo(far, Arc::clone(&server))),
        );
        match ended {
            Ok(Ok(())) => assert_eq!(heard.unwrap(), b"a message of some bytes"),
            Ok(Err(_)) => refused += 1,
            Err(_) => late += 1,
        }
    }
    assert!(refused > 20 && late < 10, "{refused} were refused, {late} waited for");
}

#[runtime::test]
async fn who_speaks_no_tls_hears_an_alert() {
    let (server, _) = configs().unwrap();
    let (mut near, far) = duplex(1 << 10);
    near.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let error = echo(far, server).await.unwrap_err();
    assert!(error.is::<rustls::Error>(), "{error}");
    let mut answer = Vec::new();
    near.read_to_end(&mut answer).await.unwrap();
    assert!(answer.starts_with(&[21, 3]), "{answer:?}");
}

#[runtime::test]
async fn an_end_without_notice_is_an_error() {
    let (server, _) = configs().unwrap();
    let (near, far) = duplex(1 << 10);
    drop(near);
    let error = echo(far, server).await.unwrap_err();
    assert_eq!(error.downcast::<std::io::Error>().unwrap().kind(), ErrorKind::UnexpectedEof);
}

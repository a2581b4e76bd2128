//! Crates that no program here is built on, each as its users use it: both sides on our streams, on two
//! workers.

use std::sync::Arc;

use async_tungstenite::tungstenite::Message;
use bytes::Bytes;
use futures::future::join_all;
use futures::{AsyncReadExt, AsyncWriteExt, SinkExt, StreamExt, join};
use hyper::{Request, Response};
use runtime::io::{duplex, split};
use runtime::net::{TcpListener, TcpStream};
use runtime_examples::Error;
use runtime_examples::tls::configs;
use tokio_util::codec::{Framed, LinesCodec, LinesCodecError};

/// Larger than every window and buffer.
const LARGE: usize = 300_000;

async fn tcp() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (client, server) = join!(TcpStream::connect(address), listener.accept());
    (client.unwrap(), server.unwrap().0)
}

#[runtime::test(flavor = "multi_thread", worker_threads = 2)]
async fn h2_by_itself() {
    async fn answer(
        request: Request<h2::RecvStream>,
        mut respond: h2::server::SendResponse<Bytes>,
    ) -> Result<(), h2::Error> {
        let mut body = request.into_body();
        let mut answer = respond.send_response(Response::new(()), false)?;
        while let Some(part) = body.data().await {
            let part = part?;
            body.flow_control().release_capacity(part.len())?;
            answer.send_data(part, false)?;
        }
        answer.send_data(Bytes::new(), true)
    }

    let (client, server) = tcp().await;
    let server = runtime::spawn(async {
        let mut connection = h2::server::handshake(server).await?;
        while let Some(accepted) = connection.accept().await {
            let (request, respond) = accepted?;
            runtime::spawn(answer(request, respond));
        }
        Ok::<_, h2::Error>(())
    });
    let (requests, connection) = h2::client::handshake(client).await.unwrap();
    let connection = runtime::spawn(connection);

    let ask = |fill: u8| {
        let requests = requests.clone();
        async move {
            let mut requests = requests.ready().await.unwrap();
            let request = Request::post("http://localhost/").body(()).unwrap();
            let (response, mut body) = requests.send_request(request, false).unwrap();
            body.send_data(vec![fill; LARGE].into(), true).unwrap();
            let mut heard = response.await.unwrap().into_body();
            let mut count = 0;
            while let Some(part) = heard.data().await {
                let part = part.unwrap();
                heard.flow_control().release_capacity(part.len()).unwrap();
                assert!(part.iter().all(|byte| *byte == fill));
                count += part.len();
            }
            assert_eq!(count, LARGE);
        }
    };
    join_all((0..20).map(ask)).await;
    // The last one to send requests ends the connection, and that the server.
    drop(requests);
    connection.await.unwrap().unwrap();
    server.await.unwrap().unwrap();
}

#[runtime::test(flavor = "multi_thread", worker_threads = 2)]
async fn futures_rustls_both_sides() {
    let (server_config, client_config) = configs().unwrap();
    let (client, server) = tcp().await;
    let server = runtime::spawn(async move {
        let acceptor = futures_rustls::TlsAcceptor::from(server_config);
        let (reader, mut writer) = acceptor.accept(server).await?.split();
        futures::io::copy(reader, &mut writer).await?;
        writer.close().await
    });
    let name = rustls::pki_types::ServerName::try_from("localhost").unwrap();
    let connector = futures_rustls::TlsConnector::from(client_config);
    let (mut reader, mut writer) = connector.connect(name, client).await.unwrap().split();
    let said = Arc::new(vec![7; LARGE]);
    let writing = runtime::spawn({
        let said = Arc::clone(&said);
        async move {
            writer.write_all(&said).await?;
            writer.close().await
        }
    });
    let mut heard = Vec::new();
    reader.read_to_end(&mut heard).await.unwrap();
    assert!(heard == *said);
    writing.await.unwrap().unwrap();
    server.await.unwrap().unwrap();
}

#[runtime::test(flavor = "multi_thread", worker_threads = 2)]
async fn async_tungstenite_both_sides() {
    let (client, server) = duplex(1000);
    let server = runtime::spawn(async {
        let mut socket = async_tungstenite::accept_async(server).await?;
        while let Some(message) = socket.next().await {
            let message = message?;
            if !message.is_close() {
                socket.send(message).await?;
            }
        }
        Ok::<_, Error>(())
    });
    let (mut socket, _) = async_tungstenite::client_async("ws://pipe/", client).await.unwrap();
    for message in [Message::text("text"), Message::binary(vec![7; LARGE])] {
        socket.send(message.clone()).await.unwrap();
        assert_eq!(socket.next().await.unwrap().unwrap(), message);
    }
    socket.close(None).await.unwrap();
    while let Some(message) = socket.next().await {
        assert!(message.unwrap().is_close());
    }
    server.await.unwrap().unwrap();
}

#[runtime::test]
async fn tokio_utils_codecs() {
    let (client, server) = duplex(7);
    let lines = async {
        // Whole, and by the generic halves.
        let mut lines = Framed::new(client, LinesCodec::new());
        lines.send("one").await?;
        lines.send("a second, which is longer than the pipe").await?;
        SinkExt::<&str>::close(&mut lines).await
    };
    let heard = async {
        let (reader, _writer) = split(server);
        let reader = runtime::compat::Compat::new(reader);
        let lines = tokio_util::codec::FramedRead::new(reader, LinesCodec::new_with_max_length(50));
        lines.map(|line| line.unwrap()).collect::<Vec<_>>().await
    };
    let (sent, heard): (Result<(), LinesCodecError>, _) = join!(lines, heard);
    sent.unwrap();
    assert_eq!(heard, ["one", "a second, which is longer than the pipe"]);
}

#[runtime::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokios_channels() {
    let (sender, mut receiver) = tokio::sync::mpsc::channel(3);
    for from in 0..10_u64 {
        let sender = sender.clone();
        runtime::spawn(async move {
            for count in 0..100 {
                sender.send(from * count).await.unwrap();
            }
        });
    }
    drop(sender);
    let mut sum = 0;
    while let Some(number) = receiver.recv().await {
        sum += number;
    }
    assert_eq!(sum, 45 * 4950);
}

//! WebSockets with tungstenite behind hyper's upgrade, with a page to look at: an echo and a chat.
//!
//! ```text
//! cargo run -p runtime-examples --bin websocket 127.0.0.1:8082   # then open it in two windows
//! cargo run -p runtime-examples --bin websocket                  # serves and tests itself
//! ```
//!
//! Both directions of adapters are here: the upgraded connection is hyper's and becomes one of ours
//! (`FromHyper`), which tungstenite drives by tokio's traits (`Compat`). A client needs neither.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures::channel::{mpsc, oneshot};
use futures::{SinkExt, StreamExt, select};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::upgrade::Upgraded;
use hyper::{Request, Response, StatusCode, header};
use runtime::compat::{Compat, FromHyper};
use runtime::io::{Read, Write};
use runtime::net::{TcpListener, TcpStream};
use runtime::time::{Duration, timeout};
use runtime_examples::Error;
use runtime_examples::serve::{Limits, serve};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{self, Message, Utf8Bytes};
use tokio_tungstenite::{WebSocketStream, client_async};

type Socket = WebSocketStream<Compat<FromHyper<Upgraded>>>;

/// How many messages a member of the chat may be behind before it misses some.
const BEHIND: usize = 64;

#[derive(Default)]
struct Room {
    next: u64,
    members: HashMap<u64, mpsc::Sender<Utf8Bytes>>,
}

/// In the chat for as long as this lives.
struct Member {
    name: u64,
    room: Arc<Mutex<Room>>,
}

impl Member {
    fn enter(room: Arc<Mutex<Room>>) -> (Self, mpsc::Receiver<Utf8Bytes>) {
        let (sender, inbox) = mpsc::channel(BEHIND);
        let mut entered = room.lock().unwrap();
        entered.next += 1;
        let name = entered.next;
        entered.members.insert(name, sender);
        drop(entered);
        (Self { name, room }, inbox)
    }

    /// Nobody waits for the slowest: who is too far behind misses it.
    fn say(&self, text: &str) {
        let text = Utf8Bytes::from(format!("{}: {text}", self.name));
        for member in self.room.lock().unwrap().members.values_mut() {
            let _ = member.try_send(text.clone());
        }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.room.lock().unwrap().members.remove(&self.name);
    }
}

async fn echo(socket: &mut Socket) -> tungstenite::Result<()> {
    while let Some(message) = socket.next().await {
        let message = message?;
        if message.is_text() || message.is_binary() {
            socket.send(message).await?;
        }
    }
    Ok(())
}

async fn chat(socket: &mut Socket, room: Arc<Mutex<Room>>) -> tungstenite::Result<()> {
    let (member, mut inbox) = Member::enter(room);
    let (mut to_peer, from_peer) = socket.split();
    let mut from_peer = from_peer.fuse();
    loop {
        select! {
            heard = inbox.next() => match heard {
                Some(text) => to_peer.send(Message::Text(text)).await?,
                None => return Ok(()),
            },
            said = from_peer.next() => match said {
                Some(Ok(Message::Text(text))) => member.say(&text),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error),
                None => return Ok(()),
            },
        }
    }
}

/// One connection, to its end. A peer that breaks the rules hears which.
async fn talk(mut socket: Socket, path: &str, room: Arc<Mutex<Room>>) -> tungstenite::Result<()> {
    let ended =
        if path == "/chat" { chat(&mut socket, room).await } else { echo(&mut socket).await };
    let code = match &ended {
        Err(tungstenite::Error::Protocol(_)) => CloseCode::Protocol,
        Err(tungstenite::Error::Utf8(_)) => CloseCode::Invalid,
        Err(tungstenite::Error::Capacity(_)) => CloseCode::Size,
        _ => return ended,
    };
    let frame = CloseFrame { code, reason: Utf8Bytes::default() };
    // Also in vain: it may be gone, or not read.
    let _ = timeout(Duration::from_secs(1), socket.close(Some(frame))).await;
    ended
}

async fn answer(
    mut request: Request<Incoming>,
    room: Arc<Mutex<Room>>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path().to_owned();
    let key = request.headers().get(header::SEC_WEBSOCKET_KEY).cloned();
    let mut response = Response::new(Full::default());
    match (path.as_str(), key) {
        ("/", None) => {
            *response.body_mut() = Full::from(PAGE);
            let html = header::HeaderValue::from_static("text/html; charset=utf-8");
            response.headers_mut().insert(header::CONTENT_TYPE, html);
        }
        ("/echo" | "/chat", Some(key)) => {
            let upgrade = hyper::upgrade::on(&mut request);
            runtime::spawn(async move {
                let stream = Compat::new(FromHyper::new(upgrade.await?));
                // By default each connection has a buffer of 128 KiB for reading.
                // What is said in the chat is kept for those who are behind, so it is short.
                let largest = if path == "/chat" { 64 << 10 } else { 4 << 20 };
                let config = WebSocketConfig::default()
                    .read_buffer_size(4096)
                    .max_message_size(Some(largest))
                    .max_write_buffer_size(8 << 20);
                let socket =
                    WebSocketStream::from_raw_socket(stream, Role::Server, Some(config)).await;
                Ok::<_, Error>(talk(socket, &path, room).await?)
            });
            *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
            let headers = response.headers_mut();
            headers.insert(header::CONNECTION, header::HeaderValue::from_static("upgrade"));
            headers.insert(header::UPGRADE, header::HeaderValue::from_static("websocket"));
            let accept = derive_accept_key(key.as_bytes());
            let accept = header::HeaderValue::from_str(&accept).expect("it is base64");
            headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
        }
        ("/echo" | "/chat", None) => *response.status_mut() = StatusCode::UPGRADE_REQUIRED,
        _ => *response.status_mut() = StatusCode::NOT_FOUND,
    }
    Ok(response)
}

const PAGE: &str = r#"<!doctype html>
<meta charset="utf-8">
<title>chat on runtime</title>
<style>body { font: 16px sans-serif; margin: 3em } pre { background: #eee; padding: 1em; min-height: 8em }</style>
<h1>Chat on runtime</h1>
<pre id="heard"></pre>
<form><input id="say" autofocus placeholder="say something"></form>
<script>
const socket = new WebSocket(`ws://${location.host}/chat`)
socket.onmessage = ({ data }) => {
    document.querySelector('#heard').textContent += data + '\n'
    document.title = 'heard'
}
socket.onopen = () => socket.send('hello from ' + navigator.userAgent.split(' ').pop())
document.querySelector('form').onsubmit = event => {
    event.preventDefault()
    socket.send(say.value)
    say.value = ''
}
</script>
"#;

async fn run(listener: TcpListener, stop: impl Future<Output = ()>) -> std::io::Result<()> {
    let room = Arc::new(Mutex::new(Room::default()));
    let service = service_fn(move |request| answer(request, Arc::clone(&room)));
    serve(listener, service, Limits::default(), stop).await
}

#[runtime::main]
async fn main() -> Result<(), Error> {
    let Some(address) = std::env::args().nth(1) else { return test().await };
    let listener = TcpListener::bind(address).await?;
    println!("http://{}", listener.local_addr()?);
    let stop = async {
        let _ = runtime::signal::ctrl_c().await;
    };
    Ok(run(listener, stop).await?)
}

// ---------------------------------------------------------------- the test

async fn join(address: &str, path: &str) -> Result<WebSocketStream<TcpStream>, Error> {
    let stream = TcpStream::connect(address).await?;
    Ok(client_async(format!("ws://{address}{path}"), stream).await?.0)
}

async fn test() -> Result<(), Error> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?.to_string();
    let (stop, stopped) = oneshot::channel::<()>();
    let server = runtime::spawn(run(listener, async {
        let _ = stopped.await;
    }));

    let mut socket = join(&address, "/echo").await?;
    for size in [0, 1, 125, 126, 65_535, 65_536, 3 << 20] {
        let message = Message::binary(vec![7; size]);
        socket.send(message.clone()).await?;
        assert!(socket.next().await.ok_or("an echo")?? == message);
    }
    socket.close(None).await?;
    while let Some(Ok(_)) = socket.next().await {}
    println!("echo: messages of every size, and a close");

    let mut members = Vec::new();
    for name in 1..=20 {
        let mut member = join(&address, "/chat").await?;
        member.send(Message::text("here")).await?;
        // Heard itself: it is in.
        while member.next().await.ok_or("the room")??.to_text()? != format!("{name}: here") {}
        members.push(member);
    }
    members[0].send(Message::text("all of you")).await?;
    for member in &mut members {
        while member.next().await.ok_or("the room")??.to_text()? != "1: all of you" {}
    }
    println!("chat: twenty heard the first");

    // Nonsense after the upgrade: the connection ends, the server lives.
    let mut stream = TcpStream::connect(&*address).await?;
    let upgrade = "GET /echo HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\
                   Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n";
    stream.write_all(upgrade.as_bytes()).await?;
    stream.write_all(&[0xff; 64]).await?;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    assert!(answer.starts_with(b"HTTP/1.1 101"));
    assert!(answer.ends_with(b"\x88\x02\x03\xea"), "it is told: a protocol error, 1002");
    join(&address, "/echo").await?;
    println!("nonsense: ended, and the next is welcome");

    drop(stop);
    Ok(server.await??)
}

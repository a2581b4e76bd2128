//! A proxy from TCP to Unix sockets and back, or between any two of them.
//!
//! ```text
//! cargo run --release --example proxy                                 # a test of itself
//! cargo run --release --example proxy -- 127.0.0.1:7000 /run/app.sock # from the first to the second
//! ```
//!
//! What to look at: [`relay`]. The copy keeps half-close (a client that has finished asking still gets
//! its answer), waits without a buffer while both sides are silent, and reads no faster than the other
//! side writes. What it cannot pass on by itself is a reset: what broke off here must not look
//! complete there.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use futures::future::try_join;
use runtime::io::{CopyOutcome, Read, ReadyStream, Write, copy_bidirectional, split};
use runtime::net::{Incoming, Listener, TcpListener, TcpStream, UnixListener, UnixStream};
use runtime::time::{sleep, timeout};

/// How many connections there may be; further clients wait.
const CONNECTIONS: usize = 10_000;
/// How long one side may go on when the other has finished.
const HALF_CLOSED: Duration = Duration::from_secs(600);

// ---------------------------------------------------------------- the proxy

/// Copies both ways until both sides have finished or one has failed; says how it went.
async fn relay(mut client: impl Transport, mut server: impl Transport) -> String {
    let copied = copy_bidirectional(&mut client, &mut server)
        .half_close_deadline(|| sleep(HALF_CLOSED))
        .outcomes()
        .await;
    let (there, back) = (copied.a_to_b, copied.b_to_a);
    let has_finished = |outcome: &CopyOutcome| matches!(outcome, CopyOutcome::Finished);
    if !has_finished(&there.outcome) || !has_finished(&back.outcome) {
        client.reset_when_closed();
        server.reset_when_closed();
    }
    let (sent, received) = (there.bytes, back.bytes);
    format!("{sent} bytes there: {:?}; {received} bytes back: {:?}", there.outcome, back.outcome)
}

/// A stream, and how to say that it broke off.
trait Transport: ReadyStream {
    fn reset_when_closed(&self);
}

impl Transport for TcpStream {
    fn reset_when_closed(&self) {
        // Fails if the peer has done it already.
        let _ = self.set_linger(Some(Duration::ZERO));
    }
}

impl Transport for UnixStream {
    /// There is no such thing: the peer sees the end.
    fn reset_when_closed(&self) {}
}

/// Relays every connection to the target.
async fn serve<L: Listener<Io: Transport>>(listener: L, target: Address) {
    let mut incoming = Incoming::new(listener, CONNECTIONS);
    for number in 1_u64.. {
        match incoming.accept().await {
            Ok((client, _, slot)) => {
                let target = target.clone();
                runtime::spawn(async move {
                    let end = match connection(client, &target).await {
                        Ok(end) => end,
                        Err(error) => format!("cannot connect to {target}: {error}"),
                    };
                    println!("connection {number}: {end}");
                    drop(slot);
                });
            }
            Err(error) => eprintln!("cannot accept: {error}"),
        }
    }
}

async fn connection(client: impl Transport, target: &Address) -> io::Result<String> {
    // The client waits meanwhile; if there is no server, its connection is closed at once.
    Ok(match target {
        Address::Tcp(address) => relay(client, TcpStream::connect(address).await?).await,
        Address::Unix(path) => relay(client, UnixStream::connect(path).await?).await,
    })
}

/// Where to listen, or whom to connect to.
#[derive(Clone)]
enum Address {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => path.display().fmt(f),
        }
    }
}

// ---------------------------------------------------------------- the command line

#[runtime::main]
async fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).map(address).collect();
    let outcome = match arguments.as_slice() {
        [] => test().await,
        [Some(listen), Some(target)] => run(listen, target).await,
        _ => {
            eprintln!("usage: proxy [LISTEN TARGET], each like 127.0.0.1:7000 or /run/app.sock");
            return ExitCode::from(2);
        }
    };
    let Err(error) = outcome else { return ExitCode::SUCCESS };
    eprintln!("error: {error}");
    ExitCode::FAILURE
}

/// With a slash it is the path of a Unix socket.
fn address(text: String) -> Option<Address> {
    if text.contains('/') {
        return Some(Address::Unix(text.into()));
    }
    text.parse().ok().map(Address::Tcp)
}

async fn run(listen: &Address, target: &Address) -> io::Result<()> {
    println!("from {listen} to {target}");
    match listen {
        Address::Tcp(address) => serve(TcpListener::bind(address).await?, target.clone()).await,
        Address::Unix(path) => serve(UnixListener::bind(path)?, target.clone()).await,
    }
    Ok(())
}

// ---------------------------------------------------------------- the test

async fn test() -> io::Result<()> {
    let files = Files(["front", "back"].map(|end| {
        std::env::temp_dir().join(format!("runtime-proxy-{}-{end}.sock", std::process::id()))
    }));
    let [front_path, back_path] = &files.0;
    let unix_back = UnixListener::bind(back_path)?;
    let tcp_back = TcpListener::bind("127.0.0.1:0").await?;
    let tcp_back_address = tcp_back.local_addr()?;

    let proxy = TcpListener::bind("127.0.0.1:0").await?;
    let to_unix = proxy.local_addr()?;
    runtime::spawn(serve(proxy, Address::Unix(back_path.clone())));
    let proxy = TcpListener::bind("127.0.0.1:0").await?;
    let to_tcp = proxy.local_addr()?;
    runtime::spawn(serve(proxy, Address::Tcp(tcp_back_address)));
    runtime::spawn(serve(UnixListener::bind(front_path)?, Address::Tcp(tcp_back_address)));

    println!("TCP to Unix");
    let client = TcpStream::connect(to_unix).await?;
    exchange(client, unix_back.accept().await?.0).await?;
    println!("Unix to TCP");
    let client = UnixStream::connect(front_path).await?;
    exchange(client, tcp_back.accept().await?.0).await?;

    println!("a client that resets");
    let client = TcpStream::connect(to_tcp).await?;
    let mut server = tcp_back.accept().await?.0;
    client.reset_when_closed();
    drop(client);
    assert_eq!(end(&mut server).await?, Err(io::ErrorKind::ConnectionReset));
    println!("a server that resets");
    let mut client = TcpStream::connect(to_tcp).await?;
    tcp_back.accept().await?.0.reset_when_closed();
    assert_eq!(end(&mut client).await?, Err(io::ErrorKind::ConnectionReset));
    println!("a client that resets, to Unix");
    let client = TcpStream::connect(to_unix).await?;
    let mut server = unix_back.accept().await?.0;
    client.reset_when_closed();
    drop(client);
    assert_eq!(end(&mut server).await?, Ok(0));
    println!("no server");
    drop(unix_back);
    let mut client = TcpStream::connect(to_unix).await?;
    assert_eq!(end(&mut client).await?, Ok(0));
    Ok(())
}

/// Both ends talk at the same time; the client finishes first, and the server says one thing more.
async fn exchange(client: impl ReadyStream, server: impl ReadyStream) -> io::Result<()> {
    let question: Vec<u8> = (0..4_000_000_u32).map(|at| (at.wrapping_mul(31) >> 3) as u8).collect();
    let answer: Vec<u8> = question.iter().rev().copied().collect();
    let ((mut hear, mut ask), (mut listen, mut reply)) = (split(client), split(server));
    let (mut asked, mut heard) = (Vec::new(), Vec::new());
    let client = try_join(hear.read_to_end(&mut heard), async {
        ask.write_all(&question).await?;
        ask.shutdown().await
    });
    let server = async {
        try_join(listen.read_to_end(&mut asked), reply.write_all(&answer)).await?;
        // The client's end has come through, and its connection is open this way.
        reply.write_all(b"one thing more").await?;
        reply.shutdown().await
    };
    try_join(client, server).await?;
    assert!(asked == question, "the server was asked something else");
    let more = heard.strip_prefix(&answer[..]).expect("the client heard something else");
    assert_eq!(more, b"one thing more");
    Ok(())
}

/// What the next read says, if anything.
async fn end(stream: &mut impl Read) -> io::Result<Result<usize, io::ErrorKind>> {
    let mut byte = [0];
    let read = timeout(Duration::from_secs(10), stream.read(&mut byte)).await?;
    Ok(read.map_err(|error| error.kind()))
}

/// Paths of Unix sockets; the files go with it.
struct Files([PathBuf; 2]);

impl Drop for Files {
    fn drop(&mut self) {
        for path in &self.0 {
            let _ = std::fs::remove_file(path);
        }
    }
}

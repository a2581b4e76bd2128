//! The servers, and what they cost.

use std::future::poll_fn;
use std::io::{self, BufRead, BufReader, Write};
use std::net::TcpListener;
use std::pin::Pin;
use std::process::Stdio;
use std::sync::{Arc, OnceLock};
use std::task::{Poll, ready};
use std::thread;
use std::time::Duration;

use futures::{SinkExt, StreamExt};
use runtime_examples::Error;
use runtime_examples::tls::Tls;
use runtime_tests::counting::live;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::accept_async_with_config;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

use crate::{ROWS, myself};

static CONFIG: OnceLock<Arc<ServerConfig>> = OnceLock::new();

/// Serves on this thread until another has measured.
pub fn run(row: usize, count: usize) {
    let limit = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: limit, maximum: limit }).expect("as allowed");
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let certificate = made.cert.der().to_vec();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("a key");
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone().into()], key)
        .expect("they fit");
    CONFIG.set(Arc::new(config)).expect("once");

    let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    listener.set_nonblocking(true).expect("a listener may be made so");
    let address = listener.local_addr().expect("it is bound");
    thread::spawn(move || {
        let mut clients = myself(&[&"client", &row, &address, &count])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut input = clients.stdin.take().expect("it is piped");
        let mut output = BufReader::new(clients.stdout.take().expect("it is piped"));
        input.write_all(&(certificate.len() as u32).to_le_bytes()).expect("it hears");
        input.write_all(&certificate).expect("it hears");
        let mut found = Vec::new();
        for connections in [count / 10, count] {
            output.read_line(&mut String::new()).expect("it answers");
            // What was answered last may be on its way to the wait.
            thread::sleep(Duration::from_millis(300));
            found.push((connections as isize, live(), resident()));
            writeln!(input).expect("it hears");
        }
        let [(few, heap, rss), (many, more_heap, more_rss)] = found[..] else { unreachable!() };
        let each = |before: isize, after: isize| (after - before) / (many - few);
        let (heap, rss) = (each(heap, more_heap), each(rss, more_rss));
        println!("{:<28} {heap:>8} {rss:>8}", ROWS[row].name);
        let _ = clients.wait();
        std::process::exit(0);
    });
    (ROWS[row].serve)(listener);
}

fn resident() -> isize {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux has it");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("it is there");
    line.trim().trim_end_matches(" kB").parse::<isize>().expect("a number") * 1024
}

// ---------------------------------------------------------------- connections, on whatever runtime

async fn plain(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> Result<(), Error> {
    loop {
        let heard = hear(&mut stream).await?;
        if heard.is_empty() {
            return Ok(());
        }
        stream.write_all(&heard).await?;
        stream.flush().await?;
    }
}

/// Waits without a buffer.
async fn hear(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Vec<u8>> {
    poll_fn(|cx| {
        let mut memory = [0; 4096];
        let mut buf = ReadBuf::new(&mut memory);
        ready!(Pin::new(&mut *stream).poll_read(cx, &mut buf))?;
        Poll::Ready(Ok(buf.filled().to_vec()))
    })
    .await
}

fn config() -> Arc<ServerConfig> {
    Arc::clone(CONFIG.get().expect("set at the start"))
}

async fn tls(stream: impl AsyncRead + AsyncWrite + Unpin) -> Result<(), Error> {
    plain(TlsAcceptor::from(config()).accept(stream).await?).await
}

async fn native_tls(stream: runtime::net::TcpStream) -> Result<(), Error> {
    let mut tls = Tls::new(stream, config())?;
    tls.handshake().await?;
    loop {
        let heard = tls.read().await?;
        if heard.is_empty() {
            return Ok(());
        }
        tls.write_all(&heard).await?;
    }
}

/// By default each connection has 128 KiB for reading, on any runtime.
pub fn web_socket_config() -> WebSocketConfig {
    WebSocketConfig::default().read_buffer_size(4096)
}

async fn socket(stream: impl AsyncRead + AsyncWrite + Unpin) -> Result<(), Error> {
    let mut socket = accept_async_with_config(stream, Some(web_socket_config())).await?;
    while let Some(message) = socket.next().await {
        socket.send(message?).await?;
    }
    Ok(())
}

// ---------------------------------------------------------------- runtimes

/// A server on this runtime and the same on tokio; both with two workers.
macro_rules! servers {
    ($on_runtime:ident, $on_tokio:ident, $connection:ident) => {
        servers!($on_runtime, $connection);

        pub fn $on_tokio(listener: TcpListener) {
            let mut builder = tokio::runtime::Builder::new_multi_thread();
            let runtime = builder.worker_threads(2).enable_io().build().expect("a runtime");
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).expect("it listens");
                while let Ok((stream, _)) = listener.accept().await {
                    drop(tokio::spawn($connection(stream)));
                }
            });
        }
    };
    ($on_runtime:ident, $connection:ident) => {
        pub fn $on_runtime(listener: TcpListener) {
            let runtime = runtime::Builder::new_multi_thread().worker_threads(2).build();
            runtime.expect("a runtime").block_on(async {
                let listener = runtime::net::TcpListener::from_std(listener).expect("it listens");
                while let Ok((stream, _)) = listener.accept().await {
                    drop(runtime::spawn($connection(stream)));
                }
            });
        }
    };
}

servers!(plain_on_runtime, plain_on_tokio, plain);
servers!(tls_on_runtime, tls_on_tokio, tls);
servers!(tls_natively, native_tls);
servers!(socket_on_runtime, socket_on_tokio, socket);

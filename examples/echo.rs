//! An echo server over TCP, over a Unix socket and over pipes, and the clients that test it.
//!
//! ```text
//! cargo run --release --example echo                 # everything, about ten seconds
//! cargo run --release --example echo -- --quick      # the same in one
//! cargo run --example echo -- --serve 127.0.0.1:7000 # only the server; then: nc 127.0.0.1 7000
//! ```
//!
//! The handler, [`echo`], does not know what it talks to. Each transport is run twice: small
//! messages, where the way there and back counts, and large ones, where the bytes count. Every byte
//! that comes back is compared with the one that was sent. You see progress, and at the end a table.

use lexopt::{Arg, Parser, ValueExt};
use runtime::io::{Read, Write, duplex};
use runtime::net::{Listener, TcpListener, TcpStream, UnixListener, UnixStream};
use std::fmt;
use std::io::{self, IsTerminal};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

const HELP: &str = "\
An echo server over TCP, Unix sockets and pipes, and the clients that test it.

Usage: echo [OPTIONS]

Options:
  --serve ADDR       Only serve, on an address like 127.0.0.1:7000 or on the
                     path of a Unix socket, until the program is ended
  --connections N    Clients at the same time, for each transport (8)
  --quick            A tenth of the messages
  -h, --help         This text
";

// ---------------------------------------------------------------- the server

/// Sends everything back until the other side has finished.
async fn echo(mut stream: impl Read + Write) -> io::Result<()> {
    let mut buffer = vec![0; 32 * 1024];
    loop {
        match stream.read(&mut buffer).await? {
            0 => return stream.shutdown().await,
            read => stream.write_all(&buffer[..read]).await?,
        }
    }
}

/// Accepts connections for ever and gives each of them a task.
async fn serve(mut listener: impl Listener) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => drop(runtime::spawn(async move {
                if let Err(error) = echo(stream).await {
                    eprintln!("a connection ended early: {error}");
                }
            })),
            // Most likely too many open files: others have to go before it gets better.
            Err(error) => {
                eprintln!("cannot accept: {error}");
                runtime::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

// ---------------------------------------------------------------- the clients

/// One kind of message, and how many of them each client sends.
#[derive(Clone, Copy)]
struct Load {
    size: usize,
    messages: u64,
}

/// Sends messages and compares what comes back. Counts in `done`.
async fn client(
    mut stream: impl Read + Write,
    mut pattern: Pattern,
    load: Load,
    done: Arc<AtomicU64>,
) -> io::Result<()> {
    let (mut sent, mut received) = (vec![0; load.size], vec![0; load.size]);
    for number in 0..load.messages {
        pattern.fill(&mut sent);
        stream.write_all(&sent).await?;
        stream.read_exact(&mut received).await?;
        if sent != received {
            let text = format!("message {number} came back with other bytes");
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
        done.fetch_add(1, Ordering::Relaxed);
    }
    stream.shutdown().await?;
    match stream.read(&mut received).await? {
        0 => Ok(()),
        _ => Err(io::Error::new(io::ErrorKind::InvalidData, "bytes after the last message")),
    }
}

/// Bytes that look random and that every client has others of (xorshift).
struct Pattern(u64);

impl Pattern {
    fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            chunk.copy_from_slice(&self.0.to_le_bytes()[..chunk.len()]);
        }
    }
}

/// Runs all clients of one transport with one load.
async fn measure<S, F>(
    name: &'static str,
    options: &Options,
    load: Load,
    mut connect: impl FnMut() -> F,
) -> io::Result<Row>
where
    S: Read + Write + 'static,
    F: Future<Output = io::Result<S>>,
{
    let done = Arc::new(AtomicU64::new(0));
    let all = options.connections as u64 * load.messages;
    let label = format!("{name}, {} B", load.size);
    let progress = runtime::spawn(progress(label, Arc::clone(&done), all));

    let started = Instant::now();
    let mut clients = Vec::new();
    for number in 1..=options.connections as u64 {
        let pattern = Pattern(number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        clients.push(runtime::spawn(client(connect().await?, pattern, load, Arc::clone(&done))));
    }
    for client in clients {
        client.await.map_err(io::Error::other)??;
    }
    let elapsed = started.elapsed();
    let _ = progress.cancel().await;
    Ok(Row { name, load, all, elapsed })
}

/// Shows how far it is, as long as somebody watches.
async fn progress(label: String, done: Arc<AtomicU64>, all: u64) {
    if !io::stderr().is_terminal() {
        return;
    }
    loop {
        let percent = done.load(Ordering::Relaxed) * 100 / all;
        eprint!("\r\x1b[K{label}: {percent} %");
        runtime::time::sleep(Duration::from_millis(50)).await;
    }
}

// ---------------------------------------------------------------- all together

#[runtime::main]
async fn main() -> ExitCode {
    let options = match Options::parse() {
        Ok(options) => options,
        Err(error) => {
            eprintln!("error: {error}\n\nTry --help.");
            return ExitCode::from(2);
        }
    };
    let outcome = match &options.task {
        Task::Help => {
            print!("{HELP}");
            Ok(())
        }
        Task::Serve(address) => only_serve(address).await,
        Task::Test => test(&options).await,
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn only_serve(address: &Address) -> io::Result<()> {
    let refused = |error: io::Error| {
        io::Error::new(error.kind(), format!("cannot listen on {address}: {error}"))
    };
    match address {
        Address::Tcp(tcp) => {
            let listener = TcpListener::bind(tcp).await.map_err(refused)?;
            println!("listening on {}", listener.local_addr()?);
            serve(listener).await;
        }
        Address::Unix(path) => {
            let listener = UnixListener::bind(path).map_err(refused)?;
            println!("listening on {address}");
            serve(listener).await;
        }
    }
    Ok(())
}

async fn test(options: &Options) -> io::Result<()> {
    let scale = if options.quick { 1 } else { 10 };
    let small = Load { size: 64, messages: 2_500 * scale };
    let large = Load { size: 32 * 1024, messages: 500 * scale };

    let tcp = TcpListener::bind("127.0.0.1:0").await?;
    let address = tcp.local_addr()?;
    runtime::spawn(serve(tcp));

    let socket = SocketFile::new();
    runtime::spawn(serve(UnixListener::bind(&socket.0)?));

    let mut rows = Vec::new();
    for load in [small, large] {
        let connect = || async move {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            Ok(stream)
        };
        rows.push(measure("TCP", options, load, connect).await?);
        let connect = || UnixStream::connect(&socket.0);
        rows.push(measure("Unix", options, load, connect).await?);
        let connect = || async {
            let (here, there) = duplex(64 * 1024);
            runtime::spawn(echo(there));
            Ok(here)
        };
        rows.push(measure("duplex", options, load, connect).await?);
    }
    print_table(options, &rows);
    Ok(())
}

struct Row {
    name: &'static str,
    load: Load,
    all: u64,
    elapsed: Duration,
}

fn print_table(options: &Options, rows: &[Row]) {
    if io::stderr().is_terminal() {
        eprint!("\r\x1b[K");
    }
    println!("{} clients for each transport; every byte was compared\n", options.connections);
    println!("| transport | message | messages | there and back each | MB/s, each way |");
    println!("|-----------|--------:|---------:|--------------------:|---------------:|");
    for Row { name, load, all, elapsed } in rows {
        let each = elapsed.as_nanos() as f64 / 1000.0 / *all as f64;
        let megabytes = *all as f64 * load.size as f64 / 1e6 / elapsed.as_secs_f64();
        let size = format!("{} B", load.size);
        println!("| {name:<9} | {size:>7} | {all:>8} | {each:>16.2} µs | {megabytes:>14.1} |");
    }
}

/// The path of a Unix socket; the file goes with it.
struct SocketFile(PathBuf);

impl SocketFile {
    fn new() -> Self {
        Self(std::env::temp_dir().join(format!("runtime-echo-{}.sock", std::process::id())))
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

// ---------------------------------------------------------------- the command line

struct Options {
    task: Task,
    connections: usize,
    quick: bool,
}

enum Task {
    Help,
    Serve(Address),
    Test,
}

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

impl Options {
    fn parse() -> Result<Self, lexopt::Error> {
        let mut options = Self { task: Task::Test, connections: 8, quick: false };
        let mut parser = Parser::from_env();
        while let Some(argument) = parser.next()? {
            match argument {
                Arg::Long("serve") => {
                    let text = parser.value()?.string()?;
                    options.task = Task::Serve(address(text)?);
                }
                Arg::Long("connections") => {
                    let text = parser.value()?.string()?;
                    let number = text.parse().ok().filter(|number| (1..=10_000).contains(number));
                    let wanted = "a number between 1 and 10000";
                    options.connections =
                        number.ok_or_else(|| format!("--connections: `{text}` is not {wanted}"))?;
                }
                Arg::Long("quick") => options.quick = true,
                Arg::Long("help") | Arg::Short('h') => {
                    options.task = Task::Help;
                    break;
                }
                other => return Err(other.unexpected()),
            }
        }
        Ok(options)
    }
}

/// With a slash it is the path of a Unix socket, else like `127.0.0.1:7000`.
fn address(text: String) -> Result<Address, String> {
    if text.contains('/') {
        return Ok(Address::Unix(text.into()));
    }
    match text.parse() {
        Ok(address) => Ok(Address::Tcp(address)),
        Err(_) => Err(format!("--serve: `{text}` is neither like 127.0.0.1:7000 nor a path")),
    }
}

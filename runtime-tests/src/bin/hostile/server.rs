//! Servers that are measured, each in a process of its own. It says where it listens, runs what comes
//! on its standard input as commands of the shell, and when that ends says how often `accept` has failed.

use std::io::{BufRead as _, BufReader as Buffered, Read as _, Write as _};
use std::net::SocketAddr;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use runtime::io::{BufRead, BufReader, Read, Write, copy_bidirectional};
use runtime::net::{TcpListener, TcpStream};

use crate::meter::Usage;

/// How long a worker is blocked by a client who says [`BLOCK`].
pub(crate) const BLOCKED: Duration = Duration::from_secs(2);
pub(crate) const BLOCK: &str = "block\n";

/// The longest line.
const LINE: usize = 2 * 1024 * 1024;

// ---------------------------------------------------------------- from outside

/// A server that runs. It ends when this is dropped.
pub(crate) struct Server {
    child: Child,
    output: Buffered<ChildStdout>,
    pub(crate) address: SocketAddr,
}

impl Server {
    pub(crate) fn start(mode: &str) -> Self {
        Self::start_as(&mut Command::new(program()), mode)
    }

    /// With so many descriptors at most.
    pub(crate) fn start_with_descriptors(limit: usize, mode: &str) -> Self {
        let script = format!("ulimit -n {limit}; exec \"$0\" \"$@\"");
        Self::start_as(Command::new("sh").args(["-c", &script]).arg(program()), mode)
    }

    pub(crate) fn start_as(command: &mut Command, mode: &str) -> Self {
        let command = command.args(["serve", mode]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("a program can start itself");
        let mut output = Buffered::new(child.stdout.take().expect("it is a pipe"));
        let mut line = String::new();
        output.read_line(&mut line).expect("the server says where it listens");
        let address = line.trim().parse().expect("an address");
        Self { child, output, address }
    }

    pub(crate) fn usage(&self) -> Usage {
        Usage::of(self.child.id())
    }

    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }

    /// Has it run a command of the shell.
    pub(crate) fn run(&mut self, command: &str) {
        let stdin = self.child.stdin.as_mut().expect("it is a pipe");
        writeln!(stdin, "{command}").expect("the server listens");
        let mut outcome = String::new();
        self.output.read_line(&mut outcome).expect("the server says so");
        assert_eq!(outcome.trim(), "done", "{command}");
    }

    /// Ends it; returns how often `accept` has failed.
    pub(crate) fn end(mut self) -> usize {
        drop(self.child.stdin.take());
        let mut said = String::new();
        self.output.read_to_string(&mut said).expect("the server says so");
        said.trim().parse().expect("a number")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

pub(crate) fn program() -> std::path::PathBuf {
    std::env::current_exe().expect("a program knows its file")
}

// ---------------------------------------------------------------- the process itself

static FAILED: AtomicUsize = AtomicUsize::new(0);

/// `serve lines`, `serve anywhere` (the same at every address), or `serve half-closed`.
pub(crate) fn main(words: &[String]) {
    let mode = words.first().map_or("lines", String::as_str);
    let is_half_closed = mode == "half-closed";
    let place = if mode == "anywhere" { "0.0.0.0:0" } else { "127.0.0.1:0" };
    let runtime =
        runtime::Builder::new_multi_thread().worker_threads(2).build().expect("two threads");
    runtime.spawn(async move {
        let listener = TcpListener::bind(place).await.expect("the place is free");
        println!("{}", listener.local_addr().expect("it is bound"));
        for number in 0.. {
            match listener.accept().await {
                Ok((stream, _)) if is_half_closed => {
                    drop(runtime::spawn(half_closed(stream, number)));
                }
                Ok((stream, _)) => drop(runtime::spawn(lines(stream))),
                Err(_) => _ = FAILED.fetch_add(1, Relaxed),
            }
        }
    });
    // This thread has nothing to do with the runtime; whoever started it holds the other end.
    for command in std::io::stdin().lines().map_while(Result::ok) {
        let outcome = Command::new("sh").args(["-c", &command]).status();
        println!(
            "{}",
            if outcome.is_ok_and(|status| status.success()) { "done" } else { "failed" }
        );
    }
    println!("{}", FAILED.load(Relaxed));
}

/// Sends each line back.
async fn lines(stream: TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut lines = BufReader::new(stream).lines().limit(LINE);
    while let Some(mut line) = lines.next_line().await? {
        line.push('\n');
        if line == BLOCK {
            std::thread::sleep(BLOCKED);
        }
        lines.get_mut().write_all(line.as_bytes()).await?;
    }
    Ok(())
}

/// What a server may be doing when a peer has ended its direction and stays: four kinds in turn.
async fn half_closed(mut stream: TcpStream, number: usize) -> std::io::Result<()> {
    stream.write_all(b"x").await?;
    match number % 4 {
        // It has read the end and waits for something else.
        0 => {
            while stream.read(&mut [0; 64]).await? > 0 {}
            std::future::pending().await
        }
        // A proxy whose other side is silent.
        1 => {
            let silent = TcpListener::bind("127.0.0.1:0").await?;
            let mut upstream = TcpStream::connect(silent.local_addr()?).await?;
            let (_other_end, _) = silent.accept().await?;
            copy_bidirectional(&mut stream, &mut upstream).await?;
            Ok(())
        }
        // It answers more than the peer takes.
        2 => {
            while stream.read(&mut [0; 64]).await? > 0 {}
            stream.write_all(&vec![0; 16 * 1024 * 1024]).await
        }
        // It has ended its own direction, too.
        _ => {
            stream.shutdown().await?;
            while stream.read(&mut [0; 64]).await? > 0 {}
            std::future::pending().await
        }
    }
}

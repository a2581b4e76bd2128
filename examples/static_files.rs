//! Serves the files of a directory over HTTP, and ends in good order at ctrl-c.
//!
//! ```text
//! cargo run --example static_files -- DIRECTORY [ADDRESS]
//! cargo run --example static_files            # serves a directory of its own to itself, and ends
//! ```
//!
//! Only GET and HEAD, and only what a file needs: it shows files, limits and draining, not HTTP. What a
//! file sends is read from the page cache on the spot, else by a thread of the pool. Nothing outside
//! the directory is served, whatever the path says and wherever links lead.

use runtime::TaskTracker;
use runtime::fs::{self, File};
use runtime::io::{BufRead, BufReader, OwnedBuf, OwnedRead, Read, Write};
use runtime::net::{Incoming, TcpListener, TcpStream};
use runtime::task::CancellationToken;
use runtime::time::timeout;
use std::io;
use std::net::SocketAddr;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

const CONNECTIONS: usize = 1000;
/// The longest line of a request, and how many there may be.
const LINE: usize = 4 * 1024;
const HEADERS: usize = 64;
/// How long a client may take for a request, and for each piece of the answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long answers under way may take after ctrl-c.
const DRAIN: Duration = Duration::from_secs(5);

/// Accepts until `tracker` is drained.
async fn serve(listener: TcpListener, root: PathBuf, tracker: TaskTracker) {
    let root: Arc<Path> = root.into();
    let stop = tracker.token().clone();
    let mut incoming = Incoming::new(listener, CONNECTIONS);
    while let Some(accepted) = stop.run_until_cancelled(incoming.accept()).await {
        match accepted {
            Ok((stream, _, slot)) => {
                let (root, stop) = (Arc::clone(&root), stop.clone());
                tracker.spawn_named("connection", async move {
                    let _slot = slot;
                    // That a client goes away or dawdles is its own affair.
                    let _ = connection(stream, &root, &stop).await;
                });
            }
            Err(error) => eprintln!("accepting: {error}"),
        }
    }
}

/// Answers the requests of a connection, until either side has had enough.
async fn connection(stream: TcpStream, root: &Path, stop: &CancellationToken) -> io::Result<()> {
    let mut lines = BufReader::new(stream).lines().limit(LINE);
    loop {
        // Between two requests is where a connection can stop.
        let request = stop.run_until_cancelled(timeout(PATIENCE, lines.next_line())).await;
        let Some(Ok(Some(request))) = request.map(|read| read.unwrap_or(Ok(None))) else {
            return lines.get_mut().shutdown().await;
        };
        for count in 0.. {
            match timeout(PATIENCE, lines.next_line()).await?? {
                Some(header) if !header.is_empty() && count < HEADERS => {}
                Some(header) if header.is_empty() => break,
                _ => return Ok(()),
            }
        }
        answer(lines.get_mut(), &request, root).await?;
    }
}

async fn answer(stream: &mut impl Write, request: &str, root: &Path) -> io::Result<()> {
    let mut words = request.split(' ');
    let (method, target) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
    if !matches!(method, "GET" | "HEAD") {
        return refuse(stream, "405 Method Not Allowed").await;
    }
    let Some((mut file, len)) = find(root, target).await else {
        return refuse(stream, "404 Not Found").await;
    };
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {len}\r\n\r\n");
    timeout(PATIENCE, stream.write_all(head.as_bytes())).await??;
    let mut left = if method == "GET" { len } else { 0 };
    let mut buf = OwnedBuf::with_capacity(left.min(64 * 1024) as usize);
    while left > 0 {
        buf.clear().set_room(usize::try_from(left).unwrap_or(usize::MAX));
        let outcome;
        (buf, outcome) = file.read_owned(buf).await;
        outcome?;
        if buf.is_empty() {
            // It has become shorter than was promised; only closing tells.
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        left -= buf.len() as u64;
        timeout(PATIENCE, stream.write_all(buf.filled())).await??;
    }
    Ok(())
}

async fn refuse(stream: &mut impl Write, status: &str) -> io::Result<()> {
    let text = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
    timeout(PATIENCE, stream.write_all(text.as_bytes())).await?
}

/// The file that a target means, if it is a plain one inside `root`.
async fn find(root: &Path, target: &str) -> Option<(File, u64)> {
    let target = Path::new(target.split('?').next()?).strip_prefix("/").ok()?;
    if !target.components().all(|part| matches!(part, Component::Normal(_))) {
        return None;
    }
    // Follows links, so that they are looked at too.
    let mut path = fs::canonicalize(root.join(target)).await.ok()?;
    if fs::metadata(&path).await.ok()?.is_dir() {
        path.push("index.html");
        path = fs::canonicalize(path).await.ok()?;
    }
    // Before it is opened: opening a FIFO waits for whoever writes to it.
    if !path.starts_with(root) || !fs::metadata(&path).await.ok()?.is_file() {
        return None;
    }
    let file = File::open(path).await.ok()?;
    let len = file.metadata().await.ok()?.len();
    Some((file, len))
}

/// Serves until `end`, then drains.
async fn run(
    listener: TcpListener,
    root: PathBuf,
    end: impl Future<Output = io::Result<()>>,
) -> io::Result<()> {
    let tracker = TaskTracker::new();
    let server = runtime::spawn(serve(listener, root, tracker.clone()));
    end.await?;
    println!("draining {} connections", tracker.len());
    println!("{}", tracker.drain(DRAIN).await);
    server.await?;
    Ok(())
}

#[runtime::main]
async fn main() -> io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let Some(directory) = arguments.next() else {
        return itself().await;
    };
    let address = arguments.next().unwrap_or("127.0.0.1:8080".to_owned());
    let listener = TcpListener::bind(address).await?;
    println!("http://{}/", listener.local_addr()?);
    run(listener, fs::canonicalize(directory).await?, runtime::signal::ctrl_c()).await
}

/// A directory, a server and a client, with what has to hold.
async fn itself() -> io::Result<()> {
    let outside = std::env::temp_dir().join(format!("static-files-{}", std::process::id()));
    let root = outside.join("root");
    fs::create_dir_all(&root).await?;
    let large: Vec<u8> = (0..1_000_000_u32).map(|index| (index % 251) as u8).collect();
    fs::write(root.join("index.html"), "<h1>It works</h1>").await?;
    fs::write(root.join("large"), large.clone()).await?;
    fs::write(outside.join("secret"), "secret").await?;
    #[cfg(unix)]
    std::os::unix::fs::symlink("../secret", root.join("link"))?;

    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let root = fs::canonicalize(root).await?;
    run(listener, root, async {
        // It stays, and does not hold up the end.
        let _idle = TcpStream::connect(address).await?;
        assert_eq!(get(address, "/").await?, (200, b"<h1>It works</h1>".to_vec()));
        assert!(get(address, "/large").await? == (200, large));
        for target in ["/none", "/../secret", "/./../secret", "//secret", "/link", "secret", ""] {
            assert_eq!(get(address, target).await?, (404, Vec::new()), "{target}");
        }
        println!("what is inside is served, and nothing else");
        Ok(())
    })
    .await?;
    fs::remove_dir_all(outside).await
}

/// Status and body of one answer.
async fn get(address: SocketAddr, target: &str) -> io::Result<(u16, Vec<u8>)> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).await?;
    stream.shutdown().await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").expect("a head") + 4;
    let status = String::from_utf8_lossy(&answer[9..12]).parse().expect("a status");
    Ok((status, answer.split_off(end)))
}

//! What an idle connection costs: bytes of heap for each, in ways to wait for its next message.
//!
//! ```text
//! cargo run --release --example idle               # 10,000 connections
//! cargo run --release --example idle -- 1000
//! ```
//!
//! Every connection has a task that answers a first message and then waits for a second that never
//! comes. What is counted is what the tasks, their futures and their buffers hold then, by an allocator
//! that counts; the connections themselves are made before. Both ends of a duplex are memory of this
//! process, so the client waits too: a pipe gives its last block back when somebody waits for it, and
//! an end that was read from and then left alone would add its 550 bytes. The table has a line for
//! each way. (The same beside tokio: the workloads `memory-idle-*` in `benches/`.)

use runtime::io::{BufRead, BufReader, Read, ReadyStream, Write, duplex};
use runtime::net::{TcpListener, TcpStream};
use runtime::task::JoinHandle;
use std::alloc::{GlobalAlloc, Layout, System};
use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicIsize, AtomicUsize, Ordering::Relaxed};
use std::task::Poll;
use std::time::Duration;

/// Counts what is allocated and not freed.
struct Counting;

static HELD: AtomicIsize = AtomicIsize::new(0);

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: everything is the system allocator's work; counting touches no memory of its own.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HELD.fetch_add(layout.size() as isize, Relaxed);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size() as isize, Relaxed);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(memory, layout) }
    }
}

/// Holds its buffer while it waits, as code must that knows `read(&mut buf)` only.
async fn naive(mut stream: impl Read + Write, answered: Arc<AtomicUsize>) -> io::Result<()> {
    let mut buffer = vec![0; 8 * 1024];
    loop {
        match stream.read(&mut buffer).await? {
            0 => return Ok(()),
            n => stream.write_all(&buffer[..n]).await?,
        }
        answered.fetch_add(1, Relaxed);
    }
}

/// Takes a buffer when data is there.
async fn with_read_with(
    mut stream: impl ReadyStream,
    answered: Arc<AtomicUsize>,
) -> io::Result<()> {
    loop {
        let message = stream.read_with(<[u8]>::to_vec).await?;
        if message.is_empty() {
            return Ok(());
        }
        stream.write_all(&message).await?;
        drop(message);
        answered.fetch_add(1, Relaxed);
    }
}

/// Lines, through a buffered reader.
async fn with_lines(stream: impl Read + Write, answered: Arc<AtomicUsize>) -> io::Result<()> {
    let mut lines = BufReader::new(stream).lines().limit(8 * 1024);
    while let Some(line) = lines.next_line().await? {
        lines.get_mut().write_all(line.as_bytes()).await?;
        lines.get_mut().write_all(b"\n").await?;
        drop(line);
        answered.fetch_add(1, Relaxed);
    }
    Ok(())
}

/// A way to serve a connection.
#[derive(Clone, Copy)]
enum Way {
    Naive,
    ReadWith,
    Lines,
}

fn serve(
    way: Way,
    stream: impl ReadyStream + 'static,
    answered: &Arc<AtomicUsize>,
) -> JoinHandle<io::Result<()>> {
    let answered = Arc::clone(answered);
    match way {
        Way::Naive => runtime::spawn(naive(stream, answered)),
        Way::ReadWith => runtime::spawn(with_read_with(stream, answered)),
        Way::Lines => runtime::spawn(with_lines(stream, answered)),
    }
}

/// Serves these connections and returns what each holds when all wait for a second message.
async fn measure<C, S>(way: Way, pairs: Vec<(C, S)>) -> io::Result<isize>
where
    C: Read + Write,
    S: ReadyStream + 'static,
{
    let count = pairs.len();
    let (mut clients, servers): (Vec<C>, Vec<S>) = pairs.into_iter().unzip();
    let answered = Arc::new(AtomicUsize::new(0));
    let mut tasks = Vec::with_capacity(count);
    // A worker keeps some memory of the tasks before these until it has nothing to do.
    runtime::time::sleep(Duration::from_millis(1)).await;
    let before = HELD.load(Relaxed);
    for server in servers {
        tasks.push(serve(way, server, &answered));
    }
    let mut answer = [0; 6];
    for client in &mut clients {
        client.write_all(b"hello\n").await?;
        client.read_exact(&mut answer).await?;
        // The client waits as well, as one does that is there. A pipe gives its memory back when it
        // is waited for, so the end of one that nobody waits for still holds its last block.
        let mut read = pin!(client.read(&mut answer));
        poll_fn(|cx| {
            assert!(read.as_mut().poll(cx).is_pending(), "the server answers once");
            Poll::Ready(())
        })
        .await;
    }
    while answered.load(Relaxed) < count {
        runtime::task::yield_now().await;
    }
    let held = (HELD.load(Relaxed) - before) / count as isize;
    // What is freed now must not count in the next line.
    drop(clients);
    for task in tasks {
        task.await.map_err(io::Error::other)??;
    }
    Ok(held)
}

async fn tcp(count: usize) -> io::Result<Vec<(TcpStream, TcpStream)>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let mut pairs = Vec::with_capacity(count);
    for _ in 0..count {
        let client = TcpStream::connect(address).await?;
        pairs.push((client, listener.accept().await?.0));
    }
    Ok(pairs)
}

/// Two descriptors a connection, and some for the program.
fn allow_files(count: usize) -> Result<(), String> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let wanted = 2 * count as u64 + 100;
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= wanted) {
        return Ok(());
    }
    setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), ..limit }).map_err(|_| {
        format!(
            "{count} connections need {wanted} open files and the system allows {:?}; \
             try fewer connections, or raise the limit (ulimit -Hn)",
            limit.maximum
        )
    })
}

#[runtime::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let count = std::env::args().nth(1).map_or(Ok(10_000), |text| text.parse::<usize>());
    let Some(count) = count.ok().filter(|count| *count > 0) else {
        eprintln!("usage: idle [CONNECTIONS]");
        return ExitCode::from(2);
    };
    let outcome = match allow_files(count) {
        Ok(()) => table(count).await.map_err(|error| error.to_string()),
        Err(why) => Err(why),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn table(count: usize) -> io::Result<()> {
    println!("{count} idle connections, bytes of heap for each while both ends wait\n");
    println!("| way                | TCP    | duplex |");
    println!("|--------------------|-------:|-------:|");
    let ways = [
        ("a buffer of 8 KiB", Way::Naive),
        ("read_with", Way::ReadWith),
        ("BufReader::lines", Way::Lines),
    ];
    for (name, way) in ways {
        let over_tcp = measure(way, tcp(count).await?).await?;
        let pipes = (0..count).map(|_| duplex(8 * 1024)).collect();
        let over_duplex = measure(way, pipes).await?;
        println!("| {name:<18} | {over_tcp:>6} | {over_duplex:>6} |");
    }
    Ok(())
}

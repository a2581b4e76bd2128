//! One operation, N times, in a process of its own, for tools that count: `counted OPERATION N`.
//!
//! `scripts/counts` runs it for N and for 2N under a tool; the difference is what N more of them
//! cost, without what starting and warming up does. It measures nothing itself.
//!
//! Most operations run on a current-thread runtime whose clock is stopped, both ends of a stream in
//! it. So the same things happen in the same order on every machine, however slow the tool makes
//! them: how often the runtime looks at its driver depends on the clock else. The ones that begin
//! with `pool` run on two workers and the real clock, those with `watched` beside a watchdog.
//!
//! What begins with `held` keeps N things and ends without dropping them: what is in use then is
//! theirs.

use std::future::{Future, pending, poll_fn};
use std::pin::pin;
use std::process::exit;
use std::task::Poll;
use std::time::Duration;

use runtime::fs::File;
use runtime::io::{DuplexStream, OwnedBuf, Read, ReadAt, Write, duplex};
use runtime::net::{TcpListener, TcpStream, UnixStream};
use runtime::task::yield_now;
use runtime::time::{interval, sleep, timeout};

const HOUR: Duration = Duration::from_secs(3600);

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [operation, n] = &arguments[..] else { usage() };
    let Ok(n) = n.parse() else { usage() };
    let mut builder = if operation.starts_with("pool") {
        let mut pool = runtime::Builder::new_multi_thread();
        pool.worker_threads(2);
        pool
    } else {
        let mut alone = runtime::Builder::new_current_thread();
        alone.start_paused(true);
        if operation.starts_with("watched") {
            // The watchdog itself is to stay asleep.
            alone.stall_threshold(HOUR).on_stall(|_| {});
        }
        alone
    };
    let runtime = builder.build().expect("a runtime");
    // A task, and not the root: it is where programs do their work.
    let done = runtime.block_on(runtime.spawn(run(operation.clone(), n)));
    if !done.expect("the operation succeeds") {
        usage();
    }
}

fn usage() -> ! {
    eprintln!("usage: counted OPERATION N, see the source");
    exit(2);
}

/// `false` if there is no such operation.
async fn run(operation: String, n: usize) -> bool {
    match &*operation {
        "spawn_join" => spawn_join(n).await,
        "spawn_detached" => spawn_detached(n).await,
        "yield" | "watched_yield" => yields(n).await,
        "pipe_stream_16" => pipe_stream::<16>(n).await,
        "pipe_stream_4096" => pipe_stream::<4096>(n).await,
        "pipe_round_64" => pipe_round(n).await,
        "sleep_cancelled" => sleeps_cancelled(n).await,
        "timeout_read" | "pool_timeout_read" => timeout_read(n).await,
        "interval_tick" => interval_ticks(n).await,
        "tcp_echo_1" => tcp_echo(1, n).await,
        "tcp_echo_64" => tcp_echo(64, n).await,
        "unix_echo_1" => unix_echo(n).await,
        "tcp_visit" => tcp_visits(n).await,
        "file_read_cached" => file_reads(n).await,
        "file_write_owned" => file_writes(n).await,
        "pool_spawn_join" => spawn_join(n).await,
        "pool_pipe_round" => pipe_round(n).await,
        "pool_idle" => idle(n).await,
        "held_task" => held_tasks(n).await,
        "held_sleep" => held_sleeps(n).await,
        "held_duplex" => held_duplexes(n).await,
        "held_stream" => held_streams(n).await,
        _ => return false,
    }
    true
}

// ---------------------------------------------------------------- tasks

async fn spawn_join(n: usize) {
    for i in 0..n {
        let task = runtime::spawn(async move { i });
        assert_eq!(task.await.unwrap(), i);
    }
}

/// In batches of 100, as a server spawns its handlers.
async fn spawn_detached(n: usize) {
    for _ in 0..n / 100 {
        for _ in 0..100 {
            drop(runtime::spawn(async {}));
        }
        yield_now().await;
    }
}

async fn yields(n: usize) {
    for _ in 0..n {
        yield_now().await;
    }
}

// ---------------------------------------------------------------- pipes

/// A write and a read, while there is always room and always data.
async fn pipe_stream<const SIZE: usize>(n: usize) {
    let (mut one, mut two) = duplex(65_536);
    let mut buf = [1; SIZE];
    for _ in 0..n {
        one.write_all(&buf).await.unwrap();
        two.read_exact(&mut buf).await.unwrap();
    }
}

/// There and back between two tasks, both of which wait each time.
async fn pipe_round(n: usize) {
    let (mut one, two) = duplex(65_536);
    let echo = runtime::spawn(echo(two));
    rounds(&mut one, n).await;
    drop(one);
    echo.await.unwrap();
}

// ---------------------------------------------------------------- timers

/// A `sleep` that is polled once, registered by that, and dropped.
async fn sleeps_cancelled(n: usize) {
    for _ in 0..n {
        once(sleep(HOUR)).await;
    }
}

/// A timeout around a read that has to wait and no other timer: each one becomes the earliest.
async fn timeout_read(n: usize) {
    let (mut one, two) = duplex(64);
    let echo = runtime::spawn(echo(two));
    let mut buf = [0; 1];
    for _ in 0..n {
        one.write_all(&[1]).await.unwrap();
        timeout(HOUR, one.read_exact(&mut buf)).await.unwrap().unwrap();
    }
    drop(one);
    echo.await.unwrap();
}

/// The stopped clock jumps from tick to tick.
async fn interval_ticks(n: usize) {
    let mut interval = interval(Duration::from_millis(1));
    for _ in 0..n {
        interval.tick().await;
    }
}

/// For N tenths of a second nothing happens beside 64 silent sockets and as many long sleeps.
async fn idle(n: usize) {
    for _ in 0..64 {
        let (mut one, two) = UnixStream::pair().unwrap();
        runtime::spawn(async move {
            let _two = two;
            one.read(&mut [0]).await
        });
        runtime::spawn(sleep(HOUR));
    }
    // The one real wait of this program.
    sleep(Duration::from_millis(100) * n as u32).await;
    exit(0);
}

// ---------------------------------------------------------------- sockets

/// N echoes of 64 bytes, spread over connections that are all busy.
async fn tcp_echo(connections: usize, n: usize) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut tasks = Vec::new();
    for _ in 0..connections {
        let (client, server) = (TcpStream::connect(address).await, listener.accept().await);
        let (mut client, server) = (client.unwrap(), server.unwrap().0);
        tasks.push(runtime::spawn(echo(server)));
        tasks.push(runtime::spawn(async move { rounds(&mut client, n / connections).await }));
    }
    for task in tasks {
        task.await.unwrap();
    }
}

async fn unix_echo(n: usize) {
    let (mut client, server) = UnixStream::pair().unwrap();
    let echo = runtime::spawn(echo(server));
    rounds(&mut client, n).await;
    drop(client);
    echo.await.unwrap();
}

/// Connect, accept, spawn, one echo, close, by 32 clients at a time.
async fn tcp_visits(n: usize) {
    const CLIENTS: usize = 32;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    for _ in 0..CLIENTS {
        runtime::spawn(async move {
            for _ in 0..n / CLIENTS {
                let mut client = TcpStream::connect(address).await.unwrap();
                rounds(&mut client, 1).await;
            }
        });
    }
    let mut tasks = Vec::with_capacity(n);
    for _ in 0..n {
        let (server, _) = listener.accept().await.unwrap();
        tasks.push(runtime::spawn(echo(server)));
    }
    for task in tasks {
        task.await.unwrap();
    }
}

/// Its buffer is larger than the messages, as buffers are: a read that leaves room in it may spare
/// the next one.
async fn echo(mut stream: impl Read + Write) {
    let mut buf = [0; 1024];
    while let read @ 1.. = stream.read(&mut buf).await.unwrap() {
        stream.write_all(&buf[..read]).await.unwrap();
    }
}

async fn rounds(stream: &mut (impl Read + Write), n: usize) {
    let mut buf = [7; 1024];
    for _ in 0..n {
        stream.write_all(&buf[..64]).await.unwrap();
        let mut read = 0;
        while read < 64 {
            read += stream.read(&mut buf).await.unwrap();
        }
    }
}

// ---------------------------------------------------------------- files

/// A page that is in memory already: this program.
async fn file_reads(n: usize) {
    let file = File::open(std::env::current_exe().unwrap()).await.unwrap();
    let mut page = [0; 4096];
    for i in 0..n {
        file.read_exact_at(&mut page, (i % 8 * 4096) as u64).await.unwrap();
    }
}

/// A buffer that goes to a thread and comes back.
async fn file_writes(n: usize) {
    let file = File::options().write(true).open("/dev/null").await.unwrap();
    let mut buf = OwnedBuf::from(vec![1; 4096]);
    for _ in 0..n {
        let outcome;
        (buf, outcome) = file.write_owned_at(buf, 0).await;
        assert_eq!(outcome.unwrap(), 4096);
    }
}

// ---------------------------------------------------------------- what is held

async fn held_tasks(n: usize) {
    for _ in 0..n {
        drop(runtime::spawn(pending::<()>()));
    }
    end_holding().await;
}

async fn held_sleeps(n: usize) {
    for _ in 0..n {
        drop(runtime::spawn(sleep(HOUR)));
    }
    end_holding().await;
}

/// Both ends wait.
async fn held_duplexes(n: usize) {
    let mut pairs: Vec<(DuplexStream, DuplexStream)> = Vec::with_capacity(n);
    for _ in 0..n {
        let (mut one, mut two) = duplex(65_536);
        once(one.read(&mut [0])).await;
        once(two.read(&mut [0])).await;
        pairs.push((one, two));
    }
    end_holding().await;
}

/// N sockets, each waiting for a read, in no task of their own.
async fn held_streams(n: usize) {
    let mut streams: Vec<UnixStream> = Vec::with_capacity(n);
    while streams.len() < n {
        let (one, two) = UnixStream::pair().unwrap();
        streams.extend([one, two]);
    }
    for stream in &mut streams {
        once(stream.read(&mut [0])).await;
    }
    end_holding().await;
}

/// Lets the tasks be polled, then ends the process as it is.
async fn end_holding() {
    yield_now().await;
    exit(0);
}

/// Polls a future that has to wait, then drops it.
async fn once(future: impl Future) {
    let mut future = pin!(future);
    poll_fn(|cx| {
        assert!(future.as_mut().poll(cx).is_pending());
        Poll::Ready(())
    })
    .await;
}

//! A task that always has something to read, and what its neighbour notices of it.
//!
//! ```text
//! cargo run --release --example starvation         # about a second
//! cargo run --release --example starvation -- 10   # ten times as much to read
//! ```
//!
//! A peer sends faster than a task reads, so no read has to wait; and a task gives way to others only
//! where it waits. Beside it another task wants to tick every millisecond. The budget is what makes the
//! reader give way: after 128 operations the next one says `Pending` although it could go on.
//! `unconstrained` takes that away, and on one thread the neighbour is late by as long as the reader
//! reads. With more threads an idle one takes the neighbour over, after up to 20 ms. (It does so, too, if
//! the system gives the reader's thread no processor for a while: on a busy machine that is the worst
//! lateness with a budget.)

use std::future::poll_fn;
use std::io::{self, Write as _};
use std::pin::pin;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use runtime::Builder;
use runtime::io::Read;
use runtime::net::{TcpListener, TcpStream};
use runtime::task::coop::unconstrained;
use runtime::time::{Instant, sleep_until};

/// How much is read at a time: little, so that the peer is always ahead.
const PIECE: usize = 16;
/// How many pieces there are, unless more are asked for.
const PIECES: usize = 200_000;
/// How often the neighbour wants to run.
const TICK: Duration = Duration::from_millis(1);
/// What a task may do before it has to give way.
const BUDGET: usize = 128;

// ---------------------------------------------------------------- the two tasks

/// Reads to the end; counts in `reads`.
async fn read_all(mut stream: TcpStream, reads: &AtomicUsize) -> io::Result<()> {
    let mut piece = [0; PIECE];
    while stream.read(&mut piece).await? > 0 {
        reads.fetch_add(1, Relaxed);
    }
    Ok(())
}

/// Ticks for ever, and writes down how late each tick was.
async fn tick(lateness: Arc<Mutex<Vec<Duration>>>) {
    loop {
        let due = Instant::now() + TICK;
        sleep_until(due).await;
        lateness.lock().unwrap().push(due.elapsed());
    }
}

// ---------------------------------------------------------------- side by side

/// What was seen of them.
struct Seen {
    /// The most reads in one poll, which is how often the reader did not give way.
    in_a_poll: usize,
    lateness: Vec<Duration>,
}

async fn side_by_side(pieces: usize, has_budget: bool) -> io::Result<Seen> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let peer = thread::spawn(move || -> io::Result<()> {
        let mut stream = std::net::TcpStream::connect(address)?;
        let much = [0; 64 * 1024];
        let mut left = pieces * PIECE;
        while left > 0 {
            left -= stream.write(&much[..left.min(much.len())])?;
        }
        Ok(())
    });
    let (stream, _) = listener.accept().await?;

    let lateness = Arc::<Mutex<Vec<_>>>::default();
    let ticker = runtime::spawn(tick(Arc::clone(&lateness)));
    // The ticker gets as far as its first wait.
    while lateness.lock().unwrap().is_empty() {
        runtime::task::yield_now().await;
    }
    let reader = runtime::spawn(async move {
        let reads = AtomicUsize::new(0);
        if has_budget {
            most_in_a_poll(read_all(stream, &reads), &reads).await
        } else {
            most_in_a_poll(unconstrained(read_all(stream, &reads)), &reads).await
        }
    });
    let in_a_poll = reader.await??;
    // The tick that was due meanwhile counts, too.
    let seen = lateness.lock().unwrap().len();
    while lateness.lock().unwrap().len() == seen {
        runtime::task::yield_now().await;
    }
    let _ = ticker.cancel().await;
    peer.join().expect("the peer does not panic")?;
    let lateness = std::mem::take(&mut *lateness.lock().unwrap());
    Ok(Seen { in_a_poll, lateness })
}

/// Runs a future; says how much `count` grew in one poll, at most.
async fn most_in_a_poll(
    future: impl Future<Output = io::Result<()>>,
    count: &AtomicUsize,
) -> io::Result<usize> {
    let (mut future, mut most) = (pin!(future), 0);
    let outcome = poll_fn(|cx| {
        let before = count.load(Relaxed);
        let polled = future.as_mut().poll(cx);
        most = most.max(count.load(Relaxed) - before);
        polled
    });
    outcome.await.map(|()| most)
}

// ---------------------------------------------------------------- the table

fn main() -> ExitCode {
    let times = std::env::args().nth(1).map_or(Ok(1), |times| times.parse::<usize>());
    let Some(times) = times.ok().filter(|times| (1..=1000).contains(times)) else {
        eprintln!("usage: starvation [TIMES], a number from 1 to 1000");
        return ExitCode::from(2);
    };
    let Err(error) = table(times * PIECES) else { return ExitCode::SUCCESS };
    eprintln!("error: {error}");
    ExitCode::FAILURE
}

fn table(pieces: usize) -> io::Result<()> {
    println!("{pieces} reads beside a task that ticks every {} ms\n", TICK.as_millis());
    println!("| threads | reader        | reads in a poll | ticks | late, median | late, worst |");
    println!("|--------:|---------------|----------------:|------:|-------------:|------------:|");
    for threads in [1, 2] {
        for has_budget in [true, false] {
            let runtime = match threads {
                1 => Builder::new_current_thread().build()?,
                _ => Builder::new_multi_thread().worker_threads(threads).build()?,
            };
            let reader = runtime.spawn(side_by_side(pieces, has_budget));
            let Seen { in_a_poll, mut lateness } = runtime.block_on(reader)??;
            lateness.sort();
            println!(
                "| {threads:>7} | {:<13} | {in_a_poll:>15} | {:>5} | {:>9.2} ms | {:>8.2} ms |",
                if has_budget { "with budget" } else { "unconstrained" },
                lateness.len(),
                milliseconds(lateness[lateness.len() / 2]),
                milliseconds(lateness[lateness.len() - 1]),
            );
            // That much is certain on any machine; how late a tick is depends on what else it does.
            assert_eq!(in_a_poll <= BUDGET, has_budget);
        }
    }
    Ok(())
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

//! A small Redis: strings with a time to live, over the protocol that `redis-cli` speaks.
//!
//! ```text
//! cargo run --release --example kv                   # talks to itself, politely and not
//! cargo run --release --example kv -- 127.0.0.1:7000 # serves; then: redis-cli -p 7000
//! ```
//!
//! `scripts/kv` has the real `redis-cli` and `redis-benchmark` talk to it.
//!
//! What to look at: [`serve`]. A connection that waits holds no buffer, commands that came together
//! are answered in one write, and a client that does not read its answers is not read from either, so
//! that none of them makes the server hold more than a few MiB for it.

mod commands;
mod resp;
mod store;
mod test;

use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use resp::{Answers, LONGEST};
use runtime::io::{Read, Write, lingering_close};
use runtime::net::{Incoming, TcpListener};
use runtime::time::{Instant, interval, timeout};
use store::Store;

/// How many clients may be connected; the others wait.
const CLIENTS: usize = 10_000;
/// So much is answered before it is written, and one answer more.
const BATCH: usize = 64 * 1024;

// ---------------------------------------------------------------- a connection

/// Answers one client until it has finished.
async fn serve(mut stream: impl Read + Write, store: Arc<Mutex<Store>>) -> io::Result<()> {
    let mut input = Vec::new();
    // Takes memory when there is something to read, and not while it waits.
    while stream.read_into(&mut input).await? > 0 {
        let mut done = 0;
        loop {
            let mut answers = Answers(Vec::new());
            let (used, next) = answer(&input[done..], &store, &mut answers);
            done += used;
            stream.write_all(&answers.0).await?;
            match next {
                Next::Answer => {}
                Next::Read => break,
                Next::Close => return close(stream).await,
            }
        }
        // Half a command stays.
        input.drain(..done);
        if input.is_empty() {
            input = Vec::new();
        }
    }
    stream.shutdown().await
}

/// What a connection does when its answers are written.
enum Next {
    /// There may be more to answer.
    Answer,
    Read,
    Close,
}

/// Answers what `input` begins with, as far as the commands are complete and the batch is not
/// full; returns how many bytes those were.
fn answer(input: &[u8], store: &Mutex<Store>, answers: &mut Answers) -> (usize, Next) {
    let now = Instant::now();
    let mut store = store.lock().unwrap();
    let (mut rest, mut command) = (input, Vec::new());
    let next = loop {
        if answers.0.len() >= BATCH {
            break Next::Answer;
        }
        match resp::parse(rest, &mut command) {
            Ok(Some(after)) => rest = after,
            Ok(None) if rest.len() <= LONGEST + 1024 => break Next::Read,
            Ok(None) => {
                answers.error("Protocol error: too big a command");
                break Next::Close;
            }
            Err(wrong) => {
                answers.error(&format!("Protocol error: {wrong}"));
                break Next::Close;
            }
        }
        let Some((name, arguments)) = command.split_first() else { continue };
        if name.eq_ignore_ascii_case(b"quit") {
            answers.simple("OK");
            break Next::Close;
        }
        if let Err(error) = commands::execute(name, arguments, &mut store, now, answers) {
            answers.error(&error);
        }
    };
    (input.len() - rest.len(), next)
}

/// Closes in a way that lets the last answer arrive, though the client may still be sending.
async fn close(stream: impl Read + Write) -> io::Result<()> {
    timeout(Duration::from_secs(1), lingering_close(stream)).await.unwrap_or(Ok(()))
}

// ---------------------------------------------------------------- the server

async fn listen(address: SocketAddr) -> io::Result<()> {
    let listener = TcpListener::bind(address).await?;
    println!("listening on {}", listener.local_addr()?);
    let store = Arc::<Mutex<Store>>::default();
    runtime::spawn(sweep(Arc::clone(&store)));
    let mut incoming = Incoming::new(listener, CLIENTS);
    loop {
        match incoming.accept().await {
            Ok((stream, _, slot)) => {
                let store = Arc::clone(&store);
                runtime::spawn(async move {
                    stream.set_nodelay(true)?;
                    let served = serve(stream, store).await;
                    drop(slot);
                    served
                });
            }
            Err(error) => eprintln!("cannot accept: {error}"),
        }
    }
}

async fn sweep(store: Arc<Mutex<Store>>) {
    let mut seconds = interval(Duration::from_secs(1));
    loop {
        let now = seconds.tick().await;
        store.lock().unwrap().sweep(now);
    }
}

fn main() -> ExitCode {
    let mut builder = runtime::Builder::new_current_thread();
    let outcome = match std::env::args().nth(1).map(|address| address.parse()) {
        None => {
            builder.start_paused(true).build().and_then(|runtime| runtime.block_on(test::run()))
        }
        Some(Ok(address)) => builder.build().and_then(|runtime| runtime.block_on(listen(address))),
        Some(Err(_)) => {
            eprintln!("usage: kv [ADDRESS], like 127.0.0.1:7000");
            return ExitCode::from(2);
        }
    };
    let Err(error) = outcome else { return ExitCode::SUCCESS };
    eprintln!("error: {error}");
    ExitCode::FAILURE
}

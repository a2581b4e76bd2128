//! More clients than the server has descriptors.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use runtime::Builder;
use runtime::io::{Read, Write};
use runtime::net::TcpStream;
use runtime::task::{CancellationToken, JoinSet};
use runtime::time::sleep;

use crate::load;
use crate::meter::Times;
use crate::peers::{ANSWERED, NOTHING};
use crate::report::{Figure, Size};
use crate::server::Server;

const CLIENTS: usize = 200;
const DESCRIPTORS: usize = 64;

pub(crate) fn run(size: Size) -> Vec<Figure> {
    let seconds = size.pick(10, 1);
    let server = Server::start_with_descriptors(DESCRIPTORS, "lines");
    let (answered, leave) = (Arc::new(AtomicUsize::new(0)), CancellationToken::new());
    let clients = {
        let (address, answered, leave) = (server.address, Arc::clone(&answered), leave.clone());
        thread::spawn(move || come_and_stay(address, &answered, &leave))
    };
    // Until no more are served: nobody was for a while, and somebody was before.
    let mut seen = 0;
    loop {
        thread::sleep(Duration::from_millis(300));
        let now = answered.load(Relaxed);
        if now > 0 && now == seen {
            break;
        }
        seen = now;
    }
    let before = server.usage();
    thread::sleep(Duration::from_secs(seconds));
    let used = server.usage().cpu_since(&before);
    let served = answered.load(Relaxed);

    // Those who were served go, so the others get their turn, and go.
    let began = Instant::now();
    leave.cancel();
    let mut alive = clients.join().expect("the clients are served");
    let recovery = began.elapsed();
    let mut times = load::visitors(server.address, Duration::from_millis(500));
    let failed = server.end();
    vec![
        Figure::cpu(
            size,
            format!("CPU of the server, {served} served, {} waiting", CLIENTS - served),
            used,
            NOTHING,
        ),
        Figure::within(
            size,
            "those who are served are answered, p99",
            alive.percentile(99.0),
            ANSWERED,
        ),
        Figure::exactly("of 200 answered in the end", answered.load(Relaxed), CLIENTS),
        Figure::within(
            size,
            "when some go, all who waited are answered",
            recovery,
            Duration::from_secs(1),
        ),
        Figure::within(
            size,
            "afterwards a new client is answered, p99",
            times.percentile(99.0),
            ANSWERED,
        ),
        Figure::note("errors that `accept` told", failed.to_string()),
    ]
}

/// Two hundred come at once and stay until they may leave, asking ten times a second; returns how long
/// answers took, but for everybody's first.
fn come_and_stay(
    address: SocketAddr,
    answered: &Arc<AtomicUsize>,
    leave: &CancellationToken,
) -> Times {
    let runtime = Builder::new_current_thread().build().expect("no thread is needed");
    runtime.block_on(async {
        let mut clients = JoinSet::new();
        for _ in 0..CLIENTS {
            let (answered, leave) = (Arc::clone(answered), leave.clone());
            clients.spawn(async move {
                let mut stream = TcpStream::connect(address).await?;
                let mut times = Times::default();
                ask(&mut stream).await?;
                answered.fetch_add(1, Relaxed);
                while !leave.is_cancelled() {
                    times.add(ask(&mut stream).await?);
                    leave.run_until_cancelled(sleep(Duration::from_millis(100))).await;
                }
                std::io::Result::Ok(times)
            });
        }
        let mut all = Times::default();
        while let Some(times) = clients.join_next().await {
            all.extend(times.expect("nobody panics").expect("everybody is served"));
        }
        all
    })
}

async fn ask(stream: &mut TcpStream) -> std::io::Result<Duration> {
    let asked = Instant::now();
    stream.write_all(b"hello\n").await?;
    stream.read_exact(&mut [0; 6]).await?;
    Ok(asked.elapsed())
}

//! Peers who are slow, send crumbs, or end half of a connection and stay.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use runtime::Builder;
use runtime::io::Write as _;
use runtime::task::CancellationToken;
use runtime::time::interval;

use crate::load;
use crate::meter::Times;
use crate::report::{Figure, Size};
use crate::server::Server;

/// Beside any attack a new client is answered within this, 99 times of a hundred.
pub(crate) const ANSWERED: Duration = Duration::from_millis(50);
/// What a server may use of a core where there is nothing to do, in percent.
pub(crate) const NOTHING: f64 = 5.0;

// ---------------------------------------------------------------- K01

pub(crate) fn slow(size: Size) -> Vec<Figure> {
    let (count, seconds) = size.pick((2000, 20), (100, 2));
    let server = Server::start("lines");
    for _ in 0..100 {
        load::visit(server.address);
    }
    let before = server.usage();
    let (end, sent) = (CancellationToken::new(), Arc::new(AtomicUsize::new(0)));
    let slow_ones = {
        let (address, end, sent) = (server.address, end.clone(), Arc::clone(&sent));
        thread::spawn(move || send_slowly(address, count, &end, &sent))
    };
    // Until all are connected, and in the middle of a line.
    while sent.load(Relaxed) < 2 * count {
        thread::sleep(Duration::from_millis(10));
    }
    let began = server.usage();
    let mut times = load::visitors(server.address, Duration::from_secs(seconds));
    let after = server.usage();
    end.cancel();
    slow_ones.join().expect("the slow ones do not panic");
    let mut figures = vec![
        Figure::within(size, "a new client is answered, p99", times.percentile(99.0), ANSWERED),
        Figure::cpu(size, "CPU of the server", after.cpu_since(&began), 20.0),
    ];
    let each = after.resident.saturating_sub(before.resident) / count as u64;
    figures.push(match size {
        Size::Full => {
            let what = format!("resident memory for each of {count}");
            Figure::at_most(what, each as f64, 1024.0, "B")
        }
        // A hundred would be lost among the pages of everything else.
        Size::Small => Figure::note("resident memory for each", format!("{each} B")),
    });
    figures
}

/// Each of so many sends a byte a second, and never a line's end.
fn send_slowly(
    address: SocketAddr,
    count: usize,
    end: &CancellationToken,
    sent: &Arc<AtomicUsize>,
) {
    let runtime = Builder::new_current_thread().build().expect("no thread is needed");
    runtime.block_on(async {
        for _ in 0..count {
            let mut stream = runtime::net::TcpStream::connect(address).await.expect("it listens");
            stream.set_nodelay(true).expect("it is connected");
            let sent = Arc::clone(sent);
            runtime::spawn(async move {
                let mut seconds = interval(Duration::from_secs(1));
                loop {
                    seconds.tick().await;
                    stream.write_all(b"x").await.expect("the server stays");
                    sent.fetch_add(1, Relaxed);
                }
            });
            // Spread over a second, if there are many.
            runtime::time::sleep(Duration::from_secs(1) / count as u32).await;
        }
        end.cancelled().await;
    });
}

// ---------------------------------------------------------------- K03

pub(crate) fn tiny(size: Size) -> Vec<Figure> {
    let segments = size.pick(1_000_000, 40_000);
    let server = Server::start("lines");
    load::visit(server.address);
    let (address, done) = (server.address, CancellationToken::new());
    let others = {
        let done = done.clone();
        thread::spawn(move || {
            let mut times = Times::default();
            while !done.is_cancelled() {
                times.add(load::visit(address));
                thread::sleep(Duration::from_millis(5));
            }
            times
        })
    };
    let [quarter, whole] = [segments / 4, segments].map(|count| {
        let (before, began) = (server.usage(), Instant::now());
        send_in_crumbs(address, count);
        (began.elapsed(), server.usage().cpu_time_since(&before))
    });
    done.cancel();
    let mut times = others.join().expect("they are answered");
    // The time on the clock: the processor's is counted in hundredths of a second.
    let growth = whole.0.as_secs_f64() / quarter.0.as_secs_f64();
    let each = whole.0.as_secs_f64() * 1e6 / segments as f64;
    let used = whole.1.as_secs_f64() * 1e6 / segments as f64;
    let mut figures = vec![
        Figure::within(size, "others are answered, p99", times.percentile(99.0), ANSWERED),
        Figure::note(
            format!("{segments} segments, each"),
            format!("{each:.1} µs, {used:.1} µs of CPU"),
        ),
    ];
    // With few of them it would say how busy the machine is.
    if size == Size::Full {
        let what = "time of 4 times as many (linear: 4, quadratic: 16)";
        figures.push(Figure::at_most(what, growth, 8.0, "×"));
    }
    figures
}

/// A line in segments of one byte; returns when it has come back.
fn send_in_crumbs(address: SocketAddr, segments: usize) {
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.set_nodelay(true).expect("it is connected");
    for _ in 1..segments {
        stream.write_all(b"x").expect("the server is there");
    }
    stream.write_all(b"\n").expect("the server is there");
    let mut line = vec![0; segments];
    stream.read_exact(&mut line).expect("the line comes back");
    let (end, body) = line.split_last().expect("it is not empty");
    assert!(*end == b'\n' && body.iter().all(|byte| *byte == b'x'), "the line came back changed");
}

// ---------------------------------------------------------------- half-closed

pub(crate) fn half_closed(size: Size) -> Vec<Figure> {
    let (count, seconds) = size.pick((500, 5), (40, 1));
    let server = Server::start("half-closed");
    let peers: Vec<TcpStream> = (0..count)
        .map(|_| {
            let mut stream = TcpStream::connect(server.address).expect("it listens");
            stream.read_exact(&mut [0]).expect("the server greets");
            stream.shutdown(Shutdown::Write).expect("it is connected");
            stream
        })
        .collect();
    // What the ends of their directions lead to is done when the server has been quiet for a while; or
    // shows in the figure, if it never is.
    let (patience, mut quiet) = (Instant::now(), 0);
    while quiet < 5 && patience.elapsed() < Duration::from_secs(5) {
        let before = server.usage();
        thread::sleep(Duration::from_millis(100));
        quiet = if server.usage().cpu_time_since(&before).is_zero() { quiet + 1 } else { 0 };
    }
    let before = server.usage();
    thread::sleep(Duration::from_secs(seconds));
    let used = server.usage().cpu_since(&before);
    drop(peers);
    let what = format!("CPU of the server, {count} connections of four kinds");
    vec![Figure::cpu(size, what, used, NOTHING)]
}

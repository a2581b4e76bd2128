//! The numbers of a runtime as Prometheus wants them, over HTTP.
//!
//! ```text
//! cargo run --example prometheus              # asks itself once, shows the answer, ends
//! cargo run --example prometheus -- 9100      # serves http://127.0.0.1:9100/metrics
//! ```

use std::fmt::Write as _;
use std::io;
use std::time::Duration;

use runtime::Handle;
use runtime::io::{BufRead, BufReader, Read, Write};
use runtime::metrics::{Histogram, Metrics};
use runtime::net::{TcpListener, TcpStream};
use runtime::time::timeout;

/// The longest line of a request that is read.
const LONGEST: usize = 8 * 1024;
/// How long a client may take.
const PATIENCE: Duration = Duration::from_secs(10);

#[runtime::main]
async fn main() -> io::Result<()> {
    let port = std::env::args().nth(1).map_or(Ok(0), |port| port.parse());
    let port = port.map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "a port, please"))?;
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    let address = listener.local_addr()?;
    let server = runtime::spawn_named("metrics", serve(listener));
    if port != 0 {
        println!("http://{address}/metrics");
        return server.await.map_err(io::Error::other)?;
    }

    let mut client = TcpStream::connect(address).await?;
    client.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").await?;
    let mut answer = String::new();
    client.read_to_string(&mut answer).await?;
    print!("{answer}");
    for line in ["HTTP/1.0 200 OK\r\n", "runtime_tasks_spawned_total 2\n", "le=\"+Inf\""] {
        assert!(answer.contains(line), "no {line:?} in the answer");
    }
    Ok(())
}

/// Answers each connection once.
async fn serve(listener: TcpListener) -> io::Result<()> {
    loop {
        let (stream, peer) = listener.accept().await?;
        runtime::spawn_named(format!("scrape by {peer}"), async move {
            let answered = timeout(PATIENCE, answer(stream)).await;
            if let Err(error) = answered.unwrap_or_else(|late| Err(late.into())) {
                eprintln!("{peer}: {error}");
            }
        });
    }
}

async fn answer(stream: TcpStream) -> io::Result<()> {
    let mut lines = BufReader::new(stream).lines().limit(LONGEST);
    let request = lines.next_line().await?.unwrap_or_default();
    // What else the client says does not matter, but it has to be read before the end.
    while lines.next_line().await?.is_some_and(|line| !line.is_empty()) {}
    let (status, body) = if request.starts_with("GET /metrics ") {
        ("200 OK", exposition(&Handle::current().metrics()))
    } else {
        ("404 Not Found", String::new())
    };
    let head = format!(
        "HTTP/1.0 {status}\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let stream = lines.get_mut();
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await?;
    stream.shutdown().await
}

/// The text format, version 0.0.4.
fn exposition(metrics: &Metrics) -> String {
    let mut text = String::new();
    let whole = [
        ("tasks_spawned_total", "counter", metrics.spawned_tasks),
        ("tasks_live", "gauge", metrics.live_tasks),
        ("injector_depth", "gauge", metrics.injected as u64),
        ("blocking_threads", "gauge", metrics.blocking.threads as u64),
        ("blocking_idle_threads", "gauge", metrics.blocking.idle_threads as u64),
        ("blocking_queue_depth", "gauge", metrics.blocking.queued as u64),
        ("io_registrations", "gauge", metrics.io_registrations as u64),
        ("io_events_total", "counter", metrics.io_events),
        ("timers", "gauge", metrics.timers as u64),
    ];
    for (name, kind, value) in whole {
        family(&mut text, name, kind, [(String::new(), value.to_string())]);
    }
    // A worker's number is its place in the list.
    let mut each = |name, kind, value: fn(&runtime::metrics::WorkerMetrics) -> String| {
        let workers = metrics.workers.iter().enumerate();
        let samples = workers.map(|(i, worker)| (format!("{{worker=\"{i}\"}}"), value(worker)));
        family(&mut text, name, kind, samples);
    };
    each("polls_total", "counter", |worker| worker.polls.to_string());
    each("steals_total", "counter", |worker| worker.steals.to_string());
    each("takeovers_total", "counter", |worker| worker.takeovers.to_string());
    each("parks_total", "counter", |worker| worker.parks.to_string());
    each("busy_seconds_total", "counter", |worker| worker.busy.as_secs_f64().to_string());
    each("budget_yields_total", "counter", |worker| worker.budget_yields.to_string());
    each("stalls_total", "counter", |worker| worker.stalls.to_string());
    each("queue_depth", "gauge", |worker| worker.queued.to_string());
    each("overflow_depth", "gauge", |worker| worker.overflowed.to_string());

    histogram(&mut text, "poll_seconds", metrics.workers.iter().map(|worker| worker.poll_times));
    let latencies = metrics.workers.iter().map(|worker| worker.wake_latencies);
    histogram(&mut text, "wake_latency_seconds", latencies);
    text
}

/// A metric with all its samples, each of them labels and a value.
fn family(
    text: &mut String,
    name: &str,
    kind: &str,
    samples: impl IntoIterator<Item = (String, String)>,
) {
    line(text, format_args!("# TYPE runtime_{name} {kind}"));
    for (labels, value) in samples {
        line(text, format_args!("runtime_{name}{labels} {value}"));
    }
}

/// All workers' times together. They are samples, so there is no sum of all; the count is of the samples.
fn histogram(text: &mut String, name: &str, workers: impl Iterator<Item = Histogram>) {
    let Some(all) = workers.reduce(|all, worker| all.merge(&worker)) else { return };
    line(text, format_args!("# TYPE runtime_{name} histogram"));
    let mut below = 0;
    for (end, count) in all.buckets().filter(|(end, _)| *end < Duration::MAX) {
        below += count;
        let end = end.as_secs_f64();
        line(text, format_args!("runtime_{name}_bucket{{le=\"{end}\"}} {below}"));
    }
    line(text, format_args!("runtime_{name}_bucket{{le=\"+Inf\"}} {}", all.count()));
    line(text, format_args!("runtime_{name}_count {}", all.count()));
}

fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    writeln!(text, "{line}").expect("a string takes everything");
}

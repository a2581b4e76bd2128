//! The clients themselves: a mio loop over all connections.

use super::{Job, Kind, address};
use crate::cli::Plan;
use crate::meter::Sample;
use crate::workload::sockets::{CHUNK, MESSAGE};
use mio::net::{TcpStream, UnixStream};
use mio::{Events, Interest, Poll, Token};
use std::io::{self, Read, Write};
use std::time::{Duration, Instant};

pub fn run(job: &Job, plan: Plan) -> io::Result<()> {
    if job.kind == Kind::Idle {
        let _idle =
            (0..job.connections).map(|_| job.address.connect()).collect::<io::Result<Vec<_>>>()?;
        // Until the parent closes the pipe, or ends.
        return io::stdin().read(&mut [0]).map(|_| ());
    }
    let mut poll = Poll::new()?;
    let mut connections = Vec::with_capacity(job.connections);
    for number in 0..job.connections {
        let socket = Socket::register(job.address.connect()?, &poll, Token(number))?;
        connections.push(Connection {
            socket,
            received: 0,
            sent_at: Instant::now(),
            readable: true,
        });
    }
    match job.kind {
        Kind::Echo => echo(&mut poll, connections, plan),
        _ => drain(&mut poll, connections, plan),
    }
}

struct Connection {
    socket: Socket,
    received: usize,
    sent_at: Instant,
    /// There may be more to read.
    readable: bool,
}

fn echo(poll: &mut Poll, mut connections: Vec<Connection>, plan: Plan) -> io::Result<()> {
    for connection in &mut connections {
        connection.send()?;
    }
    let mut events = Events::with_capacity(1024);
    let mut latencies: Vec<u32> = Vec::with_capacity(4_000_000);
    let mut phase = Phase::new(plan);
    loop {
        match phase.step()? {
            Step::Warm => latencies.clear(),
            Step::Done(elapsed) => return report_latencies(elapsed, latencies),
            Step::Goes => {}
        }
        poll.poll(&mut events, None)?;
        for event in &events {
            let connection = &mut connections[event.token().0];
            while connection.receive()? {
                let latency = connection.sent_at.elapsed().as_nanos();
                latencies.push(latency.try_into().unwrap_or(u32::MAX));
                connection.send()?;
            }
        }
    }
}

impl Connection {
    fn send(&mut self) -> io::Result<()> {
        self.received = 0;
        self.sent_at = Instant::now();
        // So little always fits: the answer to what was sent before has arrived.
        self.socket.write_all(&[7; MESSAGE])
    }

    /// Whether a whole answer has arrived.
    fn receive(&mut self) -> io::Result<bool> {
        let mut buffer = [0; MESSAGE];
        loop {
            match self.socket.read(&mut buffer[self.received..]) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(read) => self.received += read,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
            if self.received == MESSAGE {
                return Ok(true);
            }
        }
    }
}

fn report_latencies(elapsed: Duration, mut latencies: Vec<u32>) -> io::Result<()> {
    latencies.sort_unstable();
    let requests = latencies.len() as f64;
    let at = |share: f64| f64::from(latencies[(share * (requests - 1.0)) as usize]) / 1000.0;
    let sample = Sample::default()
        .with("requests", requests)
        .with("ns", elapsed.as_nanos() as f64 / requests)
        .with("rate", requests / elapsed.as_secs_f64() / 1000.0)
        .with("p50", at(0.5))
        .with("p99", at(0.99));
    say(&sample.to_line())
}

fn drain(poll: &mut Poll, mut connections: Vec<Connection>, plan: Plan) -> io::Result<()> {
    let mut events = Events::with_capacity(1024);
    let mut buffer = vec![0; 4 * CHUNK];
    let mut bytes = 0;
    let mut phase = Phase::new(plan);
    loop {
        match phase.step()? {
            Step::Warm => bytes = 0,
            Step::Done(elapsed) => return report_bytes(elapsed, bytes),
            Step::Goes => {}
        }
        if !connections.iter().any(|connection| connection.readable) {
            poll.poll(&mut events, None)?;
            for event in &events {
                connections[event.token().0].readable = true;
            }
        }
        // In turn, because a fast server never lets one of them run dry.
        for connection in connections.iter_mut().filter(|connection| connection.readable) {
            match connection.socket.read(&mut buffer) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(read) => bytes += read,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    connection.readable = false;
                }
                Err(error) => return Err(error),
            }
        }
    }
}

fn report_bytes(elapsed: Duration, bytes: usize) -> io::Result<()> {
    let chunks = bytes as f64 / CHUNK as f64;
    let sample = Sample::default()
        .with("requests", chunks)
        .with("ns", elapsed.as_nanos() as f64 / chunks)
        .with("rate", bytes as f64 / elapsed.as_secs_f64() / 1e6);
    say(&sample.to_line())
}

/// First to warm up, then to measure.
struct Phase {
    plan: Plan,
    created: Instant,
    started: Option<Instant>,
}

enum Step {
    Goes,
    /// From now on it counts. The parent has been told.
    Warm,
    Done(Duration),
}

impl Phase {
    fn new(plan: Plan) -> Self {
        Self { plan, created: Instant::now(), started: None }
    }

    fn step(&mut self) -> io::Result<Step> {
        let now = Instant::now();
        match self.started {
            None if now - self.created >= self.plan.warm_up() => {
                say("warm")?;
                self.started = Some(Instant::now());
                Ok(Step::Warm)
            }
            Some(at) if now - at >= self.plan.measured() => Ok(Step::Done(now - at)),
            _ => Ok(Step::Goes),
        }
    }
}

fn say(line: &str) -> io::Result<()> {
    println!("{line}");
    io::stdout().flush()
}

enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Socket {
    fn register(socket: address::Socket, poll: &Poll, token: Token) -> io::Result<Self> {
        match socket {
            address::Socket::Tcp(stream) => {
                let mut stream = TcpStream::from_std(stream);
                poll.registry().register(&mut stream, token, Interest::READABLE)?;
                Ok(Self::Tcp(stream))
            }
            address::Socket::Unix(stream) => {
                let mut stream = UnixStream::from_std(stream);
                poll.registry().register(&mut stream, token, Interest::READABLE)?;
                Ok(Self::Unix(stream))
            }
        }
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(buffer),
            Self::Unix(stream) => stream.read(buffer),
        }
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.write_all(bytes),
            Self::Unix(stream) => stream.write_all(bytes),
        }
    }
}

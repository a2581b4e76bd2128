//! Clients in a process of their own: one mio loop, which is as fast as loopback gets.
//!
//! Each connection sends 64 bytes, waits for all of them to come back and sends the next. The process
//! prints one line when the warm-up is over and one with what it found, so that the parent can read
//! its own CPU time at both.

use crate::cli::Plan;
use crate::meter::{self, Sample};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Instant;

const MESSAGE: usize = 64;

/// In the process of the server: runs the clients, returns the numbers of both sides.
pub fn against(address: SocketAddr, connections: usize, plan: Plan) -> Sample {
    let mut clients = Clients::start(address, connections, &plan.to_string());
    clients.line("warm");
    let cpu = meter::cpu_time();
    let line = clients.line("");
    let cpu = meter::cpu_time() - cpu;
    let sample = Sample::from_line(&line).expect("the clients print a sample");
    let requests = sample.get("requests").expect("the clients count requests");
    sample.with("cpu", cpu.as_nanos() as f64 / requests)
}

/// The clients, as their parent sees them. They end with it.
pub struct Clients {
    child: Child,
    output: BufReader<ChildStdout>,
    /// Idle clients stay until this is closed.
    _input: ChildStdin,
}

impl Clients {
    /// Clients that connect and then stay silent.
    pub fn idle(address: SocketAddr, connections: usize) -> Self {
        Self::start(address, connections, "idle")
    }

    fn start(address: SocketAddr, connections: usize, plan: &str) -> Self {
        let this = std::env::current_exe().expect("this program has a file");
        let mut child = Command::new(this)
            .args(["--load", &address.to_string(), &connections.to_string(), plan])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this program can be started again");
        let output = BufReader::new(child.stdout.take().expect("it was asked for"));
        let input = child.stdin.take().expect("it was asked for");
        Self { child, output, _input: input }
    }

    fn line(&mut self, expected: &str) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("the clients can be read from");
        assert!(line.starts_with(expected) && !line.is_empty(), "the clients said {line:?}");
        line
    }
}

impl Drop for Clients {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// In the process of the clients.
pub fn run(address: SocketAddr, connections: usize, plan: Option<Plan>) {
    allow_many_files();
    match plan {
        Some(plan) => drive(address, connections, plan).expect("the server answers"),
        None => {
            let idle: io::Result<Vec<_>> =
                (0..connections).map(|_| std::net::TcpStream::connect(address)).collect();
            let _idle = idle.expect("the server accepts");
            // Until the parent closes the pipe, or ends.
            let _ = io::stdin().read(&mut [0]);
        }
    }
}

struct Connection {
    stream: TcpStream,
    received: usize,
    sent_at: Instant,
}

fn drive(address: SocketAddr, connections: usize, plan: Plan) -> io::Result<()> {
    let mut poll = Poll::new()?;
    let mut clients = Vec::with_capacity(connections);
    for number in 0..connections {
        let stream = std::net::TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        let mut stream = TcpStream::from_std(stream);
        poll.registry().register(&mut stream, Token(number), Interest::READABLE)?;
        clients.push(Connection { stream, received: 0, sent_at: Instant::now() });
    }
    for client in &mut clients {
        client.send()?;
    }

    let mut events = Events::with_capacity(1024);
    let mut latencies: Vec<u32> = Vec::with_capacity(4_000_000);
    let created = Instant::now();
    let mut started = None;
    loop {
        let now = Instant::now();
        match started {
            None if now - created >= plan.warm_up() => {
                println!("warm");
                io::stdout().flush()?;
                latencies.clear();
                started = Some(now);
            }
            Some(at) if now - at >= plan.measured() => {
                return report(now - at, latencies);
            }
            _ => {}
        }
        poll.poll(&mut events, None)?;
        for event in &events {
            let client = &mut clients[event.token().0];
            while client.receive()? {
                latencies.push(client.sent_at.elapsed().as_nanos().try_into().unwrap_or(u32::MAX));
                client.send()?;
            }
        }
    }
}

impl Connection {
    fn send(&mut self) -> io::Result<()> {
        self.received = 0;
        self.sent_at = Instant::now();
        // So little always fits: the answer to what was sent before has arrived.
        self.stream.write_all(&[7; MESSAGE])
    }

    /// Whether a whole answer has arrived.
    fn receive(&mut self) -> io::Result<bool> {
        let mut buffer = [0; MESSAGE];
        loop {
            match self.stream.read(&mut buffer[self.received..]) {
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

fn report(elapsed: std::time::Duration, mut latencies: Vec<u32>) -> io::Result<()> {
    latencies.sort_unstable();
    let requests = latencies.len() as f64;
    let at = |share: f64| f64::from(latencies[(share * (requests - 1.0)) as usize]);
    let sample = Sample::default()
        .with("requests", requests)
        .with("ns", elapsed.as_nanos() as f64 / requests)
        .with("p50", at(0.5))
        .with("p99", at(0.99));
    println!("{}", sample.to_line());
    io::stdout().flush()
}

/// Raises the limit of open files as far as it goes.
pub fn allow_many_files() {
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
}

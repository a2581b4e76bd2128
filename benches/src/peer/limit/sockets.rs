//! Servers that are nothing but a mio loop over a table of connections.

use crate::cli::Plan;
use crate::load::{self, Clients, Job, Kind};
use crate::meter::{Held, Sample};
use crate::workload::sockets::{self, BUFFER, Bind, CHUNK};
use crate::workload::timers;
use mio::event::Source;
use mio::{Events, Interest, Poll, Registry, Token};
use std::io::{self, Read, Write};

pub fn run(workload: &str, plan: Plan) {
    match workload {
        "memory-tcp" => memory(plan).say(),
        "idle-1000" => idle(plan),
        _ => {}
    }
    let Some(traffic) = sockets::traffic(workload) else { return };
    if traffic.unix {
        let (listener, address) = Bind::bind();
        sockets::start_clients(&traffic, address, plan);
        let listener = mio::net::UnixListener::from_std(listener);
        Server::new(listener, |listener| Ok(listener.accept()?.0)).run(traffic.kind);
    } else {
        let (listener, address) = Bind::bind();
        sockets::start_clients(&traffic, address, plan);
        tcp(listener).run(traffic.kind);
    }
}

fn memory(plan: Plan) -> Sample {
    let count = plan.held(10_000);
    let first = count / 10;
    let (mut server, _clients) = silent(count);
    server.until(first);
    let held = Held::count();
    server.until(count);
    held.sample(count - first)
}

fn idle(plan: Plan) -> ! {
    let ready = timers::watch_idle(plan);
    let (mut server, _clients) = silent(timers::IDLE);
    server.until(timers::IDLE);
    ready.send(()).expect("the thread waits");
    server.run(Kind::Idle)
}

/// Clients that connect and say nothing, and a server for them.
fn silent(connections: usize) -> (Server<mio::net::TcpListener, mio::net::TcpStream>, Clients) {
    load::allow_many_files();
    let (listener, address) = Bind::bind();
    let job = Job { kind: Kind::Idle, connections, apart: false, address };
    (tcp(listener), Clients::start(&job, Plan { quick: false }))
}

fn tcp(listener: std::net::TcpListener) -> Server<mio::net::TcpListener, mio::net::TcpStream> {
    Server::new(mio::net::TcpListener::from_std(listener), |listener| {
        let (socket, _) = listener.accept()?;
        socket.set_nodelay(true)?;
        Ok(socket)
    })
}

struct Server<L, S> {
    poll: Poll,
    listener: L,
    accept: fn(&L) -> io::Result<S>,
    connections: Vec<Connection<S>>,
}

struct Connection<S> {
    socket: S,
    /// How much of the current chunk is sent.
    sent: usize,
}

const LISTENER: Token = Token(usize::MAX);

impl<L: Source, S: Source + Read + Write> Server<L, S> {
    fn new(mut listener: L, accept: fn(&L) -> io::Result<S>) -> Self {
        let poll = Poll::new().expect("there is a poll");
        let registered = poll.registry().register(&mut listener, LISTENER, Interest::READABLE);
        registered.expect("the listener can be polled");
        Self { poll, listener, accept, connections: Vec::new() }
    }

    fn run(mut self, kind: Kind) -> ! {
        let mut events = Events::with_capacity(1024);
        let chunk = vec![7; CHUNK];
        loop {
            self.turn(&mut events, kind, &chunk).expect("the server goes on");
        }
    }

    /// Accepts until there are so many.
    fn until(&mut self, connections: usize) {
        let mut events = Events::with_capacity(1024);
        while self.connections.len() < connections {
            self.turn(&mut events, Kind::Idle, &[]).expect("the clients connect");
        }
    }

    fn turn(&mut self, events: &mut Events, kind: Kind, chunk: &[u8]) -> io::Result<()> {
        self.poll.poll(events, None)?;
        for event in &*events {
            if event.token() == LISTENER {
                self.accept_all(kind)?;
                continue;
            }
            let connection = &mut self.connections[event.token().0];
            // Clients that go end the process; there is no need to clean up.
            let _ = match kind {
                Kind::Echo if event.is_readable() => connection.echo(),
                Kind::Drain if event.is_writable() => {
                    connection.source(chunk, self.poll.registry(), event.token())
                }
                _ => Ok(()),
            };
        }
        Ok(())
    }

    fn accept_all(&mut self, kind: Kind) -> io::Result<()> {
        loop {
            let mut socket = match (self.accept)(&self.listener) {
                Ok(socket) => socket,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
            let token = Token(self.connections.len());
            let interest =
                if kind == Kind::Drain { Interest::WRITABLE } else { Interest::READABLE };
            self.poll.registry().register(&mut socket, token, interest)?;
            self.connections.push(Connection { socket, sent: 0 });
        }
    }
}

impl<S: Source + Read + Write> Connection<S> {
    fn echo(&mut self) -> io::Result<()> {
        let mut buffer = [0; BUFFER];
        loop {
            let read = self.socket.read(&mut buffer)?;
            // So little always fits.
            self.socket.write_all(&buffer[..read])?;
            // A short read: there is no more.
            if read < BUFFER {
                return Ok(());
            }
        }
    }

    /// Sends until no more fits, or others should have their turn.
    fn source(&mut self, chunk: &[u8], registry: &Registry, token: Token) -> io::Result<()> {
        for _ in 0..16 {
            self.sent += self.socket.write(&chunk[self.sent..])?;
            if self.sent == chunk.len() {
                self.sent = 0;
            }
        }
        // So that there is another event for it.
        registry.reregister(&mut self.socket, token, Interest::WRITABLE)
    }
}

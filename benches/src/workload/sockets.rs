//! Servers over TCP and Unix sockets; the clients are in another process (`load.rs`).

use crate::cli::Plan;
use crate::load::{self, Address, Job, Kind};
use crate::peer::{Sockets, Stream, Transport, UnixSockets};
use crate::workload::{memory, timers};
use std::convert::Infallible;
use std::io;
use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};

/// What an echo sends back.
pub const MESSAGE: usize = 64;
/// What an echo reads with: more than a message, so that a short read says that this was all.
pub const BUFFER: usize = 1024;
/// What a stream is sent in.
pub const CHUNK: usize = 64 * 1024;

pub fn run<P: Sockets>(workload: &str, plan: Plan) {
    match workload {
        "memory-tcp" => P::run(memory::connections::<P>(plan.held(10_000))),
        "idle-1000" => timers::idle::<P>(plan),
        _ => {}
    }
    match traffic(workload) {
        Some(traffic) if traffic.unix || traffic.apart && P::THREADS != 1 => {}
        Some(traffic) => serve::<P, P::Tcp>(&traffic, plan),
        None => {}
    }
}

pub fn run_unix<P: UnixSockets>(workload: &str, plan: Plan) {
    if let Some(traffic) = traffic(workload).filter(|traffic| traffic.unix) {
        serve::<P, P::Unix>(&traffic, plan);
    }
}

/// Only what says how one worker does.
pub fn one_worker<P: Sockets>(workload: &str, plan: Plan) {
    if traffic(workload).is_some_and(|traffic| traffic.apart) {
        run::<P>(workload, plan);
    }
}

/// Who connects and what they do.
pub struct Traffic {
    pub unix: bool,
    pub kind: Kind,
    pub connections: usize,
    pub apart: bool,
}

pub fn traffic(workload: &str) -> Option<Traffic> {
    let (unix, kind, apart, connections) = match workload {
        "tcp-echo-1" => (false, Kind::Echo, false, 1),
        "tcp-echo-50" => (false, Kind::Echo, false, 50),
        "tcp-echo-500" => (false, Kind::Echo, false, 500),
        "unix-echo-50" => (true, Kind::Echo, false, 50),
        "tcp-stream-4" => (false, Kind::Drain, false, 4),
        "tcp-core-50" => (false, Kind::Echo, true, 50),
        "tcp-core-500" => (false, Kind::Echo, true, 500),
        "tcp-tail-300" => (false, Kind::Echo, true, 300),
        "tcp-tail-1000" => (false, Kind::Echo, true, 1000),
        _ => return None,
    };
    Some(Traffic { unix, kind, connections, apart })
}

/// A socket that is bound, listens and does not block.
pub trait Bind: Sized + Send + 'static {
    fn bind() -> (Self, Address);
}

impl Bind for TcpListener {
    fn bind() -> (Self, Address) {
        let bound = TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| {
            listener.set_nonblocking(true)?;
            let address = Address::Tcp(listener.local_addr()?);
            Ok((listener, address))
        });
        bound.expect("there is a loopback interface")
    }
}

impl Bind for UnixListener {
    fn bind() -> (Self, Address) {
        let name = format!("runtime-benches-{}", std::process::id());
        let bound = SocketAddr::from_abstract_name(&name).and_then(|address| {
            let listener = UnixListener::bind_addr(&address)?;
            listener.set_nonblocking(true)?;
            Ok(listener)
        });
        (bound.expect("nobody else has this name"), Address::Unix(name))
    }
}

fn serve<P: Sockets, T: Transport>(traffic: &Traffic, plan: Plan) -> ! {
    let (listener, address) = T::Std::bind();
    let kind = traffic.kind;
    start_clients(traffic, address, plan);
    P::run(async move {
        match accept::<P, T>(listener, kind).await {
            Ok(never) => match never {},
            Err(error) => panic!("the server failed: {error}"),
        }
    })
}

async fn accept<P: Sockets, T: Transport>(listener: T::Std, kind: Kind) -> io::Result<Infallible> {
    let mut listener = T::listen(listener)?;
    loop {
        let socket = T::accept(&mut listener).await?;
        match kind {
            Kind::Drain => P::spawn_detached(T::source(socket)),
            _ => P::spawn_detached(T::echo::<BUFFER>(socket)),
        }
    }
}

/// A server has no end of its own: a thread waits for the clients, says what it found and ends the
/// process.
pub fn start_clients(traffic: &Traffic, address: Address, plan: Plan) {
    let &Traffic { kind, connections, apart, .. } = traffic;
    std::thread::spawn(move || {
        let sample = load::against(&Job { kind, connections, apart, address }, plan);
        sample.say();
    });
    if apart {
        // After the thread, which hands its cores on to the clients.
        load::stay_on(0);
    }
}

/// Sends chunks until the client goes.
pub async fn source(mut stream: impl Stream) {
    let bytes = vec![7; CHUNK];
    while stream.write_all(&bytes).await.is_ok() {}
}

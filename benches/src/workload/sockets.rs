//! An echo server over TCP; the clients are in another process (`load.rs`).

use crate::cli::Plan;
use crate::load;
use crate::meter::Sample;
use crate::peer::Sockets;
use crate::workload::memory;
use crate::workload::pipes::echo;
use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener};

pub fn run<P: Sockets>(workload: &str, plan: Plan) -> Option<Sample> {
    let connections = match workload {
        "tcp-echo-1" => 1,
        "tcp-echo-50" => 50,
        "memory-tcp" => return Some(P::run(memory::connections::<P>(plan.held(5_000)))),
        "memory-idle-lean" => {
            return Some(P::run(memory::idle::<P, _>(plan.held(5_000), P::echo_lean)));
        }
        "memory-idle-lines" => {
            return Some(P::run(memory::idle::<P, _>(plan.held(5_000), P::echo_lines)));
        }
        _ => return None,
    };
    let (listener, address) = listener();
    // The server has no end of its own. A thread waits for the clients, says what it found and ends
    // the process.
    std::thread::spawn(move || {
        let sample = load::against(address, connections, plan);
        println!("{}", sample.to_line());
        std::process::exit(0);
    });
    match P::run(async { serve::<P>(listener).await }) {
        Ok(never) => match never {},
        Err(error) => panic!("the server failed: {error}"),
    }
}

async fn serve<P: Sockets>(listener: TcpListener) -> io::Result<Infallible> {
    let mut listener = P::listen(listener)?;
    loop {
        P::spawn_detached(echo(P::accept(&mut listener).await?));
    }
}

/// A socket that listens and does not block.
pub fn listener() -> (TcpListener, SocketAddr) {
    let bound = TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| {
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        Ok((listener, address))
    });
    bound.expect("there is a loopback interface")
}

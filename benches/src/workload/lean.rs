//! Connections that wait without a buffer.

use crate::cli::Plan;
use crate::load::{self, Address};
use crate::meter::{Held, Sample};
use crate::peer::{Lean, Sockets, Transport};
use crate::workload::memory::settle;
use crate::workload::sockets::Bind;
use crate::workload::tasks::yield_now;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};

pub fn run<P: Lean>(workload: &str, plan: Plan) {
    match workload {
        "memory-idle-lean" => P::run(idle::<P, _>(plan.held(5_000), P::echo_lean)),
        "memory-idle-lines" => P::run(idle::<P, _>(plan.held(5_000), P::echo_lines)),
        _ => {}
    }
}

type Socket<P> = <<P as Sockets>::Tcp as Transport>::Socket;

/// Connections that have answered a message and wait for the next, in a `way` that holds as little as
/// it can meanwhile. The clients are in this process, but they are only descriptors.
async fn idle<P: Lean, F>(count: usize, way: fn(Socket<P>, fn()) -> F) -> Sample
where
    F: Future<Output = io::Result<()>> + Send + 'static,
{
    static ANSWERED: AtomicUsize = AtomicUsize::new(0);
    load::allow_many_files();
    let (listener, address) = <TcpListener as Bind>::bind();
    let mut listener = P::Tcp::listen(listener).expect("the runtime takes the socket");
    let mut clients = Vec::with_capacity(count);
    // The first ones fill what grows once.
    let mut held = Held::count();
    let first = count / 10;
    for number in 0..count {
        if number == first {
            settle::<P>().await;
            held = Held::count();
        }
        let mut client = connect(&address).expect("the listener is there");
        let socket = P::Tcp::accept(&mut listener).await.expect("the client connects");
        let serve = way(socket, || _ = ANSWERED.fetch_add(1, Ordering::Relaxed));
        P::spawn_detached(async { serve.await.expect("the client stays") });
        client.write_all(b"hello\n").expect("the server is there");
        while ANSWERED.load(Ordering::Relaxed) <= number {
            yield_now().await;
        }
        client.read_exact(&mut [0; 6]).expect("the server has answered");
        clients.push(client);
    }
    settle::<P>().await;
    held.sample(count - first)
}

fn connect(address: &Address) -> io::Result<TcpStream> {
    match address {
        Address::Tcp(address) => TcpStream::connect(address),
        Address::Unix(_) => Err(io::ErrorKind::Unsupported.into()),
    }
}

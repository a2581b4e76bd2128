//! What things cost while nothing happens. Who can run which is in the files of the things.

use crate::load;
use crate::meter::{Held, Sample};
use crate::peer::{Peer, Pipes, Sockets, Stream};
use crate::workload::pipes::{CAPACITY, echo};
use crate::workload::sockets::listener;
use crate::workload::tasks::yield_now;
use std::future::poll_fn;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;

/// Tasks that wait for nothing.
pub async fn tasks<P: Peer>(count: usize) -> Sample {
    static WAITING: AtomicUsize = AtomicUsize::new(0);
    let held = Held::count();
    for _ in 0..count {
        P::spawn_detached(poll_fn(|_| {
            WAITING.fetch_add(1, Ordering::Relaxed);
            Poll::<()>::Pending
        }));
    }
    while WAITING.load(Ordering::Relaxed) < count {
        yield_now().await;
    }
    held.sample(count)
}

/// Connections whose clients are silent, and a task that reads from each.
pub async fn connections<P: Sockets>(count: usize) -> Sample {
    load::allow_many_files();
    let (listener, address) = listener();
    let mut listener = P::listen(listener).expect("the runtime takes the socket");
    let _clients = load::Clients::idle(address, count);
    // The first ones fill what grows once.
    let mut held = Held::count();
    let first = count / 10;
    for number in 0..count {
        if number == first {
            settle::<P>().await;
            held = Held::count();
        }
        let socket = P::accept(&mut listener).await.expect("the clients connect");
        P::spawn_detached(echo(socket));
    }
    settle::<P>().await;
    held.sample(count - first)
}

/// Connections that have answered a message and wait for the next, in a `way` that holds as little as
/// it can meanwhile. The clients are in this process, but they are only descriptors.
pub async fn idle<P: Sockets, F>(count: usize, way: fn(P::Socket, fn()) -> F) -> Sample
where
    F: Future<Output = io::Result<()>> + Send + 'static,
{
    static ANSWERED: AtomicUsize = AtomicUsize::new(0);
    load::allow_many_files();
    let (listener, address) = listener();
    let mut listener = P::listen(listener).expect("the runtime takes the socket");
    let mut clients = Vec::with_capacity(count);
    // The first ones fill what grows once.
    let mut held = Held::count();
    let first = count / 10;
    for number in 0..count {
        if number == first {
            settle::<P>().await;
            held = Held::count();
        }
        let mut client = TcpStream::connect(address).expect("the listener is there");
        let socket = P::accept(&mut listener).await.expect("the client connects");
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

/// Pairs that are held, and before that, if they are to be `used`, had something to do.
pub async fn duplex<P: Pipes>(count: usize, used: bool) -> Sample {
    let mut pairs = Vec::with_capacity(count);
    let held = Held::count();
    for _ in 0..count {
        let mut pair = P::duplex(CAPACITY);
        if used {
            exchange(&mut pair.0, &mut pair.1).await;
            exchange(&mut pair.1, &mut pair.0).await;
            wait(&mut pair.0).await;
            wait(&mut pair.1).await;
        }
        pairs.push(pair);
    }
    held.sample(count)
}

/// A kilobyte, all of it read again.
async fn exchange(from: &mut impl Stream, to: &mut impl Stream) {
    from.write_all(&[7; 1024]).await.expect("the other end is there");
    let mut missing = 1024;
    while missing > 0 {
        missing -= to.read(&mut [0; 1024][..missing]).await.expect("the other end is there");
    }
}

/// Polls a read that has nothing to read: what an idle peer does, and where a pipe may tidy up.
async fn wait(stream: &mut impl Stream) {
    let mut buffer = [0; 64];
    let mut read = pin!(stream.read(&mut buffer));
    poll_fn(|cx| {
        assert!(read.as_mut().poll(cx).is_pending());
        Poll::Ready(())
    })
    .await;
}

/// Lets every task that was spawned get as far as it can.
async fn settle<P: Peer>() {
    for _ in 0..100 {
        yield_now().await;
    }
    // On another worker things may take longer. Nothing depends on it but the exactness.
    P::spawn(async { yield_now().await }).await;
}

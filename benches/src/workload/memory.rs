//! What things cost while nothing happens. Who can run which is in the files of the things.

use crate::cli::Plan;
use crate::load::{self, Clients, Job, Kind};
use crate::meter::{Held, Sample};
use crate::peer::{Peer, Pipes, Sockets, Stream, Timers, Transport};
use crate::workload::pipes::CAPACITY;
use crate::workload::sockets::{Bind, MESSAGE};
use crate::workload::tasks::{Open, yield_now};
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::{Duration, Instant};

/// Tasks that wait for nothing.
pub async fn tasks<P: Peer>(count: usize) -> Sample {
    static STARTED: Open = Open::new();
    STARTED.expect(count);
    let held = Held::count();
    for _ in 0..count {
        let task = P::spawn(poll_fn(|_| {
            STARTED.done();
            Poll::<()>::Pending
        }));
        // Some give up a task that nobody can wake and nobody waits for.
        std::mem::forget(task);
    }
    STARTED.all_done().await;
    held.sample(count)
}

/// Tasks that sleep for longer than this takes.
pub async fn sleeping<P: Timers>(count: usize) -> Sample {
    static STARTED: Open = Open::new();
    STARTED.expect(count);
    let deadline = Instant::now() + Duration::from_secs(3600);
    let held = Held::count();
    for _ in 0..count {
        P::spawn_detached(async move {
            // The sleep begins in the same poll.
            STARTED.done();
            P::sleep_until(deadline).await;
        });
    }
    STARTED.all_done().await;
    held.sample(count)
}

/// Connections whose clients are silent, and a task that reads from each.
pub async fn connections<P: Sockets>(count: usize) -> Sample {
    // The first ones fill what grows once.
    let first = count / 10;
    let mut silent = Silent::<P>::listen(count);
    silent.accept(first).await;
    settle::<P>().await;
    let held = Held::count();
    silent.accept(count - first).await;
    settle::<P>().await;
    held.sample(count - first)
}

/// A server whose clients connect and say nothing.
pub struct Silent<P: Sockets> {
    listener: <P::Tcp as Transport>::Listener,
    _clients: Clients,
}

impl<P: Sockets> Silent<P> {
    pub fn listen(count: usize) -> Self {
        load::allow_many_files();
        let (listener, address) = Bind::bind();
        let listener = P::Tcp::listen(listener).expect("the runtime takes the socket");
        let job = Job { kind: Kind::Idle, connections: count, apart: false, address };
        // They have no plan.
        Self { listener, _clients: Clients::start(&job, Plan { quick: false }) }
    }

    pub async fn accept(&mut self, count: usize) {
        for _ in 0..count {
            let socket = P::Tcp::accept(&mut self.listener).await.expect("the clients connect");
            P::spawn_detached(P::Tcp::echo::<MESSAGE>(socket));
        }
    }
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
pub async fn settle<P: Peer>() {
    for _ in 0..100 {
        yield_now().await;
    }
    // On another worker things may take longer. Nothing depends on it but the exactness.
    P::spawn(async { yield_now().await }).await;
}

//! What sockets cost in memory, counted by the allocator of this binary.
//!
//! One test function, as `counting.rs` says.
#![cfg(unix)]

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use runtime::io::{Read, Write};
use runtime::net::UnixStream;
use runtime_tests::counting::{Counting, calls, live_here as live};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// As many as fill the driver's table to the last place.
const STREAMS: usize = 256;

#[test]
fn sockets_cost_what_they_promise() {
    let runtime = runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        idle_connections_cost_130_bytes_each().await;
        messages_allocate_nothing().await;
    });
}

async fn idle_connections_cost_130_bytes_each() {
    let mut streams = Vec::with_capacity(STREAMS);
    let before = live();
    while streams.len() < STREAMS {
        let (one, two) = UnixStream::pair().unwrap();
        streams.extend([one, two]);
    }
    for stream in &mut streams {
        assert!(stream.try_read(&mut [0; 64]).is_err());
        waits(stream.readable()).await;
        waits(stream.read(&mut [0; 64])).await;
    }
    let each = (live() - before) as usize / STREAMS;
    // mio's checks, which are there in debug builds only, are in place and not on the heap.
    let in_place = if cfg!(debug_assertions) { 16 } else { size_of::<UnixStream>() };
    assert!(each + in_place <= 130, "{each} bytes on the heap and {in_place} in the stream");
    drop(streams);
}

async fn messages_allocate_nothing() {
    let (mut one, mut two) = UnixStream::pair().unwrap();
    let mut buf = [0; 64];
    let mut before = 0;
    for round in 0..200 {
        if round == 100 {
            before = calls();
        }
        waits(two.read(&mut buf)).await;
        one.write_all(b"message").await.unwrap();
        two.readable().await.unwrap();
        assert_eq!(two.read(&mut buf).await.unwrap(), 7);
    }
    assert_eq!(calls() - before, 0, "allocations in 100 rounds");
}

/// Polls a future that has to wait and drops it.
async fn waits<F: Future>(future: F) {
    let mut future = pin!(future);
    poll_fn(|cx| {
        assert!(future.as_mut().poll(cx).is_pending());
        Poll::Ready(())
    })
    .await;
}

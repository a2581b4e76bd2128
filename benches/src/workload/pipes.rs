//! Bytes through pipes in memory.

use crate::cli::Plan;
use crate::meter::{Meter, Sample};
use crate::peer::{Pipes, Stream};
use crate::workload::memory;
use crate::workload::sockets::MESSAGE;
use bytes::Bytes;

/// What a pipe may hold.
pub const CAPACITY: usize = 64 * 1024;

pub fn run<P: Pipes>(workload: &str, plan: Plan) {
    let meter = Meter::new(plan);
    match workload {
        "duplex-16" => P::run(one_way::<P>(meter, 16)),
        "duplex-256" => P::run(one_way::<P>(meter, 256)),
        "duplex-4k" => P::run(one_way::<P>(meter, 4 * 1024)),
        "duplex-64k" => P::run(one_way::<P>(meter, 64 * 1024)),
        "duplex-64k-in-place" => P::run(in_place::<P>(meter)),
        "duplex-64k-bytes" => P::run(handed_over::<P>(meter)),
        "duplex-pingpong" => P::run(there_and_back::<P>(meter)),
        "memory-duplex" => P::run(memory::duplex::<P>(plan.held(100_000), false)),
        "memory-duplex-used" => P::run(memory::duplex::<P>(plan.held(100_000), true)),
        _ => {}
    }
}

/// A task writes chunks, this one reads them with a buffer of the same size.
async fn one_way<P: Pipes>(mut meter: Meter, chunk: usize) -> Sample {
    let (mut here, mut there) = P::duplex(CAPACITY);
    let writer = P::spawn(async move {
        let bytes = vec![7; chunk];
        // Until the reader has enough and goes.
        while there.write_all(&bytes).await.is_ok() {}
    });
    let mut buffer = vec![0; chunk];
    let chunks = (1024 * 1024 / chunk).clamp(16, 4096);
    while meter.goes_on() {
        let mut missing = chunks * chunk;
        while missing > 0 {
            let read = here.read(&mut buffer[..chunk.min(missing)]).await;
            missing -= read.expect("the writer is there");
        }
        meter.add(chunks as u64);
    }
    let sample = meter.sample();
    assert!(buffer.iter().all(|&byte| byte == 7));
    drop(here);
    writer.await;
    sample
}

const LARGE: usize = 64 * 1024;

/// As [`one_way`], but the reader does not want a copy.
async fn in_place<P: Pipes>(mut meter: Meter) -> Sample {
    let (mut here, mut there) = P::duplex(CAPACITY);
    let writer = P::spawn(async move {
        let bytes = vec![7; LARGE];
        while there.write_all(&bytes).await.is_ok() {}
    });
    let mut buffer = vec![0; LARGE];
    let mut bytes = 0;
    while meter.goes_on() {
        while bytes < 16 * LARGE {
            let read = P::read_in_place(&mut here, &mut buffer).await;
            bytes += read.expect("the writer is there");
        }
        meter.add((bytes / LARGE) as u64);
        bytes %= LARGE;
    }
    let sample = meter.sample();
    drop(here);
    writer.await;
    sample
}

/// As [`one_way`], but the writer has `Bytes` and the reader wants them.
async fn handed_over<P: Pipes>(mut meter: Meter) -> Sample {
    let (mut here, mut there) = P::duplex(CAPACITY);
    let writer = P::spawn(async move {
        let bytes = Bytes::from(vec![7; LARGE]);
        while P::write_bytes(&mut there, bytes.clone()).await.is_ok() {}
    });
    let mut buffer = vec![0; LARGE];
    let mut bytes = 0;
    while meter.goes_on() {
        while bytes < 16 * LARGE {
            let read = P::read_bytes(&mut here, &mut buffer).await;
            bytes += read.expect("the writer is there");
        }
        meter.add((bytes / LARGE) as u64);
        bytes %= LARGE;
    }
    let sample = meter.sample();
    drop(here);
    writer.await;
    sample
}

async fn there_and_back<P: Pipes>(mut meter: Meter) -> Sample {
    let (mut here, there) = P::duplex(CAPACITY);
    let echo = P::spawn(echo::<MESSAGE>(there));
    while meter.goes_on() {
        bounce(&mut here, 1000).await;
        meter.add(1000);
    }
    let sample = meter.sample();
    drop(here);
    echo.await;
    sample
}

/// Sends a message to an echo and waits for all of it, again and again.
pub async fn bounce(stream: &mut impl Stream, times: usize) {
    let mut message = [7; MESSAGE];
    for _ in 0..times {
        stream.write_all(&message).await.expect("the echo is there");
        let mut read = 0;
        while read < message.len() {
            read += stream.read(&mut message[read..]).await.expect("the echo is there");
        }
    }
    assert_eq!(message, [7; MESSAGE]);
}

/// Sends back what comes, with a buffer of `N` bytes, until nothing comes.
pub async fn echo<const N: usize>(mut stream: impl Stream) {
    let mut buffer = [0; N];
    loop {
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(read) => {
                if stream.write_all(&buffer[..read]).await.is_err() {
                    return;
                }
            }
        }
    }
}

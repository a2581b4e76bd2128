//! Bytes through pipes in memory.

use crate::cli::Plan;
use crate::meter::{Meter, Sample};
use crate::peer::{Pipes, Stream};
use crate::workload::memory;

/// What a pipe may hold.
pub const CAPACITY: usize = 64 * 1024;

pub fn run<P: Pipes>(workload: &str, plan: Plan) -> Option<Sample> {
    let meter = Meter::new(plan);
    Some(match workload {
        "duplex-16" => P::run(one_way::<P>(meter, 16)),
        "duplex-256" => P::run(one_way::<P>(meter, 256)),
        "duplex-4k" => P::run(one_way::<P>(meter, 4 * 1024)),
        "duplex-64k" => P::run(one_way::<P>(meter, 64 * 1024)),
        "duplex-pingpong" => P::run(there_and_back::<P>(meter)),
        "memory-duplex" => P::run(memory::duplex::<P>(plan.held(100_000), false)),
        "memory-duplex-used" => P::run(memory::duplex::<P>(plan.held(100_000), true)),
        _ => return None,
    })
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

async fn there_and_back<P: Pipes>(mut meter: Meter) -> Sample {
    let (mut here, there) = P::duplex(CAPACITY);
    let echo = P::spawn(echo(there));
    let mut message = [7; 64];
    while meter.goes_on() {
        for _ in 0..1000 {
            here.write_all(&message).await.expect("the echo is there");
            let mut read = 0;
            while read < message.len() {
                read += here.read(&mut message[read..]).await.expect("the echo is there");
            }
        }
        meter.add(1000);
    }
    let sample = meter.sample();
    assert_eq!(message, [7; 64]);
    drop(here);
    echo.await;
    sample
}

/// Sends back what comes, until nothing comes.
pub async fn echo(mut stream: impl Stream) {
    let mut buffer = [0; 64];
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

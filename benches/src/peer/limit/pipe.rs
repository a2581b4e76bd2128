//! A pipe as one would write it in ten minutes: a queue in a mutex, and who waits for it.

use crate::peer::Stream;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};

pub struct End {
    incoming: Arc<Mutex<Lane>>,
    outgoing: Arc<Mutex<Lane>>,
}

#[derive(Default)]
struct Lane {
    bytes: VecDeque<u8>,
    capacity: usize,
    closed: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

pub fn duplex(capacity: usize) -> (End, End) {
    let lane = || Arc::new(Mutex::new(Lane { capacity, ..Lane::default() }));
    let (one, other) = (lane(), lane());
    (End { incoming: one.clone(), outgoing: other.clone() }, End { incoming: other, outgoing: one })
}

impl Stream for End {
    async fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        poll_fn(|cx| {
            let mut lane = self.incoming.lock().expect("no panic");
            let read = lane.bytes.read(buffer)?;
            if read == 0 && !lane.closed {
                lane.reader = Some(cx.waker().clone());
                return Poll::Pending;
            }
            let writer = lane.writer.take();
            drop(lane);
            writer.into_iter().for_each(Waker::wake);
            Poll::Ready(Ok(read))
        })
        .await
    }

    async fn write_all(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        poll_fn(|cx| {
            let mut lane = self.outgoing.lock().expect("no panic");
            if lane.closed {
                return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
            }
            let fitting = bytes.len().min(lane.capacity - lane.bytes.len());
            lane.bytes.write_all(&bytes[..fitting])?;
            bytes = &bytes[fitting..];
            let poll = if bytes.is_empty() {
                Poll::Ready(Ok(()))
            } else {
                lane.writer = Some(cx.waker().clone());
                Poll::Pending
            };
            let reader = if fitting > 0 { lane.reader.take() } else { None };
            drop(lane);
            reader.into_iter().for_each(Waker::wake);
            poll
        })
        .await
    }
}

impl Drop for End {
    fn drop(&mut self) {
        for lane in [&self.incoming, &self.outgoing] {
            let mut lane = lane.lock().expect("no panic");
            lane.closed = true;
            let waiting = [lane.reader.take(), lane.writer.take()];
            drop(lane);
            waiting.into_iter().flatten().for_each(Waker::wake);
        }
    }
}

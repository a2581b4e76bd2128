//! A stream in memory as a user of the crate might write it: a queue of bytes behind a mutex each
//! way. Not fast and not meant to be; it shows what a leaf has to do by hand (`Ready`, `ReadyRead`,
//! `ReadyWrite`) and that the rest comes in one line.
//!
//! A [`Loopback`] reads from one queue and writes to the other. Who waits leaves its waker in the
//! queue; whoever changes the queue takes it out and wakes it after unlocking.

use runtime::io::{
    BorrowedCursor, Interest, NonBlocking, Readiness, Ready, ReadyRead, ReadyWrite, leaf_io,
};
use runtime::task::coop;
use std::collections::VecDeque;
use std::io::{ErrorKind, Result};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker, ready};

/// One end of a connection in memory.
#[derive(Debug)]
pub struct Loopback {
    input: Arc<Mutex<Queue>>,
    output: Arc<Mutex<Queue>>,
}

/// Connects two ends that hold `capacity` bytes each way.
pub fn loopback(capacity: usize) -> (Loopback, Loopback) {
    let queue = || Arc::new(Mutex::new(Queue { capacity, ..Queue::default() }));
    let (there, back) = (queue(), queue());
    let left = Loopback { input: Arc::clone(&back), output: Arc::clone(&there) };
    (left, Loopback { input: there, output: back })
}

#[derive(Debug, Default)]
struct Queue {
    bytes: VecDeque<u8>,
    capacity: usize,
    writer_closed: bool,
    reader_closed: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl Loopback {
    fn readable(&self) -> Readiness {
        let queue = self.input.lock().unwrap();
        let mut readiness = Readiness::EMPTY;
        if !queue.bytes.is_empty() || queue.writer_closed {
            readiness |= Readiness::READ;
        }
        if queue.writer_closed {
            readiness |= Readiness::HUP;
        }
        readiness
    }

    fn writable(&self) -> Readiness {
        let queue = self.output.lock().unwrap();
        let closed = queue.writer_closed || queue.reader_closed;
        if closed || queue.bytes.len() < queue.capacity {
            Readiness::WRITE
        } else {
            Readiness::EMPTY
        }
    }

    fn readiness(&self, interest: Interest) -> Readiness {
        let mut readiness = Readiness::EMPTY;
        if interest.is_readable() {
            readiness |= self.readable();
        }
        if interest.is_writable() {
            readiness |= self.writable();
        }
        readiness
    }
}

impl Ready for Loopback {
    fn poll_ready(&mut self, cx: &mut Context<'_>, interest: Interest) -> Poll<Result<Readiness>> {
        // The budget: asked before, charged when it goes on.
        let ticket = ready!(coop::poll_proceed(cx));
        if interest.is_readable() {
            let newest = Some(cx.waker().clone());
            let replaced = std::mem::replace(&mut self.input.lock().unwrap().reader, newest);
            drop(replaced);
        }
        if interest.is_writable() {
            let newest = Some(cx.waker().clone());
            let replaced = std::mem::replace(&mut self.output.lock().unwrap().writer, newest);
            drop(replaced);
        }
        // Only now, so that what happens before we look is seen and what happens after wakes us.
        match self.readiness(interest) {
            Readiness::EMPTY => Poll::Pending,
            readiness => {
                ticket.made_progress();
                Poll::Ready(Ok(readiness))
            }
        }
    }
}

impl ReadyRead for Loopback {
    fn non_blocking_read(&mut self, mut buf: BorrowedCursor<'_>) -> Result<NonBlocking<()>> {
        let mut queue = self.input.lock().unwrap();
        if buf.capacity() > 0 && queue.bytes.is_empty() && !queue.writer_closed {
            return Ok(NonBlocking::WouldBlock);
        }
        let n = buf.append_some(queue.bytes.as_slices().0);
        queue.bytes.drain(..n);
        let writer = queue.writer.take();
        drop(queue);
        writer.inspect(Waker::wake_by_ref);
        Ok(NonBlocking::Ready(()))
    }
}

impl ReadyWrite for Loopback {
    fn non_blocking_write(&mut self, buf: &[u8]) -> Result<NonBlocking<usize>> {
        let mut queue = self.output.lock().unwrap();
        if queue.writer_closed || queue.reader_closed {
            return Err(ErrorKind::BrokenPipe.into());
        }
        let n = buf.len().min(queue.capacity - queue.bytes.len());
        if n == 0 {
            let full = if buf.is_empty() { NonBlocking::Ready(0) } else { NonBlocking::WouldBlock };
            return Ok(full);
        }
        queue.bytes.extend(&buf[..n]);
        let reader = queue.reader.take();
        drop(queue);
        reader.inspect(Waker::wake_by_ref);
        Ok(NonBlocking::Ready(n))
    }

    fn non_blocking_shutdown(&mut self) -> Result<NonBlocking<()>> {
        let mut queue = self.output.lock().unwrap();
        queue.writer_closed = true;
        let reader = queue.reader.take();
        drop(queue);
        reader.inspect(Waker::wake_by_ref);
        Ok(NonBlocking::Ready(()))
    }
}

leaf_io!(impl Stream for Loopback);

impl Drop for Loopback {
    fn drop(&mut self) {
        let _ = self.non_blocking_shutdown();
        let mut queue = self.input.lock().unwrap();
        queue.reader_closed = true;
        let writer = queue.writer.take();
        drop(queue);
        writer.inspect(Waker::wake_by_ref);
    }
}

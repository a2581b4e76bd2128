//! Tests of the traits and adapters against readers and writers that misbehave.

mod adapters;
mod buffers;
mod copying;
mod liars;
mod memory;
mod owned;
mod provided;
mod seeking;

use super::{BorrowedCursor, Interest, Read, Write};
use futures::executor::block_on;
use std::collections::VecDeque;
use std::io::{Error, ErrorKind, Result};

/// A reader that plays a script, one step a call, and then has ended. It has no readiness form.
struct Script(VecDeque<Result<Vec<u8>>>);

/// `!` is an interruption, `#` an error, all else is data.
fn script(steps: &[&str]) -> Script {
    let step = |step: &&str| match *step {
        "!" => Err(ErrorKind::Interrupted.into()),
        "#" => Err(Error::other("broken")),
        data => Ok(data.as_bytes().to_vec()),
    };
    Script(steps.iter().map(step).collect())
}

impl Read for Script {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize> {
        let Some(step) = self.0.pop_front() else { return Ok(0) };
        let mut data = step?;
        let n = data.len().min(buf.len());
        buf[..n].copy_from_slice(&data[..n]);
        if n < data.len() {
            self.0.push_front(Ok(data.split_off(n)));
        }
        Ok(n)
    }
}

/// Takes at most so many bytes a call, and is interrupted before each.
struct Slow {
    taken: Vec<u8>,
    step: usize,
    interrupted: bool,
}

fn slow(step: usize) -> Slow {
    Slow { taken: Vec::new(), step, interrupted: false }
}

impl Slow {
    fn interrupt(&mut self) -> Result<()> {
        self.interrupted = !self.interrupted;
        if self.interrupted { Err(ErrorKind::Interrupted.into()) } else { Ok(()) }
    }
}

impl Write for Slow {
    async fn write(&mut self, buf: &[u8]) -> Result<usize> {
        self.interrupt()?;
        let n = self.step.min(buf.len());
        self.taken.extend_from_slice(&buf[..n]);
        Ok(n)
    }

    async fn flush(&mut self) -> Result<()> {
        self.interrupt()
    }

    async fn shutdown(&mut self) -> Result<()> {
        Ok(())
    }
}

//! Listening in memory: [`PipeListener`] is a [`Listener`] like those of TCP and Unix sockets. The
//! type itself is of `pipe`, which knows no network.

use std::io;

use super::Listener;
use crate::pipe::{DuplexStream, PipeListener};

impl Listener for PipeListener {
    type Io = DuplexStream;
    /// There is nothing to tell one connection from another.
    type Addr = ();

    async fn accept(&mut self) -> io::Result<(DuplexStream, ())> {
        Ok((PipeListener::accept(self).await?, ()))
    }

    fn local_addr(&self) -> io::Result<()> {
        Ok(())
    }
}

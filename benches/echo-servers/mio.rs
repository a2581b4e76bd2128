//! A minimal echo server on bare mio: one thread, one loop. A client that does not read loses bytes;
//! a real server would keep them.

use std::collections::HashMap;
use std::io::{ErrorKind, Read, Result, Write};

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

const LISTENER: Token = Token(usize::MAX);

fn main() -> Result<()> {
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(256);
    let mut listener = TcpListener::bind("127.0.0.1:7000".parse().unwrap())?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    let mut streams = HashMap::new();
    let mut next = 0;
    loop {
        poll.poll(&mut events, None)?;
        for event in &events {
            let token = event.token();
            if token == LISTENER {
                while let Ok((mut stream, _)) = listener.accept() {
                    poll.registry().register(&mut stream, Token(next), Interest::READABLE)?;
                    streams.insert(Token(next), stream);
                    next += 1;
                }
            } else if streams.get_mut(&token).is_some_and(|stream| !echo(stream)) {
                streams.remove(&token);
            }
        }
    }
}

/// Sends back what is there; `false` at the end.
fn echo(stream: &mut TcpStream) -> bool {
    let mut buffer = [0; 1024];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return false,
            Ok(read) if stream.write_all(&buffer[..read]).is_ok() => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return true,
            _ => return false,
        }
    }
}

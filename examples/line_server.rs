//! A server of lines that runs unchanged over TCP, over Unix sockets and over pipes in memory.
//!
//! ```text
//! cargo run --example line_server
//! ```
//!
//! [`serve`] is the server: it knows `Read` and `Write` and nothing of transports. While a client is
//! silent it holds no buffer for it, and no client can make it hold more than [`LONGEST`] bytes.

use runtime::io::{BufRead, BufReader, Read, Write, duplex};
use runtime::net::{Listener, TcpListener, TcpStream};
use std::io;

/// The longest line that is answered.
const LONGEST: usize = 8 * 1024;

/// Answers every line with the same in capitals, until the client has finished.
async fn serve(stream: impl Read + Write) -> io::Result<()> {
    let mut lines = BufReader::new(stream).lines().limit(LONGEST);
    while let Some(line) = lines.next_line().await? {
        let answer = line.to_uppercase() + "\n";
        lines.get_mut().write_all(answer.as_bytes()).await?;
    }
    lines.get_mut().shutdown().await
}

/// Gives every connection a task.
async fn accept(mut listener: impl Listener) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        runtime::spawn(async move {
            if let Err(error) = serve(stream).await {
                eprintln!("a connection ended early: {error}");
            }
        });
    }
}

/// Says hello and returns the answer.
async fn hello(mut stream: impl Read + Write, from: &str) -> io::Result<String> {
    stream.write_all(format!("hello over {from}\n").as_bytes()).await?;
    stream.shutdown().await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

#[runtime::main]
async fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    runtime::spawn(accept(listener));
    print!("{}", hello(TcpStream::connect(address).await?, "tcp").await?);

    #[cfg(unix)]
    {
        let (client, server) = runtime::net::UnixStream::pair()?;
        runtime::spawn(serve(server));
        print!("{}", hello(client, "a unix socket").await?);
    }

    let (client, server) = duplex(1024);
    runtime::spawn(serve(server));
    print!("{}", hello(client, "a pipe").await?);
    Ok(())
}

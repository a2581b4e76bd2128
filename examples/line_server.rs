//! A server of lines that runs unchanged over TCP, over Unix sockets and over pipes in memory.
//!
//! ```text
//! cargo run --example line_server
//! ```
//!
//! [`serve`] is the server: it knows `Read` and `Write` and nothing of transports. While a client is
//! silent it holds no buffer for it, and no client can make it hold more than [`LONGEST`] bytes.

use runtime::io::{BufRead, BufReader, Read, Write};
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

/// Says hello and checks the answer.
async fn hello(mut stream: impl Read + Write, from: &str) -> io::Result<()> {
    stream.write_all(format!("hello over {from}\n").as_bytes()).await?;
    stream.shutdown().await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    assert_eq!(answer, format!("HELLO OVER {}\n", from.to_uppercase()));
    print!("{answer}");
    Ok(())
}

#[runtime::main]
async fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    runtime::spawn(accept(listener));
    hello(TcpStream::connect(address).await?, "tcp").await?;

    #[cfg(unix)]
    {
        let path = std::env::temp_dir().join(format!("line-server-{}.sock", std::process::id()));
        runtime::spawn(accept(runtime::net::UnixListener::bind(&path)?));
        let stream = runtime::net::UnixStream::connect(&path).await;
        std::fs::remove_file(&path)?;
        hello(stream?, "a unix socket").await?;
    }

    let (listener, connector) = runtime::pipe::listen();
    let server = runtime::spawn(accept(listener));
    hello(connector.connect().await?, "a pipe").await?;
    // In memory a server knows when nobody can come any more.
    drop(connector);
    let ended = server.await?.expect_err("only an error ends it");
    assert_eq!(ended.kind(), io::ErrorKind::BrokenPipe);
    Ok(())
}

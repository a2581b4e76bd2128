//! A server, tested without a socket.
//!
//! ```text
//! cargo run --example pipe_instead_of_socket
//! ```
//!
//! A protocol handler that is generic over its stream takes a pipe in memory as well as a socket: no
//! port that may be taken, no firewall, nothing left behind. The test below is what one would put
//! under `#[runtime::test]`; here `main` runs it and prints what went over the pipe, including an
//! end of the input that comes in the middle of a line.

use runtime::io::{self, DuplexStream, Read, Write};

/// Answers each line with the line in capitals, until there are no more.
async fn shout(mut stream: impl Read + Write) -> std::io::Result<()> {
    let mut pending = Vec::new();
    let mut buffer = [0; 1024];
    loop {
        let read = stream.read(&mut buffer).await?;
        pending.extend_from_slice(&buffer[..read]);
        while let Some(end) = pending.iter().position(|&byte| byte == b'\n') {
            let line: Vec<u8> = pending.drain(..=end).collect();
            stream.write_all(&line.to_ascii_uppercase()).await?;
        }
        if read == 0 {
            stream.write_all(b"GOODBYE\n").await?;
            return stream.shutdown().await;
        }
    }
}

#[runtime::main]
async fn main() -> std::io::Result<()> {
    // Eight bytes of room, so that both sides have to wait for each other.
    let (client, server) = io::duplex(8);
    let server = runtime::spawn(shout(server));

    let answer = converse(client, &["hello\n", "wor", "ld\n", "unfinished"]).await?;
    assert_eq!(answer, "HELLO\nWORLD\nGOODBYE\n");
    server.await.expect("the server does not panic")?;
    println!("The server kept its protocol, and no socket was opened.");
    Ok(())
}

/// Sends the pieces, ends the input and returns all that came back.
async fn converse(client: DuplexStream, pieces: &[&'static str]) -> std::io::Result<String> {
    let (mut reader, mut writer) = client.into_split();
    let pieces = pieces.to_vec();
    let sender = runtime::spawn(async move {
        for piece in pieces {
            println!("client: {piece:?}");
            writer.write_all(piece.as_bytes()).await?;
        }
        writer.shutdown().await // only this direction: answers still come
    });
    let mut answer = String::new();
    reader.read_to_string(&mut answer).await?;
    sender.await.expect("the sender does not panic")?;
    println!("server: {answer:?}");
    Ok(answer)
}

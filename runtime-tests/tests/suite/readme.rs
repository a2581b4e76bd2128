//! The README's handler and its test without a socket, and that they are what the README shows. (Its
//! other code blocks are doc tests.)

use runtime::io::{Read, Write};
use std::io;

/// Sends everything back. It does not know what it talks to.
async fn echo(mut stream: impl Read + Write) -> io::Result<()> {
    let mut buffer = [0; 1024];
    loop {
        match stream.read(&mut buffer).await? {
            0 => return stream.shutdown().await,
            read => stream.write_all(&buffer[..read]).await?,
        }
    }
}

#[runtime::test]
async fn echoes() {
    let (mut client, server) = runtime::io::duplex(64);
    runtime::spawn(echo(server));
    client.write_all(b"hello").await.unwrap();
    client.shutdown().await.unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.unwrap();
    assert_eq!(answer, "hello");
}

#[test]
fn the_readme_shows_this_code() {
    let readme = include_str!("../../../README.md");
    let here = include_str!("readme.rs");
    for start in ["/// Sends everything back.", "#[runtime::test]\nasync fn echoes"] {
        let code = |text: &'static str| {
            let from = &text[text.find(start).expect("it is in both")..];
            &from[..from.find("\n}\n").expect("a function ends")]
        };
        assert_eq!(code(readme), code(here));
    }
}

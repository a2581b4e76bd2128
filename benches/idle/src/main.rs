//! What a connection costs while it waits, in bytes: plain, with TLS and as a WebSocket, on this runtime
//! and on tokio.
//!
//! ```text
//! cargo run --release --manifest-path benches/idle/Cargo.toml [CONNECTIONS]    # 4000
//! ```
//!
//! Each row is a server in a process of its own, and its clients are another. Each client has said
//! something and heard it back, and both wait from then on. Heap is what the server's allocator was
//! asked for, resident memory what the system says; both for each connection after the first tenth,
//! which fills what grows once.
//!
//! The servers differ in nothing but what they are compared for. None has a buffer of its own while it
//! waits, as a program on tokio often does: here the crates are measured, and not the program.

mod client;
mod server;

use std::fmt::Display;
use std::process::Command;

#[global_allocator]
static ALLOCATOR: runtime_tests::counting::Counting = runtime_tests::counting::Counting;

/// What server and client speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    Plain,
    Tls,
    WebSocket,
}

/// One server.
struct Row {
    name: &'static str,
    protocol: Protocol,
    serve: fn(std::net::TcpListener),
}

const ROWS: [Row; 7] = [
    Row { name: "TCP, tokio", protocol: Protocol::Plain, serve: server::plain_on_tokio },
    Row { name: "TCP, runtime", protocol: Protocol::Plain, serve: server::plain_on_runtime },
    Row { name: "tokio-rustls, tokio", protocol: Protocol::Tls, serve: server::tls_on_tokio },
    Row { name: "tokio-rustls, runtime", protocol: Protocol::Tls, serve: server::tls_on_runtime },
    Row { name: "rustls, runtime", protocol: Protocol::Tls, serve: server::tls_natively },
    Row {
        name: "tokio-tungstenite, tokio",
        protocol: Protocol::WebSocket,
        serve: server::socket_on_tokio,
    },
    Row {
        name: "tokio-tungstenite, runtime",
        protocol: Protocol::WebSocket,
        serve: server::socket_on_runtime,
    },
];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize| arguments.get(at).map(|text| text.parse().expect("a number"));
    match arguments.first().map(String::as_str) {
        Some("server") => server::run(number(1).expect("a row"), number(2).expect("a count")),
        Some("client") => client::run(
            ROWS[number(1).expect("a row")].protocol,
            &arguments[2],
            number(3).expect("a count"),
        ),
        _ => {
            let count = number(0).unwrap_or(4000);
            println!("{:<28} {:>8} {:>8}   bytes for each of {count}", "", "heap", "resident");
            for row in 0..ROWS.len() {
                let status = myself(&[&"server", &row, &count]).status().expect("it starts");
                assert!(status.success(), "{status}");
            }
        }
    }
}

/// This program with other arguments.
fn myself(arguments: &[&dyn Display]) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("a program knows its file"));
    command.args(arguments.iter().map(|argument| argument.to_string()));
    command
}

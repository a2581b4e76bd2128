//! Clients that check the answers: polite ones, rude ones, and one that never reads.
//!
//! They talk over pipes in memory, on a stopped clock: ten seconds pass when a client says so, and a
//! timeout is over as soon as nothing else can happen.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use runtime::io::{DuplexStream, Read, Write, duplex};
use runtime::time::{Instant, advance, timeout};

use crate::resp::LONGEST;
use crate::store::Store;

/// What is sent, and what must come back.
const TALKS: &[(&str, &str)] = &[
    ("*1\r\n$4\r\nPING\r\n", "+PONG\r\n"),
    ("ping\r\nPING hello\n\r\necho x\r\n", "+PONG\r\n$5\r\nhello\r\n$1\r\nx\r\n"),
    ("get nothing\r\nset a 1\r\nget a\r\n", "$-1\r\n+OK\r\n$1\r\n1\r\n"),
    ("*3\r\n$3\r\nSET\r\n$1\r\nb\r\n$4\r\n\r\n\0\r\r\nget b\r\n", "+OK\r\n$4\r\n\r\n\0\r\r\n"),
    ("mget a nothing a\r\n", "*3\r\n$1\r\n1\r\n$-1\r\n$1\r\n1\r\n"),
    ("incr a\r\nincr n\r\ndel a n nothing a\r\n", ":2\r\n:1\r\n:2\r\n"),
    (
        "set t x ex 10\r\nttl t\r\nset t x\r\nttl t\r\nttl nothing\r\n",
        "+OK\r\n:10\r\n+OK\r\n:-1\r\n:-2\r\n",
    ),
    (
        "expire t 5\r\nexpire nothing 5\r\nttl t\r\nexpire t -1\r\nget t\r\n",
        ":1\r\n:0\r\n:5\r\n:1\r\n$-1\r\n",
    ),
    ("config get save\r\ncommand docs\r\n", "*2\r\n$4\r\nsave\r\n$0\r\n\r\n*0\r\n"),
    ("*0\r\n*-1\r\nquit\r\nping\r\n", "+OK\r\n"),
    // Mistakes that the connection survives.
    ("get\r\nping\r\n", "-ERR wrong number of arguments for 'get' command\r\n+PONG\r\n"),
    ("b\x01\x02\r\nping\r\n", "-ERR unknown command 'b\\x01\\x02'\r\n+PONG\r\n"),
    ("set a b c\r\n", "-ERR syntax error\r\n"),
    ("set a b px 0\r\n", "-ERR invalid expire time in 'set' command\r\n"),
    ("set a b ex 9223372036854775807\r\n", "-ERR invalid expire time\r\n"),
    ("set a +1\r\nincr a\r\n", "+OK\r\n-ERR value is not an integer or out of range\r\n"),
    (
        "set a 9223372036854775807\r\nincr a\r\n",
        "+OK\r\n-ERR increment or decrement would overflow\r\n",
    ),
    // Mistakes after which nobody knows where a command begins.
    ("*1\r\n+4\r\nPING\r\nping\r\n", "-ERR Protocol error: expected '$', got '+'\r\n"),
    ("*2\r\n$3\r\nGET\r\n$536870912\r\nx", "-ERR Protocol error: invalid bulk length\r\n"),
    ("*1\r\n$-1\r\nping\r\n", "-ERR Protocol error: invalid bulk length\r\n"),
    ("*1\r\n$3\r\nPING\r\n", "-ERR Protocol error: a string is longer than announced\r\n"),
    ("*1000000000\r\n", "-ERR Protocol error: invalid multibulk length\r\n"),
    // Half a command, and gone.
    ("ping\r\n*2\r\n$3\r\nGET\r\n$10\r\nhal", "+PONG\r\n"),
];

pub(crate) async fn run() -> io::Result<()> {
    // All at once, and in the smallest pieces that a network can make of it.
    for piece in [usize::MAX, 1] {
        let store = Arc::default();
        for (sent, expected) in TALKS {
            let answer = talk(&store, sent.as_bytes().chunks(piece)).await?;
            assert_eq!(String::from_utf8_lossy(&answer), *expected);
        }
    }
    println!("{} talks: every answer was right", TALKS.len());

    let store = Arc::default();
    let answer = talk(&store, ["incr many\r\n".repeat(10_000).as_bytes()]).await?;
    assert!(answer.ends_with(b":9999\r\n:10000\r\n"));
    println!("10000 commands at once: {} bytes of answers", answer.len());

    let endless = vec![b'x'; 4 * LONGEST];
    let answer = talk(&store, endless.chunks(1000)).await?;
    assert_eq!(answer, b"-ERR Protocol error: too big inline request\r\n");
    println!("an endless line: was refused");

    talk(&store, [&b"set soon gone ex 10\r\nset later gone ex 11\r\n"[..]]).await?;
    advance(Duration::from_secs(10)).await;
    assert_eq!(talk(&store, [&b"get soon\r\nget later\r\n"[..]]).await?, b"$-1\r\n$4\r\ngone\r\n");
    store.lock().unwrap().sweep(Instant::now() + Duration::from_secs(1));
    println!("time to live: over in time");

    deaf(&store).await
}

fn connect(store: &Arc<Mutex<Store>>) -> DuplexStream {
    let (client, server) = duplex(64 * 1024);
    runtime::spawn(crate::serve(server, Arc::clone(store)));
    client
}

/// Sends these pieces and returns all that comes back.
async fn talk<'a>(
    store: &Arc<Mutex<Store>>,
    pieces: impl IntoIterator<Item = &'a [u8], IntoIter: Send>,
) -> io::Result<Vec<u8>> {
    let (mut read, mut write) = runtime::io::split(connect(store));
    let pieces = pieces.into_iter();
    let send = async {
        for piece in pieces {
            write.write_all(piece).await?;
            runtime::task::yield_now().await;
        }
        write.shutdown().await
    };
    let mut answer = Vec::new();
    // A server that has refused does not take the rest.
    let (_, read) = futures::future::join(send, read.read_to_end(&mut answer)).await;
    read.map(|_| answer)
}

/// Asks for a large value again and again and never reads an answer: it must not be listened to.
async fn deaf(store: &Arc<Mutex<Store>>) -> io::Result<()> {
    store.lock().unwrap().set(b"large", &vec![0; LONGEST], None);
    let mut client = connect(store);
    let mut taken = 0;
    while let Ok(written) = timeout(Duration::from_secs(10), client.write(b"get large\r\n")).await {
        taken += written?;
        assert!(taken < 1024 * 1024, "the server listens to one that does not");
    }
    println!("a client that does not read: after {taken} bytes it is not listened to");
    Ok(())
}

//! Futures that are dropped where there is more than a stream to lose: positions, chunks, connections.

use super::*;
use bytes::Bytes;
use runtime::io::{DuplexStream, ReadAt, Seek, WriteAt, duplex};
use runtime::net::{TcpListener, TcpStream};
use runtime::pipe::listen;
use runtime::task::yield_now;
use std::io::{Cursor, SeekFrom};

/// A stream with a position, which it moves in one step after it has halted.
struct Positioned(Halting);

impl Read for Positioned {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize> {
        self.0.read(buf).await
    }
}

impl Seek for Positioned {
    async fn seek(&mut self, position: SeekFrom) -> Result<u64> {
        self.0.ready(Interest::READ).await?;
        let mut cursor = Cursor::new(&self.0.input);
        cursor.set_position(self.0.at as u64);
        let at = std::io::Seek::seek(&mut cursor, position)?;
        self.0.at = at as usize;
        Ok(at)
    }
}

/// Where it should be is kept by the user, who trusts a move only when it has returned.
#[test]
fn a_buffered_reader_is_where_it_was_until_a_move_has_returned() {
    /// The reader, its position, which move is next, and whether it has read since the last.
    type State = (BufReader<Positioned>, u64, usize, bool);
    at_every_poll(
        || (BufReader::with_capacity(16, Positioned(halting(text()))), 0, 0, false),
        async |(reader, at, moves, has_read): &mut State| {
            assert_eq!(reader.get_ref().0.at - reader.buffer().len(), *at as usize);
            if !*has_read {
                let shown = reader.fill_buf().await.unwrap();
                assert!(text()[*at as usize..].starts_with(shown) && !shown.is_empty());
                reader.consume(1);
                *at += 1;
                *has_read = true;
            }
            *at = match *moves % 7 {
                0 => reader.seek(SeekFrom::Start(100)).await.unwrap(),
                1 => reader.seek(SeekFrom::Current(11)).await.unwrap(),
                2 => reader.seek(SeekFrom::End(-80)).await.unwrap(),
                3 => reader.rewind().await.map(|()| 0).unwrap(),
                4 => reader.seek_relative(7).await.map(|()| *at + 7).unwrap(),
                5 => reader.seek_relative(90).await.map(|()| *at + 90).unwrap(),
                _ => reader.stream_position().await.unwrap(),
            };
            (*moves, *has_read) = (*moves + 1, false);
            *moves == 14
        },
        |_, _| (),
    );
}

/// Memory that is read and written in small pieces, each after a halt.
struct Slow(Vec<u8>);

async fn halt() {
    let mut has_halted = false;
    std::future::poll_fn(|_| match replace(&mut has_halted, true) {
        true => Poll::Ready(()),
        false => Poll::Pending,
    })
    .await;
}

impl ReadAt for Slow {
    async fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<usize> {
        halt().await;
        let n = buf.len().min(7);
        (&self.0[..]).read_at(&mut buf[..n], offset).await
    }
}

impl WriteAt for Slow {
    async fn write_at(&mut self, buf: &[u8], offset: u64) -> Result<usize> {
        halt().await;
        self.0.write_at(&buf[..buf.len().min(7)], offset).await
    }
}

#[test]
fn the_same_call_at_an_offset_starts_over() {
    let text = text();
    for polls in 1..30 {
        let mut memory = Slow(vec![0; 540]);
        let _ = poll_and_drop(polls, memory.write_all_at(&text[40..140], 40));
        assert!(poll_and_drop(100, memory.write_all_at(&text[40..140], 40)).unwrap().is_ok());
        let mut buf = [0; 100];
        let _ = poll_and_drop(polls, memory.read_exact_at(&mut buf, 40));
        assert!(poll_and_drop(100, memory.read_exact_at(&mut buf, 40)).unwrap().is_ok());
        assert!(buf == text[40..140] && memory.0[140..].iter().all(|byte| *byte == 0));
    }
}

/// Chunks and bytes by turns through a pipe that is always full or empty, with both futures dropped.
#[test]
fn chunks_that_wait_lose_nothing() {
    // Only large chunks are handed over as they are, small ones are copied.
    for (polls, capacity, pieces) in [(1, 1, 1), (1, 13, 1), (2, 5, 1), (1, 10_000, 100)] {
        let text = text().repeat(pieces);
        let (mut left, mut right) = duplex(capacity);
        let (mut chunk, mut written, mut read) = (Bytes::from(text.clone()), 0, Vec::<u8>::new());
        for step in 0.. {
            assert!(step < 100_000, "it gets nowhere");
            let before = chunk.len();
            match step % 3 {
                0 if !chunk.is_empty() => {
                    let some = chunk.len().min(2);
                    let wrote = poll_and_drop(polls, left.write(&chunk[..some]));
                    chunk = chunk.slice(wrote.map_or(0, |n| n.unwrap())..);
                }
                _ => drop(poll_and_drop(polls, left.write_bytes(&mut chunk))),
            }
            written += before - chunk.len();
            if chunk.is_empty() {
                let _ = poll_and_drop(polls, left.shutdown());
            }
            let was_read = match step % 2 {
                0 => poll_and_drop(polls, right.read_bytes(9 * pieces))
                    .map(|bytes| bytes.unwrap().to_vec()),
                _ => {
                    let mut buf = [0; 4];
                    let n = poll_and_drop(polls, right.read(&mut buf));
                    n.map(|n| buf[..n.unwrap()].to_vec())
                }
            };
            read.extend(was_read.iter().flatten());
            assert_eq!(written - read.len(), right.len(), "what is under way");
            if was_read.is_some_and(|bytes| bytes.is_empty()) {
                break;
            }
        }
        assert!(read == text, "capacity {capacity}");
    }
}

#[test]
fn connections_in_memory_are_accepted_once_or_not_made() {
    let (mut listener, connector) = listen();
    let (mut clients, mut servers): (Vec<DuplexStream>, Vec<DuplexStream>) = Default::default();
    // More than wait at once, so that connects are dropped in the queue as well.
    for attempt in 0..600 {
        if let Some(client) = poll_and_drop(1, connector.connect()) {
            clients.push(client.unwrap());
        }
        if attempt % 3 == 0 {
            servers.extend(poll_and_drop(1, listener.accept()).map(|server| server.unwrap()));
        }
    }
    while let Some(server) = poll_and_drop(1, listener.accept()) {
        servers.push(server.unwrap());
    }
    assert!(clients.len() > 200 && clients.len() == servers.len());
    for (client, server) in clients.iter_mut().zip(&mut servers) {
        client.try_write(b"it is me").unwrap();
        assert_eq!(server.len(), 8, "in the order in which they came");
    }
}

#[runtime::test]
async fn sockets_lose_neither_connections_nor_bytes() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut clients = Vec::new();
    for _ in 0..20 {
        clients.push(TcpStream::connect(address).await.unwrap());
    }
    let mut servers = Vec::new();
    while servers.len() < clients.len() {
        match poll_and_drop(1, listener.accept()) {
            Some(accepted) => servers.push(accepted.unwrap()),
            None => yield_now().await,
        }
    }

    let (server, _) = servers.pop().unwrap();
    let mut client = clients
        .into_iter()
        .find(|client| client.local_addr().unwrap() == server.peer_addr().unwrap())
        .unwrap();
    client.write_all(&text()).await.unwrap();
    client.shutdown().await.unwrap();
    let mut read = Vec::new();
    for step in 0.. {
        let (mut buf, mut shown) = ([0; 7], [0; 5]);
        let n = match step % 4 {
            0 => poll_and_drop(1, server.readable()).map(|_| None),
            1 => poll_and_drop(1, server.peek(&mut shown)).map(|n| {
                assert!(text()[read.len()..].starts_with(&shown[..n.unwrap()]), "nothing taken");
                None
            }),
            2 => poll_and_drop(1, server.async_io(Interest::READ, || server.try_read(&mut buf)))
                .map(Some),
            _ => poll_and_drop(1, (&server).read(&mut buf)).map(Some),
        };
        match n {
            Some(Some(n)) => {
                let n = n.unwrap();
                read.extend_from_slice(&buf[..n]);
                if n == 0 {
                    break;
                }
            }
            _ => yield_now().await,
        }
    }
    assert!(read == text());
}

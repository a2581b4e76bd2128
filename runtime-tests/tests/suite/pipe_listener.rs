//! The listener in memory: connecting, accepting, back pressure and what closing does to both sides;
//! and one generic server over every [`Listener`] there is.

use std::io::{ErrorKind, Result};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread;

use futures::executor::block_on;
use futures::future::{join, join_all};
use runtime::io::{DuplexStream, Interest, Read, Ready, ReadyStream, Write};
use runtime::net::{Listener, TcpListener, TcpStream, UnixListener, UnixStream};
use runtime::pipe::{PipeConnector, PipeListener, listen, listen_with};

use super::pipe_table::{Count, noop, now, poll_once};

/// What `listen` documents.
const BACKLOG: usize = 128;

/// Connections until the next has to wait.
fn fill(connector: &PipeConnector) -> Vec<DuplexStream> {
    (0..BACKLOG).map(|_| now(connector.connect()).unwrap()).collect()
}

fn is_send_and_sync<T: Send + Sync>() {}

#[test]
fn connections_are_accepted_in_order_and_carry_bytes_both_ways() {
    is_send_and_sync::<PipeConnector>();
    is_send_and_sync::<PipeListener>();
    let (mut listener, connector) = listen_with(16);
    let mut clients: Vec<_> = (0..3).map(|_| now(connector.connect()).unwrap()).collect();
    for (number, client) in clients.iter_mut().enumerate() {
        now(client.write_all(&[number as u8])).unwrap();
    }
    for (number, client) in clients.iter_mut().enumerate() {
        let mut server = now(listener.accept()).unwrap();
        let mut byte = [9];
        now(server.read_exact(&mut byte)).unwrap();
        assert_eq!(byte, [number as u8]);
        assert_eq!((server.capacity(), client.capacity()), (16, 16));
        now(server.write_all(b"x")).unwrap();
        now(client.read_exact(&mut byte)).unwrap();
    }
}

#[test]
#[should_panic(expected = "a pipe's maximum buffer size must be greater than 0")]
fn a_maximum_of_zero_panics() {
    drop(listen_with(0));
}

#[test]
fn an_accept_that_waits_is_woken_once_by_a_connection() {
    let (mut listener, connector) = listen();
    let (count, waker) = Count::new();
    let mut cx = Context::from_waker(&waker);
    let mut accept = Box::pin(listener.accept());
    assert!(accept.as_mut().poll(&mut cx).is_pending());
    let _first = now(connector.connect()).unwrap();
    let _second = now(connector.connect()).unwrap();
    assert_eq!(count.get(), 1);
    assert!(accept.as_mut().poll(&mut cx).is_ready());
}

#[test]
fn an_accept_that_is_dropped_takes_its_waker_back_and_loses_no_connection() {
    let (mut listener, connector) = listen();
    let (count, waker) = Count::new();
    {
        let mut accept = pin!(listener.accept());
        assert!(accept.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    }
    assert_eq!(Arc::strong_count(&count), 2, "the test's waker and its count");
    let _client = now(connector.connect()).unwrap();
    assert_eq!(count.get(), 0);
    assert!(listener.try_accept().is_ok());
    assert_eq!(listener.try_accept().unwrap_err().kind(), ErrorKind::WouldBlock);
}

#[test]
fn beyond_the_backlog_connects_wait_and_get_in_by_their_order() {
    let (mut listener, connector) = listen();
    let clients = fill(&connector);
    let (count, waker) = Count::new();
    let mut cx = Context::from_waker(&waker);
    let mut waiting: Vec<_> = (0..3).map(|_| Box::pin(connector.connect())).collect();
    for connect in &mut waiting {
        assert!(connect.as_mut().poll(&mut cx).is_pending());
    }
    // The second gives up; who comes now does not overtake the third.
    drop(waiting.remove(1));
    let mut late = Box::pin(connector.connect());
    assert!(late.as_mut().poll(&mut cx).is_pending());

    for woken in 1..=2 {
        drop(now(listener.accept()).unwrap());
        assert_eq!(count.get(), woken);
        assert!(late.as_mut().poll(&mut cx).is_pending());
        assert!(waiting.remove(0).as_mut().poll(&mut cx).is_ready());
    }
    drop(now(listener.accept()).unwrap());
    assert!(late.as_mut().poll(&mut cx).is_ready());
    drop(clients);
}

#[test]
fn a_connect_that_is_dropped_while_it_waits_is_never_accepted() {
    let (mut listener, connector) = listen();
    let _clients = fill(&connector);
    assert!(poll_once(connector.connect()).is_pending());
    for _ in 0..BACKLOG {
        listener.try_accept().unwrap();
    }
    assert_eq!(listener.try_accept().unwrap_err().kind(), ErrorKind::WouldBlock);
}

#[test]
fn without_a_listener_connects_are_refused_and_those_that_wait_are_woken() {
    let (mut listener, connector) = listen();
    let mut clients = fill(&connector);
    let accepted = now(listener.accept()).unwrap();
    clients.push(now(connector.connect()).unwrap());
    let (count, waker) = Count::new();
    let mut cx = Context::from_waker(&waker);
    let mut waiting = Box::pin(connector.connect());
    assert!(waiting.as_mut().poll(&mut cx).is_pending());
    assert!(!connector.is_closed());
    drop(listener);
    assert!(connector.is_closed());

    assert_eq!(count.get(), 1);
    let Poll::Ready(Err(error)) = waiting.as_mut().poll(&mut cx) else { panic!("not refused") };
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    let error = now(connector.clone().connect()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    // What was accepted goes on; what was not is closed.
    let mut clients = clients.into_iter();
    now(clients.next().unwrap().write_all(b"x")).unwrap();
    for mut client in clients {
        assert_eq!(now(client.read(&mut [0])).unwrap(), 0);
        assert_eq!(now(client.write(b"x")).unwrap_err().kind(), ErrorKind::BrokenPipe);
    }
    drop(accepted);
}

#[test]
fn a_connect_that_was_let_in_and_accepted_succeeds_although_the_listener_went_since() {
    let (mut listener, connector) = listen();
    let clients = fill(&connector);
    let mut waiting = Box::pin(connector.connect());
    assert!(waiting.as_mut().poll(&mut noop()).is_pending());
    let servers: Vec<_> = (0..=BACKLOG).map(|_| listener.try_accept().unwrap()).collect();
    drop(listener);
    let Poll::Ready(Ok(mut client)) = waiting.as_mut().poll(&mut noop()) else { panic!() };
    now(client.write_all(b"x")).unwrap();
    assert_eq!(servers.last().unwrap().len(), 1);
    drop(clients);
}

#[test]
fn without_a_connector_accept_ends_after_what_is_queued() {
    let (mut listener, connector) = listen();
    let other = connector.clone();
    let client = now(connector.connect()).unwrap();
    drop(connector);
    assert!(listener.try_accept().is_ok());
    let (count, waker) = Count::new();
    let mut accept = Box::pin(listener.accept());
    assert!(accept.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    drop(other);
    assert_eq!(count.get(), 1);
    drop(accept);
    for _ in 0..2 {
        assert_eq!(now(listener.accept()).unwrap_err().kind(), ErrorKind::BrokenPipe);
    }
    drop(client);
}

#[test]
fn a_waker_that_panics_or_uses_the_listener_does_no_harm() {
    struct Panics;
    impl Wake for Panics {
        fn wake(self: Arc<Self>) {
            panic!("on purpose");
        }
    }
    struct Connects(PipeConnector);
    impl Wake for Connects {
        fn wake(self: Arc<Self>) {
            drop(now(self.0.connect()));
        }
    }
    let (mut listener, connector) = listen();
    for waker in [Waker::from(Arc::new(Panics)), Arc::new(Connects(connector.clone())).into()] {
        let mut cx = Context::from_waker(&waker);
        while listener.try_accept().is_ok() {}
        assert!(listener.poll_accept(&mut cx).is_pending());
        drop(now(connector.connect()).unwrap());
        // And for those that wait to connect.
        while listener.try_accept().is_ok() {}
        let clients = fill(&connector);
        let mut waiting = Box::pin(connector.connect());
        assert!(waiting.as_mut().poll(&mut cx).is_pending());
        drop(now(listener.accept()).unwrap());
        assert!(waiting.as_mut().poll(&mut noop()).is_ready());
        drop(clients);
    }
}

#[test]
fn a_waker_that_panics_when_it_is_dropped_keeps_nobody_waiting() {
    struct Panics;
    impl Wake for Panics {
        fn wake(self: Arc<Self>) {}
    }
    impl Drop for Panics {
        fn drop(&mut self) {
            panic!("on purpose");
        }
    }
    let (mut listener, connector) = listen();
    // Of which the listener has the last one then: replaced, and there when it goes.
    for _ in 0..2 {
        let waker = Waker::from(Arc::new(Panics));
        assert!(listener.poll_accept(&mut Context::from_waker(&waker)).is_pending());
    }
    drop(listener);
    assert_eq!(now(connector.connect()).unwrap_err().kind(), ErrorKind::ConnectionRefused);
    // The same for an accept that is dropped, and for those that wait to connect.
    let (mut listener, connector) = listen();
    {
        let waker = Waker::from(Arc::new(Panics));
        let mut accept = Box::pin(listener.accept());
        assert!(accept.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        drop(waker);
    }
    let clients = fill(&connector);
    let (count, waker) = Count::new();
    let mut first = Box::pin(connector.connect());
    let mut second = Box::pin(connector.connect());
    assert!(second.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    {
        let waker = Waker::from(Arc::new(Panics));
        assert!(first.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    }
    drop(first);
    drop(listener);
    assert_eq!(count.get(), 1);
    assert_eq!(now(second).unwrap_err().kind(), ErrorKind::ConnectionRefused);
    drop(clients);
}

#[test]
fn many_threads_connect_at_once_without_a_runtime() {
    const EACH: usize = 500;
    let (mut listener, connector) = listen_with(8);
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let connector = connector.clone();
            thread::spawn(move || {
                for number in 0..EACH {
                    let mut client = block_on(connector.connect()).unwrap();
                    block_on(client.write_all(&[number as u8])).unwrap();
                    let mut byte = [0];
                    block_on(client.read_exact(&mut byte)).unwrap();
                    assert_eq!(byte, [number as u8]);
                }
            })
        })
        .collect();
    drop(connector);
    let mut accepted = 0;
    while let Ok(mut server) = block_on(listener.accept()) {
        accepted += 1;
        let mut byte = [0];
        block_on(server.read_exact(&mut byte)).unwrap();
        block_on(server.write_all(&byte)).unwrap();
    }
    assert_eq!(accepted, 4 * EACH);
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

/// Sends back what comes, on as many connections as were asked for.
async fn echo<L: Listener>(listener: &mut L, connections: usize) -> Result<()> {
    listener.local_addr()?;
    let mut tasks = Vec::new();
    for _ in 0..connections {
        let (mut stream, _) = listener.accept().await?;
        tasks.push(runtime::spawn(async move {
            stream.ready(Interest::READ).await?;
            let mut text = Vec::new();
            stream.read_to_end(&mut text).await?;
            stream.write_all(&text).await?;
            stream.shutdown().await
        }));
    }
    for task in tasks {
        task.await??;
    }
    Ok(())
}

async fn ask(mut stream: impl ReadyStream, text: String) -> Result<()> {
    stream.write_all(text.as_bytes()).await?;
    stream.shutdown().await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    assert_eq!(answer, text);
    Ok(())
}

/// What every listener does: an accept that is dropped loses nothing, connections are there before
/// they are accepted, and each has a stream of its own.
async fn accepts<L: Listener, C: ReadyStream>(
    mut listener: L,
    connect: impl AsyncFn() -> Result<C>,
) {
    drop(poll_once(listener.accept()));
    let mut early = connect().await.unwrap();
    early.write_all(b"before").await.unwrap();
    early.shutdown().await.unwrap();
    let clients = join_all((0..20).map(|number| {
        let connect = &connect;
        async move { ask(connect().await?, format!("client {number}")).await }
    }));
    let (served, asked) = join(echo(&mut listener, 21), clients).await;
    served.unwrap();
    asked.into_iter().for_each(|asked| asked.unwrap());
    let mut answer = String::new();
    early.read_to_string(&mut answer).await.unwrap();
    assert_eq!(answer, "before");
}

#[runtime::test]
async fn accepting_is_the_same_over_tcp() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    accepts(listener, async || TcpStream::connect(address).await).await;
}

#[runtime::test]
async fn accepting_is_the_same_over_unix_sockets() {
    let path = std::env::temp_dir().join(format!("accepting-{}.sock", std::process::id()));
    let listener = UnixListener::bind(&path).unwrap();
    accepts(listener, async || UnixStream::connect(&path).await).await;
    std::fs::remove_file(&path).unwrap();
}

#[runtime::test]
async fn accepting_is_the_same_in_memory() {
    let (listener, connector) = listen();
    accepts(listener, async || connector.connect().await).await;
}

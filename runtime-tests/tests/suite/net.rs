//! Sockets: what connects, what closes, who is woken, and what every operation says when there is
//! nothing to do any more. Named by scenario where there is one.

mod accepting;
mod closing;
mod descriptors;
mod edges;
mod messages;
mod options;
#[cfg(unix)]
mod os_pipes;
#[cfg(unix)]
mod own_descriptors;
#[cfg(unix)]
mod passing;
mod rows;

use std::io::{self, ErrorKind, IoSlice, IoSliceMut};
use std::net::{Shutdown, SocketAddr};
use std::time::Duration;

use runtime::io::{BorrowedBuf, Interest, Read, Ready, ReadyRead, ReadyWrite, Write};
use runtime::net::{Listener, TcpListener, TcpSocket, TcpStream};

/// Two ends of a TCP connection.
async fn tcp() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (server, peer) = listener.accept().await.unwrap();
    assert_eq!(peer, client.local_addr().unwrap());
    (client, server)
}

/// Resets the connection on the way out.
fn reset(stream: TcpStream) {
    stream.set_linger(Some(Duration::ZERO)).unwrap();
}

fn kind<T: std::fmt::Debug>(result: io::Result<T>) -> ErrorKind {
    result.unwrap_err().kind()
}

#[test]
fn constructors_outside_a_runtime_say_so() {
    let error = futures::executor::block_on(TcpListener::bind("127.0.0.1:0")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Other);
    assert!(error.to_string().contains("no runtime is entered"), "{error}");
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    assert_eq!(kind(futures::executor::block_on(TcpStream::connect(addr))), ErrorKind::Other);
    assert_eq!(
        kind(TcpStream::from_std(std::net::TcpStream::connect(addr).unwrap())),
        ErrorKind::Other
    );
    assert_eq!(kind(TcpListener::from_std(listener)), ErrorKind::Other);
    let named = futures::executor::block_on(TcpStream::connect("localhost:1"));
    assert_eq!(kind(named), ErrorKind::Other);
}

struct Noop;

impl std::task::Wake for Noop {
    fn wake(self: std::sync::Arc<Self>) {}
}

/// A stream that goes back to a pool does not keep the task that read from it last.
#[runtime::test]
async fn g17_a_socket_keeps_no_waker_of_a_future_that_was_dropped() {
    async fn check(mut stream: impl Read + Write) {
        let task = std::sync::Arc::new(Noop);
        let waker = std::task::Waker::from(task.clone());
        let mut cx = std::task::Context::from_waker(&waker);
        let mut byte = [0];
        for _ in 0..2 {
            let read = std::pin::pin!(stream.read(&mut byte));
            assert!(read.poll(&mut cx).is_pending());
        }
        drop(waker);
        assert_eq!(std::sync::Arc::strong_count(&task), 1);
        let (mut pipe, _other) = runtime::io::duplex(1);
        let copy = runtime::io::copy(&mut stream, &mut pipe);
        let waker = std::task::Waker::from(task.clone());
        let mut cx = std::task::Context::from_waker(&waker);
        assert!(Box::pin(copy).as_mut().poll(&mut cx).is_pending());
        drop(waker);
        assert_eq!(std::sync::Arc::strong_count(&task), 1);
    }
    let (client, _server) = tcp().await;
    check(client).await;
}

/// How many of these operations are done in one poll of a task. (A macro, because what an async
/// closure borrows is not known to be `Send`.)
macro_rules! in_one_poll {
    ($op:expr) => {{
        runtime::task::yield_now().await; // a new budget
        let mut done = 0;
        while done < 1000 && futures::poll!(std::pin::pin!($op)).is_ready() {
            done += 1;
        }
        done
    }};
}

/// Rule 2: whatever comes back at once is charged, or a task that repeats it starves the others.
#[test]
fn j_operations_that_do_nothing_are_charged_too() {
    let (mut old, listener) = {
        let runtime = runtime::Runtime::new().unwrap();
        let bind = TcpListener::bind("127.0.0.1:0");
        runtime.block_on(async { (tcp().await.0, bind.await.unwrap()) })
    };
    let runtime = runtime::Builder::new_current_thread().build().unwrap();
    let task = runtime.spawn(async move {
        let (mut client, _server) = tcp().await;
        assert!(in_one_poll!(client.flush()) <= 128);
        assert!(in_one_poll!(client.peek(&mut [])) <= 128);
        assert!(in_one_poll!(old.read(&mut [0])) <= 128);
        assert!(in_one_poll!(old.readable()) <= 128);
        assert!(in_one_poll!(listener.accept()) <= 128);
    });
    runtime.block_on(task).unwrap();
}

/// One call takes 1024 slices.
#[runtime::test]
async fn f09_slices_behind_many_empty_ones_are_not_taken_for_nothing() {
    let (mut client, server) = tcp().await;
    let mut slices = vec![IoSlice::new(&[]); 2000];
    slices.push(IoSlice::new(b"data"));
    assert_eq!(client.write_vectored(&slices).await.unwrap(), 4);
    server.readable().await.unwrap();
    let mut data = [0; 4];
    let mut slices: Vec<_> = (0..2000).map(|_| IoSliceMut::new(&mut [])).collect();
    slices.push(IoSliceMut::new(&mut data));
    assert_eq!(server.try_read_vectored(&mut slices).unwrap(), 4);
    assert_eq!(&data, b"data");
}

#[test]
fn streams_are_awaited_under_any_executor_while_their_runtime_lives() {
    let runtime = runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    let (mut client, mut server) = runtime.block_on(tcp());
    let answer = runtime.spawn(async move {
        let mut word = [0; 4];
        server.read_exact(&mut word).await.unwrap();
        server.write_all(&word).await.unwrap();
        server
    });
    futures::executor::block_on(async {
        client.write_all(b"word").await.unwrap();
        let mut word = [0; 4];
        client.read_exact(&mut word).await.unwrap();
        assert_eq!(&word, b"word");
        answer.await.unwrap();
    });
}

#[test]
fn after_the_end_of_the_runtime_operations_fail_and_nobody_hangs() {
    let runtime = runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    let (mut client, server) = runtime.block_on(tcp());
    let waits = std::thread::spawn(move || {
        let mut server = server;
        futures::executor::block_on(async { server.read(&mut [0; 8]).await })
    });
    drop(runtime);
    assert!(waits.join().unwrap().is_err());
    futures::executor::block_on(async {
        assert!(client.read(&mut [0; 8]).await.is_err());
        assert!(client.write(b"x").await.is_err());
        assert!(client.readable().await.is_err());
        assert!(client.peek(&mut [0; 8]).await.is_err());
        assert_ne!(kind(client.try_read(&mut [0; 8])), ErrorKind::WouldBlock);
    });
}

#[runtime::test]
async fn e07_a_stream_goes_to_std_and_back() {
    let (client, mut server) = tcp().await;
    let client = TcpStream::from_std(client.into_std().unwrap()).unwrap();
    server.write_all(b"abc").await.unwrap();
    let mut buf = [0; 3];
    (&client).read_exact(&mut buf).await.unwrap();
    assert_eq!(&buf, b"abc");

    let std = client.into_std().unwrap();
    let other = std::thread::spawn(move || {
        runtime::Runtime::new().unwrap().block_on(async {
            let mut stream = TcpStream::from_std(std).unwrap();
            stream.write_all(b"from another runtime").await.unwrap();
            stream.into_std().unwrap()
        })
    });
    let mut text = String::new();
    drop(other.join().unwrap());
    server.read_to_string(&mut text).await.unwrap();
    assert_eq!(text, "from another runtime");
}

#[runtime::test]
async fn e08_a_blocking_socket_becomes_non_blocking() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let std = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (_accepted, _) = listener.accept().unwrap();
    let stream = TcpStream::from_std(std).unwrap();
    assert_eq!(kind(stream.try_read(&mut [0])), ErrorKind::WouldBlock);
    let listener = TcpListener::from_std(listener).unwrap();
    assert!(futures::poll!(std::pin::pin!(listener.accept())).is_pending());
}

#[runtime::test]
async fn e10_two_tasks_wait_on_one_stream_and_both_are_woken() {
    let (client, mut server) = tcp().await;
    let client = std::sync::Arc::new(client);
    let waiters = [(); 2].map(|()| {
        let client = client.clone();
        runtime::spawn(async move { client.readable().await })
    });
    // One more that gives up.
    assert!(
        futures::poll!(std::pin::pin!(client.readable())).is_ready(),
        "taken for ready at first"
    );
    assert!(client.try_read(&mut [0]).is_err());
    assert!(futures::poll!(std::pin::pin!(client.readable())).is_pending());
    server.write_all(b"x").await.unwrap();
    for waiter in waiters {
        waiter.await.unwrap().unwrap();
    }
}

#[runtime::test]
async fn e11_a_reader_and_a_writer_share_a_stream() {
    let (client, server) = tcp().await;
    let bytes = vec![7; 1 << 20];
    let (mut reader, mut writer) = client.into_split();
    let writing = runtime::spawn(async move { writer.write_all(&bytes).await });
    let echo = runtime::spawn(async move {
        let (mut server, mut buf, mut total) = (server, vec![0; 10_000], 0);
        loop {
            let n = server.read(&mut buf).await.unwrap();
            if n == 0 {
                return total;
            }
            server.write_all(&buf[..n]).await.unwrap();
            total += n;
        }
    });
    let mut back = Vec::new();
    reader.read_to_end(&mut back).await.unwrap();
    writing.await.unwrap().unwrap();
    assert_eq!((back.len(), echo.await.unwrap()), (1 << 20, 1 << 20));
}

#[runtime::test]
async fn e16_a_refused_connection_is_an_error_of_connect() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    drop(listener);
    assert_eq!(kind(TcpStream::connect(addr).await), ErrorKind::ConnectionRefused);
}

#[runtime::test]
async fn e19_three_connections_in_one_edge_are_three_accepts() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    assert!(futures::poll!(std::pin::pin!(listener.accept())).is_pending());
    let clients: Vec<_> = (0..3).map(|_| std::net::TcpStream::connect(addr).unwrap()).collect();
    for _ in &clients {
        let (stream, _) = listener.accept().await.unwrap();
        // It is taken for ready in both directions without a turn of the driver.
        assert_eq!(stream.try_write(b"x").unwrap(), 1);
    }
}

#[runtime::test]
async fn f01_writing_to_a_closed_peer_fails_soon() {
    let (mut client, server) = tcp().await;
    drop(server);
    let mut results = Vec::new();
    for _ in 0..3 {
        results.push(client.write(b"x").await);
        runtime::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(results.iter().any(Result::is_err), "{results:?}");
}

#[runtime::test]
async fn f03_shutdown_is_fine_after_a_reset_and_again_and_again() {
    let (mut client, server) = tcp().await;
    reset(server);
    assert!(client.read(&mut [0]).await.is_err());
    for _ in 0..3 {
        client.shutdown().await.unwrap();
        client.shutdown_now(Shutdown::Both).unwrap();
    }
}

#[runtime::test]
async fn f07_a_write_larger_than_the_buffers_waits_for_the_reader() {
    let (mut client, mut server) = tcp().await;
    let total = 32 << 20;
    let writing = runtime::spawn(async move {
        let bytes = vec![1; total];
        let first = client.write(&bytes).await.unwrap();
        assert!(0 < first && first < total, "{first}");
        client.write_all(&bytes[first..]).await.unwrap();
    });
    runtime::task::yield_now().await;
    let (mut sum, mut buf) = (0, vec![0; 1 << 16]);
    while let n @ 1.. = server.read(&mut buf).await.unwrap() {
        sum += n;
    }
    writing.await.unwrap();
    assert_eq!(sum, total);
}

#[runtime::test]
async fn f09_operations_on_nothing_are_done_at_once_and_change_nothing() {
    let (mut client, mut server) = tcp().await;
    for round in 0..2 {
        assert_eq!(client.read(&mut []).await.unwrap(), 0);
        assert_eq!(client.read_vectored(&mut []).await.unwrap(), 0);
        assert_eq!(client.read_vectored(&mut [IoSliceMut::new(&mut [])]).await.unwrap(), 0);
        assert_eq!(client.peek(&mut []).await.unwrap(), 0);
        assert_eq!(client.write(&[]).await.unwrap(), 0);
        assert_eq!(client.write_vectored(&[IoSlice::new(&[])]).await.unwrap(), 0);
        assert_eq!(client.try_read(&mut []).unwrap(), 0);
        assert_eq!(client.try_read_vectored(&mut []).unwrap(), 0);
        if round == 0 {
            // Nothing was cleared, so there is something to clear.
            assert!(futures::poll!(std::pin::pin!(client.readable())).is_ready());
            assert_eq!(kind(client.try_read(&mut [0])), ErrorKind::WouldBlock);
        }
    }
    server.write_all(b"x").await.unwrap();
    assert_eq!(client.read(&mut [0; 2]).await.unwrap(), 1);
}

#[runtime::test]
async fn f10_a_peek_that_waits_is_woken() {
    let (client, mut server) = tcp().await;
    assert_eq!(kind(client.try_read(&mut [0; 8])), ErrorKind::WouldBlock);
    let peeking = runtime::spawn(async move {
        let mut buf = [0; 8];
        let n = client.peek(&mut buf).await.unwrap();
        assert_eq!(&buf[..n], b"data");
        assert_eq!(client.peek(&mut buf[..2]).await.unwrap(), 2);
        (&client).read_exact(&mut buf[..4]).await.unwrap();
        assert_eq!(&buf[..4], b"data");
    });
    runtime::task::yield_now().await;
    server.write_all(b"data").await.unwrap();
    peeking.await.unwrap();
}

#[runtime::test]
async fn f11_dropping_the_write_half_ends_the_stream_and_forgetting_it_does_not() {
    let (client, mut server) = tcp().await;
    let (reader, writer) = client.into_split();
    drop(writer);
    assert_eq!(server.read(&mut [0]).await.unwrap(), 0);
    server.write_all(b"x").await.unwrap();
    let mut reader = reader;
    assert_eq!(reader.read(&mut [0; 2]).await.unwrap(), 1);

    let (client, server) = tcp().await;
    let (reader, writer) = client.into_split();
    writer.forget();
    let mut byte = [0];
    assert_eq!(kind(server.try_read(&mut byte)), ErrorKind::WouldBlock);
    drop(reader);
    assert_eq!((&server).read(&mut byte).await.unwrap(), 0);
}

#[runtime::test]
async fn f11_halves_are_reunited_with_their_own_and_with_no_other() {
    let ((one, _one_peer), (two, mut two_peer)) = (tcp().await, tcp().await);
    let (one_reader, one_writer) = one.into_split();
    let (two_reader, two_writer) = two.into_split();
    let error = one_reader.reunite(two_writer).unwrap_err();
    assert!(!error.to_string().is_empty());
    let (one_reader, two_writer) = (error.0, error.1);
    drop(one_writer.reunite(one_reader).unwrap());
    let mut two = two_reader.reunite(two_writer).unwrap();
    two.write_all(b"still open").await.unwrap();
    two.shutdown().await.unwrap();
    let mut text = String::new();
    two_peer.read_to_string(&mut text).await.unwrap();
    assert_eq!(text, "still open");
}

#[runtime::test]
async fn a_half_knows_its_direction_only() {
    let (mut client, _server) = tcp().await;
    let (mut reader, mut writer) = client.split();
    assert_eq!(kind(Ready::ready(&mut reader, Interest::WRITE).await), ErrorKind::InvalidInput);
    assert_eq!(kind(Ready::ready(&mut writer, Interest::READ).await), ErrorKind::InvalidInput);
    assert_eq!(kind(reader.ready(Interest::READ_WRITE).await), ErrorKind::InvalidInput);
    assert!(writer.ready(Interest::WRITE).await.unwrap().write());
    let (reader, writer) = client.into_split();
    assert_eq!(kind(reader.ready(Interest::WRITE).await), ErrorKind::InvalidInput);
    assert_eq!(kind(writer.ready(Interest::READ).await), ErrorKind::InvalidInput);
}

#[runtime::test]
async fn f13_any_backlog_listens() {
    for backlog in [0, 1, 128, u32::MAX] {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_reuseaddr(true).unwrap();
        assert!(socket.reuseaddr().unwrap());
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let addr = socket.local_addr().unwrap();
        let listener = socket.listen(backlog).unwrap();
        let mut client = TcpSocket::new_v4().unwrap().connect(addr).await.unwrap();
        let (mut server, _) = listener.accept().await.unwrap();
        client.write_all(b"x").await.unwrap();
        assert_eq!(server.read(&mut [0; 2]).await.unwrap(), 1, "backlog {backlog}");
    }
}

#[runtime::test]
async fn f14_names_and_lists_are_tried_in_turn_and_the_last_error_counts() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let client = TcpStream::connect(("localhost", addr.port())).await.unwrap();
    assert_eq!(client.peer_addr().unwrap().port(), addr.port());
    TcpStream::connect(format!("localhost:{}", addr.port())).await.unwrap();

    let closed: SocketAddr = "127.0.0.1:1".parse().unwrap();
    TcpStream::connect([closed, addr]).await.unwrap();
    assert_eq!(kind(TcpStream::connect(&[closed, closed][..]).await), ErrorKind::ConnectionRefused);
    for nonsense in ["", "no port", "127.0.0.1:99999", "127.0.0.1:-1"] {
        assert_eq!(kind(TcpStream::connect(nonsense).await), ErrorKind::InvalidInput, "{nonsense}");
    }
    assert_eq!(kind(TcpStream::connect(&[][..]).await), ErrorKind::InvalidInput);
    assert_eq!(kind(TcpListener::bind(addr).await), ErrorKind::AddrInUse);
    assert!(runtime::net::lookup_host("localhost:80").await.unwrap().next().is_some());
}

/// What is an address already asks nobody: neither the resolver nor a runtime.
#[test]
fn literals_are_looked_up_on_the_spot() {
    let lookup = |host: &'static str| {
        let looked_up = futures::FutureExt::now_or_never(runtime::net::lookup_host(host));
        looked_up.expect("it waits").map(Vec::from_iter)
    };
    for literal in ["127.0.0.1:80", "[::1]:80", "[fe80::1%3]:80"] {
        assert_eq!(lookup(literal).unwrap(), [literal.parse().unwrap()]);
    }
    assert_eq!(kind(lookup("127.0.0.1")), ErrorKind::InvalidInput);
    assert_eq!(kind(lookup("localhost:80")), ErrorKind::Other, "there is no runtime to ask in");
}

#[runtime::test]
async fn f17_a_connection_that_was_reset_before_it_was_accepted_gives_errors_only() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    reset(TcpStream::connect(listener.local_addr().unwrap()).await.unwrap());
    let Ok((mut stream, _)) = listener.accept().await else { return };
    assert!(stream.read(&mut [0]).await.is_err());
    let _ = (stream.peer_addr(), stream.set_nodelay(true), stream.local_addr());
    let _ = (stream.take_error(), stream.ttl(), stream.shutdown().await);
    assert!(stream.write(b"x").await.is_err());
}

/// A socket that connects to its own address is connected with itself.
#[cfg(target_os = "linux")]
#[runtime::test]
async fn f18_a_socket_that_connects_to_itself_does_not_hang() {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let addr = socket.local_addr().unwrap();
    let mut stream = socket.connect(addr).await.unwrap();
    assert_eq!(stream.peer_addr().unwrap(), stream.local_addr().unwrap());
    stream.write_all(b"echo").await.unwrap();
    let mut buf = [0; 4];
    stream.read_exact(&mut buf).await.unwrap();
    assert_eq!(&buf, b"echo");
}

/// Registered before it connects, a fresh socket says "writable" and "hung up". Ours is registered
/// after that, whoever made it, and a refused one says so (E15, E16).
#[runtime::test]
async fn e15_a_socket_with_options_connects_or_is_refused() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let client = TcpSocket::new_v4().unwrap().connect(addr).await.unwrap();
    assert_eq!(client.peer_addr().unwrap(), addr);
    drop(listener);
    let refused = TcpSocket::new_v4().unwrap().connect(addr).await;
    assert_eq!(kind(refused), ErrorKind::ConnectionRefused);
}

#[runtime::test]
async fn options_are_the_sockets() {
    let (client, _server) = tcp().await;
    client.set_nodelay(true).unwrap();
    assert!(client.nodelay().unwrap());
    client.set_ttl(42).unwrap();
    assert_eq!(client.ttl().unwrap(), 42);
    client.set_linger(Some(Duration::from_secs(3))).unwrap();
    assert_eq!(client.linger().unwrap(), Some(Duration::from_secs(3)));
    client.set_linger(None).unwrap();
    assert!(client.take_error().unwrap().is_none());
    assert!(format!("{client:?}").contains("TcpStream"), "{client:?}");
}

#[runtime::test]
async fn hang_ups_are_reported_and_data_may_remain_after_them() {
    let (mut client, mut server) = tcp().await;
    server.write_all(b"last words").await.unwrap();
    server.shutdown().await.unwrap();
    loop {
        // Until the driver has heard of it.
        if Ready::ready(&mut client, Interest::READ).await.unwrap().hup() {
            break;
        }
        runtime::task::yield_now().await;
    }
    let mut text = String::new();
    client.read_to_string(&mut text).await.unwrap();
    assert_eq!(text, "last words");
    for _ in 0..3 {
        assert_eq!(client.read(&mut [0]).await.unwrap(), 0);
    }
    client.write_all(b"the other direction is open").await.unwrap();
}

#[runtime::test]
async fn vectored_and_uninitialized_reads_and_vectored_writes() {
    let (mut client, mut server) = tcp().await;
    assert!(client.is_read_vectored() && client.is_write_vectored());
    let parts = [IoSlice::new(b"ab"), IoSlice::new(b""), IoSlice::new(b"cdef")];
    assert_eq!(client.write_vectored(&parts).await.unwrap(), 6);
    assert_eq!(client.try_write_vectored(&parts).unwrap(), 6);
    let (mut one, mut two) = ([0; 1], [0; 7]);
    let mut slices = [IoSliceMut::new(&mut one), IoSliceMut::new(&mut two)];
    while server.peek(&mut [0; 12]).await.unwrap() < 12 {}
    assert_eq!(server.read_vectored(&mut slices).await.unwrap(), 8);
    let mut memory = [std::mem::MaybeUninit::uninit(); 8];
    let mut buf = BorrowedBuf::from(&mut memory[..]);
    server.read_buf(buf.unfilled()).await.unwrap();
    assert_eq!((&one, &two, buf.filled()), (b"a", b"bcdefab", &b"cdef"[..]));
}

#[runtime::test]
async fn a_vectored_read_of_many_buffers_loses_no_edge() {
    let (mut client, mut server) = tcp().await;
    client.write_all(&[1; 100]).await.unwrap();
    while server.peek(&mut [0; 100]).await.unwrap() < 100 {}
    let mut bytes = [[0; 1]; 40];
    let mut total = 0;
    while total < 100 {
        let mut slices: Vec<_> = bytes.iter_mut().map(|byte| IoSliceMut::new(byte)).collect();
        total += server.read_vectored(&mut slices).await.unwrap();
    }
    assert_eq!(total, 100);
}

/// The handler knows the traits only, the server the [`Listener`] trait.
#[runtime::test]
async fn a_server_is_generic_over_its_transport() {
    async fn upper<L: Listener>(mut listener: L) -> io::Result<()> {
        let (mut stream, _) = listener.accept().await?;
        let text = stream.read_with(|bytes| bytes.to_ascii_uppercase()).await?;
        stream.write_all(&text).await?;
        stream.shutdown().await
    }

    async fn ask(mut stream: impl ReadyRead + ReadyWrite) -> String {
        stream.write_all(b"hello").await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        text
    }

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = Listener::local_addr(&listener).unwrap();
    let server = runtime::spawn(upper(listener));
    assert_eq!(ask(TcpStream::connect(addr).await.unwrap()).await, "HELLO");
    server.await.unwrap().unwrap();

    #[cfg(unix)]
    {
        let path = std::env::temp_dir().join(format!("runtime-generic-{}", std::process::id()));
        let listener = runtime::net::UnixListener::bind(&path).unwrap();
        let server = runtime::spawn(upper(listener));
        let stream = runtime::net::UnixStream::connect(&path).await.unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(ask(stream).await, "HELLO");
        server.await.unwrap().unwrap();
    }
}

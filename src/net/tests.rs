//! What cannot be seen from outside: sizes, and sockets under a driver that nobody else turns.

use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::{TcpListener, TcpStream};
use crate::driver::{self, Driver, Handle};
use crate::io_core::{Interest, Ready};

fn driver() -> (Driver, Arc<Handle>) {
    driver::new(2, false).unwrap()
}

/// Polls once outside any task.
fn poll<F: Future>(future: F) -> Poll<F::Output> {
    std::pin::pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

fn now<T>(future: impl Future<Output = io::Result<T>>) -> T {
    match poll(future) {
        Poll::Ready(result) => result.unwrap(),
        Poll::Pending => panic!("it waits"),
    }
}

fn turn(driver: &mut Driver, handle: &Handle) {
    let mut woken = Vec::new();
    driver.turn(handle, Some(Duration::from_secs(10)), &mut woken).unwrap();
}

#[test]
fn a_stream_is_small() {
    if cfg!(debug_assertions) {
        return; // mio adds its own checks
    }
    assert!(size_of::<TcpStream>() <= 16, "{}", size_of::<TcpStream>());
}

#[test]
fn new_sockets_are_taken_for_ready_and_local_connections_need_no_turn() {
    let (mut driver, handle) = driver();
    let _entered = handle.enter(0);
    let listener = now(TcpListener::bind("127.0.0.1:0"));
    let client = now(TcpStream::connect(listener.local_addr().unwrap()));
    assert_eq!(client.try_write(b"first").unwrap(), 5);
    let (server, _) = now(listener.accept());
    let mut buf = [0; 8];
    assert_eq!(server.try_read(&mut buf).unwrap(), 5);
    // The short count says that nothing is left: no system call is needed to know it.
    assert_eq!(server.try_read(&mut buf).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    client.try_write(b"second").unwrap();
    while poll(server.readable()).is_pending() {
        turn(&mut driver, &handle);
    }
    assert_eq!(server.try_read(&mut buf).unwrap(), 6);
}

#[test]
fn after_the_shutdown_every_operation_fails_and_every_waiter_is_collected() {
    let (driver, handle) = driver();
    let _entered = handle.enter(0);
    let listener = now(TcpListener::bind("127.0.0.1:0"));
    let mut client = now(TcpStream::connect(listener.local_addr().unwrap()));
    let (server, _) = now(listener.accept());
    assert!(server.try_read(&mut [0]).is_err());
    let mut cx = Context::from_waker(Waker::noop());
    assert!((&server).poll_ready(&mut cx, Interest::READ).is_pending());
    assert!(poll(listener.accept()).is_pending());

    let mut woken = Vec::new();
    handle.shutdown(&mut woken);
    drop(driver);
    assert_eq!(woken.len(), 1, "the dropped accept has left, the read waits");
    assert!(matches!((&server).poll_ready(&mut cx, Interest::READ), Poll::Ready(Err(_))));
    assert!(matches!(client.poll_ready(&mut cx, Interest::WRITE), Poll::Ready(Err(_))));
    assert!(matches!(poll(listener.accept()), Poll::Ready(Err(_))));
    assert!(matches!(poll(TcpListener::bind("127.0.0.1:0")), Poll::Ready(Err(_))));
    let error = client.try_write(b"x").unwrap_err();
    assert_ne!(error.kind(), io::ErrorKind::WouldBlock);
}

/// The refusal arrives, and is dispatched by another worker, between the two questions of
/// `connected`: is it connected, and what went wrong?
#[cfg(target_os = "linux")]
#[test]
fn e16_a_refusal_between_two_looks_is_still_a_refusal() {
    use super::evented::Evented;
    use std::cell::RefCell;

    thread_local! {
        static DRIVER: RefCell<Option<(Driver, Arc<Handle>)>> = RefCell::new(Some(driver()));
    }
    let handle = DRIVER.with_borrow(|driver| driver.as_ref().unwrap().1.clone());
    let _entered = handle.enter(0);
    // Nobody answers this handshake until the listener goes; its second try is then refused.
    let listener =
        socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    listener.bind(&std::net::SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    listener.listen(0).unwrap();
    let addr = listener.local_addr().unwrap().as_socket().unwrap();
    let connect = || mio::net::TcpStream::connect(addr).unwrap();
    let _fillers: Vec<_> = (0..4).map(|_| connect()).collect();
    let io = Evented::here(connect()).unwrap();
    assert!(matches!(io.take_error(), Ok(None)));
    drop(listener);
    let connected = io.connected(|io| {
        let connected = io.peer_addr().map(drop);
        DRIVER.with_borrow_mut(|driver| {
            let (driver, handle) = driver.as_mut().unwrap();
            turn(driver, handle);
        });
        connected
    });
    match poll(connected) {
        Poll::Ready(Err(error)) => assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused),
        other => panic!("{other:?}"),
    }
}

#[cfg(unix)]
#[test]
fn e13_a_registration_that_fails_leaves_nothing_behind() {
    use crate::driver::Registration;
    use std::os::fd::AsRawFd;

    let (_driver, handle) = driver();
    let file = tempfile();
    for _ in 0..1000 {
        let fd = file.as_raw_fd();
        let mut io = mio::unix::SourceFd(&fd);
        let result = Registration::new(
            &mut io,
            mio::Interest::READABLE,
            crate::driver::HandleRef::new(&handle),
        );
        if cfg!(mio_unsupported_force_poll_poll) {
            return; // poll(2) takes files
        }
        assert_eq!(result.unwrap_err().kind(), io::ErrorKind::PermissionDenied);
    }
    assert_eq!(handle.registrations(), 0);
}

#[cfg(unix)]
fn tempfile() -> std::fs::File {
    std::fs::File::open(std::env::current_exe().unwrap()).unwrap()
}

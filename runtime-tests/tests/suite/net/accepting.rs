//! Accepting: errors that pass, a limit, and loops that do not spin.

use std::io::{self, ErrorKind};
use std::pin::pin;
use std::time::Duration;

use runtime::io::{DuplexStream, Read, Write};
use runtime::net::{Incoming, Listener, TcpListener, TcpStream};
use runtime::time::Instant;

#[runtime::test]
async fn no_more_connections_than_allowed() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let mut incoming = Incoming::new(listener, 2);
    let mut clients = Vec::new();
    for _ in 0..4 {
        clients.push(TcpStream::connect(addr).await.unwrap());
    }
    let (_first, _, first) = incoming.accept().await.unwrap();
    // Giving up while there is a place gives the place back.
    for _ in 0..5 {
        let accept = pin!(incoming.accept());
        if let std::task::Poll::Ready(accepted) = futures::poll!(accept) {
            drop(accepted.unwrap());
            clients.push(TcpStream::connect(addr).await.unwrap());
        }
    }
    let (_second, _, second) = incoming.accept().await.unwrap();
    assert_eq!(incoming.connections(), 2);
    assert!(futures::poll!(pin!(incoming.accept())).is_pending());
    let accepting = runtime::spawn(async move {
        let (mut stream, _, slot) = incoming.accept().await.unwrap();
        stream.write_all(b"x").await.unwrap();
        (incoming, slot)
    });
    for _ in 0..10 {
        runtime::task::yield_now().await;
    }
    assert!(!accepting.is_finished());
    // From another thread, and the waiter is woken.
    std::thread::spawn(move || drop(first)).join().unwrap();
    let (incoming, third) = accepting.await.unwrap();
    assert_eq!(incoming.connections(), 2);
    drop((second, third));
    assert_eq!(incoming.connections(), 0);
    incoming.into_inner().local_addr().unwrap();
}

#[test]
#[should_panic = "a limit of no connections"]
fn a_limit_of_nothing_is_a_mistake() {
    let _never = Incoming::new(Fails(0), 0);
}

/// Fails so many times and then accepts.
struct Fails(usize);

impl Listener for Fails {
    type Io = DuplexStream;
    type Addr = ();

    async fn accept(&mut self) -> io::Result<(DuplexStream, ())> {
        if self.0 == 0 {
            return Ok((runtime::io::duplex(16).0, ()));
        }
        self.0 -= 1;
        Err(ErrorKind::ConnectionAborted.into())
    }

    fn local_addr(&self) -> io::Result<()> {
        Ok(())
    }
}

/// 5, 10, 20, 40, 80, 100, 100, ... ms of the clock, and from the start again after a success.
#[runtime::test(flavor = "current_thread", start_paused = true)]
async fn a_loop_of_errors_rests_longer_and_longer() {
    let mut incoming = Incoming::new(Fails(10), 1);
    for streak in 0..2 {
        let began = Instant::now();
        let mut errors = 0;
        let slot = loop {
            match incoming.accept().await {
                Ok((_, (), slot)) => break slot,
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::ConnectionAborted);
                    errors += 1;
                }
            }
        };
        let expected = if streak == 0 { (10, 655) } else { (0, 0) };
        let slept = began.elapsed();
        let least = Duration::from_millis(expected.1);
        assert_eq!(errors, expected.0);
        // The wheel rounds up to its ticks.
        assert!(least <= slept && slept < least + Duration::from_millis(25), "{slept:?}");
        drop(slot);
    }
}

/// Under another executor there is nothing to rest by, and no panic.
#[test]
fn without_a_runtime_errors_are_told_at_once() {
    futures::executor::block_on(async {
        let mut incoming = Incoming::new(Fails(3), 1);
        for _ in 0..3 {
            assert!(incoming.accept().await.is_err());
        }
        assert!(incoming.accept().await.is_ok());
    });
}

/// E21: the system call fails once, in all the ways that pass; the connection that was there is
/// accepted by the next call, without any new event.
#[cfg(target_os = "linux")]
mod e21 {
    use super::*;
    use runtime_tests::rig::alone_under;

    fn fails_once(name: &str, code: &str, raw: i32) {
        if std::process::Command::new("strace").arg("-V").output().is_err() {
            eprintln!("strace is not installed: not tested");
            return;
        }
        let inject = format!("inject=accept4,accept:error={code}:when=1");
        let strace = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=accept4,accept"];
        let strace = [&strace[..], &["-e", &inject]].concat();
        alone_under(&strace, &format!("net::accepting::e21::{name}"), || {
            let runtime = runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
            runtime.block_on(async {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
                let error = listener.accept().await.unwrap_err();
                assert_eq!(error.raw_os_error(), Some(raw), "{error}");
                let (mut server, _) = listener.accept().await.unwrap();
                server.write_all(b"x").await.unwrap();
                assert_eq!(client.read(&mut [0; 2]).await.unwrap(), 1);
            });
        });
    }

    macro_rules! fails_once {
        ($($name:ident: $code:literal, $errno:ident;)*) => {$(
            #[test]
            fn $name() {
                let raw = rustix::io::Errno::$errno.raw_os_error();
                fails_once(stringify!($name), $code, raw);
            }
        )*};
    }

    fails_once! {
        aborted: "ECONNABORTED", CONNABORTED;
        no_buffers: "ENOBUFS", NOBUFS;
        no_files_in_the_system: "ENFILE", NFILE;
        no_files_in_the_process: "EMFILE", MFILE;
        no_memory: "ENOMEM", NOMEM;
    }
}

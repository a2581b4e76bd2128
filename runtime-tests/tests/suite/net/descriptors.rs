//! Descriptors: that none leaks, and what happens when there are none. They belong to the process,
//! so each test runs alone in a child of its own.
#![cfg(target_os = "linux")]

use std::process::Command;
use std::time::{Duration, Instant};

use runtime::net::{TcpListener, TcpStream};

/// Runs the test `name` of this file again, alone in a child process, and says whether this is it.
fn is_child(name: &str) -> bool {
    const KEY: &str = "RUNTIME_TESTS_ALONE";
    if std::env::var_os(KEY).is_some_and(|value| value == name) {
        return true;
    }
    let output = Command::new(std::env::current_exe().unwrap())
        .args([&format!("net::descriptors::{name}"), "--exact", "--nocapture"])
        .env(KEY, name)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}{said}", String::from_utf8_lossy(&output.stdout));
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"), "the name is wrong");
    false
}

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// A listener that answers no more handshakes.
fn full_listener() -> (socket2::Socket, Vec<socket2::Socket>, std::net::SocketAddr) {
    use socket2::{Domain, Socket, Type};
    let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    listener.bind(&std::net::SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    listener.listen(0).unwrap();
    let addr = listener.local_addr().unwrap();
    let fillers = (0..4).map(|_| {
        let filler = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        filler.set_nonblocking(true).unwrap();
        let _ = filler.connect(&addr);
        filler
    });
    let fillers = fillers.collect();
    (listener, fillers, addr.as_socket().unwrap())
}

#[test]
fn e17_connects_that_are_dropped_half_way_leave_no_descriptor() {
    if !is_child("e17_connects_that_are_dropped_half_way_leave_no_descriptor") {
        return;
    }
    let runtime = runtime::Builder::new_current_thread().build().unwrap();
    let (_listener, _fillers, addr) = full_listener();
    runtime.block_on(async {
        let before = descriptors();
        for _ in 0..2000 {
            assert!(futures::poll!(std::pin::pin!(TcpStream::connect(addr))).is_pending());
        }
        assert_eq!(descriptors(), before);
    });
}

#[test]
fn every_socket_is_closed_on_exec_and_with_its_owner() {
    if !is_child("every_socket_is_closed_on_exec_and_with_its_owner") {
        return;
    }
    let inherited = || {
        let output = Command::new("ls").arg("/proc/self/fd").output().unwrap();
        String::from_utf8(output.stdout).unwrap().lines().count()
    };
    let (outside, inherits) = (descriptors(), inherited());
    let runtime = runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let before = descriptors();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (server, _) = listener.accept().await.unwrap();
        let pair = runtime::net::UnixStream::pair().unwrap();
        assert_eq!(descriptors(), before + 5);
        assert_eq!(inherited(), inherits);
        let (reader, writer) = client.into_split();
        drop((reader, writer, listener, server, pair));
        assert_eq!(descriptors(), before);
    });
    drop(runtime);
    assert_eq!(descriptors(), outside);
}

/// E20, K06: the error once, then quiet until a descriptor is free, then the connection.
#[test]
fn accepting_without_descriptors_fails_once_and_goes_on_by_itself() {
    if !is_child("accepting_without_descriptors_fails_once_and_goes_on_by_itself") {
        return;
    }
    let runtime = runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let mut hoard = Vec::new();
        while let Ok(file) = std::fs::File::open("/dev/null") {
            hoard.push(file);
            if hoard.len() == 64 {
                use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
                let now = descriptors() as u64 + 8;
                let maximum = getrlimit(Resource::Nofile).maximum;
                setrlimit(Resource::Nofile, Rlimit { current: Some(now), maximum }).unwrap();
            }
        }
        let error = listener.accept().await.unwrap_err();
        assert_eq!(error.raw_os_error(), Some(rustix::io::Errno::MFILE.raw_os_error()));

        let (listener, began, used) = (std::sync::Arc::new(listener), Instant::now(), cpu_time());
        let accepting = [(); 2].map(|()| {
            let listener = listener.clone();
            runtime::spawn(async move { listener.accept().await.map(drop) })
        });
        runtime::time::sleep(Duration::from_millis(500)).await;
        assert!(accepting.iter().all(|task| !task.is_finished()), "it failed again");
        let (slept, used) = (began.elapsed(), cpu_time() - used);
        assert!(used < slept / 5, "{used:?} of processor time in {slept:?}");

        drop(hoard);
        let second = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        for task in accepting {
            task.await.unwrap().unwrap();
        }
        drop((client, second));
    });
}

/// A crowd is not sent away for a second because nobody was quick enough to accept.
#[test]
fn a_listener_has_room_for_hundreds_who_wait() {
    if !is_child("a_listener_has_room_for_hundreds_who_wait") {
        return;
    }
    let most = std::fs::read_to_string("/proc/sys/net/core/somaxconn").unwrap();
    let crowd = most.trim().parse::<usize>().unwrap().min(300);
    let runtime = runtime::Builder::new_current_thread().build().unwrap();
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let addr = listener.local_addr().unwrap();
    // One that does not fit waits for ever, as nobody accepts.
    let connect = |_| std::net::TcpStream::connect_timeout(&addr, runtime_tests::rig::LIMIT);
    let waiting = (0..crowd).map(connect).collect::<Result<Vec<_>, _>>().unwrap();
    runtime.block_on(async {
        for _ in &waiting {
            listener.accept().await.unwrap();
        }
    });
}

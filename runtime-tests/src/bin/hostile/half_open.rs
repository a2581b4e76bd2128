//! A peer that is gone without a word: its end of the cable is pulled, so nothing ends the connection.
//!
//! Two network namespaces with a cable of two virtual interfaces between them: this program again, inside
//! the one, and a peer that listens, in the other. Namespaces end with their last process, so nothing has to be
//! cleaned up. It takes the right to make them: of root, or of anybody where the system lets users be root in a
//! namespace of theirs.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;
use std::time::{Duration, Instant};

use runtime::Builder;
use runtime::io::{Read, Write};
use runtime::net::{TcpSocket, TcpStream};
use runtime::time::timeout;

use crate::meter::Usage;
use crate::peers::NOTHING;
use crate::report::{Figure, Size};
use crate::server::{Server, program};

const HERE: &str = "10.99.99.1";
const THERE: Ipv4Addr = Ipv4Addr::new(10, 99, 99, 2);

/// How late a timeout may be.
const LATE: Duration = Duration::from_millis(50);
const TIMEOUT: Duration = Duration::from_millis(500);

pub(crate) fn run(size: Size) -> Vec<Figure> {
    // The probe shows whether it can be done, so that what fails later is a failure.
    let probe = "ip link add name here type veth peer name there";
    let allowed = Command::new("unshare").args(["-rn", "sh", "-c", probe]).output();
    let why = match allowed {
        Ok(output) if output.status.success() => None,
        Ok(output) => Some(String::from_utf8_lossy(&output.stderr).trim().replace('\n', "; ")),
        Err(error) => Some(format!("unshare: {error}")),
    };
    if let Some(why) = why {
        return vec![Figure::not_measured("needs network namespaces", why)];
    }
    let mut inside = Command::new("unshare");
    let output = inside
        .arg("-rn")
        .arg(program())
        .arg("inside")
        .args((size == Size::Small).then_some("--small"))
        .output();
    let output = output.expect("it could be started before");
    eprint!("{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "inside the namespace: {}", output.status);
    String::from_utf8_lossy(&output.stdout).lines().filter_map(Figure::from_line).collect()
}

// ---------------------------------------------------------------- inside a namespace

/// Measures, in a namespace of its own.
pub(crate) fn inside(size: Size) -> Vec<Figure> {
    let mut peer = start_the_peer();
    let runtime = Builder::new_current_thread().build().expect("no thread is needed");
    runtime.block_on(async {
        let address = SocketAddr::from((THERE, peer.address.port()));
        // For each thing that can be done with such a connection.
        let mut reads = connect(address, |_| Ok(())).await;
        let mut writes = connect(address, |_| Ok(())).await;
        let mut kept_alive = connect(address, |socket| {
            socket.set_keepalive(true)?;
            socket.set_keepalive_time(Duration::from_secs(1))?;
            socket.set_keepalive_interval(Duration::from_secs(1))?;
            socket.set_keepalive_retries(2)
        })
        .await;
        let mut limited =
            connect(address, |socket| socket.set_user_timeout(Some(Duration::from_secs(2)))).await;
        peer.run("ip link set there down");

        let (before, began) = (Usage::of(std::process::id()), Instant::now());
        let tasks = [
            runtime::spawn(async move {
                assert!(timeout(TIMEOUT, reads.read(&mut [0; 8])).await.is_err());
                late("a timeout around a read, late by", size, began)
            }),
            runtime::spawn(async move {
                let much = vec![0; 16 * 1024 * 1024];
                assert!(timeout(TIMEOUT, writes.write_all(&much)).await.is_err());
                late("around a write of 16 MiB, late by", size, began)
            }),
            runtime::spawn(async move {
                assert!(timeout(TIMEOUT, TcpStream::connect(address)).await.is_err());
                late("around a connect, late by", size, began)
            }),
            runtime::spawn(async move {
                let outcome = kept_alive.read(&mut [0; 8]).await;
                gives_up("a read, after 1 s and two probes of keepalive", outcome, began)
            }),
            runtime::spawn(async move {
                limited.write_all(b"anybody there?").await.expect("there is room for it");
                let outcome = limited.read(&mut [0; 8]).await;
                gives_up("a read after a write, user timeout of 2 s", outcome, began)
            }),
        ];
        let mut figures = Vec::new();
        for task in tasks {
            figures.push(task.await.expect("it does not panic"));
        }
        let used = Usage::of(std::process::id()).cpu_since(&before);
        figures.push(Figure::cpu(size, "CPU meanwhile", used, NOTHING));
        figures
    })
}

fn late(what: &str, size: Size, began: Instant) -> Figure {
    Figure::within(size, what, began.elapsed().saturating_sub(TIMEOUT), LATE)
}

/// The system's own patience ends, and its error surfaces.
fn gives_up(what: &str, outcome: io::Result<usize>, began: Instant) -> Figure {
    let after = began.elapsed();
    let error = outcome.expect_err("nobody answers").kind();
    // `HostUnreachable`, if the system has noticed that much.
    assert!(matches!(error, ErrorKind::TimedOut | ErrorKind::HostUnreachable), "{error:?}");
    Figure::within(Size::Full, format!("{what}: `{error:?}`"), after, Duration::from_secs(10))
}

async fn connect(address: SocketAddr, set: impl FnOnce(&TcpSocket) -> io::Result<()>) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a descriptor");
    set(&socket).expect("the system has these options");
    let mut stream = socket.connect(address).await.expect("the peer listens");
    // There and back: the connection stands on both sides.
    stream.write_all(b"x\n").await.expect("the peer reads");
    stream.read_exact(&mut [0; 2]).await.expect("the peer answers");
    stream
}

// ---------------------------------------------------------------- the cable

/// A server in a namespace of its own, at the other end of a cable.
fn start_the_peer() -> Server {
    let mut server = Server::start_as(Command::new("unshare").arg("-n").arg(program()), "anywhere");
    let there = server.process();
    for words in [
        &format!("link add name here type veth peer name there netns {there}"),
        &format!("address add {HERE}/24 dev here"),
        "link set here up",
    ] {
        let status =
            Command::new("ip").args(words.split(' ')).status().expect("it was there before");
        assert!(status.success(), "ip {words}: {status}");
    }
    server.run(&format!("ip address add {THERE}/24 dev there && ip link set there up"));
    server
}

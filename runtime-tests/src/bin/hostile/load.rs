//! Clients: visitors who come, ask once and go, and steady ones who ask by the clock.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use runtime::Builder;
use runtime::io::{Read as _, Write as _};
use runtime::task::JoinSet;
use runtime::time::sleep_until;

use crate::meter::Times;

/// Thousands of connections need descriptors.
pub(crate) fn allow_open_files() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // If it is refused, what needs them will say so.
    let _ = setrlimit(Resource::Nofile, limit);
}

/// Comes, asks, and returns how long the answer took.
pub(crate) fn visit(address: SocketAddr) -> Duration {
    say(address, "hello\n")
}

/// Comes, says a line that comes back, and returns how long that took.
pub(crate) fn say(address: SocketAddr, line: &str) -> Duration {
    let came = Instant::now();
    let mut stream = TcpStream::connect(address).expect("the server listens");
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("not zero");
    stream.write_all(line.as_bytes()).expect("the server is there");
    let mut answer = vec![0; line.len()];
    stream.read_exact(&mut answer).expect("the server answers");
    assert_eq!(answer, line.as_bytes());
    came.elapsed()
}

/// Visitors one after the other, one every 20 ms.
pub(crate) fn visitors(address: SocketAddr, duration: Duration) -> Times {
    let mut times = Times::default();
    let began = Instant::now();
    while began.elapsed() < duration {
        times.add(visit(address));
        thread::sleep(Duration::from_millis(20));
    }
    times
}

/// Clients that each want an answer every millisecond. Times count from when a question was due, so an
/// answer that does not come makes those behind it late, too.
pub(crate) fn steady(address: SocketAddr, clients: usize, duration: Duration) -> Times {
    let runtime = Builder::new_current_thread().build().expect("no thread is needed");
    runtime.block_on(async {
        let mut set = JoinSet::new();
        for _ in 0..clients {
            set.spawn(async move {
                let mut stream = runtime::net::TcpStream::connect(address).await?;
                stream.set_nodelay(true)?;
                let mut times = Times::default();
                let end = Instant::now() + duration;
                let mut due = Instant::now();
                while due < end {
                    let mut asked = due;
                    if Instant::now() < due {
                        sleep_until(due.into()).await;
                        asked = Instant::now(); // that the timer was late is not the server's fault
                    }
                    stream.write_all(b"hello\n").await?;
                    stream.read_exact(&mut [0; 6]).await?;
                    times.add(asked.elapsed());
                    due += Duration::from_millis(1);
                }
                std::io::Result::Ok(times)
            });
        }
        let mut all = Times::default();
        while let Some(times) = set.join_next().await {
            all.extend(times.expect("nobody panics").expect("the server answers"));
        }
        all
    })
}

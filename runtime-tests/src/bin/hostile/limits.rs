//! Absurd numbers, names and lengths: what has a limit says so, as an error or as a panic with a sentence.

use std::ffi::OsStr;
use std::io::{ErrorKind, IoSlice, Result};
use std::os::unix::ffi::OsStrExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use runtime::io::{BufRead, BufReader, OwnedBuf, Read, Write, duplex};
use runtime::net::{TcpListener, TcpStream, UnixListener, UnixStream, lookup_host};
use runtime::{Builder, TaskTracker, fs};
use runtime_tests::counting::live;

use crate::report::{Figure, Size};

/// What was tried, and whether it went as documented.
type Checks = Vec<(&'static str, bool)>;

/// A line for all of them, and one for each that went wrong.
fn figures(checks: &Checks) -> Vec<Figure> {
    let fine = checks.iter().filter(|check| check.1).count();
    let wrong = checks.iter().filter(|check| !check.1);
    let all = Figure::exactly(format!("as documented, of {}", checks.len()), fine, checks.len());
    std::iter::once(all).chain(wrong.map(|(what, _)| Figure::exactly(*what, false, true))).collect()
}

/// Whether it panics with this in its message.
fn panics<T>(with: &str, f: impl FnOnce() -> T) -> bool {
    let silent = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let outcome = catch_unwind(AssertUnwindSafe(f));
    std::panic::set_hook(silent);
    let Err(payload) = outcome else { return false };
    let text = payload.downcast_ref::<String>().map(String::as_str);
    text.or(payload.downcast_ref::<&str>().copied()).is_some_and(|text| text.contains(with))
}

fn fails<T>(with: ErrorKind, outcome: Result<T>) -> bool {
    outcome.is_err_and(|error| error.kind() == with)
}

fn on_a_runtime<T>(future: impl Future<Output = T>) -> T {
    Builder::new_current_thread().build().expect("no thread is needed").block_on(future)
}

// ---------------------------------------------------------------- K07

pub(crate) fn numbers(_: Size) -> Vec<Figure> {
    on_a_runtime(async {
        let overflow = "capacity overflow";
        let mut checks: Checks = vec![
            (
                "OwnedBuf::with_capacity(MAX)",
                panics(overflow, || OwnedBuf::with_capacity(usize::MAX)),
            ),
            (
                "OwnedBuf::with_capacity(MAX / 2 + 1)",
                panics(overflow, || OwnedBuf::with_capacity(usize::MAX / 2 + 1)),
            ),
        ];
        let mut reader = BufReader::with_capacity(usize::MAX, &b"abc"[..]);
        checks.push((
            "a read of BufReader::with_capacity(MAX)",
            fails(ErrorKind::OutOfMemory, reader.fill_buf().await),
        ));

        let (mut one, mut two) = duplex(usize::MAX);
        one.write_all(b"abc").await.expect("there is room");
        let mut bytes = [0; 4];
        checks.push((
            "duplex(MAX) holds what is in it only",
            two.read(&mut bytes).await.is_ok_and(|n| n == 3),
        ));

        // Five gigabytes in slices of the same megabyte: more than 32 bits count.
        let megabyte = vec![1; 1 << 20];
        let slices = vec![IoSlice::new(&megabyte); 5000];
        let (mut one, _two) = duplex(64);
        checks.push((
            "5 GB in slices into a duplex of 64 bytes",
            one.write_vectored(&slices).await.is_ok_and(|n| n == 64),
        ));
        let (mut one, _two) = UnixStream::pair().expect("two descriptors");
        checks.push((
            "5 GB in slices into a socket",
            one.write_vectored(&slices).await.is_ok_and(|n| n > 0),
        ));

        let mut text = (&b"abc"[..]).take(u64::MAX);
        let mut bytes = Vec::new();
        checks.push(("take(MAX)", text.read_to_end(&mut bytes).await.is_ok_and(|n| n == 3)));
        let mut buf = OwnedBuf::with_capacity(8);
        buf.set_room(usize::MAX);
        checks.push(("set_room(MAX)", buf.room() == 8));
        checks.push(("consume(MAX)", panics("", || buf.consume(usize::MAX))));
        let never = runtime::time::timeout(Duration::MAX, std::future::ready(1));
        checks.push(("timeout(MAX)", never.await.is_ok()));
        figures(&checks)
    })
}

// ---------------------------------------------------------------- K08

pub(crate) fn endless(size: Size) -> Vec<Figure> {
    let limit: usize = size.pick(16 << 20, 1 << 20);
    on_a_runtime(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
        let address = listener.local_addr().expect("it is bound");
        runtime::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await?;
                // Until the reader has had enough.
                runtime::spawn(
                    async move { while stream.write_all(&[b'x'; 4096]).await.is_ok() {} },
                );
            }
            #[allow(unreachable_code)]
            Result::Ok(())
        });
        let connect = || async { TcpStream::connect(address).await.expect("it listens") };

        let before = live();
        let mut lines = BufReader::new(connect().await).lines().limit(limit);
        let is_error = fails(ErrorKind::InvalidData, lines.next_line().await);
        let held = (live() - before) as f64 / limit as f64;
        drop(lines);

        // One byte more than is allowed tells too much from just enough.
        let mut bytes = Vec::new();
        let mut body = connect().await.take(limit as u64 + 1);
        let read = body.read_to_end(&mut bytes).await;
        let is_too_long = read.is_ok_and(|read| read == limit + 1);
        drop((body, bytes));
        let mut text = String::new();
        let read = connect().await.take(limit as u64 + 1).read_to_string(&mut text).await;
        let checks = vec![
            ("`lines().limit` fails", is_error),
            ("`take` and `read_to_end` stop", is_too_long),
            ("`take` and `read_to_string` stop", read.is_ok_and(|read| read == limit + 1)),
        ];
        let mut figures = figures(&checks);
        figures.push(Figure::at_most(
            "heap for a line that is too long, of its limit",
            held,
            2.1,
            "×",
        ));
        figures
    })
}

// ---------------------------------------------------------------- K12

pub(crate) fn names(_: Size) -> Vec<Figure> {
    let directory = std::env::temp_dir().join(format!("hostile-{}", std::process::id()));
    std::fs::create_dir_all(&directory).expect("there is a place for temporary files");
    let mut checks = settings();
    on_a_runtime(async {
        checks.push((
            "task names of a megabyte, of nothing, with control characters",
            name_tasks().await,
        ));
        checks.append(&mut paths(&directory).await);
        for (what, host) in [
            ("lookup of a name with a zero byte", "a\0b:80".to_owned()),
            ("lookup of a name of 70 KB", format!("{}:80", "a".repeat(70_000))),
            ("lookup of nothing", ":80".to_owned()),
            ("lookup with port 65536", "127.0.0.1:65536".to_owned()),
        ] {
            let found = lookup_host(host).await;
            checks.push((what, found.is_err() || what == "lookup of nothing"));
        }
    });
    let _ = std::fs::remove_dir_all(directory);
    figures(&checks)
}

fn settings() -> Checks {
    let absurd = |name: &'static str, set: fn(&mut Builder)| {
        panics(name, || set(&mut Builder::new_multi_thread()))
    };
    let mut checks = vec![
        ("worker_threads(0)", absurd("worker_threads", |b| _ = b.worker_threads(0))),
        ("worker_threads(MAX)", absurd("worker_threads", |b| _ = b.worker_threads(usize::MAX))),
        (
            "max_blocking_threads(MAX)",
            absurd("max_blocking_threads", |b| _ = b.max_blocking_threads(usize::MAX)),
        ),
        (
            "thread_stack_size(MAX)",
            absurd("thread_stack_size", |b| _ = b.thread_stack_size(usize::MAX)),
        ),
        ("thread_name with a zero byte", absurd("thread_name", |b| _ = b.thread_name("a\0b"))),
    ];
    // A petabyte of addresses, of which there are 128 terabytes.
    let mut many = Builder::new_multi_thread();
    let built = many.worker_threads(1024).thread_stack_size(1 << 40).build();
    checks.push(("1024 workers with a terabyte of stack each", built.is_err()));
    let mut odd = Builder::new_multi_thread();
    let odd = odd.worker_threads(1).thread_name("näme \n\x1b[31m".repeat(1000)).build();
    checks.push((
        "a thread name that is longer than the system's",
        odd.is_ok_and(|runtime| runtime.block_on(async { true })),
    ));
    checks
}

/// They are told as they are, quoted, so that they cannot pass for something else.
async fn name_tasks() -> bool {
    let tracker = TaskTracker::new();
    let names = ["x".repeat(1 << 20), String::new(), "a\nb\0\x1b[2J\u{202e}".to_owned()];
    for name in &names {
        drop(tracker.spawn_named(name.clone(), std::future::pending::<()>()));
    }
    runtime::task::yield_now().await;
    let listed = runtime::Handle::current().tasks();
    let are_listed = names.iter().all(|name| listed.iter().any(|task| task.name() == Some(name)));
    let report = tracker.drain(Duration::ZERO).await;
    let said = report.to_string();
    are_listed && report.left().len() == 3 && said.lines().count() == 4 && !said.contains('\x1b')
}

async fn paths(directory: &Path) -> Checks {
    let not_utf8 = directory.join(OsStr::from_bytes(b"\xff\xfe name"));
    let too_long = directory.join("n".repeat(256));
    let deep: PathBuf = std::iter::repeat_n("d", 3000).collect();
    let zero = PathBuf::from("a\0b");
    let socket = directory.join(OsStr::from_bytes(b"\xffsocket"));
    let bound = UnixListener::bind(&socket);
    vec![
        (
            "a file whose name is not UTF-8",
            async {
                fs::write(&not_utf8, "there").await?;
                Result::Ok(fs::read(&not_utf8).await? == b"there")
            }
            .await
            .unwrap_or(false),
        ),
        (
            "a Unix socket whose name is not UTF-8",
            bound.is_ok() && UnixStream::connect(&socket).await.is_ok(),
        ),
        ("a file name of 256 bytes", fails(ErrorKind::InvalidFilename, fs::read(too_long).await)),
        ("a path of 6000 bytes", fails(ErrorKind::InvalidFilename, fs::read(deep).await)),
        ("a path with a zero byte", fails(ErrorKind::InvalidInput, fs::read(&zero).await)),
        ("a Unix socket with a zero byte in its path", UnixStream::connect(&zero).await.is_err()),
        (
            "a Unix socket with a path of 200 bytes",
            fails(ErrorKind::InvalidInput, UnixListener::bind("s".repeat(200))),
        ),
        (
            "a file that is a directory",
            fs::read(directory).await.is_err_and(|error| error.kind() == ErrorKind::IsADirectory),
        ),
    ]
}

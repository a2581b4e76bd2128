//! What tests of the runtime itself stand on: runtimes of every flavour, a watchdog, waiting without
//! sleeping, counting drops, and tests that have a process to themselves.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::task::{Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

use runtime::{Builder, Runtime};

/// "Never hang" means within this.
pub const LIMIT: Duration = Duration::from_secs(10);

/// Far more than the 20 ms within which a hostage has to be free: a machine with other work may give a
/// thread its turn late. Who is not freed in these tests waits for ever.
pub const FREED: Duration = Duration::from_secs(1);

/// A kind of runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flavour {
    /// Without threads of its own.
    CurrentThread,
    /// With so many workers.
    MultiThread(usize),
}

/// Those that most tests run on.
pub const FLAVOURS: [Flavour; 4] = [
    Flavour::CurrentThread,
    Flavour::MultiThread(1),
    Flavour::MultiThread(2),
    Flavour::MultiThread(4),
];

impl Flavour {
    /// A builder, for more settings.
    pub fn builder(self) -> Builder {
        match self {
            Self::CurrentThread => Builder::new_current_thread(),
            Self::MultiThread(workers) => {
                let mut builder = Builder::new_multi_thread();
                builder.worker_threads(workers);
                builder
            }
        }
    }

    /// A runtime with nothing special about it.
    pub fn build(self) -> Runtime {
        self.builder().build().expect("a small runtime can be had")
    }
}

/// Runs `test` on a runtime of each flavour, and drops that afterwards; each may take [`LIMIT`].
pub fn each_flavour(test: impl Fn(&Runtime, Flavour)) {
    for flavour in FLAVOURS {
        let _watchdog = watchdog(&format!("{flavour:?}"));
        let runtime = flavour.build();
        test(&runtime, flavour);
    }
}

/// [`each_flavour`] for a test that is one future.
pub fn on_each_flavour<F: Future<Output = ()>>(test: impl Fn() -> F) {
    each_flavour(|runtime, _| runtime.block_on(test()));
}

/// Ends the process if it is not dropped within [`LIMIT`]: a hang would say nothing.
pub struct Watchdog {
    _alive: mpsc::Sender<()>,
}

/// See [`Watchdog`].
pub fn watchdog(what: &str) -> Watchdog {
    watchdog_for(what, LIMIT)
}

/// A [`Watchdog`] with another limit.
pub fn watchdog_for(what: &str, limit: Duration) -> Watchdog {
    let (alive, gone) = mpsc::channel::<()>();
    let test = thread::current().name().unwrap_or("a test").to_owned();
    let what = what.to_owned();
    thread::spawn(move || {
        if gone.recv_timeout(limit) == Err(mpsc::RecvTimeoutError::Timeout) {
            eprintln!("{test} ({what}) hangs");
            std::process::abort();
        }
    });
    Watchdog { _alive: alive }
}

impl std::fmt::Debug for Watchdog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watchdog").finish_non_exhaustive()
    }
}

/// Gives the processor away until `done`; panics after [`LIMIT`].
#[track_caller]
pub fn wait_until(what: &str, done: impl Fn() -> bool) {
    let started = Instant::now();
    while !done() {
        assert!(started.elapsed() < LIMIT, "waited in vain until {what}");
        thread::yield_now();
    }
}

/// Counts, from any thread.
#[derive(Clone, Debug, Default)]
pub struct Count(Arc<AtomicUsize>);

impl Count {
    /// Starts at zero.
    pub fn new() -> Self {
        Self::default()
    }

    /// One more; says how many there were before.
    pub fn add(&self) -> usize {
        self.0.fetch_add(1, Ordering::SeqCst)
    }

    /// How many there are.
    pub fn get(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }

    /// Something whose destructor counts.
    pub fn on_drop(&self) -> CountsDrop {
        CountsDrop(self.clone())
    }

    /// A waker that counts its wake-ups.
    pub fn waker(&self) -> Waker {
        Waker::from(Arc::new(CountsWakes(self.clone())))
    }
}

/// See [`Count::on_drop`].
#[derive(Debug)]
pub struct CountsDrop(Count);

impl Drop for CountsDrop {
    fn drop(&mut self) {
        self.0.add();
    }
}

struct CountsWakes(Count);

impl Wake for CountsWakes {
    fn wake(self: Arc<Self>) {
        self.0.add();
    }
}

/// Calls a function when it is dropped.
pub struct OnDrop<F: FnMut()>(pub F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

impl<F: FnMut()> std::fmt::Debug for OnDrop<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OnDrop").finish_non_exhaustive()
    }
}

type LastWords = OnDrop<Box<dyn FnMut()>>;

thread_local! {
    static LAST_WORDS: RefCell<Option<LastWords>> = const { RefCell::new(None) };
}

/// Has `f` called when the calling thread ends, in the destructor of a thread-local. Those that are
/// first used after this call are gone by then.
pub fn at_thread_exit(f: impl FnMut() + 'static) {
    LAST_WORDS.with(|last| *last.borrow_mut() = Some(OnDrop(Box::new(f))));
}

/// Runs `body` in a process of its own, for what can be counted per process only. `test` is the full
/// name of the calling test.
pub fn alone(test: &str, body: impl FnOnce()) {
    alone_under(&[], test, body);
}

/// As [`alone`], with a program and its arguments in front of the test's command line.
pub fn alone_under(wrapper: &[&str], test: &str, body: impl FnOnce()) {
    const CHILD: &str = "RUNTIME_TESTS_CHILD";
    if std::env::var_os(CHILD).is_some_and(|child| child == test) {
        return body();
    }
    let me = std::env::current_exe().expect("a test knows its own file");
    let mut command = match wrapper {
        [] => Command::new(me),
        [program, arguments @ ..] => {
            let mut command = Command::new(program);
            command.args(arguments).arg(me);
            command
        }
    };
    let output = command
        .args([test, "--exact", "--nocapture", "--test-threads=1"])
        .env(CHILD, test)
        .stdin(Stdio::null())
        .output()
        .expect("a test can start itself");
    let stdout = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}\n{stdout}\n{stderr}", output.status);
    assert!(stdout.contains("1 passed"), "there is no test of the name {test}:\n{stdout}");
}

/// The number after `key` in `/proc/self/status`: `Threads`, `VmRSS` (KiB).
pub fn status(key: &str) -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux has it");
    let line = status.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).expect("a number")
}

/// How many descriptors the process has open.
pub fn open_files() -> usize {
    std::fs::read_dir("/proc/self/fd").expect("Linux has it").count()
}

/// The processor time that the calling thread has used, user and system.
pub fn thread_cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux has it");
    let nanos = stat.split_whitespace().next().and_then(|nanos| nanos.parse().ok());
    Duration::from_nanos(nanos.expect("a number"))
}

thread_local! {
    static RANDOM: Cell<u64> = const { Cell::new(0x9E37_79B9_7F4A_7C15) };
}

/// A number that differs from call to call, to spread races.
pub fn random() -> u64 {
    RANDOM.with(|random| {
        let mut x = random.get();
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        random.set(x);
        x
    })
}

//! The signals of Unix systems.

use std::fmt;
use std::future::{Future, poll_fn};
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::OnceLock;
use std::task::{Context, Poll, ready};

use crate::coop;
use crate::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use crate::sync::{self, Mutex};
use crate::sys;
use crate::waiters::{Place, Waiters};

/// More than any system has.
const KINDS: usize = 128;

static STATES: [State; KINDS] = [const { State::new() }; KINDS];
/// Where the handler writes. It is there before the first handler is.
static PIPE: OnceLock<UnixStream> = OnceLock::new();
/// Whether a byte is in the pipe that the thread has not read.
static ON_ITS_WAY: AtomicBool = AtomicBool::new(false);
/// Held while something is installed; says whether the thread runs.
static INSTALLING: Mutex<bool> = Mutex::new(false);

/// What there is for each kind of signal.
struct State {
    /// How many have come.
    count: AtomicUsize,
    waiters: Waiters,
    installed: AtomicBool,
}

impl State {
    const fn new() -> Self {
        Self {
            count: AtomicUsize::new(0),
            waiters: Waiters::new(),
            installed: AtomicBool::new(false),
        }
    }

    fn count(&self) -> usize {
        // Ordering: Acquire pairs with the handler's Release.
        self.count.load(Ordering::Acquire)
    }
}

/// Listens for signals of a kind, from now on.
///
/// # Errors
///
/// Of the kind `InvalidInput` for numbers that are no signal; for `SIGKILL` and `SIGSTOP`, which no
/// process can handle; and for `SIGSEGV`, `SIGILL`, `SIGFPE` and `SIGBUS`, after which the code that
/// raised them cannot go on. Else what the operating system says.
///
/// ```
/// # runtime::Runtime::new().unwrap().block_on(async {
/// use runtime::signal::unix::{SignalKind, signal};
///
/// let mut hangups = signal(SignalKind::hangup())?;
/// runtime::spawn(async move {
///     loop {
///         hangups.recv().await;
///         println!("reading the configuration again");
///     }
/// });
/// # std::io::Result::Ok(())
/// # }).unwrap();
/// ```
#[inline]
pub fn signal(kind: SignalKind) -> io::Result<Signal> {
    let state = usize::try_from(kind.0).ok().and_then(|number| STATES.get(number));
    let Some(state) = state.filter(|_| kind.can_be_handled()) else {
        let error = format!("signal {} cannot be listened for", kind.0);
        return Err(io::Error::new(io::ErrorKind::InvalidInput, error));
    };
    install(kind, state)?;
    Ok(Signal { kind, state, seen: state.count() })
}

/// Makes sure that signals of a kind are counted and announced.
#[inline]
fn install(kind: SignalKind, state: &State) -> io::Result<()> {
    // Ordering: Acquire pairs with the Release below: the pipe and the thread are there as well.
    if state.installed.load(Ordering::Acquire) {
        return Ok(());
    }
    let mut thread_runs = INSTALLING.lock();
    if !*thread_runs {
        start_thread()?;
        *thread_runs = true;
    }
    sys::handle_signal(kind.0, on_signal)?;
    // Ordering: see above.
    state.installed.store(true, Ordering::Release);
    Ok(())
}

#[inline]
fn start_thread() -> io::Result<()> {
    let (reader, writer) = UnixStream::pair()?;
    sync::start_thread("runtime-signals".to_owned(), None, Box::new(move || announce(reader)))?;
    // Only one caller comes this far, by the lock.
    PIPE.set(writer).map_err(|_| io::Error::other("the pipe of signals is there twice"))
}

/// The handler: it interrupts any thread, at any point, and does only what a handler may.
extern "C" fn on_signal(number: i32) {
    let state = usize::try_from(number).ok().and_then(|number| STATES.get(number));
    let (Some(state), Some(mut pipe)) = (state, PIPE.get()) else { return };
    // Ordering: Release pairs with `count`. The exchange's AcqRel pairs with the thread's: who finds
    // a byte on its way has counted before the thread looks at the counts.
    state.count.fetch_add(1, Ordering::Release);
    if !ON_ITS_WAY.swap(true, Ordering::AcqRel) {
        let _ = pipe.write(&[0]);
    }
}

/// The thread: wakes whoever waits for what has come.
fn announce(mut pipe: UnixStream) {
    let mut seen = [0; KINDS];
    loop {
        match pipe.read(&mut [0; 8]) {
            Ok(0) => return, // the writer is in a static, and stays
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => return,
        }
        // Ordering: pairs with the handler's exchange, see there.
        ON_ITS_WAY.swap(false, Ordering::AcqRel);
        for (state, seen) in STATES.iter().zip(&mut seen) {
            let count = state.count();
            if std::mem::replace(seen, count) != count {
                state.waiters.wake_all();
            }
        }
    }
}

/// Hears the signals of one kind; made by [`signal`].
///
/// Any number may listen for the same kind, and each hears every signal. See the
/// [module](super) for what is process-wide.
pub struct Signal {
    kind: SignalKind,
    state: &'static State,
    /// The count when a signal was given last.
    seen: usize,
}

impl Signal {
    /// Waits for the next signal, or gives one that came since the last call. Several that came
    /// meanwhile count as one.
    ///
    /// It spends one unit of the task's [budget](crate::task::coop) for each.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses no signal.
    ///
    /// ```no_run
    /// # async fn example() -> std::io::Result<()> {
    /// use runtime::signal::unix::{SignalKind, signal};
    ///
    /// let mut terminate = signal(SignalKind::terminate())?;
    /// terminate.recv().await;
    /// # Ok(())
    /// # }
    /// ```
    pub fn recv(&mut self) -> impl Future<Output = ()> + Send + Sync {
        let mut wait = Wait { signal: self, place: Place::default() };
        poll_fn(move |cx| wait.poll(cx))
    }
}

impl fmt::Debug for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signal").field("kind", &self.kind).finish_non_exhaustive()
    }
}

struct Wait<'a> {
    signal: &'a mut Signal,
    place: Place,
}

impl Wait<'_> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        ready!(coop::gate(cx));
        let Signal { state, seen, .. } = &mut *self.signal;
        if state.count() == *seen {
            state.waiters.register(&mut self.place, cx.waker());
            // One that came before that has been announced, or will be to the waker.
            if state.count() == *seen {
                return Poll::Pending;
            }
        }
        *seen = state.count();
        coop::charge(0);
        Poll::Ready(())
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        self.signal.state.waiters.leave(&mut self.place);
    }
}

/// A kind of signal, by its number.
///
/// ```
/// use runtime::signal::unix::SignalKind;
///
/// assert_eq!(SignalKind::from_raw(SignalKind::hangup().as_raw()), SignalKind::hangup());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SignalKind(i32);

impl SignalKind {
    /// The signal of this number; [`signal`] says whether there is one.
    pub const fn from_raw(number: i32) -> Self {
        Self(number)
    }

    /// The number of the signal.
    pub const fn as_raw(self) -> i32 {
        self.0
    }

    /// `SIGINT`: ctrl-c at the terminal.
    pub const fn interrupt() -> Self {
        Self(sys::SIGINT)
    }

    /// `SIGTERM`: what service managers and `kill` send to end a process.
    pub const fn terminate() -> Self {
        Self(sys::SIGTERM)
    }

    /// `SIGHUP`: the terminal is gone; for daemons, a request to read their configuration again.
    pub const fn hangup() -> Self {
        Self(sys::SIGHUP)
    }

    /// `SIGQUIT`: ctrl-\ at the terminal.
    pub const fn quit() -> Self {
        Self(sys::SIGQUIT)
    }

    /// `SIGUSR1`: whatever the program says.
    pub const fn user_defined1() -> Self {
        Self(sys::SIGUSR1)
    }

    /// `SIGUSR2`: whatever the program says.
    pub const fn user_defined2() -> Self {
        Self(sys::SIGUSR2)
    }

    /// `SIGCHLD`: a child process has ended or stopped.
    pub const fn child() -> Self {
        Self(sys::SIGCHLD)
    }

    /// `SIGALRM`: a timer of the process is over.
    pub const fn alarm() -> Self {
        Self(sys::SIGALRM)
    }

    /// `SIGPIPE`: a write to a pipe or socket whose reader is gone. Rust programs ignore it from the
    /// start.
    pub const fn pipe() -> Self {
        Self(sys::SIGPIPE)
    }

    /// `SIGWINCH`: the terminal has another size.
    pub const fn window_change() -> Self {
        Self(sys::SIGWINCH)
    }

    /// Whether the process may go on after it.
    fn can_be_handled(self) -> bool {
        !sys::FATAL_SIGNALS.contains(&self.0) && self.0 > 0
    }
}

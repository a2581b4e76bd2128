//! A runtime inside a program that has a loop of its own around poll(2): a game, a toolkit, a daemon.
//!
//! ```text
//! cargo run --example embed                    # a test of itself
//! cargo run --example embed -- 127.0.0.1:7000  # then: nc 127.0.0.1 7000, and `status` or `quit` here
//! ```
//!
//! What to look at: [`Program::run`]. The loop reads commands, serves TCP echo by the runtime, and
//! sleeps in one poll(2) for both: there is no second thread. So its data needs no locks: the tasks
//! and the loop share it by an `Rc`.

use std::cell::Cell;
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::process::ExitCode;
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use runtime::io::{ReadyRead, Write};
use runtime::time::{Instant, interval};
use runtime::{Builder, Runtime};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// How often a task of the runtime counts.
const BEAT: Duration = Duration::from_millis(50);

/// What the loop and the tasks have in common.
#[derive(Default)]
struct Status {
    connections: Cell<usize>,
    bytes: Cell<usize>,
    beats: Cell<usize>,
    commands: Cell<usize>,
    rounds: Cell<usize>,
}

impl Status {
    fn print(&self) {
        let (connections, bytes) = (self.connections.get(), self.bytes.get());
        let (beats, rounds) = (self.beats.get(), self.rounds.get());
        println!("{connections} connections, {bytes} bytes, {beats} beats, {rounds} rounds");
    }
}

fn add(counter: &Cell<usize>, n: usize) {
    counter.set(counter.get() + n);
}

// ---------------------------------------------------------------- the loop

struct Program {
    runtime: Runtime,
    status: Rc<Status>,
}

impl Program {
    fn new(listener: TcpListener) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().build()?;
        let status = Rc::<Status>::default();
        runtime.spawn_local(accept(listener, Rc::clone(&status)));
        runtime.spawn_local(beat(Rc::clone(&status)));
        Ok(Self { runtime, status })
    }

    /// The program's own loop, until `quit` or the end of `commands`.
    fn run(&self, mut commands: impl io::Read + AsFd) -> io::Result<()> {
        let fd = self.runtime.as_raw_fd();
        assert!(fd >= 0, "where there is only poll(2), the runtime has no descriptor of its own");
        // SAFETY: the descriptor is the runtime's, which `self` keeps.
        let runtime_fd = unsafe { BorrowedFd::borrow_raw(fd) };
        loop {
            add(&self.status.rounds, 1);
            // What tasks can do now, without waiting, and not for long.
            let has_more = self.runtime.turn(Some(Duration::ZERO))?;
            // How long there is nothing to do, if nothing comes.
            let wait = match self.runtime.next_deadline() {
                _ if has_more => Some(Duration::ZERO),
                Some(deadline) => Some(deadline.saturating_duration_since(Instant::now())),
                None => None,
            };
            let wait = wait.map(|wait| Timespec::try_from(wait).expect("a timer of this century"));
            let mut ready = [
                PollFd::new(&commands, PollFlags::IN),
                PollFd::from_borrowed_fd(runtime_fd, PollFlags::IN),
            ];
            match poll(&mut ready, wait.as_ref()) {
                Ok(_) => {}
                Err(rustix::io::Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
            }
            // If it is the runtime that has something, the next turn sees to it.
            if !ready[0].revents().is_empty() && !self.obey(&mut commands)? {
                return Ok(());
            }
        }
    }

    /// The work of the loop itself; `false` if that was all.
    fn obey(&self, commands: &mut impl io::Read) -> io::Result<bool> {
        let mut text = [0; 1024];
        let read = commands.read(&mut text)?; // does not block: there is something
        for command in text[..read].split(|byte| *byte == b'\n') {
            match command.trim_ascii() {
                b"" => {}
                b"status" => self.status.print(),
                b"quit" => return Ok(false),
                other => eprintln!("`{}` is neither status nor quit", other.escape_ascii()),
            }
            add(&self.status.commands, usize::from(!command.is_empty()));
        }
        Ok(read > 0)
    }
}

// ---------------------------------------------------------------- the tasks

async fn accept(listener: TcpListener, status: Rc<Status>) -> io::Result<()> {
    let listener = runtime::net::TcpListener::from_std(listener)?;
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                add(&status.connections, 1);
                drop(runtime::spawn_local(echo(stream, Rc::clone(&status))));
            }
            Err(error) => eprintln!("cannot accept: {error}"),
        }
    }
}

async fn echo(mut stream: runtime::net::TcpStream, status: Rc<Status>) -> io::Result<()> {
    loop {
        let bytes = stream.read_with(<[u8]>::to_vec).await?;
        if bytes.is_empty() {
            return stream.shutdown().await;
        }
        stream.write_all(&bytes).await?;
        add(&status.bytes, bytes.len());
    }
}

/// Something that has to happen in time, whether anybody talks or not.
async fn beat(status: Rc<Status>) {
    let mut beats = interval(BEAT);
    loop {
        beats.tick().await;
        add(&status.beats, 1);
    }
}

// ---------------------------------------------------------------- the command line and the test

fn main() -> ExitCode {
    let outcome = match std::env::args().nth(1).map(|address| address.parse()) {
        None => test(),
        Some(Ok(address)) => serve(address),
        Some(Err(_)) => {
            eprintln!("usage: embed [ADDRESS], like 127.0.0.1:7000");
            return ExitCode::from(2);
        }
    };
    let Err(error) = outcome else { return ExitCode::SUCCESS };
    eprintln!("error: {error}");
    ExitCode::FAILURE
}

fn serve(address: SocketAddr) -> io::Result<()> {
    let listener = TcpListener::bind(address)?;
    println!("listening on {}; here: status, quit", listener.local_addr()?);
    // Without a buffer: what that has read ahead, poll(2) does not know of.
    let stdin = std::fs::File::from(io::stdin().as_fd().try_clone_to_owned()?);
    Program::new(listener)?.run(stdin)
}

fn test() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let program = Program::new(listener)?;

    // Clients that know nothing of any of this, and somebody who gives commands meanwhile.
    const CLIENTS: usize = 8;
    let messages = |client: usize| 500 * (client + 1);
    let (commands, mut user) = io::pipe()?;
    let clients: Vec<_> =
        (0..CLIENTS).map(|n| thread::spawn(move || client(address, messages(n)))).collect();
    let user = thread::spawn(move || -> io::Result<()> {
        for client in clients {
            client.join().expect("a client has failed")?;
            user.write_all(b"status\n")?;
        }
        user.write_all(b"quit\n")
    });
    program.run(commands)?;
    user.join().expect("the user has failed")?;
    let status = &program.status;
    assert_eq!(status.connections.get(), CLIENTS);
    assert_eq!(status.bytes.get(), (0..CLIENTS).map(|n| 5 * messages(n)).sum());
    assert_eq!(status.commands.get(), CLIENTS);

    // Nobody talks. Timers are in time, and between them the loop sleeps.
    let (beats, rounds) = (status.beats.get(), status.rounds.get());
    let (commands, user) = io::pipe()?;
    let user = thread::spawn(move || {
        thread::sleep(10 * BEAT);
        drop(user);
    });
    program.run(commands)?;
    user.join().expect("the user has failed");
    let (beats, rounds) = (status.beats.get() - beats, status.rounds.get() - rounds);
    println!("while nobody talks: {beats} beats in {rounds} rounds");
    assert!(beats >= 3 && rounds < 3 * beats + 20);
    Ok(())
}

fn client(address: SocketAddr, messages: usize) -> io::Result<()> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    let mut answer = [0; 5];
    for _ in 0..messages {
        stream.write_all(b"hello")?;
        stream.read_exact(&mut answer)?;
        assert_eq!(&answer, b"hello");
    }
    Ok(())
}

//! Clients in a process of their own: one mio loop, which is as fast as loopback gets.
//!
//! The process prints one line when the warm-up is over and one with what it found, so that the
//! parent, which is the server, can read its own CPU time at both. Here is the side of the parent;
//! the clients themselves are in `load/clients.rs`.

mod address;
mod clients;

pub use address::Address;

use crate::cli::Plan;
use crate::meter::{Sample, Usage};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CpuSet, sched_setaffinity};
use std::fmt;
use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::str::FromStr;

/// What the clients do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// Each sends a message, waits for all of it to come back and sends the next.
    Echo,
    /// Each reads as fast as it can.
    Drain,
    /// Nothing, after they have connected.
    Idle,
}

/// What a process of clients is to do, where.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    pub kind: Kind,
    pub connections: usize,
    /// Clients on the last core and the server on the first, and nowhere else.
    pub apart: bool,
    pub address: Address,
}

/// In the process of the clients.
pub fn run(job: &Job, plan: Plan) {
    allow_many_files();
    if job.apart {
        stay_on(std::thread::available_parallelism().map_or(1, usize::from) - 1);
    }
    clients::run(job, plan).expect("the server answers");
}

/// In the process of the server: runs the clients, returns the numbers of both sides.
pub fn against(job: &Job, plan: Plan) -> Sample {
    let mut clients = Clients::start(job, plan);
    clients.expect("warm");
    let before = Usage::now();
    let line = clients.line();
    let used = Usage::now().since(before);
    let sample = Sample::from_line(&line).expect("the clients print a sample");
    let requests = sample.get("requests").expect("the clients count requests");
    sample
        .with("cpu", used.cpu.as_nanos() as f64 / requests)
        .with("user", used.user.as_nanos() as f64 / requests)
}

/// The clients, as their parent sees them. They end with it.
pub struct Clients {
    child: Child,
    output: BufReader<ChildStdout>,
    /// Idle clients stay until this is closed.
    _input: ChildStdin,
}

impl Clients {
    pub fn start(job: &Job, plan: Plan) -> Self {
        let this = std::env::current_exe().expect("this program has a file");
        let mut child = Command::new(this)
            .args(["--load", &job.to_string(), &plan.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this program can be started again");
        let output = BufReader::new(child.stdout.take().expect("it was asked for"));
        let input = child.stdin.take().expect("it was asked for");
        Self { child, output, _input: input }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("the clients can be read from");
        line
    }

    fn expect(&mut self, expected: &str) {
        let line = self.line();
        assert_eq!(line.trim(), expected, "what the clients said");
    }
}

impl Drop for Clients {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Raises the limit of open files as far as it goes.
pub fn allow_many_files() {
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
}

/// Keeps this thread, and those that it starts, on a core. If it cannot, then not.
pub fn stay_on(core: usize) {
    let mut cores = CpuSet::new();
    cores.set(core);
    let _ = sched_setaffinity(None, &cores);
}

impl fmt::Display for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, connections, apart, address } = self;
        write!(f, "{kind:?} {connections} {apart} {address}")
    }
}

impl FromStr for Job {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no job");
        let [kind, connections, apart, address] =
            text.split(' ').collect::<Vec<_>>().try_into().map_err(|_| wrong())?;
        let kinds = [Kind::Echo, Kind::Drain, Kind::Idle];
        let kind = kinds.into_iter().find(|known| format!("{known:?}") == kind);
        Ok(Self {
            kind: kind.ok_or_else(wrong)?,
            connections: connections.parse().map_err(|_| wrong())?,
            apart: apart.parse().map_err(|_| wrong())?,
            address: address.parse().map_err(|_| wrong())?,
        })
    }
}

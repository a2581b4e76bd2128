//! The command line.

use crate::load::Job;
use lexopt::{Arg, Parser, ValueExt};
use std::path::PathBuf;
use std::time::Duration;

pub const HELP: &str = "\
Measures `runtime` and its peers side by side and prints a table.

Usage: cargo run --release -- [OPTIONS]

Options:
  --quick          Short measurements, two rounds: a first impression
  --rounds N       How often each peer runs each workload (7; 2 with --quick)
  --json FILE      Write every sample to FILE
  --svg DIR        Write a plot of each group of workloads to DIR
  --only TEXT      Only workloads whose name contains TEXT (may be repeated)
  --peer TEXT      Only peers whose name contains TEXT (may be repeated)
  --list           Name the workloads and the peers (more of these with --features peers)
  -h, --help       This text

Numbers of multi-thread peers depend on where the kernel puts their threads.
Differences below 30 % mean nothing there; look at the CPU column as well.
";

pub enum Command {
    Help,
    List,
    Run(Options),
    /// In a child process: one peer, one workload, once.
    Measure {
        peer: String,
        workload: String,
        plan: Plan,
    },
    /// In a child of that: clients for the server in the parent.
    Load(Job, Plan),
}

#[derive(Default)]
pub struct Options {
    pub only: Vec<String>,
    pub peers: Vec<String>,
    pub rounds: usize,
    pub quick: bool,
    pub json: Option<PathBuf>,
    pub svg: Option<PathBuf>,
}

/// How long and how much.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Plan {
    pub quick: bool,
}

impl Plan {
    pub fn warm_up(self) -> Duration {
        Duration::from_millis(if self.quick { 30 } else { 200 })
    }

    pub fn measured(self) -> Duration {
        Duration::from_millis(if self.quick { 100 } else { 1000 })
    }

    /// How many things to hold when bytes per thing are counted.
    pub fn held(self, full: usize) -> usize {
        if self.quick { full / 10 } else { full }
    }
}

pub fn parse() -> Result<Command, lexopt::Error> {
    let mut parser = Parser::from_env();
    let mut options = Options::default();
    let mut rounds = None;
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("quick") => options.quick = true,
            Arg::Long("rounds") => rounds = Some(parser.value()?.parse()?),
            Arg::Long("json") => options.json = Some(parser.value()?.into()),
            Arg::Long("svg") => options.svg = Some(parser.value()?.into()),
            Arg::Long("only") => options.only.push(parser.value()?.string()?),
            Arg::Long("peer") => options.peers.push(parser.value()?.string()?),
            Arg::Long("list") => return Ok(Command::List),
            Arg::Long("help") | Arg::Short('h') => return Ok(Command::Help),
            Arg::Long("measure") => {
                let peer = parser.value()?.string()?;
                let workload = parser.value()?.string()?;
                let plan = Plan { quick: parser.value()? == "quick" };
                return Ok(Command::Measure { peer, workload, plan });
            }
            Arg::Long("load") => {
                let job = parser.value()?.parse()?;
                return Ok(Command::Load(job, Plan { quick: parser.value()? == "quick" }));
            }
            other => return Err(other.unexpected()),
        }
    }
    options.rounds = rounds.unwrap_or(if options.quick { 2 } else { 7 });
    if options.rounds == 0 {
        return Err("--rounds has to be at least 1".into());
    }
    Ok(Command::Run(options))
}

impl std::fmt::Display for Plan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.quick { "quick" } else { "full" })
    }
}

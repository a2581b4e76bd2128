//! `runtime` and its peers, side by side.
//!
//! `cargo run --release` in this directory measures every workload on every peer and ends with a
//! table; `--quick` does so in a fraction of the time, `--help` says what else there is.
//!
//! How it measures, because that decides what the numbers are worth:
//! - One process for each peer, workload and round: no peer inherits another's heap or threads.
//! - Rounds are interleaved (every peer once, then every peer again), so that a machine that slows
//!   down does so for all. The table shows medians of the rounds and their spread.
//! - CPU time of the whole process stands beside the time on the clock: a multi-thread peer may buy
//!   the one with the other.
//! - Load over sockets comes from a process of its own, which is one mio loop.
//!
//! Where things are: `peer.rs` is the trait that all peers stand behind, with a file for each;
//! `workload.rs` is the list of workloads, with a file for each kind; `meter.rs` reads clocks and
//! counts allocations; `runner.rs` starts the processes and prints the table; `load.rs` is the load
//! generator. To add a peer: a file in `peer/` and a line in `peer.rs`.

mod cli;
mod load;
mod meter;
mod peer;
mod runner;
mod workload;

use cli::Command;
use std::process::ExitCode;

fn main() -> ExitCode {
    match cli::parse() {
        Ok(Command::Help) => print!("{}", cli::HELP),
        Ok(Command::List) => runner::list(),
        Ok(Command::Run(options)) => return runner::run(&options),
        Ok(Command::Measure { peer, workload, plan }) => runner::measure(&peer, &workload, plan),
        Ok(Command::Load { address, connections, plan }) => load::run(address, connections, plan),
        Err(error) => {
            eprintln!("error: {error}\n\nTry --help.");
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}

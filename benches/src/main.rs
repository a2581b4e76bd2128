//! `runtime` and its peers, side by side.
//!
//! `cargo run --release` in this directory measures every workload on every peer and ends with a
//! table; `--quick` does so in a fraction of the time, `--help` says what else there is. What is
//! measured, how, and what the numbers are worth is in `README.md`.
//!
//! Where things are: `peer.rs` has the traits that all peers stand behind, with a file for each;
//! `workload.rs` is the list of workloads, with a file for each kind; `meter.rs` reads clocks and
//! counts allocations; `runner.rs` starts a process for each measurement; `report.rs` makes a table,
//! JSON and plots of what they say; `load.rs` is the load generator. To add a peer: a file in `peer/`
//! and a line in `peer.rs`. To add a workload: a line in `workload.rs` and an arm in its file.

mod cli;
mod load;
mod meter;
mod peer;
mod report;
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
        Ok(Command::Load(job, plan)) => load::run(&job, plan),
        Err(error) => {
            eprintln!("error: {error}\n\nTry --help.");
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}

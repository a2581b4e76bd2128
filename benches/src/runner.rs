//! Starts a process for each measurement and has a report made of what they say.

use crate::cli::{Options, Plan};
use crate::meter::Sample;
use crate::peer::{ROWS, Row};
use crate::report::{self, Results};
use crate::workload::{self, Workload};
use std::fs;
use std::io::{IsTerminal, Write};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

/// No measurement takes nearly as long.
const PATIENCE: Duration = Duration::from_secs(60);

pub fn list() {
    println!("Workloads:");
    for workload in workload::all() {
        println!("  {:20} {}", workload.name, workload.what);
    }
    println!("Peers:");
    for row in ROWS {
        println!("  {}", row.name);
    }
}

/// In a child: one measurement, one line. Comes back only if the peer cannot do it.
pub fn measure(peer: &str, workload: &str, plan: Plan) {
    let row = ROWS.iter().find(|row| row.name == peer).expect("the parent knows the peers");
    (row.run)(workload, plan);
    println!("cannot");
}

pub fn run(options: &Options) -> ExitCode {
    let chosen = |name: &str, texts: &[String]| {
        texts.is_empty() || texts.iter().any(|text| name.contains(text.as_str()))
    };
    let mut workloads = workload::all();
    workloads.retain(|workload| chosen(workload.name, &options.only));
    let rows: Vec<_> = ROWS.iter().filter(|row| chosen(row.name, &options.peers)).collect();
    if workloads.is_empty() || rows.is_empty() {
        eprintln!("error: nothing has such a name\n\nTry --list.");
        return ExitCode::from(2);
    }

    let plan = Plan { quick: options.quick };
    let mut results = Results::new(options.rounds);
    let mut progress = Progress::new(options.rounds * workloads.len() * rows.len());
    for round in 1..=options.rounds {
        for workload in &workloads {
            for row in &rows {
                progress.step(round, workload.name, row.name);
                if round > 1 && results.samples(workload.name, row.name).is_empty() {
                    // It could not, or failed, in the first round.
                    continue;
                }
                match child(row, workload, plan) {
                    Ok(Some(sample)) => results.add(workload.name, row.name, sample),
                    Ok(None) => {}
                    Err(error) => results.fail(workload.name, row.name, &error),
                }
            }
        }
    }
    progress.finish();
    report(&results, &workloads, &rows, options)
}

fn report(results: &Results, workloads: &[Workload], rows: &[&Row], options: &Options) -> ExitCode {
    report::table::print(results, workloads, rows);
    let mut written = Ok(());
    if let Some(file) = &options.json {
        written = written.and(fs::write(file, report::json::of(results, workloads, rows)));
    }
    if let Some(directory) = &options.svg {
        written = written.and(report::svg::write(directory, results, workloads, rows));
    }
    if let Err(error) = &written {
        eprintln!("error: the report cannot be written: {error}");
    }
    if written.is_ok() && results.failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// `None` if the peer cannot do this.
fn child(row: &Row, workload: &Workload, plan: Plan) -> Result<Option<Sample>, String> {
    let this = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut child = Command::new(this)
        // smol's way to say how many threads its global executor has.
        .env("SMOL_THREADS", "2")
        .args(["--measure", row.name, workload.name, &plan.to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| error.to_string())?;
    let started = Instant::now();
    while child.try_wait().map_err(|error| error.to_string())?.is_none() {
        if started.elapsed() > PATIENCE {
            let _ = child.kill();
            let _ = child.wait();
            return Err(format!("no result after {PATIENCE:?}"));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let output = child.wait_with_output().map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(output.status.to_string());
    }
    let line = String::from_utf8_lossy(&output.stdout);
    match line.trim() {
        "cannot" => Ok(None),
        line => Sample::from_line(line).map(Some).ok_or_else(|| format!("it said {line:?}")),
    }
}

/// One line that is written over and over; one line for each round if nobody watches.
struct Progress {
    done: usize,
    all: usize,
    round: usize,
    started: Instant,
    watched: bool,
}

impl Progress {
    fn new(all: usize) -> Self {
        let watched = std::io::stderr().is_terminal();
        Self { done: 0, all, round: 0, started: Instant::now(), watched }
    }

    fn step(&mut self, round: usize, workload: &str, peer: &str) {
        let (done, all) = (self.done, self.all);
        if self.watched {
            let left = (self.started.elapsed() / done.max(1) as u32) * (all - done) as u32;
            let left =
                if done == 0 { String::new() } else { format!(", {} s left", left.as_secs()) };
            eprint!("\r\x1b[K[{done}/{all}{left}] round {round}: {workload} on {peer}");
            let _ = std::io::stderr().flush();
        } else if round != self.round {
            eprintln!("[{done}/{all}] round {round}");
        }
        self.round = round;
        self.done += 1;
    }

    fn finish(&self) {
        let clear = if self.watched { "\r\x1b[K" } else { "" };
        eprintln!("{clear}[{0}/{0}] done in {1} s", self.all, self.started.elapsed().as_secs());
    }
}

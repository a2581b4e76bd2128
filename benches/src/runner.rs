//! Starts a process for each measurement and makes a table of what they say.

use crate::cli::{Options, Plan};
use crate::meter::Sample;
use crate::peer::{ROWS, Row};
use crate::workload::{WORKLOADS, Workload};
use std::collections::HashMap;
use std::fs;
use std::io::{IsTerminal, Write};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

/// No measurement takes nearly as long.
const PATIENCE: Duration = Duration::from_secs(120);

pub fn list() {
    println!("Workloads:");
    for workload in WORKLOADS {
        println!("  {:20} {}", workload.name, workload.what);
    }
    println!("Peers:");
    for row in ROWS {
        println!("  {}", row.name);
    }
}

/// In a child: one measurement, one line.
pub fn measure(peer: &str, workload: &str, plan: Plan) {
    let row = ROWS.iter().find(|row| row.name == peer).expect("the parent knows the peers");
    match (row.run)(workload, plan) {
        Some(sample) => println!("{}", sample.to_line()),
        None => println!("cannot"),
    }
}

pub fn run(options: &Options) -> ExitCode {
    let chosen = |name: &str, texts: &[String]| {
        texts.is_empty() || texts.iter().any(|text| name.contains(text.as_str()))
    };
    let workloads: Vec<_> = WORKLOADS.iter().filter(|w| chosen(w.name, &options.only)).collect();
    let rows: Vec<_> = ROWS.iter().filter(|row| chosen(row.name, &options.peers)).collect();
    if workloads.is_empty() || rows.is_empty() {
        eprintln!("error: nothing has such a name\n\nTry --list.");
        return ExitCode::from(2);
    }

    let plan = Plan { quick: options.quick };
    let mut found: HashMap<(&str, &str), Vec<Sample>> = HashMap::new();
    let mut failed = Vec::new();
    let mut progress = Progress::new(options.rounds * workloads.len() * rows.len());
    for round in 1..=options.rounds {
        for workload in &workloads {
            for row in &rows {
                progress.step(round, workload.name, row.name);
                match child(row, workload, plan) {
                    Ok(Some(sample)) => {
                        found.entry((workload.name, row.name)).or_default().push(sample);
                    }
                    Ok(None) => {}
                    Err(error) => failed.push(format!("{} {}: {error}", workload.name, row.name)),
                }
            }
        }
    }
    progress.finish();
    print_table(&workloads, &rows, &found, options.rounds);
    for failure in &failed {
        println!("failed: {failure}");
    }
    if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// `None` if the peer cannot do this.
fn child(row: &Row, workload: &Workload, plan: Plan) -> Result<Option<Sample>, String> {
    let this = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut child = Command::new(this)
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

fn print_table(
    workloads: &[&Workload],
    rows: &[&Row],
    found: &HashMap<(&str, &str), Vec<Sample>>,
    rounds: usize,
) {
    println!("{}; median of rounds: {rounds}\n", machine());
    println!(
        "| {:<18} | {:<12} | {:>9} | {:>17} | {:>15} | {:>5} |",
        "workload", "peer", "median", "spread", "beside", "ratio"
    );
    println!("|{:-<20}|{:-<14}|{:->10}:|{:->18}:|{:->16}:|{:->6}:|", "", "", "", "", "", "");
    for workload in workloads {
        let values = |row: &str, name: &str| {
            let samples = found.get(&(workload.name, row)).map_or(&[][..], Vec::as_slice);
            let mut values: Vec<f64> = samples.iter().filter_map(|s| s.get(name)).collect();
            values.sort_by(f64::total_cmp);
            values
        };
        let mut label = workload.name;
        for row in rows {
            let all = values(row.name, workload.value);
            let Some(value) = median(&all) else { continue };
            let beside = median(&values(row.name, workload.beside.0));
            let ratio = median(&values(row.base, workload.value)).map(|base| value / base);
            println!(
                "| {label:<18} | {:<12} | {:>9} | {:>17} | {:>15} | {:>5} |",
                row.name,
                format!("{} {}", number(value), workload.unit),
                format!("{}..{}", number(all[0]), number(all[all.len() - 1])),
                beside.map_or(String::new(), |v| format!("{} {}", number(v), workload.beside.1)),
                ratio.map_or(String::new(), |ratio| format!("{ratio:.2}")),
            );
            label = "";
        }
    }
    println!("\nns: on the clock, for each operation. B: on the heap, for each thing.");
    println!("Ratio: to tokio's median of the same flavor; below 1 is better than tokio.");
}

fn number(value: f64) -> String {
    if value.abs() < 100.0 { format!("{value:.1}") } else { format!("{value:.0}") }
}

/// Of sorted values.
fn median(values: &[f64]) -> Option<f64> {
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        len if len % 2 == 1 => Some(values[middle]),
        _ => Some((values[middle - 1] + values[middle]) / 2.0),
    }
}

fn machine() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split(": ").nth(1));
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    format!("{}, {cores} cores, Linux {}", model.unwrap_or("unknown CPU"), kernel.trim())
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

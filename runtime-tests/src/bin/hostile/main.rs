//! What hostile peers and exhaustion do to a server, measured: a line of a table for each promise.
//!
//! ```text
//! hostile                 # everything, about two minutes; ends with 1 if something does not hold
//! hostile K01 blocked     # only these
//! hostile --small K01     # a small form with tenfold slack: what the suite runs
//! ```
//!
//! Servers are processes of their own (`server.rs`), so that what they use is not mixed up with what
//! their clients do; and each line of the table is made by one, so that no heap is inherited. `scripts/hostile`
//! adds what a program cannot see of itself: system calls, and the report of a drain.

mod blocked;
mod exhausted;
mod half_open;
mod limits;
mod load;
mod masses;
mod meter;
mod peers;
mod report;
mod server;

use report::{Figure, Size};
use runtime_tests::counting::Counting;
use std::process::{Command, ExitCode};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What is measured: its name, the scenario, and the function that does so.
type Row = (&'static str, &'static str, fn(Size) -> Vec<Figure>);

const ROWS: &[Row] = &[
    ("K01", "slow senders: a byte a second, lines that never end", peers::slow),
    ("K03", "a line in segments of one byte", peers::tiny),
    ("K05", "a peer that is gone without a word", half_open::run),
    ("half", "peers that end their direction and stay", peers::half_closed),
    ("K06", "more clients than descriptors", exhausted::run),
    ("K07", "absurd capacities and lengths", limits::numbers),
    ("K08", "a peer that never stops sending", limits::endless),
    ("K09", "sleeps that end at once, far away", masses::sleeps),
    ("K10", "tasks that wait for ever, dropped", masses::tasks),
    ("K11", "clones of wakers that outlive the runtime", masses::wakers),
    ("K12", "absurd names, numbers and paths", limits::names),
    ("idle", "1000 sockets and 1000 sleeps, silent", blocked::idle),
    ("blocked", "one of two workers in a poll of 2 s", blocked::run),
    ("watch", "one worker busy, one parked", blocked::watch),
];

fn main() -> ExitCode {
    let mut words: Vec<String> = std::env::args().skip(1).collect();
    if words.first().is_some_and(|word| word == "serve") {
        server::main(&words[1..]);
        return ExitCode::SUCCESS;
    }
    let size = if words.iter().any(|word| word == "--small") { Size::Small } else { Size::Full };
    words.retain(|word| word != "--small");
    load::allow_open_files();
    match &words[..] {
        [inside] if inside == "inside" => {
            half_open::inside(size).iter().for_each(|figure| println!("{}", figure.to_line()));
            return ExitCode::SUCCESS;
        }
        [row] => return one(row, size),
        _ => {}
    }
    let unknown = words.iter().find(|word| ROWS.iter().all(|row| row.0 != **word));
    if let Some(unknown) = unknown {
        eprintln!("there is no row {unknown}");
        return ExitCode::from(2);
    }
    report::head();
    let chosen =
        ROWS.iter().filter(|row| words.is_empty() || words.iter().any(|word| word == row.0));
    let failed = chosen.filter(|row| !in_a_process_of_its_own(row.0, size)).count();
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn in_a_process_of_its_own(row: &str, size: Size) -> bool {
    let mut command = Command::new(std::env::current_exe().expect("a program knows its file"));
    command.arg(row).args((size == Size::Small).then_some("--small"));
    command.status().is_ok_and(|status| status.success())
}

/// Measures one row and shows its lines.
fn one(name: &str, size: Size) -> ExitCode {
    let Some((name, what, measure)) = ROWS.iter().find(|row| row.0 == name) else {
        eprintln!("there is no row {name}");
        return ExitCode::from(2);
    };
    let figures = measure(size);
    report::lines(name, what, &figures);
    if figures.iter().all(Figure::holds) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

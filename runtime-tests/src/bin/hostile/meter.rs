//! What a process has used, and how late things were.

use std::fs;
use std::time::{Duration, Instant};

/// What a process has used so far.
#[derive(Clone, Copy)]
pub(crate) struct Usage {
    at: Instant,
    cpu: Duration,
    pub(crate) resident: u64,
}

impl Usage {
    pub(crate) fn of(process: u32) -> Self {
        let stat = read(&format!("/proc/{process}/stat"));
        // Behind the name, which may have anything in it: state, parent, ...
        let fields = stat.rsplit(')').next().expect("one at least").split_whitespace();
        let ticks: u64 =
            fields.skip(11).take(2).map(|field| field.parse::<u64>().expect("a number")).sum();
        // Exact, unlike what `status` says.
        let rollup = read(&format!("/proc/{process}/smaps_rollup"));
        let resident = rollup.lines().find_map(|line| line.strip_prefix("Rss:"));
        let kib = resident.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        // Linux counts in hundredths of a second wherever it shows ticks.
        Self {
            at: Instant::now(),
            cpu: Duration::from_millis(10 * ticks),
            resident: 1024 * kib.expect("a number"),
        }
    }

    /// Of one core, in percent, since then.
    pub(crate) fn cpu_since(&self, earlier: &Self) -> f64 {
        let cpu = self.cpu - earlier.cpu;
        100.0 * cpu.as_secs_f64() / (self.at - earlier.at).as_secs_f64()
    }

    pub(crate) fn cpu_time_since(&self, earlier: &Self) -> Duration {
        self.cpu - earlier.cpu
    }
}

/// What one thread has used: its time on a processor, and how often it went to sleep.
#[derive(Clone, Copy)]
pub(crate) struct ThreadUsage {
    pub(crate) cpu: Duration,
    pub(crate) sleeps: u64,
}

impl ThreadUsage {
    pub(crate) fn since(&self, earlier: &Self) -> Self {
        Self { cpu: self.cpu - earlier.cpu, sleeps: self.sleeps - earlier.sleeps }
    }
}

/// The threads of this process whose names begin like this.
pub(crate) fn threads(name: &str) -> Vec<ThreadUsage> {
    let tasks = fs::read_dir("/proc/self/task").expect("Linux has it");
    let paths = tasks.filter_map(|task| Some(task.ok()?.path()));
    let named = paths.filter(|path| {
        fs::read_to_string(path.join("comm")).is_ok_and(|comm| comm.starts_with(name))
    });
    let mut paths: Vec<_> = named.collect();
    paths.sort();
    let usage = paths.iter().map(|path| {
        let first = |text: &str| text.split_whitespace().next().and_then(|word| word.parse().ok());
        let nanos = first(&fs::read_to_string(path.join("schedstat")).ok()?)?;
        let status = fs::read_to_string(path.join("status")).ok()?;
        let sleeps =
            status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"))?;
        Some(ThreadUsage { cpu: Duration::from_nanos(nanos), sleeps: first(sleeps)? })
    });
    usage.map(|usage| usage.expect("the thread is alive")).collect()
}

/// Times, of which some will be shown.
#[derive(Default)]
pub(crate) struct Times(Vec<Duration>);

impl Times {
    pub(crate) fn add(&mut self, time: Duration) {
        self.0.push(time);
    }

    pub(crate) fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The one that so many of a hundred do not exceed.
    pub(crate) fn percentile(&mut self, percent: f64) -> Duration {
        self.0.sort_unstable();
        let last = self.0.len().checked_sub(1).expect("something was measured");
        self.0[(last as f64 * percent / 100.0).round() as usize]
    }

    pub(crate) fn max(&mut self) -> Duration {
        self.percentile(100.0)
    }

    /// Median, 99th percentile and worst.
    pub(crate) fn show(&mut self) -> String {
        let [p50, p99, max] = [50.0, 99.0, 100.0].map(|p| self.percentile(p).as_secs_f64() * 1e3);
        format!("{p50:.2} / {p99:.2} / {max:.2} ms")
    }
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

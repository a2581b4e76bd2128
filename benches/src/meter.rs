//! Clocks, memory and allocations of this process.

use crate::cli::Plan;
use std::alloc::{GlobalAlloc, Layout, System};
use std::fmt::Write;
use std::fs;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// What one measurement found: names and numbers. The workload says which one counts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sample(pub Vec<(String, f64)>);

impl Sample {
    pub fn with(mut self, name: &str, value: f64) -> Self {
        self.0.push((name.to_owned(), value));
        self
    }

    pub fn get(&self, name: &str) -> Option<f64> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| *value)
    }

    /// Tells the parent and ends the process.
    pub fn say(&self) -> ! {
        println!("{}", self.to_line());
        std::process::exit(0);
    }

    /// For the way from a child process to its parent: `name=value name=value`.
    pub fn to_line(&self) -> String {
        let mut line = String::new();
        for (name, value) in &self.0 {
            write!(line, "{name}={value} ").expect("strings take everything");
        }
        line
    }

    pub fn from_line(line: &str) -> Option<Self> {
        let pair = |pair: &str| {
            let (name, value) = pair.split_once('=')?;
            Some((name.to_owned(), value.parse().ok()?))
        };
        line.split_whitespace().map(pair).collect::<Option<_>>().map(Self)
    }
}

/// Repeats a batch of operations: first to warm up, then to measure.
///
/// ```text
/// let mut meter = Meter::new(plan);
/// while meter.goes_on() {
///     // a batch of operations
///     meter.add(operations);
/// }
/// meter.sample()
/// ```
pub struct Meter {
    plan: Plan,
    created: Instant,
    /// Clock and CPU time when the warm-up was over.
    started: Option<(Instant, Duration)>,
    operations: u64,
}

impl Meter {
    pub fn new(plan: Plan) -> Self {
        Self { plan, created: Instant::now(), started: None, operations: 0 }
    }

    pub fn goes_on(&mut self) -> bool {
        match self.started {
            Some((at, _)) => at.elapsed() < self.plan.measured(),
            None => {
                if self.created.elapsed() >= self.plan.warm_up() && self.operations > 0 {
                    self.started = Some((Instant::now(), cpu_time()));
                    self.operations = 0;
                }
                true
            }
        }
    }

    pub fn add(&mut self, operations: u64) {
        self.operations += operations;
    }

    /// `ns` and `cpu`, in nanoseconds for each operation.
    pub fn sample(self) -> Sample {
        let (at, cpu) = self.started.expect("goes_on() said no");
        let each = |time: Duration| time.as_nanos() as f64 / self.operations as f64;
        let (wall, cpu) = (at.elapsed(), cpu_time() - cpu);
        Sample::default().with("ns", each(wall)).with("cpu", each(cpu))
    }
}

/// What all threads of this process have used, in user mode and in the kernel.
pub fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// What the system says that this process has used since it began.
#[derive(Clone, Copy)]
pub struct Usage {
    pub cpu: Duration,
    /// The part of it in user mode. The kernel of most machines counts it in ticks of some
    /// milliseconds, so it is coarse.
    pub user: Duration,
    /// How often a thread went to sleep.
    pub switches: i64,
}

impl Usage {
    pub fn now() -> Self {
        // SAFETY: all zeros is a value of this type.
        let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
        // SAFETY: the pointer is to a value of the type that the call fills.
        let result = unsafe { libc::getrusage(libc::RUSAGE_SELF, &mut usage) };
        assert_eq!(result, 0, "this cannot fail");
        let user =
            Duration::new(usage.ru_utime.tv_sec as u64, usage.ru_utime.tv_usec as u32 * 1000);
        Self { cpu: cpu_time(), user, switches: usage.ru_nvcsw }
    }

    pub fn since(self, start: Self) -> Self {
        Self {
            cpu: self.cpu - start.cpu,
            user: self.user - start.user,
            switches: self.switches - start.switches,
        }
    }
}

/// Memory before and after something is held.
pub struct Held {
    heap: usize,
    resident: usize,
}

impl Held {
    /// Counts from here. What is freed from now on should have been allocated after this, too.
    pub fn count() -> Self {
        COUNTING.store(true, Relaxed);
        Self { heap: LIVE.load(Relaxed), resident: resident() }
    }

    /// `heap` and `rss`, in bytes, for each of `things`.
    pub fn sample(&self, things: usize) -> Sample {
        let each = |after: usize, before: usize| {
            (after.wrapping_sub(before) as isize) as f64 / things as f64
        };
        Sample::default()
            .with("heap", each(LIVE.load(Relaxed), self.heap))
            .with("rss", each(resident(), self.resident))
    }
}

fn resident() -> usize {
    let pages = fs::read_to_string("/proc/self/statm").ok();
    let pages = pages.and_then(|text| text.split_whitespace().nth(1)?.parse::<usize>().ok());
    pages.unwrap_or(0) * rustix::param::page_size()
}

/// The system's allocator; counts the bytes that are in use once it is told to, and costs one
/// predictable branch until then.
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

static COUNTING: AtomicBool = AtomicBool::new(false);
/// May wrap: only differences mean something.
static LIVE: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every request goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if COUNTING.load(Relaxed) {
            LIVE.fetch_add(layout.size(), Relaxed);
        }
        // SAFETY: the caller keeps the contract, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        if COUNTING.load(Relaxed) {
            LIVE.fetch_sub(layout.size(), Relaxed);
        }
        // SAFETY: as above; `pointer` came from `System`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

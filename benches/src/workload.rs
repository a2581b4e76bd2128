//! What is measured.

pub mod lean;
pub mod memory;
pub mod messages;
pub mod pipes;
pub mod sockets;
pub mod tasks;
pub mod timers;

/// One block of the table.
pub struct Workload {
    pub name: &'static str,
    /// Which plot it belongs to.
    pub group: &'static str,
    pub what: &'static str,
    /// The number that counts comes first; less is better.
    pub measures: &'static [Measure],
}

/// A number of a sample: its name there, and its unit.
pub struct Measure(pub &'static str, pub &'static str);

const TIME: &[Measure] = &[Measure("ns", "ns"), Measure("cpu", "CPU ns")];
const BYTES: &[Measure] = &[Measure("heap", "B"), Measure("rss", "B RSS")];
/// Latencies of a server's clients are in microseconds.
const ANSWERS: &[Measure] = &[
    Measure("ns", "ns"),
    Measure("cpu", "CPU ns"),
    Measure("user", "user ns"),
    Measure("p50", "µs p50"),
    Measure("p99", "µs p99"),
    Measure("rate", "k/s"),
];
const ANSWERS_CPU: &[Measure] = &[
    Measure("cpu", "CPU ns"),
    Measure("user", "user ns"),
    Measure("p50", "µs p50"),
    Measure("p99", "µs p99"),
    Measure("rate", "k/s"),
];
const ANSWERS_TAIL: &[Measure] = &[
    Measure("p99", "µs p99"),
    Measure("p50", "µs p50"),
    Measure("cpu", "CPU ns"),
    Measure("user", "user ns"),
];
const STREAMED: &[Measure] =
    &[Measure("ns", "ns"), Measure("cpu", "CPU ns"), Measure("rate", "MB/s")];
const FIRED: &[Measure] =
    &[Measure("cpu", "CPU ms"), Measure("p50", "µs late p50"), Measure("p99", "µs late p99")];
const LATE: &[Measure] =
    &[Measure("p99", "µs late p99"), Measure("p50", "µs late p50"), Measure("cpu", "CPU %")];
const ASLEEP: &[Measure] = &[Measure("cpu", "CPU ms"), Measure("switches", "switches")];

type Table = &'static [(&'static str, &'static [Measure], &'static str)];

const EXECUTOR: Table = &[
    ("spawn-10k", TIME, "spawn 10 000 tasks from a task, await all; each"),
    ("spawn-await", TIME, "spawn one, await it, repeat"),
    ("spawn-detached", TIME, "spawn a task that nobody awaits"),
    ("spawn-foreign", TIME, "the same from a thread that the runtime does not know"),
    ("yield-1000", TIME, "1000 tasks wake themselves; each time"),
    ("yield-1", TIME, "one task wakes itself"),
    ("pairs", TIME, "1000 pairs: two spawns and two oneshot messages, there and back; each"),
    ("bounce-root", TIME, "the future of block_on and a task bounce a message; there and back"),
    ("bounce-foreign", TIME, "a thread that parks and a task bounce a message; there and back"),
];

const PIPES: Table = &[
    ("duplex-16", TIME, "16 B through a duplex of 64 KiB, writer task to reader task"),
    ("duplex-256", TIME, "256 B"),
    ("duplex-4k", TIME, "4 KiB"),
    ("duplex-64k", TIME, "64 KiB"),
    ("duplex-64k-in-place", TIME, "64 KiB, not copied by the reader if the peer can"),
    ("duplex-64k-bytes", TIME, "64 KiB handed over as Bytes, not copied at all if the peer can"),
    ("duplex-pingpong", TIME, "64 B there and back between two tasks"),
];

const SOCKETS: Table = &[
    ("tcp-echo-1", ANSWERS, "64 B there and back over TCP, 1 connection"),
    ("tcp-echo-50", ANSWERS, "50 connections; time between two answers"),
    ("tcp-echo-500", ANSWERS_CPU, "500 connections"),
    ("unix-echo-50", ANSWERS_CPU, "50 connections over Unix sockets"),
    ("tcp-stream-4", STREAMED, "the server sends 64 KiB chunks on 4 connections; each"),
    ("tcp-core-50", ANSWERS_CPU, "50 connections; one worker on a core, the clients on another"),
    ("tcp-core-500", ANSWERS_CPU, "500 connections, the same"),
    ("tcp-tail-300", ANSWERS_TAIL, "300 connections, the same"),
    ("tcp-tail-1000", ANSWERS_TAIL, "1000 connections, the same"),
];

const MEMORY: Table = &[
    ("memory-task", BYTES, "a task that waits"),
    ("memory-sleep", BYTES, "a task that sleeps"),
    ("memory-tcp", BYTES, "an idle TCP connection and the task that reads from it"),
    (
        "memory-idle-lean",
        BYTES,
        "a TCP connection that waits again: readable + try_read, or read_with",
    ),
    ("memory-idle-lines", BYTES, "the same, in BufReader::lines"),
    ("memory-duplex", BYTES, "an idle pair of duplex streams"),
    ("memory-duplex-used", BYTES, "the same after use"),
];

const TIMERS: Table = &[
    ("timer-cancel", TIME, "a timer is set and given up, no other being there"),
    ("timer-cancel-many", TIME, "the same while 1000 others wait for something sooner"),
    ("timer-timeout", TIME, "a timeout around something that gives way once"),
    ("timer-hold", TIME, "a million timers are set and kept; each"),
    ("timer-fire", FIRED, "100 000 tasks sleep and wake up within a second"),
    ("timer-beside", LATE, "a task that sleeps for 1 ms, beside a pair that bounces bytes"),
    ("idle-1000", ASLEEP, "1000 silent connections for 5 seconds (1 with --quick)"),
];

const GROUPS: &[(&str, Table)] = &[
    ("executor", EXECUTOR),
    ("pipes", PIPES),
    ("sockets", SOCKETS),
    ("memory", MEMORY),
    ("timers", TIMERS),
];

/// Every workload, in the order of the table. A peer that cannot do one is left out there.
pub fn all() -> Vec<Workload> {
    let group = |&(group, table): &(&'static str, Table)| {
        table.iter().map(move |&(name, measures, what)| Workload { name, group, what, measures })
    };
    GROUPS.iter().flat_map(group).collect()
}

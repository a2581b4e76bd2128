//! What is measured.

pub mod memory;
pub mod pipes;
pub mod sockets;
pub mod tasks;

/// One block of the table.
pub struct Workload {
    pub name: &'static str,
    pub what: &'static str,
    /// The number that counts, by its name in the sample: less is better.
    pub value: &'static str,
    pub unit: &'static str,
    /// A second number that belongs to it.
    pub beside: (&'static str, &'static str),
}

const fn time(name: &'static str, what: &'static str) -> Workload {
    Workload { name, what, value: "ns", unit: "ns", beside: ("cpu", "CPU ns") }
}

const fn bytes(name: &'static str, what: &'static str) -> Workload {
    Workload { name, what, value: "heap", unit: "B", beside: ("rss", "B RSS") }
}

/// Every workload, in the order of the table. A peer that cannot do one is left out there.
pub const WORKLOADS: &[Workload] = &[
    time("spawn-10k", "spawn 10 000 tasks from a task, await all; each"),
    time("spawn-await", "spawn one, await it, repeat"),
    time("spawn-detached", "spawn a task that nobody awaits"),
    time("yield-1000", "1000 tasks wake themselves; each time"),
    time("yield-1", "one task wakes itself"),
    time("duplex-16", "16 B through a duplex of 64 KiB, writer task to reader task"),
    time("duplex-256", "256 B"),
    time("duplex-4k", "4 KiB"),
    time("duplex-64k", "64 KiB"),
    time("duplex-pingpong", "64 B there and back between two tasks"),
    time("tcp-echo-1", "64 B there and back over TCP, 1 connection; CPU of the server"),
    time("tcp-echo-50", "the same, 50 connections; time between two answers"),
    bytes("memory-task", "a task that waits"),
    bytes("memory-tcp", "an idle TCP connection and the task that reads from it"),
    bytes(
        "memory-idle-lean",
        "a TCP connection that waits again: readable + try_read, or read_with",
    ),
    bytes("memory-idle-lines", "the same, in BufReader::lines"),
    bytes("memory-duplex", "an idle pair of duplex streams"),
    bytes("memory-duplex-used", "the same after use"),
];

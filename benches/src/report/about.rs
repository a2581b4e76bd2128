//! On what, and of what, the numbers are.

use std::fs;

pub fn machine() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split(": ").nth(1));
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    format!("{}, {cores} cores, Linux {}", model.unwrap_or("unknown CPU"), kernel.trim())
}

/// The packages whose versions matter.
const PEERS: &[&str] = &[
    "tokio",
    "mio",
    #[cfg(feature = "peers")]
    "smol",
    #[cfg(feature = "peers")]
    "async-executor",
    #[cfg(feature = "peers")]
    "async-io",
    #[cfg(feature = "peers")]
    "piper",
    #[cfg(feature = "peers")]
    "monoio",
    #[cfg(feature = "peers")]
    "compio",
    #[cfg(feature = "peers")]
    "glommio",
];

/// Names and versions, as they are in the lock file that this program was built from.
pub fn versions() -> Vec<(&'static str, &'static str)> {
    let lock = include_str!("../../Cargo.lock");
    let version = |peer: &&'static str| {
        // The last: an older one is there only because a peer needs it.
        let mut packages = lock.rsplit("[[package]]");
        let package = packages.find(|package| field(package, "name") == *peer)?;
        Some((*peer, field(package, "version")))
    };
    PEERS.iter().filter_map(version).collect()
}

fn field<'a>(package: &'a str, name: &str) -> &'a str {
    let value = |line: &'a str| line.strip_prefix(name)?.strip_prefix(" = \"")?.strip_suffix('"');
    package.lines().find_map(value).unwrap_or_default()
}

/// What was typed.
pub fn command() -> String {
    let features = if cfg!(feature = "peers") { " --features peers" } else { "" };
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    format!("cargo run --release{features} -- {}", arguments.join(" "))
}

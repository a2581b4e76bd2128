//! The architecture, checked: who may import whom, and what may stand in which file.
//!
//! The sources are read as text (`source.rs` turns it into tokens and paths), so this also sees what
//! is compiled out. Everything that is allowed is written down in the tables below; a new arrow or a
//! new file with `unsafe` has to be added here, which is the moment to think about it. A violation is
//! reported as `file:line: what`.

mod source;
mod source_tests;

use source::{Source, Token};
use std::fs;
use std::path::{Path, PathBuf};

/// Every arrow between the top-level modules. They go down only; `fs` and `net` to `blocking` (where
/// files are read and names resolved) are those that go sideways. `net` knows `pipe` for its listener. `sync`, the loom switch, is visible
/// everywhere and `lib` sees everybody, so neither is listed.
const ARROWS: &[(&str, &[&str])] = &[
    // The front door, and what hangs beside it: hyper's executor is a `Handle`.
    ("compat", &["coop", "io_core", "net", "pipe", "runtime", "time_core"]),
    (
        "runtime",
        // All of it: a `Handle` makes sockets, files and timers, too.
        &[
            "blocking",
            "contain",
            "coop",
            "driver",
            "executor",
            "fs",
            "io_core",
            "net",
            "task",
            "time_core",
        ],
    ),
    // Users of the machinery.
    ("executor", &["contain", "coop", "driver", "task"]),
    ("blocking", &["task"]),
    ("fs", &["blocking", "coop", "io_core", "sys", "task", "waiters"]),
    ("net", &["blocking", "coop", "driver", "io_core", "pipe", "sys"]),
    ("signal", &["coop", "sys", "waiters"]),
    ("time_core", &["contain", "coop", "driver"]),
    // Machinery.
    ("task", &["contain", "coop", "waiters"]),
    ("driver", &["coop", "io_core", "sys"]),
    ("pipe", &["contain", "coop", "io_core"]),
    // Words.
    ("io_core", &["coop"]),
    ("coop", &[]),
    ("waiters", &["contain"]),
    ("contain", &[]),
    ("sys", &[]),
    ("sync", &[]),
];

/// Crates that only some files may name.
const CRATES: &[(&str, &[&str])] = &[
    ("mio", &["src/driver/", "src/net/"]),
    ("libc", &["src/sys.rs"]),
    ("socket2", &["src/io/buf.rs", "src/io/tests/", "src/net/", "src/sys.rs"]),
    (
        "slab",
        &[
            "src/driver/",
            "src/task/home.rs",
            "src/task/join_set.rs",
            "src/task/token/",
            "src/waiters.rs",
        ],
    ),
    ("crossbeam_queue", &["src/sync.rs"]),
    ("futures_io", &["src/compat/"]),
    ("hyper", &["src/compat/"]),
    ("tokio", &["src/compat/"]),
];

/// The files that may say `unsafe`.
const UNSAFE: &[&str] = &[
    "src/executor/queue.rs",
    "src/io/buf.rs",
    "src/io/owned_buf.rs",
    "src/io/owned_buf/cursor.rs",
    "src/pipe/segment.rs",
    "src/sync.rs",
    "src/sys.rs",
    "src/task/cell.rs",
    "src/task/list.rs",
    "src/time/timeout.rs",
];

/// How many unsafe blocks and impls there may be, tests not counted.
const UNSAFE_BLOCKS: usize = 40;

/// A file should be readable in one sitting. Most stay under 500 lines.
const LINES: usize = 700;

/// So should the map.
const MAP_LINES: usize = 250;

/// The directories that are read. What is under `tests/ui` is written to be wrong.
const READ: &[&str] = &[
    "src",
    "runtime-macros/src",
    "runtime-tests/src",
    "runtime-tests/tests/suite",
    "benches/src",
    "examples",
    "runtime-examples/src",
];

#[test]
fn arrows_go_down_only() {
    let sources = sources("src");
    check(&sources, arrows);
    // The floors are a picture of something only as long as the table has no cycle.
    for (module, _) in ARROWS {
        assert!(!reaches(module, module), "`{module}` reaches itself in the table");
    }
}

#[test]
fn each_hard_thing_has_one_place() {
    check(&sources("src"), places);
}

#[test]
fn lib_re_exports_and_nothing_else() {
    check(&sources("src"), |source| {
        let code = ["fn", "struct", "enum", "trait", "impl", "const", "static", "macro_rules"];
        let is_code = |token: &&Token| code.contains(&token.text.as_str());
        let in_lib = source.tokens.iter().filter(|_| source.name == "src/lib.rs");
        in_lib.filter(is_code).map(|t| (t.line, format!("`{}` in lib.rs", t.text))).collect()
    });
}

#[test]
fn unsafe_is_rare_and_in_known_files() {
    let sources = sources("src");
    check(&sources, |source| {
        let allowed = UNSAFE.contains(&source.name.as_str()) || source.is_test();
        let found = source.tokens.iter().filter(|token| token.text == "unsafe" && !allowed);
        found.map(|token| (token.line, "`unsafe` outside the listed files".to_owned())).collect()
    });
    let mut total = 0;
    for source in sources.iter().filter(|source| unsafe_blocks(source) > 0) {
        let blocks = unsafe_blocks(source);
        println!("{blocks:3} {}{}", source.name, if source.is_test() { " (test)" } else { "" });
        total += if source.is_test() { 0 } else { blocks };
    }
    println!("{total:3} of {UNSAFE_BLOCKS}");
    assert!(total <= UNSAFE_BLOCKS, "{total} unsafe blocks, {UNSAFE_BLOCKS} are allowed");
}

#[test]
fn every_file_is_short_finished_and_says_what_it_is() {
    let sources: Vec<Source> = READ.iter().flat_map(|directory| sources(directory)).collect();
    check(&sources, |source| {
        let mut violations = unfinished(source);
        if !source.text.starts_with("//!") {
            violations.push((1, "does not begin with `//!`: what is in this file?".to_owned()));
        }
        let lines = source.text.lines().count();
        if lines > LINES {
            violations.push((lines, format!("{lines} lines, {LINES} are allowed")));
        }
        violations
    });
}

#[test]
fn the_map_is_short_and_names_files_that_exist() {
    let files: Vec<Source> = READ.iter().flat_map(|directory| sources(directory)).collect();
    let exists = |name: &str| files.iter().any(|file| format!("/{}", file.name).ends_with(name));
    let map = Path::new(env!("CARGO_MANIFEST_DIR")).join("../ARCHITECTURE.md");
    let map = fs::read_to_string(map).expect("the map can be read");
    for (line, text) in (1..).zip(map.lines()) {
        // Between backticks is every second part.
        let code = text.split('`').skip(1).step_by(2);
        for name in code.filter(|code| code.ends_with(".rs") && !code.contains(['*', ' '])) {
            assert!(exists(&format!("/{name}")), "ARCHITECTURE.md:{line}: no file `{name}`");
        }
    }
    let lines = map.lines().count();
    assert!(lines <= MAP_LINES, "ARCHITECTURE.md has {lines} lines, {MAP_LINES} are allowed");
}

/// Line and sentence.
type Violation = (usize, String);

fn check(sources: &[Source], rule: impl Fn(&Source) -> Vec<Violation>) {
    let found: Vec<String> = sources
        .iter()
        .flat_map(|s| rule(s).into_iter().map(|(line, what)| format!("{}:{line}: {what}", s.name)))
        .collect();
    assert!(found.is_empty(), "{} violations:\n{}", found.len(), found.join("\n"));
}

/// The imports of a file that the table does not know.
fn arrows(source: &Source) -> Vec<Violation> {
    let Some(from) = source.module.first() else {
        return Vec::new(); // lib.rs
    };
    let Some((_, allowed)) = ARROWS.iter().find(|(module, _)| module == from) else {
        return vec![(1, format!("module `{from}` is not in the table of arrows"))];
    };
    let is_fine = |to: &str| to == from || to == "sync" || allowed.contains(&to);
    let paths = source.paths().into_iter().filter(|path| !is_fine(&path.segments[0]));
    paths
        .map(|path| {
            let (to, whole) = (&path.segments[0], path.segments.join("::"));
            let why = if ARROWS.iter().any(|(module, _)| module == to) {
                format!("no arrow from `{from}` to `{to}`")
            } else {
                "not a module of this crate: name the private one, `lib` is above".to_owned()
            };
            (path.line, format!("{why} (`crate::{whole}`)"))
        })
        .collect()
}

/// Whether the table leads from one module to another.
fn reaches(from: &str, to: &str) -> bool {
    let (_, next) = ARROWS.iter().find(|(module, _)| *module == from).expect("arrows end in it");
    next.iter().any(|module| *module == to || reaches(module, to))
}

/// Crates, clock and loom where they do not belong.
fn places(source: &Source) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (index, token) in source.tokens.iter().enumerate() {
        let follows = |texts: [&str; 2]| {
            let next = source.tokens[index + 1..].iter().take(2).map(|token| token.text.as_str());
            next.eq(texts)
        };
        let listed = CRATES.iter().find(|(name, _)| *name == token.text);
        if let Some((name, homes)) = listed
            && !homes.iter().any(|home| source.name.starts_with(home))
        {
            violations.push((token.line, format!("`{name}` belongs in {}", homes.join(", "))));
        }
        if token.text == "Instant"
            && follows(["::", "now"])
            && source.name != "src/driver/clock.rs"
            && !names_our_instant(source, index)
            && !source.is_test()
        {
            violations
                .push((token.line, "`Instant::now` belongs in src/driver/clock.rs".to_owned()));
        }
        if token.text == "loom"
            && !token.in_cfg
            && source.name != "src/sync.rs"
            && !source.name.contains("models")
        {
            violations.push((token.line, "`loom` belongs in src/sync.rs".to_owned()));
        }
    }
    violations
}

/// `time` has an `Instant` of its own, which asks the clock and tells it to hyper, too.
fn names_our_instant(source: &Source, at: usize) -> bool {
    let before = source.tokens[..at].iter().rev().take(4).map(|token| token.text.as_str());
    let knows_ours = source.name.starts_with("src/time") || source.name == "src/compat/hyper.rs";
    knows_ours && !before.eq(["::", "time", "::", "std"])
}

fn unfinished(source: &Source) -> Vec<Violation> {
    let is_macro = |pair: &&[Token]| {
        matches!(pair[0].text.as_str(), "todo" | "unimplemented") && pair[1].text == "!"
    };
    let found = source.tokens.windows(2).filter(is_macro);
    found.map(|pair| (pair[0].line, format!("`{}!`", pair[0].text))).collect()
}

/// `unsafe { .. }` and `unsafe impl`; a declaration (`unsafe fn`) is not a block.
fn unsafe_blocks(source: &Source) -> usize {
    let is_block =
        |pair: &&[Token]| pair[0].text == "unsafe" && matches!(pair[1].text.as_str(), "{" | "impl");
    source.tokens.windows(2).filter(is_block).count()
}

/// The `.rs` files under a directory of the repository.
fn sources(directory: &str) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut files = Vec::new();
    collect(&root.join(directory), &mut files);
    files.sort();
    assert!(!files.is_empty(), "no sources in {directory}");
    let read = |file: PathBuf| {
        let text = fs::read_to_string(&file).expect("the sources can be read");
        let name = file.strip_prefix(&root).expect("it was found there");
        let name: Vec<_> = name.iter().map(|part| part.to_str().expect("a plain name")).collect();
        Source::new(&name.join("/"), text)
    };
    files.into_iter().map(read).collect()
}

fn collect(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).expect("the sources are there") {
        let path = entry.expect("the sources can be read").path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

//! The reader of sources, tested on strings; and that what the rules forbid is found.

use super::source::Source;
use super::{arrows, places, unfinished, unsafe_blocks};

fn source(name: &str, text: &str) -> Source {
    Source::new(name, text.to_owned())
}

/// The paths of a file, as `line path`.
fn paths(name: &str, text: &str) -> Vec<String> {
    let paths = source(name, text).paths();
    paths.iter().map(|path| format!("{} {}", path.line, path.segments.join("::"))).collect()
}

#[test]
fn an_upward_arrow_is_found() {
    let upward = source("src/pipe/mod.rs", "//! A pipe.\n\nuse crate::executor::spawn;\n");
    let [(line, what)] = &arrows(&upward)[..] else { panic!("one violation was expected") };
    assert_eq!(*line, 3);
    assert_eq!(what, "no arrow from `pipe` to `executor` (`crate::executor::spawn`)");
}

#[test]
fn an_arrow_of_the_table_is_none() {
    let fine = "use crate::{coop, io_core::{Read, Write}, sync::Arc};\nuse super::pipe::Own;";
    assert_eq!(arrows(&source("src/pipe/mod.rs", fine)), []);
}

#[test]
fn the_front_door_cannot_be_used_from_inside() {
    let inside = source("src/net/tcp.rs", "fn f() { crate::spawn(async {}) }");
    assert_eq!(arrows(&inside).len(), 1);
    let facade = source("src/net/tcp.rs", "use crate::io::Read;");
    assert_eq!(arrows(&facade).len(), 1);
    let everything = source("src/net/tcp.rs", "use crate::*;");
    assert_eq!(arrows(&everything).len(), 1);
}

#[test]
fn a_module_that_nobody_wrote_down_is_found() {
    assert_eq!(arrows(&source("src/context.rs", "")).len(), 1);
}

#[test]
fn paths_are_found_in_groups() {
    let text = "use crate::{\n  a,\n  b::{c as d, e::*, self},\n  f,\n};\nuse crate::g;";
    let expected = ["2 a", "3 b::c", "3 b::e::*", "3 b", "4 f", "6 g"];
    assert_eq!(paths("src/x.rs", text), expected);
}

#[test]
fn paths_are_found_in_expressions_types_and_macros() {
    let text = "fn f(x: crate::a::T) -> Vec<crate::b::U> { $crate::c!(); crate::d::<u8>() }";
    assert_eq!(paths("src/x.rs", text), ["1 a::T", "1 b::U", "1 d"]);
}

#[test]
fn super_is_followed_to_where_it_leads() {
    let text = "use super::a;\nuse super::super::b;\nmod m { use super::c; use super::super::d; }";
    assert_eq!(paths("src/x/y.rs", text), ["1 x::a", "2 b", "3 x::y::c", "3 x::d"]);
    assert_eq!(paths("src/x/mod.rs", "use super::{a, b};"), ["1 a", "1 b"]);
    // After the inline module has closed.
    assert_eq!(paths("src/x.rs", "mod m { fn f() {} }\nuse super::a;"), ["2 a"]);
}

#[test]
fn visibility_and_comments_and_strings_are_no_paths() {
    let text = "pub(crate) fn f() {}\npub(in crate::a) fn g() {}\n// crate::b\n/* crate::c /* */ */\n\
                /// [`crate::d`]\nconst S: &str = \"crate::e \\\" crate::f\";\n\
                const R: &str = r#\"crate::g \" crate::h\"#;\nconst C: char = '\"';\n\
                fn l<'a>(r#type: &'a str) { 'crate: loop {} }\nuse crate::seen;";
    assert_eq!(paths("src/x.rs", text), ["10 seen"]);
}

#[test]
fn the_directory_io_is_the_module_io_core_and_so_is_that_of_time() {
    assert_eq!(paths("src/io/read.rs", "use super::write;"), ["1 io_core::write"]);
    assert_eq!(paths("src/time/sleep.rs", "use super::Instant;"), ["1 time_core::Instant"]);
    assert_eq!(arrows(&source("src/io/read.rs", "use crate::driver::Handle;")).len(), 1);
}

#[test]
fn things_out_of_place_are_found() {
    let count = |name, text| places(&source(name, text)).len();
    assert_eq!(count("src/task/mod.rs", "use mio::Poll;"), 1);
    assert_eq!(count("src/driver/mod.rs", "use mio::Poll;"), 0);
    assert_eq!(count("src/net/tcp.rs", "libc::close(fd)"), 1);
    assert_eq!(count("src/time/mod.rs", "let now = std::time::Instant::now();"), 1);
    assert_eq!(count("src/time/mod.rs", "let now = Instant::now();"), 0);
    assert_eq!(count("src/net/tcp.rs", "let now = Instant::now();"), 1);
    assert_eq!(count("src/driver/tests.rs", "let now = Instant::now();"), 0);
    assert_eq!(count("src/driver/clock.rs", "let now = Instant::now();"), 0);
    assert_eq!(count("src/task/mod.rs", "use loom::thread;"), 1);
    assert_eq!(count("src/task/mod.rs", "#[cfg(all(test, not(loom)))] mod tests;"), 0);
    assert_eq!(count("src/task/mod.rs", "if cfg!(loom) { 2 } else { 256 }"), 0);
    assert_eq!(count("src/task/models.rs", "loom::model(|| {})"), 0);
}

#[test]
fn unsafe_and_unfinished_code_is_counted() {
    let text =
        "// unsafe { }\nunsafe fn f() {}\nunsafe impl Send for X {}\nfn g() { unsafe { f() } }";
    assert_eq!(unsafe_blocks(&source("src/x.rs", text)), 2);
    let text = "fn f() { todo!() }\nfn g() { unimplemented!(\"later\") }\nfn todo() {}";
    assert_eq!(unfinished(&source("src/x.rs", text)).len(), 2);
}

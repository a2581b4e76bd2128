//! What the attributes accept and refuse, and where the compiler then points.
//!
//! `ui/pass` compiles and runs. `ui/refused` is refused by the attributes themselves, in words of
//! ours. `ui/compiler` is refused by the compiler, in its own words, but has to point at the code of
//! the user: since these words change, it is compared only with the compiler the project is tested
//! with. After a deliberate change: `TRYBUILD=overwrite cargo test -p runtime-tests --test macros`,
//! then read the difference.

use std::process::Command;

#[test]
fn ui() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/ui/pass/*.rs");
    cases.compile_fail("tests/ui/refused/*.rs");
    if is_the_tested_compiler() {
        cases.compile_fail("tests/ui/compiler/*.rs");
    } else {
        println!("another compiler than {}: ui/compiler left out", env!("CARGO_PKG_RUST_VERSION"));
    }
}

fn is_the_tested_compiler() -> bool {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = Command::new(rustc).arg("--version").output().expect("cargo found a rustc");
    let version = String::from_utf8_lossy(&version.stdout).into_owned();
    version.starts_with(concat!("rustc ", env!("CARGO_PKG_RUST_VERSION"), "."))
}

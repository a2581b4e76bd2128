//! `#[runtime::main]` and `#[runtime::test]` at run time (scenario C23). What they accept and refuse
//! at compile time is in `tests/macros.rs`.

use std::num::ParseIntError;
use std::process::{Command, Output};
use std::sync::{Arc, Barrier};

fn main_returns(what: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_main-returns")).arg(what).output().expect("it was just built")
}

#[test]
fn c23_main_returning_ok_exits_with_0() {
    let output = main_returns("ok");
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(output.stderr, b"");
}

#[test]
fn c23_main_returning_err_exits_with_1_and_says_why() {
    let output = main_returns("err");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "Error: \"as asked\"\n");
}

#[test]
fn c23_main_panicking_exits_as_a_plain_main_does() {
    assert_eq!(main_returns("panic").status.code(), Some(101));
}

#[runtime::test]
async fn a_test_runs_on_a_runtime() {
    assert_eq!(runtime::spawn(async { 42 }).await.unwrap(), 42);
}

#[runtime::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_test_may_run_on_many_threads() {
    // Each task blocks its thread until the other one runs as well.
    let barrier = Arc::new(Barrier::new(2));
    let tasks = [(); 2].map(|()| {
        let barrier = barrier.clone();
        runtime::spawn(async move { barrier.wait().is_leader() })
    });
    let mut leaders = 0;
    for task in tasks {
        leaders += u32::from(task.await.unwrap());
    }
    assert_eq!(leaders, 1);
}

#[runtime::test]
async fn a_test_may_return_a_result() -> Result<(), ParseIntError> {
    assert_eq!("42".parse::<u32>()?, 42);
    Ok(())
}

#[runtime::test]
#[should_panic(expected = "on purpose")]
async fn a_test_may_have_to_panic() {
    panic!("on purpose");
}

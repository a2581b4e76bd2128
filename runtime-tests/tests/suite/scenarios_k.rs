//! Scenarios K of the list of what bit others: hostile peers and exhaustion.
//!
//! The program `hostile` measures them, each in processes of its own; here in their small form, with bounds
//! for machines that do other things meanwhile. `scripts/hostile` runs the full one.
#![cfg(target_os = "linux")]

use std::process::Command;

use runtime_tests::rig::watchdog_for;

/// Has a row measured. It fails if something does not hold.
#[track_caller]
fn holds(row: &str) {
    let _watchdog = watchdog_for(row, std::time::Duration::from_secs(60));
    let mut hostile = Command::new(env!("CARGO_BIN_EXE_hostile"));
    let output = hostile.args(["--small", row]).output().expect("it was just built");
    let said = String::from_utf8_lossy(&output.stdout);
    println!("{said}");
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
}

/// A test for each row.
macro_rules! rows {
    ($($test:ident: $row:literal;)*) => {$(
        #[test]
        fn $test() {
            holds($row);
        }
    )*};
}

rows! {
    k01_slow_senders_keep_nobody_waiting: "K01";
    k03_segments_of_one_byte_cost_in_proportion: "K03";
    k05_a_peer_that_is_gone_without_a_word_ends_in_a_timeout_or_an_error: "K05";
    k06_more_clients_than_descriptors_are_served_in_turn: "K06";
    k06_peers_that_end_their_direction_and_stay_cost_nothing: "half";
    k07_absurd_capacities_and_lengths_are_refused: "K07";
    k08_a_peer_that_never_stops_is_cut_off_at_the_limit: "K08";
    k09_sleeps_that_end_at_once_hold_up_nobody: "K09";
    k10_tasks_that_wait_for_ever_are_dropped_soon: "K10";
    k11_wakers_that_outlive_the_runtime_are_harmless: "K11";
    k12_absurd_names_numbers_and_paths_are_errors: "K12";
}

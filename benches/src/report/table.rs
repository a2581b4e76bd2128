//! The table for people, in Markdown.

use super::{Results, about};
use crate::peer::Row;
use crate::workload::{Measure, Workload};

pub fn print(results: &Results, workloads: &[Workload], rows: &[&Row]) {
    let versions = about::versions();
    let versions: Vec<_> = versions.iter().map(|(name, at)| format!("{name} {at}")).collect();
    println!("{}; {}", about::machine(), versions.join(", "));
    println!("`{}`; median of rounds: {}\n", about::command(), results.rounds);
    println!(
        "| {:<18} | {:<12} | {:>14} | {:>17} | {:>5} | beside",
        "workload", "peer", "median", "spread", "ratio"
    );
    println!("|{:-<20}|{:-<14}|{:->15}:|{:->18}:|{:->6}:|-------", "", "", "", "", "");
    for workload in workloads {
        let mut label = workload.name;
        let [first, beside @ ..] = workload.measures else { continue };
        for row in rows {
            let Some(value) = results.spread(workload.name, row.name, first.0) else { continue };
            let ratio = results.ratio(workload.name, row.name, row.base, first.0);
            let beside: Vec<_> =
                beside.iter().filter_map(|m| aside(results, workload, row, m)).collect();
            println!(
                "| {label:<18} | {:<12} | {:>14} | {:>17} | {:>5} | {}",
                row.name,
                format!("{} {}", number(value.median), first.1),
                format!("{}..{}", number(value.least), number(value.most)),
                ratio.map_or(String::new(), |ratio| format!("{ratio:.2}")),
                beside.join("; "),
            );
            label = "";
        }
    }
    println!("\nns: on the clock, for each operation. B: on the heap, for each thing.");
    println!("Ratio: to tokio's median of the same flavor; below 1 is better than tokio.");
    for failure in &results.failed {
        println!("failed: {failure}");
    }
}

fn aside(results: &Results, workload: &Workload, row: &Row, measure: &Measure) -> Option<String> {
    let value = results.spread(workload.name, row.name, measure.0)?.median;
    // Of the rate more would be better.
    let ratio = results.ratio(workload.name, row.name, row.base, measure.0);
    let ratio = ratio
        .filter(|_| measure.0 != "rate")
        .map_or(String::new(), |ratio| format!(" ({ratio:.2})"));
    Some(format!("{} {}{ratio}", number(value), measure.1))
}

pub fn number(value: f64) -> String {
    match value.abs() {
        ..10.0 => format!("{value:.2}"),
        ..100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

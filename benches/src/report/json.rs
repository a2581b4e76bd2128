//! Everything that was measured, for programs.

use super::{Results, about};
use crate::meter::Sample;
use crate::peer::Row;
use crate::workload::Workload;

/// ```text
/// { "machine": "..", "command": "..", "rounds": 7, "versions": { "tokio": ".." },
///   "workloads": [ { "name": "..", "group": "..", "what": "..",
///                    "measures": [ { "name": "ns", "unit": "ns" } ],
///                    "peers": [ { "name": "..", "base": "..", "median": { "ns": 1.5 },
///                                 "ratio": { "ns": 0.5 }, "samples": [ { "ns": 1.5 } ] } ] } ],
///   "failed": [ ".." ] }
/// ```
pub fn of(results: &Results, workloads: &[Workload], rows: &[&Row]) -> String {
    let versions = about::versions();
    let versions = versions.iter().map(|(name, at)| format!("{}: {}", text(name), text(at)));
    format!(
        "{{\"machine\": {},\n\"command\": {},\n\"rounds\": {},\n\"versions\": {{{}}},\n\
         \"workloads\": [\n{}\n],\n\"failed\": [{}]}}\n",
        text(&about::machine()),
        text(&about::command()),
        results.rounds,
        join(versions, ", "),
        join(workloads.iter().map(|each| workload(results, each, rows)), ",\n"),
        join(results.failed.iter().map(|failure| text(failure)), ", "),
    )
}

fn workload(results: &Results, workload: &Workload, rows: &[&Row]) -> String {
    let measures = workload.measures.iter();
    let measures =
        measures.map(|m| format!("{{\"name\": {}, \"unit\": {}}}", text(m.0), text(m.1)));
    let peers = rows.iter().filter_map(|row| peer(results, workload, row));
    format!(
        "{{\"name\": {}, \"group\": {}, \"what\": {}, \"measures\": [{}], \"peers\": [\n{}]}}",
        text(workload.name),
        text(workload.group),
        text(workload.what),
        join(measures, ", "),
        join(peers, ",\n"),
    )
}

fn peer(results: &Results, workload: &Workload, row: &Row) -> Option<String> {
    let samples = results.samples(workload.name, row.name);
    let keys = || samples.first().into_iter().flat_map(|sample| &sample.0).map(|(key, _)| key);
    let medians = keys().filter_map(|key| {
        Some((key.as_str(), results.spread(workload.name, row.name, key)?.median))
    });
    let ratios = keys().filter_map(|key| {
        Some((key.as_str(), results.ratio(workload.name, row.name, row.base, key)?))
    });
    (!samples.is_empty()).then(|| {
        format!(
            "  {{\"name\": {}, \"base\": {}, \"median\": {}, \"ratio\": {}, \"samples\": [{}]}}",
            text(row.name),
            text(row.base),
            object(medians),
            object(ratios),
            join(samples.iter().map(of_sample), ", "),
        )
    })
}

fn of_sample(sample: &Sample) -> String {
    object(sample.0.iter().map(|(key, value)| (key.as_str(), *value)))
}

fn object<'a>(pairs: impl Iterator<Item = (&'a str, f64)>) -> String {
    let number = |value: f64| if value.is_finite() { value.to_string() } else { "null".into() };
    format!("{{{}}}", join(pairs.map(|(key, v)| format!("{}: {}", text(key), number(v))), ", "))
}

fn join(parts: impl Iterator<Item = String>, between: &str) -> String {
    parts.collect::<Vec<_>>().join(between)
}

fn text(text: &str) -> String {
    let escaped = text.chars().fold(String::from("\""), |mut line, c| {
        match c {
            '"' | '\\' => line.extend(['\\', c]),
            c if c.is_control() => line.push(' '),
            c => line.push(c),
        }
        line
    });
    escaped + "\""
}

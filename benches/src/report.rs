//! What was found, and what is made of it: a table, JSON, plots.

pub mod about;
pub mod json;
pub mod svg;
pub mod table;

use crate::meter::Sample;
use std::collections::HashMap;

/// The samples of every peer and workload, one for each round.
pub struct Results {
    pub rounds: usize,
    samples: HashMap<(&'static str, &'static str), Vec<Sample>>,
    /// Whose process came to a bad end, in words.
    pub failed: Vec<String>,
}

/// The middle of the rounds, and how far they are apart.
#[derive(Clone, Copy)]
pub struct Spread {
    pub median: f64,
    pub least: f64,
    pub most: f64,
}

impl Results {
    pub fn new(rounds: usize) -> Self {
        Self { rounds, samples: HashMap::new(), failed: Vec::new() }
    }

    pub fn add(&mut self, workload: &'static str, row: &'static str, sample: Sample) {
        self.samples.entry((workload, row)).or_default().push(sample);
    }

    pub fn fail(&mut self, workload: &'static str, row: &'static str, error: &str) {
        self.failed.push(format!("{workload} on {row}: {error}"));
    }

    pub fn samples(&self, workload: &'static str, row: &'static str) -> &[Sample] {
        self.samples.get(&(workload, row)).map_or(&[], Vec::as_slice)
    }

    pub fn spread(
        &self,
        workload: &'static str,
        row: &'static str,
        measure: &str,
    ) -> Option<Spread> {
        let samples = self.samples(workload, row).iter();
        let mut values: Vec<f64> = samples.filter_map(|sample| sample.get(measure)).collect();
        values.sort_by(f64::total_cmp);
        let (least, most) = (*values.first()?, *values.last()?);
        let middle = values.len() / 2;
        let median = match values.len() % 2 {
            1 => values[middle],
            _ => (values[middle - 1] + values[middle]) / 2.0,
        };
        Some(Spread { median, least, most })
    }

    /// A row's median as a part of another row's.
    pub fn ratio(
        &self,
        workload: &'static str,
        row: &'static str,
        base: &'static str,
        measure: &str,
    ) -> Option<f64> {
        let ours = self.spread(workload, row, measure)?.median;
        let theirs = self.spread(workload, base, measure)?.median;
        (theirs > 0.0).then_some(ours / theirs)
    }
}

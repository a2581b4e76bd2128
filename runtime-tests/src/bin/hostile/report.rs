//! A [`Figure`] is what was promised and what was measured; the table is made of them.

use std::fmt::Display;
use std::time::Duration;

use runtime_tests::rig::LIMIT;

/// How much of it there is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Size {
    /// As much as the promise is about.
    Full,
    /// Little, and with wide bounds: for machines that do other things meanwhile.
    Small,
}

impl Size {
    pub(crate) fn pick<T>(self, full: T, small: T) -> T {
        if self == Self::Full { full } else { small }
    }
}

/// A line of the table.
pub(crate) struct Figure {
    what: String,
    promised: String,
    measured: String,
    /// `None` if it could not be measured.
    holds: Option<bool>,
}

impl Figure {
    /// A number that must not be larger than the bound.
    pub(crate) fn at_most(what: impl Into<String>, measured: f64, bound: f64, unit: &str) -> Self {
        Self {
            what: what.into(),
            promised: format!("≤ {bound} {unit}"),
            measured: format!("{} {unit}", short(measured)),
            holds: Some(measured <= bound),
        }
    }

    /// A share of a core, in percent.
    pub(crate) fn cpu(size: Size, what: impl Into<String>, measured: f64, bound: f64) -> Self {
        Self::at_most(what, measured, size.pick(bound, 10.0 * bound), "%")
    }

    /// A time. In the small form it only has to end.
    pub(crate) fn within(
        size: Size,
        what: impl Into<String>,
        measured: Duration,
        bound: Duration,
    ) -> Self {
        let bound = size.pick(bound, LIMIT);
        let [measured, bound] = [measured, bound].map(|time| time.as_secs_f64() * 1e3);
        Self::at_most(what, measured, bound, "ms")
    }

    /// Something that is as it should be, or is not.
    pub(crate) fn exactly<T: Display + PartialEq>(
        what: impl Into<String>,
        measured: T,
        promised: T,
    ) -> Self {
        Self {
            what: what.into(),
            promised: promised.to_string(),
            measured: measured.to_string(),
            holds: Some(measured == promised),
        }
    }

    /// A number that nothing is promised about.
    pub(crate) fn note(what: impl Into<String>, measured: impl Into<String>) -> Self {
        let (promised, measured) = ("".into(), measured.into());
        Self { what: what.into(), promised, measured, holds: Some(true) }
    }

    /// What cannot be measured here, and why.
    pub(crate) fn not_measured(what: impl Into<String>, why: impl Into<String>) -> Self {
        Self { what: what.into(), promised: String::new(), measured: why.into(), holds: None }
    }

    /// What could not be measured is no failure.
    pub(crate) fn holds(&self) -> bool {
        self.holds != Some(false)
    }

    /// For a process that measures on behalf of another one; see [`from_line`](Self::from_line).
    pub(crate) fn to_line(&self) -> String {
        format!("{}\t{}\t{}\t{}", self.what, self.promised, self.measured, self.holds())
    }

    pub(crate) fn from_line(line: &str) -> Option<Self> {
        let mut fields = line.split('\t').map(str::to_owned);
        let mut next = || fields.next();
        let (what, promised, measured) = (next()?, next()?, next()?);
        Some(Self { what, promised, measured, holds: Some(next()? == "true") })
    }
}

/// Three digits that matter, no more.
fn short(number: f64) -> String {
    let digits = if number >= 100.0 {
        0
    } else if number >= 1.0 {
        1
    } else {
        2
    };
    format!("{number:.digits$}")
}

pub(crate) fn head() {
    println!("| row | what | promised | measured | |");
    println!("|---|---|---:|---:|---|");
}

pub(crate) fn lines(name: &str, what: &str, figures: &[Figure]) {
    println!("| **{name}** | **{what}** | | | |");
    for figure in figures {
        let verdict = match figure.holds {
            Some(true) if figure.promised.is_empty() => "",
            Some(true) => "ok",
            Some(false) => "NOT OK",
            None => "not measured",
        };
        let Figure { what, promised, measured, .. } = figure;
        println!("| | {what} | {promised} | {measured} | {verdict} |");
    }
}

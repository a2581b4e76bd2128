//! A plot of each group: for every workload the ratio of each peer to tokio of the same flavor, on a
//! logarithmic axis. Bars grow from tokio, which is the line at 1: to the left is better. Colors are
//! chosen so that the plot can be read on a light and on a dark page.

use super::{Results, about};
use crate::peer::Row;
use crate::workload::Workload;
use std::fmt::Write;
use std::io;
use std::path::Path;

/// What the axis reaches from and to. Beyond that a bar ends in an arrow.
const LEAST: f64 = 1.0 / 32.0;
const MOST: f64 = 8.0;
const TICKS: &[(f64, &str)] = &[
    (1.0 / 32.0, "1/32"),
    (1.0 / 8.0, "1/8"),
    (0.5, "1/2"),
    (1.0, "tokio"),
    (2.0, "2"),
    (8.0, "8"),
];

const LABELS: f64 = 150.0;
const PANEL: f64 = 330.0;
/// Room for a number right of a bar.
const NUMBER: f64 = 46.0;
const TOP: f64 = 64.0;
const BAR: f64 = 11.0;
const OURS: f64 = 15.0;
const GAP: f64 = 9.0;

/// Name in the legend, what a row's name begins with, color.
const COLORS: &[(&str, &str)] = &[
    ("runtime", "#e4572e"),
    ("smol", "#4c9f70"),
    ("monoio-epoll", "#8e6bbf"),
    ("monoio-uring", "#b79ad9"),
    ("compio-poll", "#3e8fc4"),
    ("compio-uring", "#84bde0"),
    ("glommio", "#c79a2b"),
    ("limit", "#8a8f98"),
];

/// Rows of one flavor side by side: title, base.
const PANELS: &[(&str, &[&str])] =
    &[("multi-thread, 2 workers", &["tokio-mt", "tokio-1w"]), ("one thread", &["tokio-ct"])];

const STYLE: &str = "\
text{font:11px system-ui,sans-serif;fill:#30363d}.t{font-weight:600;font-size:13px}\
.s,.n{fill:#656d76}.n{font-size:10px}.g{stroke:#8b949e;stroke-opacity:.3}.o{stroke:#30363d;stroke-width:1.5}\
@media(prefers-color-scheme:dark){text{fill:#d8dee6}.s,.n{fill:#9aa4af}.o{stroke:#d8dee6}}";

/// One file for each group that anything was measured of.
pub fn write(
    directory: &Path,
    results: &Results,
    workloads: &[Workload],
    rows: &[&Row],
) -> io::Result<()> {
    std::fs::create_dir_all(directory)?;
    for group in workloads.chunk_by(|one, next| one.group == next.group) {
        let plot = Plot::of(results, group, rows);
        if !plot.clusters.is_empty() {
            std::fs::write(directory.join(format!("{}.svg", group[0].group)), plot.draw())?;
        }
    }
    Ok(())
}

/// What there is to draw, before it has a place.
struct Plot<'a> {
    group: &'a str,
    clusters: Vec<Cluster<'a>>,
}

/// A workload: its name and unit, and the bars of each panel.
struct Cluster<'a> {
    name: &'a str,
    unit: &'a str,
    bars: [Vec<Bar>; 2],
}

struct Bar {
    color: usize,
    ratio: f64,
}

impl<'a> Plot<'a> {
    fn of(results: &Results, group: &'a [Workload], rows: &[&Row]) -> Self {
        let cluster = |workload: &'a Workload| {
            let measure = workload.measures.first()?;
            let bars = |panel: usize| {
                let rows = rows.iter().filter(|row| PANELS[panel].1.contains(&row.base));
                let bar = |row: &&Row| {
                    let color = COLORS.iter().position(|(name, _)| row.name.starts_with(name))?;
                    let ratio = results.ratio(workload.name, row.name, row.base, measure.0)?;
                    Some(Bar { color, ratio })
                };
                rows.filter_map(bar).collect::<Vec<_>>()
            };
            let bars = [bars(0), bars(1)];
            let empty = bars.iter().all(Vec::is_empty);
            (!empty).then_some(Cluster { name: workload.name, unit: measure.1, bars })
        };
        let group_name = group.first().map_or("", |workload| workload.group);
        Self { group: group_name, clusters: group.iter().filter_map(cluster).collect() }
    }

    fn draw(&self) -> String {
        let height = TOP + self.clusters.iter().map(Cluster::height).sum::<f64>() + 30.0;
        let width = LABELS + 2.0 * (PANEL + NUMBER);
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
             width=\"{width}\" role=\"img\"><title>{}, as a part of tokio's</title>\
             <style>{STYLE}</style>\n",
            self.group,
        );
        self.legend(&mut svg);
        for panel in 0..PANELS.len() {
            axis(&mut svg, panel, height);
        }
        let mut y = TOP;
        for cluster in &self.clusters {
            cluster.draw(&mut svg, y);
            y += cluster.height();
        }
        let note = format!(
            "ratio to tokio of the same flavor, logarithmic; left is better; {}",
            about::machine()
        );
        text(&mut svg, "s", width / 2.0, height - 8.0, "middle", &note);
        svg + "</svg>\n"
    }

    /// Only those that have a bar.
    fn legend(&self, svg: &mut String) {
        let mut x = LABELS;
        text(svg, "t", 4.0, 17.0, "start", self.group);
        for (color, (name, fill)) in COLORS.iter().enumerate() {
            let mut bars = self.clusters.iter().flat_map(|cluster| cluster.bars.iter().flatten());
            if bars.any(|bar| bar.color == color) {
                rect(svg, x, 8.0, 10.0, 10.0, fill);
                text(svg, "", x + 14.0, 17.0, "start", name);
                x += 26.0 + 6.5 * name.len() as f64;
            }
        }
    }
}

impl Cluster<'_> {
    fn height(&self) -> f64 {
        let height = |bars: &Vec<Bar>| bars.iter().map(Bar::height).sum::<f64>();
        self.bars.iter().map(height).fold(26.0, f64::max) + GAP
    }

    fn draw(&self, svg: &mut String, top: f64) {
        text(svg, "", LABELS - 12.0, top + 11.0, "end", self.name);
        text(svg, "s", LABELS - 12.0, top + 24.0, "end", self.unit);
        for (panel, bars) in self.bars.iter().enumerate() {
            let mut y = top;
            for bar in bars {
                bar.draw(svg, panel, y);
                y += bar.height();
            }
        }
    }
}

impl Bar {
    fn height(&self) -> f64 {
        if self.color == 0 { OURS } else { BAR }
    }

    fn draw(&self, svg: &mut String, panel: usize, y: f64) {
        let (zero, end) = (place(panel, 1.0), place(panel, self.ratio));
        let fill = COLORS[self.color].1;
        let height = self.height() - 1.5;
        // A sliver stays visible when the two are the same.
        rect(svg, zero.min(end) - 0.75, y, (end - zero).abs() + 1.5, height, fill);
        if !(LEAST..=MOST).contains(&self.ratio) {
            let tip = if self.ratio < LEAST { -5.0 } else { 5.0 };
            let _ = writeln!(
                svg,
                "<path d=\"M{end:.1} {y:.1}l{tip} {:.1}l{} {:.1}z\" fill=\"{fill}\"/>",
                height / 2.0,
                -tip,
                height / 2.0,
            );
        }
        let number = match self.ratio {
            ..0.095 => format!("{:.3}", self.ratio),
            ..9.5 => format!("{:.2}", self.ratio),
            _ => format!("{:.0}", self.ratio),
        };
        // At the far end of the bar, on the side where there is nothing.
        let class = if self.color == 0 { "" } else { "n" };
        text(svg, class, zero.max(end) + 8.0, y + height / 2.0 + 4.0, "start", &number);
    }
}

/// Where a ratio is on the page.
fn place(panel: usize, ratio: f64) -> f64 {
    let share = (ratio.clamp(LEAST, MOST) / LEAST).ln() / (MOST / LEAST).ln();
    LABELS + panel as f64 * (PANEL + NUMBER) + share * PANEL
}

fn axis(svg: &mut String, panel: usize, height: f64) {
    text(svg, "", place(panel, LEAST), 38.0, "start", PANELS[panel].0);
    for (ratio, label) in TICKS {
        let (x, class) = (place(panel, *ratio), if *ratio == 1.0 { "o" } else { "g" });
        let _ = writeln!(
            svg,
            "<path class=\"{class}\" d=\"M{x:.1} {:.1}V{:.1}\"/>",
            TOP - 6.0,
            height - 24.0
        );
        text(svg, "s", x, TOP - 10.0, "middle", label);
    }
}

fn rect(svg: &mut String, x: f64, y: f64, width: f64, height: f64, fill: &str) {
    let _ = writeln!(
        svg,
        "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" fill=\"{fill}\"/>"
    );
}

/// Text without characters that XML minds.
fn text(svg: &mut String, class: &str, x: f64, y: f64, anchor: &str, text: &str) {
    let _ = writeln!(
        svg,
        "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}</text>"
    );
}

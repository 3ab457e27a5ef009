//! A run's shape in characters.

use std::fmt::Write;

use super::braille::{plot, spark};
use super::incidents;
use super::outline::Outline;
use super::series::{Columns, Line};
use super::shape::Shape;
use crate::chart::axis::{length, number, plain, times};

/// How a shape is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// The width of a line, in characters.
    pub width: usize,
    /// Whether lines are coloured.
    pub colour: bool,
}

const LABEL: usize = 18;
const RANGE: usize = 16;
const NARROWEST: usize = 20;
const WIDEST: usize = 240;
const PLOT_ROWS: usize = 5;
/// Most zones, and most regions, that are listed.
const PLACES: usize = 8;

/// The drawing of `shape`, the run of `outline`.
pub fn draw(outline: &Outline, shape: &Shape, style: Style) -> String {
    let width = style.width.saturating_sub(LABEL + RANGE + 2).clamp(NARROWEST, WIDEST);
    let mut drawing = Drawing { text: String::new(), width, colour: style.colour };
    drawing.heading(outline);
    drawing.load(&shape.fleet.cpu);
    drawing.axis(&shape.columns);
    let lines = &shape.fleet;
    for line in [&lines.memory, &lines.disk, &lines.network, &lines.latency, &lines.jobs] {
        drawing.row(line, None, "36");
    }
    let incidents = [&lines.anomalies, &lines.down].into_iter().chain(&lines.others);
    for line in incidents.filter(|line| line.has_values()) {
        drawing.incident_line(line);
    }
    for (what, places) in [("zone", &shape.zones), ("region", &shape.regions)] {
        drawing.places(what, places);
    }
    drawing.machines(shape);
    drawing.axis(&shape.detail.columns);
    drawing.incidents(shape);
    drawing.text
}

struct Drawing {
    text: String,
    width: usize,
    colour: bool,
}

impl Drawing {
    fn line(&mut self, text: &str) {
        self.text.push_str(text.trim_end());
        self.text.push('\n');
    }

    fn painted(&self, text: &str, code: &str) -> String {
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    fn heading(&mut self, outline: &Outline) {
        let title = self.painted(outline.title(), "1");
        let gap = if outline.description.is_empty() { "" } else { ": " };
        self.line(&format!("{title}{gap}{}", outline.description));
        self.line(&outline.summary());
        self.line("");
    }

    /// The fleet's mean cpu, large.
    fn load(&mut self, cpu: &Line) {
        let Some((least, most)) = cpu.range() else {
            return self.line("Every machine is down all the time.");
        };
        let values = cpu.resampled(self.width * 2);
        let rows = plot(&values, PLOT_ROWS, least, most);
        for (at, row) in rows.into_iter().enumerate() {
            let label = if at == 0 { "mean cpu" } else { "" };
            let mark = match at {
                0 => format!("{} %", number(most)),
                _ if at == PLOT_ROWS - 1 => format!("{} %", number(least)),
                _ => String::new(),
            };
            let row = self.painted(&row, "34");
            self.line(&format!("{label:<LABEL$}{row} {mark}"));
        }
    }

    /// A line as a sparkline. Its range is from its least to its largest value unless one is given.
    fn row(&mut self, line: &Line, range: Option<(f64, f64)>, colour: &str) {
        let line = Line { values: line.resampled(self.width), ..line.clone() };
        let Some((least, most)) = range.or_else(|| line.range()) else { return };
        let bars = spark(&line.values, least, most);
        let bars = self.painted(&bars, colour);
        let name = plain(&line.name, LABEL - 1);
        let pad = " ".repeat(LABEL - name.chars().count().min(LABEL));
        let (least, most) = (number(least), number(most));
        self.line(&format!("{name}{pad}{bars} {least}..{most} {}", line.unit));
    }

    /// A line of incidents: its range starts at 0.
    fn incident_line(&mut self, line: &Line) {
        let line = Line { values: line.resampled(self.width), ..line.clone() };
        self.row(&line, line.range().map(|(_, most)| (0.0, most)), "31");
    }

    fn places(&mut self, what: &str, lines: &[Line]) {
        if lines.len() < 2 {
            return;
        }
        self.line("");
        self.line(&format!("mean cpu by {what}"));
        let shown = &lines[..lines.len().min(PLACES)];
        let range = self.common_range(shown.iter());
        for line in shown {
            self.row(line, range, "34");
        }
        if lines.len() > shown.len() {
            self.line(&format!("and {} more", lines.len() - shown.len()));
        }
    }

    fn machines(&mut self, shape: &Shape) {
        if shape.detail.machines.is_empty() {
            return;
        }
        self.line("");
        let part = shape.detail.part(&shape.columns).map_or(String::new(), |p| format!(" {p}"));
        self.line(&format!(
            "cpu of single machines{part}, gaps while down, ^ while an anomaly is open"
        ));
        let range = self.common_range(shape.detail.machines.iter().map(|machine| &machine.line));
        for machine in &shape.detail.machines {
            self.row(&machine.line, range, "34");
            let mut marks = vec![b' '; self.width];
            let (start, end) = shape.detail.columns.span_ms();
            let at = |ms: f64| {
                let share = (ms - start) / (end - start) * self.width as f64;
                (share.max(0.0) as usize).min(self.width - 1)
            };
            let of_machine = shape.incidents.iter().filter(|i| i.machine == machine.machine);
            for incident in of_machine.filter(|i| i.kind.is_anomaly()) {
                let until = incident.end_ms.map_or(end, |ms| ms as f64);
                if until < start || incident.start_ms as f64 > end {
                    continue;
                }
                marks[at(incident.start_ms as f64)..=at(until)].fill(b'^');
            }
            if marks.contains(&b'^') {
                let marks = self.painted(&String::from_utf8_lossy(&marks), "31");
                self.line(&format!("{:LABEL$}{marks}", ""));
            }
        }
    }

    /// One range for all `lines` as they are drawn.
    fn common_range<'a>(&self, lines: impl Iterator<Item = &'a Line>) -> Option<(f64, f64)> {
        lines
            .map(|line| Line { values: line.resampled(self.width), ..line.clone() })
            .filter_map(|line| line.range())
            .reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
    }

    fn axis(&mut self, columns: &Columns) {
        let (start, end) = columns.span_ms();
        let mut labels = String::new();
        for mark in times(start, end, self.width / 9) {
            let at = ((mark.ms as f64 - start) / (end - start) * self.width as f64) as usize;
            let there = labels.chars().count();
            if (at > there || at == 0) && at + 1 + mark.label.len() <= self.width {
                let _infallible = write!(labels, "{:1$}|{2}", "", at - there, mark.label);
            }
        }
        self.line(&format!("{:LABEL$}{labels}", "UTC"));
    }

    fn incidents(&mut self, shape: &Shape) {
        self.line("");
        let counts = incidents::counts(&shape.incidents);
        if counts.is_empty() {
            return self.line("incidents: none");
        }
        let counts: Vec<String> =
            counts.iter().map(|(kind, count)| format!("{} {count}", kind.as_str())).collect();
        self.line(&format!("incidents: {}", counts.join(", ")));
        if let Some(cascade) = &shape.cascade {
            let longest = cascade.members.iter().filter_map(|m| m.failed).map(|f| f.after_ms).max();
            self.line(&format!(
                "largest cascade: {} of {} machines of dependency group {} within {}",
                cascade.failed(),
                cascade.members.len(),
                cascade.group,
                length(longest.unwrap_or(0))
            ));
        }
    }
}

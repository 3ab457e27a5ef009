//! The line that a run shows while it runs.

use std::time::{Duration, Instant};

use indicatif::{HumanCount, HumanDuration, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::number_format::number;
use crate::output;

/// A line on stderr, redrawn in place; nothing if stderr is not a terminal.
#[derive(Debug)]
pub struct LiveLine {
    bar: ProgressBar,
    started: Instant,
    before: (Instant, u64),
    rate: f64,
}

/// What the line shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LiveFigures {
    /// Records handed over, without announcements.
    pub sent: u64,
    /// Records acknowledged.
    pub acked: u64,
    /// Records handed over, neither acknowledged nor failed.
    pub in_flight: u64,
    /// Records failed.
    pub failed: u64,
    /// Whether a broker throttles the producer now.
    pub throttled: bool,
    /// The 99th percentile of the latency; `None` if nothing was acknowledged.
    pub p99: Option<P99>,
}

/// The 99th percentile of a latency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum P99 {
    /// From when records were due.
    Due(Duration),
    /// From when they were enqueued.
    Sent(Duration),
}

impl LiveLine {
    /// A line that starts now; hidden if `quiet`, or on a terminal that can't redraw.
    pub fn new(quiet: bool) -> LiveLine {
        let target = if quiet || output::is_dumb() {
            ProgressDrawTarget::hidden()
        } else {
            ProgressDrawTarget::stderr_with_hz(5)
        };
        let bar = ProgressBar::with_draw_target(None, target);
        if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg}") {
            bar.set_style(style);
        }
        output::set_live_line(Some(bar.clone()));
        let now = Instant::now();
        LiveLine { bar, started: now, before: (now, 0), rate: 0.0 }
    }

    /// Shows `figures`.
    pub fn show(&mut self, figures: &LiveFigures) {
        let now = Instant::now();
        let since = now - self.before.0;
        if since >= Duration::from_secs(1) {
            self.rate = (figures.sent - self.before.1) as f64 / since.as_secs_f64();
            self.before = (now, figures.sent);
        }
        self.bar.set_message(self.text(figures));
        self.bar.tick();
    }

    fn text(&self, figures: &LiveFigures) -> String {
        let mut text = format!(
            "{} elapsed, {} records/s, {} acked, {} in flight, {} errors",
            HumanDuration(Duration::from_secs(self.started.elapsed().as_secs())),
            number(self.rate),
            HumanCount(figures.acked),
            HumanCount(figures.in_flight),
            HumanCount(figures.failed),
        );
        if figures.throttled {
            text += ", throttled by the broker";
        }
        let (took, from) = match figures.p99 {
            Some(P99::Due(took)) => (took, "due"),
            Some(P99::Sent(took)) => (took, "sent"),
            None => return text,
        };
        text += &format!(", p99 {:.1} ms from {from}", took.as_secs_f64() * 1000.0);
        text
    }

    /// Removes the line.
    pub fn finish(&self) {
        output::set_live_line(None);
        self.bar.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_says_what_its_figures_are_of() {
        let mut line = LiveLine::new(true);
        line.rate = 0.05;
        let mut figures = LiveFigures { sent: 9, acked: 1234, ..LiveFigures::default() };
        let nothing = line.text(&figures);
        assert!(nothing.contains("0.05 records/s, 1,234 acked") && !nothing.contains("p99"));
        figures.throttled = true;
        assert!(line.text(&figures).ends_with(", throttled by the broker"));
        figures.p99 = Some(P99::Due(Duration::from_micros(1500)));
        assert!(line.text(&figures).ends_with("p99 1.5 ms from due"));
    }
}

//! The line that a run shows while it runs.

use std::time::{Duration, Instant};

use indicatif::{HumanCount, HumanDuration, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::output;

/// A line on stderr, redrawn in place; nothing where stderr is not a terminal.
#[derive(Debug)]
pub struct LiveLine {
    bar: ProgressBar,
    started: Instant,
    before: (Instant, u64),
    rate: f64,
}

/// What the line shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Glance {
    /// Slots worked off.
    pub sent: u64,
    /// Records confirmed.
    pub acked: u64,
    /// Records handed over and neither confirmed nor given up.
    pub in_flight: u64,
    /// Records given up.
    pub failed: u64,
    /// The 99th percentile of the latency.
    pub p99: Duration,
}

impl LiveLine {
    /// A line that begins now; hidden where `quiet`.
    pub fn new(quiet: bool) -> LiveLine {
        let target = if quiet {
            ProgressDrawTarget::hidden()
        } else {
            ProgressDrawTarget::stderr_with_hz(5)
        };
        let bar = ProgressBar::with_draw_target(None, target);
        if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg}") {
            bar.set_style(style);
        }
        output::keep_at_foot(Some(bar.clone()));
        let now = Instant::now();
        LiveLine { bar, started: now, before: (now, 0), rate: 0.0 }
    }

    /// Shows `glance`.
    pub fn show(&mut self, glance: &Glance) {
        let now = Instant::now();
        let since = now - self.before.0;
        if since >= Duration::from_secs(1) {
            self.rate = (glance.sent - self.before.1) as f64 / since.as_secs_f64();
            self.before = (now, glance.sent);
        }
        self.bar.set_message(self.text(glance));
        self.bar.tick();
    }

    fn text(&self, glance: &Glance) -> String {
        format!(
            "{} elapsed, {}/s, {} acked, {} in flight, {} errors, p99 {:.1} ms",
            HumanDuration(Duration::from_secs(self.started.elapsed().as_secs())),
            HumanCount(self.rate.round() as u64),
            HumanCount(glance.acked),
            HumanCount(glance.in_flight),
            HumanCount(glance.failed),
            glance.p99.as_secs_f64() * 1000.0,
        )
    }

    /// Takes the line away.
    pub fn finish(&self) {
        output::keep_at_foot(None);
        self.bar.finish_and_clear();
    }
}

//! The options of `score`.

use std::path::PathBuf;

use clap::Args;
use fleetstorm_answers::score::Rules;

use super::answers::{OutputArgs, Wait};
use super::{BrokerArgs, RegistryArgs};
use crate::score::ScoreOptions;

/// The options of `fleetstorm score`.
#[derive(Debug, Clone, Args)]
#[command(after_help = COLUMNS)]
pub struct ScoreArgs {
    /// What `run --report` has written; of several shards, all their files.
    #[arg(long, value_name = "FILE", required = true, num_args = 1, help_heading = "What")]
    pub manifest: Vec<PathBuf>,
    /// The detector's output.
    #[command(flatten)]
    pub output: OutputArgs,
    /// How long after an episode's end an alarm still is one of it: what the detector's windows need.
    #[arg(long, value_name = "TIME", default_value = "0s", help_heading = "How")]
    pub grace_period: Wait,
    /// Alarms of a machine that are no farther apart are one, while what they say stays right or wrong.
    #[arg(long, value_name = "TIME", default_value = "30s", help_heading = "How")]
    pub merge_gap: Wait,
    /// Rows of this score or a higher one are alarms; all rows rank readings [default: each row is an
    /// alarm].
    #[arg(long, value_name = "SCORE", allow_hyphen_values = true, help_heading = "How",
        value_parser = finite)]
    pub threshold: Option<f64>,
    /// The brokers.
    #[command(flatten)]
    pub broker: BrokerArgs,
    /// The schema registry.
    #[command(flatten)]
    pub registry: RegistryArgs,
    /// Write the score as JSON to a file, or to stdout with `-`.
    #[arg(long, value_name = "FILE", help_heading = "What to keep")]
    pub report: Option<PathBuf>,
    /// Draw the delays of each kind of anomaly into a file of SVG.
    #[arg(long, value_name = "FILE.svg", help_heading = "What to keep")]
    pub picture: Option<PathBuf>,
}

const COLUMNS: &str = "\
Columns of the output:
  machine_id  the machine; a key that is plain text stands for it
  timestamp   the alarm's event time: epoch milliseconds, or an instant in UTC
  score       how sure the detector is, the higher the surer; may be missing";

/// A score that others can be compared with.
fn finite(text: &str) -> Result<f64, NumberError> {
    let number = text.parse::<f64>().ok().filter(|number| number.is_finite());
    number.ok_or(NumberError)
}

/// A text that is no number.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("give a number, such as 0.5")]
struct NumberError;

impl ScoreArgs {
    /// What is scored, and how.
    pub fn options(&self) -> ScoreOptions {
        let (Wait(grace_ms), Wait(merge_gap_ms)) = (self.grace_period, self.merge_gap);
        ScoreOptions {
            reports: self.manifest.clone(),
            output: self.output.options(),
            columns: self.output.columns.clone().unwrap_or_default(),
            rules: Rules { grace_ms, merge_gap_ms },
            threshold: self.threshold,
            cluster: self.broker.options(),
            registry: self.registry.options(),
            report: self.report.clone(),
            picture: self.picture.clone(),
        }
    }
}

//! How good a detector is: its alarms, scored against the anomalies that the run's manifest gives.

mod figure_format;
mod picture;
mod report;
mod row;

use std::path::{Path, PathBuf};
use std::time::Instant;

use fleetstorm_answers::compare::Place;
use fleetstorm_answers::score::{self, Alarms, Options, Rules};
use fleetstorm_model::schedule::Time;

pub use report::ScoreReport;

use crate::cluster::ClusterOptions;
use crate::exit::ProgramError;
use crate::expect;
use crate::job_output::{
    Clocks, Columns, JobOutput, JobOutputError, JobOutputOptions, JobRecord, Reach,
};
use crate::pacing::StopFlag;
use crate::registry::{Registry, RegistryOptions};
use crate::report::file::ReportFile;
use crate::sink::kafka::KafkaSettings;
use crate::verify::runs::Runs;
use row::{Misfit, RowReader};

/// What is scored, and how.
#[derive(Debug, Clone)]
pub struct ScoreOptions {
    /// What `run --report` has written, of one run.
    pub reports: Vec<PathBuf>,
    /// The detector's output.
    pub output: JobOutputOptions,
    /// The detector's names of columns.
    pub columns: Columns,
    /// What an alarm counts for.
    pub rules: Rules,
    /// The score from which on a row is an alarm.
    pub threshold: Option<f64>,
    /// How the brokers are reached.
    pub cluster: ClusterOptions,
    /// How the registry is reached.
    pub registry: RegistryOptions,
    /// Where the report is written.
    pub report: Option<PathBuf>,
    /// Where the picture is drawn.
    pub picture: Option<PathBuf>,
}

/// How many records that can't be decoded are named.
const EXAMPLES: usize = 5;

/// Scores the detector's alarms.
///
/// # Errors
/// [`ProgramError`] where the run gives nothing to score by, or the output can't be read.
pub fn score(
    options: &ScoreOptions,
    brokers: Option<KafkaSettings>,
    registry: Option<&Registry>,
    stop: &StopFlag,
) -> Result<ScoreReport, ProgramError> {
    let began = Instant::now();
    let rows = RowReader::new(&options.columns, options.threshold.is_some())?;
    let runs = Runs::read(&options.reports)?;
    let parts = expect::parts(&runs)?;
    let mut taken = Taken::default();
    let mut job = JobOutput::open(&options.output, Reach { brokers, registry, stop })?;
    job.read(registry, |record| taken.take(&rows, &record))?;
    taken.must_have_decoded()?;
    let clock = taken.clocks.clock();
    let how = Options {
        rules: options.rules,
        threshold: options.threshold,
        live_from_ms: live_from_ms(&runs).filter(|_| clock.is_some()),
    };
    let alarms = std::mem::take(&mut taken.alarms);
    let score = score::score(&parts, alarms, &how)?;
    Ok(report::report(options, &runs, score, taken, began.elapsed()))
}

/// The file that a picture is drawn to.
///
/// # Errors
/// [`ProgramError`] where it is named as something else, or can't be written.
pub fn picture_file(path: &Path) -> Result<ReportFile, ProgramError> {
    let extension = path.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase);
    if extension.as_deref() != Some("svg") {
        return Err(ProgramError::Usage(format!(
            "--picture {}: the picture is SVG, so give it a name that ends in .svg",
            path.display()
        )));
    }
    ReportFile::open(path).map_err(|source| ProgramError::Picture { path: path.to_owned(), source })
}

/// From when on readings were sent as they were due, in milliseconds since the epoch; none where
/// timestamps say nothing of when that was.
fn live_from_ms(runs: &Runs) -> Option<i64> {
    let manifest = runs.manifest();
    let results = runs.results.iter().flatten();
    let past_s = results.map(|results| results.rate.measured.from_s).fold(0.0, f64::max);
    let start_ms = manifest.start.timestamp_millis();
    (manifest.time == Time::Live).then(|| start_ms.saturating_add((past_s * 1000.0).ceil() as i64))
}

/// What was read of a detector's output.
#[derive(Debug, Default)]
struct Taken {
    alarms: Alarms,
    records: u64,
    /// Records without a value, which say nothing.
    nulls: u64,
    undecodable: u64,
    /// The first of these.
    undecoded: Vec<(Place, String)>,
    clocks: Clocks,
}

impl Taken {
    fn take(&mut self, rows: &RowReader<'_>, record: &JobRecord<'_>) -> Result<(), JobOutputError> {
        self.records += 1;
        self.clocks.add(record.written);
        let why = match &record.content {
            Ok(None) => {
                self.nulls += 1;
                return Ok(());
            }
            Ok(Some(content)) => match rows.row(record, content) {
                Ok((machine_id, alarm)) => {
                    self.alarms.add(&machine_id, alarm);
                    return Ok(());
                }
                // The first row shows whether the columns are there at all.
                Err(Misfit::NoColumn(error)) if self.alarms.rows() == 0 => return Err(error),
                Err(misfit) => misfit.to_string(),
            },
            Err(why) => why.to_string(),
        };
        self.undecodable += 1;
        if self.undecoded.len() < EXAMPLES {
            self.undecoded.push((record.place, why));
        }
        Ok(())
    }

    /// An error where not one record could be decoded: then it was said wrongly how they are written.
    fn must_have_decoded(&self) -> Result<(), JobOutputError> {
        match self.undecoded.first() {
            Some((place, why)) if self.undecodable == self.records => {
                let (records, why) = (self.records, why.clone());
                Err(JobOutputError::NothingDecoded { records, place: *place, why })
            }
            _ => Ok(()),
        }
    }
}

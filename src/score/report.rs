//! The score as JSON, and as lines for people.

use std::io::{self, Write};
use std::time::Duration;

use fleetstorm_answers::score::{Delays, Figures, Score};
use serde::Serialize;

use super::figure_format::{interval, length, number, percent};
use super::{ScoreOptions, Taken};
use crate::expect;
use crate::job_output::{Clock, Undecodable};
use crate::verify::runs::Runs;

/// The score of a detector.
#[derive(Debug, Clone, Serialize)]
pub struct ScoreReport {
    /// Where its output is.
    pub output: String,
    /// How long after an episode's end an alarm still is one of it, in milliseconds.
    pub grace_period_ms: i64,
    /// The score from which on a row is an alarm; none: each row is one.
    pub threshold: Option<f64>,
    /// The output's records.
    pub records: u64,
    /// Those without a value, which say nothing.
    pub null_values: u64,
    /// Those that are no alarm that could be read.
    pub undecodable: u64,
    /// The first of these.
    pub undecodable_first: Vec<Undecodable>,
    /// Whose clock delays of emission are by; none where there are none.
    pub emission_clock: Option<Clock>,
    /// The figures.
    #[serde(flatten)]
    pub score: Score,
    /// How long scoring took, in seconds.
    pub elapsed_s: f64,
}

/// Brings the parts of a score together.
pub(super) fn report(
    options: &ScoreOptions,
    runs: &Runs,
    mut score: Score,
    taken: Taken,
    took: Duration,
) -> ScoreReport {
    let emission_clock = taken.clocks.clock().filter(|_| score.all.emission_delay_ms.is_some());
    if emission_clock == Some(Clock::CreateTime) {
        score.notes.push(
            "delays of emission are told by the detector's own timestamps: set message.timestamp.type=LogAppendTime on the output topic to have the broker's"
                .to_owned(),
        );
    }
    if taken.undecodable > 0 {
        let (some, all) = (taken.undecodable, taken.records);
        score.notes.push(format!("{some} of {all} records are no alarms that can be read"));
    }
    score.notes.extend(expect::delivery_notes(runs));
    ScoreReport {
        output: options.output.from.words(),
        grace_period_ms: options.rules.grace_ms,
        threshold: options.threshold,
        records: taken.records,
        null_values: taken.nulls,
        undecodable: taken.undecodable,
        undecodable_first: taken
            .undecoded
            .into_iter()
            .map(|(place, why)| Undecodable { place, why })
            .collect(),
        emission_clock,
        score,
        elapsed_s: took.as_secs_f64(),
    }
}

impl ScoreReport {
    /// Writes the score for a person.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let Score { run, alarms, random, .. } = &self.score;
        writeln!(
            out,
            "{}: {} alarms in a run of {} machines, {} readings and {} episodes",
            self.output, alarms.scored, run.machines, run.readings, self.score.all.episodes
        )?;
        writeln!(
            out,
            "Random: one that alarms as often, at {} of all readings\n",
            percent(Some(random.alarms_per_reading))
        )?;
        self.write_episodes(out)?;
        self.write_alarms(out)?;
        for Undecodable { place, why } in &self.undecodable_first {
            writeln!(out, "  undecodable: {place}: {why}")?;
        }
        for note in &self.score.notes {
            writeln!(out, "Note: {note}.")?;
        }
        writeln!(
            out,
            "Random: recall, readings and AUC-PR are expectations; precision, false alarms and delay are means of {} simulations.",
            random.simulations
        )?;
        writeln!(out, "Scored {} records in {:.1} s.", self.records, self.elapsed_s)
    }

    fn write_episodes(&self, out: &mut impl Write) -> io::Result<()> {
        writeln!(
            out,
            "{:<20}{:>9}{:>9}{:>9}{:>18}{:>9}{:>12}{:>12}{:>12}{:>12}",
            "episodes",
            "detected",
            "missed",
            "recall",
            "95 %",
            "random",
            "delay p50",
            "p90",
            "max",
            "random p50"
        )?;
        let all = (self.score.kinds.len() > 1).then_some(&self.score.all);
        for Figures { kind, detected, missed, recall, delay_ms, random_delay_ms, .. } in
            self.score.kinds.iter().chain(all)
        {
            let delay = |of: fn(&Delays) -> f64| length(delay_ms.as_ref().map(of));
            writeln!(
                out,
                "{kind:<20}{detected:>9}{missed:>9}{:>9}{:>18}{:>9}{:>12}{:>12}{:>12}{:>12}",
                percent(recall.value),
                interval(recall),
                percent(recall.random),
                delay(|delays| delays.p50),
                delay(|delays| delays.p90),
                delay(|delays| delays.max),
                length(random_delay_ms.as_ref().map(|delays| delays.p50)),
            )?;
        }
        writeln!(out)
    }

    fn write_alarms(&self, out: &mut impl Write) -> io::Result<()> {
        let Score { alarms, merged, false_alarms, readings, all, .. } = &self.score;
        writeln!(
            out,
            "{:<20}{} ({}) of {} alarms, merged within {}; random {}",
            "precision",
            percent(merged.precision.value),
            interval(&merged.precision),
            merged.right + merged.wrong,
            length(Some(merged.gap_ms as f64)),
            percent(merged.precision.random)
        )?;
        let rate = &false_alarms.per_machine_hour;
        writeln!(
            out,
            "{:<20}{} per machine-hour, of {} that were healthy and reporting; random {}",
            "false alarms",
            number(rate.value),
            number(Some(self.score.run.healthy_machine_hours)),
            number(rate.random)
        )?;
        writeln!(
            out,
            "{:<20}precision {}, recall {}; random {}, {}",
            "readings",
            percent(readings.precision.value),
            percent(readings.recall.value),
            percent(readings.precision.random),
            percent(readings.recall.random)
        )?;
        if let Some(value) = readings.average_precision.value {
            let random = number(readings.average_precision.random);
            writeln!(out, "{:<20}{}, of readings; random {random}", "AUC-PR", number(Some(value)))?;
        }
        if alarms.apart > 0 {
            let told = alarms.apart_by_kind.iter().map(|(kind, count)| format!("{kind} {count}"));
            let told: Vec<String> = told.collect();
            writeln!(
                out,
                "{:<20}{} alarms, neither right nor wrong: {}",
                "other incidents",
                alarms.apart,
                told.join(", ")
            )?;
        }
        if let (Some(delays), Some(clock)) = (&all.emission_delay_ms, self.emission_clock) {
            let clock = clock.as_str();
            writeln!(
                out,
                "{:<20}first alarms were {clock} {} (p50), {} (p90), {} (max) after the episode's first reading was due, {} of them",
                "emission",
                length(Some(delays.p50)),
                length(Some(delays.p90)),
                length(Some(delays.max)),
                delays.episodes
            )?;
        }
        Ok(())
    }
}

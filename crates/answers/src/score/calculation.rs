//! From alarms and the truth to the figures of a score.

use std::collections::BTreeMap;

use fleetstorm_model::simulation::incidents::IncidentKind;

use super::Options;
use super::alarms::{Alarms, Label};
use super::figures::{
    AlarmCounts, Delays, Episode, FalseAlarms, Figure, Figures, MergedAlarms, RandomBy,
    RandomDetector, ReadingFigures, RunFacts, Score,
};
use super::intervals::wilson;
use super::judge::{Raised, Tally, judge};
use super::random::Random;
use super::ranking::average_precision;
use super::truth::{KINDS, Span, Truth};

/// How many examples of a kind of trouble are named.
const EXAMPLES: usize = 5;
const HOUR_MS: f64 = 3_600_000.0;

/// The figures of alarms that were compared with the truth.
pub(super) fn calculate(truth: &Truth, alarms: &Alarms, options: &Options, seed: u64) -> Score {
    let sorted = Sorted::new(truth, alarms, options);
    let tally = judge(&truth.spans, sorted.raised.iter().copied(), options.rules);
    let random = Random::beside(sorted.raised.len() as u64, truth.readings.all());
    let simulated = Simulated::new(truth, &random, options, seed);
    let rows = RowsByReading::new(truth, alarms, options);
    let kinds = IncidentKind::ANOMALIES.into_iter().map(Some);
    let of = |kind| Group { kind, truth, tally: &tally, random: &random, rows: &rows };
    let hours = truth.healthy_ms as f64 / HOUR_MS;
    let episodes = episodes(truth, &tally);
    let missed = episodes.iter().filter(|episode| episode.delay_ms.is_none());
    Score {
        run: RunFacts {
            machines: truth.machines,
            readings: truth.readings.all(),
            anomalous_readings: truth.readings.anomalous,
            healthy_machine_hours: hours,
            from_ms: truth.extent_ms.0,
            to_ms: truth.extent_ms.1,
        },
        random: RandomDetector {
            alarms_per_reading: random.probability,
            simulations: random.simulations,
            seed,
        },
        all: of(None).figures(options, simulated.delays(None)),
        kinds: kinds
            .filter(|&kind| truth.spans.iter().any(|span| Some(span.kind) == kind))
            .map(|kind| of(kind).figures(options, simulated.delays(kind)))
            .collect(),
        merged: MergedAlarms {
            gap_ms: options.rules.merge_gap_ms,
            right: tally.merged_right,
            wrong: tally.merged_wrong,
            precision: Figure {
                random: simulated.precision(),
                random_by: RandomBy::Simulations,
                ..proportion(tally.merged_right, tally.merged_right + tally.merged_wrong)
            },
        },
        false_alarms: FalseAlarms {
            alarms: tally.merged_wrong,
            per_machine_hour: Figure {
                value: (hours > 0.0).then(|| tally.merged_wrong as f64 / hours),
                interval: None,
                random: (hours > 0.0).then(|| simulated.wrong() / hours),
                random_by: RandomBy::Simulations,
            },
        },
        readings: of(None).reading_figures(),
        missed: missed.take(EXAMPLES).cloned().collect(),
        notes: notes(&sorted.counts, &rows, alarms, options),
        alarms: AlarmCounts {
            right: tally.right,
            wrong: tally.wrong,
            apart: tally.apart.iter().sum(),
            apart_by_kind: IncidentKind::ALL
                .into_iter()
                .map(|kind| (kind.as_str(), tally.apart[kind as usize]))
                .filter(|&(_, count)| count > 0)
                .collect(),
            ..sorted.counts
        },
        episodes,
        by_chance: random,
        grace_ms: options.rules.grace_ms,
    }
}

/// The alarms that are scored, in the order of machines and instants, and what became of the other rows.
struct Sorted {
    raised: Vec<Raised>,
    counts: AlarmCounts,
}

impl Sorted {
    fn new(truth: &Truth, alarms: &Alarms, options: &Options) -> Sorted {
        let extent = options.rules.extent(truth.extent_ms);
        let (mut raised, mut unknown) = (Vec::new(), Vec::new());
        let [mut unknown_machine, mut outside_run, mut below_threshold] = [0; 3];
        for machine in alarms.machines() {
            let Some(number) = machine.number else {
                unknown_machine += machine.rows.len() as u64;
                if unknown.len() < EXAMPLES {
                    unknown.push(machine.name.to_string());
                }
                continue;
            };
            for (alarm, _) in &machine.rows {
                if !extent.contains(&alarm.at_ms) {
                    outside_run += 1;
                } else if !options.is_alarm(alarm.score) {
                    below_threshold += 1;
                } else {
                    let (at_ms, written_ms) = (alarm.at_ms, alarm.written_ms);
                    raised.push(Raised { machine: number, at_ms, written_ms });
                }
            }
        }
        raised.sort_by_key(|raised| (raised.machine, raised.at_ms));
        let counts = AlarmCounts {
            rows: alarms.rows(),
            repeated: alarms.repeated(),
            unknown_machine,
            unknown_machines: unknown,
            outside_run,
            below_threshold,
            scored: raised.len() as u64,
            right: 0,
            wrong: 0,
            apart: 0,
            apart_by_kind: BTreeMap::new(),
        };
        Sorted { raised, counts }
    }
}

impl Options {
    /// Whether a row of this score is an alarm.
    fn is_alarm(&self, score: Option<f64>) -> bool {
        self.threshold.is_none_or(|least| score.is_some_and(|score| score >= least))
    }
}

/// Rows that have a reading's instant.
struct RowsByReading {
    /// Each one's score, whether it is an alarm, and what the reading is.
    rows: Vec<(Option<f64>, bool, Label)>,
    /// Alarms on the run's machines that have no reading's instant.
    no_reading: u64,
    /// Whether every row has a score, so that they rank readings.
    scored: bool,
}

impl RowsByReading {
    fn new(truth: &Truth, alarms: &Alarms, options: &Options) -> RowsByReading {
        let (mut rows, mut no_reading) = (Vec::new(), 0);
        let in_run = |at_ms| options.rules.extent(truth.extent_ms).contains(&at_ms);
        let of_run = alarms.machines().iter().filter(|machine| machine.number.is_some());
        for (alarm, label) in of_run.flat_map(|machine| &machine.rows) {
            let is_alarm = options.is_alarm(alarm.score);
            match label {
                Some(label) => rows.push((alarm.score, is_alarm, *label)),
                None => no_reading += u64::from(is_alarm && in_run(alarm.at_ms)),
            }
        }
        let scored = alarms.rows() > 0 && alarms.with_score() == alarms.rows();
        RowsByReading { rows, no_reading, scored }
    }

    /// How many alarms are on readings of such a label.
    fn count(&self, is: impl Fn(Label) -> bool) -> u64 {
        self.rows.iter().filter(|&&(_, is_alarm, label)| is_alarm && is(label)).count() as u64
    }
}

/// The episodes of a kind, or of all.
struct Group<'a> {
    kind: Option<IncidentKind>,
    truth: &'a Truth,
    tally: &'a Tally,
    random: &'a Random,
    rows: &'a RowsByReading,
}

impl Group<'_> {
    fn has(&self, span: &Span) -> bool {
        has(self.kind, span)
    }

    /// Whether a reading is of it.
    fn holds(&self, label: Label) -> bool {
        matches!(label, Label::Anomalous(kinds) if match self.kind {
            Some(kind) => kinds >> kind as usize & 1 == 1,
            None => true,
        })
    }

    /// Its readings.
    fn readings(&self) -> u64 {
        match self.kind {
            Some(kind) => self.truth.readings.of_kind.get(kind as usize).copied().unwrap_or(0),
            None => self.truth.readings.anomalous,
        }
    }

    fn figures(&self, options: &Options, random_delay_ms: Option<Delays>) -> Figures {
        let spans = || self.truth.spans.iter().enumerate().filter(|(_, span)| self.has(span));
        let episodes = spans().count() as u64;
        let delays = delays(self.kind, &self.truth.spans, self.tally);
        let detected = delays.len() as u64;
        let by_random: f64 = spans().map(|(_, span)| self.random.detects(span.readings)).sum();
        let emission = spans().filter_map(|(at, span)| {
            let is_live = options.live_from_ms.is_some_and(|from_ms| span.start_ms >= from_ms);
            let written_ms = self.tally.first_written_ms[at].filter(|_| is_live)?;
            // In live time a reading's timestamp is the instant at which it was due.
            Some(written_ms - span.start_ms)
        });
        Figures {
            kind: self.kind.map_or("all", IncidentKind::as_str),
            episodes,
            detected,
            missed: episodes - detected,
            recall: Figure {
                random: (episodes > 0).then(|| by_random / episodes as f64),
                ..proportion(detected, episodes)
            },
            delay_ms: Delays::of(delays),
            random_delay_ms,
            emission_delay_ms: Delays::of(emission.collect()),
            reading_recall: self.reading_recall(),
            average_precision: self.average_precision(),
        }
    }

    fn reading_recall(&self) -> Figure {
        let (right, all) = (self.rows.count(|label| self.holds(label)), self.readings());
        Figure {
            // Readings of an episode follow one another, and are no independent trials.
            interval: None,
            random: (all > 0).then_some(self.random.probability),
            ..proportion(right, all)
        }
    }

    fn average_precision(&self) -> Figure {
        let (anomalous, healthy) = (self.readings(), self.truth.readings.healthy);
        let mut scored: Vec<(f64, bool)> = Vec::new();
        let value = if self.rows.scored {
            let of = self
                .rows
                .rows
                .iter()
                .filter(|(.., label)| self.holds(*label) || *label == Label::Healthy);
            scored.extend(of.filter_map(|&(score, _, label)| Some((score?, self.holds(label)))));
            average_precision(&mut scored, anomalous, healthy)
        } else {
            None
        };
        let all = anomalous + healthy;
        let prevalence = (all > 0).then(|| anomalous as f64 / all as f64);
        let random = prevalence.filter(|_| value.is_some());
        Figure { value, interval: None, random, random_by: RandomBy::ClosedForm }
    }

    fn reading_figures(&self) -> ReadingFigures {
        let right = self.rows.count(|label| matches!(label, Label::Anomalous(_)));
        let wrong = self.rows.count(|label| label == Label::Healthy);
        let (anomalous, healthy) = (self.truth.readings.anomalous, self.truth.readings.healthy);
        let prevalence = anomalous as f64 / (anomalous + healthy).max(1) as f64;
        ReadingFigures {
            right,
            wrong,
            apart: self.rows.count(|label| label == Label::Apart),
            no_reading: self.rows.no_reading,
            precision: Figure {
                interval: None,
                random: (self.random.probability > 0.0).then_some(prevalence),
                ..proportion(right, right + wrong)
            },
            recall: self.reading_recall(),
            average_precision: self.average_precision(),
        }
    }
}

/// What came of a random detector's simulations.
struct Simulated {
    /// Of each, the merged alarms that are right, and that are wrong.
    merged: Vec<(u64, u64)>,
    /// Of all and of each kind, the delays of each simulation.
    delays: [Vec<Delays>; KINDS + 1],
}

impl Simulated {
    fn new(truth: &Truth, random: &Random, options: &Options, seed: u64) -> Simulated {
        let mut all = Simulated { merged: Vec::new(), delays: Default::default() };
        if random.probability == 0.0 {
            return all;
        }
        for simulation in 0..random.simulations {
            let tally = random.simulate(truth, options.rules, seed, simulation);
            all.merged.push((tally.merged_right, tally.merged_wrong));
            for (place, of) in all.delays.iter_mut().enumerate() {
                let kind = IncidentKind::ANOMALIES.get(place).copied();
                of.extend(Delays::of(delays(kind, &truth.spans, &tally)));
            }
        }
        all
    }

    /// The mean of what the simulations with any alarm give.
    fn precision(&self) -> Option<f64> {
        let any = self.merged.iter().filter(|(right, wrong)| right + wrong > 0);
        mean(any.map(|&(right, wrong)| right as f64 / (right + wrong) as f64))
    }

    /// The mean number of false alarms.
    fn wrong(&self) -> f64 {
        mean(self.merged.iter().map(|&(_, wrong)| wrong as f64)).unwrap_or(0.0)
    }

    fn delays(&self, kind: Option<IncidentKind>) -> Option<Delays> {
        let of = &self.delays[kind.map_or(KINDS, |kind| kind as usize)];
        let mean_of = |part: fn(&Delays) -> f64| mean(of.iter().map(part));
        let detected: f64 = of.iter().map(|delays| delays.episodes).sum();
        Some(Delays {
            episodes: detected / self.merged.len() as f64,
            p50: mean_of(|delays| delays.p50)?,
            p90: mean_of(|delays| delays.p90)?,
            max: mean_of(|delays| delays.max)?,
        })
    }
}

impl Delays {
    /// Those of these times; none of no times.
    fn of(mut times_ms: Vec<i64>) -> Option<Delays> {
        times_ms.sort_unstable();
        let max = *times_ms.last()? as f64;
        // The nearest rank: the least time that so many in 100 don't exceed.
        let rank = |percent: usize| times_ms[(times_ms.len() * percent).div_ceil(100) - 1] as f64;
        Some(Delays { episodes: times_ms.len() as f64, p50: rank(50), p90: rank(90), max })
    }
}

fn has(kind: Option<IncidentKind>, span: &Span) -> bool {
    span.is_episode() && kind.is_none_or(|kind| kind == span.kind)
}

/// The delays of the episodes that were detected, in event time.
fn delays(kind: Option<IncidentKind>, spans: &[Span], tally: &Tally) -> Vec<i64> {
    let of = spans.iter().zip(&tally.first_ms).filter(|(span, _)| has(kind, span));
    of.filter_map(|(span, &first_ms)| first_ms.map(|first_ms| first_ms - span.start_ms)).collect()
}

fn episodes(truth: &Truth, tally: &Tally) -> Vec<Episode> {
    let of = truth.spans.iter().zip(&tally.first_ms).filter(|(span, _)| span.is_episode());
    of.map(|(span, &first_ms)| Episode {
        machine_id: span.machine_id.clone(),
        kind: span.kind,
        start_ms: span.start_ms,
        end_ms: span.end_ms,
        readings: span.readings,
        delay_ms: first_ms.map(|first_ms| first_ms - span.start_ms),
    })
    .collect()
}

/// A proportion with its interval, and nothing beside it yet.
fn proportion(hits: u64, trials: u64) -> Figure {
    Figure {
        value: (trials > 0).then(|| hits as f64 / trials as f64),
        interval: wilson(hits, trials),
        random: None,
        random_by: RandomBy::ClosedForm,
    }
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (count, sum) = values.fold((0u64, 0.0), |(count, sum), value| (count + 1, sum + value));
    (count > 0).then(|| sum / count as f64)
}

fn notes(
    counts: &AlarmCounts,
    rows: &RowsByReading,
    alarms: &Alarms,
    options: &Options,
) -> Vec<String> {
    let mut notes = Vec::new();
    if counts.unknown_machine > 0 {
        notes.push(format!(
            "{} rows are of machines that the run doesn't have, as {}: is this the run's manifest?",
            counts.unknown_machine,
            counts.unknown_machines.join(", ")
        ));
    }
    if counts.outside_run > 0 {
        notes.push(format!(
            "{} rows lie before the run or after its end: is their timestamp the event time, in UTC?",
            counts.outside_run
        ));
    }
    if rows.no_reading > 0 {
        notes.push(format!(
            "{} alarms have an instant that is no reading's of their machine, as the end of a window: figures of readings leave them out",
            rows.no_reading
        ));
    }
    let (with_score, all) = (alarms.with_score(), alarms.rows());
    if 0 < with_score && with_score < all {
        notes.push(format!(
            "{} of {all} rows have no score, so that scores rank nothing",
            all - with_score
        ));
    }
    if options.threshold.is_none() && rows.scored && counts.scored > 0 {
        notes.push(
            "each row is an alarm, whatever its score: where the detector scores every reading, say from which score on by --threshold"
                .to_owned(),
        );
    }
    notes
}

//! What really happened: incidents and readings, made again in one pass over the run.

use fleetstorm_model::fleet::Share;
use fleetstorm_model::record::{IncidentRecord, Record, Topic};
use fleetstorm_model::schedule::SlotKind;
use fleetstorm_model::simulation::incidents::IncidentKind;
use fleetstorm_model::stream::{Slot, Step, Stream};

use super::alarms::{Alarms, Label};
use crate::evaluate::Part;

/// How many kinds of anomalies there are.
pub const KINDS: usize = IncidentKind::ANOMALIES.len();

/// What really happened.
#[derive(Debug, Default)]
pub struct Truth {
    /// The incidents, in the order of machines and beginnings.
    pub spans: Vec<Span>,
    /// The readings that machines reported, in the order of machines and instants.
    pub stretches: Vec<Stretch>,
    /// How many machines there are.
    pub machines: u32,
    /// Readings that were reported, by what they are.
    pub readings: ReadingCounts,
    /// For how long machines reported and were healthy, in milliseconds.
    pub healthy_ms: u64,
    /// The run's start and its last reading, in milliseconds since the epoch.
    pub extent_ms: (i64, i64),
}

/// An incident on a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// The machine's number.
    pub machine: u32,
    /// Its name.
    pub machine_id: Box<str>,
    /// What it is.
    pub kind: IncidentKind,
    /// When it began, in milliseconds since the epoch.
    pub start_ms: i64,
    /// When it ended; none where it outlasts the run.
    pub end_ms: Option<i64>,
    /// How many readings its machine reported from its begin to the end of the grace.
    pub readings: u64,
}

/// Readings of a machine at equal distances.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// The machine's number.
    pub machine: u32,
    /// How many there are.
    pub readings: u64,
    /// The instant of the first, in milliseconds since the epoch.
    pub first_ms: i64,
    /// That of the last.
    pub last_ms: i64,
}

/// Readings by what they are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ReadingCounts {
    /// Of an anomaly that shows.
    pub anomalous: u64,
    /// Of these, those at which an anomaly of each kind is open.
    pub of_kind: [u64; KINDS],
    /// Of another incident and no anomaly, or of an anomaly that doesn't show.
    pub apart: u64,
    /// Of a healthy machine.
    pub healthy: u64,
}

impl Span {
    /// Whether it is an anomaly.
    pub fn is_episode(&self) -> bool {
        self.kind.is_anomaly()
    }

    /// Until when an alarm is one of it.
    pub fn until_ms(&self, grace_ms: i64) -> i64 {
        self.end_ms.map_or(i64::MAX, |end_ms| end_ms.saturating_add(grace_ms))
    }
}

impl Stretch {
    /// The instant of one of its readings, from 0.
    pub fn at_ms(&self, reading: u64) -> i64 {
        let steps = self.readings.saturating_sub(1).max(1);
        let span = i128::from(self.last_ms - self.first_ms);
        self.first_ms + (span * i128::from(reading) / i128::from(steps)) as i64
    }

    /// Takes a reading on, where it comes as far behind the last as others do.
    fn takes(&mut self, at_ms: i64) -> bool {
        let step = at_ms - self.last_ms;
        let fits = self.readings == 1 || {
            let mean = (self.last_ms - self.first_ms) / (self.readings as i64 - 1);
            (step - mean).abs() <= UNEVEN_MS + mean / 20
        };
        if fits {
            self.readings += 1;
            self.last_ms = at_ms;
        }
        fits
    }
}

/// How far a reading may lie from its place among equal distances, beside a twentieth: instants are
/// whole milliseconds.
const UNEVEN_MS: i64 = 2;

impl ReadingCounts {
    /// All of them.
    pub fn all(&self) -> u64 {
        self.anomalous + self.apart + self.healthy
    }
}

impl Truth {
    /// The ground truth of the parts of a run. Rows of `alarms` that have a reading's instant are told what
    /// it is, and machines of theirs their numbers.
    pub fn of(parts: &[Part<'_>], alarms: &mut Alarms, grace_ms: i64) -> Truth {
        let mut truth = Truth::default();
        let start_ms = parts.iter().map(|part| part.manifest.start.timestamp_millis()).min();
        truth.extent_ms = (start_ms.unwrap_or(0), i64::MIN);
        for part in parts {
            Pass::new(part, &mut truth, alarms, grace_ms).run();
        }
        truth.spans.sort_by_key(|span| (span.machine, span.start_ms));
        truth.stretches.sort_by_key(|stretch| (stretch.machine, stretch.first_ms));
        truth
    }
}

/// The way through the readings of one part.
struct Pass<'a> {
    part: &'a Part<'a>,
    stream: Stream,
    end: u64,
    kind: SlotKind,
    /// The number of the part's first machine.
    first: u32,
    machines: Vec<Machine>,
    truth: &'a mut Truth,
    alarms: &'a mut Alarms,
    grace_ms: i64,
}

/// What is known of a machine at its last reading.
#[derive(Debug, Clone, Default)]
struct Machine {
    /// Its incidents that are open or within their grace: their places among the spans.
    watched: Vec<usize>,
    last_ms: Option<i64>,
    step_ms: i64,
    was_healthy: bool,
    stretch: Option<Stretch>,
    /// The place of its rows among the alarms, and the next of them.
    rows: Option<usize>,
    next_row: usize,
}

impl<'a> Pass<'a> {
    fn new(
        part: &'a Part<'a>,
        truth: &'a mut Truth,
        alarms: &'a mut Alarms,
        grace_ms: i64,
    ) -> Pass<'a> {
        let share: Share = part.share;
        let stream = Stream::of_incidents(part.manifest, share);
        let end = part.end_slot().unwrap_or(u64::MAX);
        let first = truth.machines;
        let machines = (0..stream.machines())
            .map(|at| {
                let rows = alarms.find(stream.machine_id(at));
                if let Some(place) = rows {
                    alarms.machine_mut(place).number = Some(first + at as u32);
                }
                Machine { rows, ..Machine::default() }
            })
            .collect();
        truth.machines += stream.machines() as u32;
        let has_telemetry = part.manifest.topic_set().contains(Topic::Telemetry);
        let kind = if has_telemetry { SlotKind::Telemetry } else { SlotKind::Usage };
        Pass { part, stream, end, kind, first, machines, truth, alarms, grace_ms }
    }

    fn run(mut self) {
        while let Some(step) = self.stream.next() {
            let Step::Slot(slot) = step else { continue };
            if slot.number >= self.end {
                break;
            }
            if slot.index == 0 {
                self.note_incidents(slot.at);
            }
            if slot.kind == self.kind {
                self.read(&slot);
            }
        }
        for machine in &mut self.machines {
            if machine.was_healthy {
                self.truth.healthy_ms += machine.step_ms as u64;
            }
            self.truth.stretches.extend(machine.stretch.take());
        }
    }

    /// Notes what began and ended on the machine at a place of the part.
    fn note_incidents(&mut self, at: usize) {
        let Pass { stream, machines, truth, first, .. } = self;
        let (machine, spans) = (&mut machines[at], &mut truth.spans);
        let number = *first + at as u32;
        let mut note = |kind: IncidentKind, record: &IncidentRecord<&str>| {
            let Some(end_ms) = record.end_time else {
                machine.watched.push(spans.len());
                return spans.push(Span {
                    machine: number,
                    machine_id: record.machine_id.into(),
                    kind,
                    start_ms: record.start_time,
                    end_ms: None,
                    readings: 0,
                });
            };
            // Of one kind a machine has one at a time.
            let is_it =
                |&&place: &&usize| spans[place].kind == kind && spans[place].end_ms.is_none();
            if let Some(&place) = machine.watched.iter().find(is_it) {
                spans[place].end_ms = Some(end_ms);
            }
        };
        while stream.next_incident(at, &mut note).is_some() {}
    }

    /// Takes the reading of a slot.
    #[inline]
    fn read(&mut self, slot: &Slot) {
        let at_ms = slot.reading_ms;
        let dropped = self.part.has_dropped(slot.number);
        // Whether an anomaly shows, of a reading that is reported: usage doesn't say.
        let shows = self.stream.fill(slot, |keyed| match keyed?.record {
            Record::Telemetry(telemetry) => Some(telemetry.is_anomaly),
            _ => Some(true),
        });
        let reports = !dropped && shows.is_some();
        let Pass { machines, truth, alarms, grace_ms, first, .. } = self;
        let machine = &mut machines[slot.at];
        if let Some(last_ms) = machine.last_ms {
            machine.step_ms = at_ms - last_ms;
            if machine.was_healthy {
                truth.healthy_ms += machine.step_ms as u64;
            }
        }
        machine.last_ms = Some(at_ms);
        truth.extent_ms.1 = truth.extent_ms.1.max(at_ms);
        let label = match machine.look(&mut truth.spans, at_ms, *grace_ms, reports) {
            Label::Anomalous(_) if shows == Some(false) => Label::Apart,
            label => label,
        };
        machine.was_healthy = reports && machine.watched.is_empty();
        if !reports {
            return;
        }
        let counts = &mut truth.readings;
        match label {
            Label::Anomalous(kinds) => {
                counts.anomalous += 1;
                for (kind, count) in counts.of_kind.iter_mut().enumerate() {
                    *count += u64::from(kinds >> kind & 1);
                }
            }
            Label::Apart => counts.apart += 1,
            Label::Healthy => counts.healthy += 1,
        }
        if !machine.stretch.as_mut().is_some_and(|stretch| stretch.takes(at_ms)) {
            let number = *first + slot.at as u32;
            let (first_ms, last_ms) = (at_ms, at_ms);
            let new = Stretch { machine: number, readings: 1, first_ms, last_ms };
            truth.stretches.extend(machine.stretch.replace(new));
        }
        if let Some(place) = machine.rows {
            let rows = &mut alarms.machine_mut(place).rows;
            while rows.get(machine.next_row).is_some_and(|(alarm, _)| alarm.at_ms < at_ms) {
                machine.next_row += 1;
            }
            if let Some((alarm, told)) = rows.get_mut(machine.next_row)
                && alarm.at_ms == at_ms
            {
                *told = Some(label);
            }
        }
    }
}

impl Machine {
    /// What a reading is, and counts it where it `reports` for the incidents that it lies in.
    #[inline]
    fn look(&mut self, spans: &mut [Span], at_ms: i64, grace_ms: i64, reports: bool) -> Label {
        if self.watched.is_empty() {
            return Label::Healthy;
        }
        self.watched.retain(|&place| at_ms <= spans[place].until_ms(grace_ms));
        let (mut kinds, mut apart) = (0, false);
        for &place in &self.watched {
            let span = &mut spans[place];
            span.readings += u64::from(reports);
            if span.end_ms.is_some() {
                continue;
            }
            match IncidentKind::ANOMALIES.into_iter().position(|kind| kind == span.kind) {
                Some(kind) => kinds |= 1 << kind,
                None => apart = true,
            }
        }
        match (kinds, apart) {
            (0, false) => Label::Healthy,
            (0, true) => Label::Apart,
            (kinds, _) => Label::Anomalous(kinds),
        }
    }
}

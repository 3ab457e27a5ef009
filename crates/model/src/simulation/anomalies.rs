//! Anomalies: episodes of six kinds, each with a beginning, a course and an end. Kinds are
//! independent of one another; of one kind a machine has one episode at a time.

use crate::config;
use crate::random::RandomStream;

use super::effects::Effects;
use super::incidents::{IncidentKind, OpenIncident};
use super::journal::Journal;

const KINDS: usize = IncidentKind::ANOMALIES.len();
/// A drawn magnitude lies this far around the configured one.
const MAGNITUDE_SPREAD: f64 = 0.25;
/// The part of requests that fails over a full link, and on a full disk.
const SATURATED_ERRORS: f64 = 0.05;
const DISK_FULL_ERRORS: f64 = 0.3;
/// From this part of its length on, a filling disk is full.
const DISK_FULL_AT: f64 = 0.7;
/// The part of a saturation that it takes to build up, and to go.
const RAMP: f64 = 0.2;

/// What the configuration says of each kind, in the order of [`IncidentKind::ANOMALIES`].
#[derive(Debug, Clone)]
pub struct Kinds([Kind; KINDS]);

#[derive(Debug, Clone, Copy)]
struct Kind {
    probability: f64,
    magnitude: f64,
    duration: (u32, u32),
}

/// The episodes of one machine.
#[derive(Debug, Clone)]
pub struct Episodes {
    stream: RandomStream,
    /// The first reading at which an episode begins or ends.
    next: u64,
    open: u8,
    of: [Episode; KINDS],
}

#[derive(Debug, Clone, Copy)]
struct Episode {
    /// The reading at which it ends where it is open, else at which the next one begins.
    at: u64,
    began: u64,
    magnitude: f64,
    incident: Option<OpenIncident>,
}

impl Kinds {
    /// The kinds as configured; `None` if there are no anomalies.
    pub fn new(config: &config::Anomalies) -> Option<Kinds> {
        let c = config;
        let kind = |probability, magnitude, duration| Kind { probability, magnitude, duration };
        c.enable.then(|| {
            Kinds([
                kind(c.cpu_spike_probability, c.cpu_spike_magnitude, c.cpu_spike_duration),
                kind(c.memory_leak_probability, c.memory_leak_rate, c.memory_leak_duration),
                kind(
                    c.network_saturation_probability,
                    c.network_saturation_slowdown,
                    c.network_saturation_duration,
                ),
                kind(c.disk_full_probability, c.disk_full_level, c.disk_full_duration),
                kind(
                    c.multi_resource_probability,
                    c.multi_resource_magnitude,
                    c.multi_resource_duration,
                ),
                kind(c.sensor_drift_probability, c.sensor_drift_magnitude, c.sensor_drift_duration),
            ])
        })
    }

    /// How many episodes begin a reading and machine, of all kinds: each kind's are 1 / (the mean
    /// wait + the mean length) apart.
    pub fn rate(&self) -> f64 {
        self.0.iter().map(Kind::rate).sum()
    }

    /// The same, of those kinds that may seize the processor.
    pub fn processor_rate(&self) -> f64 {
        let seizes = |kind| matches!(kind, IncidentKind::CpuSpike | IncidentKind::MultiResource);
        let named = IncidentKind::ANOMALIES.into_iter().zip(&self.0);
        named.filter(|(name, _)| seizes(*name)).map(|(_, kind)| kind.rate()).sum()
    }
}

impl Kind {
    fn rate(&self) -> f64 {
        let length = f64::from(self.duration.0 + self.duration.1) / 2.0;
        if self.probability > 0.0 { 1.0 / (1.0 / self.probability + length) } else { 0.0 }
    }
}

impl Episodes {
    /// A machine without an open episode, before its first reading.
    pub fn new(kinds: &Kinds, mut stream: RandomStream) -> Episodes {
        let of = kinds.0.map(|kind| Episode {
            at: stream.geometric(kind.probability),
            began: 0,
            magnitude: 0.0,
            incident: None,
        });
        let mut episodes = Episodes { stream, next: 0, open: 0, of };
        episodes.set_next();
        episodes
    }

    /// Moves on to `reading`, and adds what open episodes do to `effects`.
    #[inline]
    pub fn step(
        &mut self,
        kinds: &Kinds,
        reading: u64,
        journal: &mut Journal<'_>,
        effects: &mut Effects,
    ) {
        if reading >= self.next {
            self.change(kinds, reading, journal, effects);
        }
        if self.open == 0 {
            return;
        }
        for (i, episode) in self.of.iter().enumerate() {
            if self.open & (1 << i) != 0 {
                episode.act(IncidentKind::ANOMALIES[i], reading, effects);
            }
        }
        effects.is_anomaly = true;
    }

    /// Ends all open episodes, as a machine that goes down does; new ones may begin from `reading`
    /// on.
    pub fn end_all(&mut self, kinds: &Kinds, reading: u64, journal: &mut Journal<'_>) {
        for (episode, kind) in self.of.iter_mut().zip(&kinds.0) {
            if let Some(incident) = episode.incident.take() {
                journal.end(incident);
                episode.at = next_start(kind, reading, &mut self.stream);
            }
        }
        self.open = 0;
        self.set_next();
    }

    /// Puts off by `readings` what would begin while the machine is down.
    pub fn put_off(&mut self, readings: u64) {
        for episode in &mut self.of {
            episode.at = episode.at.saturating_add(readings);
        }
        self.set_next();
    }

    /// The seldom part of [`Episodes::step`].
    #[cold]
    fn change(
        &mut self,
        kinds: &Kinds,
        reading: u64,
        journal: &mut Journal<'_>,
        effects: &mut Effects,
    ) {
        for (i, kind) in kinds.0.iter().enumerate() {
            let name = IncidentKind::ANOMALIES[i];
            let episode = &mut self.of[i];
            if episode.incident.is_some() && reading >= episode.at {
                if let Some(incident) = episode.incident.take() {
                    journal.end(incident);
                }
                self.open &= !(1 << i);
                match name {
                    IncidentKind::MemoryLeak => effects.restarted = true,
                    IncidentKind::DiskFull => effects.cleaned = true,
                    _ => {}
                }
                // The reading after an episode can begin the next one.
                episode.at = next_start(kind, reading, &mut self.stream);
            }
            if episode.incident.is_none() && reading >= episode.at {
                let (least, most) = kind.duration;
                let length = u64::from(least) + self.stream.below(u64::from(most - least) + 1);
                let drawn = self.stream.between(1.0 - MAGNITUDE_SPREAD, 1.0 + MAGNITUDE_SPREAD);
                let low = self.stream.chance(0.5);
                episode.magnitude = match name {
                    // Levels and factors have no room to stray.
                    IncidentKind::DiskFull => kind.magnitude,
                    IncidentKind::NetworkSaturation => 1.0 + (kind.magnitude - 1.0) * drawn,
                    IncidentKind::SensorDrift if low => -kind.magnitude * drawn,
                    _ => kind.magnitude * drawn,
                };
                episode.began = reading;
                episode.at = reading.saturating_add(length);
                episode.incident = Some(journal.begin(name, None, episode.magnitude));
                self.open |= 1 << i;
            }
        }
        self.set_next();
    }

    fn set_next(&mut self) {
        self.next = self.of.iter().map(|episode| episode.at).min().unwrap_or(u64::MAX);
    }
}

impl Episode {
    fn act(&self, kind: IncidentKind, reading: u64, effects: &mut Effects) {
        // From 0 at the first reading to just below 1 at the last.
        let length = (self.at - self.began) as f64;
        let past = (reading - self.began) as f64;
        let part = past / length;
        match kind {
            IncidentKind::CpuSpike => {
                effects.cpu += self.magnitude / 100.0 * (1.0 - part) * (1.0 - part);
            }
            IncidentKind::MemoryLeak => effects.memory += self.magnitude / 100.0 * (past + 1.0),
            IncidentKind::NetworkSaturation => {
                let full = plateau(part, length);
                effects.network = effects.network.max(full);
                effects.slowdown *= 1.0 + (self.magnitude - 1.0) * full;
                effects.errors += SATURATED_ERRORS * full;
            }
            IncidentKind::DiskFull => {
                let filled = ((past + 1.0) / (length * DISK_FULL_AT)).min(1.0);
                effects.disk = filled;
                effects.disk_level = self.magnitude;
                if filled >= 1.0 {
                    effects.errors += DISK_FULL_ERRORS;
                }
            }
            IncidentKind::MultiResource => {
                let high = plateau(part, length);
                effects.cpu += self.magnitude / 100.0 * high;
                effects.memory += self.magnitude / 100.0 * high;
                effects.network = effects.network.max(high);
                effects.slowdown *= 1.0 + high;
            }
            IncidentKind::SensorDrift => {
                // One sensor of the three, told from the others by the reading it began at.
                effects.bias[(self.began % 3) as usize] += self.magnitude * (past + 1.0) / length;
            }
            _ => {}
        }
    }
}

/// Up over the first readings, 1 in the middle, down over the last; never 0.
fn plateau(part: f64, length: f64) -> f64 {
    let edge = part.min(1.0 - part) + 1.0 / length;
    (edge / RAMP).min(1.0)
}

/// The reading at which the next episode begins, where one may from `reading` on.
fn next_start(kind: &Kind, reading: u64, stream: &mut RandomStream) -> u64 {
    reading.saturating_add(stream.geometric(kind.probability))
}

//! Anomalies: episodes of six kinds. Kinds are independent of one another. A machine has at most one
//! episode of a kind at a time.

use crate::config;
use crate::random::RandomStream;

use super::effects::Effects;
use super::event_writer::EventWriter;
use super::incidents::{IncidentKind, OpenIncident};

const KINDS: usize = IncidentKind::ANOMALIES.len();
/// How far a drawn magnitude lies from the configured one at most, as a fraction of it.
const MAGNITUDE_SPREAD: f64 = 0.25;
/// The fraction of requests that fails over a full link, and on a full disk.
const LINK_FULL_ERRORS: f64 = 0.05;
const DISK_FULL_ERRORS: f64 = 0.3;
/// The fraction of its episode after which a filling disk is full.
const DISK_FULL_AT: f64 = 0.7;
/// The fraction of its episode that a saturation takes to build up, and to recede.
const RAMP: f64 = 0.2;

/// What the configuration says of each kind, in the order of [`IncidentKind::ANOMALIES`].
#[derive(Debug, Clone)]
pub struct AnomalyRules([AnomalyRule; KINDS]);

#[derive(Debug, Clone, Copy)]
struct AnomalyRule {
    probability: f64,
    magnitude: f64,
    duration: (u32, u32),
}

/// The episodes of one machine.
#[derive(Debug, Clone)]
pub struct Episodes {
    stream: RandomStream,
    /// The first reading at which an episode begins or ends.
    next_change: u64,
    /// A bit for each kind that has an open episode.
    open: u8,
    episodes: [Episode; KINDS],
}

#[derive(Debug, Clone, Copy)]
struct Episode {
    /// The reading at which it ends if it is open, else at which the next one begins.
    next_change: u64,
    began: u64,
    magnitude: f64,
    incident: Option<OpenIncident>,
}

impl AnomalyRules {
    /// The kinds as configured; `None` if there are no anomalies.
    pub fn new(config: &config::Anomalies) -> Option<AnomalyRules> {
        let c = config;
        let rule =
            |probability, magnitude, duration| AnomalyRule { probability, magnitude, duration };
        c.enable.then(|| {
            AnomalyRules([
                rule(c.cpu_spike_probability, c.cpu_spike_magnitude, c.cpu_spike_duration),
                rule(c.memory_leak_probability, c.memory_leak_rate, c.memory_leak_duration),
                rule(
                    c.network_saturation_probability,
                    c.network_saturation_slowdown,
                    c.network_saturation_duration,
                ),
                rule(c.disk_full_probability, c.disk_full_level, c.disk_full_duration),
                rule(
                    c.multi_resource_probability,
                    c.multi_resource_magnitude,
                    c.multi_resource_duration,
                ),
                rule(c.sensor_drift_probability, c.sensor_drift_magnitude, c.sensor_drift_duration),
            ])
        })
    }

    /// How many episodes of all kinds begin per reading of a machine: of each kind, 1 / (the mean wait +
    /// the mean length).
    pub fn rate(&self) -> f64 {
        self.0.iter().map(AnomalyRule::rate).sum()
    }

    /// How many episodes begin per reading of a machine, of the kinds that can saturate the processor.
    pub fn cpu_rate(&self) -> f64 {
        let saturates = |kind| matches!(kind, IncidentKind::CpuSpike | IncidentKind::MultiResource);
        let kinds = IncidentKind::ANOMALIES.into_iter().zip(&self.0);
        kinds.filter(|(kind, _)| saturates(*kind)).map(|(_, rule)| rule.rate()).sum()
    }
}

impl AnomalyRule {
    fn rate(&self) -> f64 {
        let length = f64::from(self.duration.0 + self.duration.1) / 2.0;
        if self.probability > 0.0 { 1.0 / (1.0 / self.probability + length) } else { 0.0 }
    }
}

impl Episodes {
    /// A machine without an open episode, before its first reading.
    pub fn new(rules: &AnomalyRules, mut stream: RandomStream) -> Episodes {
        let episodes = rules.0.map(|rule| Episode {
            next_change: stream.geometric(rule.probability),
            began: 0,
            magnitude: 0.0,
            incident: None,
        });
        let mut all = Episodes { stream, next_change: 0, open: 0, episodes };
        all.update_next_change();
        all
    }

    /// Advances to `reading`, and adds what open episodes do to `effects`.
    #[inline]
    pub fn step(
        &mut self,
        rules: &AnomalyRules,
        reading: u64,
        writer: &mut EventWriter<'_>,
        effects: &mut Effects,
    ) {
        if reading >= self.next_change {
            self.change(rules, reading, writer, effects);
        }
        if self.open == 0 {
            return;
        }
        for (i, episode) in self.episodes.iter().enumerate() {
            if self.open & (1 << i) != 0 {
                episode.apply(IncidentKind::ANOMALIES[i], reading, effects);
            }
        }
        effects.is_anomaly = true;
    }

    /// Ends all open episodes, since the machine goes down; new ones may begin from `reading` on.
    pub fn end_all(&mut self, rules: &AnomalyRules, reading: u64, writer: &mut EventWriter<'_>) {
        for (episode, rule) in self.episodes.iter_mut().zip(&rules.0) {
            if let Some(incident) = episode.incident.take() {
                writer.end_incident(incident);
                episode.next_change = next_start(rule, reading, &mut self.stream);
            }
        }
        self.open = 0;
        self.update_next_change();
    }

    /// Postpones all episodes by `readings`, for which the machine was down.
    pub fn postpone(&mut self, readings: u64) {
        for episode in &mut self.episodes {
            episode.next_change = episode.next_change.saturating_add(readings);
        }
        self.update_next_change();
    }

    /// The rare part of [`Episodes::step`].
    #[cold]
    fn change(
        &mut self,
        rules: &AnomalyRules,
        reading: u64,
        writer: &mut EventWriter<'_>,
        effects: &mut Effects,
    ) {
        for (i, rule) in rules.0.iter().enumerate() {
            let kind = IncidentKind::ANOMALIES[i];
            let episode = &mut self.episodes[i];
            if episode.incident.is_some() && reading >= episode.next_change {
                if let Some(incident) = episode.incident.take() {
                    writer.end_incident(incident);
                }
                self.open &= !(1 << i);
                match kind {
                    IncidentKind::MemoryLeak => effects.restarted = true,
                    IncidentKind::DiskFull => effects.disk_cleaned = true,
                    _ => {}
                }
                // The reading after an episode can begin the next one.
                episode.next_change = next_start(rule, reading, &mut self.stream);
            }
            if episode.incident.is_none() && reading >= episode.next_change {
                let (least, most) = rule.duration;
                let length = u64::from(least) + self.stream.below(u64::from(most - least) + 1);
                let drawn = self.stream.between(1.0 - MAGNITUDE_SPREAD, 1.0 + MAGNITUDE_SPREAD);
                let low = self.stream.chance(0.5);
                episode.magnitude = match kind {
                    // The level is exact, and a slowdown never falls below 1.
                    IncidentKind::DiskFull => rule.magnitude,
                    IncidentKind::NetworkSaturation => 1.0 + (rule.magnitude - 1.0) * drawn,
                    IncidentKind::SensorDrift if low => -rule.magnitude * drawn,
                    _ => rule.magnitude * drawn,
                };
                episode.began = reading;
                episode.next_change = reading.saturating_add(length);
                episode.incident = Some(writer.begin_incident(kind, None, episode.magnitude));
                self.open |= 1 << i;
            }
        }
        self.update_next_change();
    }

    fn update_next_change(&mut self) {
        let changes = self.episodes.iter().map(|episode| episode.next_change);
        self.next_change = changes.min().unwrap_or(u64::MAX);
    }
}

impl Episode {
    fn apply(&self, kind: IncidentKind, reading: u64, effects: &mut Effects) {
        // From 0 at the first reading to just below 1 at the last.
        let length = (self.next_change - self.began) as f64;
        let elapsed = (reading - self.began) as f64;
        let progress = elapsed / length;
        match kind {
            IncidentKind::CpuSpike => {
                effects.added_cpu += self.magnitude / 100.0 * (1.0 - progress) * (1.0 - progress);
            }
            IncidentKind::MemoryLeak => {
                effects.added_memory += self.magnitude / 100.0 * (elapsed + 1.0);
            }
            IncidentKind::NetworkSaturation => {
                let full = plateau(progress, length);
                effects.link_fill = effects.link_fill.max(full);
                effects.slowdown *= 1.0 + (self.magnitude - 1.0) * full;
                effects.error_rate += LINK_FULL_ERRORS * full;
            }
            IncidentKind::DiskFull => {
                let filled = ((elapsed + 1.0) / (length * DISK_FULL_AT)).min(1.0);
                effects.disk_fill = filled;
                effects.disk_level = self.magnitude;
                if filled >= 1.0 {
                    effects.error_rate += DISK_FULL_ERRORS;
                }
            }
            IncidentKind::MultiResource => {
                let high = plateau(progress, length);
                effects.added_cpu += self.magnitude / 100.0 * high;
                effects.added_memory += self.magnitude / 100.0 * high;
                effects.link_fill = effects.link_fill.max(high);
                effects.slowdown *= 1.0 + high;
            }
            IncidentKind::SensorDrift => {
                // The reading at which it began selects one of the three sensors.
                let sensor = (self.began % 3) as usize;
                effects.sensor_bias[sensor] += self.magnitude * (elapsed + 1.0) / length;
            }
            _ => {}
        }
    }
}

/// Rises over the first readings, is 1 in the middle, falls over the last; never 0.
fn plateau(progress: f64, length: f64) -> f64 {
    let edge = progress.min(1.0 - progress) + 1.0 / length;
    (edge / RAMP).min(1.0)
}

/// The reading at which the next episode begins, which may be `reading` itself.
fn next_start(rule: &AnomalyRule, reading: u64, stream: &mut RandomStream) -> u64 {
    reading.saturating_add(stream.geometric(rule.probability))
}

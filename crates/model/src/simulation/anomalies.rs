//! Anomalies: episodes of six kinds. Kinds are independent of one another. A machine has at most one
//! episode of a kind at a time.
//!
//! The probability of a kind is the share of readings at which an episode of it is open. In telemetry an episode
//! leaves nothing behind: what a leak took is freed, what filled a disk is deleted.

use crate::config;
use crate::random::RandomStream;

use super::effects::Effects;
use super::event_writer::EventWriter;
use super::incidents::{IncidentKind, OpenIncident};
use super::signals::LEAST_POINTS;

const KINDS: usize = IncidentKind::ANOMALIES.len();
/// How far a drawn magnitude lies from the configured one at most, as a fraction of it.
const MAGNITUDE_SPREAD: f64 = 0.25;
/// A spike is its peak times (1 - this x progress) squared: a quarter of it at its end.
const SPIKE_FALL: f64 = 0.5;
/// The fraction of requests that fails over a full link, and on a full disk.
const LINK_FULL_ERRORS: f64 = 0.05;
const DISK_FULL_ERRORS: f64 = 0.3;
/// The fraction of its episode after which a filling disk is full.
const DISK_FULL_AT: f64 = 0.7;
/// The fraction of its episode that a saturation takes to build up, and to recede.
const RAMP: f64 = 0.2;
/// How far a saturation has got at its first and last readings at least.
const MIN_RAMP: f64 = 0.1;
/// The least that an episode adds, as a fraction: enough to show.
const LEAST: f64 = LEAST_POINTS / 100.0;

/// What the configuration says of each kind, in the order of [`IncidentKind::ANOMALIES`].
#[derive(Debug, Clone)]
pub struct AnomalyRules([AnomalyRule; KINDS]);

#[derive(Debug, Clone, Copy)]
struct AnomalyRule {
    /// The share of readings at which an episode is open.
    share: f64,
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
    /// A bit for each kind that had one before the first reading. Its incident begins with that reading.
    found: u8,
    episodes: [Episode; KINDS],
}

#[derive(Debug, Clone, Copy)]
struct Episode {
    /// The reading at which it ends if it is open, else at which the next one begins.
    next_change: u64,
    /// The reading at which it began: negative if before the first.
    began: i64,
    /// Which of the three sensors drifts, where one does.
    sensor: u8,
    magnitude: f64,
    incident: Option<OpenIncident>,
}

impl AnomalyRules {
    /// The kinds as configured; `None` if there are no anomalies.
    pub fn new(config: &config::Anomalies) -> Option<AnomalyRules> {
        let magnitudes = [
            config.cpu_spike_magnitude,
            config.memory_leak_rate,
            config.network_saturation_slowdown,
            config.disk_full_level,
            config.multi_resource_magnitude,
            config.sensor_drift_magnitude,
        ];
        let kinds = config.kinds();
        let rule = |i: usize| {
            let (_, share, duration) = kinds[i];
            AnomalyRule { share, magnitude: magnitudes[i], duration }
        };
        config.enable.then(|| AnomalyRules(std::array::from_fn(rule)))
    }

    /// How many episodes of all kinds begin per reading of a machine: of each kind, its share / its mean
    /// length, and as many as its share of the `failures` per reading, which end those that are open.
    pub fn rate(&self, failures: f64) -> f64 {
        self.0.iter().map(|rule| rule.rate(failures)).sum()
    }

    /// How many episodes begin per reading of a machine, of the kinds that can saturate the processor.
    pub fn cpu_rate(&self, failures: f64) -> f64 {
        let saturates = |kind| matches!(kind, IncidentKind::CpuSpike | IncidentKind::MultiResource);
        let kinds = IncidentKind::ANOMALIES.into_iter().zip(&self.0);
        kinds.filter(|(kind, _)| saturates(*kind)).map(|(_, rule)| rule.rate(failures)).sum()
    }
}

impl AnomalyRule {
    fn rate(&self, failures: f64) -> f64 {
        self.share / self.mean_length() + self.share * failures
    }

    fn mean_length(&self) -> f64 {
        (f64::from(self.duration.0) + f64::from(self.duration.1)) / 2.0
    }

    /// The readings from the end of an episode to the beginning of the next: geometric, with the mean by
    /// which episodes have their share of all readings.
    fn wait(&self, stream: &mut RandomStream) -> u64 {
        if self.share <= 0.0 {
            return u64::MAX;
        }
        let mean = self.mean_length() * (1.0 - self.share) / self.share;
        stream.geometric(1.0 / (1.0 + mean))
    }

    /// How many readings an episode takes.
    fn length(&self, stream: &mut RandomStream) -> u64 {
        let (least, most) = self.duration;
        u64::from(least) + stream.below(u64::from(most - least) + 1)
    }

    /// How many readings an episode takes that is open at a given reading: each length in proportion to
    /// itself.
    fn length_in_progress(&self, stream: &mut RandomStream) -> u64 {
        loop {
            let length = self.length(stream);
            if stream.below(u64::from(self.duration.1)) < length {
                return length;
            }
        }
    }
}

impl Episodes {
    /// A machine before its first reading, at which an episode of each kind is open with the probability of
    /// its share.
    pub fn new(rules: &AnomalyRules, mut stream: RandomStream) -> Episodes {
        let mut found = 0;
        let episodes = std::array::from_fn(|i| {
            let rule = &rules.0[i];
            let is_open = stream.chance(rule.share);
            found |= u8::from(is_open) << i;
            // A machine without one at its first reading waits from there on.
            let wait = |stream| rule.wait(stream).saturating_add(1);
            let next_change = if is_open { 0 } else { wait(&mut stream) };
            Episode { next_change, began: 0, sensor: 0, magnitude: 0.0, incident: None }
        });
        let mut all = Episodes { stream, next_change: 0, open: 0, found, episodes };
        all.update_next_change();
        all
    }

    /// Advances to `reading`; returns `effects` with what open episodes do, if any is open.
    #[inline]
    pub fn step(
        &mut self,
        rules: &AnomalyRules,
        reading: u64,
        writer: &mut EventWriter<'_>,
        effects: &Effects,
    ) -> Option<Effects> {
        if reading >= self.next_change {
            self.change(rules, reading, writer);
        }
        if self.open == 0 {
            return None;
        }
        let mut effects = *effects;
        for (i, episode) in self.episodes.iter().enumerate() {
            if self.open & (1 << i) != 0 {
                episode.apply(IncidentKind::ANOMALIES[i], reading, &mut effects);
            }
        }
        Some(effects)
    }

    /// Ends all open episodes, since the machine goes down; new ones may begin from `reading` on.
    pub fn end_all(&mut self, rules: &AnomalyRules, reading: u64, writer: &mut EventWriter<'_>) {
        for (episode, rule) in self.episodes.iter_mut().zip(&rules.0) {
            if let Some(incident) = episode.incident.take() {
                writer.end_incident(incident);
                episode.next_change = reading.saturating_add(rule.wait(&mut self.stream));
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
    fn change(&mut self, rules: &AnomalyRules, reading: u64, writer: &mut EventWriter<'_>) {
        for (i, rule) in rules.0.iter().enumerate() {
            let kind = IncidentKind::ANOMALIES[i];
            let episode = &mut self.episodes[i];
            if reading < episode.next_change {
                continue;
            }
            if let Some(incident) = episode.incident.take() {
                writer.end_incident(incident);
                self.open &= !(1 << i);
                // The reading after an episode can begin the next one.
                episode.next_change = reading.saturating_add(rule.wait(&mut self.stream));
            }
            if reading >= episode.next_change {
                let is_found = self.found & (1 << i) != 0;
                self.found &= !(1 << i);
                let (length, elapsed) = if is_found {
                    let length = rule.length_in_progress(&mut self.stream);
                    (length, self.stream.below(length))
                } else {
                    (rule.length(&mut self.stream), 0)
                };
                let drawn = self.stream.between(1.0 - MAGNITUDE_SPREAD, 1.0 + MAGNITUDE_SPREAD);
                let low = self.stream.chance(0.5);
                let sensor = self.stream.below(3) as u8;
                let magnitude = match kind {
                    // The level is exact, and a slowdown never falls below 1.
                    IncidentKind::DiskFull => rule.magnitude,
                    IncidentKind::NetworkSaturation => 1.0 + (rule.magnitude - 1.0) * drawn,
                    IncidentKind::SensorDrift if low => -rule.magnitude * drawn,
                    _ => rule.magnitude * drawn,
                };
                *episode = Episode {
                    next_change: reading.saturating_add(length - elapsed),
                    began: reading as i64 - elapsed as i64,
                    sensor,
                    magnitude,
                    incident: Some(writer.begin_incident(kind, None, magnitude)),
                };
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
        let length = (self.next_change as i64 - self.began) as f64;
        let elapsed = (reading as i64 - self.began) as f64;
        let progress = elapsed / length;
        match kind {
            IncidentKind::CpuSpike => {
                let left = 1.0 - SPIKE_FALL * progress;
                effects.added_cpu += (self.magnitude / 100.0 * left * left).max(LEAST);
            }
            IncidentKind::MemoryLeak => {
                effects.added_memory += (self.magnitude / 100.0 * (elapsed + 1.0)).max(LEAST);
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
                effects.disk_added = LEAST_POINTS;
                if filled >= 1.0 {
                    effects.error_rate += DISK_FULL_ERRORS;
                }
            }
            IncidentKind::MultiResource => {
                let high = plateau(progress, length);
                let added = (self.magnitude / 100.0 * high).max(LEAST);
                effects.added_cpu += added;
                effects.added_memory += added;
                effects.link_fill = effects.link_fill.max(high);
                effects.slowdown *= 1.0 + high;
            }
            IncidentKind::SensorDrift => {
                let bias = (self.magnitude.abs() * (elapsed + 1.0) / length).max(LEAST_POINTS);
                effects.sensor_bias[usize::from(self.sensor)] += bias.copysign(self.magnitude);
            }
            _ => {}
        }
    }
}

/// Rises over the first readings, is 1 in the middle, falls over the last; never 0.
fn plateau(progress: f64, length: f64) -> f64 {
    let edge = progress.min(1.0 - progress) + 1.0 / length;
    (edge / RAMP).clamp(MIN_RAMP, 1.0)
}

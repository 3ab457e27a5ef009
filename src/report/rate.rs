//! Computes a rate from counts: of one run, or of its shards together.

use fleetstorm_model::config::units::Shard;
use fleetstorm_model::fleet::{Groups, Share};
use fleetstorm_model::manifest::Manifest;
use fleetstorm_model::schedule::Schedule;

use super::results::{Measured, RateResults, SlotCounts};

/// A part of a run: one or more shards, as measured.
#[derive(Debug, Clone, Copy)]
pub struct Part {
    /// Its fraction of the fleet's machines, from 0 to 1.
    pub fraction: f64,
    /// How many shards it is.
    pub shards: usize,
    /// The counts.
    pub measured: Measured,
}

/// The shortest time whose rate is judged, in seconds.
const SHORTEST_S: f64 = 1.0;

/// The fraction of the fleet in `shards`.
pub fn fraction(manifest: &Manifest, shards: &[Shard]) -> f64 {
    let machines = manifest.config.n_machines;
    let of = |shard: &Shard| {
        let share = Share { shard: (shard.index(), shard.count()), thread: (0, 1) };
        Groups::new(machines).machines(share).count()
    };
    shards.iter().map(of).sum::<usize>() as f64 / f64::from(machines.max(1))
}

/// The rate of `parts`, at least one, over the whole time that they took: from when the first was
/// measured to when the last ended. The caller fills in what seconds and histograms say.
pub fn of(manifest: &Manifest, parts: &[Part]) -> RateResults {
    let from_s = parts.iter().map(|part| part.measured.from_s).fold(f64::INFINITY, f64::min);
    let to_s = parts.iter().map(|part| part.measured.to_s).fold(from_s, f64::max);
    let measured = Measured {
        from_s,
        to_s,
        acknowledged_s: parts.iter().map(|part| part.measured.acknowledged_s).fold(to_s, f64::max),
        slots: parts.iter().fold(SlotCounts::default(), |sum, p| sum.plus(&p.measured.slots)),
        acked: parts.iter().fold(0, |sum, p| p.measured.acked.saturating_add(sum)),
        acked_bytes: parts.iter().fold(0, |sum, p| p.measured.acked_bytes.saturating_add(sum)),
    };
    let slots = &measured.slots;
    let (took_s, acked_s) = (to_s - from_s, measured.acknowledged_s - from_s);
    let per = |seconds: f64, n: u64| (seconds > 0.0).then(|| n as f64 / seconds);
    let due = Due::of(manifest, parts, to_s);
    let target = due.as_ref().filter(|_| took_s > 0.0).map(|due| due.rate(took_s));
    let bytes = manifest.bytes.filter(|_| target.is_some());
    let shards = parts.iter().map(|part| part.shards).sum::<usize>() as f64;
    // Less was asked of shards that came later.
    let fleet_seconds: f64 = parts.iter().map(|p| p.fraction * (to_s - p.measured.from_s)).sum();
    let bytes_due = bytes.map(|bytes| bytes.per_second.per_second() as f64 * fleet_seconds);
    let error = due.filter(|_| target.is_some() && took_s >= SHORTEST_S).and_then(|due| {
        let (sent, due, slack) = match bytes.zip(bytes_due) {
            Some((bytes, due)) => (slots.bytes as f64, due, bytes.mean_slot_bytes),
            None => {
                let nothing = slots.silent.saturating_add(slots.already_there);
                (slots.sent as f64, due.slots - nothing as f64, 1.0)
            }
        };
        let off = (sent - due).abs();
        // A record or more.
        (due >= slack).then(|| if off <= slack * shards { 0.0 } else { off / due })
    });
    let all = slots.total();
    RateResults {
        target,
        achieved: per(took_s, slots.sent),
        acknowledged: per(acked_s, measured.acked),
        error,
        target_bytes_per_second: bytes_due.map(|bytes| bytes / took_s),
        bytes_per_second: per(took_s, slots.bytes),
        acknowledged_bytes_per_second: per(acked_s, measured.acked_bytes),
        silent: slots.silent,
        silent_share: (all > 0).then(|| slots.silent as f64 / all as f64),
        measured,
        ..RateResults::default()
    }
}

/// What was due of several parts.
struct Due {
    /// Slots, silent ones included.
    slots: f64,
    /// The sum of each part's mean rate times its time. If all have one rate, this is the time alone, so
    /// that the rate stays exact.
    rate_seconds: f64,
    /// The rate of all parts, if it is the same.
    one_rate: Option<f64>,
}

impl Due {
    /// The mean rate over `took_s` seconds.
    fn rate(&self, took_s: f64) -> f64 {
        self.rate_seconds / took_s * self.one_rate.unwrap_or(1.0)
    }

    /// What was due of `parts` until `to_s`; `None` if nothing was paced, or nothing due. A part that
    /// ends later than the schedule has held its mean rate for longer.
    fn of(manifest: &Manifest, parts: &[Part], to_s: f64) -> Option<Due> {
        let schedule = manifest.schedule();
        let end_s = end_s(manifest, &schedule)?;
        let (lowest, highest) = schedule.rates()?;
        let first = schedule.due_before(0);
        let mut sum: Option<Due> = None;
        for part in parts {
            let from_s = part.measured.from_s;
            let until_s = to_s.min(end_s);
            if until_s <= from_s {
                continue;
            }
            let (before, after) = (schedule.due(from_s)?, schedule.due(until_s)?);
            let rate = match lowest == highest {
                true => highest,
                false => (after - before) / (until_s - from_s),
            };
            let late = rate * (to_s - until_s);
            let slots = part.fraction * ((after - before.max(first)).max(0.0) + late);
            let one_rate = (lowest == highest).then_some(highest);
            let rate_seconds =
                part.fraction * (to_s - from_s) * if one_rate.is_some() { 1.0 } else { rate };
            let due = sum.get_or_insert(Due { slots: 0.0, rate_seconds: 0.0, one_rate });
            due.slots += slots;
            due.rate_seconds += rate_seconds;
        }
        sum
    }
}

/// When the last slot of a run is due, in seconds of its schedule; infinite if none is, `None` if nothing
/// is paced.
fn end_s(manifest: &Manifest, schedule: &Schedule) -> Option<f64> {
    let by_slots = match manifest.end_slot() {
        Some(slot) => schedule.instant(schedule.due_before(slot))?,
        None => f64::INFINITY,
    };
    schedule.rates()?;
    Some(manifest.ends_after().unwrap_or(f64::INFINITY).min(by_slots))
}

#[cfg(test)]
mod tests;

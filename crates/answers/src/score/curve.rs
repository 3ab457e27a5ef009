//! How the part of episodes that are detected grows with the delay.

use fleetstorm_model::simulation::incidents::IncidentKind;

use super::figures::{Episode, Score};

impl Score {
    /// The part of the episodes of a kind that the random detector is expected to have
    /// detected so long after their begins, in milliseconds.
    pub fn random_within(&self, kind: IncidentKind, delay_ms: i64) -> f64 {
        let of = || self.episodes_of(kind);
        let detected: f64 = of()
            .map(|episode| self.by_chance.detects(episode.readings_within(self, delay_ms)))
            .sum();
        detected / of().count().max(1) as f64
    }

    /// The longest time that an alarm of an episode of a kind may come behind its begin, in
    /// milliseconds.
    pub fn longest_ms(&self, kind: IncidentKind) -> i64 {
        self.episodes_of(kind).map(|episode| episode.window_ms(self)).max().unwrap_or(0)
    }

    /// The episodes of a kind.
    pub fn episodes_of(&self, kind: IncidentKind) -> impl Iterator<Item = &Episode> {
        self.episodes.iter().filter(move |e| e.kind == kind)
    }
}

impl Episode {
    /// For how long an alarm may be one of it, within the run.
    fn window_ms(&self, score: &Score) -> i64 {
        let end_ms = self.end_ms.map_or(i64::MAX, |end_ms| end_ms.saturating_add(score.grace_ms));
        end_ms.min(score.run.to_ms).saturating_sub(self.start_ms).max(0)
    }

    /// How many of its readings come so soon: they are taken to lie evenly.
    fn readings_within(&self, score: &Score, delay_ms: i64) -> u64 {
        let window_ms = self.window_ms(score);
        if delay_ms >= window_ms || self.readings < 2 {
            return self.readings;
        }
        let part = delay_ms.max(0) as f64 / window_ms as f64;
        (part * (self.readings - 1) as f64) as u64 + 1
    }
}

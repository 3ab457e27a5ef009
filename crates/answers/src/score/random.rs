//! A detector that knows nothing: each reading that a machine reports raises an alarm with one
//! probability, such that it raises as many as the detector that is scored.

use fleetstorm_model::random::{Purpose, RandomStream};

use super::judge::{Raised, Rules, Tally, judge};
use super::truth::{Stretch, Truth};

/// How often a random detector is simulated, and in how many alarms at most, all told.
const SIMULATIONS: u32 = 100;
const FEWEST: u32 = 10;
const MOST_ALARMS: f64 = 5e7;

/// The random detector beside one that raises so many alarms.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Random {
    /// The probability that a reading raises one.
    pub probability: f64,
    /// How often it is simulated.
    pub simulations: u32,
}

impl Random {
    /// The one beside a detector that raises `alarms` in a run of `readings`.
    pub fn beside(alarms: u64, readings: u64) -> Random {
        let probability = (alarms as f64 / readings.max(1) as f64).min(1.0);
        let most = MOST_ALARMS / (alarms as f64).max(1.0);
        let simulations = (most as u32).clamp(FEWEST, SIMULATIONS);
        Random { probability, simulations }
    }

    /// How probably it detects an episode of so many readings.
    pub fn detects(&self, readings: u64) -> f64 {
        if readings == 0 {
            return 0.0;
        }
        // Of small probabilities, whose powers of 1 less them would round.
        -f64::exp_m1(readings as f64 * f64::ln_1p(-self.probability))
    }

    /// What comes of the alarms of one simulation.
    pub fn simulate(&self, truth: &Truth, rules: Rules, seed: u64, simulation: u32) -> Tally {
        let draws = RandomStream::new(seed, u64::from(simulation), Purpose::Detector);
        judge(&truth.spans, Draws::new(&truth.stretches, self.probability, draws), rules)
    }
}

/// The alarms of a random detector: each of the readings, with a probability.
#[derive(Debug)]
pub struct Draws<'a> {
    stretches: &'a [Stretch],
    probability: f64,
    draws: RandomStream,
    /// The reading that alarms next, in the first of the stretches that are left.
    next: u64,
}

impl<'a> Draws<'a> {
    /// Those among the readings of `stretches`.
    pub fn new(stretches: &'a [Stretch], probability: f64, mut draws: RandomStream) -> Draws<'a> {
        let next = draws.geometric(probability);
        Draws { stretches, probability, draws, next }
    }
}

impl Iterator for Draws<'_> {
    type Item = Raised;

    fn next(&mut self) -> Option<Raised> {
        loop {
            let (stretch, rest) = self.stretches.split_first()?;
            if self.next < stretch.readings {
                let at_ms = stretch.at_ms(self.next);
                let apart = self.draws.geometric(self.probability);
                self.next = self.next.saturating_add(1).saturating_add(apart);
                return Some(Raised { machine: stretch.machine, at_ms, written_ms: None });
            }
            self.next -= stretch.readings;
            self.stretches = rest;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reading_is_as_probable_and_draws_are_by_their_seed() {
        let stretch = |machine, readings: u64, first_ms: i64| {
            let last_ms = first_ms + 10 * (readings as i64 - 1);
            Stretch { machine, readings, first_ms, last_ms }
        };
        let stretches = [stretch(0, 3, 0), stretch(1, 1, 7), stretch(2, 4, 100)];
        let draw = |seed, p| {
            Draws::new(&stretches, p, RandomStream::new(seed, 0, Purpose::Detector))
                .map(|raised| (raised.machine, raised.at_ms))
                .collect::<Vec<_>>()
        };
        let all = [(0, 0), (0, 10), (0, 20), (1, 7), (2, 100), (2, 110), (2, 120), (2, 130)];
        assert_eq!(draw(1, 1.0), all);
        assert_eq!(draw(1, 0.0), []);
        assert_eq!(draw(5, 0.3), draw(5, 0.3));
        // 20,000 draws of each: five standard errors are 5 sqrt(0.3 * 0.7 * 20000) = 324.
        let mut counts = [0u32; 8];
        for seed in 0..20_000 {
            for alarm in draw(seed, 0.3) {
                counts[all.iter().position(|&place| place == alarm).unwrap()] += 1;
            }
        }
        for count in counts {
            assert!((f64::from(count) - 6000.0).abs() < 324.0, "{counts:?}");
        }
    }

    #[test]
    fn an_episode_is_met_by_any_of_its_readings() {
        let random = Random::beside(1, 4);
        assert!((random.detects(2) - (1.0 - 0.75 * 0.75)).abs() < 1e-12);
        assert_eq!((random.detects(0), Random::beside(0, 4).detects(9)), (0.0, 0.0));
        assert_eq!((Random::beside(9, 4).detects(1), Random::beside(9, 4).detects(0)), (1.0, 0.0));
    }
}

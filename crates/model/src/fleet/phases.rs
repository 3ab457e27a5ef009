//! When in a round each machine reads.

use crate::random::{Purpose, RandomStream};

/// A seeded permutation of the fleet: machine i reads at position p(i), which is phase (p(i) + 1/2) / N
/// of each round. Evenly spaced, so that readings come at a steady rate. Shuffled, so that neighbours in
/// the fleet are not neighbours in time.
#[derive(Debug, Clone)]
pub struct Phases(Vec<u32>);

impl Phases {
    /// The permutation of so many machines under `seed` (Fisher-Yates shuffle).
    pub fn new(seed: u64, machines: u32) -> Phases {
        let mut order: Vec<u32> = (0..machines).collect();
        let mut stream = RandomStream::new(seed, 0, Purpose::Phase);
        for i in (1..order.len()).rev() {
            order.swap(i, stream.below(i as u64 + 1) as usize);
        }
        Phases(order)
    }

    /// The position of machine `index` in each round, from 0.
    pub fn position(&self, index: u32) -> u32 {
        self.0[index as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_position_is_taken_once_and_the_seed_decides() {
        let phases = Phases::new(9, 1000);
        let mut positions: Vec<u32> = (0..1000).map(|i| phases.position(i)).collect();
        assert_ne!(positions, (0..1000).collect::<Vec<_>>());
        positions.sort_unstable();
        assert_eq!(positions, (0..1000).collect::<Vec<_>>());
        assert_ne!(Phases::new(9, 1000).0, Phases::new(10, 1000).0);
    }
}

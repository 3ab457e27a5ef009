//! Who depends on each machine of a share, and on how many each depends. Dependency groups are
//! never divided among shares, so both ends are always at hand.

use crate::fleet::{Fleet, Groups, Share};

/// The dependency graph of a share's machines, by their places in the order of reading.
#[derive(Debug, Clone)]
pub struct Dependants {
    /// Where the dependants of each machine begin in `of`, and where the last one's end.
    starts: Vec<u32>,
    of: Vec<u32>,
    dependencies: Vec<u8>,
}

impl Dependants {
    /// The graph of `share`, whose machines read in the order of `indices` (numbers in the fleet).
    pub fn new(fleet: &Fleet, share: Share, indices: &[u32]) -> Dependants {
        let mut places: Vec<(u32, u32)> =
            indices.iter().zip(0..).map(|(&index, at)| (index, at)).collect();
        places.sort_unstable();
        let place = |index: u32| {
            let found = places.binary_search_by_key(&index, |&(index, _)| index);
            found.ok().map(|i| places[i].1)
        };
        let groups = Groups::new(fleet.len());
        let mut dependencies = vec![0; indices.len()];
        let mut edges: Vec<(u32, u32)> = Vec::new();
        for group in (0..groups.len()).filter(|&group| share.holds(group)) {
            let first = groups.members(group).start;
            for (member, on) in groups.dependencies(fleet.seed(), group).iter().enumerate() {
                let Some(at) = place(first + member as u32) else { continue };
                for other in on.iter().flatten() {
                    dependencies[at as usize] += 1;
                    edges.extend(place(first + u32::from(*other)).map(|other| (other, at)));
                }
            }
        }
        edges.sort_unstable();
        let starts = (0..=indices.len() as u32)
            .map(|at| edges.partition_point(|&(other, _)| other < at) as u32)
            .collect();
        Dependants { starts, of: edges.into_iter().map(|(_, at)| at).collect(), dependencies }
    }

    /// How many machines the one at place `at` depends on.
    pub fn dependencies(&self, at: usize) -> u8 {
        self.dependencies[at]
    }

    /// The places of the machines that depend on the one at place `at`, in rising order.
    pub fn of(&self, at: usize) -> &[u32] {
        &self.of[self.starts[at] as usize..self.starts[at + 1] as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn every_dependency_is_found_from_its_other_end() {
        let config = Config { n_machines: 100, ..Config::default() };
        let fleet = Fleet::new(&config, 7);
        let groups = Groups::new(100);
        // Any order of reading will do.
        let indices: Vec<u32> = (0..100).map(|i| i * 37 % 100).collect();
        let graph = Dependants::new(&fleet, Share::WHOLE, &indices);
        let mut edges = 0;
        for group in 0..groups.len() {
            let first = groups.members(group).start;
            for (member, on) in groups.dependencies(7, group).iter().enumerate() {
                let place = |index| indices.iter().position(|&i| i == index).unwrap();
                let at = place(first + member as u32);
                assert_eq!(usize::from(graph.dependencies(at)), on.iter().flatten().count());
                for other in on.iter().flatten() {
                    let dependants = graph.of(place(first + u32::from(*other)));
                    assert!(dependants.contains(&(at as u32)));
                    edges += 1;
                }
            }
        }
        assert_eq!(edges, (0..100).map(|at| graph.of(at).len()).sum::<usize>());
    }
}

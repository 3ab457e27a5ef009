//! Which machines of a share depend on each machine, and on how many each depends. Shares never divide a
//! dependency group, so a share holds both ends of each dependency.

use crate::fleet::{Fleet, Groups, Share};

/// The dependency graph of a share's machines, by their places in the order of reading.
#[derive(Debug, Clone)]
pub struct DependencyGraph {
    /// Where each machine's dependents begin in `dependents`, and where the last one's end.
    starts: Vec<u32>,
    dependents: Vec<u32>,
    dependency_counts: Vec<u8>,
}

impl DependencyGraph {
    /// The graph of `share`, whose machines read in the order of `indices` (numbers in the fleet).
    pub fn new(fleet: &Fleet, share: Share, indices: &[u32]) -> DependencyGraph {
        let mut places: Vec<(u32, u32)> =
            indices.iter().zip(0..).map(|(&index, at)| (index, at)).collect();
        places.sort_unstable();
        let place = |index: u32| {
            let found = places.binary_search_by_key(&index, |&(index, _)| index);
            found.ok().map(|i| places[i].1)
        };
        let groups = Groups::new(fleet.len());
        let mut dependency_counts = vec![0; indices.len()];
        // Pairs of a machine and one that depends on it.
        let mut edges: Vec<(u32, u32)> = Vec::new();
        for group in (0..groups.len()).filter(|&group| share.holds(group)) {
            let first = groups.members(group).start;
            for (member, on) in groups.dependencies(fleet.seed(), group).iter().enumerate() {
                let Some(at) = place(first + member as u32) else { continue };
                for other in on.iter().flatten() {
                    dependency_counts[at as usize] += 1;
                    edges.extend(place(first + u32::from(*other)).map(|other| (other, at)));
                }
            }
        }
        edges.sort_unstable();
        let starts = (0..=indices.len() as u32)
            .map(|at| edges.partition_point(|&(other, _)| other < at) as u32)
            .collect();
        let dependents = edges.into_iter().map(|(_, at)| at).collect();
        DependencyGraph { starts, dependents, dependency_counts }
    }

    /// How many machines the one at place `at` depends on.
    pub fn dependency_count(&self, at: usize) -> u8 {
        self.dependency_counts[at]
    }

    /// The places of the machines that depend on the one at place `at`, in rising order.
    pub fn dependents(&self, at: usize) -> &[u32] {
        &self.dependents[self.starts[at] as usize..self.starts[at + 1] as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn every_dependency_is_found_from_both_ends() {
        let config = Config { n_machines: 100, ..Config::default() };
        let fleet = Fleet::new(&config, 7);
        let groups = Groups::new(100);
        // Any order of reading will do.
        let indices: Vec<u32> = (0..100).map(|i| i * 37 % 100).collect();
        let graph = DependencyGraph::new(&fleet, Share::WHOLE, &indices);
        let mut edges = 0;
        for group in 0..groups.len() {
            let first = groups.members(group).start;
            for (member, on) in groups.dependencies(7, group).iter().enumerate() {
                let place = |index| indices.iter().position(|&i| i == index).unwrap();
                let at = place(first + member as u32);
                assert_eq!(usize::from(graph.dependency_count(at)), on.iter().flatten().count());
                for other in on.iter().flatten() {
                    let dependents = graph.dependents(place(first + u32::from(*other)));
                    assert!(dependents.contains(&(at as u32)));
                    edges += 1;
                }
            }
        }
        assert_eq!(edges, (0..100).map(|at| graph.dependents(at).len()).sum::<usize>());
    }
}

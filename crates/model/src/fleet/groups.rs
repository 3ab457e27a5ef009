//! Dependency groups: the machines that can affect one another, and the unit that threads and
//! shards divide.

use std::ops::Range;

use crate::random::{Purpose, RandomStream};

/// The most machines that a dependency group holds.
pub const MAX_GROUP: u32 = 16;
/// The number of groups is a multiple of [`EVEN`] in fleets of at least this many machines, so that 2, 4
/// or 8 threads or shards have equal work. Smaller fleets have larger groups instead.
const LARGE: u32 = 64;
const EVEN: u32 = 8;

/// The division of a fleet into dependency groups of consecutive machines. Their sizes differ by one at
/// most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Groups {
    machines: u32,
    count: u32,
}

/// A process's share of the fleet, or a thread's share of a process's. Shards and threads compose:
/// thread t of T in shard s of S holds the groups g with g % S = s and (g / S) % T = t.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// The index of the shard, from 0, and the number of shards.
    pub shard: (u32, u32),
    /// The index of the thread in the shard, from 0, and the number of threads.
    pub thread: (u32, u32),
}

impl Share {
    /// The whole fleet.
    pub const WHOLE: Share = Share { shard: (0, 1), thread: (0, 1) };

    /// Whether dependency group `group` belongs to this share.
    pub fn holds(&self, group: u32) -> bool {
        let ((s, shards), (t, threads)) = (self.shard, self.thread);
        group % shards == s && (group / shards) % threads == t
    }
}

impl Groups {
    /// The groups of a fleet of `machines`, at least one.
    pub fn new(machines: u32) -> Groups {
        let least = machines.div_ceil(MAX_GROUP);
        let count = if machines < LARGE { least } else { least.next_multiple_of(EVEN) };
        Groups { machines, count }
    }

    /// How many groups there are.
    pub fn len(&self) -> u32 {
        self.count
    }

    /// Whether there is no group: the fleet has no machines.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The machines of group `group`.
    pub fn members(&self, group: u32) -> Range<u32> {
        // The larger groups come first, so that dealing them out in turn gives even shares.
        let (size, larger) = (self.machines / self.count, self.machines % self.count);
        let edge = |g: u32| g * size + g.min(larger);
        edge(group)..edge(group + 1)
    }

    /// The group of machine `index`, which must be below the number of machines.
    pub fn of(&self, index: u32) -> u32 {
        let (size, larger) = (self.machines / self.count, self.machines % self.count);
        let in_larger = larger * (size + 1);
        if index < in_larger { index / (size + 1) } else { larger + (index - in_larger) / size }
    }

    /// The machines of `share`, group by group.
    pub fn machines(self, share: Share) -> impl Iterator<Item = u32> {
        (0..self.count).filter(move |&g| share.holds(g)).flat_map(move |g| self.members(g))
    }

    /// The dependencies of each member of `group`, as positions inside the group. The first has none.
    /// Every other depends on one earlier member, and one in four on a second. So dependencies form no
    /// cycle, and a failure can cascade over several levels.
    pub fn dependencies(&self, seed: u64, group: u32) -> Vec<[Option<u8>; 2]> {
        let mut stream = RandomStream::new(seed, u64::from(group), Purpose::Dependencies);
        let members = self.members(group);
        (0..members.end - members.start)
            .map(|position| {
                if position == 0 {
                    return [None, None];
                }
                let first = stream.below(u64::from(position)) as u8;
                let second = stream.below(u64::from(position)) as u8;
                let wanted = stream.chance(0.25) && second != first;
                [Some(first), wanted.then_some(second)]
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_cover_the_fleet_once_and_have_even_sizes() {
        for machines in [1, 2, 15, 16, 17, 100, 1000, 1003] {
            let groups = Groups::new(machines);
            let all: Vec<u32> = groups.machines(Share::WHOLE).collect();
            assert!(all.iter().all(|&m| groups.members(groups.of(m)).contains(&m)));
            assert_eq!(all, (0..machines).collect::<Vec<_>>());
            let sizes: Vec<usize> = (0..groups.len()).map(|g| groups.members(g).len()).collect();
            let (least, most) = (sizes.iter().min(), sizes.iter().max());
            assert!(most <= Some(&(MAX_GROUP as usize)));
            assert!(most.zip(least).is_some_and(|(most, least)| most - least <= 1), "{sizes:?}");
        }
    }

    #[test]
    fn shards_and_threads_divide_the_fleet_exactly() {
        let groups = Groups::new(1003);
        let mut seen = vec![0; 1003];
        for s in 0..3 {
            for t in 0..4 {
                for machine in groups.machines(Share { shard: (s, 3), thread: (t, 4) }) {
                    seen[machine as usize] += 1;
                }
            }
        }
        assert!(seen.iter().all(|&n| n == 1));
    }

    #[test]
    fn threads_of_the_default_fleet_have_equal_work() {
        let groups = Groups::new(100);
        for threads in [2, 4, 8] {
            let share = |t| Share { shard: (0, 1), thread: (t, threads) };
            let sizes: Vec<usize> =
                (0..threads).map(|t| groups.machines(share(t)).count()).collect();
            let even = 100 / threads as usize;
            assert!(sizes.iter().all(|&n| n == even || n == even + 1), "{sizes:?}");
        }
    }

    #[test]
    fn sixty_four_shards_of_a_hundred_thousand_machines_differ_by_under_five_percent() {
        let groups = Groups::new(100_000);
        let sizes: Vec<usize> = (0..64)
            .map(|s| groups.machines(Share { shard: (s, 64), thread: (0, 1) }).count())
            .collect();
        let (least, most) = (*sizes.iter().min().unwrap(), *sizes.iter().max().unwrap());
        assert!(most as f64 <= least as f64 * 1.05, "{least}..{most}");
    }

    #[test]
    fn dependencies_point_to_earlier_members_only() {
        let groups = Groups::new(320);
        let mut second = 0;
        for group in 0..groups.len() {
            for (position, on) in groups.dependencies(7, group).into_iter().enumerate() {
                assert_eq!(on[0].is_none(), position == 0);
                assert!(on.iter().flatten().all(|&d| usize::from(d) < position));
                second += usize::from(on[1].is_some());
            }
        }
        assert!(second > 0);
    }
}

//! The fleet: its machines, their attributes and dependencies, and when in a round each reads. All of it
//! is a pure function of the configuration and the seed. Each machine is computed on demand, so a fleet
//! of a million needs no table of a million.

pub mod groups;
pub mod identity;
pub mod phases;
pub mod profile;
pub mod time_zones;

use chrono_tz::Tz;

use crate::config::Config;
use crate::random::{Purpose, RandomStream};

pub use groups::{Groups, Share};
pub use identity::{MachineId, MachineIds};
pub use phases::Phases;
pub use profile::TypeProfile;

use profile::Seat;

/// The fleet of a run.
#[derive(Debug, Clone)]
pub struct Fleet {
    seed: u64,
    machines: u32,
    id_digits: usize,
    types: Vec<TypeProfile>,
    /// Where the deal of types begins, from 0 to 1.
    first_type: f64,
    cores_range: (u32, u32),
    zones: Vec<String>,
    regions: Vec<String>,
    time_zones: Vec<Tz>,
}

/// What never changes about one machine during a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Machine {
    /// Its number in the fleet, from 0.
    pub index: u32,
    /// Its name, the key of its records.
    pub id: MachineId,
    /// Index into [`Fleet::types`].
    pub type_index: u8,
    /// Index into [`Fleet::zones`].
    pub zone_index: u8,
    /// Index into [`Fleet::regions`].
    pub region_index: u8,
    /// Processor cores.
    pub cores: u32,
    /// Memory, in GB.
    pub memory_gb: u32,
    /// The time from its creation to the run's start, in milliseconds: up to two years.
    pub age_ms: i64,
}

impl Fleet {
    /// The fleet that `config` and `seed` describe. `config` must have been validated.
    pub fn new(config: &Config, seed: u64) -> Fleet {
        Fleet {
            seed,
            machines: config.n_machines,
            id_digits: identity::digits(config.n_machines),
            types: profile::profiles(&config.machine_types),
            first_type: RandomStream::new(seed, 0, Purpose::Types).uniform(),
            cores_range: config.cores_range,
            zones: config.zones.clone(),
            time_zones: config
                .regions
                .iter()
                .map(|region| {
                    time_zones::of_region(region, &config.temporal_patterns.time_zones)
                        .unwrap_or(Tz::UTC)
                })
                .collect(),
            regions: config.regions.clone(),
        }
    }

    /// How many machines there are.
    pub fn len(&self) -> u32 {
        self.machines
    }

    /// Whether there is no machine; a validated configuration has at least one.
    pub fn is_empty(&self) -> bool {
        self.machines == 0
    }

    /// The seed of all random streams.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The machine types, in the configuration's order.
    pub fn types(&self) -> &[TypeProfile] {
        &self.types
    }

    /// The zones, in the configuration's order.
    pub fn zones(&self) -> &[String] {
        &self.zones
    }

    /// The regions, in the configuration's order.
    pub fn regions(&self) -> &[String] {
        &self.regions
    }

    /// The time zone of each region: UTC where none is known.
    pub fn time_zones(&self) -> &[Tz] {
        &self.time_zones
    }

    /// The fraction of the fleet in each region; the fractions add up to 1.
    pub fn region_shares(&self) -> Vec<f64> {
        // The zone changes with every machine, the region after as many machines as there are zones.
        let (zones, regions) = (self.zones.len() as u64, self.regions.len() as u64);
        let cycle = zones * regions;
        let (cycles, rest) = (u64::from(self.machines) / cycle, u64::from(self.machines) % cycle);
        (0..regions)
            .map(|region| {
                let beyond = rest.saturating_sub(region * zones).min(zones);
                (cycles * zones + beyond) as f64 / f64::from(self.machines)
            })
            .collect()
    }

    /// The name of machine `index`.
    pub fn machine_id(&self, index: u32) -> MachineId {
        MachineId::new(index, self.id_digits)
    }

    /// Machine `index`, which must be below [`Fleet::len`].
    pub fn machine(&self, index: u32) -> Machine {
        // Zones and regions in turn, so that even a small fleet covers each.
        let (zones, regions) = (self.zones.len() as u32, self.regions.len() as u32);
        let (zone, region) = (index % zones, index / zones % regions);
        let seat = Seat { zone, region, cycle: index / zones / regions };
        let type_index = profile::dealt(&self.types, self.first_type, seat);
        let mut stream = RandomStream::new(self.seed, u64::from(index), Purpose::Attributes);
        let cores = self.types[usize::from(type_index)].cores(self.cores_range, &mut stream);
        // Cloud instance families have 2, 4 or 8 GB per core.
        let memory_gb = cores << (1 + stream.below(3));
        let two_years_ms = 2 * 365 * 86_400_000;
        Machine {
            index,
            id: self.machine_id(index),
            type_index,
            zone_index: zone as u8,
            region_index: region as u8,
            cores,
            memory_gb,
            age_ms: stream.below(two_years_ms) as i64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fleet(n_machines: u32) -> Fleet {
        let config = Config { n_machines, ..Config::default() };
        Fleet::new(&config, 42)
    }

    #[test]
    fn a_machine_is_a_pure_function_of_seed_and_index() {
        let fleet = fleet(1000);
        assert_eq!(fleet.machine(7), fleet.machine(7));
        assert_ne!(fleet.machine(7).age_ms, fleet.machine(8).age_ms);
    }

    #[test]
    fn every_zone_and_region_has_its_even_share() {
        let fleet = fleet(900);
        let mut counts = std::collections::BTreeMap::new();
        for i in 0..900 {
            let machine = fleet.machine(i);
            *counts.entry((machine.zone_index, machine.region_index)).or_insert(0) += 1;
        }
        assert_eq!(counts.len(), 9);
        assert!(counts.values().all(|&n| n == 100));
    }

    #[test]
    fn region_shares_count_the_machines_of_each_region() {
        for n in [1, 4, 9, 100] {
            let fleet = fleet(n);
            let mut counts = [0.0; 3];
            (0..n).for_each(|i| counts[usize::from(fleet.machine(i).region_index)] += 1.0);
            let shares = counts.map(|count| count / f64::from(n));
            assert_eq!(fleet.region_shares(), shares);
        }
    }

    #[test]
    fn cores_stay_inside_the_range_and_types_inside_their_part_of_it() {
        let fleet = fleet(5000);
        let mut mix = [0u32; 3];
        for i in 0..5000 {
            let machine = fleet.machine(i);
            mix[usize::from(machine.type_index)] += 1;
            let expected = match fleet.types()[usize::from(machine.type_index)].name.as_str() {
                "core" => 8..=32,
                "edge" => 4..=8,
                _ => 32..=64,
            };
            assert!(expected.contains(&machine.cores), "{machine:?}");
            assert!([2, 4, 8].contains(&(machine.memory_gb / machine.cores)));
        }
        assert!(
            mix.iter().zip([1000, 2500, 1500]).all(|(&n, all)| n.abs_diff(all) <= 4),
            "{mix:?}"
        );
    }

    #[test]
    fn every_part_of_a_fleet_has_its_mix_of_types() {
        let names = |n: usize| (0..n).map(|i| format!("place-{i}")).collect::<Vec<String>>();
        for (zones, regions) in [(3, 3), (1, 1), (1, 13), (8, 1), (13, 3), (21, 2), (89, 1), (4, 4)]
        {
            let config = Config {
                n_machines: 1000,
                zones: names(zones),
                regions: names(regions),
                ..Config::default()
            };
            for seed in 0..10 {
                let fleet = Fleet::new(&config, seed);
                let machines: Vec<Machine> = (0..1000).map(|i| fleet.machine(i)).collect();
                let mix_is_kept = |what: &str, is: &dyn Fn(&Machine) -> bool| {
                    let part: Vec<&Machine> = machines.iter().filter(|m| is(m)).collect();
                    for (kind, share) in [0.2, 0.5, 0.3].into_iter().enumerate() {
                        let count =
                            part.iter().filter(|m| usize::from(m.type_index) == kind).count();
                        let (n, count) = (part.len() as f64, count as f64);
                        // Types that are drawn stray by this many, once in three times by more.
                        let drawn = f64::sqrt(n * share * (1.0 - share));
                        let off = f64::abs(count - n * share);
                        assert!(
                            off <= 1.5 * drawn + 1.0,
                            "{zones} zones, {regions} regions, seed {seed}: {count} of {n} in {what}"
                        );
                    }
                };
                mix_is_kept("the fleet", &|_| true);
                mix_is_kept("its first hundred", &|m| m.index < 100);
                (0..zones).for_each(|z| mix_is_kept("a zone", &|m| usize::from(m.zone_index) == z));
                (0..regions)
                    .for_each(|r| mix_is_kept("a region", &|m| usize::from(m.region_index) == r));
            }
        }
    }

    #[test]
    fn a_range_of_one_core_count_is_kept() {
        let config = Config { cores_range: (7, 7), ..Config::default() };
        let fleet = Fleet::new(&config, 1);
        assert!((0..100).all(|i| fleet.machine(i).cores == 7));
    }
}

//! Machine types and their profiles.

use crate::random::RandomStream;

/// The attributes that machines of one type share. Levels are relative to the fleet's mean.
#[derive(Debug, Clone, PartialEq)]
pub struct TypeProfile {
    /// The type's name, as configured.
    pub name: String,
    /// Its share of the fleet, in (0, 1]; the shares add up to 1.
    pub share: f64,
    /// Processor load relative to the fleet's mean.
    pub cpu: f64,
    /// Memory relative to the fleet's mean.
    pub memory: f64,
    /// The utilization of its link relative to the fleet's mean.
    pub network: f64,
    /// Memory that its system and agents hold, as a fraction of all it has: a machine that is up has no less
    /// in use.
    pub memory_floor: f64,
    /// The disk level after a cleaning, in percent.
    pub disk_floor: f64,
    /// Its part of the configured core range, on a logarithmic scale from 0 to 1.
    cores: (f64, f64),
}

/// A built-in machine type.
struct Known {
    name: &'static str,
    /// Its weight in the mix.
    weight: f64,
    /// Mean cpu, memory, network and disk, in percent.
    means: [f64; 4],
    /// Memory that its system and agents hold, in percent.
    memory_floor: f64,
    /// Its part of the core range, if all types are there.
    cores: (f64, f64),
}

/// Means and mix are those of the Python package superstore. Over the default range of 4 to 64 cores,
/// the parts are its 8-32, 4-8 and 32-64.
const KNOWN: [Known; 3] = [
    Known {
        name: "core",
        weight: 0.2,
        means: [35.0, 45.0, 50.0, 40.0],
        memory_floor: 3.0,
        cores: (0.25, 0.75),
    },
    Known {
        name: "edge",
        weight: 0.5,
        means: [20.0, 40.0, 60.0, 55.0],
        // The same system in less memory.
        memory_floor: 5.0,
        cores: (0.0, 0.25),
    },
    Known {
        name: "worker",
        weight: 0.3,
        means: [70.0, 75.0, 70.0, 65.0],
        memory_floor: 2.0,
        cores: (0.75, 1.0),
    },
];

/// A type with a name of the user's own: average throughout.
const UNKNOWN: Known = Known {
    name: "",
    weight: 1.0 / 3.0,
    means: [38.0, 51.5, 61.0, 55.0],
    memory_floor: 3.0,
    cores: (0.0, 1.0),
};

/// The profiles of the configured types, in their order.
pub fn profiles(names: &[String]) -> Vec<TypeProfile> {
    let known: Vec<&Known> = names
        .iter()
        .map(|name| KNOWN.iter().find(|k| k.name == name).unwrap_or(&UNKNOWN))
        .collect();
    let weights: f64 = known.iter().map(|k| k.weight).sum();
    let mean =
        |column: usize| known.iter().map(|k| k.weight * k.means[column]).sum::<f64>() / weights;
    let (cpu, memory, network) = (mean(0), mean(1), mean(2));
    names
        .iter()
        .zip(&known)
        .map(|(name, k)| TypeProfile {
            name: name.clone(),
            share: k.weight / weights,
            cpu: k.means[0] / cpu,
            memory: k.means[1] / memory,
            network: k.means[2] / network,
            memory_floor: k.memory_floor / 100.0,
            disk_floor: k.means[3] - 20.0,
            cores: part_of_cores(k, &known),
        })
        .collect()
}

/// The part of the core range that `kind` has beside the other built-in types of the fleet: together they
/// cover all of it.
fn part_of_cores(kind: &Known, fleet: &[&Known]) -> (f64, f64) {
    if !KNOWN.iter().any(|known| known.name == kind.name) {
        return kind.cores;
    }
    let width = |known: &&Known| known.cores.1 - known.cores.0;
    let present = || KNOWN.iter().filter(|known| fleet.iter().any(|k| k.name == known.name));
    let all: f64 = present().map(|known| width(&known)).sum();
    let below: f64 =
        present().filter(|known| known.cores.0 < kind.cores.0).map(|known| width(&known)).sum();
    (below / all, (below + width(&kind)) / all)
}

/// Where a machine stands among those that types are dealt out to.
#[derive(Debug, Clone, Copy)]
pub struct Seat {
    /// Its zone.
    pub zone: u32,
    /// Its region.
    pub region: u32,
    /// How many machines of its zone and region come before it.
    pub cycle: u32,
}

/// The type of the machine at `seat`. Types are dealt out evenly: of the fleet, of each zone and of each region
/// each type has its share, but for a few machines. `offset`, from 0 to 1, says where the deal begins.
pub fn dealt(profiles: &[TypeProfile], offset: f64, seat: Seat) -> u8 {
    // Multiples of irrational numbers are spread evenly over the fractions of 1 (Kronecker's sequence): of the
    // golden ratio, of the roots of 2 and 3.
    const STEPS: [f64; 3] =
        [0.618_033_988_749_894_9, std::f64::consts::SQRT_2, 1.732_050_807_568_877_2];
    let steps = [seat.cycle, seat.zone, seat.region].map(f64::from);
    let sum: f64 = steps.iter().zip(STEPS).map(|(count, step)| count * step).sum();
    let place = (offset + sum).fract();
    let mut sum = 0.0;
    for (i, profile) in profiles.iter().enumerate() {
        sum += profile.share;
        if place < sum {
            return i as u8;
        }
    }
    profiles.len().saturating_sub(1) as u8
}

impl TypeProfile {
    /// Draws a core count from the type's part of `range`: an even number where both bounds are even.
    pub fn cores(&self, range: (u32, u32), stream: &mut RandomStream) -> u32 {
        let (low, high) = (f64::from(range.0), f64::from(range.1));
        let at = |part: f64| low * libm::pow(high / low, part);
        let drawn = stream.between(at(self.cores.0), at(self.cores.1));
        let is_even = range.0.is_multiple_of(2) && range.1.is_multiple_of(2);
        let step = if is_even { 2.0 } else { 1.0 };
        ((drawn / step).round() * step).clamp(low, high) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_fleet_mean_is_one_whatever_the_mix() {
        for types in [&["core", "edge", "worker"][..], &["edge"], &["gpu", "edge"], &["a", "b"]] {
            let profiles = profiles(&names(types));
            for level in [
                |p: &TypeProfile| p.cpu,
                |p: &TypeProfile| p.memory,
                |p: &TypeProfile| p.network,
                |_: &TypeProfile| 1.0,
            ] {
                let mean: f64 = profiles.iter().map(|p| p.share * level(p)).sum();
                assert!((mean - 1.0).abs() < 1e-12, "{types:?}");
            }
        }
    }

    #[test]
    fn types_cover_the_whole_range_of_cores_whichever_are_there() {
        let types: [&[&str]; 6] = [
            &["edge"],
            &["worker", "edge"],
            &["core", "worker"],
            &["core", "edge", "worker"],
            &["gpu"],
            &["gpu", "core"],
        ];
        for types in types {
            for range in [(4, 64), (3, 5), (7, 7), (1, 2), (4, 6), (3, 64)] {
                let profiles = profiles(&names(types));
                let mut stream = RandomStream::new(1, 0, crate::random::Purpose::Attributes);
                let drawn: std::collections::BTreeSet<u32> = (0..20_000)
                    .map(|i| profiles[i % profiles.len()].cores(range, &mut stream))
                    .collect();
                let step = if range.0 % 2 == 0 && range.1 % 2 == 0 { 2 } else { 1 };
                let all = (range.0..=range.1).step_by(step).collect();
                assert_eq!(drawn, all, "{types:?} over {range:?}");
            }
        }
    }

    #[test]
    fn workers_are_the_busy_ones() {
        let profiles = profiles(&names(&["core", "edge", "worker"]));
        assert!(profiles[2].cpu > profiles[0].cpu && profiles[0].cpu > profiles[1].cpu);
    }
}

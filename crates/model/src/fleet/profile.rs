//! Machine types and their profiles.

use crate::random::RandomStream;

/// The attributes that machines of one type share. Levels are relative to the fleet's mean, so that
/// `base_cpu_load` and `base_memory_load` are the fleet's averages.
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
    /// Network traffic relative to the fleet's mean.
    pub network: f64,
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
    /// Its part of the core range.
    cores: (f64, f64),
}

/// Means and mix are those of the Python package superstore. Over the default range of 4 to 64 cores,
/// the parts are its 8-32, 4-8 and 32-64.
const KNOWN: [Known; 3] = [
    Known { name: "core", weight: 0.2, means: [35.0, 45.0, 50.0, 40.0], cores: (0.25, 0.75) },
    Known { name: "edge", weight: 0.5, means: [20.0, 40.0, 60.0, 55.0], cores: (0.0, 0.25) },
    Known { name: "worker", weight: 0.3, means: [70.0, 75.0, 70.0, 65.0], cores: (0.75, 1.0) },
];

/// A type with a name of the user's own: average throughout.
const UNKNOWN: Known =
    Known { name: "", weight: 1.0 / 3.0, means: [38.0, 51.5, 61.0, 55.0], cores: (0.0, 1.0) };

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
            disk_floor: k.means[3] - 20.0,
            cores: k.cores,
        })
        .collect()
}

/// Draws a type; the probability of each is its share.
pub fn draw(profiles: &[TypeProfile], stream: &mut RandomStream) -> u8 {
    let draw = stream.uniform();
    let mut sum = 0.0;
    for (i, profile) in profiles.iter().enumerate() {
        sum += profile.share;
        if draw < sum {
            return i as u8;
        }
    }
    profiles.len().saturating_sub(1) as u8
}

impl TypeProfile {
    /// Draws a core count from the type's part of `range`: an even number if the range has one.
    pub fn cores(&self, range: (u32, u32), stream: &mut RandomStream) -> u32 {
        let (low, high) = (f64::from(range.0), f64::from(range.1));
        let at = |part: f64| low * libm::pow(high / low, part);
        let drawn = stream.between(at(self.cores.0), at(self.cores.1));
        let even = (drawn / 2.0).round() * 2.0;
        (even as u32).clamp(range.0, range.1)
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
    fn workers_are_the_busy_ones() {
        let profiles = profiles(&names(&["core", "edge", "worker"]));
        assert!(profiles[2].cpu > profiles[0].cpu && profiles[0].cpu > profiles[1].cpu);
    }
}

//! Levels: how high machines' own loads and memories lie, for the fleet to have the means that were asked
//! for. Jobs, the system's own memory, and machines that can't be busier than busy are taken into account.

use crate::config::Config;
use crate::fleet::{Fleet, TypeProfile};
use crate::random::normal_quantile;

use super::load_patterns::LoadPatterns;
use super::{jobs, load, memory};

/// Points at which the spread of machines about their type's level is summed up.
const POINTS: usize = 8;
/// Halvings of the interval in which a scale lies.
const HALVINGS: u32 = 40;
/// The highest scale: every machine is at its highest level.
const MAX_SCALE: f64 = 50.0;
/// The part of `base_cpu_load` that is the services' own at least, however much jobs take.
const MIN_SERVICE: f64 = 0.2;

/// The scales of the types' levels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Levels {
    /// The mean load of the fleet's services at the peak of the temporal curve, were no machine cut at its
    /// highest level.
    pub cpu: f64,
    /// The mean memory of the fleet's services, likewise.
    pub memory: f64,
    /// How busy processors are on average with jobs, at the peak of the temporal curve, as a fraction.
    pub mean_cpu: f64,
    /// How much memory is in use on average with jobs, over a week, as a fraction.
    pub mean_memory: f64,
}

impl Levels {
    /// The levels by which processors are busy `base_cpu_load` of the time on average at the peak of the
    /// temporal curve, and memory is in use by `base_memory_load` on average over a week.
    pub fn new(config: &Config, fleet: &Fleet, patterns: &LoadPatterns) -> Levels {
        let kinds = kinds(fleet.types());
        let arrival = config.jobs.arrival_probability;
        let running = jobs::running(arrival);
        let (job_cpu, job_memory) = jobs::mean_use();
        let busy = |level: f64| -> f64 {
            let busy =
                |jobs: usize| mean_in_use(level, config.load_variance, jobs as f64 * job_cpu);
            running.iter().enumerate().map(|(jobs, share)| share * busy(jobs)).sum()
        };
        let cpu = |scale: f64| {
            over_machines(&kinds, load::LEVEL_SIGMA, |kind, own| {
                busy((scale * kind.cpu * own).min(load::MAX_LEVEL))
            })
        };
        let mean_curve = patterns.mean_curve();
        let in_use = |level: f64| -> f64 {
            let spread = memory::SPREAD_BY_LOAD * config.load_variance;
            let in_use =
                |jobs: usize| mean_in_use(level, spread, jobs as f64 * job_memory * mean_curve);
            running.iter().enumerate().map(|(jobs, share)| share * in_use(jobs)).sum()
        };
        let memory = |scale: f64| {
            over_machines(&kinds, memory::LEVEL_SIGMA, |kind, own| {
                in_use((scale * kind.memory * own).clamp(kind.memory_floor, memory::MAX_LEVEL))
            })
        };
        let cpu_scale = solve(cpu, config.base_cpu_load).max(MIN_SERVICE * config.base_cpu_load);
        let memory_scale = solve(memory, config.base_memory_load);
        Levels {
            cpu: cpu_scale,
            memory: memory_scale,
            mean_cpu: cpu(cpu_scale),
            mean_memory: memory(memory_scale),
        }
    }
}

/// The types of the fleet, those alike as one, each with its share.
fn kinds(types: &[TypeProfile]) -> Vec<(f64, &TypeProfile)> {
    let mut kinds: Vec<(f64, &TypeProfile)> = Vec::new();
    for profile in types {
        let levels = |p: &TypeProfile| (p.cpu, p.memory, p.memory_floor);
        match kinds.iter_mut().find(|(_, known)| levels(known) == levels(profile)) {
            Some((share, _)) => *share += profile.share,
            None => kinds.push((profile.share, profile)),
        }
    }
    kinds
}

/// The mean of a value over the machines of a fleet, whose own factors on their type's level are log-normal
/// with a mean of 1 and this sigma.
fn over_machines(
    kinds: &[(f64, &TypeProfile)],
    sigma: f64,
    value: impl Fn(&TypeProfile, f64) -> f64,
) -> f64 {
    let quantile = |i: usize| normal_quantile((i as f64 + 0.5) / POINTS as f64);
    let own: [f64; POINTS] = std::array::from_fn(|i| libm::exp(sigma * quantile(i)));
    let mean = own.iter().sum::<f64>() / POINTS as f64;
    let of_kind = |kind| -> f64 {
        own.iter().map(|own| value(kind, own / mean)).sum::<f64>() / POINTS as f64
    };
    kinds.iter().map(|&(share, kind)| share * of_kind(kind)).sum()
}

/// How much of a machine's processors or memory is in use on average, from 0 to 1, of which its services take a
/// part that is normal about `level` with the relative standard deviation `spread`, and its jobs `jobs`.
fn mean_in_use(level: f64, spread: f64, jobs: f64) -> f64 {
    let free = (1.0 - jobs).max(0.0);
    let sd = level * spread;
    if sd == 0.0 {
        return (jobs + level).min(1.0);
    }
    // E[(X - t)+] of a normal X.
    let beyond = |t: f64| {
        let z = (level - t) / sd;
        let density = libm::exp(-z * z / 2.0) / libm::sqrt(std::f64::consts::TAU);
        let below = libm::erfc(-z / std::f64::consts::SQRT_2) / 2.0;
        sd * density + (level - t) * below
    };
    jobs.min(1.0) + beyond(0.0) - beyond(free)
}

/// The least scale at which `mean`, which rises with it, is `wanted`; 0 or [`MAX_SCALE`] where none is.
fn solve(mean: impl Fn(f64) -> f64, wanted: f64) -> f64 {
    let (mut low, mut high) = (0.0, MAX_SCALE);
    if mean(low) >= wanted {
        return low;
    }
    for _ in 0..HALVINGS {
        let middle = (low + high) / 2.0;
        if mean(middle) < wanted { low = middle } else { high = middle }
    }
    high
}

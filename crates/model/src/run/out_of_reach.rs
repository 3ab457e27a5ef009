//! Notes on base loads that the fleet's means can't reach.

use crate::config::Config;
use crate::fleet::Fleet;
use crate::manifest::Manifest;
use crate::simulation::levels::Levels;
use crate::simulation::load_patterns::LoadPatterns;

/// How far a mean may lie from what was asked for, as a fraction.
const NEAR: f64 = 0.02;

/// A note for each base load that the fleet of `manifest` has no mean of.
pub(super) fn notes(manifest: &Manifest) -> Vec<String> {
    let config: &Config = &manifest.config;
    let fleet = Fleet::new(config, manifest.seed);
    let interval_s = manifest.interval.duration().as_secs_f64();
    let levels = Levels::new(config, &fleet, &LoadPatterns::new(config, &fleet, interval_s));
    let note = |key: &str, asked: f64, mean: f64, more: &str, less: &str| {
        let why = if mean > asked { more } else { less };
        let percent = (100.0 * mean).round();
        (f64::abs(mean - asked) > NEAR)
            .then(|| format!("{key} is {asked}, and the fleet's mean will be {percent} %: {why}"))
    };
    let cpu = note(
        "base_cpu_load",
        config.base_cpu_load,
        levels.mean_cpu,
        "jobs take as much; lower jobs.arrival_probability",
        "machines are saturated by then; lower load_variance",
    );
    let memory = note(
        "base_memory_load",
        config.base_memory_load,
        levels.mean_memory,
        "jobs and the system hold as much; lower jobs.arrival_probability",
        "memory is full by then",
    );
    cpu.into_iter().chain(memory).collect()
}

//! How many readings of each scenario are labelled, and how well the signal that a kind of anomaly moves tells
//! them: the area under its ROC curve (AUC), 0.5 for one that tells nothing and 1 for one that tells all.
//!
//! `cargo run --release -p fleetstorm-model --example label_quality`

use std::collections::{BTreeMap, HashMap};
use std::error::Error;

use fleetstorm_model::Run;
use fleetstorm_model::config::scenarios;
use fleetstorm_model::record::Telemetry;

const SEEDS: std::ops::Range<u64> = 1..6;

/// Processor, memory, disk and latency of a reading.
fn signals(reading: &Telemetry<String>) -> [f64; 4] {
    [reading.cpu_percent, reading.memory_percent, reading.disk_percent, reading.latency_p99]
}

/// How far a kind of anomaly moves its signal from what is usual on the machine.
fn signal_of(kind: &str, moved: &[f64; 4]) -> f64 {
    let [cpu, memory, disk, latency] = *moved;
    match kind {
        "cpu_spike" | "multi_resource" => cpu,
        "memory_leak" => memory,
        "disk_full" => disk,
        "network_saturation" => latency,
        // Of the sensors the one that is farthest off, either way.
        _ => cpu.abs().max(memory.abs()).max(disk.abs()),
    }
}

/// The AUC of scores against labels: the probability that a labelled reading scores higher than another.
fn auc(scores: &mut [(f64, bool)]) -> f64 {
    scores.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut others, mut below) = (0.0, 0.0);
    for part in scores.chunk_by(|a, b| a.0 == b.0) {
        let labelled = part.iter().filter(|(_, is)| *is).count() as f64;
        let rest = part.len() as f64 - labelled;
        below += labelled * (others + rest / 2.0);
        others += rest;
    }
    below / (others * (scores.len() as f64 - others))
}

/// Scores of each kind's readings and of those without a label, added to `scores`; returns how many readings are
/// labelled, and how many there are.
fn score(
    scenario: &str,
    seed: u64,
    scores: &mut BTreeMap<String, Vec<(f64, bool)>>,
) -> Result<(usize, usize), Box<dyn Error>> {
    let run = Run::builder()
        .scenario(scenario)
        .readings(1000)
        .seed(seed)
        .start("2026-01-01T00:00:00Z".parse()?)
        .build()?;
    let mut machines: HashMap<String, Vec<Telemetry<String>>> = HashMap::new();
    for reading in run.telemetry() {
        machines.entry(reading.machine_id.clone()).or_default().push(reading);
    }
    let incidents: Vec<_> = run.incidents().into_iter().filter(|i| i.is_anomaly).collect();
    let (mut labelled, mut all) = (0, 0);
    for (id, readings) in machines {
        let of_machine: Vec<_> = incidents.iter().filter(|i| i.machine_id == id).collect();
        let usual: [f64; 4] = std::array::from_fn(|i| {
            let mut values: Vec<f64> = readings.iter().map(|reading| signals(reading)[i]).collect();
            values.sort_by(f64::total_cmp);
            values[values.len() / 2]
        });
        for reading in &readings {
            all += 1;
            labelled += usize::from(reading.is_anomaly);
            let now = signals(reading);
            let moved: [f64; 4] = std::array::from_fn(|i| now[i] - usual[i]);
            let is_open = |i: &&&fleetstorm_model::run::Incident| {
                i.start_ms <= reading.timestamp
                    && i.end_ms.is_none_or(|end| reading.timestamp < end)
            };
            let open: Vec<&str> = of_machine.iter().filter(is_open).map(|i| &*i.kind).collect();
            for (kind, scores) in scores.iter_mut() {
                let is_of_kind = reading.is_anomaly && open.contains(&kind.as_str());
                if is_of_kind || !reading.is_anomaly {
                    scores.push((signal_of(kind, &moved), is_of_kind));
                }
            }
        }
    }
    Ok((labelled, all))
}

fn main() -> Result<(), Box<dyn Error>> {
    for scenario in scenarios::all() {
        let config = Run::builder().scenario(scenario.name).readings(1).build()?.manifest.config;
        let kinds = config.anomalies.kinds();
        let on = kinds.iter().filter(|(_, share, _)| config.anomalies.enable && *share > 0.0);
        let mut scores: BTreeMap<String, Vec<(f64, bool)>> =
            on.map(|(kind, ..)| ((*kind).to_owned(), Vec::new())).collect();
        let (mut labelled, mut all) = (0, 0);
        for seed in SEEDS {
            let (some, of) = score(scenario.name, seed, &mut scores)?;
            (labelled, all) = (labelled + some, all + of);
        }
        let expected = 100.0 * config.anomalies.expected_share();
        let found = 100.0 * labelled as f64 / all as f64;
        let auc: Vec<String> = kinds
            .iter()
            .filter_map(|(kind, ..)| Some(format!("{kind} {:.2}", auc(scores.get_mut(*kind)?))))
            .collect();
        println!(
            "{}: {expected:.1} % expected, {found:.1} % found; {}",
            scenario.name,
            auc.join(", ")
        );
    }
    Ok(())
}

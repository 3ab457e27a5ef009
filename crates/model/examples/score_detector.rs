//! A detector of anomalies, scored against the ground truth: how many anomalies it finds, how soon, and
//! how often it is wrong.
//!
//! `cargo run --release -p fleetstorm-model --example score_detector`

use std::collections::HashMap;
use std::error::Error;

use fleetstorm_model::Run;
use fleetstorm_model::run::Incident;

/// The detector: the first reading of a machine above a bound is an alarm, until one is below it.
fn alarms(run: &Run, bound: f64) -> Vec<(String, i64)> {
    let mut above: HashMap<String, bool> = HashMap::new();
    let mut alarms = Vec::new();
    for reading in run.telemetry() {
        let is_above = reading.cpu_percent > bound;
        if is_above && !above.insert(reading.machine_id.clone(), true).unwrap_or(false) {
            alarms.push((reading.machine_id, reading.timestamp));
        } else if !is_above {
            above.insert(reading.machine_id, false);
        }
    }
    alarms
}

fn main() -> Result<(), Box<dyn Error>> {
    let run = Run::builder()
        .machines(50)
        .readings(2000)
        .seed(7)
        .set("anomalies.enable=true")
        .start("2026-01-01T00:00:00Z".parse()?)
        .build()?;
    let spikes: Vec<Incident> =
        run.incidents().into_iter().filter(|incident| incident.kind == "cpu_spike").collect();
    let alarms = alarms(&run, 90.0);
    let within = |incident: &Incident, machine: &str, at_ms: i64| {
        let ended = incident.end_ms.is_some_and(|end_ms| at_ms >= end_ms);
        incident.machine_id == machine && at_ms >= incident.start_ms && !ended
    };
    let found = spikes
        .iter()
        .filter(|spike| alarms.iter().any(|(machine, at)| within(spike, machine, *at)));
    let right = alarms
        .iter()
        .filter(|(machine, at)| spikes.iter().any(|spike| within(spike, machine, *at)));
    let (found, right) = (found.count(), right.count());
    println!(
        "found {found} of {} spikes; {right} of {} alarms were right",
        spikes.len(),
        alarms.len()
    );
    assert!(!spikes.is_empty() && found > 0);
    Ok(())
}

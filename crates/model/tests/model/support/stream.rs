//! The record stream of a run, made in the test's own process.

use fleetstorm_model::fleet::Share;
use fleetstorm_model::manifest::Manifest;
use fleetstorm_model::record::{Record, Telemetry};
use fleetstorm_model::stream::{KeyedRecord, Slot, Step, Stream};

use super::options;

/// The manifest of the run with these options, separated by white space. It starts on 2026-01-01
/// and is not paced, unless they say otherwise.
pub fn manifest(options: &str) -> Manifest {
    let said = |option: &str| options.split_whitespace().any(|word| word == option);
    let mut words = vec![options];
    for [option, value] in [["--start", "2026-01-01"], ["--rate", "max"]] {
        if !said(option) {
            words.extend([option, value]);
        }
    }
    options::manifest_at(0, &words.join(" "))
}

/// Makes every record of the run with these options, machine by machine in each round, and hands
/// it on with the place of its machine in the round.
pub fn simulate(options: &str, mut take: impl FnMut(usize, &KeyedRecord<'_>)) {
    let mut stream = Stream::new(&manifest(options), Share::WHOLE);
    while let Some(step) = stream.next() {
        stream.record(&step, |keyed| {
            let at = match step {
                Step::Announcement(announcement) => announcement.at,
                Step::Slot(slot) => slot.at,
                Step::Closing(closing) => closing.at,
            };
            if let Some(keyed) = keyed {
                take(at, &keyed);
            }
        });
    }
}

/// A value of every telemetry record, by machine, in order.
pub fn telemetry<T>(options: &str, value: impl Fn(&Telemetry<&str>) -> T) -> Vec<Vec<T>> {
    let mut machines: Vec<Vec<T>> = Vec::new();
    simulate(&format!("--topics telemetry {options}"), |at, keyed| {
        if let Record::Telemetry(telemetry) = &keyed.record {
            machines.resize_with(machines.len().max(at + 1), Vec::new);
            machines[at].push(value(telemetry));
        }
    });
    machines
}

/// Hands on every slot of every reading with its record: none where the slot is silent.
pub fn slots(manifest: &Manifest, mut take: impl FnMut(&Slot, Option<&KeyedRecord<'_>>)) {
    let mut stream = Stream::new(manifest, Share::WHOLE);
    while let Some(step) = stream.next() {
        let Step::Slot(slot) = step else { continue };
        stream.fill(&slot, |keyed| take(&slot, keyed.as_ref()));
    }
}

//! The record stream of a run, made in the test's own process.
// Not every test needs all of it.
#![allow(dead_code)]
use fleetstorm::cli::{Cli, Command};
use fleetstorm::fleet::Share;
use fleetstorm::generator::{Generator, KeyedRecord};
use fleetstorm::manifest::Manifest;
use fleetstorm::pacing::SlotKind;
use fleetstorm::record::Topic;
use fleetstorm::run::plan::Plan;

/// The manifest of the run with these options, separated by white space. It starts on 2026-01-01
/// and is not paced, unless they say otherwise.
pub fn manifest(options: &str) -> Manifest {
    let said = |option: &str| options.split_whitespace().any(|word| word == option);
    let mut words = vec!["fleetstorm", "run"];
    for default in [["--start", "2026-01-01"], ["--rate", "max"]] {
        if !said(default[0]) {
            words.extend(default);
        }
    }
    words.extend(options.split_whitespace());
    let cli = Cli::read(words).unwrap_or_else(|error| panic!("{options}: {error}"));
    let Command::Run(run) = cli.command else { panic!("`run` was asked for") };
    Plan::new(&run, 0).unwrap_or_else(|error| panic!("{options}: {error}")).manifest
}

/// A slot of a reading.
#[derive(Debug, Clone, Copy)]
pub struct Slot {
    /// The round that the reading is of.
    pub round: usize,
    /// The place of its machine in the round.
    pub place: usize,
    /// The reading's instant, in milliseconds since the epoch.
    pub time: i64,
    /// What the slot carries.
    pub kind: SlotKind,
}

/// Makes every record of the run with these options, machine by machine in each round, and hands
/// it on with the place of its machine in the round.
pub fn simulate(options: &str, mut take: impl FnMut(usize, &KeyedRecord<'_>)) {
    let manifest = manifest(options);
    if manifest.topic_set().contains(Topic::Machines) {
        let generator = Generator::new(&manifest, Share::WHOLE);
        for place in 0..generator.machines() {
            generator.announce(place, 0, |keyed| take(place, &keyed));
        }
    }
    slots(&manifest, |slot, keyed| {
        if let Some(keyed) = keyed {
            take(slot.place, keyed);
        }
    });
}

/// Hands on every slot of every reading with its record: none where the slot is silent.
pub fn slots(manifest: &Manifest, mut take: impl FnMut(&Slot, Option<&KeyedRecord<'_>>)) {
    let mut generator = Generator::new(manifest, Share::WHOLE);
    let kinds = generator.slots();
    for round in 0..manifest.config.n_readings.expect("the run has an end") {
        for place in 0..generator.machines() {
            let reading = generator.read(round, place);
            let time = generator.timestamp(round, place);
            for (slot, &kind) in kinds.kinds().iter().enumerate() {
                let slot_time = generator.time(&reading, slot).timestamp_ms;
                let slot = Slot { round: round as usize, place, time, kind };
                generator.fill(&reading, kind, slot_time, |keyed| take(&slot, keyed.as_ref()));
            }
        }
    }
}

//! The records of a run, one after another, as they would be sent.

use crate::fleet::Share;
use crate::generator::{Generator, KeyedRecord};
use crate::manifest::Manifest;
use crate::pacing::{SlotKind, StopFlag};
use crate::record::Telemetry;
use crate::run::RunError;

/// What happens next in a run.
#[derive(Debug, Clone, Copy)]
pub enum Step<'a> {
    /// A machine is announced, before its first reading.
    Announced(KeyedRecord<'a>),
    /// A slot carries a record.
    Filled(KeyedRecord<'a>),
    /// A slot carries nothing: the machine is down, or has nothing to tell.
    Silent(SlotKind),
}

/// Where in a run it happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The round of readings, from 0.
    pub round: u64,
    /// The machine's place in a round.
    pub machine: usize,
}

/// Makes every record of the run's first `rounds` and hands it to `take`, until all are made or
/// `stop` is set.
///
/// # Errors
/// Those of `take`, which end it.
pub fn walk(
    manifest: &Manifest,
    rounds: u64,
    stop: &StopFlag,
    mut take: impl FnMut(Place, Step<'_>) -> Result<(), RunError>,
) -> Result<(), RunError> {
    let mut generator = Generator::new(manifest, Share::WHOLE);
    let slots = generator.slots();
    let start_ms = manifest.start.timestamp_millis();
    for machine in 0..generator.machines() {
        let place = Place { round: 0, machine };
        generator.announce(machine, start_ms, |keyed| take(place, Step::Announced(keyed)))?;
    }
    for round in 0..rounds.min(manifest.config.n_readings.unwrap_or(0)) {
        for machine in 0..generator.machines() {
            if stop.is_set() {
                return Ok(());
            }
            let place = Place { round, machine };
            let reading = generator.read(round, machine);
            for (slot, &kind) in slots.kinds().iter().enumerate() {
                let time = generator.time(&reading, slot);
                generator.fill(&reading, kind, time.timestamp_ms, |keyed| {
                    take(place, keyed.map_or(Step::Silent(kind), Step::Filled))
                })?;
            }
        }
    }
    Ok(())
}

/// Whether the machine worked at a reading: one that is down reads zeros, where it reads at all.
pub fn is_up(telemetry: &Telemetry<'_>) -> bool {
    telemetry.memory_percent > 0.0 || telemetry.disk_percent > 0.0
}

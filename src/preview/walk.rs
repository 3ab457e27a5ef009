//! Walks the records of a run in the order in which they would be sent.

use fleetstorm_model::fleet::Share;
use fleetstorm_model::manifest::Manifest;
use fleetstorm_model::record::Telemetry;
use fleetstorm_model::stream::{KeyedRecord, Step, Stream};

use crate::exit::ProgramError;
use crate::pacing::StopFlag;

/// Hands each step of the run's first `rounds` to `take`, with its record. It ends early where `stop` is
/// set. A slot has no record where its machine is down or has no event.
///
/// # Errors
/// Those of `take`. The first ends the walk.
pub fn walk(
    manifest: &Manifest,
    rounds: u64,
    stop: &StopFlag,
    mut take: impl FnMut(&Step, Option<KeyedRecord<'_>>) -> Result<(), ProgramError>,
) -> Result<(), ProgramError> {
    let mut stream = Stream::new(manifest, Share::WHOLE);
    while let Some(step) = stream.next() {
        if stop.is_set() || matches!(step, Step::Slot(slot) if slot.round >= rounds) {
            break;
        }
        stream.record(&step, |keyed| take(&step, keyed))?;
    }
    Ok(())
}

/// Whether the machine was up at a reading. A machine that is down reports zeros, or nothing.
pub fn is_up(telemetry: &Telemetry<&str>) -> bool {
    telemetry.memory_percent > 0.0 || telemetry.disk_percent > 0.0
}

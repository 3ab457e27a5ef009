//! The records of a run, one after another, as they would be sent.

use fleetstorm_model::fleet::Share;
use fleetstorm_model::manifest::Manifest;
use fleetstorm_model::record::Telemetry;
use fleetstorm_model::stream::{KeyedRecord, Step, Stream};

use crate::exit::ProgramError;
use crate::pacing::StopFlag;

/// Hands every step of the run's first `rounds` to `take` with its record, until all are made or
/// `stop` is set. A slot without a record is silent: the machine is down, or has nothing to tell.
///
/// # Errors
/// Those of `take`, which end it.
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

/// Whether the machine worked at a reading: one that is down reads zeros, where it reads at all.
pub fn is_up(telemetry: &Telemetry<&str>) -> bool {
    telemetry.memory_percent > 0.0 || telemetry.disk_percent > 0.0
}

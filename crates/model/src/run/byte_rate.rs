//! Turns a byte rate into a rate of records, by the mean size of the run's first slots.

use crate::config::units::{ByteRate, Rate};
use crate::fleet::Share;
use crate::manifest::{BytesPace, Manifest};
use crate::schedule::{Pace, Profile};
use crate::stream::{Step, Stream};

use super::error::RunError;

/// Enough machines for the fleet's mix of names.
const MACHINES: u32 = 1000;
/// Enough readings for the mix of events.
const READINGS: usize = 20_000;

/// Gives `manifest` the pace of `per_second` bytes of keys and values.
///
/// # Errors
/// [`RunError`] if no record is paced, or the rate is out of bounds in records.
pub(super) fn pace(manifest: &mut Manifest, per_second: ByteRate) -> Result<(), RunError> {
    let mean_slot_bytes = mean_slot_bytes(manifest);
    if mean_slot_bytes == 0.0 {
        return Err(RunError::NothingPaced);
    }
    let rate =
        Rate::new(per_second.per_second() as f64 / mean_slot_bytes).map_err(RunError::ByteRate)?;
    manifest.pace = Pace::Rate(Profile::Constant(rate));
    manifest.bytes = Some(BytesPace { per_second, mean_slot_bytes });
    Ok(())
}

/// The bytes of key and value of a slot, on average over the first readings of a part of the fleet.
fn mean_slot_bytes(manifest: &Manifest) -> f64 {
    let shards = manifest.config.n_machines.div_ceil(MACHINES).max(1);
    let share = Share { shard: (0, shards), thread: (0, 1) };
    let mut stream = Stream::new(manifest, share).without_end();
    let readings = READINGS.next_multiple_of(stream.machines().max(1));
    let slots = readings * stream.slots().len();
    if stream.machines() == 0 || slots == 0 {
        return 0.0;
    }
    let encoder = manifest.encoder();
    let mut buffer = Vec::new();
    let (mut bytes, mut count) = (0, 0);
    while let Some(step) = stream.next() {
        let Step::Slot(slot) = step else { continue };
        stream.fill(&slot, |keyed| {
            if let Some(keyed) = keyed {
                bytes += keyed.key.len() + encoder.encode(keyed.record, &mut buffer).len();
            }
        });
        count += 1;
        if count == slots {
            break;
        }
    }
    bytes as f64 / count as f64
}

#[cfg(test)]
mod tests {
    use crate::encoding::Format;
    use crate::run::Run;

    #[test]
    fn shards_that_are_started_at_different_times_have_one_pace() {
        // Load, and with it the digits of JSON, follows the time of day.
        let manifest = |shard: &str, now_ms| {
            let builder = Run::builder().scenario("production").seed(1).format(Format::Json);
            let builder = builder.byte_rate("1MB".parse().unwrap());
            let builder = builder.start("2026-01-01T12:00:00Z".parse().unwrap());
            builder.shard(shard.parse().unwrap()).build_at(now_ms).unwrap().manifest
        };
        let noon = 1_767_268_800_000;
        let (first, second) = (manifest("0/2", noon - 30_000), manifest("1/2", noon - 4_000_000));
        assert!(first.bytes.is_some());
        assert_eq!((first.bytes, first.pace), (second.bytes, second.pace));
    }
}

//! A sample of a run's records, printed as JSON lines.

use fleetstorm_model::manifest::Manifest;
use fleetstorm_model::record::Topic;

use crate::exit::ProgramError;
use crate::pacing::StopFlag;
use crate::sink::stdout::LineSink;
use crate::sink::{Message, Sink, SinkError};

use super::walk::walk;

/// Prints `count` of the run's records in order, or all where there are fewer. Topics get even parts of
/// `count`, and each topic's records are spread evenly over the run.
///
/// # Errors
/// [`ProgramError::Sink`] if they can't be written.
pub fn print(manifest: &Manifest, count: u64, stop: &StopFlag) -> Result<(), ProgramError> {
    // The records are made twice. The first pass counts them, so that the second can spread the sample.
    let mut totals = [0; Topic::COUNT];
    walk(manifest, u64::MAX, stop, |_, keyed| {
        if let Some(keyed) = keyed {
            totals[keyed.record.topic().index()] += 1;
        }
        Ok(())
    })?;
    if stop.is_set() {
        return Ok(());
    }
    let names = Topic::ALL.map(|topic| topic.name().to_owned());
    let mut sink = LineSink::stdout(names, false);
    let mut picks = shares(totals, count).map(|wanted| Picks { wanted, ..Picks::default() });
    let encoder = manifest.encoder();
    let mut buffer = Vec::new();
    let written = walk(manifest, u64::MAX, stop, |_, keyed| {
        let Some(keyed) = keyed else { return Ok(()) };
        let topic = keyed.record.topic();
        if !picks[topic.index()].takes(totals[topic.index()]) {
            return Ok(());
        }
        encoder.encode(keyed.record, &mut buffer);
        sink.send(&Message {
            topic,
            partition: keyed.partition,
            key: keyed.key,
            timestamp_ms: keyed.timestamp_ms,
            value: &buffer,
            intended_ns: None,
        })?;
        Ok(())
    });
    match written.and_then(|()| Ok(sink.flush()?)) {
        Err(ProgramError::Sink(SinkError::Closed)) => Ok(()),
        other => other,
    }
}

/// How many records of each topic are taken: even parts of `count`. What a topic lacks, the others make
/// up for.
fn shares(totals: [u64; Topic::COUNT], count: u64) -> [u64; Topic::COUNT] {
    let mut order: [usize; Topic::COUNT] = std::array::from_fn(|topic| topic);
    order.sort_by_key(|&topic| totals[topic]);
    let (mut shares, mut left) = ([0; Topic::COUNT], count);
    for (before, topic) in order.into_iter().enumerate() {
        let topics = (Topic::COUNT - before) as u64;
        shares[topic] = totals[topic].min(left.div_ceil(topics));
        left -= shares[topic];
    }
    shares
}

/// Which records of a topic are taken: `wanted` of them, evenly spread.
#[derive(Debug, Clone, Copy, Default)]
struct Picks {
    wanted: u64,
    seen: u64,
}

impl Picks {
    /// Whether the next of a topic's `total` records is taken.
    fn takes(&mut self, total: u64) -> bool {
        // The record in the middle of each part of the run.
        let total = u128::from(total.max(1));
        let taken =
            |seen: u64| (2 * u128::from(seen) * u128::from(self.wanted) + total) / (2 * total);
        let takes = taken(self.seen + 1) > taken(self.seen);
        self.seen += 1;
        takes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_topic_lacks_the_others_make_up_for() {
        assert_eq!(shares([100, 100, 100, 2, 0, 100], 20).iter().sum::<u64>(), 20);
        assert_eq!(shares([100, 100, 100, 2, 0, 100], 22), [5, 5, 5, 2, 0, 5]);
        assert_eq!(shares([1, 1, 1, 1, 0, 1], 20), [1, 1, 1, 1, 0, 1]);
    }

    #[test]
    fn exactly_the_wanted_records_are_taken() {
        for (there, wanted) in [(10, 3), (7, 7), (1000, 1), (5, 0), (1_000_003, 17)] {
            let mut picks = Picks { wanted, seen: 0 };
            assert_eq!((0..there).filter(|_| picks.takes(there)).count() as u64, wanted);
        }
    }
}

//! The run's own worker, which works off a share of a run into a sink that keeps everything. The
//! schedule's zero lies in the past, so that nothing is waited for.

use fleetstorm::pacing::{Pacer, StopFlag};
use fleetstorm::run::worker::{Ended, Progress, Worker};
use fleetstorm::sink::{Message, Sink, SinkError};
use fleetstorm_model::manifest::Manifest;
use fleetstorm_model::record::Topic;

use crate::parts::{Received, Sent, share};

pub const SECOND_NS: u64 = 1_000_000_000;
/// How long ago schedules began: longer than any run of the tests lasts.
pub const LONG_AGO_NS: u64 = 30 * 86_400 * SECOND_NS;

/// A sink that keeps everything, in the order in which it came.
struct Collector<'a>(&'a mut Vec<Sent>);

impl Sink for Collector<'_> {
    fn send(&mut self, message: &Message<'_>) -> Result<(), SinkError> {
        let received = Received {
            partition: message.partition,
            timestamp_ms: message.timestamp_ms,
            intended_ns: message.intended_ns,
            value: message.value.to_vec(),
        };
        self.0.push((message.topic, message.key.to_owned(), received));
        Ok(())
    }
}

/// All that one thread of a process sends, in its order, and its count of silent slots. Its schedule
/// began `elapsed_ns` ago and is measured from `measured_ns` on.
pub fn work(
    manifest: &Manifest,
    thread: (u32, u32),
    elapsed_ns: u64,
    measured_ns: u64,
) -> (Vec<Sent>, u64) {
    let stop = StopFlag::default();
    let mut sent = Vec::new();
    let mut worker = Worker::new(manifest, share(manifest, thread), Collector(&mut sent));
    if manifest.topic_set().contains(Topic::Machines) {
        assert_eq!(worker.announce(&stop).ok(), Some(Ended::Finished));
    }
    let pacer = Pacer::new(elapsed_ns as i64, stop);
    let ended = worker.run(&pacer, measured_ns, &Progress::default());
    assert_eq!(ended.ok(), Some(Ended::Finished));
    assert_eq!(worker.close().ok(), Some(Ended::Finished));
    let silent = worker.sent().silent();
    (sent, silent)
}

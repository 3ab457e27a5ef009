//! One thread's part of a run: its share of the machines, reading by reading, to its sink.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::encoding::Encoder;
use crate::fleet::Share;
use crate::generator::{Generator, Keyed};
use crate::manifest::Manifest;
use crate::pacing::schedule::nanoseconds;
use crate::pacing::{Pace, Pacer, StopFlag, Turn};
use crate::record::Topic;
use crate::sink::{Message, Sink, SinkError};

/// A thread's part of a run. Aligned so that no two threads' counts share a cache line.
#[repr(align(128))]
pub struct Worker<S> {
    generator: Generator,
    encoder: Encoder,
    sink: S,
    buffer: Vec<u8>,
    sent: Sent,
    end_slot: u64,
    /// The end on the clock of the pace: by intended instants, or by the clock itself where
    /// nothing is paced.
    end_ns: u64,
    paced: bool,
    start_ms: i64,
    refresh_ms: Option<i64>,
}

/// What a worker has handed to its sink.
#[derive(Debug, Clone, Default)]
pub struct Sent {
    /// Records a topic, in the order of [`Topic::ALL`].
    pub records: [u64; Topic::COUNT],
    /// Bytes of keys and values a topic.
    pub bytes: [u64; Topic::COUNT],
    /// Slots that carried nothing.
    pub silent: u64,
    /// Slots due and slots worked off in each second of the schedule that was measured.
    pub seconds: Vec<Second>,
    /// The worst lateness of a slot, in nanoseconds.
    pub latest_ns: u64,
}

/// One second of a schedule.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Second {
    /// Records that were due in it.
    pub due: u32,
    /// Records that were handed over in it.
    pub sent: u32,
}

/// A worker's counts as others see them while it runs.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct Progress {
    sent: AtomicU64,
}

/// Why a worker ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It reached the end of the run.
    Finished,
    /// The run was stopped.
    Stopped,
}

impl Progress {
    /// Records handed over so far.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }
}

impl<S: Sink> Worker<S> {
    /// The worker of `share` of the run that `manifest` describes.
    pub fn new(manifest: &Manifest, share: Share, sink: S) -> Worker<S> {
        Worker {
            generator: Generator::new(manifest, share),
            encoder: manifest.encoder(),
            sink,
            buffer: Vec::with_capacity(512),
            sent: Sent::default(),
            end_slot: manifest.end_slot().unwrap_or(u64::MAX),
            end_ns: manifest.duration.map_or(u64::MAX, |d| nanoseconds(d.duration())),
            paced: manifest.pace != Pace::Max,
            start_ms: manifest.start.timestamp_millis(),
            refresh_ms: manifest
                .machines_refresh
                .filter(|_| manifest.topic_set().contains(Topic::Machines))
                .map(|span| i64::try_from(span.duration().as_millis()).unwrap_or(i64::MAX).max(1)),
        }
    }

    /// How many machines the worker has.
    pub fn machines(&self) -> usize {
        self.generator.machines()
    }

    /// What it has handed over.
    pub fn sent(&self) -> &Sent {
        &self.sent
    }

    /// Announces its machines: one record each, unpaced, stamped with the start.
    ///
    /// # Errors
    /// Those of the sink.
    pub fn announce(&mut self, stop: &StopFlag) -> Result<Ended, SinkError> {
        for at in 0..self.generator.machines() {
            if stop.is_set() {
                return Ok(Ended::Stopped);
            }
            self.announce_one(at, self.start_ms)?;
        }
        self.sink.flush()?;
        Ok(Ended::Finished)
    }

    fn announce_one(&mut self, at: usize, timestamp_ms: i64) -> Result<(), SinkError> {
        let Worker { generator, encoder, sink, buffer, sent, .. } = self;
        generator
            .announce(at, timestamp_ms, |keyed| send(&keyed, None, encoder, buffer, sink, sent))
    }

    /// Works off its slots until the end of the run or until it is stopped. Latency and rate count
    /// from `measured_ns` of the schedule on: what was due before the process started can't be on
    /// time.
    ///
    /// # Errors
    /// Those of the sink.
    pub fn run(
        &mut self,
        pacer: &Pacer,
        measured_ns: u64,
        progress: &Progress,
    ) -> Result<Ended, SinkError> {
        let slots = self.generator.slots();
        if slots.is_empty() || self.generator.machines() == 0 {
            return Ok(Ended::Finished);
        }
        let ended = self.rounds(pacer, measured_ns, progress);
        self.sink.flush()?;
        match ended {
            Err(SinkError::Stopped) => Ok(Ended::Stopped),
            ended => ended,
        }
    }

    fn rounds(
        &mut self,
        pacer: &Pacer,
        measured_ns: u64,
        progress: &Progress,
    ) -> Result<Ended, SinkError> {
        let slots = self.generator.slots();
        let mut total = 0u64;
        for round in 0.. {
            for at in 0..self.generator.machines() {
                let reading = self.generator.read(round, at);
                for (slot, &kind) in slots.kinds().iter().enumerate() {
                    if self.generator.slot_number(&reading, slot) >= self.end_slot {
                        return Ok(Ended::Finished);
                    }
                    let time = self.generator.time(&reading, slot);
                    let measured = match time.intended_ns {
                        Some(due) if due >= self.end_ns => return Ok(Ended::Finished),
                        Some(due) => {
                            let Turn::Send { now_ns } = pacer.wait(due) else {
                                return Ok(Ended::Stopped);
                            };
                            let measured = due.checked_sub(measured_ns);
                            if let Some(due) = measured {
                                self.sent.clock(due, (now_ns as u64).saturating_sub(measured_ns));
                            }
                            measured.map(|_| due)
                        }
                        None => None,
                    };
                    let Worker { generator, encoder, sink, buffer, sent, .. } = self;
                    generator.fill(&reading, kind, time.timestamp_ms, |keyed| match keyed {
                        Some(keyed) => send(&keyed, measured, encoder, buffer, sink, sent),
                        None => {
                            sent.silent += 1;
                            Ok(())
                        }
                    })?;
                }
                total += slots.len() as u64;
                progress.sent.store(total, Ordering::Relaxed);
                self.refresh(round, at)?;
                if self.over(pacer, total) {
                    return Ok(Ended::Finished);
                }
                if pacer.stopped() {
                    return Ok(Ended::Stopped);
                }
            }
        }
        Ok(Ended::Finished)
    }

    /// Whether an unpaced run has lasted its time; asked of the clock once in a while.
    #[inline]
    fn over(&self, pacer: &Pacer, total: u64) -> bool {
        !self.paced
            && self.end_ns != u64::MAX
            && total % 64 < 3
            && pacer.now_ns() >= self.end_ns as i64
    }

    /// Announces machine `at` again where its time has come since its reading before.
    fn refresh(&mut self, round: u64, at: usize) -> Result<(), SinkError> {
        let Some(every) = self.refresh_ms else {
            return Ok(());
        };
        let Some(before) = round.checked_sub(1) else {
            return Ok(());
        };
        let now = self.generator.timestamp(round, at);
        let count = |timestamp: i64| (timestamp - self.start_ms) / every;
        if count(now) > count(self.generator.timestamp(before, at)) {
            self.announce_one(at, now)?;
        }
        Ok(())
    }
}

#[inline]
fn send<S: Sink>(
    keyed: &Keyed<'_>,
    intended_ns: Option<u64>,
    encoder: &Encoder,
    buffer: &mut Vec<u8>,
    sink: &mut S,
    sent: &mut Sent,
) -> Result<(), SinkError> {
    encoder.encode(&keyed.record, buffer);
    let topic = keyed.record.topic();
    sink.send(&Message {
        topic,
        partition: keyed.partition,
        key: keyed.key,
        timestamp_ms: keyed.timestamp_ms,
        value: buffer,
        intended_ns,
    })?;
    sent.records[topic.index()] += 1;
    sent.bytes[topic.index()] += (keyed.key.len() + buffer.len()) as u64;
    Ok(())
}

impl Sent {
    /// Adds what another worker sent.
    pub fn add(&mut self, other: &Sent) {
        for topic in Topic::ALL {
            self.records[topic.index()] += other.records[topic.index()];
            self.bytes[topic.index()] += other.bytes[topic.index()];
        }
        self.silent += other.silent;
        self.latest_ns = self.latest_ns.max(other.latest_ns);
        if self.seconds.len() < other.seconds.len() {
            self.seconds.resize(other.seconds.len(), Second::default());
        }
        for (sum, second) in self.seconds.iter_mut().zip(&other.seconds) {
            sum.due += second.due;
            sum.sent += second.sent;
        }
    }

    /// Notes a slot that was due at `due_ns` and worked off at `now_ns` of the measured time.
    #[inline]
    fn clock(&mut self, due_ns: u64, now_ns: u64) {
        self.latest_ns = self.latest_ns.max(now_ns.saturating_sub(due_ns));
        let (due, now) = ((due_ns / SECOND_NS) as usize, (now_ns / SECOND_NS) as usize);
        let last = due.max(now);
        if last >= self.seconds.len() {
            self.seconds.resize(last + 1, Second::default());
        }
        self.seconds[due].due += 1;
        self.seconds[now].sent += 1;
    }

    /// Slots worked off that were due while the run was measured; 0 where nothing was paced.
    pub fn measured(&self) -> u64 {
        self.seconds.iter().map(|second| u64::from(second.sent)).sum()
    }

    /// The largest error of the rate over whole seconds, as a fraction of what was due: the last
    /// second, which may be cut, left out, and one record more or less forgiven, which the edge of
    /// a second decides.
    pub fn max_second_error(&self) -> Option<f64> {
        let whole = self.seconds.len().checked_sub(1)?;
        self.seconds[..whole]
            .iter()
            .map(|second| {
                let off = second.due.abs_diff(second.sent);
                if off <= 1 { 0.0 } else { f64::from(off) / f64::from(second.due.max(1)) }
            })
            .reduce(f64::max)
    }
}

const SECOND_NS: u64 = 1_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_compared_with_what_was_due() {
        let mut sent = Sent::default();
        for i in 0..1000u64 {
            // Ten a second; those of second 3 come a second late.
            let due = i * 100_000_000;
            let late = if due / SECOND_NS == 3 { SECOND_NS } else { 0 };
            sent.clock(due, due + late);
        }
        assert_eq!(sent.seconds[3], Second { due: 10, sent: 0 });
        assert_eq!(sent.seconds[4], Second { due: 10, sent: 20 });
        assert_eq!(sent.max_second_error(), Some(1.0));
        assert_eq!(sent.latest_ns, SECOND_NS);
    }

    #[test]
    fn one_record_over_the_edge_of_a_second_is_no_error() {
        let mut sent = Sent::default();
        sent.clock(SECOND_NS - 1, SECOND_NS + 1);
        sent.clock(2 * SECOND_NS, 2 * SECOND_NS);
        assert_eq!(sent.max_second_error(), Some(0.0));
    }
}

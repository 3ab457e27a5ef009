//! One thread's part of a run: its share of the machines, reading by reading, to its sink.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::passed::Passed;
use super::sent::Sent;
use crate::encoding::Encoder;
use crate::fleet::Share;
use crate::generator::{Generator, Keyed, Reading};
use crate::manifest::Manifest;
use crate::pacing::{Pace, Pacer, SlotKind, StopFlag, Turn};
use crate::record::Topic;
use crate::sink::{Message, Sink, SinkError};
use crate::verify::position::Position;

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
    on_full: OnFull,
    start_ms: i64,
    /// Of a resumed run: what is there already.
    passed: Option<Passed>,
}

/// What a worker does with a slot that is due while its sink is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnFull {
    /// It waits.
    Wait,
    /// It drops the slot, and those after it until the sink has room for many.
    Drop,
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
            end_ns: manifest.end_ns().unwrap_or(u64::MAX),
            paced: manifest.pace != Pace::Max,
            on_full: OnFull::Wait,
            start_ms: manifest.start.timestamp_millis(),
            passed: None,
        }
    }

    /// The worker with another way to meet a full sink.
    pub fn on_full(self, on_full: OnFull) -> Worker<S> {
        Worker { on_full, ..self }
    }

    /// The worker of a run that goes on behind what is there already.
    pub fn behind(mut self, position: Option<&Arc<Position>>) -> Worker<S> {
        let names = (0..self.generator.machines()).map(|at| self.generator.machine_id(at));
        self.passed = position.map(|position| Passed::new(position, names));
        self
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
        let mut ended = Ended::Finished;
        for at in 0..self.generator.machines() {
            if stop.is_set() {
                ended = Ended::Stopped;
                break;
            }
            self.announce_one(at, self.start_ms)?;
        }
        self.sink.flush()?;
        Ok(ended)
    }

    fn announce_one(&mut self, at: usize, timestamp_ms: i64) -> Result<(), SinkError> {
        let Worker { generator, encoder, sink, buffer, sent, passed, .. } = self;
        generator.announce(at, timestamp_ms, |keyed| {
            if passed.as_mut().is_some_and(|passed| passed.holds(at, &keyed)) {
                return Ok(());
            }
            let value = encoder.encode(keyed.record, buffer);
            sink.send(&message(&keyed, None, value))?;
            sent.count(Topic::Machines, keyed.key.len() + value.len());
            Ok(())
        })
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
        self.sent.measured_from_ns = measured_ns;
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
                    let mut measured = None;
                    if let Some(due) = time.intended_ns {
                        if due >= self.end_ns {
                            return Ok(self.last_until_the_end(pacer));
                        }
                        if self.sink.wants_rest() {
                            self.rest(pacer, due)?;
                        }
                        let Turn::Send { now_ns } = pacer.wait(due) else {
                            return Ok(Ended::Stopped);
                        };
                        let number = self.generator.slot_number(&reading, slot);
                        if due >= measured_ns {
                            self.clock(number, due - measured_ns, now_ns, measured_ns);
                            measured = Some(due);
                        }
                    }
                    self.fill(at, &reading, slot, kind, time.timestamp_ms, measured)?;
                }
                total += slots.len() as u64;
                progress.sent.store(total, Ordering::Relaxed);
                if let Some(timestamp_ms) = self.generator.announced_again(round, at) {
                    self.announce_one(at, timestamp_ms)?;
                }
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

    /// Waits for the end of a run that has one, where its last slots have been before.
    fn last_until_the_end(&self, pacer: &Pacer) -> Ended {
        // Where the rate falls to nothing for ever, nothing is left to wait for.
        if self.end_ns == u64::MAX {
            return Ended::Finished;
        }
        match pacer.wait(self.end_ns) {
            Turn::Send { .. } => Ended::Finished,
            Turn::Stop => Ended::Stopped,
        }
    }

    /// Lets the sink finish what can't wait until the next record, due at `due_ns`.
    fn rest(&mut self, pacer: &Pacer, due_ns: u64) -> Result<(), SinkError> {
        match u64::try_from(due_ns as i64 - pacer.now_ns()) {
            Ok(left) if left > 0 => self.sink.rest(Duration::from_nanos(left)),
            _ => Ok(()),
        }
    }

    /// Fills a slot and hands its record over, due at `measured` where its latency counts.
    #[inline]
    fn fill(
        &mut self,
        at: usize,
        reading: &Reading,
        slot: usize,
        kind: SlotKind,
        timestamp_ms: i64,
        measured: Option<u64>,
    ) -> Result<(), SinkError> {
        let Worker { generator, encoder, sink, buffer, sent, on_full, passed, .. } = self;
        let mut dropped = None;
        let filled = generator.fill(reading, kind, timestamp_ms, |keyed| {
            let Some(keyed) = keyed else {
                sent.silent += 1;
                return Ok(());
            };
            if passed.as_mut().is_some_and(|passed| passed.holds(at, &keyed)) {
                return Ok(());
            }
            let value = encoder.encode(keyed.record, buffer);
            let message = message(&keyed, measured, value);
            let taken = match (*on_full, measured) {
                (OnFull::Drop, Some(_)) => sink.offer(&message)?,
                _ => sink.send(&message).map(|()| true)?,
            };
            if taken {
                sent.count(message.topic, keyed.key.len() + value.len());
            } else {
                dropped = Some(message.topic);
            }
            Ok(())
        });
        if let (Some(topic), Some(due)) = (dropped, measured) {
            sent.drop_slot(topic, generator.slot_number(reading, slot), due);
        }
        filled
    }

    /// Notes when slot `number` was due, in nanoseconds of the measured time, and worked off.
    #[inline]
    fn clock(&mut self, number: u64, due_ns: u64, now_ns: i64, measured_ns: u64) {
        self.sent.clock(due_ns, (now_ns as u64).saturating_sub(measured_ns));
        let schedule = self.generator.schedule();
        if let Some(due) = schedule.due(now_ns as f64 / 1e9) {
            self.sent.drift(due, due - schedule.due_before(number));
        }
    }

    /// Whether an unpaced run has lasted its time; asked of the clock once in a while.
    #[inline]
    fn over(&self, pacer: &Pacer, total: u64) -> bool {
        !self.paced
            && self.end_ns != u64::MAX
            && total % 64 < 3
            && pacer.now_ns() >= self.end_ns as i64
    }
}

#[inline(always)]
fn message<'a>(keyed: &Keyed<'a>, intended_ns: Option<u64>, value: &'a [u8]) -> Message<'a> {
    Message {
        topic: keyed.record.topic(),
        partition: keyed.partition,
        key: keyed.key,
        timestamp_ms: keyed.timestamp_ms,
        value,
        intended_ns,
    }
}

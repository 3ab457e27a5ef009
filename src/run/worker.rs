//! One thread's part of a run: its share of the machines, reading by reading, to its sink.

use std::convert::Infallible;
use std::mem::take;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::front::Front;
use super::resumed::Resumed;
use super::sent::{Became, Sent};
use super::stories::Stories;
use crate::encoding::Encoder;
use crate::fleet::Share;
use crate::generator::{Generator, KeyedRecord, Reading};
use crate::manifest::Manifest;
use crate::pacing::{Pace, Pacer, SlotKind, StopFlag, Turn};
use crate::record::Topic;
use crate::sink::{Message, Sink, SinkError};
use crate::verify::position::Position;

/// A thread's part of a run. Aligned so that no two threads' counts share a cache line.
#[repr(align(128))]
pub struct Worker<S> {
    generator: Generator,
    share: Share,
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
    resumed: Option<Resumed>,
    next: Next,
    stories: Stories,
    /// Its place beside the other threads.
    front: Option<Front>,
}

/// Where a worker goes on.
#[derive(Debug, Default)]
struct Next {
    round: u64,
    at: usize,
    slot: usize,
    /// The reading of that round and machine, where it was taken already.
    reading: Option<Reading>,
}

/// What a worker does with a slot that is due while its sink is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnFull {
    /// It waits.
    Wait,
    /// It drops the slot, and those after it until the sink has room for many; state changes wait.
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
    /// Records handed over so far, announcements apart.
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
            resumed: None,
            next: Next::default(),
            share,
            stories: Stories::default(),
            front: None,
        }
    }

    /// The worker with another way to meet a full sink.
    pub fn on_full(self, on_full: OnFull) -> Worker<S> {
        Worker { on_full, ..self }
    }

    /// The worker of a run that goes on behind what is there already.
    pub fn behind(mut self, position: Option<&Arc<Position>>) -> Worker<S> {
        let names = (0..self.generator.machines()).map(|at| self.generator.machine_id(at));
        self.resumed = position.map(|position| Resumed::new(position, self.share, names));
        self
    }

    /// The worker that keeps together with others in event time.
    pub fn beside(self, front: Front) -> Worker<S> {
        Worker { front: Some(front), ..self }
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
        let Worker { generator, encoder, sink, buffer, sent, resumed, .. } = self;
        generator.announce(at, timestamp_ms, |keyed| {
            if resumed.as_mut().is_some_and(|resumed| resumed.holds(at, &keyed)) {
                return Ok(());
            }
            let value = encoder.encode(keyed.record, buffer);
            sink.send(&message(&keyed, None, value))?;
            sent.count(Topic::Machines, keyed.key.len() + value.len());
            Ok(())
        })
    }

    /// Of a resumed run: passes the slots whose records are there already, and those that had nothing to
    /// say, up to the first whose record isn't, without waiting for any. Returns when that one is due,
    /// in nanoseconds from the schedule's zero; none where nothing is left, or nothing is paced.
    ///
    /// # Errors
    /// Those of the sink.
    pub fn pass(&mut self, stop: &StopFlag) -> Result<Option<u64>, SinkError> {
        let slots = self.generator.slots();
        if self.resumed.is_none() || slots.is_empty() || self.generator.machines() == 0 {
            return Ok(None);
        }
        for round in 0.. {
            for at in 0..self.generator.machines() {
                let reading = self.generator.read(round, at);
                for (slot, &kind) in slots.kinds().iter().enumerate() {
                    let number = self.generator.slot_number(&reading, slot);
                    let time = self.generator.time(&reading, slot);
                    let ends = number >= self.end_slot
                        || time.intended_ns.is_some_and(|due| due >= self.end_ns);
                    if ends || !self.passes(at, &reading, number, kind, time.timestamp_ms) {
                        self.next = Next { round, at, slot, reading: Some(reading) };
                        return Ok(time.intended_ns.filter(|_| !ends));
                    }
                }
                if stop.is_set() {
                    self.next = Next { round, at, slot: slots.len(), reading: Some(reading) };
                    return Ok(None);
                }
                if let Some(timestamp_ms) = self.generator.announced_again(round, at) {
                    self.announce_one(at, timestamp_ms)?;
                }
            }
        }
        Ok(None)
    }

    /// Whether nothing is left to be sent of a slot.
    fn passes(
        &mut self,
        at: usize,
        reading: &Reading,
        number: u64,
        kind: SlotKind,
        timestamp_ms: i64,
    ) -> bool {
        let Worker { generator, resumed, .. } = self;
        let Some(resumed) = resumed else { return false };
        let dropped = resumed.dropped(number);
        let passes = |keyed: Option<KeyedRecord<'_>>| -> Result<bool, Infallible> {
            Ok(keyed.is_none_or(|keyed| resumed.holds(at, &keyed)))
        };
        dropped || generator.offer(reading, kind, timestamp_ms, passes) == Ok(true)
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
        // Given up at the end, however that comes.
        let mut front = self.front.take();
        let slots = self.generator.slots();
        if slots.is_empty() || self.generator.machines() == 0 {
            return Ok(Ended::Finished);
        }
        let ended = self.rounds(pacer, progress, front.as_mut());
        self.sent.torn = self.stories.torn(&self.generator);
        self.sink.flush()?;
        self.sent.max_backstep_ms = front.map_or(0, |mut front| front.max_backstep_ms());
        match ended {
            Err(SinkError::Stopped) => Ok(Ended::Stopped),
            ended => ended,
        }
    }

    fn rounds(
        &mut self,
        pacer: &Pacer,
        progress: &Progress,
        mut front: Option<&mut Front>,
    ) -> Result<Ended, SinkError> {
        let slots = self.generator.slots();
        let Next { round, mut at, slot: mut first, mut reading } = take(&mut self.next);
        let mut total = 0u64;
        for round in round.. {
            while at < self.generator.machines() {
                let reading = match reading.take() {
                    Some(reading) => reading,
                    None => self.generator.read(round, at),
                };
                let instant_ms = reading.timestamp_ms();
                if let Some(front) = front.as_deref_mut() {
                    if front.is_due(instant_ms) {
                        self.sink.pass_on()?;
                        front.tell(instant_ms);
                    }
                    if !self.paced && !self.keep_together(front, instant_ms, pacer)? {
                        return Ok(Ended::Stopped);
                    }
                }
                for (slot, &kind) in slots.kinds().iter().enumerate().skip(take(&mut first)) {
                    let number = self.generator.slot_number(&reading, slot);
                    if number >= self.end_slot {
                        return Ok(Ended::Finished);
                    }
                    let time = self.generator.time(&reading, slot);
                    let mut times = None;
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
                        if let Some(front) = front.as_deref_mut()
                            && !self.keep_together(front, instant_ms, pacer)?
                        {
                            return Ok(Ended::Stopped);
                        }
                        times = Some((due, now_ns));
                    }
                    if self.resumed.as_ref().is_some_and(|resumed| resumed.dropped(number)) {
                        continue;
                    }
                    let became = self.fill(
                        at,
                        &reading,
                        kind,
                        time.timestamp_ms,
                        times.map(|(due, _)| due),
                    )?;
                    self.note(number, became, times);
                }
                total += slots.len() as u64;
                progress.sent.store(self.sent.in_slots(), Ordering::Relaxed);
                if let Some(timestamp_ms) = self.generator.announced_again(round, at) {
                    self.announce_one(at, timestamp_ms)?;
                }
                if self.over(pacer, total) {
                    return Ok(Ended::Finished);
                }
                if pacer.stopped() {
                    return Ok(Ended::Stopped);
                }
                at += 1;
            }
            at = 0;
        }
        Ok(Ended::Finished)
    }

    /// Waits until the other threads are near enough for the reading of this timestamp; false where the
    /// run is stopped meanwhile.
    #[inline]
    fn keep_together(
        &mut self,
        front: &mut Front,
        timestamp_ms: i64,
        pacer: &Pacer,
    ) -> Result<bool, SinkError> {
        if front.is_ahead(timestamp_ms) {
            self.sink.pass_on()?;
            front.tell(timestamp_ms);
            if !front.wait(timestamp_ms, || pacer.stopped()) {
                return Ok(false);
            }
        }
        front.sends(timestamp_ms);
        Ok(true)
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

    /// Fills a slot and hands its record over, due at `due` where it is paced; says what became of it.
    #[inline]
    fn fill(
        &mut self,
        at: usize,
        reading: &Reading,
        kind: SlotKind,
        timestamp_ms: i64,
        due: Option<u64>,
    ) -> Result<Became, SinkError> {
        let Worker { generator, encoder, sink, buffer, sent, on_full, resumed, stories, .. } = self;
        let measured = due.filter(|&due| due >= sent.measured_from_ns);
        let drops = *on_full == OnFull::Drop && measured.is_some();
        let refused = drops && measured.is_some_and(|due| sent.keeps_dropping(due));
        let mut became = Became::Silent;
        let taken = generator.offer(reading, kind, timestamp_ms, |keyed| {
            let Some(keyed) = keyed else { return Ok(true) };
            if resumed.as_mut().is_some_and(|resumed| resumed.holds(at, &keyed)) {
                became = Became::There;
                return Ok(true);
            }
            let topic = keyed.record.topic();
            if refused {
                became = Became::Dropped(topic);
                return Ok(false);
            }
            let value = encoder.encode(keyed.record, buffer);
            let message = message(&keyed, measured, value);
            if drops && !sink.offer(&message)? {
                became = Became::Dropped(topic);
                return Ok(false);
            }
            if !drops {
                sink.send(&message)?;
            }
            became = Became::Sent { topic, bytes: keyed.key.len() + value.len() };
            Ok::<_, SinkError>(true)
        })?;
        if *on_full == OnFull::Drop && kind == SlotKind::Event {
            if !taken && generator.waiting(at).next().is_some() {
                stories.wait(at);
                became = Became::Deferred;
            } else if taken && generator.waiting(at).next().is_none() {
                stories.caught_up(at);
            }
        }
        Ok(became)
    }

    /// Notes what became of slot `number`, and when it was due and worked off.
    #[inline]
    fn note(&mut self, number: u64, became: Became, times: Option<(u64, i64)>) {
        self.sent.note(number, became, times);
        let Some((due_ns, now_ns)) = times else { return };
        let schedule = self.generator.schedule();
        if due_ns >= self.sent.measured_from_ns
            && let Some(due) = schedule.due(now_ns as f64 / 1e9)
        {
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
fn message<'a>(keyed: &KeyedRecord<'a>, intended_ns: Option<u64>, value: &'a [u8]) -> Message<'a> {
    Message {
        topic: keyed.record.topic(),
        partition: keyed.partition,
        key: keyed.key,
        timestamp_ms: keyed.timestamp_ms,
        value,
        intended_ns,
    }
}

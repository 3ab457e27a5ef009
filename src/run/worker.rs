//! One thread's part of a run: its share of the machines, reading by reading, to its sink.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fleetstorm_model::encoding::Encoder;
use fleetstorm_model::fleet::Share;
use fleetstorm_model::manifest::Manifest;
use fleetstorm_model::record::Topic;
use fleetstorm_model::schedule::{Pace, SlotKind};
use fleetstorm_model::stream::{Announcement, End, KeyedRecord, Slot, Step, Stream};

use super::deferred_changes::DeferredChanges;
use super::resumed::Resumed;
use super::sent::{Sent, SlotOutcome};
use super::skew::Front;
use crate::pacing::{Pacer, StopFlag, Turn};
use crate::sink::{Message, Sink, SinkError};
use crate::verify::position::Position;

/// A thread's part of a run. Aligned so that no two threads' counts share a cache line.
#[repr(align(128))]
pub struct Worker<S> {
    stream: Stream,
    share: Share,
    encoder: Encoder,
    sink: S,
    buffer: Vec<u8>,
    sent: Sent,
    /// The end of the run, by intended times, or by the clock if nothing is paced.
    end_ns: u64,
    paced: bool,
    on_full: OnFull,
    /// Of a resumed run: the records that are there already.
    resumed: Option<Resumed>,
    deferred: DeferredChanges,
    /// Its position in event time beside the other threads.
    front: Option<Front>,
}

/// What a worker does with a slot that falls due while its sink is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnFull {
    /// It waits.
    Wait,
    /// It drops the slot, and those after it until the sink has room for many. State changes wait.
    Drop,
}

/// A worker's counts, which others read while it runs.
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
            stream: Stream::new(manifest, share),
            encoder: manifest.encoder(),
            sink,
            buffer: Vec::with_capacity(512),
            sent: Sent::default(),
            end_ns: manifest.end_ns().unwrap_or(u64::MAX),
            paced: manifest.pace != Pace::Max,
            on_full: OnFull::Wait,
            resumed: None,
            share,
            deferred: DeferredChanges::default(),
            front: None,
        }
    }

    /// Sets what it does when its sink is full.
    pub fn on_full(self, on_full: OnFull) -> Worker<S> {
        Worker { on_full, ..self }
    }

    /// Makes it the worker of a resumed run, which skips what is there already.
    pub fn resume_from(mut self, position: Option<&Arc<Position>>) -> Worker<S> {
        let names = (0..self.stream.machines()).map(|at| self.stream.machine_id(at));
        self.resumed = position.map(|position| Resumed::new(position, self.share, names));
        self
    }

    /// Keeps it together with other workers in event time.
    pub fn keep_together_with(self, front: Front) -> Worker<S> {
        Worker { front: Some(front), ..self }
    }

    /// How many machines the worker has.
    pub fn machines(&self) -> usize {
        self.stream.machines()
    }

    /// What it has handed over.
    pub fn sent(&self) -> &Sent {
        &self.sent
    }

    /// Announces its machines: one record each, unpaced, stamped with the start.
    ///
    /// # Errors
    /// Errors of the sink.
    pub fn announce(&mut self, stop: &StopFlag) -> Result<Ended, SinkError> {
        let mut ended = Ended::Finished;
        while let Some(announcement) = self.stream.next_opening() {
            if stop.is_set() {
                ended = Ended::Stopped;
                break;
            }
            self.announce_one(&announcement)?;
        }
        self.sink.flush()?;
        Ok(ended)
    }

    fn announce_one(&mut self, announcement: &Announcement) -> Result<(), SinkError> {
        let Worker { stream, encoder, sink, buffer, sent, resumed, .. } = self;
        stream.announce(announcement, |keyed| {
            if resumed.as_mut().is_some_and(|resumed| resumed.holds(announcement.at, &keyed)) {
                sent.already_there += 1;
                return Ok(());
            }
            let value = encoder.encode(keyed.record, buffer);
            sink.send(&message(&keyed, None, value))?;
            sent.count(Topic::Machines, keyed.key.len() + value.len());
            Ok(())
        })
    }

    /// Skips the slots of a resumed run that have no record, or whose record arrived before. It ends at
    /// the first whose record is missing, and waits for nothing. Returns when that slot is due, in
    /// nanoseconds from the schedule's zero; `None` if nothing is left, or nothing is paced.
    ///
    /// # Errors
    /// Errors of the sink.
    pub fn skip_arrived(&mut self, stop: &StopFlag) -> Result<Option<u64>, SinkError> {
        if self.resumed.is_none() {
            return Ok(None);
        }
        while !(stop.is_set() && self.stream.is_between_readings()) {
            match self.stream.next_until_end() {
                Some(Step::Announcement(announcement)) => self.announce_one(&announcement)?,
                Some(Step::Slot(slot)) if self.passes(&slot) => {}
                Some(Step::Slot(slot)) => {
                    self.stream.unread(&slot);
                    return Ok(slot.due_ns);
                }
                Some(Step::Closing(_)) | None => return Ok(None),
            }
        }
        Ok(None)
    }

    /// Whether a slot is to be skipped.
    fn passes(&mut self, slot: &Slot) -> bool {
        let Worker { stream, resumed, sent, .. } = self;
        let Some(resumed) = resumed else { return false };
        let dropped = resumed.dropped(slot.number);
        let passes = |keyed: Option<KeyedRecord<'_>>| -> Result<bool, Infallible> {
            let Some(keyed) = keyed else { return Ok(true) };
            let there = resumed.holds(slot.at, &keyed);
            sent.already_there += u64::from(there);
            Ok(there)
        };
        dropped || stream.offer(slot, passes) == Ok(true)
    }

    /// Sends its slots until the end of the run, or until it is stopped. Latency and rate count from
    /// `measured_ns` of the schedule on: what was due before the process started can't be on time.
    ///
    /// # Errors
    /// Errors of the sink.
    pub fn run(
        &mut self,
        pacer: &Pacer,
        measured_ns: u64,
        progress: &Progress,
    ) -> Result<Ended, SinkError> {
        self.sent.measured_from_ns = measured_ns;
        // Dropped at the end, however that comes.
        let mut front = self.front.take();
        let ended = self.steps(pacer, progress, front.as_mut());
        self.sent.torn = self.deferred.count_incomplete(&self.stream);
        self.sink.flush()?;
        self.sent.max_backstep_ms = front.map_or(0, |mut front| front.max_backstep_ms());
        match ended {
            Err(SinkError::Stopped) => Ok(Ended::Stopped),
            ended => ended,
        }
    }

    /// Closes the windows of a run that has come to its end: sends the records that come after it. All
    /// workers have ended before, and all that they sent has arrived, or is given up.
    ///
    /// # Errors
    /// Those of the sink.
    pub fn close(&mut self) -> Result<Ended, SinkError> {
        let Worker { stream, encoder, sink, buffer, sent, resumed, .. } = self;
        while let Some(Step::Closing(closing)) = stream.next() {
            stream.close(&closing, |keyed| {
                let Some(keyed) = keyed else { return Ok(()) };
                if resumed.as_mut().is_some_and(|resumed| resumed.holds(closing.at, &keyed)) {
                    sent.already_there += 1;
                    return Ok(());
                }
                let value = encoder.encode(keyed.record, buffer);
                sink.send(&message(&keyed, None, value))?;
                sent.count(closing.topic, keyed.key.len() + value.len());
                sent.closing += 1;
                Ok::<_, SinkError>(())
            })?;
        }
        sink.flush()?;
        Ok(Ended::Finished)
    }

    fn steps(
        &mut self,
        pacer: &Pacer,
        progress: &Progress,
        mut front: Option<&mut Front>,
    ) -> Result<Ended, SinkError> {
        let mut readings = 0;
        loop {
            if self.stream.is_between_readings() {
                progress.sent.store(self.sent.in_slots(), Ordering::Relaxed);
                if self.over(pacer, readings) {
                    return Ok(Ended::Finished);
                }
                if pacer.stopped() {
                    return Ok(Ended::Stopped);
                }
                readings += 1;
            }
            match self.stream.next_until_end() {
                Some(Step::Slot(slot)) => {
                    if let Some(ended) = self.slot(&slot, pacer, front.as_deref_mut())? {
                        return Ok(ended);
                    }
                }
                Some(Step::Announcement(announcement)) => self.announce_one(&announcement)?,
                Some(Step::Closing(_)) | None => return Ok(self.last_until_the_end(pacer)),
            }
        }
    }

    /// Sends a slot when it is due. Returns why the worker ended, if the run is stopped meanwhile.
    #[inline]
    fn slot(
        &mut self,
        slot: &Slot,
        pacer: &Pacer,
        mut front: Option<&mut Front>,
    ) -> Result<Option<Ended>, SinkError> {
        if slot.index == 0
            && let Some(front) = front.as_deref_mut()
        {
            if front.is_due(slot.reading_ms) {
                self.sink.pass_on()?;
                front.publish(slot.reading_ms);
            }
            if !self.paced && !self.keep_together(front, slot.reading_ms, pacer)? {
                return Ok(Some(Ended::Stopped));
            }
        }
        let mut times = None;
        if let Some(due) = slot.due_ns {
            if self.sink.wants_before_pause() {
                self.before_pause(pacer, due)?;
            }
            let Turn::Send { now_ns } = pacer.wait(due) else {
                return Ok(Some(Ended::Stopped));
            };
            if let Some(front) = front
                && !self.keep_together(front, slot.reading_ms, pacer)?
            {
                return Ok(Some(Ended::Stopped));
            }
            times = Some((due, now_ns));
        }
        if !self.resumed.as_ref().is_some_and(|resumed| resumed.dropped(slot.number)) {
            let became = self.fill(slot)?;
            self.note(slot.number, became, times);
        }
        Ok(None)
    }

    /// Waits until the other threads are near enough for the reading of this timestamp. Returns false if
    /// the run is stopped meanwhile.
    #[inline]
    fn keep_together(
        &mut self,
        front: &mut Front,
        timestamp_ms: i64,
        pacer: &Pacer,
    ) -> Result<bool, SinkError> {
        if front.is_ahead(timestamp_ms) {
            self.sink.pass_on()?;
            front.publish(timestamp_ms);
            if !front.wait(timestamp_ms, || pacer.stopped()) {
                return Ok(false);
            }
        }
        front.sends(timestamp_ms);
        Ok(true)
    }

    /// Waits for the end of a run that ends by time, after its last slots.
    fn last_until_the_end(&self, pacer: &Pacer) -> Ended {
        // If the rate falls to zero forever, there is nothing to wait for.
        if self.stream.end() != Some(End::Time) || self.end_ns == u64::MAX {
            return Ended::Finished;
        }
        match pacer.wait(self.end_ns) {
            Turn::Send { .. } => Ended::Finished,
            Turn::Stop => Ended::Stopped,
        }
    }

    /// Lets the sink finish what can't wait until the next record, due at `due_ns`.
    fn before_pause(&mut self, pacer: &Pacer, due_ns: u64) -> Result<(), SinkError> {
        match u64::try_from(due_ns as i64 - pacer.now_ns()) {
            Ok(left) if left > 0 => self.sink.before_pause(Duration::from_nanos(left)),
            _ => Ok(()),
        }
    }

    /// Fills a slot and hands its record over. Returns its outcome.
    #[inline]
    fn fill(&mut self, slot: &Slot) -> Result<SlotOutcome, SinkError> {
        let Worker { stream, encoder, sink, buffer, sent, on_full, resumed, deferred, .. } = self;
        let Slot { at, kind, .. } = *slot;
        let measured = slot.due_ns.filter(|&due| due >= sent.measured_from_ns);
        let drops = *on_full == OnFull::Drop && measured.is_some();
        let refused = drops && measured.is_some_and(|due| sent.keeps_dropping(due));
        let mut became = SlotOutcome::Silent;
        let taken = stream.offer(slot, |keyed| {
            let Some(keyed) = keyed else { return Ok(true) };
            if resumed.as_mut().is_some_and(|resumed| resumed.holds(at, &keyed)) {
                became = SlotOutcome::AlreadyThere;
                return Ok(true);
            }
            let topic = keyed.record.topic();
            if refused {
                became = SlotOutcome::Dropped(topic);
                return Ok(false);
            }
            let value = encoder.encode(keyed.record, buffer);
            let message = message(&keyed, measured, value);
            if drops && !sink.try_send(&message)? {
                became = SlotOutcome::Dropped(topic);
                return Ok(false);
            }
            if !drops {
                sink.send(&message)?;
            }
            became = SlotOutcome::Sent { topic, bytes: keyed.key.len() + value.len() };
            Ok::<_, SinkError>(true)
        })?;
        if *on_full == OnFull::Drop && kind == SlotKind::Event {
            if !taken && stream.queued_events(at).next().is_some() {
                deferred.wait(at);
                became = SlotOutcome::Deferred;
            } else if taken && stream.queued_events(at).next().is_none() {
                deferred.caught_up(at);
            }
        }
        Ok(became)
    }

    /// Notes the outcome of slot `number`, and when it was due and done.
    #[inline]
    fn note(&mut self, number: u64, became: SlotOutcome, times: Option<(u64, i64)>) {
        self.sent.note(number, became, times);
        let Some((due_ns, now_ns)) = times else { return };
        let schedule = self.stream.schedule();
        if due_ns >= self.sent.measured_from_ns
            && let Some(due) = schedule.due(now_ns as f64 / 1e9)
        {
            self.sent.drift(due, due - schedule.due_before(number));
        }
    }

    /// Whether an unpaced run has lasted its time. Reads the clock once in a while.
    #[inline]
    fn over(&self, pacer: &Pacer, readings: u64) -> bool {
        !self.paced
            && self.end_ns != u64::MAX
            && readings % 32 == 31
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

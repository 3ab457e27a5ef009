//! The stream: the records of a share of the fleet, in the order in which they are due. A run sends it,
//! `verify` regenerates it, a preview draws it.
//!
//! Machines are announced first. Then come the rounds. In each round every machine has one reading, and
//! every reading has the same [`Slots`]. A slot may be silent: the machine is down, or nothing is queued
//! for it. After the end come the records that close the run's windows, if it closes them.
//!
//! ```
//! use fleetstorm_model::fleet::Share;
//! use fleetstorm_model::stream::{Step, Stream};
//! # fn telemetry_of(manifest: &fleetstorm_model::Manifest) -> usize {
//! let mut stream = Stream::new(manifest, Share::WHOLE);
//! let mut records = 0;
//! while let Some(step) = stream.next() {
//!     if let Step::Slot(slot) = step {
//!         records += stream.fill(&slot, |keyed| keyed.map_or(0, |_| 1));
//!     }
//! }
//! # records }
//! ```

use crate::fleet::Share;
use crate::generator::Generator;
use crate::manifest::Manifest;
use crate::record::{IncidentRecord, Topic, TopicSet};
use crate::schedule::{Schedule, SlotKind, Slots};
use crate::simulation::events::Event;
use crate::simulation::incidents::IncidentKind;
use crate::window_closing::{Carries, Closer, Closing};

pub use crate::generator::KeyedRecord;

use crate::generator::Reading;

/// The records of one share of a run's fleet, in the order in which they are due.
#[derive(Debug)]
pub struct Stream {
    generator: Generator,
    /// The next machine to be announced at the start, up to `opening_end`.
    opening: usize,
    opening_end: usize,
    /// The reading whose slots are due; none before the first.
    reading: Option<Reading>,
    /// The next slot of that reading.
    slot: usize,
    /// The announcement after that reading.
    reannouncement: Option<Announcement>,
    /// The round and machine of the next reading.
    round: u64,
    at: usize,
    end_slot: u64,
    end_ns: u64,
    end: Option<End>,
    /// None if the run doesn't close its windows.
    close: Option<Box<Close>>,
}

/// The records of a share that close the run's windows.
#[derive(Debug)]
struct Close {
    timestamp_ms: i64,
    /// Their keys, each with the place of its machine.
    closers: Vec<(usize, Closer)>,
    /// The records, in order; empty before the end.
    closings: Vec<Closing>,
    next: usize,
    /// The reading of the record that came last.
    reading: Option<Reading>,
}

/// What is due next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// A machine is announced. Announcements belong to no slot and are not paced.
    Announcement(Announcement),
    /// A slot of a reading is due.
    Slot(Slot),
    /// A record closes windows, after the run's end. It belongs to no slot and is not paced. Send it
    /// when all shards and threads have ended.
    Closing(Closing),
}

/// A machine is announced: [`Stream::announce`] makes its record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Announcement {
    /// The machine's place in the share.
    pub at: usize,
    /// The record's timestamp, in milliseconds since the epoch.
    pub timestamp_ms: i64,
}

/// A slot that is due: [`Stream::fill`] and [`Stream::offer`] make its record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot {
    /// Its number over the whole fleet.
    pub number: u64,
    /// The round of its reading, from 0.
    pub round: u64,
    /// The machine's place in the share.
    pub at: usize,
    /// Its index in the reading, from 0.
    pub index: usize,
    /// What it carries.
    pub kind: SlotKind,
    /// When it is due, in nanoseconds from the schedule's zero; `None` if nothing is paced.
    pub due_ns: Option<u64>,
    /// The timestamp of its record, in milliseconds since the epoch.
    pub timestamp_ms: i64,
    /// The instant of its reading, in milliseconds since the epoch: the timestamp of the first slot.
    pub reading_ms: i64,
}

/// What ended a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// It reached its last slot, or has none.
    Slots,
    /// It reached the end of its time.
    Time,
}

impl Stream {
    /// The stream of `share` of the run that `manifest` describes.
    pub fn new(manifest: &Manifest, share: Share) -> Stream {
        Stream::from_generator(manifest, Generator::new(manifest, share))
    }

    /// The stream for a reader of the `wanted` topics only, who must fill no slot of another topic. The
    /// steps and those topics' records are the same.
    pub fn of_topics(manifest: &Manifest, share: Share, wanted: TopicSet) -> Stream {
        Stream::from_generator(manifest, Generator::of_topics(manifest, share, wanted))
    }

    /// The stream for a reader of incidents only, by [`Stream::next_incident`], whether their topic is
    /// selected or not.
    pub fn of_incidents(manifest: &Manifest, share: Share) -> Stream {
        let stream = Stream::from_generator(manifest, Generator::of_incidents(manifest, share));
        Stream { close: None, ..stream }
    }

    fn from_generator(manifest: &Manifest, generator: Generator) -> Stream {
        let announces = manifest.topic_set().contains(Topic::Machines);
        let close = manifest.closing_ms().map(|timestamp_ms| {
            let closers = generator.closers(manifest);
            Close { timestamp_ms, closers, closings: Vec::new(), next: 0, reading: None }
        });
        Stream {
            close: close.map(Box::new),
            opening: 0,
            opening_end: if announces { generator.machines() } else { 0 },
            reading: None,
            slot: generator.slots().len(),
            reannouncement: None,
            round: 0,
            at: 0,
            end_slot: manifest.end_slot().unwrap_or(u64::MAX),
            end_ns: manifest.end_ns().unwrap_or(u64::MAX),
            end: None,
            generator,
        }
    }

    /// The stream without the end in its manifest, and without the records after it.
    pub fn without_end(self) -> Stream {
        Stream { end_slot: u64::MAX, end_ns: u64::MAX, close: None, ..self }
    }

    /// What is due next; none when nothing is left.
    // Not an `Iterator`, since a step is filled through the stream itself.
    #[expect(clippy::should_implement_trait)]
    #[inline(always)]
    pub fn next(&mut self) -> Option<Step> {
        let step = self.next_until_end();
        if step.is_none() { self.next_closing() } else { step }
    }

    /// What is due next before the end of the run; none after it. Then [`Stream::next`] yields the
    /// records that close windows.
    #[inline(always)]
    pub fn next_until_end(&mut self) -> Option<Step> {
        if self.slot >= self.generator.slots().len()
            && let Some(announcement) = self.next_reading()
        {
            return Some(Step::Announcement(announcement));
        }
        self.next_slot()
    }

    /// The next of the announcements at the start of the stream; none when all have come.
    pub fn next_opening(&mut self) -> Option<Announcement> {
        if self.opening >= self.opening_end {
            return None;
        }
        let at = self.opening;
        self.opening += 1;
        Some(Announcement { at, timestamp_ms: self.generator.start_ms() })
    }

    /// Takes back the slot that [`Stream::next`] yielded last: it yields the slot again.
    pub fn unread(&mut self, slot: &Slot) {
        self.slot = slot.index;
    }

    /// Whether every step of the last reading has been yielded, or no reading has come yet.
    #[inline]
    pub fn is_between_readings(&self) -> bool {
        self.slot >= self.generator.slots().len() && self.reannouncement.is_none()
    }

    /// What ended the stream; none before its end. Records that close windows come after it.
    pub fn end(&self) -> Option<End> {
        self.end
    }

    /// Fills the slot that came last and passes its record to `take`: none if the slot is silent.
    #[inline]
    pub fn fill<T>(&mut self, slot: &Slot, take: impl FnOnce(Option<KeyedRecord<'_>>) -> T) -> T {
        match &self.reading {
            Some(reading) => self.generator.fill(reading, slot.kind, slot.timestamp_ms, take),
            None => take(None),
        }
    }

    /// [`Stream::fill`], but `take` returns whether it took the record. A state change that it did not
    /// take waits for the machine's next event slot.
    ///
    /// # Errors
    /// Those of `take`; the record was not taken.
    #[inline]
    pub fn offer<E>(
        &mut self,
        slot: &Slot,
        take: impl FnOnce(Option<KeyedRecord<'_>>) -> Result<bool, E>,
    ) -> Result<bool, E> {
        match &self.reading {
            Some(reading) => self.generator.offer(reading, slot.kind, slot.timestamp_ms, take),
            None => take(None),
        }
    }

    /// Makes the record of an announcement and passes it to `take`.
    pub fn announce<T>(
        &self,
        announcement: &Announcement,
        take: impl FnOnce(KeyedRecord<'_>) -> T,
    ) -> T {
        self.generator.announce(announcement.at, announcement.timestamp_ms, take)
    }

    /// Makes the record of the closing step that came last, and passes it to `take`: none if it carries
    /// a reading but no closing step came.
    pub fn close<T>(
        &self,
        closing: &Closing,
        take: impl FnOnce(Option<KeyedRecord<'_>>) -> T,
    ) -> T {
        let reading = self.close.as_ref().and_then(|close| close.reading.as_ref());
        self.generator.close(closing, reading, take)
    }

    /// Makes the record of a step and passes it to `take`: none if its slot is silent.
    pub fn record<T>(&mut self, step: &Step, take: impl FnOnce(Option<KeyedRecord<'_>>) -> T) -> T {
        match step {
            Step::Announcement(announcement) => {
                self.announce(announcement, |keyed| take(Some(keyed)))
            }
            Step::Slot(slot) => self.fill(slot, take),
            Step::Closing(closing) => self.close(closing, take),
        }
    }

    /// Takes the oldest change of an incident that the machine at a place in the share has queued, and
    /// passes it to `take` with its kind; `None` if none is queued.
    pub fn next_incident<T>(
        &mut self,
        at: usize,
        take: impl FnOnce(IncidentKind, &IncidentRecord<&str>) -> T,
    ) -> Option<T> {
        self.generator.next_incident(at, take)
    }

    /// How many machines the share has.
    pub fn machines(&self) -> usize {
        self.generator.machines()
    }

    /// The name of the machine at a place in the share.
    pub fn machine_id(&self, at: usize) -> &str {
        self.generator.machine_id(at)
    }

    /// The slots of each reading.
    pub fn slots(&self) -> Slots {
        self.generator.slots()
    }

    /// The run's schedule.
    pub fn schedule(&self) -> &Schedule {
        self.generator.schedule()
    }

    /// The state changes that the machine at a place in the share has queued, the oldest first.
    pub fn queued_events(&self, at: usize) -> impl Iterator<Item = &Event> {
        self.generator.queued_events(at)
    }

    // Inlined, so that a step stays in registers.
    #[inline(always)]
    fn next_slot(&mut self) -> Option<Step> {
        let reading = self.reading.as_ref()?;
        let index = self.slot;
        let kind = *self.generator.slots().kinds().get(index)?;
        let number = self.generator.slot_number(reading, index);
        if number >= self.end_slot {
            self.end = Some(End::Slots);
            return None;
        }
        let time = self.generator.time(reading, index);
        if time.intended_ns.is_some_and(|due| due >= self.end_ns) {
            self.end = Some(End::Time);
            return None;
        }
        self.slot += 1;
        Some(Step::Slot(Slot {
            number,
            round: reading.round(),
            at: reading.at(),
            index,
            kind,
            due_ns: time.intended_ns,
            timestamp_ms: time.timestamp_ms,
            reading_ms: reading.timestamp_ms(),
        }))
    }

    /// Takes the next reading, unless an announcement comes first.
    fn next_reading(&mut self) -> Option<Announcement> {
        if let Some(announcement) = self.reannouncement.take().or_else(|| self.next_opening()) {
            return Some(announcement);
        }
        if self.generator.machines() == 0 || self.generator.slots().is_empty() {
            self.end = Some(End::Slots);
            return None;
        }
        let (round, at) = (self.round, self.at);
        // Records that close windows carry the machine's next reading. So no reading may be taken whose
        // slots are all after the end: how many would be taken depends on the share.
        if self.close.is_some()
            && let Some(end) = self.end_before(round, at)
        {
            self.end = Some(end);
            return None;
        }
        self.reading = Some(self.generator.read(round, at));
        self.slot = 0;
        self.reannouncement = self
            .generator
            .reannounced_at(round, at)
            .map(|timestamp_ms| Announcement { at, timestamp_ms });
        self.at += 1;
        if self.at == self.generator.machines() {
            self.at = 0;
            self.round += 1;
        }
        None
    }

    /// What ends the stream before the reading of machine `at` in `round`, if anything does.
    fn end_before(&self, round: u64, at: usize) -> Option<End> {
        if self.generator.first_slot(round, at) >= self.end_slot {
            return Some(End::Slots);
        }
        let due_ns = self.generator.slot_time(round, at, 0).intended_ns;
        due_ns.is_some_and(|due| due >= self.end_ns).then_some(End::Time)
    }

    /// The next record that closes windows. Takes the reading that it carries.
    #[cold]
    #[inline(never)]
    fn next_closing(&mut self) -> Option<Step> {
        self.end?;
        let Stream { generator, close, round, at, .. } = self;
        let close = close.as_deref_mut()?;
        if close.closings.is_empty() {
            // Machines before `at` have had the reading of `round`.
            let next = |place: usize| *round + u64::from(place < *at);
            let closing = |(place, closer): &(usize, Closer)| {
                generator.closing(*place, closer, next(*place), close.timestamp_ms)
            };
            close.closings = close.closers.iter().map(closing).collect();
            close.closings.sort_by_key(|closing| (next(closing.at), closing.at));
        }
        let closing = *close.closings.get(close.next)?;
        close.next += 1;
        if let Carries::Reading { round } = closing.carries
            && close.reading.is_none_or(|reading| reading.at() != closing.at)
        {
            let reading = generator.read_after_end(round, closing.at, closing.timestamp_ms);
            close.reading = Some(reading);
        }
        Some(Step::Closing(closing))
    }
}

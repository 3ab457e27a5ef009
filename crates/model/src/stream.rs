//! The stream: what is due of a share of the fleet, in order. A run sends it, `verify` regenerates it, a
//! preview draws it.
//!
//! Machines are announced first. Then rounds follow one another: in each round every machine has one
//! reading, and each reading has the same [`Slots`]. A slot may stay silent: the machine is down, or
//! has nothing to say. Behind the end come the records that close the run's windows, where it closes
//! them.
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

use crate::closing::{Carries, Closer, Closing};
use crate::fleet::Share;
use crate::generator::Generator;
use crate::manifest::Manifest;
use crate::record::{IncidentRecord, Topic, TopicSet};
use crate::schedule::{Schedule, SlotKind, Slots};
use crate::simulation::events::Event;
use crate::simulation::incidents::IncidentKind;

pub use crate::generator::KeyedRecord;

use crate::generator::Reading;

/// What is due of one share of a run's fleet, in order.
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
    /// The announcement that follows that reading.
    again: Option<Announcement>,
    /// The reading after that one.
    round: u64,
    at: usize,
    end_slot: u64,
    end_ns: u64,
    end: Option<End>,
    /// What closes the run's windows after its end; none where nothing does.
    close: Option<Box<Close>>,
}

/// What of a share closes the run's windows.
#[derive(Debug)]
struct Close {
    timestamp_ms: i64,
    /// The keys, with the places of their machines.
    closers: Vec<(usize, Closer)>,
    /// Their records, in order; empty before the end.
    closings: Vec<Closing>,
    next: usize,
    /// The reading that the last of them is of.
    reading: Option<Reading>,
}

/// What is due next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// A machine is announced. Announcements belong to no slot and are not paced.
    Announcement(Announcement),
    /// A slot of a reading is due.
    Slot(Slot),
    /// The run has ended, and a record closes windows. It belongs to no slot and is not paced, and comes
    /// when all parts of the run have ended.
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
    /// The instant of its reading, in milliseconds since the epoch: the timestamp of its first slot.
    pub reading_ms: i64,
}

/// What ended a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Its slots are over, or it has none.
    Slots,
    /// Its time is over.
    Time,
}

impl Stream {
    /// The stream of `share` of the run that `manifest` describes.
    pub fn new(manifest: &Manifest, share: Share) -> Stream {
        Stream::from_generator(manifest, Generator::new(manifest, share))
    }

    /// The stream for a reader of the topics in `wanted` alone. It fills no slot that carries none of
    /// them. Its steps and those topics' records are the same.
    pub fn of_topics(manifest: &Manifest, share: Share, wanted: TopicSet) -> Stream {
        Stream::from_generator(manifest, Generator::of_topics(manifest, share, wanted))
    }

    /// The stream for a reader of incidents alone, by [`Stream::next_incident`], whether their topic is
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
            again: None,
            round: 0,
            at: 0,
            end_slot: manifest.end_slot().unwrap_or(u64::MAX),
            end_ns: manifest.end_ns().unwrap_or(u64::MAX),
            end: None,
            generator,
        }
    }

    /// The stream without the end that its manifest gives it, and what comes after that.
    pub fn without_end(self) -> Stream {
        Stream { end_slot: u64::MAX, end_ns: u64::MAX, close: None, ..self }
    }

    /// What is due next; none when all is over.
    // Not an `Iterator`, since a step is filled through the stream itself.
    #[expect(clippy::should_implement_trait)]
    #[inline(always)]
    pub fn next(&mut self) -> Option<Step> {
        let step = self.next_until_end();
        if step.is_none() { self.next_closing() } else { step }
    }

    /// What is due next up to the end of the run; none from there on, where [`Stream::next`] goes on with
    /// what closes windows.
    #[inline(always)]
    pub fn next_until_end(&mut self) -> Option<Step> {
        if self.slot >= self.generator.slots().len()
            && let Some(announcement) = self.between()
        {
            return Some(Step::Announcement(announcement));
        }
        self.next_slot()
    }

    /// The next of the announcements with which the stream begins; none when all were made.
    pub fn next_opening(&mut self) -> Option<Announcement> {
        if self.opening >= self.opening_end {
            return None;
        }
        let at = self.opening;
        self.opening += 1;
        Some(Announcement { at, timestamp_ms: self.generator.start_ms() })
    }

    /// Lets [`Stream::next`] yield the slot again that it yielded last.
    pub fn unread(&mut self, slot: &Slot) {
        self.slot = slot.index;
    }

    /// Whether every step of the reading was yielded that came last, or none has come yet.
    #[inline]
    pub fn is_between_readings(&self) -> bool {
        self.slot >= self.generator.slots().len() && self.again.is_none()
    }

    /// What ended the stream; none before its end. What closes windows comes after it.
    pub fn end(&self) -> Option<End> {
        self.end
    }

    /// Fills the slot that came last and hands its record to `take`: none where the slot is silent.
    #[inline]
    pub fn fill<T>(&mut self, slot: &Slot, take: impl FnOnce(Option<KeyedRecord<'_>>) -> T) -> T {
        match &self.reading {
            Some(reading) => self.generator.fill(reading, slot.kind, slot.timestamp_ms, take),
            None => take(None),
        }
    }

    /// [`Stream::fill`], where `take` says whether it took the record: a state change that it did not
    /// take waits for the machine's next event slot.
    ///
    /// # Errors
    /// Those of `take`, which did not take the record.
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

    /// Makes the record of an announcement and hands it to `take`.
    pub fn announce<T>(
        &self,
        announcement: &Announcement,
        take: impl FnOnce(KeyedRecord<'_>) -> T,
    ) -> T {
        self.generator.announce(announcement.at, announcement.timestamp_ms, take)
    }

    /// Makes the record that closes windows and came last, and hands it to `take`; none where no such
    /// record came.
    pub fn close<T>(
        &self,
        closing: &Closing,
        take: impl FnOnce(Option<KeyedRecord<'_>>) -> T,
    ) -> T {
        let reading = self.close.as_ref().and_then(|close| close.reading.as_ref());
        self.generator.close(closing, reading, take)
    }

    /// Makes the record of a step and hands it to `take`: none where its slot is silent.
    pub fn record<T>(&mut self, step: &Step, take: impl FnOnce(Option<KeyedRecord<'_>>) -> T) -> T {
        match step {
            Step::Announcement(announcement) => {
                self.announce(announcement, |keyed| take(Some(keyed)))
            }
            Step::Slot(slot) => self.fill(slot, take),
            Step::Closing(closing) => self.close(closing, take),
        }
    }

    /// Takes the incident's change that waits longest on the machine at a place in the share, and hands
    /// it to `take` with its kind; `None` if none waits.
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

    /// The state changes that wait on the machine at a place in the share, the oldest first.
    pub fn waiting(&self, at: usize) -> impl Iterator<Item = &Event> {
        self.generator.waiting(at)
    }

    // In its caller, a step never becomes memory.
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

    /// What follows the last slot of a reading: an announcement, or the next reading.
    fn between(&mut self) -> Option<Announcement> {
        if let Some(announcement) = self.again.take().or_else(|| self.next_opening()) {
            return Some(announcement);
        }
        if self.generator.machines() == 0 || self.generator.slots().is_empty() {
            self.end = Some(End::Slots);
            return None;
        }
        let (round, at) = (self.round, self.at);
        // What closes windows is of the reading that comes next, so that none may be taken whose slots
        // are after the end: how many that were would depend on the share.
        if self.close.is_some()
            && let Some(end) = self.end_before(round, at)
        {
            self.end = Some(end);
            return None;
        }
        self.reading = Some(self.generator.read(round, at));
        self.slot = 0;
        self.again = self
            .generator
            .announced_again(round, at)
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

    /// The next record that closes windows, and takes the reading that it is of.
    #[cold]
    #[inline(never)]
    fn next_closing(&mut self) -> Option<Step> {
        self.end?;
        let Stream { generator, close, round, at, .. } = self;
        let close = close.as_deref_mut()?;
        if close.closings.is_empty() {
            // Machines before the next to read have had that round's reading.
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

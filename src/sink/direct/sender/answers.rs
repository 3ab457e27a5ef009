//! What brokers answer: outcomes of batches, a producer id, and what is known of logs.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;

use super::Sender;
use crate::sink::direct::batch::{Batch, UNPACED};
use crate::sink::direct::broker::Content;
use crate::sink::direct::connection::ConnectionId;
use crate::sink::direct::outcome::{self, Outcome, ProducerIdOutcome};
use crate::sink::direct::partition::{Question, Settled};
use crate::sink::direct::search;
use crate::sink::direct::wire::{self, Answer, BatchAnswer, LogAnswer, OffsetAnswer};
use crate::sink::kafka::error_kind;

const OFFSET_OUT_OF_RANGE: i16 = 1;
const TOPIC_AUTHORIZATION_FAILED: i16 = 29;

impl Sender {
    /// Takes an answer.
    ///
    /// # Errors
    /// Why the connection is of no more use.
    pub(super) fn answered(&mut self, id: ConnectionId, answer: Bytes) -> Result<(), String> {
        let broker = self.brokers.get_mut(&id.broker).filter(|b| b.nth == id.nth);
        let Some((broker, versions)) = broker.and_then(|b| {
            let versions = b.connection.as_ref()?.versions;
            Some((b, versions))
        }) else {
            return Ok(());
        };
        let expected = broker.requests.front().map(|request| request.correlation);
        if expected.is_none() || wire::correlation(&answer) != expected {
            return Err("it answered what it was not asked".to_owned());
        }
        let Some(request) = broker.requests.pop_front() else { return Ok(()) };
        let throttled = match request.content {
            Content::ProducerId => {
                match versions.producer(answer)? {
                    Ok(producer) => self.producer = Some(producer),
                    Err(code) => self.no_producer_id(code),
                }
                Duration::ZERO
            }
            Content::Batches(batches) => match versions.told_batches(answer) {
                Ok(said) => self.take_outcomes(&batches, said),
                Err(problem) => {
                    self.settle_all(&batches, Outcome::Unknown);
                    return Err(problem);
                }
            },
            Content::Offsets(asked) => match versions.told_offsets(answer) {
                Ok(said) => self.take_offsets(&asked, said),
                Err(problem) => {
                    self.unanswered(asked.iter().map(|(partition, _)| *partition));
                    return Err(problem);
                }
            },
            Content::Logs(asked) => match versions.told_logs(answer) {
                Ok(said) => self.take_logs(&asked, said),
                Err(problem) => {
                    self.unanswered(asked.into_iter());
                    return Err(problem);
                }
            },
        };
        if !throttled.is_zero() {
            self.throttle(id.broker, throttled);
        }
        Ok(())
    }

    fn no_producer_id(&mut self, code: i16) {
        tracing::debug!("no producer id: {}", error_kind(code));
        self.ask_at_ns = self.retry_ns();
        if outcome::of_producer_id(code) == ProducerIdOutcome::Refused {
            let problem = format!("no broker gives it a producer id: {}", error_kind(code));
            match self.ready.take() {
                Some(ready) => {
                    let _nobody_waits = ready.send(Err(error_kind(code)));
                }
                None => *self.shared.fatal.lock() = Some(problem),
            }
        }
    }

    /// Takes the outcomes of the batches of one request.
    fn take_outcomes(&mut self, batches: &[(usize, u64)], said: Answer<BatchAnswer>) -> Duration {
        let throttled = said.throttled;
        let said = self.by_partition(said);
        let mut refresh = false;
        for &(partition, number) in batches {
            let (code, outcome) = match said.get(&partition) {
                Some(batch) => {
                    let idempotent = self.settings.idempotent;
                    (batch.code, outcome::of_batch(batch.code, batch.base_offset, idempotent))
                }
                None => (0, Outcome::Unknown),
            };
            refresh |= outcome == Outcome::Unknown;
            if code != 0 {
                let place = self.metadata.at(partition);
                let kind = error_kind(code);
                tracing::debug!("{}-{}: {kind}: {outcome:?}", place.name, place.index);
            }
            self.settle(partition, number, outcome, code);
        }
        if refresh {
            self.metadata.refresh(self.shared.now_ns());
        }
        throttled
    }

    /// Takes where logs begin or end.
    fn take_offsets(
        &mut self,
        asked: &[(usize, Question)],
        said: Answer<OffsetAnswer>,
    ) -> Duration {
        let throttled = said.throttled;
        let said = self.by_partition(said);
        for &(partition, question) in asked {
            let stored = match said.get(&partition) {
                Some(told) if told.code == 0 && question == Question::Start => {
                    self.partitions[partition].take_start(told.offset)
                }
                Some(told) if told.code == 0 => self.partitions[partition].take_end(told.offset),
                other => {
                    self.no_answer(partition, other.map(|told| told.code));
                    continue;
                }
            };
            self.count_stored(stored);
        }
        throttled
    }

    /// Takes what stands in logs.
    fn take_logs(&mut self, asked: &[usize], said: Answer<LogAnswer>) -> Duration {
        let throttled = said.throttled;
        let mut said = self.by_partition(said);
        let retry_ns = self.retry_ns();
        for &partition in asked {
            match said.remove(&partition) {
                Some(log) if log.code == 0 => {
                    let batches = search::batches(log.records);
                    let stored = self.partitions[partition].take_batches(batches, retry_ns);
                    self.count_stored(stored);
                }
                Some(log) if log.code == OFFSET_OUT_OF_RANGE => {
                    self.partitions[partition].out_of_range();
                }
                Some(log) if log.code == TOPIC_AUTHORIZATION_FAILED => self.unseen(partition),
                other => self.no_answer(partition, other.map(|log| log.code)),
            }
        }
        throttled
    }

    /// Goes on without a look into the log, which this user may not read.
    fn unseen(&mut self, partition: usize) {
        let name = self.metadata.at(partition).name.clone();
        self.partitions[partition].resolve_unseen();
        if self.unreadable.insert(name.clone()) {
            tracing::warn!(
                "batches of topic `{name}` may have been stored, and this user may not READ it to \
                 see: they are sent again, and may stand twice where the broker has forgotten this \
                 producer. Give the user READ on the topic"
            );
        }
    }

    fn no_answer(&mut self, partition: usize, code: Option<i16>) {
        let place = self.metadata.at(partition);
        let kind = code.map_or_else(|| "no answer".to_owned(), error_kind);
        tracing::debug!("the log of {}-{}: {kind}", place.name, place.index);
        let retry_ns = self.retry_ns();
        self.partitions[partition].unanswered(retry_ns);
        self.metadata.refresh(self.shared.now_ns());
    }

    /// Notes that questions about the logs of partitions have no answer.
    pub(super) fn unanswered(&mut self, partitions: impl Iterator<Item = usize>) {
        let retry_ns = self.retry_ns();
        partitions.for_each(|partition| self.partitions[partition].unanswered(retry_ns));
    }

    /// What an answer says, by the partition's number.
    fn by_partition<T>(&self, answer: Answer<T>) -> BTreeMap<usize, T> {
        let said = answer.partitions.into_iter();
        // Looked up a batch, not a record.
        said.filter_map(|(name, index, said)| Some((self.metadata.number(&name, index)?, said)))
            .collect()
    }

    /// Gives batches of one request their outcome.
    pub(super) fn settle_all(&mut self, batches: &[(usize, u64)], outcome: Outcome) {
        for &(partition, number) in batches {
            self.settle(partition, number, outcome, 0);
        }
    }

    fn settle(&mut self, partition: usize, number: u64, outcome: Outcome, code: i16) {
        let retry_ns = self.retry_ns();
        match self.partitions[partition].settle(number, outcome, retry_ns) {
            Some(Settled::Stored(batch)) => self.count(batch, None),
            Some(Settled::GivenUp(batch)) => self.count(batch, Some(&error_kind(code))),
            None => {}
        }
    }

    fn count_stored(&mut self, batches: Vec<Batch>) {
        for batch in batches {
            self.count(batch, None);
        }
    }

    /// Counts the records of a batch as acknowledged, or as given up for an error of a kind.
    pub(super) fn count(&mut self, batch: Batch, error: Option<&str>) {
        let topic = self.metadata.at(batch.partition).topic;
        let now_ns = self.shared.now_ns();
        let mut tally = self.shared.tally.counting();
        match error {
            None => {
                for note in &batch.notes {
                    let enqueued = Duration::from_nanos(now_ns.saturating_sub(note.enqueued_ns));
                    let intended = (note.intended_ns != UNPACED).then_some(note.intended_ns);
                    tally.acknowledge(topic, note.bytes as usize, enqueued, intended);
                }
            }
            Some(kind) => batch.notes.iter().for_each(|_| tally.fail(topic, kind)),
        }
        drop(tally);
        self.shared.give_back(batch);
    }

    /// Notes that a broker holds its connection back.
    fn throttle(&mut self, id: i32, pause: Duration) {
        let now_ns = self.shared.now_ns();
        if let Some(broker) = self.brokers.get_mut(&id) {
            broker.throttle(pause, now_ns);
        }
        self.shared.throttled.add(pause);
    }
}

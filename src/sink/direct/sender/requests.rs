//! What the sender asks of the brokers: to store batches, for a producer id, and about logs.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use bytes::{Bytes, BytesMut};

use super::Sender;
use crate::sink::direct::broker::{Broker, Content, Request};
use crate::sink::direct::partition::Question;
use crate::sink::direct::wire::{ByTopic, LogEnd, Versions};

/// The most bytes of batches in a request, beyond its first; brokers take a hundred times as much.
const REQUEST_BYTES: usize = 1 << 20;

impl Sender {
    /// Sends what may be sent.
    pub(super) fn dispatch(&mut self) {
        let now_ns = self.shared.now_ns();
        let mut brokers = std::mem::take(&mut self.brokers);
        if self.settings.idempotent {
            if !self.begin_sequences() {
                self.ask_producer_id(&mut brokers, now_ns);
            }
            self.ask_logs(&mut brokers, now_ns);
        }
        for (&id, broker) in &mut brokers {
            while broker.connection.is_some()
                && now_ns >= broker.throttled_until_ns
                && broker.requests.len() < self.settings.in_flight
                && self.produce(id, broker, now_ns)
            {}
        }
        self.brokers = brokers;
        for (partition, waiting) in self.partitions.iter().zip(&self.shared.waiting) {
            waiting.store(partition.waiting(), Ordering::Relaxed);
        }
    }

    /// Lets the partitions that need it begin a sequence of the producer; returns whether all could.
    fn begin_sequences(&mut self) -> bool {
        let Some(producer) = self.producer else { return false };
        let mut all = true;
        for partition in self.partitions.iter_mut().filter(|p| p.lacks_producer()) {
            all &= partition.begin(producer);
        }
        all
    }

    /// Asks a broker for a producer id, unless one is being asked.
    fn ask_producer_id(&mut self, brokers: &mut BTreeMap<i32, Broker>, now_ns: u64) {
        let asks = |request: &Request| matches!(request.content, Content::ProducerId);
        let is_asking = brokers.values().any(|broker| broker.requests.iter().any(asks));
        if is_asking || now_ns < self.ask_at_ns {
            return;
        }
        if let Some(broker) = brokers.values_mut().find(|broker| broker.connection.is_some()) {
            self.request(broker, now_ns, Content::ProducerId, |versions, frame, number, name| {
                versions.ask_producer(frame, number, name)
            });
        }
    }

    /// Asks what has to be known about the logs of partitions before more can be sent to them.
    fn ask_logs(&mut self, brokers: &mut BTreeMap<i32, Broker>, now_ns: u64) {
        for (&id, broker) in brokers.iter_mut() {
            if broker.connection.is_none() || now_ns < broker.throttled_until_ns {
                continue;
            }
            let (mut offsets, mut logs) = (Vec::new(), Vec::new());
            let (mut ends, mut froms) = (Vec::new(), Vec::new());
            for (number, partition) in self.partitions.iter_mut().enumerate() {
                if self.metadata.leader(number) != Some(id) {
                    continue;
                }
                let Some(question) = partition.question(now_ns) else { continue };
                partition.asked();
                match question {
                    Question::End => ends.push((number, LogEnd::Last)),
                    Question::Start => ends.push((number, LogEnd::First)),
                    Question::Batches { from } => {
                        logs.push(number);
                        froms.push((number, from));
                        continue;
                    }
                }
                offsets.push((number, question));
            }
            if !offsets.is_empty() {
                let topics = self.by_topic(ends);
                self.request(
                    broker,
                    now_ns,
                    Content::Offsets(offsets),
                    |versions, frame, n, name| versions.ask_offsets(frame, n, name, topics),
                );
            }
            if !logs.is_empty() {
                let topics = self.by_topic(froms);
                self.request(broker, now_ns, Content::Logs(logs), |versions, frame, n, name| {
                    versions.ask_logs(frame, n, name, topics)
                });
            }
        }
    }

    /// Sends a request of the batches that are next for `broker`; returns whether there were any.
    fn produce(&mut self, id: i32, broker: &mut Broker, now_ns: u64) -> bool {
        let late_ns = self.late_ns(now_ns);
        let count = self.partitions.len();
        let mut bytes = 0;
        let (mut batches, mut records) = (Vec::new(), Vec::new());
        for number in (broker.first..count).chain(0..broker.first) {
            let partition = &mut self.partitions[number];
            if self.metadata.leader(number) != Some(id)
                || !partition.is_ready(id, now_ns, late_ns, self.settings.in_flight)
                || (self.settings.idempotent && !partition.has_producer())
            {
                continue;
            }
            if !batches.is_empty() && bytes + partition.next_len() > REQUEST_BYTES {
                broker.first = number;
                break;
            }
            let Some(sent) = partition.send(id) else { continue };
            bytes += sent.bytes.len();
            batches.push((number, sent.number));
            records.push((number, sent.bytes));
        }
        if batches.is_empty() {
            return false;
        }
        let topics: ByTopic<Bytes> = self.by_topic(records);
        let timeout_ms = self.settings.ack_timeout.as_millis().min(i32::MAX as u128) as i32;
        let acks = self.settings.acks();
        self.request(broker, now_ns, Content::Batches(batches), |versions, frame, n, name| {
            versions.produce(frame, n, name, acks, timeout_ms, topics)
        });
        true
    }

    /// Sends a request to a broker that is connected.
    fn request(
        &self,
        broker: &mut Broker,
        now_ns: u64,
        content: Content,
        form: impl FnOnce(Versions, &mut BytesMut, i32, &str) -> Result<(), String>,
    ) {
        let correlation = broker.next_correlation();
        let Some(connection) = &broker.connection else { return };
        let mut frame = self.shared.frames.take();
        let formed = form(connection.versions, &mut frame, correlation, &self.settings.client_id);
        if let Err(problem) = formed {
            tracing::error!("a request could not be formed: {problem}");
        }
        connection.send(frame);
        broker.requests.push_back(Request { correlation, sent_ns: now_ns, content });
    }

    /// What is said of partitions, by topic, each topic once.
    fn by_topic<T>(&self, partitions: Vec<(usize, T)>) -> ByTopic<T> {
        let mut topics: ByTopic<T> = Vec::new();
        for (number, said) in partitions {
            let place = self.metadata.at(number);
            let known = match topics.last() {
                Some((name, _)) if *name == place.name => Some(topics.len() - 1),
                _ => topics.iter().position(|(name, _)| *name == place.name),
            };
            match known {
                Some(at) => topics[at].1.push((place.index, said)),
                None => topics.push((place.name.clone(), vec![(place.index, said)])),
            }
        }
        topics
    }
}

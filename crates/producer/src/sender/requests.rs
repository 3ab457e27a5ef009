//! Requests of the sender: to append batches, for a producer id, about logs.

use std::collections::BTreeMap;

use bytes::BytesMut;

use super::Sender;
use crate::broker::{Broker, InFlightBatch, InFlightRequest, OffsetQuery, RequestContent};
use crate::partition::LogQuery;
use crate::protocol::{
    OffsetSpec, PartitionRequest, ProtocolError, RequestId, TopicRequest, Versions,
};

/// The most bytes of batches in a request, after its first. Brokers accept a hundred times as much.
const MAX_REQUEST_BYTES: usize = 1 << 20;

/// A partition by its number, and its part of a request.
struct Numbered<T> {
    number: usize,
    content: T,
}

impl Sender {
    /// Sends all that may be sent now.
    pub(super) fn dispatch(&mut self) {
        let now_ns = self.shared.now_ns();
        let mut brokers = std::mem::take(&mut self.brokers);
        if self.settings.is_idempotent() {
            if !self.begin_sequences() {
                self.ask_producer_id(&mut brokers, now_ns);
            }
            self.query_logs(&mut brokers, now_ns);
        }
        for (&id, broker) in &mut brokers {
            while broker.connection.is_some()
                && now_ns >= broker.throttled_until_ns
                && broker.requests.len() < self.settings.max_in_flight
                && self.produce(id, broker, now_ns)
            {}
        }
        self.brokers = brokers;
        self.shared.set_waiting(self.partitions.iter().map(|partition| partition.waiting()));
    }

    /// Begins a sequence in the partitions that need one. Returns whether all could.
    fn begin_sequences(&mut self) -> bool {
        let Some(producer_id) = self.producer_id else { return false };
        let mut all = true;
        for partition in self.partitions.iter_mut().filter(|p| p.needs_producer_id()) {
            all &= partition.begin_sequence(producer_id);
        }
        all
    }

    /// Requests a producer id, unless a request is in flight.
    fn ask_producer_id(&mut self, brokers: &mut BTreeMap<i32, Broker>, now_ns: u64) {
        let asks =
            |request: &InFlightRequest| matches!(request.content, RequestContent::InitProducerId);
        let is_asking = brokers.values().any(|broker| broker.requests.iter().any(asks));
        if is_asking || now_ns < self.producer_id_not_before_ns {
            return;
        }
        if let Some(broker) = brokers.values_mut().find(|broker| broker.connection.is_some()) {
            let content = RequestContent::InitProducerId;
            self.request(broker, now_ns, content, |versions, frame, id| {
                versions.encode_init_producer_id(frame, id)
            });
        }
    }

    /// Sends the queries about logs that partitions need before more can be sent to them.
    fn query_logs(&mut self, brokers: &mut BTreeMap<i32, Broker>, now_ns: u64) {
        for (&id, broker) in brokers.iter_mut() {
            if broker.connection.is_none() || now_ns < broker.throttled_until_ns {
                continue;
            }
            let (mut offset_queries, mut offset_specs) = (Vec::new(), Vec::new());
            let (mut fetched, mut fetch_offsets) = (Vec::new(), Vec::new());
            for (number, partition) in self.partitions.iter_mut().enumerate() {
                if self.metadata.leader(number) != Some(id) {
                    continue;
                }
                let Some(query) = partition.log_query(now_ns) else { continue };
                partition.log_query_sent();
                let spec = match query {
                    LogQuery::EndOffset => OffsetSpec::Latest,
                    LogQuery::StartOffset => OffsetSpec::Earliest,
                    LogQuery::Batches { from } => {
                        fetched.push(number);
                        fetch_offsets.push(Numbered { number, content: from });
                        continue;
                    }
                };
                offset_queries.push(OffsetQuery { partition: number, query });
                offset_specs.push(Numbered { number, content: spec });
            }
            if !offset_queries.is_empty() {
                let topics = self.by_topic(offset_specs);
                let content = RequestContent::ListOffsets(offset_queries);
                self.request(broker, now_ns, content, |versions, frame, id| {
                    versions.encode_list_offsets(frame, id, topics)
                });
            }
            if !fetched.is_empty() {
                let topics = self.by_topic(fetch_offsets);
                let content = RequestContent::Fetch(fetched);
                self.request(broker, now_ns, content, |versions, frame, id| {
                    versions.encode_fetch(frame, id, topics)
                });
            }
        }
    }

    /// Sends the next batches for `broker`. Returns whether there were any.
    fn produce(&mut self, id: i32, broker: &mut Broker, now_ns: u64) -> bool {
        let expired_before_ns = self.expired_before_ns(now_ns);
        let (count, first) = (self.partitions.len(), broker.first_partition);
        let (idempotent, max_in_flight) =
            (self.settings.is_idempotent(), self.settings.max_in_flight);
        let mut bytes = 0;
        let (mut batches, mut records) = (Vec::new(), Vec::new());
        for number in (first..count).chain(0..first) {
            let partition = &mut self.partitions[number];
            if self.metadata.leader(number) != Some(id)
                || !partition.is_ready(id, now_ns, expired_before_ns, max_in_flight)
                || (idempotent && !partition.has_producer_id())
            {
                continue;
            }
            if !batches.is_empty() && bytes + partition.next_bytes() > MAX_REQUEST_BYTES {
                broker.first_partition = number;
                break;
            }
            let Some(sent) = partition.send(id) else { continue };
            bytes += sent.bytes.len();
            batches.push(InFlightBatch { partition: number, number: sent.number });
            records.push(Numbered { number, content: sent.bytes });
        }
        if batches.is_empty() {
            return false;
        }
        let topics = self.by_topic(records);
        let timeout_ms = self.settings.ack_timeout.as_millis().min(i32::MAX as u128) as i32;
        let acks = self.settings.acks.code();
        self.request(broker, now_ns, RequestContent::Produce(batches), |versions, frame, id| {
            versions.encode_produce(frame, id, acks, timeout_ms, topics)
        });
        true
    }

    /// Sends a request to a connected broker.
    fn request(
        &self,
        broker: &mut Broker,
        now_ns: u64,
        content: RequestContent,
        encode: impl FnOnce(Versions, &mut BytesMut, RequestId<'_>) -> Result<(), ProtocolError>,
    ) {
        let correlation = broker.next_correlation();
        let Some(connection) = &broker.connection else { return };
        let mut frame = self.shared.frame_buffers.take();
        let client_id = &self.connection_settings.client_id;
        let encoded = encode(connection.versions, &mut frame, RequestId { correlation, client_id });
        if let Err(problem) = encoded {
            tracing::error!("{problem}");
        }
        connection.send(frame);
        broker.requests.push_back(InFlightRequest { correlation, sent_ns: now_ns, content });
    }

    /// Groups the parts of a request by topic.
    fn by_topic<T>(&self, partitions: Vec<Numbered<T>>) -> Vec<TopicRequest<T>> {
        let mut topics: Vec<TopicRequest<T>> = Vec::new();
        for Numbered { number, content } in partitions {
            let of = self.metadata.partition(number);
            let partition = PartitionRequest { index: of.index, content };
            let known = match topics.last() {
                Some(last) if last.topic == of.name => Some(topics.len() - 1),
                _ => topics.iter().position(|topic| topic.topic == of.name),
            };
            match known {
                Some(at) => topics[at].partitions.push(partition),
                None => topics
                    .push(TopicRequest { topic: of.name.clone(), partitions: vec![partition] }),
            }
        }
        topics
    }
}

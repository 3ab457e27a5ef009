//! Responses: outcomes of batches, a producer id, offsets and records of logs.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;

use super::Sender;
use crate::batch::Batch;
use crate::broker::{InFlightBatch, OffsetQuery, RequestContent};
use crate::connection::ConnectionError;
use crate::error::{DeliveryError, ProducerError};
use crate::error_code::ErrorCode;
use crate::error_outcome::{self, BatchOutcome, ProducerIdOutcome};
use crate::event::ConnectionId;
use crate::log_search;
use crate::partition::{Completed, LogQuery};
use crate::protocol::{self, FetchedLog, ListedOffset, ProducedBatch, Response};

impl Sender {
    /// Handles a response.
    ///
    /// # Errors
    /// Why the connection can't be used any more.
    pub(super) fn handle_response(
        &mut self,
        id: ConnectionId,
        response: Bytes,
    ) -> Result<(), ConnectionError> {
        let Some(broker) = self.brokers.get_mut(&id.broker) else { return Ok(()) };
        let Some(versions) = broker.connection.as_ref().map(|open| open.versions) else {
            return Ok(());
        };
        let expected = broker.requests.front().map(|request| request.correlation);
        if expected.is_none() || protocol::correlation(&response) != expected {
            return Err(ConnectionError::UnexpectedResponse);
        }
        let Some(request) = broker.requests.pop_front() else { return Ok(()) };
        let throttle = match request.content {
            RequestContent::InitProducerId => {
                match versions.decode_init_producer_id(response)? {
                    Ok(producer_id) => self.producer_id = Some(producer_id),
                    Err(error) => self.no_producer_id(error),
                }
                Duration::ZERO
            }
            RequestContent::Produce(batches) => match versions.decode_produce(response) {
                Ok(response) => self.handle_produce(&batches, response),
                Err(problem) => {
                    self.complete_all(&batches, BatchOutcome::Unknown);
                    return Err(problem.into());
                }
            },
            RequestContent::ListOffsets(queries) => match versions.decode_list_offsets(response) {
                Ok(response) => self.handle_list_offsets(&queries, response),
                Err(problem) => {
                    self.log_queries_failed(queries.iter().map(|query| query.partition));
                    return Err(problem.into());
                }
            },
            RequestContent::Fetch(partitions) => match versions.decode_fetch(response) {
                Ok(response) => self.handle_fetch(&partitions, response),
                Err(problem) => {
                    self.log_queries_failed(partitions.into_iter());
                    return Err(problem.into());
                }
            },
        };
        if !throttle.is_zero() {
            self.throttle(id.broker, throttle);
        }
        Ok(())
    }

    fn no_producer_id(&mut self, error: ErrorCode) {
        tracing::debug!("no producer id: {error}");
        self.producer_id_not_before_ns = self.retry_ns();
        if error_outcome::of_producer_id(error) == ProducerIdOutcome::Refused {
            *self.shared.producer_id_refused.lock() = Some(error);
            if let Some(ready) = self.ready.take() {
                let _nobody_waits = ready.send(Err(ProducerError::NoProducerId(error)));
            }
        }
    }

    /// Handles the outcomes of the batches of one request.
    fn handle_produce(
        &mut self,
        batches: &[InFlightBatch],
        response: Response<ProducedBatch>,
    ) -> Duration {
        let throttle = response.throttle;
        let produced = self.by_partition(response);
        let mut refresh = false;
        for batch in batches {
            let (error, outcome) = match produced.get(&batch.partition) {
                Some(ProducedBatch { error: None, base_offset }) => {
                    let base_offset = (*base_offset >= 0).then_some(*base_offset);
                    (None, BatchOutcome::Appended { base_offset })
                }
                Some(ProducedBatch { error: Some(error), .. }) => {
                    let idempotent = self.settings.is_idempotent();
                    (Some(*error), error_outcome::of_batch(*error, idempotent))
                }
                None => (None, BatchOutcome::Unknown),
            };
            refresh |= outcome == BatchOutcome::Unknown;
            if let Some(error) = error {
                let partition = self.metadata.partition(batch.partition);
                tracing::debug!("{}-{}: {error}: {outcome:?}", partition.name, partition.index);
            }
            self.complete(*batch, outcome, error);
        }
        if refresh {
            self.refresh_metadata();
        }
        throttle
    }

    /// Handles start and end offsets.
    fn handle_list_offsets(
        &mut self,
        queries: &[OffsetQuery],
        response: Response<ListedOffset>,
    ) -> Duration {
        let throttle = response.throttle;
        let listed = self.by_partition(response);
        for &OffsetQuery { partition, query } in queries {
            let stored = match listed.get(&partition) {
                Some(ListedOffset { error: None, offset }) if query == LogQuery::StartOffset => {
                    self.partitions[partition].on_start_offset(*offset)
                }
                Some(ListedOffset { error: None, offset }) => {
                    self.partitions[partition].on_end_offset(*offset)
                }
                other => {
                    self.log_query_refused(partition, other.and_then(|listed| listed.error));
                    continue;
                }
            };
            self.report_stored(stored);
        }
        throttle
    }

    /// Handles fetched records.
    fn handle_fetch(&mut self, partitions: &[usize], response: Response<FetchedLog>) -> Duration {
        let throttle = response.throttle;
        let mut fetched = self.by_partition(response);
        let retry_ns = self.retry_ns();
        for &partition in partitions {
            match fetched.remove(&partition) {
                Some(FetchedLog { error: None, records }) => {
                    let batches = log_search::batches(records);
                    let stored = self.partitions[partition].on_batches(batches, retry_ns);
                    self.report_stored(stored);
                }
                Some(FetchedLog { error: Some(ErrorCode::OffsetOutOfRange), .. }) => {
                    self.partitions[partition].on_offset_out_of_range();
                }
                Some(FetchedLog { error: Some(ErrorCode::TopicAuthorizationFailed), .. }) => {
                    self.skip_search(partition);
                }
                other => self.log_query_refused(partition, other.and_then(|log| log.error)),
            }
        }
        throttle
    }

    /// Goes on without a search of the log, which this user may not READ.
    fn skip_search(&mut self, partition: usize) {
        let topic = self.metadata.partition(partition).name.clone();
        self.partitions[partition].skip_search();
        if self.unreadable_topics.insert(topic.clone()) {
            tracing::warn!(
                "batches of topic `{topic}` are in doubt, and this user may not READ the topic to \
                 look for them: they are sent again, and are duplicated if the broker has forgotten \
                 this producer; give the user READ on the topic"
            );
        }
    }

    fn log_query_refused(&mut self, partition: usize, error: Option<ErrorCode>) {
        let of = self.metadata.partition(partition);
        let kind = error.map_or_else(|| "no answer".to_owned(), |error| error.to_string());
        tracing::debug!("the log of {}-{}: {kind}", of.name, of.index);
        self.log_queries_failed([partition].into_iter());
        self.refresh_metadata();
    }

    /// Notes that queries about the logs of partitions failed.
    pub(super) fn log_queries_failed(&mut self, partitions: impl Iterator<Item = usize>) {
        let retry_ns = self.retry_ns();
        partitions.for_each(|partition| self.partitions[partition].log_query_failed(retry_ns));
    }

    /// The parts of a response, by the partition's number.
    fn by_partition<T>(&self, response: Response<T>) -> BTreeMap<usize, T> {
        let partitions = response.partitions.into_iter();
        // One lookup per batch, not per record.
        let numbered = partitions.filter_map(|partition| {
            Some((self.metadata.number(&partition.topic, partition.index)?, partition.content))
        });
        numbered.collect()
    }

    /// Gives all batches of one request the same outcome.
    pub(super) fn complete_all(&mut self, batches: &[InFlightBatch], outcome: BatchOutcome) {
        for batch in batches {
            self.complete(*batch, outcome, None);
        }
    }

    fn complete(&mut self, batch: InFlightBatch, outcome: BatchOutcome, error: Option<ErrorCode>) {
        let retry_ns = self.retry_ns();
        match self.partitions[batch.partition].complete(batch.number, outcome, retry_ns) {
            Some(Completed::Acknowledged(batch)) => self.report(batch, None),
            Some(Completed::Failed(batch)) => {
                // No batch fails without a code.
                let code = error.unwrap_or(ErrorCode::UnknownServerError);
                self.report(batch, Some(DeliveryError::Broker(code)));
            }
            None => {}
        }
    }

    fn report_stored(&self, batches: Vec<Batch>) {
        for batch in batches {
            self.report(batch, None);
        }
    }

    /// Notes that a broker throttles its connection.
    fn throttle(&mut self, id: i32, pause: Duration) {
        let now_ns = self.shared.now_ns();
        if let Some(broker) = self.brokers.get_mut(&id) {
            broker.throttle(pause, now_ns);
        }
        self.shared.reports.throttled(pause);
    }
}

//! Metadata, and connections to brokers.

use std::rc::Rc;
use std::sync::Arc;

use super::Sender;
use crate::address::ServerAddress;
use crate::broker::RequestContent;
use crate::connection::{self, ConnectionError, ConnectionEvent, ConnectionOptions};
use crate::error::BrokerDisconnected;
use crate::error_outcome::BatchOutcome;
use crate::event::{ConnectionId, Event};
use crate::metadata::{BrokerAddress, ClusterMetadata};
use crate::settings::Acks;

impl Sender {
    /// Requests metadata, unless a request is in flight or just was. The response comes as an event.
    pub(super) fn refresh_metadata(&mut self) {
        if !self.metadata.begin_refresh(self.shared.now_ns()) {
            return;
        }
        let known: Vec<ServerAddress> =
            self.brokers.values().map(|broker| broker.address.clone()).collect();
        let (answer, events) = (self.metadata_client.fetch(&known), self.events.clone());
        tokio::task::spawn_local(async move {
            let _nobody_listens = events.send(Event::Metadata(answer.await));
        });
    }

    /// Takes metadata, or why the request failed.
    pub(super) fn update_metadata(&mut self, answer: Result<ClusterMetadata, BrokerDisconnected>) {
        let now_ns = self.shared.now_ns();
        match answer {
            Ok(cluster) => {
                self.metadata.update(Some(&cluster), now_ns);
                self.update_brokers(cluster.brokers);
            }
            Err(failure) => {
                self.metadata.update(None, now_ns);
                self.note_failure(failure);
            }
        }
    }

    /// Takes the brokers and their addresses.
    fn update_brokers(&mut self, brokers: Vec<BrokerAddress>) {
        let is_alive = |id: i32| brokers.iter().any(|broker| broker.id == id);
        self.brokers.retain(|id, broker| !broker.is_idle() || is_alive(*id));
        for BrokerAddress { id, address } in brokers {
            let broker = self.brokers.entry(id).or_default();
            if broker.address == address {
                continue;
            }
            if !broker.is_idle() {
                let connection = ConnectionId { broker: id, attempt: broker.attempt };
                self.close(connection, ConnectionError::AddressChanged);
            }
            if let Some(broker) = self.brokers.get_mut(&id) {
                broker.address = address;
                (broker.connect_at_ns, broker.failures) = (0, 0);
            }
        }
    }

    /// Connects to the brokers that are needed.
    pub(super) fn connect(&mut self) {
        let now_ns = self.shared.now_ns();
        let mut numbered = self.partitions.iter().enumerate();
        let leaderless =
            numbered.any(|(number, p)| !p.is_empty() && self.metadata.leader(number).is_none());
        if leaderless || self.metadata.is_old(now_ns) {
            self.refresh_metadata();
        }
        let any_will_do = self.needs_producer_id();
        for (&id, broker) in &mut self.brokers {
            let needed = any_will_do || self.metadata.is_leader(id);
            if !needed || !broker.is_idle() || now_ns < broker.connect_at_ns {
                continue;
            }
            self.connection_attempts += 1;
            (broker.connecting, broker.attempt) = (true, self.connection_attempts);
            let connection = ConnectionId { broker: id, attempt: broker.attempt };
            let events = self.events.clone();
            tokio::task::spawn_local(connection::open(
                broker.address.clone(),
                Rc::clone(&self.connection_settings),
                ConnectionOptions {
                    unanswered: self.settings.acks == Acks::None,
                    frame_buffers: Arc::clone(&self.shared.frame_buffers),
                },
                move |event| events.send(Event::Connection(connection, event)).is_ok(),
            ));
        }
    }

    /// Handles an event of a connection.
    pub(super) fn handle_connection(&mut self, id: ConnectionId, event: ConnectionEvent) {
        let Some(broker) = self.brokers.get_mut(&id.broker).filter(|b| b.attempt == id.attempt)
        else {
            return;
        };
        match event {
            ConnectionEvent::Opened(connection) if broker.connecting => {
                (broker.connecting, broker.failures) = (false, 0);
                broker.connection = Some(connection);
            }
            ConnectionEvent::Opened(_) => {}
            ConnectionEvent::Closed(cause) => self.close(id, cause),
            ConnectionEvent::Response(response) => {
                if let Err(cause) = self.handle_response(id, response) {
                    self.close(id, cause);
                }
            }
            ConnectionEvent::Written => {
                if let Some(request) = broker.requests.pop_front()
                    && let RequestContent::Produce(batches) = request.content
                {
                    self.complete_all(&batches, BatchOutcome::Appended { base_offset: None });
                }
            }
        }
    }

    /// Closes a connection, or takes that it closed. The outcome of its requests in flight is unknown.
    pub(super) fn close(&mut self, id: ConnectionId, cause: ConnectionError) {
        let now_ns = self.shared.now_ns();
        let broker = self.brokers.get_mut(&id.broker).filter(|b| b.attempt == id.attempt);
        let Some(broker) = broker.filter(|broker| !broker.is_idle()) else { return };
        let ServerAddress { host, port } = broker.address.clone();
        (broker.connection, broker.connecting) = (None, false);
        let backoff = self.settings.reconnect_backoff_after(broker.failures);
        broker.failures += 1;
        broker.connect_at_ns = now_ns + backoff.as_nanos() as u64;
        let requests = std::mem::take(&mut broker.requests);
        let failure = BrokerDisconnected { host, port, cause };
        tracing::debug!("{failure}");
        self.note_failure(failure);
        for request in requests {
            match request.content {
                RequestContent::Produce(batches) => {
                    self.complete_all(&batches, BatchOutcome::Unknown);
                }
                RequestContent::ListOffsets(queries) => {
                    self.log_queries_failed(queries.iter().map(|query| query.partition));
                }
                RequestContent::Fetch(partitions) => {
                    self.log_queries_failed(partitions.into_iter());
                }
                RequestContent::InitProducerId => {}
            }
        }
        self.refresh_metadata();
    }

    /// Keeps why a broker was not reached, for a caller that waits until the producer is ready.
    fn note_failure(&self, failure: BrokerDisconnected) {
        if self.ready.is_some() {
            *self.shared.last_failure.lock() = Some(failure);
        }
    }
}

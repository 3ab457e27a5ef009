//! The direct Kafka producer. Knows topics, partitions, records, acknowledgements; no fleets.
//!
//! It is made for load: the threads that make records write them straight into record batches, and one
//! thread owns everything from there on. Nothing is allocated, locked or looked up for a record; that is
//! done for a batch. Records name their partition, since who simulates load knows it. Metadata, producer
//! ids and the connections are the crate's own, by plain TCP or TLS (feature `tls`).
//!
//! It isn't a client for everything: it has no SASL, no transactions, no headers, no partitioner, and
//! doesn't create topics. What is in memory when the process ends is lost.
//!
//! # What it guarantees
//!
//! *Order*: the records of a partition are stored in the order in which an [`Appender`] took them,
//! whatever is sent again, and whoever leads meanwhile; with [`Acks::Leader`] and [`Acks::None`] too.
//!
//! *Once*: with [`Acks::All`] and idempotence, the default, a record that is acknowledged is stored once.
//! A batch whose outcome is unknown (an answer was lost, a leader moved) is not sent again before the
//! partition's log was searched for it, since brokers forget the sequences of producers whose records are
//! old. Where this user may not read the topic the search is left out, which is logged, and such a batch
//! may stand twice if the broker had forgotten. Without idempotence a retry may duplicate records.
//!
//! *What is lost*: nothing that is acknowledged by all replicas, while one of them lives. A record is
//! given up, and reported as failed, when a broker refuses it, when its delivery timeout has passed, if
//! there is one, or when its topic was missing for 30 seconds. With [`Acks::None`] a record counts as
//! acknowledged once it is written to the network.
//!
//! # An example
//!
//! ```no_run
//! use std::sync::Arc;
//! use std::sync::atomic::{AtomicU64, Ordering};
//! use std::time::Duration;
//!
//! use fleetstorm_producer::{
//!     Codec, Delivery, DeliveryReports, DeliveryError, Producer, ProducerSettings, Record, Topic,
//! };
//!
//! #[derive(Default)]
//! struct Counts(AtomicU64);
//!
//! impl DeliveryReports for Counts {
//!     fn acknowledged(&self, batch: Delivery<'_>) {
//!         self.0.fetch_add(batch.records().len() as u64, Ordering::Relaxed);
//!     }
//!
//!     fn failed(&self, batch: Delivery<'_>, kind: DeliveryError) {
//!         eprintln!("{} records were given up: {kind}", batch.records().len());
//!     }
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let settings = ProducerSettings::new("localhost:9092").codec(Codec::Lz4);
//! let topics = [Topic::new("telemetry", 6)];
//! let counts = Arc::new(Counts::default());
//! let producer = Producer::start(settings, &topics, counts.clone())?;
//! let mut appender = producer.appender();
//! appender.send(&Record {
//!     topic: 0,
//!     partition: 3,
//!     key: b"machine-7",
//!     value: b"21.5",
//!     timestamp_ms: 1_700_000_000_000,
//!     opaque: None,
//! })?;
//! appender.close_batches()?;
//! assert_eq!(producer.flush(Duration::from_secs(10)), 0);
//! # Ok(())
//! # }
//! ```
//!
//! # Where to begin reading
//!
//! [`Producer`] starts it, [`Appender`] takes records, [`DeliveryReports`] is told of them. Inside:
//! `appender` writes open batches (`batch`); `sender` is the thread, with a file each for connections,
//! requests, responses and deadlines; `partition` keeps a partition's order and its place in the
//! sequence, and `log_search` looks for batches in doubt; `error_outcome` says what an error code means for a
//! batch; `metadata` finds leaders; `protocol` has the bytes of requests and responses.

#![deny(missing_docs)]
#![forbid(unsafe_code)]

mod address;
mod admin;
mod appender;
mod batch;
mod broker;
mod buffers;
mod codec;
mod connection;
mod error;
mod error_code;
mod error_outcome;
mod event;
mod log_search;
mod metadata;
mod note;
mod partition;
mod producer;
mod protocol;
mod report;
mod sender;
mod settings;
mod shared;
mod split;
mod tls;
mod topic;

pub use address::{AddressError, ServerAddress};
pub use admin::{AdminError, ClusterTime, Quota};
pub use appender::{Appender, Record};
pub use codec::Codec;
pub use connection::{ConnectionError, connect_any};
pub use error::{BrokerDisconnected, DeliveryError, ProducerError, SendError};
pub use error_code::ErrorCode;
pub use producer::Producer;
pub use protocol::ProtocolError;
pub use report::{DeliveredRecord, Delivery, DeliveryReports};
pub use settings::{Acks, ConnectionSettings, ProducerSettings};
pub use tls::{Tls, TlsBuilder, TlsError};
pub use topic::Topic;

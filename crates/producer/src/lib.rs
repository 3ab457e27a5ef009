//! The direct Kafka producer. It knows topics, partitions, records and acknowledgements, and no fleets.
//!
//! It is made for load. The threads that make records write them straight into record batches, and one
//! sender thread does the rest. Allocations, locks and lookups cost once per batch, not once per record.
//! Records name their partition, since a load generator knows it. The crate fetches metadata, allocates
//! producer ids and opens connections itself, over plain TCP or TLS (feature `tls`).
//!
//! It is not a general client: no SASL, no transactions, no headers, no partitioner, no topic creation.
//! Records still in memory when the process ends are lost.
//!
//! # What it guarantees
//!
//! *Order*: the records of a partition are appended in the order in which an [`Appender`] took them,
//! through retries and leader changes, also with [`Acks::Leader`] and [`Acks::None`].
//!
//! *Once*: with [`Acks::All`] and idempotence, the default, an acknowledged record is appended exactly
//! once. A batch is in doubt if its response was lost or its leader moved. Brokers forget the sequences
//! of producers whose records are old, so the producer searches the partition's log for such a batch
//! before it retries. If the user may not READ the topic, it retries without the search and logs that:
//! the batch may then be appended twice, if the broker had forgotten the producer. Without idempotence a
//! retry may duplicate records.
//!
//! *Loss*: a record that all in-sync replicas acknowledged is not lost while one of them lives. A record fails, and
//! is reported as failed, when a broker rejects it, when its delivery timeout passes, if there is one, or
//! when its topic was missing for 30 seconds. With [`Acks::None`] a record counts as acknowledged once it
//! is written to the network.
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
//!     fn failed(&self, batch: Delivery<'_>, error: DeliveryError) {
//!         eprintln!("{} records failed: {error}", batch.records().len());
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
//! [`Producer`] starts it, [`Appender`] takes records, [`DeliveryReports`] receives the outcomes. Inside:
//! `appender` writes open batches (`batch`). `sender` is the sender thread, with a file each for
//! connections, requests, responses and deadlines. `partition` keeps a partition's order and sequence,
//! and `log_search` looks for batches in doubt. `error_outcome` says what an error code means for a
//! batch. `metadata` finds leaders. `protocol` encodes requests and decodes responses.

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

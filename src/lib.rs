//! fleetstorm: a load producer for Kafka and Redpanda.
//!
//! The records are [`fleetstorm_model`]'s: a run is a pure function of its manifest. Here they are paced
//! ([`pacing`]), sent ([`sink`]) and reported ([`report`]); [`run`] puts that together. [`preview`] shows
//! a run without making it, [`verify`] proves what a run delivered, [`expect`] computes the right answers
//! of queries over it, [`check`] holds a job's output against them, [`score`] holds a detector's alarms
//! against the run's anomalies, and [`doctor`] finds out why a run would fail. [`cluster`] and [`registry`]
//! reach Kafka clusters and schema registries.

#![deny(missing_docs)]
// The files that need it say so: those of sink/kafka that call librdkafka itself.
#![deny(unsafe_code)]

pub mod chart;
pub mod check;
pub mod cli;
pub mod cluster;
pub mod consume;
pub mod doctor;
pub mod exit;
pub mod expect;
pub mod job_output;
pub mod output;
pub mod pacing;
pub mod preview;
pub mod registry;
pub mod report;
pub mod run;
pub mod score;
pub mod serve;
pub mod sink;
pub mod tls;
pub mod verify;

//! fleetstorm: a load producer for Kafka and Redpanda.
//!
//! A run is a pure function of its [`manifest`]: one simulated fleet of machines, published as
//! records to separate topics. Data flows one way through the modules: [`config`], [`fleet`],
//! [`simulation`], [`record`], [`encoding`], [`pacing`], [`sink`], [`report`]; [`generator`] joins
//! what makes records, [`run`] wires the whole; [`preview`] shows a run without making it, [`verify`] proves what one
//! delivered, [`doctor`] tells why one would fail.

#![deny(missing_docs)]
// The one file that needs it says so: sink/kafka/produce.rs.
#![deny(unsafe_code)]

pub mod cli;
pub mod config;
pub mod doctor;
pub mod encoding;
pub mod fleet;
pub mod generator;
pub mod manifest;
pub mod output;
pub mod pacing;
pub mod preview;
pub mod random;
pub mod record;
pub mod report;
pub mod run;
pub mod serve;
pub mod simulation;
pub mod sink;
pub mod verify;

//! fleetstorm-model: a simulated fleet of machines as a stream of Kafka records, without a network.
//!
//! A run is a pure function of its [`manifest`]: whoever has the manifest can make the run's records
//! again, byte for byte. This crate makes them; it sends nothing, waits for nothing and reads no
//! clock. The program `fleetstorm` sends them, and verifies what arrived.
//!
//! Data flows one way through the modules: [`config`], [`fleet`], [`simulation`], [`record`],
//! [`encoding`]; the [`schedule`] says when each record is due, and the [`stream`] yields them in
//! order. Begin reading at [`stream`].

#![deny(missing_docs)]
#![forbid(unsafe_code)]

pub mod config;
pub mod encoding;
pub mod fleet;
mod generator;
pub mod manifest;
pub mod random;
pub mod record;
pub mod schedule;
pub mod simulation;
pub mod stream;

pub use manifest::Manifest;
pub use stream::Stream;

//! fleetstorm-model: a simulated fleet of machines as a stream of Kafka records, without a network.
//!
//! A run is a pure function of its [`manifest`]: from the manifest alone, anyone can make the run's records
//! again, byte for byte. This crate makes them; it sends nothing and waits for nothing. The program
//! `fleetstorm` sends them, and verifies what arrived.
//!
//! Begin with [`Run`]: its builder takes the settings, and it gives records as an iterator. Data flows
//! one way through the other modules: [`config`], [`fleet`], [`simulation`], [`record`], [`encoding`];
//! the [`schedule`] says when each record is due, and the [`stream`] yields them in order.

#![deny(missing_docs)]
#![forbid(unsafe_code)]

pub mod config;
pub mod encoding;
pub mod fleet;
mod generator;
pub mod manifest;
pub mod random;
pub mod record;
pub mod run;
pub mod schedule;
pub mod simulation;
pub mod stream;
pub mod window_closing;

pub use manifest::Manifest;
pub use run::Run;
pub use stream::Stream;

//! The simulation: what a run's records are, by its settings alone. Nothing here starts a program or
//! opens a connection.

mod anomalies;
mod closing;
mod determinism;
mod encoding;
mod failures;
mod jobs;
mod library;
mod means;
mod notes;
mod partitioning;
mod patterns;
mod profiles;
mod promises;
mod scenarios;
mod schedule;
mod signals;
mod stationary;
mod support;

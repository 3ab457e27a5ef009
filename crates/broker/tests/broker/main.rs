//! The embedded broker, by requests of a client of the tests' own.

mod basics;
mod client;
mod compaction;
mod faults;
mod strangers;
mod transactions;
mod versions;

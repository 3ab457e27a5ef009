//! The program against real Kafka and a real registry, which `tests/run` starts. Tests of one module may
//! run side by side; those of two may not, since some need the machine to themselves: `tests/run` runs a
//! module after the other.

mod bad_input;
mod direct;
mod doctor;
mod faults;
mod flink;
mod flink_answers;
mod kafka_streams;
mod quotas;
mod read_back;
mod registry;
mod security;
mod stalls;
mod topic_changes;
mod verify;

#[path = "../support/cluster.rs"]
mod cluster;
#[path = "../support/flink_client.rs"]
mod flink_client;
#[path = "../support/flink_jobs.rs"]
mod flink_jobs;
#[path = "../support/own_cluster.rs"]
mod own_cluster;
#[path = "../support/proxy.rs"]
mod proxy;
#[path = "../support/streams_jobs.rs"]
mod streams_jobs;
#[path = "../support/mod.rs"]
mod support;
#[path = "../support/wire.rs"]
mod wire;

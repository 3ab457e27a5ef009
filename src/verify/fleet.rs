//! Checks whether the topics of a run that is about to begin hold another fleet: compares the last
//! records of its `machines` topic with what the run will say of the same machines.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use fleetstorm_model::fleet::{Fleet, MachineId};
use fleetstorm_model::manifest::Manifest;
use fleetstorm_model::record::Topic;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError as ClientError;
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};
use serde_json::{Map, Value, json};

use super::VerifyError;
use super::difference::value_fields;
use crate::consume::{self, ConsumeError, ConsumerLog};
use crate::sink::kafka::Cluster;

/// The limits: records of a partition, partitions, and time.
const RECORDS: i64 = 20;
const PARTITIONS: usize = 16;
const TIMEOUT: Duration = Duration::from_secs(3);
/// The most bytes that are fetched of a partition, and that are kept.
const BYTES: &str = "65536";
const KEPT_KIB: &str = "1024";

/// The fields of a machine that are compared.
const FIELDS: [&str; 5] = ["machine_type", "cores", "memory_gb", "zone", "region"];

/// A warning about another fleet in the topics of the run of `manifest`, whose start offsets are known;
/// `None` if there is none, or the topic can't be read.
pub fn another(cluster: &Cluster, manifest: &Manifest) -> Option<String> {
    match look(cluster, manifest) {
        Ok(found) => found,
        Err(error) => {
            tracing::debug!("whether the topics hold another fleet is unknown: {error}");
            None
        }
    }
}

fn look(cluster: &Cluster, manifest: &Manifest) -> Result<Option<String>, VerifyError> {
    let entry = manifest.topics.iter().find(|entry| entry.topic == Topic::Machines);
    let ends = entry.and_then(|entry| Some((entry, entry.start_offsets.as_deref()?)));
    let Some((entry, ends)) = ends else { return Ok(None) };
    let mut list = TopicPartitionList::new();
    // The end offset of each partition that is still read.
    let mut left: Vec<i64> = vec![0; ends.len()];
    let held = (0..).zip(ends).filter(|(_, end)| **end > 0).take(PARTITIONS);
    for (partition, &end) in held {
        left[partition as usize] = end;
        let from = Offset::Offset((end - RECORDS).max(0));
        list.add_partition_offset(&entry.name, partition, from)
            .map_err(|error| ConsumeError::Client(error.to_string()))?;
    }
    if list.count() == 0 {
        return Ok(None);
    }
    let fleet = Fleet::new(&manifest.config, manifest.seed);
    let consumer: BaseConsumer<ConsumerLog> = consume::consumer(
        cluster.settings(),
        &[
            ("auto.offset.reset", "earliest"),
            ("max.partition.fetch.bytes", BYTES),
            ("queued.max.messages.kbytes", KEPT_KIB),
        ],
    )?;
    consumer.assign(&list).map_err(|error| ConsumeError::Client(error.to_string()))?;
    // Only the last record of each machine counts: runs of one fleet may follow another's.
    let mut last: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
    let deadline = Instant::now() + TIMEOUT;
    while left.iter().any(|&end| end > 0) && Instant::now() < deadline {
        cluster.interrupted()?;
        let message = match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(message)) => message,
            Some(Err(ClientError::PartitionEOF(partition))) => {
                left[partition as usize] = 0;
                continue;
            }
            Some(Err(error)) => return Err(ConsumeError::Client(error.to_string()).into()),
            None => continue,
        };
        let end = &mut left[message.partition() as usize];
        if message.offset() >= *end - 1 {
            *end = 0;
        }
        if let (Some(key), Some(value)) = (message.key(), message.payload()) {
            last.insert(key.to_owned(), value.to_owned());
        }
    }
    let differs = last.iter().find_map(|(key, value)| difference(&fleet, key, value));
    Ok(differs.map(|what| {
        format!(
            "topic `{}` holds another fleet: {what}. Jobs and machines of both would stand side by \
             side: give this run topics of its own (--topic-prefix), or the --seed and configuration \
             of the other, or delete the topics first",
            entry.name
        )
    }))
}

/// How a record of the topic differs from what `fleet` says of the same machine.
fn difference(fleet: &Fleet, key: &[u8], value: &[u8]) -> Option<String> {
    let found = value_fields(Topic::Machines, value)?;
    let name = String::from_utf8_lossy(key);
    let ours = MachineId::index_in(key)
        .filter(|&index| index < fleet.len() && fleet.machine_id(index).as_bytes() == key);
    let Some(index) = ours else {
        return Some(format!("it has {name}, which this run has not"));
    };
    let machine = fleet.machine(index);
    let here = [
        json!(fleet.types()[usize::from(machine.type_index)].name),
        json!(machine.cores),
        json!(machine.memory_gb),
        json!(fleet.zones()[usize::from(machine.zone_index)]),
        json!(fleet.regions()[usize::from(machine.region_index)]),
    ];
    let differs =
        FIELDS.iter().zip(&here).find(|(field, here)| found.get(**field) != Some(here))?;
    let there = shown(&found, differs.0);
    Some(format!("{name} is there with {} {there}, and in this run with {}", differs.0, differs.1))
}

fn shown(fields: &Map<String, Value>, name: &str) -> Value {
    fields.get(name).cloned().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use fleetstorm_model::config::Config;

    #[test]
    fn a_machine_that_is_another_is_named_with_what_differs() {
        let config = Config { n_machines: 10, ..Config::default() };
        let fleet = Fleet::new(&config, 1);
        let machine = fleet.machine(7);
        let record = |cores: u32| {
            json!({
                "machine_id": machine.id.as_str(),
                "machine_type": fleet.types()[usize::from(machine.type_index)].name,
                "cores": cores,
                "memory_gb": machine.memory_gb,
                "zone": fleet.zones()[usize::from(machine.zone_index)],
                "region": fleet.regions()[usize::from(machine.region_index)],
                "created_at": 5,
            })
            .to_string()
        };
        let key = machine.id.as_bytes();
        assert_eq!(difference(&fleet, key, record(machine.cores).as_bytes()), None);
        let told = difference(&fleet, key, record(machine.cores + 1).as_bytes()).unwrap();
        assert!(told.contains("machine-000007") && told.contains("cores"), "{told}");
        let stranger = difference(&fleet, b"machine-000010", record(1).as_bytes()).unwrap();
        assert!(stranger.contains("machine-000010"), "{stranger}");
        // What isn't ours says nothing of a fleet.
        assert_eq!(difference(&fleet, key, b"hello"), None);
    }
}

//! Consumers that share no code with the program's way of writing.

use std::time::{Duration, Instant};

use apache_avro::types::Value as Avro;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::OwnedMessage;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use schema_registry_converter::blocking::avro::AvroDecoder;
use schema_registry_converter::blocking::schema_registry::SrSettings;
use serde_json::Value;

use super::program::SOON;

/// How long a broker may take to answer.
pub const ANSWER: Duration = Duration::from_secs(20);

/// A consumer of all partitions of one topic, from its beginning.
pub struct Reader {
    pub consumer: BaseConsumer,
    pub partitions: i32,
}

impl Reader {
    pub fn open(bootstrap: &str, topic: &str) -> Reader {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", bootstrap)
            // Never joined, since partitions are assigned.
            .set("group.id", "fleetstorm-tests")
            .set("enable.auto.commit", "false")
            .create()
            .expect("a consumer can be made");
        let metadata = consumer
            .fetch_metadata(Some(topic), ANSWER)
            .unwrap_or_else(|error| panic!("the broker at {bootstrap} answers: {error}"));
        let partitions = metadata.topics()[0].partitions().len() as i32;
        assert!(partitions > 0, "there is a topic {topic}");
        let mut all = TopicPartitionList::new();
        for partition in 0..partitions {
            all.add_partition_offset(topic, partition, Offset::Beginning).expect("it is an offset");
        }
        consumer.assign(&all).expect("partitions can be assigned");
        Reader { consumer, partitions }
    }

    /// The next record, waited for.
    pub fn next(&self) -> OwnedMessage {
        let deadline = Instant::now() + SOON;
        while Instant::now() < deadline {
            match self.consumer.poll(Duration::from_millis(100)) {
                Some(Ok(message)) => return message.detach(),
                Some(Err(error)) => panic!("records can be read: {error}"),
                None => {}
            }
        }
        panic!("no record came within {SOON:?}");
    }

    /// The next `count` records.
    pub fn take(&self, count: usize) -> Vec<OwnedMessage> {
        (0..count).map(|_| self.next()).collect()
    }
}

/// The decoder that consumers in Rust take, which asks the registry for the schema that a value's
/// header names.
pub struct Decoder(AvroDecoder);

impl Decoder {
    pub fn new(registry: &str) -> Decoder {
        let mut settings = SrSettings::new_builder(registry.to_owned());
        settings.set_timeout(ANSWER);
        Decoder(AvroDecoder::new(settings.build().expect("these are a registry's settings")))
    }

    /// The fields of a value in Confluent's wire format.
    pub fn decode(&self, value: &[u8]) -> Vec<(String, Avro)> {
        match self.0.decode(Some(value)).map(|decoded| decoded.value) {
            Ok(Avro::Record(fields)) => fields,
            other => panic!("the value is a record: {other:?}"),
        }
    }
}

/// A field of a decoded record.
#[track_caller]
pub fn field<'a>(fields: &'a [(String, Avro)], name: &str) -> &'a Avro {
    let found = fields.iter().find(|(field, _)| field == name);
    &found.unwrap_or_else(|| panic!("the record has a field {name}")).1
}

/// The JSON that an address answers with.
pub fn get(url: &str) -> Value {
    let answer = reqwest::blocking::Client::new()
        .get(url)
        .timeout(ANSWER)
        .send()
        .and_then(|answer| answer.error_for_status())
        .unwrap_or_else(|error| panic!("{url} answers: {error}"));
    answer.json().unwrap_or_else(|error| panic!("{url} answers in JSON: {error}"))
}

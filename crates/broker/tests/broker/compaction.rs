//! Compaction: of each key the last record stays, at its offset.

use std::collections::BTreeMap;
use std::time::Duration;

use fleetstorm_broker::{Broker, ResponseError, Settings};

use crate::client::{Client, Made, rows};

fn broker() -> (Broker, Client) {
    let broker = Broker::start(Settings::new()).unwrap();
    let settings = [("cleanup.policy", "compact"), ("segment.bytes", "1048576")];
    broker.create_topic("t", 1, &settings).unwrap();
    let client = Client::connect(broker.address(1).unwrap());
    (broker, client)
}

#[test]
fn of_each_key_the_last_record_stays_at_its_offset() {
    let (broker, mut client) = broker();
    let now = broker.now_ms();
    let mut expected = BTreeMap::new();
    let mut offset = 0;
    for round in 0..60 {
        // Ten keys of all twenty in each batch, together more than a segment.
        let batch: Vec<_> = (0..10)
            .map(|i| {
                let key = format!("key{}", (round * 7 + i) % 20);
                let value = format!("{round}-{}", "x".repeat(3_000));
                expected.insert(key.clone(), (offset + i64::from(i), value.clone()));
                (key, value, now + i64::from(round))
            })
            .collect();
        offset += 10;
        assert_eq!(client.produce("t", 0, rows(&batch)).unwrap().error_code, 0);
    }
    broker.advance_clock(Duration::ZERO);
    assert_eq!(broker.offsets("t", 0).unwrap(), (0, 600));
    let records = broker.records("t", 0).unwrap();
    assert!(records.len() < 40, "{} records stay", records.len());
    assert!(records.is_sorted_by_key(|r| r.offset));
    let mut last = BTreeMap::new();
    for record in records {
        let text = |b: bytes::Bytes| String::from_utf8(b.to_vec()).unwrap();
        last.insert(text(record.key.unwrap()), (record.offset, text(record.value.unwrap())));
    }
    assert_eq!(last, expected);
}

#[test]
fn a_compacted_topic_takes_no_record_without_a_key() {
    let (broker, mut client) = broker();
    let mut batch = Made::plain(1, broker.now_ms()).batch().to_vec();
    // The record: length, attributes, two deltas, the key's length (2, zigzag 4) and the key.
    let key = 61 + 4;
    assert_eq!(&batch[key..key + 3], b"\x04k0");
    batch[key] = 1; // -1: none
    batch.drain(key + 1..key + 3);
    batch[61] -= 4;
    let length = i32::try_from(batch.len() - 12).unwrap();
    batch[8..12].copy_from_slice(&length.to_be_bytes());
    let crc = crc32c::crc32c(&batch[21..]);
    batch[17..21].copy_from_slice(&crc.to_be_bytes());
    let outcome = client.produce("t", 0, batch.clone().into()).unwrap();
    assert_eq!(outcome.error_code, ResponseError::InvalidRecord.code());
    broker.create_topic("log", 1, &[]).unwrap();
    assert_eq!(client.produce("log", 0, batch.into()).unwrap().error_code, 0);
}

#[test]
fn what_is_smaller_than_a_segment_stays_as_kafka_leaves_it() {
    let broker = Broker::start(Settings::new()).unwrap();
    broker.create_topic("t", 1, &[("cleanup.policy", "compact")]).unwrap();
    let mut client = Client::connect(broker.address(1).unwrap());
    for round in 0..60 {
        let row = ("key".to_owned(), format!("{round}-{}", "x".repeat(30_000)), broker.now_ms());
        assert_eq!(client.produce("t", 0, rows(&[row])).unwrap().error_code, 0);
    }
    broker.advance_clock(Duration::ZERO);
    assert_eq!(broker.records("t", 0).unwrap().len(), 60);
}

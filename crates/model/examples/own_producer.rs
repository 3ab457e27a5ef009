//! Records into a producer of your own: each with topic, key, partition, timestamp and value, paced by
//! the instant at which it is due.
//!
//! `cargo run -p fleetstorm-model --example own_producer`

use std::error::Error;
use std::thread::sleep;
use std::time::Instant;

use fleetstorm_model::Run;
use fleetstorm_model::encoding::Format;
use fleetstorm_model::schedule::{Pace, Profile};

/// Stands for a producer: it counts what it is sent.
#[derive(Default)]
struct Producer {
    records: u64,
    bytes: usize,
}

impl Producer {
    fn send(&mut self, _topic: &str, _partition: i32, _timestamp_ms: i64, key: &str, value: &[u8]) {
        self.records += 1;
        self.bytes += key.len() + value.len();
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let run = Run::builder()
        .machines(10)
        .seed(7)
        .format(Format::Json)
        .pace(Pace::Rate(Profile::Constant("2000".parse()?)))
        .records(1000)
        .build()?;
    let encoder = run.encoder();
    let mut buffer = Vec::new();
    let mut producer = Producer::default();
    let start = Instant::now();
    for record in run.records() {
        if let Some(due) = record.due {
            sleep(due.saturating_sub(start.elapsed()));
        }
        let value = encoder.encode(&record.value.borrowed(), &mut buffer);
        let (topic, partition) = (record.topic.name(), record.partition);
        producer.send(topic, partition, record.timestamp_ms, &record.key, value);
    }
    println!("{} records, {} bytes in {:?}", producer.records, producer.bytes, start.elapsed());
    // A machine that is down, or has nothing to say, leaves its slot empty.
    assert!(producer.records > 0 && producer.records <= 1010);
    Ok(())
}

#[test]
fn it_runs() {
    main().expect("the example runs");
}

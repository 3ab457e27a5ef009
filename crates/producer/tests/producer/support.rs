//! What the tests of the crate share: reports that are kept, records to send, and servers that are none.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use fleetstorm_broker::{Broker, Settings};
use fleetstorm_producer::{
    Appender, Delivery, DeliveryError, DeliveryReports, Producer, ProducerSettings, Record, Topic,
};
use socket2::{Domain, Socket, Type};

/// Longer than anything here takes.
pub const SOON: Duration = Duration::from_secs(30);

/// Keeps what became of records, by their opaques.
#[derive(Debug, Default)]
pub struct Kept {
    pub acknowledged: Mutex<Vec<u64>>,
    pub failed: Mutex<BTreeMap<u64, DeliveryError>>,
    pub throttled: Mutex<Duration>,
}

impl DeliveryReports for Kept {
    fn acknowledged(&self, batch: Delivery<'_>) {
        self.acknowledged.lock().unwrap().extend(batch.records().filter_map(|r| r.opaque));
    }

    fn failed(&self, batch: Delivery<'_>, kind: DeliveryError) {
        let opaques = batch.records().filter_map(|record| record.opaque);
        self.failed.lock().unwrap().extend(opaques.map(|opaque| (opaque, kind)));
    }

    fn throttled(&self, pause: Duration) {
        *self.throttled.lock().unwrap() += pause;
    }
}

/// A broker of so many nodes with a topic `t` of so many partitions.
pub fn broker(nodes: i32, partitions: i32) -> Broker {
    let broker = Broker::start(Settings::new().nodes(nodes)).expect("a broker starts");
    broker.create_topic("t", partitions, &[]).expect("a topic can be made");
    broker
}

/// Settings that retry quickly.
pub fn settings(bootstrap: &str) -> ProducerSettings {
    ProducerSettings::new(bootstrap)
        .linger(Duration::from_millis(1))
        .retry_backoff(Duration::from_millis(5))
        .reconnect_backoff(Duration::from_millis(10))
}

/// A producer for the topic `t` that can send, and what becomes of its records.
pub fn start(settings: ProducerSettings, partitions: u32) -> (Producer, Arc<Kept>) {
    let kept = Arc::new(Kept::default());
    let producer = Producer::start(settings, &[Topic::new("t", partitions)], kept.clone())
        .expect("its settings are right");
    let ready = producer.wait_ready(SOON).expect("it may send");
    assert!(ready, "{}", producer.not_ready_error());
    (producer, kept)
}

/// Sends records of these opaques to the topic `t`, each to the partition that it divides into.
pub fn send(appender: &mut Appender, partitions: u64, opaques: std::ops::Range<u64>) {
    for opaque in opaques {
        let value = opaque.to_be_bytes();
        let record = Record {
            topic: 0,
            partition: (opaque % partitions) as i32,
            key: b"key",
            value: &value,
            timestamp_ms: 1_700_000_000_000 + opaque as i64,
            opaque: Some(opaque),
        };
        appender.send(&record).expect("it is taken");
    }
}

/// The opaques of the records that stand in the partitions of `t`, each partition's in their order.
pub fn stored(broker: &Broker, partitions: i32) -> Vec<u64> {
    let all = (0..partitions).flat_map(|partition| {
        broker.records("t", partition).expect("it is there").into_iter().map(|record| {
            let value = record.value.expect("it has a value");
            u64::from_be_bytes(value[..].try_into().expect("it is an opaque"))
        })
    });
    all.collect()
}

/// Asserts that records `0..count` were acknowledged, and stand in the log once and in order.
#[track_caller]
pub fn assert_exact(broker: &Broker, partitions: u64, kept: &Kept, count: u64) {
    let expected: Vec<u64> =
        (0..partitions).flat_map(|p| (0..count).filter(move |at| at % partitions == p)).collect();
    assert_eq!(stored(broker, partitions as i32), expected);
    let mut acknowledged = kept.acknowledged.lock().unwrap().clone();
    acknowledged.sort_unstable();
    assert_eq!(acknowledged, (0..count).collect::<Vec<_>>());
    assert!(kept.failed.lock().unwrap().is_empty());
}

/// Waits until `is_so`.
#[track_caller]
pub fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + SOON;
    while !is_so() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// An address at which nobody listens.
pub fn dead() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// An address that swallows connections, since its backlog is full; with what keeps it so.
pub fn swallowing() -> (SocketAddr, Vec<Socket>) {
    let socket = || Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let listener = socket();
    listener.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
    listener.listen(0).unwrap();
    let address = listener.local_addr().unwrap().as_socket().unwrap();
    let mut kept = vec![listener];
    for _ in 0..4 {
        let client = socket();
        client.set_nonblocking(true).unwrap();
        let _under_way = client.connect(&address.into());
        kept.push(client);
    }
    (address, kept)
}

//! Transactions: markers, what read_committed sees, fencing, offsets within them.

use std::time::Duration;

use fleetstorm_broker::{Broker, ResponseError, Settings};
use kafka_protocol::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::*;
use kafka_protocol::protocol::StrBytes;

use crate::client::{Client, Made, name, outcome, produce_request};

const NAME: &str = "tx";

struct Producer {
    client: Client,
    id: i64,
    epoch: i16,
    sequence: i32,
}

fn tx() -> TransactionalId {
    TransactionalId(StrBytes::from_static_str(NAME))
}

impl Producer {
    fn start(broker: &Broker) -> Producer {
        let mut client = Client::connect(broker.address(1).unwrap());
        let request = InitProducerIdRequest::default()
            .with_transactional_id(Some(tx()))
            .with_transaction_timeout_ms(60_000);
        loop {
            let answer = client.ask(&request, 4).unwrap();
            if answer.error_code != ResponseError::ConcurrentTransactions.code() {
                assert_eq!(answer.error_code, 0);
                let id = answer.producer_id.0;
                return Producer { client, id, epoch: answer.producer_epoch, sequence: 0 };
            }
        }
    }

    fn add(&mut self) -> i16 {
        let topic =
            AddPartitionsToTxnTopic::default().with_name(name("t")).with_partitions(vec![0]);
        let request = AddPartitionsToTxnRequest::default()
            .with_v3_and_below_transactional_id(tx())
            .with_v3_and_below_producer_id(ProducerId(self.id))
            .with_v3_and_below_producer_epoch(self.epoch)
            .with_v3_and_below_topics(vec![topic]);
        let answer = self.client.ask(&request, 3).unwrap();
        answer.results_by_topic_v3_and_below[0].results_by_partition[0].partition_error_code
    }

    fn send(&mut self, now: i64) -> i16 {
        let made = Made::by(self.id, self.epoch, self.sequence, 2, now);
        let batch = Made { transactional: true, ..made }.batch();
        let request = produce_request("t", 0, batch).with_transactional_id(Some(tx()));
        let code = outcome(self.client.ask(&request, 9).unwrap()).error_code;
        if code == 0 {
            self.sequence += 2;
        }
        code
    }

    fn end(&mut self, commit: bool) -> i16 {
        let request = EndTxnRequest::default()
            .with_transactional_id(tx())
            .with_producer_id(ProducerId(self.id))
            .with_producer_epoch(self.epoch)
            .with_committed(commit);
        self.client.ask(&request, 3).unwrap().error_code
    }
}

/// The last stable offset and the first offsets of aborted transactions, as a reader sees them.
fn seen(client: &mut Client) -> (i64, Vec<i64>) {
    let partition = FetchPartition::default().with_partition_max_bytes(1 << 20);
    let topic = FetchTopic::default().with_topic(name("t")).with_partitions(vec![partition]);
    let request = FetchRequest::default()
        .with_max_bytes(1 << 20)
        .with_isolation_level(1)
        .with_topics(vec![topic]);
    let answer = client.ask(&request, 11).unwrap();
    let partition = &answer.responses[0].partitions[0];
    let aborted = partition.aborted_transactions.iter().flatten();
    (partition.last_stable_offset, aborted.map(|a| a.first_offset).collect())
}

fn broker() -> (Broker, Client) {
    let broker = Broker::start(Settings::new()).unwrap();
    broker.create_topic("t", 1, &[]).unwrap();
    let client = Client::connect(broker.address(1).unwrap());
    (broker, client)
}

#[test]
fn what_is_committed_is_seen_and_what_is_aborted_is_told() {
    let (broker, mut reader) = broker();
    let now = broker.now_ms();
    let mut producer = Producer::start(&broker);
    assert_eq!(producer.send(now), ResponseError::InvalidTxnState.code(), "not added");
    assert_eq!((producer.add(), producer.send(now)), (0, 0));
    assert_eq!(seen(&mut reader), (0, vec![]));
    assert_eq!(producer.end(true), 0);
    assert_eq!(producer.end(true), 0, "the answer may have been lost");
    assert_eq!(producer.end(false), ResponseError::InvalidTxnState.code());
    assert_eq!(seen(&mut reader), (3, vec![]));

    assert_eq!((producer.add(), producer.send(now)), (0, 0));
    assert_eq!(producer.end(false), 0);
    assert_eq!(seen(&mut reader), (6, vec![3]));
    let markers: Vec<_> =
        broker.batches("t", 0).unwrap().iter().map(|b| (b.base_offset, b.control)).collect();
    assert_eq!(markers, [(0, false), (2, true), (3, false), (5, true)]);
}

#[test]
fn a_second_producer_of_the_name_fences_the_first() {
    let (broker, mut reader) = broker();
    let now = broker.now_ms();
    let mut first = Producer::start(&broker);
    assert_eq!((first.add(), first.send(now)), (0, 0));
    let mut second = Producer::start(&broker);
    assert_eq!(second.id, first.id);
    assert!(second.epoch > first.epoch);
    assert_eq!(seen(&mut reader), (3, vec![0]), "what the first had open is aborted");
    assert_eq!(first.send(now), ResponseError::InvalidProducerEpoch.code());
    assert_eq!(first.add(), ResponseError::ProducerFenced.code());
    assert_eq!((second.add(), second.send(now), second.end(true)), (0, 0, 0));
}

#[test]
fn a_transaction_that_takes_too_long_is_aborted() {
    let (broker, mut reader) = broker();
    let mut producer = Producer::start(&broker);
    assert_eq!((producer.add(), producer.send(broker.now_ms())), (0, 0));
    broker.advance_clock(Duration::from_secs(61));
    assert_eq!(seen(&mut reader), (3, vec![0]));
    assert_eq!(producer.end(true), ResponseError::ProducerFenced.code());
}

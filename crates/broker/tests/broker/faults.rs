//! Faults on request.

use std::time::{Duration, Instant};

use fleetstorm_broker::{Action, ApiKey, Broker, Fault, ResponseError, Restart, Settings};
use kafka_protocol::messages::MetadataRequest;

use crate::client::{Client, Made, outcome, produce_request};

fn broker() -> (Broker, Client) {
    let broker = Broker::start(Settings::new()).unwrap();
    broker.create_topic("t", 2, &[]).unwrap();
    let client = Client::connect(broker.address(1).unwrap());
    (broker, client)
}

fn stored(broker: &Broker) -> usize {
    broker.records("t", 0).unwrap().len()
}

#[test]
fn codes_are_answered_with_and_without_storing() {
    let (broker, mut client) = broker();
    let batch = Made::plain(1, broker.now_ms()).batch();
    let not_leader = ResponseError::NotLeaderOrFollower;
    let refused =
        broker.fault(Fault::on(ApiKey::Produce, Action::Fail(not_leader)).skip(1).times(2));
    let mut codes = Vec::new();
    for _ in 0..4 {
        codes.push(client.produce("t", 0, batch.clone()).unwrap().error_code);
    }
    assert_eq!(codes, [0, not_leader.code(), not_leader.code(), 0]);
    assert_eq!((refused.hits(), stored(&broker)), (2, 2));

    let late = ResponseError::RequestTimedOut;
    broker.fault(Fault::on(ApiKey::Produce, Action::ApplyThenFail(late)));
    assert_eq!(client.produce("t", 0, batch.clone()).unwrap().error_code, late.code());
    assert_eq!(stored(&broker), 3);

    // For one partition alone.
    broker.fault(Fault::on(ApiKey::Produce, Action::Fail(late)).partition("t", 1));
    assert_eq!(client.produce("t", 0, batch.clone()).unwrap().error_code, 0);
    let mut both = produce_request("t", 0, batch.clone());
    let other = both.topic_data[0].partition_data[0].clone().with_index(1);
    both.topic_data[0].partition_data.push(other);
    let answer = client.ask(&both, 9).unwrap();
    let codes: Vec<_> =
        answer.responses[0].partition_responses.iter().map(|p| p.error_code).collect();
    assert_eq!(codes, [0, late.code()]);
}

#[test]
fn connections_are_dropped_before_and_after_storing() {
    let (broker, mut client) = broker();
    let batch = Made::plain(1, broker.now_ms()).batch();
    for (action, records) in [(Action::Disconnect, 0), (Action::ApplyThenDisconnect, 1)] {
        broker.fault(Fault::on(ApiKey::Produce, action));
        assert!(client.produce("t", 0, batch.clone()).is_err());
        assert_eq!(stored(&broker), records);
        client = Client::connect(broker.address(1).unwrap());
    }
    let dropped = broker.fault(Fault::on(ApiKey::Produce, Action::Disconnect).always());
    assert!(client.produce("t", 0, batch.clone()).is_err());
    dropped.end();
    client = Client::connect(broker.address(1).unwrap());
    assert_eq!(client.produce("t", 0, batch).unwrap().error_code, 0);
}

#[test]
fn answers_come_late_or_with_the_time_to_wait() {
    let (broker, mut client) = broker();
    let batch = Made::plain(1, broker.now_ms()).batch();
    let time = Duration::from_millis(200);
    let begun = Instant::now();
    broker.fault(Fault::on(ApiKey::Produce, Action::DelayResponse(time)));
    client.send(&produce_request("t", 0, batch.clone()), 9).unwrap();
    while stored(&broker) == 0 {
        std::thread::sleep(Duration::from_millis(1));
    }
    client.receive::<kafka_protocol::messages::ProduceRequest>(9).unwrap();
    assert!(begun.elapsed() >= time);

    broker.fault(Fault::on(ApiKey::Produce, Action::Throttle(time)));
    let begun = Instant::now();
    let answer = client.ask(&produce_request("t", 0, batch.clone()), 9).unwrap();
    assert_eq!(answer.throttle_time_ms, 200);
    assert_eq!(outcome(answer).error_code, 0);
    client.produce("t", 0, batch).unwrap();
    assert!(begun.elapsed() >= time, "the connection was read while it was to rest");
}

#[test]
fn leaders_move_and_nodes_stop_and_start() {
    let broker = Broker::start(Settings::new().nodes(2)).unwrap();
    broker.create_topic("t", 1, &[]).unwrap();
    let batch = |sequence| Made::by(9, 0, sequence, 1, broker.now_ms()).batch();
    let mut first = Client::connect(broker.address(1).unwrap());
    let mut second = Client::connect(broker.address(2).unwrap());
    assert_eq!(first.produce("t", 0, batch(0)).unwrap().error_code, 0);
    broker.move_leader("t", 0, 2).unwrap();
    let moved = ResponseError::NotLeaderOrFollower.code();
    assert_eq!(first.produce("t", 0, batch(1)).unwrap().error_code, moved);
    assert_eq!(second.produce("t", 0, batch(1)).unwrap().error_code, 0);

    broker.stop_node(2).unwrap();
    assert!(second.is_closed());
    assert!(std::net::TcpStream::connect(broker.address(2).unwrap()).is_err());
    assert_eq!(broker.leader("t", 0).unwrap(), (1, 2));
    assert_eq!(first.produce("t", 0, batch(2)).unwrap().base_offset, 2);
    let nodes = |client: &mut Client| {
        client.ask(&MetadataRequest::default().with_topics(None), 9).unwrap().brokers.len()
    };
    assert_eq!(nodes(&mut first), 1);
    broker.start_node(2).unwrap();
    assert_eq!(nodes(&mut Client::connect(broker.address(2).unwrap())), 2);
}

#[test]
fn a_restart_drops_connections_and_leaves_the_log() {
    let (broker, mut client) = broker();
    let batch = |sequence| Made::by(9, 0, sequence, 1, broker.now_ms()).batch();
    client.produce("t", 0, batch(0)).unwrap();
    broker.restart(1, Restart::Clean).unwrap();
    assert!(client.is_closed());
    let mut client = Client::connect(broker.address(1).unwrap());
    let gap = ResponseError::OutOfOrderSequenceNumber.code();
    assert_eq!(client.produce("t", 0, batch(5)).unwrap().error_code, gap);
    broker.restart(1, Restart::WithoutProducerState).unwrap();
    let mut client = Client::connect(broker.address(1).unwrap());
    assert_eq!(client.produce("t", 0, batch(5)).unwrap().error_code, 0);
    assert_eq!(stored(&broker), 2);
}

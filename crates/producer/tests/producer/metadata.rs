//! How the brokers and the partitions' leaders are found: at first, and after they have changed.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use fleetstorm_broker::{Action, ApiKey, Fault, ResponseError};
use fleetstorm_producer::{BrokerDisconnected, ConnectionError, ProducerError, Topic};

use crate::support::{
    Kept, SOON, assert_exact, broker, dead, send, settings, start, stored, swallowing,
};

#[test]
fn a_bootstrap_server_that_is_no_use_holds_nobody_up() {
    let broker = broker(1, 2);
    let (swallows, _kept) = swallowing();
    // It takes connections, and answers nothing.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = silent.local_addr().unwrap();
    let begun = Instant::now();
    let unknown = "no.such.host.invalid:9092";
    for first in [dead().to_string(), swallows.to_string(), silent.to_string(), unknown.to_owned()]
    {
        let bootstrap = format!("{first},{}", broker.bootstrap());
        let (producer, _) = start(settings(&bootstrap), 2);
        let mut appender = producer.appender();
        send(&mut appender, 2, 0..10);
        appender.close_batches().unwrap();
        assert_eq!(producer.flush(SOON), 0, "{first}");
    }
    // One connect timeout would be ten seconds, and the system's own minutes.
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    assert_eq!(stored(&broker, 2).len(), 40);
}

#[test]
fn where_nobody_answers_that_is_told() {
    let (swallows, _kept) = swallowing();
    for (server, refused) in [(dead(), true), (swallows, false)] {
        let settings = settings(&server.to_string()).connect_timeout(Duration::from_millis(500));
        let topics = [Topic::new("t", 1)];
        let producer = fleetstorm_producer::Producer::start(
            settings,
            &topics,
            std::sync::Arc::new(Kept::default()),
        )
        .unwrap();
        assert!(!producer.wait_ready(Duration::from_millis(1_500)).unwrap());
        let error = producer.not_ready_error();
        let ProducerError::NotReady(Some(BrokerDisconnected { port, cause, .. })) = &error else {
            panic!("{error}");
        };
        assert_eq!(*port, server.port());
        match cause {
            ConnectionError::Io(_) => assert!(refused, "{error}"),
            ConnectionError::ConnectTimeout => assert!(!refused, "{error}"),
            _ => panic!("{error}"),
        }
    }
}

#[test]
fn metadata_is_asked_once_while_nothing_changes() {
    let broker = broker(2, 3);
    let (producer, kept) = start(settings(&broker.bootstrap()), 3);
    let mut appender = producer.appender();
    send(&mut appender, 3, 0..3_000);
    appender.close_batches().unwrap();
    assert_eq!(producer.flush(SOON), 0);
    assert_eq!(broker.requests(None, ApiKey::Metadata), 1);
    assert_exact(&broker, 3, &kept, 3_000);
}

#[test]
fn a_leader_that_moved_is_found() {
    let broker = broker(3, 2);
    let (producer, kept) = start(settings(&broker.bootstrap()), 2);
    let mut appender = producer.appender();
    for turn in 0..6_u64 {
        broker.move_leader("t", 0, (turn % 3) as i32 + 1).unwrap();
        send(&mut appender, 2, turn * 100..(turn + 1) * 100);
        appender.close_batches().unwrap();
        assert_eq!(producer.flush(SOON), 0);
    }
    assert_exact(&broker, 2, &kept, 600);
}

#[test]
fn a_broker_that_is_gone_is_done_without() {
    let broker = broker(3, 3);
    let (producer, kept) = start(settings(&broker.bootstrap()), 3);
    let mut appender = producer.appender();
    send(&mut appender, 3, 0..300);
    appender.close_batches().unwrap();
    broker.stop_node(1).unwrap();
    send(&mut appender, 3, 300..600);
    appender.close_batches().unwrap();
    assert_eq!(producer.flush(SOON), 0);
    // The bootstrap list's first is gone, and so is the next.
    broker.start_node(1).unwrap();
    broker.stop_node(2).unwrap();
    send(&mut appender, 3, 600..900);
    appender.close_batches().unwrap();
    assert_eq!(producer.flush(SOON), 0);
    assert_exact(&broker, 3, &kept, 900);
}

#[test]
fn a_cluster_that_went_down_is_found_when_it_is_up_again() {
    let broker = broker(2, 2);
    let (producer, kept) = start(settings(&broker.bootstrap()), 2);
    let mut appender = producer.appender();
    send(&mut appender, 2, 0..100);
    appender.close_batches().unwrap();
    (1..=2).for_each(|node| broker.stop_node(node).unwrap());
    send(&mut appender, 2, 100..200);
    appender.close_batches().unwrap();
    assert!(producer.flush(Duration::from_millis(300)) > 0);
    (1..=2).for_each(|node| broker.start_node(node).unwrap());
    assert_eq!(producer.flush(SOON), 0);
    assert_exact(&broker, 2, &kept, 200);
}

#[test]
fn a_broker_that_came_back_under_another_address_is_found_there() {
    let (before, after) = (broker(1, 1), broker(1, 1));
    let bootstrap = format!("{},{}", before.bootstrap(), after.bootstrap());
    let (producer, kept) = start(settings(&bootstrap), 1);
    let mut appender = producer.appender();
    send(&mut appender, 1, 0..100);
    appender.close_batches().unwrap();
    assert_eq!(producer.flush(SOON), 0);
    assert_eq!(stored(&before, 1).len(), 100);
    drop(before);
    send(&mut appender, 1, 100..200);
    appender.close_batches().unwrap();
    assert_eq!(producer.flush(SOON), 0);
    assert_eq!(stored(&after, 1), (100..200).collect::<Vec<_>>());
    assert_eq!(kept.acknowledged.lock().unwrap().len(), 200);
}

#[test]
fn answers_that_are_late_or_lost_are_asked_for_again() {
    let broker = broker(2, 2);
    for action in
        [Action::Disconnect, Action::NeverRespond, Action::DelayResponse(Duration::from_secs(60))]
    {
        broker.fault(Fault::on(ApiKey::Metadata, action).node(1));
    }
    let (producer, kept) = start(settings(&broker.bootstrap()), 2);
    let mut appender = producer.appender();
    let moved = Action::Fail(ResponseError::NotLeaderOrFollower);
    broker.fault(Fault::on(ApiKey::Produce, moved).times(3));
    send(&mut appender, 2, 0..100);
    appender.close_batches().unwrap();
    assert_eq!(producer.flush(SOON), 0);
    assert_exact(&broker, 2, &kept, 100);
}

#[test]
fn a_topic_is_not_created_by_being_asked_for() {
    let broker = broker(1, 1);
    let topics = [Topic::new("missing", 1)];
    let producer = fleetstorm_producer::Producer::start(
        settings(&broker.bootstrap()),
        &topics,
        std::sync::Arc::new(Kept::default()),
    )
    .unwrap();
    assert!(!producer.wait_ready(Duration::from_millis(700)).unwrap());
    assert!(broker.requests(None, ApiKey::Metadata) > 0);
    assert!(broker.offsets("missing", 0).is_err());
}

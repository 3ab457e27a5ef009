//! The crate as a stranger uses it: what is taken, stored, reported and refused.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fleetstorm_broker::{Action, ApiKey, Fault, ResponseError};
use fleetstorm_producer::{
    Acks, Codec, DeliveryError, ErrorCode, Producer, ProducerError, ProducerSettings, Record,
    SendError, Topic,
};

use crate::support::{Kept, SOON, assert_exact, broker, send, settings, start, stored};

fn record(value: &[u8]) -> Record<'_> {
    Record { topic: 0, partition: 0, key: b"", value, timestamp_ms: 0, opaque: Some(0) }
}

#[test]
fn every_codec_and_acknowledgement_brings_each_record_once_and_in_order() {
    for codec in [Codec::None, Codec::Gzip, Codec::Lz4, Codec::Zstd] {
        for acks in [Acks::All, Acks::Leader, Acks::None] {
            let broker = broker(3, 5);
            let (producer, kept) = start(settings(&broker.bootstrap()).codec(codec).acks(acks), 5);
            let mut appender = producer.appender();
            send(&mut appender, 5, 0..2_000);
            appender.close_batches().unwrap();
            assert_eq!(producer.flush(SOON), 0);
            // What nobody acknowledges may still be on its way.
            crate::support::wait_until("all are stored", || stored(&broker, 5).len() == 2_000);
            assert_exact(&broker, 5, &kept, 2_000);
        }
    }
}

#[test]
fn threads_and_topics_share_a_producer() {
    let broker = broker(1, 2);
    broker.create_topic("other", 1, &[]).unwrap();
    let kept = Arc::new(Kept::default());
    let topics = [Topic::new("t", 2), Topic::new("other", 1)];
    let producer = Producer::start(settings(&broker.bootstrap()), &topics, kept.clone()).unwrap();
    std::thread::scope(|scope| {
        for topic in 0..2 {
            let mut appender = producer.appender();
            scope.spawn(move || {
                for _ in 0..500 {
                    appender.send(&Record { topic, ..record(b"value") }).unwrap();
                }
                appender.close_batches().unwrap();
            });
        }
    });
    assert_eq!(producer.flush(SOON), 0);
    assert_eq!(kept.acknowledged.lock().unwrap().len(), 1_000);
    let counts = [("t", 0), ("t", 1), ("other", 0)];
    let counts = counts.map(|(topic, partition)| broker.records(topic, partition).unwrap().len());
    assert_eq!(counts, [500, 0, 500]);
}

#[test]
fn a_full_producer_says_so_and_makes_room() {
    let broker = broker(1, 1);
    let (producer, kept) = start(settings(&broker.bootstrap()).max_records(10), 1);
    let stop = Arc::new(AtomicBool::new(false));
    let mut appender = producer.appender().with_stop_flag(Arc::clone(&stop));
    let held = broker.fault(
        Fault::on(ApiKey::Produce, Action::DelayRequest(Duration::from_millis(500))).always(),
    );
    let taken = (0..20).filter(|_| appender.try_send(&record(b"value")).unwrap()).count();
    assert_eq!(taken, 10);
    stop.store(true, Ordering::Relaxed);
    assert!(matches!(appender.send(&record(b"value")), Err(SendError::Stopped)));
    stop.store(false, Ordering::Relaxed);
    held.end();
    appender.send(&record(b"value")).unwrap();
    appender.close_batches().unwrap();
    assert_eq!(producer.flush(SOON), 0);
    assert_eq!(kept.acknowledged.lock().unwrap().len(), 11);
}

#[test]
fn what_is_given_up_is_reported_with_its_reason() {
    let broker = broker(1, 1);
    let (producer, kept) = start(settings(&broker.bootstrap()), 1);
    let mut appender = producer.appender();
    broker.fault(Fault::on(ApiKey::Produce, Action::Fail(ResponseError::InvalidRecord)));
    send(&mut appender, 1, 0..3);
    appender.close_batches().unwrap();
    assert_eq!(producer.flush(SOON), 0);
    let failed = kept.failed.lock().unwrap().clone();
    let invalid = DeliveryError::Broker(ErrorCode::InvalidRecord);
    assert_eq!(failed.into_iter().collect::<Vec<_>>(), [(0, invalid), (1, invalid), (2, invalid)]);
    assert_eq!(invalid.to_string(), "INVALID_RECORD");

    let timeout = Some(Duration::from_millis(300));
    let (producer, kept) = start(settings(&broker.bootstrap()).delivery_timeout(timeout), 1);
    let mut appender = producer.appender();
    let refusal = Action::Fail(ResponseError::NotEnoughReplicas);
    broker.fault(Fault::on(ApiKey::Produce, refusal).always());
    send(&mut appender, 1, 0..1);
    appender.close_batches().unwrap();
    assert_eq!(producer.flush(SOON), 0);
    assert_eq!(kept.failed.lock().unwrap()[&0], DeliveryError::DeliveryTimeout);
    assert!(stored(&broker, 1).is_empty());
}

#[test]
fn a_broker_that_holds_back_is_told_of() {
    let broker = broker(1, 1);
    let (producer, kept) = start(settings(&broker.bootstrap()), 1);
    let pause = Duration::from_millis(300);
    broker.fault(Fault::on(ApiKey::Produce, Action::Throttle(pause)));
    let mut appender = producer.appender();
    send(&mut appender, 1, 0..1);
    appender.close_batches().unwrap();
    assert_eq!(producer.flush(SOON), 0);
    assert_eq!(*kept.throttled.lock().unwrap(), pause);
}

#[test]
fn what_can_not_be_is_refused() {
    let kept = Arc::new(Kept::default());
    let topics = [Topic::new("t", 1)];
    for servers in ["", "host:port", ":9092"] {
        let refused = Producer::start(ProducerSettings::new(servers), &topics, kept.clone());
        assert!(matches!(refused, Err(ProducerError::Bootstrap(_))), "{servers:?}");
    }
    let broker = broker(1, 1);
    let (producer, _) = start(settings(&broker.bootstrap()), 1);
    let mut appender = producer.appender();
    for (topic, partition) in [(0, 1), (0, -1), (1, 0)] {
        let sent = appender.send(&Record { topic, partition, ..record(b"") });
        assert!(matches!(sent, Err(SendError::NoSuchPartition { .. })), "{topic}-{partition}");
    }
    let code = ResponseError::ClusterAuthorizationFailed;
    broker.fault(Fault::on(ApiKey::InitProducerId, Action::Fail(code)).always());
    let producer = Producer::start(settings(&broker.bootstrap()), &topics, kept).unwrap();
    let refused = producer.wait_ready(SOON);
    let expected = ErrorCode::ClusterAuthorizationFailed;
    assert!(matches!(refused, Err(ProducerError::NoProducerId(code)) if code == expected));
    assert!(matches!(producer.fatal_error(), Some(ProducerError::NoProducerId(_))));
}

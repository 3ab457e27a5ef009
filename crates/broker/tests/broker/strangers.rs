//! Clients that send what no client should, and many at once.

use fleetstorm_broker::{Broker, Settings};
use kafka_protocol::messages::MetadataRequest;

use crate::client::{Client, Made};

fn frame(body: &[u8]) -> Vec<u8> {
    let length = i32::try_from(body.len()).unwrap().to_be_bytes();
    [&length[..], body].concat()
}

/// A header of version 1 or 2 (with its empty tags).
fn header(api: u8, version: u8, flexible: bool) -> Vec<u8> {
    let mut header = vec![0, api, 0, version, 0, 0, 0, 7, 0, 1, b'x'];
    if flexible {
        header.push(0);
    }
    header
}

#[test]
fn rubbish_closes_its_connection_and_nothing_else() {
    let broker = Broker::start(Settings::new()).unwrap();
    broker.create_topic("t", 1, &[]).unwrap();
    let address = broker.address(1).unwrap();
    let huge = i32::MAX.to_be_bytes();
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("a length of 2 GB", huge.to_vec()),
        ("a negative length", (-5_i32).to_be_bytes().to_vec()),
        ("no length at all", frame(&[])),
        ("a word of another protocol", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec()),
        ("an unknown API", frame(&[1, 0, 0, 0, 0, 0, 0, 7])),
        ("an unknown version", frame(&header(3, 99, true))),
        ("a header that ends", frame(&[0, 3, 0, 9, 0, 0, 0, 7, 0])),
        ("an array of two billion topics", frame(&[&header(3, 1, false)[..], &huge].concat())),
        (
            "a compact array of two billion topics",
            frame(&[&header(3, 9, true)[..], &[0xff, 0xff, 0xff, 0xff, 0x0f]].concat()),
        ),
        (
            "two billion tags",
            frame(&[&header(3, 9, true)[..], &[0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0x0f]].concat()),
        ),
        ("a fetch of nothing but ones", frame(&[&header(1, 12, true)[..], &[0xff; 200]].concat())),
        ("a produce of nothing but ones", frame(&[&header(0, 9, true)[..], &[0xff; 200]].concat())),
        ("a join of nothing but ones", frame(&[&header(11, 5, false)[..], &[0x7f; 200]].concat())),
    ];
    for (what, bytes) in cases {
        let mut client = Client::connect(address);
        client.send_bytes(&bytes).unwrap();
        assert!(client.is_closed(), "{what}");
    }
    let mut client = Client::connect(address);
    assert_eq!(
        client.produce("t", 0, Made::plain(1, broker.now_ms()).batch()).unwrap().error_code,
        0
    );
}

#[test]
fn any_bytes_at_all_are_survived() {
    let broker = Broker::start(Settings::new()).unwrap();
    let address = broker.address(1).unwrap();
    // A small generator with a fixed seed: every API and version, bodies of random bytes.
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    for api in 0..=75 {
        for version in 0..=13 {
            let mut body = header(api, version, random() % 2 == 0);
            for _ in 0..random() % 60 {
                body.push(if random() % 3 == 0 { 0xff } else { (random() % 8) as u8 });
            }
            let mut client = Client::connect(address);
            client.send_bytes(&frame(&body)).unwrap();
        }
    }
    let mut client = Client::connect(address);
    assert!(client.ask(&MetadataRequest::default().with_topics(None), 9).is_ok());
}

#[test]
fn half_a_frame_holds_nobody_up_and_two_hundred_connections_are_served() {
    let broker = Broker::start(Settings::new()).unwrap();
    broker.create_topic("t", 1, &[]).unwrap();
    let address = broker.address(1).unwrap();
    let mut half = Client::connect(address);
    half.send_bytes(&[0, 0, 1, 0, 0, 3]).unwrap();
    let mut clients: Vec<_> = (0..200).map(|_| Client::connect(address)).collect();
    let batch = Made::plain(1, broker.now_ms()).batch();
    for client in &mut clients {
        assert_eq!(client.produce("t", 0, batch.clone()).unwrap().error_code, 0);
    }
    assert_eq!(broker.offsets("t", 0).unwrap().1, 200);
}

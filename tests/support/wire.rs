//! A request to a broker in Kafka's protocol, for what no client of the tests asks.

use std::io::{Read, Write};
use std::net::TcpStream;

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::{ApiKey, RequestHeader, ResponseHeader};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion};

/// What the first broker of `bootstrap` answers to `question`, in version 0 of its kind.
pub fn ask<Q, A>(bootstrap: &str, key: ApiKey, question: &Q) -> A
where
    Q: Encodable + HeaderVersion,
    A: Decodable + HeaderVersion,
{
    let mut frame = BytesMut::new();
    RequestHeader::default()
        .with_request_api_key(key as i16)
        .encode(&mut frame, Q::header_version(0))
        .and_then(|()| question.encode(&mut frame, 0))
        .expect("it can be asked");
    let address = bootstrap.split(',').next().expect("there is an address");
    let mut broker = TcpStream::connect(address).expect("the broker takes connections");
    let mut whole = (frame.len() as u32).to_be_bytes().to_vec();
    whole.extend_from_slice(&frame);
    broker.write_all(&whole).expect("it listens");
    let mut length = [0; 4];
    broker.read_exact(&mut length).expect("it answers");
    let mut answer = vec![0; u32::from_be_bytes(length) as usize];
    broker.read_exact(&mut answer).expect("it answers");
    let mut answer = Bytes::from(answer);
    ResponseHeader::decode(&mut answer, A::header_version(0))
        .and_then(|_| A::decode(&mut answer, 0))
        .expect("its answer can be read")
}

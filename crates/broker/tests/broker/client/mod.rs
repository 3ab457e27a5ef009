//! A client of the tests' own: requests by hand over a blocking connection.
#![allow(dead_code)]

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::produce_response::PartitionProduceResponse;
use kafka_protocol::messages::{
    ApiKey, ProduceRequest, ProduceResponse, RequestHeader, ResponseHeader, TopicName,
};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes};
use kafka_protocol::records::{
    Compression, Record, RecordBatchEncoder, RecordEncodeOptions, TimestampType,
};

pub struct Client {
    stream: TcpStream,
}

impl Client {
    pub fn connect(address: SocketAddr) -> Client {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        Client { stream }
    }

    /// Sends a request and waits for its answer.
    pub fn ask<R: Request>(&mut self, request: &R, version: i16) -> io::Result<R::Response> {
        self.send(request, version)?;
        self.receive::<R>(version)
    }

    pub fn send<R: Request>(&mut self, request: &R, version: i16) -> io::Result<()> {
        let api = ApiKey::try_from(R::KEY).unwrap();
        let mut frame = BytesMut::new();
        frame.put_i32(0);
        RequestHeader::default()
            .with_request_api_key(R::KEY)
            .with_request_api_version(version)
            .with_correlation_id(7)
            .with_client_id(Some(StrBytes::from_static_str("test")))
            .encode(&mut frame, api.request_header_version(version))
            .unwrap();
        request.encode(&mut frame, version).unwrap();
        let length = i32::try_from(frame.len() - 4).unwrap();
        frame[..4].copy_from_slice(&length.to_be_bytes());
        self.stream.write_all(&frame)
    }

    pub fn receive<R: Request>(&mut self, version: i16) -> io::Result<R::Response> {
        let mut answer = self.receive_frame()?;
        let header = R::Response::header_version(version);
        assert_eq!(ResponseHeader::decode(&mut answer, header).unwrap().correlation_id, 7);
        let response = R::Response::decode(&mut answer, version).unwrap();
        assert!(answer.is_empty(), "{} bytes behind the answer", answer.len());
        Ok(response)
    }

    pub fn send_bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    pub fn receive_frame(&mut self) -> io::Result<Bytes> {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length)?;
        let mut frame = vec![0; usize::try_from((&length[..]).get_i32()).unwrap()];
        self.stream.read_exact(&mut frame)?;
        Ok(Bytes::from(frame))
    }

    /// Whether the broker has closed the connection.
    pub fn is_closed(&mut self) -> bool {
        match self.stream.read(&mut [0; 1]) {
            Ok(0) => true,
            Ok(_) => false,
            Err(e) => e.kind() == io::ErrorKind::ConnectionReset,
        }
    }

    /// Produces one batch and returns what came of it.
    pub fn produce(
        &mut self,
        topic: &str,
        index: i32,
        batch: Bytes,
    ) -> io::Result<PartitionProduceResponse> {
        let answer = self.ask(&produce_request(topic, index, batch), 9)?;
        Ok(outcome(answer))
    }
}

pub fn outcome(answer: ProduceResponse) -> PartitionProduceResponse {
    answer.responses[0].partition_responses[0].clone()
}

pub fn produce_request(topic: &str, index: i32, batch: Bytes) -> ProduceRequest {
    ProduceRequest::default().with_acks(-1).with_timeout_ms(1_000).with_topic_data(vec![
        TopicProduceData::default().with_name(name(topic)).with_partition_data(vec![
            PartitionProduceData::default().with_index(index).with_records(Some(batch)),
        ]),
    ])
}

pub fn name(topic: &str) -> TopicName {
    TopicName(StrBytes::from_string(topic.to_owned()))
}

/// A batch's producer, and what it has in it.
#[derive(Clone, Copy)]
pub struct Made {
    pub producer: i64,
    pub epoch: i16,
    pub sequence: i32,
    pub count: i32,
    pub timestamp: i64,
    pub compression: Compression,
    pub transactional: bool,
}

impl Made {
    pub fn plain(count: i32, timestamp: i64) -> Made {
        Made {
            producer: -1,
            epoch: -1,
            sequence: -1,
            count,
            timestamp,
            compression: Compression::None,
            transactional: false,
        }
    }

    pub fn by(producer: i64, epoch: i16, sequence: i32, count: i32, timestamp: i64) -> Made {
        Made { producer, epoch, sequence, ..Made::plain(count, timestamp) }
    }

    /// The bytes: keys k0, k1, ... and values v0, v1, ..., a millisecond apart.
    pub fn batch(self) -> Bytes {
        let rows = (0..self.count)
            .map(|i| (format!("k{i}"), format!("v{i}"), self.timestamp + i64::from(i)));
        self.batch_of(&rows.collect::<Vec<_>>())
    }

    fn batch_of(self, rows: &[(String, String, i64)]) -> Bytes {
        let records: Vec<Record> = (0..)
            .zip(rows)
            .map(|(i, (key, value, timestamp))| Record {
                transactional: self.transactional,
                control: false,
                delete_horizon: Default::default(),
                partition_leader_epoch: -1,
                producer_id: self.producer,
                producer_epoch: self.epoch,
                timestamp_type: TimestampType::Creation,
                offset: i64::from(i),
                // The encoder makes one batch of what follows; of these it keeps the first.
                sequence: self.sequence.wrapping_add(i),
                timestamp: *timestamp,
                key: Some(Bytes::from(key.clone())),
                value: Some(Bytes::from(value.clone())),
                headers: [(StrBytes::from_static_str("h"), Some(Bytes::from_static(b"x")))].into(),
            })
            .collect();
        let mut out = BytesMut::new();
        let options = RecordEncodeOptions { version: 2, compression: self.compression };
        RecordBatchEncoder::encode(&mut out, &records, &options).unwrap();
        out.freeze()
    }
}

/// A batch of these keys, values and timestamps, without a producer.
pub fn rows(rows: &[(String, String, i64)]) -> Bytes {
    Made::plain(0, 0).batch_of(rows)
}

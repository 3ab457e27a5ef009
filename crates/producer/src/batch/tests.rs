//! Batches, by an independent decoder.

use kafka_protocol::records::RecordBatchDecoder;

use super::*;
use crate::note::NO_OPAQUE;

fn open(records: usize) -> OpenBatch {
    let mut open = OpenBatch::new(None);
    for at in 0..records {
        let note = RecordNote { enqueued_ns: at as u64, opaque: NO_OPAQUE, bytes: 8 };
        let (key, value) = (format!("key{at}"), "v".repeat(at % 300));
        // Times go back as well as forth.
        let timestamp_ms = 1_700_000_000_000 + (at as i64 * 7_919) % 1_000 - 500;
        open.push(key.as_bytes(), value.as_bytes(), timestamp_ms, note);
    }
    open
}

#[test]
fn an_independent_decoder_reads_what_was_written() {
    for codec in [Codec::None, Codec::Gzip, Codec::Lz4, Codec::Zstd] {
        let (mut batch, _) = open(1_000).close(3, &mut Compressor::new(codec, None)).unwrap();
        batch.sequence = Some(7);
        for producer in [None, Some(ProducerId { id: 1 << 40, epoch: 2 })] {
            let mut bytes = batch.stamped(producer);
            assert_eq!(bytes.len(), batch.len());
            let set = RecordBatchDecoder::decode(&mut bytes).expect("its checksum is right");
            assert_eq!(set.records.len(), 1_000);
            for (at, record) in set.records.iter().enumerate() {
                assert_eq!(record.key.as_deref(), Some(format!("key{at}").as_bytes()));
                assert_eq!(record.value.as_ref().map(|v| v.len()), Some(at % 300));
                let timestamp = 1_700_000_000_000 + (at as i64 * 7_919) % 1_000 - 500;
                assert_eq!((record.offset, record.timestamp), (at as i64, timestamp));
                let expected = producer.unwrap_or(NOBODY);
                assert_eq!(
                    (record.producer_id, record.producer_epoch),
                    (expected.id, expected.epoch)
                );
            }
        }
    }
}

#[test]
fn a_batch_is_full_before_it_is_larger_than_it_may_be() {
    let mut open = OpenBatch::new(None);
    let note = RecordNote { enqueued_ns: 0, opaque: NO_OPAQUE, bytes: 110 };
    assert!(!open.is_full(5_000, 1_000), "a batch takes one record of any size");
    while !open.is_full(110, 1_000) {
        open.push(&[1; 10], &[2; 100], 0, note);
    }
    let (batch, _) = open.close(0, &mut Compressor::new(Codec::None, None)).unwrap();
    assert!(batch.len() <= 1_000 && batch.count() >= 6, "{} records", batch.count());
}

#[test]
fn a_batch_that_is_sparse_leaves_its_buffer_to_another() {
    let mut none = Compressor::new(Codec::None, None);
    let (full, buffer) = open(1_000).close(0, &mut none).unwrap();
    assert!(buffer.is_none());
    let buffer = full.into_buffer().expect("it filled its buffer");
    let bytes = buffer.bytes();
    let mut sparse = OpenBatch::new(Some(buffer));
    sparse.push(b"key", b"value", 5, RecordNote { enqueued_ns: 1, opaque: NO_OPAQUE, bytes: 8 });
    let (sparse, buffer) = sparse.close(0, &mut none).unwrap();
    assert_eq!(buffer.map(|buffer| buffer.bytes()), Some(bytes));
    assert_eq!((sparse.notes.capacity(), sparse.notes[0].enqueued_ns), (1, 1));
    assert!(sparse.into_buffer().is_none());
}

#[test]
fn numbers_have_kafkas_variable_length() {
    for (number, bytes) in [
        (0, &[0][..]),
        (-1, &[1]),
        (1, &[2]),
        (63, &[126]),
        (64, &[128, 1]),
        (i64::MAX, &[254, 255, 255, 255, 255, 255, 255, 255, 255, 1]),
    ] {
        let mut varints = Varints::new();
        varints.put(number);
        assert_eq!(varints.as_slice(), bytes);
    }
}

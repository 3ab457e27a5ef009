"""Compares fleetstorm with the two usual load producers, Kafka's own kafka-producer-perf-test (the
Java client) and librdkafka's rdkafka_performance, against one broker.

The runs are interleaved and the figures are medians, since a machine's speed drifts. Partitions,
acks, idempotence, linger.ms, batch.size, requests in flight, the producer's memory and compression
are the same for all, and so are the bytes a record. What still differs:

- fleetstorm simulates and encodes each record, sets its timestamp and copies it into the producer;
  the others send records that lie ready in memory.
- Those are 120,000 real ones, read back from the broker: a constant buffer, which is what
  rdkafka_performance sends by itself, would compress to nothing. It is compiled with a few lines
  that put the next of them, in order and with its key, in the constant one's place
  (next_record.h; --payload constant does without). It copies nothing. Its queue has librdkafka's
  own length, 100,000 records, as it is faster so; fleetstorm's is fleetstorm's own.
- perf-test can only read UTF-8 lines and has no keys. It gets key and value as one value, with the
  eighth bit of each byte cleared, and picks them at random: as many bytes, the same repetitions,
  a little less entropy. The column "in the log" shows what the broker kept of each.
- Without keys, perf-test fills a batch of one partition before it turns to the next (KIP-794),
  which makes fuller and fewer batches than fleetstorm's and rdkafka_performance's, which spread
  records over all partitions by murmur2 of the key. `-J partitioner.class=` changes that.
- The versions of zstd and lz4 are those that each client brings.

A run's start and end (the JVM's, connecting, registering) are taken from runs of 1,000 records and
subtracted where it says "net"; the JVM's compiling while records flow is not, as it is part of the
price, but more records make it smaller.
"""

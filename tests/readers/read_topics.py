#!/usr/bin/env python3
"""Reads fleetstorm's topics back with clients that share no code with it, and checks each record.

Records come through confluent-kafka's consumer, schemas through its registry client, and datums are
decoded by fastavro. Each topic is read from its beginning to where it ended when reading began. One
JSON summary goes to standard output: {topic: {"records": .., "partitions": .., "keys": ..}}.

Exit codes: 0 all is well; 1 a record is wrong (the first ten are named on standard error);
2 the topics could not be read.
"""

import argparse
import io
import json
import struct
import sys
import time

import fastavro
from confluent_kafka import OFFSET_BEGINNING, TIMESTAMP_CREATE_TIME, Consumer, KafkaError
from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.schema_registry import SchemaRegistryClient

FIELDS = {
    "telemetry": "timestamp machine_id machine_type zone region cpu_percent memory_percent"
    " disk_percent network_in_mbps network_out_mbps request_count error_count latency_p50"
    " latency_p99 is_anomaly",
    "usage": "timestamp machine_id cpu_percent memory_percent disk_percent",
    "status": "machine_id status last_heartbeat",
    "jobs": "job_id machine_id job_type status start_time end_time duration_seconds",
    "machines": "machine_id machine_type cores memory_gb zone region created_at",
    "incidents": "incident_id machine_id kind cause start_time end_time magnitude",
}
FIELDS = {topic: fields.split() for topic, fields in FIELDS.items()}
DEFAULT_TOPICS = "telemetry,usage,status,jobs,machines"
TIMES = {"timestamp", "last_heartbeat", "start_time", "end_time", "created_at"}
PERCENTS = ("cpu_percent", "memory_percent", "disk_percent")
STATES = {
    "status": {"healthy", "degraded", "down"},
    "jobs": {"queued", "running", "succeeded", "failed", "cancelled"},
}

KINDS = {
    "cpu_spike", "memory_leak", "network_saturation", "disk_full", "multi_resource",
    "sensor_drift", "failure", "cascade", "maintenance", "degradation", "zone_trouble",
}  # fmt: skip

# A topic is given up when nothing arrives for this long.
SILENCE_LIMIT_S = 30


class Unreadable(Exception):
    """The topics cannot be read, so nothing can be said of their records."""


class Violations:
    """Counts what is wrong, and keeps the first few to show."""

    def __init__(self, shown=10):
        self.count = 0
        self.shown = shown
        self.first = []

    def add(self, where, text):
        self.count += 1
        if len(self.first) < self.shown:
            self.first.append(f"{where}: {text}")


def murmur2(data):
    """The hash of Kafka's Java client, not negative."""
    m, mask = 0x5BD1E995, 0xFFFFFFFF
    h = 0x9747B28C ^ len(data)
    whole = len(data) // 4 * 4
    for (k,) in struct.iter_unpack("<I", data[:whole]):
        k = k * m & mask
        k = (k ^ k >> 24) * m & mask
        h = (h * m & mask) ^ k
    if whole < len(data):
        h = (h ^ int.from_bytes(data[whole:], "little")) * m & mask
    h = (h ^ h >> 13) * m & mask
    return (h ^ h >> 15) & 0x7FFFFFFF


class AvroValues:
    """Decodes the Confluent wire format: a zero byte, the schema's id in four, the datum."""

    def __init__(self, registry):
        self.client = SchemaRegistryClient({"url": registry})
        self.schemas = {}

    def schema(self, topic, schema_id):
        if schema_id not in self.schemas:
            parsed = fastavro.parse_schema(json.loads(self.client.get_schema(schema_id).schema_str))
            names = [field["name"] for field in parsed["fields"]]
            if names != FIELDS[topic]:
                raise ValueError(f"schema {schema_id} has the fields {names}, not {FIELDS[topic]}")
            self.schemas[schema_id] = parsed
        return self.schemas[schema_id]

    def decode(self, topic, value):
        if len(value) < 5 or value[0] != 0:
            raise ValueError(f"no wire format header: it begins with {value[:5].hex()}")
        datum = io.BytesIO(value)
        datum.seek(5)
        record = fastavro.schemaless_reader(
            datum, self.schema(topic, int.from_bytes(value[1:5], "big")), None
        )
        if datum.tell() != len(value):
            raise ValueError(f"{len(value) - datum.tell()} bytes trail behind the datum")
        for name in TIMES & record.keys():
            # fastavro makes a datetime only of timestamp-millis, so a plain long is found out here.
            if record[name] is not None:
                record[name] = round(record[name].timestamp() * 1000)
        return record


class JsonValues:
    """Decodes a JSON object; times are epoch milliseconds in it."""

    def decode(self, topic, value):
        record = json.loads(value)
        if list(record) != FIELDS[topic]:
            raise ValueError(f"it has the fields {list(record)}, not {FIELDS[topic]}")
        for name in TIMES & record.keys():
            if record[name] is not None and not isinstance(record[name], int):
                raise ValueError(f"{name} is {record[name]!r}, not epoch milliseconds")
        return record


class Checker:
    """What must hold of each record, and between the records of one run of this program."""

    def __init__(self, job_key, both_telemetry_and_usage):
        self.violations = Violations()
        self.key_fields = {topic: "machine_id" for topic in FIELDS}
        self.key_fields["jobs"] = job_key
        self.keep_readings = both_telemetry_and_usage
        self.incidents = {}  # those that have begun and not ended, by id
        self.readings = {}  # (machine_id, timestamp) of telemetry -> its percent columns
        self.partition_of = {}  # (key, partitions) -> partition
        self.last_timestamp = {}  # (topic, key) -> timestamp of its latest record

    def message(self, topic, message, partitions, record):
        where = f"{message.topic()}[{message.partition()}]@{message.offset()}"
        for text in self.wrong_envelope(topic, message, partitions, record):
            self.violations.add(where, text)
        for text in self.wrong_record(topic, record):
            self.violations.add(where, text)

    def wrong_envelope(self, topic, message, partitions, record):
        key_field = self.key_fields[topic]
        key = message.key()
        if key is None or key != record[key_field].encode():
            yield f"its key is {key!r}, its {key_field} {record[key_field]!r}"
            return
        partition = self.partition_of.get((key, partitions))
        if partition is None:
            partition = self.partition_of[key, partitions] = murmur2(key) % partitions
        if message.partition() != partition:
            yield f"murmur2 puts its key {record[key_field]!r} into partition {partition}"
        kind, timestamp = message.timestamp()
        if kind != TIMESTAMP_CREATE_TIME:
            yield f"its timestamp is of kind {kind}, not CREATE_TIME"
        before = self.last_timestamp.get((topic, key), timestamp)
        if timestamp < before:
            yield f"its timestamp {timestamp} falls behind {before}, of its key's record before it"
        self.last_timestamp[topic, key] = timestamp

    def wrong_record(self, topic, record):
        for name in PERCENTS:
            if name in record and not 0 <= record[name] <= 100:
                yield f"{name} is {record[name]}"
        if topic in STATES and record["status"] not in STATES[topic]:
            yield f"its status is {record['status']!r}"
        if topic == "telemetry":
            if not record["latency_p99"] >= record["latency_p50"]:
                yield f"latency_p99 {record['latency_p99']} < latency_p50 {record['latency_p50']}"
            if self.keep_readings:
                reading = (record["machine_id"], record["timestamp"])
                self.readings[reading] = tuple(record[name] for name in PERCENTS)
        elif topic == "usage" and self.keep_readings:
            usage = tuple(record[name] for name in PERCENTS)
            reading = self.readings.get((record["machine_id"], record["timestamp"]))
            if reading is None:
                yield f"no telemetry of {record['machine_id']} at {record['timestamp']}"
            elif usage != reading:
                yield f"its cpu, memory and disk are {usage}, in telemetry {reading}"
        elif topic == "jobs":
            yield from self.wrong_job(record)
        elif topic == "incidents":
            yield from self.wrong_incident(record)

    def wrong_job(self, job):
        start, end, duration = job["start_time"], job["end_time"], job["duration_seconds"]
        if job["status"] == "queued" and start is not None:
            yield f"it is queued, with start_time {start}"
        if job["status"] in ("running", "succeeded") and start is None:
            yield f"it is {job['status']}, without a start_time"
        if job["status"] in ("queued", "running") and (end is not None or duration is not None):
            yield f"it is {job['status']}, with end_time {end} and duration_seconds {duration}"
        if job["status"] in ("succeeded", "failed", "cancelled") and end is None:
            yield f"it is {job['status']}, without an end_time"
        if duration is not None:
            if start is None or end is None:
                yield f"duration_seconds is {duration}, start_time {start}, end_time {end}"
            elif end < start or duration != (end - start) / 1000:
                yield f"duration_seconds is {duration}, from {start} to {end}"

    def wrong_incident(self, incident):
        if incident["kind"] not in KINDS:
            yield f"its kind is {incident['kind']!r}"
        if (incident["cause"] is not None) != (incident["kind"] == "cascade"):
            yield f"it is a {incident['kind']}, with the cause {incident['cause']}"
        begun = self.incidents.pop(incident["incident_id"], None)
        if incident["end_time"] is None:
            if begun is not None:
                yield "it begins twice"
            self.incidents[incident["incident_id"]] = incident
        elif begun is None:
            yield "it ends without a beginning"
        elif incident["end_time"] <= incident["start_time"]:
            yield f"it ends at {incident['end_time']}, begun at {incident['start_time']}"
        elif {**incident, "end_time": None} != begun:
            yield f"it begins as {begun} and ends as {incident}"


def open_consumer(bootstrap):
    return Consumer(
        {
            "bootstrap.servers": bootstrap,
            # The client insists on a group; partitions are assigned, so it is never joined.
            "group.id": "fleetstorm-readers",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "socket.connection.setup.timeout.ms": 10000,
        }
    )


def messages(consumer, topic):
    """Yields (message, number of partitions) from the beginning to the end as it is now."""
    metadata = consumer.list_topics(topic, timeout=15).topics[topic]
    if metadata.error is not None:
        raise Unreadable(f"topic {topic}: {metadata.error.str()}")
    count = len(metadata.partitions)
    unread = {}  # partition -> offset at which to stop
    for partition in range(count):
        low, high = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=15)
        if high > low:
            unread[partition] = high
    consumer.assign([TopicPartition(topic, p, OFFSET_BEGINNING) for p in unread])
    heard = time.monotonic()
    while unread:
        batch = consumer.consume(1000, timeout=1)
        if batch:
            heard = time.monotonic()
        elif time.monotonic() - heard > SILENCE_LIMIT_S:
            raise Unreadable(f"topic {topic}: nothing came for {SILENCE_LIMIT_S} s, with "
                             f"partitions {sorted(unread)} not read to their end")
        for message in batch:
            error, partition = message.error(), message.partition()
            if error is not None:
                # The end event matters where the last offsets hold no record: compacted away, or
                # the markers of a transaction.
                if error.code() != KafkaError._PARTITION_EOF:
                    raise Unreadable(f"topic {topic}: {error.str()}")
                unread.pop(partition, None)
            elif partition in unread:
                if message.offset() < unread[partition]:
                    yield message, count
                if message.offset() + 1 >= unread[partition]:
                    del unread[partition]
    consumer.unassign()


def read(arguments):
    topics = arguments.topics.split(",")
    unknown = [topic for topic in topics if topic not in FIELDS]
    if unknown:
        raise Unreadable(f"no such topic of fleetstorm: {unknown[0]}; there are {list(FIELDS)}")
    topics.sort(key=list(FIELDS).index)  # telemetry before usage, which is compared with it
    values = AvroValues(arguments.registry) if arguments.format == "avro" else JsonValues()
    checker = Checker(arguments.job_key, {"telemetry", "usage"} <= set(topics))
    summary = {}
    consumer = open_consumer(arguments.bootstrap)
    try:
        for topic in topics:
            name = arguments.topic_prefix + topic
            counts = summary[name] = {"records": 0, "partitions": 0, "keys": 0}
            keys = set()
            for message, counts["partitions"] in messages(consumer, name):
                counts["records"] += 1
                keys.add(message.key())
                try:
                    record = values.decode(topic, message.value() or b"")
                except Exception as error:  # whatever a decoder makes of wrong bytes
                    checker.violations.add(
                        f"{name}[{message.partition()}]@{message.offset()}",
                        f"cannot be decoded: {type(error).__name__}: {error}",
                    )
                    continue
                checker.message(topic, message, counts["partitions"], record)
            counts["keys"] = len(keys)
    finally:
        consumer.close()
    return summary, checker.violations


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("bootstrap", metavar="BOOTSTRAP", help="brokers, HOST:PORT[,..]")
    parser.add_argument("registry", metavar="REGISTRY", help="its URL; '-' with --format json")
    parser.add_argument("--topics", default=DEFAULT_TOPICS, metavar="NAME[,..]")
    parser.add_argument("--topic-prefix", default="", metavar="PREFIX")
    parser.add_argument("--format", choices=("avro", "json"), default="avro")
    parser.add_argument("--job-key", choices=("machine_id", "job_id"), default="machine_id")
    parser.add_argument("--json-out", metavar="FILE", help="write the summary there too")
    arguments = parser.parse_args()
    try:
        summary, violations = read(arguments)
    except (Unreadable, KafkaException) as error:
        print(f"read_topics: {error}", file=sys.stderr)
        return 2
    text = json.dumps(summary)
    print(text)
    if arguments.json_out:
        with open(arguments.json_out, "w", encoding="utf-8") as file:
            file.write(text + "\n")
    if violations.count:
        print(f"read_topics: {violations.count} violations, the first of them:", file=sys.stderr)
        for line in violations.first:
            print(f"  {line}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Produces in two transactions, of which one is aborted, and reads back in a group.

Arguments: bootstrap, topic. Prints what a reader of committed records sees, in order of partition and
offset, and what the group has committed.
"""

import sys

from confluent_kafka import Consumer, Producer, TopicPartition

bootstrap, topic = sys.argv[1:]

producer = Producer({"bootstrap.servers": bootstrap, "transactional.id": topic, "compression.type": "zstd"})
producer.init_transactions(20)
for word in ("kept", "dropped"):
    producer.begin_transaction()
    for n in range(30):
        producer.produce(topic, key=f"k{n}", value=f"{word} {n}", partition=n % 3, headers={"n": str(n)})
    producer.flush(20)
    if word == "kept":
        producer.commit_transaction(20)
    else:
        producer.abort_transaction(20)

consumer = Consumer({
    "bootstrap.servers": bootstrap,
    "group.id": f"{topic}-group",
    "auto.offset.reset": "earliest",
    "enable.auto.commit": False,
    "enable.partition.eof": False,
    "isolation.level": "read_committed",
})
consumer.subscribe([topic])
seen = []
while len(seen) < 30:
    message = consumer.poll(30)
    if message is None:
        sys.exit(f"only {len(seen)} of 30 came")
    if message.error():
        sys.exit(str(message.error()))
    seen.append((message.partition(), message.offset(), message.key(), message.value(), message.headers()))
consumer.commit(asynchronous=False)
committed = consumer.committed([TopicPartition(topic, p) for p in range(3)], timeout=20)
print(*sorted(seen), sep="\n")
print("committed", all(10 <= c.offset <= 22 for c in committed))
print("watermarks", [consumer.get_watermark_offsets(TopicPartition(topic, p), timeout=20) for p in range(3)])
consumer.close()

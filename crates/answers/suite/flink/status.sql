CREATE TABLE status (
  machine_id STRING, status STRING, last_heartbeat TIMESTAMP(3),
  PRIMARY KEY (machine_id) NOT ENFORCED
) WITH (
  'connector'='upsert-kafka', 'topic'='status', 'properties.bootstrap.servers'='localhost:9092',
  'key.format'='raw', 'value.format'='avro-confluent', 'value.avro-confluent.url'='http://localhost:8081'
);

CREATE TABLE status_log (
  machine_id STRING, status STRING, last_heartbeat TIMESTAMP(3),
  ts TIMESTAMP(3) METADATA FROM 'timestamp' VIRTUAL,
  WATERMARK FOR ts AS ts - INTERVAL '1' SECOND
) WITH (
  'connector'='kafka', 'topic'='status', 'properties.bootstrap.servers'='localhost:9092',
  'properties.group.id'='fleetstorm-answers', 'scan.startup.mode'='earliest-offset',
  'value.format'='avro-confluent', 'value.avro-confluent.url'='http://localhost:8081'
);

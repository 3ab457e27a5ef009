CREATE TABLE telemetry (
  k STRING,
  `timestamp` TIMESTAMP(3),
  machine_id STRING, machine_type STRING, zone STRING, region STRING,
  cpu_percent DOUBLE, memory_percent DOUBLE, disk_percent DOUBLE,
  network_in_mbps DOUBLE, network_out_mbps DOUBLE,
  request_count BIGINT, error_count BIGINT, latency_p50 DOUBLE, latency_p99 DOUBLE, is_anomaly BOOLEAN,
  WATERMARK FOR `timestamp` AS `timestamp` - INTERVAL '1' SECOND
) WITH (
  'connector'='kafka', 'topic'='telemetry', 'properties.bootstrap.servers'='localhost:9092',
  'properties.group.id'='fleetstorm-answers', 'scan.startup.mode'='earliest-offset',
  'key.format'='raw', 'key.fields'='k', 'value.fields-include'='EXCEPT_KEY',
  'value.format'='avro-confluent', 'value.avro-confluent.url'='http://localhost:8081'
);

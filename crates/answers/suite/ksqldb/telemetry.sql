SET 'auto.offset.reset'='earliest';
CREATE STREAM telemetry (
  k STRING KEY, `timestamp` TIMESTAMP, machine_id STRING, machine_type STRING, zone STRING, region STRING,
  cpu_percent DOUBLE, memory_percent DOUBLE, disk_percent DOUBLE, network_in_mbps DOUBLE,
  network_out_mbps DOUBLE, request_count BIGINT, error_count BIGINT, latency_p50 DOUBLE,
  latency_p99 DOUBLE, is_anomaly BOOLEAN
) WITH (KAFKA_TOPIC='telemetry', KEY_FORMAT='KAFKA', VALUE_FORMAT='AVRO', TIMESTAMP='`timestamp`');

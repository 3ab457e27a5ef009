SET 'auto.offset.reset'='earliest';
CREATE STREAM status_log (
  k STRING KEY, machine_id STRING, status STRING, last_heartbeat TIMESTAMP
) WITH (KAFKA_TOPIC='status', KEY_FORMAT='KAFKA', VALUE_FORMAT='AVRO');

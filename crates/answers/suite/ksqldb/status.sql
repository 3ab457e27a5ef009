SET 'auto.offset.reset'='earliest';
CREATE TABLE status (
  machine_id STRING PRIMARY KEY, status STRING, last_heartbeat TIMESTAMP
) WITH (KAFKA_TOPIC='status', KEY_FORMAT='KAFKA', VALUE_FORMAT='AVRO');

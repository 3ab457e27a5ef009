CREATE TABLE machines (
  machine_id STRING PRIMARY KEY, machine_type STRING, cores INT, memory_gb INT, zone STRING,
  region STRING, created_at TIMESTAMP
) WITH (KAFKA_TOPIC='machines', KEY_FORMAT='KAFKA', VALUE_FORMAT='AVRO');

CREATE STREAM jobs (
  k STRING KEY, job_id STRING, machine_id STRING, job_type STRING, status STRING, start_time TIMESTAMP,
  end_time TIMESTAMP, duration_seconds DOUBLE
) WITH (KAFKA_TOPIC='jobs', KEY_FORMAT='KAFKA', VALUE_FORMAT='AVRO');

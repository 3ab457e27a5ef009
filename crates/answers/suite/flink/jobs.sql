CREATE TABLE jobs (
  job_id STRING, machine_id STRING, job_type STRING, status STRING,
  start_time TIMESTAMP(3), end_time TIMESTAMP(3), duration_seconds DOUBLE,
  ts TIMESTAMP(3) METADATA FROM 'timestamp' VIRTUAL,
  WATERMARK FOR ts AS ts - INTERVAL '1' SECOND
) WITH (
  'connector'='kafka', 'topic'='jobs', 'properties.bootstrap.servers'='localhost:9092',
  'properties.group.id'='fleetstorm-answers', 'scan.startup.mode'='earliest-offset',
  'value.format'='avro-confluent', 'value.avro-confluent.url'='http://localhost:8081'
);

CREATE TABLE machines (
  machine_id STRING, machine_type STRING, cores INT, memory_gb INT, zone STRING, region STRING,
  created_at TIMESTAMP(3),
  ts TIMESTAMP(3) METADATA FROM 'timestamp' VIRTUAL,
  PRIMARY KEY (machine_id) NOT ENFORCED,
  WATERMARK FOR ts AS ts
) WITH (
  'connector'='upsert-kafka', 'topic'='machines', 'properties.bootstrap.servers'='localhost:9092',
  'key.format'='raw', 'value.format'='avro-confluent', 'value.avro-confluent.url'='http://localhost:8081'
);

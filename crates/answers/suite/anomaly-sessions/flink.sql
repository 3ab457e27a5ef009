CREATE VIEW anomalies AS SELECT * FROM telemetry WHERE is_anomaly;
CREATE TABLE answers (
  window_start TIMESTAMP(3), window_end TIMESTAMP(3),
  machine_id STRING, readings BIGINT
) WITH (
  'connector'='kafka', 'topic'='anomaly-sessions', 'properties.bootstrap.servers'='localhost:9092',
  'value.format'='avro-confluent', 'value.avro-confluent.url'='http://localhost:8081'
);

INSERT INTO answers
SELECT window_start, window_end, machine_id, COUNT(*)
FROM TABLE(SESSION(TABLE anomalies PARTITION BY machine_id, DESCRIPTOR(`timestamp`), INTERVAL '30' SECOND))
GROUP BY window_start, window_end, machine_id;

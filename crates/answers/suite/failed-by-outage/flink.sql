CREATE TABLE answers (
  job_id STRING, down_at TIMESTAMP(3), machine_id STRING, job_type STRING, failed_at TIMESTAMP(3)
) WITH (
  'connector'='kafka', 'topic'='failed-by-outage', 'properties.bootstrap.servers'='localhost:9092',
  'value.format'='avro-confluent', 'value.avro-confluent.url'='http://localhost:8081'
);

INSERT INTO answers
SELECT j.job_id, CAST(s.ts AS TIMESTAMP(3)), j.machine_id, j.job_type, CAST(j.ts AS TIMESTAMP(3))
FROM jobs j JOIN status_log s ON j.machine_id = s.machine_id
WHERE j.status = 'failed' AND s.status = 'down'
  AND j.ts BETWEEN s.ts - INTERVAL '1' MINUTE AND s.ts + INTERVAL '1' MINUTE;

CREATE TABLE answers (
  window_start TIMESTAMP(3), window_end TIMESTAMP(3),
  machine_id STRING, readings BIGINT, cpu_avg DOUBLE
) WITH (
  'connector'='kafka', 'topic'='hot-machines', 'properties.bootstrap.servers'='localhost:9092',
  'value.format'='avro-confluent', 'value.avro-confluent.url'='http://localhost:8081'
);

INSERT INTO answers
SELECT window_start, window_end, machine_id, COUNT(*), AVG(cpu_percent)
FROM TABLE(HOP(TABLE telemetry, DESCRIPTOR(`timestamp`), INTERVAL '10' SECOND, INTERVAL '60' SECOND))
GROUP BY window_start, window_end, machine_id
HAVING AVG(cpu_percent) > 80;

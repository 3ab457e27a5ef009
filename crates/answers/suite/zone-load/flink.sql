CREATE TABLE answers (
  window_start TIMESTAMP(3), window_end TIMESTAMP(3),
  zone STRING, readings BIGINT, cpu_avg DOUBLE, cpu_max DOUBLE, p99_max DOUBLE
) WITH (
  'connector'='kafka', 'topic'='zone-load', 'properties.bootstrap.servers'='localhost:9092',
  'value.format'='avro-confluent', 'value.avro-confluent.url'='http://localhost:8081'
);

INSERT INTO answers
SELECT window_start, window_end, zone, COUNT(*), AVG(cpu_percent), MAX(cpu_percent), MAX(latency_p99)
FROM TABLE(TUMBLE(TABLE telemetry, DESCRIPTOR(`timestamp`), INTERVAL '10' SECOND))
GROUP BY window_start, window_end, zone;

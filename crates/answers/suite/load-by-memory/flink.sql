CREATE VIEW classed AS
SELECT t.`timestamp` AS ts, t.cpu_percent,
  CASE WHEN m.memory_gb < 64 THEN 'small' WHEN m.memory_gb < 256 THEN 'medium' ELSE 'large' END AS memory_class
FROM telemetry t JOIN machines FOR SYSTEM_TIME AS OF t.`timestamp` AS m ON t.machine_id = m.machine_id;
CREATE TABLE answers (
  window_start TIMESTAMP(3), window_end TIMESTAMP(3),
  memory_class STRING, readings BIGINT, cpu_avg DOUBLE
) WITH (
  'connector'='kafka', 'topic'='load-by-memory', 'properties.bootstrap.servers'='localhost:9092',
  'value.format'='avro-confluent', 'value.avro-confluent.url'='http://localhost:8081'
);

INSERT INTO answers
SELECT window_start, window_end, memory_class, COUNT(*), AVG(cpu_percent)
FROM TABLE(TUMBLE(TABLE classed, DESCRIPTOR(ts), INTERVAL '10' SECOND))
GROUP BY window_start, window_end, memory_class;

CREATE STREAM classed AS
SELECT t.machine_id AS machine_id, t.cpu_percent AS cpu_percent,
  CASE WHEN m.memory_gb < 64 THEN 'small' WHEN m.memory_gb < 256 THEN 'medium' ELSE 'large' END AS memory_class
FROM telemetry t JOIN machines m ON t.k = m.machine_id EMIT CHANGES;
CREATE TABLE answers WITH (KAFKA_TOPIC='load-by-memory', KEY_FORMAT='KAFKA', VALUE_FORMAT='AVRO') AS
SELECT memory_class, WINDOWSTART AS window_start, WINDOWEND AS window_end, COUNT(*) AS readings, AVG(cpu_percent) AS cpu_avg
FROM classed WINDOW TUMBLING (SIZE 10 SECONDS)
GROUP BY memory_class EMIT CHANGES;

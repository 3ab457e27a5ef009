CREATE TABLE answers WITH (KAFKA_TOPIC='zone-load', KEY_FORMAT='KAFKA', VALUE_FORMAT='AVRO') AS
SELECT zone, WINDOWSTART AS window_start, WINDOWEND AS window_end, COUNT(*) AS readings,
  AVG(cpu_percent) AS cpu_avg, MAX(cpu_percent) AS cpu_max, MAX(latency_p99) AS p99_max
FROM telemetry WINDOW TUMBLING (SIZE 10 SECONDS)
GROUP BY zone EMIT CHANGES;

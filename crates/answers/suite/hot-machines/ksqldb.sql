CREATE TABLE answers WITH (KAFKA_TOPIC='hot-machines', KEY_FORMAT='KAFKA', VALUE_FORMAT='AVRO') AS
SELECT machine_id, WINDOWSTART AS window_start, WINDOWEND AS window_end, COUNT(*) AS readings, AVG(cpu_percent) AS cpu_avg
FROM telemetry WINDOW HOPPING (SIZE 60 SECONDS, ADVANCE BY 10 SECONDS)
GROUP BY machine_id HAVING AVG(cpu_percent) > 80 EMIT CHANGES;

CREATE TABLE answers WITH (KAFKA_TOPIC='anomaly-sessions', KEY_FORMAT='KAFKA', VALUE_FORMAT='AVRO') AS
SELECT machine_id, WINDOWSTART AS window_start, WINDOWEND AS window_end, COUNT(*) AS readings
FROM telemetry WINDOW SESSION (30 SECONDS)
WHERE is_anomaly = TRUE
GROUP BY machine_id EMIT CHANGES;

CREATE TABLE answers (
  window_start TIMESTAMP(3), window_end TIMESTAMP(3),
  zone STRING, `rank` BIGINT, machine_id STRING, requests BIGINT
) WITH (
  'connector'='kafka', 'topic'='busiest', 'properties.bootstrap.servers'='localhost:9092',
  'value.format'='avro-confluent', 'value.avro-confluent.url'='http://localhost:8081'
);

INSERT INTO answers
SELECT window_start, window_end, zone, place, machine_id, requests FROM (
  SELECT *, ROW_NUMBER() OVER (
    PARTITION BY window_start, window_end, zone ORDER BY requests DESC, machine_id ASC) AS place
  FROM (
    SELECT window_start, window_end, zone, machine_id, SUM(request_count) AS requests
    FROM TABLE(TUMBLE(TABLE telemetry, DESCRIPTOR(`timestamp`), INTERVAL '10' SECOND))
    GROUP BY window_start, window_end, zone, machine_id))
WHERE place <= 3;

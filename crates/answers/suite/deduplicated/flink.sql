CREATE VIEW once AS
SELECT window_start, window_end, zone FROM (
  SELECT *, ROW_NUMBER() OVER (
    PARTITION BY window_start, window_end, machine_id, `timestamp` ORDER BY `timestamp` ASC) AS n
  FROM TABLE(TUMBLE(TABLE telemetry, DESCRIPTOR(`timestamp`), INTERVAL '10' SECOND)))
WHERE n = 1;
CREATE TABLE answers (
  window_start TIMESTAMP(3), window_end TIMESTAMP(3),
  zone STRING, readings BIGINT
) WITH (
  'connector'='kafka', 'topic'='deduplicated', 'properties.bootstrap.servers'='localhost:9092',
  'value.format'='avro-confluent', 'value.avro-confluent.url'='http://localhost:8081'
);

INSERT INTO answers
SELECT window_start, window_end, zone, COUNT(*)
FROM once GROUP BY window_start, window_end, zone;

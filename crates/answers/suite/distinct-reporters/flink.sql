CREATE TABLE answers (
  window_start TIMESTAMP(3), window_end TIMESTAMP(3),
  zone STRING, machines BIGINT
) WITH (
  'connector'='kafka', 'topic'='distinct-reporters', 'properties.bootstrap.servers'='localhost:9092',
  'value.format'='avro-confluent', 'value.avro-confluent.url'='http://localhost:8081'
);

INSERT INTO answers
SELECT window_start, window_end, zone, COUNT(DISTINCT machine_id)
FROM TABLE(CUMULATE(TABLE telemetry, DESCRIPTOR(`timestamp`), INTERVAL '1' MINUTE, INTERVAL '10' MINUTE))
GROUP BY window_start, window_end, zone;

CREATE TABLE answers (
  status STRING, zone STRING, machines BIGINT,
  PRIMARY KEY (status, zone) NOT ENFORCED
) WITH (
  'connector'='upsert-kafka', 'topic'='fleet-status', 'properties.bootstrap.servers'='localhost:9092',
  'key.format'='json',
  'value.format'='avro-confluent', 'value.avro-confluent.url'='http://localhost:8081'
);

INSERT INTO answers
SELECT s.status, m.zone, COUNT(*)
FROM status s JOIN machines m ON s.machine_id = m.machine_id
GROUP BY s.status, m.zone;

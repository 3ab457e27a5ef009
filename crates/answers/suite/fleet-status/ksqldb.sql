CREATE TABLE placed AS
SELECT s.machine_id AS machine_id, s.status AS status, m.zone AS zone
FROM status s JOIN machines m ON s.machine_id = m.machine_id EMIT CHANGES;
CREATE TABLE answers WITH (KAFKA_TOPIC='fleet-status', KEY_FORMAT='JSON', VALUE_FORMAT='AVRO') AS
SELECT status, zone, COUNT(*) AS machines FROM placed GROUP BY status, zone
HAVING COUNT(*) > 0 EMIT CHANGES;

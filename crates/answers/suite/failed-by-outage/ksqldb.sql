CREATE STREAM downs AS
SELECT machine_id, ROWTIME AS down_at FROM status_log WHERE status = 'down' PARTITION BY machine_id;
CREATE STREAM failed AS
SELECT machine_id, job_id, job_type, ROWTIME AS failed_at FROM jobs WHERE status = 'failed' PARTITION BY machine_id;
CREATE STREAM answers WITH (KAFKA_TOPIC='failed-by-outage', VALUE_FORMAT='AVRO') AS
SELECT f.machine_id AS machine_id, f.job_id AS job_id, f.job_type AS job_type, d.down_at AS down_at, f.failed_at AS failed_at
FROM failed f JOIN downs d WITHIN 1 MINUTE GRACE PERIOD 24 HOURS ON f.machine_id = d.machine_id
EMIT CHANGES;

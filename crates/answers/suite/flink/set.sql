-- Flink 2.2 with flink-sql-connector-kafka and flink-sql-avro-confluent-registry in its lib.
SET 'execution.runtime-mode'='streaming';
SET 'table.local-time-zone'='UTC';
-- A partition or a topic without records would hold the watermark back for all. One that is merely slow to
-- start must not pass for such: its records would be late, and be dropped.
SET 'table.exec.source.idle-timeout'='30 s';

-- Flink 2.2 with flink-sql-connector-kafka and flink-sql-avro-confluent-registry in its lib.
SET 'execution.runtime-mode'='streaming';
SET 'table.local-time-zone'='UTC';
-- A partition or a topic without records would hold the watermark back for all.
SET 'table.exec.source.idle-timeout'='5 s';

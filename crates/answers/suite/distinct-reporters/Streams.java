// Kafka Streams can't express it by its DSL: it has no cumulating windows.

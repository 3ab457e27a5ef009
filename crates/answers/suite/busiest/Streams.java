// Kafka Streams can't express it by its DSL: the DSL ranks nothing across the keys of a window: it takes a processor with a store
// of each window's sums, which tells the first three whenever one of them changes.

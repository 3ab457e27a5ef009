// Kafka Streams 4 and Confluent's kafka-avro-serializer. Keys are texts, values Avro by the registry.
import io.confluent.kafka.serializers.KafkaAvroDeserializer;
import io.confluent.kafka.serializers.KafkaAvroSerializer;
import java.time.Duration;
import java.util.Map;
import java.util.Properties;
import org.apache.avro.LogicalTypes;
import org.apache.avro.Schema;
import org.apache.avro.SchemaBuilder;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.generic.GenericRecordBuilder;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.Joined;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.KTable;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.TimeWindows;

public final class LoadByMemory {
    private static final Schema INSTANT =
        LogicalTypes.timestampMillis().addToSchema(Schema.create(Schema.Type.LONG));
    private static final Schema OUTPUT =
        SchemaBuilder.record("LoadByMemory").namespace("fleetstorm.answers").fields()
            .name("window_start").type(INSTANT).noDefault()
            .name("window_end").type(INSTANT).noDefault()
            .requiredString("memory_class")
            .requiredLong("readings")
            .requiredDouble("cpu_avg")
            .endRecord();
    private static final Schema STATE = SchemaBuilder.record("State").fields()
        .requiredLong("readings")
        .requiredDouble("cpu_sum")
        .endRecord();

    private static String memoryClass(int memoryGb) {
        return memoryGb < 64 ? "small" : memoryGb < 256 ? "medium" : "large";
    }

    @SuppressWarnings("unchecked")
    private static Serde<GenericRecord> avro(String registry) {
        Serde<?> avro = Serdes.serdeFrom(new KafkaAvroSerializer(), new KafkaAvroDeserializer());
        avro.configure(Map.of("schema.registry.url", registry), false);
        return (Serde<GenericRecord>) avro;
    }

    public static void main(String[] args) {
        Map<String, String> environment = System.getenv();
        Properties properties = new Properties();
        properties.put(StreamsConfig.APPLICATION_ID_CONFIG, "load-by-memory");
        properties.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG,
            environment.getOrDefault("KAFKA_BOOTSTRAP_SERVERS", "localhost:9092"));
        properties.put("auto.offset.reset", "earliest");
        // What has changed is written once a second rather than every 30 s.
        properties.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 1000);
        Serde<GenericRecord> avro =
            avro(environment.getOrDefault("SCHEMA_REGISTRY_URL", "http://localhost:8081"));
        StreamsBuilder builder = new StreamsBuilder();
        // Event time is the reading's own timestamp, not Kafka's.
        KStream<String, GenericRecord> telemetry = builder.stream("telemetry",
            Consumed.with(Serdes.String(), avro).withTimestampExtractor(
                (record, before) -> (long) ((GenericRecord) record.value()).get("timestamp")));
        KTable<String, GenericRecord> machines =
            builder.table("machines", Consumed.with(Serdes.String(), avro));
        telemetry.join(machines, KeyValue::pair, Joined.with(Serdes.String(), avro, avro))
            .map((machine, pair) -> KeyValue.pair(memoryClass((int) pair.value.get("memory_gb")), pair.key))
            .groupByKey(Grouped.with(Serdes.String(), avro))
            .windowedBy(TimeWindows.ofSizeAndGrace(Duration.ofSeconds(10), Duration.ofHours(24)))
            .aggregate(
                () -> new GenericRecordBuilder(STATE)
                    .set("readings", 0L)
                    .set("cpu_sum", 0.0).build(),
                (key, reading, state) -> new GenericRecordBuilder(STATE)
                    .set("readings", (long) state.get("readings") + 1)
                    .set("cpu_sum", (double) state.get("cpu_sum") + (double) reading.get("cpu_percent")).build(),
                Materialized.with(Serdes.String(), avro))
            .toStream()
            .map((key, state) -> KeyValue.pair(key.key() + "@" + key.window().start(),
                (GenericRecord) new GenericRecordBuilder(OUTPUT)
                .set("window_start", key.window().start())
                .set("window_end", key.window().end())
                .set("memory_class", key.key())
                .set("readings", state.get("readings"))
                .set("cpu_avg", (double) state.get("cpu_sum") / (long) state.get("readings")).build()))
            .to("load-by-memory", Produced.with(Serdes.String(), avro));
        KafkaStreams streams = new KafkaStreams(builder.build(), properties);
        Runtime.getRuntime().addShutdownHook(new Thread(streams::close));
        streams.start();
    }
}

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
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.Named;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.processor.api.ContextualProcessor;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.Stores;
import org.apache.kafka.streams.state.WindowStore;

public final class Deduplicated {
    private static final Schema INSTANT =
        LogicalTypes.timestampMillis().addToSchema(Schema.create(Schema.Type.LONG));
    private static final Schema OUTPUT =
        SchemaBuilder.record("Deduplicated").namespace("fleetstorm.answers").fields()
            .name("window_start").type(INSTANT).noDefault()
            .name("window_end").type(INSTANT).noDefault()
            .requiredString("zone")
            .requiredLong("readings")
            .endRecord();

    /** Hands on the first record of each machine and instant. */
    private static final class Once
        extends ContextualProcessor<String, GenericRecord, String, GenericRecord> {
        @Override
        public void process(Record<String, GenericRecord> record) {
            WindowStore<String, String> seen = context().getStateStore("seen");
            if (seen.fetch(record.key(), record.timestamp()) == null) {
                seen.put(record.key(), "", record.timestamp());
                context().forward(record);
            }
        }
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
        properties.put(StreamsConfig.APPLICATION_ID_CONFIG, "deduplicated");
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
        builder.addStateStore(Stores.windowStoreBuilder(
            Stores.persistentWindowStore("seen", Duration.ofHours(25), Duration.ofMillis(1), false),
            Serdes.String(), Serdes.String()));
        // Each machine and instant is a group of its own; its first record goes on.
        telemetry.process(Once::new, Named.as("once"), "seen")
            .groupBy((machine, reading) -> reading.get("zone").toString(),
                Grouped.with(Serdes.String(), avro))
            .windowedBy(TimeWindows.ofSizeAndGrace(Duration.ofSeconds(10), Duration.ofHours(24)))
            .count()
            .toStream()
            .map((key, count) -> KeyValue.pair(key.key() + "@" + key.window().start(),
                (GenericRecord) new GenericRecordBuilder(OUTPUT)
                .set("window_start", key.window().start())
                .set("window_end", key.window().end())
                .set("zone", key.key())
                .set("readings", count).build()))
            .to("deduplicated", Produced.with(Serdes.String(), avro));
        KafkaStreams streams = new KafkaStreams(builder.build(), properties);
        Runtime.getRuntime().addShutdownHook(new Thread(streams::close));
        streams.start();
    }
}

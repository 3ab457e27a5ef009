// Kafka Streams 4 and Confluent's kafka-avro-serializer. Keys are texts, values Avro by the registry.
import io.confluent.kafka.serializers.KafkaAvroDeserializer;
import io.confluent.kafka.serializers.KafkaAvroSerializer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
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
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.kstream.Windowed;

public final class Busiest {
    private static final Schema INSTANT =
        LogicalTypes.timestampMillis().addToSchema(Schema.create(Schema.Type.LONG));
    private static final Schema OUTPUT =
        SchemaBuilder.record("Busiest").namespace("fleetstorm.answers").fields()
            .name("window_start").type(INSTANT).noDefault()
            .name("window_end").type(INSTANT).noDefault()
            .requiredString("zone")
            .requiredLong("rank")
            .requiredString("machine_id")
            .requiredLong("requests")
            .endRecord();
    private static final Schema STATE = SchemaBuilder.record("State").fields()
        .name("requests").type().map().values().longType().noDefault()
        .endRecord();

    /** The requests of each machine so far, by its id. */
    private static Map<String, Long> requests(GenericRecord state) {
        Map<String, Long> requests = new HashMap<>();
        ((Map<?, ?>) state.get("requests")).forEach((id, sum) -> requests.put(id.toString(), (Long) sum));
        return requests;
    }

    private static GenericRecord add(GenericRecord state, GenericRecord reading) {
        Map<String, Long> requests = requests(state);
        requests.merge(reading.get("machine_id").toString(), (Long) reading.get("request_count"), Long::sum);
        return new GenericRecordBuilder(STATE).set("requests", requests).build();
    }

    /** The rows of a window and zone: a key each, so that a rank's last is the answer. */
    private static List<KeyValue<String, GenericRecord>> ranked(Windowed<String> key, GenericRecord state) {
        List<Map.Entry<String, Long>> machines = new ArrayList<>(requests(state).entrySet());
        machines.sort(Map.Entry.<String, Long>comparingByValue().reversed()
            .thenComparing(Map.Entry.comparingByKey()));
        List<KeyValue<String, GenericRecord>> rows = new ArrayList<>();
        for (int rank = 1; rank <= Math.min(3, machines.size()); rank++) {
            rows.add(KeyValue.pair(key.key() + "@" + key.window().start() + "-" + rank,
                new GenericRecordBuilder(OUTPUT)
                .set("window_start", key.window().start())
                .set("window_end", key.window().end())
                .set("zone", key.key())
                .set("rank", (long) rank)
                .set("machine_id", machines.get(rank - 1).getKey())
                .set("requests", machines.get(rank - 1).getValue()).build()));
        }
        return rows;
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
        properties.put(StreamsConfig.APPLICATION_ID_CONFIG, "busiest");
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
        telemetry.groupBy((machine, reading) -> reading.get("zone").toString(), Grouped.with(Serdes.String(), avro))
            .windowedBy(TimeWindows.ofSizeAndGrace(Duration.ofSeconds(10), Duration.ofHours(24)))
            // The DSL ranks nothing: a zone's window keeps the sums of all its machines.
            .aggregate(
                () -> new GenericRecordBuilder(STATE).set("requests", Map.of()).build(),
                (zone, reading, state) -> add(state, reading),
                Materialized.with(Serdes.String(), avro))
            .toStream()
            .flatMap(Busiest::ranked)
            .to("busiest", Produced.with(Serdes.String(), avro));
        KafkaStreams streams = new KafkaStreams(builder.build(), properties);
        Runtime.getRuntime().addShutdownHook(new Thread(streams::close));
        streams.start();
    }
}

// Kafka Streams 4 and Confluent's kafka-avro-serializer. Keys are texts, values Avro by the registry.
import io.confluent.kafka.serializers.KafkaAvroDeserializer;
import io.confluent.kafka.serializers.KafkaAvroSerializer;
import java.util.Map;
import java.util.Properties;
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
import org.apache.kafka.streams.kstream.KTable;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;

public final class FleetStatus {
    private static final Schema OUTPUT =
        SchemaBuilder.record("FleetStatus").namespace("fleetstorm.answers").fields()
            .requiredString("status")
            .requiredString("zone")
            .requiredLong("machines")
            .endRecord();

    @SuppressWarnings("unchecked")
    private static Serde<GenericRecord> avro(String registry) {
        Serde<?> avro = Serdes.serdeFrom(new KafkaAvroSerializer(), new KafkaAvroDeserializer());
        avro.configure(Map.of("schema.registry.url", registry), false);
        return (Serde<GenericRecord>) avro;
    }

    public static void main(String[] args) {
        Map<String, String> environment = System.getenv();
        Properties properties = new Properties();
        properties.put(StreamsConfig.APPLICATION_ID_CONFIG, "fleet-status");
        properties.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG,
            environment.getOrDefault("KAFKA_BOOTSTRAP_SERVERS", "localhost:9092"));
        properties.put("auto.offset.reset", "earliest");
        // What has changed is written once a second rather than every 30 s.
        properties.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 1000);
        Serde<GenericRecord> avro =
            avro(environment.getOrDefault("SCHEMA_REGISTRY_URL", "http://localhost:8081"));
        StreamsBuilder builder = new StreamsBuilder();
        KTable<String, GenericRecord> status =
            builder.table("status", Consumed.with(Serdes.String(), avro));
        KTable<String, GenericRecord> machines =
            builder.table("machines", Consumed.with(Serdes.String(), avro));
        status.join(machines, (change, machine) -> change.get("status") + "@" + machine.get("zone"),
                Materialized.with(Serdes.String(), Serdes.String()))
            .groupBy((machine, place) -> KeyValue.pair(place, machine),
                Grouped.with(Serdes.String(), Serdes.String()))
            .count()
            .toStream()
            // A group that has lost its last machine is deleted by a null.
            .map((place, count) -> KeyValue.pair(place,
                count == 0 ? null : (GenericRecord) new GenericRecordBuilder(OUTPUT)
                .set("status", place.split("@", 2)[0])
                .set("zone", place.split("@", 2)[1])
                .set("machines", count).build()))
            .to("fleet-status", Produced.with(Serdes.String(), avro));
        KafkaStreams streams = new KafkaStreams(builder.build(), properties);
        Runtime.getRuntime().addShutdownHook(new Thread(streams::close));
        streams.start();
    }
}

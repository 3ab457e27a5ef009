// Kafka Streams 4, kafka-streams-avro-serde. Keys are texts, values Avro by the registry.
import io.confluent.kafka.streams.serdes.avro.GenericAvroSerde;
import java.util.Map;
import java.util.Properties;
import org.apache.avro.Schema;
import org.apache.avro.SchemaBuilder;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.generic.GenericRecordBuilder;
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

    public static void main(String[] args) {
        Properties properties = new Properties();
        properties.put(StreamsConfig.APPLICATION_ID_CONFIG, "fleet-status");
        properties.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, "localhost:9092");
        properties.put("auto.offset.reset", "earliest");
        GenericAvroSerde avro = new GenericAvroSerde();
        avro.configure(Map.of("schema.registry.url", "http://localhost:8081"), false);
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
            .map((place, count) -> KeyValue.pair(place,
                (GenericRecord) new GenericRecordBuilder(OUTPUT)
                .set("status", place.split("@", 2)[0])
                .set("zone", place.split("@", 2)[1])
                .set("machines", count).build()))
            .to("fleet-status", Produced.with(Serdes.String(), avro));
        KafkaStreams streams = new KafkaStreams(builder.build(), properties);
        Runtime.getRuntime().addShutdownHook(new Thread(streams::close));
        streams.start();
    }
}

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
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.JoinWindows;
import org.apache.kafka.streams.kstream.Joined;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.StreamJoined;
import org.apache.kafka.streams.processor.api.ContextualFixedKeyProcessor;
import org.apache.kafka.streams.processor.api.FixedKeyRecord;

public final class FailedByOutage {
    private static final Schema INSTANT =
        LogicalTypes.timestampMillis().addToSchema(Schema.create(Schema.Type.LONG));
    private static final Schema OUTPUT =
        SchemaBuilder.record("FailedByOutage").namespace("fleetstorm.answers").fields()
            .requiredString("job_id")
            .name("down_at").type(INSTANT).noDefault()
            .requiredString("machine_id")
            .requiredString("job_type")
            .name("failed_at").type(INSTANT).noDefault()
            .endRecord();

    /** Puts the timestamp of a record into its value. */
    private static final class Stamp
        extends ContextualFixedKeyProcessor<String, GenericRecord, GenericRecord> {
        private final Schema schema;

        Stamp(Schema schema) {
            this.schema = schema;
        }

        @Override
        public void process(FixedKeyRecord<String, GenericRecord> record) {
            GenericRecord value = record.value();
            boolean isJob = value.getSchema().getField("job_id") != null;
            context().forward(record.withValue(new GenericRecordBuilder(schema)
                .set("job_id", isJob ? value.get("job_id") : "")
                .set("job_type", isJob ? value.get("job_type") : "")
                .set("at", record.timestamp()).build()));
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
        properties.put(StreamsConfig.APPLICATION_ID_CONFIG, "failed-by-outage");
        properties.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG,
            environment.getOrDefault("KAFKA_BOOTSTRAP_SERVERS", "localhost:9092"));
        properties.put("auto.offset.reset", "earliest");
        // What has changed is written once a second rather than every 30 s.
        properties.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 1000);
        Serde<GenericRecord> avro =
            avro(environment.getOrDefault("SCHEMA_REGISTRY_URL", "http://localhost:8081"));
        StreamsBuilder builder = new StreamsBuilder();
        KStream<String, GenericRecord> jobs =
            builder.stream("jobs", Consumed.with(Serdes.String(), avro));
        KStream<String, GenericRecord> status =
            builder.stream("status", Consumed.with(Serdes.String(), avro));
        // The join hands on values alone, so each takes the timestamp of its record along.
        Schema withTime = SchemaBuilder.record("WithTime").fields()
            .requiredString("job_id").requiredString("job_type").requiredLong("at").endRecord();
        KStream<String, GenericRecord> failed = jobs
            .filter((key, job) -> job.get("status").toString().equals("failed"))
            .processValues(() -> new Stamp(withTime));
        KStream<String, GenericRecord> downs = status
            .filter((machine, change) -> change.get("status").toString().equals("down"))
            .processValues(() -> new Stamp(withTime));
        failed.join(downs,
                (machine, job, down) -> (GenericRecord) new GenericRecordBuilder(OUTPUT)
                .set("job_id", job.get("job_id"))
                .set("down_at", down.get("at"))
                .set("machine_id", machine)
                .set("job_type", job.get("job_type"))
                .set("failed_at", job.get("at")).build(),
                JoinWindows.ofTimeDifferenceAndGrace(Duration.ofMinutes(1), Duration.ofHours(24)),
                StreamJoined.with(Serdes.String(), avro, avro))
            .selectKey((machine, pair) -> pair.get("job_id") + "@" + pair.get("down_at"))
            .to("failed-by-outage", Produced.with(Serdes.String(), avro));
        KafkaStreams streams = new KafkaStreams(builder.build(), properties);
        Runtime.getRuntime().addShutdownHook(new Thread(streams::close));
        streams.start();
    }
}

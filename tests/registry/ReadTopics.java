import io.apicurio.registry.serde.avro.AvroKafkaDeserializer;
import io.confluent.kafka.serializers.KafkaAvroDeserializer;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/**
 * Reads topics with Confluent's and with Apicurio's deserializer, which must agree on each record, and
 * prints how many each topic has. Arguments: brokers, the URL of Confluent's API, that of Apicurio's, and
 * topics.
 */
public class ReadTopics {
  public static void main(String[] arguments) {
    KafkaAvroDeserializer confluent = new KafkaAvroDeserializer();
    confluent.configure(Map.of("schema.registry.url", arguments[1]), false);
    AvroKafkaDeserializer<Object> apicurio = new AvroKafkaDeserializer<>();
    apicurio.configure(Map.of("apicurio.registry.url", arguments[2]), false);
    Map<String, Object> settings = Map.of("bootstrap.servers", arguments[0]);
    ByteArrayDeserializer bytes = new ByteArrayDeserializer();
    try (KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(settings, bytes, bytes)) {
      for (String topic : List.of(arguments).subList(3, arguments.length)) {
        List<TopicPartition> partitions =
            consumer.partitionsFor(topic).stream()
                .map(partition -> new TopicPartition(topic, partition.partition()))
                .toList();
        consumer.assign(partitions);
        consumer.seekToBeginning(partitions);
        Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
        long count = 0;
        while (partitions.stream().anyMatch(at -> consumer.position(at) < ends.get(at))) {
          for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofSeconds(1))) {
            Object one = confluent.deserialize(topic, record.value());
            Object other = apicurio.deserialize(topic, record.value());
            if (one == null || !one.equals(other)) {
              throw new AssertionError("of " + topic + ": " + one + " is not " + other);
            }
            count++;
          }
        }
        System.out.println(topic + " " + count);
      }
    }
    // Apicurio's client has a thread that keeps on.
    System.exit(0);
  }
}

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.apache.flink.avro.registry.confluent.shaded.io.confluent.kafka.schemaregistry.avro.AvroSchema;
import org.apache.flink.avro.registry.confluent.shaded.io.confluent.kafka.schemaregistry.client.CachedSchemaRegistryClient;

/**
 * What id a Java client gets for a schema that it may not register, by the text that Java's Avro prints.
 * Arguments: the registry's URL, and pairs of a subject and a schema's file. Prints an id a line.
 */
public class LookUp {
  public static void main(String[] arguments) throws Exception {
    CachedSchemaRegistryClient client = new CachedSchemaRegistryClient(List.of(arguments[0]), 10);
    for (int at = 1; at < arguments.length; at += 2) {
      AvroSchema schema = new AvroSchema(Files.readString(Path.of(arguments[at + 1])));
      System.out.println(client.getId(arguments[at], schema));
    }
  }
}

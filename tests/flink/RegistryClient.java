import java.util.List;
import org.apache.flink.avro.registry.confluent.shaded.io.confluent.kafka.schemaregistry.avro.AvroSchema;
import org.apache.flink.avro.registry.confluent.shaded.io.confluent.kafka.schemaregistry.client.CachedSchemaRegistryClient;
import org.apache.flink.avro.registry.confluent.shaded.io.confluent.kafka.schemaregistry.client.rest.exceptions.RestClientException;

/** Confluent's registry client, as Flink brings it. Arguments: the registry's URL, a subject. */
public class RegistryClient {
  public static void main(String[] arguments) throws Exception {
    String url = arguments[0], subject = arguments[1];
    AvroSchema first = schema("{\"name\":\"a\",\"type\":\"long\"}");
    AvroSchema second =
        schema("{\"name\":\"a\",\"type\":\"long\"},{\"name\":\"b\",\"type\":\"int\",\"default\":0}");
    AvroSchema unlike = schema("{\"name\":\"c\",\"type\":\"string\"}");

    int id = client(url).register(subject, first);
    say("again the same", client(url).register(subject, first) == id);
    say("looked up", client(url).getId(subject, first) == id);
    say("by id", client(url).getSchemaById(id).canonicalString());
    say("its version", client(url).getVersion(subject, first));
    say("compatible", client(url).testCompatibility(subject, second));
    say("not compatible", client(url).testCompatibility(subject, unlike));
    int next = client(url).register(subject, second);
    say("another", next != id);
    say("versions", client(url).getAllVersions(subject));
    say("latest", client(url).getLatestSchemaMetadata(subject).getSchema());
    say("latest id", client(url).getLatestSchemaMetadata(subject).getId() == next);
    say("listed", client(url).getAllSubjects().contains(subject));
    try {
      client(url).register(subject, unlike);
      say("registered", "though it is not compatible");
    } catch (RestClientException refused) {
      say("refused", refused.getStatus());
    }
    try {
      client(url).getId(subject, unlike);
      say("found", "though it is not there");
    } catch (RestClientException missing) {
      say("missing", missing.getErrorCode());
    }
    say("deleted", client(url).deleteSubject(subject));
  }

  /** A client that remembers nothing. */
  static CachedSchemaRegistryClient client(String url) {
    return new CachedSchemaRegistryClient(List.of(url), 10);
  }

  static AvroSchema schema(String fields) {
    return new AvroSchema("{\"type\":\"record\",\"name\":\"R\",\"fields\":[" + fields + "]}");
  }

  static void say(String what, Object answer) {
    System.out.println(what + ": " + answer);
  }
}

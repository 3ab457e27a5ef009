import io.apicurio.registry.serde.avro.AvroKafkaDeserializer;
import io.apicurio.registry.serde.avro.AvroKafkaSerializer;
import com.microsoft.kiota.ApiException;
import io.confluent.kafka.schemaregistry.client.rest.exceptions.RestClientException;
import io.confluent.kafka.serializers.KafkaAvroDeserializer;
import io.confluent.kafka.serializers.KafkaAvroSerializer;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericRecord;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.serialization.Serializer;

/**
 * Confluent's and Apicurio's serializers and deserializers, each reading what the other wrote, and no
 * client twice, as they remember schemas. Arguments: the URL of Confluent's API, that of Apicurio's, and
 * the beginning of topics' names.
 */
public class SerDes {
  static final Schema FIRST = schema("{\"name\":\"a\",\"type\":\"long\"}");
  static final Schema SECOND =
      schema("{\"name\":\"a\",\"type\":\"long\"},{\"name\":\"b\",\"type\":\"int\",\"default\":7}");
  static final Schema NESTED =
      schema(
          "{\"name\":\"a\",\"type\":\"long\"},"
              + "{\"name\":\"in\",\"type\":[\"null\",{\"type\":\"record\",\"name\":\"In\",\"fields\":["
              + "{\"name\":\"e\",\"type\":{\"type\":\"enum\",\"name\":\"E\",\"namespace\":\"m\",\"symbols\":[\"X\"]}}]}]},"
              + "{\"name\":\"ins\",\"type\":{\"type\":\"array\",\"items\":\"In\"}},"
              + "{\"name\":\"e\",\"type\":\"m.E\"}");
  static final String[] LOOK_UP = {"apicurio.registry.auto-register", "false"};
  static final String[] LOOK_UP_CONFLUENT = {"auto.register.schemas", "false"};

  static String confluentUrl;
  static String apicurioUrl;

  public static void main(String[] arguments) {
    confluentUrl = arguments[0];
    apicurioUrl = arguments[1];
    String topic = arguments[2] + "-a", other = arguments[2] + "-b";

    byte[] confluent = confluentWrites(topic, FIRST);
    say("Confluent reads Confluent", read(confluentReader(), topic, confluent));
    say("Apicurio reads Confluent", read(apicurioReader(), topic, confluent));
    byte[] again = apicurioWrites(topic, FIRST);
    say("Apicurio registers the same", Arrays.equals(again, confluent));
    again = apicurioWrites(topic, FIRST, LOOK_UP);
    say("Apicurio finds it by its text", Arrays.equals(again, confluent));
    again =
        apicurioWrites(topic, FIRST, with(LOOK_UP, "apicurio.registry.artifact.version", "1"));
    say("Apicurio finds its version", Arrays.equals(again, confluent));

    byte[] apicurio = apicurioWrites(topic, SECOND);
    say("another schema", id(apicurio) != id(confluent));
    say("Apicurio reads Apicurio", read(apicurioReader(), topic, apicurio));
    say("Confluent reads Apicurio", read(confluentReader(), topic, apicurio));
    say("Confluent reads the earlier", read(confluentReader(), topic, again));
    again = confluentWrites(topic, SECOND, LOOK_UP_CONFLUENT);
    say("Confluent finds it by its text", Arrays.equals(again, apicurio));
    again = confluentWrites(topic, SECOND, with(LOOK_UP_CONFLUENT, "use.latest.version", "true"));
    say("Confluent finds the latest", Arrays.equals(again, apicurio));

    byte[] there = apicurioWrites(other, SECOND);
    say("the same elsewhere", Arrays.equals(there, apicurio));
    again = confluentWrites(other, SECOND, LOOK_UP_CONFLUENT);
    say("Confluent finds it elsewhere", Arrays.equals(again, apicurio));
    String global = "apicurio.registry.use-id";
    again = apicurioWrites(arguments[2] + "-c", SECOND, global, "globalId");
    say("by global id", read(apicurioReader(global, "globalId"), topic, again));

    // Its named types are artifacts of their own, which it refers to, unless it is told otherwise.
    for (String whole : new String[] {"false", "true"}) {
      String[] settings = {"apicurio.registry.dereference-schema", whole};
      byte[] nested = apicurioWrites(arguments[2] + "-n" + whole, NESTED, settings);
      say("Apicurio reads types within", read(apicurioReader(), topic, nested));
      say("Confluent reads types within", read(confluentReader(), topic, nested));
    }

    refused("Apicurio finds none", () -> apicurioWrites(other, FIRST, LOOK_UP));
    refused("Confluent finds none", () -> confluentWrites(other, FIRST, LOOK_UP_CONFLUENT));
    byte[] unknown = ByteBuffer.wrap(apicurio.clone()).putInt(1, 0x7fffffff).array();
    refused("Apicurio reads none", () -> apicurioReader().deserialize(topic, unknown));
    refused("Confluent reads none", () -> confluentReader().deserialize(topic, unknown));
    // Version 2 names the latest otherwise than this client asks for it.
    if (apicurioUrl.endsWith("v3")) {
      again = apicurioWrites(topic, SECOND, with(LOOK_UP, "apicurio.registry.find-latest", "true"));
      say("Apicurio finds the latest", Arrays.equals(again, apicurio));
    }
    // Apicurio's client has a thread that keeps on.
    System.exit(0);
  }

  static byte[] confluentWrites(String topic, Schema schema, String... settings) {
    Map<String, Object> all = settings("schema.registry.url", confluentUrl, settings);
    return write(new KafkaAvroSerializer(), all, topic, schema);
  }

  static byte[] apicurioWrites(String topic, Schema schema, String... settings) {
    Map<String, Object> all = settings("apicurio.registry.url", apicurioUrl, settings);
    all.putIfAbsent("apicurio.registry.auto-register", "true");
    return write(new AvroKafkaSerializer<Object>(), all, topic, schema);
  }

  static byte[] write(
      Serializer<Object> serializer, Map<String, Object> settings, String topic, Schema schema) {
    GenericRecord record = new GenericData.Record(schema);
    record.put("a", 5L);
    if (schema == SECOND) record.put("b", 6);
    if (schema == NESTED) {
      GenericData.EnumSymbol symbol =
          new GenericData.EnumSymbol(schema.getField("e").schema(), "X");
      GenericRecord in = new GenericData.Record(schema.getField("ins").schema().getElementType());
      in.put("e", symbol);
      record.put("in", in);
      record.put("ins", List.of(in, in));
      record.put("e", symbol);
    }
    serializer.configure(settings, false);
    return serializer.serialize(topic, record);
  }

  static Deserializer<Object> confluentReader() {
    Deserializer<Object> reader = new KafkaAvroDeserializer();
    reader.configure(settings("schema.registry.url", confluentUrl), false);
    return reader;
  }

  static Deserializer<Object> apicurioReader(String... settings) {
    Deserializer<Object> reader = new AvroKafkaDeserializer<>();
    reader.configure(settings("apicurio.registry.url", apicurioUrl, settings), false);
    return reader;
  }

  static Object read(Deserializer<Object> reader, String topic, byte[] bytes) {
    GenericRecord record = (GenericRecord) reader.deserialize(topic, bytes);
    return record + " of " + record.getSchema().getFullName();
  }

  static Map<String, Object> settings(String name, String url, String... more) {
    Map<String, Object> settings = new HashMap<>();
    settings.put(name, url);
    for (int at = 0; at < more.length; at += 2) settings.put(more[at], more[at + 1]);
    return settings;
  }

  static String[] with(String[] settings, String... more) {
    String[] all = Arrays.copyOf(settings, settings.length + more.length);
    System.arraycopy(more, 0, all, settings.length, more.length);
    return all;
  }

  static int id(byte[] bytes) {
    return ByteBuffer.wrap(bytes).getInt(1);
  }

  static void refused(String what, Runnable action) {
    try {
      action.run();
      say(what, "though there is none");
    } catch (RuntimeException refused) {
      say(what, reason(refused));
    }
  }

  /** The code that the registry gave; version 3 gives none where it lists none. */
  static Object reason(Throwable refused) {
    if (refused instanceof RestClientException) return ((RestClientException) refused).getErrorCode();
    if (refused instanceof ApiException) return ((ApiException) refused).getResponseStatusCode();
    if (refused.getCause() != null) return reason(refused.getCause());
    return String.valueOf(refused.getMessage()).startsWith("Could not resolve") ? 404 : refused;
  }

  static Schema schema(String fields) {
    String record = "{\"type\":\"record\",\"name\":\"R\",\"namespace\":\"n\",\"fields\":[" + fields + "]}";
    return new Schema.Parser().parse(record);
  }

  static void say(String what, Object answer) {
    System.out.println(what + ": " + answer);
  }
}

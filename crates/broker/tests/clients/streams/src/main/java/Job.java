import java.time.Duration;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.TimeWindows;

/**
 * A join with a table, a repartition by what was joined, and counts in windows of ten seconds: readings
 * (key: machine, value: anything) with zones (key: machine, value: zone) into counts (key: zone@start,
 * value: count). Runs until it is ended.
 *
 * <p>Arguments: bootstrap, application id, state directory, processing guarantee, and the topics of
 * zones, readings and counts.
 */
public final class Job {
  public static void main(String[] args) throws InterruptedException {
    Properties properties = new Properties();
    properties.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, args[0]);
    properties.put(StreamsConfig.APPLICATION_ID_CONFIG, args[1]);
    properties.put(StreamsConfig.STATE_DIR_CONFIG, args[2]);
    properties.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, args[3]);
    properties.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 200);
    properties.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, 2);
    properties.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, 1);
    properties.put(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "earliest");

    StreamsBuilder builder = new StreamsBuilder();
    var texts = Consumed.with(Serdes.String(), Serdes.String());
    var zones = builder.table(args[4], texts);
    builder
        .stream(args[5], texts)
        .join(zones, (reading, zone) -> zone)
        .groupBy((machine, zone) -> zone, Grouped.with(Serdes.String(), Serdes.String()))
        // Behind a repartition, records of one window arrive in any order: none may be late.
        .windowedBy(TimeWindows.ofSizeAndGrace(Duration.ofSeconds(10), Duration.ofHours(1)))
        .count()
        .toStream()
        .map((zone, count) ->
            KeyValue.pair(zone.key() + "@" + zone.window().start(), Long.toString(count)))
        .to(args[6], Produced.with(Serdes.String(), Serdes.String()));

    KafkaStreams streams = new KafkaStreams(builder.build(), properties);
    CountDownLatch ended = new CountDownLatch(1);
    streams.setUncaughtExceptionHandler(error -> {
      error.printStackTrace();
      System.exit(3);
      return null;
    });
    Runtime.getRuntime().addShutdownHook(new Thread(() -> {
      streams.close(Duration.ofSeconds(10));
      ended.countDown();
    }));
    streams.start();
    System.out.println("started");
    ended.await();
  }
}

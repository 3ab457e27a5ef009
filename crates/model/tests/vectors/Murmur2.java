// Prints the vectors of murmur2.tsv from Kafka's own Java client:
//
//   java -cp 'target/cluster/kafka/*' crates/model/tests/vectors/Murmur2.java > crates/model/tests/vectors/murmur2.tsv
//
// A line is: key, the hash that the client partitions by (made non-negative), and the partition of
// the key among 1, 3, 6, 12 and 1000; separated by tabs.

import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.apache.kafka.clients.producer.internals.BuiltInPartitioner;
import org.apache.kafka.common.utils.Utils;

public class Murmur2 {
    private static final int[] PARTITIONS = {1, 3, 6, 12, 1000};

    public static void main(String[] arguments) throws Exception {
        PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
        for (String key : keys()) {
            byte[] bytes = key.getBytes(StandardCharsets.UTF_8);
            StringBuilder line = new StringBuilder(key);
            line.append('\t').append(Utils.toPositive(Utils.murmur2(bytes)));
            for (int partitions : PARTITIONS) {
                // The client's own step from key to partition, so that it is checked as well.
                line.append('\t').append(BuiltInPartitioner.partitionForKey(bytes, partitions));
            }
            out.print(line.append('\n'));
        }
        out.flush();
    }

    private static List<String> keys() {
        List<String> keys = new ArrayList<>();
        keys.add("");
        // The hash takes four bytes at a time and the rest apart: each length around two blocks.
        String digits = "123456789";
        for (int length = 1; length <= digits.length(); length++) {
            keys.add(digits.substring(0, length));
        }
        // UTF-8 of two to four bytes a character: bytes above 127, which hash differently as signed
        // and as unsigned ones. Escaped, since Java 17 reads sources in the locale's encoding.
        keys.addAll(List.of(
            "\u00e9",
            "\u00df1",
            "\u00f1and\u00fa",
            "\u65e5",
            "\u65e5\u672c",
            "\u6a5f\u68b0-000001",
            "\u043c\u0430\u0448\u0438\u043d\u0430-7",
            "\u03bc",
            "\ud83d\ude80",
            "a\ud83d\ude80b",
            "\u007f",
            "\u0080"));
        for (int machine = 0; machine < 100; machine++) {
            keys.add(String.format("machine-%06d", machine));
        }
        for (int machine : new int[] {999, 1000, 65535, 65536, 99999, 100000, 524287, 999999}) {
            keys.add(String.format("machine-%06d", machine));
        }
        keys.add("machine-1000000");
        for (int machine = 0; machine < 10; machine++) {
            for (int job = 0; job < 7; job++) {
                keys.add(String.format("job-%06d-%06d", machine * 42, job * 7));
            }
        }
        return keys;
    }
}

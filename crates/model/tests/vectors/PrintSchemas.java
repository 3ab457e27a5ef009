// Prints the lines of schemas.txt, the files of schemas/ as Avro's own Java library prints them:
//
//   java -cp AVRO_AND_JACKSON_JARS tests/vectors/PrintSchemas.java > tests/vectors/schemas.txt

import java.io.File;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import org.apache.avro.Schema;

public class PrintSchemas {
    public static void main(String[] arguments) throws Exception {
        PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        for (String topic : new String[] {"telemetry", "usage", "status", "jobs", "machines", "incidents"}) {
            out.println(new Schema.Parser().parse(new File("schemas/" + topic + ".avsc")));
        }
    }
}

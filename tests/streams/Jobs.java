import java.io.IOException;
import java.io.StringWriter;
import java.net.URLClassLoader;
import java.net.URL;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.tools.JavaCompiler;
import javax.tools.StandardJavaFileManager;
import javax.tools.ToolProvider;

/**
 * Runs programs of Kafka Streams side by side in one process, each from its source and among classes of
 * its own, until the process is told to end. Arguments: a folder for classes, and the sources.
 */
public class Jobs {
  private static final Pattern NAME = Pattern.compile("public final class (\\w+)");

  public static void main(String[] arguments) throws Exception {
    Path folder = Path.of(arguments[0]);
    JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
    try (StandardJavaFileManager files = compiler.getStandardFileManager(null, null, null)) {
      for (int at = 1; at < arguments.length; at++) {
        start(compiler, files, Path.of(arguments[at]), folder.resolve("classes-" + at));
        System.err.println("Jobs: " + at + " started");
      }
    }
  }

  /** Compiles a program as `javac` does, and calls its `main`. */
  static void start(
      JavaCompiler compiler, StandardJavaFileManager files, Path source, Path classes)
      throws Exception {
    Matcher name = NAME.matcher(Files.readString(source));
    if (!name.find()) throw new IOException(source + " has no public class");
    // A public class lies in a file of its name.
    Path named = Files.createDirectories(classes).resolve(name.group(1) + ".java");
    Files.copy(source, named);
    StringWriter said = new StringWriter();
    List<String> options = List.of("-proc:none", "-nowarn", "-d", classes.toString());
    boolean compiled =
        compiler
            .getTask(said, files, null, options, null, files.getJavaFileObjects(named))
            .call();
    if (!compiled) throw new IOException(source + " can't be compiled:\n" + said);
    URL[] urls = {classes.toUri().toURL()};
    ClassLoader loader = new URLClassLoader(urls, Jobs.class.getClassLoader());
    Thread.currentThread().setContextClassLoader(loader);
    loader.loadClass(name.group(1)).getMethod("main", String[].class).invoke(null, (Object) new String[0]);
  }
}

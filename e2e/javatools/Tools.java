import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Collections;
import java.util.List;
import org.apache.kafka.common.utils.Exit;
import org.apache.log4j.LogManager;
import org.apache.log4j.varia.NullAppender;

/**
 * Runs Kafka's command-line tools one after the other in one JVM. A line of input is the milliseconds that the tool may
 * take, its main class, its input and its arguments, all but the first two in Base64 after an equals sign. The answer is
 * the exit code, standard output and standard error.
 *
 * <p>What a tool does after its first exit is not recorded: a JVM of its own would have ended there.
 */
public final class Tools {
    private static final Recorder OUT = new Recorder();
    private static final Recorder ERR = new Recorder();
    private static final List<Runnable> HOOKS = Collections.synchronizedList(new ArrayList<>());
    private static Integer code;

    private Tools() {}

    public static void main(String[] args) throws Exception {
        PrintStream answers = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        // Before any class of Scala is loaded, which keeps the streams that it finds.
        System.setOut(new PrintStream(OUT, true, StandardCharsets.UTF_8));
        System.setErr(new PrintStream(ERR, true, StandardCharsets.UTF_8));
        LogManager.getRootLogger().addAppender(new NullAppender());
        Exit.setExitProcedure(Tools::exit);
        Exit.setHaltProcedure(Tools::exit);
        Exit.setShutdownHookAdder((name, hook) -> HOOKS.add(hook));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            answers.println(answer(line.trim().split(" ")));
        }
        Runtime.getRuntime().halt(0); // a tool may have left threads behind
    }

    /** The end of a tool. An Error: tools catch exceptions. */
    private static final class Ended extends Error {
        Ended() {
            super("the tool has ended", null, false, false);
        }
    }

    private static void exit(int status, String message) {
        end(status);
        throw new Ended();
    }

    /** The first exit counts. Hooks run before the streams are closed, as in a JVM that ends. */
    private static synchronized void end(int status) {
        if (code == null) {
            code = status;
            new ArrayList<>(HOOKS).forEach(Runnable::run);
            HOOKS.clear();
            OUT.close();
            ERR.close();
        }
    }

    private static String answer(String[] words) {
        try {
            OUT.open();
            ERR.open();
            code = null;
            List<String> rest = new ArrayList<>();
            for (int i = 2; i < words.length; i++) {
                rest.add(new String(Base64.getDecoder().decode(words[i].substring(1)), StandardCharsets.UTF_8));
            }
            System.setIn(new ByteArrayInputStream(rest.remove(0).getBytes(StandardCharsets.UTF_8)));
            String[] args = rest.toArray(new String[0]);
            Thread tool = new Thread(() -> run(words[1], args), "tool");
            tool.setDaemon(true);
            tool.start();
            tool.join(Long.parseLong(words[0]));
            if (tool.isAlive()) {
                StringBuilder where = new StringBuilder();
                for (StackTraceElement e : tool.getStackTrace()) {
                    where.append(" at ").append(e);
                }
                tool.interrupt();
                return "FAIL it has not ended in time" + where + "; so far: " + OUT.text().replace("\n", "\\n");
            }
            return "ok " + code + " " + OUT.base64() + " " + ERR.base64();
        } catch (Exception e) {
            return "FAIL " + e.toString().replaceAll("[\r\n]+", " ");
        }
    }

    private static void run(String main, String[] args) {
        try {
            Class.forName(main).getMethod("main", String[].class).invoke(null, (Object) args);
            end(0);
        } catch (InvocationTargetException e) {
            if (!(e.getCause() instanceof Ended)) {
                System.err.print("Exception in thread \"main\" ");
                e.getCause().printStackTrace();
            }
            end(1);
        } catch (ReflectiveOperationException e) {
            System.err.println("cannot run " + main + ": " + e);
            end(1);
        }
    }

    /** Keeps what is written while a tool runs. */
    private static final class Recorder extends OutputStream {
        private ByteArrayOutputStream kept = new ByteArrayOutputStream();
        private boolean open;

        synchronized void open() {
            kept = new ByteArrayOutputStream();
            open = true;
        }

        @Override
        public synchronized void close() {
            open = false;
        }

        @Override
        public synchronized void write(int b) {
            if (open) {
                kept.write(b);
            }
        }

        @Override
        public synchronized void write(byte[] b, int from, int n) {
            if (open) {
                kept.write(b, from, n);
            }
        }

        synchronized String text() {
            return kept.toString(StandardCharsets.UTF_8);
        }

        synchronized String base64() {
            return "=" + Base64.getEncoder().encodeToString(kept.toByteArray());
        }
    }
}

package baton;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.FileWriter;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.io.Writer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import org.junit.platform.engine.TestExecutionResult;
import org.junit.platform.engine.support.descriptor.ClassSource;
import org.junit.platform.engine.support.descriptor.MethodSource;
import org.junit.platform.launcher.TestExecutionListener;
import org.junit.platform.launcher.TestIdentifier;

/** Writes how each test ended, a line of JSON each, to results.jsonl; Attachments adds its own lines. */
public final class Recorder implements TestExecutionListener {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final Map<String, Long> STARTED = new HashMap<>();
    private static volatile String running = "";

    /** The unique id of the test, or of the class, that has started last and not ended. */
    static String running() {
        return running;
    }

    static synchronized void write(Map<String, Object> line) {
        Path file = Path.of(System.getProperty("baton.dir"), "results.jsonl");
        try (Writer out = new FileWriter(file.toFile(), StandardCharsets.UTF_8, true)) {
            out.write(JSON.writeValueAsString(line) + "\n");
        } catch (JsonProcessingException e) {
            throw new IllegalStateException(e);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Override
    public void executionStarted(TestIdentifier test) {
        running = test.getUniqueId();
        STARTED.put(running, System.nanoTime());
        if (test.isTest()) {
            record(test, "started", "", null);
        }
    }

    @Override
    public void executionSkipped(TestIdentifier test, String reason) {
        record(test, "skipped", reason, null);
    }

    @Override
    public void executionFinished(TestIdentifier test, TestExecutionResult result) {
        running = test.getParentId().orElse("");
        boolean good = result.getStatus() == TestExecutionResult.Status.SUCCESSFUL;
        if (test.isTest() || !good) {
            Throwable error = result.getThrowable().orElse(null);
            record(test, result.getStatus().name().toLowerCase(), error == null ? "" : String.valueOf(error.getMessage()), error);
        }
    }

    private static void record(TestIdentifier test, String status, String reason, Throwable error) {
        Map<String, Object> line = new HashMap<>();
        line.put("test", test.getUniqueId());
        line.put("display", test.getDisplayName());
        line.put("status", status);
        line.put("reason", reason);
        line.put("reached", Reaching.place(test.getUniqueId()));
        line.put("ms", (System.nanoTime() - STARTED.getOrDefault(test.getUniqueId(), System.nanoTime())) / 1_000_000);
        test.getSource().ifPresent(source -> {
            if (source instanceof MethodSource) {
                line.put("class", ((MethodSource) source).getClassName());
                line.put("method", ((MethodSource) source).getMethodName());
            } else if (source instanceof ClassSource) {
                line.put("class", ((ClassSource) source).getClassName());
            }
        });
        if (error != null) {
            StringWriter trace = new StringWriter();
            error.printStackTrace(new PrintWriter(trace));
            line.put("trace", trace.toString());
        }
        write(line);
    }
}

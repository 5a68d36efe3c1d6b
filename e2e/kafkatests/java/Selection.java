package baton;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.extension.ConditionEvaluationResult;
import org.junit.jupiter.api.extension.ExecutionCondition;
import org.junit.jupiter.api.extension.ExtensionContext;

/** Leaves out what was not asked for, what runs on KRaft, and the methods of excluded.tsv: lines of class#method and why, with a tab between. */
public final class Selection implements ExecutionCondition {
    private static final ConditionEvaluationResult RUN = ConditionEvaluationResult.enabled("");
    private static final Map<String, String> EXCLUDED = read(Path.of(System.getProperty("baton.dir"), "excluded.tsv"));

    private static Map<String, String> read(Path file) {
        Map<String, String> excluded = new HashMap<>();
        try {
            for (String line : Files.readAllLines(file)) {
                int tab = line.indexOf('\t');
                excluded.put(line.substring(0, tab), line.substring(tab + 1));
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return excluded;
    }

    @Override
    public ConditionEvaluationResult evaluateExecutionCondition(ExtensionContext context) {
        if (context.getTestMethod().isEmpty()) {
            return RUN;
        }
        String name = context.getDisplayName();
        if (name.contains("quorum=kraft") || name.contains("Type=Raft")) {
            return ConditionEvaluationResult.disabled("kraft: the parameter is not ZooKeeper");
        }
        String only = System.getProperty("baton.only");
        if (!only.isEmpty() && !only.equals(context.getRequiredTestMethod().getName())) {
            return ConditionEvaluationResult.disabled("unselected: another method was asked for");
        }
        String why = EXCLUDED.get(context.getRequiredTestClass().getName() + "#" + context.getRequiredTestMethod().getName());
        return why == null ? RUN : ConditionEvaluationResult.disabled(why);
    }
}

package baton;

import java.security.CodeSource;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/** Notes which tests reach into the KafkaController objects of the brokers, which a controller elsewhere cannot stand in for. */
public final class Reaching {
    private static final StackWalker STACK = StackWalker.getInstance(StackWalker.Option.RETAIN_CLASS_REFERENCE);
    private static final Map<String, String> PLACES = new ConcurrentHashMap<>();

    private Reaching() {}

    /** Called at the beginning of KafkaServer.kafkaController; the frame above it is whose wish it is. */
    public static void controllerAsked() {
        StackWalker.StackFrame asker = STACK.walk(frames -> frames.skip(2).findFirst()).orElseThrow();
        CodeSource source = asker.getDeclaringClass().getProtectionDomain().getCodeSource();
        if (source != null && source.getLocation().getPath().endsWith("-test.jar")) {
            PLACES.putIfAbsent(Recorder.running(), asker.getFileName() + ":" + asker.getLineNumber());
        }
    }

    /** Where the test first did, null if it did not. */
    static String place(String test) {
        return PLACES.get(test);
    }
}

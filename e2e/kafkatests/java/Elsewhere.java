package baton;

import com.yammer.metrics.core.Metric;
import com.yammer.metrics.core.MetricName;
import java.util.Map;
import org.apache.kafka.admin.BrokerMetadata;
import org.apache.kafka.server.metrics.KafkaYammerMetrics;

/** What Kafka's tests look at in their own JVM although the controller is elsewhere now. */
public final class Elsewhere {
    private static final String UNCLEAN = "UncleanLeaderElectionsPerSec";

    private Elsewhere() {}

    /**
     * The set-up of many classes waits, in a helper, until each broker knows exactly the brokers of the test. Brokers know Baton besides,
     * because clients have to find it; for this helper alone it is left out. Methods that count nodes themselves see it.
     */
    @SuppressWarnings("unchecked")
    public static Object aliveBrokers(Object brokers) {
        boolean helper = StackWalker.getInstance().walk(frames -> frames.skip(2).findFirst())
            .filter(f -> f.getClassName().startsWith("kafka.utils.TestUtils")
                && f.getMethodName().contains("waitUntilBrokerMetadataIsPropagated")).isPresent();
        return helper ? ((scala.collection.Iterable<BrokerMetadata>) brokers).filterNot(b -> b.id == Attachments.ID) : brokers;
    }

    /** The meter of unclean elections is the controller's: what Baton's own metric of that name says is added to it. */
    public static long meterCount(Object meter, long count) {
        for (Map.Entry<MetricName, Metric> metric : KafkaYammerMetrics.defaultRegistry().allMetrics().entrySet()) {
            if (metric.getValue() == meter) {
                return metric.getKey().getName().equals(UNCLEAN) ? count + Attachments.uncleanElections() : count;
            }
        }
        return count;
    }
}

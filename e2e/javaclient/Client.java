import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.ExecutionException;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.Config;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.DescribeClusterResult;
import org.apache.kafka.clients.admin.FeatureUpdate;
import org.apache.kafka.clients.admin.NewPartitionReassignment;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.ScramCredentialInfo;
import org.apache.kafka.clients.admin.ScramMechanism;
import org.apache.kafka.clients.admin.UpdateFeaturesOptions;
import org.apache.kafka.clients.admin.UserScramCredentialAlteration;
import org.apache.kafka.clients.admin.UserScramCredentialDeletion;
import org.apache.kafka.clients.admin.UserScramCredentialUpsertion;
import org.apache.kafka.common.ElectionType;
import org.apache.kafka.common.Node;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.acl.AclBindingFilter;
import org.apache.kafka.common.config.ConfigResource;

/**
 * Answers, line by line, what Kafka's own clients make of a cluster: a verb, the bootstrap address, and the verb's
 * arguments. An answer begins with ok, or with FAIL, the exception's class and its message.
 */
public final class Client {
    private Client() {}

    public static void main(String[] args) throws Exception {
        PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            out.println(answer(line.trim().split("\\s+")));
        }
    }

    private static String answer(String[] words) {
        try {
            String bootstrap = words[1];
            String[] rest = Arrays.copyOfRange(words, 2, words.length);
            if (words[0].equals("transactions")) {
                return "ok " + Transactions.run(bootstrap, rest[0], rest[1], rest[2]);
            }
            try (Admin admin = Admin.create(Map.of("bootstrap.servers", bootstrap, "default.api.timeout.ms", "20000",
                "request.timeout.ms", "10000"))) {
                return "ok " + ask(admin, words[0], rest);
            }
        } catch (Throwable e) {
            Throwable cause = e instanceof ExecutionException ? e.getCause() : e;
            return "FAIL " + (cause.getClass().getSimpleName() + ": " + cause.getMessage()).replaceAll("[\r\n]+", " ");
        }
    }

    private static Object ask(Admin admin, String verb, String[] a) throws Exception {
        switch (verb) {
            case "cluster":
                return cluster(admin.describeCluster());
            case "configs":
                return configs(admin, resource(a[0], a[1]));
            case "alterConfig":
                admin.incrementalAlterConfigs(Map.of(resource(a[0], a[1]), List.of(
                    new AlterConfigOp(new ConfigEntry(a[2], a[3]), AlterConfigOp.OpType.SET)))).all().get();
                return "";
            case "groups":
                return new TreeSet<>(admin.listConsumerGroups().all().get().stream().map(g -> g.groupId())
                    .collect(Collectors.toSet()));
            case "logDirs":
                return logDirs(admin, a[0]);
            case "offset":
                TopicPartition first = new TopicPartition(a[0], 0);
                return admin.listOffsets(Map.of(first, OffsetSpec.latest())).all().get().get(first).offset();
            case "features":
                return admin.describeFeatures().featureMetadata().get();
            case "acls":
                return admin.describeAcls(AclBindingFilter.ANY).values().get();
            case "topic":
                return admin.describeTopics(List.of(a[0])).allTopicNames().get().get(a[0]);
            default:
                return change(admin, verb, a);
        }
    }

    /** What only a controller does. */
    private static Object change(Admin admin, String verb, String[] a) throws Exception {
        TopicPartition first = new TopicPartition(a.length > 0 ? a[0] : "none", 0);
        switch (verb) {
            case "create":
                return create(admin, new NewTopic(a[0], Integer.parseInt(a[1]), Short.parseShort(a[2])), a, 3);
            case "createOn":
                return create(admin, new NewTopic(a[0], assignments(a[1])), a, 2);
            case "delete":
                admin.deleteTopics(List.of(a[0])).all().get();
                return "";
            case "partitions":
                admin.createPartitions(Map.of(a[0], NewPartitions.increaseTo(99))).all().get();
                return "";
            case "elect":
                admin.electLeaders(ElectionType.PREFERRED, Set.of(first)).all().get();
                return "";
            case "reassign":
                admin.alterPartitionReassignments(Map.of(first, Optional.of(new NewPartitionReassignment(
                    assignments("0:" + a[1]).get(0))))).all().get();
                return "";
            case "reassignments":
                return admin.listPartitionReassignments().reassignments().get();
            case "setScram":
                return alterScram(admin, new UserScramCredentialUpsertion(a[0], new ScramCredentialInfo(
                    ScramMechanism.fromMechanismName(a[1]), Integer.parseInt(a[2])), bytes(a[3]), bytes(a[4])));
            case "dropScram":
                return alterScram(admin, new UserScramCredentialDeletion(a[0], ScramMechanism.fromMechanismName(a[1])));
            case "scrams":
                return admin.describeUserScramCredentials(Arrays.asList(a)).all().get();
            case "updateFeature":
                admin.updateFeatures(Map.of(a[0], new FeatureUpdate(Short.parseShort(a[1]),
                    FeatureUpdate.UpgradeType.valueOf(a[2]))), new UpdateFeaturesOptions()).all().get();
                return "";
            default:
                throw new IllegalArgumentException("unknown verb " + verb);
        }
    }

    private static Object alterScram(Admin admin, UserScramCredentialAlteration alteration) throws Exception {
        admin.alterUserScramCredentials(List.of(alteration)).all().get();
        return "";
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    /** Creates a topic; the arguments from an index on are its configs, as key=value. */
    private static Object create(Admin admin, NewTopic topic, String[] a, int configs) throws Exception {
        Map<String, String> values = new TreeMap<>();
        for (String c : Arrays.copyOfRange(a, configs, a.length)) {
            values.put(c.substring(0, c.indexOf('=')), c.substring(c.indexOf('=') + 1));
        }
        return admin.createTopics(List.of(topic.configs(values))).topicId(topic.name()).get();
    }

    /** Reads 0:1,2;1:2,3 as partition 0 on brokers 1 and 2, and so on; a partition may be on none. */
    private static Map<Integer, List<Integer>> assignments(String text) {
        Map<Integer, List<Integer>> out = new TreeMap<>();
        for (String part : text.split(";")) {
            int colon = part.indexOf(':');
            out.put(Integer.valueOf(part.substring(0, colon)), Arrays.stream(part.substring(colon + 1).split(","))
                .filter(n -> !n.isEmpty()).map(Integer::valueOf).collect(Collectors.toList()));
        }
        return out;
    }

    private static ConfigResource resource(String kind, String name) {
        return new ConfigResource(ConfigResource.Type.valueOf(kind), name);
    }

    private static String cluster(DescribeClusterResult r) throws Exception {
        Collection<Node> nodes = r.nodes().get();
        Node controller = r.controller().get();
        return "controller=" + controller.id() + "@" + controller.host() + ":" + controller.port() + " nodes="
            + nodes.stream().map(Node::id).sorted().map(String::valueOf).collect(Collectors.joining(","))
            + " cluster=" + r.clusterId().get();
    }

    private static String configs(Admin admin, ConfigResource resource) throws Exception {
        Config config = admin.describeConfigs(List.of(resource)).all().get().get(resource);
        Map<String, String> values = new TreeMap<>();
        config.entries().forEach(e -> values.put(e.name(), e.value()));
        return values.toString();
    }

    /** The ids of the nodes that have a replica of the topic, asking all nodes of the cluster. */
    private static Object logDirs(Admin admin, String topic) throws Exception {
        List<Integer> ids = admin.describeCluster().nodes().get().stream().map(Node::id).collect(Collectors.toList());
        Set<Integer> hosts = new TreeSet<>();
        admin.describeLogDirs(ids).allDescriptions().get().forEach((id, dirs) -> dirs.values().forEach(d -> {
            if (d.replicaInfos().keySet().stream().anyMatch(p -> p.topic().equals(topic))) {
                hosts.add(id);
            }
        }));
        return "asked=" + new TreeSet<>(ids) + " hosts=" + hosts;
    }
}

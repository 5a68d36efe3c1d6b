package baton;

import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.URL;
import java.net.URLConnection;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import kafka.cluster.EndPoint;
import kafka.server.KafkaConfig;
import kafka.server.KafkaServer;
import kafka.zk.EmbeddedZookeeper;
import org.apache.kafka.common.security.auth.SecurityProtocol;
import org.apache.zookeeper.server.DataNode;
import org.opentest4j.TestAbortedException;
import scala.jdk.javaapi.CollectionConverters;

/**
 * One Baton for each cluster, that is for each embedded ZooKeeper and chroot: started with the configuration of the cluster's first broker
 * before that one registers, awaited until /controller names it, ended when ZooKeeper stops. ZooKeeper's transaction logs are kept: they say
 * who held the role when.
 */
public final class Attachments {
    static final int ID = 2_000_001;
    private static final String PROTOCOL = "inter.broker.protocol.version";
    private static final String LAST_PROTOCOL = "3.9-IV0";
    private static final long CLAIM_MS = 30_000;

    private static final Map<Integer, Zoo> RUNNING = new HashMap<>();
    private static int count;

    private Attachments() {}

    /** An embedded ZooKeeper, with the Batons on it by chroot. */
    private static final class Zoo {
        final EmbeddedZookeeper server;
        final Path dir;
        final String test;
        final Map<String, Process> batons = new LinkedHashMap<>();
        final List<Integer> adminPorts = new ArrayList<>();

        Zoo(EmbeddedZookeeper server, Path dir, String test) {
            this.server = server;
            this.dir = dir;
            this.test = test;
        }
    }

    public static synchronized void zooKeeperStarted(Object started) {
        EmbeddedZookeeper server = (EmbeddedZookeeper) started;
        Path dir = Path.of(System.getProperty("baton.dir"), "zookeeper-" + ++count);
        RUNNING.put(server.port(), new Zoo(server, dir, Recorder.running()));
    }

    /** Throws TestAbortedException where Baton cannot serve such a broker, so that the test is neither passed nor failed. */
    public static synchronized void brokerStarts(Object broker) {
        KafkaConfig config = ((KafkaServer) broker).config();
        String connect = config.zkConnect();
        if (connect == null) {
            return;
        }
        int slash = connect.indexOf('/');
        String chroot = slash < 0 ? "" : connect.substring(slash);
        String servers = slash < 0 ? connect : connect.substring(0, slash);
        Zoo zoo = RUNNING.get(Integer.parseInt(servers.substring(servers.lastIndexOf(':') + 1)));
        if (zoo == null || zoo.batons.containsKey(chroot)) {
            return;
        }
        unless(config.migrationEnabled(), "kraft: brokers that migrate to KRaft");
        unless(config.interBrokerSecurityProtocol() != SecurityProtocol.PLAINTEXT,
            "security: brokers talk over " + config.interBrokerSecurityProtocol());
        unless(!config.getString("authorizer.class.name").isEmpty(), "security: brokers with an authorizer");
        try {
            zoo.batons.put(chroot, start(zoo, config));
            awaitClaim(zoo, chroot);
        } catch (IOException e) {
            throw new IllegalStateException("Baton could not be started", e);
        }
    }

    private static void unless(boolean unable, String why) {
        if (unable) {
            throw new TestAbortedException(why);
        }
    }

    private static Process start(Zoo zoo, KafkaConfig config) throws IOException {
        Files.createDirectories(zoo.dir);
        String name = "baton-" + zoo.batons.size();
        Path file = zoo.dir.resolve(name + ".properties");
        Properties given = new Properties();
        config.originals().forEach((key, value) -> given.setProperty(key, String.valueOf(value)));
        // Brokers of tests may speak protocols that were never released with ZooKeeper; to a controller these are like the last one.
        if (given.getProperty(PROTOCOL, "").startsWith("4.")) {
            given.setProperty(PROTOCOL, LAST_PROTOCOL);
        }
        try (OutputStream out = Files.newOutputStream(file)) {
            given.store(out, "of broker " + config.brokerId());
        }
        String listeners = CollectionConverters.asJava(config.effectiveAdvertisedBrokerListeners()).stream()
            .filter(l -> l.securityProtocol() == SecurityProtocol.PLAINTEXT)
            .map(EndPoint::listenerName).map(l -> l.value() + "://localhost:0").collect(Collectors.joining(","));
        int adminPort = freePort();
        zoo.adminPorts.add(adminPort);
        List<String> command = new ArrayList<>(List.of(System.getProperty("baton.binary"), "run", "--config", file.toString()));
        for (String set : List.of("node.id=" + ID, "controller.mode=active", "listeners=" + listeners, "advertised.listeners=" + listeners,
                "admin.listener=127.0.0.1:" + adminPort, "admin.socket=", "log.level=" + System.getProperty("baton.log.level"))) {
            command.add("--set");
            command.add(set);
        }
        File log = zoo.dir.resolve(name + ".log").toFile();
        return new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(log).start();
    }

    private static int freePort() throws IOException {
        try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            return socket.getLocalPort();
        }
    }

    /** The unclean elections that the running Batons count. */
    static synchronized long uncleanElections() {
        long n = 0;
        for (Zoo zoo : RUNNING.values()) {
            for (int port : zoo.adminPorts) {
                n += metric(port, "kafka_controller_controllerstats_uncleanleaderelections_total");
            }
        }
        return n;
    }

    private static long metric(int port, String name) {
        try {
            URLConnection connection = new URL("http://127.0.0.1:" + port + "/metrics").openConnection();
            connection.setRequestProperty("Connection", "close");
            try (BufferedReader in = new BufferedReader(new InputStreamReader(connection.getInputStream(), StandardCharsets.UTF_8))) {
                return in.lines().filter(line -> line.startsWith(name)).findFirst()
                    .map(line -> (long) Double.parseDouble(line.substring(line.lastIndexOf(' ') + 1)))
                    .orElseThrow(() -> new IllegalStateException("Baton has no metric " + name));
            }
        } catch (IOException e) {
            throw new UncheckedIOException("Baton's metrics could not be read", e);
        }
    }

    /** ZooKeeper is in this JVM: its tree is read, not asked for, so that no client of ours is among the test's threads. */
    private static void awaitClaim(Zoo zoo, String chroot) {
        long end = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(CLAIM_MS);
        while (!holds(zoo, chroot)) {
            if (!zoo.batons.get(chroot).isAlive()) {
                throw new IllegalStateException("Baton ended before it held /controller; see " + zoo.dir);
            }
            if (System.nanoTime() > end) {
                throw new IllegalStateException("Baton does not hold /controller after " + CLAIM_MS + " ms; see " + zoo.dir);
            }
            try {
                TimeUnit.MILLISECONDS.sleep(2);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new IllegalStateException("interrupted while Baton was to claim /controller", e);
            }
        }
    }

    private static boolean holds(Zoo zoo, String chroot) {
        DataNode node = zoo.server.zookeeper().getZKDatabase().getNode(chroot + "/controller");
        return node != null && new String(node.getData(), StandardCharsets.UTF_8).contains("\"brokerid\":" + ID + ",");
    }

    /** Comes before anything of ZooKeeper has stopped; a second call finds nothing to do. */
    public static synchronized void zooKeeperStops(Object stopping) {
        EmbeddedZookeeper server = (EmbeddedZookeeper) stopping;
        Zoo zoo = RUNNING.get(server.port());
        if (zoo == null || zoo.server != server) {
            return;
        }
        RUNNING.remove(server.port());
        if (zoo.batons.isEmpty()) {
            return;
        }
        List<Map<String, Object>> batons = new ArrayList<>();
        zoo.batons.forEach((chroot, process) -> batons.add(Map.of("chroot", chroot, "alive", process.isAlive())));
        try {
            keepLogs(zoo);
        } catch (IOException e) {
            throw new UncheckedIOException("ZooKeeper's transaction logs could not be kept", e);
        } finally {
            zoo.batons.values().forEach(Attachments::end);
        }
        Recorder.write(Map.of("zookeeper", zoo.dir.toString(), "test", zoo.test, "batons", batons));
    }

    private static void keepLogs(Zoo zoo) throws IOException {
        Path dir = zoo.server.zookeeper().getTxnLogFactory().getDataLogDir().toPath();
        try (DirectoryStream<Path> logs = Files.newDirectoryStream(dir, "log.*")) {
            for (Path log : logs) {
                Files.copy(log, zoo.dir.resolve(log.getFileName()));
            }
        }
    }

    private static void end(Process process) {
        process.destroyForcibly();
        try {
            process.waitFor();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}

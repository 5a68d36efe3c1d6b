import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.apache.zookeeper.AddWatchMode;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.Op;
import org.apache.zookeeper.OpResult;
import org.apache.zookeeper.WatchedEvent;
import org.apache.zookeeper.Watcher;
import org.apache.zookeeper.ZooDefs;
import org.apache.zookeeper.ZooKeeper;
import org.apache.zookeeper.data.Stat;

/** Answers each line of its input with one line, by Java's ZooKeeper client. */
public class ZkClient {
    private static final LinkedBlockingQueue<String> events = new LinkedBlockingQueue<>();
    private static volatile CountDownLatch connected = new CountDownLatch(1);
    private static ZooKeeper zk;

    private static final Watcher watcher = ZkClient::seen;

    private static void seen(WatchedEvent e) {
        if (e.getType() != Watcher.Event.EventType.None) {
            events.add(e.getType() + " " + e.getPath());
        } else if (e.getState() == Watcher.Event.KeeperState.SyncConnected) {
            connected.countDown();
        }
    }

    public static void main(String[] args) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line; (line = in.readLine()) != null; ) {
            String answer;
            try {
                answer = ("ok " + run(line.split(" "))).trim();
            } catch (KeeperException.UnimplementedException e) {
                answer = "UNIMPLEMENTED";
            } catch (KeeperException e) {
                StringBuilder b = new StringBuilder(e.code().toString());
                if (e.getResults() != null) {
                    for (OpResult r : e.getResults()) {
                        int err = ((OpResult.ErrorResult) r).getErr();
                        b.append(' ').append(err);
                    }
                }
                answer = b.toString();
            } catch (Exception e) {
                answer = "FAIL " + e;
            }
            System.out.println("> " + answer);
            System.out.flush();
        }
    }

    private static String run(String[] w) throws Exception {
        switch (w[0]) {
            case "connect":
                connect(w[1]);
                return "";
            case "create":
                return zk.create(w[1], w[3].getBytes(), ZooDefs.Ids.OPEN_ACL_UNSAFE, mode(w[2]));
            case "create2": {
                Stat s = new Stat();
                String p = zk.create(w[1], w[3].getBytes(), ZooDefs.Ids.OPEN_ACL_UNSAFE, mode(w[2]), s);
                return p + " " + s.getVersion() + " " + s.getDataLength();
            }
            case "ttl":
                return zk.create(w[1], null, ZooDefs.Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT_WITH_TTL, null, Long.parseLong(w[2]));
            case "get": {
                Stat s = new Stat();
                return new String(zk.getData(w[1], false, s)) + " " + s.getVersion();
            }
            case "set":
                return "" + zk.setData(w[1], w[3].getBytes(), Integer.parseInt(w[2])).getVersion();
            case "delete":
                zk.delete(w[1], Integer.parseInt(w[2]));
                return "";
            case "children": {
                List<String> c = new ArrayList<>(zk.getChildren(w[1], false));
                Collections.sort(c);
                return String.join(" ", c);
            }
            case "watch":
                zk.exists(w[1], watcher);
                return "";
            case "watchchildren":
                zk.getChildren(w[1], watcher);
                return "";
            case "addwatch":
                zk.addWatch(w[1], watcher, AddWatchMode.valueOf(w[2].toUpperCase()));
                return "";
            case "event":
                return events.poll(60, TimeUnit.SECONDS);
            case "multi":
                return multi(w);
            case "cut":
                cut();
                return "";
            default:
                throw new IllegalArgumentException(w[0]);
        }
    }

    private static void connect(String to) throws Exception {
        if (zk != null) {
            zk.close();
        }
        events.clear();
        connected = new CountDownLatch(1);
        zk = new ZooKeeper(to, 30000, watcher);
        if (!connected.await(60, TimeUnit.SECONDS)) {
            throw new IllegalStateException("not connected");
        }
    }

    /** Closes the socket under the client, which then resumes its session. */
    private static void cut() throws Exception {
        connected = new CountDownLatch(1);
        java.lang.reflect.Field cnxn = ZooKeeper.class.getDeclaredField("cnxn");
        cnxn.setAccessible(true);
        Object c = cnxn.get(zk);
        java.lang.reflect.Field thread = c.getClass().getDeclaredField("sendThread");
        thread.setAccessible(true);
        java.lang.reflect.Method close = thread.get(c).getClass().getDeclaredMethod("testableCloseSocket");
        close.setAccessible(true);
        close.invoke(thread.get(c));
        if (!connected.await(60, TimeUnit.SECONDS)) {
            throw new IllegalStateException("not connected again");
        }
    }

    private static CreateMode mode(String name) {
        return CreateMode.valueOf(name.toUpperCase());
    }

    private static String multi(String[] w) throws Exception {
        List<Op> ops = new ArrayList<>();
        for (int i = 1; i < w.length; i++) {
            String[] p = w[i].split(":");
            switch (p[0]) {
                case "create":
                    ops.add(Op.create(p[1], new byte[0], ZooDefs.Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT));
                    break;
                case "set":
                    ops.add(Op.setData(p[1], new byte[0], -1));
                    break;
                case "check":
                    ops.add(Op.check(p[1], Integer.parseInt(p[2])));
                    break;
                default:
                    ops.add(Op.delete(p[1], -1));
            }
        }
        StringBuilder b = new StringBuilder();
        for (OpResult r : zk.multi(ops)) {
            b.append(r.getClass().getSimpleName().replace("Result", "")).append(' ');
        }
        return b.toString();
    }
}

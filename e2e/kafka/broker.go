package kafka

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Broker is one broker of a cluster. Its process can be ended and started again; its addresses stay.
type Broker struct {
	*Process
	id         int
	dir        string
	properties string
	dataDirs   []string
	listeners  []endpoint
	zooKeeper  *TCPProxy // nil if there is none
	watcher    *Watcher
	cluster    *Cluster
	log4j      string
}

type endpoint struct {
	name  string
	port  int // where the broker listens
	proxy *TCPProxy
}

func (e endpoint) advertised() string {
	if e.proxy != nil {
		return e.proxy.Addr()
	}
	return loopback(e.port)
}

func (c *Cluster) newBroker(env Env, id int, classpath string) (*Broker, error) {
	b := &Broker{id: id, cluster: c, watcher: c.Watcher, dir: filepath.Join(env.TempDir(), "broker-"+strconv.Itoa(id))}
	b.dataDirs = []string{filepath.Join(b.dir, "data")}
	for i := 2; i <= c.opts.LogDirs; i++ {
		b.dataDirs = append(b.dataDirs, filepath.Join(b.dir, "data-"+strconv.Itoa(i)))
	}
	for _, dir := range b.dataDirs {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, err
		}
	}
	names := c.opts.listeners()
	ports, err := ReservePorts(env, len(names))
	if err != nil {
		return nil, err
	}
	for i, name := range names {
		e := endpoint{name: name, port: ports[i]}
		if slices.Contains(c.opts.Proxies, name) {
			if e.proxy, err = NewTCPProxy(env, loopback(e.port)); err != nil {
				return nil, err
			}
		}
		b.listeners = append(b.listeners, e)
	}
	if c.opts.ZooKeeperProxies {
		if b.zooKeeper, err = NewZooKeeperProxy(env, c.ZooKeeper.Servers[0].Addr()); err != nil {
			return nil, err
		}
	}
	b.properties = filepath.Join(b.dir, "server.properties")
	if err := c.brokerProperties(b).write(b.properties); err != nil {
		return nil, err
	}
	b.log4j, err = writeLog4j(b.dir, "INFO", map[string]string{
		"kafka.controller":          c.opts.ControllerLog,
		"state.change.logger":       c.opts.StateChangeLog,
		"org.apache.zookeeper":      "WARN",
		"kafka.server.KafkaConfig":  "WARN", // one long line for each setting otherwise
		"org.apache.kafka.clients":  "WARN",
		"kafka.network.Processor":   "WARN",
		"kafka.log.LogCleaner":      "WARN",
		"org.apache.kafka.common.u": "WARN",
	})
	if err != nil {
		return nil, err
	}
	name := "broker-" + strconv.Itoa(id)
	b.Process, err = StartProcess(env, name, filepath.Join(c.logDir, name+".log"),
		b.command(classpath)...)
	return b, err
}

func (b *Broker) command(classpath string) []string {
	return javaCommand(jvm(b.cluster.opts.BrokerHeapMB, b.cluster.opts.Shipped), b.log4j, classpath, "kafka.Kafka", b.properties)
}

func (c *Cluster) brokerProperties(b *Broker) properties {
	var listen, advertise, protocols []string
	for _, e := range b.listeners {
		listen = append(listen, e.name+"://"+loopback(e.port))
		advertise = append(advertise, e.name+"://"+e.advertised())
		protocols = append(protocols, e.name+":PLAINTEXT")
	}
	internalReplicas := strconv.Itoa(min(3, c.opts.Brokers))
	p := properties{
		"broker.id":                                strconv.Itoa(b.id),
		"zookeeper.connect":                        c.ConnectString(),
		"zookeeper.session.timeout.ms":             strconv.Itoa(int(c.opts.BrokerSession.Milliseconds())),
		"zookeeper.connection.timeout.ms":          "30000",
		"listeners":                                strings.Join(listen, ","),
		"advertised.listeners":                     strings.Join(advertise, ","),
		"listener.security.protocol.map":           strings.Join(protocols, ","),
		"inter.broker.listener.name":               Internal,
		"inter.broker.protocol.version":            c.opts.IBP,
		"log.dirs":                                 strings.Join(b.dataDirs, ","),
		"auto.create.topics.enable":                strconv.FormatBool(c.opts.AutoCreateTopics),
		"replica.lag.time.max.ms":                  "10000",
		"auto.leader.rebalance.enable":             "false", // leaders move when a test has them move
		"group.initial.rebalance.delay.ms":         "0",
		"offsets.topic.replication.factor":         internalReplicas,
		"offsets.topic.num.partitions":             "4",
		"transaction.state.log.num.partitions":     "4",
		"transaction.state.log.replication.factor": internalReplicas,
		"transaction.state.log.min.isr":            strconv.Itoa(max(1, min(2, c.opts.Brokers-1))),
		// Small, because several brokers share a laptop: an index is preallocated for each segment, and the
		// cleaner's default buffer would not fit into the heap.
		"log.index.size.max.bytes":          "262144",
		"log.cleaner.dedupe.buffer.size":    "4194304",
		"num.network.threads":               "2",
		"num.io.threads":                    "4",
		"background.threads":                "2",
		"queued.max.requests":               "100",
		"socket.send.buffer.bytes":          "102400",
		"socket.receive.buffer.bytes":       "102400",
		"num.recovery.threads.per.data.dir": "1",
	}
	if len(c.opts.Racks) > 0 {
		p["broker.rack"] = c.opts.Racks[b.id-1]
	}
	if b.zooKeeper != nil {
		p["zookeeper.connect"] = b.zooKeeper.Addr() + c.opts.Chroot
	}
	p.merge(c.opts.Overrides)
	if c.opts.PerBroker != nil {
		p.merge(c.opts.PerBroker(b.id))
	}
	return p
}

// ID is broker.id.
func (b *Broker) ID() int { return b.id }

// PropertiesPath is the server.properties that the broker was started with.
func (b *Broker) PropertiesPath() string { return b.properties }

// DataDirs are the broker's log directories.
func (b *Broker) DataDirs() []string { return b.dataDirs }

// Addr is the advertised address of a listener; without a name, of the one that clients should use.
func (b *Broker) Addr(listener ...string) string { return b.endpoint(listener).advertised() }

// BindAddr is where a listener really listens, behind its proxy if it has one.
func (b *Broker) BindAddr(listener ...string) string { return loopback(b.endpoint(listener).port) }

// Proxy is the proxy before a listener, nil if none was asked for.
func (b *Broker) Proxy(listener ...string) *TCPProxy { return b.endpoint(listener).proxy }

// ZooKeeperProxy is the one between the broker and ZooKeeper, nil if there is none.
func (b *Broker) ZooKeeperProxy() *TCPProxy { return b.zooKeeper }

func (b *Broker) endpoint(listener []string) endpoint {
	for _, e := range b.listeners {
		if len(listener) == 0 || e.name == listener[0] {
			return e
		}
	}
	panic(fmt.Sprintf("broker %d has no listener %v", b.id, listener)) // a mistake in the test itself
}

// WaitRegistered waits until the broker is in /brokers/ids. A registration left by a life that was just killed
// counts until its session has expired; Restart knows how to tell them apart.
func (b *Broker) WaitRegistered(ctx context.Context) error {
	return b.waitRegistration(ctx, 0)
}

// WaitGone waits until the broker's registration is gone.
func (b *Broker) WaitGone(ctx context.Context) error {
	ctx, cancel := deadline(ctx, time.Minute)
	defer cancel()
	return b.watcher.Until(ctx, fmt.Sprintf("broker %d to be gone", b.id), func(r *Reads) (string, error) {
		data, err := r.Get(b.path())
		if err != nil || data == nil {
			return "", err
		}
		return "it is registered", nil
	})
}

func (b *Broker) path() string { return "/brokers/ids/" + strconv.Itoa(b.id) }

// waitRegistration waits for a registration other than the one with this czxid.
func (b *Broker) waitRegistration(ctx context.Context, not int64) error {
	ctx, cancel := deadline(ctx, 90*time.Second)
	defer cancel()
	what := fmt.Sprintf("broker %d to be registered (log %s)", b.id, b.LogPath())
	err := b.watcher.Until(ctx, what, func(r *Reads) (string, error) {
		if !b.Running() {
			return "", b.ended()
		}
		data, err := r.Get(b.path())
		if err != nil || data == nil {
			return "it is not", err
		}
		epoch, err := b.Epoch()
		if err != nil || epoch == not {
			return "the registration is the old one", err
		}
		return "", nil
	})
	if err != nil {
		return err
	}
	return b.waitListening(ctx)
}

// waitListening waits for the ports: a broker registers itself some time before it opens them, and a client that
// knocks in between may give up for good.
func (b *Broker) waitListening(ctx context.Context) error {
	var d net.Dialer
	for _, e := range b.listeners {
		err := Eventually(ctx, fmt.Sprintf("broker %d to listen on %s", b.id, e.name), func(ctx context.Context) (bool, error) {
			if !b.Running() {
				return false, b.ended()
			}
			conn, err := d.DialContext(ctx, "tcp", loopback(e.port))
			if err != nil {
				return false, err
			}
			return true, conn.Close()
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Epoch is the broker's epoch, the czxid of its registration; 0 when it has none.
func (b *Broker) Epoch() (int64, error) {
	ok, stat, err := b.watcher.Conn.Exists(b.watcher.chroot + b.path())
	if err != nil || !ok {
		return 0, err
	}
	return stat.Czxid, nil
}

// Restart ends the broker with a controlled shutdown if it still runs, starts it again and waits for its new
// registration.
func (b *Broker) Restart(ctx context.Context) error {
	before, err := b.Epoch()
	if err != nil {
		return err
	}
	if err := b.Terminate(ctx); err != nil {
		return err
	}
	if err := b.Start(); err != nil {
		return err
	}
	return b.waitRegistration(ctx, before)
}

// Become ends the broker with a controlled shutdown and starts it as another release of Kafka with this inter-broker
// protocol: one broker's part of a rolling upgrade.
func (b *Broker) Become(ctx context.Context, version, ibp string) error {
	classpath, err := Fetch(ctx, version)
	if err != nil {
		return err
	}
	p := b.cluster.brokerProperties(b)
	p["inter.broker.protocol.version"] = ibp
	if err := p.write(b.properties); err != nil {
		return err
	}
	b.setCommand(b.command(classpath))
	return b.Restart(ctx)
}

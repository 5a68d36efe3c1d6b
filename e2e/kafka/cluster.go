package kafka

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Cluster is a running Kafka cluster in ZooKeeper mode.
type Cluster struct {
	ZooKeeper *ZooKeeper
	Brokers   []*Broker // Brokers[i] has id i+1
	*Watcher

	opts      Options
	env       Env
	logDir    string
	classpath string
	via       []string // bootstrap addresses of tools; all brokers if empty
}

// Start starts a cluster for a test, which is skipped or failed where there is no Java, and waits until all brokers
// are registered and one of them is the controller.
func Start(t testing.TB, o Options) *Cluster {
	t.Helper()
	RequireJava(t)
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	c, err := New(ctx, t, o)
	if err != nil {
		t.Fatalf("start kafka: %v", err)
	}
	return c
}

// New starts a cluster that lives until env ends. It returns when all brokers are registered and one is the
// controller.
func New(ctx context.Context, env Env, o Options) (*Cluster, error) {
	if err := o.complete(ctx, env); err != nil {
		return nil, err
	}
	classpath, err := Fetch(ctx, o.Version)
	if err != nil {
		return nil, err
	}
	c := &Cluster{opts: o, env: env, classpath: classpath, logDir: o.ZooKeeper.logDirectory}
	if x := o.ExternalZooKeeper; x != nil {
		c.ZooKeeper = &ZooKeeper{Servers: []*ZooKeeperServer{{id: 1, port: x.Port, dataDir: x.DataDir}}}
	} else if c.ZooKeeper, err = StartZooKeeper(ctx, env, o.ZooKeeper); err != nil {
		return nil, err
	}
	if c.Watcher, err = NewWatcher(env, c.ZooKeeper.Addrs(), o.Chroot); err != nil {
		return nil, err
	}
	if err := c.createChroot(); err != nil {
		return nil, err
	}
	for id := 1; id <= o.Brokers; id++ {
		b, err := c.newBroker(env, id, classpath)
		if err != nil {
			return nil, err
		}
		c.Brokers = append(c.Brokers, b)
	}
	return c, c.waitStarted(ctx)
}

// createChroot spares the brokers, which all start at once, a race for who creates it.
func (c *Cluster) createChroot() error {
	path := ""
	for _, name := range strings.Split(c.opts.Chroot, "/")[1:] {
		path += "/" + name
		_, err := c.Conn.Create(path, nil, 0, zk.WorldACL(zk.PermAll))
		if err != nil && !errors.Is(err, zk.ErrNodeExists) {
			return fmt.Errorf("create the chroot %s: %w", path, err)
		}
	}
	return nil
}

func (c *Cluster) waitStarted(ctx context.Context) error {
	for _, b := range c.Brokers {
		if err := b.WaitRegistered(ctx); err != nil {
			return err
		}
	}
	if _, err := c.WaitController(ctx, nil); err != nil {
		return err
	}
	return c.waitKnown(ctx)
}

// waitKnown waits until clients are told of every broker: the controller may hear of a registration later than we do,
// and refuses topics with more replicas than brokers until then.
func (c *Cluster) waitKnown(ctx context.Context) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(c.Seeds()...))
	if err != nil {
		return err
	}
	defer client.Close()
	return Eventually(ctx, "clients to be told of every broker", func(ctx context.Context) (bool, error) {
		resp, err := kmsg.NewPtrMetadataRequest().RequestWith(ctx, client)
		if err != nil {
			return false, err
		}
		known := 0
		for _, b := range resp.Brokers { // others, that are not the harness's, may be there too
			if b.NodeID >= 1 && int(b.NodeID) <= len(c.Brokers) {
				known++
			}
		}
		return known == len(c.Brokers), fmt.Errorf("%d of %d", known, len(c.Brokers))
	})
}

// Broker returns the broker with this id.
func (c *Cluster) Broker(id int) *Broker { return c.Brokers[id-1] }

// ConnectString is the brokers' zookeeper.connect, chroot included.
func (c *Cluster) ConnectString() string { return c.ZooKeeper.ConnectString() + c.opts.Chroot }

// Chroot is the path below which the cluster lives, empty if at the root.
func (c *Cluster) Chroot() string { return c.opts.Chroot }

// Version of the brokers.
func (c *Cluster) Version() string { return c.opts.Version }

// LeadersWriteISR reports whether the cluster started with an inter-broker protocol (below 2.7-IV2) with which leaders
// write partition states to ZooKeeper by themselves.
func (c *Cluster) LeadersWriteISR() bool { return !AtLeast(c.opts.IBP+".0", 2, 7) }

// TopicIDs reports whether the cluster started with an inter-broker protocol (2.8 and up) with which topics have ids.
func (c *Cluster) TopicIDs() bool { return AtLeast(c.opts.IBP+".0", 2, 8) }

// BrokerSession is the brokers' ZooKeeper session time-out: how long one that was killed counts as there.
func (c *Cluster) BrokerSession() time.Duration { return c.opts.BrokerSession }

// Classpath of the brokers' jars.
func (c *Cluster) Classpath() string { return c.classpath }

// LogDir is where the processes' logs are written during the run.
func (c *Cluster) LogDir() string { return c.logDir }

// TxnLogDirs makes a cluster a source of history.
func (c *Cluster) TxnLogDirs() []string { return c.ZooKeeper.TxnLogDirs() }

// Listeners are the names of the brokers' listeners, the one for clients first.
func (c *Cluster) Listeners() []string { return c.opts.listeners() }

// Seeds are the advertised addresses of all brokers on the listener for clients.
func (c *Cluster) Seeds() []string {
	var seeds []string
	for _, b := range c.Brokers {
		seeds = append(seeds, b.Addr())
	}
	return seeds
}

// Stop ends brokers, politely and all at once, then ZooKeeper. The end of the Env kills what is left anyway; a
// program that wants a clean end calls this first. It takes some 15 s: the last brokers try several times to move
// leaderships that nobody is left to take.
func (c *Cluster) Stop(ctx context.Context) error {
	errs := make([]error, len(c.Brokers))
	var wg sync.WaitGroup
	for i, b := range c.Brokers {
		wg.Go(func() { errs[i] = b.Terminate(ctx) })
	}
	wg.Wait()
	return errors.Join(append(errs, c.ZooKeeper.Stop(ctx))...)
}

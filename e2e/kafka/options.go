package kafka

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// DefaultVersion is the Kafka that tests run on unless they, or BATON_KAFKA, say otherwise.
const DefaultVersion = "3.9.1"

// SelectedVersion is the Kafka of clusters whose Options name none: BATON_KAFKA, else DefaultVersion.
func SelectedVersion() string { return cmp.Or(os.Getenv("BATON_KAFKA"), DefaultVersion) }

// release returns the first two numbers of a version.
func release(version string) (major, minor int, err error) {
	m := versionPattern.FindStringSubmatch(version)
	if m == nil {
		return 0, 0, fmt.Errorf("kafka version %q: want three numbers, as 3.9.1", version)
	}
	major, _ = strconv.Atoi(m[1])
	minor, _ = strconv.Atoi(m[2])
	return major, minor, nil
}

// AtLeast reports whether a version is of this release or of a later one.
func AtLeast(version string, major, minor int) bool {
	a, b, err := release(version)
	return err == nil && (a > major || a == major && b >= minor)
}

// Names of the listeners that the harness lays out.
const (
	Internal = "INTERNAL"
	Client   = "CLIENT"
)

// Options describe a cluster. The zero value is one ZooKeeper and three brokers of DefaultVersion.
type Options struct {
	Version string // SelectedVersion
	// IBP is inter.broker.protocol.version: BATON_IBP, else the release of Version. An operator pins it as well, so that
	// whoever is the controller knows it.
	IBP        string
	Brokers    int // 3; their ids are 1…n
	ZooKeepers int // 1, or 3 for a quorum
	// Racks gives broker i+1 the rack Racks[i].
	Racks []string
	// Chroot puts the cluster below a path, as "/kafka".
	Chroot string
	// TwoListeners adds a CLIENT listener beside INTERNAL, which stays the inter-broker one.
	TwoListeners bool
	// Proxies puts a TCPProxy in front of each of these listeners: it is what the brokers advertise.
	Proxies []string
	// ZooKeeperProxies puts a TCPProxy between each broker and the first ZooKeeper server.
	ZooKeeperProxies bool
	// Overrides are set on every broker and win over the harness's defaults; PerBroker wins over both.
	Overrides map[string]string
	PerBroker func(id int) map[string]string
	// LogDirs is the number of log directories of each broker, 1.
	LogDirs int
	// AutoCreateTopics is auto.create.topics.enable, off by default: a test that mistypes a topic should fail.
	AutoCreateTopics bool
	BrokerSession    time.Duration // zookeeper.session.timeout.ms, 6 s
	BrokerHeapMB     int           // 384
	// ControllerLog is the log4j level of the controller's own logger, INFO by default; StateChangeLog, by default the same,
	// that of the state-change log.
	ControllerLog, StateChangeLog string
	// Shipped runs brokers with the JVM flags of Kafka's own start scripts, instead of those that save memory and start fast.
	Shipped   bool
	ZooKeeper ZooKeeperOptions // Servers and Version come from the fields above
	// ExternalZooKeeper is used instead of starting one. It has no process: it cannot be stopped or restarted here.
	ExternalZooKeeper *External
}

// External is a ZooKeeper that somebody else runs on a loopback port.
type External struct {
	Port int
	// DataDir holds, in version-2, transaction logs in ZooKeeper's format: what history reads.
	DataDir string
}

func (o *Options) complete(ctx context.Context, env Env) (err error) {
	setDefault(&o.Version, SelectedVersion())
	major, minor, err := release(o.Version)
	if err != nil {
		return err
	}
	setDefault(&o.IBP, cmp.Or(os.Getenv("BATON_IBP"), fmt.Sprintf("%d.%d", major, minor)))
	setDefault(&o.Brokers, 3)
	setDefault(&o.ZooKeepers, 1)
	if o.Chroot != "" && (!strings.HasPrefix(o.Chroot, "/") || strings.HasSuffix(o.Chroot, "/")) {
		return fmt.Errorf("chroot %q: want a path as /kafka", o.Chroot)
	}
	setDefault(&o.LogDirs, 1)
	setDefault(&o.BrokerSession, 6*time.Second)
	setDefault(&o.BrokerHeapMB, 384)
	setDefault(&o.ControllerLog, "INFO")
	setDefault(&o.StateChangeLog, o.ControllerLog)
	if len(o.Racks) > 0 && len(o.Racks) != o.Brokers {
		return fmt.Errorf("%d racks for %d brokers", len(o.Racks), o.Brokers)
	}
	for _, l := range o.Proxies {
		if l != Internal && (l != Client || !o.TwoListeners) {
			return fmt.Errorf("no listener %q to put a proxy before", l)
		}
	}
	o.ZooKeeper.Servers = o.ZooKeepers
	setDefault(&o.ZooKeeper.Version, o.Version)
	if o.ZooKeeper.logDirectory, err = LogDir(env); err != nil {
		return err
	}
	return nil
}

func (o *Options) listeners() []string {
	if o.TwoListeners {
		return []string{Client, Internal}
	}
	return []string{Internal}
}

package config

import (
	"fmt"
	"slices"
	"time"
)

// Mode says when this Baton claims the controller role.
type Mode string

// The two modes: Standby claims only when nobody holds the role, Active takes it from brokers.
const (
	Standby Mode = "standby"
	Active  Mode = "active"
)

// MinRecommendedID is the first id recommended for a Baton: far above any broker's (reserved.broker.max.id and the
// generated ids that follow it).
const MinRecommendedID = 2_000_000

// Config is a validated configuration. Every field is set, from its default if nowhere else; the key is named where
// the field is not the key in Go's spelling. Treat it as read-only.
type Config struct {
	NodeID int // Baton's own id, never a broker's
	// BrokerID is the broker.id found in the same file, -1 if there is none: the id of the broker the file belongs to.
	BrokerID int

	ZooKeeperServers           []string      // zookeeper.connect: host:port each
	ZooKeeperChroot            string        // zookeeper.connect: "" or "/path", without a slash at its end
	ZooKeeperSessionTimeout    time.Duration // zookeeper.session.timeout.ms
	ZooKeeperConnectionTimeout time.Duration // zookeeper.connection.timeout.ms, default the session timeout

	Listeners                   []Listener
	AdvertisedListeners         []Listener        // hosts are never empty; ports may be 0, see Publishable
	ListenerSecurityProtocolMap map[string]string // listener name (upper case) to protocol
	InterBrokerListener         string            // inter.broker.listener.name or by security.inter.broker.protocol
	ControlPlaneListener        string            // control.plane.listener.name, "" if there is none
	InterBrokerProtocol         IBP               // inter.broker.protocol.version

	Mode                        Mode   // controller.mode
	UncleanLeaderElection       bool   // unclean.leader.election.enable
	UncleanRecovery             string // unclean.recovery.strategy: none, longest, wait or first
	UncleanRecoveryTopics       []TopicStrategy
	UncleanRecoveryWait         time.Duration // unclean.recovery.wait.minutes
	AutoLeaderRebalance         bool          // auto.leader.rebalance.enable
	ImbalanceCheckInterval      time.Duration // leader.imbalance.check.interval.seconds
	ImbalancePercentage         int           // leader.imbalance.per.broker.percentage
	NumPartitions               int
	DefaultReplicationFactor    int
	MinInsyncReplicas           int
	AutoCreateTopics            bool          // auto.create.topics.enable
	DeleteTopic                 bool          // delete.topic.enable
	QuotaWindows                int           // controller.quota.window.num
	QuotaWindowSize             time.Duration // controller.quota.window.size.seconds
	TokenExpiryCheck            time.Duration // delegation.token.expiry.check.interval.ms
	Log                         LogSettings
	TieredStorage               bool // remote.log.storage.system.enable
	OffsetsTopic                InternalTopic
	OffsetsCompressionCodec     int // offsets.topic.compression.codec: 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd
	TransactionTopic            InternalTopic
	TransactionMinISR           int // transaction.state.log.min.isr
	Rack                        string
	ControllerSocketTimeout     time.Duration
	RequestTimeout              time.Duration
	SocketRequestMaxBytes       int
	CreateTopicPolicy           string        // create.topic.policy.class.name: a Java class, which Baton cannot run
	AlterConfigPolicy           string        // alter.config.policy.class.name: likewise
	AdminListener               string        // host:port, "" = off
	AdminSocket                 string        // path, "" = off
	LogLevel, LogFormat         string        // debug|info|warn|error, console|json
	StateChangeLog              string        // path, "" = off
	JournalDir                  string        // journal.dir, "" = off
	JournalMaxBytes             int           // journal.max.bytes
	LeaderLogSampleInterval     time.Duration // leader.log.sample.interval.ms, 0 = off
	LeaderLogSamplePartitions   int           // leader.log.sample.partitions.per.second
	ReturnedLogTimeout          time.Duration // returned.log.measure.timeout.ms, 0 = off
	StandbyImage                string        // standby.image: warm|cold
	StandbyImageReads           int           // standby.image.reads.per.second
	InstanceName                string
	MetricsLabels               []Label // sorted by name
	securityInterBrokerProtocol string

	origins map[string]given // what was given, by key; absent = default
}

// InternalTopic is how __consumer_offsets or __transaction_state is created.
type InternalTopic struct {
	Partitions, ReplicationFactor, SegmentBytes int
}

// LogSettings are brokers' settings that new topics are checked against, as text; "" where Kafka has no default.
type LogSettings struct {
	RetentionMillis, RetentionMinutes, RetentionHours, RetentionBytes string // log.retention.*
	LocalRetentionMillis, LocalRetentionBytes                         string // log.local.retention.*
	CleanupPolicy                                                     string // log.cleanup.policy
	MinCompactionLag, MaxCompactionLag                                string // log.cleaner.*.compaction.lag.ms
}

// Origin says where a value comes from.
type Origin string

// The origins, in rising precedence.
const (
	OriginDefault Origin = "default"
	OriginFile    Origin = "file"
	OriginSet     Origin = "set"
)

// given is a raw value with its place.
type given struct {
	value  string
	origin Origin
	where  string // "server.properties:12" or "--set", for messages
}

// Entry is one effective setting, for `config check`.
type Entry struct {
	Key, Value string
	Origin     Origin
	Doc        string // one sentence
}

// Effective lists every key that Baton honours with its value in force, sorted by key.
func (c *Config) Effective() []Entry {
	out := make([]Entry, 0, len(specs))
	for _, s := range specs {
		origin := OriginDefault
		if g, ok := c.origins[s.key]; ok {
			origin = g.origin
		}
		out = append(out, Entry{Key: s.key, Value: s.show(c), Origin: origin, Doc: s.doc})
	}
	return out
}

// Change is a key whose value differs between two configurations.
type Change struct{ Key, Old, New string }

func (c Change) String() string { return fmt.Sprintf("%s: %q -> %q", c.Key, c.Old, c.New) }

// Reloadable compares with the configuration read again and splits the differences, each sorted by key, into those
// that Reload applies to a running process and those that need a restart. Neither configuration is changed.
func (c *Config) Reloadable(next *Config) (applied, needsRestart []Change) {
	for _, s := range specs {
		was, is := s.show(c), s.show(next)
		switch {
		case was == is:
		case s.reload:
			applied = append(applied, Change{s.key, was, is})
		default:
			needsRestart = append(needsRestart, Change{s.key, was, is})
		}
	}
	return applied, needsRestart
}

// Reload returns a copy of c with next's values for the reloadable keys, the configuration in force after a SIGHUP.
// Keys that need a restart keep the values that the process really uses.
func (c *Config) Reload(next *Config) *Config {
	out := *c
	out.origins = make(map[string]given, len(c.origins))
	for k, g := range c.origins {
		out.origins[k] = g
	}
	for _, s := range specs {
		if !s.reload {
			continue
		}
		// Cannot fail: the text was made from a value that had been accepted.
		if err := s.parse(&out, s.show(next)); err != nil {
			panic(fmt.Sprintf("config: %s does not read back: %v", s.key, err))
		}
		delete(out.origins, s.key)
		if g, ok := next.origins[s.key]; ok {
			out.origins[s.key] = g
		}
	}
	return &out
}

// Difference is a cluster-wide setting on which a broker and Baton disagree.
type Difference struct{ Key, Ours, Theirs string }

func (d Difference) String() string {
	return fmt.Sprintf("%s: ours %q, the broker's %q", d.Key, d.Ours, d.Theirs)
}

// CompareWithBroker takes a broker's answer to DescribeConfigs (key to value) and returns, sorted by key, the
// cluster-wide settings on which it differs from ours: whoever is the controller decides by them, so a difference is a
// change of behaviour at the takeover. Values are compared as values, not as text ("2.4" is "2.4-IV1"); keys that the
// broker did not report are skipped, because older brokers lack some; a value we cannot read is a difference.
func (c *Config) CompareWithBroker(theirs map[string]string) []Difference {
	var out []Difference
	for _, s := range specs {
		value, ok := theirs[s.key]
		if !ok || !s.shared {
			continue
		}
		var scratch Config
		shown := trim(value)
		if err := s.parse(&scratch, value); err == nil {
			shown = s.show(&scratch)
		}
		if ours := s.show(c); ours != shown {
			out = append(out, Difference{s.key, ours, shown})
		}
	}
	return out
}

// Value is the effective value of a key that Baton honours, as text; "" for any other.
func (c *Config) Value(key string) string {
	if s, ok := specByKey[key]; ok {
		return s.show(c)
	}
	return ""
}

// Keys lists the keys that Baton honours, sorted.
func Keys() []string {
	keys := make([]string, len(specs))
	for i, s := range specs {
		keys[i] = s.key
	}
	return slices.Clip(keys)
}

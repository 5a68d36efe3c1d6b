package config

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// spec is one honoured key. parse stores a given value and returns an error that says only what was expected; show
// writes the value so that parse reads it back.
type spec struct {
	key, doc string
	def      string // "" with required unset: the zero value, or derived in derive.go
	parse    func(*Config, string) error
	show     func(*Config) string
	required bool
	reload   bool // takes effect on SIGHUP
	shared   bool // cluster-wide: compared with the brokers' own value
}

type option func(*spec)

func required(s *spec) { s.required = true }
func reload(s *spec)   { s.reload = true }
func shared(s *spec)   { s.shared = true }

// specs is sorted by key, so everything made from it is.
var specs = buildSpecs()

var specByKey = func() map[string]*spec {
	m := make(map[string]*spec, len(specs))
	for i := range specs {
		m[specs[i].key] = &specs[i]
	}
	return m
}()

func buildSpecs() []spec {
	all := slices.Concat(zooKeeperSpecs(), listenerSpecs(), topicSpecs(), logSpecs(), internalTopicSpecs(), ownSpecs())
	slices.SortFunc(all, func(a, b spec) int { return strings.Compare(a.key, b.key) })
	return all
}

func zooKeeperSpecs() []spec {
	return []spec{
		{key: "zookeeper.connect", required: true,
			doc: "ZooKeeper servers as host:port,host:port with an optional /chroot at the end.",
			parse: func(c *Config, v string) (err error) {
				c.ZooKeeperServers, c.ZooKeeperChroot, err = parseConnect(v)
				return
			},
			show: func(c *Config) string { return strings.Join(c.ZooKeeperServers, ",") + c.ZooKeeperChroot }},
		millis("zookeeper.session.timeout.ms", "18000", "How long ZooKeeper waits for a silent Baton before it loses the role, in ms; may be shorter than the brokers'.",
			func(c *Config) *time.Duration { return &c.ZooKeeperSessionTimeout }),
		millis("zookeeper.connection.timeout.ms", "", "How long to wait for the first connection to ZooKeeper, in ms; the session timeout if not given.",
			func(c *Config) *time.Duration { return &c.ZooKeeperConnectionTimeout }),
	}
}

func listenerSpecs() []spec {
	listeners := func(key, doc string, at func(*Config) *[]Listener, opts ...option) spec {
		return build(key, "", doc, at, parseListeners, formatListeners, opts...)
	}
	name := func(key, doc string, at func(*Config) *string) spec {
		return build(key, "", doc, at, parseListenerName, trim)
	}
	return []spec{
		integer("node.id", "", 0, math.MaxInt32, "Baton's own id, never a broker's; 2000000 and up is recommended.",
			func(c *Config) *int { return &c.NodeID }, required),
		listeners("listeners", "Addresses on which Baton serves brokers and clients, NAME://host:port separated by commas.",
			func(c *Config) *[]Listener { return &c.Listeners }, required),
		listeners("advertised.listeners", "Addresses at which brokers and clients find Baton; the listeners if not given.",
			func(c *Config) *[]Listener { return &c.AdvertisedListeners }),
		build("listener.security.protocol.map", "PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL",
			"Security protocol of each listener name, NAME:PROTOCOL separated by commas.",
			func(c *Config) *map[string]string { return &c.ListenerSecurityProtocolMap }, parseProtocolMap, formatProtocolMap),
		name("inter.broker.listener.name", "Listener over which Baton and brokers talk; by security.inter.broker.protocol if not given.",
			func(c *Config) *string { return &c.InterBrokerListener }),
		word("security.inter.broker.protocol", "PLAINTEXT", "Protocol whose listener of the same name brokers talk over; excludes inter.broker.listener.name.",
			func(c *Config) *string { return &c.securityInterBrokerProtocol }, func(v string) (string, error) {
				if v = trim(v); slices.Contains(protocols, v) {
					return v, nil
				}
				return "", fmt.Errorf("one of %s", strings.Join(protocols, ", "))
			}),
		name("control.plane.listener.name", "Listener over which the controller talks to brokers, if they have one apart.",
			func(c *Config) *string { return &c.ControlPlaneListener }),
		build("inter.broker.protocol.version", "3.9", "Protocol of the cluster, which decides versions of requests and features; the lowest any broker has.",
			func(c *Config) *IBP { return &c.InterBrokerProtocol }, ParseIBP, IBP.String, shared),
		millis("controller.socket.timeout.ms", "30000", "How long a broker may take to answer a control request, in ms.",
			func(c *Config) *time.Duration { return &c.ControllerSocketTimeout }),
		millis("request.timeout.ms", "30000", "How long other requests that Baton makes may take, in ms.",
			func(c *Config) *time.Duration { return &c.RequestTimeout }),
		integer("socket.request.max.bytes", "104857600", 1, math.MaxInt32, "Largest request Baton reads, in bytes.",
			func(c *Config) *int { return &c.SocketRequestMaxBytes }),
		text("broker.rack", "", "Rack that Baton publishes for itself.", func(c *Config) *string { return &c.Rack }),
	}
}

func topicSpecs() []spec {
	return []spec{
		boolean("unclean.leader.election.enable", "false", "Whether a replica outside the ISR may lead when no other is left; loses data.",
			func(c *Config) *bool { return &c.UncleanLeaderElection }, reload, shared),
		boolean("auto.leader.rebalance.enable", "true", "Whether leadership goes back to the preferred replicas by itself.",
			func(c *Config) *bool { return &c.AutoLeaderRebalance }, reload, shared),
		seconds("leader.imbalance.check.interval.seconds", "300", "How long after one look for leaders to bring back the next follows, in seconds.",
			func(c *Config) *time.Duration { return &c.ImbalanceCheckInterval }, reload, shared),
		integer("leader.imbalance.per.broker.percentage", "10", 0, math.MaxInt32, "Share of a broker's partitions led by others above which they are brought back, in percent.",
			func(c *Config) *int { return &c.ImbalancePercentage }, reload, shared),
		integer("num.partitions", "1", 1, math.MaxInt32, "Partitions of a topic created without a number.",
			func(c *Config) *int { return &c.NumPartitions }, reload, shared),
		integer("default.replication.factor", "1", 1, math.MaxInt16, "Replicas of a topic created without a number.",
			func(c *Config) *int { return &c.DefaultReplicationFactor }, reload, shared),
		integer("min.insync.replicas", "1", 1, math.MaxInt32, "In-sync replicas that acks=all needs, where the topic does not say.",
			func(c *Config) *int { return &c.MinInsyncReplicas }, reload, shared),
		boolean("auto.create.topics.enable", "true", "Whether asking for an unknown topic creates it.",
			func(c *Config) *bool { return &c.AutoCreateTopics }, reload, shared),
		boolean("delete.topic.enable", "true", "Whether topics may be deleted.",
			func(c *Config) *bool { return &c.DeleteTopic }, shared),
		integer("controller.quota.window.num", "11", 1, math.MaxInt32, "How many windows of a controller_mutation_rate quota may be saved up.",
			func(c *Config) *int { return &c.QuotaWindows }, reload, shared),
		seconds("controller.quota.window.size.seconds", "1", "How long such a window is, in seconds.",
			func(c *Config) *time.Duration { return &c.QuotaWindowSize }, reload, shared),
		build("delegation.token.expiry.check.interval.ms", "3600000", "How long after one look for expired delegation tokens the next follows, in ms.",
			func(c *Config) *time.Duration { return &c.TokenExpiryCheck }, parseLongMillis, formatMillis, reload, shared),
		text("create.topic.policy.class.name", "", "Java class that judges new topics. Baton cannot run it.",
			func(c *Config) *string { return &c.CreateTopicPolicy }),
		text("alter.config.policy.class.name", "", "Java class that judges changes of configs. Baton cannot run it.",
			func(c *Config) *string { return &c.AlterConfigPolicy }),
	}
}

// logSpecs are settings of brokers that a new topic is checked against, where it does not say otherwise.
func logSpecs() []spec {
	const limit = "Limit of topics that do not say, which new ones are checked against: "
	return []spec{
		boolean("remote.log.storage.system.enable", "false", "Whether the brokers have tiered storage, so that topics may ask for it.",
			func(c *Config) *bool { return &c.TieredStorage }, reload, shared),
		long("log.retention.ms", "", math.MinInt64, limit+"how long records are kept, in ms; log.retention.minutes if not given.",
			func(c *Config) *string { return &c.Log.RetentionMillis }),
		long("log.retention.minutes", "", math.MinInt32, limit+"how long records are kept, in minutes; log.retention.hours if not given.",
			func(c *Config) *string { return &c.Log.RetentionMinutes }),
		long("log.retention.hours", "168", math.MinInt32, limit+"how long records are kept, in hours.",
			func(c *Config) *string { return &c.Log.RetentionHours }),
		long("log.retention.bytes", "-1", math.MinInt64, limit+"how much of a partition is kept, in bytes.",
			func(c *Config) *string { return &c.Log.RetentionBytes }),
		long("log.local.retention.ms", "-2", -2, limit+"how long tiered records stay on disk, in ms; -2 is as long as they are kept.",
			func(c *Config) *string { return &c.Log.LocalRetentionMillis }),
		long("log.local.retention.bytes", "-2", -2, limit+"how much of a tiered partition stays on disk, in bytes; -2 is as much as is kept.",
			func(c *Config) *string { return &c.Log.LocalRetentionBytes }),
		text("log.cleanup.policy", "delete", "Cleanup policy of topics that do not say, which new ones are checked against.",
			func(c *Config) *string { return &c.Log.CleanupPolicy }, reload),
		long("log.cleaner.min.compaction.lag.ms", "0", math.MinInt64, limit+"the least time before a record is compacted, in ms.",
			func(c *Config) *string { return &c.Log.MinCompactionLag }),
		long("log.cleaner.max.compaction.lag.ms", "9223372036854775807", 1, limit+"the longest time before a record is compacted, in ms.",
			func(c *Config) *string { return &c.Log.MaxCompactionLag }),
	}
}

func internalTopicSpecs() []spec {
	return []spec{
		integer("offsets.topic.num.partitions", "50", 1, math.MaxInt32, "Partitions of __consumer_offsets when it is created.",
			func(c *Config) *int { return &c.OffsetsTopic.Partitions }, reload, shared),
		integer("offsets.topic.replication.factor", "3", 1, math.MaxInt16, "Replicas of __consumer_offsets when it is created.",
			func(c *Config) *int { return &c.OffsetsTopic.ReplicationFactor }, reload, shared),
		integer("offsets.topic.segment.bytes", "104857600", 1, math.MaxInt32, "Segment size of __consumer_offsets, in bytes.",
			func(c *Config) *int { return &c.OffsetsTopic.SegmentBytes }, reload, shared),
		integer("offsets.topic.compression.codec", "0", 0, 4, "Codec of __consumer_offsets: 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd.",
			func(c *Config) *int { return &c.OffsetsCompressionCodec }, reload, shared),
		integer("transaction.state.log.num.partitions", "50", 1, math.MaxInt32, "Partitions of __transaction_state when it is created.",
			func(c *Config) *int { return &c.TransactionTopic.Partitions }, reload, shared),
		integer("transaction.state.log.replication.factor", "3", 1, math.MaxInt16, "Replicas of __transaction_state when it is created.",
			func(c *Config) *int { return &c.TransactionTopic.ReplicationFactor }, reload, shared),
		integer("transaction.state.log.min.isr", "2", 1, math.MaxInt32, "min.insync.replicas of __transaction_state.",
			func(c *Config) *int { return &c.TransactionMinISR }, reload, shared),
		integer("transaction.state.log.segment.bytes", "104857600", 1, math.MaxInt32, "Segment size of __transaction_state, in bytes.",
			func(c *Config) *int { return &c.TransactionTopic.SegmentBytes }, reload, shared),
	}
}

func ownSpecs() []spec {
	words := func(ws ...string) func(string) (string, error) {
		return func(v string) (string, error) { return parseWord(v, ws...) }
	}
	return []spec{
		word("unclean.recovery.strategy", "none", "What happens by itself when a partition has lost its whole ISR: none (unclean.leader.election.enable decides), longest (live replicas "+
			"are measured, and who loses least leads), wait (likewise, after unclean.recovery.wait.minutes), first (the first live replica).",
			func(c *Config) *string { return &c.UncleanRecovery }, parseStrategy, reload),
		build("unclean.recovery.strategy.topics", "", "The same for topics, TOPIC=STRATEGY separated by commas; * in TOPIC stands for any text, a name goes before a pattern.",
			func(c *Config) *[]TopicStrategy { return &c.UncleanRecoveryTopics }, parseTopicStrategies, formatTopicStrategies, reload),
		build("unclean.recovery.wait.minutes", "10", "How long strategy wait gives members of the ISR to come back, in minutes.",
			func(c *Config) *time.Duration { return &c.UncleanRecoveryWait }, parseMinutes, formatMinutes, reload),
		build("controller.mode", string(Standby), "standby claims the role when nobody holds it, active takes it from brokers.",
			func(c *Config) *Mode { return &c.Mode },
			func(v string) (Mode, error) {
				w, err := parseWord(v, string(Standby), string(Active))
				return Mode(w), err
			},
			func(m Mode) string { return string(m) }, reload),
		word("admin.listener", "127.0.0.1:9190", "Address of /metrics, /livez and /readyz; empty switches it off.",
			func(c *Config) *string { return &c.AdminListener }, parseHostPort),
		word("admin.socket", "", "Unix socket of the commands; $TMPDIR/baton-<node.id>.sock if not given, empty switches it off.",
			func(c *Config) *string { return &c.AdminSocket }, parseSocketPath),
		word("log.level", "info", "Lowest level logged: debug, info, warn or error.",
			func(c *Config) *string { return &c.LogLevel }, words("debug", "info", "warn", "error"), reload),
		word("log.format", "console", "console for people, json for machines.",
			func(c *Config) *string { return &c.LogFormat }, words("console", "json")),
		text("state.change.log", "", "File for state changes in Kafka's wording; empty switches it off.",
			func(c *Config) *string { return &c.StateChangeLog }),
		text("journal.dir", "", "Directory of the journal of decisions; $TMPDIR/baton-<node.id>.journal if not given, empty switches it off.",
			func(c *Config) *string { return &c.JournalDir }),
		integer("journal.max.bytes", "134217728", 1<<20, math.MaxInt32, "Bytes that the journal may take: half for its own entries, half for copies of other Batons' journals.",
			func(c *Config) *int { return &c.JournalMaxBytes }),
		build("leader.log.sample.interval.ms", "5000", "How often it is noted where each leader's log ends, in ms, so that a loss is known later; 0 switches it off.",
			func(c *Config) *time.Duration { return &c.LeaderLogSampleInterval }, parseMillisOrOff, formatMillis, reload),
		integer("leader.log.sample.partitions.per.second", "10000", 5, math.MaxInt32, "How many partitions' leaders are asked for that in a second, at most.",
			func(c *Config) *int { return &c.LeaderLogSamplePartitions }, reload),
		build("returned.log.measure.timeout.ms", "10000", "How long a replica that was in sync before an unclean election may be measured when it is back, before it follows, in ms; 0 switches it off.",
			func(c *Config) *time.Duration { return &c.ReturnedLogTimeout }, parseMillisOrOff, formatMillis, reload),
		word("standby.image", "warm", "warm: a standby keeps topics and partition states in memory, so that its claim need not read them (ZooKeeper 3.6); cold: it does not.",
			func(c *Config) *string { return &c.StandbyImage }, words("warm", "cold")),
		integer("standby.image.reads.per.second", "20000", 100, math.MaxInt32, "How many znodes a standby reads for that in a second, at most.",
			func(c *Config) *int { return &c.StandbyImageReads }),
		text("instance.name", "", "Name of this Baton in /controller and in messages; the host's name if not given.",
			func(c *Config) *string { return &c.InstanceName }),
		build("metrics.labels", "", "Labels put on every metric, name=value separated by commas.",
			func(c *Config) *[]Label { return &c.MetricsLabels }, parseLabels, formatLabels),
	}
}

// parseListenerName allows nothing, which means that the key is not given.
func parseListenerName(v string) (string, error) {
	v = strings.ToUpper(trim(v))
	if v != "" && !listenerName.MatchString(v) {
		return "", fmt.Errorf("the name of a listener")
	}
	return v, nil
}

// build makes a spec of a field's address and a pair of functions for its type.
func build[T any](key, def, doc string, at func(*Config) *T, read func(string) (T, error), write func(T) string, opts ...option) spec {
	s := spec{key: key, def: def, doc: doc,
		parse: func(c *Config, v string) error {
			x, err := read(v)
			if err == nil {
				*at(c) = x
			}
			return err
		},
		show: func(c *Config) string { return write(*at(c)) },
	}
	for _, o := range opts {
		o(&s)
	}
	return s
}

func integer(key, def string, lo, hi int, doc string, at func(*Config) *int, opts ...option) spec {
	return build(key, def, doc, at, func(v string) (int, error) { return parseInt(v, lo, hi) }, strconv.Itoa, opts...)
}

// long is a number of 64 bits that stays text, "" if it is not given.
func long(key, def string, lo int64, doc string, at func(*Config) *string) spec {
	return word(key, def, doc, at, func(v string) (string, error) {
		if v = trim(v); v == "" {
			return "", nil
		}
		if n, err := strconv.ParseInt(v, 10, 64); err != nil || n < lo {
			return "", fmt.Errorf("an integer of at least %d", lo)
		}
		return v, nil
	}, reload)
}

func boolean(key, def, doc string, at func(*Config) *bool, opts ...option) spec {
	return build(key, def, doc, at, parseBool, strconv.FormatBool, opts...)
}

func millis(key, def, doc string, at func(*Config) *time.Duration, opts ...option) spec {
	return build(key, def, doc, at, parseMillis, formatMillis, opts...)
}

func seconds(key, def, doc string, at func(*Config) *time.Duration, opts ...option) spec {
	return build(key, def, doc, at, parseSeconds,
		func(d time.Duration) string { return strconv.FormatInt(int64(d/time.Second), 10) }, opts...)
}

func text(key, def, doc string, at func(*Config) *string, opts ...option) spec {
	return word(key, def, doc, at, func(v string) (string, error) { return trim(v), nil }, opts...)
}

func word(key, def, doc string, at func(*Config) *string, read func(string) (string, error), opts ...option) spec {
	return build(key, def, doc, at, read, func(v string) string { return v }, opts...)
}

// Package topicconfig knows Kafka's topic-level configs and topic names: what exists, which values are accepted, and
// the words in which a ZooKeeper-mode 3.9 broker refuses the rest. It is pure and imports no other package of ours.
//
// Names, defaults, limits and messages were read from Kafka 3.9.1's own classes (LogConfig, Topic) at run time.
package topicconfig

import (
	"math"
	"slices"
	"sort"
)

// Type is how Kafka reads a value.
type Type string

// Kafka's ConfigDef types, as its messages name them.
const (
	Boolean Type = "BOOLEAN"
	Int     Type = "INT"
	Long    Type = "LONG"
	Double  Type = "DOUBLE"
	String  Type = "STRING"
	List    Type = "LIST" // separated by commas, white space around them dropped
)

// Def is one topic-level config. The unit of a number is the last part of its name.
type Def struct {
	Name    string
	Type    Type
	Default string // Kafka's own, where neither topic nor broker says otherwise
	min     float64
	max     float64
	allowed []string
	check   func(d Def, value string) *Error
}

const maxLong = "9223372036854775807"

var (
	noMin = math.Inf(-1)
	noMax = math.Inf(1)
)

func atLeast(name string, t Type, def string, min float64) Def {
	return Def{Name: name, Type: t, Default: def, min: min, max: noMax}
}

func between(name string, t Type, def string, min, max float64) Def {
	return Def{Name: name, Type: t, Default: def, min: min, max: max}
}

func flag(name, def string) Def { return Def{Name: name, Type: Boolean, Default: def} }

func oneOf(name string, t Type, def string, allowed ...string) Def {
	return Def{Name: name, Type: t, Default: def, allowed: allowed}
}

func checked(name string, t Type, def string, check func(Def, string) *Error) Def {
	return Def{Name: name, Type: t, Default: def, check: check}
}

// table is sorted by name.
var table = []Def{
	oneOf("cleanup.policy", List, "delete", "compact", "delete"),
	checked("compression.gzip.level", Int, "-1", checkGzipLevel),
	between("compression.lz4.level", Int, "9", 1, 17),
	oneOf("compression.type", String, "producer", "uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"),
	between("compression.zstd.level", Int, "3", -131072, 22),
	atLeast("delete.retention.ms", Long, "86400000", 0),
	atLeast("file.delete.delay.ms", Long, "60000", 0),
	atLeast("flush.messages", Long, maxLong, 1),
	atLeast("flush.ms", Long, maxLong, 0),
	checked("follower.replication.throttled.replicas", List, "", checkThrottled),
	atLeast("index.interval.bytes", Int, "4096", 0),
	checked("leader.replication.throttled.replicas", List, "", checkThrottled),
	atLeast("local.retention.bytes", Long, "-2", -2),
	atLeast("local.retention.ms", Long, "-2", -2),
	atLeast("max.compaction.lag.ms", Long, maxLong, 1),
	atLeast("max.message.bytes", Int, "1048588", 0),
	flag("message.downconversion.enable", "true"),
	checked("message.format.version", String, "3.0-IV1", checkFormatVersion),
	atLeast("message.timestamp.after.max.ms", Long, maxLong, 0),
	atLeast("message.timestamp.before.max.ms", Long, maxLong, 0),
	atLeast("message.timestamp.difference.max.ms", Long, maxLong, 0),
	oneOf("message.timestamp.type", String, "CreateTime", "CreateTime", "LogAppendTime"),
	between("min.cleanable.dirty.ratio", Double, "0.5", 0, 1),
	atLeast("min.compaction.lag.ms", Long, "0", 0),
	atLeast("min.insync.replicas", Int, "1", 1),
	flag("preallocate", "false"),
	flag("remote.log.copy.disable", "false"),
	flag("remote.log.delete.on.disable", "false"),
	flag("remote.storage.enable", "false"),
	atLeast("retention.bytes", Long, "-1", noMin),
	atLeast("retention.ms", Long, "604800000", -1),
	atLeast("segment.bytes", Int, "1073741824", 14),
	atLeast("segment.index.bytes", Int, "10485760", 4),
	atLeast("segment.jitter.ms", Long, "0", 0),
	atLeast("segment.ms", Long, "604800000", 1),
	flag("unclean.leader.election.enable", "false"),
}

// Lookup returns the definition of a config.
func Lookup(name string) (Def, bool) {
	i := sort.Search(len(table), func(i int) bool { return table[i].Name >= name })
	if i < len(table) && table[i].Name == name {
		return table[i], true
	}
	return Def{}, false
}

// All lists the definitions, sorted by name. The slice is the caller's.
func All() []Def { return slices.Clone(table) }

// Defaults maps each config to Kafka's own default. The map is the caller's. A broker's settings (log.retention.hours
// and the like) override these for its topics; Baton does not know them unless it asks the broker.
func Defaults() map[string]string {
	m := make(map[string]string, len(table))
	for _, d := range table {
		m[d.Name] = d.Default
	}
	return m
}

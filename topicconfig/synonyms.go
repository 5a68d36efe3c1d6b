package topicconfig

import (
	"strconv"
	"strings"
)

// BrokerSetting is a setting of brokers that is the default of a topic-level config.
type BrokerSetting struct {
	Name string
	unit int64 // of a number, in milliseconds; 0: the same unit as the topic's
}

// Convert turns the setting's value into the topic config's. Any negative time is -1: no limit.
func (b BrokerSetting) Convert(value string) string {
	n, err := strconv.ParseInt(value, 10, 64)
	switch {
	case b.unit == 0 || err != nil:
		return value
	case n < 0:
		return "-1"
	}
	return strconv.FormatInt(n*b.unit, 10)
}

const (
	millisecond int64 = 1
	minute      int64 = 60_000
	hour        int64 = 3_600_000
)

// BrokerSettings lists the broker's settings for a topic-level config. The first that has a
// value holds; its source is the first's. None: no setting of a broker says it.
// From Kafka 3.9 (ServerTopicConfigSynonyms).
func BrokerSettings(name string) []BrokerSetting {
	switch name {
	case "segment.ms":
		return []BrokerSetting{{"log.roll.ms", millisecond}, {"log.roll.hours", hour}}
	case "segment.jitter.ms":
		return []BrokerSetting{{"log.roll.jitter.ms", millisecond}, {"log.roll.jitter.hours", hour}}
	case "retention.ms":
		return []BrokerSetting{{"log.retention.ms", millisecond}, {"log.retention.minutes", minute}, {"log.retention.hours", hour}}
	case "flush.ms":
		return []BrokerSetting{{Name: "log.flush.interval.ms"}, {Name: "log.flush.scheduler.interval.ms"}}
	case "segment.index.bytes":
		return []BrokerSetting{{Name: "log.index.size.max.bytes"}}
	case "flush.messages":
		return []BrokerSetting{{Name: "log.flush.interval.messages"}}
	case "max.message.bytes":
		return []BrokerSetting{{Name: "message.max.bytes"}}
	case "file.delete.delay.ms":
		return []BrokerSetting{{Name: "log.segment.delete.delay.ms"}}
	case "min.cleanable.dirty.ratio":
		return []BrokerSetting{{Name: "log.cleaner.min.cleanable.ratio"}}
	case "delete.retention.ms", "min.compaction.lag.ms", "max.compaction.lag.ms":
		return []BrokerSetting{{Name: "log.cleaner." + name}}
	case "unclean.leader.election.enable", "min.insync.replicas", "compression.type", "compression.gzip.level",
		"compression.lz4.level", "compression.zstd.level":
		return []BrokerSetting{{Name: name}}
	case "segment.bytes", "retention.bytes", "index.interval.bytes", "cleanup.policy", "preallocate", "message.format.version",
		"message.timestamp.type", "message.timestamp.difference.max.ms", "message.timestamp.before.max.ms",
		"message.timestamp.after.max.ms", "message.downconversion.enable", "local.retention.ms", "local.retention.bytes":
		return []BrokerSetting{{Name: "log." + name}}
	}
	return nil
}

// Inherit finds what settings mean for topics; setting returns "" for one that is not given.
func Inherit(setting func(name string) string) Inherited {
	from := Inherited{Configs: map[string]string{}, TieredStorage: strings.EqualFold(setting("remote.log.storage.system.enable"), "true")}
	for _, def := range All() {
		for _, b := range BrokerSettings(def.Name) {
			if v := setting(b.Name); v != "" {
				from.Configs[def.Name] = b.Convert(v)
				break
			}
		}
	}
	return from
}

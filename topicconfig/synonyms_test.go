package topicconfig

import "testing"

func TestBrokerSettingsAreInTheTopicsUnit(t *testing.T) {
	for _, tt := range []struct {
		config    string
		nth       int
		name      string
		in, value string
	}{
		{"retention.ms", 0, "log.retention.ms", "5", "5"},
		{"retention.ms", 1, "log.retention.minutes", "5", "300000"},
		{"retention.ms", 2, "log.retention.hours", "168", "604800000"},
		{"retention.ms", 2, "log.retention.hours", "-1", "-1"},
		{"segment.jitter.ms", 1, "log.roll.jitter.hours", "0", "0"},
		{"flush.ms", 1, "log.flush.scheduler.interval.ms", maxLong, maxLong},
		{"local.retention.ms", 0, "log.local.retention.ms", "-2", "-2"},
		{"cleanup.policy", 0, "log.cleanup.policy", "compact,delete", "compact,delete"},
		{"compression.type", 0, "compression.type", "zstd", "zstd"},
	} {
		b := BrokerSettings(tt.config)[tt.nth]
		if got := b.Convert(tt.in); b.Name != tt.name || got != tt.value {
			t.Errorf("%s: %s=%s is %s, want %s, %s", tt.config, b.Name, tt.in, got, tt.name, tt.value)
		}
	}
}

func TestEveryConfigHasABrokersSettingOrIsKnownToHaveNone(t *testing.T) {
	none := map[string]bool{"follower.replication.throttled.replicas": true, "leader.replication.throttled.replicas": true,
		"remote.storage.enable": true, "remote.log.copy.disable": true, "remote.log.delete.on.disable": true}
	for _, d := range All() {
		if got := len(BrokerSettings(d.Name)) == 0; got != none[d.Name] {
			t.Errorf("%s: none %t, want %t", d.Name, got, none[d.Name])
		}
	}
}

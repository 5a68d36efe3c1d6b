package config

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestKeyTable holds the table to its own rules: defaults are readable, what is shown reads back, no key twice.
func TestKeyTable(t *testing.T) {
	c := mustParse(t, minimal)
	keys := Keys()
	if !slices.IsSorted(keys) || len(slices.Compact(slices.Clone(keys))) != len(keys) {
		t.Errorf("keys not sorted or not distinct: %v", keys)
	}
	for _, s := range specs {
		var scratch Config
		if err := s.parse(&scratch, s.show(c)); err != nil {
			t.Errorf("%s=%q does not read back: expected %v", s.key, s.show(c), err)
		} else if got := s.show(&scratch); got != s.show(c) {
			t.Errorf("%s: %q reads back as %q", s.key, s.show(c), got)
		}
		if isBrokerKey(s.key) {
			t.Errorf("%s is both honoured and ignored", s.key)
		}
	}
}

// TestDefaultsAreKafkas holds the defaults that KafkaConfig 3.9.1 reports.
func TestDefaultsAreKafkas(t *testing.T) {
	kafka := map[string]string{
		"zookeeper.session.timeout.ms": "18000", "num.partitions": "1", "default.replication.factor": "1", "min.insync.replicas": "1",
		"offsets.topic.num.partitions": "50", "offsets.topic.replication.factor": "3", "offsets.topic.segment.bytes": "104857600",
		"offsets.topic.compression.codec": "0", "transaction.state.log.num.partitions": "50", "transaction.state.log.replication.factor": "3",
		"transaction.state.log.min.isr": "2", "transaction.state.log.segment.bytes": "104857600", "controller.socket.timeout.ms": "30000",
		"request.timeout.ms": "30000", "socket.request.max.bytes": "104857600", "unclean.leader.election.enable": "false",
		"auto.create.topics.enable": "true", "delete.topic.enable": "true", "inter.broker.protocol.version": "3.9-IV0",
		"security.inter.broker.protocol": "PLAINTEXT", "auto.leader.rebalance.enable": "true",
		"leader.imbalance.check.interval.seconds": "300", "leader.imbalance.per.broker.percentage": "10",
		"controller.quota.window.num": "11", "controller.quota.window.size.seconds": "1",
		"listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL,SSL:SSL",
	}
	for _, e := range mustParse(t, minimal).Effective() {
		if want, ok := kafka[e.Key]; ok && e.Value != want {
			t.Errorf("%s: default %q, Kafka's %q", e.Key, e.Value, want)
		}
		delete(kafka, e.Key)
	}
	if len(kafka) > 0 {
		t.Errorf("not honoured: %v", kafka)
	}
}

func TestReload(t *testing.T) {
	old := mustParse(t, minimal+"log.level=info\nlog.format=json\n")
	next := mustParse(t, minimal+"log.level=debug\n", "unclean.leader.election.enable=true", "controller.mode=active", "node.id=2000002",
		"offsets.topic.num.partitions=5")
	applied, restart := old.Reloadable(next)
	if got := fmt.Sprint(applied); got != `[controller.mode: "standby" -> "active" log.level: "info" -> "debug" `+
		`offsets.topic.num.partitions: "50" -> "5" unclean.leader.election.enable: "false" -> "true"]` {
		t.Error(got)
	}
	if got := fmt.Sprint(restart); got != `[admin.socket: "/tmp/baton-2000001.sock" -> "/tmp/baton-2000002.sock" `+
		`journal.dir: "/tmp/baton-2000001.journal" -> "/tmp/baton-2000002.journal" log.format: "json" -> "console" node.id: "2000001" -> "2000002"]` {
		t.Error(got)
	}
	now := old.Reload(next)
	if now.LogLevel != "debug" || now.Mode != Active || !now.UncleanLeaderElection || now.NodeID != 2000001 || now.LogFormat != "json" {
		t.Errorf("%+v", now)
	}
	if old.LogLevel != "info" || old.UncleanLeaderElection {
		t.Error("Reload changed the running Config")
	}
	if a, r := now.Reloadable(next); len(a) != 0 || len(r) != 4 {
		t.Errorf("after Reload: %v %v", a, r)
	}
	for _, e := range now.Effective() {
		if e.Key == "controller.mode" && e.Origin != OriginSet || e.Key == "log.format" && e.Origin != OriginFile {
			t.Errorf("%+v", e)
		}
	}
}

func TestCompareWithBroker(t *testing.T) {
	c := mustParse(t, minimal, "inter.broker.protocol.version=2.4", "min.insync.replicas=2")
	got := c.CompareWithBroker(map[string]string{
		"inter.broker.protocol.version": "2.4-IV1", "min.insync.replicas": "1", "num.partitions": "1",
		"unclean.leader.election.enable": "true", "default.replication.factor": "?", "delete.topic.enable": "TRUE",
		"listeners": "PLAINTEXT://other:1", "log.level": "debug", "request.timeout.ms": "5",
	})
	want := `[default.replication.factor: ours "1", the broker's "?" min.insync.replicas: ours "2", the broker's "1" ` +
		`unclean.leader.election.enable: ours "false", the broker's "true"]`
	if fmt.Sprint(got) != want {
		t.Errorf("got %v\nwant %s", got, want)
	}
	if d := c.CompareWithBroker(nil); d != nil {
		t.Error(d)
	}
}

func TestSuggest(t *testing.T) {
	for key, want := range map[string]string{
		"num.partition": "num.partitions", "zookeper.connect": "zookeeper.connect", "lisetners": "listeners", "log.dris": "log.dir",
		"node_id": "node.id", "": "", "x": "", "completely.else": "", strings.Repeat("a", 1<<20): "",
	} {
		if got := suggest(key); got != want {
			t.Errorf("%.40q: got %q, want %q", key, got, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(minimal, "num.partitions=3")
	f.Add("broker.id=1\n"+minimal, "listeners=A://h:1,B://:0")
	f.Add("listeners=A://[::1]:0\nlistener.security.protocol.map=A:SSL", "metrics.labels=a=b")
	f.Fuzz(func(t *testing.T, text, set string) {
		c, _, err := Parse(strings.NewReader(text), "fuzz", []string{set})
		if (c == nil) == (err == nil) {
			t.Fatalf("config %v with error %v", c, err)
		}
		if c == nil {
			return
		}
		for _, s := range specs {
			var scratch Config
			if err := s.parse(&scratch, s.show(c)); err != nil && s.show(c) != "" {
				t.Errorf("%s=%q does not read back: expected %v", s.key, s.show(c), err)
			}
		}
		if a, r := c.Reloadable(c.Reload(c)); len(a)+len(r) != 0 {
			t.Errorf("differs from itself: %v %v", a, r)
		}
		for _, l := range c.Publishable(nil) {
			if l.Host == "" || unspecified(l.Host) || l.Protocol != Plaintext {
				t.Errorf("publishes %s (%s)", l, l.Protocol)
			}
		}
	})
}

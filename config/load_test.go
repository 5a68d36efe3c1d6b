package config

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

const minimal = "node.id=2000001\nzookeeper.connect=zk:2181\nlisteners=PLAINTEXT://h:19092\n"

func loadFile(t *testing.T, name string, sets ...string) (*Config, []Warning, error) {
	t.Helper()
	return Load(filepath.Join("testdata", name), sets, []string{"HOME=/", "TMPDIR=/scratch"})
}

func mustLoad(t *testing.T, name string, sets ...string) (*Config, []Warning) {
	t.Helper()
	c, w, err := loadFile(t, name, sets...)
	if err != nil {
		t.Fatal(err)
	}
	return c, w
}

func mustParse(t *testing.T, text string, sets ...string) *Config {
	t.Helper()
	c, _, err := Parse(strings.NewReader(text), "test.properties", sets)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func equal[T any](t *testing.T, what string, got, want T, show func(T) string) {
	t.Helper()
	if show(got) != show(want) {
		t.Errorf("%s: got %s, want %s", what, show(got), show(want))
	}
}

func TestBrokersOwnFileWithTwoSets(t *testing.T) {
	c, warnings := mustLoad(t, "broker-3.9.properties", "node.id=2000001", "listeners=PLAINTEXT://kafka-1.example.net:19092")
	if got := strings.Join(c.ZooKeeperServers, " "); got != "zk-1.example.net:2181 zk-2.example.net:2181 zk-3.example.net:2181" {
		t.Errorf("servers %s", got)
	}
	if c.ZooKeeperChroot != "/kafka/orders" || c.NodeID != 2000001 || c.BrokerID != 1 || c.NumPartitions != 3 || c.Rack != "rack-a" {
		t.Errorf("%+v", c)
	}
	if c.Mode != Standby || c.InterBrokerProtocol != LatestIBP || c.AdminSocket != "/scratch/baton-2000001.sock" || c.AdminListener != "127.0.0.1:9190" {
		t.Errorf("%+v", c)
	}
	// The file's advertised.listeners is the broker's address and must not become Baton's.
	equal(t, "advertised", c.AdvertisedListeners, c.Listeners, formatListeners)
	if len(warnings) != 2 {
		t.Fatalf("warnings: %v", warnings)
	}
	if w := warnings[0]; w.Severity != SeverityWarn || !slices.Equal(w.Keys, []string{"advertised.listeners"}) {
		t.Errorf("%+v", w)
	}
	ignored := "broker.id num.network.threads num.io.threads socket.send.buffer.bytes socket.receive.buffer.bytes log.dirs " +
		"num.recovery.threads.per.data.dir log.retention.check.interval.ms group.initial.rebalance.delay.ms"
	if w := warnings[1]; w.Severity != SeverityInfo || strings.Join(w.Keys, " ") != ignored {
		t.Errorf("%+v", w)
	}
}

func TestBrokersOwnFileRefused(t *testing.T) {
	for _, tt := range []struct {
		name, file string
		sets       []string
		want       []string // parts, one error each
	}{
		{"its listeners", "broker-3.9.properties", []string{"node.id=2000001"},
			[]string{`broker-3.9.properties:9: listeners="PLAINTEXT://kafka-1.example.net:9092": expected listeners of Baton's own by --set`}},
		{"its id", "broker-3.9.properties", []string{"node.id=1", "listeners=PLAINTEXT://h:1"},
			[]string{`--set: node.id="1": expected an id of Baton's own, never a broker's: broker.id is 1`}},
		{"nothing set", "broker-3.9.properties", nil, []string{"node.id is not set", "that broker listens there already"}},
		{"TLS between brokers", "broker-tls.properties", []string{"node.id=2000001", "listeners=INTERNAL://h:1,CLIENTS://h:2"},
			[]string{`inter.broker.listener.name="INTERNAL": expected a PLAINTEXT listener: INTERNAL uses SASL_SSL, and TLS/SASL is not built yet`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, _, err := loadFile(t, tt.file, tt.sets...)
			checkErrors(t, err, tt.want...)
		})
	}
}

// checkErrors wants exactly one joined error for each part.
func checkErrors(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("accepted")
	}
	lines := strings.Split(err.Error(), "\n")
	if len(lines) != len(parts) {
		t.Errorf("%d errors, want %d:\n%v", len(lines), len(parts), err)
	}
	for _, p := range parts {
		if !strings.Contains(err.Error(), p) {
			t.Errorf("missing %q in:\n%v", p, err)
		}
	}
}

func TestSecuredBrokersFileOverPlaintext(t *testing.T) {
	c, warnings := mustLoad(t, "broker-tls.properties", "node.id=2000001", "listeners=CLIENTS://h:19092,INTERNAL://h:19093",
		"inter.broker.listener.name=clients")
	if c.ControllerListener() != "CLIENTS" || c.InterBrokerProtocol.String() != "2.4-IV1" {
		t.Errorf("%s %s", c.ControllerListener(), c.InterBrokerProtocol)
	}
	if got := formatListeners(c.Unservable()); got != "INTERNAL://h:19093" {
		t.Errorf("unservable %s", got)
	}
	if got := formatListeners(c.Servable()) + " " + formatListeners(c.Publishable(nil)); got != "CLIENTS://h:19092 CLIENTS://h:19092" {
		t.Errorf("servable and publishable %s", got)
	}
	i := slices.IndexFunc(warnings, func(w Warning) bool { return w.Severity == SeverityError })
	if i < 0 || !strings.Contains(warnings[i].Text, `org.example.NamePolicy": Baton cannot run Java`) {
		t.Errorf("no warning about the policy: %v", warnings)
	}
	for _, w := range warnings {
		if strings.Contains(w.Text, "unknown") || strings.Contains(w.Text, "/etc/kafka/secrets") {
			t.Errorf("%s", w)
		}
	}
}

func TestOwnFile(t *testing.T) {
	c, warnings := mustLoad(t, "baton.properties")
	if len(warnings) != 0 {
		t.Errorf("warnings: %v", warnings)
	}
	want := map[string]string{
		"zookeeper.connect": "[2001:db8::1]:2181,zk2:2181", "zookeeper.session.timeout.ms": "6000", "zookeeper.connection.timeout.ms": "6000",
		"listeners":            "INTERNAL://0.0.0.0:19092,CONTROL://:19093,OUTSIDE://:19094",
		"advertised.listeners": "INTERNAL://baton-a:19092,CONTROL://baton-a:19093", "control.plane.listener.name": "CONTROL",
		"inter.broker.listener.name": "INTERNAL", "inter.broker.protocol.version": "2.7-IV1", "controller.mode": "active",
		"admin.listener": "", "admin.socket": "/run/baton/a.sock", "metrics.labels": "cluster=orders,env=prod",
		"offsets.topic.compression.codec": "2", "state.change.log": "/var/log/baton/state-change.log",
		"unclean.recovery.strategy": "wait", "unclean.recovery.strategy.topics": "orders=longest,audit-*=none", "unclean.recovery.wait.minutes": "30",
	}
	for _, e := range c.Effective() {
		if v, ok := want[e.Key]; ok && v != e.Value {
			t.Errorf("%s: got %q, want %q", e.Key, e.Value, v)
		}
	}
	if c.ControllerListener() != "CONTROL" || c.ZooKeeperSessionTimeout != 6*time.Second {
		t.Errorf("%+v", c)
	}
}

func TestEveryMistakeIsReportedAtOnce(t *testing.T) {
	_, warnings, err := loadFile(t, "mistakes.properties", "nonsense", "log.level=loud")
	f := "testdata/mistakes.properties:"
	checkErrors(t, err,
		`--set "nonsense": expected key=value`,
		f+`13: unclean.recovery.strategy="shortest": expected one of none, longest, wait, first`,
		f+`14: unclean.recovery.strategy.topics="orders=longest,audit-*=never": expected for audit-* one of none, longest, wait, first; "never" is not`,
		f+`15: unclean.recovery.wait.minutes="0": expected an integer from 1 to 40320`,
		f+`1: node.id="-1": expected an integer of at least 0`,
		f+`2: zookeeper.connect="zk1:2181/kafka,zk2:2181/kafka": expected one chroot, after the last host`,
		f+`3: listeners="PLAINTEXT://h:9092,plaintext://h:9093": expected each listener name once; PLAINTEXT is given twice`,
		f+`5: num.partitions="many": expected an integer of at least 1`,
		f+`6: auto.create.topics.enable="yes": expected true or false`,
		f+`7: inter.broker.protocol.version="4.0": expected a protocol version up to 3.9-IV0`,
		f+`8: zookeeper.session.timeout.ms="0": expected a number of milliseconds of at least 1`,
		f+`9: metrics.labels="9env=prod": expected name=value pairs`,
		f+`10: controller.mode="passive": expected one of standby, active`,
		f+`11: default.replication.factor="40000": expected an integer from 1 to 32767`,
		`--set: log.level="loud": expected one of debug, info, warn, error`)
	var ke *KeyError
	if !errors.As(err, &ke) || ke.Key == "" {
		t.Errorf("no KeyError in %v", err)
	}
	if len(warnings) != 2 || warnings[0].Text != f+`4: unknown key "num.partition", did you mean num.partitions?` ||
		warnings[1].Text != f+`12: unknown key "wholly.different"` {
		t.Errorf("warnings: %v", warnings)
	}
}

func TestCrossChecks(t *testing.T) {
	for _, tt := range []struct {
		name string
		sets []string
		want string
	}{
		{"empty host", []string{"listeners=PLAINTEXT://:1"}, "a host for PLAINTEXT"},
		{"advertised 0.0.0.0", []string{"advertised.listeners=PLAINTEXT://0.0.0.0:1"}, `--set: advertised.listeners="PLAINTEXT://0.0.0.0:1": expected a host`},
		{"advertised ::", []string{"listeners=PLAINTEXT://[::]:1"}, "a host for PLAINTEXT"},
		{"advertised port 0", []string{"advertised.listeners=PLAINTEXT://h:0"}, "a port for PLAINTEXT"},
		{"advertised not listened on", []string{"advertised.listeners=PLAINTEXT://h:1,SSL://h:2"}, "names that listeners has (PLAINTEXT); SSL is not one"},
		{"no protocol", []string{"listeners=PLAINTEXT://h:1,FOO://h:2"}, "names that listener.security.protocol.map has; FOO is not one"},
		{"inter-broker unknown", []string{"inter.broker.listener.name=FOO"}, "a listener that listener.security.protocol.map has; FOO is not one"},
		{"inter-broker not advertised", []string{"listeners=SSL://h:1"}, "brokers to find Baton on PLAINTEXT, but Baton advertises only SSL"},
		{"both inter-broker keys", []string{"inter.broker.listener.name=PLAINTEXT", "security.inter.broker.protocol=PLAINTEXT"}, "only one of"},
		{"inter-broker TLS", []string{"security.inter.broker.protocol=SSL"}, `security.inter.broker.protocol="SSL": expected a PLAINTEXT listener: SSL uses SSL, and TLS/SASL is not built yet`},
		{"protocol in small letters", []string{"security.inter.broker.protocol=ssl"}, "one of PLAINTEXT, SSL"},
		{"control plane is inter-broker", []string{"control.plane.listener.name=PLAINTEXT"}, "another listener than the inter-broker one"},
		{"control plane TLS", []string{"control.plane.listener.name=SSL"}, "TLS/SASL is not built yet"},
		{"same port", []string{"listeners=PLAINTEXT://h:1,SSL://h:1"}, "a port of its own"},
		{"star", []string{"listeners=PLAINTEXT://*:1"}, "is not one"},
		{"no port", []string{"listeners=PLAINTEXT://h"}, "is not one"},
		{"negative port", []string{"listeners=PLAINTEXT://h:-1"}, "is not one"},
		{"bad map", []string{"listener.security.protocol.map=PLAINTEXT:FOO"}, "a protocol of PLAINTEXT"},
		{"no ZooKeeper", []string{"zookeeper.connect= "}, "at least one ZooKeeper host"},
		{"ZooKeeper with a space", []string{"zookeeper.connect=a b"}, `"a b" is not one`},
		{"chroot with a slash at its end", []string{"zookeeper.connect=a/b/"}, "a chroot without"},
		{"config provider", []string{"num.partitions=${file:/a:b}"}, "Baton does not ask config providers"},
		{"long socket", []string{"admin.socket=/" + strings.Repeat("x", 107)}, "a path of at most 107 bytes"},
		{"admin without a port", []string{"admin.listener=localhost"}, "or nothing to switch it off"},
		{"codec", []string{"offsets.topic.compression.codec=5"}, "an integer from 0 to 4"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, _, err := Parse(strings.NewReader(minimal), "f", tt.sets)
			checkErrors(t, err, tt.want)
		})
	}
}

func TestPrecedenceAndOrigins(t *testing.T) {
	c := mustParse(t, minimal+"num.partitions=3\nnum.partitions=4\nmin.insync.replicas=2\n", "num.partitions=5", "num.partitions= 6 ")
	got := make(map[string]string)
	for _, e := range c.Effective() {
		got[e.Key] = e.Value + " " + string(e.Origin)
		if e.Doc == "" || !strings.HasSuffix(e.Doc, ".") {
			t.Errorf("%s: doc %q", e.Key, e.Doc)
		}
	}
	for key, want := range map[string]string{
		"num.partitions": "6 set", "min.insync.replicas": "2 file", "delete.topic.enable": "true default", "instance.name": "localhost default",
		"admin.socket": "/tmp/baton-2000001.sock default", "inter.broker.listener.name": "PLAINTEXT default",
	} {
		if got[key] != want {
			t.Errorf("%s: got %q, want %q", key, got[key], want)
		}
	}
	if len(got) != len(Keys()) {
		t.Errorf("%d entries, %d keys", len(got), len(Keys()))
	}
}

func TestLowIDWarns(t *testing.T) {
	_, w, err := Parse(strings.NewReader(minimal), "f", []string{"node.id=1999999"})
	if err != nil || len(w) != 1 || !slices.Equal(w[0].Keys, []string{"node.id"}) {
		t.Errorf("%v %v", w, err)
	}
}

func TestPortZeroIsFilledWithTheBoundOne(t *testing.T) {
	c := mustParse(t, minimal, "listeners=PLAINTEXT://127.0.0.1:0")
	if got := c.Publishable(map[string]int{"PLAINTEXT": 4711}); len(got) != 1 || got[0].String() != "PLAINTEXT://127.0.0.1:4711" {
		t.Errorf("%v", got)
	}
	if c.AdvertisedListeners[0].Port != 0 {
		t.Error("Publishable changed the Config")
	}
}

func TestMissingFile(t *testing.T) {
	_, _, err := Load(filepath.Join(t.TempDir(), "none"), nil, nil)
	if !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

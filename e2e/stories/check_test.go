package stories

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"baton/check"
	"baton/e2e/batonproc"
	"baton/e2e/kafka"
)

// What `check` and `config` say about a real cluster.
func TestCheckAndConfig(t *testing.T) {
	s := begin(t, kafka.Options{TwoListeners: true, Proxies: []string{kafka.Internal},
		Overrides: map[string]string{"inter.broker.protocol.version": "3.6"}}, "orders")
	own, err := os.ReadFile(s.cluster.Broker(1).PropertiesPath())
	s.must(err)
	w := &work{dir: t.TempDir()}
	w.config = filepath.Join(w.dir, "baton.properties")
	s.must(os.WriteFile(w.config, own, 0o600))
	w.states = filepath.Join(w.dir, "state-change.log")
	b := s.baton(batonproc.Options{Mode: batonproc.Standby, Config: w.config, Sets: map[string]string{
		"zookeeper.session.timeout.ms": "2000", "state.change.log": w.states}})
	s.stands(b)

	s.part("check", func() { s.checks(b) })
	s.part("config", func() { w.configures(s, b) })
	s.verified()
	s.soundApart()
}

// row is part of a line of `check`.
type row struct {
	level        check.Level
	item, detail string
}

// checked runs `check` with more settings and compares its exit code and some rows; no others may fail.
func (s *story) checked(b *batonproc.Baton, what string, exit int, sets map[string]string, rows ...row) {
	s.Helper()
	args := []string{"-o", "json"}
	for _, k := range slices.Sorted(maps.Keys(sets)) {
		args = append(args, "--set", k+"="+sets[k])
	}
	ctx, cancel := context.WithTimeout(s.ctx, time.Minute)
	defer cancel()
	r, err := b.CLI(ctx, "check", args...)
	s.must(err)
	if r.ExitCode != exit {
		s.Errorf("%s: exit code %d, want %d\n%s%s", what, r.ExitCode, exit, r.Stdout, r.Stderr)
	}
	var report check.Report
	if err := json.Unmarshal([]byte(r.Stdout), &report); err != nil {
		s.Fatalf("%s: %v\n%s%s", what, err, r.Stdout, r.Stderr)
	}
	for _, want := range rows {
		if !slices.ContainsFunc(report.Findings, func(f check.Finding) bool {
			return f.Level == want.level && f.Item == want.item && strings.Contains(f.Detail, want.detail)
		}) {
			s.Errorf("%s: no row %v in\n%s", what, want, r.Stdout)
		}
	}
	for _, f := range report.Findings {
		if f.Level == check.Fail && !slices.ContainsFunc(rows, func(r row) bool { return r.level == check.Fail && r.item == f.Item }) {
			s.Errorf("%s: fails, too: %+v", what, f)
		}
	}
}

func (s *story) checks(b *batonproc.Baton) {
	c := s.cluster
	s.checked(b, "clean", 0, nil,
		row{check.OK, "/controller", "held by broker"}, row{check.OK, "node.id", ""}, row{check.OK, "brokers", "3 registered: 1, 2, 3"},
		row{check.OK, "broker 2", "inter.broker.protocol.version 3.6"}, row{check.OK, "work in progress", "no topic"},
		row{check.OK, "listener CLIENT", ""}, row{check.OK, "listener INTERNAL", ""}, row{check.OK, "inter.broker.protocol.version", "3.6"})
	s.checked(b, "another Baton's id", 3, map[string]string{"instance.name": "other"}, row{check.Fail, "node.id", "used by a live Baton"})
	s.checked(b, "a broker's id", 3, map[string]string{"node.id": "2"}, row{check.Fail, "node.id", "registered broker"})
	s.checked(b, "newer protocol", 3, map[string]string{"inter.broker.protocol.version": "3.9"},
		row{check.Fail, "inter.broker.protocol.version", "ours is 3.9-IV0, the lowest of the brokers 3.6"})
	s.checked(b, "older protocol", 0, map[string]string{"inter.broker.protocol.version": "3.0"},
		row{check.Warn, "inter.broker.protocol.version", "ours is 3.0"})
	internal := "INTERNAL://" + b.Addr(kafka.Internal)
	s.checked(b, "a client listener not served", 0, map[string]string{"listeners": internal, "advertised.listeners": internal},
		row{check.Warn, "listener CLIENT", "Baton has none of that name"})
	s.checked(b, "another inter-broker listener", 3, map[string]string{"inter.broker.listener.name": kafka.Client},
		row{check.Fail, "inter.broker.listener.name", `ours is "CLIENT"`})
	s.checked(b, "no ZooKeeper", 5, map[string]string{"zookeeper.connect": "127.0.0.1:1", "zookeeper.connection.timeout.ms": "2000"},
		row{check.Fail, "ZooKeeper 127.0.0.1:1", "not reachable"}, row{check.Fail, "ZooKeeper session", "none could be opened"})
	s.checked(b, "wrong chroot", 3, map[string]string{"zookeeper.connect": c.ZooKeeper.ConnectString() + "/wrong"},
		row{check.Fail, "chroot", "does not exist"}, row{check.Fail, "cluster id", "does not exist"})

	c.Broker(2).Proxy(kafka.Internal).Refuse(true)
	s.checked(b, "unreachable broker", 3, nil, row{check.Fail, "broker 2", "cannot be asked"})
	c.Broker(2).Proxy(kafka.Internal).Refuse(false)

	hold := s.spoil("/baton/hold", `{"who":"ann","when":"2026-01-02T03:04:05Z","why":"trial"}`)
	s.checked(b, "hold", 0, nil, row{check.Warn, "/baton/hold", "set by ann at 2026-01-02 03:04:05Z: trial"})
	s.mend(hold)
	for _, x := range []struct {
		path string
		contents
		row
	}{
		{"/controller_epoch", epochText, row{check.Fail, "/controller_epoch", "unreadable: expected"}},
		{"/migration", migrationJSON, row{check.Fail, "/migration", "unreadable: expected"}},
		{"/brokers/ids/77", brokerJSON, row{check.Fail, "/brokers/ids/77", "unreadable registration: expected"}},
		{"/cluster/id", clusterJSON, row{check.Fail, "reading ZooKeeper", "/cluster/id"}},
	} {
		for _, shape := range shapes {
			if data, ok := x.of(shape); ok {
				z := s.spoil(x.path, data)
				s.checked(b, x.path+" "+shape, 3, nil, x.row)
				s.mend(z)
			}
		}
	}
	s.checked(b, "mended", 0, nil)
}

// work is what a Baton of its own file is asked to do.
type work struct{ dir, config, states string }

// configures looks at the configuration, and changes it while Baton runs.
func (w *work) configures(s *story, b *batonproc.Baton) {
	var report struct {
		Settings []struct{ Key, Value, Origin string }
	}
	s.must(json.Unmarshal([]byte(s.cliOut(b, "config", "check", "-o", "json")), &report))
	if !slices.ContainsFunc(report.Settings, func(x struct{ Key, Value, Origin string }) bool {
		return x.Key == "inter.broker.protocol.version" && strings.HasPrefix(x.Value, "3.6") && x.Origin != ""
	}) {
		s.Errorf("config check: %+v", report.Settings)
	}
	binary, err := batonproc.Build(s.ctx)
	s.must(err)
	r, err := batonproc.Run(s.ctx, binary, "config", "check", "--config", w.config, "--set", "min.insync.replicas=many")
	if err != nil || r.ExitCode != 1 || !strings.Contains(r.Stderr, "min.insync.replicas") {
		s.Errorf("config check of a wrong value: exit code %d, %v\n%s", r.ExitCode, err, r.Stderr)
	}

	s.cli(b, 0, "takeover", "--yes")
	s.leads(b)
	contains(s.T, s.cliOut(b, "config", "log-level", "debug"), "log level debug, was info")
	s.must(s.cluster.CreateTopic(s.ctx, "debugged", 1, 3))
	s.logs(b, "debugged-0")
	contains(s.T, s.cliOut(b, "config", "log-level", "info"), "log level info, was debug")

	w.add(s, "min.insync.replicas=2", "broker.rack=elsewhere")
	out := s.cliOut(b, "config", "reload")
	contains(s.T, out, `min.insync.replicas: "1" -> "2"`)
	w.add(s, "num.partitions=5")
	s.must(os.Rename(w.states, w.states+".1"))
	s.must(b.Signal(syscall.SIGHUP))
	s.logs(b, `num.partitions: \"1\" -> \"5\"`)
	w.add(s, "num.partitions=none")
	s.must(b.Signal(syscall.SIGHUP))
	s.logs(b, "the configuration was not reloaded; the old one stays in force")
	w.add(s, "num.partitions=5")

	s.must(s.cluster.Broker(3).Kill())
	s.must(s.cluster.WaitNotLeading(s.ctx, 3, s.topics...))
	s.must(s.cluster.Broker(3).Restart(s.ctx))
	s.must(s.cluster.WaitISRFull(s.ctx, s.topics...))
	for _, want := range []string{"from OfflinePartition to OnlinePartition with state LeaderAndIsr(", "Sending LeaderAndIsr request to broker 3", "Sending UpdateMetadata request to brokers"} {
		if text := w.stateChanges(s); !strings.Contains(text, want) {
			s.Errorf("no %q in the state-change log:\n%.3000s", want, text)
		}
	}
	metrics, err := s.metrics(b)
	s.must(err)
	contains(s.T, metrics, "baton_under_min_isr_partitions 0")
}

// add appends lines to the Baton's file; the last one of a key wins.
func (w *work) add(s *story, lines ...string) {
	s.Helper()
	f, err := os.OpenFile(w.config, os.O_APPEND|os.O_WRONLY, 0o600)
	s.must(err)
	_, err = f.WriteString(strings.Join(lines, "\n") + "\n")
	s.must(errors.Join(err, f.Close()))
}

func (w *work) stateChanges(s *story) string {
	s.Helper()
	text, err := os.ReadFile(w.states)
	s.must(err)
	return string(text)
}

// cliOut runs a verb of two words that has to succeed.
func (s *story) cliOut(b *batonproc.Baton, verb string, args ...string) string {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.ctx, time.Minute)
	defer cancel()
	binary, err := batonproc.Build(ctx)
	s.must(err)
	// The configuration's flags belong to the second word.
	r, err := batonproc.Run(ctx, binary, slices.Concat([]string{verb}, args, b.ConfigArgs())...)
	if err != nil || r.ExitCode != 0 {
		s.Fatalf("%s %v: exit code %d (%v)\n%s%s", verb, args, r.ExitCode, err, r.Stdout, r.Stderr)
	}
	return r.Stdout
}

func (s *story) metrics(b *batonproc.Baton) (string, error) {
	_, body, err := b.Get(s.ctx, "/metrics")
	return body, err
}

// logs waits until the Baton has logged this.
func (s *story) logs(b *batonproc.Baton, text string) {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.ctx, time.Minute)
	defer cancel()
	s.must(kafka.Eventually(ctx, fmt.Sprintf("%q in the log of Baton %d", text, b.ID()), func(context.Context) (bool, error) {
		return b.LogContains(text)
	}))
}

// leaders reads who leads the topics' partitions, and in which leader epoch.
func (s *story) leaders(topics ...string) map[string][2]int {
	s.Helper()
	out := map[string][2]int{}
	for _, t := range topics {
		for p := range 6 {
			path := fmt.Sprintf("/brokers/topics/%s/partitions/%d/state", t, p)
			data, _, err := s.cluster.Conn.Get(path)
			if errors.Is(err, zk.ErrNoNode) {
				continue
			}
			s.must(err)
			var st kafka.PartitionState
			s.must(json.Unmarshal(data, &st))
			out[path] = [2]int{st.Leader, st.LeaderEpoch}
		}
	}
	return out
}

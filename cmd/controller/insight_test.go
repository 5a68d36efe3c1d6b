package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"baton/admin"
	"baton/dev"
	"baton/e2e/normal"
	"baton/snapshot"
)

// steady is an output without what differs from run to run.
func steady(text string) string { return normal.Controller(nil, text) }

// createTopic makes a topic with the given replicas of each partition.
func createTopic(t *testing.T, w *dev.World, name string, config map[string]string, replicas ...[]int32) {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(w.Seeds()...))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	req := kmsg.NewPtrCreateTopicsRequest()
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = name, -1, -1
	for i, list := range replicas {
		a := kmsg.NewCreateTopicsRequestTopicReplicaAssignment()
		a.Partition, a.Replicas = int32(i), list
		topic.ReplicaAssignment = append(topic.ReplicaAssignment, a)
	}
	for k, v := range config {
		c := kmsg.NewCreateTopicsRequestTopicConfig()
		c.Name, c.Value = k, &v
		topic.Configs = append(topic.Configs, c)
	}
	req.Topics, req.TimeoutMillis = append(req.Topics, topic), 20_000
	resp, err := req.RequestWith(t.Context(), cl)
	if err != nil {
		t.Fatal(err)
	}
	if err := kerr.ErrorForCode(resp.Topics[0].ErrorCode); err != nil {
		t.Fatal(err)
	}
}

// until waits until the active Baton's snapshot is as wanted.
func until(t *testing.T, n admin.Node, what string, ok func(*snapshot.Document) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		d, err := n.Snapshot(ctx, nil)
		if err != nil {
			t.Fatalf("waiting for %s: %v", what, err)
		}
		if ok(d) {
			return
		}
		select {
		case <-ctx.Done():
			seen, _ := json.Marshal(d) // what differs
			t.Fatalf("%s: not within a minute\n%s", what, seen)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// away is done when a broker is gone from ZooKeeper, too: one that shuts down gives its leadership away before.
func away(id int32, done func(*snapshot.Document) bool) func(*snapshot.Document) bool {
	return func(d *snapshot.Document) bool { return d.Broker(id) == nil && done(d) }
}

// ordersAre tells who leads orders-N, and its ISR.
func ordersAre(n int32, leader int32, isr ...int32) func(*snapshot.Document) bool {
	return func(d *snapshot.Document) bool {
		p := d.Topic("orders").Partition(n)
		return p.Leader == leader && fmt.Sprint(p.ISR) == fmt.Sprint(isr)
	}
}

// TestInsight asks the verbs that only look, of the cluster of `controller dev`: all well, a broker away, nobody left in sync.
func TestInsight(t *testing.T) {
	t.Parallel() // it mostly waits for sessions to end
	ctx := t.Context()
	w, err := dev.Start(ctx, dev.Options{}, dev.NewScreen(io.Discard, false))
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	createTopic(t, w, "orders", map[string]string{"min.insync.replicas": "2"}, []int32{1, 2, 3}, []int32{2, 3, 1}, []int32{3, 1, 2})
	createTopic(t, w, "orders-1", map[string]string{"unclean.leader.election.enable": "true"}, []int32{2, 3})
	active, standby := serve(t, w.Nodes()[0]), serve(t, w.Nodes()[1])
	ask := func(name string, code int, args ...string) {
		t.Helper()
		r := command(t, nil, append(args, "--socket", active)...)
		r.want(t, code)
		golden(t, name, steady(r.out+"-- stderr --\n"+r.errs))
	}
	ask("snapshot", 0, "snapshot", "orders")
	ask("snapshot-yaml", 0, "snapshot", "orders-1", "-o", "yaml")
	ask("snapshot-table", 0, "snapshot", "-o", "table")
	ask("whatif", 0, "whatif", "--fail", "2")
	ask("whatif-json", 0, "whatif", "--fail", "1,2", "--unclean", "-o", "json")
	ask("can-stop", 0, "can-stop", "1")
	ask("explain-led", 0, "explain", "orders-0")
	ask("explain-topic", 0, "explain", "orders")
	ask("explain-ambiguous", 0, "explain", "orders-1")

	// What cannot be answered: a message that helps, and a code that says why.
	for _, c := range []struct {
		code int
		text string
		args []string
	}{
		{1, "there is no topic none", []string{"explain", "none"}},
		{1, "there is no topic none-3, and none none", []string{"explain", "none-3"}},
		{1, "topic orders has no partition 9; it has 3 partitions", []string{"explain", "orders-9"}},
		{1, "there is no topic none", []string{"snapshot", "none"}},
		{2, "broker 9 is not registered, and hosts no replica", []string{"whatif", "--fail", "1,9"}},
		{2, "--fail is needed", []string{"whatif"}},
		{2, "broker 9 is not registered, and hosts no replica", []string{"can-stop", "9"}},
		{2, `"one" is not the id of a broker`, []string{"can-stop", "one"}},
		{2, "accepts 1 arg", []string{"explain"}},
	} {
		command(t, nil, append(c.args, "--socket", active)...).want(t, c.code, "controller: ", c.text)
	}
	for _, args := range [][]string{{"snapshot"}, {"whatif", "--fail", "1"}, {"can-stop", "1"}, {"explain", "orders-0"}} {
		command(t, nil, append(args, "--socket", standby)...).want(t, 5, "this Baton is not active; Baton 2000001 (dev-1)", "ask there")
		command(t, nil, append(args, "--socket", "/none")...).want(t, 5, "no running Baton answers on /none")
		command(t, nil, args...).want(t, 5, "no Baton seems to run here")
	}

	// From a file the answers are the same, and need no Baton.
	file := filepath.Join(t.TempDir(), "cluster.json")
	if err := os.WriteFile(file, []byte(command(t, nil, "snapshot", "--socket", active).out), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"whatif", "--fail", "2"}, {"can-stop", "1"}, {"explain", "orders-0"}} {
		live, kept := command(t, nil, append(args, "--socket", active)...), command(t, nil, append(args, "--snapshot", file)...)
		if kept.want(t, 0); live.out != kept.out {
			t.Errorf("%q: from the file\n%s\nfrom the Baton\n%s", args, kept.out, live.out)
		}
	}
	command(t, func(a *app) { a.in = strings.NewReader("{}") }, "can-stop", "1", "--snapshot", "-").want(t, 2, "standard input", "this is no snapshot")
	command(t, nil, "can-stop", "1", "--snapshot", "/none").want(t, 1, "/none")

	node := w.Nodes()[0]
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	stop := func(id int32) {
		t.Helper()
		_, err := w.Stop(ctx, id)
		must(err)
	}
	stop(1)
	until(t, node, "1 gone", away(1, ordersAre(0, 2, 2, 3)))
	ask("can-stop-not", 1, "can-stop", "3")
	ask("can-stop-gone", 0, "can-stop", "1")
	ask("explain-away", 0, "explain", "orders-0")
	stop(3)
	until(t, node, "3 gone", away(3, ordersAre(0, 2, 2)))
	must(w.Kill(2))
	until(t, node, "2 gone", away(2, ordersAre(0, -1, 2)))
	must(w.Restart(ctx, 1))
	must(w.Restart(ctx, 3))
	until(t, node, "1 and 3 back", func(d *snapshot.Document) bool { return d.Broker(1) != nil && d.Broker(3) != nil && d.Broker(2) == nil })
	ask("explain-leaderless", 0, "explain", "orders-0")
	ask("explain-leaderless-json", 0, "explain", "orders-0", "-o", "json")
}

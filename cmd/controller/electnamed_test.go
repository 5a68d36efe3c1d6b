package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"baton/admin"
	"baton/dev"
	"baton/snapshot"
)

// produceOrders writes n records to orders-0, one after the other, each acknowledged.
func produceOrders(t *testing.T, w *dev.World, n int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cl, err := kgo.NewClient(kgo.SeedBrokers(w.Seeds()...))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	for i := range n {
		if err := cl.ProduceSync(ctx, &kgo.Record{Topic: "orders", Value: fmt.Append(nil, i)}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestElectLongest is the incident, in the cluster of `controller dev`: the only in-sync replica dies, and the first of the
// others lacks more than the last. Sessions are long: if a busy machine lets that of 1 end, 3 is the only one that could lead, and
// then nobody has more than it.
func TestElectLongest(t *testing.T) {
	t.Parallel() // it mostly waits for sessions to end
	ctx := t.Context()
	w, err := dev.Start(ctx, dev.Options{Session: 10 * time.Second}, dev.NewScreen(io.Discard, false))
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	createTopic(t, w, "orders", map[string]string{"min.insync.replicas": "1"}, []int32{2, 3, 1})
	active, standby, node := serve(t, w.Nodes()[0]), serve(t, w.Nodes()[1]), w.Nodes()[0]
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	stop := func(id int32, isr ...int32) {
		t.Helper()
		_, err := w.Stop(ctx, id)
		must(err)
		until(t, node, fmt.Sprint(id, " gone"), away(id, ordersAre(0, 2, isr...)))
	}
	ask := func(name string, code int, args ...string) {
		t.Helper()
		r := command(t, nil, append(args, "--socket", active)...)
		r.want(t, code)
		golden(t, name, steady(r.out+"-- stderr --\n"+r.errs))
	}
	sampled := func(want int64) {
		t.Helper()
		until(t, node, fmt.Sprint("the leader's log sampled at ", want), func(*snapshot.Document) bool {
			d, err := node.Snapshot(ctx, []string{"orders"})
			must(err)
			return strings.Contains(fmt.Sprint(d.Topic("orders").Partition(0).Logs), fmt.Sprintf("the log of leader 2 ended at %d, ", want))
		})
	}
	sampled(0) // with another sample it is known how fast the log grows
	produceOrders(t, w, 20)
	ask("elect-led", 3, "elect", "unclean", "orders-0", "--candidate", "longest", "--yes")
	ask("elect-leader-dry", 0, "elect", "leader", "orders-0", "--replica", "1", "--dry-run")
	stop(3, 2, 1)
	produceOrders(t, w, 10)
	ask("elect-leader-behind", 3, "elect", "leader", "orders-0", "--replica", "3", "--yes")
	stop(1, 2)
	produceOrders(t, w, 5)
	sampled(35)
	must(w.Kill(2))
	until(t, node, "2 gone", away(2, ordersAre(0, -1, 2)))
	must(w.Restart(ctx, 1))
	must(w.Restart(ctx, 3))
	until(t, node, "1 and 3 measured", func(*snapshot.Document) bool {
		m, err := node.Measure(ctx, admin.Question{Topic: "orders", Candidate: "longest"})
		return err == nil && m.Leader == 1 && len(m.Doubts) == 0
	})

	ask("elect-first", 3, "elect", "unclean", "orders-0", "--candidate", "first", "--yes")
	ask("elect-longest-dry", 0, "elect", "unclean", "orders-0", "--candidate", "longest", "--dry-run")
	ask("elect-longest-no-terminal", 3, "elect", "unclean", "orders-0", "--candidate", "longest")
	for _, c := range []struct {
		code int
		text string
		args []string
	}{
		{1, "there is no topic none", []string{"none-0", "--candidate", "longest"}},
		{1, "topic orders has no partition 7", []string{"orders-7", "--candidate", "longest"}},
		{2, `"biggest": expected longest, first or a broker's id`, []string{"orders-0", "--candidate", "biggest"}},
		{3, "nobody can be elected: 2 is not a live replica", []string{"orders-0", "--candidate", "2", "--accept-data-loss", "--yes"}},
		{2, "name the partition", []string{"--candidate", "longest"}},
		{2, `"orders": expected TOPIC-PARTITION`, []string{"orders", "--candidate", "longest"}},
		{2, "--topic does not go with a replica that is named", []string{"orders-0", "--candidate", "longest", "--topic", "orders"}},
		{2, "--accept-data-loss goes with --candidate", []string{"--topic", "orders", "--accept-data-loss"}},
		{2, "neither --candidate nor --replica", []string{"orders-0"}},
		{2, "--reason goes with --candidate or --replica: this election is asked for by Kafka's protocol", []string{"--topic", "orders", "--reason", "x"}},
	} {
		command(t, nil, append(append([]string{"elect", "unclean"}, c.args...), "--socket", active)...).want(t, c.code, c.text)
	}
	command(t, nil, "elect", "unclean", "orders-0", "--candidate", "longest", "--socket", standby).want(t, 5, "this Baton is not active")
	if until(t, node, "nothing changed", ordersAre(0, -1, 2)); t.Failed() {
		return
	}

	// Somebody thinks about the answer, and a broker restarts meanwhile.
	late := &thinker{answers: []string{"y\n", "n\n"}, meanwhile: func() {
		before, err := node.Snapshot(ctx, nil)
		must(err)
		_, err = w.Stop(ctx, 3)
		must(err)
		must(w.Restart(ctx, 3))
		until(t, node, "3 back", func(d *snapshot.Document) bool {
			return d.Broker(3) != nil && d.Broker(3).Epoch != before.Broker(3).Epoch
		})
	}}
	command(t, func(a *app) { a.tty, a.in = true, late }, "elect", "unclean", "orders-0", "--candidate", "longest", "--accept-data-loss", "--socket", active).
		want(t, 3, "nothing was changed: No leader is elected for orders-0: replica 3 has restarted since 1 was chosen", "Once more.", "not done: the answer was not yes")
	until(t, node, "nothing changed", ordersAre(0, -1, 2))
	until(t, node, "1 and 3 measured again", func(*snapshot.Document) bool {
		m, err := node.Measure(ctx, admin.Question{Topic: "orders", Candidate: "longest"})
		return err == nil && m.Leader == 1 && len(m.Doubts) == 0
	})

	ask("elect-longest", 0, "elect", "unclean", "orders-0", "--candidate", "longest", "--yes", "--reason", "disk of 2 is gone")
	until(t, node, "3 in sync", ordersAre(0, 1, 1, 3))
	ask("elect-leader", 0, "elect", "leader", "orders-0", "--replica", "3", "--yes")
	until(t, node, "3 leads", ordersAre(0, 3, 1, 3))
	produceOrders(t, w, 1)
}

// thinker gives one answer at a time; something happens before the first.
type thinker struct {
	answers   []string
	meanwhile func()
}

func (r *thinker) Read(p []byte) (int, error) {
	if len(r.answers) == 0 {
		return 0, io.EOF
	}
	if r.meanwhile != nil {
		r.meanwhile()
		r.meanwhile = nil
	}
	n := copy(p, r.answers[0])
	r.answers = r.answers[1:]
	return n, nil
}

// TestElectIsRefusedIfTheStateChanges: what was measured is what is asked for, and a refusal keeps its exit code.
func TestElectIsRefusedIfTheStateChanges(t *testing.T) {
	n := &fakeNode{measured: admin.Measurement{Topic: "a-topic", Partition: 7, PartitionEpoch: 9, ISR: []int32{1}, Leader: 3,
		Replicas: []admin.Measured{{Broker: 1, InISR: true}, {Broker: 2, Epoch: 12, Silent: "no answer within 5s"},
			{Broker: 3, Epoch: 13, Log: &admin.MeasuredLog{Start: 5, End: 5, EpochMin: 2, EpochMax: 4}}},
		Doubts: []string{"2 could not be measured: no answer within 5s"}}}
	n.err = admin.Refused("nothing was changed: replica 2 has restarted since 3 was chosen.")
	args := []string{"elect", "unclean", "a-topic-7", "--candidate", "longest", "--yes", "--socket", serve(t, n)}
	r := command(t, nil, args...)
	r.want(t, 3, "not done without --accept-data-loss")
	golden(t, "elect-silent", r.out+"-- stderr --\n"+r.errs)
	if n.choice != nil {
		t.Fatal("it was elected")
	}
	command(t, nil, append(args, "--accept-data-loss", "--reason", "night")...).want(t, 3, "nothing was changed: replica 2 has restarted", "Once more.")
	if c := n.choice; c == nil || c.Leader != 3 || !c.Unclean || c.PartitionEpoch != 9 || fmt.Sprint(c.Live) != "map[2:12 3:13]" || n.req.Why != "night" {
		t.Errorf("asked for %+v, %+v", c, n.req)
	}
}

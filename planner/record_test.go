package planner_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"baton/cluster"
	"baton/epoch"
	"baton/isr"
	"baton/partition"
	"baton/planner"
)

// led is a machine that leads a cluster of brokers 1, 2, 3 with n partitions of one topic,
// all led by broker 1 with everybody in sync.
func led(t testing.TB, n int) (m *planner.Machine, live func(ids ...int32) planner.BrokersChanged) {
	m = planner.New()
	live = func(ids ...int32) (e planner.BrokersChanged) {
		for _, id := range ids {
			e.Brokers = append(e.Brokers, cluster.Broker{ID: id, Epoch: epoch.Broker(10 + id)})
		}
		return e
	}
	c := planner.Claimed{ID: self, Fence: epoch.Fence{Epoch: 5, Version: 5}, Batons: []int32{self}, Settings: planner.Settings{RetryAfter: 1000},
		Brokers: live(1, 2, 3).Brokers}
	topic := planner.TopicRead{Name: "t", ID: cluster.TopicID{1}}
	for i := range n {
		id := partition.ID{Topic: "t", Number: int32(i)}
		topic.Partitions = append(topic.Partitions, planner.PartitionRead{Number: id.Number, Assignment: partition.Assignment{Replicas: []int32{1, 2, 3}}})
		c.States = append(c.States, planner.StateRead{ID: id, Exists: true, Zxid: 50, State: partition.State{ControllerEpoch: 4,
			LeaderAndISR: isr.LeaderAndISR{Leader: 1, LeaderEpoch: 1, ISR: isr.Set{1, 2, 3}, PartitionEpoch: 1}}})
	}
	c.Topics = []planner.TopicRead{topic}
	if p := m.Step(0, c); len(p.Decisions) > 0 {
		t.Fatalf("%+v", *p.Decisions[0])
	}
	return m, live
}

func only(t *testing.T, p planner.Plan) *planner.Decision {
	t.Helper()
	if len(p.Decisions) != 1 || len(p.Writes) != 1 || p.Decisions[0].Seq != p.Writes[0].Seq {
		t.Fatalf("%d decisions, writes %+v", len(p.Decisions), p.Writes)
	}
	return p.Decisions[0]
}

func describe(d *planner.Decision) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v %s (%s): %v, was %v; %s", d.ID, d.Strategy, d.Trigger.Event, d.To.LeaderAndISR, d.From.LeaderAndISR, d.Trigger.Detail)
	for _, c := range d.Replicas {
		fmt.Fprintf(&b, "; %d %v %v", c.ID, c.Standing, c.Verdict)
	}
	return b.String()
}

// A broker's death: what is written, why, and why nobody else leads.
func TestDecisionOfADeath(t *testing.T) {
	m, live := led(t, 1)
	p := m.Step(10, live(2, 3))
	d := only(t, p)
	set := p.Writes[0].Body.(planner.SetState)
	if d.ID != set.ID || !d.To.SameContent(set.State.LeaderAndISR) || d.To.PartitionEpoch != 1 || d.To.ControllerEpoch != 5 {
		t.Errorf("%+v is not what is written: %+v", d.To, set)
	}
	for _, want := range []string{"t-0 offline (BrokersChanged)", "broker 1 is gone", "1 offline is offline", "2 alive leads", "3 alive could lead, but comes later"} {
		if got := describe(d); !strings.Contains(got, want) {
			t.Errorf("%q is missing in %s", want, got)
		}
	}
	p = m.Step(25, planner.Committed{Results: []planner.Result{{Seq: d.Seq, Outcome: planner.Applied, Version: 2}}})
	want := []planner.Learned{{Seq: d.Seq, ID: d.ID, What: planner.Applied, Version: 2, Took: 15}}
	if !slices.Equal(p.Learned, want) {
		t.Errorf("%+v, want %+v", p.Learned, want)
	}
}

// What has to wait for an earlier write is decided for the reason it was looked at, not for the write's outcome; and a
// decision made again after a conflict has still its reason.
func TestTheTriggerOutlivesAWait(t *testing.T) {
	m, live := led(t, 1)
	first := only(t, m.Step(10, live(2, 3)))
	if p := m.Step(20, live(3)); len(p.Decisions) > 0 {
		t.Fatal("decided while a write was under way")
	}
	second := only(t, m.Step(30, planner.Committed{Results: []planner.Result{{Seq: first.Seq, Outcome: planner.Applied, Version: 2}}}))
	if got := describe(second); !strings.Contains(got, "(BrokersChanged)") || !strings.Contains(got, "broker 2 is gone") || second.To.Leader != 3 {
		t.Error(got)
	}
	found := planner.StateRead{ID: second.ID, Exists: true, Zxid: 60, State: partition.State{ControllerEpoch: 4, LeaderAndISR: isr.LeaderAndISR{
		Leader: 2, LeaderEpoch: 2, ISR: isr.Set{2, 3}, PartitionEpoch: 3}}}
	p := m.Step(40, planner.Committed{Results: []planner.Result{{Seq: second.Seq, Outcome: planner.Conflict, Found: found}}})
	if got := describe(only(t, p)); !strings.Contains(got, "broker 2 is gone") {
		t.Error(got)
	}
	if want := (planner.Learned{Seq: second.Seq, ID: second.ID, What: planner.Conflict, Version: 3, Took: 10}); p.Learned[0] != want {
		t.Errorf("%+v, want %+v", p.Learned[0], want)
	}
}

func TestDecisionsSayWhoAsked(t *testing.T) {
	m, live := led(t, 1)
	d := only(t, m.Step(10, planner.Call{Token: 1, Body: planner.AlterPartition{Broker: 1, BrokerEpoch: 11, Items: []planner.AlterItem{
		{Topic: "t", Request: isr.AlterRequest{LeaderEpoch: 1, PartitionEpoch: 1, ISR: isr.Set{1, 2}}}}}}))
	if d.Strategy != planner.ISRChange || d.Asked == nil || d.Asked.Cause != "AlterPartition of broker 1" || !d.To.ISR.Equal(isr.Set{1, 2}) {
		t.Errorf("%s asked by %+v", describe(d), d.Asked)
	}
	m.Step(20, planner.Committed{Results: []planner.Result{{Seq: d.Seq, Version: 2}}})
	m.Step(30, live(3))
	d = only(t, m.Step(40, planner.TopicConfigRead{Topic: "t"})) // replica 3 lives, so what the operator accepts matters
	if d.To.Leader != isr.NoLeader {
		t.Fatal(describe(d))
	}
	m.Step(45, planner.Committed{Results: []planner.Result{{Seq: d.Seq, Version: 3}}})
	d = only(t, m.Step(50, planner.Call{Token: 2, Body: planner.ElectLeaders{Type: planner.Unclean, Partitions: []partition.ID{{Topic: "t"}}, Timeout: 1000,
		Who: "kim", Why: "disk 1 is lost"}}))
	if d.Strategy != partition.Unclean || d.Asked == nil || *d.Asked != (planner.Asked{Cause: "asked for by ElectLeaders", Who: "kim", Why: "disk 1 is lost"}) ||
		!strings.HasPrefix(d.Unclean, "allowed: ") {
		t.Errorf("%s asked by %+v, %s", describe(d), d.Asked, d.Unclean)
	}
}

// Nobody in sync is left and the topic does not allow more: the decision says who says so.
func TestLeaderlessDecisionsSayWhoForbids(t *testing.T) {
	m, live := led(t, 1)
	d := only(t, m.Step(10, planner.Call{Token: 1, Body: planner.AlterPartition{Broker: 1, BrokerEpoch: 11, Items: []planner.AlterItem{
		{Topic: "t", Request: isr.AlterRequest{LeaderEpoch: 1, PartitionEpoch: 1, ISR: isr.Set{1}}}}}}))
	m.Step(20, planner.Committed{Results: []planner.Result{{Seq: d.Seq, Version: 2}}})
	if p := m.Step(30, live(2, 3)); len(p.Decisions) > 0 {
		t.Fatal("decided before the topic's configuration was read")
	}
	no := false
	d = only(t, m.Step(40, planner.TopicConfigRead{Topic: "t", Unclean: &no}))
	if got := describe(d); d.Unclean != "not allowed by the topic's configuration" || !strings.Contains(got, "2 alive is not in the ISR") ||
		!strings.Contains(got, "broker 1 is gone") {
		t.Errorf("%s; %s", got, d.Unclean)
	}
}

// A decision that was left to a later step is because of what happened in the earlier one, whatever came between them.
func TestDecisionsLeftToLaterSteps(t *testing.T) {
	m, live := led(t, 5_000)
	p := m.Step(10, live(2, 3))
	if !p.Again {
		t.Fatal("everything was decided at once")
	}
	all := p.Decisions
	p = m.Step(20, planner.Tick{})
	all = append(all, p.Decisions...)
	for p.Again {
		p = m.Step(30, planner.Continue{})
		all = append(all, p.Decisions...)
	}
	if len(all) != 5_000 {
		t.Fatal(len(all))
	}
	for _, d := range all {
		if d.Trigger != all[0].Trigger || !strings.Contains(d.Trigger.Detail, "broker 1 is gone") {
			t.Fatalf("%v: %+v", d.ID, d.Trigger)
		}
	}
}

// What a death of a broker that leads 100,000 partitions costs the loop before anything is written.
func BenchmarkDeath100000(b *testing.B) {
	b.ReportAllocs()
	for range b.N {
		b.StopTimer()
		m, live := led(b, 100_000)
		b.StartTimer()
		p := m.Step(10, live(2, 3))
		writes := len(p.Writes)
		for p.Again {
			p = m.Step(10, planner.Continue{})
			writes += len(p.Writes)
		}
		if writes != 100_000 {
			b.Fatal(writes)
		}
	}
}

package planner_test

import (
	"fmt"
	"testing"

	"baton/cluster"
	"baton/epoch"
	"baton/isr"
	"baton/partition"
	"baton/planner"
)

// large is a machine that leads a cluster of many partitions, all of which broker 1 should
// lead and broker 2 does; broker 3 leads one of its own.
type large struct {
	t       testing.TB
	m       *planner.Machine
	now     planner.Millis
	writes  []planner.Write // under way
	most    int             // of them at once
	again   bool
	replies []planner.Reply
	steps   int
	elected int
}

func newLarge(t testing.TB, topics, parts int) *large {
	l := &large{t: t, m: planner.New()}
	c := planner.Claimed{ID: self, Fence: epoch.Fence{Epoch: 5, Version: 5}, Batons: []int32{self}, Settings: planner.Settings{
		TopicIDs: true, RetryAfter: 1000, ToldWait: 5000, AutoRebalance: true, RebalancePercent: 10, RebalanceEvery: 300_000}}
	for b := int32(1); b <= 3; b++ {
		c.Brokers = append(c.Brokers, cluster.Broker{ID: b, Epoch: epoch.Broker(10 + b)})
	}
	add := func(name string, n int, replicas []int32, leader int32) {
		topic := planner.TopicRead{Name: name, ID: cluster.TopicID{byte(len(c.Topics)), byte(len(c.Topics) >> 8), 1}}
		for i := range n {
			id := partition.ID{Topic: name, Number: int32(i)} //nolint:gosec // small
			topic.Partitions = append(topic.Partitions, planner.PartitionRead{Number: id.Number, Assignment: partition.Assignment{Replicas: replicas}})
			c.States = append(c.States, planner.StateRead{ID: id, Exists: true, Zxid: 50, State: partition.State{ControllerEpoch: 4,
				LeaderAndISR: isr.LeaderAndISR{Leader: leader, LeaderEpoch: 1, ISR: replicas, PartitionEpoch: 1}}})
		}
		c.Topics = append(c.Topics, topic)
	}
	for i := range topics {
		add(fmt.Sprintf("t%05d", i), parts, []int32{1, 2}, 2)
	}
	add("own", 1, []int32{3, 2}, 3)
	l.step(c)
	return l
}

func (l *large) step(ev planner.Event) {
	p := l.m.Step(l.now, ev)
	if p.Resign != "" {
		l.t.Fatal(p.Resign)
	}
	l.steps++
	l.writes = append(l.writes, p.Writes...)
	l.most = max(l.most, len(l.writes))
	l.replies = append(l.replies, p.Replies...)
	l.again = p.Again
	for _, n := range p.Notes {
		if n.Strategy == partition.PreferredElection {
			l.elected++
		}
	}
}

// commit applies up to n of the writes under way, as one multi does.
func (l *large) commit(n int) {
	n = min(n, len(l.writes))
	var rs []planner.Result
	for _, w := range l.writes[:n] {
		rs = append(rs, applied(w))
	}
	l.writes = l.writes[n:]
	l.step(planner.Committed{Results: rs})
}

// run goes on until nothing is left to do.
func (l *large) run() {
	for l.again || len(l.writes) > 0 {
		if l.again {
			l.step(planner.Continue{})
		}
		if len(l.writes) > 0 {
			l.commit(200)
		}
	}
}

// TestManyElectionsGoInSlices: twenty thousand leaders go home a few hundred at a time, so
// that a broker's death in the middle is written soon.
func TestManyElectionsGoInSlices(t *testing.T) {
	l := newLarge(t, 500, 40)
	l.step(planner.Call{Token: 1, Body: planner.ElectLeaders{All: true, Timeout: 60_000}})
	l.commit(200)
	if len(l.writes) == 0 || l.most > 500 {
		t.Fatalf("%d writes under way, %d at once", len(l.writes), l.most)
	}
	before := len(l.writes)
	l.step(planner.BrokersChanged{Brokers: []cluster.Broker{{ID: 1, Epoch: 11}, {ID: 2, Epoch: 12}}})
	if got := len(l.writes) - before; got != 1 || target(l.writes[before].Body) != "own-0" {
		t.Fatalf("%d writes after a broker's death", got)
	}
	l.run()
	if l.most > 501 || l.elected != 20_000 || len(l.replies) != 1 {
		t.Fatalf("%d at once, %d elected, %d replies", l.most, l.elected, len(l.replies))
	}
	r, _ := l.replies[0].Body.(planner.ElectLeadersReply)
	if len(r.Results) != 20_000 { // own-0 needed none
		t.Errorf("%d results", len(r.Results))
	}
}

// TestElectionsThatComeToNothing do not wait for time to pass.
func TestElectionsThatComeToNothing(t *testing.T) {
	l := newLarge(t, 100, 40)
	l.step(planner.BrokersChanged{Brokers: []cluster.Broker{{ID: 2, Epoch: 12}, {ID: 3, Epoch: 13}}})
	l.run()
	l.elected = 0
	l.step(planner.Call{Token: 1, Body: planner.ElectLeaders{All: true, Timeout: 60_000}})
	l.run()
	if len(l.replies) != 1 || l.elected != 0 {
		t.Fatalf("%d replies, %d elected", len(l.replies), l.elected)
	}
	r, _ := l.replies[0].Body.(planner.ElectLeadersReply)
	if len(r.Results) != 4_000 || r.Results[7].Err == nil {
		t.Errorf("%d results", len(r.Results))
	}
}

// TestRebalanceLooksInSlices: one step does not look at all partitions.
func TestRebalanceLooksInSlices(t *testing.T) {
	l := newLarge(t, 300, 40)
	l.now = 5000
	l.step(planner.Tick{})
	if !l.again || len(l.writes) > 0 {
		t.Fatalf("again %v, %d writes in the first step", l.again, len(l.writes))
	}
	l.run()
	if l.elected != 12_000 || l.most > 500 {
		t.Errorf("%d elected, %d at once", l.elected, l.most)
	}
	l.now += 299_999
	l.step(planner.Tick{})
	if l.again {
		t.Error("the next run came early")
	}
	l.now++
	l.step(planner.Tick{})
	if !l.again {
		t.Error("the next run did not come")
	}
}

// BenchmarkRebalance moves 50,000 leaders; the longest step is what a broker's death may
// have to wait.
func BenchmarkRebalance(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		l := newLarge(b, 1000, 50)
		b.StartTimer()
		l.now = 5000
		l.step(planner.Tick{})
		l.run()
		if l.elected != 50_000 {
			b.Fatal(l.elected)
		}
	}
}

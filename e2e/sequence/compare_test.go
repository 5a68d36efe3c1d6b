package sequence

import (
	"slices"
	"strings"
	"testing"
)

// Whatever differs is found and named; what differs between any two clusters is not.
func TestCompare(t *testing.T) {
	first, moving := ID{"t", 0}, ID{"t", 1}
	allowed := map[ID]Range{moving: {-2, 1}}
	epochs := func(t *testing.T, s Snapshot, id ID, epoch int32) {
		change(t, s, statePath(id), "leader_epoch", epoch)
		for b := range s.Views {
			changePartition(s, b, id, func(p *PartitionView) { p.Epoch = epoch })
		}
	}
	for _, c := range []struct {
		name, says string // says nothing where there is no difference
		spoil      func(t *testing.T, s Snapshot)
	}{
		{"nothing", "", func(*testing.T, Snapshot) {}},
		{"a wrong leader", "/brokers/topics/t/partitions/0/state:", func(t *testing.T, s Snapshot) { change(t, s, statePath(first), "leader", 2) }},
		{"another controller's epoch", "", func(t *testing.T, s Snapshot) { change(t, s, statePath(first), "controller_epoch", 77) }},
		{"an ISR in another order", "", func(t *testing.T, s Snapshot) { change(t, s, statePath(first), "isr", []int{3, 1, 2}) }},
		{"a smaller ISR", "/brokers/topics/t/partitions/0/state:", func(t *testing.T, s Snapshot) { change(t, s, statePath(first), "isr", []int{1, 2}) }},
		{"no version", "/brokers/topics/t/partitions/0/state:", func(t *testing.T, s Snapshot) { change(t, s, statePath(first), "version", nil) }},
		{"another key", "/brokers/topics/t/partitions/0/state:", func(t *testing.T, s Snapshot) { change(t, s, statePath(first), "baton", 1) }},
		{"a missing replica", "/brokers/topics/t:", func(t *testing.T, s Snapshot) {
			change(t, s, "/brokers/topics/t", "partitions", map[string][]int{"0": {1, 2}, "1": {4, 2, 3}})
		}},
		{"replicas in another order", "/brokers/topics/t:", func(t *testing.T, s Snapshot) {
			change(t, s, "/brokers/topics/t", "partitions", map[string][]int{"0": {1, 3, 2}, "1": {4, 2, 3}})
		}},
		{"another topic id", "", func(t *testing.T, s Snapshot) { change(t, s, "/brokers/topics/t", "topic_id", "other") }},
		{"no topic id", "/brokers/topics/t:", func(t *testing.T, s Snapshot) { change(t, s, "/brokers/topics/t", "topic_id", nil) }},
		{"an epoch within the allowance", "", func(t *testing.T, s Snapshot) { epochs(t, s, moving, 2) }},
		{"an epoch below the allowance", "t-1: leader epoch 4 under Kafka's controller, 1 under Baton; allowed is -2…+1",
			func(t *testing.T, s Snapshot) { epochs(t, s, moving, 1) }},
		{"an epoch above the allowance", "t-1: leader epoch 4", func(t *testing.T, s Snapshot) { epochs(t, s, moving, 6) }},
		{"an epoch without allowance", "t-0: leader epoch 4", func(t *testing.T, s Snapshot) { epochs(t, s, first, 5) }},
		{"a broker with another epoch", "t-0: under Baton broker 2 says leader epoch 3, ZooKeeper 4",
			func(_ *testing.T, s Snapshot) { changePartition(s, 2, first, func(p *PartitionView) { p.Epoch = 3 }) }},
		{"a leftover znode", "/admin/delete_topics/t: only under Baton", func(_ *testing.T, s Snapshot) { s.Znodes["/admin/delete_topics/t"] = Znode{} }},
		{"a missing znode", "/config/topics/t: only under Kafka's controller", func(_ *testing.T, s Snapshot) { delete(s.Znodes, "/config/topics/t") }},
		{"another setting", "/config/topics/t:", func(t *testing.T, s Snapshot) {
			change(t, s, "/config/topics/t", "config", map[string]string{"a": "b"})
		}},
		{"an ephemeral znode", "/config/topics/t:", func(_ *testing.T, s Snapshot) {
			s.Znodes["/config/topics/t"] = Znode{s.Znodes["/config/topics/t"].Data, true}
		}},
		{"another port", "", func(t *testing.T, s Snapshot) { change(t, s, "/brokers/ids/1", "port", 77) }},
		{"another rack", "/brokers/ids/1:", func(t *testing.T, s Snapshot) { change(t, s, "/brokers/ids/1", "rack", "z") }},
		{"a broker that says another leader", "broker 3: t-1:", func(_ *testing.T, s Snapshot) { changePartition(s, 3, moving, func(p *PartitionView) { p.Leader = 3 }) }},
		{"a broker that says another replica is offline", "broker 3: t-1:", func(_ *testing.T, s Snapshot) {
			changePartition(s, 3, moving, func(p *PartitionView) { p.Offline = []int32{2} })
		}},
		{"a broker that knows another controller", "broker 3: knows the controller:", func(_ *testing.T, s Snapshot) { v := s.Views[3]; v.Controller = 1; s.Views[3] = v }},
		{"a broker that lacks a topic", "broker 3: topic t: only under Kafka", func(_ *testing.T, s Snapshot) { delete(s.Views[3].Topics, "t") }},
		{"a broker with another's log", "under Baton broker 3 has the logs [t-0 t-1 u-0], and is to have [t-0 t-1]", func(_ *testing.T, s Snapshot) {
			v := s.Views[3]
			v.Logs = append(slices.Clone(v.Logs), "u-0")
			s.Views[3] = v
		}},
		{"a broker that lacks a log", "under Baton broker 3 has the logs [t-0], and is to have", func(_ *testing.T, s Snapshot) { v := s.Views[3]; v.Logs = v.Logs[:1]; s.Views[3] = v }},
		{"a broker's setting", "broker 3: config t retention.ms: only under Baton", func(_ *testing.T, s Snapshot) {
			v := s.Views[3]
			v.Configs = map[string]string{"t retention.ms": "1"}
			s.Views[3] = v
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			baton := ideal(t, example())
			c.spoil(t, baton)
			diffs := Compare(ideal(t, example()), baton, allowed)
			if c.says == "" && len(diffs) > 0 {
				t.Errorf("differ: %v", diffs)
			}
			if !strings.Contains(strings.Join(diffs, "\n"), c.says) {
				t.Errorf("want %q among %v", c.says, diffs)
			}
		})
	}
}

// Allowances add up over the operations that touch a partition, and end with the topic.
func TestAllowed(t *testing.T) {
	a, b := ID{"a", 0}, ID{"b", 0}
	moves := Op{Kind: Reassign, Touches: []Touch{{ID: a, Removed: 2}, {ID: b}}}
	boots := Op{Kind: Boot, Touches: []Touch{{ID: a, Again: 1}}}
	anew := Op{Kind: Create, Topic: "a"}
	for _, c := range []struct {
		ops  []Op
		a, b Range
	}{
		{nil, Range{}, Range{}},
		{[]Op{moves}, Range{-2, 0}, Range{}},
		{[]Op{moves, boots, moves}, Range{-5, 0}, Range{}},
		{[]Op{moves, {Kind: ElectPreferred, Touches: []Touch{{a, 1, 1}}}}, Range{-2, 0}, Range{}},
		{[]Op{moves, {Kind: Create, Topic: "a", Invalid: "it exists"}}, Range{-2, 0}, Range{}},
		{[]Op{moves, {Kind: Delete, Topic: "a"}, anew, boots}, Range{-1, 0}, Range{}},
	} {
		if got := Allowed(c.ops); got[a] != c.a || got[b] != c.b {
			t.Errorf("%v allow %v", c.ops, got)
		}
	}
	for kind, a := range Allowances {
		if a.Why == "" || a.Again < 0 || a.Removed < 0 || a.Again+a.Removed == 0 {
			t.Errorf("%s: %+v", kind, a)
		}
	}
}

// A reassignment touches its partitions, by the replicas they lose; a broker that comes or goes those that wait for it; the controller
// that goes those without a leader, too.
func TestTouches(t *testing.T) {
	m := example()
	m.Apply(Op{Kind: Create, Topic: "lost", Assignment: [][]int32{{3}}})
	m.topics["lost"].partitions[0].isr = []int32{4}
	first, moving, lost := ID{"t", 0}, ID{"t", 1}, ID{"lost", 0} // on [1 2 3], on the way from [2 3] to [4 2], and led by nobody
	for _, c := range []struct {
		op   Op
		want []Touch
	}{
		{Op{Kind: Reassign, Moves: []Move{{first, []int32{3, 4}}}}, []Touch{{ID: first, Removed: 2}}},
		{Op{Kind: Reassign, Moves: []Move{{first, []int32{1, 2, 3}}}}, []Touch{{ID: first, Again: 1}}},
		{Op{Kind: Reassign, Moves: []Move{{first, []int32{3, 2, 1}}}}, []Touch{{ID: first}}},
		{Op{Kind: Reassign, Invalid: "for a reason", Moves: []Move{{first, []int32{3, 4}}}}, nil},
		{Op{Kind: Cancel, Moves: []Move{{ID: moving}}}, []Touch{{ID: moving, Removed: 1}}},
		{Op{Kind: ReassignAndKill, Broker: 1, Moves: []Move{{first, []int32{3}}}}, []Touch{{ID: first, Removed: 2}, {ID: lost, Again: 1}, {ID: moving, Again: 1}}},
		{Op{Kind: Boot, Broker: 4}, []Touch{{ID: moving, Again: 1}}},
		{Op{Kind: Boot, Broker: 3}, nil},
		{Op{Kind: Kill, Broker: 1}, []Touch{{ID: lost, Again: 1}, {ID: first, Again: 1}, {ID: moving, Again: 1}}},
		{Op{Kind: ShutDown, Broker: 1}, []Touch{{ID: lost, Again: 1}, {ID: moving, Again: 1}}},
		{Op{Kind: Restart, Broker: 2}, []Touch{{ID: lost, Again: 1}, {ID: moving, Again: 2}}},
		{Op{Kind: ElectPreferred}, nil},
		{Op{Kind: Create, Topic: "u"}, nil},
	} {
		if got := m.touches(c.op); !slices.Equal(got, c.want) {
			t.Errorf("%v touches %v, want %v", c.op, got, c.want)
		}
	}
}

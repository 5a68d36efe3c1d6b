package sequence

import (
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
		{"a broker that has a log", "broker 3: logs:", func(_ *testing.T, s Snapshot) { v := s.Views[3]; v.Logs = []string{"u-0"}; s.Views[3] = v }},
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
	one := Allowances[Reassign]
	if one.Low >= 0 {
		t.Fatal("a reassignment allows something")
	}
	twice := Range{2 * one.Low, 2 * one.High}
	move := func(ids ...ID) Op { return Op{Kind: Reassign, Touches: ids} }
	refused := Op{Kind: Reassign, Invalid: "for a reason", Touches: []ID{a}}
	got := Allowed([]Op{move(a, b), move(a), refused})
	if got[a] != twice || got[b] != one.Range {
		t.Errorf("%v", got)
	}
	if got = Allowed([]Op{move(a, b), {Kind: Delete, Topic: "a"}, {Kind: Create, Topic: "a"}, move(a)}); got[a] != one.Range || got[b] != one.Range {
		t.Errorf("made anew: %v", got)
	}
	for kind, a := range Allowances {
		if a.Why == "" || a.Low > 0 || a.High < 0 {
			t.Errorf("%s: %+v", kind, a)
		}
	}
}

package sequence

import (
	"strings"
	"testing"
)

// What is not as the model says is missed, and named.
func TestSettled(t *testing.T) {
	if missing := Settled(example(), ideal(t, example())); missing != "" {
		t.Fatalf("nothing is missing but %s", missing)
	}
	first, moving := ID{"t", 0}, ID{"t", 1}
	for _, c := range []struct {
		name, says string
		spoil      func(t *testing.T, s Snapshot)
	}{
		{"a broker that should be down", "registered are", func(_ *testing.T, s Snapshot) { s.Znodes["/brokers/ids/4"] = Znode{Data: "{}"} }},
		{"a broker that does not answer", "broker 2 has not answered", func(_ *testing.T, s Snapshot) { delete(s.Views, 2) }},
		{"another controller", "controller 3, which is 9", func(_ *testing.T, s Snapshot) { v := s.Views[2]; v.Controller = 3; s.Views[2] = v }},
		{"a topic too many", "/brokers/topics/u is there", func(_ *testing.T, s Snapshot) { s.Znodes["/brokers/topics/u"] = Znode{} }},
		{"a topic's settings too many", "/config/topics/u is there", func(_ *testing.T, s Snapshot) { s.Znodes["/config/topics/u"] = Znode{} }},
		{"a deletion mark", "/admin/delete_topics/t is there", func(_ *testing.T, s Snapshot) { s.Znodes["/admin/delete_topics/t"] = Znode{} }},
		{"a topic that a broker still knows", "broker 3 still knows topic u", func(_ *testing.T, s Snapshot) { s.Views[3].Topics["u"] = TopicView{} }},
		{"a topic that is missing", "t has 0 partitions", func(_ *testing.T, s Snapshot) { delete(s.Znodes, "/brokers/topics/t") }},
		{"a topic that is garbage", "invalid character", func(_ *testing.T, s Snapshot) { s.Znodes["/brokers/topics/t"] = Znode{Data: "x"} }},
		{"a move that has ended", "t-1: it has replicas", func(t *testing.T, s Snapshot) { change(t, s, "/brokers/topics/t", "adding_replicas", nil) }},
		{"no state", "t-0: it has a state: false", func(_ *testing.T, s Snapshot) { delete(s.Znodes, statePath(first)) }},
		{"a smaller ISR", "t-0: its ISR is [1 2]", func(t *testing.T, s Snapshot) { change(t, s, statePath(first), "isr", []int{1, 2}) }},
		{"no leader", "t-1: its leader is -1", func(t *testing.T, s Snapshot) { change(t, s, statePath(moving), "leader", -1) }},
		{"a leader outside of the ISR", "t-1: its leader is 1", func(t *testing.T, s Snapshot) { change(t, s, statePath(moving), "leader", 1) }},
		{"a leader that is down", "t-1: its leader is 4", func(t *testing.T, s Snapshot) { change(t, s, statePath(moving), "leader", 4) }},
		{"old news", "t-0: broker 1 says", func(_ *testing.T, s Snapshot) { changePartition(s, 1, first, func(p *PartitionView) { p.Epoch-- }) }},
		{"a legacy reassignment", "/admin/reassign_partitions is there", func(_ *testing.T, s Snapshot) { s.Znodes["/admin/reassign_partitions"] = Znode{} }},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := ideal(t, example())
			c.spoil(t, s)
			if missing := Settled(example(), s); !strings.Contains(missing, c.says) {
				t.Errorf("missing is %q, want %q", missing, c.says)
			}
		})
	}
}

// The model goes through the lives of partitions as the controllers do.
func TestModel(t *testing.T) {
	m := example()
	is := func(id ID, replicas, isr []int32, led, moving bool) {
		t.Helper()
		p := m.partition(id)
		if !sameSet(p.replicas, replicas) || !sameSet(p.isr, isr) || m.led(p) != led || (p.target != nil) != moving {
			t.Errorf("%v is %+v, led %v", id, *p, m.led(p))
		}
	}
	first, moving := ID{"t", 0}, ID{"t", 1}
	is(moving, []int32{4, 2, 3}, []int32{2, 3}, true, true)
	m.Apply(Op{Kind: Kill, Broker: 3})
	is(moving, []int32{4, 2, 3}, []int32{2}, true, true)
	m.Apply(Op{Kind: Kill, Broker: 2})
	is(moving, []int32{4, 2, 3}, []int32{2}, false, true)
	is(first, []int32{1, 2, 3}, []int32{1}, true, false)
	m.Apply(Op{Kind: Boot, Broker: 4}) // it was never in sync
	is(moving, []int32{4, 2, 3}, []int32{2}, false, true)
	m.Apply(Op{Kind: ElectUnclean})
	is(moving, []int32{4, 2, 3}, []int32{4}, true, true)
	m.Apply(Op{Kind: Boot, Broker: 2})
	is(moving, []int32{4, 2}, []int32{4, 2}, true, false)
	m.Apply(Op{Kind: Delete, Topic: "t"})
	if len(m.topics) != 1 {
		t.Error("deleted without broker 3")
	}
	m.Apply(Op{Kind: Boot, Broker: 3})
	if len(m.topics) != 0 {
		t.Error("not deleted")
	}
}

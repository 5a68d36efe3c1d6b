package partition

import (
	"slices"
	"testing"

	"baton/isr"
)

// TestConsiderExhaustively holds what is said of each replica against what the decision
// looked at, for every small case: who leads, and that the reason given is one.
func TestConsiderExhaustively(t *testing.T) {
	seen := map[Verdict]int{}
	each(func(w *world) {
		out, _ := Elect(w.in)
		all := Consider(nil, w.in, out)
		if len(all) != len(w.in.Replicas) {
			t.Fatalf("%v: %v", w, all)
		}
		for i, c := range all {
			seen[c.Verdict]++
			s := w.stand[c.ID]
			if c.ID != w.in.Replicas[i] || c.Standing != s || c.InISR != w.in.Current.ISR.Has(c.ID) || (c.Verdict == Leads) != (c.ID == out.Leader) {
				t.Fatalf("%v → %v: %+v", w, out, c)
			}
			holds := map[Verdict]bool{
				Leads: true, IsOffline: s == Offline, IsUnread: s == Unread, OutsideISR: !c.InISR, IsLeaving: s == Leaving,
				HasRestarted: s == Lapsed && c.InISR, LeaderStays: out.Leader == w.in.Current.Leader,
				LessPreferred: slices.Index(w.in.Replicas, out.Leader) < i || rank(all, out.Leader) < s,
			}
			if !holds[c.Verdict] {
				t.Fatalf("%v → %v: replica %d %v", w, out, c.ID, c.Verdict)
			}
		}
	})
	for v := Leads; v <= LessPreferred; v++ {
		if seen[v] == 0 && v != NoReplica {
			t.Errorf("%q never said", v)
		}
	}
}

// rank is how the leader stands: one that stands better comes before the order of the replicas.
func rank(all []Considered, leader int32) Standing {
	i := slices.IndexFunc(all, func(c Considered) bool { return c.ID == leader })
	if i < 0 {
		return Unread
	}
	return all[i].Standing
}

func TestConsiderNamesMembersThatAreNoReplicas(t *testing.T) {
	in := Input{Replicas: []int32{1, 2}, Current: isr.LeaderAndISR{Leader: 9, ISR: isr.Set{9, 2}}, Standing: func(int32) Standing { return Alive }}
	got := Consider(nil, in, isr.LeaderAndISR{Leader: 2, ISR: isr.Set{2}})
	want := []Considered{{1, false, Alive, OutsideISR}, {2, true, Alive, Leads}, {9, true, Alive, NoReplica}}
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

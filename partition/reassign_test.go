package partition

import (
	"fmt"
	"slices"
	"testing"

	"baton/isr"
)

// TestReassignTo is the table of KIP-455 as Kafka computes it.
func TestReassignTo(t *testing.T) {
	start := Assignment{Replicas: []int32{1, 2, 3}}
	moving := start.ReassignTo([]int32{4, 5, 6})
	swapped := start.ReassignTo([]int32{3, 4, 2})
	for _, c := range []struct {
		what      string
		got, want Assignment
	}{
		{"all new", moving, Assignment{[]int32{4, 5, 6, 1, 2, 3}, []int32{4, 5, 6}, []int32{1, 2, 3}}},
		{"one new", swapped, Assignment{[]int32{3, 4, 2, 1}, []int32{4}, []int32{1}}},
		{"cancelled: the order is lost", swapped.Cancel(), Assignment{Replicas: []int32{3, 2, 1}}},
		{"replaced", moving.ReassignTo([]int32{5, 7}), Assignment{[]int32{5, 7, 1, 2, 3}, []int32{5, 7}, []int32{1, 2, 3}}},
		{"reordered", Assignment{Replicas: []int32{1, 2}}.ReassignTo([]int32{2, 1}), Assignment{Replicas: []int32{2, 1}}},
		{"smaller", start.ReassignTo([]int32{1}), Assignment{Replicas: []int32{1, 2, 3}, Removing: []int32{2, 3}}},
		{"larger", start.ReassignTo([]int32{1, 2, 3, 4}), Assignment{Replicas: []int32{1, 2, 3, 4}, Adding: []int32{4}}},
	} {
		if !c.got.Equal(c.want) {
			t.Errorf("%s: %v, want %v", c.what, c.got, c.want)
		}
	}
	if got := Unneeded(moving, moving.ReassignTo([]int32{5, 7})); !slices.Equal(got, []int32{4, 6}) {
		t.Errorf("unneeded: %v", got)
	}
}

// lists returns every list of distinct ids from 1 to n, the empty one left out.
func lists(n int32) [][]int32 {
	var out [][]int32
	var grow func(list []int32)
	grow = func(list []int32) {
		if len(list) > 0 {
			out = append(out, slices.Clone(list))
		}
		for id := int32(1); id <= n; id++ {
			if !slices.Contains(list, id) {
				grow(append(list, id))
			}
		}
	}
	grow(nil)
	return out
}

// TestReassignToExhaustively: whatever is replaced by whatever, the target and the origin
// can be read from the result, and cancelling ends it.
func TestReassignToExhaustively(t *testing.T) {
	all := lists(4)
	same := func(a, b []int32) bool { return isr.Set(a).SubsetOf(b) && isr.Set(b).SubsetOf(a) }
	for _, origin := range all {
		for _, target := range all {
			first := Assignment{Replicas: origin}.ReassignTo(target)
			checkReassigned(t, first, origin, target)
			if c := first.Cancel(); c.Reassigning() || !same(c.Replicas, origin) {
				t.Fatalf("%v cancelled: %v", first, c)
			}
			for _, other := range all[:20] {
				checkReassigned(t, first.ReassignTo(other), origin, other)
			}
		}
	}
}

func checkReassigned(t *testing.T, a Assignment, origin, target []int32) {
	t.Helper()
	o := slices.Clone(a.Origin())
	slices.Sort(o)
	want := slices.Sorted(slices.Values(origin))
	if !slices.Equal(a.Target(), target) || !slices.Equal(o, want) || !isr.Set(a.Replicas).Distinct() {
		t.Fatalf("from %v to %v: %v", origin, target, a)
	}
	for _, id := range a.Adding {
		if slices.Contains(origin, id) || slices.Contains(a.Removing, id) {
			t.Fatalf("from %v to %v: %v adds %d", origin, target, a, id)
		}
	}
}

// TestMoveExhaustively holds Move against what must be true of it, in every small case, and
// sees to it that it ends: with everybody alive, a complete reassignment settles in one
// decision.
func TestMoveExhaustively(t *testing.T) {
	seen := map[Strategy]int{}
	all := lists(3)
	for _, origin := range all {
		for _, target := range all {
			for _, a := range []Assignment{{Replicas: origin}, Assignment{Replicas: origin}.ReassignTo(target)} {
				for _, members := range all { // outsiders among them
					for _, leader := range append([]int32{isr.NoLeader}, members...) {
						for c := range standings * standings * standings {
							stand := [4]Standing{0, Standing(c % standings), Standing(c / standings % standings), Standing(c / standings / standings)}
							in := Input{Replicas: a.Replicas, Current: isr.LeaderAndISR{Leader: leader, LeaderEpoch: 3, ISR: members},
								Standing: func(id int32) Standing { return stand[id] }}
							got, why := Move(a, in)
							seen[why]++
							if broken := moveRule(a, in, got, why); broken != "" {
								t.Fatalf("%v, %v, standings %v: %v by %s: %s", a, in.Current, stand[1:], got, why, broken)
							}
						}
					}
				}
			}
		}
	}
	if seen[Keep] == 0 || seen[Reassign] == 0 || len(seen) != 2 {
		t.Errorf("chosen: %v", seen)
	}
}

func moveRule(a Assignment, in Input, got isr.LeaderAndISR, why Strategy) string {
	cur, target := in.Current, a.Target()
	complete := a.Reassigning()
	for _, id := range target {
		complete = complete && cur.ISR.Has(id) && in.Standing(id) == Alive
	}
	if why == Keep {
		someone := slices.ContainsFunc(a.Replicas, func(id int32) bool { return cur.ISR.Has(id) && in.Standing(id) == Alive })
		switch {
		case !got.SameContent(cur):
			return "Keep changes something"
		case complete && !a.Settled(cur):
			return "complete, and not settled"
		case !cur.ISR.SubsetOf(a.Replicas) && someone:
			return "an outsider stays although a replica could lead"
		}
		return ""
	}
	s := in.Standing(got.Leader)
	switch {
	case len(got.ISR) == 0 || !got.ISR.Has(got.Leader):
		return "the leader is not in the ISR"
	case !got.ISR.SubsetOf(cur.ISR) || got.ISR.Equal(cur.ISR):
		return "the ISR does not shrink"
	case got.LeaderEpoch != cur.LeaderEpoch+1:
		return "the leader epoch is not one higher"
	case s != Alive && (s != Unread || got.Leader != cur.Leader):
		return "the leader is not alive"
	case !slices.Contains(a.Replicas, got.Leader) || !got.ISR.SubsetOf(a.Replicas):
		return "an outsider stays"
	case complete && !a.Settled(got):
		return "complete, and not settled"
	case !complete && !isr.Set(a.Replicas).Any(func(id int32) bool { return cur.ISR.Has(id) }):
		return "nobody in the assignment has every record"
	}
	for _, id := range cur.ISR {
		stays := slices.Contains(a.Replicas, id) && (in.Standing(id) == Alive || in.Standing(id) == Unread)
		if gone := !got.ISR.Has(id); gone && stays && !(complete && slices.Contains(a.Removing, id)) {
			return fmt.Sprintf("%d had no reason to leave", id)
		}
	}
	return ""
}

// TestTold: brokers hear the target of a settled reassignment, and of every member.
func TestTold(t *testing.T) {
	a := Assignment{Replicas: []int32{1, 2, 3}}.ReassignTo([]int32{2, 4})
	for _, c := range []struct {
		leader  int32
		members isr.Set
		want    Assignment
	}{
		{1, isr.Set{1, 2, 3}, a},
		{2, isr.Set{1, 2, 4}, a},
		{1, isr.Set{4, 2}, a}, // a leader outside of the ISR has not handed over
		{2, isr.Set{4, 2}, Assignment{Replicas: []int32{2, 4}}},
		{isr.NoLeader, isr.Set{2, 4}, Assignment{Replicas: []int32{2, 4}}},
		{2, isr.Set{2}, a},
		{7, isr.Set{2, 7}, Assignment{[]int32{2, 4, 1, 3, 7}, a.Adding, a.Removing}},
	} {
		if got := a.Told(isr.LeaderAndISR{Leader: c.leader, ISR: c.members}); !got.Equal(c.want) {
			t.Errorf("leader %d, ISR %v: %v, want %v", c.leader, c.members, got, c.want)
		}
	}
}

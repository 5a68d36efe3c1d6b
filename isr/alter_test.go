package isr

import (
	"fmt"
	"testing"

	"baton/epoch"
)

// subsets returns lists over ids 1…3 and the outsider 9: the empty one, every subset in
// order, some in another order and some with a duplicate.
func lists() []Set {
	out := []Set{nil, {}, {1, 1}, {2, 1}, {2, 2, 1}, {3, 2, 1}, {1, 2, 3, 1}, {9, 9}}
	for mask := 1; mask < 16; mask++ {
		var s Set
		for i, id := range []int32{1, 2, 3, 9} {
			if mask>>i&1 == 1 {
				s = append(s, id)
			}
		}
		out = append(out, s)
	}
	return out
}

// slow is Alter as a list of independent statements, each about one verdict.
func slow(cur LeaderAndISR, replicas []int32, r AlterRequest, eligible func(int32) bool) Verdict {
	ahead := r.PartitionEpoch > cur.PartitionEpoch || r.LeaderEpoch > cur.LeaderEpoch
	if ahead {
		return Ahead
	}
	if r.LeaderEpoch != cur.LeaderEpoch {
		return Fenced
	}
	if r.Sender != cur.Leader {
		return Malformed
	}
	same := fmt.Sprint([]int32(r.ISR)) == fmt.Sprint([]int32(cur.ISR)) && r.Recovery == cur.Recovery
	if same || r.PartitionEpoch != cur.PartitionEpoch {
		return Current
	}
	count := map[int32]int{}
	for _, id := range r.ISR {
		count[id]++
	}
	assigned := map[int32]bool{}
	for _, id := range replicas {
		assigned[id] = true
	}
	wrong := count[r.Sender] == 0
	for id, n := range count {
		wrong = wrong || n > 1 || !assigned[id]
	}
	if r.Recovery == Recovering && (len(r.ISR) != 1 || cur.Recovery == Recovered) {
		wrong = true
	}
	if wrong {
		return Malformed
	}
	for id := range count {
		if !eligible(id) {
			return Ineligible
		}
	}
	return Accept
}

// TestAlterExhaustively goes through every small state and request.
func TestAlterExhaustively(t *testing.T) {
	replicas := []int32{1, 2, 3}
	seen := map[Verdict]int{}
	for _, curISR := range []Set{{1}, {2}, {1, 2}, {2, 1}, {1, 2, 3}, {3, 1}} {
		for _, leader := range []int32{NoLeader, 1, 2} {
			for _, rec := range []Recovery{Recovered, Recovering} {
				cur := LeaderAndISR{Leader: leader, LeaderEpoch: 5, ISR: curISR, Recovery: rec, PartitionEpoch: 7}
				for _, asked := range lists() {
					for i := range 3 * 3 * 4 * 2 * 8 {
						req := AlterRequest{
							LeaderEpoch: epoch.Leader(4 + i%3), PartitionEpoch: epoch.Partition(6 + i/3%3),
							Sender: []int32{1, 2, 3, 9}[i/9%4], Recovery: Recovery(i / 36 % 2), ISR: asked,
						}
						dead := i / 72
						eligible := func(id int32) bool { return id > 3 || dead>>(id-1)&1 == 0 }
						next, got := Alter(cur, replicas, req, eligible)
						if want := slow(cur, replicas, req, eligible); got != want {
							t.Fatalf("Alter(%v, %+v, dead %03b) = %d, want %d", cur, req, dead, got, want)
						}
						seen[got]++
						checkAlter(t, cur, req, next, got)
					}
				}
			}
		}
	}
	for v := Accept; v <= Malformed; v++ {
		if seen[v] == 0 {
			t.Errorf("verdict %d never given", v)
		}
	}
}

// checkAlter: only an accepted request changes anything, and then only ISR and recovery.
func checkAlter(t *testing.T, cur LeaderAndISR, req AlterRequest, next LeaderAndISR, got Verdict) {
	t.Helper()
	if got != Accept {
		if !next.SameContent(cur) || next.PartitionEpoch != cur.PartitionEpoch {
			t.Fatalf("verdict %d changes %v to %v", got, cur, next)
		}
		return
	}
	if next.Leader != cur.Leader || next.LeaderEpoch != cur.LeaderEpoch || next.PartitionEpoch != cur.PartitionEpoch {
		t.Fatalf("accepted %+v moves the leader or an epoch: %v to %v", req, cur, next)
	}
	if !next.ISR.Equal(req.ISR) || next.Recovery != req.Recovery || !next.ISR.Has(next.Leader) || !next.ISR.Distinct() || next.SameContent(cur) {
		t.Fatalf("accepted %+v over %v gives %v", req, cur, next)
	}
}

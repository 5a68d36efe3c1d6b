package partition

import (
	"fmt"
	"slices"
	"testing"

	"baton/isr"
)

// world is one small case: a standing for each of up to four brokers.
type world struct {
	in    Input
	stand [5]Standing
}

func (w *world) String() string {
	return fmt.Sprintf("replicas %v, %v, standings %v, unclean %v", w.in.Replicas, w.in.Current, w.stand[1:len(w.in.Replicas)+1], w.in.AllowUnclean)
}

// each calls f for every list of up to four replicas in two orders, every ISR subset in
// two orders, every leader, every combination of standings, unclean on and off.
func each(f func(*world)) {
	for n := 1; n <= 4; n++ {
		asc := make([]int32, n)
		for i := range asc {
			asc[i] = int32(i + 1) //nolint:gosec // at most 4
		}
		desc := slices.Clone(asc)
		slices.Reverse(desc)
		for _, replicas := range [][]int32{asc, desc} {
			for mask := 1; mask < 1<<n; mask++ {
				var members isr.Set
				for i, id := range asc {
					if mask>>i&1 == 1 {
						members = append(members, id)
					}
				}
				eachStanding(n, replicas, members, f)
			}
		}
	}
}

// standings is how many there are.
const standings = int(Unread) + 1

func eachStanding(n int, replicas []int32, members isr.Set, f func(*world)) {
	combos := 1
	for range n {
		combos *= standings
	}
	for c := range combos {
		for _, leader := range append([]int32{isr.NoLeader}, replicas...) {
			for _, unclean := range []bool{false, true} {
				w := &world{}
				for i, rest := 0, c; i < n; i, rest = i+1, rest/standings {
					w.stand[i+1] = Standing(rest % standings)
				}
				w.in = Input{
					Replicas: replicas, AllowUnclean: unclean, MarkRecovering: true,
					Current:  isr.LeaderAndISR{Leader: leader, LeaderEpoch: 3, ISR: members, PartitionEpoch: 8},
					Standing: func(id int32) Standing { return w.stand[id] },
				}
				f(w)
			}
		}
	}
}

func (w *world) anyMember(s Standing) bool {
	return slices.ContainsFunc(w.in.Current.ISR, func(id int32) bool { return w.stand[id] == s })
}

// TestElectExhaustively holds Elect against what must be true of any election.
func TestElectExhaustively(t *testing.T) {
	seen := map[Strategy]int{}
	each(func(w *world) {
		cur := w.in.Current
		got, why := Elect(w.in)
		seen[why]++
		for _, broken := range electRules(w, cur, got, why) {
			t.Fatalf("%v: %v by %s: %s", w, got, why, broken)
		}
		settled(t, w, got, why)
	})
	for _, s := range []Strategy{Keep, Shrink, OfflineElection, ControlledShutdown, Unclean, Leaderless} {
		if seen[s] == 0 {
			t.Errorf("never chosen: %s", s)
		}
	}
}

func electRules(w *world, cur, got isr.LeaderAndISR, why Strategy) (broken []string) {
	must := func(ok bool, rule string) {
		if !ok {
			broken = append(broken, rule)
		}
	}
	has := cur.Leader != isr.NoLeader && cur.ISR.Has(cur.Leader)
	must(len(got.ISR) > 0, "the ISR is empty")
	must(got.Leader == isr.NoLeader || got.ISR.Has(got.Leader), "the leader is not in the ISR")
	must((why == Keep) == got.SameContent(cur), "Keep means no change, and no change Keep")
	must(why == Keep || got.LeaderEpoch == cur.LeaderEpoch+1, "a change raises the leader epoch by one")
	must(got.PartitionEpoch == cur.PartitionEpoch, "the version it is based on stays")
	must(why == Unclean || got.ISR.SubsetOf(cur.ISR), "a clean election adds to the ISR")
	must(!has || w.stand[cur.Leader] != Alive || got.Leader == cur.Leader, "a leader that is alive stays")
	must(!has || w.stand[cur.Leader] != Unread || got.Leader == cur.Leader, "a leader whose registration cannot be read stays")
	must(got.Leader == isr.NoLeader || w.stand[got.Leader] != Offline, "the leader is offline")
	must(got.Leader == isr.NoLeader || got.Leader == cur.Leader || w.stand[got.Leader] != Unread, "the new leader's registration cannot be read")
	for _, id := range cur.ISR {
		must(w.stand[id] != Unread || got.ISR.Has(id) || got.Leader != isr.NoLeader && w.stand[got.Leader] == Lapsed, "a member whose registration cannot be read stays")
	}
	if why == Unclean {
		must(w.in.AllowUnclean, "unclean although not allowed")
		must(!w.anyMember(Alive) && !w.anyMember(Leaving) && !w.anyMember(Lapsed) && !w.anyMember(Unread), "unclean although a member lives")
		must(len(got.ISR) == 1 && !cur.ISR.Has(got.Leader) && got.Recovery == isr.Recovering, "an unclean leader is an outsider, alone and recovering")
	} else {
		must(got.Recovery == cur.Recovery, "a clean election keeps the recovery state")
	}
	if got.Leader == isr.NoLeader {
		must(!w.anyMember(Alive) && !w.anyMember(Leaving) && !w.anyMember(Lapsed), "nobody leads although a member lives")
		must(got.ISR.Equal(cur.ISR), "without a leader the ISR stays")
		return broken
	}
	must(why == Unclean || !w.anyMember(Alive) || w.stand[got.Leader] == Alive || w.stand[got.Leader] == Unread, "the leader is worse than an alive member")
	for _, id := range cur.ISR {
		if why == Unclean {
			break
		}
		lapsed := w.stand[got.Leader] == Lapsed
		must(got.ISR.Has(id) == (id == got.Leader || w.stand[id] == Alive || w.stand[id] == Unread && !lapsed), "the ISR is the leader, the alive members and the unread ones")
	}
	if got.Leader != cur.Leader && why != Unclean {
		for _, id := range w.in.Replicas[:slices.Index(w.in.Replicas, got.Leader)] {
			must(!cur.ISR.Has(id) || w.stand[id] != w.stand[got.Leader], "a more preferred member stands as well")
		}
	}
	return broken
}

// settled: a decision taken with all restarts known does not want another one.
func settled(t *testing.T, w *world, got isr.LeaderAndISR, why Strategy) {
	t.Helper()
	again := w.in
	again.Current = got
	again.Standing = func(id int32) Standing {
		if s := w.stand[id]; s != Lapsed || why == Keep || !got.ISR.Has(id) || got.Leader == isr.NoLeader {
			return s
		}
		return Alive
	}
	if next, w2 := Elect(again); w2 != Keep {
		t.Fatalf("%v: %v by %s, then %v by %s", w, got, why, next, w2)
	}
}

// TestPreferredExhaustively: the first replica leads if and only if it may, with the
// members that follow, and what is left to decide is nothing.
func TestPreferredExhaustively(t *testing.T) {
	elected := 0
	each(func(w *world) {
		cur, first := w.in.Current, w.in.Replicas[0]
		got, ok := Preferred(w.in)
		may := cur.Leader != first && cur.ISR.Has(first) && w.stand[first] == Alive && (cur.Leader == isr.NoLeader || w.stand[cur.Leader] != Unread)
		if ok != may {
			t.Fatalf("%v: elected %v, may lead %v", w, ok, may)
		}
		if !ok {
			if !got.SameContent(cur) {
				t.Fatalf("%v: not elected, and yet %v", w, got)
			}
			return
		}
		elected++
		want := cur.ISR.Filter(func(id int32) bool { return w.stand[id] == Alive || w.stand[id] == Unread })
		if got.Leader != first || !got.ISR.Equal(want) || got.LeaderEpoch != cur.LeaderEpoch+1 || got.PartitionEpoch != cur.PartitionEpoch || got.Recovery != cur.Recovery {
			t.Fatalf("%v: %v", w, got)
		}
		settled(t, w, got, PreferredElection)
	})
	if elected == 0 {
		t.Error("never elected")
	}
}

// TestUncleanOnRequest: Elect with unclean allowed leaves a partition without a leader
// only if no replica could lead, or if nobody knows whether a member could.
func TestUncleanOnRequest(t *testing.T) {
	each(func(w *world) {
		if !w.in.AllowUnclean {
			return
		}
		got, why := Elect(w.in)
		outsider := slices.ContainsFunc(w.in.Replicas, func(id int32) bool {
			return !w.in.Current.ISR.Has(id) && (w.stand[id] == Alive || w.stand[id] == Lapsed)
		})
		if got.Leader == isr.NoLeader && outsider && !w.anyMember(Unread) {
			t.Fatalf("%v: %v by %s", w, got, why)
		}
	})
}

// TestFirstExhaustively: all that live are members, the most preferred of them leads.
func TestFirstExhaustively(t *testing.T) {
	each(func(w *world) {
		got, ok := First(w.in.Replicas, w.in.Standing)
		var want isr.Set
		for _, id := range w.in.Replicas {
			if w.stand[id] == Alive || w.stand[id] == Lapsed {
				want = append(want, id)
			}
		}
		if ok != (len(want) > 0) || !got.ISR.Equal(want) || ok && (got.Leader != want[0] || got.LeaderEpoch != 0 || got.PartitionEpoch != 0) {
			t.Fatalf("%v: %v %v", w, got, ok)
		}
	})
}

// TestNamedExhaustively names every replica, and one that is none, in every world.
func TestNamedExhaustively(t *testing.T) {
	each(func(w *world) {
		for id := int32(1); id <= int32(len(w.in.Replicas))+1; id++ { //nolint:gosec // at most 4
			in := w.in
			in.Chosen = &id
			namedUnclean(t, w, in, id)
			got, ok := Give(w.in, id)
			could := slices.Contains(in.Replicas, id) && in.Current.ISR.Has(id) && w.stand[min(id, 4)] == Alive
			if ok && (!could || got.Leader != id || got.LeaderEpoch != in.Current.LeaderEpoch+1 || !got.ISR.Has(id) || !got.ISR.SubsetOf(in.Current.ISR)) {
				t.Fatalf("%v: %d is given leadership: %v", w, id, got)
			}
			unread := in.Current.Leader != isr.NoLeader && in.Standing(in.Current.Leader) == Unread
			if !ok && could && in.Current.Leader != id && !unread {
				t.Fatalf("%v: %d is not given leadership", w, id)
			}
		}
	})
}

// namedUnclean: naming a replica changes who is elected from outside the ISR, and nothing else.
func namedUnclean(t *testing.T, w *world, in Input, id int32) {
	t.Helper()
	plain, plainly := Elect(w.in)
	got, why := Elect(in)
	live := slices.Contains(in.Replicas, id) && (in.Standing(id) == Alive || in.Standing(id) == Lapsed)
	switch {
	case plainly != Unclean:
		if why != plainly || got.Leader != plain.Leader || !got.ISR.Equal(plain.ISR) {
			t.Fatalf("%v: naming %d makes %v %s of %v %s", w, id, got, why, plain, plainly)
		}
	case live && (why != Unclean || got.Leader != id || !got.ISR.Equal(isr.Set{id})):
		t.Fatalf("%v: %d was named: %v %s", w, id, got, why)
	case !live && (why == Unclean || got.Leader != isr.NoLeader):
		t.Fatalf("%v: %d was named and is not live: %v %s", w, id, got, why)
	}
}

package zkstore

import (
	"sync/atomic"
	"testing"
	"time"

	"baton/jute"
	"baton/partition"
	"baton/planner"
	"baton/zkserver"
)

// moveEveryFifth has somebody else write to every fifth state.
func moveEveryFifth(tb testing.TB, st *Store, writes []planner.Write) {
	tb.Helper()
	var theirs []planner.Write
	for i := 3; i < len(writes); i += 5 {
		w := writes[i].Body.(planner.SetState)
		w.State.Leader, w.State.ISR = 3, []int32{3}
		theirs = append(theirs, planner.Write{Seq: uint64(i), Body: w})
	}
	if err := st.Commit(tb.Context(), theirs, func([]planner.Result) {}); err != nil {
		tb.Fatal(err)
	}
}

// check commits: of the first writes every fifth is a conflict with what is there, all else is written once and reported once.
func check(tb testing.TB, st *Store, writes []planner.Write, moved int) {
	tb.Helper()
	got := &results{m: map[uint64]planner.Result{}}
	if err := st.Commit(tb.Context(), writes, got.done); err != nil {
		tb.Fatal(err)
	}
	ids := make([]partition.ID, len(writes))
	for i, w := range writes {
		ids[i] = w.Body.(planner.SetState).ID
	}
	there, err := st.ReadStates(tb.Context(), ids)
	if err != nil {
		tb.Fatal(err)
	}
	for i := range writes {
		r, ok := got.m[uint64(i)]
		conflict := i < moved && i%5 == 3
		leader, outcome := int32(2), planner.Applied
		if conflict {
			leader, outcome = 3, planner.Conflict
		}
		switch is := there[i].State; {
		case !ok || r.Outcome != outcome || !conflict && r.Version != 1 || conflict && r.Found.State.Leader != leader:
			tb.Fatalf("write %d: %+v, conflict: %v", i, r, conflict)
		case is.Leader != leader || is.PartitionEpoch != 1:
			tb.Fatalf("write %d: there is %v", i, is)
		}
	}
}

// requests counts what a server is asked for by anybody, pings aside.
func requests(srv *zkserver.Server) (n *atomic.Int64, stop func()) {
	n = new(atomic.Int64)
	f := srv.Inject(zkserver.Fault{Do: zkserver.CutBefore, Match: func(r zkserver.Request) bool {
		if r.Op != jute.OpPing {
			n.Add(1)
		}
		return false
	}})
	return n, f.Remove
}

// A conflict in the middle of a batch, indeed in each: every batch is read at once and its rest sent again.
func TestConflictsInAFifthOfAllWrites(t *testing.T) {
	n := 60_000
	if testing.Short() {
		n = 6_000
	}
	srv, cfg := ownServer(t, nil)
	_, st, writes := manyStates(t, cfg, n)
	moveEveryFifth(t, st, writes)
	asked, stop := requests(srv)
	check(t, st, writes, n)
	stop()
	if batches := int64(n/st.s.cfg.MaxBatch + 2); asked.Load() > 5*batches {
		t.Errorf("%d requests for %d writes with 20%% conflicts; without any it would be %d", asked.Load(), n, batches)
	}
}

// Half of the batches are acknowledged when an answer is lost, and with it those of the others under way, applied or not. They are
// read back, each of their writes is reported once, and what is not there is written again.
func TestAnswerLostAfterHalfTheBatches(t *testing.T) {
	for _, do := range []zkserver.Action{zkserver.CutBefore, zkserver.CutAfter, zkserver.DropReply} {
		srv, cfg := ownServer(t, nil)
		cfg.MaxBatch, cfg.SessionTimeout = 100, 3*time.Second
		_, st, writes := manyStates(t, cfg, 2000)
		moveEveryFifth(t, st, writes[:1500])
		f := srv.Inject(zkserver.Fault{Op: jute.OpMulti, Skip: 10, Times: 1, Do: do})
		check(t, st, writes, 1500)
		if f.Hits() != 1 {
			t.Errorf("%v: %d answers lost", do, f.Hits())
		}
	}
}

package zkstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"baton/cluster"
	"baton/epoch"
	"baton/isr"
	"baton/partition"
	"baton/planner"
)

func stateOf(leader int32, version int32, set ...int32) partition.State {
	return partition.State{ControllerEpoch: 5, LeaderAndISR: isr.LeaderAndISR{
		Leader: leader, LeaderEpoch: 1, ISR: set, PartitionEpoch: epoch.Partition(version)}}
}

func pid(n int) partition.ID { return partition.ID{Topic: "t", Number: int32(n)} }

// results collects what done is called with.
type results struct {
	mu sync.Mutex
	m  map[uint64]planner.Result
}

func (r *results) done(rs []planner.Result) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, x := range rs {
		if _, twice := r.m[x.Seq]; twice {
			panic(fmt.Sprintf("result %d delivered twice", x.Seq))
		}
		r.m[x.Seq] = x
	}
}

func commitAll(t *testing.T, st *Store, writes ...planner.WriteBody) (map[uint64]planner.Result, error) {
	t.Helper()
	r := &results{m: map[uint64]planner.Result{}}
	var ws []planner.Write
	for i, b := range writes {
		ws = append(ws, planner.Write{Seq: uint64(i), Body: b})
	}
	err := st.Commit(context.Background(), ws, r.done)
	if err == nil && len(r.m) != len(writes) {
		t.Fatalf("%d results for %d writes: %v", len(r.m), len(writes), r.m)
	}
	return r.m, err
}

func sets(n int) (paths []string, writes []planner.WriteBody) {
	for i := range n {
		paths = append(paths, statePath(pid(i)))
		writes = append(writes, planner.SetState{ID: pid(i), State: stateOf(1, 0, 1, 2)})
	}
	return paths, writes
}

func TestSetStatesAreBatched(t *testing.T) {
	paths, writes := sets(25)
	tr, st := newTree(t, Config{MaxBatch: 10}, paths...)
	got, err := commitAll(t, st, writes...)
	if err != nil {
		t.Fatal(err)
	}
	for seq, r := range got {
		if r.Outcome != planner.Applied || r.Version != 1 {
			t.Errorf("write %d: %+v", seq, r)
		}
	}
	slices.Sort(tr.multis)
	if !slices.Equal(tr.multis, []int{6, 11, 11}) {
		t.Errorf("multis of %v operations", tr.multis)
	}
}

func TestBatchesAreBoundedInBytes(t *testing.T) {
	big := make([]int32, 20000)
	for i := range big {
		big[i] = int32(i + 100000)
	}
	paths, writes := sets(20)
	for i := range writes {
		writes[i] = planner.SetState{ID: pid(i), State: stateOf(100000, 0, big...)}
	}
	tr, st := newTree(t, Config{}, paths...)
	if _, err := commitAll(t, st, writes...); err != nil {
		t.Fatal(err)
	}
	if len(tr.multis) < 3 || slices.Max(tr.multis) > 8 {
		t.Errorf("multis of %v operations of 140 KB each", tr.multis)
	}
}

func TestConflictInTheMiddleIsTakenOut(t *testing.T) {
	for _, conflicts := range []int{1, 12} {
		paths, writes := sets(30)
		tr, st := newTree(t, Config{}, paths...)
		for i := range conflicts {
			tr.put(paths[2*i+1], string(encodeState(stateOf(2, 0, 2))))
		}
		got, err := commitAll(t, st, writes...)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 30 {
			r, moved := got[uint64(i)], i%2 == 1 && i/2 < conflicts
			switch {
			case moved && (r.Outcome != planner.Conflict || !r.Found.Exists || r.Found.State.Leader != 2 || r.Found.Zxid == 0):
				t.Errorf("%d conflicts, write %d: %+v, want a conflict with what is there", conflicts, i, r)
			case !moved && (r.Outcome != planner.Applied || r.Version != 1):
				t.Errorf("%d conflicts, write %d: %+v, want applied", conflicts, i, r)
			}
		}
		if len(tr.multis) != 2 {
			t.Errorf("%d conflicts took %d multis", conflicts, len(tr.multis))
		}
	}
}

func TestUnknownOutcomes(t *testing.T) {
	for _, fate := range []string{"before", "after"} {
		paths, writes := sets(3)
		writes = append(writes, planner.CreateState{ID: partition.ID{Topic: "new", Number: 0}, State: stateOf(1, 0, 1)},
			planner.CreateTopic{Name: "made", ID: cluster.TopicID{9}, Partitions: []planner.PartitionRead{{Assignment: partition.Assignment{Replicas: []int32{1}}}}},
			planner.DeleteNotifications{Paths: []string{pathLogDirEvents + "/a"}})
		tr, st := newTree(t, Config{InFlight: 1}, append(paths, topicPath("new"), pathTopicConfigs, pathLogDirEvents+"/a")...)
		lost := map[int]bool{}
		tr.lose = func(n int) string {
			if n%2 == 1 {
				lost[n] = true
				return fate
			}
			return ""
		}
		got, err := commitAll(t, st, writes...)
		if err != nil {
			t.Fatal(err)
		}
		for seq, r := range got {
			if r.Outcome != planner.Applied || (seq < 3 && r.Version != 1) {
				t.Errorf("reply lost %s: write %d: %+v", fate, seq, r)
			}
		}
		for _, p := range paths {
			if v := tr.nodes[p].stat.Version; v != 1 {
				t.Errorf("reply lost %s: %s was written %d times", fate, p, v)
			}
		}
		if len(lost) == 0 {
			t.Error("nothing was lost")
		}
	}
}

func TestUnknownOutcomeThenSomebodyElse(t *testing.T) {
	paths, writes := sets(2)
	tr, st := newTree(t, Config{}, paths...)
	tr.lose = func(n int) string {
		if n == 1 {
			n := tr.nodes[paths[0]]
			n.data, n.stat.Version = encodeState(stateOf(2, 0, 2)), 1
			return "before"
		}
		return ""
	}
	got, err := commitAll(t, st, writes...)
	if err != nil || got[0].Outcome != planner.Conflict || got[1].Outcome != planner.Applied {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestFencedCommit(t *testing.T) {
	paths, writes := sets(5)
	tr, st := newTree(t, Config{}, paths...)
	tr.put(pathControllerEpoch, "6")
	got, err := commitAll(t, st, writes...)
	if !errors.Is(err, epoch.ErrFenced) || len(got) != 0 {
		t.Errorf("%v, %v", got, err)
	}
}

func TestEndedSession(t *testing.T) {
	paths, writes := sets(5)
	_, st := newTree(t, Config{}, paths...)
	st.s.end("test")
	if _, err := commitAll(t, st, writes...); !errors.Is(err, ErrSession) {
		t.Errorf("error %v, want ErrSession", err)
	}
}

func TestBrokenStateIsNotOverwritten(t *testing.T) {
	paths, writes := sets(2)
	tr, st := newTree(t, Config{}, paths...)
	tr.put(paths[0], "garbage")
	got, err := commitAll(t, st, writes...)
	if err != nil || got[0].Outcome != planner.Conflict || got[0].Found.Bad == "" || got[1].Outcome != planner.Applied {
		t.Errorf("%+v, %v", got, err)
	}
	if string(tr.nodes[paths[0]].data) != "garbage" {
		t.Error("garbage was overwritten")
	}
}

func TestCreateStates(t *testing.T) {
	// t: nothing below the topic; u: one partition's parent and another's state; gone: no topic.
	u := func(n int32) partition.ID { return partition.ID{Topic: "u", Number: n} }
	tr, st := newTree(t, Config{}, topicPath("t"), partitionPath(u(1)), statePath(u(2)))
	tr.put(statePath(u(2)), string(encodeState(partition.State{ControllerEpoch: 3, LeaderAndISR: stateOf(9, 0, 9).LeaderAndISR})))
	var writes []planner.WriteBody
	for _, id := range []partition.ID{pid(0), pid(1), u(0), u(1), u(2), {Topic: "gone"}} {
		writes = append(writes, planner.CreateState{ID: id, State: stateOf(1, 0, 1, 2)})
	}
	got, err := commitAll(t, st, writes...)
	if err != nil {
		t.Fatal(err)
	}
	want := []planner.Outcome{planner.Applied, planner.Applied, planner.Applied, planner.Applied, planner.Conflict, planner.Failed}
	for i, w := range want {
		if got[uint64(i)].Outcome != w {
			t.Errorf("write %d: %+v, want outcome %d", i, got[uint64(i)], w)
		}
	}
	if !got[5].Gone {
		t.Errorf("of a topic that is gone: %+v", got[5])
	}
	if f := got[4].Found; f.State.Leader != 9 {
		t.Errorf("found %+v", f)
	}
}

func TestCreateManyStatesOfOneTopic(t *testing.T) {
	tr, st := newTree(t, Config{MaxBatch: 100}, topicPath("t"))
	var writes []planner.WriteBody
	for i := range 300 {
		writes = append(writes, planner.CreateState{ID: pid(i), State: stateOf(1, 0, 1)})
	}
	got, err := commitAll(t, st, writes...)
	if err != nil {
		t.Fatal(err)
	}
	for seq, r := range got {
		if r.Outcome != planner.Applied {
			t.Errorf("write %d: %+v", seq, r)
		}
	}
	if slices.Max(tr.multis) > 201 || len(tr.multis) > 16 {
		t.Errorf("multis of %v operations", tr.multis)
	}
}

func TestTopicsAndProducerIDs(t *testing.T) {
	tr, st := newTree(t, Config{InFlight: 1}, topicPath("old"), pathTopicConfigs+"/made", pathProducerIDs, pathLogDirEvents)
	parts := []planner.PartitionRead{{Assignment: partition.Assignment{Replicas: []int32{1, 2}, Adding: []int32{2}}}}
	got, err := commitAll(t, st,
		planner.CreateTopic{Name: "made", ID: cluster.TopicID{1}, Partitions: parts},
		planner.CreateTopic{Name: "old", ID: cluster.TopicID{2}, Partitions: parts},
		planner.SetTopic{Name: "old", Version: 0, ID: cluster.TopicID{3}, Partitions: parts},
		planner.SetTopic{Name: "absent", Version: 0, Partitions: parts},
		planner.NextProducerIDs{Broker: 4},
		planner.NextProducerIDs{Broker: 4},
		planner.DeleteNotifications{Paths: []string{pathLogDirEvents + "/no"}})
	if err != nil {
		t.Fatal(err)
	}
	want := []planner.Outcome{planner.Applied, planner.Conflict, planner.Applied, planner.Conflict, planner.Applied, planner.Applied, planner.Applied}
	for i, w := range want {
		if got[uint64(i)].Outcome != w {
			t.Errorf("write %d: %+v, want outcome %d", i, got[uint64(i)], w)
		}
	}
	if got[4].Start+got[5].Start != 1000 || got[4].Length != 1000 {
		t.Errorf("producer ids %+v, %+v", got[4], got[5])
	}
	id, back, err := decodeTopic(tr.nodes[topicPath("old")].data)
	if err != nil || id != (cluster.TopicID{3}) || len(back) != 1 || !back[0].Assignment.Reassigning() {
		t.Errorf("%v %v %v", id, back, err)
	}
	tr.put(pathProducerIDs, "{}")
	got, err = commitAll(t, st, planner.NextProducerIDs{Broker: 4})
	if err != nil || got[0].Outcome != planner.Failed || string(tr.nodes[pathProducerIDs].data) != "{}" {
		t.Errorf("%+v, %v", got, err)
	}
}

package zkstore

import (
	"reflect"
	"strings"
	"testing"

	"baton/partition"
	"baton/planner"
)

func TestDecodeReassign(t *testing.T) {
	got, err := decodeReassign([]byte(`{"version":1,"partitions":[{"topic":"t","partition":0,"replicas":[1,2]},{"topic":"t","partition":1,"replicas":[3]}]}`))
	want := []planner.Reassignment{{ID: partition.ID{Topic: "t"}, Replicas: []int32{1, 2}}, {ID: partition.ID{Topic: "t", Number: 1}, Replicas: []int32{3}}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v, %v", got, err)
	}
	if back, err := decodeReassign(encodeReassign(got)); err != nil || !reflect.DeepEqual(back, want) {
		t.Errorf("%v, %v", back, err)
	}
	for data, part := range map[string]string{
		``:                                "found nothing",
		`{"version":2,"partitions":[]}`:   "version 1",
		`{"version":1}`:                   `"partitions"`,
		`{"version":1,"partitions":{}}`:   "a list",
		`{"version":1,"partitions":[7]}`:  "a JSON object",
		`{"version":1,"partitions":[{}]}`: `"topic"`,
		`{"version":1,"partitions":[{"topic":"t","partition":"0","replicas":[1]}]}`:                                          `"partition"`,
		`{"version":1,"partitions":[{"topic":"t","partition":0}]}`:                                                           `"replicas"`,
		`{"version":1,"partitions":[{"topic":"t","partition":0,"replicas":[1,1]}]}`:                                          "distinct",
		`{"version":1,"partitions":[{"topic":"t","partition":0,"replicas":[-1]}]}`:                                           "0 and more",
		`{"version":1,"partitions":[{"topic":"t","partition":0,"replicas":[1],"log_dirs":["any"]}]}`:                         "log_dirs",
		`{"version":1,"partitions":[{"topic":"t","partition":0,"replicas":[1]},{"topic":"t","partition":0,"replicas":[2]}]}`: "t-0 twice",
	} {
		if _, err := decodeReassign([]byte(data)); err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%s: %v, want %q", data, err, part)
		}
	}
}

// The znode shrinks only if nobody has replaced it since it was read, and goes when it is
// empty; a lost answer is read back.
func TestLegacyReassignmentsShrink(t *testing.T) {
	left := []planner.Reassignment{{ID: partition.ID{Topic: "t", Number: 1}, Replicas: []int32{3}}}
	tr, st := newTree(t, Config{InFlight: 1}, pathReassign)
	commit := func(w planner.SetLegacyReassignments) planner.Result {
		t.Helper()
		got, err := commitAll(t, st, w)
		if err != nil {
			t.Fatal(err)
		}
		return got[0]
	}
	if r := commit(planner.SetLegacyReassignments{Version: 7, Left: left}); r.Outcome != planner.Conflict {
		t.Errorf("another version: %+v", r)
	}
	if r := commit(planner.SetLegacyReassignments{Left: left}); r.Outcome != planner.Applied || r.Version != 1 {
		t.Errorf("%+v", r)
	}
	if back, err := decodeReassign(tr.nodes[pathReassign].data); err != nil || !reflect.DeepEqual(back, left) {
		t.Errorf("%v, %v", back, err)
	}
	tr.lose = func(int) string { tr.lose = nil; return "after" }
	if r := commit(planner.SetLegacyReassignments{Version: 1}); r.Outcome != planner.Applied || tr.nodes[pathReassign] != nil {
		t.Errorf("empty: %+v, %v", r, tr.nodes[pathReassign])
	}
	if r := commit(planner.SetLegacyReassignments{Version: 1}); r.Outcome != planner.Conflict {
		t.Errorf("gone: %+v", r)
	}
}

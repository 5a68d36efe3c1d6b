package planner

import (
	"testing"

	"baton/cluster"
)

// Manual assignments are refused in the words of Kafka's controller, and if a partition has no replicas.
func TestManualAssignmentRefusals(t *testing.T) {
	m := &Machine{im: cluster.NewImage(nil)}
	for _, c := range []struct {
		assignment map[int32][]int32
		want       string
	}{
		{map[int32][]int32{0: {1, 1}}, "Duplicate replica assignment found: HashMap(0 -> ArrayBuffer(1, 1))"},
		{map[int32][]int32{1: {3, 3}, 0: {1, 2}}, "Duplicate replica assignment found: HashMap(0 -> ArrayBuffer(1, 2), 1 -> ArrayBuffer(3, 3))"},
		{map[int32][]int32{0: {1}, 1: {2, 1}}, "All partitions should have the same number of replicas"},
		{map[int32][]int32{0: {1}, 2: {2}}, "partitions should be a consecutive 0-based integer sequence"},
		{map[int32][]int32{0: {}}, "Partition 0 has no replicas."}, // which Kafka's controller takes
	} {
		if _, r := m.manualAssignment(NewTopic{Assignment: c.assignment}); r == nil || r.text != c.want {
			t.Errorf("%v: %+v, want %q", c.assignment, r, c.want)
		}
	}
}

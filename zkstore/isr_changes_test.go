package zkstore

import (
	"fmt"
	"testing"

	"baton/partition"
	"baton/planner"
)

// KAFKA-6469: a backlog of notifications, however long, is worked off in slices, beside other news, and removed.
func TestISRChangeBacklog(t *testing.T) {
	a, b := pair(t)
	const total = 2*isrSlice + 100
	for i := range total {
		write(t, b, fmt.Sprintf("%s/isr_change_%010d", pathISRChanges, i), fmt.Sprintf(`{"version":1,"partitions":[{"topic":"t","partition":%d},{"topic":"t","partition":7}]}`, i))
	}
	write(t, b, pathISRChanges+"/isr_change_0000000000", "{") // named, left, and no obstacle
	f := follow(t, a, claim(t, a, 2000001))
	seen := map[partition.ID]bool{}
	for n := 0; n < total-1; {
		e := until(t, f, "a slice", func(e planner.ISRChanged) bool { return len(e.Paths) > 0 })
		if len(e.Paths) > isrSlice+1 || len(e.Bad) != 1 {
			t.Fatalf("%d notifications at once, bad: %v", len(e.Paths), e.Bad)
		}
		if n += len(e.Paths); n > total-1 {
			t.Fatalf("%d notifications delivered of %d", n, total-1)
		}
		for _, id := range e.Partitions {
			seen[id] = true
		}
		if got, err := commitAll(t, f.Store, planner.DeleteNotifications{Paths: e.Paths}); err != nil || got[0].Outcome != planner.Applied {
			t.Fatalf("%+v, %v", got, err)
		}
	}
	if len(seen) != total-1 {
		t.Errorf("%d partitions named, want %d", len(seen), total-1)
	}
	names, err := b.children(t.Context(), pathISRChanges)
	if err != nil || len(names) != 1 {
		t.Errorf("left: %d, %v", len(names), err)
	}
}

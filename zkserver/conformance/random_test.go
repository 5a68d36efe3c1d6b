package conformance_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"baton/zkserver/conformance"
)

// TestWalks does the same random operations on zkserver and on ZooKeeper 3.8.4: every reply, every Stat and every event
// is the same. What nobody thought of as a case is found here.
func TestWalks(t *testing.T) {
	needJava(t)
	v := conformance.Version{3, 8, 4}
	real := &conformance.Target{Server: "ZooKeeper", Addr: startReal(t, v), Version: v, MinSession: 2 * realTick, MaxSession: time.Minute}
	ours := serveOurs(t)
	seeds, steps := uint64(10), 500
	if os.Getenv("BATON_SOAK") == "1" {
		seeds = 200
	}
	for seed := range seeds {
		a := conformance.Walk(&conformance.Env{TB: t, Target: real}, seed, steps)
		b := conformance.Walk(&conformance.Env{TB: t, Target: ours}, seed, steps)
		for i := range min(len(a), len(b)) {
			if a[i] != b[i] {
				t.Fatalf("seed %d, line %d:\nZooKeeper %s\nzkserver  %s\nafter\n%s", seed, i, a[i], b[i], strings.Join(b[max(0, i-10):i], "\n"))
			}
		}
		if len(a) != len(b) {
			t.Fatalf("seed %d: %d lines, %d lines", seed, len(a), len(b))
		}
	}
	t.Logf("conformance: %d walks of %d random operations agree", seeds, steps)
}

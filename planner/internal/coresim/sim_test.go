package coresim

import (
	"flag"
	"os"
	"strconv"
	"testing"
)

var seedFlag = flag.Uint64("seed", 0, "replay this seed with its trace")

// TestSeed replays one seed: go test ./planner/internal/coresim -run TestSeed -seed=N -v
func TestSeed(t *testing.T) {
	if *seedFlag == 0 {
		t.Skip("no -seed")
	}
	r := Run(*seedFlag, Bugs{}, true)
	t.Logf("seed %d: %d steps, %d acknowledged, hash %x, marks %v\n%s", r.Seed, r.Steps, r.Acked, r.Hash, r.Marks, r.Trace)
	if r.Fail != "" {
		t.Fatal(r.Fail)
	}
}

func seeds(t *testing.T, normal int) int {
	t.Helper()
	v := os.Getenv("BATON_SIM_SEEDS")
	if v == "" {
		return min(normal, defaultSeeds)
	}
	n, err := strconv.Atoi(v)
	if err != nil {
		t.Fatalf("BATON_SIM_SEEDS: %v", err)
	}
	return n
}

// TestSeeds runs many seeds; BATON_SIM_SEEDS says how many.
func TestSeeds(t *testing.T) {
	const shards = 8
	total := seeds(t, 2000)
	for shard := range shards {
		t.Run(strconv.Itoa(shard), func(t *testing.T) {
			t.Parallel()
			for n := 1 + shard; n <= total; n += shards {
				if r := Run(uint64(n), Bugs{}, false); r.Fail != "" {
					t.Errorf("seed %d: %s\nreplay: go test ./planner/internal/coresim -run TestSeed -seed=%d -v", n, r.Fail, n)
				}
			}
		})
	}
}

// TestSameSeedSameTrace: two runs of one seed do not differ in one byte.
func TestSameSeedSameTrace(t *testing.T) {
	t.Parallel()
	for n := uint64(1); n <= 20; n++ {
		a, b := Run(n, Bugs{}, true), Run(n, Bugs{}, true)
		if a.Hash != b.Hash || a.Trace != b.Trace || a.Hash == 0 {
			t.Errorf("seed %d: hashes %x and %x", n, a.Hash, b.Hash)
		}
	}
}

// TestCoverage: over some hundred seeds everything the simulation is for does happen.
func TestCoverage(t *testing.T) {
	t.Parallel()
	marks, acked := map[string]int{}, 0
	for n := uint64(1); n <= 300; n++ {
		r := Run(n, Bugs{}, false)
		acked += r.Acked
		for k, v := range r.Marks {
			marks[k] += v
		}
	}
	t.Logf("%d records acknowledged, %v", acked, marks)
	for _, k := range []string{
		"claimed", "conflict", "fenced", "ack-lost", "own-write-as-conflict", "stale-broker-epoch", "stale-controller-epoch",
		"zombie-frame", "controlled-shutdown", "created", "auto-created", "rival", "removed", "bounce-seen", "unclean", "call-answer-lost",
		"rescued", "rescued-by-another-than-the-first", "measured-silent", "measurement-lost", "named-elected", "named-outdated",
		"elected-on-request", "preferred-znode", "balanced",
		"old-leader-wrote", "old-leader-refused",
		"reassigned", "reassign-accepted", "reassign-refused", "reassign-cancelled", "legacy-done", "rival-reassigns", "rival-finishes",
		"deleted", "deletion-answered", "marker-refuted", "added-while-deleted", "grown",
	} {
		if marks[k] == 0 {
			t.Errorf("never seen: %s", k)
		}
	}
}

package sim

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

var (
	first = flag.Uint64("seed", 0, "TestSeeds: the first seed; with -seeds 1 it runs with its full trace")
	count = flag.Int("seeds", 0, "TestSeeds: how many seeds")
)

// seeds is how many are run: by flag, by the Makefile's variable, or what a fast test has time for.
func seeds(t *testing.T) int {
	if *count > 0 {
		return *count
	}
	if n, err := strconv.Atoi(os.Getenv("BATON_SIM_SEEDS")); err == nil {
		return n
	}
	if testing.Short() || raceEnabled {
		return 300 / slower
	}
	return 1000
}

// TestSeeds runs one world after the other. A failure leaves its trace and says how to run it again.
func TestSeeds(t *testing.T) {
	n, begun := seeds(t), time.Now()
	var done, acked, writes, epochs atomic.Int64
	t.Run("seeds", func(t *testing.T) {
		for lane := range lanes {
			t.Run(fmt.Sprint("lane", lane), func(t *testing.T) {
				t.Parallel()
				for i := lane; i < n; i += lanes {
					r := runSeed(t, Config{Seed: *first + uint64(i), Full: n == 1})
					done.Add(1)
					acked.Add(int64(r.Acked))
					writes.Add(int64(r.Writes))
					epochs.Add(int64(r.Epochs))
				}
			})
		}
	})
	t.Logf("%d seeds in %v: %d states written, %d claims, %d messages acknowledged", done.Load(), time.Since(begun).Round(time.Millisecond),
		writes.Load(), epochs.Load(), acked.Load())
}

// lanes run side by side.
const lanes = 2

func runSeed(t *testing.T, cfg Config) (r Result) {
	t.Helper()
	begun := time.Now()
	synctest.Test(t, func(*testing.T) { r = Run(cfg) })
	if took := time.Since(begun); took > 2*time.Second {
		t.Logf("seed %d took %v", cfg.Seed, took) // somebody works hard without time going by
	}
	if r.Err == nil && !cfg.Full {
		return r
	}
	path := filepath.Join(os.TempDir(), fmt.Sprintf("baton-sim-%d.trace", cfg.Seed))
	if err := os.WriteFile(path, []byte(r.Trace), 0o600); err != nil {
		t.Error(err)
	}
	if r.Err != nil {
		t.Errorf("seed %d: %v\n  trace: %s\n  again: go test ./sim -run TestSeeds -seed %d -seeds 1", cfg.Seed, r.Err, path, cfg.Seed)
	}
	return r
}

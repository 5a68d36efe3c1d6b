package sim

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

var (
	first = flag.Uint64("seed", 0, "TestSeeds: the first seed; with -seeds 1 it runs with its full trace")
	count = flag.Int("seeds", 0, "TestSeeds: how many seeds")
)

// seeds is how many are run: by flag, by the Makefile's variable, or what a test has time for.
func seeds(t *testing.T) int {
	if *count > 0 {
		return *count
	}
	if n, err := strconv.Atoi(os.Getenv("BATON_SIM_SEEDS")); err == nil {
		return n
	}
	return 1000 / slower
}

// figures of many runs.
type figures struct {
	Seeds, Acked, Writes, Epochs int
	Well                         time.Duration // the longest
	Failed                       []string      `json:",omitempty"`
}

func (f *figures) add(o figures) {
	f.Seeds, f.Acked, f.Writes, f.Epochs = f.Seeds+o.Seeds, f.Acked+o.Acked, f.Writes+o.Writes, f.Epochs+o.Epochs
	f.Well = max(f.Well, o.Well)
	f.Failed = append(f.Failed, o.Failed...)
}

const (
	// childEnv is set in the processes that TestSeeds starts. seedLine begins what they say before each seed, reportLine
	// what they say at the end.
	childEnv   = "BATON_SIM_CHILD"
	seedLine   = "sim seed: "
	reportLine = "sim figures: "

	// chunk is how many seeds a process runs.
	chunk = 25
)

// TestSeeds runs one world after the other, in processes with one thread each, because a run repeats better there: what
// runs at the same moment runs in the same order. A failure leaves its trace and says how to run it again.
func TestSeeds(t *testing.T) {
	n, begun := seeds(t), time.Now()
	if n == 1 || os.Getenv(childEnv) != "" {
		f := runHere(t, *first, n)
		report, err := json.Marshal(f)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Println(reportLine + string(report))
		return
	}
	var all figures
	var mu sync.Mutex
	var wg sync.WaitGroup
	chunks := make(chan int)
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for at := range chunks {
				f, err := runChild(t, *first+uint64(at), min(chunk, n-at))
				mu.Lock()
				all.add(f)
				for _, what := range f.Failed {
					t.Error(what)
				}
				if err != nil {
					t.Error(err)
				}
				mu.Unlock()
			}
		})
	}
	for at := 0; at < n; at += chunk {
		if mu.Lock(); t.Failed() && failFast() {
			n = at
		}
		mu.Unlock()
		chunks <- at
	}
	close(chunks)
	wg.Wait()
	t.Logf("%d seeds in %v: %d failed, %d states written, %d claims, %d messages acknowledged, well after %v at the most", all.Seeds,
		time.Since(begun).Round(time.Millisecond), len(all.Failed), all.Writes, all.Epochs, all.Acked, all.Well.Round(time.Millisecond))
}

func failFast() bool { return flag.Lookup("test.failfast").Value.String() == "true" }

// runChild runs some seeds in a process of their own.
func runChild(t *testing.T, from uint64, n int) (f figures, err error) {
	out, err := inChild(t, "TestSeeds", fmt.Sprint("-seed=", from), fmt.Sprint("-seeds=", n))
	if found, bad := reported(out, &f); found {
		return f, bad
	}
	last := from // that was begun: a panic or a hang is its
	for line := range bytes.Lines(out) {
		if seed, ok := strings.CutPrefix(string(line), seedLine); ok {
			last, _ = strconv.ParseUint(strings.TrimSpace(seed), 10, 64)
		}
	}
	return f, fmt.Errorf("seed %d: %w\n  again: go test ./sim -run TestSeeds -seed %d -seeds 1\n%s", last, err, last, out)
}

// reported reads what a child said at its end into to; found is false if it did not come to that.
func reported(out []byte, to any) (found bool, err error) {
	for line := range bytes.Lines(out) {
		if report, ok := bytes.CutPrefix(line, []byte(reportLine)); ok {
			return true, json.Unmarshal(report, to)
		}
	}
	return false, nil
}

// inChild runs a test in a process with one thread.
func inChild(t *testing.T, test string, args ...string) ([]byte, error) {
	args = append([]string{"-test.run=^" + test + "$", "-test.timeout=3m", fmt.Sprint("-test.failfast=", failFast())}, args...)
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Env = append(os.Environ(), childEnv+"=1", "GOMAXPROCS=1", "GOGC=400") // what a run leaves behind is small
	return cmd.CombinedOutput()
}

// runHere runs seeds in this process.
func runHere(t *testing.T, from uint64, n int) (f figures) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	for i := range n {
		seed := from + uint64(i)
		r := runSeed(t, Config{Seed: seed, Full: n == 1})
		f.add(figures{Seeds: 1, Acked: r.Acked, Writes: r.Writes, Epochs: int(r.Epochs), Well: r.Well})
		if r.Err == nil {
			continue
		}
		f.Failed = append(f.Failed, fmt.Sprintf("seed %d: %v\n  trace: %s\n  again: go test ./sim -run TestSeeds -seed %d -seeds 1", seed, r.Err,
			traceFile(seed), seed))
		t.Error(f.Failed[len(f.Failed)-1])
		if failFast() {
			break
		}
	}
	return f
}

func traceFile(seed uint64) string {
	return filepath.Join(os.TempDir(), fmt.Sprintf("baton-sim-%d.trace", seed))
}

// inBubble runs f in a bubble and tolerates one leftover: go-zookeeper 1.0.4 answers a request whose write failed twice,
// and if its caller left when the connection was closed, nobody takes the second answer (Conn.flushRequests).
func inBubble(t *testing.T, f func()) {
	t.Helper()
	done := false
	defer func() {
		if p := recover(); p != nil && (!done || !onlyFlushing()) {
			panic(p)
		}
	}()
	synctest.Test(t, func(*testing.T) {
		f()
		done = true
	})
}

// onlyFlushing reports whether each goroutine that is left in a bubble is the one that inBubble speaks of.
func onlyFlushing() bool {
	stacks := make([]byte, 1<<20)
	left := false
	for g := range strings.SplitSeq(string(stacks[:runtime.Stack(stacks, true)]), "\n\n") {
		head, _, _ := strings.Cut(g, "\n")
		if !strings.Contains(head, "synctest bubble") {
			continue
		}
		left = true
		if !strings.Contains(g, "zk.(*Conn).flushRequests") {
			return false
		}
	}
	return left
}

func runSeed(t *testing.T, cfg Config) (r Result) {
	t.Helper()
	begun := time.Now()
	fmt.Println(seedLine + strconv.FormatUint(cfg.Seed, 10))
	inBubble(t, func() { r = Run(cfg) })
	if took := time.Since(begun); took > 5*time.Second*slower {
		t.Logf("seed %d took %v", cfg.Seed, took) // somebody works hard without time going by
	}
	if r.Err != nil || cfg.Full {
		if err := os.WriteFile(traceFile(cfg.Seed), []byte(r.Trace), 0o600); err != nil {
			t.Error(err)
		}
	}
	return r
}

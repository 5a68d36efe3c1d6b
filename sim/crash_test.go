package sim

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

var points = flag.String("points", "", "TestCrashPoints: only these, as OPERATION/BLOW/STEP,…; one alone runs with its full trace")

const (
	pointLine = "sim point: "

	// shortPoints is about how many of the points a short run takes.
	shortPoints = 60
	// pointChunk is how many points a process lives.
	pointChunk = 20
)

// pointFigures are what a process reports.
type pointFigures struct {
	Lived, Struck int
	Failed        []string `json:",omitempty"`
}

// TestCrashPoints strikes the Baton that leads at each step of deletions, reassignments and what else operators ask for. How
// many steps an operation has is counted first, where nothing happens. In a soak each point is lived with several seeds.
func TestCrashPoints(t *testing.T) {
	if *points != "" {
		reportPoints(t, *points)
		return
	}
	begun := time.Now()
	all := everyPoint(t)
	n, times := len(all), 1
	some, err := strconv.Atoi(os.Getenv("BATON_SIM_POINTS"))
	switch {
	case err == nil:
		all = thin(all, some)
	case testing.Short():
		all = thin(all, shortPoints/slower)
	case slower > 1:
		all = thin(all, n/slower)
	case os.Getenv("BATON_SOAK") != "":
		times = 10
	}
	var f pointFigures
	for i := range times {
		f = f.plus(livePoints(t, all, *first+uint64(i))) //nolint:gosec // few
	}
	t.Logf("%d operations, %d blows, %d points: %d lived in %v, %d struck, %d failed", len(Operations()), len(Blows()), n, f.Lived,
		time.Since(begun).Round(time.Millisecond), f.Struck, len(f.Failed))
	// The steps of a run are about those of the run in which they were counted.
	if !t.Failed() && f.Struck < f.Lived*9/10 {
		t.Errorf("only %d of %d points were reached", f.Struck, f.Lived)
	}
}

func (f pointFigures) plus(o pointFigures) pointFigures {
	return pointFigures{f.Lived + o.Lived, f.Struck + o.Struck, append(f.Failed, o.Failed...)}
}

// everyPoint counts steps.
func everyPoint(t *testing.T) (all []Point) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	for _, name := range Operations() {
		at := Point{Operation: name, Blow: KillBefore}
		r, steps, _ := livePoint(t, Config{Seed: *first}, at)
		if r.Err != nil {
			t.Fatalf("%s, and nothing happens: %v\n  trace: %s", name, r.Err, pointTrace(at))
		}
		t.Logf("%s: %d steps: %s", name, len(steps), strings.Join(steps, ", "))
		for step := range steps {
			for _, blow := range Blows() {
				all = append(all, Point{name, blow, step + 1})
			}
		}
	}
	return all
}

// thin leaves about so many, over all.
func thin(all []Point, n int) (some []Point) {
	stride := max(1, len(all)/max(1, n))
	for stride%len(Blows()) == 0 || stride%2 == 0 || stride%3 == 0 {
		stride++ // else some blow is never struck
	}
	for i := 0; i < len(all); i += stride {
		some = append(some, all[i])
	}
	return some
}

// livePoints lives them in processes with one thread each.
func livePoints(t *testing.T, all []Point, seed uint64) (f pointFigures) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	chunks := make(chan []Point)
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for some := range chunks {
				got, err := livePointsApart(t, some, seed)
				mu.Lock()
				f = f.plus(got)
				for _, what := range got.Failed {
					t.Error(what)
				}
				if err != nil {
					t.Error(err)
				}
				mu.Unlock()
			}
		})
	}
	for some := range slices.Chunk(all, pointChunk) {
		mu.Lock()
		failed := t.Failed()
		mu.Unlock()
		if failed && failFast() {
			break
		}
		chunks <- some
	}
	close(chunks)
	wg.Wait()
	return f
}

func livePointsApart(t *testing.T, some []Point, seed uint64) (f pointFigures, err error) {
	var names []string
	for _, p := range some {
		names = append(names, p.String())
	}
	out, err := inChild(t, "TestCrashPoints", "-points="+strings.Join(names, ","), fmt.Sprint("-seed=", seed))
	report, last := "", ""
	for line := range strings.Lines(string(out)) {
		if text, ok := strings.CutPrefix(line, reportLine); ok {
			report = text
		}
		if text, ok := strings.CutPrefix(line, pointLine); ok {
			last = strings.TrimSpace(text)
		}
	}
	if report != "" {
		return f, json.Unmarshal([]byte(report), &f)
	}
	return f, fmt.Errorf("%s: %w\n  again: %s\n%s", last, err, again(last, seed), out) // a panic or a hang is its
}

func again(point string, seed uint64) string {
	return fmt.Sprintf("go test ./sim -run TestCrashPoints -seed %d -points %s", seed, point)
}

func pointTrace(p Point) string {
	return filepath.Join(os.TempDir(), "baton-sim-"+strings.ReplaceAll(p.String(), "/", "-")+".trace")
}

// reportPoints lives points here.
func reportPoints(t *testing.T, list string) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	names := strings.Split(list, ",")
	var f pointFigures
	for _, name := range names {
		at, err := ParsePoint(name)
		if err != nil {
			t.Fatal(err)
		}
		r, steps, struck := livePoint(t, Config{Seed: *first, Full: len(names) == 1}, at)
		f.Lived++
		if struck {
			f.Struck++
		}
		if r.Err == nil {
			continue
		}
		what := "nothing"
		if struck {
			what = steps[at.Step-1]
		}
		f.Failed = append(f.Failed, fmt.Sprintf("%s, struck at %s: %v\n  trace: %s\n  again: %s", at, what, r.Err, pointTrace(at), again(name, *first)))
		t.Error(f.Failed[len(f.Failed)-1])
		if failFast() {
			break
		}
	}
	report, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println(reportLine + string(report))
}

func livePoint(t *testing.T, cfg Config, at Point) (r Result, steps []string, struck bool) {
	t.Helper()
	fmt.Println(pointLine + at.String())
	begun := time.Now()
	inBubble(t, func() { r, steps, struck = RunPoint(cfg, at) })
	if took := time.Since(begun); took > 5*time.Second*slower {
		t.Logf("%s took %v", at, took)
	}
	if r.Err != nil || cfg.Full {
		if err := os.WriteFile(pointTrace(at), []byte(r.Trace), 0o600); err != nil {
			t.Error(err)
		}
	}
	return r, steps, struck
}

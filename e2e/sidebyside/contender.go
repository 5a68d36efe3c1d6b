package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"baton/e2e/batonproc"
	"baton/e2e/kafka"
)

// contender is a controller that plays.
type contender struct {
	name string
	// broker is how the real broker is set, which is idle beside Baton.
	broker func(*kafka.Options)
	baton  bool     // Baton controls beside the broker; otherwise the broker itself does
	only   []string // scenarios that it plays; nil: all
}

func (c *contender) plays(scenario string) bool {
	return c.only == nil || slices.Contains(c.only, scenario)
}

const brokerHeapMB = 1024 // Kafka's own default

func shipped(o *kafka.Options) {
	o.ControllerLog, o.StateChangeLog = "TRACE", "INFO" // config/log4j.properties of 3.9
}

func tuned(o *kafka.Options) {
	o.ControllerLog, o.StateChangeLog = "WARN", "WARN"
	o.Overrides["zookeeper.max.in.flight.requests"] = "1000"
}

var contenders = []contender{
	{name: "kafka", broker: shipped},
	{name: "tuned", broker: tuned, only: []string{"failover", "lost", "shutdown"}},
	{name: "baton", broker: shipped, baton: true},
}

// process is the one that controls.
type process struct {
	id   int
	pid  int
	addr string
	// liveHeap asks for what is reachable after a forced garbage collection, in bytes.
	liveHeap func(ctx context.Context) (int64, error)
	baton    *batonproc.Baton // nil of a broker
}

func brokerProcess(b *kafka.Broker) process {
	return process{id: b.ID(), pid: b.PID(), addr: b.Addr(), liveHeap: func(ctx context.Context) (int64, error) { return javaHeap(ctx, b.PID()) }}
}

// startBaton starts one that says after each garbage collection how much was live.
func startBaton(ctx context.Context, env kafka.Env, c *kafka.Cluster, id int) (process, error) {
	b, err := batonproc.New(ctx, env, batonproc.Options{Cluster: c, ID: id, Environ: []string{"GODEBUG=gctrace=1"}})
	if err != nil {
		return process{}, err
	}
	return process{id: b.ID(), pid: b.PID(), addr: b.Addr(), baton: b, liveHeap: func(ctx context.Context) (int64, error) { return goHeap(ctx, b) }}, nil
}

// javaHeap uses the JDK's jcmd: GC.run is System.gc(), which is a full collection.
func javaHeap(ctx context.Context, pid int) (int64, error) {
	for range 2 { // the second one gets what finalizers of the first have let go
		if out, err := exec.CommandContext(ctx, "jcmd", strconv.Itoa(pid), "GC.run").CombinedOutput(); err != nil {
			return 0, fmt.Errorf("jcmd GC.run: %w: %s", err, out)
		}
	}
	out, err := exec.CommandContext(ctx, "jcmd", strconv.Itoa(pid), "GC.heap_info").CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("jcmd GC.heap_info: %w: %s", err, out)
	}
	m := heapUsed.FindSubmatch(out)
	if m == nil {
		return 0, fmt.Errorf("jcmd GC.heap_info: no heap in %q", out)
	}
	kb, err := strconv.ParseInt(string(m[1]), 10, 64)
	return kb << 10, err
}

var heapUsed = regexp.MustCompile(`heap\s+total \d+K, used (\d+)K`)

// goHeap has the profile of the heap collect the garbage first, and asks the metrics what is left.
func goHeap(ctx context.Context, b *batonproc.Baton) (int64, error) {
	if status, _, err := b.Get(ctx, "/debug/pprof/heap?gc=1"); err != nil || status != http.StatusOK {
		return 0, fmt.Errorf("/debug/pprof/heap: %d, %w", status, err)
	}
	_, text, err := b.Get(ctx, "/metrics")
	if err != nil {
		return 0, err
	}
	bytes, ok := metric(text, "go_memstats_heap_alloc_bytes")
	if !ok {
		return 0, fmt.Errorf("/metrics says nothing of go_memstats_heap_alloc_bytes")
	}
	return int64(bytes), nil
}

// metric finds the value of one by its name and, as they are printed, its labels.
func metric(text, name string) (float64, bool) {
	for line := range strings.Lines(text) {
		if v, ok := strings.CutPrefix(line, name+" "); ok {
			f, err := strconv.ParseFloat(strings.TrimSpace(v), 64)
			return f, err == nil
		}
	}
	return 0, false
}

var gcLine = regexp.MustCompile(`^gc \d+ @.* \d+->\d+->(\d+) MB`)

// liveAtMost is the most that was live after any of the collections in a Go process's output, in bytes.
func liveAtMost(output io.Reader) (most int64, err error) {
	in := bufio.NewReader(output)
	for {
		line, err := in.ReadBytes('\n')
		if m := gcLine.FindSubmatch(bytes.TrimSpace(line)); m != nil {
			mb, _ := strconv.ParseInt(string(m[1]), 10, 64)
			most = max(most, mb<<20)
		}
		if err != nil {
			if err == io.EOF {
				err = nil
			}
			return most, err
		}
	}
}

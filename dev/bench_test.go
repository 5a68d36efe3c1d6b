package dev

import (
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
)

// BenchmarkStart10000 is controller dev with 10,000 partitions of three replicas: how long until ZooKeeper, brokers and both
// Batons are up, how long from the first request to create them until all partitions are led, and what the whole world,
// brokers and ZooKeeper included, then holds in memory: live on the heap, and of the machine at most so far.
func BenchmarkStart10000(b *testing.B) {
	for b.Loop() {
		start := time.Now()
		w, err := Start(b.Context(), Options{Topics: 10, Partitions: 1000, Patience: 3 * time.Minute}, NewScreen(io.Discard, false))
		if err != nil {
			b.Fatal(err)
		}
		up := time.Now()
		err = w.CreateTopics(b.Context())
		led := time.Now()
		if err != nil {
			w.Close()
			b.Fatal(err)
		}
		runtime.GC()
		runtime.GC() // the second one frees what pools held on to
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		b.ReportMetric(float64(up.Sub(start).Milliseconds()), "ms-until-up")
		b.ReportMetric(float64(led.Sub(up).Milliseconds()), "ms-until-10000-led")
		b.ReportMetric(float64(m.HeapAlloc)/(1<<20), "MB-heap-live")
		if mb := peakMB(); mb > 0 {
			b.ReportMetric(mb, "MB-peak-rss")
		}
		w.Close()
	}
}

// peakMB is the most memory the process has had, 0 where the system does not tell.
func peakMB() float64 {
	status, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(status)) {
		if fields := strings.Fields(line); len(fields) == 3 && fields[0] == "VmHWM:" {
			kb, _ := strconv.ParseFloat(fields[1], 64)
			return kb / 1024
		}
	}
	return 0
}

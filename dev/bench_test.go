package dev

import (
	"io"
	"runtime"
	"testing"
	"time"
)

// BenchmarkStart10000 is controller dev with 10,000 partitions of three replicas: how long until both Batons take part,
// until every partition is led, and what the whole world, brokers and ZooKeeper included, then holds in memory.
func BenchmarkStart10000(b *testing.B) {
	for b.Loop() {
		start := time.Now()
		w, err := Start(b.Context(), Options{Topics: 10, Partitions: 1000}, NewScreen(io.Discard, false))
		if err != nil {
			b.Fatal(err)
		}
		up := time.Since(start)
		err = w.CreateTopics(b.Context())
		led := time.Since(start)
		if err != nil {
			w.Close()
			b.Fatal(err)
		}
		runtime.GC()
		runtime.GC() // the second one frees what pools held on to
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		b.ReportMetric(float64(up.Milliseconds()), "ms-until-up")
		b.ReportMetric(float64(led.Milliseconds()), "ms-until-led")
		b.ReportMetric(float64(m.HeapAlloc)/(1<<20), "MB-live")
		w.Close()
	}
}

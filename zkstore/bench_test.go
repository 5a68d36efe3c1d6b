package zkstore

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"baton/epoch"
	"baton/partition"
	"baton/planner"

	"github.com/go-zookeeper/zk"
)

// manyStates makes n partitions' state znodes, of 50 partitions a topic as in e2e/sidebyside, under a claim.
func manyStates(tb testing.TB, cfg Config, n int) (*Session, *Store, []planner.Write) {
	tb.Helper()
	s, err := Connect(tb.Context(), cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(s.Close)
	if err := s.EnsurePaths(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	if _, err := s.conn.Create(s.abs(pathControllerEpoch), []byte("5"), 0, zk.WorldACL(zk.PermAll)); err != nil {
		tb.Fatal(err)
	}
	st := s.Store(epoch.Fence{Epoch: 5, Version: 0})
	writes := make([]planner.Write, n)
	creates := make([]planner.Write, n)
	for i := range n {
		id := partition.ID{Topic: fmt.Sprintf("topic-%05d", i/50), Number: int32(i % 50)}
		if i%50 == 0 {
			if _, err := s.conn.Create(s.abs(topicPath(id.Topic)), nil, 0, zk.WorldACL(zk.PermAll)); err != nil {
				tb.Fatal(err)
			}
		}
		creates[i] = planner.Write{Seq: uint64(i), Body: planner.CreateState{ID: id, State: stateOf(1, 0, 1, 2, 3)}}
		writes[i] = planner.Write{Seq: uint64(i), Body: planner.SetState{ID: id, State: stateOf(2, 0, 2, 3)}}
	}
	bad := 0
	err = st.Commit(tb.Context(), creates, func(rs []planner.Result) {
		for _, r := range rs {
			if r.Outcome != planner.Applied {
				bad++
			}
		}
	})
	if err != nil || bad > 0 {
		tb.Fatal(err, bad)
	}
	return s, st, writes
}

// Conditional sets, as when a broker is lost. On a real ZooKeeper, unless -short; that has a small heap, so there are but 20,000.
func BenchmarkCommit(b *testing.B) {
	const n = 20_000
	addr, chroot := testServer(b)
	_, st, writes := manyStates(b, Config{Servers: []string{addr}, Chroot: chroot, SessionTimeout: 10 * time.Second}, n)
	version := int32(0)
	for _, size := range []int{100, 200, 350, 500, 1000} {
		b.Run(fmt.Sprintf("batch=%d", size), func(b *testing.B) {
			st.s.cfg.MaxBatch = size
			var first time.Duration
			b.ReportAllocs()
			for b.Loop() {
				for i := range writes {
					w := writes[i].Body.(planner.SetState)
					w.State.PartitionEpoch = epoch.Partition(version)
					writes[i].Body = w
				}
				version++
				begun := time.Now()
				var once sync.Once
				if err := st.Commit(b.Context(), writes, func(rs []planner.Result) {
					once.Do(func() { first += time.Since(begun) })
					if rs[0].Outcome != planner.Applied {
						b.Error(rs[0])
					}
				}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "sets/s")
			b.ReportMetric(float64(first.Microseconds())/1000/float64(b.N), "ms-first")
		})
	}
}

// The states of a new topic, with the znodes above them.
func BenchmarkCreateStates(b *testing.B) {
	addr, chroot := testServer(b)
	for _, size := range []int{200, 500, 1000} {
		b.Run(fmt.Sprintf("batch=%d", size), func(b *testing.B) {
			for n := 0; b.Loop(); n++ {
				cfg := Config{Servers: []string{addr}, Chroot: fmt.Sprintf("%s-%d-%d", chroot, size, n), SessionTimeout: 10 * time.Second, MaxBatch: size}
				b.StopTimer()
				_, st, _ := manyStates(b, cfg, 1)
				id := func(i int) partition.ID { return partition.ID{Topic: "topic-00000", Number: int32(i)} }
				var creates []planner.Write
				for i := range 5000 {
					creates = append(creates, planner.Write{Seq: uint64(i), Body: planner.CreateState{ID: id(i + 1), State: stateOf(1, 0, 1, 2, 3)}})
				}
				b.StartTimer()
				if err := st.Commit(b.Context(), creates, func([]planner.Result) {}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(5000*float64(b.N)/b.Elapsed().Seconds(), "states/s")
		})
	}
}

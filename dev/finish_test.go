package dev

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"baton/partition"
)

// A partition that could be led and is not is a failure: here nobody is left to elect.
func TestFinishWithoutAController(t *testing.T) {
	t.Parallel() // it mostly waits for sessions to end
	w, out := begin(t)
	for _, b := range w.batons {
		must(t, w.KillBaton(b))
	}
	p, _ := w.history.Partition(partition.ID{Topic: "orders"})
	must(t, w.Kill(p.State.Leader))
	must(t, w.await(t.Context(), "the end of the leader's session", func() bool { return !w.led(p) }))
	w.o.Patience = time.Second // there is nothing to wait for
	err := w.Finish(t.Context())
	t.Logf("%s\n%v", out, err)
	if err == nil || !strings.Contains(err.Error(), "orders-0 can be led and is not") {
		t.Errorf("a partition without a leader is no failure: %v", err)
	}
	if !strings.Contains(out.String(), "is not there any more, and the controller has not come to it yet") {
		t.Error("it is not explained")
	}
}

// A loss is a failure: the one broker that has everything comes back with an empty disk.
func TestFinishAfterALoss(t *testing.T) {
	t.Parallel() // it mostly waits for sessions to end
	w, out := begin(t)
	must(t, w.ShrinkToDead(t.Context(), ledger))
	p, _ := w.history.Partition(ledger)
	lone := p.State.ISR[0]
	w.cluster.Brokers[lone-1] = newSimulated(lone, Site{Options: w.o, Net: w.net}, w.cluster.ZooKeeper)
	w.brokers[lone-1] = &broker{Broker: w.cluster.Brokers[lone-1]}
	must(t, w.brokers[lone-1].Start(t.Context()))
	must(t, w.await(t.Context(), "a leader", func() bool { p, _ := w.history.Partition(ledger); return w.led(p) }))
	err := w.Finish(t.Context())
	t.Logf("%s\n%v", out, err)
	if err == nil || !strings.Contains(err.Error(), "lost") {
		t.Errorf("a loss is no failure: %v", err)
	}
}

// begin starts a small world under load.
func begin(t *testing.T) (*World, *transcript) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	out := &transcript{}
	w, err := Start(ctx, Options{Topics: 1, Partitions: 1}, NewScreen(out, false))
	must(t, err)
	t.Cleanup(w.Close)
	must(t, w.CreateTopics(ctx))
	must(t, w.Produce())
	must(t, w.Progress(ctx))
	return w, out
}

// transcript is what a screen has shown so far; the world may still be talking.
type transcript struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *transcript) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *transcript) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

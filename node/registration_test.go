package node

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"baton/cluster"
	"baton/epoch"
)

// Baton is in /brokers/ids while a broker up to 2.8 is live, and not after its term.
func TestRegistrationForOldBrokers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		s, err := w.connect(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		live := map[int32]bool{1: true, 2: true}
		start := func(fence int32) *registration {
			ctx, cancel := context.WithCancel(context.Background())
			r := &registration{s: s, fence: epoch.Fence{Version: fence}, log: zap.NewNop(), wake: make(chan struct{}, 1), done: make(chan struct{}),
				old: map[int32]bool{}, stop: cancel}
			r.view = func(context.Context) (cluster.Broker, map[int32]bool, error) { return cluster.Broker{ID: 7}, live, nil }
			go r.run(ctx)
			return r
		}
		is := func(when string, want ...int32) {
			t.Helper()
			synctest.Wait()
			w.mu.Lock()
			defer w.mu.Unlock()
			if !slices.Equal(w.asBroker, want) {
				t.Errorf("%s: registered %v, want %v", when, w.asBroker, want)
			}
		}
		newer, older := map[int16][2]int16{allocateProducerIDsKey: {}}, map[int16][2]int16{4: {0, 4}}

		r := start(5)
		r.learned(1, newer)
		is("new brokers only")
		w.failing("register broker", 1)
		r.learned(2, older)
		is("refused")
		time.Sleep(2 * time.Second)
		is("tried again", 7)
		r.learned(1, newer)
		is("still one old broker", 7)
		r.learned(2, newer)
		is("upgraded")
		r.learned(2, older)
		is("downgraded", 7)
		live = map[int32]bool{1: true}
		r.learned(1, newer)
		is("the old broker is gone")
		live = map[int32]bool{1: true, 2: true}
		r.learned(2, older)
		is("back", 7)
		w.failing("unregister broker", 1)
		r.end()
		r.end()
		time.Sleep(2 * time.Second)
		is("the term is over")

		r = start(4)
		r.learned(2, older)
		time.Sleep(5 * time.Second)
		is("under an old fence")
		r.end()
		s.expire()
	})
}

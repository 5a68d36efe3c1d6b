package node

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"baton/metrics"
	"baton/planner"
	"baton/server"
)

func TestSeriesOfBrokersThatAreGoneEnd(t *testing.T) {
	reg := prometheus.NewRegistry()
	set, err := metrics.New(reg, nil, metrics.Build{})
	if err != nil {
		t.Fatal(err)
	}
	o := &observer{node: &Node{log: zap.NewNop(), metrics: set}, brokers: map[int32]bool{}}
	series := func() (n int) {
		families, err := reg.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			for _, m := range f.Metric {
				for _, l := range m.Label {
					if l.GetName() == "broker" || l.GetName() == "broker_id" {
						n++
					}
				}
			}
		}
		return n
	}
	o.Stats(planner.Stats{Brokers: map[int32]planner.BrokerStats{1: {}, 2: {}}})
	both := series()
	o.Stats(planner.Stats{Brokers: map[int32]planner.BrokerStats{1: {}}})
	one := series()
	o.close()
	if both == 0 || one*2 != both || series() != 0 {
		t.Errorf("%d series with two brokers, %d with one, %d after the term", both, one, series())
	}
}

// Clients do not wait for a claim to be loaded, a broker answers them.
func TestViewsWhileLoading(t *testing.T) {
	inWorld(t, 0, func(t *testing.T, w *world) {
		loaded := make(chan struct{})
		w.load = func(context.Context) error { <-loaded; return nil }
		a := w.join(t, a1, Standby)
		time.Sleep(time.Second)
		c := endpointController{a.Node}
		begun := time.Now()
		if err := c.View(context.Background(), func(planner.View) {}); !errors.Is(err, server.ErrNotActive) || time.Since(begun) > 0 {
			t.Errorf("%v after %v", err, time.Since(begun))
		}
		close(loaded)
		time.Sleep(time.Second)
		if err := c.View(context.Background(), func(planner.View) {}); err != nil {
			t.Error(err)
		}
	})
}

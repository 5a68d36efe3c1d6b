package controller

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"baton/cluster"
	"baton/partition"
	"baton/planner"
	"baton/recovery"
)

func question1(token uint64) planner.Measure {
	return planner.Measure{Token: token, Within: 5000, Asks: []planner.Ask{{Broker: cluster.Broker{ID: 1, Epoch: 10},
		Logs: []planner.AskedLog{{ID: partition.ID{Topic: "t"}, Epoch: 3}}}}}
}

// TestMeasuringIsBounded: some at once, the others wait; those that have waited too long are answered without asking anybody,
// and the answers come back as events.
func TestMeasuringIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		var silent atomic.Bool
		silent.Store(true)
		r.measurer.answer = func(ctx context.Context, q planner.Measure) []planner.MeasuredLog {
			if silent.Load() {
				<-ctx.Done()
			}
			return []planner.MeasuredLog{{Broker: 1, ID: q.Asks[0].Logs[0].ID, Log: &recovery.Log{End: 7}}}
		}
		r.start(t)
		var qs []planner.Measure
		for n := range uint64(measuresAtOnce + 2) {
			qs = append(qs, question1(n))
		}
		start := time.Now()
		r.measuring.ask(qs)
		time.Sleep(4 * time.Second)
		synctest.Wait()
		if _, most := r.measurer.underWay(); most != measuresAtOnce || len(r.observer.measurements()) > 0 {
			t.Fatalf("%d at once, %d answered", most, len(r.observer.measurements()))
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if n := r.observer.count("Measured"); n != len(qs) || time.Since(start) > 7*time.Second {
			t.Errorf("%d of %d came back", n, len(qs))
		}
		for _, m := range r.observer.measurements() {
			if m.Token >= measuresAtOnce && len(m.logs) > 0 {
				t.Errorf("%d waited for longer than it had, and was asked for all the same", m.Token)
			}
		}
		silent.Store(false)
		r.measuring.ask([]planner.Measure{question1(99)})
		synctest.Wait()
		if got := r.observer.measurements()[len(qs)]; got.Token != 99 || len(got.logs) != 1 || got.logs[0].Log.End != 7 {
			t.Errorf("%+v", got)
		}
		stop(r)
		_ = r.ended()
	})
}

// TestMeasuringEndsWithTheTerm: whoever is asked is let go.
func TestMeasuringEndsWithTheTerm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.measurer.answer = func(ctx context.Context, _ planner.Measure) []planner.MeasuredLog {
			<-ctx.Done()
			return nil
		}
		r.start(t)
		r.measuring.ask([]planner.Measure{question1(1)})
		synctest.Wait()
		begun := time.Now()
		stop(r)
		_ = r.ended()
		if now, _ := r.measurer.underWay(); time.Since(begun) > 0 || now != 0 {
			t.Errorf("%d still under way after %s", now, time.Since(begun))
		}
	})
}

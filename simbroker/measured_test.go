package simbroker

import (
	"context"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"baton/measure"
	"baton/partition"
	"baton/recovery"

	"github.com/twmb/franz-go/pkg/kgo"
)

// measureAll measures t-0 on all three brokers.
func (w *world) measureAll() (out []measure.Measured) {
	w.Helper()
	home := w.net.Host("operator")
	m := measure.Measurer{Timeout: 5 * time.Second,
		Dial: func(ctx context.Context, addr string) (net.Conn, error) { return home.Dial(ctx, addr) }}
	wanted := []measure.Wanted{}
	for _, addr := range []string{"b1:9092", "b2:9092", "b3:9092"} {
		wanted = append(wanted, measure.Wanted{Addr: addr, Logs: []measure.Partition{{ID: partition.ID{Topic: "t"}, Epoch: w.state.LeaderEpoch}}})
	}
	for _, one := range m.Measure(context.Background(), wanted) {
		out = append(out, one[0])
	}
	return out
}

// TestMeasured follows the incident: a leader alone in the ISR is lost, and comes back.
func TestMeasured(t *testing.T) {
	inWorld(t, func(w *world) {
		cl := w.client()
		defer cl.Close()
		if err := w.produce(cl, 4); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		w.net.Cut("b1", "b3")
		w.elect(1, 1, 2) // epoch 1
		lone := w.client(kgo.DisableIdempotentWrite(), kgo.RequiredAcks(kgo.LeaderAck()))
		defer lone.Close()
		if err := w.produce(lone, 3); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		w.net.Cut("b1", "b2")
		if err := w.produce(lone, 2); err != nil {
			t.Fatal(err)
		}
		w.check("cut off", &recovery.Log{End: 9, Last: recovery.Exactly(1)}, &recovery.Log{End: 7, Last: recovery.Exactly(1)},
			&recovery.Log{End: 4, Last: recovery.Exactly(0)})
		w.kill(1)
		w.elect(-1, 1)
		w.kill(2)
		w.start(2)
		w.check("lost, the second one restarted and told nothing", nil, nil, &recovery.Log{End: 4, Last: recovery.Exactly(0)})
		w.tellLive()
		w.tell()
		w.check("told that nobody leads", nil, &recovery.Log{End: 7, Last: recovery.Exactly(1)}, &recovery.Log{End: 4, Last: recovery.Exactly(0)})
		w.start(1)
		w.tellLive()
		w.tell()
		w.check("back, told that nobody leads", &recovery.Log{End: 9, Last: recovery.Exactly(1)}, &recovery.Log{End: 7, Last: recovery.Exactly(1)},
			&recovery.Log{End: 4, Last: recovery.Exactly(0)})
	})
}

func (w *world) check(when string, want ...*recovery.Log) {
	w.Helper()
	synctest.Wait()
	for i, got := range w.measureAll() {
		if (got.Log == nil) != (want[i] == nil) || got.Log != nil && *got.Log != *want[i] {
			w.Errorf("%s: broker %d: %+v %s, want %+v", when, i+1, got.Log, got.Silent, want[i])
		}
	}
}

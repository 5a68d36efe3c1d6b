package sim

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"baton/measure"
	"baton/partition"
	"baton/recovery"
	"baton/sim/history"
)

// TestRescue: brokers fall behind and die one after another while messages flow, until the last of the ISR is gone. Those that are back
// are live together before the time of `wait` is over; then of each partition the one leads whose log loses least, and before
// that nobody. In some worlds a broker restarts or the Baton changes in between.
func TestRescue(t *testing.T) {
	n := uint64(16 / slower)
	if testing.Short() {
		n = 4
	}
	differ := 0
	for seed := range n {
		var r Result
		w := newRescue(seed + 1)
		inBubble(t, func() { r = w.run(w.liveRescue) })
		if r.Err != nil {
			t.Errorf("seed %d: %v\n%.20000s", seed+1, r.Err, r.Trace)
		}
		differ += w.differ
	}
	t.Logf("%d worlds, in which %d partitions had a choice", n, differ)
	if differ == 0 {
		t.Error("nowhere was there anything to choose")
	}
}

// rescue is a world for TestRescue.
type rescue struct {
	*world
	differ int // partitions whose replicas had different logs
}

func newRescue(seed uint64) *rescue {
	w := newWorld(Config{Seed: seed})
	w.mix = mix{brokers: 3, batons: 2, minISR: 1, latency: 3 * time.Millisecond, rescues: topicName + "=wait"}
	for range partitions {
		list := []int32{1, 2, 3}
		w.rng.Shuffle(3, func(i, j int) { list[i], list[j] = list[j], list[i] })
		w.mix.lists = append(w.mix.lists, list)
	}
	return &rescue{world: w}
}

// waitFor polls in fake time.
func (w *rescue) waitFor(what string, within time.Duration, ok func([]history.Partition) bool) error {
	for begun := time.Now(); ; time.Sleep(100 * time.Millisecond) {
		if err := w.broken(); err != nil {
			return err
		}
		ps := w.history.Partitions()
		if ok(ps) {
			return nil
		}
		if time.Since(begun) > within {
			return fmt.Errorf("%s: not within %v: %+v", what, within, ps)
		}
	}
}

func all(is func(history.State) bool) func([]history.Partition) bool {
	return func(ps []history.Partition) bool {
		return !slices.ContainsFunc(ps, func(p history.Partition) bool { return !is(p.State) })
	}
}

func (w *rescue) liveRescue(ctx context.Context) error {
	for n := range int32(partitions) {
		w.history.AllowUnclean(partition.ID{Topic: topicName, Number: n}, true)
	}
	order := w.rng.Perm(3)
	for i, at := range order {
		time.Sleep(time.Duration(1+w.rng.IntN(4)) * time.Second)
		w.crash(w.brokers[at], false)
		left := 2 - i
		if err := w.waitFor("the ISR to shrink", time.Minute, all(func(s history.State) bool {
			return len(s.ISR) == max(left, 1) && (s.Leader == history.NoLeader) == (left == 0)
		})); err != nil {
			return err
		}
	}
	lost := time.Now()
	back := []*machine{w.brokers[order[0]], w.brokers[order[1]]}
	for _, m := range back {
		w.revive(ctx, m)
	}
	time.Sleep(10 * time.Second)
	switch w.rng.IntN(3) {
	case 0:
		w.crash(back[0], false)
		w.revive(ctx, back[0])
		time.Sleep(10 * time.Second)
	case 1:
		w.killBaton(w.batons[0])
		time.Sleep(15 * time.Second)
	}
	logs, err := w.logs(ctx, back)
	if err != nil {
		return err
	}
	if err := w.waitFor("leaders", 2*time.Minute, all(func(s history.State) bool { return s.Leader != history.NoLeader })); err != nil {
		return err
	}
	if early := time.Since(lost); early < 55*time.Second {
		return fmt.Errorf("leaders after %v, the ISR had a minute", early)
	}
	for _, p := range w.history.Partitions() {
		a, b := logs[0][p.ID.Number], logs[1][p.ID.Number]
		order := recovery.Compare(*a.Log, *b.Log)
		if order != recovery.Equal {
			w.differ++
		}
		if behind := map[recovery.Order]int32{recovery.Ahead: back[1].b.ID(), recovery.Behind: back[0].b.ID()}[order]; p.State.Leader == behind {
			return fmt.Errorf("%v is led by %d; %d has %+v, %d has %+v", p.ID, p.State.Leader, back[0].b.ID(), *a.Log, back[1].b.ID(), *b.Log)
		}
	}
	w.heal(ctx)
	return w.waitFor("all to be well", time.Minute, func([]history.Partition) bool {
		for _, m := range w.brokers {
			w.revive(ctx, m)
		}
		return w.unwell() == nil
	})
}

// logs are what brokers have of each partition, by number.
func (w *rescue) logs(ctx context.Context, of []*machine) ([][]measure.Measured, error) {
	var wanted []measure.Wanted
	for _, m := range of {
		x := measure.Wanted{Broker: m.b.ID(), Addr: m.host + ":9092"}
		for n := range int32(partitions) {
			x.Logs = append(x.Logs, measure.Partition{ID: partition.ID{Topic: topicName, Number: n}, Epoch: 1 << 20})
		}
		wanted = append(wanted, x)
	}
	out := measure.Measurer{Dial: w.net.Host(client).Dial}.Measure(ctx, wanted)
	for i, logs := range out {
		for _, l := range logs {
			if l.Log == nil {
				return nil, fmt.Errorf("%s: %s", of[i].host, l.Silent)
			}
		}
	}
	return out, nil
}

package sim

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"baton/e2e/load"
	"baton/partition"
	"baton/sim/history"
	"baton/simbroker"
)

// within is how long a healthy world may take until all is well: three times what it needs at the worst, and less than
// the minute in which a Baton reads everything again, so that a lost watch shows. steady is for how long it has to stay so.
const (
	within = 40 * time.Second
	steady = 2 * time.Second
)

// settle is the liveness phase.
func (w *world) settle(ctx context.Context) error {
	var why error
	begun, since := time.Now(), time.Time{}
	for {
		for _, m := range w.brokers {
			w.revive(ctx, m) // one that was stopping when the faults ended
		}
		why = w.unwell()
		switch {
		case why != nil:
			since = time.Time{}
		case since.IsZero():
			since = time.Now()
			w.well = time.Since(begun)
		case time.Since(since) >= steady:
			return w.readBack(ctx)
		}
		if err := w.broken(); err != nil {
			return err
		}
		if time.Since(begun) > within {
			return fmt.Errorf("not well %v after the faults ended: %w", within, why)
		}
		time.Sleep(500 * time.Millisecond)
	}
}

// unwell says what is missing in a healthy world.
func (w *world) unwell() error {
	role := w.history.Role()
	if !slices.ContainsFunc(w.batons, func(b *baton) bool { return b.id == role.Holder }) {
		return fmt.Errorf("no Baton holds the role (%d does)", role.Holder)
	}
	if left := w.history.Unfinished(); len(left) > 0 {
		return fmt.Errorf("unfinished: %s", strings.Join(left, ", "))
	}
	ps := w.history.Partitions()
	if len(ps) < partitions {
		return fmt.Errorf("%d partitions", len(ps))
	}
	if err := w.unkept(ps); err != nil {
		return err
	}
	for _, p := range ps {
		if !p.Led() {
			return fmt.Errorf("%v has no leader, ISR %v of %v", p.ID, p.State.ISR, p.Replicas)
		}
		if len(p.State.ISR) != len(p.Replicas) {
			return fmt.Errorf("%v: ISR %v of %v", p.ID, p.State.ISR, p.Replicas)
		}
	}
	for _, m := range w.brokers {
		m.mu.Lock()
		settled := m.up && !m.leaving
		m.mu.Unlock()
		if !settled {
			return fmt.Errorf("%s is stopping, or starting", m.host)
		}
		if err := w.memory(m, role.Holder); err != nil {
			return fmt.Errorf("%s: %w", m.host, err)
		}
	}
	return nil
}

// memory compares what a broker knows with ZooKeeper.
func (w *world) memory(m *machine, controller int32) error {
	mem, ok := m.b.Knowledge()
	if !ok {
		return fmt.Errorf("does not run")
	}
	if mem.Controller != controller {
		return fmt.Errorf("takes %d for the controller, not %d", mem.Controller, controller)
	}
	if len(mem.Live) != len(w.brokers)+1 { // and the Baton
		return fmt.Errorf("live brokers %v", mem.Live)
	}
	ps := w.history.Partitions()
	for id := range mem.Cache {
		if !slices.ContainsFunc(ps, func(p history.Partition) bool { return p.ID == id }) && !w.history.MayRemember(id.Topic, m.b.ID()) {
			return fmt.Errorf("metadata of %v, which is gone", id)
		}
	}
	if err := w.strays(m, mem, ps); err != nil {
		return err
	}
	for _, p := range ps {
		s := p.State
		if k := mem.Cache[p.ID]; k.Leader != s.Leader || k.LeaderEpoch != s.LeaderEpoch || !sameSet(k.ISR, s.ISR) {
			return fmt.Errorf("metadata of %v is %+v, not %+v", p.ID, k, s)
		}
		if !slices.Contains(p.Replicas, m.b.ID()) {
			continue
		}
		k, role := mem.Replicas[p.ID], "follows"
		if s.Leader == m.b.ID() {
			role = "leads"
		}
		if k.Leader != s.Leader || k.LeaderEpoch != s.LeaderEpoch || k.Role != role || role == "leads" && !sameSet(k.ISR, s.ISR) {
			return fmt.Errorf("replica of %v is %+v, not %s at %+v", p.ID, k, role, s)
		}
	}
	return nil
}

// strays: a broker has logs of what it hosts, and of nothing else.
func (w *world) strays(m *machine, mem simbroker.Knowledge, ps []history.Partition) error {
	hosts := map[partition.ID]bool{}
	for _, p := range ps {
		if slices.Contains(p.Replicas, m.b.ID()) {
			hosts[p.ID] = true
		}
	}
	for _, id := range mem.Logs {
		if !hosts[id] && !w.history.MayStray(id, m.b.ID()) {
			return fmt.Errorf("has a log of %v", id)
		}
	}
	for id, k := range mem.Replicas {
		if k.Role != "" && !hosts[id] && !w.history.MayStray(id, m.b.ID()) {
			return fmt.Errorf("%s %v", k.Role, id)
		}
	}
	for id := range hosts {
		if !slices.Contains(mem.Logs, id) {
			return fmt.Errorf("has no log of %v", id)
		}
	}
	return nil
}

func sameSet(a, b []int32) bool {
	a, b = slices.Clone(a), slices.Clone(b)
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(a, b)
}

// readBack: what was acknowledged is there, once and in order, but where Kafka cannot promise it.
func (w *world) readBack(ctx context.Context) error {
	before := w.load.Acked()
	w.acked = before
	written, err := w.load.Stop(ctx)
	w.load = nil
	if err != nil {
		return fmt.Errorf("the producer, %d acknowledged: %w", before, err)
	}
	for t := range written.Acked {
		if w.history.Excused(partition.ID{Topic: t.Topic, Number: t.Partition}) {
			w.trace.add("%v may have lost what was acknowledged", t)
			delete(written.Acked, t)
			written.Errors, written.FirstErrors = 0, nil // a client that finds data lost gives up
		}
	}
	// A leader that cannot be told that it is none any more has fewer records than its successor, and says so to a client
	// whose metadata is as old. Nothing is lost by that, but franz-go gives up what it has buffered.
	if len(written.FirstErrors) > 0 && errors.Is(written.FirstErrors[0], kerr.OutOfOrderSequenceNumber) {
		written.Errors, written.FirstErrors = 0, nil
	}
	report, err := load.VerifyWith(ctx, w.clientOptions(), written)
	if err != nil {
		return fmt.Errorf("reading back: %w", err)
	}
	w.acked = report.Acked
	w.trace.add("%v", report)
	return report.Err()
}

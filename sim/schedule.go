package sim

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"baton/e2e/load"
)

// mix is what a seed chooses once for the whole run: a run with few kinds of faults gets deeper into each.
type mix struct {
	brokers, batons, minISR int
	steps                   int
	twoActives              bool
	lastBlind               bool          // the last fault is one that nobody tells the leading Baton of
	operations              bool          // an operator is at work
	lists                   [][]int32     // replicas of the topic that is written to; nil: drawn
	rescues                 string        // unclean.recovery.strategy.topics
	elections               bool          // brokers race for the role, and do nothing with it
	pace                    time.Duration // between two steps, on average
	latency                 time.Duration // of a message, at most
	weights                 [kinds]int
}

func (m mix) String() string {
	var parts []string
	for k, n := range m.weights {
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%s %d", kindNames[k], n))
		}
	}
	return fmt.Sprintf("%d brokers, %d Batons, min ISR %d, %d steps each %v, latency %v: %s", m.brokers, m.batons, m.minISR, m.steps, m.pace, m.latency, strings.Join(parts, ", "))
}

func newMix(rng *rand.Rand) mix {
	m := mix{brokers: 3 + rng.IntN(2), batons: 1 + min(rng.IntN(4), 1), minISR: 1 + rng.IntN(2), steps: 6 + rng.IntN(14),
		pace:    []time.Duration{50 * time.Millisecond, 400 * time.Millisecond, 2 * time.Second}[rng.IntN(3)],
		latency: []time.Duration{300 * time.Microsecond, 3 * time.Millisecond, 30 * time.Millisecond}[rng.IntN(3)]}
	m.twoActives = rng.IntN(3) == 0
	m.lastBlind = rng.IntN(3) == 0
	if m.operations = rng.IntN(2) == 0; m.operations {
		m.steps += 4
	}
	for k := range m.weights {
		if rng.IntN(2) == 0 {
			m.weights[k] = 1 + rng.IntN(4)
		}
	}
	for k := firstOperation; k < kinds; k++ {
		m.weights[k] *= 2 // as there are many kinds of faults
		if !m.operations {
			m.weights[k] = 0
		}
	}
	m.weights[crashBroker] = max(m.weights[crashBroker], 1)
	m.weights[reviveBroker] = max(m.weights[reviveBroker], 1)
	return m
}

// Result of a run.
type Result struct {
	Err    error
	Trace  string
	Acked  int
	Writes int // of partition states
	Epochs int32
	Well   time.Duration // from the end of the faults until all was well
}

// Run lives one seed. It has to be called in a bubble of testing/synctest.
func Run(cfg Config) Result {
	w := newWorld(cfg)
	return w.run(w.live)
}

// run lives what a world is for, once it has started and messages flow.
func (w *world) run(live func(context.Context) error) (r Result) {
	if err := w.open(); err != nil {
		return Result{Err: err}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	err := w.start(ctx)
	if err == nil {
		err = w.produce(ctx, load.Partitions(topicName, partitions))
	}
	if err == nil {
		err = live(ctx)
	}
	if w.load != nil {
		w.acked = w.load.Acked()
		stop, cancelStop := context.WithCancel(ctx)
		cancelStop()
		_, _ = w.load.Stop(stop)
	}
	if err != nil {
		w.trace.add("FAILED: %v", err)
	}
	cancel() // of brokers that are starting
	w.close()
	r.Acked = w.acked
	if err == nil {
		err = w.broken() // while all came to its end
	}
	if err == nil {
		err = w.journalled()
	}
	r.Well = w.well
	r.Err, r.Trace, r.Writes, r.Epochs = err, w.trace.text(), w.history.Writes(), w.history.Role().Epoch
	return r
}

func (w *world) live(ctx context.Context) error {
	for range w.mix.steps {
		w.step(ctx)
		time.Sleep(time.Duration(w.rng.Int64N(int64(2 * w.mix.pace))))
		if err := w.broken(); err != nil {
			return err
		}
	}
	if w.mix.lastBlind {
		w.lastBlind(ctx)
	}
	w.heal(ctx)
	return w.settle(ctx)
}

// broken is what has not held so far.
func (w *world) broken() error {
	w.mu.Lock()
	v := append(w.history.Violations(), w.violations...)
	w.mu.Unlock()
	if len(v) > 0 {
		return fmt.Errorf("broken invariants:\n  %s", strings.Join(v, "\n  "))
	}
	return nil
}

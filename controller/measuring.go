package controller

import (
	"context"
	"sync"
	"time"

	"baton/planner"
)

// Measurer asks brokers what their replicas' logs hold. It answers with what it has when ctx ends; logs that it leaves out
// count as silent.
type Measurer interface {
	Measure(ctx context.Context, q planner.Measure) []planner.MeasuredLog
}

// measuresAtOnce is how many measurements are under way at a time; others wait, and their time goes on.
const measuresAtOnce = 4

// measuring carries out what plans want measured, beside the loop and the executor: brokers that do not answer hold up nothing
// else. What waits is bounded by what the machine asks for before it has given an earlier question up.
type measuring struct {
	term *Term

	mu     sync.Mutex
	waits  []question
	signal chan struct{} // one slot: there is something
}

type question struct {
	planner.Measure
	until time.Time
}

func newMeasuring(t *Term) *measuring { return &measuring{term: t, signal: make(chan struct{}, 1)} }

// ask starts measurements; it never waits.
func (x *measuring) ask(qs []planner.Measure) {
	if len(qs) == 0 {
		return
	}
	x.mu.Lock()
	for _, q := range qs {
		x.waits = append(x.waits, question{q, time.Now().Add(time.Duration(q.Within) * time.Millisecond)})
	}
	x.mu.Unlock()
	select {
	case x.signal <- struct{}{}:
	default:
	}
}

func (x *measuring) take() []question {
	x.mu.Lock()
	defer x.mu.Unlock()
	out := x.waits
	x.waits = nil
	return out
}

// run measures until ctx ends, and returns when nothing is under way any more.
func (x *measuring) run(ctx context.Context) {
	var wg sync.WaitGroup
	defer wg.Wait()
	slots := make(chan struct{}, measuresAtOnce)
	for {
		select {
		case <-ctx.Done():
			return
		case <-x.signal:
		}
		for _, q := range x.take() {
			select {
			case <-ctx.Done():
				return
			case slots <- struct{}{}:
			}
			wg.Go(func() {
				defer func() { <-slots }()
				x.measure(ctx, q)
			})
		}
	}
}

// measure asks, unless the question has waited for so long that nobody is interested in its answer.
func (x *measuring) measure(ctx context.Context, q question) {
	ctx, cancel := context.WithDeadline(ctx, q.until)
	defer cancel()
	start := time.Now()
	var logs []planner.MeasuredLog
	if ctx.Err() == nil {
		logs = x.term.measurer.Measure(ctx, q.Measure)
	}
	x.term.observer.Measured(q.Measure, logs, time.Since(start))
	x.term.queue.push(planner.Measured{Token: q.Token, Logs: logs})
}

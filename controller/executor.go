package controller

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"baton/planner"
)

// writers is how many commits are under way at once: a batch that meets a conflict
// must not hold up the ISR changes behind it.
const writers = 4

// executor carries plans out. It decides nothing: what becomes of a write, a read or a
// request goes back into the queue as an event.
type executor struct {
	term *Term

	mu      sync.Mutex
	writes  []planner.Write
	reads   []planner.Read
	verify  bool
	busy    int           // commits under way
	idle    chan struct{} // closed when draining and nothing is left
	signal  chan struct{}
	drained bool // no new work is begun
}

func newExecutor(t *Term) *executor {
	return &executor{term: t, signal: make(chan struct{}, 1), idle: make(chan struct{})}
}

// carryOut starts a plan's effects; it never waits for I/O.
func (x *executor) carryOut(p planner.Plan) error {
	if len(p.Decisions)+len(p.Learned) > 0 {
		x.term.observer.Planned(x.term.fence, p.Decisions, p.Learned)
	}
	for _, n := range p.Notes {
		x.term.observer.Note(x.term.fence, n)
	}
	x.deliver(p.Replies)
	if p.Resign != "" {
		return fmt.Errorf("resigning: %s", p.Resign)
	}
	if len(p.Channels) > 0 {
		x.term.channels.Apply(p.Channels)
	}
	for _, r := range p.Requests {
		x.term.observer.Sending(x.term.fence, r)
		x.term.channels.Send(r)
	}
	x.term.measuring.ask(p.Measures)
	if p.RereadBrokers {
		x.term.store.RereadBrokers()
	}
	if len(p.Writes)+len(p.Reads) > 0 || p.Reclaim {
		x.mu.Lock()
		x.writes = append(x.writes, p.Writes...)
		x.reads = append(x.reads, p.Reads...)
		x.verify = x.verify || p.Reclaim
		x.mu.Unlock()
		x.wake()
	}
	return nil
}

func (x *executor) wake() {
	select {
	case x.signal <- struct{}{}:
	default:
	}
}

func (x *executor) deliver(replies []planner.Reply) {
	t := x.term
	for _, r := range replies {
		t.mu.Lock()
		ch := t.calls[r.Token]
		delete(t.calls, r.Token)
		t.mu.Unlock()
		if ch != nil {
			ch <- r.Body
		}
	}
}

// run does the I/O of plans until the first error that ends the role.
func (x *executor) run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	defer wg.Wait()
	slots := make(chan struct{}, writers)
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-x.signal:
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case slots <- struct{}{}: // what comes while all are busy goes out together
		}
		work := x.takeWork()
		wg.Go(func() {
			defer func() { <-slots }()
			defer x.finished()
			if err := x.do(ctx, work); err != nil {
				cancel(err)
			}
		})
	}
}

type work struct {
	writes []planner.Write
	reads  []planner.Read
	verify bool
}

func (x *executor) takeWork() work {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.busy++
	if x.drained {
		return work{}
	}
	w := work{x.writes, x.reads, x.verify}
	x.writes, x.reads, x.verify = nil, nil, false
	return w
}

func (x *executor) finished() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.busy--
	if x.drained && x.busy == 0 {
		select {
		case <-x.idle:
		default:
			close(x.idle)
		}
	}
}

// drain lets the multis in flight finish and begins no others (handback's order).
func (x *executor) drain(ctx context.Context) {
	x.mu.Lock()
	x.drained = true
	if x.busy == 0 {
		x.mu.Unlock()
		return
	}
	x.mu.Unlock()
	select {
	case <-x.idle:
	case <-ctx.Done():
	}
}

func (x *executor) do(ctx context.Context, w work) error {
	t := x.term
	if w.verify {
		if err := t.store.VerifyFence(ctx); err != nil {
			return err
		}
		return ErrReclaim
	}
	if len(w.writes) > 0 {
		err := t.store.Commit(ctx, w.writes, func(rs []planner.Result) { t.queue.push(planner.Committed{Results: rs}) })
		if err != nil {
			return fmt.Errorf("writing to ZooKeeper: %w", err)
		}
	}
	for _, r := range w.reads {
		if err := x.read(ctx, r); err != nil {
			return err
		}
	}
	return nil
}

func (x *executor) read(ctx context.Context, r planner.Read) error {
	t := x.term
	if r.TopicConfig != "" {
		t.store.WatchTopicConfig(r.TopicConfig)
	}
	if len(r.States) == 0 {
		return nil
	}
	states, err := t.store.ReadStates(ctx, r.States)
	switch {
	case err == nil:
		t.queue.push(planner.Refreshed{States: states})
	case errors.Is(err, context.Canceled):
	default:
		return fmt.Errorf("reading partition states: %w", err)
	}
	return nil
}

// eventName is an event's type without its package, for metrics.
func eventName(ev planner.Event) string {
	if c, ok := ev.(planner.Call); ok {
		return strings.TrimPrefix(fmt.Sprintf("%T", c.Body), "planner.")
	}
	return strings.TrimPrefix(fmt.Sprintf("%T", ev), "planner.")
}

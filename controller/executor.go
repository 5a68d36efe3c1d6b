package controller

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"baton/planner"
)

// writers is how many commits of one class are under way at once: a batch that meets a
// conflict must not hold up what is behind it.
const writers = 4

// executor carries plans out. It decides nothing: what becomes of a write, a read or a
// request goes back into the queue as an event.
type executor struct {
	term *Term

	mu      sync.Mutex
	waiting [planner.Classes]work // by class of the writes; reads go with Loss
	signals [planner.Classes]chan struct{}
	busy    int           // commits under way
	idle    chan struct{} // closed when draining and nothing is left
	drained bool          // no new work is begun
}

func newExecutor(t *Term) *executor {
	x := &executor{term: t, idle: make(chan struct{})}
	for c := range x.signals {
		x.signals[c] = make(chan struct{}, 1)
	}
	return x
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
		x.add(p)
	}
	return nil
}

func (x *executor) add(p planner.Plan) {
	x.mu.Lock()
	for _, w := range p.Writes {
		x.waiting[w.Class].writes = append(x.waiting[w.Class].writes, w)
	}
	reads := &x.waiting[planner.Loss]
	reads.reads = append(reads.reads, p.Reads...)
	reads.verify = reads.verify || p.Reclaim
	x.mu.Unlock()
	for c := range x.signals {
		select {
		case x.signals[c] <- struct{}{}:
		default:
		}
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
	for c := range planner.Class(planner.Classes) {
		wg.Go(func() { x.runClass(ctx, c, cancel) })
	}
	<-ctx.Done()
	return context.Cause(ctx)
}

func (x *executor) runClass(ctx context.Context, c planner.Class, cancel context.CancelCauseFunc) {
	var wg sync.WaitGroup
	defer wg.Wait()
	slots := make(chan struct{}, writers)
	for {
		select {
		case <-ctx.Done():
			return
		case <-x.signals[c]:
		}
		select {
		case <-ctx.Done():
			return
		case slots <- struct{}{}: // what comes while all are busy goes out together
		}
		work, ok := x.takeWork(c)
		if !ok {
			<-slots
			continue
		}
		wg.Go(func() {
			defer func() { <-slots }()
			defer x.finished()
			if err := x.do(ctx, work, committed(c)); err != nil {
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

func (x *executor) takeWork(c planner.Class) (w work, ok bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	w, x.waiting[c] = x.waiting[c], work{}
	if x.drained || len(w.writes)+len(w.reads) == 0 && !w.verify {
		return w, false
	}
	x.busy++
	return w, true
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

func (x *executor) do(ctx context.Context, w work, outcomes class) error {
	t := x.term
	if w.verify {
		if err := t.store.VerifyFence(ctx); err != nil {
			return err
		}
		return ErrReclaim
	}
	if len(w.writes) > 0 {
		err := t.store.Commit(ctx, w.writes, func(rs []planner.Result) {
			_ = t.queue.add(entry{event: planner.Committed{Results: rs}, class: outcomes}) // dropped after close, as its role is over
		})
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

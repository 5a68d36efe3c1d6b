package controller

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"baton/epoch"
	"baton/partition"
	"baton/planner"
)

// ErrNotActive answers calls to a process that does not hold the role.
var ErrNotActive = errors.New("this process is not the active controller")

// ErrReclaim ends a term whose epoch is lower than one a broker has seen.
var ErrReclaim = errors.New("a broker knows a higher controller epoch; claiming again")

// Store is what a term needs of ZooKeeper; zkstore.Store is one.
type Store interface {
	Load(ctx context.Context) (*planner.Claimed, error)
	Run(ctx context.Context, sink func(planner.Event)) error
	Commit(ctx context.Context, writes []planner.Write, done func([]planner.Result)) error
	ReadStates(ctx context.Context, ids []partition.ID) ([]planner.StateRead, error)
	WatchTopicConfig(topic string)
	RereadBrokers()
	VerifyFence(ctx context.Context) error
}

// Channels is what a term needs of the brokers; channel.Manager is one.
type Channels interface {
	Apply([]planner.ChannelChange)
	Send(planner.Request)
	Close()
}

// Observer hears what happens, for logs and metrics; it must not block.
type Observer interface {
	Note(fence epoch.Fence, n planner.Note)
	// Planned hears what was decided before it is written, and what came of earlier writes.
	Planned(fence epoch.Fence, decided []*planner.Decision, learned []planner.Learned)
	Event(name string, waited, took time.Duration)
	QueueSize(n int)
	Sending(fence epoch.Fence, r planner.Request)
	Answered(fence epoch.Fence, a planner.BrokerReplied)
	// Measured is called from any goroutine, with what was asked and what came of it within took.
	Measured(q planner.Measure, logs []planner.MeasuredLog, took time.Duration)
	// Stats is called now and then, when something may have changed.
	Stats(planner.Stats)
	// Timed hears how long a piece of work took, when it is done.
	Timed(fence epoch.Fence, p Phases)
}

// Term is one claim from the moment it is won until it is over. Its loop is the one
// goroutine that owns the machine.
type Term struct {
	fence    epoch.Fence
	store    Store
	channels Channels
	measurer Measurer
	observer Observer
	started  time.Time

	queue     *queue
	machine   *planner.Machine
	exec      *executor
	measuring *measuring
	phases    *phases
	nextStats time.Time
	open      atomic.Bool // the gate: false from the first doubt on, and never true again
	ready     chan struct{}
	done      chan struct{}
	stopping  context.Context
	stop      context.CancelCauseFunc
	progress  atomic.Int64 // when the loop last finished something, Unix nanoseconds

	mu    sync.Mutex
	token uint64
	calls map[uint64]chan planner.ReplyBody
}

// NewTerm returns a term that does nothing before SetChannels, SetMeasurer and Run.
func NewTerm(fence epoch.Fence, store Store, observer Observer) *Term {
	t := &Term{fence: fence, store: store, observer: observer, done: make(chan struct{}), started: time.Now(),
		queue: newQueue(), machine: planner.New(), ready: make(chan struct{}), calls: map[uint64]chan planner.ReplyBody{}}
	t.stopping, t.stop = context.WithCancelCause(context.Background())
	t.open.Store(true)
	t.progress.Store(time.Now().UnixNano())
	t.exec, t.measuring = newExecutor(t), newMeasuring(t)
	t.phases = newPhases(t.started, func(p Phases) { observer.Timed(fence, p) })
	return t
}

// SetChannels gives the term its brokers' channels; they report to Push.
func (t *Term) SetChannels(c Channels) { t.channels = c }

// SetMeasurer gives the term who asks brokers for their logs.
func (t *Term) SetMeasurer(m Measurer) { t.measurer = m }

// Push adds an event to the queue.
func (t *Term) Push(ev planner.Event) { t.queue.push(ev) }

// Ready is closed when the image has been loaded.
func (t *Term) Ready() <-chan struct{} { return t.ready }

// Done is closed when Run has returned.
func (t *Term) Done() <-chan struct{} { return t.done }

// Progress is when the loop last finished something.
func (t *Term) Progress() time.Time { return time.Unix(0, t.progress.Load()) }

// Fence returns the claim this term stands on.
func (t *Term) Fence() epoch.Fence { return t.fence }

// Stop ends the term for a reason and waits for it. With drain the writes in flight
// finish first, for as long as ctx lasts, and no others are begun. Run must have been
// or be about to be started. It may be called more than once, but not from the loop
// (a View, an Observer), which it waits for.
func (t *Term) Stop(ctx context.Context, reason error, drain bool) {
	if drain {
		t.exec.drain(ctx)
	}
	// At once: the loop may be in the middle of a long step before it notices.
	t.open.Store(false)
	t.stop(reason)
	<-t.done
}

// Open reports whether frames may still be started; false from the first doubt on.
func (t *Term) Open() bool { return t.open.Load() }

// Run loads the cluster, leads it, and returns why that ended. When it returns no
// frame is or will be written, and every call has been answered.
func (t *Term) Run(ctx context.Context, prepare func(*planner.Claimed)) error {
	ctx, cancelCause := context.WithCancelCause(ctx)
	// The gate closes with whatever ends the term, not when the loop gets to notice.
	cancel := func(cause error) {
		t.open.Store(false)
		cancelCause(cause)
	}
	defer cancel(nil)
	defer close(t.done)
	defer context.AfterFunc(t.stopping, func() { cancel(context.Cause(t.stopping)) })()
	var wg sync.WaitGroup
	loaded, err := t.store.Load(ctx)
	if err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx) // who ended it says more than that it was ended
		}
		err = fmt.Errorf("loading the cluster: %w", err)
		t.end(err)
		return err
	}
	prepare(loaded)
	t.queue.push(*loaded)
	close(t.ready)
	wg.Go(func() { cancel(fmt.Errorf("watching ZooKeeper: %w", t.store.Run(ctx, t.queue.push))) })
	wg.Go(func() { cancel(t.exec.run(ctx)) })
	wg.Go(func() { t.tick(ctx) })
	wg.Go(func() { t.measuring.run(ctx) })
	cancel(t.loop(ctx))
	err = context.Cause(ctx)
	t.end(err)
	wg.Wait()
	return err
}

func (t *Term) tick(ctx context.Context) {
	ticker := time.NewTicker(250 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			t.queue.push(planner.Tick{})
		}
	}
}

// loop steps the machine until ctx ends or the machine wants to resign.
func (t *Term) loop(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-t.queue.signal:
		}
		t.observer.QueueSize(t.queue.size())
		for {
			e, ok := t.queue.take()
			if !ok {
				break
			}
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if err := t.handle(e); err != nil {
				return err
			}
			t.progress.Store(time.Now().UnixNano())
			t.publish()
		}
	}
}

// publish counts anew at most every second, and so seldom that counting takes no more
// than a twentieth of the loop's time on a cluster of any size.
func (t *Term) publish() {
	start := time.Now()
	if start.Before(t.nextStats) || !t.machine.Active() {
		return
	}
	t.observer.Stats(t.machine.Stats())
	t.nextStats = start.Add(max(time.Second, 20*time.Since(start)))
}

func (t *Term) now() planner.Millis { return planner.Millis(time.Since(t.started).Milliseconds()) }

func (t *Term) handle(e entry) error {
	start := time.Now()
	if e.view != nil {
		e.view(t.machine)
		return nil
	}
	plan := t.machine.Step(t.now(), e.event)
	if a, ok := e.event.(planner.BrokerReplied); ok {
		t.observer.Answered(t.fence, a)
	}
	t.phases.step(e.event, e.since, time.Now(), &plan)
	err := t.exec.carryOut(plan)
	if plan.Again {
		t.queue.push(planner.Continue{}) // behind what has come meanwhile
	}
	t.observer.Event(eventName(e.event), start.Sub(e.since), time.Since(start))
	return err
}

// end closes the gate and the channels, and answers everything that is open.
func (t *Term) end(reason error) {
	t.open.Store(false)
	if t.channels != nil {
		t.channels.Close()
	}
	text := "stopped"
	if reason != nil {
		text = reason.Error()
	}
	rest := t.queue.close()
	plan := t.machine.Step(t.now(), planner.RoleLost{Reason: text})
	t.exec.deliver(plan.Replies)
	for _, e := range rest {
		if c, ok := e.event.(planner.Call); ok {
			t.exec.deliver(t.machine.Step(t.now(), c).Replies)
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for token, ch := range t.calls {
		close(ch) // views and calls that came too late for the queue
		delete(t.calls, token)
	}
}

// Call hands a call to the machine and waits for its answer.
func (t *Term) Call(ctx context.Context, body planner.CallBody) (planner.ReplyBody, error) {
	select {
	case <-t.ready:
	case <-t.done:
		return nil, ErrNotActive
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	ch := make(chan planner.ReplyBody, 1)
	t.mu.Lock()
	t.token++
	token := t.token
	t.calls[token] = ch
	t.mu.Unlock()
	call := planner.Call{Token: token, Body: body}
	if err := t.queue.add(entry{event: call, class: classOf(call)}); err != nil {
		t.forget(token)
		return nil, err
	}
	select {
	case r, ok := <-ch:
		if !ok {
			return nil, ErrNotActive
		}
		return r, nil
	case <-ctx.Done():
		t.forget(token)
		return nil, ctx.Err()
	}
}

func (t *Term) forget(token uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.calls, token)
}

// View runs f on the loop's goroutine and waits for it: f only copies, as everything
// else waits meanwhile. After an error f has not run and will not.
func (t *Term) View(ctx context.Context, f func(planner.View)) error {
	return t.ViewMachine(ctx, func(m *planner.Machine) { f(m.View()) })
}

// ViewMachine is View for readers that need more than the image; f must not step m.
func (t *Term) ViewMachine(ctx context.Context, f func(*planner.Machine)) error {
	select {
	case <-t.ready:
	case <-t.done:
		return ErrNotActive
	case <-ctx.Done():
		return ctx.Err()
	}
	// Taken by whoever comes first, the loop or a caller that waits no longer: f writes to
	// what is the caller's.
	var taken atomic.Bool
	result := make(chan error, 1)
	err := t.queue.add(entry{class: storms, view: func(m *planner.Machine) {
		switch {
		case !taken.CompareAndSwap(false, true):
		case !m.Active():
			result <- ErrNotActive
		default:
			f(m)
			result <- nil
		}
	}})
	if err != nil {
		return err
	}
	select {
	case err = <-result:
		return err
	case <-t.done:
		err = ErrNotActive
	case <-ctx.Done():
		err = ctx.Err()
	}
	if taken.CompareAndSwap(false, true) {
		return err
	}
	return <-result
}

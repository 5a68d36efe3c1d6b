package controller

import (
	"errors"
	"sync"
	"time"

	"baton/planner"
)

// maxCalls bounds the calls from outside that wait in the queue. Events of our own
// need no bound: each answers something that was asked for, and there is at most one
// request under way for each broker and one write for each partition.
const maxCalls = 10_000

// ErrBusy refuses a call while maxCalls others wait.
var ErrBusy = errors.New("too many requests are waiting for the controller")

// entry is one thing for the loop to do: an event, or a look at the image.
type entry struct {
	event planner.Event
	view  func(*planner.Machine)
	since time.Time
}

// queue is the one way into the loop. The loop takes everything there is at once, so a
// burst costs one wake-up.
type queue struct {
	mu      sync.Mutex
	entries []entry
	calls   int
	// A Tick, a Continue waits: a second one would say nothing more.
	ticked, continued bool
	closed            bool
	signal            chan struct{} // one slot: there is something
}

func newQueue() *queue { return &queue{signal: make(chan struct{}, 1)} }

// push adds an event; after close it is dropped, because its role is over.
func (q *queue) push(ev planner.Event) { _ = q.add(entry{event: ev}) }

// add refuses a call when too many wait, and anything after close. A Tick or Continue
// that finds another one waiting is left out, so that a slow loop is not flooded with them.
func (q *queue) add(e entry) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return ErrNotActive
	}
	switch e.event.(type) {
	case planner.Call:
		if q.calls >= maxCalls {
			return ErrBusy
		}
		q.calls++
	case planner.Tick:
		if q.ticked {
			return nil
		}
		q.ticked = true
	case planner.Continue:
		if q.continued {
			return nil
		}
		q.continued = true
	}
	e.since = time.Now()
	q.entries = append(q.entries, e)
	select {
	case q.signal <- struct{}{}:
	default:
	}
	return nil
}

// take returns everything that waits, in order; buf is reused.
func (q *queue) take(buf []entry) []entry {
	q.mu.Lock()
	defer q.mu.Unlock()
	out := q.entries
	q.entries = buf[:0]
	q.calls, q.ticked, q.continued = 0, false, false
	return out
}

// close refuses everything from now on and returns what still waits.
func (q *queue) close() []entry {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	out := q.entries
	q.entries = nil
	return out
}

package controller

import (
	"errors"
	"slices"
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
	class class
	since time.Time
}

// class is what an entry goes before. A broker's death and an ISR change must not wait behind ten thousand new topics or fifty thousand
// leaders on their way home, nor behind what has come of those.
//
// Within a class entries keep their order: a broker's answers and what becomes of its connection, the reports of topics, calls of one
// kind; and which ids are Batons' is heard before they are seen among the brokers. Between classes there is no order to keep.
// BrokersChanged is a whole list, and channels belong to one registration in it. A
// partition has one write under way at a time, so its outcomes are in order in any class. They may overtake a Refreshed of the same
// partition and the other way round, as they do on their way here, from other goroutines; the machine goes by versions.
type class int

const (
	urgent  class = iota // deaths, ISR changes and what comes of them
	answers              // what comes of the rest that must not wait, and time
	storms               // what there may be very many of, and looks at the image, which see all that came before
	classes
)

// classOf is for what does not say it itself.
func classOf(ev planner.Event) class {
	switch e := ev.(type) {
	case planner.BatonsChanged, planner.BrokersChanged, planner.ISRChanged, planner.LogDirFailed, planner.RoleLost, planner.Claimed:
		return urgent
	case planner.Call:
		switch e.Body.(type) {
		case planner.AlterPartition, planner.ControlledShutdown:
			return urgent
		}
	case planner.ChannelUp, planner.ChannelDown, planner.BrokerReplied, planner.Refreshed, planner.TopicConfigRead, planner.Measured, planner.SettingsChanged, planner.Tick, planner.Continue:
		return answers
	}
	return storms
}

// committed is the class of the outcomes of writes.
func committed(of planner.Class) class {
	return [planner.Classes]class{planner.Storm: storms, planner.Loss: answers, planner.ISR: urgent}[of]
}

// patience is how many entries of higher classes go before one that waits.
const patience = 50

// queue is the one way into the loop.
type queue struct {
	mu      sync.Mutex
	waiting [classes][]entry
	passed  [classes]int // how many of higher classes went before the first of each
	calls   int
	// A Tick, a Continue waits: a second one would say nothing more.
	ticked, continued bool
	closed            bool
	signal            chan struct{} // one slot: there is something
}

func newQueue() *queue { return &queue{signal: make(chan struct{}, 1)} }

// push adds an event; after close it is dropped, because its role is over.
func (q *queue) push(ev planner.Event) { _ = q.add(entry{event: ev, class: classOf(ev)}) }

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
	q.waiting[e.class] = append(q.waiting[e.class], e)
	select {
	case q.signal <- struct{}{}:
	default:
	}
	return nil
}

// size is how many entries wait.
func (q *queue) size() (n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, w := range q.waiting {
		n += len(w)
	}
	return n
}

// take returns the next entry, of the highest class in which one waits that has not waited for too many others.
func (q *queue) take() (e entry, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	next := classes
	for c := storms; c >= urgent; c-- {
		if len(q.waiting[c]) > 0 && (next == classes || q.passed[next] < patience) {
			next = c
		}
	}
	if next == classes {
		return e, false
	}
	for c := next + 1; c < classes; c++ {
		if len(q.waiting[c]) > 0 {
			q.passed[c]++
		}
	}
	q.passed[next] = 0
	e = q.waiting[next][0]
	q.waiting[next][0] = entry{} // it may be large, and the array stays for a while
	if q.waiting[next] = q.waiting[next][1:]; len(q.waiting[next]) == 0 {
		q.waiting[next] = nil
	}
	switch e.event.(type) {
	case planner.Call:
		q.calls--
	case planner.Tick:
		q.ticked = false
	case planner.Continue:
		q.continued = false
	}
	return e, true
}

// close refuses everything from now on and returns what still waits.
func (q *queue) close() []entry {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	out := slices.Concat(q.waiting[:]...)
	q.waiting = [classes][]entry{}
	return out
}

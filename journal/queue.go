package journal

import (
	"sync"
	"time"

	"baton/journal/entry"
	"baton/planner"
)

// maxQueued bounds what waits to be written, in rows: partitions decided about, told of, and the like.
const maxQueued = 500_000

// item is something to be written; entries are made of it by the writer, as the controller's loop has no time.
type item struct {
	at    time.Time
	epoch int32
	what  any // []*planner.Decision, []planner.Learned, planner.Request, answer, entry.Note, entry.Entry
	rows  int
}

type answer struct {
	planner.BrokerReplied
	took time.Duration
}

// queue never blocks who adds: what is too much is dropped and counted.
type queue struct {
	mu      sync.Mutex
	items   []item
	rows    int
	max     int
	dropped int // items since the last take
	signal  chan struct{}
}

func (q *queue) add(i item) {
	q.mu.Lock()
	if q.rows+i.rows > q.max && len(q.items) > 0 {
		q.dropped++
	} else {
		q.items, q.rows = append(q.items, i), q.rows+i.rows
	}
	q.mu.Unlock()
	select {
	case q.signal <- struct{}{}:
	default:
	}
}

// take returns what waits; buf is reused.
func (q *queue) take(buf []item) (items []item, dropped int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	items, dropped = q.items, q.dropped
	clear(buf)
	q.items, q.rows, q.dropped = buf[:0], 0, 0
	return items, dropped
}

// entries are what an item comes to.
func (i item) entries() []entry.Entry {
	switch what := i.what.(type) {
	case []*planner.Decision:
		return entry.OfDecisions(i.epoch, what)
	case []planner.Learned:
		return entry.OfOutcomes(i.epoch, what)
	case planner.Request:
		return []entry.Entry{entry.OfRequest(i.epoch, what)}
	case answer:
		return []entry.Entry{entry.OfAnswer(i.epoch, what.BrokerReplied, what.took.Milliseconds())}
	case entry.Note:
		return []entry.Entry{{Kind: entry.Noted, Epoch: i.epoch, Notes: []entry.Note{what}}}
	case entry.Entry:
		what.Epoch = i.epoch
		return []entry.Entry{what}
	}
	return nil
}

// Package journal keeps what the controller decided, wrote, told brokers and heard from them, on disk and within
// bounds, and copies of what other Batons keep, so that `controller history` and `controller why` can be answered when
// a holder and its disk are gone. What an entry is, is package entry's.
//
// Nobody waits for it: the controller's loop puts things into a bounded queue, one goroutine makes entries of them and
// writes them. What does not fit is counted, and the count is an entry. A disk that is full or away is named once, and
// tried again; the cluster is led all the same.
//
// Each entry is written at once and flushed to the disk within a second: kill -9 loses what was not in the file yet, at
// most the last record is torn, and that is cut off when the journal is opened; a power failure may lose a second.
package journal

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"time"

	"go.uber.org/zap"

	"baton/journal/entry"
	"baton/planner"
)

// Metrics hears how a journal is doing; it must not block.
type Metrics interface {
	Written(entries int)
	Dropped(items int)
	Failing(failing bool)
	Size(own, copies int64)
}

// Options are what a Journal is made of.
type Options struct {
	Dir      string // journal.dir
	MaxBytes int64  // journal.max.bytes: of this Baton's journals and of copies of others', half each
	Baton    int32
	Log      *zap.Logger
	Metrics  Metrics
	// Sink, if set, takes the records instead of Dir.
	Sink io.Writer
}

// Journal is this process's. Its methods may be called from any goroutine; a nil Journal does nothing.
type Journal struct {
	o      Options
	d      *directory
	origin Origin
	q      *queue
	now    func() time.Time

	// The writer's own.
	out     *appender
	seq     uint64
	failing bool
	lost    int // items not written while failing
	retry   time.Time

	mu      sync.Mutex
	changed chan struct{}        // closed and replaced with every write
	sent    map[uint64]time.Time // requests without an answer, by number
}

// New returns a Journal that writes nothing before Run.
func New(o Options) *Journal {
	j := &Journal{o: o, d: &directory{path: o.Dir, self: o.Baton, max: o.MaxBytes / 2, active: map[Origin]bool{}},
		origin: Origin{o.Baton, time.Now().UnixMilli()}, q: &queue{max: maxQueued, signal: make(chan struct{}, 1)}, now: time.Now,
		changed: make(chan struct{}), sent: map[uint64]time.Time{}}
	return j
}

// Planned records what was decided and what came of earlier decisions.
func (j *Journal) Planned(epoch int32, decided []*planner.Decision, learned []planner.Learned) {
	if j == nil {
		return
	}
	if len(learned) > 0 {
		j.q.add(item{j.now(), epoch, learned, len(learned)})
	}
	if len(decided) > 0 {
		j.q.add(item{j.now(), epoch, decided, len(decided)})
	}
}

// Sending records a request to a broker, Answered its answer.
func (j *Journal) Sending(epoch int32, r planner.Request) {
	if j == nil {
		return
	}
	rows := 1
	for _, t := range r.Topics {
		rows += len(t.Partitions)
	}
	at := j.now()
	j.mu.Lock()
	if len(j.sent) > 10_000 { // of connections that broke
		clear(j.sent)
	}
	j.sent[r.Seq] = at
	j.mu.Unlock()
	j.q.add(item{at, epoch, r, rows})
}

// Answered records the answer to a request.
func (j *Journal) Answered(epoch int32, a planner.BrokerReplied) {
	if j == nil {
		return
	}
	at := j.now()
	j.mu.Lock()
	took := time.Duration(0)
	if sent, ok := j.sent[a.Seq]; ok {
		took = at.Sub(sent)
		delete(j.sent, a.Seq)
	}
	j.mu.Unlock()
	j.q.add(item{at, epoch, answer{a, took}, 1 + len(a.Partitions)})
}

// Note records a line of the controller's log, unless its content is recorded anyway.
func (j *Journal) Note(epoch int32, n planner.Note) {
	if j == nil {
		return
	}
	if note, ok := entry.OfNote(n); ok {
		j.q.add(item{j.now(), epoch, note, 1})
	}
}

// Add records what the process itself knows: a Role, a Command.
func (j *Journal) Add(epoch int32, e entry.Entry) {
	if j != nil {
		j.q.add(item{j.now(), epoch, e, 1})
	}
}

// Origin names this journal.
func (j *Journal) Origin() Origin { return j.origin }

// Run writes until ctx ends and nothing waits any more.
func (j *Journal) Run(ctx context.Context) {
	if j == nil {
		return
	}
	var buf []item
	var dropped int
	flush := time.NewTimer(syncAfter)
	flush.Stop()
	defer flush.Stop()
	armed := false
	for over := false; !over; {
		select {
		case <-ctx.Done():
			over = true
		case <-j.q.signal:
		case <-flush.C:
			armed = false
			j.flush()
			continue
		}
		buf, dropped = j.q.take(buf)
		if j.write(buf, dropped) && !armed {
			armed = true
			flush.Reset(syncAfter)
		}
	}
	if j.out != nil {
		if err := j.out.close(); err != nil {
			j.fail(err)
		}
	}
}

func (j *Journal) flush() {
	if j.out == nil {
		return
	}
	if err := j.out.sync(); err != nil {
		j.fail(err)
	}
	if own, copies, err := j.d.sizes(); err == nil {
		j.o.Metrics.Size(own, copies)
	}
}

// maxWrite bounds one write to the file.
const maxWrite = 1 << 20

// write makes entries of items and writes them; it reports whether there is something to flush.
func (j *Journal) write(items []item, dropped int) bool {
	if dropped > 0 {
		j.o.Metrics.Dropped(dropped)
		j.lost += dropped
	}
	if len(items) == 0 && j.lost == 0 || !j.ready(len(items)) {
		return false
	}
	if j.lost > 0 {
		items = append([]item{{at: j.now(), what: entry.Entry{Kind: entry.Dropped, Count: j.lost,
			Text: fmt.Sprintf("%d steps of the controller are missing here: they came faster than they could be written, or the disk failed", j.lost)}}}, items...)
		j.lost = 0
	}
	w := batch{j: j, first: j.seq + 1, limit: maxWrite}
	if j.out != nil {
		w.limit = min(w.limit, int(j.out.segment))
	}
	for n, i := range items {
		for _, e := range i.entries() {
			e.At = i.at.UTC()
			w.add(e)
		}
		if n+1 == len(items) {
			w.put()
		}
		if w.err != nil {
			j.seq = w.first - 1
			j.fail(w.err)
			j.lose(len(items) - n)
			return false
		}
	}
	return true
}

// batch is records on their way to the file, some at a time.
type batch struct {
	j      *Journal
	frames []byte
	first  uint64
	limit  int
	err    error // after which nothing more is written
}

func (w *batch) add(e entry.Entry) {
	if w.err != nil {
		return
	}
	w.j.seq++
	e.Seq = w.j.seq
	text, err := json.Marshal(e)
	if err != nil { // an Entry is made of what JSON can say
		panic(fmt.Sprintf("journal: %v", err))
	}
	if len(w.frames) > 0 && len(w.frames)+len(text)+headLen+1 > w.limit {
		w.j.seq--
		w.put()
		w.j.seq++
	}
	w.frames = appendFrame(w.frames, text)
}

func (w *batch) put() {
	if w.err != nil || len(w.frames) == 0 {
		return
	}
	if w.err = w.j.put(w.frames, w.first); w.err == nil {
		w.j.o.Metrics.Written(int(w.j.seq - w.first + 1)) //nolint:gosec // a few
		w.frames, w.first = w.frames[:0], w.j.seq+1
	}
}

func (j *Journal) put(frames []byte, first uint64) error {
	if j.o.Sink != nil {
		_, err := j.o.Sink.Write(frames)
		return err
	}
	if err := j.out.write(frames, first, j.seq); err != nil {
		return err
	}
	if j.failing {
		j.failing = false
		j.o.Metrics.Failing(false)
		j.o.Log.Info("the journal goes on")
	}
	j.mu.Lock()
	close(j.changed)
	j.changed = make(chan struct{})
	j.mu.Unlock()
	return nil
}

// retryAfter is how long a directory that fails is left alone.
const retryAfter = 5 * time.Second

// ready opens the journal if it is not open; items that cannot be written are counted.
func (j *Journal) ready(items int) bool {
	if j.o.Sink != nil {
		return true
	}
	if j.now().Before(j.retry) {
		j.lose(items)
		return false
	}
	if j.out == nil {
		err := j.d.prepare()
		if err == nil {
			j.out, err = j.d.open(j.origin)
		}
		if err != nil {
			j.fail(err)
			j.lose(items)
			return false
		}
		j.seq = max(j.seq, j.out.last)
	}
	return true
}

func (j *Journal) lose(items int) {
	j.lost += items
	if items > 0 {
		j.o.Metrics.Dropped(items)
	}
}

// fail says once that the journal cannot be written; it is tried again.
func (j *Journal) fail(err error) {
	if j.out != nil {
		_ = j.out.close() // it is opened again, and what is torn cut off
		j.out = nil
	}
	j.retry = j.now().Add(retryAfter)
	if !j.failing {
		j.failing = true
		j.o.Metrics.Failing(true)
		j.o.Log.Error("the journal cannot be written; the cluster is led all the same, and it is tried again", zap.String("journal.dir", j.o.Dir), zap.Error(err))
	}
}

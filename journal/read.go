package journal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"baton/journal/entry"
)

// ErrOff: there is no journal.
var ErrOff = errors.New("no journal is kept: journal.dir is empty")

// Journals lists those that are here and have entries, oldest first.
func (j *Journal) Journals() ([]entry.Info, error) {
	if j == nil || j.o.Sink != nil {
		return nil, ErrOff
	}
	origins, err := j.d.origins()
	if err != nil {
		return nil, fmt.Errorf("journal.dir: %w", err)
	}
	var out []entry.Info
	for _, o := range origins {
		first, last, err := j.d.bounds(o)
		if err != nil {
			return nil, fmt.Errorf("journal.dir: %w", err)
		}
		ss, err := j.d.segments(o)
		if err != nil {
			return nil, fmt.Errorf("journal.dir: %w", err)
		}
		i := entry.Info{Origin: o.String(), First: first, Last: last, Live: o == j.origin}
		for _, s := range ss {
			i.Bytes += s.size
		}
		if last > 0 {
			out = append(out, i)
		}
	}
	return out, nil
}

// maxSelected bounds what one answer holds, if the filter does not.
const maxSelected = 20_000

// Select finds what a filter asks for in all journals that are here.
func (j *Journal) Select(ctx context.Context, f entry.Filter) (entry.Answer, error) {
	if j == nil || j.o.Sink != nil {
		return entry.Answer{}, ErrOff
	}
	origins, err := j.d.origins()
	if err != nil {
		return entry.Answer{}, fmt.Errorf("journal.dir: %w", err)
	}
	if f.Limit <= 0 || f.Limit > maxSelected {
		f.Limit = maxSelected
	}
	var a entry.Answer
	for _, o := range origins {
		one, err := j.selectFrom(ctx, o, f)
		if err != nil {
			return a, err
		}
		a = entry.Merge(f, a, one)
	}
	return entry.Merge(f, a), nil
}

func (j *Journal) selectFrom(ctx context.Context, o Origin, f entry.Filter) (entry.Answer, error) {
	h := entry.Holding{Origin: o.String()}
	s := f.Selector()
	var found []entry.Entry
	var last []byte
	damaged, err := j.d.read(o, 0, func(seq uint64, text, _ []byte) bool {
		h.Saw(seq)
		last = append(last[:0], text...)
		if !s.MayMatch(text) {
			return ctx.Err() == nil
		}
		var e entry.Entry
		if json.Unmarshal(text, &e) != nil { // of a later version, perhaps
			h.Damaged++
			return true
		}
		e.Origin = h.Origin
		if e, ok := s.Select(e); ok {
			found = append(found, e)
		}
		if len(found) > 2*f.Limit {
			found = append(found[:0], found[len(found)-f.Limit:]...)
		}
		return ctx.Err() == nil
	})
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return entry.Answer{}, fmt.Errorf("reading the journal: %w", err)
	}
	h.Damaged += damaged
	var e entry.Entry
	if json.Unmarshal(last, &e) == nil {
		h.LastAt = e.At
	}
	if len(h.Ranges) == 0 && h.Damaged == 0 {
		return entry.Answer{}, nil
	}
	return entry.Answer{Entries: found, Journals: []entry.Holding{h}}, nil
}

// Stream writes a journal's records from a number on. It ends with a journal that nobody writes any more; with this
// process's it goes on until ctx ends. flush is called when there is nothing more for the moment.
func (j *Journal) Stream(ctx context.Context, w io.Writer, flush func() error, origin string, from uint64) error {
	o, err := ParseOrigin(origin)
	if err != nil {
		return err
	}
	if j == nil || j.o.Sink != nil {
		return ErrOff
	}
	for {
		j.mu.Lock()
		changed := j.changed
		j.mu.Unlock()
		var werr error
		_, err := j.d.read(o, from, func(seq uint64, _, line []byte) bool {
			from = seq + 1
			_, werr = w.Write(line)
			return werr == nil && ctx.Err() == nil
		})
		if err = errors.Join(err, werr); err == nil {
			err = flush()
		}
		if err != nil || o != j.origin || ctx.Err() != nil {
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil
		}
	}
}

// Copy is another Baton's journal as far as it is here.
type Copy struct {
	a      *appender
	synced time.Time
}

// Copy opens one to add to it; nobody else may have it open.
func (j *Journal) Copy(origin string) (*Copy, error) {
	o, err := ParseOrigin(origin)
	switch {
	case err != nil:
		return nil, err
	case j == nil || j.o.Sink != nil:
		return nil, ErrOff
	case o.Baton == j.o.Baton:
		return nil, fmt.Errorf("%s is a journal of this Baton", origin)
	}
	if err := j.d.prepare(); err != nil {
		return nil, err
	}
	a, err := j.d.open(o)
	if err != nil {
		return nil, err
	}
	return &Copy{a: a}, nil
}

// Last is the number of the last entry that is here, 0 if there is none.
func (c *Copy) Last() uint64 { return c.a.last }

// Add reads records and adds those that are newer, until r ends or fails.
// What is damaged is not taken.
func (c *Copy) Add(r io.Reader) error {
	var frames []byte
	var first uint64
	var werr error
	src := &pausing{r: r, idle: func() {
		if len(frames) > 0 && werr == nil {
			werr = c.a.write(frames, first, c.a.last)
			frames = frames[:0]
		}
		if werr == nil && time.Since(c.synced) >= syncAfter {
			werr, c.synced = c.a.sync(), time.Now()
		}
	}}
	_, _, err := scan(src, func(seq uint64, _, line []byte) bool {
		if seq <= c.a.last {
			return true
		}
		if int64(len(frames)+len(line)) > c.a.segment {
			src.idle()
		}
		if len(frames) == 0 {
			first = seq
		}
		frames, c.a.last = append(frames, line...), seq
		return werr == nil
	})
	src.idle()
	return errors.Join(werr, err, c.a.sync())
}

// pausing calls idle before each read: what was read so far has been looked at then.
type pausing struct {
	r    io.Reader
	idle func()
}

// Read implements io.Reader.
func (p *pausing) Read(b []byte) (int, error) {
	p.idle()
	return p.r.Read(b)
}

// Close ends it.
func (c *Copy) Close() error { return c.a.close() }

// Room is how many bytes copies may take.
func (j *Journal) Room() int64 { return j.d.max }

// Read calls f with each entry of records, as a Sink got them, and counts what is damaged.
func Read(r io.Reader, f func(entry.Entry)) (damaged int, err error) {
	bad := 0
	_, damaged, err = scan(r, func(_ uint64, text, _ []byte) bool {
		var e entry.Entry
		if json.Unmarshal(text, &e) != nil {
			bad++
			return true
		}
		f(e)
		return true
	})
	return damaged + bad, err
}

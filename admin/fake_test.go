package admin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"baton/journal/entry"
	"baton/snapshot"
)

// fakeNode is a Node that does what its functions say.
type fakeNode struct {
	mu       sync.Mutex
	st       Status
	statErr  error
	dead     bool
	notReady string
	takeover func(ctx context.Context, req Request, progress func(string)) error
	handback func(ctx context.Context, req Request, progress func(string)) (Handback, error)
	snapshot func(topics []string) (*snapshot.Document, error)
	asked    []int32
	reqs     []Request
	answer   entry.Answer
	filter   entry.Filter
	local    bool

	measured Measurement
	question Question
	choice   Choice
	elected  error
}

func (f *fakeNode) Measure(_ context.Context, q Question) (Measurement, error) {
	f.question = q
	return f.measured, nil
}

func (f *fakeNode) Elect(_ context.Context, c Choice, req Request) (Elected, error) {
	f.choice, f.reqs = c, append(f.reqs, req)
	return Elected{Leader: c.Leader}, f.elected
}

func (f *fakeNode) Status(context.Context) (Status, error) { return f.st, f.statErr }

func (f *fakeNode) Snapshot(_ context.Context, topics []string) (*snapshot.Document, error) {
	if f.snapshot == nil {
		return nil, Unreachable("this Baton is not active")
	}
	return f.snapshot(topics)
}

func (f *fakeNode) Takeover(ctx context.Context, req Request, progress func(string)) error {
	f.mu.Lock()
	f.reqs = append(f.reqs, req)
	f.mu.Unlock()
	if f.takeover == nil {
		return nil
	}
	return f.takeover(ctx, req, progress)
}

func (f *fakeNode) Handback(ctx context.Context, req Request, progress func(string)) (Handback, error) {
	if f.handback == nil {
		return Handback{Broker: 2, Epoch: 8, Took: 1500 * time.Millisecond}, nil
	}
	return f.handback(ctx, req, progress)
}

func (f *fakeNode) Handover(_ context.Context, to int32, _ Request, _ func(string)) error {
	f.asked = append(f.asked, to)
	return nil
}

func (f *fakeNode) Reload(context.Context, Request) (applied, needsRestart []string, err error) {
	return []string{"log.level"}, nil, nil
}

func (f *fakeNode) Alive() bool           { return !f.dead }
func (f *fakeNode) Ready() (bool, string) { return f.notReady == "", f.notReady }

func (f *fakeNode) History(_ context.Context, filter entry.Filter, local bool) (entry.Answer, error) {
	f.filter, f.local = filter, local
	return f.answer, f.statErr
}

func (f *fakeNode) Journals() ([]entry.Info, error) {
	return []entry.Info{{Origin: "7-1", Last: 3}}, f.statErr
}

func (f *fakeNode) StreamJournal(ctx context.Context, w io.Writer, flush func() error, origin string, from uint64) error {
	if f.statErr != nil {
		return f.statErr
	}
	_, err := fmt.Fprintf(w, "%s from %d\n", origin, from)
	if err = errors.Join(err, flush()); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

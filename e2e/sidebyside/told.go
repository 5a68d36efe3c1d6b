package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"baton/wire"
)

// heard is what a stub was last told of a partition by one kind of request.
type heard struct {
	controller int32 // epoch of the request
	leader     int32
	epoch      int32
	isr        [4]int32
	n          int8
}

func (h *heard) inSync(broker int32) bool { return slices.Contains(h.isr[:h.n], broker) }

// goal is what all stubs have to have been told, and when each was.
type goal struct {
	name string
	// needs says which kinds of requests have to tell a stub of a partition.
	needs func(broker int32, i int) (leaderAndISR, metadata bool)
	met   func(i int, h *heard) bool

	missing []int       // by stub
	done    [2][][]bool // by kind, stub, partition
	at      []time.Time // by stub: when the last one came
	first   time.Time   // when the first byte of the first LeaderAndIsr came that meets it for a partition
}

// audience is all stubs, as a scenario waits for them.
type audience struct {
	layout *layout
	stubs  []*stub
	// restless is a time in which somebody is told something all the time.
	restless bool
}

// begin forgets what came before. Goals are nothing for stubs that are absent.
func (a *audience) begin(absent []*stub, goals ...*goal) {
	for _, s := range a.stubs {
		s.take()
		s.mu.Lock()
		s.bytes = 0
		s.mu.Unlock()
	}
	for _, g := range goals {
		g.missing, g.at, g.first = make([]int, len(a.stubs)), make([]time.Time, len(a.stubs)), time.Time{}
		for kind := range g.done {
			g.done[kind] = make([][]bool, len(a.stubs))
			for n := range a.stubs {
				g.done[kind][n] = make([]bool, a.layout.total())
			}
		}
		for n, s := range a.stubs {
			for i := range a.layout.total() {
				lai, um := g.needs(s.id, i)
				if slices.Contains(absent, s) {
					lai, um = false, false
				}
				g.done[0][n][i], g.done[1][n][i] = !lai, !um
				for _, need := range []bool{lai, um} {
					if need {
						g.missing[n]++
					}
				}
			}
		}
	}
}

// quiet is how long nobody may have been told anything before it is looked at what was: looking costs what a contender could use.
const quiet = 200 * time.Millisecond

// wait returns when all goals are met, with the bytes that all stubs were sent.
func (a *audience) wait(ctx context.Context, goals ...*goal) (sent int64, err error) {
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return 0, fmt.Errorf("%w: %s", ctx.Err(), progress(goals))
		case <-ticker.C:
		}
		idle, news, err := a.idle()
		if err != nil {
			return 0, err
		}
		if !news || !idle && !a.restless {
			continue
		}
		for n, s := range a.stubs {
			for _, f := range s.take() {
				if err := a.fold(n, &f, goals); err != nil {
					return 0, fmt.Errorf("broker %d was sent what it cannot read: %w", s.id, err)
				}
			}
		}
		if progress(goals) == "" {
			for _, s := range a.stubs {
				s.mu.Lock()
				sent += s.bytes
				s.mu.Unlock()
			}
			return sent, nil
		}
	}
}

func (a *audience) idle() (idle, news bool, err error) {
	idle = true
	for _, s := range a.stubs {
		s.mu.Lock()
		idle = idle && time.Since(s.last) > quiet
		news = news || len(s.frames) > 0
		err = errors.Join(err, s.err)
		s.mu.Unlock()
	}
	return idle, news, err
}

// progress says what is missing, nothing if all goals are met.
func progress(goals []*goal) (text string) {
	for _, g := range goals {
		if slices.Max(g.missing) > 0 {
			text += fmt.Sprintf(" %s: %v missing", g.name, g.missing)
		}
	}
	return text
}

func (a *audience) fold(n int, f *frame, goals []*goal) error {
	kind, from, count := 0, 0, 0
	if f.key == wire.UpdateMetadata {
		kind = 1
	}
	_, err := walk(f.key, f.body, visitor{
		topic: func(name, _ []byte, _ int) { from, count = a.layout.find(name) },
		partition: func(number int32, h heard) {
			if int(number) < count {
				a.hear(n, kind, f, from+int(number), &h, goals)
			}
		},
	})
	return err
}

func (a *audience) hear(n, kind int, f *frame, i int, h *heard, goals []*goal) {
	for _, g := range goals {
		if g.done[kind][n][i] || !g.met(i, h) {
			continue
		}
		g.done[kind][n][i] = true
		if g.missing[n]--; g.missing[n] == 0 {
			g.at[n] = f.at
		}
		if kind == 0 && (g.first.IsZero() || f.begun.Before(g.first)) {
			g.first = f.begun
		}
	}
}

// last is when the last stub had been told.
func (g *goal) last() (last time.Time) {
	for _, at := range g.at {
		if at.After(last) {
			last = at
		}
	}
	return last
}

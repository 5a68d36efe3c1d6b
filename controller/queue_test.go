package controller

import (
	"errors"
	"testing"

	"baton/planner"
)

func TestQueueKeepsOrderAndOneTick(t *testing.T) {
	q := newQueue()
	for range 100 { // as many as a loop that is stuck for a while would find
		q.push(planner.Tick{})
	}
	q.push(planner.ChannelUp{Broker: 1})
	q.push(planner.Tick{})
	q.push(planner.Continue{})
	q.push(planner.Continue{})
	got := q.take(nil)
	if len(got) != 3 {
		t.Fatalf("%d entries wait, want one tick, one event and one of going on", len(got))
	}
	if _, ok := got[0].event.(planner.Tick); !ok {
		t.Errorf("first is %T", got[0].event)
	}
	q.push(planner.Tick{})
	if n := len(q.take(nil)); n != 1 {
		t.Errorf("after a take %d ticks wait, want 1", n)
	}
}

func TestQueueBoundsCallsOnly(t *testing.T) {
	q := newQueue()
	for i := range maxCalls {
		if err := q.add(entry{event: planner.Call{Token: uint64(i)}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := q.add(entry{event: planner.Call{}}); !errors.Is(err, ErrBusy) {
		t.Errorf("one too many: %v", err)
	}
	q.push(planner.ChannelUp{}) // ours are never refused: each answers a request of ours
	if n := len(q.take(nil)); n != maxCalls+1 {
		t.Errorf("%d entries", n)
	}
	if err := q.add(entry{event: planner.Call{}}); err != nil {
		t.Errorf("after a take: %v", err)
	}
	if rest := q.close(); len(rest) != 1 {
		t.Errorf("close returned %d entries", len(rest))
	}
	if err := q.add(entry{event: planner.Call{}}); !errors.Is(err, ErrNotActive) {
		t.Errorf("after close: %v", err)
	}
}

package controller

import (
	"errors"
	"fmt"
	"strings"
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
	got := takeAll(q)
	if len(got) != 3 {
		t.Fatalf("%d entries wait, want one tick, one event and one of going on", len(got))
	}
	if _, ok := got[0].event.(planner.Tick); !ok {
		t.Errorf("first is %T", got[0].event)
	}
	q.push(planner.Tick{})
	if n := len(takeAll(q)); n != 1 {
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
	if n := len(takeAll(q)); n != maxCalls+1 {
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

func takeAll(q *queue) (all []entry) {
	for {
		e, ok := q.take()
		if !ok {
			return all
		}
		all = append(all, e)
	}
}

// What is urgent goes first, whatever waits; within a class the order stays.
func TestQueueClasses(t *testing.T) {
	q := newQueue()
	for i := range int32(3) {
		q.push(planner.TopicsChanged{Gone: []string{"a"}})
		_ = q.add(entry{event: planner.Committed{}, class: committed(planner.Loss)})
		q.push(planner.BrokerReplied{Broker: i})
		q.push(planner.ChannelDown{Broker: i})
		_ = q.add(entry{event: planner.Committed{}, class: committed(planner.ISR)})
		alter := planner.Call{Body: planner.AlterPartition{Broker: i}}
		_ = q.add(entry{event: alter, class: classOf(alter)})
		q.push(planner.BrokersChanged{})
	}
	var got []string
	for _, e := range takeAll(q) {
		name := eventName(e.event)
		switch ev := e.event.(type) {
		case planner.BrokerReplied:
			name += fmt.Sprint(ev.Broker)
		case planner.ChannelDown:
			name += fmt.Sprint(ev.Broker)
		}
		got = append(got, name)
	}
	want := "Committed AlterPartition BrokersChanged Committed AlterPartition BrokersChanged Committed AlterPartition BrokersChanged " +
		"Committed BrokerReplied0 ChannelDown0 Committed BrokerReplied1 ChannelDown1 Committed BrokerReplied2 ChannelDown2 " +
		"TopicsChanged TopicsChanged TopicsChanged"
	if strings.Join(got, " ") != want {
		t.Errorf("%v\nwant %v", got, want)
	}
}

// Nothing waits for ever: what has let many go before it is next.
func TestQueuePatience(t *testing.T) {
	q := newQueue()
	q.push(planner.TopicsChanged{})
	q.push(planner.Tick{})
	taken := map[string]int{}
	for i := range 3 * patience {
		q.push(planner.BrokersChanged{})
		e, _ := q.take()
		if name := eventName(e.event); taken[name] == 0 && name != "BrokersChanged" {
			taken[name] = i
		}
	}
	if taken["Tick"] == 0 || taken["TopicsChanged"] == 0 || max(taken["Tick"], taken["TopicsChanged"]) > patience+2 {
		t.Error(taken)
	}
}

package server_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"baton/cluster"
	"baton/epoch"
	"baton/isr"
	"baton/partition"
	"baton/planner"
	"baton/server"
	"baton/server/servertest"
)

// planned is a controller that decides as the real one does, by the planner, over a ZooKeeper
// that takes no writes: what is refused is refused by the code that refuses it in earnest.
type planned struct {
	mu     sync.Mutex
	m      *planner.Machine
	now    planner.Millis
	token  uint64
	states map[partition.ID]planner.StateRead
	writes []planner.WriteBody // everything that was to be written
}

// newPlanned claims a cluster of brokers 1 to 3 with epoch 100, topic "t" of three partitions
// led by broker 1, and as many topics with other names.
func newPlanned(topics int) *planned {
	p := &planned{m: planner.New(), states: map[partition.ID]planner.StateRead{}}
	c := planner.Claimed{
		ID: servertest.BatonID, Fence: epoch.Fence{Epoch: 5, Version: 5}, Batons: []int32{servertest.BatonID},
		Self: servertest.Broker(servertest.BatonID, "baton", 9092, ""),
		Settings: planner.Settings{Partitions: 1, Factor: 1, DeleteTopics: true, TopicIDs: true, LeaderRecovery: true,
			RetryAfter: 1000, ToldWait: 5000, RebalanceEvery: 300_000},
	}
	for id := int32(1); id <= 3; id++ {
		c.Brokers = append(c.Brokers, servertest.Broker(id, "broker", 9000+id, ""))
	}
	add := func(name string, id cluster.TopicID) {
		t := planner.TopicRead{Name: name, Version: 1, ID: id}
		for n := range int32(3) {
			replicas := []int32{1, 2, 3}
			t.Partitions = append(t.Partitions, planner.PartitionRead{Number: n, Assignment: partition.Assignment{Replicas: replicas}})
			id := partition.ID{Topic: name, Number: n}
			p.states[id] = planner.StateRead{ID: id, Exists: true, Zxid: 50, State: partition.State{
				ControllerEpoch: 4, LeaderAndISR: isr.LeaderAndISR{Leader: 1, LeaderEpoch: 7, ISR: replicas, PartitionEpoch: 3}}}
			c.States = append(c.States, p.states[id])
		}
		c.Topics = append(c.Topics, t)
	}
	add("t", servertest.TopicID(0))
	for i := range topics {
		add(fmt.Sprintf("other-%d", i), servertest.TopicID(i+1))
	}
	p.step(c)
	p.writes = nil // a claim repairs what it finds
	return p
}

// step takes an event and what follows from it, and returns the replies: every write fails,
// and every read finds what was there first.
func (p *planned) step(ev planner.Event) map[uint64]planner.ReplyBody {
	out := map[uint64]planner.ReplyBody{}
	for queue := []planner.Event{ev}; len(queue) > 0; queue = queue[1:] {
		plan := p.m.Step(p.now, queue[0])
		if plan.Resign != "" {
			panic("the planner resigns: " + plan.Resign)
		}
		for _, r := range plan.Replies {
			out[r.Token] = r.Body
		}
		for _, w := range plan.Writes {
			p.writes = append(p.writes, w.Body)
			queue = append(queue, planner.Committed{Results: []planner.Result{{Seq: w.Seq, Outcome: planner.Failed, Reason: "read only"}}})
		}
		for _, r := range plan.Reads {
			var found planner.Refreshed
			for _, id := range r.States {
				found.States = append(found.States, p.states[id])
			}
			queue = append(queue, found)
		}
		if plan.Again {
			queue = append(queue, planner.Continue{})
		}
	}
	return out
}

// Call implements server.Controller. Time passes until there is an answer.
func (p *planned) Call(_ context.Context, body planner.CallBody) (planner.ReplyBody, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.token++
	replies := p.step(planner.Call{Token: p.token, Body: body})
	for range 3 {
		if replies[p.token] != nil {
			break
		}
		p.now += 1 << 32 // behind every deadline: they are 32 bits of milliseconds
		replies = p.step(planner.Tick{})
	}
	if replies[p.token] == nil {
		return nil, fmt.Errorf("%T is never answered", body)
	}
	return replies[p.token], nil
}

// View implements server.Controller.
func (p *planned) View(_ context.Context, f func(planner.View)) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	f(p.m.View())
	return nil
}

// Active implements server.Controller.
func (p *planned) Active() bool { return true }

// written returns what was to be written since it was asked last.
func (p *planned) written() []planner.WriteBody {
	p.mu.Lock()
	defer p.mu.Unlock()
	w := p.writes
	p.writes = nil
	return w
}

// newPlannedRig is an endpoint in front of it, without brokers to pass anything on to.
func newPlannedRig(t *testing.T, topics int) (*rig, *planned) {
	t.Helper()
	p := newPlanned(topics)
	r := &rig{Server: server.New(server.Config{ID: servertest.BatonID, Listeners: []server.Listener{{Name: listener, Bind: "127.0.0.1:0"}}},
		p, servertest.Brokers(nil))}
	r.start(t)
	return r, p
}

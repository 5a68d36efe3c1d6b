package planner

import (
	"fmt"
	"slices"

	"baton/partition"
)

// firstRebalance is how long after a claim the first look is taken (07.1).
const firstRebalance Millis = 5_000

// rebalance is the auto leader rebalance: now and then a look at all partitions, in
// slices, and preferred elections on the brokers that lead too few of those that they
// are the first replica of.
type rebalance struct {
	next    Millis // when the next run begins; counted from the end of the one before
	running bool
	topics  []string // still to be looked at
	hosts   map[int32]*balance
}

// balance is what was found of one preferred leader.
type balance struct {
	all int            // partitions with this first replica
	off []partition.ID // those of them led by somebody else, or by nobody
}

// rebalanceTick begins a run when it is due.
func (m *Machine) rebalanceTick() {
	r := &m.balance
	if !m.set.AutoRebalance || r.running || m.now < r.next {
		return
	}
	r.running, r.hosts = true, map[int32]*balance{}
	for _, t := range m.im.Topics() {
		r.topics = append(r.topics, t.Name)
	}
}

// rebalanceStep looks at one slice; after the last one it decides.
func (m *Machine) rebalanceStep() {
	r := &m.balance
	if !r.running || r.hosts == nil {
		return
	}
	for looked := 0; len(r.topics) > 0; {
		if looked >= maxLooked {
			m.plan.Again = true
			return
		}
		looked += m.weigh(r.topics[0])
		r.topics = r.topics[1:]
	}
	e := &election{kind: Preferred, cause: causeBalance, queue: m.unbalanced()}
	e.done = func() { m.balance = rebalance{next: m.now + m.set.RebalanceEvery} }
	r.hosts = nil
	m.startElection(e)
}

// weigh counts a topic's partitions by preferred leader and returns how many there are.
func (m *Machine) weigh(topic string) int {
	t := m.im.Topic(topic)
	if t == nil || m.queued(t) {
		return 1
	}
	for i := range t.Partitions {
		p := &t.Partitions[i]
		if len(p.Assignment.Replicas) == 0 {
			continue
		}
		first := p.Assignment.Replicas[0]
		h := m.balance.hosts[first]
		if h == nil {
			h = &balance{}
			m.balance.hosts[first] = h
		}
		h.all++
		if p.Known && p.State.Leader != first {
			h.off = append(h.off, partition.ID{Topic: topic, Number: p.Number})
		}
	}
	return len(t.Partitions)
}

// unbalanced returns the partitions to move, of the brokers whose share of partitions led
// by others is above the limit, as far as an election would succeed.
func (m *Machine) unbalanced() []partition.ID {
	var ids []partition.ID
	for _, b := range sortedBrokers(m.balance.hosts) {
		h := m.balance.hosts[b]
		if len(h.off)*100 <= h.all*m.set.RebalancePercent {
			continue
		}
		before := len(ids)
		for _, id := range h.off {
			if p := m.im.Partition(id); p != nil && p.Broken == "" && m.im.Standing(p, b) == partition.Alive && p.State.ISR.Has(b) {
				ids = append(ids, id)
			}
		}
		if n := len(ids) - before; n > 0 {
			m.note(Note{Kind: NoteElections, Broker: b, Text: fmt.Sprintf("auto leader rebalance: %d of the %d partitions that broker %d is the first replica of are not led by it; %d go back to it",
				len(h.off), h.all, b, n)})
		}
	}
	return ids
}

func sortedBrokers[V any](m map[int32]V) []int32 {
	out := make([]int32, 0, len(m))
	for b := range m {
		out = append(out, b)
	}
	slices.Sort(out)
	return out
}

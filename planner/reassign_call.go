package planner

import (
	"fmt"
	"slices"
	"strings"

	"baton/cluster"
	"baton/isr"
	"baton/partition"

	"github.com/twmb/franz-go/pkg/kerr"
)

// moveCall is an AlterReassignments request under way. It is answered when the topic
// znodes are written, or have been refused, and at the deadline at the latest.
type moveCall struct {
	token    uint64
	reply    AlterReassignmentsReply
	open     map[int]bool
	deadline Millis
}

// moveItem is one of its partitions.
type moveItem struct {
	call  *moveCall
	index int
	Reassignment
}

func (m *Machine) alterReassignments(token uint64, c AlterReassignments) {
	call := &moveCall{token: token, open: map[int]bool{}, deadline: m.now + max(c.Timeout, m.set.ToldWait)}
	call.reply.Items = make([]AlterReassignmentsItem, len(c.Items))
	m.moveCalls = append(m.moveCalls, call)
	for i, r := range c.Items {
		call.reply.Items[i].ID = r.ID
		call.open[i] = true
		it := &moveItem{call, i, r}
		if err := wellFormed(r); err != nil {
			it.answer(err)
			continue
		}
		m.moves[r.ID.Topic] = append(m.moves[r.ID.Topic], it)
		m.touch(r.ID)
	}
}

func (it *moveItem) answer(err *refusal) {
	if !it.call.open[it.index] {
		return // the deadline was first
	}
	delete(it.call.open, it.index)
	if r := &it.call.reply.Items[it.index]; err != nil {
		r.Err, r.Message = err.code, err.text
	}
}

// wellFormed is what can be said of a target without looking at the cluster.
func wellFormed(r Reassignment) *refusal {
	switch {
	case r.Replicas == nil:
		return nil // to be cancelled
	case len(r.Replicas) == 0:
		return refuse(kerr.InvalidReplicaAssignment, "Empty replica list specified in partition reassignment.")
	case !isr.Set(r.Replicas).Distinct():
		return refuse(kerr.InvalidReplicaAssignment, "Duplicate replica ids in partition reassignment replica list: %s", scala("ArrayBuffer", r.Replicas))
	case slices.Min(r.Replicas) < 0:
		return refuse(kerr.InvalidReplicaAssignment, "Invalid broker id in replica list: %s", scala("ArrayBuffer", r.Replicas))
	}
	return nil
}

// scala shows a list as Kafka's messages do.
func scala(kind string, ids []int32) string {
	return kind + "(" + strings.Trim(strings.ReplaceAll(fmt.Sprint(ids), " ", ", "), "[]") + ")"
}

// nextAssignment checks in Kafka's order (06.4) what a request makes of a partition, nil if
// that one is unknown. One of a topic to be deleted is refused like an unknown one, after its
// replicas have been looked at; what is in progress may be cancelled until the topic is gone.
func (m *Machine) nextAssignment(p *cluster.Partition, doomed bool, r Reassignment) (partition.Assignment, *refusal) {
	var now partition.Assignment
	if p != nil {
		now = p.Assignment
	}
	if r.Replicas == nil && !now.Reassigning() {
		return now, refuse(kerr.NoReassignmentInProgress, "%s", kerr.NoReassignmentInProgress.Description)
	}
	next := now.Cancel()
	if r.Replicas != nil {
		var live []int32
		for _, b := range m.im.Brokers() {
			if !m.im.Leaving(b.ID) {
				live = append(live, b.ID)
			}
		}
		// Before anything is made of a list that may have a million ids.
		origin := now.Origin()
		adding := isr.Set(r.Replicas).Filter(func(b int32) bool { return !slices.Contains(origin, b) })
		if !adding.SubsetOf(live) { // a Baton is in the live list, but no broker
			return now, refuse(kerr.InvalidReplicaAssignment, "Replica assignment has brokers that are not alive. Replica list: %s, live broker list: %s",
				scala("ArrayBuffer", adding), scala("Set", live))
		}
		next = now.ReassignTo(r.Replicas)
	}
	switch {
	case p == nil || doomed && r.Replicas != nil:
		return now, refuse(kerr.UnknownTopicOrPartition, "The partition does not exist.")
	case !keepsRecords(p, next):
		return now, refuse(kerr.InvalidReplicaAssignment,
			"Of the replicas %s none is in sync: the partition would lose records. Bring one of them back, or choose a target that keeps one of %s.",
			scala("ArrayBuffer", next.Replicas), scala("ArrayBuffer", p.State.ISR))
	}
	return next, nil
}

// startMoves changes in parts what was asked for and can be changed now, and returns those
// requests; it answers what is refused, and what is there already.
func (m *Machine) startMoves(t *cluster.Topic, parts []PartitionRead) (written []*moveItem) {
	var wait []*moveItem
	for _, it := range m.moves[t.Name] {
		i := slices.IndexFunc(t.Partitions, func(p cluster.Partition) bool { return p.Number == it.ID.Number })
		var p *cluster.Partition
		if i >= 0 {
			p = &t.Partitions[i]
		}
		switch {
		case !it.call.open[it.index]:
			continue
		case p != nil && (!m.movable(p) || !parts[i].Assignment.Equal(p.Assignment)):
			wait = append(wait, it)
			continue
		}
		next, err := m.nextAssignment(p, m.queued(t), it.Reassignment)
		if err != nil {
			it.answer(err)
			continue
		}
		m.legacy.supersede(it.ID)
		if next.Equal(p.Assignment) {
			it.answer(nil)
			continue
		}
		parts[i].Assignment = next
		written = append(written, it)
	}
	if m.moves[t.Name] = wait; len(wait) == 0 {
		delete(m.moves, t.Name)
	}
	return written
}

// movesWritten takes in the outcome of the rewrite of a topic znode. One that found another
// version is decided anew on what is there, as soon as that has been read.
func (m *Machine) movesWritten(name string, version int32, items []*moveItem, r Result) {
	switch r.Outcome {
	case Applied:
		for _, it := range items {
			it.answer(nil)
		}
		return
	case Conflict:
		m.stale[name] = version
		m.moves[name] = append(items, m.moves[name]...)
		if len(m.moves[name]) == 0 {
			delete(m.moves, name)
		}
	case Failed:
		m.topicRetry[name] = m.now + m.set.RetryAfter
		for _, it := range items {
			it.answer(refuse(kerr.UnknownServerError, "%s", r.Reason))
		}
	}
}

// refuseMoves answers what was asked about a topic that is unknown or to be deleted.
func (m *Machine) refuseMoves(name string) {
	for _, it := range m.moves[name] {
		_, err := m.nextAssignment(m.im.Partition(it.ID), true, it.Reassignment)
		it.answer(err)
	}
	delete(m.moves, name)
	for number := range m.legacy.topics[name] {
		m.legacy.drop(partition.ID{Topic: name, Number: number})
	}
}

// settleMoves answers the calls of which nothing is open any more.
func (m *Machine) settleMoves() {
	open := m.moveCalls[:0]
	for _, c := range m.moveCalls {
		if len(c.open) > 0 && m.now < c.deadline {
			open = append(open, c)
			continue
		}
		for i := range c.open {
			c.reply.Items[i].Err, c.reply.Items[i].Message = kerr.RequestTimedOut, "The reassignment could not be written in time."
		}
		clear(c.open)
		m.reply(c.token, c.reply)
	}
	m.moveCalls = open
}

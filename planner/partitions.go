package planner

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"baton/cluster"
	"baton/isr"
	"baton/partition"

	"github.com/twmb/franz-go/pkg/kerr"
)

// growCall is a CreatePartitions request under way. It is answered when every topic of it
// has failed or its partitions are led and the brokers know; at the deadline, with
// REQUEST_TIMED_OUT for the others.
type growCall struct {
	itemsCall
	mutations
	body    CreatePartitions
	reply   CreatePartitionsReply
	waiting map[int]int32 // that could not be written, with the version of the znode that was moved on from, or anyVersion
	written map[int]Millis
	paid    map[int]bool // decided again, a topic is not charged again
}

func (m *Machine) createPartitions(token uint64, c CreatePartitions) {
	call := &growCall{itemsCall: m.itemsCall(token, c.Timeout), mutations: mutations{caller: c.Caller}, body: c, waiting: map[int]int32{}, written: map[int]Millis{}, paid: map[int]bool{}}
	call.reply.Topics = make([]GrownTopic, len(c.Topics))
	room := int32(maxNewPartitions)
	for i, want := range c.Topics {
		call.reply.Topics[i].Name = want.Name
		call.pending[i] = true
		room -= m.grow(call, i, room)
	}
	m.grows = append(m.grows, call)
}

// anyVersion: another write of the topic is under way.
const anyVersion = -1

// grow checks one topic and writes its longer assignment, on condition of the version that
// was checked; it is called again if another write was in the way. It returns how many
// partitions are added, of those that there is room for.
func (m *Machine) grow(call *growCall, i int, room int32) int32 {
	want, r := call.body.Topics[i], &call.reply.Topics[i]
	delete(call.waiting, i)
	parts, err := m.validateGrowth(want, room)
	added := int32(len(parts)) //nolint:gosec // no more than room
	if err != nil {
		r.Err, r.Message = err.code, err.text
		delete(call.pending, i)
		return added
	}
	if call.body.ValidateOnly {
		delete(call.pending, i)
		return added
	}
	if m.topicWrites[want.Name] != 0 {
		call.waiting[i] = anyVersion
		return added
	}
	if !call.paid[i] {
		if err := m.charge(&call.mutations, len(parts)); err != nil {
			r.Err, r.Message = err.code, err.text
			delete(call.pending, i)
			return added
		}
		call.paid[i] = true
	}
	t := m.im.Topic(want.Name)
	id, version, all := t.ID, t.Version, append(assignments(t), parts...)
	var seq uint64
	seq = m.write(SetTopic{Name: t.Name, Version: version, ID: id, Partitions: all}, func(w Result) {
		ours := m.topicWrites[want.Name] == seq
		if ours {
			delete(m.topicWrites, want.Name)
			defer m.topicSettled(want.Name)
		}
		switch w.Outcome {
		case Applied:
			call.written[i] = m.now
			if ours {
				m.intakeTopic(TopicRead{Name: want.Name, Version: w.Version, ID: id, Partitions: all}, nil)
			}
		case Conflict:
			call.waiting[i] = version // decided again on what the topic's watch brings
		case Failed:
			r.Err, r.Message = kerr.UnknownServerError, w.Reason
			delete(call.pending, i)
		}
	})
	m.topicWrites[want.Name] = seq
	return added
}

func isReassigning(t *cluster.Topic) bool {
	return slices.ContainsFunc(t.Partitions, func(p cluster.Partition) bool { return p.Assignment.Reassigning() })
}

// validateGrowth checks in Kafka's order (05.7), in Kafka's words, and returns the
// assignments of the partitions to add, no more than there is room for.
func (m *Machine) validateGrowth(want MorePartitions, room int32) ([]PartitionRead, *refusal) {
	t := m.im.Topic(want.Name)
	switch {
	case t != nil && m.queued(t):
		return nil, refuse(kerr.InvalidTopicException, "The topic is queued for deletion.")
	case t != nil && isReassigning(t):
		return nil, refuse(kerr.ReassignmentInProgress, "A partition reassignment is in progress for the topic '%s'.", want.Name)
	case t == nil || len(t.Partitions) == 0:
		return nil, refuse(kerr.UnknownTopicOrPartition, "The topic '%s' does not exist.", want.Name)
	}
	have := int32(len(t.Partitions)) //nolint:gosec // far below
	add := want.Count - have
	switch {
	case add < 0:
		return nil, refuse(kerr.InvalidPartitions, "Topic currently has %d partitions, which is higher than the requested %d.", have, want.Count)
	case add == 0:
		return nil, refuse(kerr.InvalidPartitions, "Topic already has %d partitions.", have)
	case add > room:
		return nil, tooManyPartitions(add, room)
	case t.Partitions[0].Number != 0 || t.Partitions[have-1].Number != have-1:
		return nil, refuse(kerr.UnknownServerError, "The partitions of topic '%s' are not numbered from 0 without a gap.", want.Name)
	case m.namesBaton(t.Partitions[0].Assignment.Replicas):
		return nil, refuse(kerr.UnknownServerError, "The assignment of topic '%s' is being repaired.", want.Name)
	}
	lists, err := want.Assignments, (*refusal)(nil)
	if lists != nil {
		err = m.checkGrowth(lists, have, add, len(t.Partitions[0].Assignment.Replicas))
	} else {
		lists, err = m.placeGrowth(t, have, add)
	}
	if err != nil {
		return nil, err
	}
	parts := make([]PartitionRead, len(lists))
	for i, l := range lists {
		parts[i] = PartitionRead{Number: have + int32(i), Assignment: partition.Assignment{Replicas: l}} //nolint:gosec // far below
	}
	return parts, nil
}

// placeGrowth goes on where the topic's own assignment would have (05.7).
func (m *Machine) placeGrowth(t *cluster.Topic, have, add int32) ([][]int32, *refusal) {
	first := t.Partitions[0].Assignment.Replicas
	lists, err := partition.Extend(m.places(), have, add, int16(len(first)), first[0]) //nolint:gosec // few
	switch {
	case errors.Is(err, partition.ErrPartitions):
		return nil, refuse(kerr.InvalidPartitions, "%s", err)
	case err != nil:
		return nil, refuse(kerr.InvalidReplicationFactor, "%s", err)
	}
	return lists, nil
}

// checkGrowth checks assignments given by hand. Batons are unknown brokers.
func (m *Machine) checkGrowth(lists [][]int32, have, add int32, factor int) *refusal {
	unknown := map[int32]bool{}
	for _, l := range lists {
		for _, b := range l {
			if m.im.Broker(b) == nil {
				unknown[b] = true
			}
		}
	}
	if len(unknown) > 0 {
		return refuse(kerr.InvalidReplicaAssignment, "Unknown broker(s) in replica assignment: %s.", join(sortedBrokers(unknown)))
	}
	if len(lists) != int(add) {
		return refuse(kerr.InvalidReplicaAssignment, "Increasing the number of partitions by %d but %d assignments provided.", add, len(lists))
	}
	var odd, factors []int32
	for i, l := range lists {
		n := have + int32(i) //nolint:gosec // far below
		switch {
		case len(l) == 0:
			return refuse(kerr.InvalidReplicaAssignment, "Cannot have replication factor of 0 for partition id %d.", n)
		case !isr.Set(l).Distinct():
			return refuse(kerr.InvalidReplicaAssignment, "Duplicate brokers not allowed in replica assignment: %s for partition id %d.", join(l), n)
		case len(l) != factor:
			odd, factors = append(odd, n), append(factors, int32(len(l))) //nolint:gosec // few
		}
	}
	if len(odd) > 0 {
		return refuse(kerr.InvalidReplicaAssignment, "Inconsistent replication factor between partitions, partition 0 has %d while partitions [%s] have replication factors [%s], respectively.",
			factor, join(odd), join(factors))
	}
	return nil
}

func join(ids []int32) string {
	return strings.ReplaceAll(strings.Trim(fmt.Sprint(ids), "[]"), " ", ", ")
}

func (m *Machine) settleGrows() {
	m.grows = slices.DeleteFunc(m.grows, func(c *growCall) bool {
		for _, i := range sortedIndexes(c.waiting) {
			if t := m.im.Topic(c.body.Topics[i].Name); t == nil || t.Version != c.waiting[i] {
				m.grow(c, i, maxNewPartitions)
			}
		}
		if !c.over(m.now, func(i int) bool {
			at, ok := c.written[i]
			return ok && m.topicReady(c.reply.Topics[i].Name, at)
		}) {
			return false
		}
		for i := range c.pending {
			c.reply.Topics[i].Err = kerr.RequestTimedOut
		}
		c.reply.Throttle = c.throttle(m.now)
		m.reply(c.token, c.reply)
		return true
	})
}

func sortedIndexes[V any](set map[int]V) []int {
	out := make([]int, 0, len(set))
	for i := range set {
		out = append(out, i)
	}
	slices.Sort(out)
	return out
}

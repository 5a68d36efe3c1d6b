package planner

import (
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"

	"baton/epoch"
)

// call starts a request from outside.
func (m *Machine) call(c Call) {
	switch b := c.Body.(type) {
	case AlterPartition:
		m.alterPartition(c.Token, b)
	case ControlledShutdown:
		m.controlledShutdown(c.Token, b)
	case AllocateProducerIDs:
		m.allocateProducerIDs(c.Token, b)
	case CreateTopics:
		m.createTopics(c.Token, b)
	case ElectLeaders:
		m.electLeaders(c.Token, b)
	case AlterReassignments:
		m.alterReassignments(c.Token, b)
	case DeleteTopics:
		m.deleteTopics(c.Token, b)
	case CreatePartitions:
		m.createPartitions(c.Token, b)
	case AlterScram:
		m.alterScram(c.Token, b)
	}
}

// notController is the answer of a process that does not hold the role.
func notController(body CallBody) ReplyBody {
	switch b := body.(type) {
	case AlterPartition:
		return AlterPartitionReply{Err: kerr.NotController}
	case ControlledShutdown:
		// Kafka's own answer here is ControllerMoved, which has this code (08.4).
		return ControlledShutdownReply{Err: kerr.StaleControllerEpoch}
	case AllocateProducerIDs:
		return AllocateProducerIDsReply{Err: kerr.NotController}
	case CreateTopics:
		r := CreateTopicsReply{}
		for _, t := range b.Topics {
			r.Topics = append(r.Topics, NewTopicReply{Name: t.Name, Err: kerr.NotController})
		}
		return r
	case ElectLeaders:
		return ElectLeadersReply{Err: kerr.NotController}
	case AlterReassignments:
		return AlterReassignmentsReply{Err: kerr.NotController}
	case DeleteTopics:
		r := DeleteTopicsReply{}
		for _, t := range b.Topics {
			r.Topics = append(r.Topics, DeletedTopic{Name: t.Name, ID: t.ID, Err: kerr.NotController})
		}
		return r
	case CreatePartitions:
		r := CreatePartitionsReply{}
		for _, t := range b.Topics {
			r.Topics = append(r.Topics, GrownTopic{Name: t.Name, Err: kerr.NotController})
		}
		return r
	case AlterScram:
		r := AlterScramReply{}
		for _, user := range b.Users() {
			r.Users = append(r.Users, ScramUser{User: user, Err: kerr.NotController})
		}
		return r
	}
	return nil
}

// failCalls answers everything that is open; the peer finds the new holder itself.
func (m *Machine) failCalls() {
	for _, id := range sorted(m.waiting) {
		for _, it := range m.waiting[id] {
			it.call.abort(m)
		}
	}
	for slot := range m.inflight.slots.All() {
		if c := m.inflight.changes[slot]; c.alter != nil {
			c.alter.call.abort(m)
		}
	}
	for _, it := range m.unread {
		it.call.abort(m)
	}
	for _, c := range m.leavings {
		m.reply(c.token, ControlledShutdownReply{Err: kerr.StaleControllerEpoch})
	}
	tokens := make([]uint64, 0, len(m.blocks))
	for token := range m.blocks {
		tokens = append(tokens, token)
	}
	slices.Sort(tokens)
	for _, token := range tokens {
		m.reply(token, AllocateProducerIDsReply{Err: kerr.NotController})
	}
	for _, c := range m.creates {
		m.reply(c.token, notController(c.body))
	}
	for _, e := range m.elections {
		if e.token != 0 && !e.answered {
			m.reply(e.token, ElectLeadersReply{Err: kerr.NotController})
		}
	}
	for _, c := range m.moveCalls {
		m.reply(c.token, AlterReassignmentsReply{Err: kerr.NotController})
	}
	for _, c := range m.deletes {
		m.reply(c.token, notController(c.body))
	}
	for _, c := range m.grows {
		m.reply(c.token, notController(c.body))
	}
	m.failScrams()
}

// itemsCall is what calls for several items have in common: they are answered when no item
// is pending any more, and at the deadline with what is known of each.
type itemsCall struct {
	token    uint64
	pending  map[int]bool // items not answered yet, by index
	deadline Millis
}

func (m *Machine) itemsCall(token uint64, timeout Millis) itemsCall {
	return itemsCall{token: token, pending: map[int]bool{}, deadline: m.now + timeout}
}

// over drops the items that are ready and reports whether the call is to be answered.
func (c *itemsCall) over(now Millis, ready func(i int) bool) bool {
	maps.DeleteFunc(c.pending, func(i int, _ bool) bool { return ready(i) })
	return len(c.pending) == 0 || now >= c.deadline
}

// settleCalls answers the calls that have become answerable.
func (m *Machine) settleCalls() {
	m.settleShutdowns()
	m.settleCreates()
	m.settleElections()
	m.settleMoves()
	m.settleDeletes()
	m.settleGrows()
}

// staleEpoch reports whether a broker speaks as another incarnation than the one
// registered; an unknown broker does too.
func (m *Machine) staleEpoch(broker int32, e epoch.Broker) bool {
	b := m.im.Broker(broker)
	return b == nil || b.Epoch != e
}

// allocateProducerIDs gives out the next block (08.5).
func (m *Machine) allocateProducerIDs(token uint64, c AllocateProducerIDs) {
	switch {
	case m.im.Broker(c.Broker) == nil:
		m.reply(token, AllocateProducerIDsReply{Err: kerr.BrokerIDNotRegistered})
		return
	case m.staleEpoch(c.Broker, c.BrokerEpoch):
		m.reply(token, AllocateProducerIDsReply{Err: kerr.StaleBrokerEpoch})
		return
	}
	m.blocks[token] = struct{}{}
	m.write(NextProducerIDs{Broker: c.Broker}, func(r Result) {
		delete(m.blocks, token)
		m.setUnreadable(scopeProducerIDs, r.Bad)
		if r.Outcome != Applied {
			m.note(Note{Kind: NoteWriteFailed, Broker: c.Broker, Text: "producer ids: " + r.Reason})
			m.reply(token, AllocateProducerIDsReply{Err: kerr.UnknownServerError})
			return
		}
		m.reply(token, AllocateProducerIDsReply{Start: r.Start, Length: r.Length})
	})
}

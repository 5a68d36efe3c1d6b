package planner

import (
	"fmt"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"

	"baton/cluster"
	"baton/epoch"
	"baton/isr"
	"baton/partition"
)

// alterCall is an AlterPartition request under way; it is answered when the last of
// its items is.
type alterCall struct {
	token   uint64
	broker  int32
	asked   Asked
	version int16
	open    int
	done    bool
	reply   AlterPartitionReply
	refused refusals
}

// refusals is what is said of the items that were not accepted, once for the call: a request
// names as many partitions as it likes.
type refusals struct {
	first partition.ID
	texts []string // of the first few
	codes map[string]int
	count int
}

// refusalsNoted is how many refusals of one call are written out.
const refusalsNoted = 5

// alterItem is one of its partitions.
type alterItem struct {
	call  *alterCall
	index int
	id    partition.ID
	req   isr.AlterRequest
	reads int // how often the znode was read again for it
	// view is the image's when the request arrived, unproven whom it asked for too early.
	view     int64
	unproven isr.Set
}

func (c *alterCall) abort(m *Machine) {
	if !c.done {
		c.done = true
		m.reply(c.token, AlterPartitionReply{Err: kerr.NotController})
	}
}

func (m *Machine) alterPartition(token uint64, c AlterPartition) {
	if m.staleEpoch(c.Broker, c.BrokerEpoch) {
		m.reply(token, AlterPartitionReply{Err: kerr.StaleBrokerEpoch})
		return
	}
	call := &alterCall{token: token, broker: c.Broker, version: c.Version, open: len(c.Items),
		asked: Asked{Cause: fmt.Sprintf("AlterPartition of broker %d", c.Broker)}}
	call.reply.Items = make([]AlterItemReply, len(c.Items))
	for i, it := range c.Items {
		name := it.Topic
		if c.Version >= 2 {
			if t := m.im.TopicByID(it.TopicID); t != nil {
				name = t.Name
			}
		}
		call.reply.Items[i] = AlterItemReply{Topic: name, TopicID: it.TopicID, Number: it.Number}
		req := it.Request
		req.Sender = c.Broker
		item := &alterItem{call: call, index: i, id: partition.ID{Topic: name, Number: it.Number}, req: req, view: m.im.View()}
		item.unproven = m.unprovenAmong(m.im.Partition(item.id), item)
		m.decideDue(item.id)
		m.alter(item)
	}
	if len(c.Items) == 0 {
		m.finishAlter(call)
	}
}

// decideDue decides about a partition now that was left for a later step: what a leader asks for counts only if nothing else does.
func (m *Machine) decideDue(id partition.ID) {
	if p := m.im.Partition(id); p != nil && m.dirty.Has(p.Slot()) {
		m.dirty.Remove(p.Slot())
		m.dirtyFirst.Remove(p.Slot())
		m.decide(id)
	}
}

// alter decides about one item; while another write of the partition is under way it
// waits for that one's outcome.
func (m *Machine) alter(it *alterItem) {
	p := m.im.Partition(it.id)
	if p == nil && m.badTopics[it.id.Topic] == "" || p != nil && m.im.Topic(it.id.Topic).Deleting {
		// The topic is gone, going, or not heard of yet; there is nothing the leader could count on.
		m.answerAlter(it, kerr.OperationNotAttempted, isr.LeaderAndISR{})
		return
	}
	if p == nil || !p.Known || p.Broken != "" {
		// What was asked for may be written already, by an earlier holder: the leader must go
		// on counting on it. OPERATION_NOT_ATTEMPTED would let it acknowledge records without
		// a member that ZooKeeper has; on this code it keeps what it asked for and asks again,
		// at once, so it gets its answer with the next tick only.
		m.unread = append(m.unread, it)
		return
	}
	if m.inflight.of(p) != nil || m.reads[it.id] != nil || m.topicWrites[it.id.Topic] != 0 {
		m.waiting[it.id] = append(m.waiting[it.id], it)
		return
	}
	unproven := false
	next, verdict := isr.Alter(p.State.LeaderAndISR, p.Told().Replicas, it.req, func(b int32) bool {
		early := !m.proven(p, it, b)
		unproven = unproven || early
		return !early && m.mayStay(p, b)
	})
	if it.call.version == 0 && (unproven && m.fenceStale(it) || !unproven && verdict == isr.Ineligible && m.fenceIneligible(it)) {
		return
	}
	switch verdict {
	case isr.Accept:
		c := &change{id: it.id, slot: p.Slot(), next: partition.State{LeaderAndISR: next, ControllerEpoch: m.fence.Epoch},
			from: p.State, view: m.im.View(), alter: it}
		c.decision.Replicas = m.consider(partition.Input{Replicas: p.Told().Replicas, Current: p.State.LeaderAndISR,
			Standing: func(b int32) partition.Standing { return m.im.Standing(p, b) }}, next)
		m.propose(c)
	case isr.Current:
		m.answerAlter(it, nil, p.State.LeaderAndISR)
	case isr.Ahead:
		m.alterAhead(it)
	case isr.Fenced:
		m.stray(it.id, p, it.req.Sender)
		m.answerAlter(it, kerr.FencedLeaderEpoch, isr.LeaderAndISR{})
	default:
		m.misled(it.id, p, it.req.ISR)
		m.answerAlter(it, m.ineligible(it.call.version), isr.LeaderAndISR{})
	}
}

// answerLater answers what cannot be decided yet with a code on which every leader asks again.
func (m *Machine) answerLater() {
	items := m.unread
	m.unread = nil
	for _, it := range items {
		m.answerAlter(it, kerr.UnknownServerError, isr.LeaderAndISR{})
	}
}

// mayStay: eligible, and not a member whose restart the leader does not know of yet. To
// accept that one would make its membership look as if it had been decided after the
// restart, and the bounce would be lost. A member whose registration cannot be read may
// stay as well, or no other member could come or go.
func (m *Machine) mayStay(p *cluster.Partition, b int32) bool {
	if m.im.Standing(p, b) == partition.Unread {
		return p.State.ISR.Has(b)
	}
	return m.im.EligibleForISR(p, b) && (m.im.Standing(p, b) != partition.Lapsed || !p.State.ISR.Has(b))
}

// alterAhead reads the znode again before saying that the sender knows more than we do:
// a leader below inter-broker protocol 2.7 writes it itself (KAFKA-14154).
func (m *Machine) alterAhead(it *alterItem) {
	if it.reads > 0 {
		m.answerAlter(it, kerr.NotController, isr.LeaderAndISR{})
		return
	}
	it.reads++
	m.waiting[it.id] = append(m.waiting[it.id], it)
	m.readStates([]partition.ID{it.id})
}

// ineligible is the code on which a leader goes back to its last committed ISR and
// tries again by itself, in the version it speaks (08.3).
func (m *Machine) ineligible(version int16) *kerr.Error {
	if version >= 2 {
		return kerr.IneligibleReplica
	}
	return kerr.OperationNotAttempted
}

func (m *Machine) alterApplied(it *alterItem, now isr.LeaderAndISR) { m.answerAlter(it, nil, now) }

// alterConflict decides again on what was found; the reads bound how often.
func (m *Machine) alterConflict(it *alterItem) {
	p := m.im.Partition(it.id)
	if it.reads++; it.reads > 3 && (p == nil || !p.State.ISR.Equal(it.req.ISR)) {
		// Not if what was asked for is there after all: the leader would go back to its older
		// ISR and acknowledge records without a member that may be elected.
		m.answerAlter(it, kerr.OperationNotAttempted, isr.LeaderAndISR{})
		return
	}
	m.waiting[it.id] = append(m.waiting[it.id], it)
}

func (m *Machine) alterFailed(it *alterItem) {
	m.answerAlter(it, kerr.OperationNotAttempted, isr.LeaderAndISR{})
}

// wakeWaiting decides again about the items that waited for a partition's write or
// read. Our own decisions come first: what they change makes most items moot.
func (m *Machine) wakeWaiting(id partition.ID) {
	items := m.waiting[id]
	if len(items) == 0 {
		return
	}
	delete(m.waiting, id)
	m.decide(id)
	for _, it := range items {
		m.alter(it)
	}
}

// refuseWaiting answers the items of a partition that is gone: those that waited, for a
// write or for a read, and the one whose write is under way, if any.
func (m *Machine) refuseWaiting(id partition.ID, c *change) {
	items := m.waiting[id]
	delete(m.waiting, id)
	if c != nil && c.alter != nil {
		items = append(items, c.alter)
	}
	for _, it := range items {
		m.answerAlter(it, kerr.OperationNotAttempted, isr.LeaderAndISR{})
	}
}

func (m *Machine) answerAlter(it *alterItem, err *kerr.Error, now isr.LeaderAndISR) {
	r := &it.call.reply.Items[it.index]
	r.Err, r.State = err, now
	if err != nil {
		it.call.refused.add(it, err)
	}
	if it.call.open--; it.call.open == 0 {
		m.finishAlter(it.call)
	}
}

func (r *refusals) add(it *alterItem, err *kerr.Error) {
	if r.count == 0 {
		r.first, r.codes = it.id, map[string]int{}
	}
	if r.count < refusalsNoted {
		r.texts = append(r.texts, bounded(fmt.Sprintf("%v: broker %d asked for ISR %v at leader epoch %d, version %d: %v",
			it.id, it.req.Sender, []int32(it.req.ISR), it.req.LeaderEpoch, it.req.PartitionEpoch, err)))
	}
	r.count++
	r.codes[err.Message]++
}

func (m *Machine) finishAlter(c *alterCall) {
	if c.done {
		return
	}
	c.done = true
	if r := &c.refused; r.count > 0 {
		text := strings.Join(r.texts, "; ")
		if more := r.count - len(r.texts); more > 0 {
			text += fmt.Sprintf("; and %d more", more)
		}
		m.note(Note{Kind: NoteRefused, Partition: r.first, Broker: c.broker, Text: text, Refused: r.codes})
	}
	m.reply(c.token, c.reply)
}

// shutdownCall is a broker's wish to leave, open until everything it led that can be
// led by others is.
type shutdownCall struct {
	token  uint64
	broker int32
	epoch  epoch.Broker
	reread bool // what could not be moved, once
}

// controlledShutdown marks a broker as leaving (08.4): its leaderships move, its
// memberships end, both by the ordinary decision about each partition.
func (m *Machine) controlledShutdown(token uint64, c ControlledShutdown) {
	b := m.im.Broker(c.Broker)
	switch {
	case b == nil:
		m.reply(token, ControlledShutdownReply{Err: kerr.BrokerNotAvailable})
		return
	case c.BrokerEpoch != epoch.Unknown && c.BrokerEpoch != b.Epoch:
		// Also for a larger one: we have not seen that incarnation yet, and it asks again.
		m.plan.RereadBrokers = c.BrokerEpoch > b.Epoch
		m.reply(token, ControlledShutdownReply{Err: kerr.StaleBrokerEpoch})
		return
	}
	if !m.im.Leaving(c.Broker) {
		m.im.SetLeaving(c.Broker)
		m.noteBroker(c.Broker, "is leaving")
	}
	m.announceHosted(c.Broker)
	m.touchAllOn(c.Broker)
	if l := m.ledgers[c.Broker]; l != nil {
		for slot := range m.im.HostedBy(c.Broker).All() {
			if _, p := m.im.At(slot); p.Known && p.State.Leader != c.Broker && len(p.Told().Replicas) > 1 {
				l.sr.Add(slot) // stops it from fetching its way back into the ISR
			}
		}
	}
	m.leavings = append(m.leavings, &shutdownCall{token: token, broker: c.Broker, epoch: b.Epoch})
}

func (m *Machine) settleShutdowns() {
	open := m.leavings[:0]
	for _, c := range m.leavings {
		if m.staleEpoch(c.broker, c.epoch) {
			m.reply(c.token, ControlledShutdownReply{Err: kerr.BrokerNotAvailable})
			continue
		}
		remaining, busy := m.stillLed(c.broker)
		if busy {
			open = append(open, c)
			continue
		}
		if len(remaining) > 0 && m.set.LeadersWriteISR && !c.reread {
			c.reread = true // its ISR may have grown since: in a rolling restart it has, just now
			m.readStates(remaining)
			open = append(open, c)
			continue
		}
		m.reply(c.token, ControlledShutdownReply{Remaining: remaining})
	}
	m.leavings = open
}

// stillLed returns the partitions with more than one replica that a broker leads, and whether a write is under way for
// any of its partitions, or a read of one that it leads.
func (m *Machine) stillLed(broker int32) (led []partition.ID, busy bool) {
	hosted := m.im.HostedBy(broker)
	if hosted.Meets(&m.inflight.slots) || hosted.Meets(&m.dirty) || m.writesTopicOn(broker) {
		return nil, true
	}
	for slot := range hosted.All() {
		t, p := m.im.At(slot)
		if p.Known && p.State.Leader == broker && len(p.Told().Replicas) > 1 && t.Held == "" {
			id := m.im.ID(slot)
			if m.reads[id] != nil {
				return nil, true
			}
			led = append(led, id)
		}
	}
	slices.SortFunc(led, partition.Compare)
	return led, false
}

// writesTopicOn reports whether the znode of a topic is being written that a broker hosts a partition of.
func (m *Machine) writesTopicOn(broker int32) bool {
	hosted := m.im.HostedBy(broker)
	for name := range m.topicWrites {
		if t := m.im.Topic(name); t != nil && slices.ContainsFunc(t.Partitions, func(p cluster.Partition) bool { return hosted.Has(p.Slot()) }) {
			return true
		}
	}
	return false
}

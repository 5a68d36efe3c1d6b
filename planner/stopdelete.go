package planner

import (
	"fmt"
	"slices"

	"baton/cluster"
	"baton/epoch"
	"baton/isr"
	"baton/partition"
)

// removal is one replica that a broker is to stop and whose log it is to delete.
type removal struct {
	epoch epoch.Leader
	done  func(code int16)
	// again is when it may be sent: later than now after an answer that was lost, see
	// lostFrame, or that left the replica out.
	again Millis
}

// unlessNeeded: a replica whose partition lives on is not deleted if it belongs to its
// partition again; one of a topic on its way out always is.
func (r *removal) unlessNeeded() bool { return r.epoch != epoch.Deleting }

// stopAndDelete has a broker stop a replica and delete its log (StopReplica with
// deletePartition). e is the leader epoch that the request names: the partition's own where
// the partition lives on, epoch.Deleting where it is on its way out, which no broker
// compares (10.2). done hears the code that the broker answered for this replica, once; a
// request refused as a whole, or lost with its connection, is sent again until then. done
// is not called if the broker's registration ends or the role is lost: whoever asked sees
// both. It reports whether the broker is registered; if not, nothing is sent.
//
// Until the broker has answered it gets no LeaderAndIsr for this partition, be it of a
// topic that was created anew under the same name: what came after could be deleted in
// place of what was meant. A second call for the same replica replaces the first, except
// that one for a topic on its way out is not taken back.
func (m *Machine) stopAndDelete(broker int32, id partition.ID, e epoch.Leader, done func(code int16)) bool {
	l := m.ledgers[broker]
	if l == nil {
		return false
	}
	r := &removal{epoch: e, done: done}
	if l.out != nil && l.out.removals[id] != nil {
		r.outlive(l.out.removals[id])
		l.out.removals[id] = r // the request under way does it; its answer is the answer
		return true
	}
	if old := l.removals[id]; old != nil {
		r.outlive(old)
		r.again = old.again
	}
	l.removals[id] = r
	if p := m.im.Partition(id); p != nil {
		l.sr.Remove(p.Slot())
	}
	return true
}

// outlive takes the place of a removal that has not been answered.
func (r *removal) outlive(old *removal) {
	if !old.unlessNeeded() {
		r.epoch = epoch.Deleting
	}
}

// removable returns the deletions that may go out now: Kafka's order tells a broker first
// that the partition is gone, then to delete it (09.3).
func (m *Machine) removable(broker int32, l *ledger) []partition.ID {
	if len(l.removals) == 0 {
		return nil
	}
	m.dropNeeded(broker, l)
	ids := slices.DeleteFunc(sorted(l.removals), func(id partition.ID) bool {
		p, r := m.im.Partition(id), l.removals[id]
		return p != nil && l.um.Has(p.Slot()) || r.again > m.now || l.revived[id] > m.now || r.unlessNeeded() && m.topicWrites[id.Topic] != 0 // it may be needed in a moment
	})
	return limited(m, ids)
}

// deleteReplicas is a StopReplica of its own: up to v2 one flag holds for all of a request.
func (m *Machine) deleteReplicas(b *cluster.Broker, l *ledger, ids []partition.ID) Request {
	r := m.request(StopReplica, b, l)
	r.Delete = true
	l.out.removals = make(map[partition.ID]*removal, len(ids))
	for _, id := range ids {
		x := l.removals[id]
		delete(l.removals, id)
		l.out.removals[id] = x
		topic := m.im.Topic(id.Topic)
		if topic == nil {
			topic = &cluster.Topic{Name: id.Topic} // its znodes are gone before the broker could be told
		}
		r.add(topic, PartitionState{Number: id.Number, State: partition.State{LeaderAndISR: isr.LeaderAndISR{Leader: isr.NoLeader, LeaderEpoch: x.epoch}}})
	}
	return r
}

// putBack keeps the deletions of a request that has no answer for later.
func (l *ledger) putBack(again Millis) {
	for id, r := range l.out.removals {
		r.again = again
		l.removals[id] = r
	}
}

// lostFrame is for a connection that broke: the broker may have its last frame still. No
// later request fences a deletion at epoch.Deleting, and none fences a LeaderAndIsr once the
// replica is gone. What is to be deleted is asked for only when that frame must have been
// handled, so that an answer means that no log is left.
func (m *Machine) lostFrame(l *ledger) {
	if l.out != nil && l.out.kind == LeaderAndISR {
		for id := range partitionsOf(l.out.named) {
			l.revived[id] = m.now + doubtAfter
		}
	}
	if l.out != nil && len(l.out.removals) > 0 {
		l.putBack(m.now + doubtAfter)
		l.out.removals = nil
	}
}

// removalsReplied hands the codes to those who asked. A replica that the broker did not
// answer for is asked for again.
func (m *Machine) removalsReplied(e BrokerReplied, l *ledger, out *outstanding) {
	l.fails = 0
	codes := make(map[partition.ID]int16, len(e.Partitions))
	for _, p := range e.Partitions {
		codes[p.ID] = p.Code
	}
	missing := 0
	for _, id := range sorted(out.removals) {
		code, answered := codes[id]
		if !answered {
			r := out.removals[id]
			r.again = m.now + 4*m.set.RetryAfter
			l.removals[id] = r
			missing++
			continue
		}
		out.removals[id].done(code)
	}
	if missing > 0 {
		m.note(Note{Kind: NoteTold, Broker: e.Broker, Text: fmt.Sprintf("broker %d did not say whether it deleted %d of %d replicas", e.Broker, missing, len(out.removals))})
	}
}

// dropNeeded takes deletions back of replicas that are to stay after all. One that may have
// been sent on an earlier connection must have been handled before the broker is told
// anything else of the partition.
func (m *Machine) dropNeeded(broker int32, l *ledger) {
	for id, r := range l.removals {
		if p := m.im.Partition(id); r.unlessNeeded() && r.again <= m.now && p != nil && slices.Contains(p.Told().Replicas, broker) {
			delete(l.removals, id)
		}
	}
}

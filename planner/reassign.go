package planner

import (
	"fmt"
	"maps"
	"slices"

	"baton/cluster"
	"baton/isr"
	"baton/partition"

	"github.com/twmb/franz-go/pkg/kerr"
)

// A reassignment (06, KIP-455) goes through what is, step by step, so that any controller,
// ours or Kafka's own, can go on from wherever another one was stopped:
//
//  1. The topic znode names all replicas, those to be added and those to be removed: one
//     rewrite for all partitions of the topic that start now.
//  2. The leader hears of it under a new epoch, and lets the added replicas catch up.
//  3. With the whole target alive and in the ISR, one write moves the leader there, if it
//     has to, and shortens the ISR to the target (partition.Move). Now it is settled.
//  4. The removed replicas are deleted from their brokers' disks.
//  5. The topic znode names the target only: again one rewrite for all that got there.
//
// The removed replicas are in the znode until they are deleted, because no other place
// says what is still to be cleaned up.

// removalWait is how long a live broker may take to delete a removed replica before the
// reassignment ends without it, in milliseconds: ZooKeeper gives a broker up earlier.
const removalWait Millis = 30_000

// dismissal is what is known of replicas of one partition that are to be deleted.
type dismissal struct {
	settled bool   // the reassignment has
	since   Millis // when it did
	brokers map[int32]*dismissed
}

// dismissed is one of them.
type dismissed struct {
	on    *ledger // whom it was asked of: a broker's later life is asked again
	done  bool
	again Millis // when it is asked again after a refusal
	// outside: not in the assignment any more, so nothing waits for it.
	outside bool
}

// isNewOn reports whether a broker's copy counts as new: a replica being added has no log
// anywhere, even if the broker has a failed directory (KAFKA-10314); nor has one whose log
// we have deleted.
func (m *Machine) isNewOn(broker int32, id partition.ID, p *cluster.Partition) bool {
	if d := m.dismissals[id]; d != nil && d.brokers[broker] != nil && d.brokers[broker].done {
		return true
	}
	return slices.Contains(p.Assignment.Adding, broker) && !p.State.ISR.Has(broker)
}

// assignmentChanged follows an acknowledged change of a partition's assignment: what
// brokers are told of it has to come under a new leader epoch, or they ignore it.
func (m *Machine) assignmentChanged(id partition.ID, before, after *cluster.Partition) {
	if !after.Known {
		m.bump[id] = partition.Reassign // for a state that is there already, of somebody else
		return
	}
	for _, b := range partition.Unneeded(before.Assignment, after.Assignment) {
		d := m.dismissal(id)
		if x := d.brokers[b]; x != nil && x.done {
			delete(d.brokers, b)
		} else if !m.im.IsBaton(b) {
			d.broker(b).outside = true
		}
	}
	was, is := before.Told(), after.Told()
	if was.Equal(is) {
		return
	}
	m.bump[id] = partition.Reassign
	if m.namesBaton(was.Replicas) {
		m.bump[id] = partition.Repaired
	}
	for _, b := range partition.Unneeded(is, was) {
		if l := m.ledgers[b]; l != nil {
			l.addLAI(after.Slot(), true)
		}
	}
}

// retell has brokers hear of an assignment anew if a change of the ISR changed what they
// are to be told of it without a new leader epoch.
func (m *Machine) retell(id partition.ID, was partition.Assignment, p *cluster.Partition) {
	if !was.Equal(p.Told()) {
		m.bump[id] = partition.Reassign
	}
}

// unsure has brokers hear of an assignment that was found and that the leader may not have
// been told under the epoch of the state that was found with it: of a reassignment, and of
// any that is newer than the state, because whoever wrote it may have been stopped before
// it raised the epoch. Once every replica is in the ISR the leader knows them all.
func (m *Machine) unsure(id partition.ID, p *cluster.Partition) {
	newer := m.im.Topic(id.Topic).Zxid > p.Seen && p.State.Leader != isr.NoLeader && !isr.Set(p.Assignment.Replicas).SubsetOf(p.State.ISR)
	if newer || p.Assignment.Reassigning() || !p.Told().Equal(p.Assignment) {
		m.bump[id] = partition.Reassign
	}
}

func (m *Machine) dismissal(id partition.ID) *dismissal {
	d := m.dismissals[id]
	if d == nil {
		d = &dismissal{brokers: map[int32]*dismissed{}}
		m.dismissals[id] = d
	}
	return d
}

func (d *dismissal) broker(b int32) *dismissed {
	x := d.brokers[b]
	if x == nil {
		x = &dismissed{}
		d.brokers[b] = x
	}
	return x
}

// dropDismissals: the topic is being deleted. Replicas that its partitions did not need any
// more are in nobody's way, but a log that stayed would meet the next topic of the name.
func (m *Machine) dropDismissals(id partition.ID) {
	if d := m.dismissals[id]; d != nil {
		for _, b := range slices.Sorted(maps.Keys(d.brokers)) {
			if !d.brokers[b].done {
				m.leave(b, id)
			}
		}
		delete(m.dismissals, id)
	}
}

// dismiss has the replicas deleted that a partition does not need any more: the removed
// ones once a reassignment has settled, and those that the assignment does not name. It is
// called when leader and ISR are as they should be.
func (m *Machine) dismiss(id partition.ID, p *cluster.Partition) {
	settled := p.Assignment.Settled(p.State.LeaderAndISR) && m.im.HasLeader(p)
	if m.dismissals[id] == nil && !settled {
		return
	}
	d := m.dismissal(id)
	if settled && !d.settled {
		d.since = m.now
	}
	d.settled = settled
	if settled {
		for _, b := range p.Assignment.Removing {
			d.broker(b)
		}
	}
	told := p.Told()
	for _, b := range slices.Sorted(maps.Keys(d.brokers)) {
		switch x := d.brokers[b]; {
		case slices.Contains(told.Replicas, b): // needed after all
			if l := m.ledgers[b]; l != nil && (x.on != nil || x.done) {
				if l.lai.Has(p.Slot()) {
					l.addLAI(p.Slot(), true) // its log may be gone already
				}
			}
			delete(d.brokers, b)
		case x.outside || settled:
			m.askDismissal(id, p, b, x)
		}
	}
	if len(d.brokers) == 0 && !settled {
		delete(m.dismissals, id)
	}
}

// askDismissal asks a broker once in each of its lives, and again after a refusal.
func (m *Machine) askDismissal(id partition.ID, p *cluster.Partition, b int32, x *dismissed) {
	l := m.ledgers[b]
	if l == nil || x.done || x.on == l || x.again > m.now {
		return // one that is not registered is asked when it is back
	}
	x.on = l
	m.stopAndDelete(b, id, p.State.LeaderEpoch, func(code int16) {
		d := m.dismissals[id]
		if d == nil || d.brokers[b] != x {
			return // withdrawn, or the topic is gone
		}
		switch code {
		case 0, kerr.UnknownTopicOrPartition.Code, kerr.KafkaStorageError.Code:
			// What is on a failed directory is gone with it, or stays until somebody mends the disk.
			x.done = true
			if x.outside {
				delete(d.brokers, b)
			}
		default: // a newer leader epoch than ours: the next request names the newest
			x.on, x.again = nil, m.now+4*m.set.RetryAfter
			m.note(Note{Kind: NoteTold, Broker: b, Partition: id, Text: fmt.Sprintf("broker %d did not delete its replica of %v: %v", b, id, kerr.ErrorForCode(code))})
		}
		m.touch(id)
	})
}

// removed reports whether a settled reassignment can end: live brokers have deleted what
// they had to, or took too long. Brokers that are away are asked when they are back.
func (m *Machine) removed(id partition.ID, p *cluster.Partition) bool {
	d := m.dismissals[id]
	if d == nil || !d.settled {
		return false
	}
	for _, b := range p.Assignment.Removing {
		if x := d.brokers[b]; (x == nil || !x.done) && m.im.Broker(b) != nil && m.now-d.since < removalWait {
			return false
		}
	}
	return true
}

// reassignTick looks again at what waits for time to pass.
func (m *Machine) reassignTick() {
	for id := range m.dismissals {
		m.touch(id)
	}
	for name := range m.moves {
		m.touchTopic(name)
	}
	for name := range m.legacy.topics {
		m.touchTopic(name)
	}
}

// reassignTopics makes the topic rewrites that reassignments are due, one for a topic, of the partitions that were looked at.
func (m *Machine) reassignTopics(at []looked) {
	last := ""
	for _, d := range at {
		if d.id.Topic != last && m.reassigns(d) {
			last = d.id.Topic
			m.reassignTopic(last)
		}
	}
	m.shrinkLegacy()
}

// reassigns reports whether a partition may be a reason to rewrite its topic: most never
// are, and a topic may have many.
func (m *Machine) reassigns(d looked) bool {
	if d.slot != notThere {
		if _, p := m.im.At(d.slot); p.Assignment.Reassigning() {
			return true
		}
	}
	return len(m.moves[d.id.Topic]) > 0 || len(m.legacy.topics[d.id.Topic]) > 0
}

// reassignTopic puts everything that can be written now into one rewrite of the topic
// znode: reassignments that end, and those asked for that start, change or are cancelled.
func (m *Machine) reassignTopic(name string) {
	t := m.im.Topic(name)
	if t == nil || t.Held != "" {
		m.refuseMoves(name)
		return
	}
	if m.topicWrites[name] != 0 || m.topicRetry[name] > m.now || m.topicStale(t) {
		return
	}
	parts, changed := assignments(t), false
	for i := range t.Partitions {
		p := &t.Partitions[i]
		id := partition.ID{Topic: name, Number: p.Number}
		if p.Assignment.Reassigning() && m.inflight.of(p) == nil && m.bump[id] == "" &&
			p.Assignment.Settled(p.State.LeaderAndISR) && m.im.HasLeader(p) && m.removed(id, p) {
			parts[i].Assignment, changed = partition.Assignment{Replicas: p.Assignment.Target()}, true
		}
	}
	written := m.startMoves(t, parts)
	if m.startLegacy(t, parts) || len(written) > 0 {
		changed = true
	}
	if changed {
		topicID := t.ID
		if topicID.IsZero() {
			topicID = m.fresh[name]
		}
		version := t.Version
		m.rewriteTopic(t, topicID, parts, func(r Result) { m.movesWritten(name, version, written, r) })
	}
}

// topicStale: a rewrite has found a newer znode than the image has, which is on its way.
func (m *Machine) topicStale(t *cluster.Topic) bool {
	v, ok := m.stale[t.Name]
	if ok && t.Version > v {
		delete(m.stale, t.Name)
		ok = false
	}
	return ok
}

// movable reports whether a partition's assignment may change now. While a state write is
// under way the ISR is not known for certain; and a reassignment that has settled ends
// first, as its removed replicas may be gone already.
func (m *Machine) movable(p *cluster.Partition) bool {
	return m.inflight.of(p) == nil && !m.namesBaton(p.Assignment.Replicas) && !p.Assignment.Settled(p.State.LeaderAndISR)
}

// keepsRecords reports whether at least one replica of an assignment has every record: the
// others are deleted. Kafka's own ZooKeeper controller does not ask; KRaft's does.
func keepsRecords(p *cluster.Partition, next partition.Assignment) bool {
	return !p.Known || p.State.ISR.Any(func(b int32) bool { return slices.Contains(next.Replicas, b) })
}

// stray has a replica deleted whose broker still leads by an older assignment: whoever
// took it away was stopped before the broker could be told.
func (m *Machine) stray(id partition.ID, p *cluster.Partition, broker int32) {
	if !slices.Contains(p.Told().Replicas, broker) && !slices.Contains(p.Assignment.Replicas, broker) {
		m.dismissal(id).broker(broker).outside = true
		m.touch(id)
	}
}

// misled: a leader that asks for a member that is no replica has not heard of the newest
// assignment, because whoever wrote it was stopped before it could say so.
func (m *Machine) misled(id partition.ID, p *cluster.Partition, asked isr.Set) {
	live := asked.Filter(func(b int32) bool { return m.im.Broker(b) != nil })
	if !live.SubsetOf(p.Told().Replicas) && m.bump[id] == "" {
		m.bump[id] = partition.Reassign
		m.touch(id)
	}
}

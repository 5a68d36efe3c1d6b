package planner

import (
	"fmt"
	"maps"

	"baton/partition"

	"github.com/twmb/franz-go/pkg/kerr"
)

func (m *Machine) channelUp(e ChannelUp) {
	if l := m.ledgers[e.Broker]; l != nil && l.epoch == e.Epoch {
		m.lostFrame(l)
		l.untell()
		l.up, l.conn, l.until, l.fails = true, e.Conn, 0, 0
		m.timeHeld(l)
	}
}

func (m *Machine) channelDown(e ChannelDown) {
	if l := m.ledgers[e.Broker]; l != nil && l.conn == e.Conn {
		if l.out != nil && l.out.kind == UpdateMetadata {
			l.doubt, l.doubted = m.now+doubtAfter, m.itemsOf(l.out)
			if len(l.out.gone) > 0 {
				l.doubted = sorted(l.out.gone)
			}
		}
		m.lostFrame(l)
		l.untell()
		l.up = false
	}
}

// itemsOf returns the partitions of a request that are still there.
func (m *Machine) itemsOf(out *outstanding) []partition.ID {
	ids := make([]partition.ID, 0, out.items.Len())
	for slot := range out.items.All() {
		ids = append(ids, m.im.ID(slot))
	}
	return ids
}

// dispelDoubts sends again what a frame of a broken connection may have overwritten,
// the live list included.
func (m *Machine) dispelDoubts() {
	for _, l := range m.ledgers {
		maps.DeleteFunc(l.revived, func(_ partition.ID, until Millis) bool { return until <= m.now })
		if l.doubted == nil || m.now < l.doubt {
			continue
		}
		for _, id := range l.doubted {
			if t := m.im.Topic(id.Topic); t == nil || t.Deleting || t.Partition(id.Number) == nil {
				l.gone[id] = struct{}{}
			} else {
				l.um.Add(t.Partition(id.Number).Slot())
			}
		}
		l.doubted, l.live = nil, 0
	}
}

// brokerReplied takes in an answer; only one on the same connection counts.
func (m *Machine) brokerReplied(e BrokerReplied) {
	l := m.ledgers[e.Broker]
	if l == nil || l.out == nil || l.conn != e.Conn || l.out.seq != e.Seq {
		return
	}
	if e.Code != 0 {
		m.requestRefused(e, l)
		return
	}
	out := l.out
	l.out = nil
	switch out.kind {
	case UpdateMetadata:
		l.live, l.knows, l.fails = out.live, out.knows, 0
		l.whole = l.whole || l.um.Len() == 0
		if len(out.gone) > 0 {
			m.lookAtDeletions()
		}
	case StopReplica:
		m.removalsReplied(e, l, out)
		m.stopReplicaReplied(e, l, out)
	case LeaderAndISR:
		if out.opens {
			m.logsOpened(e, l, out)
			return
		}
		m.leaderAndISRReplied(e, l, out)
	}
}

func (m *Machine) requestRefused(e BrokerReplied, l *ledger) {
	kind := l.out.kind
	l.untell()
	m.backOff(l)
	switch e.Code {
	case kerr.StaleBrokerEpoch.Code:
		m.plan.RereadBrokers = true
	case kerr.StaleControllerEpoch.Code:
		m.plan.Reclaim = true
	}
	m.note(Note{Kind: NoteTold, Broker: e.Broker, Text: fmt.Sprintf("broker %d refused %v: %v", e.Broker, kind, kerr.ErrorForCode(e.Code))})
}

func (m *Machine) backOff(l *ledger) {
	l.fails++
	l.until = m.now + m.set.RetryAfter<<min(l.fails-1, 5)
}

// stopReplicaReplied: a replica that the broker did not stop goes on fetching its way
// into the ISR that its broker is leaving. On a failed directory it does not, nor where
// the broker has heard of a newer epoch.
func (m *Machine) stopReplicaReplied(e BrokerReplied, l *ledger, out *outstanding) {
	l.fails = 0
	failed := out.items.Clone()
	for _, p := range e.Partitions {
		switch p.Code {
		case 0, kerr.FencedLeaderEpoch.Code, kerr.StaleControllerEpoch.Code, kerr.KafkaStorageError.Code:
			if q := m.im.Partition(p.ID); q != nil {
				failed.Remove(q.Slot())
			}
		}
	}
	l.sr.AddAll(&failed)
	if failed.Len() > 0 {
		l.stopAgain = m.now + 4*m.set.RetryAfter
		m.note(Note{Kind: NoteTold, Broker: e.Broker, Text: fmt.Sprintf("broker %d did not stop %d of %d replicas", e.Broker, failed.Len(), out.items.Len())})
	}
}

// leaderAndISRReplied reads the partitions' codes: 11 means that the broker has this
// epoch already; KAFKA_STORAGE_ERROR that the replica is on a failed directory;
// anything else that it was not taken in and must be told again.
func (m *Machine) leaderAndISRReplied(e BrokerReplied, l *ledger, out *outstanding) {
	rest, codes := out.items.Clone(), map[int32]int16{}
	for _, a := range e.Partitions {
		p := m.im.Partition(a.ID)
		switch {
		case p == nil || !rest.Has(p.Slot()): // forgotten meanwhile
		case a.Code == 0 && len(p.Dirs) == 0: // as nearly always
			rest.Remove(p.Slot())
			delete(l.later, a.ID)
			m.proved(l, p.Slot())
		default:
			codes[p.Slot()] = a.Code
		}
	}
	failed := 0
	var first string
	for _, d := range m.byName(&rest) {
		id := d.id
		code, answered := codes[d.slot]
		switch {
		case answered && code == 0:
			delete(l.later, id)
			m.replicaDir(e.Broker, id, false)
		case answered && code == kerr.StaleControllerEpoch.Code:
			delete(l.later, id)
		case answered && code == kerr.KafkaStorageError.Code:
			delete(l.later, id)
			m.replicaDir(e.Broker, id, true)
		default:
			l.addLAI(d.slot, out.isNew.Has(d.slot))
			w := wait{fails: l.later[id].fails + 1}
			w.until = m.now + m.set.RetryAfter<<min(w.fails-1, 5)
			l.later[id] = w
			if failed++; first == "" {
				first = fmt.Sprintf("%v: %v (answered: %v)", id, kerr.ErrorForCode(code), answered)
			}
		}
		if answered && (code == 0 || code == kerr.StaleControllerEpoch.Code) {
			m.proved(l, d.slot)
		}
	}
	l.fails = 0
	if failed == 0 {
		return
	}
	m.note(Note{Kind: NoteTold, Broker: e.Broker, Text: fmt.Sprintf("broker %d did not take in %d of %d partitions, first %s", e.Broker, failed, out.items.Len(), first)})
}

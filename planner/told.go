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
			l.doubt, l.doubted = m.now+doubtAfter, l.out.items
			if len(l.out.gone) > 0 {
				l.doubted = l.out.gone
			}
		}
		m.lostFrame(l)
		l.untell()
		l.up = false
	}
}

// dispelDoubts sends again what a frame of a broken connection may have overwritten,
// the live list included.
func (m *Machine) dispelDoubts() {
	for _, l := range m.ledgers {
		maps.DeleteFunc(l.revived, func(_ partition.ID, until Millis) bool { return until <= m.now })
		if l.doubted == nil || m.now < l.doubt {
			continue
		}
		for id := range l.doubted {
			if t := m.im.Topic(id.Topic); t == nil || t.Deleting || t.Partition(id.Number) == nil {
				l.gone[id] = struct{}{}
			} else {
				l.um[id] = struct{}{}
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
		l.whole = l.whole || len(l.um) == 0
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
	settled := map[partition.ID]bool{}
	for _, p := range e.Partitions {
		switch p.Code {
		case 0, kerr.FencedLeaderEpoch.Code, kerr.StaleControllerEpoch.Code, kerr.KafkaStorageError.Code:
			settled[p.ID] = true
		}
	}
	failed := 0
	for id := range out.items {
		if !settled[id] {
			l.sr[id] = struct{}{}
			failed++
		}
	}
	if failed > 0 {
		l.stopAgain = m.now + 4*m.set.RetryAfter
		m.note(Note{Kind: NoteTold, Broker: e.Broker, Text: fmt.Sprintf("broker %d did not stop %d of %d replicas", e.Broker, failed, len(out.items))})
	}
}

// leaderAndISRReplied reads the partitions' codes: 11 means that the broker has this
// epoch already; KAFKA_STORAGE_ERROR that the replica is on a failed directory;
// anything else that it was not taken in and must be told again.
func (m *Machine) leaderAndISRReplied(e BrokerReplied, l *ledger, out *outstanding) {
	codes := make(map[partition.ID]int16, len(e.Partitions))
	for _, p := range e.Partitions {
		codes[p.ID] = p.Code
	}
	failed := 0
	var first string
	for _, id := range sorted(out.items) {
		code, answered := codes[id]
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
			l.addLAI(id, out.items[id])
			w := wait{fails: l.later[id].fails + 1}
			w.until = m.now + m.set.RetryAfter<<min(w.fails-1, 5)
			l.later[id] = w
			if failed++; first == "" {
				first = fmt.Sprintf("%v: %v (answered: %v)", id, kerr.ErrorForCode(code), answered)
			}
		}
		if answered && (code == 0 || code == kerr.StaleControllerEpoch.Code) {
			m.proved(l, id)
		}
	}
	l.fails = 0
	if failed == 0 {
		return
	}
	m.note(Note{Kind: NoteTold, Broker: e.Broker, Text: fmt.Sprintf("broker %d did not take in %d of %d partitions, first %s", e.Broker, failed, len(out.items), first)})
}
